//! Pages of lists in the words of this service, and the ids of events.

use tradewind_model::Timestamp;
use tradewind_observe::{EventKey, LogPosition};
pub(crate) use tradewind_wire::page_token as encode;
use tradewind_wire::{page_of, read_page_token};

use crate::error::LogsError;

/// The digits of an event's id: time, segment, offset.
const DIGITS: (usize, usize, usize) = (14, 20, 22);

/// What the token was made of.
pub(crate) fn decode(operation: &str, token: &str) -> Result<String, LogsError> {
    read_page_token(operation, token).map_err(|_no_token| invalid())
}

pub(crate) fn invalid() -> LogsError {
    LogsError::InvalidParameter("The specified nextToken is invalid.".into())
}

/// A page of sorted `items`: what is on it, and the token of the next one. `key` is what an item is sorted
/// by; the page begins after the one that `token` names, whether it is there still or not.
pub(crate) fn page<T>(
    operation: &str,
    items: impl Iterator<Item = T>,
    (token, limit): (Option<&str>, usize),
    key: impl Fn(&T) -> String,
    comes_after: impl Fn(&str, &str) -> bool,
) -> Result<(Vec<T>, Option<String>), LogsError> {
    let after = token.map(|token| decode(operation, token)).transpose()?;
    let rest = items.filter(|item| after.as_ref().is_none_or(|after| comes_after(&key(item), after)));
    Ok(page_of(operation, rest, &key, limit))
}

/// An event's id: 56 digits, as AWS's have, that sort like the events.
pub(crate) fn event_id(key: EventKey) -> String {
    let (time, segment, offset) = DIGITS;
    let millis = key.timestamp.as_millis().max(0);
    let position = key.position;
    format!(
        "{millis:0time$}{:0segment$}{:0offset$}",
        position.segment, position.offset
    )
}

/// The place that an id names.
pub(crate) fn read_event_id(id: &str) -> Option<EventKey> {
    let (time, segment, offset) = DIGITS;
    if id.len() != time + segment + offset || !id.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let (time, rest) = id.split_at_checked(time)?;
    let (segment, offset) = rest.split_at_checked(segment)?;
    Some(EventKey {
        timestamp: Timestamp::from_millis(time.parse().ok()?),
        position: LogPosition {
            segment: segment.parse().ok()?,
            offset: offset.parse().ok()?,
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(token: Option<&str>) -> (Vec<u32>, Option<String>) {
        let key = |n: &u32| format!("{n:03}");
        page("Op", 0..5, (token, 2), key, |a, b| a > b).unwrap()
    }

    #[test]
    fn pages_follow_one_another() {
        let (first, token) = names(None);
        let (second, token2) = names(token.as_deref());
        let (third, end) = names(token2.as_deref());
        assert_eq!((first, second, third), (vec![0, 1], vec![2, 3], vec![4]));
        assert_eq!(end, None);
        assert!(decode("Other", &token.unwrap()).is_err());
        assert!(decode("Op", "!").is_err());
    }

    proptest::proptest! {
        #[test]
        fn ids_read_back_and_sort_like_events(a in (0_i64..1 << 45, 0_u64..u64::MAX, 0_u64..u64::MAX),
                                              b in (0_i64..1 << 45, 0_u64..u64::MAX, 0_u64..u64::MAX)) {
            let key = |(ms, segment, offset)| EventKey {
                timestamp: Timestamp::from_millis(ms),
                position: LogPosition { segment, offset },
            };
            let (a, b) = (key(a), key(b));
            proptest::prop_assert_eq!(event_id(a).len(), 56);
            proptest::prop_assert_eq!(read_event_id(&event_id(a)), Some(a));
            proptest::prop_assert_eq!(event_id(a).cmp(&event_id(b)), a.cmp(&b));
        }
    }
}
