//! What is wrong with a project, where, and what to do about it.
//!
//! A [`Diagnostic`] prints as one line (`serverless.yml:12:5: message`); [`Diagnostic::render`] adds
//! the line of the file, a caret and the hint.

use std::fmt;
use std::path::Path;
use std::sync::Arc;

/// A place in a file; lines and columns count characters from 1.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Span {
    /// The file, as a path that can be opened from where the command runs.
    pub file: Arc<Path>,
    /// The line.
    pub line: u32,
    /// The column.
    pub column: u32,
}

impl Span {
    /// The first character of `file`.
    #[must_use]
    pub fn start_of(file: &Path) -> Self {
        Self {
            file: file.into(),
            line: 1,
            column: 1,
        }
    }
}

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown = self.file.strip_prefix("./").unwrap_or(&self.file);
        write!(f, "{}:{}:{}", shown.display(), self.line, self.column)
    }
}

/// Whether a project can be deployed in spite of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Severity {
    /// It cannot.
    Error,
    /// It can, but somebody should look.
    Warning,
}

/// One thing that is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnostic {
    /// How bad it is.
    pub severity: Severity,
    /// What is wrong: lower case, the subject in backticks, no full stop.
    pub message: String,
    /// Where.
    pub span: Option<Span>,
    /// What to do.
    pub hint: Option<String>,
}

impl Diagnostic {
    /// An error without a place.
    #[must_use]
    pub fn error(message: impl Into<String>) -> Self {
        Self {
            severity: Severity::Error,
            message: message.into(),
            span: None,
            hint: None,
        }
    }

    /// A warning without a place.
    #[must_use]
    pub fn warning(message: impl Into<String>) -> Self {
        Self {
            severity: Severity::Warning,
            ..Self::error(message)
        }
    }

    /// The same at `span`.
    #[must_use]
    pub fn at(mut self, span: &Span) -> Self {
        self.span = Some(span.clone());
        self
    }

    /// The same with advice.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// The diagnostic with its line of source, a caret below the place, and the hint. Reads the file;
    /// a file that cannot be read any more is left out.
    #[must_use]
    pub fn render(&self) -> String {
        let source = self.span.as_ref().and_then(source_line);
        let mut text = self.to_string();
        if let (Some(span), Some(line)) = (&self.span, source) {
            let number = span.line.to_string();
            let gutter = " ".repeat(number.len());
            text += &format!(
                "\n {gutter} |\n {number} | {line}\n {gutter} | {}^",
                caret_indent(&line, span)
            );
        }
        if let Some(hint) = &self.hint {
            text += &format!("\nhint: {hint}");
        }
        text
    }
}

impl fmt::Display for Diagnostic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(span) = &self.span {
            write!(f, "{span}: ")?;
        }
        f.write_str(&self.message)
    }
}

/// Everything that is wrong with a project; at least one of them is an error when it is an `Err`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Diagnostics(pub Vec<Diagnostic>);

impl Diagnostics {
    /// As a reader goes through the files: errors before warnings, then by place.
    #[must_use]
    pub fn in_order(diagnostics: impl IntoIterator<Item = Diagnostic>) -> Self {
        let mut all: Vec<_> = diagnostics.into_iter().collect();
        let place = |one: &Diagnostic| {
            let span = one.span.as_ref();
            span.map(|span| (span.file.clone(), span.line, span.column))
        };
        all.sort_by_key(|one| (one.severity, place(one)));
        Self(all)
    }

    /// Whether one of them is an error.
    #[must_use]
    pub fn has_errors(&self) -> bool {
        self.0.iter().any(|d| d.severity == Severity::Error)
    }

    /// The diagnostics in order.
    pub fn iter(&self) -> std::slice::Iter<'_, Diagnostic> {
        self.0.iter()
    }
}

impl From<Diagnostic> for Diagnostics {
    fn from(diagnostic: Diagnostic) -> Self {
        Self(vec![diagnostic])
    }
}

impl fmt::Display for Diagnostics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, diagnostic) in self.0.iter().enumerate() {
            let line_break = if index == 0 { "" } else { "\n" };
            write!(f, "{line_break}{diagnostic}")?;
        }
        Ok(())
    }
}

impl std::error::Error for Diagnostics {}

/// The candidate that is spelt most like `name`, if one is near enough to be meant.
#[must_use]
pub fn nearest<'a>(name: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let tolerated = (name.chars().count() / 3).max(1);
    candidates
        .into_iter()
        .map(|candidate| (edit_distance(name, candidate), candidate))
        .filter(|(distance, _)| *distance <= tolerated)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

/// Insertions, removals, replacements and swaps of neighbours between two words, without regard to case.
fn edit_distance(a: &str, b: &str) -> usize {
    let a: Vec<char> = a.to_lowercase().chars().collect();
    let b: Vec<char> = b.to_lowercase().chars().collect();
    let mut rows: Vec<Vec<usize>> = vec![(0..=b.len()).collect()];
    for i in 1..=a.len() {
        let mut row = vec![i];
        for j in 1..=b.len() {
            let replaced = rows[i - 1][j - 1] + usize::from(a[i - 1] != b[j - 1]);
            let mut best = replaced.min(rows[i - 1][j] + 1).min(row[j - 1] + 1);
            if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                best = best.min(rows[i - 2][j - 2] + 1);
            }
            row.push(best);
        }
        rows.push(row);
    }
    rows[a.len()][b.len()]
}

fn source_line(span: &Span) -> Option<String> {
    let text = std::fs::read_to_string(&span.file).ok()?;
    let index = usize::try_from(span.line).ok()?.checked_sub(1)?;
    Some(text.lines().nth(index)?.to_owned())
}

/// Spaces up to the column; tabs of the line stay tabs, so that the caret stands where the eye expects it.
fn caret_indent(line: &str, span: &Span) -> String {
    let before = usize::try_from(span.column).unwrap_or(1).saturating_sub(1);
    let blank = |c| if c == '\t' { '\t' } else { ' ' };
    line.chars().take(before).map(blank).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_printed_before_the_message() {
        let span = Span {
            file: Path::new("./serverless.yml").into(),
            line: 12,
            column: 5,
        };
        let diagnostic = Diagnostic::error("unknown key `handlr`").at(&span);
        assert_eq!(
            diagnostic.to_string(),
            "serverless.yml:12:5: unknown key `handlr`"
        );
    }

    #[test]
    fn rendering_shows_the_line_and_a_caret() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("s.yml");
        std::fs::write(&file, "service: x\nprovider:\n\tname: aws\n").unwrap();
        let span = Span {
            file: file.as_path().into(),
            line: 3,
            column: 2,
        };
        let text = Diagnostic::error("tabs").at(&span).hint("use spaces").render();
        let expected = "tabs\n   |\n 3 | \tname: aws\n   | \t^\nhint: use spaces";
        assert!(text.ends_with(expected), "{text}");
    }

    #[test]
    fn a_file_that_is_gone_is_left_out() {
        let span = Span::start_of(Path::new("/nowhere/at/all.yml"));
        let text = Diagnostic::warning("x").at(&span).render();
        assert_eq!(text, "/nowhere/at/all.yml:1:1: x");
    }

    #[test]
    fn the_nearest_name_is_suggested_only_when_it_is_near() {
        let names = ["handler", "events", "httpApi", "http"];
        assert_eq!(nearest("handlr", names), Some("handler"));
        assert_eq!(nearest("evnets", names), Some("events"));
        assert_eq!(nearest("httpapi", names), Some("httpApi"));
        assert_eq!(nearest("https", names), Some("http"));
        assert_eq!(nearest("bananas", names), None);
    }
}
