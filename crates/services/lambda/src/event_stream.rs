//! The event-stream encoding (`application/vnd.amazon.eventstream`, as Smithy's specification "Amazon
//! Event Stream" has it): messages of headers and a payload, each with checksums.
//!
//! ```text
//! total length │ headers length │ CRC-32 of both │ headers │ payload │ CRC-32 of all before
//!      4               4                4                                   4      bytes
//! ```

use bytes::{BufMut as _, Bytes, BytesMut};

/// The content type of a stream of messages.
pub(crate) const CONTENT_TYPE: &str = "application/vnd.amazon.eventstream";
/// The fixed parts of a message.
const FRAME_BYTES: usize = 16;
/// The type of a header whose value is text.
const TEXT: u8 = 7;

/// One event message.
pub(crate) fn event(event_type: &str, content_type: &str, payload: &[u8]) -> Bytes {
    let mut headers = BytesMut::new();
    for (name, value) in [
        (":message-type", "event"),
        (":event-type", event_type),
        (":content-type", content_type),
    ] {
        put_header(&mut headers, name, value);
    }
    let total = FRAME_BYTES + headers.len() + payload.len();
    let mut message = BytesMut::with_capacity(total);
    message.put_u32(length(total));
    message.put_u32(length(headers.len()));
    message.put_u32(crc32fast::hash(&message));
    message.put_slice(&headers);
    message.put_slice(payload);
    message.put_u32(crc32fast::hash(&message));
    message.freeze()
}

fn put_header(headers: &mut BytesMut, name: &str, value: &str) {
    headers.put_u8(u8::try_from(name.len()).expect("names are those above"));
    headers.put_slice(name.as_bytes());
    headers.put_u8(TEXT);
    headers.put_u16(u16::try_from(value.len()).expect("values are those of this service"));
    headers.put_slice(value.as_bytes());
}

fn length(bytes: usize) -> u32 {
    u32::try_from(bytes).expect("a piece of a stream is far below 4 GB")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_framed_and_summed() {
        let message = event("PayloadChunk", "application/octet-stream", b"hello");
        let word = |at: usize| u32::from_be_bytes(message[at..at + 4].try_into().unwrap());
        let end = message.len() - 4;
        assert_eq!(word(0) as usize, message.len());
        assert_eq!(word(8), crc32fast::hash(&message[..8]));
        assert_eq!(word(end), crc32fast::hash(&message[..end]));
        let headers = word(4) as usize;
        assert_eq!(&message[12 + headers..end], b"hello");
        assert_eq!(&message[12..26], b"\x0d:message-type");
        assert_eq!(&message[26..34], b"\x07\x00\x05event");
    }

    #[test]
    fn the_checksum_is_the_specification_s() {
        // CRC-32 as in gzip: the check value of its definition
        assert_eq!(crc32fast::hash(b"123456789"), 0xCBF4_3926);
    }
}
