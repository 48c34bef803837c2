//! The ranges of the API reference (`CreateEventSourceMapping`), and the texts for what is outside of them.

use std::ops::RangeInclusive;

use crate::error::Violations;

pub(super) const BATCH_SIZE: RangeInclusive<i64> = 1..=10_000;
pub(super) const WINDOW_SECONDS: RangeInclusive<i64> = 0..=300;
pub(super) const MAXIMUM_CONCURRENCY: RangeInclusive<i64> = 2..=1_000;
/// Records of a batch, unless the request says otherwise.
pub(super) const USUAL_BATCH_SIZE: u32 = 10;
/// The largest batch of a FIFO queue, and of a standard one without a window.
pub(super) const SMALL_BATCH: u32 = 10;
/// Records of a batch of a topic, unless the request says otherwise.
pub(super) const USUAL_KAFKA_BATCH_SIZE: u32 = 100;
pub(super) const MAXIMUM_RETRY_ATTEMPTS: RangeInclusive<i64> = -1..=10_000;
pub(super) const MAXIMUM_RECORD_AGE: RangeInclusive<i64> = -1..=604_800;
/// The youngest that a record may be and too old.
pub(super) const LEAST_RECORD_AGE: u32 = 60;
pub(super) const MINIMUM_POLLERS: RangeInclusive<i64> = 1..=200;
pub(super) const MAXIMUM_POLLERS: RangeInclusive<i64> = 1..=2_000;
/// Mappings on a page of `ListEventSourceMappings`.
pub(crate) const MAPPINGS_PAGE: usize = 100;

/// A number of a request, noted if it is out of its range.
pub(super) fn within(
    path: &'static [&'static str],
    given: Option<i64>,
    range: &RangeInclusive<i64>,
    violations: &mut Violations,
) -> Option<u32> {
    let given = given?;
    if given < *range.start() {
        let constraint = format!(
            "Member must have value greater than or equal to {}",
            range.start()
        );
        violations.add(path, given.to_string(), constraint);
    }
    if given > *range.end() {
        let constraint = format!("Member must have value less than or equal to {}", range.end());
        violations.add(path, given.to_string(), constraint);
    }
    u32::try_from(given).ok()
}
