//! The settings of a function as requests and templates write them: read, checked against the API's
//! constraints, and refused by name where this platform does not honour them yet.

mod constraints;
mod environment;
mod logging;
mod refused;

use std::collections::BTreeMap;
use std::fmt;

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};
use tradewind_compute::LoggingConfig;
use tradewind_model::{Arn, EphemeralStorageMib, FunctionName, MemoryMib, Runtime, TimeoutSeconds};

use crate::error::{LambdaError, LayerError, Violations};
use crate::layer::{LayerVersionArn, MAX_LAYERS, UsedLayers};
use crate::model::{Architecture, Configuration};

pub(crate) use constraints::check_length;
use constraints::{check_architectures, check_dead_letters, check_handler, check_layers, check_role, ranged};
use environment::{check_environment, check_keys};
pub(crate) use logging::stored_logging;
use logging::{GivenLogging, WrittenLogging};
pub use refused::Refusal;
pub(crate) use refused::{refusals, refused_settings};

/// The members of a request, or the properties of a resource.
pub(crate) type Members = Map<String, Value>;

/// The members in the shape of `T`, which leaves out what is not its own.
///
/// # Errors
/// When a member has another type.
pub(crate) fn read_members<T: DeserializeOwned>(members: &Members) -> Result<T, LambdaError> {
    serde_json::from_value(Value::Object(members.clone())).map_err(|error| LambdaError::WrongType {
        detail: error.to_string(),
    })
}

/// The settings as they were written.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct Written {
    architectures: Option<Vec<String>>,
    dead_letter_config: Option<WrittenDeadLetters>,
    description: Option<String>,
    environment: Option<WrittenEnvironment>,
    ephemeral_storage: Option<WrittenStorage>,
    handler: Option<String>,
    layers: Option<Vec<String>>,
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
struct WrittenDeadLetters {
    target_arn: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct WrittenStorage {
    size: Option<i64>,
}

/// The settings of a request, each checked; absent ones are absent.
#[derive(Clone, Default)]
pub(crate) struct Settings {
    architecture: Option<Architecture>,
    /// None within says that there is none any more.
    dead_letters: Option<Option<Arn>>,
    description: Option<String>,
    environment: Option<BTreeMap<String, String>>,
    ephemeral_storage: Option<EphemeralStorageMib>,
    handler: Option<String>,
    /// To be looked up and merged by the caller: `LambdaService::use_layers`.
    pub(crate) layers: Option<Vec<LayerVersionArn>>,
    logging: GivenLogging,
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
        let written: Written = read_members(members)?;
        let mut violations = Violations::default();
        let mut settings = written.check(&mut violations);
        violations.into_result()?;
        settings.runtime = written.runtime.as_deref().map(parse_runtime).transpose()?;
        if let Some(variables) = &settings.environment {
            check_environment(variables)?;
        }
        if settings
            .layers
            .as_ref()
            .is_some_and(|layers| layers.len() > MAX_LAYERS)
        {
            return Err(LayerError::TooMany { limit: MAX_LAYERS }.into());
        }
        Ok(settings)
    }

    /// The configuration of a new function, as yet without its layers.
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
            logging: self.logging.over(LoggingConfig::default())?,
            log_group: self
                .logging
                .group
                .unwrap_or_else(|| format!("/aws/lambda/{name}")),
            architecture: self.architecture.unwrap_or(Architecture::HOST),
            layers: UsedLayers::default(),
            dead_letters: self.dead_letters.flatten(),
        })
    }

    /// `current` with the settings that are given, as yet with the layers it has.
    pub(crate) fn update(self, current: &Configuration) -> Result<Configuration, LambdaError> {
        let old = current.clone();
        Ok(Configuration {
            runtime: self.runtime.unwrap_or(old.runtime),
            handler: self.handler.unwrap_or(old.handler),
            role: self.role.unwrap_or(old.role),
            description: self.description.unwrap_or(old.description),
            memory: self.memory.unwrap_or(old.memory),
            timeout: self.timeout.unwrap_or(old.timeout),
            ephemeral_storage: self.ephemeral_storage.unwrap_or(old.ephemeral_storage),
            environment: self.environment.or(old.environment),
            logging: self.logging.over(old.logging)?,
            log_group: self.logging.group.unwrap_or(old.log_group),
            architecture: self.architecture.unwrap_or(old.architecture),
            layers: old.layers,
            dead_letters: self.dead_letters.unwrap_or(old.dead_letters),
        })
    }
}

impl Written {
    fn check(&self, violations: &mut Violations) -> Settings {
        let environment = self
            .environment
            .as_ref()
            .map(|e| e.variables.clone().unwrap_or_default());
        if let Some(variables) = &environment {
            check_keys(variables, violations);
        }
        check_role(self.role.as_deref(), violations);
        check_length(&["Description"], self.description.as_deref(), 256, violations);
        check_handler(self.handler.as_deref(), violations);
        let logging = self.logging_config.as_ref();
        let size = self.ephemeral_storage.as_ref().and_then(|storage| storage.size);
        Settings {
            architecture: check_architectures(self.architectures.as_deref(), violations),
            dead_letters: self.dead_letter_config.as_ref().map(|config| {
                let target = config.target_arn.as_deref();
                check_dead_letters(target.unwrap_or_default(), violations)
            }),
            description: self.description.clone(),
            environment,
            ephemeral_storage: ranged(
                &["EphemeralStorage", "Size"],
                size,
                EphemeralStorageMib::new,
                violations,
            ),
            handler: self.handler.clone(),
            layers: check_layers(self.layers.as_deref(), violations),
            logging: logging
                .map(|written| written.check(violations))
                .unwrap_or_default(),
            memory: ranged(&["MemorySize"], self.memory_size, MemoryMib::new, violations),
            role: self.role.clone(),
            runtime: None,
            timeout: ranged(&["Timeout"], self.timeout, TimeoutSeconds::new, violations),
        }
    }
}

/// The identifiers a new function may use, newest first; older ones of the same languages run too.
pub(crate) const KNOWN_RUNTIMES: &str = "nodejs24.x, nodejs22.x, nodejs20.x, nodejs18.x, python3.14, python3.13, python3.12, \
                              python3.11, python3.10, python3.9, ruby3.4, ruby3.3, ruby3.2, provided.al2023, \
                              provided.al2, go1.x, java25, java21, java17, java11, java8.al2, dotnet8";

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
        let second = read(json!({"MemorySize": 256})).unwrap().update(&first).unwrap();
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

    #[test]
    fn logging_is_merged_and_levels_go_with_json() {
        use tradewind_compute::{LogFormat, LogLevel};

        let name: FunctionName = "f".parse().unwrap();
        let given = json!({
            "Runtime": "nodejs20.x", "Handler": "i.h", "Role": "arn:aws:iam::123456789012:role/r",
            "LoggingConfig": {"LogFormat": "JSON", "SystemLogLevel": "WARN"},
        });
        let first = read(given).unwrap().create(&name).unwrap();
        let levels = |c: &Configuration| (c.logging.application_level, c.logging.system_level);
        assert_eq!(first.logging.format, LogFormat::Json);
        assert_eq!(levels(&first), (LogLevel::Info, LogLevel::Warn));
        let log = |value: Value| read(json!({ "LoggingConfig": value })).unwrap();
        let second = log(json!({"ApplicationLogLevel": "FATAL", "LogGroup": "/g"}));
        let second = second.update(&first).unwrap();
        assert_eq!(levels(&second), (LogLevel::Fatal, LogLevel::Warn));
        assert_eq!(second.log_group, "/g");
        let text = log(json!({"LogFormat": "Text"})).update(&second).unwrap();
        assert_eq!(
            (text.logging, text.log_group.as_str()),
            (LoggingConfig::default(), "/g")
        );
        let refused = log(json!({"SystemLogLevel": "INFO"})).update(&text).unwrap_err();
        assert!(matches!(refused, LambdaError::LogLevelsOfText));
        let wrong = read(json!({"LoggingConfig": {"LogFormat": "json", "SystemLogLevel": "ERROR"}}));
        assert_eq!(
            wrong.unwrap_err().to_string(),
            "2 validation errors detected: Value 'json' at 'loggingConfig.logFormat' failed to satisfy \
             constraint: Member must satisfy enum value set: [JSON, Text]; Value 'ERROR' at \
             'loggingConfig.systemLogLevel' failed to satisfy constraint: Member must satisfy enum value set: \
             [DEBUG, INFO, WARN]"
        );
    }
}
