//! Which plain scalars are numbers, booleans or null (YAML 1.2.2, section 10.3, narrowed).

use serde_json::Number;

use super::Content;

/// Integers beyond this lose digits in JavaScript, so they stay text.
const MAX_SAFE_INTEGER: i64 = (1 << 53) - 1;

/// The content of a plain scalar.
pub(super) fn plain(text: &str) -> Content {
    match text {
        "" | "~" | "null" | "Null" | "NULL" => Content::Null,
        "true" | "True" | "TRUE" => Content::Bool(true),
        "false" | "False" | "FALSE" => Content::Bool(false),
        _ => number(text).map_or_else(|| Content::Text(text.to_owned()), Content::Number),
    }
}

/// The number a plain scalar is, if it is one.
pub(super) fn number(text: &str) -> Option<Number> {
    let unsigned = text.strip_prefix(['-', '+']).unwrap_or(text);
    if let Some(digits) = unsigned.strip_prefix("0x") {
        return radix(text, digits, 16);
    }
    if let Some(digits) = unsigned.strip_prefix("0o") {
        return radix(text, digits, 8);
    }
    let digits = unsigned.bytes().take_while(u8::is_ascii_digit).count();
    let leading_zero = digits > 1 && unsigned.starts_with('0');
    if leading_zero || !unsigned.starts_with(|c: char| c.is_ascii_digit() || c == '.') {
        return None;
    }
    if digits == unsigned.len() {
        return safe_integer(text.trim_start_matches('+').parse().ok()?);
    }
    float(text, unsigned)
}

/// A float that JSON can carry; whole ones become integers, as JavaScript prints them.
fn float(text: &str, unsigned: &str) -> Option<Number> {
    let plain = |b: u8| b.is_ascii_digit() || matches!(b, b'.' | b'e' | b'E' | b'+' | b'-');
    if !unsigned.bytes().all(plain) || !unsigned.bytes().any(|b| b.is_ascii_digit()) {
        return None;
    }
    let value: f64 = text.parse().ok()?;
    let whole = format!("{value:.0}").parse::<i64>().ok().and_then(safe_integer);
    if value.fract() == 0.0 {
        return whole.or_else(|| Number::from_f64(value));
    }
    Number::from_f64(value)
}

fn radix(text: &str, digits: &str, radix: u32) -> Option<Number> {
    let value = i64::from_str_radix(digits, radix).ok()?;
    safe_integer(if text.starts_with('-') { -value } else { value })
}

fn safe_integer(value: i64) -> Option<Number> {
    (value.abs() <= MAX_SAFE_INTEGER).then(|| value.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_numbers() {
        let cases = [
            ("0", "0"),
            ("-7", "-7"),
            ("+7", "7"),
            ("0x1F", "31"),
            ("0o17", "15"),
            ("1.5", "1.5"),
            ("1.10", "1.1"),
            ("1e3", "1000"),
            ("2.0", "2"),
            ("123456789012", "123456789012"),
        ];
        for (text, expected) in cases {
            assert_eq!(
                number(text).map(|n| n.to_string()).as_deref(),
                Some(expected),
                "{text}"
            );
        }
    }

    #[test]
    fn what_only_looks_like_a_number_stays_text() {
        for text in [
            "2012-10-17",
            "012345678901",
            "0755",
            "1.2.3",
            "yes",
            "off",
            "12:30:45",
            "1_000",
            "12345678901234567890",
            ".",
            "-",
            "+.e",
            ".inf",
            "e3",
            "0x",
            "nodejs20.x",
        ] {
            assert_eq!(plain(text), Content::Text(text.into()), "{text}");
        }
    }

    #[test]
    fn null_and_booleans_have_three_spellings() {
        assert_eq!(plain("Null"), Content::Null);
        assert_eq!(plain("TRUE"), Content::Bool(true));
        assert_eq!(plain("False"), Content::Bool(false));
    }
}
