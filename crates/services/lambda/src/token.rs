//! Markers of lists, in the words of this service.

pub(crate) use tradewind_wire::page_token as encode;
use tradewind_wire::read_page_token;

use crate::error::LambdaError;

/// What [`encode`] was given last.
pub(crate) fn decode(operation: &str, token: &str) -> Result<String, LambdaError> {
    read_page_token(operation, token).map_err(|_no_token| LambdaError::InvalidMarker)
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
