//! Prepared packages: code that was compiled when it was deployed, so that no cold start compiles it.
//!
//! Of a function with libraries, most of the start is compiling them. One task therefore runs each new
//! package once (`instance::preparation`), one at a time, while nobody waits for an instance, and keeps what
//! comes out beside the package. Starts use what is there and wait for nothing.
//!
//! Python compiles what the package holds and runs none of it; Node loads the handler's file, because only
//! then V8 knows what is worth keeping. That run has no network, and what it prints is dropped.
//!
//! # Invariants
//! - What one function's code made is read only by functions that run the same code in the same way: same
//!   package, layers, handler, variables, interpreter. What would not fit is not found.
//! - A preparation that fails costs nothing but itself: the function starts as it would have.

use std::collections::VecDeque;
use std::fmt::Write as _;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use sha2::{Digest, Sha256};
use tokio::sync::Notify;
use tradewind_model::{Language, MemoryMib};

use crate::host::Host;
use crate::instance;
use crate::package::PREPARED_FILE;
use crate::pool::Pool;
use crate::spec::{Dialect, FunctionSpec};
use crate::stems;

/// Packages smaller than this load as fast as their compiled code.
const WORTH_BYTES: u64 = 32 * 1024;
/// Compiling a package takes memory of its own, whatever its functions are given.
const COMPILER_MEMORY_MIB: u64 = 512;
/// The part of a digest that names a way to run a package.
const NAME_BYTES: usize = 16;

/// Deployed functions whose packages are to be prepared.
#[derive(Debug, Default)]
pub(crate) struct Preparations {
    /// No more than are deployed: those that are gone are passed over.
    waiting: Mutex<VecDeque<Weak<Pool>>>,
    wanted: Notify,
    /// None are made here.
    off: bool,
}

impl Preparations {
    pub(crate) fn new(on: bool) -> Self {
        Self {
            off: !on,
            ..Self::default()
        }
    }

    /// The pool's function was deployed.
    pub(crate) fn expect(&self, pool: &Arc<Pool>) {
        if self.off || !is_preparable(&pool.spec) {
            return;
        }
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        waiting.retain(|pool| pool.strong_count() > 0);
        waiting.push_back(Arc::downgrade(pool));
        self.wanted.notify_one();
    }

    fn next(&self) -> Option<Arc<Pool>> {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        std::iter::from_fn(|| waiting.pop_front()).find_map(|pool| pool.upgrade())
    }
}

fn is_preparable(spec: &FunctionSpec) -> bool {
    matches!(spec.runtime.language(), Language::Node | Language::Python) && spec.dialect == Dialect::Lambda
}

/// Prepares what is deployed until the engine stops. A preparation that fails is logged and not repeated
/// before the next deploy or start of the node.
pub(crate) async fn keep(host: Arc<Host>) {
    let stop = host.stop.clone();
    let work = async {
        loop {
            host.preparations.wanted.notified().await;
            while let Some(pool) = host.preparations.next() {
                if let Err(error) = look_after(&host, &pool).await {
                    tracing::info!(function = %pool.spec.arn, %error, "its package is not prepared: it starts as it is");
                }
            }
        }
    };
    if !host.preparations.off {
        tokio::select! {
            () = stop.cancelled() => {}
            () = work => {}
        }
    }
}

/// Finds what was prepared of the function's package, or prepares it.
async fn look_after(host: &Arc<Host>, pool: &Pool) -> Result<(), String> {
    let spec = &pool.spec;
    let store = &host.packages;
    let text = |error: &dyn std::error::Error| error.to_string();
    // it stays while it is looked at and prepared
    let _package = store.lease(&spec.package).map_err(|gone| text(&gone))?;
    if !is_worth_it(host, spec).await? {
        return Ok(());
    }
    let interpreter = instance::interpreter_version(host, &spec.runtime).await?;
    let name = name_of(spec, &interpreter);
    if store.prepared(&spec.package, &name).is_none() {
        stems::wait_for_quiet(host).await;
        let memory = host.memory.claim(None).ok_or("memory runs short")?;
        let code = instance::prepare(host, &preparing(spec), memory).await?;
        let kept = store.keep_prepared(&spec.package, &name, code).await;
        if !kept.map_err(|error| text(&error))? {
            return Err("no more compiled code is kept: the node's share of the disk is used up".to_owned());
        }
    }
    pool.is_prepared(name);
    Ok(())
}

async fn is_worth_it(host: &Host, spec: &FunctionSpec) -> Result<bool, String> {
    let (store, package) = (host.packages.clone(), spec.package.clone());
    let size = tokio::task::spawn_blocking(move || store.size_of(&package)).await;
    let size = size.map_err(|stopped| stopped.to_string())?;
    Ok(size.map_err(|error| error.to_string())? >= WORTH_BYTES)
}

/// What is run to prepare `spec`: for Python, which compiles the package and runs nothing, any function of
/// the package; for Node the function itself, whose memory is among V8's flags.
fn preparing(spec: &FunctionSpec) -> FunctionSpec {
    if spec.runtime.language() == Language::Node {
        return spec.clone();
    }
    let runtime = spec.runtime.clone();
    let mut any = FunctionSpec::new(spec.arn.unqualified(), runtime, "", spec.package.clone());
    any.memory = MemoryMib::new(COMPILER_MEMORY_MIB)
        .unwrap_or_default()
        .max(spec.memory);
    any
}

/// The name of the way in which `spec` runs its package: all that its compiled code may depend on.
fn name_of(spec: &FunctionSpec, interpreter: &str) -> String {
    let mut digest = Sha256::new();
    let mut part = |text: &str| {
        digest.update((text.len() as u64).to_le_bytes());
        digest.update(text);
    };
    part(env!("CARGO_PKG_VERSION"));
    part(interpreter);
    if spec.runtime.language() == Language::Node {
        part(&spec.handler);
        part(&spec.memory.to_string());
        part(spec.layers.as_ref().map_or("", |layers| layers.as_str()));
        for (variable, value) in &spec.environment {
            part(variable);
            part(value);
        }
    }
    let mut name = String::new();
    for byte in digest.finalize().iter().take(NAME_BYTES) {
        // writing to a string does not fail
        let _always: std::fmt::Result = write!(name, "{byte:02x}");
    }
    name
}

/// The folder that starts of the pool's function see, if it is there.
pub(crate) fn folder(pool: &Pool) -> Option<PathBuf> {
    let name = pool.prepared_name()?;
    let folder = pool.host.packages.prepared(&pool.spec.package, name)?;
    folder.join(PREPARED_FILE).is_file().then_some(folder)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::package::PackageId;

    fn spec(runtime: &str) -> FunctionSpec {
        let arn = "arn:aws:lambda:eu-west-1:123456789012:function:shop";
        let package = PackageId::from_digest(&[7; 32]);
        FunctionSpec::new(
            arn.parse().unwrap(),
            runtime.parse().unwrap(),
            "index.handler",
            package,
        )
    }

    #[test]
    fn what_compiled_code_depends_on_names_it() {
        let differ = |runtime: &str, change: &dyn Fn(&mut FunctionSpec)| {
            let mut changed = spec(runtime);
            change(&mut changed);
            name_of(&changed, "1") != name_of(&spec(runtime), "1")
        };
        assert!(differ("nodejs20.x", &|spec| spec.handler = "other.handler".into()));
        assert!(differ("nodejs20.x", &|spec| {
            spec.environment
                .insert("NODE_OPTIONS".into(), "--require=/tmp/x".into());
        }));
        assert!(differ("nodejs20.x", &|spec| spec.memory = MemoryMib::new(512).unwrap()));
        assert!(!differ("nodejs20.x", &|spec| spec.reserved_concurrency = Some(1)));
        assert!(!differ("python3.12", &|spec| spec.handler = "other.handler".into()));
        assert_ne!(
            name_of(&spec("python3.12"), "1"),
            name_of(&spec("python3.12"), "2")
        );
    }

    #[test]
    fn what_runs_to_compile_python_knows_nothing_of_its_function() {
        let mut function = spec("python3.12");
        function
            .environment
            .insert("PYTHONSTARTUP".into(), "/tmp/x".into());
        let any = preparing(&function);
        assert!(any.environment.is_empty() && any.layers.is_none());
        assert_eq!(u64::from(any.memory.get()), COMPILER_MEMORY_MIB);
    }
}
