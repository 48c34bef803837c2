//! What a benchmark prints and keeps: figures of each subject, and goals met or missed.

use anyhow::Result;
use serde_json::{Value, json};

use super::Options;
use crate::command::{command, root};

/// Above this load before a run, its figures are a rough guide at best.
const QUIET_LOAD: f64 = 0.5;

/// What a figure is held against.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Goal {
    AtLeast(f64),
    AtMost(f64),
}

impl Goal {
    fn met(self, value: f64) -> bool {
        match self {
            Self::AtLeast(bound) => value >= bound,
            Self::AtMost(bound) => value <= bound,
        }
    }

    fn shown(self) -> String {
        match self {
            Self::AtLeast(bound) => format!("≥ {bound}"),
            Self::AtMost(bound) => format!("≤ {bound}"),
        }
    }
}

/// A run's figures. A goal that is missed is shown, and fails nothing: machines differ.
#[derive(Debug)]
pub(crate) struct Report {
    name: &'static str,
    measured: Value,
    figures: Vec<Value>,
    goals: Vec<Value>,
    keep: bool,
}

impl Report {
    /// Begins a report: says what machine this is and how busy it is.
    pub(crate) fn start(name: &'static str, options: &Options) -> Self {
        let measured = json!({
            "date": first_line(command("date").args(["-u", "+%F"])),
            "processor": processor(),
            "cores": std::thread::available_parallelism().map_or(0, usize::from),
            "kernel": first_line(command("uname").arg("-r")),
            "commit": first_line(command("git").args(["rev-parse", "--short", "HEAD"])),
            "loadBefore": load_average(),
            "rounds": options.rounds(),
            "seconds": options.seconds(),
        });
        println!(
            "{} cores of {}, Linux {}, load {} before: what else runs here is in these figures",
            measured["cores"], measured["processor"], measured["kernel"], measured["loadBefore"]
        );
        if load_average() > QUIET_LOAD {
            println!(
                "this machine is busy: a subject of more processes gets more of it than one of fewer, and all p99 are \
                 of the others' making"
            );
        }
        Self {
            name,
            measured,
            figures: Vec::new(),
            goals: Vec::new(),
            keep: !options.quick,
        }
    }

    /// Keeps figures of a subject; what is shown of them is the caller's business.
    pub(crate) fn figures(&mut self, figures: Value) {
        self.figures.push(figures);
    }

    /// Prints one figure and keeps it.
    pub(crate) fn figure(&mut self, subject: &str, value: f64, unit: &str) {
        println!("  {subject:<66}{value:>11.2} {unit}");
        self.figures
            .push(json!({ "subject": subject, "value": value, "unit": unit }));
    }

    /// Prints and keeps how a figure stands to its goal.
    pub(crate) fn goal(&mut self, id: &str, what: &str, value: f64, goal: Goal) {
        let met = goal.met(value);
        let verdict = if met { "met" } else { "missed" };
        println!("{id:<4}{what:<66}{value:>9.2}  {:<9} {verdict}", goal.shown());
        self.goals
            .push(json!({ "id": id, "what": what, "value": value, "goal": goal.shown(), "met": met }));
    }

    /// Says that something cannot be measured yet, and why.
    pub(crate) fn pending(&mut self, id: &str, what: &str, why: &str) {
        println!("{id:<4}{what:<66}  not there yet: {why}");
        self.goals
            .push(json!({ "id": id, "what": what, "value": null, "notThereYet": why }));
    }

    /// Writes `bench/results/NAME.json`, unless the run was a quick one.
    pub(crate) fn finish(self) -> Result<()> {
        if !self.keep {
            println!("a quick run: nothing is kept");
            return Ok(());
        }
        let folder = root().join("bench/results");
        std::fs::create_dir_all(&folder)?;
        let file = folder.join(format!("{}.json", self.name));
        let all = json!({ "measured": self.measured, "goals": self.goals, "figures": self.figures });
        std::fs::write(&file, format!("{all:#}\n"))?;
        println!("written to {}", file.display());
        Ok(())
    }
}

fn first_line(command: &mut std::process::Command) -> String {
    let output = command.output().map(|output| output.stdout).unwrap_or_default();
    let text = String::from_utf8_lossy(&output);
    text.lines().next().unwrap_or("unknown").to_owned()
}

fn processor() -> String {
    let info = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = info.lines().find_map(|line| line.strip_prefix("model name"));
    let model = model.map(|rest| rest.trim_start_matches(['\t', ' ', ':']).to_owned());
    model.unwrap_or_else(|| "an unknown processor".to_owned())
}

fn load_average() -> f64 {
    let text = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    let first = text.split(' ').next().and_then(|first| first.parse().ok());
    first.unwrap_or(f64::NAN)
}
