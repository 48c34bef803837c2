//! Stems: managed runtimes that booted before anybody knew which function they would run.
//!
//! Booting an interpreter is most of a small function's cold start. So a few processes of each kind that
//! the deployed functions need wait, booted and confined, for the environment and the code of whatever
//! function is started next. A stem serves one function and becomes an ordinary instance of it.
//!
//! One task boots them, one at a time, while nobody waits for an instance and, if that ever comes, the
//! processors have time to spare. They take an eighth of the instances' memory at most, and go first when memory runs
//! short.
//!
//! # Invariants
//! - A stem has never seen a function's code, environment or events; it is given away once.
//! - A start never waits for a stem: without one, it boots a process of its own.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::Instant;
use tradewind_model::{EphemeralStorageMib, Language, MemoryMib, Runtime};

use crate::cores::{CPU_WINDOW, CoreWatch};
use crate::host::Host;
use crate::instance::Stem;
use crate::spec::{Dialect, Egress, FunctionSpec};

/// Kinds that stems are kept of; the one that was wanted longest ago makes room for another.
const MAX_KINDS: usize = 6;
/// The part of the instances' memory that stems may take.
const MEMORY_SHARE: u64 = 8;
/// After memory ran short, no stem is booted for so long.
const AFTER_SHORTAGE: Duration = Duration::from_secs(60);
/// A kind of which so many stems in a row did not boot is given up until the engine starts again.
const HOPELESS: u32 = 3;
/// How long a stem waits at most for processors that idle: a machine that is always busy has cold starts,
/// too, and they cost it more than stems do.
const PATIENCE: Duration = Duration::from_secs(1);

/// What functions must have in common to be served by the same stems: all that a process cannot change any
/// more once it runs. Node takes its heap's limit, which follows from the memory, from its command line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Kind {
    pub(crate) runtime: Runtime,
    pub(crate) memory: MemoryMib,
    pub(crate) ephemeral_storage: EphemeralStorageMib,
    pub(crate) cpu_limit_millis: Option<u32>,
    pub(crate) egress: Egress,
}

impl Kind {
    /// The kind that can become `spec`, if stems can.
    pub(crate) fn of(spec: &FunctionSpec) -> Option<Self> {
        let becomes = matches!(spec.runtime.language(), Language::Node | Language::Python);
        // where nothing keeps a function to itself, it is refused before it starts
        let reaches_out = spec.egress == Egress::Internet;
        let plain = spec.dialect == Dialect::Lambda;
        // layers may hold extensions, which start with the process
        let alone = spec.layers.is_none();
        (becomes && reaches_out && plain && alone).then(|| Self {
            runtime: spec.runtime.clone(),
            memory: spec.memory,
            ephemeral_storage: spec.ephemeral_storage,
            cpu_limit_millis: spec.cpu_limit_millis,
            egress: spec.egress,
        })
    }
}

/// All stems of the node.
#[derive(Debug)]
pub(crate) struct Stems {
    /// Of each kind; 0 turns them off.
    per_kind: usize,
    /// Of all kinds together.
    most: usize,
    shelves: Mutex<Shelves>,
    wanted: Notify,
}

#[derive(Debug, Default)]
struct Shelves {
    /// The kind that was wanted last comes last.
    all: Vec<Shelf>,
    /// No stem is booted before.
    not_before: Option<Instant>,
    closed: bool,
}

#[derive(Debug)]
struct Shelf {
    kind: Arc<Kind>,
    stems: Vec<Stem>,
    /// Stems in a row that did not boot.
    failures: u32,
}

impl Stems {
    /// Keeps `per_kind` stems of each kind where the sandbox allows, as far as `memory_bytes`, of which
    /// one stem takes `stem_bytes`, suffice.
    pub(crate) fn new(per_kind: usize, memory_bytes: u64, stem_bytes: u64) -> Self {
        let most = memory_bytes / MEMORY_SHARE / stem_bytes.max(1);
        Self {
            per_kind,
            most: usize::try_from(most).unwrap_or(usize::MAX),
            shelves: Mutex::default(),
            wanted: Notify::new(),
        }
    }

    /// Functions of `kind` are deployed.
    pub(crate) fn expect(&self, host: &Arc<Host>, kind: &Arc<Kind>) {
        let outdated = self.shelves().touch(kind);
        discard(outdated, host);
        self.wanted.notify_one();
    }

    /// A stem for a function of `kind`; another is booted in its place later.
    pub(crate) fn take(&self, host: &Arc<Host>, kind: &Arc<Kind>) -> Option<Stem> {
        if self.per_kind == 0 {
            return None;
        }
        let mut dead = Vec::new();
        let (taken, outdated) = {
            let mut shelves = self.shelves();
            let outdated = shelves.touch(kind);
            let shelf = shelves.all.last_mut()?;
            let taken = std::iter::from_fn(|| shelf.stems.pop()).find_map(|mut stem| {
                if stem.lives() {
                    return Some(stem);
                }
                dead.push(stem);
                None
            });
            (taken, outdated)
        };
        discard(dead.into_iter().chain(outdated), host);
        self.wanted.notify_one();
        taken
    }

    /// Memory runs short: gives one up, and boots none for a while. False when there is none.
    pub(crate) fn shed(&self, host: &Arc<Host>) -> bool {
        let shed = {
            let mut shelves = self.shelves();
            shelves.not_before = Some(Instant::now() + AFTER_SHORTAGE);
            shelves.all.iter_mut().find_map(|shelf| shelf.stems.pop())
        };
        let any = shed.is_some();
        discard(shed, host);
        any
    }

    /// Forgets kinds that no function needs any more, and stems that died; called now and then.
    pub(crate) fn tidy(&self, host: &Arc<Host>, needed: impl Fn(&Kind) -> bool) {
        let mut gone = Vec::new();
        {
            let mut shelves = self.shelves();
            for shelf in &mut shelves.all {
                let needed = needed(&shelf.kind);
                gone.extend(shelf.stems.extract_if(.., |stem| !needed || !stem.lives()));
            }
            shelves.all.retain(|shelf| needed(&shelf.kind));
        }
        discard(gone, host);
        self.wanted.notify_one();
    }

    /// How many wait.
    #[cfg(test)]
    pub(crate) fn count(&self) -> usize {
        self.shelves().count()
    }

    /// What to boot next.
    fn missing(&self) -> Option<Arc<Kind>> {
        let shelves = self.shelves();
        let pausing = shelves.not_before.is_some_and(|at| at > Instant::now());
        if shelves.closed || pausing || shelves.count() >= self.most {
            return None;
        }
        let shelf = shelves
            .all
            .iter()
            .rev()
            .find(|shelf| shelf.stems.len() < self.per_kind && shelf.failures < HOPELESS)?;
        Some(Arc::clone(&shelf.kind))
    }

    /// Puts a new stem where it belongs, or gives it back.
    fn put(&self, kind: &Kind, stem: Stem) -> Option<Stem> {
        let mut shelves = self.shelves();
        if shelves.closed {
            return Some(stem);
        }
        let Some(shelf) = shelves.all.iter_mut().find(|shelf| *shelf.kind == *kind) else {
            return Some(stem);
        };
        shelf.failures = 0;
        shelf.stems.push(stem);
        None
    }

    /// A stem that was taken and cannot become what was wanted.
    pub(crate) fn give_back(&self, host: &Arc<Host>, kind: &Kind, stem: Stem) {
        discard(self.put(kind, stem), host);
    }

    fn failed(&self, kind: &Kind) {
        let mut shelves = self.shelves();
        if let Some(shelf) = shelves.all.iter_mut().find(|shelf| *shelf.kind == *kind) {
            shelf.failures += 1;
        }
    }

    fn close(&self) -> Vec<Stem> {
        let mut shelves = self.shelves();
        shelves.closed = true;
        shelves.all.drain(..).flat_map(|shelf| shelf.stems).collect()
    }

    fn shelves(&self) -> MutexGuard<'_, Shelves> {
        self.shelves.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Shelves {
    /// Makes `kind` the one that was wanted last; gives what had to make room.
    fn touch(&mut self, kind: &Arc<Kind>) -> Vec<Stem> {
        if let Some(at) = self.all.iter().position(|shelf| *shelf.kind == **kind) {
            let shelf = self.all.remove(at);
            self.all.push(shelf);
            return Vec::new();
        }
        self.all.push(Shelf {
            kind: Arc::clone(kind),
            stems: Vec::new(),
            failures: 0,
        });
        if self.all.len() > MAX_KINDS {
            return self.all.remove(0).stems;
        }
        Vec::new()
    }

    fn count(&self) -> usize {
        self.all.iter().map(|shelf| shelf.stems.len()).sum()
    }
}

/// Boots what is missing until the engine stops. A stem that does not boot is logged and counted.
pub(crate) async fn keep(host: Arc<Host>) {
    let stop = host.stop.clone();
    let work = async {
        loop {
            host.stems.wanted.notified().await;
            while let Some(kind) = host.stems.missing() {
                wait_for_quiet(&host).await;
                boot_one(&host, &kind).await;
            }
        }
    };
    if host.stems.per_kind > 0 {
        tokio::select! {
            () = stop.cancelled() => {}
            () = work => {}
        }
    }
    discard(host.stems.close(), &host);
}

async fn boot_one(host: &Arc<Host>, kind: &Arc<Kind>) {
    let Some(claim) = host.memory.claim(None) else {
        host.stems.shelves().not_before = Some(Instant::now() + AFTER_SHORTAGE);
        return;
    };
    match Stem::boot(host, kind, claim).await {
        Ok(stem) => discard(host.stems.put(kind, stem), host),
        Err(error) => {
            tracing::warn!(runtime = %kind.runtime, %error, "cannot boot a runtime in advance");
            host.stems.failed(kind);
        }
    }
}

/// Until nobody waits for an instance, and the processors have time to spare or never do.
pub(crate) async fn wait_for_quiet(host: &Arc<Host>) {
    let begun = Instant::now();
    loop {
        let mut cores = CoreWatch::default();
        cores.look();
        tokio::time::sleep(CPU_WINDOW).await;
        let idle = cores.look() != Some(false) || begun.elapsed() > PATIENCE;
        let starting = host.start_slots.available_permits() < host.cores;
        if idle && !starting && host.backlogs.is_empty() {
            return;
        }
    }
}

/// Ends stems that are of no use, in tasks of their own.
fn discard(stems: impl IntoIterator<Item = Stem>, host: &Arc<Host>) {
    for stem in stems {
        host.tasks.spawn(stem.end(Arc::clone(host)));
    }
}
