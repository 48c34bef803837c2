//! `FilterCriteria`: which records the function gets ("Event filtering" in the developer guide).

use serde_json::Value;
use tradewind_events::QueueRecord;
use tradewind_events::pattern::Pattern;

use crate::error::MappingError;

/// Filters of a mapping.
const MOST: usize = 5;
/// The longest pattern, in characters.
const LONGEST: usize = 4_096;

/// See the module. Without filters every record matches; else those that match one of them.
#[derive(Clone, Debug, Default)]
pub(crate) struct Filters(Vec<Filter>);

#[derive(Clone, Debug)]
struct Filter {
    /// As it was written.
    text: String,
    pattern: Pattern,
}

impl PartialEq for Filters {
    fn eq(&self, other: &Self) -> bool {
        self.texts().eq(other.texts())
    }
}

impl Filters {
    /// Reads the patterns of a request, or of a row.
    pub(crate) fn parse<'a>(texts: impl IntoIterator<Item = &'a str>) -> Result<Self, MappingError> {
        let filter = |text: &str| match Pattern::parse(text) {
            Ok(pattern) if text.chars().count() <= LONGEST => Ok(Filter {
                text: text.to_owned(),
                pattern,
            }),
            Ok(_) | Err(_) => Err(MappingError::InvalidFilter),
        };
        let filters = texts.into_iter().map(filter).collect::<Result<Vec<_>, _>>()?;
        match filters.len() {
            0..=MOST => Ok(Self(filters)),
            _ => Err(MappingError::TooManyFilters { limit: MOST }),
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The patterns as they were written.
    pub(crate) fn texts(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(|filter| filter.text.as_str())
    }

    /// Whether the function gets the record.
    pub(crate) fn match_queue(&self, record: &QueueRecord) -> bool {
        if self.is_empty() {
            return true;
        }
        self.match_seen(&as_filters_see(record))
    }

    /// Whether one of the patterns matches what is seen of a record.
    pub(crate) fn match_seen(&self, seen: &Value) -> bool {
        self.0.iter().any(|filter| filter.pattern.matches(seen))
    }
}

/// The record, its body taken apart if it is a JSON object or array: a pattern for text then does not match it,
/// as one for members does not match text.
fn as_filters_see(record: &QueueRecord) -> Value {
    let mut seen = serde_json::to_value(record).unwrap_or_default();
    if let Ok(body @ (Value::Object(_) | Value::Array(_))) = serde_json::from_str(&record.body) {
        seen["body"] = body;
    }
    seen
}

#[cfg(test)]
mod tests {
    use tradewind_events::RecordAttribute;

    use super::*;

    fn record(body: &str) -> QueueRecord {
        let shop = RecordAttribute {
            string_value: Some("north".into()),
            data_type: "String".into(),
            ..RecordAttribute::default()
        };
        QueueRecord {
            message_id: "m".into(),
            receipt_handle: "h".into(),
            body: body.into(),
            attributes: vec![("MessageGroupId", "g".into())],
            message_attributes: [("shop".to_owned(), shop)].into(),
            md5_of_message_attributes: None,
            md5_of_body: String::new(),
            event_source: "aws:sqs",
            event_source_arn: "arn".into(),
            aws_region: "us-east-1".into(),
        }
    }

    fn matches(patterns: &[&str], body: &str) -> bool {
        Filters::parse(patterns.iter().copied())
            .unwrap()
            .match_queue(&record(body))
    }

    #[test]
    fn bodies_are_json_or_text_and_their_patterns_too() {
        let (member, text, other) = (
            r#"{"body":{"kind":["paid"]}}"#,
            r#"{"body":["paid"]}"#,
            r#"{"messageId":["m"]}"#,
        );
        for (pattern, body, expected) in [
            (member, r#"{"kind":"paid"}"#, true),
            (member, r#"{"kind":"sent"}"#, false),
            (member, "paid", false),
            (text, "paid", true),
            (text, "sent", false),
            (text, r#"{"kind":"paid"}"#, false),
            (other, "paid", true),
            (other, r#"{"kind":"paid"}"#, true),
            (
                r#"{"body":{"cents":[{"numeric":[">",100]}]}}"#,
                r#"{"cents":101}"#,
                true,
            ),
        ] {
            assert_eq!(matches(&[pattern], body), expected, "{pattern} {body}");
        }
    }

    #[test]
    fn attributes_are_matched_too_and_one_filter_is_enough() {
        assert!(matches(
            &[r#"{"messageAttributes":{"shop":{"stringValue":[{"prefix":"no"}]}}}"#],
            "x"
        ));
        assert!(matches(&[r#"{"attributes":{"MessageGroupId":["g"]}}"#], "x"));
        assert!(!matches(&[r#"{"attributes":{"MessageGroupId":["h"]}}"#], "x"));
        assert!(matches(&[r#"{"body":["y"]}"#, r#"{"body":["x"]}"#], "x"));
        assert!(matches(&[], "x"));
    }

    #[test]
    fn what_is_no_pattern_is_refused() {
        for wrong in [
            "",
            "text",
            "[]",
            "null",
            r#"{"body":"x"}"#,
            r#"{"body":[{"regex":"x"}]}"#,
        ] {
            assert_eq!(
                Filters::parse([wrong]),
                Err(MappingError::InvalidFilter),
                "{wrong}"
            );
        }
        let six = [r#"{"body":["x"]}"#; 6];
        assert_eq!(
            Filters::parse(six),
            Err(MappingError::TooManyFilters { limit: 5 })
        );
    }
}
