//! Errors of S3: REST-XML without an envelope.

use http::Response;
use tradewind_model::RequestId;

use crate::error::respond;
use crate::{Body, WireError, xml_element};

/// An S3 error about `resource` (the path asked for, as S3 repeats it).
#[must_use]
pub fn rest_xml_error(error: &WireError, resource: Option<&str>, request_id: &RequestId) -> Response<Body> {
    let body = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Error>{}{}{}{}</Error>",
        xml_element("Code", &error.code),
        xml_element("Message", &error.message),
        resource
            .map(|path| xml_element("Resource", path))
            .unwrap_or_default(),
        xml_element("RequestId", request_id.as_str()),
    );
    respond(error, "application/xml", "x-amz-request-id", request_id, body)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::read_body;

    #[tokio::test]
    async fn the_error_is_the_root_element() {
        let error = WireError::new(404, "NoSuchBucket", "The specified bucket does not exist");
        let response = rest_xml_error(&error, Some("/b&c"), &RequestId::from("r"));
        assert_eq!(response.headers()["x-amz-request-id"], "r");
        let body = read_body(response.into_body(), 1000).await.unwrap();
        let expected = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Error><Code>NoSuchBucket</Code>\
            <Message>The specified bucket does not exist</Message><Resource>/b&amp;c</Resource>\
            <RequestId>r</RequestId></Error>";
        assert_eq!(body, expected);
    }
}
