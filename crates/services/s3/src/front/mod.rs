//! HTTP on its way to s3s and back: what s3s 0.14 lacks, or judges where this node does not.
//!
//! ```text
//! request ─▶ presigned URL still valid? ─▶ signature taken off ─▶ host style → path style
//!         ─▶ body: aws-chunked decoded, announced hash checked ─▶ s3s ─▶ operation
//! answer  ◀─ request ids ◀─ errors in full ◀──────────────────────────────┘
//! ```
//!
//! # Invariants
//! - A node on loopback reads signatures and does not verify them (as elsewhere on it), so s3s, which
//!   would, never sees one. What a signature says besides is held: expiry, hash of the body.
//! - An operation reads the body's own bytes: no framing, and no end before the announced one.

mod address;
mod answer;
mod browser;
mod charge;
mod payload;
mod signature;

use std::sync::{Arc, Mutex, PoisonError};

use http::request::Parts;
use http::{HeaderMap, HeaderValue, Method, Request, Response, header};
use hyper::body::Incoming;
use s3s::S3Error;
use tradewind_wire::{Body, Caller};

use crate::refusal::{internal, of_wire};
use crate::state::State;
use crate::{post, website};

pub(crate) use address::bucket_of;
pub(crate) use browser::admits_origin;
pub(crate) use payload::PayloadError;

/// The headers that follow an aws-chunked body; there when the body was read to its end.
#[derive(Clone, Debug, Default)]
pub(crate) struct Trailers(Arc<Mutex<HeaderMap>>);

impl Trailers {
    pub(crate) fn get(&self, name: &str) -> Option<String> {
        let headers = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        headers.get(name)?.to_str().ok().map(str::to_owned)
    }

    fn put(&self, headers: HeaderMap) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = headers;
    }
}

/// Answers a request.
pub(crate) async fn handle(
    state: &State,
    wire: &s3s::service::S3Service,
    request: Request<Incoming>,
    caller: Caller,
) -> Response<Body> {
    let (mut parts, body) = request.into_parts();
    let charge = charge::charge_of(&parts);
    let asked = answer::Asked::of(&parts);
    let cors = browser::cors_headers(state, &parts).await;
    let answered = respond(state, wire, &mut parts, body, caller).await;
    let mut response = match answered {
        Ok(response) => answer::finish(response, &asked),
        Err(error) => answer::refusal(error, &asked),
    };
    response.headers_mut().extend(cors.unwrap_or_default());
    if let Some(charge) = charge {
        charge::count(state, charge, response.status()).await;
    }
    response
}

/// The answer before it is made complete.
async fn respond(
    state: &State,
    wire: &s3s::service::S3Service,
    parts: &mut Parts,
    body: Incoming,
    caller: Caller,
) -> Result<s3s::HttpResponse, S3Error> {
    if parts.method == Method::OPTIONS {
        return browser::preflight(state, parts).await;
    }
    if let Some(bucket) = browser::website_of(parts) {
        parts.extensions.insert(caller);
        let mut page = website::serve(state, wire, parts, &bucket).await?;
        page.extensions_mut().insert(answer::AsItIs);
        return Ok(page);
    }
    let trailers = prepare(state, parts, caller)?;
    if post::is_form(parts) {
        return browser::upload(state, wire, parts.clone(), body).await;
    }
    let body = payload::wrap(parts, body, trailers)?;
    let request = Request::from_parts(parts.clone(), body);
    wire.call(request).await.map_err(of_wire)
}

/// Makes a request of the wire one that s3s takes: unsigned, in path style.
fn prepare(state: &State, parts: &mut Parts, caller: Caller) -> Result<Trailers, S3Error> {
    signature::take_off(parts, state.clock.now())?;
    address::to_path_style(parts).map_err(|error| internal(&error))?;
    drop_strange_range(parts);
    let trailers = Trailers::default();
    parts.extensions.insert(caller);
    parts.extensions.insert(trailers.clone());
    Ok(trailers)
}

/// A range that is none, or several, is as good as no range: the whole is answered.
fn drop_strange_range(parts: &mut Parts) {
    let Some(range) = parts.headers.get(header::RANGE) else {
        return;
    };
    if parts.method == Method::GET || parts.method == Method::HEAD {
        let text = HeaderValue::to_str(range).unwrap_or_default();
        if s3s::dto::Range::parse(text).is_err() {
            parts.headers.remove(header::RANGE);
        }
    }
}
