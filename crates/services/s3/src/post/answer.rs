//! What a form gets for an answer: nothing, a document, or another page.

use http::{HeaderValue, Response, StatusCode, header};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use tradewind_wire::escape_xml;

use super::form::Fields;

/// The answer that a form wants when its file is stored.
#[derive(Clone, Debug)]
pub(crate) struct Wanted {
    bucket: String,
    key: String,
    redirect: Option<String>,
    status: StatusCode,
}

impl Wanted {
    pub(super) fn of(fields: &Fields, bucket: String, key: String) -> Self {
        let redirect = fields
            .get("success_action_redirect")
            .or_else(|| fields.get("redirect"));
        let redirect = redirect.filter(|url| url.starts_with("http://") || url.starts_with("https://"));
        let status = match fields.get("success_action_status") {
            Some("200") => StatusCode::OK,
            Some("201") => StatusCode::CREATED,
            _ => StatusCode::NO_CONTENT,
        };
        Self {
            bucket,
            key,
            redirect: redirect.map(str::to_owned),
            status,
        }
    }

    /// Makes the answer of the `PUT` the one that is wanted; an error stays as it is. Gives the body of a
    /// document.
    pub(crate) fn apply<B>(&self, response: &mut Response<B>) -> Option<String> {
        if !response.status().is_success() {
            return None;
        }
        let e_tag = response.headers().get(header::ETAG);
        let e_tag = e_tag
            .and_then(|value| value.to_str().ok())
            .unwrap_or_default()
            .to_owned();
        if let Some(url) = &self.redirect
            && let Ok(location) = HeaderValue::try_from(self.location(url, &e_tag))
        {
            *response.status_mut() = StatusCode::SEE_OTHER;
            response.headers_mut().insert(header::LOCATION, location);
            return None;
        }
        *response.status_mut() = self.status;
        let location = format!("/{}/{}", self.bucket, utf8_percent_encode(&self.key, super::PATH));
        if let Ok(value) = HeaderValue::try_from(&location) {
            response.headers_mut().insert(header::LOCATION, value);
        }
        (self.status == StatusCode::CREATED).then(|| {
            let xml = HeaderValue::from_static("application/xml");
            response.headers_mut().insert(header::CONTENT_TYPE, xml);
            format!(
                "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<PostResponse><Location>{}</Location><Bucket>{}</Bucket>\
                 <Key>{}</Key><ETag>{}</ETag></PostResponse>",
                escape_xml(&location),
                escape_xml(&self.bucket),
                escape_xml(&self.key),
                escape_xml(&e_tag)
            )
        })
    }

    fn location(&self, url: &str, e_tag: &str) -> String {
        let encode = |text: &str| utf8_percent_encode(text, NON_ALPHANUMERIC).to_string();
        let joint = if url.contains('?') { '&' } else { '?' };
        let (bucket, key, e_tag) = (encode(&self.bucket), encode(&self.key), encode(e_tag));
        format!("{url}{joint}bucket={bucket}&key={key}&etag={e_tag}")
    }
}
