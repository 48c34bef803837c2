//! Pagination tokens: opaque to clients, versioned, and worthless to other operations.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::error::LambdaError;

const VERSION: &str = "1";

/// A token of `operation` that continues after `last`.
pub(crate) fn encode(operation: &str, last: &str) -> String {
    URL_SAFE_NO_PAD.encode(format!("{VERSION}:{operation}:{last}"))
}

/// What [`encode`] was given last.
pub(crate) fn decode(operation: &str, token: &str) -> Result<String, LambdaError> {
    let bytes = URL_SAFE_NO_PAD
        .decode(token)
        .map_err(|_not_base64| LambdaError::InvalidMarker)?;
    let text = String::from_utf8(bytes).map_err(|_not_text| LambdaError::InvalidMarker)?;
    let mut parts = text.splitn(3, ':');
    match (parts.next(), parts.next(), parts.next()) {
        (Some(VERSION), Some(given), Some(last)) if given == operation => Ok(last.to_owned()),
        _ => Err(LambdaError::InvalidMarker),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_come_back_as_they_went() {
        let token = encode("ListFunctions", "shop:7");
        assert_eq!(decode("ListFunctions", &token).unwrap(), "shop:7");
        assert!(!token.contains("shop"));
    }

    #[test]
    fn tokens_of_others_are_refused() {
        let token = encode("ListFunctions", "shop");
        assert!(decode("ListVersionsByFunction", &token).is_err());
        for bad in ["", "!!", "c2hvcA"] {
            assert!(
                matches!(decode("ListFunctions", bad), Err(LambdaError::InvalidMarker)),
                "{bad}"
            );
        }
    }
}
