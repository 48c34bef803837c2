//! External extensions: executables in `/opt/extensions` that run beside the runtime.
//!
//! They are in the same sandbox, so they are started from inside: a shell starts them, then becomes the
//! runtime. When one ends, the shell that waits for it prints a line with a mark that only this instance
//! knows; the journal takes it out of the log.

use std::ffi::OsString;
use std::io;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use super::boot::runtime_api;
use crate::channel::{Channel, Extended, FunctionFacts, MAX_EXTENSIONS};
use crate::failure::Failure;
use crate::host::Host;
use crate::sandbox::network::InstanceNetwork;
use crate::sandbox::{Folders, SpawnPlan};
use crate::spec::FunctionSpec;

/// `$1` is the mark; then come the extensions, `--`, and the runtime with its arguments.
const SCRIPT: &str = r#"mark=$1; shift
while [ "$1" != -- ]; do
  (unset _HANDLER _TRADEWIND_FD _TRADEWIND_OUT_FD; "$1" 3<&- 4>&-; echo "$mark $? ${1##*/}") &
  shift
done
shift
exec "$@""#;

/// The names of the external extensions, sorted.
///
/// # Errors
/// When there are more than Lambda's limit.
pub(super) fn external_extensions(folders: &Folders) -> Result<Vec<String>, Failure> {
    let Some(layers) = &folders.layers else {
        return Ok(Vec::new());
    };
    let Ok(entries) = std::fs::read_dir(layers.join("extensions")) else {
        return Ok(Vec::new());
    };
    let executable = |entry: &std::fs::DirEntry| {
        let metadata = std::fs::metadata(entry.path());
        metadata.is_ok_and(|metadata| metadata.is_file() && metadata.permissions().mode() & 0o111 != 0)
    };
    let mut names: Vec<String> = entries
        .flatten()
        .filter(executable)
        .filter_map(|entry| entry.file_name().into_string().ok())
        .collect();
    if names.len() > MAX_EXTENSIONS {
        return Err(Failure::Extension {
            error_type: "Extension.LaunchError",
            message: format!(
                "{} extensions in /opt/extensions, at most {MAX_EXTENSIONS} can run",
                names.len()
            ),
        });
    }
    names.sort();
    Ok(names)
}

/// The channel of a function that may have extensions: one with layers, or with a runtime of its own.
pub(super) async fn with_extensions(
    channel: Channel,
    plan: &mut SpawnPlan,
    network: Option<&mut InstanceNetwork>,
    spec: &FunctionSpec,
    host: &Host,
    external: &[String],
) -> io::Result<Channel> {
    let facts = FunctionFacts {
        name: spec.arn.name.to_string(),
        version: spec.version().to_string(),
        handler: spec.handler.clone(),
        account: host.account.to_string(),
    };
    match channel {
        Channel::RuntimeApi(mut api) => {
            api.expect_extensions(facts, external.to_vec());
            Ok(Channel::RuntimeApi(api))
        }
        Channel::Frames(frames) if spec.layers.is_some() => {
            let mut api = runtime_api(network).await?;
            api.expect_extensions(facts, external.to_vec());
            plan.environment
                .push(("AWS_LAMBDA_RUNTIME_API".into(), api.address().to_string().into()));
            Ok(Channel::Extended(Box::new(Extended::new(frames, api))))
        }
        channel @ (Channel::Frames(_) | Channel::Extended(_)) => Ok(channel),
    }
}

/// Starts extensions with the program. Gives the mark of the lines that tell of their ends.
pub(super) fn start_beside(plan: &mut SpawnPlan, layers: &Path, external: &[String]) -> Option<Box<str>> {
    if external.is_empty() {
        return None;
    }
    let mark = format!("extension-{}", uuid::Uuid::new_v4());
    let mut args: Vec<OsString> = ["-c", SCRIPT, "sh", &mark]
        .into_iter()
        .map(OsString::from)
        .collect();
    args.extend(
        external
            .iter()
            .map(|name| layers.join("extensions").join(name).into()),
    );
    args.push("--".into());
    args.push(std::mem::replace(&mut plan.program, "/bin/sh".into()).into());
    args.append(&mut plan.args);
    plan.args = args;
    Some(mark.into())
}
