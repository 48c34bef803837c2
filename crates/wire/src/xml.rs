//! Writing XML. The answers of the query protocol and of S3 are small, so they are built as text.

use std::borrow::Cow;

/// `text` with the five reserved characters escaped; a character that XML 1.0 cannot carry at all
/// becomes U+FFFD, so that an answer always parses.
#[must_use]
pub fn escape_xml(text: &str) -> Cow<'_, str> {
    if text.chars().all(|c| is_xml_char(c) && c != '\r') {
        return quick_xml::escape::escape(text);
    }
    let clean: String = text
        .chars()
        .map(|c| {
            if is_xml_char(c) {
                c
            } else {
                char::REPLACEMENT_CHARACTER
            }
        })
        .collect();
    // a reader would take a carriage return as such for a line feed
    Cow::Owned(quick_xml::escape::escape(clean).replace('\r', "&#13;"))
}

/// `<name>text</name>`, the text escaped.
#[must_use]
pub fn xml_element(name: &str, text: &str) -> String {
    format!("<{name}>{}</{name}>", escape_xml(text))
}

/// XML 1.0, production `Char`.
fn is_xml_char(c: char) -> bool {
    matches!(c, '\t' | '\n' | '\r' | ' '..='\u{FFFD}' | '\u{10000}'..)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reserved_and_impossible_characters_never_reach_the_wire() {
        assert_eq!(
            xml_element("M", "a<b & \"c\""),
            "<M>a&lt;b &amp; &quot;c&quot;</M>"
        );
        assert_eq!(escape_xml("bell\u{7}\u{FFFF}"), "bell\u{FFFD}\u{FFFD}");
        assert_eq!(escape_xml("a\r\n<"), "a&#13;\n&lt;");
        assert_eq!(escape_xml("läuft ✓ \u{1F600}"), "läuft ✓ \u{1F600}");
    }

    #[test]
    fn what_is_written_reads_back() {
        let text = "x < y > z & 'q' \"r\"\r\n";
        assert_eq!(quick_xml::escape::unescape(&escape_xml(text)).unwrap(), text);
    }
}
