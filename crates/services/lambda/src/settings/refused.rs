//! Settings that are known and not honoured yet: refused where they ask for something.

use std::fmt;

use serde_json::Value;
use tradewind_model::resource::is_intrinsic;

use super::Members;
use crate::model::Architecture;

/// A setting that is known and not honoured yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// Where it stands.
    pub path: Vec<String>,
    /// What to do without it.
    pub hint: &'static str,
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}` is not supported yet: {}", self.path.join("."), self.hint)
    }
}

/// What makes a value of a refused setting harmless.
#[derive(Clone, Copy)]
enum Harmless {
    /// Nothing: any value but null is refused.
    Never,
    /// An empty string, list or object, or an object of nothing else.
    Empty,
    /// Exactly this text.
    Text(&'static str),
    /// Exactly these texts in a list.
    HostArchitecture,
}

const REFUSED: &[(&[&str], Harmless, &str)] = &[
    (
        &["AcceleratorConfig"],
        Harmless::Never,
        "functions run without accelerators",
    ),
    (
        &["Architectures"],
        Harmless::HostArchitecture,
        "functions run on the architecture of the node",
    ),
    (
        &["CapacityProviderConfig"],
        Harmless::Never,
        "functions run on the node itself",
    ),
    (
        &["CodeSigningConfigArn"],
        Harmless::Empty,
        "code is not verified; deploy without code signing",
    ),
    (
        &["DurableConfig"],
        Harmless::Never,
        "durable functions are not there yet",
    ),
    (
        &["FileSystemConfigs"],
        Harmless::Empty,
        "functions have only their own /tmp; remove the file systems",
    ),
    (
        &["ImageConfig"],
        Harmless::Empty,
        "only zip packages run; remove the image settings",
    ),
    (
        &["KMSKeyArn"],
        Harmless::Empty,
        "the environment is not encrypted with keys of your own; remove it",
    ),
    (
        &["KmsKeyArn"],
        Harmless::Empty,
        "the environment is not encrypted with keys of your own; remove it",
    ),
    (
        &["PackageType"],
        Harmless::Text("Zip"),
        "only zip packages run; deploy the function as one",
    ),
    (&["PublishTo"], Harmless::Never, "publish with PublishVersion"),
    (&["RuntimeConfig"], Harmless::Never, "remove it"),
    (
        &["SnapStart", "ApplyOn"],
        Harmless::Text("None"),
        "instances start without snapshots; use `None`",
    ),
    (
        &["TenancyConfig"],
        Harmless::Never,
        "instances are not kept apart by tenant; remove it",
    ),
    (
        &["TracingConfig", "Mode"],
        Harmless::Text("PassThrough"),
        "traces are not recorded; use `PassThrough`",
    ),
    (
        &["VpcConfig"],
        Harmless::Empty,
        "functions use the network of the node; remove it",
    ),
];

/// Every setting among `members` that is refused. Unresolved intrinsic functions pass.
pub(crate) fn refusals(members: &Members) -> Vec<Refusal> {
    let refused = |&(path, harmless, hint): &(&[&str], Harmless, &'static str)| {
        let value = value_at(members, path)?;
        let refusal = || Refusal {
            path: path.iter().map(|&name| name.to_owned()).collect(),
            hint,
        };
        (!is_intrinsic(value) && !harmless.allows(value)).then(refusal)
    };
    REFUSED.iter().filter_map(refused).collect()
}

/// Every setting that is refused where it asks for something: its path, joined by dots, and why.
pub(crate) fn refused_settings() -> impl Iterator<Item = (String, &'static str)> {
    REFUSED.iter().map(|(path, _, hint)| (path.join("."), *hint))
}

fn value_at<'a>(members: &'a Members, path: &[&str]) -> Option<&'a Value> {
    let (first, rest) = path.split_first()?;
    rest.iter()
        .try_fold(members.get(*first)?, |value, name| value.get(name))
}

impl Harmless {
    fn allows(self, value: &Value) -> bool {
        match self {
            _ if value.is_null() => true,
            Self::Never => false,
            Self::Empty => is_empty(value),
            Self::Text(text) => value.as_str() == Some(text),
            Self::HostArchitecture => value.as_array().is_some_and(|list| {
                list.iter()
                    .all(|item| is_intrinsic(item) || item.as_str() == Some(Architecture::HOST.as_str()))
            }),
        }
    }
}

fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null | Value::Bool(false) => true,
        Value::Bool(true) | Value::Number(_) => false,
        Value::String(text) => text.is_empty(),
        Value::Array(list) => list.is_empty(),
        Value::Object(map) => map.values().all(is_empty),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::error::LambdaError;
    use crate::settings::Settings;

    fn members(value: Value) -> Members {
        value.as_object().unwrap().clone()
    }

    fn read(value: Value) -> Result<Settings, LambdaError> {
        Settings::read(&members(value))
    }

    #[test]
    fn every_refused_setting_is_named() {
        let cases = [
            (json!({"VpcConfig": {"SubnetIds": ["subnet-1"]}}), "`VpcConfig`"),
            (json!({"FileSystemConfigs": [{}]}), "`FileSystemConfigs`"),
            (
                json!({"TracingConfig": {"Mode": "Active"}}),
                "`TracingConfig.Mode`",
            ),
            (
                json!({"SnapStart": {"ApplyOn": "PublishedVersions"}}),
                "`SnapStart.ApplyOn`",
            ),
            (
                json!({"KMSKeyArn": "arn:aws:kms:us-east-1:1:key/k"}),
                "`KMSKeyArn`",
            ),
            (json!({"ImageConfig": {"Command": ["x"]}}), "`ImageConfig`"),
            (json!({"PackageType": "Image"}), "`PackageType`"),
            (json!({"DurableConfig": {}}), "`DurableConfig`"),
        ];
        for (given, expected) in cases {
            let text = read(given).unwrap_err().to_string();
            assert!(
                text.starts_with(&format!("{expected} is not supported yet: ")),
                "{text}"
            );
        }
        let other = if Architecture::HOST == Architecture::Arm64 {
            "x86_64"
        } else {
            "arm64"
        };
        assert!(read(json!({"Architectures": [other]})).is_err());
    }

    #[test]
    fn settings_that_ask_for_nothing_pass() {
        let harmless = json!({
            "Layers": [], "VpcConfig": {"SubnetIds": [], "SecurityGroupIds": []}, "FileSystemConfigs": [],
            "DeadLetterConfig": {}, "TracingConfig": {"Mode": "PassThrough"}, "SnapStart": {"ApplyOn": "None"},
            "KMSKeyArn": "", "PackageType": "Zip", "LoggingConfig": {"LogFormat": "Text"}, "ImageConfig": null,
            "Architectures": [Architecture::HOST.as_str()],
        });
        read(harmless).unwrap();
    }

    #[test]
    fn unresolved_intrinsics_are_not_judged() {
        let given =
            members(json!({"KMSKeyArn": {"Ref": "Param"}, "TracingConfig": {"Mode": {"Ref": "Mode"}}}));
        assert_eq!(refusals(&given), []);
    }
}
