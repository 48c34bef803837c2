//! What a layer version says of itself, and what lists of versions ask for.

use serde::Deserialize;
use tradewind_model::Runtime;

use crate::error::{LambdaError, Violations};
use crate::model::Architecture;
use crate::settings::{KNOWN_RUNTIMES, Members, check_length, read_members};

const LONGEST_DESCRIPTION: usize = 256;
const LONGEST_LICENSE: usize = 512;
const MOST_RUNTIMES: usize = 15;
const ARCHITECTURES: &str = "[x86_64, arm64]";

/// What a layer version says of itself. The node does not act on it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Description {
    pub(crate) text: String,
    pub(crate) license: Option<String>,
    pub(crate) runtimes: Vec<String>,
    pub(crate) architectures: Vec<Architecture>,
}

/// Which versions a list asks for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Filter {
    pub(crate) runtime: Option<String>,
    pub(crate) architecture: Option<Architecture>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct Written {
    description: Option<String>,
    license_info: Option<String>,
    compatible_runtimes: Option<Vec<String>>,
    compatible_architectures: Option<Vec<String>>,
}

impl Description {
    /// Reads a description and checks its members.
    pub(crate) fn read(members: &Members) -> Result<Self, LambdaError> {
        let written: Written = read_members(members)?;
        let mut violations = Violations::default();
        let description = written.check(&mut violations);
        violations.into_result()?;
        Ok(description)
    }
}

impl Written {
    fn check(self, violations: &mut Violations) -> Description {
        let text = self.description.as_deref();
        check_length(&["Description"], text, LONGEST_DESCRIPTION, violations);
        let license = self.license_info.as_deref();
        check_length(&["LicenseInfo"], license, LONGEST_LICENSE, violations);
        let runtimes = self.compatible_runtimes.unwrap_or_default();
        check_runtimes(&runtimes, violations);
        let architectures = self.compatible_architectures.unwrap_or_default();
        Description {
            text: self.description.unwrap_or_default(),
            license: self.license_info,
            architectures: known_architectures(&architectures, violations),
            runtimes,
        }
    }
}

fn check_runtimes(runtimes: &[String], violations: &mut Violations) {
    let shown = || format!("[{}]", runtimes.join(", "));
    if runtimes.iter().any(|name| name.parse::<Runtime>().is_err()) {
        let constraint = format!("Member must satisfy enum value set: [{KNOWN_RUNTIMES}]");
        violations.add(&["CompatibleRuntimes"], shown(), constraint);
    }
    if runtimes.len() > MOST_RUNTIMES {
        let constraint = format!("Member must have length less than or equal to {MOST_RUNTIMES}");
        violations.add(&["CompatibleRuntimes"], shown(), constraint);
    }
}

fn known_architectures(given: &[String], violations: &mut Violations) -> Vec<Architecture> {
    let known: Option<Vec<_>> = given.iter().map(|name| Architecture::parse(name)).collect();
    if known.is_none() {
        let constraint = format!(
            "Member must satisfy constraint: [Member must satisfy enum value set: {ARCHITECTURES}, Member must \
             not be null]"
        );
        let shown = format!("[{}]", given.join(", "));
        violations.add(&["CompatibleArchitectures"], shown, constraint);
    }
    known.unwrap_or_default()
}

impl Filter {
    /// Reads the query parameters of a list.
    pub(crate) fn read(runtime: Option<&str>, architecture: Option<&str>) -> Result<Self, LambdaError> {
        let mut violations = Violations::default();
        let known = architecture.map(Architecture::parse);
        if let (Some(given), Some(None)) = (architecture, known) {
            let constraint = format!("Member must satisfy enum value set: {ARCHITECTURES}");
            violations.add(&["CompatibleArchitecture"], given.to_owned(), constraint);
        }
        if let Some(given) = runtime.filter(|name| name.parse::<Runtime>().is_err()) {
            let constraint = format!("Member must satisfy enum value set: [{KNOWN_RUNTIMES}]");
            violations.add(&["CompatibleRuntime"], given.to_owned(), constraint);
        }
        violations.into_result()?;
        Ok(Self {
            runtime: runtime.map(str::to_owned),
            architecture: known.flatten(),
        })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn unknown_runtimes_and_architectures_are_named_together() {
        let given =
            json!({"CompatibleRuntimes": ["python3.12", "cobol85"], "CompatibleArchitectures": ["vax"]});
        let error = Description::read(given.as_object().unwrap())
            .unwrap_err()
            .to_string();
        assert!(
            error.starts_with(
                "2 validation errors detected: Value '[python3.12, cobol85]' at 'compatibleRuntimes' failed to \
                 satisfy constraint: Member must satisfy enum value set: ["
            ),
            "{error}"
        );
        assert!(
            error.contains("Value '[vax]' at 'compatibleArchitectures' failed"),
            "{error}"
        );
        assert!(Filter::read(Some("cobol85"), None).is_err() && Filter::read(None, Some("vax")).is_err());
    }

    #[test]
    fn texts_have_a_longest() {
        let given = json!({"Description": "x".repeat(257), "LicenseInfo": "x".repeat(513)});
        let error = Description::read(given.as_object().unwrap())
            .unwrap_err()
            .to_string();
        assert!(
            error.contains("at 'description'") && error.contains("at 'licenseInfo'"),
            "{error}"
        );
    }
}
