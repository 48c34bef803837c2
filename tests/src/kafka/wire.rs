//! The few requests of Kafka's protocol that a test's set-up needs, by hand: no client to install.

use std::io::{self, Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;

const API_VERSIONS: i16 = 18;
const CREATE_TOPICS: i16 = 19;
const DELETE_TOPICS: i16 = 20;
const PATIENCE_MS: i32 = 30_000;

/// Asks which requests the broker knows: any answer means that it serves.
pub(super) fn probe(port: u16) -> io::Result<()> {
    exchange(port, API_VERSIONS, 0, &[], Duration::from_secs(2)).map(drop)
}

/// `CreateTopics` in version 2, the oldest that Kafka 4 knows.
pub(super) fn create_topic(
    port: u16,
    name: &str,
    partitions: u16,
    settings: &[(&str, &str)],
) -> io::Result<()> {
    let mut body = Body::default();
    body.count(1).text(name).i32(i32::from(partitions)).i16(1);
    body.count(0).count(settings.len());
    for (key, value) in settings {
        body.text(key).text(value);
    }
    body.i32(PATIENCE_MS).0.push(0);
    let answer = exchange(port, CREATE_TOPICS, 2, &body.0, Duration::from_secs(35))?;
    // throttle time, one topic: its name, the error, and words about it
    let mut answer = Answer(&answer);
    answer.skip(8)?;
    answer.text()?;
    let code = answer.i16()?;
    if code == 0 {
        return Ok(());
    }
    let words = answer.text()?;
    Err(io::Error::other(format!("topic `{name}`: error {code}: {words}")))
}

/// `DeleteTopics` in version 1.
pub(super) fn delete_topic(port: u16, name: &str) -> io::Result<()> {
    let mut body = Body::default();
    body.count(1).text(name).i32(PATIENCE_MS);
    let answer = exchange(port, DELETE_TOPICS, 1, &body.0, Duration::from_secs(35))?;
    let mut answer = Answer(&answer);
    answer.skip(8)?;
    answer.text()?;
    match answer.i16()? {
        0 => Ok(()),
        code => Err(io::Error::other(format!("topic `{name}`: error {code}"))),
    }
}

/// One request on a connection of its own; the answer without its header.
fn exchange(port: u16, key: i16, version: i16, body: &[u8], patience: Duration) -> io::Result<Vec<u8>> {
    let mut request = Body::default();
    request.i16(key).i16(version).i32(7).text("tradewind-tests");
    request.0.extend_from_slice(body);
    let mut stream = TcpStream::connect(("127.0.0.1", port))?;
    stream.set_read_timeout(Some(patience))?;
    let size = i32::try_from(request.0.len()).map_err(io::Error::other)?;
    stream.write_all(&size.to_be_bytes())?;
    stream.write_all(&request.0)?;
    let mut size = [0; 4];
    stream.read_exact(&mut size)?;
    let size = usize::try_from(i32::from_be_bytes(size)).map_err(io::Error::other)?;
    let mut answer = vec![0; size];
    stream.read_exact(&mut answer)?;
    Ok(answer.split_off(answer.len().min(4)))
}

/// A request's fields, in the order of the protocol.
#[derive(Default)]
struct Body(Vec<u8>);

impl Body {
    fn i16(&mut self, value: i16) -> &mut Self {
        self.0.extend(value.to_be_bytes());
        self
    }

    fn i32(&mut self, value: i32) -> &mut Self {
        self.0.extend(value.to_be_bytes());
        self
    }

    fn count(&mut self, of: usize) -> &mut Self {
        self.i32(i32::try_from(of).expect("a test's lists are short"))
    }

    fn text(&mut self, text: &str) -> &mut Self {
        self.i16(i16::try_from(text.len()).expect("a test's names are short"));
        self.0.extend(text.as_bytes());
        self
    }
}

/// What is left of an answer.
struct Answer<'a>(&'a [u8]);

impl Answer<'_> {
    fn skip(&mut self, bytes: usize) -> io::Result<()> {
        self.take(bytes).map(drop)
    }

    fn take(&mut self, bytes: usize) -> io::Result<&[u8]> {
        let (taken, rest) = self
            .0
            .split_at_checked(bytes)
            .ok_or(io::ErrorKind::UnexpectedEof)?;
        self.0 = rest;
        Ok(taken)
    }

    fn i16(&mut self) -> io::Result<i16> {
        let bytes = self.take(2)?.try_into().map_err(io::Error::other)?;
        Ok(i16::from_be_bytes(bytes))
    }

    /// Text, or nothing where the protocol says that there is none.
    fn text(&mut self) -> io::Result<String> {
        let length = usize::try_from(self.i16()?).unwrap_or(0);
        Ok(String::from_utf8_lossy(self.take(length)?).into_owned())
    }
}
