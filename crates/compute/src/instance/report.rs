//! The platform's own lines in a function's log, tab-separated as Lambda prints them.

use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Duration;

use tradewind_observe::usage::UsageStatus;

/// What `REPORT` says.
#[derive(Clone, Debug)]
pub(crate) struct Report<'a> {
    pub(crate) request_id: &'a Arc<str>,
    pub(crate) duration: Duration,
    pub(crate) memory_mib: u32,
    pub(crate) peak_bytes: u64,
    /// Processor time since the last report that has some.
    pub(crate) cpu: Duration,
    /// On the first invocation of an instance.
    pub(crate) init: Option<Duration>,
    /// `Status: …` when it failed.
    pub(crate) status: Option<String>,
    pub(crate) traffic: Traffic,
}

/// What went in and came out, and how it ended.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Traffic {
    pub(crate) bytes_in: usize,
    pub(crate) bytes_out: usize,
    pub(crate) status: UsageStatus,
}

pub(crate) fn start_line(request_id: &str, version: &str) -> String {
    format!("START RequestId: {request_id} Version: {version}")
}

pub(crate) fn end_line(request_id: &str) -> String {
    format!("END RequestId: {request_id}")
}

impl Report<'_> {
    /// Milliseconds, rounded up. Initialisation is billed, too, as it is since August 2025.
    pub(crate) fn billed_ms(&self) -> u64 {
        let billed = self.duration + self.init.unwrap_or_default();
        u64::try_from(billed.as_nanos().div_ceil(1_000_000)).unwrap_or(u64::MAX)
    }

    /// `REPORT RequestId: …`
    pub(crate) fn line(&self) -> String {
        let mut line = format!(
            "REPORT RequestId: {}\tDuration: {}\tBilled Duration: {} ms\tMemory Size: {} MB\tMax Memory Used: {} MB",
            self.request_id,
            milliseconds(self.duration),
            self.billed_ms(),
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

pub(crate) fn milliseconds(duration: Duration) -> String {
    format!("{:.2} ms", duration.as_secs_f64() * 1000.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(request_id: &Arc<str>) -> Report<'_> {
        Report {
            request_id,
            duration: Duration::from_micros(2_110),
            memory_mib: 128,
            peak_bytes: 66 * 1024 * 1024 - 1,
            cpu: Duration::ZERO,
            init: None,
            status: None,
            traffic: Traffic {
                bytes_in: 0,
                bytes_out: 0,
                status: UsageStatus::Success,
            },
        }
    }

    #[test]
    fn lines_are_those_of_lambda() {
        assert_eq!(start_line("X", "$LATEST"), "START RequestId: X Version: $LATEST");
        assert_eq!(end_line("X"), "END RequestId: X");
        assert_eq!(
            report(&"X".into()).line(),
            "REPORT RequestId: X\tDuration: 2.11 ms\tBilled Duration: 3 ms\tMemory Size: 128 MB\tMax Memory Used: 66 MB"
        );
    }

    #[test]
    fn a_cold_start_and_a_failure_show() {
        let id = "X".into();
        let cold = Report {
            init: Some(Duration::from_micros(48_260)),
            ..report(&id)
        };
        assert!(cold.line().ends_with(
            "Billed Duration: 51 ms\tMemory Size: 128 MB\tMax Memory Used: 66 MB\tInit Duration: 48.26 ms"
        ));
        let failed = Report {
            status: Some("Status: timeout".into()),
            ..report(&id)
        };
        assert!(failed.line().ends_with("MB\tStatus: timeout"));
    }
}
