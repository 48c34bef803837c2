//! HTTP to a running node: its management API below `/_tradewind/`, and Lambda's own for `invoke`.

use bytes::Bytes;
use http::{Method, Request, Response, StatusCode};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::arguments::Endpoint;
use super::failure::Failure;
use super::stack_events::{Origin, template_problems};

const CONNECT_TIMEOUT: std::time::Duration = std::time::Duration::from_secs(5);
/// The longest line of a stream and the longest document we take: log messages are 256 KiB at
/// most, a list of functions is far below.
const MAX_BYTES: usize = 32 * 1024 * 1024;

/// All but the unreserved characters of RFC 3986, section 2.3.
const RESERVED: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');

/// Percent-encodes what stands in a path segment or a query value.
pub(crate) fn encode(text: &str) -> String {
    utf8_percent_encode(text, RESERVED).to_string()
}

/// A connection to a node; made when it is first used.
#[derive(Debug)]
pub(crate) struct NodeClient {
    endpoint: Endpoint,
    http: Client<HttpConnector, Full<Bytes>>,
}

/// What a node says about itself.
#[derive(Debug, Deserialize)]
pub(crate) struct Health {
    /// The account of its stacks.
    pub(crate) account: String,
    /// The region of its stacks.
    pub(crate) region: String,
}

#[derive(Deserialize)]
struct Message {
    message: String,
}

impl NodeClient {
    pub(crate) fn new(endpoint: &Endpoint) -> Self {
        let mut connector = HttpConnector::new();
        connector.set_connect_timeout(Some(CONNECT_TIMEOUT));
        connector.set_nodelay(true);
        let http = Client::builder(TokioExecutor::new()).build(connector);
        Self {
            endpoint: endpoint.clone(),
            http,
        }
    }

    /// What the node at the other end is.
    pub(crate) async fn health(&self) -> Result<Health, Failure> {
        self.json("/_tradewind/health").await
    }

    /// `GET path` as JSON.
    pub(crate) async fn json<T: DeserializeOwned>(&self, path: &str) -> Result<T, Failure> {
        let response = self.call(self.request(Method::GET, path), Bytes::new()).await?;
        self.read_json(response).await
    }

    /// `PUT path` with a body, answered by JSON.
    pub(crate) async fn put<T: DeserializeOwned>(&self, path: &str, body: Bytes) -> Result<T, Failure> {
        let response = self.call(self.request(Method::PUT, path), body).await?;
        self.read_json(response).await
    }

    /// A call that is answered by one JSON document a line.
    pub(crate) async fn stream(&self, method: Method, path: &str, body: Bytes) -> Result<Lines, Failure> {
        let response = self.call(self.request(method, path), body).await?;
        Ok(self.lines(response))
    }

    /// Applies a template; what the node refuses of it is told at its places in the project.
    pub(crate) async fn apply(&self, path: &str, body: Bytes, origin: Origin<'_>) -> Result<Lines, Failure> {
        let response = self.send(self.request(Method::POST, path), body).await?;
        if response.status().is_success() {
            Ok(self.lines(response))
        } else {
            Err(self.refused(response, Some(origin)).await)
        }
    }

    fn lines(&self, response: Response<Incoming>) -> Lines {
        Lines {
            body: response.into_body(),
            buffer: Vec::new(),
            ended: false,
            from: self.endpoint.to_string(),
        }
    }

    /// The beginning of a request to `path`.
    pub(crate) fn request(&self, method: Method, path: &str) -> http::request::Builder {
        Request::builder()
            .method(method)
            .uri(format!("{}{path}", self.endpoint))
    }

    /// Sends a request; any answer is fine.
    pub(crate) async fn send(
        &self,
        request: http::request::Builder,
        body: Bytes,
    ) -> Result<Response<Incoming>, Failure> {
        let request = request
            .header(
                http::header::USER_AGENT,
                concat!("tradewind/", env!("CARGO_PKG_VERSION")),
            )
            .body(Full::new(body))
            .map_err(|error| Failure::new("this cannot be sent to a node").because(&error))?;
        self.http
            .request(request)
            .await
            .map_err(|error| self.unreachable(&error))
    }

    async fn call(
        &self,
        request: http::request::Builder,
        body: Bytes,
    ) -> Result<Response<Incoming>, Failure> {
        let response = self.send(request, body).await?;
        if response.status().is_success() {
            Ok(response)
        } else {
            Err(self.refused(response, None).await)
        }
    }

    async fn read_json<T: DeserializeOwned>(&self, response: Response<Incoming>) -> Result<T, Failure> {
        let body = self.read(response).await?;
        serde_json::from_slice(&body).map_err(|error| self.not_a_node().because(&error))
    }

    /// The whole body of an answer.
    pub(crate) async fn read(&self, response: Response<Incoming>) -> Result<Bytes, Failure> {
        let body = http_body_util::Limited::new(response.into_body(), MAX_BYTES);
        match body.collect().await {
            Ok(body) => Ok(body.to_bytes()),
            Err(error) => Err(
                Failure::new(format!("the answer of {} was cut off", self.endpoint)).because(error.as_ref()),
            ),
        }
    }

    fn unreachable(&self, error: &hyper_util::client::legacy::Error) -> Failure {
        if error.is_connect() {
            return Failure::new(format!("no node answers at {}", self.endpoint))
                .because(root_cause(error))
                .hint("start one with `tradewind serve`, or name another with `--endpoint URL`");
        }
        Failure::new(format!("the connection to {} broke", self.endpoint)).because(error)
    }

    /// What the node says it cannot do, in its own words.
    async fn refused(&self, response: Response<Incoming>, origin: Option<Origin<'_>>) -> Failure {
        let status = response.status();
        let body = match self.read(response).await {
            Ok(body) => body,
            Err(failure) => return failure,
        };
        if let Some(failure) = template_problems(&body, origin) {
            return failure;
        }
        match serde_json::from_slice::<Message>(&body) {
            Ok(Message { message }) => Failure::new(message),
            Err(_) if status == StatusCode::NOT_FOUND => self.not_a_node(),
            Err(_) => Failure::new(format!("{} answered {status}", self.endpoint)),
        }
    }

    fn not_a_node(&self) -> Failure {
        Failure::new(format!(
            "what answers at {} is not a tradewind node",
            self.endpoint
        ))
        .hint("name the node with `--endpoint URL`")
    }
}

fn root_cause<'e>(error: &'e (dyn std::error::Error + 'static)) -> &'e (dyn std::error::Error + 'static) {
    let mut cause = error;
    while let Some(source) = cause.source() {
        cause = source;
    }
    cause
}

/// An answer that comes line by line.
#[derive(Debug)]
pub(crate) struct Lines {
    body: Incoming,
    buffer: Vec<u8>,
    ended: bool,
    from: String,
}

impl Lines {
    /// The next line, without its newline; `None` at the end.
    ///
    /// # Cancel safety
    /// Cancel-safe: what was received stays in the buffer.
    pub(crate) async fn next(&mut self) -> Result<Option<Vec<u8>>, Failure> {
        loop {
            if let Some(line) = take_line(&mut self.buffer, self.ended) {
                return Ok(Some(line));
            }
            if self.ended {
                return Ok(None);
            }
            if self.buffer.len() > MAX_BYTES {
                return Err(Failure::new(format!(
                    "{} sent a line that does not end",
                    self.from
                )));
            }
            match self.body.frame().await {
                Some(Ok(frame)) => self
                    .buffer
                    .extend_from_slice(&frame.into_data().unwrap_or_default()),
                Some(Err(error)) => {
                    return Err(
                        Failure::new(format!("the connection to {} broke", self.from)).because(&error)
                    );
                }
                None => self.ended = true,
            }
        }
    }
}

/// Takes the first line out of `buffer`; at the end of the stream also one without a newline.
fn take_line(buffer: &mut Vec<u8>, ended: bool) -> Option<Vec<u8>> {
    let newline = buffer.iter().position(|byte| *byte == b'\n');
    let length = newline.or((ended && !buffer.is_empty()).then_some(buffer.len()))?;
    let rest = buffer.split_off((length + 1).min(buffer.len()));
    let mut line = std::mem::replace(buffer, rest);
    line.truncate(length);
    Some(line)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_cut_where_they_end() {
        let mut buffer = b"one\ntwo\nthr".to_vec();
        assert_eq!(take_line(&mut buffer, false).unwrap(), b"one");
        assert_eq!(take_line(&mut buffer, false).unwrap(), b"two");
        assert_eq!(take_line(&mut buffer, false), None);
        assert_eq!(take_line(&mut buffer, true).unwrap(), b"thr");
        assert_eq!(take_line(&mut buffer, true), None);
    }

    #[test]
    fn names_are_safe_in_a_path() {
        assert_eq!(encode("shop-dev/b?c d"), "shop-dev%2Fb%3Fc%20d");
    }

    #[tokio::test]
    async fn nobody_there_is_told_with_what_to_do() {
        let free = std::net::TcpListener::bind("127.0.0.1:0")
            .unwrap()
            .local_addr()
            .unwrap();
        let client = NodeClient::new(&format!("http://{free}").parse().unwrap());
        let text = client.health().await.unwrap_err().render();
        assert!(
            text.contains("no node answers") && text.contains("tradewind serve"),
            "{text}"
        );
    }
}
