//! What a target gets of an event: all of it, a part ([`JsonPath`]), or what a template makes of it
//! ([`InputTransformer`] of rules; pipes use [`Template`] with paths in the template itself).
//!
//! <https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-transform-target-input.html>
//!
//! A variable outside of quotes becomes the value as JSON; within quotes a text goes in as it is and an
//! object as its JSON without quotation marks, as AWS documents. Texts are escaped where they go into a JSON
//! string, so what comes out is JSON whatever the event says.

use std::borrow::Cow;

use serde_json::Value;

/// Variables that an `InputPathsMap` may have.
pub const MAX_VARIABLES: usize = 100;

/// Names of variables that begin so are EventBridge's own.
const RESERVED: &str = "aws.";

/// A way into an event: `$.detail.items[0].name`, `$.resources[*]`.
///
/// Names stand after dots (letters, digits, `-`, `_`, `/`, and what else is no dot or bracket) or as
/// `['…']`. `[*]` is all elements, as an array.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JsonPath {
    steps: Vec<Step>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Step {
    Name(Box<str>),
    Index(usize),
    Every,
}

/// What is wrong with a path, a template or its variables.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidTransform {
    /// It is no path of the kind that [`JsonPath`] reads.
    #[error("invalid JSON path `{path}`: {reason}")]
    Path {
        /// The path.
        path: String,
        /// Why.
        reason: &'static str,
    },
    /// A variable that nobody defined stands in the template.
    #[error("the input template contains invalid placeholder {name}")]
    Placeholder {
        /// Its name.
        name: String,
    },
    /// A variable has one of EventBridge's own names.
    #[error("variable names cannot start with `AWS.`: {name}")]
    ReservedName {
        /// The name.
        name: String,
    },
    /// There are more than [`MAX_VARIABLES`].
    #[error("more than {MAX_VARIABLES} variables")]
    TooManyVariables,
    /// With values in the places of its variables it would not be JSON.
    #[error("the input template is not valid JSON: {reason}")]
    Template {
        /// What the parser says.
        reason: String,
    },
}

impl InvalidTransform {
    /// As `PutTargets` says it of the target `id`.
    #[must_use]
    pub fn for_target(&self, id: &str) -> String {
        match self {
            Self::Path { path, .. } => format!("Invalid JSON path for target {id}: {path}"),
            Self::Placeholder { name } => {
                format!("InputTemplate for target {id} contains invalid placeholder {name}.")
            }
            Self::ReservedName { name } => {
                format!("InputPathsMap for target {id} has a reserved key: {name}")
            }
            Self::TooManyVariables => {
                format!("InputPathsMap for target {id} has more than {MAX_VARIABLES} entries")
            }
            Self::Template { reason } => format!("Invalid InputTemplate for target {id} : [{reason}]"),
        }
    }
}

impl std::str::FromStr for JsonPath {
    type Err = InvalidTransform;

    fn from_str(path: &str) -> Result<Self, Self::Err> {
        let steps = steps(path).map_err(|reason| InvalidTransform::Path {
            path: path.to_owned(),
            reason,
        })?;
        Ok(Self { steps })
    }
}

fn steps(path: &str) -> Result<Vec<Step>, &'static str> {
    let mut rest = path.strip_prefix('$').ok_or("it must start with `$`")?;
    let mut steps = Vec::new();
    while !rest.is_empty() {
        let (step, after) = match rest.strip_prefix('[') {
            Some(inner) => bracket(inner)?,
            None => name(rest)?,
        };
        steps.push(step);
        rest = after;
    }
    Ok(steps)
}

fn name(rest: &str) -> Result<(Step, &str), &'static str> {
    let rest = rest.strip_prefix('.').ok_or("a name begins with a dot")?;
    let end = rest.find(['.', '[']).unwrap_or(rest.len());
    match rest.split_at(end) {
        ("", _) => Err("a name is empty"),
        ("*", after) => Ok((Step::Every, after)),
        (name, after) => Ok((Step::Name(name.into()), after)),
    }
}

fn bracket(inner: &str) -> Result<(Step, &str), &'static str> {
    for quote in ['\'', '"'] {
        if let Some(quoted) = inner.strip_prefix(quote) {
            let (name, after) = quoted.split_once(quote).ok_or("a quote is not closed")?;
            let after = after.strip_prefix(']').ok_or("a bracket is not closed")?;
            return Ok((Step::Name(name.into()), after));
        }
    }
    let (index, after) = inner.split_once(']').ok_or("a bracket is not closed")?;
    if index == "*" {
        return Ok((Step::Every, after));
    }
    let index = index
        .parse()
        .map_err(|_not_a_number| "an index is a number or `*`")?;
    Ok((Step::Index(index), after))
}

impl JsonPath {
    /// What is there in `value`; nothing if there is nothing.
    #[must_use]
    pub fn select<'v>(&self, value: &'v Value) -> Option<Cow<'v, Value>> {
        select(&self.steps, value)
    }
}

fn select<'v>(steps: &[Step], value: &'v Value) -> Option<Cow<'v, Value>> {
    let Some((step, rest)) = steps.split_first() else {
        return Some(Cow::Borrowed(value));
    };
    match step {
        Step::Name(name) => select(rest, value.get(&**name)?),
        Step::Index(index) => select(rest, value.get(*index)?),
        Step::Every => {
            let elements: Vec<&Value> = match value {
                Value::Array(elements) => elements.iter().collect(),
                Value::Object(members) => members.values().collect(),
                Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => return None,
            };
            let found = elements.into_iter().filter_map(|element| select(rest, element));
            Some(Cow::Owned(Value::Array(found.map(Cow::into_owned).collect())))
        }
    }
}

/// A text with `<variables>`: JSON, or quoted strings, one a line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Template {
    pieces: Vec<Piece>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Piece {
    Text(String),
    Variable {
        name: String,
        /// Whether it stands within a JSON string.
        quoted: bool,
    },
}

impl Template {
    /// Reads a template.
    ///
    /// # Errors
    /// [`InvalidTransform::Template`] if it is not JSON around its variables.
    pub fn parse(text: &str) -> Result<Self, InvalidTransform> {
        let template = Self { pieces: pieces(text) };
        let tried = template.fill(&|_| None);
        for value in serde_json::Deserializer::from_str(&tried).into_iter::<Value>() {
            value.map_err(|error| InvalidTransform::Template {
                reason: error.to_string(),
            })?;
        }
        Ok(template)
    }

    /// The names of its variables.
    pub fn variables(&self) -> impl Iterator<Item = &str> {
        self.pieces.iter().filter_map(|piece| match piece {
            Piece::Variable { name, .. } => Some(name.as_str()),
            Piece::Text(_) => None,
        })
    }

    /// The template with the values of its variables. One that has none becomes an empty text.
    ///
    /// If it is one JSON value, it comes without spaces, as AWS does it.
    #[must_use]
    pub fn render<'v>(&self, value: &dyn Fn(&str) -> Option<Cow<'v, Value>>) -> String {
        let filled = self.fill(value);
        match serde_json::from_str::<Value>(&filled) {
            Ok(single) => single.to_string(),
            Err(_several_strings) => filled,
        }
    }

    fn fill<'v>(&self, value: &dyn Fn(&str) -> Option<Cow<'v, Value>>) -> String {
        let mut filled = String::new();
        for piece in &self.pieces {
            match piece {
                Piece::Text(text) => filled.push_str(text),
                Piece::Variable { name, quoted } => {
                    let value = value(name).unwrap_or_else(|| Cow::Owned(Value::String(String::new())));
                    filled.push_str(&shown(&value, *quoted));
                }
            }
        }
        filled
    }
}

/// A value in its place.
fn shown(value: &Value, quoted: bool) -> String {
    let json = value.to_string();
    match value {
        _ if !quoted => json,
        Value::String(_) => {
            let inner = json.strip_prefix('"').and_then(|json| json.strip_suffix('"'));
            inner.unwrap_or_default().to_owned()
        }
        // Without its quotation marks; what is left of its escapes would not be JSON.
        Value::Array(_) | Value::Object(_) => json.replace(['"', '\\'], ""),
        Value::Null | Value::Bool(_) | Value::Number(_) => json,
    }
}

fn pieces(text: &str) -> Vec<Piece> {
    let mut pieces = Vec::new();
    let mut plain = String::new();
    let (mut quoted, mut escaped) = (false, false);
    let mut rest = text;
    while let Some(next) = rest.chars().next() {
        if let Some((name, after)) = variable(rest).filter(|_| !escaped) {
            pieces.push(Piece::Text(std::mem::take(&mut plain)));
            let name = name.to_owned();
            pieces.push(Piece::Variable { name, quoted });
            rest = after;
            continue;
        }
        quoted ^= next == '"' && !escaped;
        escaped = quoted && next == '\\' && !escaped;
        plain.push(next);
        rest = rest.strip_prefix(next).unwrap_or_default();
    }
    pieces.push(Piece::Text(plain));
    pieces
}

/// `<name>` at the beginning of a text, and what follows it.
fn variable(text: &str) -> Option<(&str, &str)> {
    let (name, after) = text.strip_prefix('<')?.split_once('>')?;
    let is_name = !name.is_empty() && !name.contains(['<', '\n', '"']);
    is_name.then_some((name, after))
}

/// What a rule's variables of EventBridge's own are.
#[derive(Clone, Copy, Debug)]
pub struct RuleContext<'a> {
    /// `aws.events.rule-name`.
    pub rule_name: &'a str,
    /// `aws.events.rule-arn`.
    pub rule_arn: &'a str,
    /// `aws.events.event.ingestion-time`, as ISO 8601 text.
    pub ingestion_time: &'a str,
}

/// The `InputTransformer` of a rule's target.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InputTransformer {
    variables: Vec<(String, JsonPath)>,
    template: Template,
}

impl InputTransformer {
    /// Reads an `InputPathsMap` and an `InputTemplate`.
    ///
    /// # Errors
    /// What is wrong with them; [`InvalidTransform::for_target`] says it as EventBridge does.
    pub fn parse<'p>(
        paths: impl IntoIterator<Item = (&'p str, &'p str)>,
        template: &str,
    ) -> Result<Self, InvalidTransform> {
        let mut variables = Vec::new();
        for (name, path) in paths {
            if name.to_ascii_lowercase().starts_with(RESERVED) {
                return Err(InvalidTransform::ReservedName {
                    name: name.to_owned(),
                });
            }
            variables.push((name.to_owned(), path.parse()?));
        }
        if variables.len() > MAX_VARIABLES {
            return Err(InvalidTransform::TooManyVariables);
        }
        let template = Template::parse(template)?;
        let known = |name: &str| is_own(name) || variables.iter().any(|(known, _)| known == name);
        if let Some(name) = template.variables().find(|name| !known(name)) {
            return Err(InvalidTransform::Placeholder {
                name: name.to_owned(),
            });
        }
        Ok(Self { variables, template })
    }

    /// What the target gets of `event`, an event with its envelope.
    #[must_use]
    pub fn apply(&self, event: &Value, context: RuleContext<'_>) -> String {
        self.template.render(&|name| {
            if let Some((_, path)) = self.variables.iter().find(|(known, _)| known == name) {
                return path.select(event);
            }
            own(name, event, context)
        })
    }
}

fn is_own(name: &str) -> bool {
    matches!(
        name,
        "aws.events.rule-arn"
            | "aws.events.rule-name"
            | "aws.events.event.ingestion-time"
            | "aws.events.event"
            | "aws.events.event.json"
    )
}

/// The value of one of EventBridge's own variables.
fn own<'v>(name: &str, event: &'v Value, context: RuleContext<'_>) -> Option<Cow<'v, Value>> {
    let text = |text: &str| Some(Cow::Owned(Value::String(text.to_owned())));
    match name {
        "aws.events.rule-arn" => text(context.rule_arn),
        "aws.events.rule-name" => text(context.rule_name),
        "aws.events.event.ingestion-time" => text(context.ingestion_time),
        // AWS: the payload without the detail field.
        "aws.events.event" => {
            let mut event = event.clone();
            if let Value::Object(members) = &mut event {
                members.shift_remove("detail");
            }
            Some(Cow::Owned(event))
        }
        "aws.events.event.json" => Some(Cow::Borrowed(event)),
        _ => None,
    }
}

#[cfg(test)]
mod tests;
