//! Instants of the wire and of the model.

use std::time::{Duration, SystemTime};

use s3s::dto::{Timestamp as Wire, TimestampFormat};
use tradewind_model::Timestamp;

/// The instant of the wire, to the millisecond.
pub(crate) fn to_model(wire: &Wire) -> Timestamp {
    let mut text = Vec::new();
    let written = wire.format(TimestampFormat::DateTime, &mut text);
    let text = written.ok().and_then(|()| std::str::from_utf8(&text).ok());
    let instant = text.and_then(|text| text.parse::<jiff::Timestamp>().ok());
    Timestamp::from_millis(instant.map_or(0, |instant| instant.as_millisecond()))
}

/// The instant as the wire has it. What lies before 1970 becomes 1970.
pub(crate) fn to_wire(instant: Timestamp) -> Wire {
    let millis = u64::try_from(instant.as_millis()).unwrap_or(0);
    Wire::from(SystemTime::UNIX_EPOCH + Duration::from_millis(millis))
}

/// The whole second an instant lies in: HTTP's dates know no more.
pub(crate) fn seconds(instant: Timestamp) -> i64 {
    instant.as_millis().div_euclid(1000)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn instants_come_back_to_the_millisecond() {
        for ms in [0, 1, 1_700_000_000_123, 4_102_444_800_000] {
            let instant = Timestamp::from_millis(ms);
            assert_eq!(to_model(&to_wire(instant)), instant);
        }
    }
}
