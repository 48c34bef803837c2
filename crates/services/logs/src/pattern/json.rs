//! Members of JSON: `{ $.status >= 500 && ($.user.name = "a*" || $.tags[0] NOT EXISTS) }`.

use std::collections::BTreeMap;

use serde_json::Value;

use super::InvalidFilterPattern;
use super::cursor::Cursor;
use super::expression::{Expression, Found};

/// A condition on members.
#[derive(Clone, Debug)]
pub(super) struct Json(Expression<Selector>);

/// `$.a.b[0]`, and as it was written.
#[derive(Clone, Debug)]
struct Selector {
    text: Box<str>,
    steps: Vec<Step>,
}

#[derive(Clone, Debug)]
enum Step {
    Member(Box<str>),
    Element(usize),
}

impl Json {
    pub(super) fn parse(text: &str) -> Result<Self, InvalidFilterPattern> {
        let mut cursor = Cursor::new(text);
        cursor.expect("{")?;
        let expression = Expression::parse(&mut cursor, &Selector::parse)?;
        cursor.expect("}")?;
        if !cursor.rest.is_empty() {
            let text = format!(
                "nothing may follow `}}`, but there is something {}",
                cursor.place()
            );
            return Err(InvalidFilterPattern(text));
        }
        Ok(Self(expression))
    }

    pub(super) fn matches(&self, message: &str) -> bool {
        document(message).is_some_and(|value| self.0.holds(&|selector: &Selector| selector.find(&value)))
    }

    pub(super) fn extract(&self, message: &str) -> BTreeMap<String, String> {
        let mut values = BTreeMap::new();
        let Some(document) = document(message) else {
            return values;
        };
        self.0.each_selector(&mut |selector| {
            let text = match selector.value(&document) {
                Some(Value::String(text)) => text.clone(),
                Some(other) => other.to_string(),
                None => return,
            };
            values.insert(selector.text.to_string(), text);
        });
        values
    }
}

/// Most messages are no JSON, and most of those are seen by their first character.
fn document(message: &str) -> Option<Value> {
    let starts = message.trim_start().starts_with(['{', '[']);
    starts.then(|| serde_json::from_str(message).ok()).flatten()
}

impl Selector {
    fn parse(cursor: &mut Cursor<'_>) -> Result<Self, InvalidFilterPattern> {
        let whole = cursor.rest;
        if !cursor.take("$") {
            let text = format!("a selector such as `$.name` expected {}", cursor.place());
            return Err(InvalidFilterPattern(text));
        }
        let mut steps = Vec::new();
        loop {
            let dotted = cursor.take(".");
            if cursor.take("[") {
                steps.push(bracketed(cursor)?);
            } else if dotted {
                steps.push(Step::Member(member(cursor)?.into()));
            } else {
                break;
            }
        }
        if steps.is_empty() {
            let text = format!("`.name` expected after `$` {}", cursor.place());
            return Err(InvalidFilterPattern(text));
        }
        let length = whole.len() - cursor.rest.len();
        Ok(Self {
            text: whole.split_at(length).0.into(),
            steps,
        })
    }

    fn value<'v>(&self, document: &'v Value) -> Option<&'v Value> {
        self.steps.iter().try_fold(document, |value, step| match step {
            Step::Member(name) => value.get(&**name),
            Step::Element(index) => value.get(index),
        })
    }

    fn find<'v>(&self, document: &'v Value) -> Found<'v> {
        match self.value(document) {
            None => Found::Missing,
            Some(Value::Null) => Found::Null,
            Some(Value::Bool(value)) => Found::Bool(*value),
            Some(Value::Number(number)) => {
                Found::Number(number.as_f64().unwrap_or(f64::NAN), number.to_string())
            }
            Some(Value::String(text)) => Found::Text(text),
            Some(Value::Array(_) | Value::Object(_)) => Found::Composite,
        }
    }
}

fn member<'a>(cursor: &mut Cursor<'a>) -> Result<&'a str, InvalidFilterPattern> {
    let name = cursor.take_until(|c| !c.is_alphanumeric() && !"_-".contains(c));
    if name.is_empty() {
        let text = format!("the name of a member expected {}", cursor.place());
        return Err(InvalidFilterPattern(text));
    }
    Ok(name)
}

/// After `[`: an index, or a name in quotation marks.
fn bracketed(cursor: &mut Cursor<'_>) -> Result<Step, InvalidFilterPattern> {
    let step = if cursor.take("\"") {
        Step::Member(cursor.quoted()?.into())
    } else {
        let index = cursor.take_until(|c| !c.is_ascii_digit());
        let index = index
            .parse()
            .map_err(|_not_an_index| InvalidFilterPattern(format!("an index expected {}", cursor.place())))?;
        Step::Element(index)
    };
    cursor.expect("]")?;
    Ok(step)
}
