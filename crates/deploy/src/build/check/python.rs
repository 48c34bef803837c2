//! The imports of a Python file, found without running it.
//!
//! Strings and comments are blanked, lines that brackets or a backslash continue are joined; what then begins
//! with `import` or `from` is one. An import at the left margin certainly runs; an indented one may not.

/// An import statement's target.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Import {
    /// `a.b` of `import a.b` and `from a.b import c`; empty in `from . import c`.
    pub(super) module: String,
    /// The dots before it.
    pub(super) level: usize,
    /// `c` of `from a.b import c`.
    pub(super) names: Vec<String>,
    /// From 1.
    pub(super) line: u32,
    /// From 1.
    pub(super) column: u32,
    /// Whether loading the file certainly runs it.
    pub(super) certain: bool,
}

impl Import {
    /// `a` of `a.b`.
    pub(super) fn top(&self) -> &str {
        self.module.split('.').next().unwrap_or_default()
    }
}

/// The imports of the file in the order they stand; those only a type checker sees are left out.
pub(super) fn imports(text: &str) -> Vec<Import> {
    let mut found = Vec::new();
    let mut outer = String::new();
    for Statement { text, line, indent } in statements(&blanked(text)) {
        if indent == 0 {
            outer = text.clone();
        }
        let never =
            outer.starts_with("if") && (outer.contains("TYPE_CHECKING") || outer.contains("__name__"));
        if indent > 0 && never {
            continue;
        }
        for part in text.split(';') {
            let imports = parse(part.trim());
            found.extend(imports.into_iter().map(|import| Import {
                line,
                column: u32::try_from(indent + 1).unwrap_or(1),
                certain: indent == 0,
                ..import
            }));
        }
    }
    found
}

/// One statement on one line.
struct Statement {
    text: String,
    line: u32,
    indent: usize,
}

fn statements(text: &str) -> Vec<Statement> {
    let mut found: Vec<Statement> = Vec::new();
    let mut open = 0_usize;
    let mut continued = false;
    for (line, number) in text.lines().zip(1_u32..) {
        let content = line.trim();
        let joined = open > 0 || continued;
        let opened = content.matches(['(', '[', '{']).count();
        open = (open + opened).saturating_sub(content.matches([')', ']', '}']).count());
        continued = content.ends_with('\\');
        let content = content.trim_end_matches('\\');
        match found.last_mut() {
            Some(last) if joined => last.text += &format!(" {content}"),
            _ if content.is_empty() => {}
            _ => found.push(Statement {
                text: content.to_owned(),
                line: number,
                indent: line.chars().take_while(|c| c.is_whitespace()).count(),
            }),
        }
    }
    found
}

fn parse(statement: &str) -> Vec<Import> {
    if let Some(modules) = statement.strip_prefix("import ") {
        return modules
            .split(',')
            .map(|module| import(first_word(module), 0, Vec::new()))
            .collect();
    }
    let Some((source, names)) = statement
        .strip_prefix("from ")
        .and_then(|rest| rest.split_once(" import"))
    else {
        return Vec::new();
    };
    let source = source.replace(' ', "");
    let module = source.trim_start_matches('.');
    let level = source.len() - module.len();
    let names = names.replace(['(', ')'], " ");
    let names = names
        .split(',')
        .map(|name| first_word(name).to_owned())
        .filter(|name| !name.is_empty());
    vec![import(module, level, names.collect())]
}

fn import(module: &str, level: usize, names: Vec<String>) -> Import {
    Import {
        module: module.to_owned(),
        level,
        names,
        line: 0,
        column: 0,
        certain: false,
    }
}

fn first_word(text: &str) -> &str {
    text.split_whitespace().next().unwrap_or_default()
}

/// The text with the contents of strings and comments left out, line breaks kept.
fn blanked(text: &str) -> String {
    let chars: Vec<char> = text.chars().collect();
    let mut clean = String::with_capacity(text.len());
    let mut at = 0;
    while let Some(&c) = chars.get(at) {
        match c {
            '#' => {
                let rest = chars.get(at..).unwrap_or_default();
                at += rest.iter().take_while(|c| **c != '\n').count();
            }
            '"' | '\'' => at = skip_string(&chars, at, c, &mut clean),
            _ => {
                clean.push(c);
                at += 1;
            }
        }
    }
    clean
}

/// Skips the string that opens at `from`, keeping its line breaks; gives the position after it.
fn skip_string(chars: &[char], from: usize, quote: char, clean: &mut String) -> usize {
    let is_triple = |at: usize| (at..at + 3).all(|at| chars.get(at) == Some(&quote));
    let triple = is_triple(from);
    let mut at = from + if triple { 3 } else { 1 };
    // The quotes stay, so that a blanked string is still an expression.
    clean.push_str("''");
    while let Some(&c) = chars.get(at) {
        match c {
            '\\' => {
                if chars.get(at + 1) == Some(&'\n') {
                    clean.push('\n');
                }
                at += 2;
                continue;
            }
            '\n' => {
                if !triple {
                    return at;
                }
                // An open string continues its line as an open bracket does.
                clean.push_str("\\\n");
            }
            _ if c == quote && triple && is_triple(at) => return at + 3,
            _ if c == quote && !triple => return at + 1,
            _ => {}
        }
        at += 1;
    }
    at
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expected: &[(&str, usize, bool)]) {
        let found = imports(text);
        let found: Vec<_> = found
            .iter()
            .map(|import| (import.module.as_str(), import.level, import.certain))
            .collect();
        assert_eq!(found, expected, "{text}");
    }

    #[test]
    fn statements_of_all_forms() {
        check(
            "import os, a.b as c\nimport d; x = 1",
            &[("os", 0, true), ("a.b", 0, true), ("d", 0, true)],
        );
        check(
            "from a.b import (c,\n  d as e)\nfrom . import f",
            &[("a.b", 0, true), ("", 1, true)],
        );
        check("from ..p import q", &[("p", 2, true)]);
        let found = imports("from a import (b,  # why\n  c as d,\n)");
        assert_eq!(found[0].names, ["b", "c"]);
    }

    #[test]
    fn indented_imports_may_not_run() {
        check(
            "try:\n  import a\nexcept ImportError:\n  a = None",
            &[("a", 0, false)],
        );
        check(
            "def f():\n    import a\nimport b",
            &[("a", 0, false), ("b", 0, true)],
        );
    }

    #[test]
    fn imports_for_type_checkers_are_none() {
        check(
            "if TYPE_CHECKING:\n  import a\nif typing.TYPE_CHECKING:\n  from b import c\nimport d",
            &[("d", 0, true)],
        );
        check("if __name__ == '__main__':\n  import a", &[]);
    }

    #[test]
    fn strings_and_comments_are_none() {
        check(
            "'''\nimport a\n'''\n# import b\nx = \"\"\"\nfrom c import d\\\"\"\"\"\nimport e",
            &[("e", 0, true)],
        );
        check("x = '\\'; import a'\nimport b", &[("b", 0, true)]);
        check("text = f'{x}' \\\n  'import a'", &[]);
    }

    #[test]
    fn places_count_from_one() {
        let found = imports("x = 1\n\nif x:\n  import a");
        assert_eq!((found[0].line, found[0].column), (4, 3));
    }
}
