//! What browsers ask for besides the API: websites, forms, and whether a page of another origin may.

use http::request::Parts;
use http::{HeaderMap, Method, Response, header};
use hyper::body::Incoming;
use s3s::S3Result;

use super::address;
use crate::post;
use crate::refusal::of_wire;
use crate::state::State;
use crate::website;

/// The bucket whose website the request's host is.
pub(super) fn website_of(parts: &Parts) -> Option<String> {
    let host = match parts.uri.authority() {
        Some(authority) => authority.as_str(),
        None => parts.headers.get(header::HOST)?.to_str().ok()?,
    };
    website::is_website_host(host).map(str::to_ascii_lowercase)
}

/// The answer to a preflight request.
pub(super) async fn preflight(state: &State, parts: &Parts) -> S3Result<s3s::HttpResponse> {
    let bucket = address::bucket_of(parts).unwrap_or_default();
    let headers = state.configurations.preflight(&bucket, &parts.headers).await?;
    let mut response = Response::new(s3s::Body::empty());
    *response.headers_mut() = headers;
    Ok(response)
}

/// The headers that let the page of the request's origin see the answer.
pub(super) async fn cors_headers(state: &State, parts: &Parts) -> Option<HeaderMap> {
    let bucket = address::bucket_of(parts)?;
    state
        .configurations
        .cors_headers(&bucket, &parts.method, &parts.headers)
        .await
}

/// Whether a page of the request's origin may make the request: a rule of the bucket says so. A preflight
/// may always be made.
pub(crate) async fn admits_origin(state: &State, parts: &Parts) -> bool {
    parts.method == Method::OPTIONS && address::bucket_of(parts).is_some()
        || cors_headers(state, parts).await.is_some()
}

/// Stores the file of a form.
pub(super) async fn upload(
    state: &State,
    wire: &s3s::service::S3Service,
    parts: Parts,
    body: Incoming,
) -> S3Result<s3s::HttpResponse> {
    let (put, wanted) = post::to_put(parts, body, state.clock.now()).await?;
    let answer = wire.call(put).await;
    let mut response = answer.map_err(of_wire)?;
    if let Some(document) = wanted.apply(&mut response) {
        response = response.map(|_empty| s3s::Body::from(document));
    }
    Ok(response)
}
