//! Is a payload JSON? Answered before it is queued or run, in the words of the service.

use serde::de::IgnoredAny;

/// Where the service's own parser reports that it found something; its words end the text.
const REDACTED: &str = "REDACTED (`StreamReadFeature.INCLUDE_SOURCE_IN_LOCATION` disabled)";
const VALUES: &str = "(JSON String, Number, Array, Object or token 'null', 'true' or 'false')";

/// Checks that `payload` is one JSON text in UTF-8. The error says what is wrong and where.
///
/// # Errors
/// When it is not.
pub(crate) fn check_json(payload: &[u8]) -> Result<(), String> {
    if let Err(error) = std::str::from_utf8(payload) {
        let at = error.valid_up_to();
        let byte = payload.get(at).copied().unwrap_or_default();
        return Err(format!(
            "Invalid UTF-8 start byte 0x{byte:x}{}",
            place(payload, at)
        ));
    }
    match serde_json::from_slice::<IgnoredAny>(payload) {
        Ok(_json) => Ok(()),
        Err(error) => Err(describe(payload, &error)),
    }
}

fn describe(payload: &[u8], error: &serde_json::Error) -> String {
    let at = offset(payload, error.line(), error.column());
    let text = String::from_utf8_lossy(payload);
    let what = if error.is_eof() {
        "Unexpected end-of-input".to_owned()
    } else if let Some(word) = word_around(&text, at) {
        format!("Unrecognized token '{word}': was expecting {VALUES}")
    } else {
        let found = payload.get(at).copied().map_or(' ', char::from);
        format!(
            "Unexpected character ('{found}' (code {})): expected a valid value {VALUES}",
            u32::from(found)
        )
    };
    format!("{what}{}", place(payload, at))
}

/// The byte at which `error` was noticed, from its line and column (both from 1).
fn offset(payload: &[u8], line: usize, column: usize) -> usize {
    let before = line.saturating_sub(1);
    let start = match before {
        0 => 0,
        _ => payload
            .iter()
            .enumerate()
            .filter(|(_, byte)| **byte == b'\n')
            .nth(before - 1)
            .map_or(0, |(at, _)| at + 1),
    };
    start.saturating_add(column.saturating_sub(1)).min(payload.len())
}

/// The bare word at `at`, if there is one: what a forgotten quote leaves behind.
fn word_around(text: &str, at: usize) -> Option<String> {
    let is_word = |c: &char| c.is_alphanumeric() || *c == '_' || *c == '$';
    let before = text.get(..at)?.chars().rev().take_while(is_word);
    let mut word: Vec<char> = before.collect();
    word.reverse();
    word.extend(text.get(at..)?.chars().take_while(is_word));
    let starts = word.first()?.is_alphabetic();
    starts.then(|| word.into_iter().take(64).collect())
}

fn place(payload: &[u8], at: usize) -> String {
    let before = payload.get(..at).unwrap_or_default();
    let line = before.iter().filter(|byte| **byte == b'\n').count() + 1;
    let column = before.iter().rev().take_while(|byte| **byte != b'\n').count() + 1;
    format!("\n at [Source: {REDACTED}; line: {line}, column: {column}]")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_passes() {
        let deep = format!("{}{}", "[".repeat(10_000), "]".repeat(10_000));
        for good in ["{}", "null", " 1 ", "\"é\"", "[1,{\"a\":[]}]", deep.as_str()] {
            assert_eq!(check_json(good.as_bytes()), Ok(()));
        }
    }

    #[test]
    fn what_is_wrong_is_named() {
        let cases: [(&[u8], &str); 5] = [
            (b"hello", "Unrecognized token 'hello': was expecting (JSON String"),
            (b"{\"a\":'x'}", "Unexpected character (''' (code 39))"),
            (b"{\"a\":", "Unexpected end-of-input"),
            (b"n\x87r", "Invalid UTF-8 start byte 0x87"),
            (b"{} extra", "Unrecognized token 'extra'"),
        ];
        for (bad, expected) in cases {
            let text = check_json(bad).unwrap_err();
            assert!(text.starts_with(expected), "{text}");
            assert!(text.ends_with(']'), "{text}");
        }
    }

    #[test]
    fn the_place_counts_lines() {
        let text = check_json(b"{\n \"a\": oops\n}").unwrap_err();
        assert!(text.contains("line: 2"), "{text}");
    }

    proptest::proptest! {
        #[test]
        fn what_a_parser_takes_passes_and_nothing_else(text in "[\\[\\]{}\",:0-9a-z\\\\ é\n-]{0,40}", cut in 0..40_usize) {
            let bytes = text.as_bytes();
            let bytes = &bytes[..cut.min(bytes.len())];
            let parsed = serde_json::from_slice::<serde_json::Value>(bytes);
            assert_eq!(check_json(bytes).is_ok(), parsed.is_ok(), "{text:?}");
        }
    }
}
