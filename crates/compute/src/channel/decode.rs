//! The frame format, without any I/O.
//!
//! `u32` length of what follows, `u8` kind, body; all little endian; a `str` is its `u32` length and
//! UTF-8 bytes. A length from the function is not believed before it is checked.

use std::ffi::OsString;

use bytes::{Buf, Bytes, BytesMut};

use super::Delivery;

/// Host to function.
pub(crate) const INVOKE: u8 = 1;
const SPECIALISE: u8 = 2;
/// Function to host.
pub(crate) const READY: u8 = 16;
const INIT_ERROR: u8 = 17;
const RESPONSE: u8 = 18;
const ERROR: u8 = 19;
const STREAM_BEGIN: u8 = 20;
const STREAM_CHUNK: u8 = 21;
const STREAM_END: u8 = 22;
/// A stem has booted; as good as READY, which it says again when it has become a function.
const STEM_READY: u8 = 23;
const PREPARED: u8 = 24;

/// The largest frame a function may send.
pub(crate) const MAX_FRAME_BYTES: usize = 7 * 1024 * 1024;
const LENGTH_BYTES: usize = 4;

/// A frame from the function.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Frame {
    Ready,
    /// A part of the package's compiled code.
    Prepared(Bytes),
    InitError(Bytes),
    Response {
        request_id: Bytes,
        payload: Bytes,
    },
    Error {
        request_id: Bytes,
        payload: Bytes,
    },
    /// An answer begins to come; `prelude` is the JSON of an HTTP integration's response.
    StreamBegin {
        request_id: Bytes,
        content_type: Bytes,
        prelude: Bytes,
    },
    StreamChunk {
        request_id: Bytes,
        payload: Bytes,
    },
    /// It is whole, or broke off because of `error`.
    StreamEnd {
        request_id: Bytes,
        error: Bytes,
    },
}

/// Takes the next whole frame out of `buffer`. `Ok(None)` when more bytes are needed, which
/// `missing` then counts.
pub(crate) fn decode(buffer: &mut BytesMut) -> Result<Option<Frame>, &'static str> {
    let Some(length) = frame_length(buffer)? else {
        return Ok(None);
    };
    if buffer.len() < LENGTH_BYTES + length {
        return Ok(None);
    }
    let mut frame = buffer.split_to(LENGTH_BYTES + length).freeze();
    frame.advance(LENGTH_BYTES);
    let kind = frame.get_u8();
    match kind {
        READY | STEM_READY => Ok(Some(Frame::Ready)),
        PREPARED => Ok(Some(Frame::Prepared(frame))),
        INIT_ERROR => Ok(Some(Frame::InitError(frame))),
        RESPONSE => Ok(Some(Frame::Response {
            request_id: take_str(&mut frame)?,
            payload: frame,
        })),
        ERROR => Ok(Some(Frame::Error {
            request_id: take_str(&mut frame)?,
            payload: frame,
        })),
        STREAM_BEGIN => Ok(Some(Frame::StreamBegin {
            request_id: take_str(&mut frame)?,
            content_type: take_str(&mut frame)?,
            prelude: frame,
        })),
        STREAM_CHUNK => Ok(Some(Frame::StreamChunk {
            request_id: take_str(&mut frame)?,
            payload: frame,
        })),
        STREAM_END => Ok(Some(Frame::StreamEnd {
            request_id: take_str(&mut frame)?,
            error: frame,
        })),
        _ => Err("the runtime sent a frame of an unknown kind"),
    }
}

/// How many bytes are missing to complete the first frame in `buffer`.
pub(crate) fn missing(buffer: &BytesMut) -> usize {
    match frame_length(buffer) {
        Ok(Some(length)) => (LENGTH_BYTES + length).saturating_sub(buffer.len()),
        Ok(None) | Err(_) => LENGTH_BYTES,
    }
}

fn frame_length(buffer: &BytesMut) -> Result<Option<usize>, &'static str> {
    let Some(mut prefix) = buffer.get(..LENGTH_BYTES) else {
        return Ok(None);
    };
    let length = usize::try_from(prefix.get_u32_le()).unwrap_or(usize::MAX);
    match length {
        0 => Err("the runtime sent an empty frame"),
        _ if length > MAX_FRAME_BYTES => Err("the runtime sent a frame that is too large"),
        _ => Ok(Some(length)),
    }
}

fn take_str(frame: &mut Bytes) -> Result<Bytes, &'static str> {
    const TRUNCATED: &str = "the runtime sent a frame that ends too early";
    if frame.len() < LENGTH_BYTES {
        return Err(TRUNCATED);
    }
    let length = usize::try_from(frame.get_u32_le()).unwrap_or(usize::MAX);
    if frame.len() < length {
        return Err(TRUNCATED);
    }
    Ok(frame.split_to(length))
}

/// Writes an INVOKE frame up to its payload, which the length counts, into `head`.
pub(crate) fn encode_invoke(delivery: &Delivery<'_>, head: &mut Vec<u8>) {
    head.clear();
    head.extend_from_slice(&[0; LENGTH_BYTES]);
    head.push(INVOKE);
    head.extend_from_slice(&delivery.deadline_ms.to_le_bytes());
    put_str(head, delivery.request_id);
    put_str(head, delivery.function_arn);
    put_str(head, delivery.trace_id);
    put_str(head, delivery.client_context.unwrap_or_default());
    put_str(head, "");
    let length = u32_of(head.len() - LENGTH_BYTES + delivery.payload.len()).to_le_bytes();
    for (place, byte) in head.iter_mut().zip(length) {
        *place = byte;
    }
}

/// Writes a SPECIALISE frame into `out`. A name or a value that is not UTF-8 is passed as well as it can be.
pub(crate) fn encode_specialise(environment: &[(OsString, OsString)], out: &mut Vec<u8>) {
    out.clear();
    out.extend_from_slice(&[0; LENGTH_BYTES]);
    out.push(SPECIALISE);
    out.extend_from_slice(&u32_of(environment.len()).to_le_bytes());
    for (name, value) in environment {
        put_str(out, &name.to_string_lossy());
        put_str(out, &value.to_string_lossy());
    }
    let length = u32_of(out.len() - LENGTH_BYTES).to_le_bytes();
    for (place, byte) in out.iter_mut().zip(length) {
        *place = byte;
    }
}

fn put_str(out: &mut Vec<u8>, text: &str) {
    out.extend_from_slice(&u32_of(text.len()).to_le_bytes());
    out.extend_from_slice(text.as_bytes());
}

fn u32_of(length: usize) -> u32 {
    u32::try_from(length).expect("invariant: payloads and headers are far below 4 GiB")
}

#[cfg(test)]
pub(crate) mod tests {
    use proptest::prelude::*;

    use super::*;

    pub(crate) fn frame(kind: u8, body: &[u8]) -> Vec<u8> {
        let mut out = u32_of(body.len() + 1).to_le_bytes().to_vec();
        out.push(kind);
        out.extend_from_slice(body);
        out
    }

    pub(crate) fn answer(kind: u8, request_id: &str, payload: &[u8]) -> Vec<u8> {
        let mut body = Vec::new();
        put_str(&mut body, request_id);
        body.extend_from_slice(payload);
        frame(kind, &body)
    }

    fn all(buffer: &mut BytesMut) -> Vec<Frame> {
        std::iter::from_fn(|| decode(buffer).unwrap()).collect()
    }

    #[test]
    fn the_invoke_frame_is_fixed() {
        let delivery = Delivery {
            request_id: "id",
            deadline_ms: 0x0102,
            function_arn: "arn",
            trace_id: "t",
            client_context: None,
            payload: Bytes::from_static(b"{}"),
            streamed: false,
        };
        let mut head = Vec::new();
        encode_invoke(&delivery, &mut head);
        let expected =
            b"\x25\0\0\0\x01\x02\x01\0\0\0\0\0\0\x02\0\0\0id\x03\0\0\0arn\x01\0\0\0t\0\0\0\0\0\0\0\0";
        assert_eq!(head, expected);
        assert_eq!(usize::from(expected[0]), expected.len() - 4 + 2);
    }

    #[test]
    fn the_specialise_frame_is_fixed() {
        let mut frame = Vec::new();
        encode_specialise(&[("A".into(), "1".into()), ("B".into(), "".into())], &mut frame);
        let expected = b"\x18\0\0\0\x02\x02\0\0\0\x01\0\0\0A\x01\0\0\x001\x01\0\0\0B\0\0\0\0";
        assert_eq!(frame, expected);
    }

    #[test]
    fn bad_frames_are_refused_before_anything_is_allocated() {
        let unknown = frame(99, b"");
        let truncated = frame(RESPONSE, b"\x09\0\0\0id");
        let no_id = frame(ERROR, b"\x01");
        let no_type = frame(STREAM_BEGIN, b"\x02\0\0\0id");
        for bytes in [
            &b"\0\0\0\0"[..],
            b"\xff\xff\xff\xff\x12",
            b"GET / HTTP/1.1\r\n",
            &unknown,
            &truncated,
            &no_id,
            &no_type,
        ] {
            assert!(decode(&mut BytesMut::from(bytes)).is_err(), "{bytes:?}");
        }
    }

    #[test]
    fn what_is_missing_is_known_once_the_length_is() {
        let bytes = answer(RESPONSE, "id", b"payload");
        assert_eq!(missing(&BytesMut::from(&bytes[..2])), 4);
        assert_eq!(missing(&BytesMut::from(&bytes[..10])), bytes.len() - 10);
    }

    #[test]
    fn a_stream_has_its_type_and_prelude_first() {
        let begin = frame(STREAM_BEGIN, b"\x02\0\0\0id\x01\0\0\0t{}");
        let bytes = [
            begin,
            answer(STREAM_CHUNK, "id", b"abc"),
            answer(STREAM_END, "id", b""),
        ]
        .concat();
        let id = || Bytes::from_static(b"id");
        let expected = [
            Frame::StreamBegin {
                request_id: id(),
                content_type: Bytes::from_static(b"t"),
                prelude: Bytes::from_static(b"{}"),
            },
            Frame::StreamChunk {
                request_id: id(),
                payload: Bytes::from_static(b"abc"),
            },
            Frame::StreamEnd {
                request_id: id(),
                error: Bytes::new(),
            },
        ];
        assert_eq!(all(&mut BytesMut::from(bytes.as_slice())), expected);
    }

    proptest! {
        #[test]
        fn frames_survive_any_fragmentation(
            answers in prop::collection::vec(("[a-z0-9-]{0,36}", prop::collection::vec(any::<u8>(), 0..300)), 1..6),
            cut in 1usize..64,
        ) {
            let bytes: Vec<u8> = answers.iter().flat_map(|(id, payload)| answer(RESPONSE, id, payload)).collect();
            let mut buffer = BytesMut::new();
            let mut frames = Vec::new();
            for piece in bytes.chunks(cut) {
                buffer.extend_from_slice(piece);
                frames.extend(all(&mut buffer));
            }
            prop_assert!(buffer.is_empty());
            let expected: Vec<Frame> = answers
                .into_iter()
                .map(|(id, payload)| Frame::Response { request_id: id.into(), payload: payload.into() })
                .collect();
            prop_assert_eq!(frames, expected);
        }

        #[test]
        fn no_bytes_make_the_decoder_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let mut buffer = BytesMut::from(bytes.as_slice());
            while let Ok(Some(_)) = decode(&mut buffer) {}
        }
    }
}
