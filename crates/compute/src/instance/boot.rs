//! From a function's spec to a started process with its channel.

use std::ffi::OsString;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;

use tokio::time::Instant;
use tradewind_model::{EphemeralStorageMib, Language, MemoryMib, Runtime};

use super::extensions::{external_extensions, start_beside, with_extensions};
use super::output::Output;
use crate::channel::{Channel, Frames, RuntimeApi};
use crate::dialect;
use crate::environment::{Places, environment};
use crate::error::InvokeError;
use crate::failure::Failure;
use crate::host::Host;
use crate::interpreters::Interpreter;
use crate::java;
use crate::package::PackageLease;
use crate::pool::{Pool, Purpose};
use crate::prepared;
use crate::sandbox::network::InstanceNetwork;
use crate::sandbox::{CHANNEL_FDS, Folders, Limits, NetworkPlan, Process, SpawnError, SpawnPlan};
use crate::spec::{Egress, FunctionSpec};

/// How Lambda calls the package's folder in the errors of custom runtimes.
const TASK_ROOT_NAME: &str = "/var/task";
/// How it calls that of the layers.
const LAYERS_NAME: &str = "/opt";

/// A started process and the ways to it.
#[derive(Debug)]
pub(super) struct Booted {
    pub(super) process: Process,
    pub(super) channel: Channel,
    pub(super) output: Output,
    pub(super) workspace: Workspace,
    /// What marks a line that tells of an extension's end.
    pub(super) extension_mark: Option<Box<str>>,
    /// When its start began.
    pub(super) begun: Instant,
}

/// What an instance has besides its process: its packages, kept, its network, and its temporary folder.
#[derive(Debug)]
pub(super) struct Workspace {
    tmp_dir: PathBuf,
    _packages: [Option<PackageLease>; 2],
    _network: Option<InstanceNetwork>,
}

impl Workspace {
    pub(super) fn new(
        tmp_dir: PathBuf,
        packages: [Option<PackageLease>; 2],
        network: Option<InstanceNetwork>,
    ) -> Self {
        Self {
            tmp_dir,
            _packages: packages,
            _network: network,
        }
    }

    /// Removes the temporary folder, without blocking the runtime.
    pub(super) fn remove(self, host: &Host) {
        let tmp_dir = self.tmp_dir;
        drop(host.tasks.spawn_blocking(move || {
            if let Err(error) = std::fs::remove_dir_all(&tmp_dir)
                && error.kind() != io::ErrorKind::NotFound
            {
                tracing::warn!(path = %tmp_dir.display(), %error, "cannot remove an instance's temporary folder");
            }
        }));
    }
}

/// What is started, by language.
pub(super) struct Program {
    pub(super) path: PathBuf,
    pub(super) args: Vec<OsString>,
    pub(super) interpreter_dir: Option<PathBuf>,
    /// Folders it needs besides the system's own.
    pub(super) tools: Vec<PathBuf>,
    /// The name by which errors call it, when it is the user's own.
    own: Option<String>,
}

/// Starts a process for the pool's function.
pub(super) async fn boot(pool: &Pool, log_stream: Arc<str>, purpose: Purpose) -> Result<Booted, Failure> {
    let (spec, host) = (&pool.spec, &pool.host);
    if let Some(message) = dialect::obstacle(spec) {
        return Err(Failure::Node(InvokeError::Unavailable { message }));
    }
    let (leases, mut folders) = code(host, spec, file_name(&log_stream))?;
    folders.prepared = prepared::folder(pool);
    let inside = host.sandbox.inside(&folders);
    let network = host.sandbox.network(spec.egress).await;
    let mut network = network.map_err(|error| unavailable(&error))?;
    if network.is_none() {
        keeps_to_itself(spec)?;
    }
    let program = program(spec, host, &folders, &inside).await?;
    let (output, output_fd) = Output::pipe().map_err(|error| unavailable(&error))?;
    let tmp_dir = folders.tmp.clone();
    let external = external_extensions(&folders)?;
    let layers_inside = inside.layers.clone();
    let mut plan = SpawnPlan {
        environment: environment(
            spec,
            &Places {
                account: &host.account,
                region: &host.region,
                endpoint_url: &host.endpoint_url,
                folders: &inside,
                interpreter_dir: program.interpreter_dir.as_deref(),
                log_stream: &log_stream,
                initialization_type: initialization_type(purpose),
            },
        ),
        program: program.path,
        args: program.args,
        tools: program.tools,
        working_dir: inside.task_root,
        folders,
        limits: limits(spec.memory, spec.ephemeral_storage, spec.cpu_limit_millis),
        channel: None,
        output: output_fd,
        network: network
            .as_ref()
            .map(plan_of)
            .transpose()
            .map_err(|error| unavailable(&error))?,
    };
    let begun = Instant::now();
    let channel = open_channel(&mut plan, program.own.is_some(), network.as_mut())
        .await
        .map_err(|error| unavailable(&error))?;
    let channel = with_extensions(channel, &mut plan, network.as_mut(), &pool.spec, host, &external)
        .await
        .map_err(|error| unavailable(&error))?;
    let extension_mark = layers_inside.and_then(|layers| start_beside(&mut plan, &layers, &external));
    let process = host
        .sandbox
        .spawn(plan)
        .await
        .map_err(|error| spawn_failure(error, program.own))?;
    Ok(Booted {
        process,
        channel,
        output,
        extension_mark,
        begun,
        workspace: Workspace::new(tmp_dir, leases, network),
    })
}

/// The function's code and what runs it, held until the leases go, and a folder `tmp` of its own.
pub(super) fn code(
    host: &Host,
    spec: &FunctionSpec,
    tmp: &str,
) -> Result<([Option<PackageLease>; 2], Folders), Failure> {
    let lease = |package| host.packages.lease(package).map_err(|gone| unavailable(&gone));
    let package = lease(&spec.package)?;
    let layers = spec.layers.as_ref().map(lease).transpose()?;
    let folders = Folders {
        task_root: host.packages.path_of(&spec.package),
        layers: spec.layers.as_ref().map(|layers| host.packages.path_of(layers)),
        runtime: host.bootstraps.runtime_dir(spec.runtime.language()),
        prepared: None,
        tmp: host.run_dir.join(tmp),
    };
    Ok(([Some(package), layers], folders))
}

pub(super) fn plan_of(network: &InstanceNetwork) -> io::Result<NetworkPlan> {
    Ok(NetworkPlan {
        namespace: network.namespace().try_clone_to_owned()?,
        resolv_conf: network.resolv_conf().to_owned(),
    })
}

/// Functions with a runtime of their own speak HTTP, those with a bootstrap of ours frames.
async fn open_channel(
    plan: &mut SpawnPlan,
    own_runtime: bool,
    network: Option<&mut InstanceNetwork>,
) -> io::Result<Channel> {
    if own_runtime {
        let api = runtime_api(network).await?;
        plan.environment
            .push(("AWS_LAMBDA_RUNTIME_API".into(), api.address().to_string().into()));
        return Ok(Channel::RuntimeApi(api));
    }
    frames(plan)
}

pub(super) fn frames(plan: &mut SpawnPlan) -> io::Result<Channel> {
    let (frames, theirs) = Frames::new()?;
    let [input, output] = CHANNEL_FDS.map(|number| number.to_string().into());
    plan.environment.push(("_TRADEWIND_FD".into(), input));
    plan.environment.push(("_TRADEWIND_OUT_FD".into(), output));
    plan.channel = Some(theirs);
    Ok(Channel::Frames(frames))
}

/// A Runtime API that the instance can reach: inside its network, if it has one of its own.
pub(super) async fn runtime_api(network: Option<&mut InstanceNetwork>) -> io::Result<RuntimeApi> {
    match network {
        Some(network) => RuntimeApi::listen(network.runtime_api()?),
        None => RuntimeApi::bind().await,
    }
}

/// `AWS_LAMBDA_INITIALIZATION_TYPE`.
pub(super) fn initialization_type(purpose: Purpose) -> &'static str {
    match purpose {
        Purpose::Provisioned => "provisioned-concurrency",
        Purpose::Asked | Purpose::Proof | Purpose::Floor => "on-demand",
    }
}

pub(super) fn limits(memory: MemoryMib, storage: EphemeralStorageMib, cpu_millis: Option<u32>) -> Limits {
    Limits {
        memory_mib: memory.get(),
        tmp_mib: storage.get(),
        cpu_millis,
    }
}

pub(super) async fn program(
    spec: &FunctionSpec,
    host: &Arc<Host>,
    folders: &Folders,
    inside: &Folders,
) -> Result<Program, Failure> {
    match spec.runtime.language() {
        Language::Provided => own_program(folders, inside, "bootstrap"),
        Language::Go => own_program(folders, inside, &spec.handler),
        _ => {
            let flags = |interpreter: &Interpreter| flags(spec, interpreter, inside);
            managed_program(host, &spec.runtime, inside, flags).await
        }
    }
}

/// An interpreter with our bootstrap.
pub(super) async fn managed_program(
    host: &Arc<Host>,
    runtime: &Runtime,
    inside: &Folders,
    flags: impl FnOnce(&Interpreter) -> Vec<OsString>,
) -> Result<Program, Failure> {
    let Some(entry) = host.bootstraps.entry(runtime.language()) else {
        return Err(Failure::Node(InvokeError::Unavailable {
            message: format!("runtime `{runtime}` is not supported by this version of tradewind"),
        }));
    };
    let interpreter = interpreter(runtime, host).await?;
    let mut args = flags(&interpreter);
    args.push(inside.runtime.join(entry.file_name().unwrap_or_default()).into());
    let interpreter_dir = interpreter.program.parent().map(Path::to_owned);
    Ok(Program {
        tools: interpreter.folders(),
        path: interpreter.program,
        args,
        interpreter_dir,
        own: None,
    })
}

/// An executable of the package or of its layers, which must not name one outside of them.
fn own_program(folders: &Folders, inside: &Folders, name: &str) -> Result<Program, Failure> {
    let relative = Path::new(name);
    let within = relative
        .components()
        .all(|part| matches!(part, Component::Normal(_) | Component::CurDir));
    let places = [
        Some((TASK_ROOT_NAME, &folders.task_root, &inside.task_root)),
        layers_place(folders, inside),
    ];
    let found = places
        .into_iter()
        .flatten()
        .find(|(_name, outside, _inside)| outside.join(relative).exists());
    let (true, false, Some((folder, outside, inside))) = (within, name.is_empty(), found) else {
        return Err(Failure::InvalidEntrypoint(format!(
            "Couldn't find valid bootstrap(s): [{TASK_ROOT_NAME}/{name} {LAYERS_NAME}/{name}]"
        )));
    };
    let path = outside.join(relative);
    let own = format!("{folder}/{name}");
    // execvp would hand to a shell what the kernel does not know
    if starts_with(&path).is_ok_and(|start| !is_executable_format(&start)) {
        return Err(Failure::InvalidEntrypoint(format!(
            "fork/exec {own}: exec format error"
        )));
    }
    Ok(Program {
        path: inside.join(relative),
        args: Vec::new(),
        interpreter_dir: None,
        tools: Vec::new(),
        own: Some(own),
    })
}

/// Their name in errors, and where they are outside and inside.
fn layers_place<'a>(
    folders: &'a Folders,
    inside: &'a Folders,
) -> Option<(&'static str, &'a PathBuf, &'a PathBuf)> {
    Some((LAYERS_NAME, folders.layers.as_ref()?, inside.layers.as_ref()?))
}

fn starts_with(path: &Path) -> io::Result<Vec<u8>> {
    let mut start = Vec::new();
    File::open(path)?.take(20).read_to_end(&mut start)?;
    Ok(start)
}

/// A script with its interpreter, or a binary for this machine.
fn is_executable_format(start: &[u8]) -> bool {
    const MACH_O: [&[u8]; 2] = [b"\xcf\xfa\xed\xfe", b"\xca\xfe\xba\xbe"];
    // ELF: the machine is a 16-bit number at 18
    let machine = match std::env::consts::ARCH {
        "x86_64" => Some([62, 0]),
        "aarch64" => Some([183, 0]),
        _ => None,
    };
    if start.starts_with(b"\x7fELF") {
        return machine.is_none_or(|machine| start.get(18..20) == Some(&machine[..]));
    }
    start.starts_with(b"#!") || MACH_O.iter().any(|magic| start.starts_with(magic))
}

/// The first look at an interpreter runs it, which takes its time.
async fn interpreter(runtime: &Runtime, host: &Arc<Host>) -> Result<Interpreter, Failure> {
    let (interpreters, runtime) = (host.interpreters.clone(), runtime.clone());
    let found = tokio::task::spawn_blocking(move || interpreters.for_runtime(&runtime)).await;
    match found {
        Ok(Ok(interpreter)) => Ok(interpreter.without_environment()),
        Ok(Err(missing)) => Err(unavailable(&missing)),
        Err(stopped) => Err(unavailable(&stopped)),
    }
}

/// What interprets `runtime` here: which program, and which version of it.
///
/// # Errors
/// When nothing does.
pub(crate) async fn interpreter_version(host: &Arc<Host>, runtime: &Runtime) -> Result<String, String> {
    let found = interpreter(runtime, host).await;
    let found = found.map_err(|failure| failure.into_init_failure(Vec::new()).to_string())?;
    Ok(format!("{} {}", found.program.display(), found.version))
}

/// What Lambda's own start scripts pass.
fn flags(spec: &FunctionSpec, interpreter: &Interpreter, inside: &Folders) -> Vec<OsString> {
    match spec.runtime.language() {
        Language::Java => java::flags(spec, interpreter, &inside.tmp, inside.layers.as_deref()),
        _ => stem_flags(&spec.runtime, spec.memory),
    }
}

/// The same, for runtimes that can be told their function later.
pub(super) fn stem_flags(runtime: &Runtime, memory: MemoryMib) -> Vec<OsString> {
    match runtime.language() {
        Language::Node => {
            // nine tenths of the memory for the heap, as Lambda has it; a leak then ends the function
            let heap_mib = memory.get() * 9 / 10;
            vec![
                format!("--max-old-space-size={heap_mib}").into(),
                "--max-http-header-size=81920".into(),
            ]
        }
        _ => Vec::new(),
    }
}

/// A function that is to reach nobody does not run where it would reach everybody.
fn keeps_to_itself(spec: &FunctionSpec) -> Result<(), Failure> {
    match spec.egress {
        Egress::Internet => Ok(()),
        Egress::None => Err(Failure::Node(InvokeError::Unavailable {
            message: format!(
                "`{}` is to have no egress, which needs a network of its own; this node can make none (see `tradewind doctor`)",
                spec.arn.name
            ),
        })),
    }
}

pub(super) fn unavailable(error: &dyn std::error::Error) -> Failure {
    Failure::Node(InvokeError::Unavailable {
        message: error.to_string(),
    })
}

/// What the kernel says about the user's own executable is the function's error; the rest is the node's.
pub(super) fn spawn_failure(error: SpawnError, own: Option<String>) -> Failure {
    match (error, own) {
        (SpawnError::Io { source }, Some(name)) => match entrypoint_error(&source) {
            Some(what) => Failure::InvalidEntrypoint(format!("fork/exec {name}: {what}")),
            None => unavailable(&source),
        },
        (SpawnError::Io { source }, None) => unavailable(&source),
        (SpawnError::Stopped, _) => Failure::Node(InvokeError::ShuttingDown),
    }
}

fn entrypoint_error(error: &io::Error) -> Option<&'static str> {
    match error.raw_os_error()? {
        libc::ENOENT => Some("no such file or directory"),
        libc::EACCES | libc::EPERM => Some("permission denied"),
        libc::ENOEXEC => Some("exec format error"),
        _ => None,
    }
}

/// The last part of a log stream's name is unique.
fn file_name(stream: &str) -> &str {
    stream.rsplit(']').next().unwrap_or(stream)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_executable_is_looked_for_inside_the_package_only() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(dir.path().join("package/bin")).unwrap();
        std::fs::write(dir.path().join("package/bin/main"), "#!/bin/sh").unwrap();
        std::fs::write(dir.path().join("outside"), "").unwrap();
        let folders = Folders {
            task_root: dir.path().join("package"),
            layers: Some(dir.path().join("layers")),
            runtime: PathBuf::new(),
            prepared: None,
            tmp: PathBuf::new(),
        };
        let inside = Folders {
            task_root: "/var/task".into(),
            layers: Some("/opt".into()),
            ..folders.clone()
        };
        std::fs::create_dir_all(dir.path().join("layers")).unwrap();
        std::fs::write(dir.path().join("layers/of-layer"), "#!/bin/sh").unwrap();
        for (name, path) in [("bin/main", "/var/task/bin/main"), ("of-layer", "/opt/of-layer")] {
            let program = own_program(&folders, &inside, name).ok().unwrap();
            assert_eq!(program.path, Path::new(path));
            assert_eq!(program.own.as_deref(), Some(path));
        }
        for name in ["../outside", "/bin/sh", "", "bootstrap"] {
            let Err(Failure::InvalidEntrypoint(message)) = own_program(&folders, &inside, name) else {
                panic!("{name}")
            };
            assert!(
                message.starts_with("Couldn't find valid bootstrap(s): [/var/task/"),
                "{message}"
            );
        }
    }

    #[test]
    fn what_the_kernel_cannot_run_is_no_executable() {
        assert!(is_executable_format(b"#!/bin/sh\n"));
        let own = std::fs::read(std::env::current_exe().unwrap()).unwrap();
        assert!(is_executable_format(&own[..20]));
        let mut foreign = own[..20].to_vec();
        foreign[18] = 0xf7;
        assert!(!is_executable_format(&foreign));
        assert!(!is_executable_format(b"no program"));
        assert!(!is_executable_format(b""));
    }

    #[test]
    fn only_the_users_own_executable_can_be_invalid() {
        let error = || SpawnError::Io {
            source: io::Error::from_raw_os_error(libc::ENOEXEC),
        };
        let own = spawn_failure(error(), Some("/var/task/bootstrap".into()));
        assert_eq!(
            own,
            Failure::InvalidEntrypoint("fork/exec /var/task/bootstrap: exec format error".into())
        );
        assert!(matches!(spawn_failure(error(), None), Failure::Node(_)));
    }
}
