//! Pages of lists, and the tokens that lead from one to the next: opaque to clients, versioned, and
//! worthless to other operations.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

const VERSION: &str = "1";

/// A text that is no token of the operation it was given to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a token of this operation")]
pub struct InvalidPageToken;

/// The token with which `operation` goes on after the item whose key is `last`.
#[must_use]
pub fn page_token(operation: &str, last: &str) -> String {
    URL_SAFE_NO_PAD.encode(format!("{VERSION}:{operation}:{last}"))
}

/// The key that [`page_token`] was given.
///
/// # Errors
/// [`InvalidPageToken`]; each service words it in its own way.
pub fn read_page_token(operation: &str, token: &str) -> Result<String, InvalidPageToken> {
    let bytes = URL_SAFE_NO_PAD
        .decode(token)
        .map_err(|_not_base64| InvalidPageToken)?;
    let text = String::from_utf8(bytes).map_err(|_not_text| InvalidPageToken)?;
    let mut parts = text.splitn(3, ':');
    match (parts.next(), parts.next(), parts.next()) {
        (Some(VERSION), Some(given), Some(last)) if given == operation => Ok(last.to_owned()),
        _ => Err(InvalidPageToken),
    }
}

/// The first `size` of `items`, and the token of what follows. `items` are sorted by the key that `key`
/// gives and begin after the page before.
pub fn page_of<T>(
    operation: &str,
    mut items: impl Iterator<Item = T>,
    key: impl Fn(&T) -> String,
    size: usize,
) -> (Vec<T>, Option<String>) {
    let page: Vec<T> = items.by_ref().take(size).collect();
    let last = page.last().filter(|_| items.next().is_some());
    let next = last.map(|last| page_token(operation, &key(last)));
    (page, next)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_come_back_as_they_went() {
        let token = page_token("ListFunctions", "shop:7");
        assert_eq!(read_page_token("ListFunctions", &token).unwrap(), "shop:7");
        assert!(!token.contains("shop"));
    }

    #[test]
    fn tokens_of_others_are_refused() {
        let token = page_token("ListFunctions", "shop");
        assert_eq!(
            read_page_token("ListVersionsByFunction", &token),
            Err(InvalidPageToken)
        );
        for bad in ["", "!!", "c2hvcA"] {
            assert_eq!(
                read_page_token("ListFunctions", bad),
                Err(InvalidPageToken),
                "{bad}"
            );
        }
    }

    #[test]
    fn only_a_page_with_something_behind_it_has_a_token() {
        let page = |size| page_of("List", 0..3, |n: &i32| n.to_string(), size);
        assert_eq!(page(2), (vec![0, 1], Some(page_token("List", "1"))));
        assert_eq!(page(3), (vec![0, 1, 2], None));
        assert_eq!(page_of("List", 0..0, |n: &i32| n.to_string(), 3), (vec![], None));
    }
}
