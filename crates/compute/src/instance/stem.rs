//! One stem: a managed runtime that boots now and learns later which function it runs.

use std::ffi::OsString;
use std::future::poll_fn;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use tokio::time::Instant;

use super::boot::{self, Booted, Workspace};
use super::output::Output;
use crate::bootstraps::stem_can_become;
use crate::channel::{Channel, ChannelEvent};
use crate::environment::{Places, environment, stem_environment};
use crate::failure::{ExitReason, Failure};
use crate::host::Host;
use crate::interpreters::Interpreter;
use crate::package::PackageLease;
use crate::pool::{MemoryClaim, Pool, Purpose};
use crate::prepared;
use crate::sandbox::network::InstanceNetwork;
use crate::sandbox::{Folders, Process, SpawnPlan};
use crate::stems::Kind;

/// How long one may take to boot.
const BOOT_LIMIT: Duration = Duration::from_secs(10);
/// The dynamic linker reads it when a process starts.
const LIBRARY_PATH: &str = "LD_LIBRARY_PATH";

/// A booted runtime without a function.
#[derive(Debug)]
pub(crate) struct Stem {
    process: Process,
    channel: Channel,
    output: Output,
    /// Its folders on this machine; those of the package and the layers are still to come.
    folders: Folders,
    interpreter_dir: Option<PathBuf>,
    network: Option<InstanceNetwork>,
    environment: Vec<(OsString, OsString)>,
    _memory: MemoryClaim,
}

impl Stem {
    /// Boots one.
    ///
    /// # Errors
    /// When it does not say that it is ready.
    pub(crate) async fn boot(host: &Arc<Host>, kind: &Kind, memory: MemoryClaim) -> Result<Self, String> {
        let said = |failure: Failure| failure.into_init_failure(Vec::new()).to_string();
        let mut stem = Self::start(host, kind, memory).await.map_err(said)?;
        let ready = tokio::time::timeout(BOOT_LIMIT, stem.ready()).await;
        let booted = ready.unwrap_or(Err(Failure::TimedOut(BOOT_LIMIT)));
        if let Err(failure) = booted {
            stem.end(Arc::clone(host)).await;
            return Err(said(failure));
        }
        Ok(stem)
    }

    async fn start(host: &Arc<Host>, kind: &Kind, memory: MemoryClaim) -> Result<Self, Failure> {
        let runtime = host.bootstraps.runtime_dir(kind.runtime.language());
        let folders = Folders {
            task_root: runtime.clone(),
            layers: None,
            runtime,
            prepared: None,
            tmp: host.run_dir.join(uuid::Uuid::new_v4().simple().to_string()),
        };
        let inside = host.sandbox.inside(&folders);
        let program = {
            let flags = |_: &Interpreter| boot::stem_flags(&kind.runtime, kind.memory);
            boot::managed_program(host, &kind.runtime, &inside, flags).await?
        };
        let network = host.sandbox.network(kind.egress).await;
        let network = network.map_err(|error| boot::unavailable(&error))?;
        let (output, output_fd) = Output::pipe().map_err(|error| boot::unavailable(&error))?;
        let interpreter_dir = program.interpreter_dir;
        let environment = stem_environment(&kind.runtime, &inside, interpreter_dir.as_deref());
        let mut plan = SpawnPlan {
            environment: environment.clone(),
            program: program.path,
            args: program.args,
            tools: program.tools,
            working_dir: "/".into(),
            folders: folders.clone(),
            limits: boot::limits(kind.memory, kind.ephemeral_storage, kind.cpu_limit_millis),
            channel: None,
            output: output_fd,
            network: network
                .as_ref()
                .map(boot::plan_of)
                .transpose()
                .map_err(|error| boot::unavailable(&error))?,
        };
        plan.environment.push(("_TRADEWIND_STEM".into(), "1".into()));
        let channel = boot::frames(&mut plan).map_err(|error| boot::unavailable(&error))?;
        let process = host
            .sandbox
            .spawn(plan)
            .await
            .map_err(|error| boot::spawn_failure(error, None))?;
        Ok(Self {
            process,
            channel,
            output,
            folders,
            interpreter_dir,
            network,
            environment,
            _memory: memory,
        })
    }

    async fn ready(&mut self) -> Result<(), Failure> {
        poll_fn(|cx| {
            if let Poll::Ready(event) = self.channel.poll_event(cx) {
                return Poll::Ready(match event {
                    ChannelEvent::Ready => Ok(()),
                    _ => Err(Failure::BrokenChannel("the runtime did not say that it is ready")),
                });
            }
            let exited = self.process.poll_exit(cx);
            exited.map(|status| Err(Failure::Exited(ExitReason::from(status))))
        })
        .await
    }

    /// Whether it still waits.
    pub(crate) fn lives(&mut self) -> bool {
        let mut cx = Context::from_waker(Waker::noop());
        self.process.poll_exit(&mut cx).is_pending() && self.channel.poll_event(&mut cx).is_pending()
    }

    /// Ends it, and removes what it left.
    pub(crate) async fn end(mut self, host: Arc<Host>) {
        self.process.end().await;
        Workspace::new(self.folders.tmp, [None, None], self.network).remove(&host);
    }

    /// Makes it an instance of the pool's function.
    fn specialise(mut self, wanted: Wanted, begun: Instant) -> Booted {
        self.channel.specialise(&wanted.environment);
        Booted {
            process: self.process,
            channel: self.channel,
            output: self.output,
            extension_mark: None,
            workspace: Workspace::new(self.folders.tmp, wanted.packages, self.network),
            begun,
        }
    }
}

/// What a stem is to become.
struct Wanted {
    environment: Vec<(OsString, OsString)>,
    packages: [Option<PackageLease>; 2],
}

/// A stem that has become an instance of the pool's function. None when there is none that can, and the
/// function is to be started from nothing.
pub(super) async fn claim(pool: &Pool, log_stream: &str, purpose: Purpose) -> Option<Booted> {
    let begun = Instant::now();
    let (spec, host) = (&pool.spec, &pool.host);
    let kind = pool.stem_kind.as_ref()?;
    let package = host.packages.lease(&spec.package).ok()?;
    let layers = spec.layers.as_ref().map(|layers| host.packages.lease(layers));
    let layers = layers.transpose().ok()?;
    let stem = host.stems.take(host, kind)?;
    let folders = Folders {
        task_root: host.packages.path_of(&spec.package),
        layers: spec.layers.as_ref().map(|layers| host.packages.path_of(layers)),
        prepared: prepared::folder(pool),
        ..stem.folders.clone()
    };
    let inside = host.sandbox.inside(&folders);
    let environment = environment(
        spec,
        &Places {
            account: &host.account,
            region: &host.region,
            endpoint_url: &host.endpoint_url,
            folders: &inside,
            interpreter_dir: stem.interpreter_dir.as_deref(),
            log_stream,
            initialization_type: boot::initialization_type(purpose),
        },
    );
    let language = spec.runtime.language();
    let suits = if host.sandbox.inside(&stem.folders).task_root != inside.task_root {
        // it finds its code at another place than it was told when it started
        !has_libraries(&folders)
            && stem_can_become(
                language,
                &without_library_path(&stem.environment),
                &without_library_path(&environment),
            )
    } else {
        // the dynamic linker remembers that there was no such folder
        !folders.task_root.join("lib").exists() && stem_can_become(language, &stem.environment, &environment)
    };
    if !suits {
        host.stems.give_back(host, kind, stem);
        return None;
    }
    if let Err(error) = host.sandbox.specialise(&stem.process, &folders).await {
        tracing::warn!(function = %spec.arn, %error, "cannot show a function's code to a stem");
        stem.end(Arc::clone(host)).await;
        return None;
    }
    Some(stem.specialise(
        Wanted {
            environment,
            packages: [Some(package), layers],
        },
        begun,
    ))
}

/// Whether the dynamic linker could find something there that it would not find elsewhere.
fn has_libraries(folders: &Folders) -> bool {
    let places = [Some(&folders.task_root), folders.layers.as_ref()];
    places.into_iter().flatten().any(|folder| {
        let is_library = |name: &Path| name.extension().is_some_and(|extension| extension == "so");
        folder.join("lib").exists()
            || std::fs::read_dir(folder).is_ok_and(|mut entries| {
                entries.any(|entry| entry.is_ok_and(|entry| is_library(Path::new(&entry.file_name()))))
            })
    })
}

fn without_library_path(all: &[(OsString, OsString)]) -> Vec<(OsString, OsString)> {
    let others = all.iter().filter(|(name, _value)| name != LIBRARY_PATH);
    others.cloned().collect()
}
