//! Pages of lists: sizes and errors in the words of this service.

use serde::Deserialize;
use tradewind_wire::{page_of, read_page_token};

use crate::error::SecretsManagerError;

/// The members that every list has.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Paging {
    next_token: Option<String>,
    max_results: Option<i64>,
}

impl Paging {
    /// The page of `all`, sorted by their keys, of at most `most`, and the token of the next.
    pub(crate) fn page<T>(
        &self,
        operation: &str,
        most: usize,
        descending: bool,
        all: Vec<(String, T)>,
    ) -> Result<(Vec<T>, Option<String>), SecretsManagerError> {
        let limit = self.limit(most)?;
        let read = |token| {
            read_page_token(operation, token).map_err(|_no_token| SecretsManagerError::InvalidNextToken)
        };
        let after = self.next_token.as_deref().map(read).transpose()?;
        let follows = |key: &String| {
            after
                .as_ref()
                .is_none_or(|after| if descending { key < after } else { key > after })
        };
        let mut rest: Vec<(String, T)> = all.into_iter().filter(|(key, _)| follows(key)).collect();
        rest.sort_by(|(one, _), (other, _)| one.cmp(other));
        if descending {
            rest.reverse();
        }
        let (page, next) = page_of(operation, rest.into_iter(), |(key, _)| key.clone(), limit);
        Ok((page.into_iter().map(|(_, item)| item).collect(), next))
    }

    fn limit(&self, most: usize) -> Result<usize, SecretsManagerError> {
        let Some(given) = self.max_results else {
            return Ok(most);
        };
        let limit = usize::try_from(given)
            .ok()
            .filter(|limit| (1..=most).contains(limit));
        let rule = if given < 1 {
            "Member must have value greater than or equal to 1".to_owned()
        } else {
            format!("Member must have value less than or equal to {most}")
        };
        limit.ok_or_else(|| SecretsManagerError::constraint(&format!("'{given}'"), "maxResults", &rule))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(count: usize) -> Vec<(String, usize)> {
        (0..count).map(|n| (format!("s{n:04}"), n)).collect()
    }

    #[test]
    fn pages_follow_one_another_in_both_directions() {
        for (descending, first, second) in [(false, [0, 1], 2), (true, [2, 1], 0)] {
            let paging = |next_token| Paging {
                max_results: Some(2),
                next_token,
            };
            let (page, token) = paging(None).page("ListSecrets", 100, descending, all(3)).unwrap();
            assert_eq!(page, first);
            let rest = paging(token.clone())
                .page("ListSecrets", 100, descending, all(3))
                .unwrap();
            assert_eq!(rest, (vec![second], None));
            assert!(paging(token).page("Other", 100, descending, all(3)).is_err());
        }
    }

    #[test]
    fn sizes_have_bounds() {
        for given in [0, 21] {
            let paging = Paging {
                max_results: Some(given),
                next_token: None,
            };
            assert!(paging.page("BatchGetSecretValue", 20, false, all(1)).is_err());
        }
    }
}
