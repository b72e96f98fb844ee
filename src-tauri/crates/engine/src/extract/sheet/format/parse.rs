//! Parses a format's code.

use super::{Condition, NumberFormat, Section, Token};

pub(super) fn parse(code: &str) -> NumberFormat {
    let mut sections = vec![Section::default()];
    let mut rest = code;
    while let Some(first) = rest.chars().next() {
        let tail = &rest[first.len_utf8()..];
        let Some(section) = sections.last_mut() else { break };
        let mut push = |token| section.tokens.push(token);
        rest = match first {
            ';' => {
                sections.push(Section::default());
                tail
            }
            '"' => {
                let end = tail.find('"').unwrap_or(tail.len());
                tail[..end].chars().for_each(|c| push(Token::Literal(c)));
                tail.get(end + 1..).unwrap_or_default()
            }
            '\\' | '!' => {
                let mut chars = tail.chars();
                chars.next().into_iter().for_each(|c| push(Token::Literal(c)));
                chars.as_str()
            }
            // `_` is a space as wide as the next character; `*` fills the cell with it. Both read as a space.
            '_' | '*' => {
                push(Token::Literal(' '));
                let mut chars = tail.chars();
                chars.next();
                chars.as_str()
            }
            '[' => {
                let end = tail.find(']').unwrap_or(tail.len());
                bracket(section, &tail[..end]);
                tail.get(end + 1..).unwrap_or_default()
            }
            '0' | '#' | '?' => {
                push(Token::Digit(first));
                tail
            }
            '.' => {
                push(Token::Point);
                tail
            }
            ',' => {
                push(Token::Comma);
                tail
            }
            '%' => {
                push(Token::Percent);
                tail
            }
            '/' => {
                push(Token::Slash);
                tail
            }
            '@' => {
                push(Token::Text);
                tail
            }
            'E' | 'e' if tail.starts_with(['+', '-']) => {
                push(Token::Exponent { is_signed: tail.starts_with('+') });
                &tail[1..]
            }
            _ => word(rest, &mut push),
        };
    }
    NumberFormat { sections }
}

/// Reads the content of brackets: a colour, a condition, a currency and language, or an elapsed time.
fn bracket(section: &mut Section, inside: &str) {
    let lower = inside.to_ascii_lowercase();
    if let Some(first @ ('h' | 'm' | 's')) = lower.chars().next()
        && lower.chars().all(|c| c == first)
    {
        section.tokens.push(Token::Elapsed(first, lower.len()));
    } else if let Some(money) = inside.strip_prefix('$') {
        let (sign, language) = money.split_once('-').unwrap_or((money, ""));
        section.tokens.extend(sign.chars().map(Token::Literal));
        section.is_chinese |= ["804", "404", "c04", "1004", "1404"].iter().any(|one| {
            let language = language.to_ascii_lowercase();
            language.trim_start_matches('0') == *one || language.ends_with(&format!("0{one}"))
        });
    } else if inside.starts_with(['<', '>', '=']) {
        let operator: String = inside.chars().take_while(|c| matches!(c, '<' | '>' | '=')).collect();
        if let Ok(than) = inside[operator.len()..].trim().parse() {
            section.condition = Some(Condition { operator, than });
        }
    }
}

/// Reads a part of a date, the word `General`, or a character that stands for itself.
fn word<'c>(rest: &'c str, push: &mut impl FnMut(Token)) -> &'c str {
    let starts = |word: &str| rest.get(..word.len()).is_some_and(|start| start.eq_ignore_ascii_case(word));
    if starts("general") {
        push(Token::General);
        return &rest["general".len()..];
    }
    for (before, after) in [("AM", "PM"), ("A", "P"), ("上午", "下午")] {
        if starts(&format!("{before}/{after}")) {
            push(Token::HalfDay(before.to_owned(), after.to_owned()));
            return &rest[before.len() + 1 + after.len()..];
        }
    }
    let Some(first) = rest.chars().next() else { return "" };
    let part = first.to_ascii_lowercase();
    if matches!(part, 'y' | 'm' | 'd' | 'h' | 's' | 'e' | 'b' | 'g' | 'a') {
        let n = rest.chars().take_while(|c| c.to_ascii_lowercase() == part).count();
        if part != 'a' || n >= 3 {
            push(Token::Part(part, n));
            return &rest[n..];
        }
    }
    push(Token::Literal(first));
    &rest[first.len_utf8()..]
}
