//! The stored forms of versions, policies and aliases: JSON documents with a format number.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use tradewind_compute::LoggingConfig;
use tradewind_gateway::{Cors, InvokeMode, UrlAuth, UrlSettings};
use tradewind_model::{EphemeralStorageMib, MemoryMib, TimeoutSeconds, Timestamp};
use tradewind_store::SqlValue;

use super::display;
use crate::event_invoke::EventInvoke;
use crate::layer::{UsedLayer, UsedLayers};
use crate::model::{
    Alias, Architecture, Code, Configuration, FunctionUrl, Owner, Provisioned, Version, Weight,
};
use crate::policy::{Policy, Statement};
use crate::settings::stored_logging;

/// The stored form of a version. Format 1 is the first; a later one gets a struct of its own.
#[derive(Serialize, Deserialize)]
struct StoredVersion {
    format: u32,
    runtime: String,
    handler: String,
    role: String,
    description: String,
    memory_mib: u32,
    timeout_seconds: u32,
    ephemeral_storage_mib: u32,
    environment: Option<BTreeMap<String, String>>,
    log_group: String,
    /// Format, application level, system level; absent in rows from before it was a setting.
    logging: Option<[String; 3]>,
    architecture: String,
    package: String,
    code_size_bytes: u64,
    last_modified_ms: i64,
    revision_id: String,
    published_from: Option<String>,
    /// Absent in rows from before functions had layers.
    layers: Option<StoredLayers>,
    dead_letters: Option<String>,
}

/// The layers of a version: ARN, package and size of each, and the package of all together.
#[derive(Serialize, Deserialize)]
struct StoredLayers {
    list: Vec<(String, String, u64)>,
    merged: Option<String>,
}

pub(super) const FORMAT: u32 = 1;

pub(super) fn document(version: &Version) -> SqlValue {
    let settings = &version.configuration;
    let stored = StoredVersion {
        format: FORMAT,
        runtime: settings.runtime.to_string(),
        handler: settings.handler.clone(),
        role: settings.role.clone(),
        description: settings.description.clone(),
        memory_mib: settings.memory.get(),
        timeout_seconds: settings.timeout.get(),
        ephemeral_storage_mib: settings.ephemeral_storage.get(),
        environment: settings.environment.clone(),
        log_group: settings.log_group.clone(),
        logging: Some(logging_texts(settings.logging)),
        architecture: settings.architecture.as_str().to_owned(),
        package: version.code.package.to_string(),
        code_size_bytes: version.code.size_bytes,
        last_modified_ms: version.last_modified.as_millis(),
        revision_id: version.revision_id.clone(),
        published_from: version.published_from.clone(),
        layers: (!settings.layers.list.is_empty()).then(|| layers_document(&settings.layers)),
        dead_letters: settings.dead_letters.as_ref().map(ToString::to_string),
    };
    serde_json::to_string(&stored)
        .expect("text, numbers and maps of text are JSON")
        .into()
}

pub(super) fn version_of(text: &str) -> Result<Version, String> {
    let stored: StoredVersion = serde_json::from_str(text).map_err(|error| error.to_string())?;
    if stored.format != FORMAT {
        return Err(format!(
            "it has format {}, this binary knows {FORMAT}",
            stored.format
        ));
    }
    Ok(Version {
        code: Code {
            package: stored.package.parse().map_err(display)?,
            size_bytes: stored.code_size_bytes,
        },
        last_modified: Timestamp::from_millis(stored.last_modified_ms),
        revision_id: stored.revision_id.clone(),
        published_from: stored.published_from.clone(),
        configuration: configuration_of(stored)?,
    })
}

fn configuration_of(stored: StoredVersion) -> Result<Configuration, String> {
    Ok(Configuration {
        runtime: stored.runtime.parse().map_err(display)?,
        handler: stored.handler,
        role: stored.role,
        description: stored.description,
        memory: MemoryMib::new(stored.memory_mib.into()).map_err(display)?,
        timeout: TimeoutSeconds::new(stored.timeout_seconds.into()).map_err(display)?,
        ephemeral_storage: EphemeralStorageMib::new(stored.ephemeral_storage_mib.into()).map_err(display)?,
        environment: stored.environment,
        log_group: stored.log_group,
        logging: logging_of(stored.logging)?,
        architecture: Architecture::parse(&stored.architecture).ok_or("unknown architecture")?,
        layers: stored.layers.map(layers_of).transpose()?.unwrap_or_default(),
        dead_letters: stored
            .dead_letters
            .map(|arn| arn.parse())
            .transpose()
            .map_err(display)?,
    })
}

fn layers_document(layers: &UsedLayers) -> StoredLayers {
    let entry = |used: &UsedLayer| {
        let Code { package, size_bytes } = &used.code;
        (used.arn.to_string(), package.to_string(), *size_bytes)
    };
    StoredLayers {
        list: layers.list.iter().map(entry).collect(),
        merged: layers.merged.as_ref().map(ToString::to_string),
    }
}

fn layers_of(stored: StoredLayers) -> Result<UsedLayers, String> {
    let entry = |(arn, package, size_bytes): (String, String, u64)| {
        let package = package.parse().map_err(display)?;
        Ok::<_, String>(UsedLayer {
            arn: arn.parse().map_err(display)?,
            code: Code { package, size_bytes },
        })
    };
    Ok(UsedLayers {
        list: stored.list.into_iter().map(entry).collect::<Result<_, _>>()?,
        merged: stored.merged.map(|id| id.parse()).transpose().map_err(display)?,
    })
}

fn logging_texts(logging: LoggingConfig) -> [String; 3] {
    let LoggingConfig {
        format,
        application_level,
        system_level,
    } = logging;
    [format.as_str(), application_level.as_str(), system_level.as_str()].map(str::to_owned)
}

fn logging_of(stored: Option<[String; 3]>) -> Result<LoggingConfig, String> {
    let Some([format, application, system]) = stored else {
        return Ok(LoggingConfig::default());
    };
    stored_logging(&format, &application, &system).ok_or_else(|| "unknown logging".to_owned())
}

pub(super) fn policy_document(policy: &Policy) -> SqlValue {
    policy_text(policy).to_string().into()
}

pub(super) fn policy_text(policy: &Policy) -> Value {
    let statements: Vec<&Value> = policy
        .statements
        .iter()
        .map(|statement| &statement.json)
        .collect();
    serde_json::json!({
        "format": FORMAT, "revision_id": policy.revision_id, "statements": statements,
    })
}

#[derive(Deserialize)]
struct StoredPolicy {
    format: u32,
    revision_id: String,
    statements: Vec<Value>,
}

pub(super) fn policy_of(text: &str) -> Result<Policy, String> {
    let stored: StoredPolicy = serde_json::from_str(text).map_err(display)?;
    if stored.format != FORMAT {
        return Err(format!(
            "its policy has format {}, this binary knows {FORMAT}",
            stored.format
        ));
    }
    let statement = |json: Value| Statement {
        id: json
            .get("Sid")
            .and_then(Value::as_str)
            .unwrap_or_default()
            .to_owned(),
        json,
    };
    Ok(Policy {
        revision_id: stored.revision_id,
        statements: stored.statements.into_iter().map(statement).collect(),
    })
}

#[derive(Serialize, Deserialize)]
struct StoredAlias {
    format: u32,
    version: String,
    description: String,
    additional_version: Option<u64>,
    weight: Option<f64>,
    revision_id: String,
}

pub(super) fn alias_document(alias: &Alias) -> SqlValue {
    let stored = StoredAlias {
        format: FORMAT,
        version: alias.version.to_string(),
        description: alias.description.clone(),
        additional_version: alias.additional.map(|(version, _)| version),
        weight: alias.additional.map(|(_, weight)| weight.get()),
        revision_id: alias.revision_id.clone(),
    };
    serde_json::to_string(&stored)
        .expect("text and finite numbers are JSON")
        .into()
}

pub(super) fn alias_of(text: &str) -> Result<Alias, String> {
    let stored: StoredAlias = serde_json::from_str(text).map_err(display)?;
    if stored.format != FORMAT {
        return Err(format!(
            "its alias has format {}, this binary knows {FORMAT}",
            stored.format
        ));
    }
    let weight = stored.weight.and_then(Weight::new);
    Ok(Alias {
        version: stored.version.parse().map_err(display)?,
        description: stored.description,
        additional: stored.additional_version.zip(weight),
        revision_id: stored.revision_id,
    })
}

#[derive(Serialize, Deserialize)]
struct StoredProvisioned {
    format: u32,
    executions: u32,
    last_modified_ms: i64,
}

pub(super) fn provisioned_document(provisioned: &Provisioned) -> SqlValue {
    let stored = StoredProvisioned {
        format: FORMAT,
        executions: provisioned.executions,
        last_modified_ms: provisioned.last_modified.as_millis(),
    };
    serde_json::to_string(&stored).expect("numbers are JSON").into()
}

pub(super) fn provisioned_of(text: &str) -> Result<Provisioned, String> {
    let stored: StoredProvisioned = serde_json::from_str(text).map_err(display)?;
    if stored.format != FORMAT {
        return Err(format!(
            "its provisioned concurrency has format {}, this binary knows {FORMAT}",
            stored.format
        ));
    }
    Ok(Provisioned {
        executions: stored.executions,
        last_modified: Timestamp::from_millis(stored.last_modified_ms),
    })
}

#[derive(Serialize, Deserialize)]
struct StoredUrl {
    format: u32,
    id: String,
    signed: bool,
    streamed: bool,
    cors: Option<Cors>,
    created_ms: i64,
    modified_ms: i64,
    /// Absent in rows from before URLs had owners.
    stack: Option<String>,
    owner: Option<String>,
}

pub(super) fn url_document(url: &FunctionUrl) -> SqlValue {
    let stored = StoredUrl {
        format: FORMAT,
        id: url.id.clone(),
        signed: url.settings.auth == UrlAuth::Iam,
        streamed: url.settings.mode == InvokeMode::ResponseStream,
        cors: url.cors.clone(),
        created_ms: url.created.as_millis(),
        modified_ms: url.modified.as_millis(),
        stack: url.owner.as_ref().map(|owner| owner.stack.clone()),
        owner: url.owner.as_ref().map(|owner| owner.resource.clone()),
    };
    serde_json::to_string(&stored)
        .expect("text, numbers and truth values are JSON")
        .into()
}

pub(super) fn url_of(text: &str) -> Result<FunctionUrl, String> {
    let stored: StoredUrl = serde_json::from_str(text).map_err(display)?;
    if stored.format != FORMAT {
        return Err(format!(
            "its URL has format {}, this binary knows {FORMAT}",
            stored.format
        ));
    }
    let auth = if stored.signed {
        UrlAuth::Iam
    } else {
        UrlAuth::None
    };
    let mode = if stored.streamed {
        InvokeMode::ResponseStream
    } else {
        InvokeMode::Buffered
    };
    Ok(FunctionUrl {
        id: stored.id,
        settings: UrlSettings { auth, mode },
        cors: stored.cors,
        created: Timestamp::from_millis(stored.created_ms),
        modified: Timestamp::from_millis(stored.modified_ms),
        owner: stored
            .stack
            .zip(stored.owner)
            .map(|(stack, resource)| Owner { stack, resource }),
    })
}

#[derive(Serialize, Deserialize)]
struct StoredEventInvoke {
    format: u32,
    retries: Option<u32>,
    age_seconds: Option<u32>,
    on_success: Option<String>,
    on_failure: Option<String>,
    last_modified_ms: i64,
}

pub(super) fn event_invoke_document(config: &EventInvoke) -> SqlValue {
    let stored = StoredEventInvoke {
        format: FORMAT,
        retries: config.retries,
        age_seconds: config.age_seconds,
        on_success: config.on_success.as_ref().map(ToString::to_string),
        on_failure: config.on_failure.as_ref().map(ToString::to_string),
        last_modified_ms: config.last_modified.as_millis(),
    };
    serde_json::to_string(&stored)
        .expect("text and numbers are JSON")
        .into()
}

pub(super) fn event_invoke_of(text: &str) -> Result<EventInvoke, String> {
    let stored: StoredEventInvoke = serde_json::from_str(text).map_err(display)?;
    if stored.format != FORMAT {
        return Err(format!(
            "its event configuration has format {}, this binary knows {FORMAT}",
            stored.format
        ));
    }
    let arn = |text: Option<String>| text.map(|text| text.parse()).transpose().map_err(display);
    Ok(EventInvoke {
        retries: stored.retries,
        age_seconds: stored.age_seconds,
        on_success: arn(stored.on_success)?,
        on_failure: arn(stored.on_failure)?,
        last_modified: Timestamp::from_millis(stored.last_modified_ms),
    })
}
