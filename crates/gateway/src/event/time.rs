//! The time of a request in the common log format, `09/Apr/2015:12:34:56 +0000`.

use tradewind_model::Timestamp;

const MONTHS: [&str; 12] = [
    "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
];

/// Writes the time as a JSON string.
pub(crate) fn write_request_time(out: &mut Vec<u8>, time: Timestamp) {
    let time = jiff::tz::Offset::UTC.to_datetime(time.to_jiff());
    let month = usize::from(time.month().unsigned_abs()).saturating_sub(1);
    out.push(b'"');
    two_digits(out, time.day());
    out.push(b'/');
    out.extend_from_slice(MONTHS.get(month).map_or(b"Jan", |month| month.as_bytes()));
    out.push(b'/');
    out.extend_from_slice(time.year().to_string().as_bytes());
    for part in [time.hour(), time.minute(), time.second()] {
        out.push(b':');
        two_digits(out, part);
    }
    out.extend_from_slice(b" +0000\"");
}

fn two_digits(out: &mut Vec<u8>, number: i8) {
    let number = number.unsigned_abs();
    out.extend_from_slice(&[b'0' + number / 10, b'0' + number % 10]);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_in_the_common_log_format() {
        for (ms, text) in [
            (1_428_582_896_000, "\"09/Apr/2015:12:34:56 +0000\""),
            (1_583_817_383_220, "\"10/Mar/2020:05:16:23 +0000\""),
            (0, "\"01/Jan/1970:00:00:00 +0000\""),
        ] {
            let mut out = Vec::new();
            write_request_time(&mut out, Timestamp::from_millis(ms));
            assert_eq!(String::from_utf8(out).unwrap(), text);
        }
    }
}
