//! `LoggingConfig` of a function: format, levels and group.

use serde::Deserialize;
use tradewind_compute::{LogFormat, LogLevel, LoggingConfig};

use crate::error::{LambdaError, Violations};

use super::constraints::check_log_group;

const FORMATS: [LogFormat; 2] = [LogFormat::Json, LogFormat::Text];
const APPLICATION_LEVELS: [LogLevel; 6] = [
    LogLevel::Trace,
    LogLevel::Debug,
    LogLevel::Info,
    LogLevel::Warn,
    LogLevel::Error,
    LogLevel::Fatal,
];
const SYSTEM_LEVELS: [LogLevel; 3] = [LogLevel::Debug, LogLevel::Info, LogLevel::Warn];

/// As it is written.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(super) struct WrittenLogging {
    application_log_level: Option<String>,
    log_format: Option<String>,
    log_group: Option<String>,
    system_log_level: Option<String>,
}

/// The members that were given.
#[derive(Clone, Debug, Default)]
pub(super) struct GivenLogging {
    format: Option<LogFormat>,
    application_level: Option<LogLevel>,
    system_level: Option<LogLevel>,
    pub(super) group: Option<String>,
}

impl WrittenLogging {
    pub(super) fn check(&self, violations: &mut Violations) -> GivenLogging {
        check_log_group(self.log_group.as_deref(), violations);
        GivenLogging {
            format: one_of(
                &["LoggingConfig", "LogFormat"],
                self.log_format.as_deref(),
                &FORMATS,
                LogFormat::as_str,
                violations,
            ),
            application_level: one_of(
                &["LoggingConfig", "ApplicationLogLevel"],
                self.application_log_level.as_deref(),
                &APPLICATION_LEVELS,
                LogLevel::as_str,
                violations,
            ),
            system_level: one_of(
                &["LoggingConfig", "SystemLogLevel"],
                self.system_log_level.as_deref(),
                &SYSTEM_LEVELS,
                LogLevel::as_str,
                violations,
            ),
            group: self.log_group.clone(),
        }
    }
}

fn one_of<T: Copy>(
    path: &'static [&'static str],
    given: Option<&str>,
    known: &[T],
    name: impl Fn(T) -> &'static str,
    violations: &mut Violations,
) -> Option<T> {
    let given = given?;
    let found = known.iter().copied().find(|one| name(*one) == given);
    if found.is_none() {
        let names: Vec<&str> = known.iter().copied().map(name).collect();
        let constraint = format!("Member must satisfy enum value set: [{}]", names.join(", "));
        violations.add(path, given.to_owned(), constraint);
    }
    found
}

impl GivenLogging {
    /// `current` with what is given. Levels are for JSON alone, and go with it.
    pub(super) fn over(&self, current: LoggingConfig) -> Result<LoggingConfig, LambdaError> {
        let format = self.format.unwrap_or(current.format);
        if format == LogFormat::Text {
            let given = self.application_level.or(self.system_level);
            return match given {
                Some(_) => Err(LambdaError::LogLevelsOfText),
                None => Ok(LoggingConfig::default()),
            };
        }
        Ok(LoggingConfig {
            format,
            application_level: self.application_level.unwrap_or(current.application_level),
            system_level: self.system_level.unwrap_or(current.system_level),
        })
    }
}

/// Reads back what [`LogFormat::as_str`] and [`LogLevel::as_str`] wrote.
pub(crate) fn stored_logging(format: &str, application: &str, system: &str) -> Option<LoggingConfig> {
    let level = |text: &str| {
        APPLICATION_LEVELS
            .into_iter()
            .find(|level| level.as_str() == text)
    };
    Some(LoggingConfig {
        format: FORMATS.into_iter().find(|known| known.as_str() == format)?,
        application_level: level(application)?,
        system_level: level(system)?,
    })
}
