//! `.env` files: `KEY=value` lines, quotes, comments, `${OTHER}` inside values.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// The variables of `.env.<stage>`, or of `.env` when that file is absent, and the file they are from.
/// What `environment` has already is not overridden, but serves `${OTHER}`.
pub(super) fn load(
    dir: &Path,
    stage: &str,
    environment: &BTreeMap<String, String>,
) -> Option<(PathBuf, BTreeMap<String, String>)> {
    let candidates = [dir.join(format!(".env.{stage}")), dir.join(".env")];
    let file = candidates.into_iter().find(|file| file.is_file())?;
    let text = std::fs::read_to_string(&file).ok()?;
    Some((file, parse(&text, environment)))
}

fn parse(text: &str, environment: &BTreeMap<String, String>) -> BTreeMap<String, String> {
    let mut variables = BTreeMap::new();
    let mut lines = text.lines();
    while let Some(line) = lines.next() {
        let line = line.trim_start();
        let line = line.strip_prefix("export ").unwrap_or(line);
        let Some((key, rest)) = line.split_once('=').filter(|_| !line.starts_with('#')) else {
            continue;
        };
        let key = key.trim();
        let named = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '-');
        if key.is_empty() || !key.chars().all(named) {
            continue;
        }
        let (value, expands) = value(rest.trim_start(), &mut lines);
        let value = if expands {
            expand(&value, &variables, environment)
        } else {
            value
        };
        variables.insert(key.to_owned(), value);
    }
    variables.retain(|key, _| !environment.contains_key(key));
    variables
}

/// The value that starts with `rest`, and whether `${…}` counts in it. Quoted values may run on over
/// following lines.
fn value<'a>(rest: &'a str, lines: &mut impl Iterator<Item = &'a str>) -> (String, bool) {
    let Some(quote) = rest.chars().next().filter(|c| matches!(c, '"' | '\'' | '`')) else {
        let comment = rest.find(" #").or_else(|| rest.starts_with('#').then_some(0));
        let plain = rest.get(..comment.unwrap_or(rest.len())).unwrap_or_default();
        return (plain.trim_end().to_owned(), true);
    };
    let mut text = rest.get(1..).unwrap_or_default().to_owned();
    let end = loop {
        if let Some(end) = text.find(quote) {
            break end;
        }
        match lines.next() {
            Some(line) => {
                text.push('\n');
                text.push_str(line);
            }
            None => break text.len(),
        }
    };
    text.truncate(end);
    if quote == '"' {
        text = text.replace("\\n", "\n").replace("\\r", "\r");
    }
    (text, quote != '\'')
}

/// Replaces `${NAME}` and `$NAME`; `\$` is a dollar sign.
fn expand(value: &str, own: &BTreeMap<String, String>, environment: &BTreeMap<String, String>) -> String {
    let mut expanded = String::new();
    let mut rest = value;
    while let Some((before, after)) = rest.split_once('$') {
        if let Some(escaped) = before.strip_suffix('\\') {
            expanded.push_str(escaped);
            expanded.push('$');
            rest = after;
            continue;
        }
        expanded.push_str(before);
        let (name, remaining) = variable_name(after);
        match name {
            Some(name) => {
                expanded.push_str(environment.get(name).or(own.get(name)).map_or("", String::as_str))
            }
            None => expanded.push('$'),
        }
        rest = remaining;
    }
    expanded + rest
}

fn variable_name(text: &str) -> (Option<&str>, &str) {
    if let Some((name, rest)) = text.strip_prefix('{').and_then(|text| text.split_once('}')) {
        return (Some(name), rest);
    }
    let end = text
        .find(|c: char| !c.is_ascii_alphanumeric() && c != '_')
        .unwrap_or(text.len());
    match text.split_at_checked(end) {
        Some((name, rest)) if !name.is_empty() => (Some(name), rest),
        _ => (None, text),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_become_variables() {
        let text = "# a comment\nA=1\nexport B = two words # not this\nC='${A} \"x\"'\nD=\"${A}-$HOME\\nnext\"\n\
                    E=\nnot a line\nF=\"over\ntwo lines\"\nG=a#b\nH=\\$A\nHOME=ignored\n";
        let environment = BTreeMap::from([("HOME".to_owned(), "/h".to_owned())]);
        let expected = [
            ("A", "1"),
            ("B", "two words"),
            ("C", "${A} \"x\""),
            ("D", "1-/h\nnext"),
            ("E", ""),
            ("F", "over\ntwo lines"),
            ("G", "a#b"),
            ("H", "$A"),
        ];
        let expected = expected
            .iter()
            .map(|(k, v)| ((*k).to_owned(), (*v).to_owned()))
            .collect();
        assert_eq!(parse(text, &environment), expected);
    }

    #[test]
    fn the_stage_s_own_file_comes_first_and_alone() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join(".env"), "A=all\nB=all\n").unwrap();
        std::fs::write(dir.path().join(".env.prod"), "A=prod\n").unwrap();
        let variables = |stage| load(dir.path(), stage, &BTreeMap::new()).unwrap().1;
        assert_eq!(variables("prod").len(), 1);
        assert_eq!(variables("dev")["A"], "all");
        assert!(load(&dir.path().join("none"), "dev", &BTreeMap::new()).is_none());
    }
}
