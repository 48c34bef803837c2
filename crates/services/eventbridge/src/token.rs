//! Pages of lists: sizes and errors in the words of this service.

use serde::Deserialize;
use tradewind_wire::{page_of, read_page_token};

use crate::error::EventBridgeError;

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
        let read = |token| {
            let invalid = |_no_token| EventBridgeError::parameter("NextToken", "Token is not valid.");
            read_page_token(operation, token).map_err(invalid)
        };
        let after = self.next_token.as_deref().map(read).transpose()?;
        let rest = all.filter(|(name, _)| after.as_ref().is_none_or(|after| name > after));
        let (page, next) = page_of(operation, rest, |(name, _)| name.clone(), limit);
        Ok((page.into_iter().map(|(_, item)| item).collect(), next))
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
