//! Cold: from nothing to the first answer (goals C1 to C5), and the start of a node.
//!
//! Each sample is the first call of a function that was created a while ago, over a connection that is
//! open. What is compared is sampled in turn.

mod floor;
mod packages;

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Result;

use super::report::{Goal, Report};
use super::{Options, median};
use crate::command::{cache, command, root, run as run_command};
use crate::node::{Function, Node, Setup};
use floor::Floor;

/// Starts of each kind in a round.
const STARTS: usize = 10;
const QUICK_STARTS: usize = 3;
/// Between two starts: what the one before left to do in the background is done.
const PAUSE: Duration = Duration::from_millis(150);
/// After functions are created: what a node prepares in the background is prepared.
const SETTLE: Duration = Duration::from_secs(3);

/// Before a start that wants a stem: those that were used are replaced, at low priority.
const REFILL: Duration = Duration::from_millis(1500);
/// A package is compiled within this.
const PREPARATION: Duration = Duration::from_secs(90);

pub(crate) fn run(options: &Options) -> Result<()> {
    let binary = options.binary()?;
    let mut report = Report::start("cold", options);
    node_itself(&binary, options, &mut report)?;
    from_nothing(&binary, options, &mut report)?;
    prepared(&binary, options, &mut report)?;
    report.finish()
}

fn milliseconds(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1000.0
}

fn starts(options: &Options) -> usize {
    if options.quick {
        QUICK_STARTS
    } else {
        STARTS * options.rounds()
    }
}

/// An empty node: until it answers, and what it takes.
fn node_itself(binary: &Path, options: &Options, report: &mut Report) -> Result<()> {
    let (mut ready, mut resident) = (Vec::new(), Vec::new());
    for _round in 0..options.rounds() {
        let node = Node::start(binary, &Setup::default())?;
        ready.push(milliseconds(node.server.ready));
        resident.push(node.server.resident_mb()?);
    }
    report.figure(
        "tradewind serve, empty folder → first answer",
        median(&ready),
        "ms",
    );
    report.figure("tradewind, idle, resident", median(&resident), "MB");
    Ok(())
}

/// Functions of one kind on one node, each to be started once.
struct Series<'a> {
    node: &'a Node,
    name: String,
    ms: Vec<f64>,
}

impl<'a> Series<'a> {
    fn create(node: &'a Node, name: &str, function: &Function, count: usize) -> Result<Self> {
        for number in 0..count {
            node.create(&format!("{name}-{number}"), function)?;
        }
        Ok(Self {
            node,
            name: name.to_owned(),
            ms: Vec::new(),
        })
    }

    fn start_one(&mut self) -> Result<()> {
        std::thread::sleep(PAUSE);
        let name = format!("{}-{}", self.name, self.ms.len());
        let (took, answer) = self.node.invoke(&name, "{}")?;
        anyhow::ensure!(
            answer.header("x-amz-function-error").is_none(),
            "{name}: {}",
            answer.text()
        );
        self.ms.push(milliseconds(took));
        Ok(())
    }
}

/// C1: a trivial function without anything prepared, on a light node and on a heavy one.
fn from_nothing(binary: &Path, options: &Options, report: &mut Report) -> Result<()> {
    let light = Node::start(binary, &plain())?;
    let heavy = Node::start(binary, &with_ballast(plain())?)?;
    report.figure("the heavy node, resident", heavy.server.resident_mb()?, "MB");
    let count = starts(options);
    for (language, function) in [("node", packages::node()?), ("python", packages::python()?)] {
        let floor = Floor::of(language)?;
        let mut floors = Vec::new();
        let mut on_light = Series::create(&light, language, &function, count)?;
        let mut on_heavy = Series::create(&heavy, language, &function, count)?;
        std::thread::sleep(SETTLE);
        for _ in 0..count {
            std::thread::sleep(PAUSE);
            floors.push(milliseconds(floor.measure()?));
            on_light.start_one()?;
            on_heavy.start_one()?;
        }
        let (floor, ours, heavy) = (median(&floors), median(&on_light.ms), median(&on_heavy.ms));
        report.figure(&format!("{language}: spawned plainly, until READY"), floor, "ms");
        report.figure(&format!("{language}: first answer of a new function"), ours, "ms");
        report.figure(&format!("{language}: the same from the heavy node"), heavy, "ms");
        let what = format!("{language}: cold from nothing over the runtime's own floor, ms");
        report.goal("C1", &what, ours - floor, Goal::AtMost(5.0));
        let what = format!("{language}: from a node with another GB × from a light one");
        report.goal("C1", &what, heavy / ours, Goal::AtMost(1.1));
    }
    Ok(())
}

/// A function whose plain start is compared with one for which the node has prepared what it can.
struct Kind {
    goal: &'static str,
    name: &'static str,
    function: fn() -> Result<Function>,
    /// Prepared ÷ plain.
    ratio: f64,
    /// What the node does for it.
    prepared: Prepared,
}

/// What a node does for a kind of function before it is called.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Prepared {
    /// Its runtime is booted.
    Booted,
    /// That, and its package is compiled.
    Compiled,
    /// Nothing yet: what is missing.
    Not(&'static str),
}

const KINDS: [Kind; 6] = [
    Kind {
        goal: "C2",
        name: "Node",
        function: packages::node,
        ratio: 0.2,
        prepared: Prepared::Booted,
    },
    Kind {
        goal: "C2",
        name: "Python",
        function: packages::python,
        ratio: 0.2,
        prepared: Prepared::Booted,
    },
    Kind {
        goal: "C2",
        name: "Java",
        function: packages::java,
        ratio: 0.2,
        prepared: Prepared::Not("Java has no stems yet"),
    },
    Kind {
        goal: "C3",
        name: "Node with the S3 client",
        function: packages::node_sdk,
        ratio: 0.4,
        prepared: Prepared::Compiled,
    },
    Kind {
        goal: "C4",
        name: "Python with boto3 and requests",
        function: packages::python_boto3,
        ratio: 0.05,
        prepared: Prepared::Compiled,
    },
    Kind {
        goal: "C5",
        name: "Java with Jackson",
        function: packages::java_jackson,
        ratio: 0.7,
        prepared: Prepared::Not("no class-data archive is made yet"),
    },
];

/// C2 to C5: the same functions on three nodes, one that prepares nothing, one that boots runtimes in advance,
/// and one that compiles packages as well.
fn prepared(binary: &Path, options: &Options, report: &mut Report) -> Result<()> {
    let nodes = [plain(), cold_starts("stems"), cold_starts("prepared")];
    let nodes = nodes.map(|setup| Node::start(binary, &setup));
    let [plain_node, stems_node, prepared_node] = nodes;
    let nodes = [plain_node?, stems_node?, prepared_node?];
    let count = starts(options).min(STARTS);
    for (number, kind) in KINDS.iter().enumerate() {
        let what = format!("{}: prepared ÷ plain", kind.name);
        if let Err(error) = one_kind(&nodes, number, kind, count, report) {
            report.pending(kind.goal, &what, &error.to_string());
        }
    }
    Ok(())
}

fn one_kind(
    [plain, stems, compiled]: &[Node; 3],
    number: usize,
    kind: &Kind,
    count: usize,
    report: &mut Report,
) -> Result<()> {
    let name = format!("kind-{number}");
    let function = (kind.function)()?;
    let before = compiled_packages(compiled)?;
    let mut plainly = Series::create(plain, &name, &function, count)?;
    let mut from_stems = Series::create(stems, &name, &function, count)?;
    let mut prepared = Series::create(compiled, &name, &function, count)?;
    std::thread::sleep(SETTLE);
    if kind.prepared == Prepared::Compiled {
        wait_for_package(compiled, before)?;
    }
    for _ in 0..count {
        plainly.start_one()?;
        std::thread::sleep(REFILL);
        from_stems.start_one()?;
        prepared.start_one()?;
    }
    let [plainly, from_stems, prepared] = [plainly, from_stems, prepared].map(|series| median(&series.ms));
    let mut figure = |how: &str, ms| report.figure(&format!("{}: first answer, {how}", kind.name), ms, "ms");
    figure("nothing prepared", plainly);
    match kind.prepared {
        Prepared::Not(missing) => {
            let what = format!("{}: prepared ÷ plain", kind.name);
            let why = format!("{missing}; the goal is {}", kind.ratio);
            report.pending(kind.goal, &what, &why);
        }
        Prepared::Booted => {
            figure("from a stem", from_stems);
            let what = format!("{}: from a stem ÷ plain", kind.name);
            report.goal(kind.goal, &what, from_stems / plainly, Goal::AtMost(kind.ratio));
        }
        Prepared::Compiled => {
            figure("from a stem", from_stems);
            figure("from a stem, its package compiled", prepared);
            let what = format!("{}: from a stem with compiled code ÷ plain", kind.name);
            report.goal(kind.goal, &what, prepared / plainly, Goal::AtMost(kind.ratio));
        }
    }
    Ok(())
}

/// How many packages the node has compiled.
fn compiled_packages(node: &Node) -> Result<usize> {
    let mut count = 0;
    for entry in std::fs::read_dir(node.data().join("packages"))? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "prepared") {
            count += std::fs::read_dir(path)?.count();
        }
    }
    Ok(count)
}

fn wait_for_package(node: &Node, before: usize) -> Result<()> {
    let limit = std::time::Instant::now() + PREPARATION;
    while compiled_packages(node)? == before {
        anyhow::ensure!(
            std::time::Instant::now() < limit,
            "the node did not compile the package"
        );
        std::thread::sleep(PAUSE);
    }
    // the functions of the same package are told in turn
    std::thread::sleep(SETTLE);
    Ok(())
}

/// A node that starts everything from nothing.
fn plain() -> Setup {
    cold_starts("plain")
}

fn cold_starts(kind: &str) -> Setup {
    Setup {
        arguments: vec!["--cold-starts".to_owned(), kind.to_owned()],
        ..Setup::default()
    }
}

fn with_ballast(setup: Setup) -> Result<Setup> {
    let library: PathBuf = cache().join("bench/ballast.so");
    std::fs::create_dir_all(cache().join("bench"))?;
    run_command(
        command("cc")
            .args(["-shared", "-fPIC", "-O1", "-o"])
            .arg(&library)
            .arg(root().join("bench/ballast.c")),
    )?;
    let mut setup = setup;
    setup
        .environment
        .push(("LD_PRELOAD".to_owned(), library.to_string_lossy().into_owned()));
    Ok(setup)
}
