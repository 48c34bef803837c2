//! What goes wrong with a function, and Lambda's words for it.

use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;
use std::time::Duration;

use bytes::Bytes;
use tradewind_model::limits::SYNC_PAYLOAD_BYTES;

use crate::error::{InitFailure, InvokeError};

/// Why an invocation has an error for an answer, or none at all.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Failure {
    /// The runtime said so itself: its JSON is passed on.
    Reported(Bytes),
    /// The process ended.
    Exited(ExitReason),
    /// The function's timeout passed.
    TimedOut(Duration),
    /// The package's executable cannot be started.
    InvalidEntrypoint(String),
    /// An extension failed: `Extension.InitError`, `.ExitError`, `.Crash`.
    Extension {
        error_type: &'static str,
        message: String,
    },
    /// The answer is larger than Lambda's payload.
    ResponseTooLarge,
    /// The answer broke off.
    TruncatedResponse,
    /// What came through the channel is not what a runtime sends.
    BrokenChannel(&'static str),
    /// The node's own trouble: the invocation did not start.
    Node(InvokeError),
}

/// How a process ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ExitReason {
    /// With a code; 0 is unexpected, too.
    Code(i32),
    /// By a signal.
    Signal(i32),
}

impl From<ExitStatus> for ExitReason {
    fn from(status: ExitStatus) -> Self {
        match status.signal() {
            Some(signal) => Self::Signal(signal),
            None => Self::Code(status.code().unwrap_or_default()),
        }
    }
}

impl ExitReason {
    /// The sentence of Lambda's error message.
    pub(crate) fn sentence(self) -> String {
        match self {
            Self::Code(0) => "Runtime exited without providing a reason".to_owned(),
            Self::Code(code) => format!("Runtime exited with error: exit status {code}"),
            Self::Signal(signal) => match signal_name(signal) {
                Some(name) => format!("Runtime exited with error: signal: {name}"),
                None => format!("Runtime exited with error: signal: signal {signal}"),
            },
        }
    }
}

/// Signals as Lambda's supervisor, written in Go, names them.
fn signal_name(signal: i32) -> Option<&'static str> {
    let names = [
        (libc::SIGHUP, "hangup"),
        (libc::SIGINT, "interrupt"),
        (libc::SIGQUIT, "quit"),
        (libc::SIGILL, "illegal instruction"),
        (libc::SIGTRAP, "trace/breakpoint trap"),
        (libc::SIGABRT, "aborted"),
        (libc::SIGBUS, "bus error"),
        (libc::SIGFPE, "floating point exception"),
        (libc::SIGKILL, "killed"),
        (libc::SIGUSR1, "user defined signal 1"),
        (libc::SIGSEGV, "segmentation fault"),
        (libc::SIGUSR2, "user defined signal 2"),
        (libc::SIGPIPE, "broken pipe"),
        (libc::SIGALRM, "alarm clock"),
        (libc::SIGTERM, "terminated"),
    ];
    names
        .into_iter()
        .find(|(number, _name)| *number == signal)
        .map(|(_number, name)| name)
}

impl Failure {
    /// The error object for the caller of `request_id`.
    pub(crate) fn body(&self, request_id: &str) -> Bytes {
        match self {
            Self::Reported(body) => body.clone(),
            _ => error_json(self.error_type(), &self.message(request_id)),
        }
    }

    /// The line for the function's log, if the platform has one to say.
    pub(crate) fn log_line(&self, request_id: &str, now: &str) -> Option<String> {
        match self {
            Self::Reported(_) => None,
            Self::TimedOut(_) => Some(format!("{now} {request_id} {}", self.sentence())),
            _ => Some(format!("{}\n{}", self.message(request_id), self.error_type())),
        }
    }

    /// What `REPORT` adds about it: `Status: timeout`, `Status: error⇥Error Type: …`.
    pub(crate) fn report_status(&self) -> Option<String> {
        match self {
            Self::Reported(_) | Self::ResponseTooLarge => None,
            Self::TimedOut(_) => Some("Status: timeout".to_owned()),
            _ => Some(format!("Status: error\tError Type: {}", self.error_type())),
        }
    }

    /// The failure of an initialisation that no invocation waits for.
    pub(crate) fn into_init_failure(self, log: Vec<String>) -> InitFailure {
        let (error_type, message) = match &self {
            Self::Reported(body) => reported(body),
            _ => (self.error_type().to_owned(), self.sentence()),
        };
        InitFailure {
            error_type,
            message,
            log,
        }
    }

    /// Its error type, the runtime's own if it reported one.
    pub(crate) fn to_error_type(&self) -> String {
        match self {
            Self::Reported(body) => reported(body).0,
            _ => self.error_type().to_owned(),
        }
    }

    fn error_type(&self) -> &'static str {
        match self {
            Self::Reported(_) => "Function.Unknown",
            Self::Exited(_) => "Runtime.ExitError",
            Self::TimedOut(_) => "Sandbox.Timedout",
            Self::InvalidEntrypoint(_) => "Runtime.InvalidEntrypoint",
            Self::Extension { error_type, .. } => error_type,
            Self::ResponseTooLarge => "Function.ResponseSizeTooLarge",
            Self::TruncatedResponse => "Runtime.TruncatedResponse",
            Self::BrokenChannel(_) => "Runtime.Unknown",
            Self::Node(_) => "Sandbox.Failure",
        }
    }

    fn message(&self, request_id: &str) -> String {
        match self {
            Self::ResponseTooLarge => self.sentence(),
            _ => format!("RequestId: {request_id} Error: {}", self.sentence()),
        }
    }

    pub(crate) fn sentence(&self) -> String {
        match self {
            Self::Reported(body) => String::from_utf8_lossy(body).into_owned(),
            Self::Exited(reason) => reason.sentence(),
            Self::TimedOut(limit) => format!("Task timed out after {:.2} seconds", limit.as_secs_f64()),
            Self::InvalidEntrypoint(what) => what.clone(),
            Self::Extension { message, .. } => message.clone(),
            Self::ResponseTooLarge => {
                format!(
                    "Response payload size exceeded maximum allowed payload size ({SYNC_PAYLOAD_BYTES} bytes)."
                )
            }
            Self::TruncatedResponse => "the runtime broke off its response".to_owned(),
            Self::BrokenChannel(what) => (*what).to_owned(),
            Self::Node(error) => error.to_string(),
        }
    }
}

/// `{"errorType": …, "errorMessage": …}`
fn error_json(error_type: &str, message: &str) -> Bytes {
    serde_json::json!({ "errorType": error_type, "errorMessage": message })
        .to_string()
        .into()
}

/// Type and message of an error object that a runtime made; garbage becomes the message.
pub(crate) fn reported(body: &[u8]) -> (String, String) {
    #[derive(serde::Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Reported {
        #[serde(default)]
        error_type: Option<String>,
        #[serde(default)]
        error_message: Option<String>,
    }
    let parsed: Option<Reported> = serde_json::from_slice(body).ok();
    let (error_type, message) = parsed.map_or((None, None), |said| (said.error_type, said.error_message));
    (
        error_type.unwrap_or_else(|| "Function.Unknown".to_owned()),
        message.unwrap_or_else(|| String::from_utf8_lossy(body).into_owned()),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(failure: &Failure) -> String {
        String::from_utf8(failure.body("X").to_vec()).unwrap()
    }

    #[test]
    fn errors_are_worded_as_lambda_words_them() {
        let cases = [
            (
                Failure::TimedOut(Duration::from_secs(3)),
                r#"{"errorType":"Sandbox.Timedout","errorMessage":"RequestId: X Error: Task timed out after 3.00 seconds"}"#,
            ),
            (
                Failure::Exited(ExitReason::Code(1)),
                r#"{"errorType":"Runtime.ExitError","errorMessage":"RequestId: X Error: Runtime exited with error: exit status 1"}"#,
            ),
            (
                Failure::Exited(ExitReason::Signal(libc::SIGKILL)),
                r#"{"errorType":"Runtime.ExitError","errorMessage":"RequestId: X Error: Runtime exited with error: signal: killed"}"#,
            ),
            (
                Failure::Exited(ExitReason::Code(0)),
                r#"{"errorType":"Runtime.ExitError","errorMessage":"RequestId: X Error: Runtime exited without providing a reason"}"#,
            ),
            (
                Failure::ResponseTooLarge,
                r#"{"errorType":"Function.ResponseSizeTooLarge","errorMessage":"Response payload size exceeded maximum allowed payload size (6291556 bytes)."}"#,
            ),
            (Failure::Reported(Bytes::from_static(b"{\"a\":1}")), r#"{"a":1}"#),
        ];
        for (failure, expected) in cases {
            assert_eq!(text(&failure), expected);
        }
    }

    #[test]
    fn a_timeout_has_its_own_log_line() {
        let line = Failure::TimedOut(Duration::from_secs(3)).log_line("X", "2026-11-20T23:08:00.123Z");
        assert_eq!(
            line.unwrap(),
            "2026-11-20T23:08:00.123Z X Task timed out after 3.00 seconds"
        );
        let line = Failure::Exited(ExitReason::Code(7)).log_line("X", "").unwrap();
        assert_eq!(
            line,
            "RequestId: X Error: Runtime exited with error: exit status 7\nRuntime.ExitError"
        );
    }

    #[test]
    fn an_init_failure_takes_the_runtimes_own_words() {
        let said = br#"{"errorType":"Runtime.ImportModuleError","errorMessage":"no module","trace":[]}"#;
        let failure = Failure::Reported(Bytes::from_static(said)).into_init_failure(Vec::new());
        assert_eq!(failure.error_type, "Runtime.ImportModuleError");
        assert_eq!(failure.message, "no module");
        let garbage = Failure::Reported(Bytes::from_static(b"oh no")).into_init_failure(Vec::new());
        assert_eq!(
            (garbage.error_type.as_str(), garbage.message.as_str()),
            ("Function.Unknown", "oh no")
        );
    }
}
