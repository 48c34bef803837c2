//! Logical ids, and names that must have a shape.

/// A function's key in logical ids: `-` is `Dash`, `_` is `Underscore`, the first letter is upper case.
pub(super) fn normalise(key: &str) -> String {
    upper_first(&key.replace('-', "Dash").replace('_', "Underscore"))
}

/// The name of a topic, a queue or a bucket in logical ids: its letters and digits, the first in upper case.
pub(super) fn normalise_name(name: &str) -> String {
    let kept: String = name.chars().filter(char::is_ascii_alphanumeric).collect();
    upper_first(&kept)
}

/// A path in logical ids: each part in lower case with an upper-case first letter, `{x}` as `XVar`.
pub(super) fn normalise_path(path: &str) -> String {
    path.split('/').map(normalise_part).collect()
}

fn normalise_part(part: &str) -> String {
    let variable = part.strip_prefix('{').and_then(|part| part.strip_suffix('}'));
    let text = variable.unwrap_or(part).to_lowercase().replace('-', "Dash");
    let kept: String = text.chars().filter(char::is_ascii_alphanumeric).collect();
    let suffix = if variable.is_some() { "Var" } else { "" };
    upper_first(&kept) + suffix
}

/// A method in logical ids: `Get`, `Any`.
pub(super) fn normalise_method(method: &str) -> String {
    upper_first(&method.to_lowercase())
}

/// `text` with its first letter in upper case.
pub(super) fn upper_first(text: &str) -> String {
    let mut chars = text.chars();
    match chars.next() {
        Some(first) => first.to_uppercase().chain(chars).collect(),
        None => String::new(),
    }
}

/// `^[a-zA-Z][0-9a-zA-Z-]*$`
pub(super) fn is_service_name(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_alphabetic())
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
}

/// `^[a-zA-Z0-9-]+$`
pub(super) fn is_stage_name(name: &str) -> bool {
    !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
}

/// `^[a-zA-Z0-9-_]+$`
pub(super) fn is_function_key(key: &str) -> bool {
    !key.is_empty()
        && key
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
}

/// Letters and digits.
pub(super) fn is_logical_id(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|b| b.is_ascii_alphanumeric())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_paths_and_methods_become_ids() {
        assert_eq!(normalise("get-item"), "GetDashitem");
        assert_eq!(normalise("hello_world2"), "HelloUnderscoreworld2");
        assert_eq!(normalise_path(""), "");
        assert_eq!(normalise_path("items/{id}"), "ItemsIdVar");
        assert_eq!(
            normalise_path("users/{user_id}/my-Orders/{proxy+}"),
            "UsersUseridVarMyDashordersProxyVar"
        );
        assert_eq!(normalise_path("a.b/c_d"), "AbCd");
        assert_eq!(normalise_method("GET"), "Get");
    }

    #[test]
    fn names_have_their_shapes() {
        assert!(is_service_name("my-shop2") && !is_service_name("2shop") && !is_service_name("my_shop"));
        assert!(is_stage_name("pr-12") && !is_stage_name("a_b") && !is_stage_name(""));
        assert!(is_function_key("a_b-C1") && !is_function_key("a.b") && !is_function_key(""));
        assert!(is_logical_id("Role1") && !is_logical_id("my-role"));
    }
}
