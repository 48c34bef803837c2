//! What happens to a stack while it is changed: shown as it happens, and summed up at the end.

use std::collections::BTreeMap;

use anstream::adapter::strip_str;
use serde::Deserialize;
use tradewind_deploy::diagnostic::{Diagnostic, Diagnostics};
use tradewind_deploy::serverless::{Project, Template};
use tradewind_deploy::stack::{StackEvent, TemplateProblem};

use super::client::Lines;
use super::failure::Failure;
use super::log_text::{shorten_paths, tidy};
use super::output;

/// A line of a stack's event stream; see `docs/management-api.md`.
#[derive(Debug, Deserialize)]
#[serde(tag = "event", rename_all = "lowercase")]
enum StackLine {
    Resource(ResourceEvent),
    Done(StackEnd),
    Failed(Refusal),
}

/// Something that happened to a resource.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ResourceEvent {
    /// The key below `Resources`.
    pub(crate) logical_id: String,
    /// `AWS::Service::Type`.
    #[serde(rename = "type")]
    pub(crate) resource_type: String,
    /// CloudFormation's word for it.
    pub(crate) status: String,
    /// Why, when it failed.
    #[serde(default)]
    pub(crate) reason: Option<String>,
}

/// How it ended.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct StackEnd {
    /// The stack's status, or `NO_CHANGES`.
    pub(crate) status: String,
    /// The template's outputs.
    #[serde(default)]
    pub(crate) outputs: BTreeMap<String, String>,
    /// The first failure.
    #[serde(default)]
    pub(crate) reason: Option<String>,
}

#[derive(Debug, Deserialize)]
struct Refusal {
    #[serde(default)]
    message: Option<String>,
    #[serde(default)]
    problems: Vec<Problem>,
}

/// Something wrong with a template, as a node tells it.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Problem {
    #[serde(default)]
    logical_id: String,
    #[serde(default)]
    path: Vec<String>,
    message: String,
}

/// What a template was made of, so that what a node says of it can be told in the project's words.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Origin<'p> {
    /// The project.
    pub(crate) project: &'p Project,
    /// Its template.
    pub(crate) template: &'p Template,
}

impl Origin<'_> {
    /// ``function `cart` `` of `CartLambdaFunction`.
    fn function(&self, logical_id: &str) -> Option<String> {
        let mut functions = self.project.functions.iter();
        let function = functions.find(|function| function.logical_id == logical_id)?;
        Some(format!("function `{}`", function.key))
    }
}

/// All that happened to a stack.
#[derive(Clone, Debug)]
pub(crate) struct StackHistory {
    /// In order.
    pub(crate) events: Vec<ResourceEvent>,
    /// How it ended.
    pub(crate) end: StackEnd,
}

impl From<&StackEvent> for ResourceEvent {
    fn from(event: &StackEvent) -> Self {
        Self {
            logical_id: event.logical_id.clone(),
            resource_type: event.resource_type.clone(),
            status: event.status.as_str().to_owned(),
            reason: event.reason.clone(),
        }
    }
}

impl ResourceEvent {
    fn failed(&self) -> bool {
        self.status.ends_with("_FAILED")
    }
}

impl StackHistory {
    /// The logical ids of the resources of `resource_type` that were made or changed.
    pub(crate) fn changed(&self, resource_type: &str) -> Vec<&str> {
        let done = ["CREATE_COMPLETE", "UPDATE_COMPLETE"];
        let of_type = self
            .events
            .iter()
            .filter(|event| event.resource_type == resource_type);
        of_type
            .filter(|event| done.contains(&event.status.as_str()))
            .map(|event| event.logical_id.as_str())
            .collect()
    }

    /// True when something was changed.
    pub(crate) fn changed_anything(&self) -> bool {
        self.end.status != "NO_CHANGES"
    }

    /// The history if it ended well; else what failed, at its place in the project.
    pub(crate) fn succeeded(self, origin: Option<Origin<'_>>) -> Result<Self, Failure> {
        let good = [
            "CREATE_COMPLETE",
            "UPDATE_COMPLETE",
            "DELETE_COMPLETE",
            "NO_CHANGES",
        ];
        if good.contains(&self.end.status.as_str()) {
            return Ok(self);
        }
        let failed: Vec<Diagnostic> = self
            .events
            .iter()
            .filter(|event| event.failed())
            .map(|event| diagnose(event, origin))
            .collect();
        if failed.is_empty() {
            let reason = self.end.reason.as_deref().unwrap_or("the node gives no reason");
            return Err(Failure::new(format!(
                "the stack is {}: {reason}",
                self.end.status
            )));
        }
        Err(Failure::Project(Diagnostics(failed)))
    }
}

fn diagnose(event: &ResourceEvent, origin: Option<Origin<'_>>) -> Diagnostic {
    let reason = event.reason.as_deref().unwrap_or("the node gives no reason");
    let mut lines = reason.lines();
    let mut message = shorten_paths(lines.next().unwrap_or_default());
    // What follows is the log of an instance that did not come up; it often repeats its error.
    for line in lines {
        let line = tidy(line.strip_prefix("  ").unwrap_or(line));
        let text = strip_str(&line).to_string();
        if !message.contains(text.trim_start_matches("error ")) {
            message += &format!("\n  {line}");
        }
    }
    locate(&event.logical_id, &[], &message, origin)
}

/// What is wrong with a template, at its places in the project.
pub(crate) fn problems(problems: &[TemplateProblem], origin: Origin<'_>) -> Failure {
    let place = |problem: &TemplateProblem| {
        locate(&problem.logical_id, &problem.path, &problem.message, Some(origin))
    };
    Failure::Project(Diagnostics(problems.iter().map(place).collect()))
}

fn locate(logical_id: &str, path: &[String], message: &str, origin: Option<Origin<'_>>) -> Diagnostic {
    let subject = match origin.and_then(|origin| origin.function(logical_id)) {
        Some(function) => function,
        None if logical_id.is_empty() => "the template".to_owned(),
        None => format!("`{logical_id}`"),
    };
    let diagnostic = Diagnostic::error(format!("{subject}: {message}"));
    match origin.and_then(|origin| origin.template.span_of(logical_id, path)) {
        Some(span) => diagnostic.at(&span),
        None => diagnostic,
    }
}

/// The problems in a node's refusal, if it is one of a template.
pub(crate) fn template_problems(body: &[u8], origin: Option<Origin<'_>>) -> Option<Failure> {
    let refusal: Refusal = serde_json::from_slice(body).ok()?;
    (!refusal.problems.is_empty()).then(|| refusal.into_failure(origin))
}

impl Refusal {
    fn into_failure(self, origin: Option<Origin<'_>>) -> Failure {
        if self.problems.is_empty() {
            return Failure::new(
                self.message
                    .unwrap_or_else(|| "the node refused without a reason".into()),
            );
        }
        let place = |p: &Problem| locate(&p.logical_id, &p.path, &p.message, origin);
        Failure::Project(Diagnostics(self.problems.iter().map(place).collect()))
    }
}

/// Shows an event to whoever watches; failures and removals too.
pub(crate) fn show(event: &ResourceEvent) {
    if !event.status.ends_with("_IN_PROGRESS") {
        output::progress(&format!(
            "  {:<24}{:<32}{}",
            event.status, event.resource_type, event.logical_id
        ));
    }
}

/// Follows a stream to its end; with `json`, prints each line as it came.
pub(crate) async fn follow(
    mut lines: Lines,
    origin: Option<Origin<'_>>,
    json: bool,
) -> Result<StackHistory, Failure> {
    let mut events = Vec::new();
    while let Some(line) = lines.next().await? {
        if json {
            output::line(&String::from_utf8_lossy(&line))?;
        }
        match serde_json::from_slice(&line) {
            Ok(StackLine::Resource(event)) => {
                if !json {
                    show(&event);
                }
                events.push(event);
            }
            Ok(StackLine::Done(end)) => return StackHistory { events, end }.succeeded(origin),
            Ok(StackLine::Failed(refusal)) => return Err(refusal.into_failure(origin)),
            Err(error) => return Err(Failure::new("the node's answer was not understood").because(&error)),
        }
    }
    Err(Failure::new(
        "the node ended before the stack was done; what it had begun it takes up when it starts again",
    )
    .hint("start the node and run the same command again"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(logical_id: &str, status: &str, reason: Option<&str>) -> ResourceEvent {
        ResourceEvent {
            logical_id: logical_id.into(),
            resource_type: "AWS::Lambda::Function".into(),
            status: status.into(),
            reason: reason.map(str::to_owned),
        }
    }

    fn history(events: Vec<ResourceEvent>, status: &str) -> StackHistory {
        StackHistory {
            events,
            end: StackEnd {
                status: status.into(),
                outputs: BTreeMap::new(),
                reason: None,
            },
        }
    }

    #[test]
    fn what_changed_is_what_was_completed() {
        let events = vec![
            event("CartLambdaFunction", "UPDATE_IN_PROGRESS", None),
            event("CartLambdaFunction", "UPDATE_COMPLETE", None),
            event("PageLambdaFunction", "DELETE_COMPLETE", None),
        ];
        let history = history(events, "UPDATE_COMPLETE").succeeded(None).unwrap();
        assert_eq!(history.changed("AWS::Lambda::Function"), ["CartLambdaFunction"]);
        assert!(history.changed_anything());
    }

    #[test]
    fn a_rollback_tells_what_failed() {
        let events = vec![event(
            "CartLambdaFunction",
            "UPDATE_FAILED",
            Some("SyntaxError: no"),
        )];
        let failure = history(events, "UPDATE_ROLLBACK_COMPLETE")
            .succeeded(None)
            .unwrap_err();
        let text = strip_str(&failure.render()).to_string();
        assert_eq!(text, "error: `CartLambdaFunction`: SyntaxError: no");
        assert_eq!(failure.exit_code(), 1);
    }

    #[test]
    fn the_log_of_a_failed_start_is_shown_without_repetition() {
        let reason = "does not initialise: SyntaxError: no\n  \
                      2026-11-21T00:32:29.158Z\tundefined\tERROR\tSyntaxError: no\n  File \"a.py\"\n    x = (";
        let text = diagnose(&event("F", "UPDATE_FAILED", Some(reason)), None).to_string();
        assert_eq!(
            text,
            "`F`: does not initialise: SyntaxError: no\n  File \"a.py\"\n    x = ("
        );
    }

    #[test]
    fn the_lines_of_a_stream_are_understood() {
        let resource = r#"{"event":"resource","logicalId":"A","type":"T","physicalId":"","status":"CREATE_COMPLETE","timestamp":1}"#;
        assert!(matches!(serde_json::from_str(resource), Ok(StackLine::Resource(e)) if e.logical_id == "A"));
        let done = r#"{"event":"done","status":"NO_CHANGES","outputs":{"U":"v"},"reason":null}"#;
        assert!(matches!(serde_json::from_str(done), Ok(StackLine::Done(end)) if end.outputs["U"] == "v"));
        let failed = r#"{"event":"failed","message":"busy"}"#;
        assert!(matches!(serde_json::from_str(failed), Ok(StackLine::Failed(_))));
    }

    #[test]
    fn a_refused_template_is_told_from_other_refusals() {
        let body = br#"{"problems":[{"logicalId":"A","path":["Code"],"message":"is missing"}]}"#;
        let text = template_problems(body, None).unwrap().render();
        assert!(text.contains("`A`: is missing"), "{text}");
        assert!(template_problems(br#"{"message":"busy"}"#, None).is_none());
    }
}
