//! Function Compute's dialect: what its functions find in their environment, and what of it is not
//! there yet. The rest is the bootstraps' (`runtimes/node/function-compute.cjs`,
//! `runtimes/python/_tradewind_fc.py`): handler signatures, context, initializer, log lines, errors.

use std::ffi::OsString;
use std::time::Duration;

use tradewind_model::{Language, limits};

use crate::environment::Places;
use crate::spec::{Dialect, FunctionComputeSettings, FunctionSpec, Hook};

/// Function Compute's own variables, and those by which the bootstrap learns of its settings.
pub(crate) fn variables(spec: &FunctionSpec, places: &Places<'_>) -> Vec<(&'static str, OsString)> {
    let Dialect::FunctionCompute(settings) = &spec.dialect else {
        return Vec::new();
    };
    let mut all = vec![
        ("FC_ACCOUNT_ID", places.account.as_str().into()),
        ("FC_REGION", places.region.as_str().into()),
        ("FC_FUNCTION_NAME", spec.arn.name.as_str().into()),
        ("FC_FUNCTION_HANDLER", spec.handler.clone().into()),
        ("FC_FUNCTION_MEMORY_SIZE", spec.memory.to_string().into()),
        ("FC_FUNC_CODE_PATH", places.folders.task_root.clone().into()),
        ("FC_QUALIFIER", spec.version().to_string().into()),
        ("FC_INSTANCE_ID", places.log_stream.into()),
        ("ALIBABA_CLOUD_ACCESS_KEY_ID", places.account.as_str().into()),
        ("ALIBABA_CLOUD_ACCESS_KEY_SECRET", "tradewind".into()),
        ("ALIBABA_CLOUD_SECURITY_TOKEN", "tradewind".into()),
        ("_TRADEWIND_DIALECT", "fc".into()),
        ("_TRADEWIND_TIMEOUT", spec.timeout.get().to_string().into()),
    ];
    if let Some(initializer) = &settings.initializer {
        all.push(("_TRADEWIND_INITIALIZER", initializer.handler.clone().into()));
    }
    all
}

/// Why a function of this dialect cannot run here yet; none when it can.
pub(crate) fn obstacle(spec: &FunctionSpec) -> Option<String> {
    let Dialect::FunctionCompute(settings) = &spec.dialect else {
        return None;
    };
    let FunctionComputeSettings {
        initializer,
        pre_stop,
        custom_runtime,
    } = settings;
    let too_long = |hook: &Hook| Duration::from_secs(hook.timeout.get().into()) > limits::INIT;
    let what = if custom_runtime.is_some() {
        "custom runtimes"
    } else if pre_stop.is_some() {
        "preStop hooks"
    } else if initializer.as_ref().is_some_and(too_long) {
        "initializers of more than ten seconds"
    } else if !matches!(spec.runtime.language(), Language::Node | Language::Python) {
        "runtimes other than Node and Python"
    } else {
        return None;
    };
    Some(format!(
        "Function Compute's {what} are not supported by this version of tradewind"
    ))
}
