//! The bytes of a request's body, without aws-chunked around them and as long as they should be.

use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::{Buf, Bytes, BytesMut};
use http::request::Parts;
use http::{HeaderMap, HeaderName, HeaderValue, header};
use http_body::{Frame, SizeHint};
use s3s::{S3Error, S3ErrorCode};
use sha2::{Digest as _, Sha256};

use super::Trailers;
use crate::refusal::{invalid_request, refused};

/// How long a client may pause inside a body.
const PATIENCE: Duration = Duration::from_secs(30);
/// The longest line of the framing: a chunk's size with its signature, or a trailer.
const LONGEST_LINE: usize = 4 * 1024;
/// Trailers of a body.
const MOST_TRAILERS: usize = 32;

/// Why a body could not be read to its end.
#[derive(Debug, thiserror::Error)]
pub(crate) enum PayloadError {
    /// The connection ended, or nothing came for half a minute.
    #[error("the body ended early: {0}")]
    Interrupted(String),
    /// The aws-chunked framing is not as specified.
    #[error("the body is not aws-chunked as its headers say: {0}")]
    Framing(&'static str),
    /// Fewer or more bytes than announced.
    #[error("the body is not as long as announced")]
    Length,
    /// `x-amz-content-sha256` is of other bytes.
    #[error("the body is not the one that was hashed")]
    Hash,
}

impl PayloadError {
    /// The error in S3's words.
    pub(crate) fn to_s3(&self) -> S3Error {
        match self {
            Self::Interrupted(_) | Self::Length => refused(
                S3ErrorCode::IncompleteBody,
                "You did not provide the number of bytes specified by the Content-Length HTTP header.",
            ),
            Self::Framing(detail) => invalid_request(format!("The body is not aws-chunked: {detail}.")),
            Self::Hash => refused(
                S3ErrorCode::Custom("XAmzContentSHA256Mismatch".into()),
                "The provided 'x-amz-content-sha256' header does not match what was computed.",
            ),
        }
    }
}

/// Wraps the body as its headers say, and makes the headers say what is left.
pub(super) fn wrap<B>(parts: &mut Parts, body: B, trailers: Trailers) -> Result<s3s::Body, S3Error>
where
    B: http_body::Body<Data = Bytes> + Send + Unpin + 'static,
    B::Error: std::fmt::Display,
{
    let hash = parts.headers.remove("x-amz-content-sha256");
    let hash = hash.as_ref().and_then(|value| value.to_str().ok()).unwrap_or("");
    let framed = take_framing(&mut parts.headers) || hash.starts_with("STREAMING-");
    let decoded = parts.headers.remove("x-amz-decoded-content-length");
    let length = if framed {
        let decoded = decoded.as_ref().and_then(number).ok_or_else(missing_length)?;
        parts
            .headers
            .insert(header::CONTENT_LENGTH, HeaderValue::from(decoded));
        Some(decoded)
    } else {
        parts.headers.get(header::CONTENT_LENGTH).and_then(number)
    };
    let hash = (hash.len() == 64).then(|| (Sha256::new(), hash.to_ascii_lowercase()));
    if !framed && hash.is_none() && body.is_end_stream() {
        return Ok(s3s::Body::empty());
    }
    Ok(s3s::Body::http_body_unsync(Payload {
        body,
        framing: framed.then(Framing::default),
        buffer: BytesMut::new(),
        left: length,
        hash,
        trailers,
        patience: Box::pin(tokio::time::sleep(PATIENCE)),
        done: false,
    }))
}

fn number(value: &HeaderValue) -> Option<u64> {
    value.to_str().ok()?.parse().ok()
}

fn missing_length() -> S3Error {
    refused(
        S3ErrorCode::MissingContentLength,
        "You must provide the Content-Length HTTP header.",
    )
}

/// Takes `aws-chunked` out of the content's encodings.
fn take_framing(headers: &mut HeaderMap) -> bool {
    let encodings = headers
        .get(header::CONTENT_ENCODING)
        .and_then(|value| value.to_str().ok());
    let Some(encodings) = encodings else {
        return false;
    };
    let all: Vec<&str> = encodings.split(',').map(str::trim).collect();
    let rest: Vec<&str> = all
        .iter()
        .copied()
        .filter(|encoding| *encoding != "aws-chunked")
        .collect();
    if rest.len() == all.len() {
        return false;
    }
    match HeaderValue::try_from(rest.join(",")) {
        Ok(value) if !rest.is_empty() => headers.insert(header::CONTENT_ENCODING, value),
        Ok(_) | Err(_) => headers.remove(header::CONTENT_ENCODING),
    };
    true
}

/// Where in the framing the next byte is.
#[derive(Debug, Default)]
enum Framing {
    /// At a chunk's head.
    #[default]
    Head,
    /// In a chunk, with so many bytes to come.
    Data(u64),
    /// After a chunk's bytes.
    AfterData,
    /// After the last chunk.
    Trailers(HeaderMap),
    /// At the end.
    End,
}

struct Payload<B> {
    body: B,
    framing: Option<Framing>,
    /// Bytes that came and were not taken; only a framed body has any.
    buffer: BytesMut,
    /// Bytes of content to come, when it is known.
    left: Option<u64>,
    hash: Option<(Sha256, String)>,
    trailers: Trailers,
    patience: Pin<Box<tokio::time::Sleep>>,
    done: bool,
}

impl<B> http_body::Body for Payload<B>
where
    B: http_body::Body<Data = Bytes> + Unpin,
    B::Error: std::fmt::Display,
{
    type Data = Bytes;
    type Error = PayloadError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, PayloadError>>> {
        if self.done {
            return Poll::Ready(None);
        }
        let next = ready!(self.poll_content(cx));
        let next = match next {
            Ok(Some(bytes)) => self.count(bytes).map(Some),
            Ok(None) => self.end().map(|()| None),
            Err(error) => Err(error),
        };
        self.done = !matches!(next, Ok(Some(_)));
        Poll::Ready(next.transpose().map(|result| result.map(Frame::data)))
    }

    fn size_hint(&self) -> SizeHint {
        self.left.map_or_else(SizeHint::default, SizeHint::with_exact)
    }
}

impl<B> Payload<B>
where
    B: http_body::Body<Data = Bytes> + Unpin,
    B::Error: std::fmt::Display,
{
    /// The next bytes of content; none at the end.
    fn poll_content(&mut self, cx: &mut Context<'_>) -> Poll<Result<Option<Bytes>, PayloadError>> {
        if self.framing.is_none() {
            return self.poll_body(cx);
        }
        loop {
            match self.unframe() {
                Ok(Unframed::Content(bytes)) => return Poll::Ready(Ok(Some(bytes))),
                Ok(Unframed::More) => {}
                Ok(Unframed::End) => return Poll::Ready(Ok(None)),
                Err(error) => return Poll::Ready(Err(error)),
            }
            match ready!(self.poll_body(cx))? {
                Some(bytes) => self.buffer.extend_from_slice(&bytes),
                None => return Poll::Ready(Err(PayloadError::Interrupted("inside its framing".into()))),
            }
        }
    }

    /// The next bytes of the connection.
    fn poll_body(&mut self, cx: &mut Context<'_>) -> Poll<Result<Option<Bytes>, PayloadError>> {
        loop {
            let frame = match Pin::new(&mut self.body).poll_frame(cx) {
                Poll::Ready(frame) => frame,
                Poll::Pending => {
                    ready!(self.patience.as_mut().poll(cx));
                    let seconds = PATIENCE.as_secs();
                    let stalled = format!("nothing came for {seconds} seconds");
                    return Poll::Ready(Err(PayloadError::Interrupted(stalled)));
                }
            };
            self.patience
                .as_mut()
                .reset(tokio::time::Instant::now() + PATIENCE);
            match frame {
                None => return Poll::Ready(Ok(None)),
                Some(Err(error)) => return Poll::Ready(Err(PayloadError::Interrupted(error.to_string()))),
                Some(Ok(frame)) => match frame.into_data() {
                    Ok(bytes) if bytes.is_empty() => {}
                    Ok(bytes) => return Poll::Ready(Ok(Some(bytes))),
                    Err(_http_trailers) => {}
                },
            }
        }
    }

    fn unframe(&mut self) -> Result<Unframed, PayloadError> {
        loop {
            let framing = self.framing.get_or_insert_default();
            match framing {
                Framing::Head => {
                    let Some(line) = take_line(&mut self.buffer)? else {
                        return Ok(Unframed::More);
                    };
                    *framing = match chunk_size(&line)? {
                        0 => Framing::Trailers(HeaderMap::new()),
                        size => Framing::Data(size),
                    };
                }
                Framing::Data(_) if self.buffer.is_empty() => return Ok(Unframed::More),
                Framing::Data(left) => {
                    let here = usize::try_from(*left)
                        .unwrap_or(usize::MAX)
                        .min(self.buffer.len());
                    *left -= here as u64;
                    if *left == 0 {
                        *framing = Framing::AfterData;
                    }
                    return Ok(Unframed::Content(self.buffer.split_to(here).freeze()));
                }
                Framing::AfterData => {
                    if self.buffer.len() < 2 {
                        return Ok(Unframed::More);
                    }
                    if !self.buffer.starts_with(b"\r\n") {
                        return Err(PayloadError::Framing("a chunk is longer than its size"));
                    }
                    self.buffer.advance(2);
                    *framing = Framing::Head;
                }
                Framing::Trailers(headers) => {
                    let Some(line) = take_line(&mut self.buffer)? else {
                        return Ok(Unframed::More);
                    };
                    if line.is_empty() {
                        self.trailers.put(std::mem::take(headers));
                        *framing = Framing::End;
                    } else {
                        take_trailer(headers, &line)?;
                    }
                }
                Framing::End => return Ok(Unframed::End),
            }
        }
    }

    fn count(&mut self, bytes: Bytes) -> Result<Bytes, PayloadError> {
        if let Some(left) = &mut self.left {
            *left = left.checked_sub(bytes.len() as u64).ok_or(PayloadError::Length)?;
        }
        if let Some((hash, _)) = &mut self.hash {
            hash.update(&bytes);
        }
        Ok(bytes)
    }

    fn end(&mut self) -> Result<(), PayloadError> {
        if self.left.is_some_and(|left| left > 0) {
            return Err(PayloadError::Length);
        }
        let Some((hash, expected)) = self.hash.take() else {
            return Ok(());
        };
        if crate::digest::hex(&hash.finalize()) == expected {
            Ok(())
        } else {
            Err(PayloadError::Hash)
        }
    }
}

enum Unframed {
    Content(Bytes),
    More,
    End,
}

/// A whole line without its end, when it is there. The body's last line may lack its end.
fn take_line(buffer: &mut BytesMut) -> Result<Option<BytesMut>, PayloadError> {
    let Some(end) = buffer.windows(2).position(|pair| pair == b"\r\n") else {
        if buffer.len() > LONGEST_LINE {
            return Err(PayloadError::Framing("a line is too long"));
        }
        return Ok(None);
    };
    let line = buffer.split_to(end);
    buffer.advance(2);
    Ok(Some(line))
}

fn chunk_size(line: &[u8]) -> Result<u64, PayloadError> {
    let digits = line.split(|&b| b == b';').next().unwrap_or_default();
    let text = std::str::from_utf8(digits).unwrap_or_default().trim();
    let valid = !text.is_empty() && text.len() <= 16 && text.bytes().all(|b| b.is_ascii_hexdigit());
    let size = valid.then(|| u64::from_str_radix(text, 16).ok()).flatten();
    size.ok_or(PayloadError::Framing("a chunk has no size"))
}

fn take_trailer(headers: &mut HeaderMap, line: &[u8]) -> Result<(), PayloadError> {
    let malformed = || PayloadError::Framing("a trailer is malformed");
    if headers.len() >= MOST_TRAILERS {
        return Err(PayloadError::Framing("it has too many trailers"));
    }
    let colon = line.iter().position(|&b| b == b':').ok_or_else(malformed)?;
    let (name, value) = line.split_at(colon);
    let name = HeaderName::from_bytes(name).map_err(|_invalid| malformed())?;
    let value = HeaderValue::from_bytes(value[1..].trim_ascii()).map_err(|_invalid| malformed())?;
    headers.insert(name, value);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use http_body::Body as _;
    use tradewind_wire::Body;

    const SHA_OF_HELLO: &str = "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824";

    async fn read(
        headers: &[(&str, &str)],
        pieces: &[&'static str],
    ) -> Result<(String, Option<String>), PayloadError> {
        let mut request = http::Request::put("/b/k");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let (mut parts, ()) = request.body(()).unwrap().into_parts();
        let (sender, body) = Body::channel(pieces.len().max(1));
        for piece in pieces {
            sender.send(*piece).await.unwrap();
        }
        drop(sender);
        let trailers = Trailers::default();
        let mut body = wrap(&mut parts, body, trailers.clone()).unwrap();
        let mut content = Vec::new();
        while let Some(frame) = std::future::poll_fn(|cx| Pin::new(&mut body).poll_frame(cx)).await {
            match frame {
                Ok(frame) => content.extend_from_slice(&frame.into_data().unwrap()),
                Err(error) => return Err(*error.downcast::<PayloadError>().unwrap()),
            }
        }
        Ok((
            String::from_utf8(content).unwrap(),
            trailers.get("x-amz-checksum-crc32"),
        ))
    }

    const FRAMED: &[(&str, &str)] = &[
        ("x-amz-content-sha256", "STREAMING-UNSIGNED-PAYLOAD-TRAILER"),
        ("x-amz-decoded-content-length", "5"),
    ];

    #[tokio::test]
    async fn framing_is_taken_off_wherever_it_is_cut() {
        let whole = "3;chunk-signature=00\r\nhel\r\n2\r\nlo\r\n0\r\nx-amz-checksum-crc32: NhCmhg==\r\n\r\n";
        for cut in 1..whole.len() {
            let (first, second) = whole.split_at(cut);
            let read = read(FRAMED, &[first, second]).await.unwrap();
            assert_eq!(read, ("hello".to_owned(), Some("NhCmhg==".to_owned())), "{cut}");
        }
    }

    #[tokio::test]
    async fn bodies_that_stop_or_lie_are_errors() {
        for body in ["5\r\nhel", "5\r\nhello", "5\r\nhello\r\n", "5\r\nhello\r\n0\r\n"] {
            let read = read(FRAMED, &[body]).await;
            assert!(
                matches!(read, Err(PayloadError::Interrupted(_))),
                "{body:?} {read:?}"
            );
        }
        for body in ["4\r\nhell\r\n0\r\n\r\n", "6\r\nhello!\r\n0\r\n\r\n"] {
            assert!(
                matches!(read(FRAMED, &[body]).await, Err(PayloadError::Length)),
                "{body:?}"
            );
        }
        for body in ["x\r\n", "-1\r\n", "\r\n", "5\r\nhello!\r\n", "0\r\nno colon\r\n"] {
            assert!(
                matches!(read(FRAMED, &[body]).await, Err(PayloadError::Framing(_))),
                "{body:?}"
            );
        }
        let plain = read(&[("content-length", "6")], &["hello"]).await;
        assert!(matches!(plain, Err(PayloadError::Length)), "{plain:?}");
    }

    #[tokio::test]
    async fn the_hash_is_compared() {
        let headers = [("x-amz-content-sha256", SHA_OF_HELLO), ("content-length", "5")];
        assert_eq!(read(&headers, &["hel", "lo"]).await.unwrap().0, "hello");
        assert!(matches!(
            read(&headers, &["help!"]).await,
            Err(PayloadError::Hash)
        ));
    }

    #[test]
    fn other_encodings_stay() {
        let mut headers = HeaderMap::new();
        headers.insert(
            header::CONTENT_ENCODING,
            HeaderValue::from_static("aws-chunked, gzip"),
        );
        assert!(take_framing(&mut headers));
        assert_eq!(headers[header::CONTENT_ENCODING], "gzip");
        assert!(!take_framing(&mut headers));
    }
}
