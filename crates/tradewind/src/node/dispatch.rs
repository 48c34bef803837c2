//! Where a request goes: the one port's URL space, in this order (ARCHITECTURE.md, "One port").
//!
//! 1. an API's host or `/_api/{api}/…` → gateway
//! 2. `/_tradewind/…` → health and management
//! 3. the service that the request is signed for or whose path it is → that service
//! 4. anything else → S3; an unsigned request for no bucket is told what is deployed here

use std::net::SocketAddr;
use std::sync::Arc;

use http::request::Parts;
use http::{HeaderValue, Request, Response, StatusCode};
use hyper::body::Incoming;
use tokio_util::sync::CancellationToken;
use tradewind_events::Trace;
use tradewind_model::RequestId;
use tradewind_wire::{Body, Caller, CallerDefaults, Service, WireError, caller, error_response, service_of};

use super::State;
use super::manage;

/// Answers one request.
pub(crate) async fn dispatch(
    state: &Arc<State>,
    request: Request<Incoming>,
    peer: SocketAddr,
) -> Response<Body> {
    let (parts, body) = request.into_parts();
    if let Some(target) = state.gateway.claims(&parts) {
        let request = Request::from_parts(parts, body);
        return state.gateway.handle(target, request, peer).await;
    }
    if let Some(refusal) = refuse_foreign_host(&parts) {
        return refusal;
    }
    if let Some(refusal) = refuse_foreign_origin(&parts)
        && !(service_of(&parts) == Service::S3 && state.s3.admits_origin(&parts).await)
    {
        return refusal;
    }
    let state = Arc::clone(state);
    let detached = state.detached.clone();
    // Dropped with this future, when the client hangs up: who waits for something then need not.
    let gone = state.stopping.child_token();
    let _client = gone.clone().drop_guard();
    // A client that hangs up must not leave a change half made.
    let work = detached.spawn(async move { control(&state, parts, body, gone).await });
    work.await.unwrap_or_else(|failure| {
        tracing::error!(%failure, "a request failed in an unforeseen way");
        manage::error(
            StatusCode::INTERNAL_SERVER_ERROR,
            "internal error; the node's log says more",
        )
    })
}

async fn control(
    state: &Arc<State>,
    parts: Parts,
    body: Incoming,
    gone: CancellationToken,
) -> Response<Body> {
    if parts.uri.path().starts_with("/_tradewind/") {
        return manage::handle(state, &parts, body).await;
    }
    let service = service_of(&parts);
    match signed_by(state, &parts, &service) {
        Ok(caller) => {
            let request = Request::from_parts(parts, body);
            serve(state, service, caller, request, gone).await
        }
        Err(refusal) => *refusal,
    }
}

async fn serve(
    state: &State,
    service: Service,
    caller: Caller,
    mut request: Request<Incoming>,
    gone: CancellationToken,
) -> Response<Body> {
    let journey = begin_journey(state, &service, &mut request);
    let mut response = answer(state, service, caller, request, gone).await;
    if let Some(root) = journey {
        response.headers_mut().entry(TRACE_HEADER).or_insert(root);
    }
    response
}

const TRACE_HEADER: &str = "x-amzn-trace-id";

/// A request that may set events going is part of a journey: its client's, or one that begins here. Gives the
/// header that names it to the client. What is sent to a queue is given the client's trace only.
fn begin_journey(state: &State, service: &Service, request: &mut Request<Incoming>) -> Option<HeaderValue> {
    if *service == Service::Sqs {
        return None;
    }
    let given = request.headers().get(TRACE_HEADER);
    let given = given.and_then(|header| header.to_str().ok());
    let trace = Trace::from_header(given, state.router.journal()?.now());
    let whole = HeaderValue::from_str(&trace.to_string()).ok()?;
    request.headers_mut().insert(TRACE_HEADER, whole);
    HeaderValue::from_str(&format!("Root={}", trace.root())).ok()
}

async fn answer(
    state: &State,
    service: Service,
    caller: Caller,
    request: Request<Incoming>,
    gone: CancellationToken,
) -> Response<Body> {
    match present(&service) {
        Some(Present::Lambda) => state.lambda.handle(request, caller).await,
        Some(Present::Sns) => state.sns.handle(request, caller).await,
        Some(Present::Logs) => state.cloudwatch_logs.handle(request, caller).await,
        Some(Present::Sqs) => state.sqs.handle(request, caller, gone).await,
        Some(Present::Pipes) => state.pipes.handle(request, caller).await,
        Some(Present::Scheduler) => state.scheduler.handle(request, caller).await,
        Some(Present::Ses) => state.ses.handle_query(request, caller).await,
        Some(Present::SesV2) => state.ses.handle(request, caller).await,
        Some(Present::SecretsManager) => state.secrets_manager.handle(request, caller).await,
        Some(Present::EventBridge) => state.event_bridge.handle(request, caller).await,
        Some(Present::Sts) => state.iam.handle_sts(request, &caller, &RequestId::random()).await,
        Some(Present::Iam) => state.iam.handle_iam(request, &RequestId::random()).await,
        Some(Present::S3) => {
            let (parts, body) = request.into_parts();
            let browsing = caller.access_key.is_none() && parts.method == http::Method::GET;
            if browsing && !state.s3.has_bucket_of(&parts).await {
                return nothing_here(state, &parts);
            }
            state.s3.handle(Request::from_parts(parts, body), caller).await
        }
        None => missing(&service, &request.into_parts().0),
    }
}

/// A service that this node has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Present {
    Lambda,
    Sns,
    Logs,
    Sqs,
    EventBridge,
    Pipes,
    Scheduler,
    SecretsManager,
    Ses,
    SesV2,
    Sts,
    /// Names the operation it is asked for, and has none.
    Iam,
    S3,
}

/// Which service of this node answers for `service`, if any.
pub(crate) fn present(service: &Service) -> Option<Present> {
    match service {
        Service::Lambda => Some(Present::Lambda),
        Service::Sns => Some(Present::Sns),
        Service::Logs => Some(Present::Logs),
        Service::Sqs => Some(Present::Sqs),
        Service::Pipes => Some(Present::Pipes),
        Service::Scheduler => Some(Present::Scheduler),
        Service::SecretsManager => Some(Present::SecretsManager),
        Service::Ses => Some(Present::Ses),
        Service::SesV2 => Some(Present::SesV2),
        Service::EventBridge => Some(Present::EventBridge),
        Service::Sts => Some(Present::Sts),
        Service::Iam => Some(Present::Iam),
        Service::S3 => Some(Present::S3),
        _ => None,
    }
}

fn signed_by(state: &State, parts: &Parts, service: &Service) -> Result<Caller, Box<Response<Body>>> {
    let defaults = CallerDefaults {
        account: state.account.clone(),
        region: state.region.clone(),
    };
    caller(parts, &defaults).map_err(|error| {
        let protocol = service.protocol(parts);
        Box::new(error_response(
            protocol,
            "",
            &error.to_wire(protocol),
            &RequestId::random(),
        ))
    })
}

/// An unsigned request that no service claims comes from a person with a browser or curl.
fn nothing_here(state: &State, parts: &Parts) -> Response<Body> {
    let mut text = format!(
        "This is a Tradewind node. No API of it answers at {}\n",
        parts.uri.path()
    );
    let urls = manage::urls(state);
    if urls.is_empty() {
        text.push_str("\nNothing is deployed to it. Deploy a project with `tradewind deploy`.\n");
    } else {
        text.push_str("\nIt answers at\n");
        urls.iter().for_each(|url| text.extend(["  ", url, "\n"]));
    }
    manage::plain_text(StatusCode::NOT_FOUND, text)
}

fn missing(service: &Service, parts: &Parts) -> Response<Body> {
    let message = format!("the service `{}` is not implemented by this node", service.name());
    let error = WireError::new(501, "NotImplemented", message);
    error_response(service.protocol(parts), "", &error, &RequestId::random())
}

/// A web page elsewhere must not drive a node on this machine through its visitor's browser.
/// Clients that are not browsers send no `Origin`.
fn refuse_foreign_origin(parts: &Parts) -> Option<Response<Body>> {
    let origin = parts.headers.get(http::header::ORIGIN)?;
    if is_local_origin(origin) {
        return None;
    }
    let message = "requests of web pages from other origins are refused; call an API of yours instead";
    Some(manage::error(StatusCode::FORBIDDEN, message))
}

fn is_local_origin(origin: &HeaderValue) -> bool {
    let Some(authority) = origin
        .to_str()
        .ok()
        .and_then(|text| text.split_once("://"))
        .map(|(_, rest)| rest)
    else {
        return false;
    };
    let host = host_of(authority);
    let named = host == "localhost" || host.ends_with(".localhost");
    named
        || host
            .parse::<std::net::IpAddr>()
            .is_ok_and(|address| address.is_loopback())
}

/// The owner of a domain can point a name of it at this machine; to a browser its pages and the
/// node are then one origin, and their reads bring no `Origin`. So a name has to be one that nobody
/// elsewhere can point.
fn refuse_foreign_host(parts: &Parts) -> Option<Response<Body>> {
    let host = match parts.uri.authority() {
        Some(authority) => authority.as_str(),
        None => parts.headers.get(http::header::HOST)?.to_str().unwrap_or("?"),
    };
    if is_trusted_host(host_of(host)) {
        return None;
    }
    let message =
        format!("requests to the host `{host}` are refused; call the node by its address or `localhost`");
    Some(manage::error(StatusCode::FORBIDDEN, &message))
}

fn is_trusted_host(host: &str) -> bool {
    /// What local AWS tooling calls a node by; a proxy may bring requests for AWS itself.
    const TRUSTED: &[&str] = &[
        "localhost",
        "localhost.localstack.cloud",
        "amazonaws.com",
        "internal",
    ];
    let host = host.trim_end_matches('.').to_ascii_lowercase();
    let below = |domain: &&str| {
        host.strip_suffix(domain)
            .is_some_and(|name| name.is_empty() || name.ends_with('.'))
    };
    let named_here = !host.is_empty()
        && host
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b"-_".contains(&b));
    named_here || host.parse::<std::net::IpAddr>().is_ok() || TRUSTED.iter().any(below)
}

/// The host of `host:port`; an IPv6 address without its brackets.
fn host_of(authority: &str) -> &str {
    match authority.strip_prefix('[') {
        Some(v6) => v6.split(']').next().unwrap_or_default(),
        None => authority.split(':').next().unwrap_or_default(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn local_pages_may_call_and_others_may_not() {
        for origin in [
            "http://localhost:3000",
            "http://127.0.0.1",
            "https://x.localhost",
            "http://[::1]:8080",
        ] {
            assert!(is_local_origin(&HeaderValue::from_static(origin)), "{origin}");
        }
        for origin in [
            "null",
            "https://evil.example",
            "http://localhost.evil.example",
            "http://10.0.0.1",
        ] {
            assert!(!is_local_origin(&HeaderValue::from_static(origin)), "{origin}");
        }
    }

    #[test]
    fn names_that_others_can_point_here_are_refused() {
        for host in [
            "127.0.0.1:4566",
            "[::1]:4566",
            "localhost:4566",
            "LOCALHOST.",
            "bucket.s3.localhost:4566",
            "s3.localhost.localstack.cloud:4566",
            "lambda.us-east-1.amazonaws.com",
            "host.docker.internal:4566",
            "tradewind:4566",
        ] {
            assert!(is_trusted_host(host_of(host)), "{host}");
        }
        for host in [
            "evil.example:4566",
            "localhost.evil.example",
            "evillocalhost.example",
            "notamazonaws.com",
            "127.0.0.1.evil.example",
            "",
            "?",
        ] {
            assert!(!is_trusted_host(host_of(host)), "{host}");
        }
    }
}
