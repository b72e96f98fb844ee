//! Colours on a terminal, plain text elsewhere.

/// How to mark text up; [`Style::PLAIN`] leaves it alone.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Style {
    coloured: bool,
}

impl Style {
    /// `terminal` says whether a person reads the text. `NO_COLOR` (no-color.org) turns colours off even then.
    pub(crate) fn new(terminal: bool) -> Self {
        Self { coloured: terminal && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty()) }
    }

    pub(crate) fn bold(self, text: &str) -> String {
        self.paint("1", text)
    }

    pub(crate) fn dim(self, text: &str) -> String {
        self.paint("2", text)
    }

    pub(crate) fn warning(self, text: &str) -> String {
        self.paint("33", text)
    }

    /// `text` with the ranges `marks` (code points, end exclusive, in order) made to stand out.
    pub(crate) fn highlight(self, text: &str, marks: &[[usize; 2]]) -> String {
        if !self.coloured {
            return text.to_owned();
        }
        let chars: Vec<char> = text.chars().collect();
        let mut out = String::with_capacity(text.len() + 16 * marks.len());
        let mut at = 0;
        for &[start, end] in marks {
            let (start, end) = (start.max(at), end.min(chars.len()));
            if start >= end {
                continue;
            }
            out.extend(&chars[at..start]);
            out.push_str("\x1b[1;32m");
            out.extend(&chars[start..end]);
            out.push_str("\x1b[0m");
            at = end;
        }
        out.extend(&chars[at..]);
        out
    }

    fn paint(self, code: &str, text: &str) -> String {
        if self.coloured { format!("\x1b[{code}m{text}\x1b[0m") } else { text.to_owned() }
    }
}

/// Replaces control characters: an escape sequence in somebody's note must not control the terminal. Keeps the number
/// of code points, so that highlights still fit.
pub(crate) fn printable(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn highlights_count_code_points() {
        let style = Style { coloured: true };
        let check = |text: &str, marks: &[[usize; 2]], expected: &str| {
            assert_eq!(style.highlight(text, marks).replace("\x1b[1;32m", "<").replace("\x1b[0m", ">"), expected);
        };
        check("read JSON", &[[5, 9]], "read <JSON>");
        check("使用 json 函数", &[[0, 2], [3, 7]], "<使用> <json> 函数");
        check("ab", &[[0, 1], [1, 2]], "<a><b>");
        check("ab", &[], "ab");
        check("ab", &[[5, 9]], "ab");
        assert_eq!(Style { coloured: false }.highlight("ab", &[[0, 1]]), "ab");
    }

    #[test]
    fn control_characters_do_not_reach_the_terminal() {
        assert_eq!(printable("a\x1b[2Jb\nc"), "a [2Jb c");
    }
}
