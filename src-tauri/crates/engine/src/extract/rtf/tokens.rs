//! RTF's few kinds of tokens.

#[derive(Debug, PartialEq)]
pub(super) enum Token<'a> {
    Open,
    Close,
    /// A byte of text, plain or as `\'b2`.
    Byte(u8),
    /// `\*`
    Star,
    /// `\word12`; a sign such as `\~` is a word of one character.
    Control {
        word: &'a str,
        number: Option<i32>,
    },
}

pub(super) struct Tokens<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Tokens<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0 }
    }

    /// Reads the token after a backslash.
    fn control(&mut self) -> Option<Token<'a>> {
        let bytes = self.bytes;
        let first = *bytes.get(self.at)?;
        if !first.is_ascii_alphabetic() {
            self.at += 1;
            return Some(match first {
                b'\'' => {
                    let digit = |at: usize| bytes.get(at).and_then(|b| char::from(*b).to_digit(16));
                    let Some((high, low)) = digit(self.at).zip(digit(self.at + 1)) else {
                        return Some(Token::Byte(b'?'));
                    };
                    self.at += 2;
                    Token::Byte((high * 16 + low) as u8)
                }
                b'*' => Token::Star,
                b'\\' | b'{' | b'}' => Token::Byte(first),
                b'~' => Token::Control { word: "~", number: None },
                b'_' => Token::Control { word: "_", number: None },
                // A line end after a backslash ends a paragraph.
                b'\r' | b'\n' => Token::Control { word: "par", number: None },
                _ => Token::Control { word: "", number: None },
            });
        }
        let start = self.at;
        let n_letters = bytes[start..].iter().take(32).take_while(|b| b.is_ascii_alphabetic()).count();
        let word = std::str::from_utf8(&bytes[start..start + n_letters]).unwrap_or_default();
        self.at = start + n_letters;
        let sign = usize::from(bytes.get(self.at) == Some(&b'-'));
        let n_digits = bytes[self.at + sign..].iter().take(10).take_while(|b| b.is_ascii_digit()).count();
        let mut number = None;
        if n_digits > 0 {
            let end = self.at + sign + n_digits;
            let digits = std::str::from_utf8(&bytes[self.at..end]).unwrap_or_default();
            number = Some(digits.parse::<i64>().map_or(0, |n| n.clamp(i32::MIN.into(), i32::MAX.into()) as i32));
            self.at = end;
        }
        if bytes.get(self.at) == Some(&b' ') {
            self.at += 1;
        }
        if word == "bin" {
            // This number of bytes of binary data follow.
            let n_bytes = usize::try_from(number.unwrap_or(0)).unwrap_or(0);
            self.at = self.at.saturating_add(n_bytes).min(bytes.len());
        }
        Some(Token::Control { word, number })
    }
}

impl<'a> Iterator for Tokens<'a> {
    type Item = Token<'a>;

    fn next(&mut self) -> Option<Token<'a>> {
        loop {
            let byte = *self.bytes.get(self.at)?;
            self.at += 1;
            return Some(match byte {
                b'{' => Token::Open,
                b'}' => Token::Close,
                b'\\' => return self.control(),
                // Line breaks mean nothing; they only make the file fit for editors.
                b'\r' | b'\n' | 0 => continue,
                byte => Token::Byte(byte),
            });
        }
    }
}
