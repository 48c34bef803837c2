//! The Extensions API (version 2020-01-01): programs beside the runtime that take part in the life of
//! an instance.
//!
//! External extensions are started from `/opt/extensions` before the runtime, internal ones are part
//! of it. Each registers, then asks for events. The instance has initialised, and an invocation is
//! over, when the runtime and every extension ask for the next event.
//!
//! ```text
//! Started ──register──▶ Registered ──next──▶ Ready ──event──▶ Running
//!                                              ▲                 │
//!                                              └──────next───────┘
//! any of them ──init/error, exit/error──▶ Failed
//! ```

use bytes::Bytes;
use http::request::Parts;
use http::{HeaderMap, HeaderValue, Method, Response, StatusCode};
use http_body_util::Full;
use hyper::body::Incoming;
use serde_json::json;
use uuid::Uuid;

use super::responses::{accepted, error, json as json_response};
use super::runtime_api::{Shared, header_text, read};
use super::{ChannelEvent, Delivery};
use crate::failure::Failure;

/// An instance has so many extensions at most.
pub(crate) const MAX_EXTENSIONS: usize = 10;
const NAME: &str = "lambda-extension-name";
const IDENTIFIER: &str = "lambda-extension-identifier";
const ERROR_TYPE: &str = "Lambda-Extension-Function-Error-Type";
const FEATURES: &str = "lambda-extension-accept-feature";

/// What extensions are told about their function.
#[derive(Clone, Debug, Default)]
pub(crate) struct FunctionFacts {
    pub(crate) name: String,
    pub(crate) version: String,
    pub(crate) handler: String,
    pub(crate) account: String,
}

/// All extensions of an instance.
#[derive(Debug, Default)]
pub(super) struct Extensions {
    facts: FunctionFacts,
    all: Vec<Extension>,
}

#[derive(Debug)]
struct Extension {
    id: Uuid,
    name: String,
    external: bool,
    invoke: bool,
    shutdown: bool,
    state: ExtensionState,
    /// What its next request for an event gets.
    event: Option<Bytes>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum ExtensionState {
    Started,
    Registered,
    Ready,
    Running,
    Failed,
}

impl ExtensionState {
    /// The state's name in error messages.
    fn name(self) -> &'static str {
        match self {
            Self::Started => "Started",
            Self::Registered => "Registered",
            Self::Ready => "Ready",
            Self::Running => "Running",
            Self::Failed => "ExitError",
        }
    }
}

impl Extensions {
    /// Those of a function whose external extensions have these names.
    pub(super) fn new(facts: FunctionFacts, external: Vec<String>) -> Self {
        let all = external
            .into_iter()
            .map(|name| Extension::new(name, true))
            .collect();
        Self { facts, all }
    }

    /// Whether all of them wait for an event.
    pub(super) fn all_ready(&self) -> bool {
        self.all
            .iter()
            .all(|extension| extension.state == ExtensionState::Ready && extension.event.is_none())
    }

    /// Whether there are any, and external ones.
    pub(super) fn kinds(&self) -> (bool, bool) {
        (
            !self.all.is_empty(),
            self.all.iter().any(|extension| extension.external),
        )
    }

    /// An invocation begins.
    pub(super) fn invoke(&mut self, delivery: &Delivery<'_>) {
        if self.all.iter().any(|extension| extension.invoke) {
            let event = json!({
                "eventType": "INVOKE",
                "deadlineMs": delivery.deadline_ms,
                "requestId": delivery.request_id,
                "invokedFunctionArn": delivery.function_arn,
                "tracing": { "type": "X-Amzn-Trace-Id", "value": delivery.trace_id },
            });
            self.send(&event, |extension| extension.invoke);
        }
    }

    /// The instance ends.
    pub(super) fn shutdown(&mut self, reason: &str, deadline_ms: i64) {
        let event = json!({ "eventType": "SHUTDOWN", "deadlineMs": deadline_ms, "shutdownReason": reason });
        self.send(&event, |extension| extension.shutdown);
    }

    /// Whether an extension was told to shut down and may still be at it.
    pub(super) fn are_shutting_down(&self) -> bool {
        self.all
            .iter()
            .any(|extension| extension.shutdown && extension.state != ExtensionState::Failed)
    }

    /// The process of an external extension ended.
    pub(super) fn exited(&mut self, name: &str) {
        if let Some(extension) = self.all.iter_mut().find(|extension| extension.name == name) {
            extension.state = ExtensionState::Failed;
        }
    }

    fn send(&mut self, event: &serde_json::Value, wanted: impl Fn(&Extension) -> bool) {
        let event = Bytes::from(event.to_string());
        for extension in self.all.iter_mut().filter(|extension| wanted(extension)) {
            extension.event = Some(event.clone());
        }
    }

    fn find(&mut self, id: Uuid) -> Option<&mut Extension> {
        self.all
            .iter_mut()
            .find(|extension| extension.id == id && extension.state != ExtensionState::Started)
    }

    fn register(
        &mut self,
        name: &str,
        events: &[String],
        closed: bool,
    ) -> Result<Uuid, Box<Response<Full<Bytes>>>> {
        let known = self.all.iter().position(|extension| extension.name == name);
        let external = known
            .and_then(|at| self.all.get(at))
            .is_some_and(|extension| extension.external);
        let allowed: &[&str] = if external {
            &["INVOKE", "SHUTDOWN"]
        } else {
            &["INVOKE"]
        };
        if let Some(event) = events.iter().find(|event| !allowed.contains(&event.as_str())) {
            let message = format!("{event}: ErrorInvalidEventType");
            return Err(forbidden("Extension.InvalidEventType", &message));
        }
        let at = match known {
            Some(at) if external => at,
            _ if closed => {
                let message = "Extension registration closed already";
                return Err(forbidden("Extension.RegistrationClosed", message));
            }
            Some(_) => {
                let message = "Extension with this name already registered";
                return Err(forbidden("Extension.InvalidExtensionState", message));
            }
            None if self.all.len() >= MAX_EXTENSIONS => {
                let message = format!("Extension limit ({MAX_EXTENSIONS}) reached");
                return Err(forbidden("Extension.TooManyExtensions", &message));
            }
            None => {
                self.all.push(Extension::new(name.to_owned(), false));
                self.all.len() - 1
            }
        };
        let extension = self.all.get_mut(at).expect("invariant: found or added above");
        if extension.state != ExtensionState::Started {
            return Err(wrong_state(extension.state, "Registered", name));
        }
        extension.state = ExtensionState::Registered;
        extension.invoke = events.iter().any(|event| event == "INVOKE");
        extension.shutdown = events.iter().any(|event| event == "SHUTDOWN");
        Ok(extension.id)
    }

    /// Takes its event, if there is one. The first time it becomes ready.
    fn next(&mut self, id: Uuid, first: bool) -> Result<Option<Bytes>, Box<Response<Full<Bytes>>>> {
        let Some(extension) = self.find(id) else {
            let message = format!("Unknown extension {id}");
            return Err(forbidden("Extension.UnknownExtensionIdentifier", &message));
        };
        match extension.state {
            ExtensionState::Started | ExtensionState::Failed => {
                return Err(wrong_state(extension.state, "Ready", &id.to_string()));
            }
            ExtensionState::Registered | ExtensionState::Ready | ExtensionState::Running if first => {
                extension.state = ExtensionState::Ready;
            }
            ExtensionState::Registered | ExtensionState::Ready | ExtensionState::Running => {}
        }
        let event = extension.event.take();
        if event.is_some() {
            extension.state = ExtensionState::Running;
        }
        Ok(event)
    }
}

impl Extension {
    fn new(name: String, external: bool) -> Self {
        Self {
            id: Uuid::new_v4(),
            name,
            external,
            invoke: false,
            shutdown: false,
            state: ExtensionState::Started,
            event: None,
        }
    }
}

/// The routes of the API, below its version.
pub(super) async fn route(
    shared: &Shared,
    path: &str,
    parts: &Parts,
    body: &mut Incoming,
) -> Option<Response<Full<Bytes>>> {
    let response = match (&parts.method, path) {
        (&Method::POST, "/extension/register") => register(shared, &parts.headers, body).await,
        (&Method::GET, "/extension/event/next") => match identifier(&parts.headers) {
            Ok(id) => next(shared, id).await,
            Err(refused) => *refused,
        },
        (&Method::POST, "/extension/init/error") => {
            fail(shared, &parts.headers, "Extension.InitError", "InitError").await
        }
        (&Method::POST, "/extension/exit/error") => {
            fail(shared, &parts.headers, "Extension.ExitError", "ExitError").await
        }
        _ => return None,
    };
    Some(response)
}

/// `POST /extension/register`
async fn register(shared: &Shared, headers: &HeaderMap, body: &mut Incoming) -> Response<Full<Bytes>> {
    #[derive(serde::Deserialize)]
    struct Register {
        #[serde(default)]
        events: Vec<String>,
    }
    let Some(name) = header_text(headers, NAME).filter(|name| !name.is_empty()) else {
        return *forbidden("Extension.InvalidExtensionName", "Empty extension name");
    };
    let (body, _trailers) = read(body).await.unwrap_or_default();
    let request: Register = match serde_json::from_slice(&body) {
        Ok(request) => request,
        Err(error) => return *forbidden("InvalidRequestFormat", &error.to_string()),
    };
    let with_account = header_text(headers, FEATURES)
        .is_some_and(|features| features.split(',').any(|feature| feature.trim() == "accountId"));
    let mut state = shared.state();
    let closed = state.has_initialised();
    let id = match state.extensions.register(&name, &request.events, closed) {
        Ok(id) => id,
        Err(refused) => return *refused,
    };
    let facts = &state.extensions.facts;
    let mut answer = json!({
        "functionName": facts.name,
        "functionVersion": facts.version,
        "handler": facts.handler,
    });
    if let (true, Some(answer)) = (with_account, answer.as_object_mut()) {
        answer.insert("accountId".into(), facts.account.as_str().into());
    }
    let mut response = json_response(StatusCode::OK, answer.to_string().into());
    if let Ok(id) = HeaderValue::from_str(&id.to_string()) {
        response.headers_mut().insert(IDENTIFIER, id);
    }
    response
}

/// `GET /extension/event/next`: says that the extension is done, and waits for an event.
async fn next(shared: &Shared, id: Uuid) -> Response<Full<Bytes>> {
    let mut first = true;
    loop {
        let delivered = shared.extension_events.notified();
        tokio::pin!(delivered);
        // registered before it looks: every waiting extension is woken by each event
        delivered.as_mut().enable();
        let taken = shared.state().extensions.next(id, first);
        match taken {
            Ok(Some(event)) => {
                let mut response = json_response(StatusCode::OK, event);
                let value = HeaderValue::from_str(&id.to_string());
                if let Ok(value) = value {
                    response.headers_mut().insert(IDENTIFIER, value);
                }
                return response;
            }
            Ok(None) => {}
            Err(refused) => return *refused,
        }
        if std::mem::take(&mut first) {
            shared.announce_if_settled().await;
        }
        delivered.await;
    }
}

/// `POST /extension/init/error`, `POST /extension/exit/error`: the instance ends.
async fn fail(
    shared: &Shared,
    headers: &HeaderMap,
    error_type: &'static str,
    to: &str,
) -> Response<Full<Bytes>> {
    let id = match identifier(headers) {
        Ok(id) => id,
        Err(refused) => return *refused,
    };
    let Some(reason) = header_text(headers, ERROR_TYPE).filter(|reason| !reason.is_empty()) else {
        let message = format!("{ERROR_TYPE} not found");
        return *forbidden("Extension.MissingHeader", &message);
    };
    let message = {
        let mut state = shared.state();
        let Some(extension) = state.extensions.find(id) else {
            let message = "Unknown Lambda-Extension-Identifier";
            return *forbidden("Extension.UnknownExtensionIdentifier", message);
        };
        let too_late = error_type == "Extension.InitError" && extension.state != ExtensionState::Registered;
        if extension.state == ExtensionState::Failed || too_late {
            return *wrong_state(extension.state, to, &id.to_string());
        }
        extension.state = ExtensionState::Failed;
        format!("extension `{}` reported {reason}", extension.name)
    };
    let failure = Failure::Extension { error_type, message };
    shared.tell(ChannelEvent::Fault(failure)).await;
    accepted()
}

fn identifier(headers: &HeaderMap) -> Result<Uuid, Box<Response<Full<Bytes>>>> {
    let Some(text) = header_text(headers, IDENTIFIER).filter(|text| !text.is_empty()) else {
        let message = "Missing Lambda-Extension-Identifier header";
        return Err(forbidden("Extension.MissingExtensionIdentifier", message));
    };
    Uuid::parse_str(&text).map_err(|_not_a_uuid| {
        let message = "Invalid Lambda-Extension-Identifier";
        forbidden("Extension.InvalidExtensionIdentifier", message)
    })
}

fn wrong_state(from: ExtensionState, to: &str, which: &str) -> Box<Response<Full<Bytes>>> {
    let from = from.name();
    let message = format!(
        "State transition from {from} to {to} failed for extension {which}. Error: State transition is not allowed"
    );
    forbidden("Extension.InvalidExtensionState", &message)
}

fn forbidden(error_type: &str, message: &str) -> Box<Response<Full<Bytes>>> {
    Box::new(error(StatusCode::FORBIDDEN, error_type, message))
}
