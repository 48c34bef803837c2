//! Brace expansion: `{a,b}` and `{1..3}` as a shell would write them out.

/// More alternatives than this are not worth a pattern; the text is then taken as it stands.
const MAX_ALTERNATIVES: usize = 1_000;

/// Every text that `pattern` stands for: itself when it holds no braces.
pub(super) fn expand(pattern: &str) -> Vec<String> {
    let mut done = Vec::new();
    let mut open = vec![pattern.to_owned()];
    while let Some(text) = open.pop() {
        match first_group(&text) {
            None => done.push(text),
            Some((before, options, after)) => {
                let texts = options.iter().map(|option| format!("{before}{option}{after}"));
                open.extend(texts);
            }
        }
        if open.len() + done.len() > MAX_ALTERNATIVES {
            return vec![pattern.to_owned()];
        }
    }
    done
}

/// The first `{…}` that offers alternatives: the text before it, the alternatives, the text after it.
fn first_group(text: &str) -> Option<(&str, Vec<String>, &str)> {
    let mut escaped = false;
    for (at, c) in text.char_indices() {
        if c == '{' && !escaped {
            let found = group_at(text, at);
            if found.is_some() {
                return found;
            }
        }
        escaped = c == '\\' && !escaped;
    }
    None
}

fn group_at(text: &str, open: usize) -> Option<(&str, Vec<String>, &str)> {
    let before = text.get(..open)?;
    let inside = text.get(open + 1..)?;
    let (parts, after) = split_group(inside)?;
    let options = match parts.as_slice() {
        [single] => range(single)?,
        _ => parts.into_iter().map(str::to_owned).collect(),
    };
    Some((before, options, after))
}

/// Splits `a,b{c,d}} rest` at the commas of this level and its closing brace.
fn split_group(inside: &str) -> Option<(Vec<&str>, &str)> {
    let mut parts = Vec::new();
    let (mut depth, mut from, mut escaped) = (0_u32, 0, false);
    for (at, c) in inside.char_indices() {
        match c {
            _ if escaped => {}
            '{' => depth += 1,
            '}' if depth > 0 => depth -= 1,
            ',' if depth == 0 => {
                parts.push(inside.get(from..at)?);
                from = at + 1;
            }
            '}' => {
                parts.push(inside.get(from..at)?);
                return Some((parts, inside.get(at + 1..)?));
            }
            _ => {}
        }
        escaped = c == '\\' && !escaped;
    }
    None
}

/// `1..3` or `a..c`, in either direction.
fn range(text: &str) -> Option<Vec<String>> {
    let (low, high) = text.split_once("..")?;
    if let (Ok(low), Ok(high)) = (low.parse::<i64>(), high.parse::<i64>()) {
        let size = usize::try_from(low.abs_diff(high)).ok()?;
        let numbers = low.min(high)..=low.max(high);
        return (size < MAX_ALTERNATIVES).then(|| numbers.map(|number| number.to_string()).collect());
    }
    let (low, high) = (only_char(low)?, only_char(high)?);
    Some((low.min(high)..=low.max(high)).map(String::from).collect())
}

fn only_char(text: &str) -> Option<char> {
    let mut chars = text.chars().filter(char::is_ascii_alphabetic);
    let only = chars.next()?;
    (text.len() == 1).then_some(only)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(pattern: &str, expected: &[&str]) {
        let mut texts = expand(pattern);
        texts.sort();
        assert_eq!(texts, expected, "{pattern}");
    }

    #[test]
    fn lists_ranges_and_nesting_are_written_out() {
        check("a/{b,c}/d", &["a/b/d", "a/c/d"]);
        check("{a,b{1,2}}", &["a", "b1", "b2"]);
        check("{a,b}.{x,y}", &["a.x", "a.y", "b.x", "b.y"]);
        check("f{1..3}", &["f1", "f2", "f3"]);
        check("{c..a}", &["a", "b", "c"]);
        check("a{,b}", &["a", "ab"]);
    }

    #[test]
    fn what_offers_nothing_stays() {
        check("a", &["a"]);
        check("{a}", &["{a}"]);
        check("a{b", &["a{b"]);
        check("\\{a,b}", &["\\{a,b}"]);
        check("{a}{b,c}", &["{a}b", "{a}c"]);
    }

    #[test]
    fn an_explosion_is_taken_as_text() {
        let pattern = "{1..100}{1..100}";
        check(pattern, &[pattern]);
    }
}
