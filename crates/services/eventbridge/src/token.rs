//! Pages of lists: tokens are opaque to clients, versioned, and worthless to other operations.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Deserialize;

use crate::error::EventBridgeError;

const VERSION: &str = "1";
const MAX_LIMIT: usize = 100;

/// The members that every list has.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Paging {
    next_token: Option<String>,
    limit: Option<i64>,
}

impl Paging {
    /// The page of `all`, which are sorted by their names, and the token of the next.
    pub(crate) fn page<T>(
        &self,
        operation: &str,
        all: impl Iterator<Item = (String, T)>,
    ) -> Result<(Vec<T>, Option<String>), EventBridgeError> {
        let limit = self.limit()?;
        let after = self
            .next_token
            .as_deref()
            .map(|token| decode(operation, token))
            .transpose()?;
        let mut rest = all.filter(|(name, _)| after.as_ref().is_none_or(|after| name > after));
        let mut last = None;
        let mut page = Vec::new();
        for (name, item) in rest.by_ref().take(limit) {
            page.push(item);
            last = Some(name);
        }
        let more = rest.next().is_some();
        let next = last.filter(|_| more).map(|last| encode(operation, &last));
        Ok((page, next))
    }

    fn limit(&self) -> Result<usize, EventBridgeError> {
        let Some(given) = self.limit else {
            return Ok(MAX_LIMIT);
        };
        let limit = usize::try_from(given)
            .ok()
            .filter(|limit| (1..=MAX_LIMIT).contains(limit));
        let rule = "Member must have value between 1 and 100";
        limit.ok_or_else(|| EventBridgeError::constraint(&format!("'{given}'"), "limit", rule))
    }
}

fn encode(operation: &str, last: &str) -> String {
    URL_SAFE_NO_PAD.encode(format!("{VERSION}:{operation}:{last}"))
}

fn decode(operation: &str, token: &str) -> Result<String, EventBridgeError> {
    let invalid = || EventBridgeError::parameter("NextToken", "Token is not valid.");
    let bytes = URL_SAFE_NO_PAD.decode(token).map_err(|_not_base64| invalid())?;
    let text = String::from_utf8(bytes).map_err(|_not_text| invalid())?;
    let mut parts = text.splitn(3, ':');
    match (parts.next(), parts.next(), parts.next()) {
        (Some(VERSION), Some(given), Some(last)) if given == operation => Ok(last.to_owned()),
        _ => Err(invalid()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(count: usize) -> impl Iterator<Item = (String, usize)> {
        (0..count).map(|n| (format!("r{n:04}"), n))
    }

    #[test]
    fn pages_follow_one_another() {
        let first = Paging {
            limit: Some(2),
            next_token: None,
        };
        let (page, token) = first.page("ListRules", all(3)).unwrap();
        assert_eq!(page, [0, 1]);
        let second = Paging {
            limit: Some(2),
            next_token: token,
        };
        assert_eq!(second.page("ListRules", all(3)).unwrap(), (vec![2], None));
        assert!(second.page("ListReplays", all(3)).is_err());
    }

    #[test]
    fn a_page_has_a_hundred_and_says_when_there_are_more() {
        let (page, token) = Paging::default().page("ListRules", all(300)).unwrap();
        assert_eq!((page.len(), token.is_some()), (100, true));
        let none = Paging {
            limit: Some(0),
            next_token: None,
        };
        assert!(none.page("ListRules", all(3)).is_err());
    }
}
