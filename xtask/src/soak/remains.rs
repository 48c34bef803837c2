//! What a node that has ended must not leave behind on its machine.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::Account;
use crate::process;

const EXAMPLES: usize = 8;
const CGROUPS: &str = "/sys/fs/cgroup";

/// What was there before.
#[derive(Debug)]
pub(crate) struct Remains {
    /// In the environment of each function, so that whatever it starts can be known by it.
    mark: String,
    data: PathBuf,
    /// The node and what it started first: one of them names the groups by its process id.
    owners: Vec<u32>,
    mounts: BTreeSet<String>,
    interfaces: BTreeSet<PathBuf>,
    pinned: usize,
}

impl Remains {
    /// Looks around before any function runs. The node itself already does.
    pub(crate) fn before(data: &Path, node: u32) -> Self {
        Self {
            mark: format!("soak-{}", std::process::id()),
            data: data.to_owned(),
            owners: process::below(node)
                .into_keys()
                .chain(std::iter::once(node))
                .collect(),
            mounts: mounts(),
            interfaces: entries(Path::new("/sys/class/net")),
            pinned: pinned_namespaces(),
        }
    }

    pub(crate) fn mark(&self) -> &str {
        &self.mark
    }

    /// Looks again after the node has ended.
    pub(crate) fn account(&self, account: &mut Account) {
        let left = self.processes();
        account.line(
            "processes of functions",
            left.len(),
            &some(left.values().cloned()),
        );
        end(left.keys().copied());
        let now = mounts();
        // other work on the machine mounts too: ours name the data folder
        let data = self.data.to_string_lossy().into_owned();
        let left = now.difference(&self.mounts).filter(|line| line.contains(&data));
        let left: Vec<String> = left.cloned().collect();
        account.line("mounts", left.len(), &some(left));
        let left = pinned_namespaces().saturating_sub(self.pinned);
        account.line("network namespaces kept by a mount", left, "");
        let left: Vec<String> = self
            .owners
            .iter()
            .flat_map(|pid| cgroups(&format!("tradewind-{pid}")))
            .collect();
        account.line("cgroups", left.len(), &some(left));
        let now = entries(Path::new("/sys/class/net"));
        let left = difference(&now, &self.interfaces);
        account.line("network interfaces", left.len(), &some(left));
        let run = files_below(&self.data.join("run"));
        account.line("files of instances in the data folder", run, "");
    }

    /// Processes that carry the mark or live in the data folder.
    fn processes(&self) -> BTreeMap<u32, String> {
        let of_us = |pid: &u32| {
            let environment = fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
            let marked = contains(&environment, self.mark.as_bytes());
            let links = ["cwd", "root", "exe"].map(|link| fs::read_link(format!("/proc/{pid}/{link}")));
            marked || links.iter().flatten().any(|place| place.starts_with(&self.data))
        };
        let all = process::all().into_iter().filter(|(pid, _stat)| of_us(pid));
        all.map(|(pid, stat)| (pid, stat.name)).collect()
    }
}

/// The first few of many.
fn some(all: impl IntoIterator<Item = String>) -> String {
    let few: Vec<String> = all.into_iter().take(EXAMPLES).collect();
    few.join(" ")
}

/// What a soak found is not left to the machine.
fn end(processes: impl Iterator<Item = u32>) {
    for pid in processes {
        let killed = Command::new("kill").args(["-9", &pid.to_string()]).status();
        if !killed.is_ok_and(|status| status.success()) {
            println!("process {pid} had ended by itself");
        }
    }
}

fn contains(bytes: &[u8], part: &[u8]) -> bool {
    bytes.windows(part.len()).any(|window| window == part)
}

fn difference(now: &BTreeSet<PathBuf>, before: &BTreeSet<PathBuf>) -> Vec<String> {
    let new = now.difference(before);
    new.map(|path| path.to_string_lossy().into_owned()).collect()
}

fn mounts() -> BTreeSet<String> {
    let table = fs::read_to_string("/proc/self/mountinfo").unwrap_or_default();
    table.lines().map(str::to_owned).collect()
}

fn pinned_namespaces() -> usize {
    mounts().iter().filter(|line| line.contains(" net:[")).count()
}

/// Groups of that name and all below them, in all hierarchies.
fn cgroups(name: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut folders = vec![PathBuf::from(CGROUPS)];
    while let Some(folder) = folders.pop() {
        let below = entries(&folder).into_iter();
        folders.extend(below.filter(|path| path.is_dir() && !path.is_symlink()));
        let path = folder.to_string_lossy().into_owned();
        if path.split('/').any(|part| part == name) {
            found.push(path);
        }
    }
    found
}

fn entries(folder: &Path) -> BTreeSet<PathBuf> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    entries.map(|entry| entry.path()).collect()
}

fn files_below(folder: &Path) -> usize {
    let (folders, files): (Vec<_>, Vec<_>) = entries(folder)
        .into_iter()
        .partition(|path| path.is_dir() && !path.is_symlink());
    files.len() + folders.iter().map(|folder| files_below(folder)).sum::<usize>()
}
