//! Pages of lists, and their tokens: opaque to clients, versioned, and worthless to other lists.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::error::PipesError;

const VERSION: &str = "1";
const MAX_RESULTS: usize = 100;

/// The page of `items` that `token` and `limit` ask for, and the token of the next one. `items` are
/// sorted by the key that `key` gives.
pub(crate) fn page<T>(
    list: &str,
    items: impl Iterator<Item = T>,
    key: impl Fn(&T) -> String,
    token: Option<&str>,
    limit: Option<&str>,
) -> Result<(Vec<T>, Option<String>), PipesError> {
    let size = size(limit)?;
    let after = token.map(|token| decode(list, token)).transpose()?;
    let mut rest = items.filter(|item| after.as_ref().is_none_or(|after| key(item) > *after));
    let page: Vec<T> = rest.by_ref().take(size).collect();
    let more = rest.next().is_some();
    let next = page.last().filter(|_| more).map(|last| encode(list, &key(last)));
    Ok((page, next))
}

fn size(limit: Option<&str>) -> Result<usize, PipesError> {
    let Some(given) = limit else {
        return Ok(MAX_RESULTS);
    };
    let size = given.parse().ok().filter(|size| (1..=MAX_RESULTS).contains(size));
    size.ok_or_else(|| PipesError::violation("limit", given, "Member must have value between 1 and 100"))
}

fn encode(list: &str, last: &str) -> String {
    URL_SAFE_NO_PAD.encode(format!("{VERSION}:{list}:{last}"))
}

fn decode(list: &str, token: &str) -> Result<String, PipesError> {
    let read = || {
        let text = String::from_utf8(URL_SAFE_NO_PAD.decode(token).ok()?).ok()?;
        let last = text.strip_prefix(VERSION)?.strip_prefix(':')?;
        Some(last.strip_prefix(list)?.strip_prefix(':')?.to_owned())
    };
    read().ok_or_else(|| PipesError::Validation("Invalid NextToken.".into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(token: Option<&str>, size: Option<&str>) -> Result<(Vec<String>, Option<String>), PipesError> {
        let all = (0..3).map(|n| format!("s{n}"));
        page("pipes", all, String::clone, token, size)
    }

    #[test]
    fn pages_follow_one_another() {
        let (first, token) = names(None, Some("2")).unwrap();
        assert_eq!(first, ["s0", "s1"]);
        let (rest, end) = names(token.as_deref(), Some("2")).unwrap();
        assert_eq!((rest, end), (vec!["s2".to_owned()], None));
    }

    #[test]
    fn what_is_no_token_or_size_is_refused() {
        let (_, token) = names(None, Some("1")).unwrap();
        assert!(
            page(
                "others",
                std::iter::empty::<String>(),
                String::clone,
                token.as_deref(),
                None
            )
            .is_err()
        );
        assert!(names(Some("!"), None).is_err());
        for size in ["0", "-1", "101", "many"] {
            assert!(names(None, Some(size)).is_err(), "{size}");
        }
    }
}
