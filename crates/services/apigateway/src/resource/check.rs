//! Naming what a type does not take, also below nested properties.

use serde_json::Value;
use tradewind_model::resource::{
    Properties, PropertyProblem, check_known, check_required, is_intrinsic, problem,
};

/// The problems found so far with the properties at one path.
#[derive(Debug)]
pub(crate) struct Check<'p> {
    properties: &'p Properties,
    path: Vec<String>,
    problems: Vec<PropertyProblem>,
}

impl<'p> Check<'p> {
    pub(crate) fn new(properties: &'p Properties) -> Self {
        Self {
            properties,
            path: Vec::new(),
            problems: Vec::new(),
        }
    }

    pub(crate) fn finish(self) -> Vec<PropertyProblem> {
        self.problems
    }

    /// Everything but `accepted` is a problem; `refused` gives the reasons of some.
    pub(crate) fn known(&mut self, accepted: &[&str], refused: &[(&str, &str)]) {
        self.extend(check_known(self.properties, accepted, refused));
    }

    pub(crate) fn required(&mut self, names: &[&str]) {
        self.extend(check_required(self.properties, names));
    }

    /// The value as text, if it is given and known already.
    pub(crate) fn literal(&self, name: &str) -> Option<String> {
        match self.properties.get(name)? {
            Value::String(text) => Some(text.clone()),
            Value::Bool(truth) => Some(truth.to_string()),
            Value::Number(number) => Some(number.to_string()),
            Value::Null | Value::Array(_) | Value::Object(_) => None,
        }
    }

    /// The value is one of `allowed`; `why` others are not.
    pub(crate) fn only(&mut self, name: &str, allowed: &[&str], why: &str) {
        if let Some(given) = self
            .literal(name)
            .filter(|given| !allowed.contains(&given.as_str()))
        {
            self.problem(&[name], format!("`{given}` is not supported yet: {why}"));
        }
    }

    /// The whole number is within bounds.
    pub(crate) fn within(&mut self, name: &str, least: i64, most: i64) {
        let Some(given) = self.literal(name) else { return };
        if !given
            .parse()
            .is_ok_and(|number: i64| (least..=most).contains(&number))
        {
            self.problem(
                &[name],
                format!("`{given}` is not a whole number from {least} to {most}"),
            );
        }
    }

    /// The list, object or text is empty; `why` it has to be.
    pub(crate) fn empty(&mut self, name: &str, why: &str) {
        let filled = match self.properties.get(name) {
            None | Some(Value::Null | Value::Bool(_) | Value::Number(_)) => false,
            Some(Value::String(text)) => !text.is_empty(),
            Some(Value::Array(list)) => !list.is_empty(),
            Some(Value::Object(map)) => !map.is_empty(),
        };
        if filled {
            self.problem(&[name], format!("property `{name}` is not supported yet: {why}"));
        }
    }

    /// Checks the object of property `name`, unless it is not known yet.
    pub(crate) fn nested(&mut self, name: &str, check: impl FnOnce(&mut Check<'_>)) {
        match self.properties.get(name) {
            Some(value) if is_intrinsic(value) => {}
            Some(Value::Object(inner)) => {
                let path = self
                    .path
                    .iter()
                    .map(String::as_str)
                    .chain([name])
                    .map(str::to_owned)
                    .collect();
                let mut nested = Check {
                    properties: inner,
                    path,
                    problems: Vec::new(),
                };
                check(&mut nested);
                self.problems.append(&mut nested.problems);
            }
            None | Some(Value::Null) => {}
            Some(_) => self.problem(&[name], format!("property `{name}` must be an object")),
        }
    }

    pub(crate) fn properties(&self) -> &'p Properties {
        self.properties
    }

    pub(crate) fn problem(&mut self, path: &[&str], message: impl Into<String>) {
        self.extend(vec![problem(path, message)]);
    }

    fn extend(&mut self, problems: Vec<PropertyProblem>) {
        let prefix = &self.path;
        self.problems.extend(problems.into_iter().map(|mut problem| {
            problem.path.splice(..0, prefix.iter().cloned());
            problem
        }));
    }
}
