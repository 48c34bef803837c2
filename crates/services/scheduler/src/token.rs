//! Pages of lists: sizes and errors in the words of this service.

use tradewind_wire::{page_of, read_page_token};

use crate::error::SchedulerError;

const MAX_RESULTS: usize = 100;

/// The page of `items` that `token` and `max_results` ask for, and the token of the next one. `items` are
/// sorted by the key that `key` gives.
pub(crate) fn page<T>(
    list: &str,
    items: impl Iterator<Item = T>,
    key: impl Fn(&T) -> String,
    token: Option<&str>,
    max_results: Option<&str>,
) -> Result<(Vec<T>, Option<String>), SchedulerError> {
    let size = size(max_results)?;
    let read = |token| {
        let invalid = |_no_token| SchedulerError::Validation("Invalid NextToken.".into());
        read_page_token(list, token).map_err(invalid)
    };
    let after = token.map(read).transpose()?;
    let rest = items.filter(|item| after.as_ref().is_none_or(|after| key(item) > *after));
    Ok(page_of(list, rest, &key, size))
}

fn size(max_results: Option<&str>) -> Result<usize, SchedulerError> {
    let Some(given) = max_results else {
        return Ok(MAX_RESULTS);
    };
    let size = given.parse().ok().filter(|size| (1..=MAX_RESULTS).contains(size));
    size.ok_or_else(|| {
        SchedulerError::violation("maxResults", given, "Member must have value between 1 and 100")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(
        token: Option<&str>,
        size: Option<&str>,
    ) -> Result<(Vec<String>, Option<String>), SchedulerError> {
        let all = (0..3).map(|n| format!("s{n}"));
        page("schedules", all, String::clone, token, size)
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
                "groups",
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
