//! A website's answers: pages of the bucket's objects, redirects, and pages for errors.

use http::request::Parts;
use http::uri::PathAndQuery;
use http::{HeaderValue, Method, Request, Response, StatusCode, Uri, header};
use percent_encoding::{NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};
use s3s::dto::WebsiteConfiguration;
use s3s::{S3Error, S3Result};
use tradewind_wire::escape_xml;

use super::{Found, Plan, Redirection, Site};
use crate::refusal::of_wire;
use crate::state::State;

/// Answers a request of a website's host.
///
/// # Errors
/// When a request of the website's own making cannot be made.
pub(crate) async fn serve(
    state: &State,
    wire: &s3s::service::S3Service,
    parts: &Parts,
    bucket: &str,
) -> S3Result<s3s::HttpResponse> {
    if parts.method != Method::GET && parts.method != Method::HEAD {
        return Ok(Page::new(
            405,
            "MethodNotAllowed",
            "The specified method is not allowed against this resource.",
        )
        .html());
    }
    let configuration: WebsiteConfiguration = match state.configurations.find(bucket).await {
        Ok(configuration) => configuration,
        Err(error) => return Ok(Page::of(&error, bucket).html()),
    };
    let host = parts
        .headers
        .get(header::HOST)
        .and_then(|host| host.to_str().ok());
    let site = Site {
        configuration: &configuration,
        host: host.unwrap_or(bucket),
    };
    let path = parts.uri.path();
    let key = percent_decode_str(path.strip_prefix('/').unwrap_or(path)).decode_utf8_lossy();
    let reader = Reader { wire, parts, bucket };
    match site.plan(&key) {
        Plan::Redirect(to) => Ok(redirect(&to)),
        Plan::Read(object) => reader.page(&site, &key, &object).await,
    }
}

/// Reads objects as an anonymous client would.
struct Reader<'a> {
    wire: &'a s3s::service::S3Service,
    parts: &'a Parts,
    bucket: &'a str,
}

impl Reader<'_> {
    /// The page that answers `key`, which is the object `object`.
    async fn page(&self, site: &Site<'_>, key: &str, object: &str) -> S3Result<s3s::HttpResponse> {
        let mut response = self.read(&self.parts.method, object).await?;
        let status = response.status().as_u16();
        if status < 400 {
            if let Some(location) = response.headers_mut().remove("x-amz-website-redirect-location") {
                response = redirect_to(301, location);
            }
            return Ok(response);
        }
        if status == 404
            && let Some(index) = site.index_of(key)
            && self.read(&Method::HEAD, &index).await?.status().is_success()
        {
            return Ok(redirect(&site.to_folder(key)));
        }
        match site.failed(object, status) {
            Found::Redirect(to) => Ok(redirect(&to)),
            Found::ErrorDocument(document) => {
                let mut page = self.read(&self.parts.method, &document).await?;
                if page.status().is_success() {
                    *page.status_mut() = response.status();
                    return Ok(page);
                }
                Ok(Page::of_status(status, object).html())
            }
            Found::ErrorPage => Ok(Page::of_status(status, object).html()),
        }
    }

    async fn read(&self, method: &Method, key: &str) -> S3Result<s3s::HttpResponse> {
        let path = format!("/{}/{}", self.bucket, utf8_percent_encode(key, NON_ALPHANUMERIC));
        let path: PathAndQuery = path.parse().map_err(S3Error::internal_error)?;
        let mut request = Request::new(s3s::Body::empty());
        *request.method_mut() = method.clone();
        *request.uri_mut() = Uri::from(path);
        for name in [
            header::RANGE,
            header::IF_NONE_MATCH,
            header::IF_MATCH,
            header::IF_MODIFIED_SINCE,
            header::IF_UNMODIFIED_SINCE,
        ] {
            if let Some(value) = self.parts.headers.get(&name) {
                request.headers_mut().insert(name, value.clone());
            }
        }
        *request.extensions_mut() = self.parts.extensions.clone();
        self.wire.call(request).await.map_err(of_wire)
    }
}

fn redirect(to: &Redirection) -> s3s::HttpResponse {
    match HeaderValue::try_from(&to.location) {
        Ok(location) => redirect_to(to.status, location),
        Err(_unprintable) => Page::of_status(404, &to.location).html(),
    }
}

fn redirect_to(status: u16, location: HeaderValue) -> s3s::HttpResponse {
    let mut response = Response::new(s3s::Body::empty());
    *response.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::FOUND);
    response.headers_mut().insert(header::LOCATION, location);
    response
}

/// A page that tells of an error.
struct Page {
    status: StatusCode,
    code: String,
    message: String,
    key: Option<String>,
}

impl Page {
    fn new(status: u16, code: &str, message: &str) -> Self {
        Self {
            status: StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR),
            code: code.to_owned(),
            message: message.to_owned(),
            key: None,
        }
    }

    fn of(error: &S3Error, bucket: &str) -> Self {
        let status = error.status_code().or_else(|| error.code().status_code());
        let page = Self::new(
            status.unwrap_or(StatusCode::NOT_FOUND).as_u16(),
            error.code().as_str(),
            error.message().unwrap_or_default(),
        );
        Self {
            key: Some(bucket.to_owned()),
            ..page
        }
    }

    fn of_status(status: u16, key: &str) -> Self {
        let page = match status {
            404 => Self::new(404, "NoSuchKey", "The specified key does not exist."),
            403 => Self::new(403, "AccessDenied", "Access Denied"),
            other => Self::new(other, "InvalidRequest", "The request could not be served."),
        };
        Self {
            key: Some(key.to_owned()),
            ..page
        }
    }

    fn html(self) -> s3s::HttpResponse {
        let title = format!(
            "{} {}",
            self.status.as_u16(),
            self.status.canonical_reason().unwrap_or_default()
        );
        let key = self
            .key
            .map(|key| format!("<li>Key: {}</li>\n", escape_xml(&key)));
        let page = format!(
            "<html>\n<head><title>{title}</title></head>\n<body>\n<h1>{title}</h1>\n<ul>\n<li>Code: {}</li>\n\
             <li>Message: {}</li>\n{}</ul>\n<hr/>\n</body>\n</html>\n",
            escape_xml(&self.code),
            escape_xml(&self.message),
            key.unwrap_or_default()
        );
        let mut response = Response::new(s3s::Body::from(page));
        *response.status_mut() = self.status;
        let html = HeaderValue::from_static("text/html; charset=utf-8");
        response.headers_mut().insert(header::CONTENT_TYPE, html);
        response
    }
}
