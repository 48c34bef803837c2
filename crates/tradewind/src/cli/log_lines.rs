//! Log events as lines for people: `12:00:01 cart  a1b2c3d4  12.3 ms  61 MB`.

use std::collections::BTreeMap;

use anstyle::{AnsiColor, Style};
use jiff::tz::TimeZone;
use serde::Deserialize;
use tradewind_model::Timestamp;
use tradewind_observe::{LogEvent, LogKind};

use super::log_text::tidy;
use super::output::{ERROR, FAINT, WARNING};

/// What names are painted with, one after the other.
const COLOURS: [AnsiColor; 6] = [
    AnsiColor::Cyan,
    AnsiColor::Magenta,
    AnsiColor::Green,
    AnsiColor::Yellow,
    AnsiColor::Blue,
    AnsiColor::BrightRed,
];
const FUNCTION_GROUPS: &str = "/aws/lambda/";
/// As much of a request id as is shown: enough to tell two apart.
const SHORT_ID: usize = 8;

/// One log event, from a node in this process or over HTTP.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct LogLine {
    /// When.
    pub(crate) timestamp: Timestamp,
    /// The function's name.
    pub(crate) function: String,
    /// The invocation.
    pub(crate) request_id: Option<String>,
    /// What kind of line it is.
    pub(crate) kind: LogKind,
    /// The text.
    pub(crate) message: String,
}

impl From<&LogEvent> for LogLine {
    fn from(event: &LogEvent) -> Self {
        Self {
            timestamp: event.timestamp,
            function: event
                .group
                .strip_prefix(FUNCTION_GROUPS)
                .unwrap_or(&event.group)
                .to_owned(),
            request_id: event.request_id.as_deref().map(str::to_owned),
            kind: event.kind,
            message: event.message.to_string(),
        }
    }
}

/// How log lines are shown: names, their colours and width, and the time zone.
#[derive(Debug)]
pub(crate) struct LogFormat {
    /// Function name → what is shown for it, in which colour.
    names: BTreeMap<String, (String, Style)>,
    width: usize,
    zone: TimeZone,
}

impl LogFormat {
    /// Shows functions by name.
    pub(crate) fn new(zone: TimeZone) -> Self {
        Self {
            names: BTreeMap::new(),
            width: 0,
            zone,
        }
    }

    /// Shows `function` as `label` from now on.
    pub(crate) fn label(&mut self, function: &str, label: &str) {
        if self.names.get(function).is_some_and(|(known, _)| known == label) {
            return;
        }
        let colour = COLOURS[self.names.len() % COLOURS.len()].on_default();
        self.width = self.width.max(label.chars().count());
        self.names.insert(function.to_owned(), (label.to_owned(), colour));
    }

    /// The line, if this event is one for people: starts and ends are not.
    pub(crate) fn render(&mut self, line: &LogLine) -> Option<String> {
        let text = match line.kind {
            LogKind::Start | LogKind::End => return None,
            LogKind::Report => report(line),
            LogKind::Line => tidy(&line.message),
            LogKind::Platform => format!("{WARNING}{}{WARNING:#}", line.message),
        };
        if !self.names.contains_key(&line.function) {
            self.label(&line.function, &line.function);
        }
        let (label, colour) = &self.names[&line.function];
        let pad = self.width - label.chars().count();
        let time = line
            .timestamp
            .to_jiff()
            .to_zoned(self.zone.clone())
            .strftime("%H:%M:%S")
            .to_string();
        Some(format!(
            "{FAINT}{time}{FAINT:#} {colour}{label}{colour:#}{:pad$}  {text}",
            ""
        ))
    }
}

/// A REPORT line in short; as it is when it is not understood.
fn report(line: &LogLine) -> String {
    let fields: BTreeMap<&str, &str> = line
        .message
        .split('\t')
        .filter_map(|field| field.trim().split_once(": "))
        .collect();
    let Some(duration) = fields.get("Duration") else {
        return line.message.clone();
    };
    let id: String = line
        .request_id
        .as_deref()
        .unwrap_or_default()
        .chars()
        .take(SHORT_ID)
        .collect();
    let mut text = format!("{FAINT}{id}  {}", rounded(duration));
    if let Some(memory) = fields.get("Max Memory Used") {
        text += &format!("  {memory}");
    }
    if let Some(init) = fields.get("Init Duration") {
        text += &format!("  cold start {}", rounded(init));
    }
    text += &format!("{FAINT:#}");
    if let Some(status) = fields.get("Status") {
        text += &format!("  {ERROR}{status}{ERROR:#}");
    }
    text
}

/// `12.34 ms` as `12.3 ms`, `3010.22 ms` as `3010 ms`.
fn rounded(duration: &str) -> String {
    let milliseconds = duration
        .strip_suffix(" ms")
        .and_then(|number| number.parse::<f64>().ok());
    match milliseconds {
        Some(milliseconds) if milliseconds >= 100.0 => format!("{milliseconds:.0} ms"),
        Some(milliseconds) => format!("{milliseconds:.1} ms"),
        None => duration.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use anstream::adapter::strip_str;

    use super::*;

    fn line(kind: LogKind, message: &str) -> LogLine {
        LogLine {
            timestamp: Timestamp::from_millis(43_201_500),
            function: "shop-dev-cart".into(),
            request_id: Some("a1b2c3d4-0000-4000-8000-000000000000".into()),
            kind,
            message: message.into(),
        }
    }

    fn shown(kind: LogKind, message: &str) -> Option<String> {
        let mut format = LogFormat::new(TimeZone::UTC);
        format.label("shop-dev-cart", "cart");
        format
            .render(&line(kind, message))
            .map(|text| strip_str(&text).to_string())
    }

    #[test]
    fn a_report_is_one_short_line() {
        let report = "REPORT RequestId: a1b2c3d4-0000-4000-8000-000000000000\tDuration: 12.34 ms\tBilled Duration: 13 ms\tMemory Size: 128 MB\tMax Memory Used: 61 MB\t";
        assert_eq!(
            shown(LogKind::Report, report).unwrap(),
            "12:00:01 cart  a1b2c3d4  12.3 ms  61 MB"
        );
    }

    #[test]
    fn a_cold_start_and_a_timeout_are_told() {
        let report = "REPORT RequestId: x\tDuration: 3000.00 ms\tMax Memory Used: 61 MB\tInit Duration: 48.26 ms\tStatus: timeout";
        assert_eq!(
            shown(LogKind::Report, report).unwrap(),
            "12:00:01 cart  a1b2c3d4  3000 ms  61 MB  cold start 48.3 ms  timeout"
        );
    }

    #[test]
    fn what_functions_write_is_shown_as_it_is() {
        assert_eq!(
            shown(LogKind::Line, "hello\tyou").unwrap(),
            "12:00:01 cart  hello\tyou"
        );
        assert_eq!(
            shown(LogKind::Report, "REPORT odd").unwrap(),
            "12:00:01 cart  REPORT odd"
        );
        assert_eq!(shown(LogKind::Start, "START RequestId: x"), None);
        assert_eq!(shown(LogKind::End, "END RequestId: x"), None);
    }

    #[test]
    fn names_stand_under_each_other() {
        let mut format = LogFormat::new(TimeZone::UTC);
        format.label("shop-dev-cart", "cart");
        format.label("shop-dev-catalogue", "catalogue");
        let text = format.render(&line(LogKind::Line, "x")).unwrap();
        assert_eq!(strip_str(&text).to_string(), "12:00:01 cart       x");
    }
}
