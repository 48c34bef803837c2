//! Pages of lists: sizes and errors in the words of this service.

use tradewind_wire::{page_of, read_page_token};

use crate::error::SqsError;

/// What AWS gives on a page that nobody asked to be smaller.
const MAX_RESULTS: usize = 1000;

/// A page: what is on it, and the token of the next one.
pub(crate) type Page = (Vec<String>, Option<String>);

/// The page of sorted `names` that `token` and `max_results` ask for. As on AWS, who gives no
/// `max_results` gets no token either.
pub(crate) fn page(
    operation: &str,
    names: impl Iterator<Item = String>,
    token: Option<&str>,
    max_results: Option<i64>,
) -> Result<Page, SqsError> {
    let size = size(max_results)?;
    let read = |token| {
        let invalid = |_no_token| SqsError::InvalidParameterValue("Invalid or expired next token.".into());
        read_page_token(operation, token).map_err(invalid)
    };
    let after = token.map(read).transpose()?;
    let rest = names.filter(|name| after.as_ref().is_none_or(|after| name > after));
    let (page, next) = page_of(operation, rest, String::clone, size);
    Ok((page, next.filter(|_| max_results.is_some())))
}

fn size(max_results: Option<i64>) -> Result<usize, SqsError> {
    let Some(given) = max_results else {
        return Ok(MAX_RESULTS);
    };
    let size = usize::try_from(given)
        .ok()
        .filter(|size| (1..=MAX_RESULTS).contains(size));
    size.ok_or_else(|| {
        SqsError::value(
            given,
            "MaxResults",
            "MaxResults must be an integer between 1 and 1000.",
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(count: usize) -> impl Iterator<Item = String> {
        (0..count).map(|n| format!("q{n:04}"))
    }

    #[test]
    fn pages_follow_one_another() {
        let (first, token) = page("ListQueues", names(3), None, Some(2)).unwrap();
        assert_eq!(first, ["q0000", "q0001"]);
        let (rest, end) = page("ListQueues", names(3), token.as_deref(), Some(2)).unwrap();
        assert_eq!((rest.as_slice(), end), (&["q0002".to_owned()][..], None));
    }

    #[test]
    fn a_full_last_page_has_no_token() {
        assert_eq!(page("ListQueues", names(2), None, Some(2)).unwrap().1, None);
        let (all, token) = page("ListQueues", names(1500), None, None).unwrap();
        assert_eq!((all.len(), token), (1000, None));
    }

    #[test]
    fn what_is_no_token_or_size_is_refused() {
        let (_, token) = page("ListQueues", names(3), None, Some(2)).unwrap();
        assert!(page("Other", names(3), token.as_deref(), None).is_err());
        assert!(page("ListQueues", names(3), Some("!"), None).is_err());
        for size in [0, -1, 1001] {
            assert!(page("ListQueues", names(3), None, Some(size)).is_err(), "{size}");
        }
    }
}
