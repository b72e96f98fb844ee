//! Number formats of spreadsheets, to write a number as its cell shows it (ECMA-376 part 1, 18.8.30 and 18.8.31).

mod decimal;
mod moment;
mod parse;
#[cfg(test)]
mod tests;

pub(super) use decimal::general;
pub(super) use moment::serial;

/// A format, parsed from its code, e.g. `#,##0.00;[Red]-#,##0.00`.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct NumberFormat {
    sections: Vec<Section>,
}

#[derive(Clone, Debug, Default, PartialEq)]
struct Section {
    condition: Option<Condition>,
    tokens: Vec<Token>,
    /// Whether names of days are Chinese.
    is_chinese: bool,
}

#[derive(Clone, Debug, PartialEq)]
struct Condition {
    operator: String,
    than: f64,
}

#[derive(Clone, Debug, PartialEq)]
enum Token {
    Literal(char),
    /// `0`, `#` or `?`.
    Digit(char),
    Point,
    Comma,
    Percent,
    /// `E+` always shows the sign, `E-` only a minus.
    Exponent {
        is_signed: bool,
    },
    Slash,
    General,
    /// `@`: the text of the cell.
    Text,
    /// A part of a date or a time: its lower-case letter, and how often the letter is repeated, as in `yyyy`.
    Part(char, usize),
    /// Elapsed hours, minutes or seconds, which may exceed a day: `[h]`.
    Elapsed(char, usize),
    /// The words for before and after noon.
    HalfDay(String, String),
}

impl NumberFormat {
    /// `None` for a format that shows numbers as they are.
    pub(super) fn new(code: &str) -> Option<Self> {
        let format = parse::parse(code);
        let is_general = |section: &Section| section.tokens.iter().all(|t| matches!(t, Token::General | Token::Text));
        (!format.sections.iter().all(is_general)).then_some(format)
    }

    /// A format that every program knows by its number (18.8.30). Some look different in each country where the file is
    /// opened; here, their dates are written in full, the same everywhere.
    pub(super) fn built_in(id: u32) -> Option<Self> {
        let code = match id {
            1 => "0",
            2 => "0.00",
            3 => "#,##0",
            4 => "#,##0.00",
            9 => "0%",
            10 => "0.00%",
            11 => "0.00E+00",
            12 => "# ?/?",
            13 => "# ??/??",
            14 | 30 => "yyyy-mm-dd",
            15 => "d-mmm-yy",
            16 => "d-mmm",
            17 => "mmm-yy",
            18 => "h:mm AM/PM",
            19 => "h:mm:ss AM/PM",
            20 => "h:mm",
            21 => "h:mm:ss",
            22 => "yyyy-mm-dd h:mm",
            27 | 36 | 50 | 52 | 57 => "yyyy\"年\"m\"月\"",
            28 | 29 | 51 | 53 | 54 | 58 => "m\"月\"d\"日\"",
            31 => "yyyy\"年\"m\"月\"d\"日\"",
            32 | 34 | 55 => "h\"时\"mm\"分\"",
            33 | 35 | 56 => "h\"时\"mm\"分\"ss\"秒\"",
            5 => "\"$\"#,##0;-\"$\"#,##0",
            6 => "\"$\"#,##0;-\"$\"#,##0",
            7 | 8 => "\"$\"#,##0.00;-\"$\"#,##0.00",
            37 | 38 => "#,##0;(#,##0)",
            39 | 40 => "#,##0.00;(#,##0.00)",
            41 | 42 => "#,##0;(#,##0);\"-\"",
            43 | 44 => "#,##0.00;(#,##0.00);\"-\"",
            45 => "mm:ss",
            46 => "[h]:mm:ss",
            47 => "mm:ss.0",
            48 => "##0.0E+0",
            _ => return None,
        };
        Self::new(code)
    }

    /// Shows a number, or the moment that the number stands for as days since 1900 or 1904.
    pub(super) fn show(&self, value: f64, is_1904: bool) -> String {
        if !value.is_finite() {
            return String::new();
        }
        let Some((section, is_signed)) = self.section(value) else { return general(value) };
        let shown = if section.is_moment() {
            moment::show(section, value, is_1904).unwrap_or_else(|| general(value))
        } else if section.tokens.is_empty() && value != 0.0 {
            // A format such as `;;;` hides the number. It is read all the same, because the file holds it.
            general(value)
        } else {
            let sign = if is_signed && value < 0.0 { "-" } else { "" };
            format!("{sign}{}", decimal::show(&section.tokens, value.abs()))
        };
        shown.split_whitespace().collect::<Vec<_>>().join(" ")
    }

    /// The section for a value, and whether a negative value needs a minus. The section for negative numbers has its
    /// own sign.
    fn section(&self, value: f64) -> Option<(&Section, bool)> {
        // The fourth section is for text.
        let numbers = &self.sections[..self.sections.len().min(3)];
        if numbers.iter().any(|section| section.condition.is_some()) {
            let holds = |section: &&Section| section.condition.as_ref().is_none_or(|condition| condition.holds(value));
            return numbers.iter().find(holds).map(|section| (section, true));
        }
        match (numbers, value) {
            ([], _) => None,
            ([only], _) => Some((only, true)),
            ([_, negative, ..], value) if value < 0.0 => Some((negative, false)),
            ([_, _, zero], 0.0) => Some((zero, false)),
            ([positive, ..], _) => Some((positive, false)),
        }
    }
}

impl Condition {
    fn holds(&self, value: f64) -> bool {
        match self.operator.as_str() {
            "<" => value < self.than,
            "<=" => value <= self.than,
            ">" => value > self.than,
            ">=" => value >= self.than,
            "<>" => value != self.than,
            _ => value == self.than,
        }
    }
}

impl Section {
    fn is_moment(&self) -> bool {
        self.tokens.iter().any(|token| matches!(token, Token::Part(..) | Token::Elapsed(..) | Token::HalfDay(..)))
    }
}
