//! The Lambda Runtime API (version 2018-06-01): the channel of executables with a runtime of their own.
//!
//! One listener on an ephemeral loopback port for each instance. The instance's driver polls the
//! listener and owns the connections' tasks; requests change one small state behind a lock.
//!
//! ```text
//! Started ──next──▶ Ready ──event──▶ Running ──response, error──▶ Answering ──▶ ResponseSent
//!    │            ▲                                                             │
//!    │            └──────────────────────────── next ───────────────────────────┘
//!    └─init/error─▶ InitError
//! ```

use std::convert::Infallible;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};

use bytes::{Bytes, BytesMut};
use http::request::Parts;
use http::{HeaderMap, Method, Request, Response, StatusCode, header};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Notify, mpsc};
use tokio::task::JoinSet;
use tradewind_model::limits::{STREAMED_PAYLOAD_BYTES, SYNC_PAYLOAD_BYTES};

use super::extensions::{self, Extensions, FunctionFacts};
use super::responses::{
    accepted, error, next_response, not_found, telemetry_refused, too_large, truncated, with_status,
    wrong_state,
};
use super::{ChannelEvent, Delivery};
use crate::failure::Failure;

/// Connections one instance may have open; official clients use one or two.
const MAX_CONNECTIONS: usize = 32;
/// Events that may wait for the driver; the states allow no more than two.
const EVENTS: usize = 4;
/// How much of a body that nobody wants is read before its connection is closed.
const MAX_DISCARDED_BYTES: usize = 64 * 1024 * 1024;
const PREFIX: &str = "/2018-06-01";
const EXTENSIONS_PREFIX: &str = "/2020-01-01";
const ERROR_TYPE: &str = "lambda-runtime-function-error-type";
const RESPONSE_MODE: &str = "lambda-runtime-function-response-mode";
const ERROR_BODY: &str = "lambda-runtime-function-error-body";

/// The host's side of one instance's Runtime API.
#[derive(Debug)]
pub(crate) struct RuntimeApi {
    listener: TcpListener,
    address: SocketAddr,
    connections: JoinSet<()>,
    shared: Arc<Shared>,
    events: mpsc::Receiver<ChannelEvent>,
}

/// How it stands with extensions.
#[derive(Clone, Copy, Debug)]
pub(super) struct ExtensionsNow {
    pub(super) any: bool,
    pub(super) external: bool,
    pub(super) shutting_down: bool,
}

#[derive(Debug)]
pub(super) struct Shared {
    state: Mutex<State>,
    /// An event was put into the state for a waiting `/next`.
    delivered: Notify,
    /// Extensions have events waiting.
    pub(super) extension_events: Notify,
    events: mpsc::Sender<ChannelEvent>,
}

#[derive(Debug, Default)]
pub(super) struct State {
    phase: Phase,
    /// The driver knows that the instance is ready.
    announced: bool,
    /// The runtime speaks frames: only its extensions are here.
    runtime_elsewhere: bool,
    pub(super) extensions: Extensions,
    /// The response to the next `/next`, and the id it is about.
    waiting: Option<(Box<str>, Response<Full<Bytes>>)>,
    /// Whether the caller of the event that runs takes its answer as it comes.
    streamed: bool,
}

#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(super) enum Phase {
    #[default]
    Started,
    InitError,
    Ready,
    Running(Box<str>),
    Answering(Box<str>),
    ResponseSent(Box<str>),
}

impl Phase {
    /// The state's name in error messages.
    pub(super) fn name(&self) -> &'static str {
        match self {
            Self::Started => "Started",
            Self::InitError => "InitError",
            Self::Ready => "Ready",
            Self::Running(_) => "Running",
            Self::Answering(_) => "InvocationResponse",
            Self::ResponseSent(_) => "ResponseSent",
        }
    }
}

impl State {
    /// Whether the runtime has asked for its first event.
    pub(super) fn has_initialised(&self) -> bool {
        self.phase != Phase::Started
    }

    /// True once when the runtime and all extensions wait for an event.
    fn settles(&mut self) -> bool {
        let settled = self.phase == Phase::Ready && self.extensions.all_ready();
        settled && !std::mem::replace(&mut self.announced, true)
    }
}

impl RuntimeApi {
    /// Listens on a free loopback port.
    pub(crate) async fn bind() -> io::Result<Self> {
        Self::listen(TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?)
    }

    /// Listens there.
    pub(crate) fn listen(listener: TcpListener) -> io::Result<Self> {
        let address = listener.local_addr()?;
        let (sender, events) = mpsc::channel(EVENTS);
        let shared = Shared {
            state: Mutex::default(),
            delivered: Notify::new(),
            extension_events: Notify::new(),
            events: sender,
        };
        Ok(Self {
            listener,
            address,
            connections: JoinSet::new(),
            shared: Arc::new(shared),
            events,
        })
    }

    /// `AWS_LAMBDA_RUNTIME_API`: host and port.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// The function has these external extensions, and perhaps internal ones.
    pub(crate) fn expect_extensions(&mut self, facts: FunctionFacts, external: Vec<String>) {
        self.shared.state().extensions = Extensions::new(facts, external);
    }

    /// Serves extensions only: the runtime speaks frames.
    pub(super) fn for_extensions_only(self) -> Self {
        self.shared.state().runtime_elsewhere = true;
        self
    }

    /// The runtime that speaks frames waits for an event. True when all extensions do, too.
    pub(super) fn runtime_ready(&mut self) -> bool {
        let mut state = self.shared.state();
        state.phase = Phase::Ready;
        state.settles()
    }

    /// An event goes to a runtime that speaks frames.
    pub(super) fn runtime_runs(&mut self, delivery: &Delivery<'_>) {
        let mut state = self.shared.state();
        state.phase = Phase::Running(delivery.request_id.into());
        state.announced = false;
        state.extensions.invoke(delivery);
        drop(state);
        self.shared.extension_events.notify_waiters();
    }

    /// See [`super::Channel::extension_exited`].
    pub(super) fn extension_exited(&mut self, name: &str) {
        self.shared.state().extensions.exited(name);
    }

    /// See [`super::Channel::shut_down`].
    pub(super) fn shut_down(&mut self, reason: &str, deadline_ms: i64) {
        self.shared.state().extensions.shutdown(reason, deadline_ms);
        self.shared.extension_events.notify_waiters();
    }

    /// Whether there are extensions, external ones, and such as still shut down.
    pub(super) fn extensions(&self) -> ExtensionsNow {
        let state = self.shared.state();
        let (any, external) = state.extensions.kinds();
        ExtensionsNow {
            any,
            external,
            shutting_down: state.extensions.are_shutting_down(),
        }
    }

    /// See [`super::Channel::deliver`].
    pub(super) fn deliver(&mut self, delivery: &Delivery<'_>) {
        let next = next_response(delivery);
        {
            let mut state = self.shared.state();
            state.waiting = Some((delivery.request_id.into(), next));
            state.streamed = delivery.streamed;
            state.extensions.invoke(delivery);
        }
        self.shared.extension_events.notify_waiters();
        self.shared.delivered.notify_one();
    }

    /// See [`super::Channel::poll_event`].
    pub(super) fn poll_event(&mut self, cx: &mut Context<'_>) -> Poll<ChannelEvent> {
        self.poll_connections(cx);
        match self.events.poll_recv(cx) {
            Poll::Ready(Some(event)) => Poll::Ready(event),
            // `shared` holds a sender: the channel cannot be closed
            Poll::Ready(None) | Poll::Pending => Poll::Pending,
        }
    }

    /// See [`super::Channel::poll_background`].
    pub(super) fn poll_connections(&mut self, cx: &mut Context<'_>) {
        self.poll_accept(cx);
        while let Poll::Ready(Some(ended)) = self.connections.poll_join_next(cx) {
            if let Err(error) = ended
                && error.is_panic()
            {
                tracing::error!(%error, "a runtime api connection panicked");
            }
            self.poll_accept(cx);
        }
    }

    fn poll_accept(&mut self, cx: &mut Context<'_>) {
        while self.connections.len() < MAX_CONNECTIONS {
            match self.listener.poll_accept(cx) {
                Poll::Ready(Ok((stream, _peer))) => {
                    let shared = Arc::clone(&self.shared);
                    self.connections.spawn(serve(stream, shared));
                }
                // what cannot be accepted (no descriptors left) is the client's to try again
                Poll::Ready(Err(error)) => {
                    tracing::debug!(%error, "cannot accept a runtime api connection");
                    return;
                }
                Poll::Pending => return,
            }
        }
    }
}

impl Shared {
    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn answer_sent(&self) {
        let mut state = self.state();
        if let Phase::Answering(id) = std::mem::take(&mut state.phase) {
            state.phase = Phase::ResponseSent(id);
        }
    }

    /// Tells the driver once that the runtime and all extensions wait for an event.
    pub(super) async fn announce_if_settled(&self) {
        let settled = self.state().settles();
        if settled {
            self.tell(ChannelEvent::Ready).await;
        }
    }

    pub(super) async fn tell(&self, event: ChannelEvent) {
        // a driver that is gone has no use for it
        drop(self.events.send(event).await);
    }
}

async fn serve(stream: TcpStream, shared: Arc<Shared>) {
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%error, "cannot set TCP_NODELAY");
    }
    let service = service_fn(move |request| {
        let shared = Arc::clone(&shared);
        async move { Ok::<_, Infallible>(answer(&shared, request).await) }
    });
    let connection = http1::Builder::new()
        .header_read_timeout(None)
        .title_case_headers(true)
        .serve_connection(TokioIo::new(stream), service);
    if let Err(error) = connection.await {
        tracing::debug!(%error, "a runtime api connection ended");
    }
}

/// Answers a request, and reads what is left of its body: a client that is still writing would not
/// see the answer, and could not use its connection again.
async fn answer(shared: &Shared, request: Request<Incoming>) -> Response<Full<Bytes>> {
    let (parts, mut body) = request.into_parts();
    let response = route(shared, &parts, &mut body).await;
    let mut discarded = 0;
    while discarded < MAX_DISCARDED_BYTES
        && let Some(Ok(frame)) = body.frame().await
    {
        discarded += frame.data_ref().map_or(0, Bytes::len);
    }
    response
}

/// The routes of the API.
async fn route(shared: &Shared, parts: &Parts, body: &mut Incoming) -> Response<Full<Bytes>> {
    if let Some(path) = parts.uri.path().strip_prefix(EXTENSIONS_PREFIX) {
        let response = extensions::route(shared, path, parts, body).await;
        return response.unwrap_or_else(not_found);
    }
    if let Some(response) = telemetry_refused(parts) {
        return response;
    }
    let Some(path) = parts.uri.path().strip_prefix(PREFIX) else {
        return not_found();
    };
    if shared.state().runtime_elsewhere {
        return not_found();
    }
    let segments: Vec<&str> = path.split('/').skip(1).collect();
    match (&parts.method, segments.as_slice()) {
        (&Method::GET, ["runtime", "invocation", "next"]) => next(shared).await,
        (&Method::POST, ["runtime", "invocation", id, "response"]) => {
            respond(shared, id, &parts.headers, body).await
        }
        (&Method::POST, ["runtime", "invocation", id, "error"]) => {
            report_error(shared, id, error_type(&parts.headers), body).await
        }
        (&Method::POST, ["runtime", "init", "error"]) => {
            init_error(shared, error_type(&parts.headers), body).await
        }
        (&Method::GET, ["ping"]) => Response::new(Full::new(Bytes::from_static(b"pong"))),
        (&Method::GET, ["runtime", "restore", "next"]) => wrong_state(&shared.state().phase, "Ready"),
        (&Method::POST, ["runtime", "restore", "error"]) => {
            wrong_state(&shared.state().phase, "RestoreError")
        }
        (_, ["runtime", "invocation", "next"] | ["runtime", "init", "error"] | ["ping"])
        | (_, ["runtime", "invocation", _, "response" | "error"]) => {
            with_status(StatusCode::METHOD_NOT_ALLOWED, Bytes::new())
        }
        _ => not_found(),
    }
}

/// `GET /runtime/invocation/next`: says that the runtime is ready, and waits for an event.
async fn next(shared: &Shared) -> Response<Full<Bytes>> {
    {
        let mut state = shared.state();
        match state.phase {
            // a client that lost its connection while it waited comes again
            Phase::Started | Phase::ResponseSent(_) | Phase::Ready => state.phase = Phase::Ready,
            Phase::InitError | Phase::Running(_) | Phase::Answering(_) => {
                return wrong_state(&state.phase, "Ready");
            }
        }
    }
    shared.announce_if_settled().await;
    loop {
        let delivered = shared.delivered.notified();
        {
            let mut state = shared.state();
            if let Some((id, response)) = state.waiting.take() {
                state.phase = Phase::Running(id);
                state.announced = false;
                return response;
            }
        }
        delivered.await;
    }
}

/// `POST /runtime/invocation/{id}/response`
async fn respond(
    shared: &Shared,
    id: &str,
    headers: &HeaderMap,
    body: &mut Incoming,
) -> Response<Full<Bytes>> {
    let streamed = match begin_answer(shared, id, "InvocationResponse") {
        Ok(to_a_streaming_caller) => to_a_streaming_caller && is_streaming(headers),
        Err(refused) => return *refused,
    };
    if streamed {
        return respond_streamed(shared, headers, body).await;
    }
    let (answer, response) = match read(body).await {
        Ok((body, trailers)) => (streamed_error(&trailers).map_or(Ok(body), Err), accepted()),
        Err(failure) => failure.answer(),
    };
    end_answer(shared, answer).await;
    response
}

/// A response that is passed on as it comes. The runtime hears that it was taken at its end.
async fn respond_streamed(
    shared: &Shared,
    headers: &HeaderMap,
    body: &mut Incoming,
) -> Response<Full<Bytes>> {
    let begin = ChannelEvent::StreamBegin {
        content_type: header_text(headers, header::CONTENT_TYPE.as_str()),
        first: Bytes::new(),
    };
    shared.tell(begin).await;
    let (end, response) = match forward(shared, body).await {
        Ok(trailers) => (streamed_error(&trailers).map_or(Ok(()), Err), accepted()),
        Err(failure) => {
            let (end, response) = failure.answer();
            (end.map(drop), response)
        }
    };
    shared.answer_sent();
    shared.tell(ChannelEvent::StreamEnd(end)).await;
    response
}

/// Passes the body on, at the pace of whoever takes it. Gives what trails it.
async fn forward(shared: &Shared, body: &mut Incoming) -> Result<HeaderMap, ReadFailure> {
    let (mut bytes, mut trailers) = (0usize, HeaderMap::new());
    while let Some(frame) = body.frame().await {
        match frame.map_err(|_broken_off| ReadFailure::Truncated)?.into_data() {
            Ok(data) => {
                bytes = bytes.saturating_add(data.len());
                if bytes > STREAMED_PAYLOAD_BYTES {
                    return Err(ReadFailure::TooLarge);
                }
                shared.tell(ChannelEvent::StreamChunk(data)).await;
            }
            Err(frame) => trailers.extend(frame.into_trailers().unwrap_or_default()),
        }
    }
    Ok(trailers)
}

fn is_streaming(headers: &HeaderMap) -> bool {
    headers
        .get(RESPONSE_MODE)
        .is_some_and(|mode| mode.as_bytes().eq_ignore_ascii_case(b"streaming"))
}

/// `POST /runtime/invocation/{id}/error`
async fn report_error(
    shared: &Shared,
    id: &str,
    error_type: Option<String>,
    body: &mut Incoming,
) -> Response<Full<Bytes>> {
    if let Err(refused) = begin_answer(shared, id, "InvocationErrorResponse") {
        return *refused;
    }
    let (answer, response) = match read(body).await {
        Ok((body, _trailers)) => (
            Err(Failure::Reported(or_error_of(body, error_type.as_deref()))),
            accepted(),
        ),
        Err(failure) => failure.answer(),
    };
    end_answer(shared, answer).await;
    response
}

/// `POST /runtime/init/error`
async fn init_error(
    shared: &Shared,
    error_type: Option<String>,
    body: &mut Incoming,
) -> Response<Full<Bytes>> {
    {
        let mut state = shared.state();
        if state.phase != Phase::Started {
            return wrong_state(&state.phase, "InitError");
        }
        state.phase = Phase::InitError;
    }
    let body = read(body).await.map(|(body, _trailers)| body).unwrap_or_default();
    shared
        .tell(ChannelEvent::InitError(or_error_of(body, error_type.as_deref())))
        .await;
    accepted()
}

/// Takes the right to answer: once, and only for the event that runs. Says whether its caller takes the
/// answer as it comes.
fn begin_answer(shared: &Shared, id: &str, to: &str) -> Result<bool, Box<Response<Full<Bytes>>>> {
    let mut state = shared.state();
    match &state.phase {
        Phase::Running(current) if **current == *id => {
            state.phase = Phase::Answering(current.clone());
            Ok(state.streamed)
        }
        Phase::Answering(current) | Phase::ResponseSent(current) if **current == *id => {
            Err(wrong_state(&state.phase, to).into())
        }
        _ => Err(error(StatusCode::BAD_REQUEST, "InvalidRequestID", "Invalid request ID").into()),
    }
}

async fn end_answer(shared: &Shared, answer: Result<Bytes, Failure>) {
    shared.answer_sent();
    shared.tell(ChannelEvent::Answer(answer)).await;
}

pub(super) enum ReadFailure {
    TooLarge,
    Truncated,
}

impl ReadFailure {
    /// What the invocation's caller gets, and what the runtime.
    fn answer(self) -> (Result<Bytes, Failure>, Response<Full<Bytes>>) {
        match self {
            Self::TooLarge => (Err(Failure::ResponseTooLarge), too_large()),
            Self::Truncated => (Err(Failure::TruncatedResponse), truncated()),
        }
    }
}

/// The body, chunked or not, and what trails it. Stops where it is too large.
pub(super) async fn read(body: &mut Incoming) -> Result<(Bytes, HeaderMap), ReadFailure> {
    let (mut content, mut trailers) = (BytesMut::new(), HeaderMap::new());
    while let Some(frame) = body.frame().await {
        match frame.map_err(|_broken_off| ReadFailure::Truncated)?.into_data() {
            Ok(data) if content.len() + data.len() > SYNC_PAYLOAD_BYTES => return Err(ReadFailure::TooLarge),
            Ok(data) => content.extend_from_slice(&data),
            Err(frame) => trailers.extend(frame.into_trailers().unwrap_or_default()),
        }
    }
    Ok((content.freeze(), trailers))
}

/// A streamed response may turn out to be an error after its body has begun.
fn streamed_error(trailers: &HeaderMap) -> Option<Failure> {
    use base64::Engine as _;
    let error_type = error_type(trailers)?;
    let body = header_text(trailers, ERROR_BODY).unwrap_or_default();
    let body = base64::engine::general_purpose::STANDARD
        .decode(body)
        .unwrap_or_default();
    Some(Failure::Reported(or_error_of(body.into(), Some(&error_type))))
}

/// An error without a body is made of the type in its header.
fn or_error_of(body: Bytes, error_type: Option<&str>) -> Bytes {
    if !body.is_empty() {
        return body;
    }
    let error_type = error_type.unwrap_or("Function.Unknown");
    serde_json::json!({ "errorType": error_type, "errorMessage": "" })
        .to_string()
        .into()
}

fn error_type(headers: &HeaderMap) -> Option<String> {
    header_text(headers, ERROR_TYPE)
}

pub(super) fn header_text(headers: &HeaderMap, name: &str) -> Option<String> {
    Some(headers.get(name)?.to_str().ok()?.to_owned())
}
