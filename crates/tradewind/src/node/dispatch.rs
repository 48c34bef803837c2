//! Where a request goes: the one port's URL space, in this order (ARCHITECTURE.md, "One port").
//!
//! 1. an API's host or `/_api/{api}/…` → gateway
//! 2. `/_tradewind/…` → health and management
//! 3. the service that the request is signed for or whose path it is → that service
//! 4. anything else → S3, which is refused by name until it exists

use std::net::SocketAddr;
use std::sync::Arc;

use http::request::Parts;
use http::{HeaderValue, Request, Response, StatusCode};
use hyper::body::Incoming;
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
    if let Some(refusal) = refuse_foreign_origin(&parts) {
        return refusal;
    }
    let state = Arc::clone(state);
    let detached = state.detached.clone();
    // A client that hangs up must not leave a change half made.
    let work = detached.spawn(async move { control(&state, parts, body).await });
    work.await.unwrap_or_else(|failure| {
        tracing::error!(%failure, "a request failed in an unforeseen way");
        manage::error(
            StatusCode::INTERNAL_SERVER_ERROR,
            "internal error; the node's log says more",
        )
    })
}

async fn control(state: &Arc<State>, parts: Parts, body: Incoming) -> Response<Body> {
    if parts.uri.path().starts_with("/_tradewind/") {
        return manage::handle(state, &parts, body).await;
    }
    let service = service_of(&parts);
    match signed_by(state, &parts, &service) {
        Ok(caller) => serve(state, service, caller, Request::from_parts(parts, body)).await,
        Err(refusal) => *refusal,
    }
}

async fn serve(
    state: &State,
    service: Service,
    caller: Caller,
    request: Request<Incoming>,
) -> Response<Body> {
    match present(&service) {
        Some(Present::Lambda) => state.lambda.handle(request, caller).await,
        Some(Present::Sts) => state.iam.handle_sts(request, &caller, &RequestId::random()).await,
        Some(Present::Iam) => state.iam.handle_iam(request, &RequestId::random()).await,
        None => {
            let (parts, _body) = request.into_parts();
            missing(&service, &parts)
        }
    }
}

/// A service that this node has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Present {
    Lambda,
    Sts,
    /// Names the operation it is asked for, and has none.
    Iam,
}

/// Which service of this node answers for `service`, if any.
pub(crate) fn present(service: &Service) -> Option<Present> {
    match service {
        Service::Lambda => Some(Present::Lambda),
        Service::Sts => Some(Present::Sts),
        Service::Iam => Some(Present::Iam),
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
    let host = match authority.strip_prefix('[') {
        Some(v6) => v6.split(']').next().unwrap_or_default(),
        None => authority.split(':').next().unwrap_or_default(),
    };
    let named = host == "localhost" || host.ends_with(".localhost");
    named
        || host
            .parse::<std::net::IpAddr>()
            .is_ok_and(|address| address.is_loopback())
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
}
