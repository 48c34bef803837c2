//! Trace ids for invocations that come without one, in X-Ray's form.

use tradewind_model::Timestamp;

/// `Root=1-<8 hex: seconds>-<24 hex>;Parent=<16 hex>;Sampled=0`, from the request's own id, so that
/// the two can be told to belong together.
pub(crate) fn trace_id(request_id: &str, now: Timestamp) -> String {
    let mut digits = [b'0'; 32];
    let given = request_id.bytes().filter(u8::is_ascii_hexdigit);
    for (place, digit) in digits.iter_mut().zip(given) {
        *place = digit;
    }
    let digits = str::from_utf8(&digits).expect("invariant: hexadecimal digits are ASCII");
    let (root, _) = digits.split_at(24);
    let (_, parent) = digits.split_at(16);
    format!(
        "Root=1-{:08x}-{root};Parent={parent};Sampled=0",
        now.as_millis() / 1000
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_form_is_x_rays() {
        let now = Timestamp::from_millis(0x5f00_0000 * 1000);
        let id = trace_id("01234567-89ab-cdef-0123-456789abcdef", now);
        assert_eq!(
            id,
            "Root=1-5f000000-0123456789abcdef01234567;Parent=0123456789abcdef;Sampled=0"
        );
        assert_eq!(trace_id("xyz", now).len(), id.len());
    }
}
