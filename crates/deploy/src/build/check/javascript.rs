//! The imports of a JavaScript or TypeScript file, found without running it.
//!
//! A tokenizer that knows strings, templates, comments and regular expressions is enough: only specifiers that
//! stand in the text can be judged anyway. Each import says whether it certainly runs when the file is loaded;
//! one inside a function, a branch or a `try` may never run.

use std::path::Path;

use super::tokens::{Kind, Token, tokens};
use crate::diagnostic::Span;

/// An import whose specifier stands in the text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Import {
    /// `./x`, `lodash/fp`, `node:fs`
    pub(crate) specifier: String,
    /// From 1.
    pub(crate) line: u32,
    /// From 1.
    pub(crate) column: u32,
    /// Whether loading the file certainly runs it.
    pub(crate) certain: bool,
}

impl Import {
    /// Where the specifier stands.
    pub(crate) fn span_in(&self, file: &Path) -> Span {
        Span {
            file: file.into(),
            line: self.line,
            column: self.column,
        }
    }
}

/// The imports of the file in the order they stand.
pub(crate) fn imports(text: &str) -> Vec<Import> {
    let tokens = tokens(text);
    let mut blocks = Blocks::default();
    let mut found = Vec::new();
    for at in 0..tokens.len() {
        blocks.step(&tokens, at);
        let Some((string, loads)) = specifier(&tokens, at) else {
            continue;
        };
        if let Kind::String(specifier) = &string.kind {
            found.push(Import {
                specifier: specifier.clone(),
                line: string.line,
                column: string.column,
                certain: loads && blocks.depth() == 0,
            });
        }
    }
    found
}

/// Whether the file is written as an ES module.
pub(crate) fn is_module(text: &str) -> bool {
    let tokens = tokens(text);
    let starts_statement = |at: usize| {
        let before = at.checked_sub(1).and_then(|before| tokens.get(before));
        before.is_none_or(|before| {
            before.is(';') || before.is('}') || before.is(')') || before.line < line(&tokens, at)
        })
    };
    (0..tokens.len()).any(|at| {
        let next = |c: char| tokens.get(at + 1).is_some_and(|token| token.is(c));
        match tokens.get(at).and_then(Token::word) {
            Some("import") => starts_statement(at) && !next('(') && !next('.'),
            Some("export") => starts_statement(at) && !next('=') && !next('.') && !next(':') && !next(','),
            _ => false,
        }
    })
}

fn line(tokens: &[Token], at: usize) -> u32 {
    tokens.get(at).map_or(0, |token| token.line)
}

/// Whether the file's exports can be told from its text: not when it passes on those of another file, or
/// computes them.
pub(crate) fn exports_are_visible(text: &str) -> bool {
    let tokens = tokens(text);
    (0..tokens.len()).all(|at| {
        let word = tokens.get(at).and_then(Token::word);
        let next = |ahead: usize| tokens.get(at + ahead);
        let is = |ahead: usize, c: char| next(ahead).is_some_and(|token| token.is(c));
        match word {
            Some("export") => !is(1, '*'),
            Some("exports") if is(1, '=') && !is(2, '=') => is(2, '{'),
            Some("exports") => !is(1, '['),
            Some(
                "__exportStar" | "__export" | "defineProperty" | "assign" | "__reExport" | "__toCommonJS",
            ) => false,
            _ => true,
        }
    })
}

/// Whether `name` stands in the text as a word, also inside strings.
pub(crate) fn mentions(text: &str, name: &str) -> bool {
    let inside_word = |c: char| c.is_alphanumeric() || c == '_' || c == '$';
    text.match_indices(name).any(|(at, _)| {
        let before = text.get(..at).and_then(|rest| rest.chars().next_back());
        let after = text.get(at + name.len()..).and_then(|rest| rest.chars().next());
        !before.is_some_and(inside_word) && !after.is_some_and(inside_word)
    })
}

/// How many blocks that may not run the current token is inside of.
#[derive(Debug, Default)]
struct Blocks(Vec<bool>);

impl Blocks {
    fn depth(&self) -> usize {
        self.0.iter().filter(|counts| **counts).count()
    }

    /// Opens or closes a brace. Object literals and destructuring run with what they stand in.
    fn step(&mut self, tokens: &[Token], at: usize) {
        let Some(token) = tokens.get(at) else {
            return;
        };
        if token.is('{') {
            let before = at.checked_sub(1).and_then(|before| tokens.get(before));
            self.0.push(before.is_some_and(opens_block));
        } else if token.is('}') {
            self.0.pop();
        }
    }
}

/// Whether a brace after this token holds statements.
fn opens_block(before: &Token) -> bool {
    let declares = [
        "import", "export", "const", "let", "var", "return", "default", "type", "typeof", "in", "of",
    ];
    match before.word() {
        Some(word) => !declares.contains(&word),
        None => before.is(')') || before.is('>'),
    }
}

/// The specifier that the statement or call at `at` imports, and whether it runs where it stands.
fn specifier(tokens: &[Token], at: usize) -> Option<(&Token, bool)> {
    let before = at.checked_sub(1).and_then(|before| tokens.get(before));
    if before.is_some_and(|token| token.is('.')) {
        return None;
    }
    match tokens.get(at)?.word()? {
        "require" => call_argument(tokens, at).map(|string| (string, before.is_none_or(runs_at_once))),
        "import" if call_argument(tokens, at).is_some() => {
            let awaited = before.and_then(Token::word) == Some("await");
            call_argument(tokens, at).map(|string| (string, awaited))
        }
        "import" => statement_source(tokens, at).map(|string| (string, true)),
        "export" => export_source(tokens, at).map(|string| (string, true)),
        _ => None,
    }
}

/// The only string of `word ( "…" )`.
fn call_argument(tokens: &[Token], at: usize) -> Option<&Token> {
    let string = tokens.get(at + 2)?;
    let is_call = tokens.get(at + 1)?.is('(') && tokens.get(at + 3)?.is(')');
    (is_call && matches!(string.kind, Kind::String(_))).then_some(string)
}

/// Not after `=>`, `&&`, `||`, `?`, `:` or the condition of an `if`: those may skip it.
fn runs_at_once(before: &Token) -> bool {
    !['>', '&', '|', '?', ':', ')'].into_iter().any(|c| before.is(c))
}

/// `import "x"` or `import … from "x"`; none for `import type`.
fn statement_source(tokens: &[Token], at: usize) -> Option<&Token> {
    let first = tokens.get(at + 1)?;
    if matches!(first.kind, Kind::String(_)) {
        return Some(first);
    }
    let names_type = first.word() == Some("type");
    let type_itself = tokens
        .get(at + 2)
        .is_some_and(|token| token.is(',') || token.word() == Some("from"));
    if names_type && !type_itself {
        return None;
    }
    source_after_from(tokens.get(at + 1..)?)
}

/// `export * from "x"` or `export { a } from "x"`.
fn export_source(tokens: &[Token], at: usize) -> Option<&Token> {
    let first = tokens.get(at + 1)?;
    (first.is('*') || first.is('{')).then(|| source_after_from(tokens.get(at + 1..)?))?
}

/// The string after the `from` that ends the names.
fn source_after_from(tokens: &[Token]) -> Option<&Token> {
    for (at, token) in tokens.iter().enumerate() {
        let next = tokens.get(at + 1);
        if token.word() == Some("from")
            && let Some(Kind::String(_)) = next.map(|next| &next.kind)
        {
            return next;
        }
        let belongs = token.word().is_some()
            || ['{', '}', ',', '*'].into_iter().any(|c| token.is(c))
            || matches!(token.kind, Kind::String(_));
        if !belongs {
            return None;
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expected: &[(&str, bool)]) {
        let found = imports(text);
        let found: Vec<_> = found
            .iter()
            .map(|import| (import.specifier.as_str(), import.certain))
            .collect();
        assert_eq!(found, expected, "{text}");
    }

    #[test]
    fn statements_are_certain() {
        check("import a from 'a'; import 'b'", &[("a", true), ("b", true)]);
        check("import { x, y as z } from \"@s/p/q\"", &[("@s/p/q", true)]);
        check(
            "import d, * as n from 'm'\nexport * from './e'",
            &[("m", true), ("./e", true)],
        );
        check(
            "export { x } from './x'\nexport const from = 'no'",
            &[("./x", true)],
        );
        check(
            "import type { T } from 'types'; import type from 't'",
            &[("t", true)],
        );
    }

    #[test]
    fn calls_at_the_top_are_certain() {
        check("const { a } = require('a').b", &[("a", true)]);
        check("module.exports = { h: require('h') }", &[("h", false)]);
        check(
            "const all = [require('a'), require('b')]",
            &[("a", true), ("b", true)],
        );
        check("exports.x = wrap(require('x'))", &[("x", true)]);
    }

    #[test]
    fn what_may_not_run_is_not() {
        check(
            "try { require('a') } catch { require('b') }",
            &[("a", false), ("b", false)],
        );
        check("const f = () => require('a')", &[("a", false)]);
        check("function f() { return require('a') }", &[("a", false)]);
        check("exports.h = async () => { await import('a') }", &[("a", false)]);
        check(
            "const a = x && require('a'); if (y) require('b')",
            &[("a", false), ("b", false)],
        );
        check(
            "import('a'); const b = await import('b')",
            &[("a", false), ("b", true)],
        );
    }

    #[test]
    fn texts_that_only_look_like_imports_are_not() {
        check(
            "// require('a')\n/* import 'b' */ 'require(\"c\")'; `require('d')`",
            &[],
        );
        check("x.require('a'); require(name); /require('b')/.test(y)", &[]);
        check("`${require('a')}`", &[("a", true)]);
    }

    #[test]
    fn places_count_from_one() {
        let found = imports("const a = 1;\n  const b = require('b');");
        assert_eq!((found[0].line, found[0].column), (2, 21));
    }

    #[test]
    fn passed_on_exports_are_recognised() {
        assert!(exports_are_visible("exports.handler = 1; module.exports = { a }"));
        assert!(exports_are_visible("export const handler = 1"));
        assert!(!exports_are_visible("module.exports = require('./impl')"));
        assert!(!exports_are_visible("export * from './impl'"));
        assert!(!exports_are_visible("Object.assign(exports, x)"));
        assert!(!exports_are_visible("exports[name] = x"));
    }

    #[test]
    fn modules_are_told_by_their_statements() {
        assert!(is_module("'use strict';\nimport a from 'a'"));
        assert!(is_module("const a = 1\nexport { a }"));
        assert!(!is_module(
            "const a = import('a'); import('b')\nimport.meta; x.export = 1"
        ));
        assert!(!is_module("// import a from 'a'\nmodule.exports = { export: 1 }"));
    }

    #[test]
    fn a_name_is_a_whole_word() {
        assert!(mentions("exports.hello = 1", "hello"));
        assert!(!mentions("exports.hello2 = 1; say_hello()", "hello"));
    }
}
