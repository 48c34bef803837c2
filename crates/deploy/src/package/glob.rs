//! One glob pattern, with the meaning the `package` section of serverless.yml gives it.
//!
//! The reference matches with micromatch and `dot: true`. Its extended groups (`!(a|b)`, `+(x)`) have no
//! counterpart in the glob crates, and the walk must also ask of a directory "is everything below it matched"
//! and "may anything below it match", so patterns are kept as segments and matched here.
//!
//! Invariants: a pattern never matches across `/` except through a whole `**` segment; dot files are ordinary
//! names; matching takes time polynomial in the length of the path whatever the pattern.

use super::braces;

/// A parsed pattern: the segments of each alternative that brace expansion gave.
#[derive(Clone, Debug)]
pub(crate) struct Glob {
    alternatives: Vec<Vec<Segment>>,
}

#[derive(Clone, Debug)]
enum Segment {
    /// `**`: any number of directories, also none.
    AnyDepth,
    Literal(Box<str>),
    Wild(Vec<Token>),
}

#[derive(Clone, Debug)]
enum Token {
    Char(char),
    AnyChar,
    AnyRun,
    Class {
        negated: bool,
        ranges: Vec<(char, char)>,
    },
    Group {
        kind: GroupKind,
        options: Vec<Vec<Token>>,
    },
}

/// The character before the parenthesis of an extended group.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum GroupKind {
    /// `@(a|b)`
    Once,
    /// `?(a|b)`
    Optional,
    /// `*(a|b)`
    Many,
    /// `+(a|b)`
    AtLeastOnce,
    /// `!(a|b)`
    Not,
}

impl Glob {
    /// Reads a pattern; every text is one. A leading `./` and doubled slashes say nothing and are dropped.
    pub(crate) fn parse(text: &str) -> Self {
        let alternatives = braces::expand(text)
            .iter()
            .map(|text| parse_segments(text))
            .collect();
        Self { alternatives }
    }

    /// Whether the path with these segments is matched.
    pub(crate) fn matches(&self, path: &[&str]) -> bool {
        self.alternatives
            .iter()
            .any(|segments| matches_path(segments, path))
    }

    /// Whether every file below this directory is certainly matched.
    pub(crate) fn covers(&self, directory: &[&str]) -> bool {
        self.alternatives
            .iter()
            .any(|segments| covers_path(segments, directory))
    }

    /// Whether some file below this directory could be matched.
    pub(crate) fn may_match_below(&self, directory: &[&str]) -> bool {
        self.alternatives
            .iter()
            .any(|segments| reaches_below(segments, directory))
    }
}

/// The pattern that matches `path` by its letters.
pub(crate) fn escaped(path: &str) -> String {
    let special = |c: char| "*?[{(\\".contains(c);
    path.chars().fold(String::new(), |mut pattern, c| {
        if special(c) {
            pattern.push('\\');
        }
        pattern.push(c);
        pattern
    })
}

fn matches_path(pattern: &[Segment], path: &[&str]) -> bool {
    match pattern.split_first() {
        None => path.is_empty(),
        Some((Segment::AnyDepth, rest)) => {
            rest.is_empty() || path_tails(path).any(|tail| matches_path(rest, tail))
        }
        Some((segment, rest)) => path
            .split_first()
            .is_some_and(|(name, tail)| segment.matches(name) && matches_path(rest, tail)),
    }
}

/// `path` itself, then without its first segment, and so on to the empty path.
fn path_tails<'a, 'b>(path: &'a [&'b str]) -> impl Iterator<Item = &'a [&'b str]> {
    (0..=path.len()).filter_map(|from| path.get(from..))
}

fn covers_path(pattern: &[Segment], directory: &[&str]) -> bool {
    match pattern {
        [.., Segment::AnyDepth] => matches_path(pattern, directory),
        [head @ .., Segment::Wild(last)] if matches!(last.as_slice(), [Token::AnyRun]) => {
            matches!(head, [.., Segment::AnyDepth]) && matches_path(head, directory)
        }
        _ => false,
    }
}

fn reaches_below(pattern: &[Segment], directory: &[&str]) -> bool {
    match (pattern.split_first(), directory.split_first()) {
        (None, _) => false,
        (Some((Segment::AnyDepth, _)), _) | (Some(_), None) => true,
        (Some((segment, rest)), Some((name, tail))) => segment.matches(name) && reaches_below(rest, tail),
    }
}

impl Segment {
    fn matches(&self, name: &str) -> bool {
        match self {
            Self::AnyDepth => true,
            Self::Literal(literal) => **literal == *name,
            Self::Wild(tokens) => plausible(tokens, name) && matches_tokens(tokens, name),
        }
    }
}

/// A cheap refusal before the real match: the first and last literal characters must be there.
fn plausible(tokens: &[Token], name: &str) -> bool {
    let starts = match tokens.first() {
        Some(Token::Char(c)) => name.starts_with(*c),
        _ => true,
    };
    let ends = match tokens.last() {
        Some(Token::Char(c)) => name.ends_with(*c),
        _ => true,
    };
    starts && ends
}

fn matches_tokens(tokens: &[Token], name: &str) -> bool {
    let text: Vec<char> = name.chars().collect();
    let mut start = vec![false; text.len() + 1];
    if let Some(first) = start.first_mut() {
        *first = true;
    }
    advance(tokens, &text, start).last().copied().unwrap_or(false)
}

/// The positions reachable after `tokens` from the positions in `from`; index = characters consumed.
fn advance(tokens: &[Token], text: &[char], from: Vec<bool>) -> Vec<bool> {
    tokens
        .iter()
        .fold(from, |positions, token| step(token, text, &positions))
}

fn step(token: &Token, text: &[char], from: &[bool]) -> Vec<bool> {
    match token {
        Token::Char(wanted) => shifted(text, from, |c| c == *wanted),
        Token::AnyChar => shifted(text, from, |_| true),
        Token::Class { negated, ranges } => shifted(text, from, |c| {
            ranges.iter().any(|(low, high)| (*low..=*high).contains(&c)) != *negated
        }),
        Token::AnyRun => onwards(from),
        Token::Group { kind, options } => group(*kind, options, text, from),
    }
}

/// One character consumed wherever it satisfies `accepts`.
fn shifted(text: &[char], from: &[bool], accepts: impl Fn(char) -> bool) -> Vec<bool> {
    let consumed = text
        .iter()
        .zip(from)
        .map(|(c, reachable)| *reachable && accepts(*c));
    std::iter::once(false).chain(consumed).collect()
}

/// Every position at or after a reachable one.
fn onwards(from: &[bool]) -> Vec<bool> {
    from.iter()
        .scan(false, |seen, reachable| {
            *seen |= *reachable;
            Some(*seen)
        })
        .collect()
}

fn group(kind: GroupKind, options: &[Vec<Token>], text: &[char], from: &[bool]) -> Vec<bool> {
    match kind {
        GroupKind::Once => one_of(options, text, from),
        GroupKind::Optional => union(from, &one_of(options, text, from)),
        GroupKind::AtLeastOnce => repeated(options, text, one_of(options, text, from)),
        GroupKind::Many => repeated(options, text, from.to_vec()),
        GroupKind::Not => none_of(options, text, from),
    }
}

fn one_of(options: &[Vec<Token>], text: &[char], from: &[bool]) -> Vec<bool> {
    options.iter().fold(vec![false; from.len()], |all, option| {
        union(&all, &advance(option, text, from.to_vec()))
    })
}

/// The positions after any number of further rounds of the group, also none.
fn repeated(options: &[Vec<Token>], text: &[char], mut reached: Vec<bool>) -> Vec<bool> {
    loop {
        let more = union(&reached, &one_of(options, text, &reached));
        if more == reached {
            return reached;
        }
        reached = more;
    }
}

/// From each position, every end except those where an option matches exactly.
fn none_of(options: &[Vec<Token>], text: &[char], from: &[bool]) -> Vec<bool> {
    let mut reached = vec![false; from.len()];
    for start in (0..from.len()).filter(|at| from.get(*at) == Some(&true)) {
        let mut alone = vec![false; from.len()];
        if let Some(position) = alone.get_mut(start) {
            *position = true;
        }
        let refused = one_of(options, text, &alone);
        for (at, position) in reached.iter_mut().enumerate().skip(start) {
            *position |= refused.get(at) != Some(&true);
        }
    }
    reached
}

fn union(a: &[bool], b: &[bool]) -> Vec<bool> {
    a.iter().zip(b).map(|(a, b)| *a || *b).collect()
}

fn parse_segments(text: &str) -> Vec<Segment> {
    let text = text.strip_prefix("./").unwrap_or(text);
    let mut segments: Vec<Segment> = Vec::new();
    let absolute = text.starts_with('/');
    for part in text.split('/').filter(|part| !part.is_empty() && *part != ".") {
        let segment = parse_segment(part);
        let doubled =
            matches!(segment, Segment::AnyDepth) && matches!(segments.last(), Some(Segment::AnyDepth));
        if !doubled {
            segments.push(segment);
        }
    }
    if absolute || text.ends_with('/') {
        // Paths in a package are relative files: an absolute or a directory pattern matches none of them.
        segments.insert(0, Segment::Literal("".into()));
    }
    segments
}

fn parse_segment(part: &str) -> Segment {
    if part == "**" {
        return Segment::AnyDepth;
    }
    if !part.contains(['*', '?', '[', '(', '\\']) {
        return Segment::Literal(part.into());
    }
    let chars: Vec<char> = part.chars().collect();
    let mut reader = Reader { chars: &chars, at: 0 };
    Segment::Wild(reader.tokens(false))
}

struct Reader<'a> {
    chars: &'a [char],
    at: usize,
}

impl Reader<'_> {
    fn peek(&self, ahead: usize) -> Option<char> {
        self.chars.get(self.at + ahead).copied()
    }

    /// Tokens to the end, or to the `|` or `)` that ends an option of a group.
    fn tokens(&mut self, in_group: bool) -> Vec<Token> {
        let mut tokens = Vec::new();
        while let Some(c) = self.peek(0) {
            if in_group && matches!(c, '|' | ')') {
                break;
            }
            let token = self.token(c);
            let repeated = matches!(token, Token::AnyRun) && matches!(tokens.last(), Some(Token::AnyRun));
            if !repeated {
                tokens.push(token);
            }
        }
        tokens
    }

    fn token(&mut self, c: char) -> Token {
        if let Some(group) = self.group(c) {
            return group;
        }
        self.at += 1;
        match c {
            '*' => Token::AnyRun,
            '?' => Token::AnyChar,
            '[' => self.class().unwrap_or(Token::Char('[')),
            '\\' => match self.peek(0) {
                Some(escaped) => {
                    self.at += 1;
                    Token::Char(escaped)
                }
                None => Token::Char('\\'),
            },
            other => Token::Char(other),
        }
    }

    /// An extended group, when `c` opens one that is also closed.
    fn group(&mut self, c: char) -> Option<Token> {
        let kind = match c {
            '@' => GroupKind::Once,
            '?' => GroupKind::Optional,
            '*' => GroupKind::Many,
            '+' => GroupKind::AtLeastOnce,
            '!' => GroupKind::Not,
            _ => return None,
        };
        if self.peek(1) != Some('(') {
            return None;
        }
        let start = self.at;
        self.at += 2;
        let mut options = vec![self.tokens(true)];
        while self.peek(0) == Some('|') {
            self.at += 1;
            options.push(self.tokens(true));
        }
        if self.peek(0) != Some(')') {
            self.at = start;
            return None;
        }
        self.at += 1;
        Some(Token::Group { kind, options })
    }

    /// The rest of a class whose `[` has been read; `None` (nothing consumed) when it is never closed.
    fn class(&mut self) -> Option<Token> {
        let start = self.at;
        let negated = matches!(self.peek(0), Some('!' | '^'));
        self.at += usize::from(negated);
        let mut ranges = Vec::new();
        loop {
            let Some(low) = self.peek(0) else {
                self.at = start;
                return None;
            };
            self.at += 1;
            if low == ']' && !ranges.is_empty() {
                return Some(Token::Class { negated, ranges });
            }
            let high = match (self.peek(0), self.peek(1)) {
                (Some('-'), Some(high)) if high != ']' => {
                    self.at += 2;
                    high
                }
                _ => low,
            };
            ranges.push((low, high));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts(path: &str) -> Vec<&str> {
        path.split('/').collect()
    }

    fn matches(pattern: &str, path: &str) -> bool {
        Glob::parse(pattern).matches(&parts(path))
    }

    #[track_caller]
    fn check(pattern: &str, yes: &[&str], no: &[&str]) {
        for path in yes {
            assert!(matches(pattern, path), "{pattern} should match {path}");
        }
        for path in no {
            assert!(!matches(pattern, path), "{pattern} should not match {path}");
        }
    }

    #[test]
    fn stars_stay_in_their_segment() {
        check("*.js", &["a.js", ".js", ".a.js"], &["src/a.js", "a.jsx"]);
        check("src/*", &["src/a", "src/.env"], &["src/a/b", "src", "lib/a"]);
        check("a?c", &["abc", "a.c"], &["ac", "abbc"]);
        check("a**z", &["az", "abcz"], &["a/z"]);
    }

    #[test]
    fn a_double_star_spans_any_depth() {
        check("**", &["a", "a/b/c", ".a/.b"], &[]);
        check(
            "node_modules/**",
            &["node_modules/a", "node_modules/a/b", "node_modules"],
            &["a/node_modules/b", "node_modules2/a"],
        );
        check("**/*.md", &["a.md", "x/y/.z.md"], &["a.mdx"]);
        check(
            "src/**/test.js",
            &["src/test.js", "src/a/b/test.js"],
            &["test.js", "src/test.jsx"],
        );
        check("**/test/**", &["test/a", "a/test/b/c"], &["testing/a"]);
    }

    #[test]
    fn dot_files_are_ordinary_names() {
        check("*", &[".env"], &[]);
        check(".git/**", &[".git/HEAD"], &["a.git/HEAD", ".gitignore"]);
        check("**/.DS_Store", &[".DS_Store", "a/b/.DS_Store"], &[]);
    }

    #[test]
    fn braces_give_alternatives() {
        check("*.{js,ts}", &["a.js", "a.ts"], &["a.py", "a.{js,ts}"]);
        check("{src,lib}/**", &["src/a", "lib/b/c"], &["bin/a"]);
        check("file{1..3}.txt", &["file1.txt", "file3.txt"], &["file4.txt"]);
    }

    #[test]
    fn classes_and_escapes() {
        check("[abc].js", &["a.js"], &["d.js", "ab.js"]);
        check("[!a-c].js", &["d.js"], &["b.js"]);
        check("\\[id\\].js", &["[id].js"], &["i.js"]);
        check("[id.js", &["[id.js"], &["i.js"]);
        check("[]a].js", &["].js", "a.js"], &["b.js"]);
    }

    #[test]
    fn extended_groups() {
        check("!(*.test).js", &["a.js"], &["a.test.js"]);
        check("src/!(a|b)/**", &["src/c/x"], &["src/a/x", "src/b/y"]);
        check("+(ab|c).js", &["ab.js", "abcab.js"], &[".js", "a.js"]);
        check("a?(b)c", &["ac", "abc"], &["abbc"]);
        check("*(a|b)", &["abba"], &["abc"]);
        check("@(x|y)", &["x", "y"], &["xy"]);
        check("a(b", &["a(b"], &["ab"]);
    }

    #[test]
    fn useless_prefixes_are_dropped_and_rooted_patterns_match_nothing() {
        check("./**", &["a/b"], &[]);
        check("./src//a.js", &["src/a.js"], &[]);
        check("/src/**", &[], &["src/a.js"]);
        check("src/", &[], &["src", "src/a"]);
    }

    #[test]
    fn an_escaped_path_matches_itself_only() {
        let path = "a*b/[id]/{x,y}/(z)";
        assert!(matches(&escaped(path), path));
        assert!(!matches(&escaped("a*"), "ab"));
    }

    #[test]
    fn whole_directories_are_recognised() {
        let covers = |pattern: &str, dir: &str| Glob::parse(pattern).covers(&parts(dir));
        assert!(covers("node_modules/**", "node_modules"));
        assert!(covers("node_modules/**", "node_modules/a/b"));
        assert!(covers("node_modules/**/*", "node_modules/a"));
        assert!(covers("**/test/**", "a/test"));
        assert!(covers("**", "a"));
        assert!(!covers("node_modules/*", "node_modules"));
        assert!(!covers("node_modules/**/*.md", "node_modules"));
        assert!(!covers("src/**", "lib"));
    }

    #[test]
    fn a_directory_is_entered_only_where_something_below_may_match() {
        let below = |pattern: &str, dir: &str| Glob::parse(pattern).may_match_below(&parts(dir));
        assert!(below("node_modules/a/**", "node_modules"));
        assert!(below("node_modules/a/**", "node_modules/a/lib"));
        assert!(!below("node_modules/a/**", "node_modules/b"));
        assert!(below("**/*.md", "x"));
        assert!(!below("*.js", "x"));
        assert!(!below("src/a.js", "src/a.js"));
    }
}
