//! From a function's spec to a started process with its channel.

use std::ffi::OsString;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;

use tokio::time::Instant;
use tradewind_model::Language;

use super::output::Output;
use crate::channel::{Channel, Frames, RuntimeApi};
use crate::environment::{Places, environment};
use crate::error::InvokeError;
use crate::failure::Failure;
use crate::host::Host;
use crate::interpreters::Interpreter;
use crate::package::PackageLease;
use crate::pool::Pool;
use crate::sandbox::{CHANNEL_FDS, Process, SpawnError, SpawnPlan};
use crate::spec::FunctionSpec;

/// How Lambda calls the package's folder in the errors of custom runtimes.
const TASK_ROOT_NAME: &str = "/var/task";

/// A started process and the ways to it.
#[derive(Debug)]
pub(super) struct Booted {
    pub(super) process: Process,
    pub(super) channel: Channel,
    pub(super) output: Output,
    pub(super) workspace: Workspace,
    /// When its start began.
    pub(super) begun: Instant,
}

/// What an instance has on disk: its package, kept, and its temporary folder, its own.
#[derive(Debug)]
pub(super) struct Workspace {
    tmp_dir: PathBuf,
    _package: PackageLease,
}

impl Workspace {
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
struct Program {
    path: PathBuf,
    args: Vec<OsString>,
    interpreter_dir: Option<PathBuf>,
    /// The name by which errors call it, when it is the user's own.
    own: Option<String>,
}

/// Starts a process for the pool's function.
pub(super) async fn boot(pool: &Pool, log_stream: Arc<str>) -> Result<Booted, Failure> {
    let (spec, host) = (&pool.spec, &pool.host);
    let package = host
        .packages
        .lease(&spec.package)
        .map_err(|gone| unavailable(&gone))?;
    let task_root = host.packages.path_of(&spec.package);
    let program = program(spec, host, &task_root).await?;
    let (output, output_fd) = Output::pipe().map_err(|error| unavailable(&error))?;
    let tmp_dir = host.run_dir.join(file_name(&log_stream));
    let mut plan = SpawnPlan {
        environment: environment(
            spec,
            &Places {
                account: &host.account,
                region: &host.region,
                endpoint_url: &host.endpoint_url,
                task_root: &task_root,
                runtime_dir: &host.bootstraps.runtime_dir(spec.runtime.language()),
                tmp_dir: &tmp_dir,
                interpreter_dir: program.interpreter_dir.as_deref(),
                log_stream: &log_stream,
            },
        ),
        program: program.path,
        args: program.args,
        working_dir: task_root,
        tmp_dir: tmp_dir.clone(),
        channel: None,
        output: output_fd,
    };
    let begun = Instant::now();
    let channel = open_channel(&mut plan, program.own.is_some())
        .await
        .map_err(|error| unavailable(&error))?;
    let process = host
        .spawner
        .spawn(plan)
        .await
        .map_err(|error| spawn_failure(error, program.own))?;
    Ok(Booted {
        process,
        channel,
        output,
        begun,
        workspace: Workspace {
            tmp_dir,
            _package: package,
        },
    })
}

/// Functions with a runtime of their own speak HTTP, those with a bootstrap of ours frames.
async fn open_channel(plan: &mut SpawnPlan, own_runtime: bool) -> io::Result<Channel> {
    if own_runtime {
        let api = RuntimeApi::bind().await?;
        plan.environment
            .push(("AWS_LAMBDA_RUNTIME_API".into(), api.address().to_string().into()));
        return Ok(Channel::RuntimeApi(api));
    }
    let (frames, theirs) = Frames::new()?;
    let [input, output] = CHANNEL_FDS.map(|number| number.to_string().into());
    plan.environment.push(("_TRADEWIND_FD".into(), input));
    plan.environment.push(("_TRADEWIND_OUT_FD".into(), output));
    plan.channel = Some(theirs);
    Ok(Channel::Frames(frames))
}

async fn program(spec: &FunctionSpec, host: &Arc<Host>, task_root: &Path) -> Result<Program, Failure> {
    let language = spec.runtime.language();
    match (language, host.bootstraps.entry(language)) {
        (Language::Provided, _) => own_program(task_root, "bootstrap"),
        (Language::Go, _) => own_program(task_root, &spec.handler),
        (_, Some(entry)) => {
            let interpreter = interpreter(spec, host).await?;
            let mut args = flags(spec);
            args.push(entry.into());
            let interpreter_dir = interpreter.program.parent().map(Path::to_owned);
            Ok(Program {
                path: interpreter.program,
                args,
                interpreter_dir,
                own: None,
            })
        }
        (_, None) => Err(Failure::Node(InvokeError::Unavailable {
            message: format!(
                "runtime `{}` is not supported by this version of tradewind",
                spec.runtime
            ),
        })),
    }
}

/// An executable of the package, which must not name one outside of it.
fn own_program(task_root: &Path, name: &str) -> Result<Program, Failure> {
    let relative = Path::new(name);
    let inside = relative
        .components()
        .all(|part| matches!(part, Component::Normal(_) | Component::CurDir));
    let path = task_root.join(relative);
    if !inside || name.is_empty() || !path.exists() {
        return Err(Failure::InvalidEntrypoint(format!(
            "Couldn't find valid bootstrap(s): [{TASK_ROOT_NAME}/{name} /opt/{name}]"
        )));
    }
    let own = format!("{TASK_ROOT_NAME}/{name}");
    // execvp would hand to a shell what the kernel does not know
    if starts_with(&path).is_ok_and(|start| !is_executable_format(&start)) {
        return Err(Failure::InvalidEntrypoint(format!(
            "fork/exec {own}: exec format error"
        )));
    }
    Ok(Program {
        path,
        args: Vec::new(),
        interpreter_dir: None,
        own: Some(own),
    })
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
async fn interpreter(spec: &FunctionSpec, host: &Arc<Host>) -> Result<Interpreter, Failure> {
    let (interpreters, runtime) = (host.interpreters.clone(), spec.runtime.clone());
    let found = tokio::task::spawn_blocking(move || interpreters.for_runtime(&runtime)).await;
    match found {
        Ok(Ok(interpreter)) => Ok(interpreter),
        Ok(Err(missing)) => Err(unavailable(&missing)),
        Err(stopped) => Err(unavailable(&stopped)),
    }
}

/// What Lambda's own start scripts pass.
fn flags(spec: &FunctionSpec) -> Vec<OsString> {
    match spec.runtime.language() {
        Language::Node => {
            // nine tenths of the memory for the heap, as Lambda has it; a leak then ends the function
            let heap_mib = spec.memory.get() * 9 / 10;
            vec![
                format!("--max-old-space-size={heap_mib}").into(),
                "--max-http-header-size=81920".into(),
            ]
        }
        _ => Vec::new(),
    }
}

fn unavailable(error: &dyn std::error::Error) -> Failure {
    Failure::Node(InvokeError::Unavailable {
        message: error.to_string(),
    })
}

/// What the kernel says about the user's own executable is the function's error; the rest is the node's.
fn spawn_failure(error: SpawnError, own: Option<String>) -> Failure {
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
        let root = dir.path().join("package");
        assert_eq!(
            own_program(&root, "bin/main").ok().unwrap().path,
            root.join("bin/main")
        );
        for name in ["../outside", "/bin/sh", "", "bootstrap"] {
            let Err(Failure::InvalidEntrypoint(message)) = own_program(&root, name) else {
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
