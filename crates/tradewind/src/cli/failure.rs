//! Why a command did not do what was asked, in words, and what that is worth as an exit code.

use std::error::Error;

use serde_json::{Value, json};
use tradewind_deploy::diagnostic::{Diagnostic, Diagnostics, Severity};

use super::output::{ERROR, HINT, WARNING};

/// The exit code of a command that failed.
const FAILED: u8 = 1;
/// The exit code of a command that was used wrongly; clap's is the same.
const USAGE: u8 = 2;
/// The exit code of a command that was interrupted: 128 + SIGINT.
const INTERRUPTED: u8 = 130;

/// Why a command ends early.
#[derive(Debug)]
pub(crate) enum Failure {
    /// Something to tell.
    Error(Box<Report>),
    /// What is wrong with a project.
    Project(Diagnostics),
    /// Whoever read our output has gone: nothing is wrong.
    ClosedPipe,
    /// The user does not want to wait any longer.
    Interrupted,
}

/// What went wrong, why, and what to type next.
#[derive(Debug)]
pub(crate) struct Report {
    message: String,
    causes: Vec<String>,
    hint: Option<String>,
    code: u8,
}

impl Failure {
    /// A failure with its message: lower case, without a full stop, names in backticks.
    pub(crate) fn new(message: impl Into<String>) -> Self {
        Self::Error(Box::new(Report {
            message: message.into(),
            causes: Vec::new(),
            hint: None,
            code: FAILED,
        }))
    }

    /// A command that cannot mean what it says.
    pub(crate) fn usage(message: impl Into<String>) -> Self {
        Self::new(message).edit(|report| report.code = USAGE)
    }

    /// The same, caused by `error` and its own causes.
    pub(crate) fn because(self, error: &dyn Error) -> Self {
        let mut causes: Vec<String> = Vec::new();
        let mut next = Some(error);
        while let Some(cause) = next {
            let text = cause.to_string();
            // Many errors print their source themselves: say it once.
            if causes.last().is_none_or(|said| !said.contains(&text)) {
                causes.push(text);
            }
            next = cause.source();
        }
        self.edit(|report| report.causes.extend(causes))
    }

    /// The same with what to type next.
    pub(crate) fn hint(self, hint: impl Into<String>) -> Self {
        self.edit(|report| report.hint = Some(hint.into()))
    }

    fn edit(mut self, change: impl FnOnce(&mut Report)) -> Self {
        if let Self::Error(report) = &mut self {
            change(report);
        }
        self
    }

    /// What the process ends with.
    pub(crate) fn exit_code(&self) -> u8 {
        match self {
            Self::Error(report) => report.code,
            Self::Project(_) => FAILED,
            Self::ClosedPipe => 0,
            Self::Interrupted => INTERRUPTED,
        }
    }

    /// The failure as one line of a stream: what, and each problem with its place.
    pub(crate) fn document(&self) -> Value {
        match self {
            Self::Error(report) => json!({
                "event": "failed", "message": report.message, "causes": report.causes, "hint": report.hint,
            }),
            Self::Project(diagnostics) => {
                let errors = diagnostics.iter().filter(|one| one.severity == Severity::Error);
                let problems: Vec<Value> = errors.map(problem).collect();
                json!({"event": "failed", "message": "the project cannot be deployed", "problems": problems})
            }
            Self::ClosedPipe => json!({"event": "failed", "message": "nobody reads the output"}),
            Self::Interrupted => json!({"event": "failed", "message": "interrupted"}),
        }
    }

    /// The failure as it is printed, with styles; empty when there is nothing to say.
    pub(crate) fn render(&self) -> String {
        match self {
            Self::Error(report) => report.render(),
            Self::Project(diagnostics) => {
                let all: Vec<String> = diagnostics.iter().map(render_diagnostic).collect();
                all.join("\n")
            }
            Self::ClosedPipe | Self::Interrupted => String::new(),
        }
    }
}

impl Report {
    fn render(&self) -> String {
        let mut text = format!("{ERROR}error:{ERROR:#} {}", self.message);
        for cause in &self.causes {
            text += &format!("\n  cause: {cause}");
        }
        if let Some(hint) = &self.hint {
            text += &format!("\n{HINT}hint:{HINT:#} {hint}");
        }
        text
    }
}

fn problem(diagnostic: &Diagnostic) -> Value {
    let span = diagnostic.span.as_ref();
    json!({
        "message": diagnostic.message,
        "hint": diagnostic.hint,
        "file": span.map(|span| span.file.display().to_string()),
        "line": span.map(|span| span.line),
        "column": span.map(|span| span.column),
    })
}

/// A diagnostic as it is printed, with styles.
pub(crate) fn render_diagnostic(diagnostic: &Diagnostic) -> String {
    let text = diagnostic.render();
    let body = text.replacen("\nhint:", &format!("\n{HINT}hint:{HINT:#}"), 1);
    match diagnostic.severity {
        Severity::Error => format!("{ERROR}error:{ERROR:#} {body}"),
        Severity::Warning => format!("{WARNING}warning:{WARNING:#} {body}"),
    }
}

impl From<Diagnostics> for Failure {
    fn from(diagnostics: Diagnostics) -> Self {
        Self::Project(diagnostics)
    }
}

#[cfg(test)]
mod tests {
    use anstream::adapter::strip_str;

    use super::*;

    fn plain(failure: &Failure) -> String {
        strip_str(&failure.render()).to_string()
    }

    #[test]
    fn an_error_says_what_why_and_what_to_type_next() {
        let source = std::io::Error::new(std::io::ErrorKind::PermissionDenied, "permission denied");
        let failure = Failure::new("cannot read `x`")
            .because(&source)
            .hint("try `sudo`");
        assert_eq!(
            plain(&failure),
            "error: cannot read `x`\n  cause: permission denied\nhint: try `sudo`"
        );
        assert_eq!(failure.exit_code(), 1);
    }

    #[test]
    fn a_failure_is_also_a_document() {
        let problem = Diagnostic::error("`x` is wrong")
            .at(&tradewind_deploy::diagnostic::Span {
                file: std::path::Path::new("serverless.yml").into(),
                line: 3,
                column: 5,
            })
            .hint("write `y`");
        let warning = Diagnostic::warning("look at `z`");
        let failure = Failure::from(Diagnostics::in_order([warning, problem]));
        let expected = json!({"event": "failed", "message": "the project cannot be deployed", "problems": [
            {"message": "`x` is wrong", "hint": "write `y`", "file": "serverless.yml", "line": 3, "column": 5}]});
        assert_eq!(failure.document(), expected);
        let document = Failure::new("no node").hint("start one").document();
        assert_eq!(
            (&document["message"], &document["hint"]),
            (&json!("no node"), &json!("start one"))
        );
    }

    #[derive(Debug, thiserror::Error)]
    #[error("outer: {0}")]
    struct Outer(#[source] std::fmt::Error);

    #[test]
    fn a_cause_that_was_said_is_not_said_again() {
        let failure = Failure::new("no").because(&Outer(std::fmt::Error));
        assert_eq!(plain(&failure).lines().count(), 2, "{}", plain(&failure));
    }

    #[test]
    fn exit_codes_tell_usage_from_failure() {
        assert_eq!(Failure::usage("x").exit_code(), 2);
        assert_eq!(Failure::ClosedPipe.exit_code(), 0);
        assert_eq!(Failure::Interrupted.exit_code(), 130);
        assert_eq!(Failure::Project(Diagnostics::default()).exit_code(), 1);
    }

    #[test]
    fn every_problem_of_a_project_is_shown() {
        let problems = Diagnostics(vec![
            Diagnostic::error("first").hint("do this"),
            Diagnostic::warning("second"),
        ]);
        assert_eq!(
            plain(&problems.into()),
            "error: first\nhint: do this\nwarning: second"
        );
    }
}
