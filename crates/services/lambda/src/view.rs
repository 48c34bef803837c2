//! Functions as the API shows them.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::{Value, json};
use tradewind_compute::{LogFormat, LoggingConfig};
use tradewind_model::Qualifier;

use crate::layer::UsedLayer;
use crate::model::{Configuration, Function, Version, last_modified_text};

/// `FunctionConfiguration` of the API.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct ConfigurationView<'a> {
    function_name: &'a str,
    function_arn: String,
    runtime: &'a str,
    role: &'a str,
    handler: &'a str,
    code_size: u64,
    description: &'a str,
    timeout: u32,
    memory_size: u32,
    last_modified: String,
    code_sha256: String,
    version: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    environment: Option<EnvironmentView<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    dead_letter_config: Option<Value>,
    tracing_config: Value,
    revision_id: &'a str,
    #[serde(flatten)]
    state: Option<StateView>,
    package_type: &'static str,
    architectures: [&'static str; 1],
    #[serde(skip_serializing_if = "Vec::is_empty")]
    layers: Vec<Value>,
    ephemeral_storage: Value,
    snap_start: Value,
    logging_config: Value,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
struct EnvironmentView<'a> {
    variables: &'a BTreeMap<String, String>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
struct StateView {
    state: &'static str,
    last_update_status: &'static str,
}

/// How much of a configuration is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Detail {
    /// All of it.
    Full,
    /// What lists show: without the state.
    Listed,
}

/// Shows one version. `qualifier` is what the ARN ends with; without one the version is `$LATEST`.
pub(crate) fn configuration<'a>(
    function: &'a Function,
    version: &'a Version,
    qualifier: Option<&Qualifier>,
    detail: Detail,
) -> ConfigurationView<'a> {
    let settings = &version.configuration;
    let state = StateView {
        state: "Active",
        last_update_status: "Successful",
    };
    ConfigurationView {
        function_name: function.arn.name.as_str(),
        function_arn: qualifier.map_or_else(
            || function.arn.to_string(),
            |q| function.arn.qualified(q.clone()).to_string(),
        ),
        runtime: settings.runtime.as_str(),
        role: &settings.role,
        handler: &settings.handler,
        code_size: version.code.size_bytes,
        description: &settings.description,
        timeout: settings.timeout.get(),
        memory_size: settings.memory.get(),
        last_modified: last_modified_text(version.last_modified),
        code_sha256: version.code.package.code_sha256_base64(),
        version: qualifier
            .and_then(|qualifier| function.executed(qualifier))
            .cloned()
            .unwrap_or_default()
            .to_string(),
        environment: settings
            .environment
            .as_ref()
            .map(|variables| EnvironmentView { variables }),
        dead_letter_config: settings
            .dead_letters
            .as_ref()
            .map(|target| json!({"TargetArn": target.to_string()})),
        tracing_config: json!({"Mode": "PassThrough"}),
        revision_id: &version.revision_id,
        state: (detail == Detail::Full).then_some(state),
        package_type: "Zip",
        layers: settings.layers.list.iter().map(layer).collect(),
        architectures: [settings.architecture.as_str()],
        ephemeral_storage: json!({"Size": settings.ephemeral_storage.get()}),
        snap_start: json!({"ApplyOn": "None", "OptimizationStatus": "Off"}),
        logging_config: logging(settings),
    }
}

fn layer(used: &UsedLayer) -> Value {
    json!({"Arn": used.arn.to_string(), "CodeSize": used.code.size_bytes})
}

/// Levels are for JSON alone.
fn logging(settings: &Configuration) -> Value {
    let LoggingConfig {
        format,
        application_level,
        system_level,
    } = settings.logging;
    let mut shape = json!({"LogFormat": format.as_str()});
    if format == LogFormat::Json {
        shape["ApplicationLogLevel"] = application_level.as_str().into();
        shape["SystemLogLevel"] = system_level.as_str().into();
    }
    shape["LogGroup"] = settings.log_group.as_str().into();
    shape
}
