//! HTTP over one connection that stays open, for measurements that a new process a request would
//! drown. Understands what a node answers: a status and a body of known length.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use serde_json::Value;

/// How long an answer may take.
const ANSWER_LIMIT: Duration = Duration::from_secs(120);

/// The longest body that goes in one write with its head.
const COPIED: usize = 16 * 1024;

/// A connection to a server on loopback.
#[derive(Debug)]
pub(crate) struct Client {
    stream: BufReader<TcpStream>,
    host: String,
}

/// What was answered.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    /// The head, one header a line.
    pub(crate) head: String,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    pub(crate) fn json(&self) -> Result<Value> {
        serde_json::from_slice(&self.body).with_context(|| format!("no JSON: {}", self.text()))
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The value of a header; its name in any case.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().find_map(|line| {
            let (own, value) = line.split_once(':')?;
            own.eq_ignore_ascii_case(name).then(|| value.trim())
        })
    }

    /// An error unless the status is a success.
    pub(crate) fn success(self, what: &str) -> Result<Self> {
        if !(200..300).contains(&self.status) {
            bail!("{what}: {} {}", self.status, self.text());
        }
        Ok(self)
    }
}

impl Client {
    pub(crate) fn connect(port: u16) -> Result<Self> {
        let stream = TcpStream::connect(("127.0.0.1", port))?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(ANSWER_LIMIT))?;
        Ok(Self {
            stream: BufReader::new(stream),
            host: format!("127.0.0.1:{port}"),
        })
    }

    /// Sends a request and reads its answer.
    pub(crate) fn send(&mut self, method: &str, path: &str, body: &[u8]) -> Result<Answer> {
        self.send_with(method, path, "", body)
    }

    /// Sends a request with further headers, each a line with its end, and reads its answer.
    pub(crate) fn send_with(
        &mut self,
        method: &str,
        path: &str,
        headers: &str,
        body: &[u8],
    ) -> Result<Answer> {
        self.write_with(method, path, headers, body)?;
        self.read()
    }

    /// Sends a request, and leaves its answer to [`Self::read`] or to nobody.
    pub(crate) fn write(&mut self, method: &str, path: &str, body: &[u8]) -> Result<()> {
        self.write_with(method, path, "", body)
    }

    /// As [`Self::write`], with further headers, each ended by CRLF.
    pub(crate) fn write_with(&mut self, method: &str, path: &str, headers: &str, body: &[u8]) -> Result<()> {
        let mut request = format!(
            "{method} {path} HTTP/1.1\r\nhost: {}\r\n{headers}content-length: {}\r\n\r\n",
            self.host,
            body.len()
        )
        .into_bytes();
        let stream = self.stream.get_mut();
        if body.len() <= COPIED {
            request.extend_from_slice(body);
            return Ok(stream.write_all(&request)?);
        }
        stream.write_all(&request)?;
        Ok(stream.write_all(body)?)
    }

    /// Reads the next answer.
    pub(crate) fn read(&mut self) -> Result<Answer> {
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            if self.stream.read_line(&mut head)? == 0 {
                bail!("the connection was closed before an answer");
            }
        }
        let status = head.split(' ').nth(1).and_then(|status| status.parse().ok());
        let mut answer = Answer {
            status: status.context("an answer without a status")?,
            head,
            body: Vec::new(),
        };
        let length = answer.header("content-length").map_or(Ok(0), str::parse)?;
        answer.body.reserve_exact(length);
        let stream = self.stream.by_ref();
        let read = stream.take(length as u64).read_to_end(&mut answer.body)?;
        if read < length {
            bail!("the connection was closed after {read} bytes of {length}");
        }
        Ok(answer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_read_one_after_the_other() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let server = std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let answers =
                "HTTP/1.1 200 OK\r\nContent-Length: 7\r\n\r\n{\"a\":1}HTTP/1.1 204 No Content\r\n\r\n";
            stream.write_all(answers.as_bytes()).unwrap();
            stream
        });
        let mut client = Client::connect(port).unwrap();
        let first = client.send("POST", "/a", b"{}").unwrap();
        assert_eq!(
            (first.status, first.json().unwrap()["a"].as_i64()),
            (200, Some(1))
        );
        let second = client.read().unwrap();
        assert_eq!((second.status, second.body.len()), (204, 0));
        let refused = Answer {
            status: 429,
            ..second
        };
        assert!(refused.success("invoke").unwrap_err().to_string().contains("429"));
        drop(server.join().unwrap());
    }
}
