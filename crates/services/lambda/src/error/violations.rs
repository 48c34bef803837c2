//! Members of a request that break their constraints, worded as the service words them.

use std::fmt;

use super::LambdaError;

/// Members of a request that break their constraints, all named at once.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Violations(Vec<Violation>);

/// One member that breaks its constraint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// Path of the member as the API spells it, for example `["EphemeralStorage", "Size"]`.
    pub path: &'static [&'static str],
    /// What was given; none for null.
    pub value: Option<String>,
    /// `Member must …`.
    pub constraint: String,
}

impl Violations {
    /// Adds a violation.
    pub(crate) fn add(
        &mut self,
        path: &'static [&'static str],
        value: impl Into<Option<String>>,
        constraint: impl Into<String>,
    ) {
        self.0.push(Violation {
            path,
            value: value.into(),
            constraint: constraint.into(),
        });
    }

    /// Fails if there is any.
    pub(crate) fn into_result(self) -> Result<(), LambdaError> {
        if self.0.is_empty() {
            return Ok(());
        }
        Err(LambdaError::Validation(self))
    }

    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = &Violation> {
        self.0.iter()
    }
}

impl fmt::Display for Violations {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let plural = if self.0.len() == 1 { "" } else { "s" };
        write!(f, "{} validation error{plural} detected: ", self.0.len())?;
        for (position, violation) in self.0.iter().enumerate() {
            if position > 0 {
                f.write_str("; ")?;
            }
            violation.fmt(f)?;
        }
        Ok(())
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.value {
            Some(value) => write!(f, "Value '{value}'")?,
            None => f.write_str("Value null")?,
        }
        let member: Vec<String> = self.path.iter().map(|name| lower_first(name)).collect();
        write!(
            f,
            " at '{}' failed to satisfy constraint: {}",
            member.join("."),
            self.constraint
        )
    }
}

fn lower_first(name: &str) -> String {
    let mut letters = name.chars();
    letters.next().map_or_else(String::new, |first| {
        first.to_ascii_lowercase().to_string() + letters.as_str()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn violations_read_as_the_service_words_them() {
        let mut violations = Violations::default();
        violations.add(
            &["EphemeralStorage", "Size"],
            "5".to_owned(),
            "Member must be more",
        );
        let one = "1 validation error detected: Value '5' at 'ephemeralStorage.size' failed to satisfy \
                   constraint: Member must be more";
        assert_eq!(violations.to_string(), one);
        violations.add(&["TagKeys"], None, "Member must not be null");
        let two = violations.to_string();
        assert!(
            two.starts_with("2 validation errors detected: Value '5' at"),
            "{two}"
        );
        assert!(
            two.ends_with("; Value null at 'tagKeys' failed to satisfy constraint: Member must not be null")
        );
    }
}
