//! A form as it streams: its fields, then its file.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::{Buf, Bytes, BytesMut};
use http::{HeaderMap, header};
use http_body::{Body, Frame};
use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use s3s::{S3Error, S3ErrorCode};

use crate::configuration::{custom, refused};

/// Bytes of all that precedes the file (S3 API reference, "POST Object": 20 KB), and of parts' heads.
const BEFORE_FILE: usize = 20 * 1024;

/// The fields of a form, by lower-case name.
#[derive(Clone, Debug, Default)]
pub(crate) struct Fields {
    fields: Vec<(String, String)>,
    filename: String,
}

impl Fields {
    #[cfg(test)]
    pub(super) fn of(fields: impl Iterator<Item = (String, String)>) -> Self {
        Self {
            fields: fields.collect(),
            filename: String::new(),
        }
    }

    /// The value of the field.
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        let mut fields = self.iter();
        fields.find(|(given, _)| *given == name).map(|(_, value)| value)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.fields
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// The name of the file.
    pub(super) fn filename(&self) -> &str {
        &self.filename
    }
}

/// Why the file of a form could not be read to its end.
#[derive(Debug, thiserror::Error)]
pub(crate) enum FormError {
    /// The connection ended.
    #[error("the form ended early: {0}")]
    Interrupted(String),
    /// The policy wants fewer bytes.
    #[error("the file is larger than the form's policy admits")]
    TooLarge,
    /// The policy wants more bytes.
    #[error("the file is smaller than the form's policy demands")]
    TooSmall,
}

impl FormError {
    /// The error in S3's words.
    pub(crate) fn to_s3(&self) -> S3Error {
        match self {
            Self::Interrupted(_) => refused(
                S3ErrorCode::IncompleteBody,
                "The body of your POST request is not well-formed multipart/form-data.",
            ),
            Self::TooLarge => refused(
                S3ErrorCode::EntityTooLarge,
                "Your proposed upload exceeds the maximum allowed size",
            ),
            Self::TooSmall => refused(
                S3ErrorCode::EntityTooSmall,
                "Your proposed upload is smaller than the minimum allowed size",
            ),
        }
    }
}

/// The file of a form: the body up to the next boundary.
#[derive(Debug)]
pub(crate) struct File<B = Incoming> {
    body: B,
    buffer: BytesMut,
    /// What ends the file: a line's end and the boundary.
    end: Vec<u8>,
    bounds: (u64, u64),
    bytes: u64,
    done: bool,
}

impl<B> File<B> {
    /// Bounds the bytes of the file.
    pub(super) fn bound(&mut self, bounds: Option<(u64, u64)>) {
        if let Some(bounds) = bounds {
            self.bounds = bounds;
        }
    }
}

/// Reads the fields of a form, up to its file.
pub(super) async fn read<B>(headers: &HeaderMap, body: B) -> Result<(Fields, File<B>), S3Error>
where
    B: Body<Data = Bytes> + Unpin,
    B::Error: std::fmt::Display,
{
    let boundary = boundary(headers).ok_or_else(malformed)?;
    let mut reader = Reader {
        body,
        buffer: BytesMut::from(&b"\r\n"[..]),
        read: 0,
    };
    let end = format!("\r\n--{boundary}").into_bytes();
    let mut fields = Fields::default();
    // What precedes the first boundary says nothing.
    reader.until(&end).await?;
    loop {
        if reader.until(b"\r\n").await?.starts_with(b"--") {
            return Err(refused(
                S3ErrorCode::InvalidArgument,
                "POST requires exactly one file upload per request.",
            ));
        }
        let (name, filename) = reader.head().await?;
        if name == "file" {
            fields.filename = filename.unwrap_or_default();
            let file = File {
                body: reader.body,
                buffer: reader.buffer,
                end,
                bounds: (0, u64::MAX),
                bytes: 0,
                done: false,
            };
            return Ok((fields, file));
        }
        let value = reader.until(&end).await?;
        let value = String::from_utf8(value.to_vec()).map_err(|_invalid| malformed())?;
        fields.fields.push((name, value));
    }
}

struct Reader<B> {
    body: B,
    buffer: BytesMut,
    read: usize,
}

impl<B> Reader<B>
where
    B: Body<Data = Bytes> + Unpin,
    B::Error: std::fmt::Display,
{
    /// The bytes up to `end`, which is taken as well.
    async fn until(&mut self, end: &[u8]) -> Result<BytesMut, S3Error> {
        loop {
            if let Some(at) = find(&self.buffer, end) {
                self.read += at + end.len();
                let bytes = self.buffer.split_to(at);
                self.buffer.advance(end.len());
                return self.within(0).map(|()| bytes);
            }
            self.within(self.buffer.len())?;
            match self.body.frame().await {
                Some(Ok(frame)) => {
                    if let Ok(bytes) = frame.into_data() {
                        self.buffer.extend_from_slice(&bytes);
                    }
                }
                Some(Err(_)) | None => return Err(malformed()),
            }
        }
    }

    /// Neither what was read nor what is being looked through may be longer than the bound.
    fn within(&self, looked_through: usize) -> Result<(), S3Error> {
        if self.read > BEFORE_FILE || looked_through > BEFORE_FILE {
            return Err(custom(
                "MaxPostPreDataLengthExceeded",
                http::StatusCode::BAD_REQUEST,
                "Your POST request fields preceding the upload file were too large.",
            ));
        }
        Ok(())
    }

    /// The head of a part: the name of its field and of its file. A file part's own content type becomes
    /// nothing: S3 takes the field `Content-Type`.
    async fn head(&mut self) -> Result<(String, Option<String>), S3Error> {
        let mut found = None;
        loop {
            let line = self.until(b"\r\n").await?;
            if line.is_empty() {
                return found.ok_or_else(malformed);
            }
            let line = String::from_utf8(line.to_vec()).map_err(|_invalid| malformed())?;
            let (name, value) = line.split_once(':').ok_or_else(malformed)?;
            if name.eq_ignore_ascii_case("content-disposition") {
                let field = parameter(value, "name").ok_or_else(malformed)?;
                let filename = parameter(value, "filename");
                let filename =
                    filename.map(|name| name.rsplit(['/', '\\']).next().unwrap_or_default().to_owned());
                found = Some((field.to_ascii_lowercase(), filename));
            }
        }
    }
}

impl<B> Body for File<B>
where
    B: Body<Data = Bytes> + Unpin,
    B::Error: std::fmt::Display,
{
    type Data = Bytes;
    type Error = FormError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, FormError>>> {
        loop {
            if self.done {
                return Poll::Ready(None);
            }
            match self.next() {
                Ok(Some(bytes)) if bytes.is_empty() => {}
                Ok(Some(bytes)) => return Poll::Ready(Some(Ok(Frame::data(bytes)))),
                Ok(None) => match ready!(Pin::new(&mut self.body).poll_frame(cx)) {
                    Some(Ok(frame)) => {
                        if let Ok(bytes) = frame.into_data() {
                            self.buffer.extend_from_slice(&bytes);
                        }
                    }
                    Some(Err(error)) => return Poll::Ready(Some(Err(self.interrupted(&error.to_string())))),
                    None => return Poll::Ready(Some(Err(self.interrupted("no boundary follows its file")))),
                },
                Err(error) => {
                    self.done = true;
                    return Poll::Ready(Some(Err(error)));
                }
            }
        }
    }
}

impl<B> File<B> {
    /// The next bytes that are certainly of the file, when there are any in the buffer.
    fn next(&mut self) -> Result<Option<Bytes>, FormError> {
        let (length, last) = match find(&self.buffer, &self.end) {
            Some(at) => (at, true),
            // The rest may begin the boundary.
            None => (self.buffer.len().saturating_sub(self.end.len() - 1), false),
        };
        if length == 0 && !last {
            return Ok(None);
        }
        self.bytes += length as u64;
        let (least, most) = self.bounds;
        if self.bytes > most {
            return Err(FormError::TooLarge);
        }
        if last && self.bytes < least {
            return Err(FormError::TooSmall);
        }
        self.done = last;
        Ok(Some(self.buffer.split_to(length).freeze()))
    }

    fn interrupted(&mut self, why: &str) -> FormError {
        self.done = true;
        FormError::Interrupted(why.to_owned())
    }
}

fn find(bytes: &[u8], wanted: &[u8]) -> Option<usize> {
    let first = *wanted.first()?;
    let mut from = 0;
    while let Some(at) = bytes.get(from..)?.iter().position(|&byte| byte == first) {
        if bytes.get(from + at..)?.starts_with(wanted) {
            return Some(from + at);
        }
        from += at + 1;
    }
    None
}

fn boundary(headers: &HeaderMap) -> Option<String> {
    let value = headers.get(header::CONTENT_TYPE)?.to_str().ok()?;
    let boundary = parameter(value, "boundary")?;
    (!boundary.is_empty() && boundary.len() <= 70).then_some(boundary)
}

/// The parameter of a header's value: a token, or text in quotes.
fn parameter(value: &str, name: &str) -> Option<String> {
    let mut rest = value;
    while let Some((_, after)) = rest.split_once(';') {
        let (given, after) = after.split_once('=')?;
        let (value, after) = match after.trim_start().strip_prefix('"') {
            Some(quoted) => quoted.split_once('"')?,
            None => after.split_at(after.find(';').unwrap_or(after.len())),
        };
        if given.trim().eq_ignore_ascii_case(name) {
            return Some(value.trim_end().to_owned());
        }
        rest = after;
    }
    None
}

fn malformed() -> S3Error {
    refused(
        S3ErrorCode::MalformedPOSTRequest,
        "The body of your POST request is not well-formed multipart/form-data.",
    )
}

#[cfg(test)]
mod tests;
