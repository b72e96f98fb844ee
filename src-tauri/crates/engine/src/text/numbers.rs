//! Numbers that are written in groups: 1,249,500 and 138 0013 8000.

use std::ops::Range;

use super::signs::{is_apostrophe, is_hyphen, is_thin_space};

/// The fewest digits of a telephone number. Groups with fewer digits are columns of a table.
const LEAST_DIGITS: usize = 7;

/// The most digits of a telephone number or card number. A card has 16 to 19.
const MOST_DIGITS: usize = 19;

const MOST_GROUPS: usize = 6;

/// A number in groups of digits.
pub(super) struct Number {
    /// The byte range of each group.
    pub(super) groups: Vec<Range<usize>>,
    /// Ranges of groups that are also one number when written together.
    pub(super) wholes: Vec<Range<usize>>,
    /// Whether the last group is a fraction.
    pub(super) has_fraction: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Between {
    Blank,
    Hyphen,
    Comma,
    Stop,
    Apostrophe,
    /// `)` or `(`, with or without a blank or hyphen.
    Bracket,
}

/// The number in groups that begins with the digit at byte `at` of a text, if there is one.
pub(super) fn number(text: &str, at: usize) -> Option<Number> {
    let first = digits(text, at);
    let (kind, next) = between(&text[first.end..])?;
    if digits(text, first.end + next).is_empty() {
        return None;
    }
    let before = text[..at].chars().next_back();
    let is_telephone = matches!(before, Some('+' | '('));
    let mut groups = vec![first];
    let mut is_alike = kind != Between::Bracket;
    while groups.len() <= MOST_GROUPS {
        let end = groups.last()?.end;
        let Some((between, next)) = between(&text[end..]) else { break };
        let group = digits(text, end + next);
        if group.is_empty() {
            break;
        }
        if between != kind || between == Between::Bracket {
            if !is_telephone || matches!(between, Between::Comma | Between::Apostrophe) {
                break;
            }
            is_alike = false;
        }
        groups.push(group);
    }
    let end = groups.last()?.end;
    // More groups than that are not one number, and digits that letters follow belong to a name.
    if groups.len() < 2 || groups.len() > MOST_GROUPS || text[end..].starts_with(|c: char| c.is_ascii_alphanumeric()) {
        return None;
    }
    let n = groups.len();
    let whole = 0..n;
    if is_telephone && of_a_telephone(&groups) {
        // With and without the country code.
        let wholes = if before == Some('+') && n > 2 { vec![whole, 1..n] } else { vec![whole] };
        return Some(Number { groups, wholes, has_fraction: false });
    }
    let is_thousands = is_alike && of_thousands(&groups, kind);
    if is_thousands && kind == Between::Comma {
        let fraction = text[end..].strip_prefix('.').map(|_| digits(text, end + 1)).filter(|range| !range.is_empty());
        if let Some(fraction) = fraction {
            groups.push(fraction);
            return Some(Number { groups, wholes: vec![0..n + 1, whole], has_fraction: true });
        }
    }
    let is_sure = match kind {
        Between::Blank | Between::Hyphen => true,
        // Version numbers and IP addresses have shorter groups, or four of them.
        Between::Stop => n == 3 && groups.iter().all(|group| group.len() >= 3),
        _ => false,
    };
    let is_telephone = is_alike && is_sure && of_a_telephone(&groups);
    (is_thousands || is_telephone).then(|| Number { groups, wholes: vec![whole], has_fraction: false })
}

fn digits(text: &str, at: usize) -> Range<usize> {
    let rest = &text.as_bytes()[at..];
    at..at + rest.iter().take_while(|byte| byte.is_ascii_digit()).count()
}

/// The separator between two groups at the start of `rest`, and its length in bytes.
fn between(rest: &str) -> Option<(Between, usize)> {
    let mut chars = rest.chars();
    let c = chars.next()?;
    let next = chars.next();
    let is_blank = |c: Option<char>| c.is_some_and(is_thin_space);
    Some(match c {
        ' ' if next == Some('(') => (Between::Bracket, 2),
        ')' if next.is_some_and(|c| is_thin_space(c) || is_hyphen(c)) => (Between::Bracket, 1 + next?.len_utf8()),
        ')' | '(' => (Between::Bracket, 1),
        c if is_thin_space(c) && !is_blank(next) => (Between::Blank, c.len_utf8()),
        c if is_hyphen(c) => (Between::Hyphen, c.len_utf8()),
        ',' => (Between::Comma, 1),
        '.' => (Between::Stop, 1),
        c if is_apostrophe(c) => (Between::Apostrophe, c.len_utf8()),
        _ => return None,
    })
}

/// Whether the groups separate thousands: 1,249,500, or 12,49,500 as it is written in India.
fn of_thousands(groups: &[Range<usize>], between: Between) -> bool {
    let Some(([first, middle @ ..], last)) = groups.split_last().map(|(last, rest)| (rest, last)) else { return false };
    let is_indian = between == Between::Comma;
    let fits = match between {
        Between::Comma | Between::Blank | Between::Apostrophe => true,
        // With two groups, the second is a fraction: 3.125.
        Between::Stop => !middle.is_empty(),
        Between::Hyphen | Between::Bracket => false,
    };
    fits && (1..=3).contains(&first.len())
        && last.len() == 3
        && (middle.iter().all(|group| group.len() == 3)
            || is_indian && first.len() <= 2 && middle.iter().all(|group| group.len() == 2))
}

fn of_a_telephone(groups: &[Range<usize>]) -> bool {
    let n_digits: usize = groups.iter().map(ExactSizeIterator::len).sum();
    let is_group = |(i, group): (usize, &Range<usize>)| if i == 0 { 1..=4 } else { 2..=5 }.contains(&group.len());
    (LEAST_DIGITS..=MOST_DIGITS).contains(&n_digits) && groups.iter().enumerate().all(is_group)
}
