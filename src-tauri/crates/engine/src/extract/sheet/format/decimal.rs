//! Writes numbers digit by digit in the decimal system, because cells round them as on paper, not as in binary.

use super::Token;

/// Writes a number without a format, as people do: 0.1 + 0.2 is 0.3, and the number of a card keeps all its digits.
pub(in super::super) fn general(number: f64) -> String {
    if number.abs() >= 1e21 || (number != 0.0 && number.abs() < 1e-6) {
        return format!("{number:e}");
    }
    let digits = format!("{number:.10}");
    let digits = digits.trim_end_matches('0').trim_end_matches('.');
    if digits == "-0" { "0".to_owned() } else { digits.to_owned() }
}

/// Digits, and how many of them stand before the point. That number can be negative: .0375 is 375 and -1.
struct Decimal {
    digits: Vec<u8>,
    point: i32,
}

impl Decimal {
    /// `number` must not be negative.
    fn new(number: f64) -> Self {
        // Whole numbers keep all digits, others fifteen: later digits only come from the binary representation.
        let whole = number.fract() == 0.0 && number < 1e17;
        let scientific = if whole { format!("{number:e}") } else { format!("{number:.14e}") };
        let (mantissa, exponent) = scientific.split_once('e').unwrap_or((&scientific, "0"));
        let digits: Vec<u8> = mantissa.bytes().filter(u8::is_ascii_digit).collect();
        let point = exponent.parse::<i32>().unwrap_or(0) + 1;
        if digits.iter().all(|digit| *digit == b'0') {
            Self { digits: Vec::new(), point: 0 }
        } else {
            Self { digits, point }
        }
    }

    /// The digits before the point (none for 0), and `n_decimals` digits after it. Halves are rounded up.
    fn rounded(&self, n_decimals: usize) -> (String, String) {
        let kept = self.point.saturating_add(i32::try_from(n_decimals).unwrap_or(i32::MAX));
        let mut digits: Vec<u8> = Vec::new();
        if let Ok(kept) = usize::try_from(kept) {
            digits = self.digits.iter().copied().take(kept).collect();
            digits.resize(kept, b'0');
            if self.digits.get(kept).is_some_and(|next| *next >= b'5') {
                let nines = digits.iter().rev().take_while(|digit| **digit == b'9').count();
                let last = digits.len() - nines;
                digits[last..].fill(b'0');
                match last.checked_sub(1) {
                    Some(at) => digits[at] += 1,
                    None => digits.insert(0, b'1'),
                }
            }
        }
        let missing = n_decimals.saturating_sub(digits.len());
        let mut all = vec![b'0'; missing];
        all.extend(digits);
        let text: String = all.into_iter().map(char::from).collect();
        let (whole, fraction) = text.split_at(text.len() - n_decimals);
        (whole.trim_start_matches('0').to_owned(), fraction.to_owned())
    }
}

/// Shows a number, which must not be negative.
pub(super) fn show(tokens: &[Token], number: f64) -> String {
    let is_digit = |token: &Token| matches!(token, Token::Digit(_));
    let first_digit = tokens.iter().position(is_digit);
    let slash = tokens.iter().position(|token| *token == Token::Slash);
    let is_fraction = |slash: usize| {
        first_digit.is_some_and(|first| first < slash)
            && tokens[slash..].iter().any(|t| matches!(t, Token::Digit(_) | Token::Literal('1'..='9')))
    };
    if let Some(slash) = slash.filter(|slash| is_fraction(*slash)) {
        return fraction(tokens, slash, number);
    }
    let exponent = tokens.iter().position(|token| matches!(token, Token::Exponent { .. }));
    let mantissa = &tokens[..exponent.unwrap_or(tokens.len())];
    let point = mantissa.iter().position(|token| *token == Token::Point).unwrap_or(mantissa.len());
    let n_whole = mantissa[..point].iter().filter(|token| is_digit(token)).count();
    let n_decimals = mantissa[point..].iter().filter(|token| is_digit(token)).count();

    // A comma between digits groups them. A comma after the last digit divides the number by a thousand.
    let last_digit = mantissa[..point].iter().rposition(is_digit).unwrap_or(0);
    let is_comma = |token: &&Token| **token == Token::Comma;
    let is_grouped = mantissa[first_digit.unwrap_or(0).min(last_digit)..last_digit].contains(&Token::Comma);
    let thousands_after = |at: usize| mantissa[at..].iter().skip(1).take_while(is_comma).count();
    let very_last = mantissa.iter().rposition(is_digit).unwrap_or(0);
    let after_decimals = if very_last > last_digit { thousands_after(very_last) } else { 0 };
    let n_thousands = if mantissa.is_empty() { 0 } else { thousands_after(last_digit) + after_decimals };
    let n_percents = tokens.iter().filter(|token| **token == Token::Percent).count();

    let mut decimal = Decimal::new(number);
    decimal.point += 2 * i32::try_from(n_percents).unwrap_or(0) - 3 * i32::try_from(n_thousands).unwrap_or(0);
    let mut power = 0;
    if exponent.is_some() && !decimal.digits.is_empty() {
        let step = i32::try_from(n_whole).unwrap_or(1).max(1);
        power = (decimal.point - 1).div_euclid(step) * step;
        decimal.point -= power;
        // 9.99 may round up to 10.
        if decimal.rounded(n_decimals).0.len() > n_whole.max(1) {
            (decimal.point, power) = (decimal.point - step, power + step);
        }
    }
    let (whole, decimals) = decimal.rounded(n_decimals);

    let mut shown = String::new();
    let (mut n_seen, mut n_seen_decimals) = (0, 0);
    let n_needed = needed_decimals(&mantissa[point..], &decimals);
    for (at, token) in mantissa.iter().enumerate() {
        match token {
            Token::Digit(kind) if at < point => {
                let place = n_whole - 1 - n_seen;
                // Digits for which the format has no place come before its first place.
                let places = if n_seen == 0 { place..whole.len().max(place + 1) } else { place..place + 1 };
                for place in places.rev() {
                    let digit = whole.len().checked_sub(place + 1).and_then(|at| whole[at..].chars().next());
                    let digit = digit.or(match kind {
                        '0' => Some('0'),
                        '?' => Some(' '),
                        _ => None,
                    });
                    shown.extend(digit);
                    if is_grouped && place > 0 && place % 3 == 0 && digit.is_some_and(|digit| digit != ' ') {
                        shown.push(',');
                    }
                }
                n_seen += 1;
            }
            Token::Digit(_) => {
                if n_seen_decimals < n_needed {
                    shown.extend(decimals[n_seen_decimals..].chars().next());
                }
                n_seen_decimals += 1;
            }
            Token::Point => {
                // A format such as `.00` has no places before the point, but its digits there are shown.
                if n_whole == 0 {
                    shown.push_str(&whole);
                }
                if n_needed > 0 {
                    shown.push('.');
                }
            }
            Token::Percent => shown.push('%'),
            Token::General => shown.push_str(&general(number)),
            Token::Slash => shown.push('/'),
            Token::Literal(c) => shown.push(*c),
            Token::Text => shown.push_str(&general(number)),
            _ => {}
        }
    }
    if let Some(at) = exponent {
        let n_places = tokens[at..].iter().filter(|token| is_digit(token)).count().min(5);
        let is_signed = matches!(tokens[at], Token::Exponent { is_signed: true });
        let sign = if power < 0 {
            "-"
        } else if is_signed {
            "+"
        } else {
            ""
        };
        shown.push_str(&format!("E{sign}{:0n_places$}", power.unsigned_abs()));
    }
    shown
}

/// How many digits after the point are shown: `#` and `?` leave out zeros at the end.
fn needed_decimals(tokens: &[Token], decimals: &str) -> usize {
    let kinds = tokens.iter().filter_map(|token| match token {
        Token::Digit(kind) => Some(*kind),
        _ => None,
    });
    let all: Vec<(char, char)> = kinds.zip(decimals.chars()).collect();
    all.iter().rposition(|(kind, digit)| *kind == '0' || *digit != '0').map_or(0, |last| last + 1)
}

/// Shows the nearest fraction, as in `3 1/4`. The format names the denominator, or says how many digits it may have.
fn fraction(tokens: &[Token], slash: usize, number: f64) -> String {
    let named: String = tokens[slash + 1..]
        .iter()
        .map_while(|token| match token {
            Token::Literal(c @ '0'..='9') => Some(*c),
            Token::Digit('0') => Some('0'),
            _ => None,
        })
        .collect();
    let n_places = tokens[slash..].iter().filter(|token| matches!(token, Token::Digit(_))).count().clamp(1, 3);
    let before = tokens[..slash].iter().rev().skip_while(|token| matches!(token, Token::Digit(_)));
    let has_whole = before.into_iter().any(|token| matches!(token, Token::Digit(_)));
    let whole = if has_whole { number.floor() } else { 0.0 };
    let part = number - whole;
    let denominators = match named.parse::<u32>() {
        Ok(named @ 1..) => named..=named,
        _ => 1..=10_u32.pow(u32::try_from(n_places).unwrap_or(1)) - 1,
    };
    let mut best = (f64::INFINITY, 0.0, 1);
    for denominator in denominators {
        let numerator = (part * f64::from(denominator)).round();
        let off = (part - numerator / f64::from(denominator)).abs();
        if off < best.0 - 1e-12 {
            best = (off, numerator, denominator);
        }
    }
    let (_, numerator, denominator) = best;
    if has_whole && numerator == f64::from(denominator) {
        return general(whole + 1.0);
    }
    match (has_whole && whole > 0.0, numerator > 0.0) {
        (true, true) => format!("{} {numerator}/{denominator}", general(whole)),
        (false, true) => format!("{numerator}/{denominator}"),
        _ => general(whole),
    }
}
