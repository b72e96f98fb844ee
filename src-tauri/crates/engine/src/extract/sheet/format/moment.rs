//! Dates and times, which spreadsheets store as numbers of days.

use super::{Section, Token};

/// 10000-01-01: dates end before it.
const END: f64 = 2_958_466.0;

/// Days from 1900 to 1904.
const DAYS_TO_1904: f64 = 1462.0;

const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];
const DAYS: [&str; 7] = ["Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"];
const CHINESE_DAYS: [&str; 7] = ["日", "一", "二", "三", "四", "五", "六"];

/// Shows a moment; `None` for days outside the calendar.
pub(super) fn show(section: &Section, value: f64, is_1904: bool) -> Option<String> {
    let tokens = &section.tokens;
    let is_elapsed = tokens.iter().any(|token| matches!(token, Token::Elapsed(..)));
    if value.abs() >= END || (value < 0.0 && !is_elapsed) {
        return None;
    }
    let days = value.abs() + if is_1904 && !is_elapsed { DAYS_TO_1904 } else { 0.0 };
    // Fractions of a second are shown where the format has places for them.
    let n_places = second_places(tokens);
    let step = 10_u64.pow(u32::try_from(n_places).unwrap_or(0));
    let units = (days * 86_400.0 * step as f64).round() as u64;
    let (seconds, fraction) = (units / step, units % step);
    let (day, clock) = (seconds / 86_400, seconds % 86_400);
    let (hour, minute, second) = (clock / 3600, clock / 60 % 60, clock % 60);
    let (year, month, date) = civil(day);
    let weekday = ((day + 6) % 7) as usize;
    let half_day = tokens.iter().any(|token| matches!(token, Token::HalfDay(..)));

    let mut shown = if value < 0.0 { "-".to_owned() } else { String::new() };
    let mut after_second = false;
    for (at, token) in tokens.iter().enumerate() {
        match token {
            Token::Part('y', 1 | 2) => shown.push_str(&format!("{:02}", year % 100)),
            Token::Part('y' | 'e', _) => shown.push_str(&year.to_string()),
            Token::Part('b', _) => shown.push_str(&(year + 543).to_string()),
            Token::Part('m', n @ (1 | 2)) if is_minute(tokens, at) => shown.push_str(&padded(minute, *n)),
            Token::Part('m', n @ (1 | 2)) => shown.push_str(&padded(month, *n)),
            Token::Part('m', n) => {
                let name = MONTHS[(month.clamp(1, 12) - 1) as usize];
                shown.push_str(match n {
                    3 => &name[..3],
                    5 => &name[..1],
                    _ => name,
                });
            }
            Token::Part('d', n @ (1 | 2)) => shown.push_str(&padded(date, *n)),
            Token::Part('d', _) if section.is_chinese => {
                shown.push_str("星期");
                shown.push_str(CHINESE_DAYS[weekday]);
            }
            Token::Part('d', 3) => shown.push_str(&DAYS[weekday][..3]),
            Token::Part('d', _) => shown.push_str(DAYS[weekday]),
            Token::Part('a', n) => {
                shown.push_str(if *n == 3 { "周" } else { "星期" });
                shown.push_str(CHINESE_DAYS[weekday]);
            }
            Token::Part('h', n) => {
                let hour = if half_day { (hour + 11) % 12 + 1 } else { hour };
                shown.push_str(&padded(hour, *n));
            }
            Token::Part('s', n) => shown.push_str(&padded(second, *n)),
            Token::Elapsed('h', n) => shown.push_str(&padded(seconds / 3600, *n)),
            Token::Elapsed('m', n) => shown.push_str(&padded(seconds / 60, *n)),
            Token::Elapsed(_, n) => shown.push_str(&padded(seconds, *n)),
            Token::HalfDay(before, after) => shown.push_str(if hour < 12 { before } else { after }),
            Token::Point if after_second && n_places > 0 => shown.push_str(&format!(".{fraction:0n_places$}")),
            Token::Point => shown.push('.'),
            Token::Comma => shown.push(','),
            Token::Slash => shown.push('/'),
            Token::Literal(c) => shown.push(*c),
            _ => {}
        }
        after_second = matches!(token, Token::Part('s', _) | Token::Elapsed('s', _));
    }
    Some(shown)
}

/// Whether an `m` is minutes: it follows hours or stands before seconds.
fn is_minute(tokens: &[Token], at: usize) -> bool {
    let part = |token: &Token| match token {
        Token::Part(part, _) | Token::Elapsed(part, _) => Some(*part),
        _ => None,
    };
    let before = tokens[..at].iter().rev().find_map(part);
    let after = tokens[at + 1..].iter().find_map(part);
    before == Some('h') || after == Some('s')
}

/// Number of places after the decimal point of the seconds.
fn second_places(tokens: &[Token]) -> usize {
    let is_seconds = |pair: &[Token]| matches!(pair, [Token::Part('s', _) | Token::Elapsed('s', _), Token::Point]);
    let Some(at) = tokens.windows(2).position(is_seconds) else { return 0 };
    tokens[at + 2..].iter().take_while(|token| matches!(token, Token::Digit(_))).count().min(3)
}

fn padded(number: u64, n: usize) -> String {
    if n >= 2 { format!("{number:02}") } else { number.to_string() }
}

/// Year, month and day. Day 1 is 1900-01-01. Day 60 is 1900-02-29, which never existed, but all spreadsheets keep it.
fn civil(day: u64) -> (u64, u64, u64) {
    match day {
        // A time without a date: shown as 1900-01-00.
        0 => return (1900, 1, 0),
        60 => return (1900, 2, 29),
        _ => {}
    }
    // Days since 0000-03-01: if a year begins in March, its leap day comes last (Hinnant, "chrono-compatible low-level
    // date algorithms").
    let days = day - u64::from(day > 60) + 693_900;
    let era = days / 146_097;
    let of_era = days % 146_097;
    let year_of_era = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted = (5 * of_year + 2) / 153;
    let date = of_year - (153 * shifted + 2) / 5 + 1;
    let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
    (year_of_era + era * 400 + u64::from(month <= 2), month, date)
}

/// Converts `2024-03-05T14:07:09.250`, with or without its time, to days. `None` before March 1900.
pub(in super::super) fn serial(written: &str) -> Option<f64> {
    let (date, clock) = written.split_once('T').unwrap_or((written, "0:0:0"));
    let mut parts = date.splitn(3, '-').map(str::parse::<u64>);
    let (year, month, day) = (parts.next()?.ok()?, parts.next()?.ok()?, parts.next()?.ok()?);
    if !(1900..10_000).contains(&year) || !(1..=12).contains(&month) || !(1..=31).contains(&day) {
        return None;
    }
    // The inverse of `civil`.
    let (shifted_year, shifted) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let of_year = (153 * shifted + 2) / 5 + day - 1;
    let days = shifted_year * 365 + shifted_year / 4 - shifted_year / 100 + shifted_year / 400 + of_year;
    let days = days.checked_sub(693_899).filter(|days| *days > 60)?;
    let mut clock = clock.trim_end_matches('Z').splitn(3, ':').map(str::parse::<f64>);
    let (hour, minute, second) = (clock.next()?.ok()?, clock.next()?.ok()?, clock.next().unwrap_or(Ok(0.0)).ok()?);
    Some(days as f64 + (hour * 3600.0 + minute * 60.0 + second) / 86_400.0)
}
