//! What `/proc` says about a process and those below it.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, Result};

/// Kernel ticks a second in `/proc/*/stat`: 100 on every Linux that Rust runs on.
const TICKS_PER_SECOND: u32 = 100;

/// The figures of `/proc/PID/stat` that are used here.
#[derive(Clone, Debug)]
pub(crate) struct Stat {
    pub(crate) name: String,
    /// `R`, `S`, `Z` and so on.
    pub(crate) state: char,
    pub(crate) parent: u32,
    /// Own time on the processors.
    pub(crate) own: Duration,
    /// That of children that have ended.
    pub(crate) ended_children: Duration,
}

/// Reads `/proc/PID/stat`; `None` when the process is gone.
pub(crate) fn stat(pid: u32) -> Option<Stat> {
    parse_stat(&fs::read_to_string(format!("/proc/{pid}/stat")).ok()?)
}

fn parse_stat(line: &str) -> Option<Stat> {
    // the name may hold anything, even brackets and spaces
    let (head, rest) = line.rsplit_once(')')?;
    let (_pid, name) = head.split_once('(')?;
    let fields: Vec<&str> = rest.split_whitespace().collect();
    let ticks = |from: usize| -> Option<Duration> {
        let user: u32 = fields.get(from)?.parse().ok()?;
        let system: u32 = fields.get(from + 1)?.parse().ok()?;
        Some(Duration::from_secs(1) * (user + system) / TICKS_PER_SECOND)
    };
    Some(Stat {
        name: name.to_owned(),
        state: fields.first()?.chars().next()?,
        parent: fields.get(1)?.parse().ok()?,
        own: ticks(11)?,
        ended_children: ticks(13)?,
    })
}

/// All processes there are.
pub(crate) fn all() -> BTreeMap<u32, Stat> {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    let pids = entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    pids.filter_map(|pid| Some((pid, stat(pid)?))).collect()
}

/// The processes below `root`, without itself.
pub(crate) fn below(root: u32) -> BTreeMap<u32, Stat> {
    let all = all();
    let mut found = BTreeMap::new();
    let mut parents = vec![root];
    while let Some(parent) = parents.pop() {
        for (pid, stat) in all.iter().filter(|(_pid, stat)| stat.parent == parent) {
            found.insert(*pid, stat.clone());
            parents.push(*pid);
        }
    }
    found
}

/// Time on the processors of a process and all below it, living and ended.
pub(crate) fn cpu_of_tree(root: u32) -> Duration {
    let own = stat(root).into_iter();
    own.chain(below(root).into_values())
        .map(|stat| stat.own + stat.ended_children)
        .sum()
}

/// Time on the processors of one process.
pub(crate) fn cpu(pid: u32) -> Result<Duration> {
    Ok(stat(pid).context("the process has ended")?.own)
}

/// Resident memory in MB.
pub(crate) fn resident_mb(pid: u32) -> Result<f64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status"))?;
    kilobytes(&status, "VmRSS:")
        .map(|kb| kb / 1024.0)
        .context("no VmRSS")
}

/// The most resident memory that it ever had, in MB.
pub(crate) fn peak_resident_mb(pid: u32) -> Result<f64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status"))?;
    kilobytes(&status, "VmHWM:")
        .map(|kb| kb / 1024.0)
        .context("no VmHWM")
}

/// The proportional share of resident memory in MB: shared pages are divided among those who share.
pub(crate) fn proportional_mb(pid: u32) -> Result<f64> {
    let rollup = fs::read_to_string(format!("/proc/{pid}/smaps_rollup"))?;
    kilobytes(&rollup, "Pss:").map(|kb| kb / 1024.0).context("no Pss")
}

fn kilobytes(text: &str, label: &str) -> Option<f64> {
    let line = text.lines().find_map(|line| line.strip_prefix(label))?;
    line.trim().strip_suffix("kB")?.trim().parse().ok()
}

/// How many descriptors the process has open, but for files below `folder`.
pub(crate) fn descriptors_outside(pid: u32, folder: &Path) -> Result<usize> {
    let open = fs::read_dir(format!("/proc/{pid}/fd"))?.flatten();
    let targets = open.filter_map(|descriptor| fs::read_link(descriptor.path()).ok());
    Ok(targets.filter(|target| !target.starts_with(folder)).count())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stat_line_is_read_whatever_the_name() {
        let line = "42 (a) b(c) S 7 42 42 0 -1 4194560 1 0 0 0 150 50 20 5 20 0 1 0 99 1 1";
        let stat = parse_stat(line).unwrap();
        assert_eq!((stat.name.as_str(), stat.state, stat.parent), ("a) b(c", 'S', 7));
        assert_eq!(
            (stat.own, stat.ended_children),
            (Duration::from_secs(2), Duration::from_millis(250))
        );
    }

    #[test]
    fn a_child_is_below_its_parent() {
        let mut child = std::process::Command::new("cat")
            .stdin(std::process::Stdio::piped())
            .spawn()
            .unwrap();
        assert!(below(std::process::id()).contains_key(&child.id()));
        assert!(proportional_mb(child.id()).unwrap() > 0.0);
        child.kill().unwrap();
        child.wait().unwrap();
    }
}
