//! Integration URIs: the function that a method or route calls.

use tradewind_model::FunctionArn;

/// The function of a REST integration,
/// `arn:aws:apigateway:REGION:lambda:path/2015-03-31/functions/FUNCTION/invocations`.
pub(crate) fn function_of_rest_uri(uri: &str) -> Option<FunctionArn> {
    let function = uri
        .strip_prefix("arn:")?
        .split_once(":lambda:path/2015-03-31/functions/")?
        .1
        .strip_suffix("/invocations")?;
    function.parse().ok()
}

/// The function of an HTTP API's integration: its ARN, or the form of REST APIs.
pub(crate) fn function_of_http_uri(uri: &str) -> Option<FunctionArn> {
    uri.parse().ok().or_else(|| function_of_rest_uri(uri))
}

#[cfg(test)]
mod tests {
    use super::*;

    const FUNCTION: &str = "arn:aws:lambda:us-east-1:000000000000:function:shop-dev-api";

    #[test]
    fn both_forms_name_the_function() {
        let uri =
            format!("arn:aws:apigateway:us-east-1:lambda:path/2015-03-31/functions/{FUNCTION}/invocations");
        assert_eq!(function_of_rest_uri(&uri).unwrap().to_string(), FUNCTION);
        assert_eq!(function_of_http_uri(&uri).unwrap().to_string(), FUNCTION);
        assert_eq!(function_of_http_uri(FUNCTION).unwrap().to_string(), FUNCTION);
        let qualified = format!("{FUNCTION}:live");
        assert_eq!(function_of_http_uri(&qualified).unwrap().to_string(), qualified);
    }

    #[test]
    fn other_uris_name_none() {
        for uri in [
            "",
            FUNCTION,
            "https://example.com",
            "arn:aws:apigateway:us-east-1:sqs:path/1/q",
            "arn:aws:apigateway:us-east-1:lambda:path/2015-03-31/functions/x/invocations",
        ] {
            assert_eq!(function_of_rest_uri(uri), None, "{uri}");
        }
    }
}
