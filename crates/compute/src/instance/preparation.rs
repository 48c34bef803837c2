//! One preparation: a runtime that is started once to compile a package's code, confined as an instance is
//! and with nobody to talk to.

use std::ffi::OsString;
use std::fs::File;
use std::future::poll_fn;
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use super::boot::{self, Workspace};
use crate::channel::{Channel, ChannelEvent};
use crate::environment::{Places, environment};
use crate::failure::{ExitReason, Failure};
use crate::host::Host;
use crate::package::MAX_PREPARED_BYTES;
use crate::pool::{MemoryClaim, Purpose};
use crate::sandbox::network::InstanceNetwork;
use crate::sandbox::{Folders, Process, SpawnPlan};
use crate::spec::{Egress, FunctionSpec};

/// How long one may take.
const LIMIT: Duration = Duration::from_secs(60);
/// Thousandths of a processor that it may use: nobody waits for it.
const CPU_MILLIS: u32 = 700;
/// What an instance has in the place of the name of its log stream.
const LOG_STREAM: &str = "prepare";

/// A process that prepares, and what it has.
struct Preparing {
    process: Process,
    channel: Channel,
    workspace: Workspace,
    _memory: MemoryClaim,
}

/// Runs a package as `spec` says, as far as its runtime wants for compiling it, and gives the compiled code.
///
/// # Errors
/// When it does not initialise, or takes too long or too much.
pub(crate) async fn prepare(
    host: &Arc<Host>,
    spec: &FunctionSpec,
    memory: MemoryClaim,
) -> Result<Vec<u8>, String> {
    let said = |failure: Failure| failure.into_init_failure(Vec::new()).to_string();
    let mut preparing = start(host, spec, memory).await.map_err(said)?;
    let code = tokio::select! {
        code = tokio::time::timeout(LIMIT, preparing.code()) => code.unwrap_or(Err(Failure::TimedOut(LIMIT))),
        () = host.stop.cancelled() => Err(Failure::TimedOut(Duration::ZERO)),
    };
    preparing.process.end().await;
    preparing.workspace.remove(host);
    code.map_err(said)
}

async fn start(host: &Arc<Host>, spec: &FunctionSpec, memory: MemoryClaim) -> Result<Preparing, Failure> {
    let (leases, folders) = boot::code(host, spec, &uuid::Uuid::new_v4().simple().to_string())?;
    let inside = host.sandbox.inside(&folders);
    let network = nobody_to_talk_to(host).await?;
    let program = boot::program(spec, host, &folders, &inside).await?;
    let mut limits = boot::limits(spec.memory, spec.ephemeral_storage, spec.cpu_limit_millis);
    limits.cpu_millis = Some(limits.cpu_millis.map_or(CPU_MILLIS, |own| own.min(CPU_MILLIS)));
    let tmp = folders.tmp.clone();
    let mut plan = SpawnPlan {
        environment: variables(host, spec, &inside, program.interpreter_dir.as_deref()),
        program: program.path,
        args: program.args,
        tools: program.tools,
        working_dir: inside.task_root,
        folders,
        limits,
        channel: None,
        output: nowhere()?,
        network: Some(boot::plan_of(&network).map_err(|error| boot::unavailable(&error))?),
    };
    let channel = boot::frames(&mut plan).map_err(|error| boot::unavailable(&error))?;
    let spawned = host.sandbox.spawn(plan).await;
    Ok(Preparing {
        process: spawned.map_err(|error| boot::spawn_failure(error, None))?,
        channel,
        workspace: Workspace::new(tmp, leases, Some(network)),
        _memory: memory,
    })
}

/// What an instance gets, and the wish.
fn variables(
    host: &Host,
    spec: &FunctionSpec,
    inside: &Folders,
    interpreter_dir: Option<&std::path::Path>,
) -> Vec<(OsString, OsString)> {
    let places = Places {
        account: &host.account,
        region: &host.region,
        endpoint_url: &host.endpoint_url,
        folders: inside,
        interpreter_dir,
        log_stream: LOG_STREAM,
        initialization_type: boot::initialization_type(Purpose::Asked),
    };
    let mut all = environment(spec, &places);
    all.push(("_TRADEWIND_PREPARE".into(), "1".into()));
    all
}

async fn nobody_to_talk_to(host: &Host) -> Result<InstanceNetwork, Failure> {
    let network = host.sandbox.network(Egress::None).await;
    let network = network.map_err(|error| boot::unavailable(&error))?;
    let missing = || boot::unavailable(&std::io::Error::other("there is no network of its own"));
    let mut network = network.ok_or_else(missing)?;
    network.cut_off();
    Ok(network)
}

/// What it prints is nobody's.
fn nowhere() -> Result<OwnedFd, Failure> {
    let null = File::options().write(true).open("/dev/null");
    null.map(OwnedFd::from).map_err(|error| boot::unavailable(&error))
}

impl Preparing {
    async fn code(&mut self) -> Result<Vec<u8>, Failure> {
        let mut code = Vec::new();
        loop {
            match self.next().await? {
                ChannelEvent::Prepared(part) if code.len() + part.len() <= MAX_PREPARED_BYTES => {
                    code.extend_from_slice(&part);
                }
                ChannelEvent::Ready if !code.is_empty() => return Ok(code),
                ChannelEvent::InitError(body) => return Err(Failure::Reported(body)),
                _ => {
                    return Err(Failure::BrokenChannel(
                        "the runtime sent no compiled code, or too much",
                    ));
                }
            }
        }
    }

    async fn next(&mut self) -> Result<ChannelEvent, Failure> {
        poll_fn(|cx| {
            // what a process said before it ended counts
            if let Poll::Ready(event) = self.channel.poll_event(cx)
                && !matches!(event, ChannelEvent::Closed { .. })
            {
                return Poll::Ready(Ok(event));
            }
            let exited = self.process.poll_exit(cx);
            exited.map(|status| Err(Failure::Exited(ExitReason::from(status))))
        })
        .await
    }
}
