//! The bundler's messages, read back from its output.

use std::path::Path;

use crate::diagnostic::{Diagnostic, Span};
use crate::package::installed::package_name;

/// One message and its place, when it has one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::build) struct Message {
    /// The text after `[ERROR]`.
    pub(in crate::build) text: String,
    /// File relative to the service directory, line and column, all from 1.
    pub(in crate::build) place: Option<(String, u32, u32)>,
}

impl Message {
    /// The package that could not be found, when that is what it is about.
    pub(in crate::build) fn unresolved_package(&self) -> Option<String> {
        let rest = self.text.strip_prefix("Could not resolve \"")?;
        let (specifier, _) = rest.split_once('"')?;
        let own = specifier.starts_with(['.', '/', '#']);
        (!own).then(|| package_name(specifier).map(str::to_owned))?
    }

    /// The message for the user.
    pub(super) fn diagnose(&self, root: &Path) -> Diagnostic {
        let diagnostic = Diagnostic::error(lower_first(&self.text));
        match self.span(root) {
            Some(span) => diagnostic.at(&span),
            None => diagnostic,
        }
    }

    /// The place as one that can be opened.
    pub(in crate::build) fn span(&self, root: &Path) -> Option<Span> {
        let (file, line, column) = self.place.as_ref()?;
        Some(Span {
            file: root.join(file).into(),
            line: *line,
            column: *column,
        })
    }
}

/// The errors in the output.
pub(super) fn errors(output: &str) -> Vec<Message> {
    let mut found: Vec<Message> = Vec::new();
    let mut in_error = false;
    for line in output.lines() {
        if let Some((_, text)) = line.split_once("[ERROR] ") {
            in_error = true;
            found.push(Message {
                text: text.trim().to_owned(),
                place: None,
            });
        } else if line.contains("[WARNING] ") {
            in_error = false;
        } else if in_error && let (Some(last), Some(place)) = (found.last_mut(), place(line)) {
            last.place.get_or_insert(place);
        }
    }
    found
}

/// `    src/x.ts:1:16:`; esbuild counts columns from 0.
fn place(line: &str) -> Option<(String, u32, u32)> {
    let mut parts = line.strip_prefix("    ")?.strip_suffix(':')?.rsplitn(3, ':');
    let column: u32 = parts.next()?.parse().ok()?;
    let line: u32 = parts.next()?.parse().ok()?;
    Some((parts.next()?.to_owned(), line, column + 1))
}

fn lower_first(text: &str) -> String {
    let mut chars = text.chars();
    chars
        .next()
        .map(|first| first.to_lowercase().chain(chars).collect())
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    const OUTPUT: &str = "\u{2718} [ERROR] Could not resolve \"@aws-sdk/client-s3/x\"

    src/x.ts:1:16:
      1 \u{2502} import AWS from 'x';

  You can mark the path

\u{25b2} [WARNING] Something else

    src/y.ts:9:9:

\u{2718} [ERROR] Expected \";\" but found \"}\"

    src/z.ts:3:0:
";

    #[test]
    fn errors_have_texts_and_places() {
        let errors = errors(OUTPUT);
        assert_eq!(errors.len(), 2);
        assert_eq!(
            errors[0].unresolved_package().as_deref(),
            Some("@aws-sdk/client-s3")
        );
        assert_eq!(errors[0].place, Some(("src/x.ts".to_owned(), 1, 17)));
        let shown = errors[1].diagnose(Path::new("/p")).to_string();
        assert_eq!(shown, "/p/src/z.ts:3:1: expected \";\" but found \"}\"");
    }

    #[test]
    fn missing_files_of_the_project_are_no_packages() {
        let message = |text: &str| Message {
            text: text.to_owned(),
            place: None,
        };
        assert_eq!(message("Could not resolve \"./y\"").unresolved_package(), None);
        assert_eq!(message("Oops").unresolved_package(), None);
    }
}
