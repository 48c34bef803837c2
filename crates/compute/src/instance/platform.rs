//! What the platform itself says in a function's log: lines, or JSON objects ("Advanced logging
//! controls"), whose schema is that of the Telemetry API.

use std::fmt::Write as _;
use std::time::Duration;

use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};
use tradewind_model::{Region, Runtime};
use tradewind_observe::LogKind;
use tradewind_observe::usage::UsageStatus;

use super::report::{Report, end_line, milliseconds, start_line};
use crate::spec::LogLevel;

/// Something that happened to an instance.
#[derive(Clone, Debug)]
pub(crate) enum PlatformEvent<'a> {
    /// `platform.initStart`, `INIT_START`.
    InitStart {
        initialization_type: &'static str,
        runtime: &'a RuntimeVersion,
    },
    /// `platform.initRuntimeDone`.
    InitRuntimeDone {
        initialization_type: &'static str,
        status: InitStatus<'a>,
    },
    /// `platform.initReport`; `INIT_REPORT` when it did not go well.
    InitReport {
        initialization_type: &'static str,
        duration: Duration,
        status: InitStatus<'a>,
    },
    /// `platform.start`, `START`.
    Start { request_id: &'a str, version: &'a str },
    /// `platform.runtimeDone`, `END`.
    RuntimeDone(&'a Report<'a>),
    /// `platform.report`, `REPORT`.
    Report(&'a Report<'a>),
}

/// How an initialisation went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum InitStatus<'a> {
    Success,
    Timeout,
    /// With its error type.
    Error(&'a str),
}

impl InitStatus<'_> {
    fn name(self) -> &'static str {
        match self {
            Self::Success => "success",
            Self::Timeout => "timeout",
            Self::Error(_) => "error",
        }
    }
}

/// Which version of its runtime a function runs on: the one that came with this node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct RuntimeVersion {
    version: String,
    arn: String,
}

impl RuntimeVersion {
    /// `nodejs:20.v0.1.0` for `nodejs20.x`, and an ARN in Lambda's form.
    pub(crate) fn of(runtime: &Runtime, region: &Region) -> Self {
        let version = format!("{}.v{}", family(runtime.as_str()), env!("CARGO_PKG_VERSION"));
        let mut arn = format!("arn:aws:lambda:{region}::runtime:");
        for byte in Sha256::digest(version.as_bytes()) {
            write!(arn, "{byte:02x}").expect("invariant: writing to a string cannot fail");
        }
        Self { version, arn }
    }
}

/// `nodejs:20`, `python:3.12`, `provided:al2023`.
fn family(identifier: &str) -> String {
    if let Some((name, system)) = identifier.split_once(".al") {
        return format!("{name}:al{system}");
    }
    let digits = identifier.find(|c: char| c.is_ascii_digit());
    let (name, version) = identifier.split_at(digits.unwrap_or(identifier.len()));
    match version.trim_end_matches(".x") {
        "" => name.to_owned(),
        version => format!("{name}:{version}"),
    }
}

impl PlatformEvent<'_> {
    /// Its line and kind in a text log.
    pub(crate) fn text(&self) -> Option<(LogKind, String)> {
        let line = match self {
            Self::InitStart { runtime, .. } => {
                let RuntimeVersion { version, arn } = runtime;
                let line = format!("INIT_START Runtime Version: {version}\tRuntime Version ARN: {arn}");
                (LogKind::Start, line)
            }
            Self::InitRuntimeDone { .. } => return None,
            Self::InitReport { duration, status, .. } => {
                (LogKind::Platform, init_report_line(*duration, *status)?)
            }
            Self::Start { request_id, version } => (LogKind::Start, start_line(request_id, version)),
            Self::RuntimeDone(report) => (LogKind::End, end_line(report.request_id)),
            Self::Report(report) => (LogKind::Report, report.line()),
        };
        Some(line)
    }

    /// Its kind and object in a JSON log. `time` is that of the event.
    pub(crate) fn json(&self, time: &str) -> (LogKind, String) {
        let (kind, name, record) = match self {
            Self::InitStart {
                initialization_type,
                runtime,
            } => (
                LogKind::Start,
                "initStart",
                init_start(initialization_type, runtime),
            ),
            Self::InitRuntimeDone {
                initialization_type,
                status,
            } => (
                LogKind::Platform,
                "initRuntimeDone",
                init_record(initialization_type, *status).into(),
            ),
            Self::InitReport {
                initialization_type,
                duration,
                status,
            } => {
                let mut record = init_record(initialization_type, *status);
                let duration_ms = hundredths(duration.as_secs_f64() * 1000.0);
                record.insert("metrics".into(), json!({ "durationMs": duration_ms }));
                (LogKind::Platform, "initReport", record.into())
            }
            Self::Start { request_id, version } => (
                LogKind::Start,
                "start",
                json!({ "requestId": request_id, "version": version }),
            ),
            Self::RuntimeDone(report) => (LogKind::End, "runtimeDone", runtime_done(report)),
            Self::Report(report) => (LogKind::Report, "report", self::report(report)),
        };
        let event = json!({ "time": time, "type": format!("platform.{name}"), "record": record });
        (kind, event.to_string())
    }

    /// Its level ("System log level event mapping").
    pub(crate) fn level(&self) -> LogLevel {
        match self {
            Self::InitRuntimeDone { status, .. } | Self::InitReport { status, .. } => match status {
                InitStatus::Success => LogLevel::Debug,
                InitStatus::Timeout | InitStatus::Error(_) => LogLevel::Warn,
            },
            Self::InitStart { .. } | Self::Start { .. } => LogLevel::Info,
            Self::RuntimeDone(report) if report.traffic.status == UsageStatus::Success => LogLevel::Debug,
            Self::Report(report) if report.traffic.status == UsageStatus::Success => LogLevel::Info,
            Self::RuntimeDone(_) | Self::Report(_) => LogLevel::Warn,
        }
    }
}

/// Lambda has no line for what went well: that is in the first REPORT.
fn init_report_line(duration: Duration, status: InitStatus<'_>) -> Option<String> {
    let error_type = match status {
        InitStatus::Success => return None,
        InitStatus::Timeout => String::new(),
        InitStatus::Error(error_type) => format!("\tError Type: {error_type}"),
    };
    Some(format!(
        "INIT_REPORT Init Duration: {}\tPhase: init\tStatus: {}{error_type}",
        milliseconds(duration),
        status.name()
    ))
}

fn init_record(initialization_type: &str, status: InitStatus<'_>) -> Map<String, Value> {
    let mut record = Map::new();
    record.insert("initializationType".into(), initialization_type.into());
    record.insert("phase".into(), "init".into());
    record.insert("status".into(), status.name().into());
    if let InitStatus::Error(error_type) = status {
        record.insert("errorType".into(), error_type.into());
    }
    record
}

fn init_start(initialization_type: &str, runtime: &RuntimeVersion) -> Value {
    json!({
        "initializationType": initialization_type,
        "phase": "init",
        "runtimeVersion": runtime.version,
        "runtimeVersionArn": runtime.arn,
    })
}

fn runtime_done(report: &Report<'_>) -> Value {
    let mut record = outcome(report);
    let metrics = json!({
        "durationMs": hundredths(report.duration.as_secs_f64() * 1000.0),
        "producedBytes": report.traffic.bytes_out,
    });
    record.insert("metrics".into(), metrics);
    record.into()
}

fn report(report: &Report<'_>) -> Value {
    let mut metrics = json!({
        "durationMs": hundredths(report.duration.as_secs_f64() * 1000.0),
        "billedDurationMs": report.billed_ms(),
        "memorySizeMB": report.memory_mib,
        "maxMemoryUsedMB": report.peak_bytes.div_ceil(1024 * 1024),
    });
    if let (Some(init), Some(metrics)) = (report.init, metrics.as_object_mut()) {
        let init_ms = hundredths(init.as_secs_f64() * 1000.0);
        metrics.insert("initDurationMs".into(), init_ms.into());
    }
    let mut record = outcome(report);
    record.insert("metrics".into(), metrics);
    record.into()
}

fn outcome(report: &Report<'_>) -> Map<String, Value> {
    let error_type = report
        .status
        .as_deref()
        .and_then(|status| status.split_once("Error Type: "));
    let status = match (report.traffic.status, error_type) {
        (UsageStatus::Success, _) => "success",
        (UsageStatus::Timeout, _) => "timeout",
        // its process ended
        (UsageStatus::Error, Some(_)) => "failure",
        (UsageStatus::Error, None) => "error",
    };
    let mut record = Map::new();
    record.insert("requestId".into(), Value::from(&**report.request_id));
    record.insert("status".into(), status.into());
    if let Some((_status, error_type)) = error_type {
        record.insert("errorType".into(), error_type.into());
    }
    record
}

/// Two places after the point, as Lambda has them.
fn hundredths(value: f64) -> f64 {
    (value * 100.0).round() / 100.0
}

/// The level of a line that a function wrote in JSON; what has none counts as INFO. None for text.
pub(crate) fn level_of(line: &str) -> Option<LogLevel> {
    #[derive(serde::Deserialize)]
    struct Line {
        #[serde(default)]
        level: Option<String>,
    }
    if !line.starts_with('{') {
        return None;
    }
    let line: Line = serde_json::from_str(line).ok()?;
    Some(line.level.as_deref().and_then(parse).unwrap_or(LogLevel::Info))
}

fn parse(level: &str) -> Option<LogLevel> {
    match level.to_ascii_uppercase().as_str() {
        "TRACE" => Some(LogLevel::Trace),
        "DEBUG" => Some(LogLevel::Debug),
        "INFO" => Some(LogLevel::Info),
        "WARN" | "WARNING" => Some(LogLevel::Warn),
        "ERROR" => Some(LogLevel::Error),
        "FATAL" | "CRITICAL" => Some(LogLevel::Fatal),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::super::report::Traffic;
    use super::*;

    fn report<'a>(request_id: &'a Arc<str>, status: UsageStatus, text: Option<&str>) -> Report<'a> {
        Report {
            request_id,
            duration: Duration::from_micros(2_114),
            memory_mib: 128,
            peak_bytes: 66 * 1024 * 1024,
            cpu: Duration::ZERO,
            init: Some(Duration::from_micros(48_262)),
            status: text.map(str::to_owned),
            traffic: Traffic {
                bytes_in: 1,
                bytes_out: 2,
                status,
            },
        }
    }

    #[test]
    fn json_events_are_the_telemetry_apis() {
        let id = "X".into();
        let good = report(&id, UsageStatus::Success, None);
        let (_kind, text) = PlatformEvent::Report(&good).json("T");
        assert_eq!(
            text,
            r#"{"time":"T","type":"platform.report","record":{"requestId":"X","status":"success","metrics":{"durationMs":2.11,"billedDurationMs":51,"memorySizeMB":128,"maxMemoryUsedMB":66,"initDurationMs":48.26}}}"#
        );
        let (_kind, text) = PlatformEvent::RuntimeDone(&good).json("T");
        assert_eq!(
            text,
            r#"{"time":"T","type":"platform.runtimeDone","record":{"requestId":"X","status":"success","metrics":{"durationMs":2.11,"producedBytes":2}}}"#
        );
        let start = PlatformEvent::Start {
            request_id: "X",
            version: "$LATEST",
        };
        assert_eq!(
            start.json("T").1,
            r#"{"time":"T","type":"platform.start","record":{"requestId":"X","version":"$LATEST"}}"#
        );
    }

    #[test]
    fn an_initialisation_is_reported_in_text_only_when_it_fails() {
        let report = |status| PlatformEvent::InitReport {
            initialization_type: "on-demand",
            duration: Duration::from_secs(10),
            status,
        };
        assert_eq!(report(InitStatus::Success).text(), None);
        let (_kind, line) = report(InitStatus::Timeout).text().unwrap();
        assert_eq!(
            line,
            "INIT_REPORT Init Duration: 10000.00 ms\tPhase: init\tStatus: timeout"
        );
        let failed = report(InitStatus::Error("Runtime.ExitError"));
        let (_kind, line) = failed.text().unwrap();
        assert!(line.ends_with("\tPhase: init\tStatus: error\tError Type: Runtime.ExitError"));
        assert_eq!(
            failed.json("T").1,
            r#"{"time":"T","type":"platform.initReport","record":{"initializationType":"on-demand","phase":"init","status":"error","errorType":"Runtime.ExitError","metrics":{"durationMs":10000.0}}}"#
        );
    }

    #[test]
    fn failures_have_their_status_and_a_higher_level() {
        let id = "X".into();
        for (status, text, word) in [
            (
                UsageStatus::Timeout,
                Some("Status: timeout"),
                r#""status":"timeout","metrics""#,
            ),
            (
                UsageStatus::Error,
                Some("Status: error\tError Type: Runtime.ExitError"),
                r#""status":"failure","errorType":"Runtime.ExitError""#,
            ),
            (UsageStatus::Error, None, r#""status":"error","metrics""#),
        ] {
            let report = report(&id, status, text);
            let event = PlatformEvent::Report(&report);
            assert!(event.json("T").1.contains(word), "{}", event.json("T").1);
            assert_eq!(event.level(), LogLevel::Warn);
        }
    }

    #[test]
    fn runtimes_have_versions_in_lambdas_form() {
        for (identifier, expected) in [
            ("nodejs20.x", "nodejs:20"),
            ("python3.12", "python:3.12"),
            ("provided.al2023", "provided:al2023"),
            ("java8.al2", "java8:al2"),
            ("provided", "provided"),
            ("go1.x", "go:1"),
        ] {
            assert_eq!(family(identifier), expected);
        }
        let version = RuntimeVersion::of(&"nodejs20.x".parse().unwrap(), &Region::default_region());
        assert!(version.version.starts_with("nodejs:20.v"));
        let (prefix, hash) = version.arn.rsplit_once(':').unwrap();
        assert_eq!((prefix, hash.len()), ("arn:aws:lambda:us-east-1::runtime", 64));
    }

    #[test]
    fn levels_are_read_from_json_lines() {
        assert_eq!(
            level_of(r#"{"level":"WARN","message":"m"}"#),
            Some(LogLevel::Warn)
        );
        assert_eq!(level_of(r#"{"level":"error"}"#), Some(LogLevel::Error));
        assert_eq!(level_of(r#"{"message":"m"}"#), Some(LogLevel::Info));
        assert_eq!(level_of("level=ERROR"), None);
        assert_eq!(level_of("{broken"), None);
    }
}
