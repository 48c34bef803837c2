//! `InputTemplate`s of pipes: paths and AWS's variables stand in the text itself.
//!
//! <https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-pipes-input-transformation.html>

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde_json::Value;
use tradewind_events::transform::{JsonPath, Template};

use crate::error::PipesError;

const MAX_TEMPLATE: usize = 8192;

/// See the module.
#[derive(Clone, Debug)]
pub(crate) struct InputTemplate {
    template: Template,
    paths: BTreeMap<String, JsonPath>,
}

/// AWS's variables of a pipe.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Context<'a> {
    pub(crate) pipe_arn: &'a str,
    pub(crate) pipe_name: &'a str,
    pub(crate) source_arn: &'a str,
    pub(crate) enrichment_arn: &'a str,
    pub(crate) target_arn: &'a str,
    pub(crate) ingestion_time: &'a str,
}

impl InputTemplate {
    /// Reads a template; an empty one is none.
    pub(crate) fn parse(text: &str) -> Result<Option<Self>, PipesError> {
        if text.is_empty() {
            return Ok(None);
        }
        if text.chars().count() > MAX_TEMPLATE {
            let rule = "Member must have length less than or equal to 8192";
            return Err(PipesError::violation("inputTemplate", "…", rule));
        }
        let invalid =
            |error: &dyn std::fmt::Display| PipesError::Validation(format!("Invalid InputTemplate: {error}"));
        let template = Template::parse(text).map_err(|error| invalid(&error))?;
        let mut paths = BTreeMap::new();
        for name in template.variables().filter(|name| !is_own(name)) {
            let path = name.parse().map_err(|error| invalid(&error))?;
            paths.insert(name.to_owned(), path);
        }
        Ok(Some(Self { template, paths }))
    }

    /// What it makes of an event whose encoded parts are parsed.
    pub(crate) fn apply(&self, event: &Value, context: Context<'_>) -> String {
        self.template.render(&|name| match self.paths.get(name) {
            Some(path) => path.select(event),
            None => own(name, event, context),
        })
    }
}

const OWN: [&str; 8] = [
    "aws.pipes.pipe-arn",
    "aws.pipes.pipe-name",
    "aws.pipes.source-arn",
    "aws.pipes.enrichment-arn",
    "aws.pipes.target-arn",
    "aws.pipes.event.ingestion-time",
    "aws.pipes.event",
    "aws.pipes.event.json",
];

fn is_own(name: &str) -> bool {
    OWN.contains(&name)
}

fn own<'v>(name: &str, event: &'v Value, context: Context<'_>) -> Option<Cow<'v, Value>> {
    let text = match name {
        "aws.pipes.pipe-arn" => context.pipe_arn,
        "aws.pipes.pipe-name" => context.pipe_name,
        "aws.pipes.source-arn" => context.source_arn,
        "aws.pipes.enrichment-arn" => context.enrichment_arn,
        "aws.pipes.target-arn" => context.target_arn,
        "aws.pipes.event.ingestion-time" => context.ingestion_time,
        "aws.pipes.event" | "aws.pipes.event.json" => return Some(Cow::Borrowed(event)),
        _ => return None,
    };
    Some(Cow::Owned(Value::from(text)))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const CONTEXT: Context<'_> = Context {
        pipe_arn: "arn:p",
        pipe_name: "p",
        source_arn: "arn:s",
        enrichment_arn: "",
        target_arn: "arn:t",
        ingestion_time: "2026-11-21T00:00:00Z",
    };

    #[test]
    fn paths_and_variables_stand_in_the_text() {
        let event = json!({"messageId": "m1", "body": {"key": "value", "n": 5, "list": [1, 2]}});
        for (template, made) in [
            ("\"Hello, <$.body.key>\"", r#""Hello, value""#),
            ("<$.body>", r#"{"key":"value","n":5,"list":[1,2]}"#),
            ("<$.body.key>", r#""value""#),
            (
                r#"{"k": <$.body.list[1]>, "p": "<aws.pipes.pipe-name>"}"#,
                r#"{"k":2,"p":"p"}"#,
            ),
            (
                r#"{"e": <aws.pipes.event.json>}"#,
                &json!({"e": event}).to_string(),
            ),
        ] {
            let parsed = InputTemplate::parse(template).unwrap().unwrap();
            assert_eq!(parsed.apply(&event, CONTEXT), made, "{template}");
        }
        assert!(InputTemplate::parse("").unwrap().is_none());
        for wrong in ["<body>", "Hello", r#"{"a": }"#, "\"<aws.pipes.nothing>\""] {
            assert!(InputTemplate::parse(wrong).is_err(), "{wrong}");
        }
    }
}
