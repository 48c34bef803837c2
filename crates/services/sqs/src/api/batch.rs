//! What the three batch operations share: the rules for entries, and the answer entry by entry.

use std::collections::HashSet;

use serde::Serialize;
use tradewind_store::queue::Settled;

use crate::error::SqsError;

const MAX_ENTRIES: usize = 10;
const MAX_ID: usize = 80;

/// An entry that failed.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Failed {
    id: String,
    sender_fault: bool,
    code: &'static str,
    message: String,
}

/// What became of a batch.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Outcome<T> {
    pub(super) successful: Vec<T>,
    /// Absent, as on AWS, when no entry failed: clients ask whether it is there.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) failed: Vec<Failed>,
}

/// An entry that did what it was to do, and has nothing else to say.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Succeeded {
    pub(super) id: String,
}

impl Failed {
    pub(super) fn new(id: String, error: &SqsError) -> Self {
        Self {
            id,
            sender_fault: error.is_senders(),
            code: error.code(),
            message: error.to_string(),
        }
    }
}

impl Outcome<Succeeded> {
    /// Adds what became of the entries that the store was asked for, each an id and its handle, in that
    /// order; `judge` says what it means for a handle.
    pub(super) fn settle(
        &mut self,
        entries: Vec<(String, String)>,
        settled: Vec<Settled>,
        judge: impl Fn(&str, Settled) -> Result<(), SqsError>,
    ) {
        for ((id, handle), settled) in entries.into_iter().zip(settled) {
            match judge(&handle, settled) {
                Ok(()) => self.successful.push(Succeeded { id }),
                Err(error) => self.failed.push(Failed::new(id, &error)),
            }
        }
    }
}

impl<T> Default for Outcome<T> {
    fn default() -> Self {
        Self {
            successful: Vec::new(),
            failed: Vec::new(),
        }
    }
}

/// Refuses a batch that is empty or too large, or whose ids are not ids or not distinct.
pub(super) fn check_ids<'a>(
    entry: &'static str,
    ids: impl ExactSizeIterator<Item = Option<&'a str>>,
) -> Result<(), SqsError> {
    match ids.len() {
        0 => return Err(SqsError::EmptyBatchRequest(entry)),
        1..=MAX_ENTRIES => {}
        sent => return Err(SqsError::TooManyEntriesInBatchRequest(sent)),
    }
    let plain = |b: u8| b.is_ascii_alphanumeric() || b == b'-' || b == b'_';
    let mut seen = HashSet::new();
    for id in ids {
        let id = id.unwrap_or_default();
        if id.is_empty() || id.len() > MAX_ID || !id.bytes().all(plain) {
            return Err(SqsError::InvalidBatchEntryId);
        }
        if !seen.insert(id) {
            return Err(SqsError::BatchEntryIdsNotDistinct(id.to_owned()));
        }
    }
    Ok(())
}
