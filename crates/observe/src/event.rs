//! One log event, and its line in a segment file.

use std::borrow::Cow;
use std::sync::Arc;

use tradewind_model::Timestamp;

/// What an event is in the life of an invocation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogKind {
    /// `START RequestId: …`
    Start,
    /// A line the function wrote.
    Line,
    /// `END RequestId: …`
    End,
    /// `REPORT RequestId: …`
    Report,
    /// What the platform has to say to the function's owner.
    Platform,
}

/// One line of a log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogEvent {
    /// `/aws/lambda/<function>`, or what the function's configuration names.
    pub group: Arc<str>,
    /// `YYYY/MM/DD/[version]hex`: one instance's life.
    pub stream: Arc<str>,
    /// When it was said.
    pub timestamp: Timestamp,
    /// The invocation it belongs to.
    pub request_id: Option<Arc<str>>,
    /// What kind of line it is.
    pub kind: LogKind,
    /// The text, without a newline at its end. What is longer than [`LogEvent::MAX_MESSAGE_BYTES`] is
    /// split, unless it is appended durably.
    pub message: Box<str>,
}

impl LogEvent {
    /// The longest message of one event: 256 KiB, as in CloudWatch Logs.
    pub const MAX_MESSAGE_BYTES: usize = 256 * 1024;

    /// About what the event takes in memory.
    pub(crate) fn weight(&self) -> usize {
        128 + self.message.len()
    }

    /// True when the event has to be [`LogEvent::split`].
    pub(crate) fn is_too_long(&self) -> bool {
        self.message.len() > Self::MAX_MESSAGE_BYTES
    }

    /// The event as several whose messages keep within the limit, cut between characters.
    pub(crate) fn split(self) -> Vec<Self> {
        let pieces = pieces(&self.message, Self::MAX_MESSAGE_BYTES);
        let piece = |message: &str| Self {
            message: message.into(),
            ..self.clone()
        };
        pieces.into_iter().map(piece).collect()
    }
}

fn pieces(text: &str, limit: usize) -> Vec<&str> {
    let mut pieces = Vec::new();
    let mut rest = text;
    while rest.len() > limit {
        let (piece, after) = rest.split_at(rest.floor_char_boundary(limit));
        pieces.push(piece);
        rest = after;
    }
    pieces.push(rest);
    pieces
}

/// An event as it stands in a segment file. Readers ignore members they do not know.
#[derive(serde::Serialize, serde::Deserialize)]
pub(crate) struct Line<'a> {
    #[serde(rename = "t")]
    pub(crate) timestamp: Timestamp,
    /// When it was appended, if that is not when it was said.
    #[serde(rename = "i", default, skip_serializing_if = "Option::is_none")]
    pub(crate) ingested: Option<Timestamp>,
    #[serde(rename = "k")]
    pub(crate) kind: LogKind,
    #[serde(rename = "s", borrow)]
    pub(crate) stream: Cow<'a, str>,
    #[serde(rename = "r", borrow, default, skip_serializing_if = "Option::is_none")]
    pub(crate) request_id: Option<Cow<'a, str>>,
    #[serde(rename = "m", borrow)]
    pub(crate) message: Cow<'a, str>,
}

impl Line<'_> {
    /// Appends the event and a newline to `out`.
    pub(crate) fn write(event: &LogEvent, ingested: Option<Timestamp>, out: &mut Vec<u8>) {
        let line = Line {
            timestamp: event.timestamp,
            ingested,
            kind: event.kind,
            stream: Cow::Borrowed(&event.stream),
            request_id: event.request_id.as_deref().map(Cow::Borrowed),
            message: Cow::Borrowed(&event.message),
        };
        serde_json::to_writer(&mut *out, &line)
            .expect("invariant: strings and numbers always serialise to memory");
        out.push(b'\n');
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(message: &str) -> LogEvent {
        LogEvent {
            group: "g".into(),
            stream: "2026/11/20/[$LATEST]0a".into(),
            timestamp: Timestamp::from_millis(1_700_000_000_000),
            request_id: Some("r".into()),
            kind: LogKind::Line,
            message: message.into(),
        }
    }

    #[test]
    fn the_line_format_is_fixed() {
        let mut out = Vec::new();
        Line::write(&event("a\n\"b\"\tü"), None, &mut out);
        let expected = "{\"t\":1700000000000,\"k\":\"line\",\"s\":\"2026/11/20/[$LATEST]0a\",\"r\":\"r\",\"m\":\"a\\n\\\"b\\\"\\tü\"}\n";
        assert_eq!(String::from_utf8(out).unwrap(), expected);
    }

    #[test]
    fn long_messages_are_cut_between_characters() {
        assert_eq!(pieces("aüü", 2), ["a", "ü", "ü"]);
        assert_eq!(pieces("aüü", 3), ["aü", "ü"]);
        assert_eq!(pieces("", 3), [""]);
        let long = "é".repeat(LogEvent::MAX_MESSAGE_BYTES);
        let parts = event(&long).split();
        assert_eq!(parts.len(), 2);
        let joined: String = parts.iter().map(|part| &*part.message).collect();
        assert_eq!(joined, long);
    }
}
