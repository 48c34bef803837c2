//! The platform's own lines in a function's log, tab-separated as Lambda prints them.

use std::fmt::Write as _;
use std::time::Duration;

/// What `REPORT` says.
#[derive(Clone, Debug)]
pub(crate) struct Report<'a> {
    pub(crate) request_id: &'a str,
    pub(crate) duration: Duration,
    pub(crate) memory_mib: u32,
    pub(crate) peak_bytes: u64,
    /// On the first invocation of an instance.
    pub(crate) init: Option<Duration>,
    /// `Status: …` when it failed.
    pub(crate) status: Option<String>,
}

pub(crate) fn start_line(request_id: &str, version: &str) -> String {
    format!("START RequestId: {request_id} Version: {version}")
}

pub(crate) fn end_line(request_id: &str) -> String {
    format!("END RequestId: {request_id}")
}

impl Report<'_> {
    /// `REPORT RequestId: …`. Initialisation is billed, too, as it is since August 2025.
    pub(crate) fn line(&self) -> String {
        let billed = self.duration + self.init.unwrap_or_default();
        let mut line = format!(
            "REPORT RequestId: {}\tDuration: {}\tBilled Duration: {} ms\tMemory Size: {} MB\tMax Memory Used: {} MB",
            self.request_id,
            milliseconds(self.duration),
            billed.as_nanos().div_ceil(1_000_000),
            self.memory_mib,
            self.peak_bytes.div_ceil(1024 * 1024),
        );
        if let Some(init) = self.init {
            write!(line, "\tInit Duration: {}", milliseconds(init))
                .expect("invariant: writing to a string cannot fail");
        }
        if let Some(status) = &self.status {
            line.push('\t');
            line.push_str(status);
        }
        line
    }
}

/// The line for an initialisation that took too long.
pub(crate) fn init_timeout_line(duration: Duration) -> String {
    format!(
        "INIT_REPORT Init Duration: {}\tPhase: init\tStatus: timeout",
        milliseconds(duration)
    )
}

fn milliseconds(duration: Duration) -> String {
    format!("{:.2} ms", duration.as_secs_f64() * 1000.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report() -> Report<'static> {
        Report {
            request_id: "X",
            duration: Duration::from_micros(2_110),
            memory_mib: 128,
            peak_bytes: 66 * 1024 * 1024 - 1,
            init: None,
            status: None,
        }
    }

    #[test]
    fn lines_are_those_of_lambda() {
        assert_eq!(start_line("X", "$LATEST"), "START RequestId: X Version: $LATEST");
        assert_eq!(end_line("X"), "END RequestId: X");
        assert_eq!(
            report().line(),
            "REPORT RequestId: X\tDuration: 2.11 ms\tBilled Duration: 3 ms\tMemory Size: 128 MB\tMax Memory Used: 66 MB"
        );
        let timeout = init_timeout_line(Duration::from_millis(10_000));
        assert_eq!(
            timeout,
            "INIT_REPORT Init Duration: 10000.00 ms\tPhase: init\tStatus: timeout"
        );
    }

    #[test]
    fn a_cold_start_and_a_failure_show() {
        let cold = Report {
            init: Some(Duration::from_micros(48_260)),
            ..report()
        };
        assert!(cold.line().ends_with(
            "Billed Duration: 51 ms\tMemory Size: 128 MB\tMax Memory Used: 66 MB\tInit Duration: 48.26 ms"
        ));
        let failed = Report {
            status: Some("Status: timeout".into()),
            ..report()
        };
        assert!(failed.line().ends_with("MB\tStatus: timeout"));
    }
}
