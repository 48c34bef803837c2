//! The settings of a function as requests and templates write them: read, checked against the API's
//! constraints, and refused by name where this platform does not honour them yet.

use std::collections::BTreeMap;
use std::fmt;

use serde::Deserialize;
use serde_json::{Map, Value};
use tradewind_model::resource::is_intrinsic;
use tradewind_model::{EphemeralStorageMib, FunctionName, MemoryMib, Runtime, TimeoutSeconds, limits};

use crate::error::{LambdaError, Violations};
use crate::model::{Architecture, Configuration};

/// The members of a request, or the properties of a resource.
pub(crate) type Members = Map<String, Value>;

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
        &["DeadLetterConfig", "TargetArn"],
        Harmless::Empty,
        "failed events are logged and dropped; remove it",
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
        &["Layers"],
        Harmless::Empty,
        "put the files of the layers into the package",
    ),
    (
        &["LoggingConfig", "ApplicationLogLevel"],
        Harmless::Empty,
        "logs are not filtered; remove it",
    ),
    (
        &["LoggingConfig", "LogFormat"],
        Harmless::Text("Text"),
        "logs are written as text",
    ),
    (
        &["LoggingConfig", "SystemLogLevel"],
        Harmless::Empty,
        "logs are not filtered; remove it",
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

/// The settings as they were written.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct Written {
    architectures: Option<Vec<String>>,
    description: Option<String>,
    environment: Option<WrittenEnvironment>,
    ephemeral_storage: Option<WrittenStorage>,
    handler: Option<String>,
    logging_config: Option<WrittenLogging>,
    memory_size: Option<i64>,
    role: Option<String>,
    runtime: Option<String>,
    timeout: Option<i64>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct WrittenEnvironment {
    variables: Option<BTreeMap<String, String>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct WrittenStorage {
    size: Option<i64>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct WrittenLogging {
    log_group: Option<String>,
}

/// The settings of a request, each checked; absent ones are absent.
#[derive(Clone, Default)]
pub(crate) struct Settings {
    architecture: Option<Architecture>,
    description: Option<String>,
    environment: Option<BTreeMap<String, String>>,
    ephemeral_storage: Option<EphemeralStorageMib>,
    handler: Option<String>,
    log_group: Option<String>,
    memory: Option<MemoryMib>,
    role: Option<String>,
    pub(crate) runtime: Option<Runtime>,
    timeout: Option<TimeoutSeconds>,
}

impl fmt::Debug for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Settings").finish_non_exhaustive()
    }
}

impl Settings {
    /// Reads the settings among `members`; members that are no settings are left to the caller.
    pub(crate) fn read(members: &Members) -> Result<Self, LambdaError> {
        if let Some(refusal) = refusals(members).into_iter().next() {
            return Err(LambdaError::Refused(refusal));
        }
        let written: Written = serde_json::from_value(Value::Object(members.clone())).map_err(|error| {
            LambdaError::WrongType {
                detail: error.to_string(),
            }
        })?;
        let mut violations = Violations::default();
        let mut settings = written.check(&mut violations);
        violations.into_result()?;
        settings.runtime = written.runtime.as_deref().map(parse_runtime).transpose()?;
        if let Some(variables) = &settings.environment {
            check_environment(variables)?;
        }
        Ok(settings)
    }

    /// The configuration of a new function.
    pub(crate) fn create(self, name: &FunctionName) -> Result<Configuration, LambdaError> {
        let mut violations = Violations::default();
        if self.role.is_none() {
            violations.add(&["Role"], None, "Member must not be null");
        }
        violations.into_result()?;
        let (Some(runtime), Some(handler)) = (self.runtime, self.handler) else {
            return Err(LambdaError::RuntimeAndHandlerMandatory);
        };
        Ok(Configuration {
            runtime,
            handler,
            role: self.role.unwrap_or_default(),
            description: self.description.unwrap_or_default(),
            memory: self.memory.unwrap_or_default(),
            timeout: self.timeout.unwrap_or_default(),
            ephemeral_storage: self.ephemeral_storage.unwrap_or_default(),
            environment: self.environment,
            log_group: self.log_group.unwrap_or_else(|| format!("/aws/lambda/{name}")),
            architecture: self.architecture.unwrap_or(Architecture::HOST),
        })
    }

    /// `current` with the settings that are given.
    pub(crate) fn update(self, current: &Configuration) -> Configuration {
        let old = current.clone();
        Configuration {
            runtime: self.runtime.unwrap_or(old.runtime),
            handler: self.handler.unwrap_or(old.handler),
            role: self.role.unwrap_or(old.role),
            description: self.description.unwrap_or(old.description),
            memory: self.memory.unwrap_or(old.memory),
            timeout: self.timeout.unwrap_or(old.timeout),
            ephemeral_storage: self.ephemeral_storage.unwrap_or(old.ephemeral_storage),
            environment: self.environment.or(old.environment),
            log_group: self.log_group.unwrap_or(old.log_group),
            architecture: self.architecture.unwrap_or(old.architecture),
        }
    }
}

const ROLE_PATTERN: &str = "arn:(aws[a-zA-Z-]*)?:iam::\\d{12}:role/?[a-zA-Z_0-9+=,.@\\-_/]+";
const LOG_GROUP_PATTERN: &str = "[\\.\\-_/#A-Za-z0-9]+";

impl Written {
    fn check(&self, violations: &mut Violations) -> Settings {
        let environment = self
            .environment
            .as_ref()
            .map(|e| e.variables.clone().unwrap_or_default());
        if let Some(variables) = &environment {
            check_keys(variables, violations);
        }
        if let Some(role) = self.role.as_deref().filter(|role| !is_role(role)) {
            let constraint = format!("Member must satisfy regular expression pattern: {ROLE_PATTERN}");
            violations.add(&["Role"], role.to_owned(), constraint);
        }
        check_length(&["Description"], self.description.as_deref(), 256, violations);
        check_handler(self.handler.as_deref(), violations);
        let log_group = self
            .logging_config
            .as_ref()
            .and_then(|logging| logging.log_group.clone());
        check_log_group(log_group.as_deref(), violations);
        let size = self.ephemeral_storage.as_ref().and_then(|storage| storage.size);
        Settings {
            architecture: check_architectures(self.architectures.as_deref(), violations),
            description: self.description.clone(),
            environment,
            ephemeral_storage: ranged(
                &["EphemeralStorage", "Size"],
                size,
                EphemeralStorageMib::new,
                violations,
            ),
            handler: self.handler.clone(),
            log_group,
            memory: ranged(&["MemorySize"], self.memory_size, MemoryMib::new, violations),
            role: self.role.clone(),
            runtime: None,
            timeout: ranged(&["Timeout"], self.timeout, TimeoutSeconds::new, violations),
        }
    }
}

/// A number within the limits of its type, else a violation that names the limit.
fn ranged<T>(
    path: &'static [&'static str],
    given: Option<i64>,
    parse: impl Fn(u64) -> Result<T, limits::LimitError>,
    violations: &mut Violations,
) -> Option<T> {
    let given = given?;
    match parse(u64::try_from(given).unwrap_or(0)) {
        Ok(value) => Some(value),
        Err(limits::LimitError { min, max, value, .. }) => {
            let constraint = if value < min {
                format!("Member must have value greater than or equal to {min}")
            } else {
                format!("Member must have value less than or equal to {max}")
            };
            violations.add(path, given.to_string(), constraint);
            None
        }
    }
}

fn check_length(
    path: &'static [&'static str],
    text: Option<&str>,
    longest: usize,
    violations: &mut Violations,
) {
    if let Some(text) = text.filter(|text| text.chars().count() > longest) {
        let constraint = format!("Member must have length less than or equal to {longest}");
        violations.add(path, text.to_owned(), constraint);
    }
}

fn check_handler(handler: Option<&str>, violations: &mut Violations) {
    check_length(&["Handler"], handler, 128, violations);
    if let Some(bad) = handler.filter(|text| text.is_empty() || text.contains(char::is_whitespace)) {
        violations.add(
            &["Handler"],
            bad.to_owned(),
            "Member must satisfy regular expression pattern: [^\\s]+",
        );
    }
}

fn check_log_group(log_group: Option<&str>, violations: &mut Violations) {
    let allowed = |b: u8| b.is_ascii_alphanumeric() || b".-_/#".contains(&b);
    let path = &["LoggingConfig", "LogGroup"];
    check_length(path, log_group, 512, violations);
    if let Some(bad) = log_group.filter(|text| text.is_empty() || !text.bytes().all(allowed)) {
        let constraint = format!("Member must satisfy regular expression pattern: {LOG_GROUP_PATTERN}");
        violations.add(path, bad.to_owned(), constraint);
    }
}

fn check_architectures(given: Option<&[String]>, violations: &mut Violations) -> Option<Architecture> {
    let given = given?;
    let text = || format!("[{}]", given.join(", "));
    match given {
        [one] => {
            let known = Architecture::parse(one);
            if known.is_none() {
                let constraint = "Member must satisfy constraint: [Member must satisfy enum value set: \
                                  [x86_64, arm64], Member must not be null]";
                violations.add(&["Architectures"], text(), constraint);
            }
            known
        }
        [] => {
            violations.add(
                &["Architectures"],
                text(),
                "Member must have length greater than or equal to 1",
            );
            None
        }
        [..] => {
            violations.add(
                &["Architectures"],
                text(),
                "Member must have length less than or equal to 1",
            );
            None
        }
    }
}

/// `arn:aws:iam::ACCOUNT:role/path/name`.
fn is_role(text: &str) -> bool {
    let parts: Vec<&str> = text.splitn(6, ':').collect();
    let ["arn", partition, "iam", "", account, resource] = parts.as_slice() else {
        return false;
    };
    let partition_fits = partition.is_empty()
        || partition
            .strip_prefix("aws")
            .is_some_and(|rest| rest.bytes().all(|b| b.is_ascii_alphabetic() || b == b'-'));
    let name = resource.strip_prefix("role").unwrap_or_default();
    let allowed = |b: u8| b.is_ascii_alphanumeric() || b"_+=,.@-/".contains(&b);
    let account_fits = account.len() == 12 && account.bytes().all(|b| b.is_ascii_digit());
    partition_fits && account_fits && name.len() > 1 && name.bytes().all(allowed)
}

fn check_keys(variables: &BTreeMap<String, String>, violations: &mut Violations) {
    let allowed = |b: u8| b.is_ascii_alphanumeric() || b == b'_';
    let fits = |key: &String| {
        key.len() > 1 && key.starts_with(|c: char| c.is_ascii_alphabetic()) && key.bytes().all(allowed)
    };
    // A leading underscore breaks the pattern; where the key is a reserved one, that is the better answer.
    if let Some(bad) = variables
        .keys()
        .find(|key| !fits(key) && !RESERVED_KEYS.contains(&key.as_str()))
    {
        let constraint = "Map keys must satisfy constraint: [Member must satisfy regular expression pattern: [a-zA-Z]([a-zA-Z0-9_])+]";
        violations.add(&["Environment", "Variables"], format!("{{{bad}=…}}"), constraint);
    }
}

/// Developer Guide, "Defined runtime environment variables": the reserved ones.
const RESERVED_KEYS: &[&str] = &[
    "AWS_ACCESS_KEY",
    "AWS_ACCESS_KEY_ID",
    "AWS_DEFAULT_REGION",
    "AWS_EXECUTION_ENV",
    "AWS_LAMBDA_FUNCTION_MEMORY_SIZE",
    "AWS_LAMBDA_FUNCTION_NAME",
    "AWS_LAMBDA_FUNCTION_VERSION",
    "AWS_LAMBDA_INITIALIZATION_TYPE",
    "AWS_LAMBDA_LOG_GROUP_NAME",
    "AWS_LAMBDA_LOG_STREAM_NAME",
    "AWS_LAMBDA_RUNTIME_API",
    "AWS_REGION",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN",
    "LAMBDA_RUNTIME_DIR",
    "LAMBDA_TASK_ROOT",
    "_HANDLER",
    "_X_AMZN_TRACE_ID",
];

fn check_environment(variables: &BTreeMap<String, String>) -> Result<(), LambdaError> {
    let reserved: Vec<&str> = variables
        .keys()
        .map(String::as_str)
        .filter(|key| RESERVED_KEYS.contains(key))
        .collect();
    if !reserved.is_empty() {
        return Err(LambdaError::ReservedEnvironmentKeys {
            keys: reserved.join(", "),
        });
    }
    let measured = serde_json::to_string(variables).map_err(LambdaError::internal)?;
    if measured.len() > limits::ENVIRONMENT_BYTES {
        return Err(LambdaError::EnvironmentTooLarge { measured });
    }
    Ok(())
}

/// The identifiers a new function may use, newest first; older ones of the same languages run too.
const KNOWN_RUNTIMES: &str = "nodejs24.x, nodejs22.x, nodejs20.x, nodejs18.x, python3.14, python3.13, python3.12, \
                              python3.11, python3.10, python3.9, ruby3.4, ruby3.3, ruby3.2, provided.al2023, \
                              provided.al2, go1.x, java21, java17, java11, dotnet8";

fn parse_runtime(text: &str) -> Result<Runtime, LambdaError> {
    text.parse().map_err(|_unknown| LambdaError::UnknownRuntime {
        runtime: text.to_owned(),
        known: KNOWN_RUNTIMES.to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn members(value: Value) -> Members {
        value.as_object().unwrap().clone()
    }

    fn read(value: Value) -> Result<Settings, LambdaError> {
        Settings::read(&members(value))
    }

    #[test]
    fn every_refused_setting_is_named() {
        let cases = [
            (
                json!({"Layers": ["arn:aws:lambda:us-east-1:1:layer:l:1"]}),
                "`Layers`",
            ),
            (json!({"VpcConfig": {"SubnetIds": ["subnet-1"]}}), "`VpcConfig`"),
            (json!({"FileSystemConfigs": [{}]}), "`FileSystemConfigs`"),
            (
                json!({"DeadLetterConfig": {"TargetArn": "arn:aws:sqs:us-east-1:1:q"}}),
                "`DeadLetterConfig.TargetArn`",
            ),
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
            (
                json!({"LoggingConfig": {"LogFormat": "JSON"}}),
                "`LoggingConfig.LogFormat`",
            ),
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
        let given = members(json!({"Layers": {"Ref": "Param"}, "TracingConfig": {"Mode": {"Ref": "Mode"}}}));
        assert_eq!(refusals(&given), []);
    }

    #[test]
    fn constraints_are_reported_together() {
        let text = read(json!({"MemorySize": 64, "Timeout": 901, "Handler": "a b", "Role": "r1"}))
            .unwrap_err()
            .to_string();
        for expected in [
            "4 validation errors detected",
            "Value '64' at 'memorySize' failed to satisfy constraint: Member must have value greater than or equal to 128",
            "Value '901' at 'timeout' failed to satisfy constraint: Member must have value less than or equal to 900",
            "Value 'a b' at 'handler'",
            "Value 'r1' at 'role' failed to satisfy constraint: Member must satisfy regular expression pattern: arn:(aws",
        ] {
            assert!(text.contains(expected), "{text}");
        }
    }

    #[test]
    fn negative_numbers_are_below_the_minimum() {
        let text = read(json!({"EphemeralStorage": {"Size": -1}}))
            .unwrap_err()
            .to_string();
        assert!(text.contains("Value '-1' at 'ephemeralStorage.size'"), "{text}");
        assert!(text.contains("greater than or equal to 512"), "{text}");
    }

    #[test]
    fn the_environment_is_at_most_four_kilobytes_of_json() {
        let overhead = "{\"LARGE\":\"\"}".len();
        let fits = "x".repeat(limits::ENVIRONMENT_BYTES - overhead);
        read(json!({"Environment": {"Variables": {"LARGE": fits}}})).unwrap();
        let text = read(json!({"Environment": {"Variables": {"LARGE": format!("{fits}x")}}}))
            .unwrap_err()
            .to_string();
        assert!(
            text.contains("exceeded the 4KB limit. String measured: {\"LARGE\":\"xxx"),
            "{text}"
        );
    }

    #[test]
    fn reserved_and_malformed_keys_are_refused() {
        let text = read(json!({"Environment": {"Variables": {"AWS_REGION": "x", "_HANDLER": "y"}}}))
            .unwrap_err()
            .to_string();
        assert!(
            text.ends_with("Reserved keys used in this request: AWS_REGION, _HANDLER"),
            "{text}"
        );
        let text = read(json!({"Environment": {"Variables": {"a-b": "secret"}}}))
            .unwrap_err()
            .to_string();
        assert!(
            text.contains("at 'environment.variables'") && !text.contains("secret"),
            "{text}"
        );
    }

    #[test]
    fn unknown_runtimes_are_listed_against() {
        let error = read(json!({"Runtime": "PYTHON3.9"})).unwrap_err();
        assert_eq!(error.wire().code, "InvalidParameterValueException");
        assert!(
            error
                .to_string()
                .starts_with("Value PYTHON3.9 at 'runtime' failed"),
            "{error}"
        );
        assert!(
            KNOWN_RUNTIMES
                .split(", ")
                .all(|name| name.trim().parse::<Runtime>().is_ok())
        );
    }

    #[test]
    fn a_wrong_type_is_a_serialization_error() {
        let error = read(json!({"MemorySize": "128"})).unwrap_err();
        assert_eq!(error.wire().code, "SerializationException");
    }

    #[test]
    fn updates_keep_what_they_do_not_name() {
        let name: FunctionName = "f".parse().unwrap();
        let role = "arn:aws:iam::123456789012:role/r";
        let first = read(json!({"Runtime": "nodejs20.x", "Handler": "i.h", "Role": role, "Timeout": 9}))
            .unwrap()
            .create(&name)
            .unwrap();
        assert_eq!((first.timeout.get(), first.memory.get()), (9, 128));
        assert_eq!(first.log_group, "/aws/lambda/f");
        let second = read(json!({"MemorySize": 256})).unwrap().update(&first);
        assert_eq!((second.timeout.get(), second.memory.get()), (9, 256));
        assert_eq!(second.handler, "i.h");
    }

    #[test]
    fn a_new_function_needs_runtime_handler_and_role() {
        let name: FunctionName = "f".parse().unwrap();
        let no_role = read(json!({"Runtime": "nodejs20.x", "Handler": "i.h"}))
            .unwrap()
            .create(&name);
        assert!(no_role.unwrap_err().to_string().contains("Value null at 'role'"));
        let role = "arn:aws:iam::123456789012:role/path/r";
        let no_runtime = read(json!({"Handler": "i.h", "Role": role}))
            .unwrap()
            .create(&name);
        assert!(matches!(no_runtime, Err(LambdaError::RuntimeAndHandlerMandatory)));
    }
}
