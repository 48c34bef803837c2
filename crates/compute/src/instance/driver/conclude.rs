//! What is said, counted and answered when an invocation begins and ends.

use std::sync::Arc;

use bytes::Bytes;
use tradewind_observe::usage::{UsageRecord, UsageStatus};

use super::super::journal::Journal;
use super::super::platform::PlatformEvent;
use super::super::report::{Report, Traffic};
use crate::failure::Failure;
use crate::pool::{Job, Pool};
use crate::spec::{FunctionErrorKind, InvokeResponse};

/// START.
pub(crate) fn begin(journal: &mut Journal, pool: &Pool, job: &Job) {
    journal.begin(&job.id, job.request.log_tail);
    journal.platform(&PlatformEvent::Start {
        request_id: &job.id,
        version: &pool.version,
    });
}

/// END, REPORT and the usage record.
pub(crate) fn conclude(journal: &mut Journal, pool: &Pool, report: &Report<'_>) {
    journal.end_line();
    pool.host.usage.record(usage_record(journal, pool, report));
    journal.platform(&PlatformEvent::RuntimeDone(report));
    journal.platform(&PlatformEvent::Report(report));
}

fn usage_record(journal: &Journal, pool: &Pool, report: &Report<'_>) -> UsageRecord {
    let [function, _qualified] = &pool.arns;
    let bytes = |bytes: usize| u64::try_from(bytes).unwrap_or(u64::MAX);
    UsageRecord {
        function: Arc::clone(function),
        version: Arc::clone(&pool.version),
        request_id: Arc::clone(report.request_id),
        started: journal.started(),
        init: report.init,
        duration: report.duration,
        billed_ms: report.billed_ms(),
        memory_mib: report.memory_mib,
        peak_memory_bytes: report.peak_bytes,
        cpu: report.cpu,
        bytes_in: bytes(report.traffic.bytes_in),
        bytes_out: bytes(report.traffic.bytes_out),
        status: report.traffic.status,
    }
}

/// What the report of an invocation with this answer counts.
pub(crate) fn traffic(job: &Job, answer: &Result<Bytes, Failure>) -> Traffic {
    Traffic {
        bytes_in: job.request.payload.len(),
        bytes_out: job.caller.streamed_bytes() + answer.as_ref().map_or(0, Bytes::len),
        status: match answer {
            Ok(_) => UsageStatus::Success,
            Err(Failure::TimedOut(_)) => UsageStatus::Timeout,
            Err(_) => UsageStatus::Error,
        },
    }
}

/// Answers a job in Lambda's terms.
pub(crate) fn reply(pool: &Pool, job: Job, answer: Result<Bytes, Failure>, log_tail: Option<Vec<u8>>) {
    let (payload, error) = match answer {
        Ok(payload) => (payload, None),
        Err(Failure::Node(error)) => return job.answer(Err(error)),
        Err(failure) => (failure.body(&job.id), Some(FunctionErrorKind::Unhandled)),
    };
    let executed_version = pool.spec.version();
    job.answer(Ok(InvokeResponse {
        payload,
        error,
        log_tail,
        executed_version,
    }));
}
