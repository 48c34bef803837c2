//! Control groups: what limits memory, processor and processes of a jail, counts what it used, and
//! freezes it. For version 1, version 2, and controllers of the one beside those of the other.
//!
//! ```text
//! <where the node is>/tradewind-<pid of the spawner>/<number of the instance>
//! ```
//!
//! The spawner makes and removes them; the node reads what they count, and freezes. What a dead node
//! left is removed by the next one that starts.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::super::Limits;

/// What a node's folders are called, before its spawner's process id.
const PREFIX: &str = "tradewind-";
/// Processes and threads of an instance, and its first process, which is ours.
const PROCESSES: u32 = 1024 + 1;
/// What the jail itself costs the function's limit: the pages that its first process does not share, its
/// mounts and namespaces. The language's runtime counts for the function, as on Lambda.
const OVERHEAD_BYTES: u64 = 4 * 1024 * 1024;
/// The memory that has one whole processor.
const MIB_PER_CPU: u64 = 1769;
const MIB: u64 = 1024 * 1024;

/// What a hierarchy can do for us.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Controller {
    Memory,
    Cpu,
    CpuAccounting,
    Pids,
    Freezer,
}

impl Controller {
    /// In the order of their numbers.
    pub(super) const ALL: [Self; 5] = [
        Self::Memory,
        Self::Cpu,
        Self::CpuAccounting,
        Self::Pids,
        Self::Freezer,
    ];

    /// Its name in version 1.
    fn name(self) -> &'static str {
        match self {
            Self::Memory => "memory",
            Self::Cpu => "cpu",
            Self::CpuAccounting => "cpuacct",
            Self::Pids => "pids",
            Self::Freezer => "freezer",
        }
    }
}

/// One mounted hierarchy and the node's folder in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Hierarchy {
    pub(super) unified: bool,
    pub(super) controllers: Vec<Controller>,
    pub(super) folder: PathBuf,
}

/// All hierarchies that are of use here.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Hierarchies(pub(super) Vec<Hierarchy>);

impl Hierarchies {
    /// Makes folders for the instances of spawner `owner`, wherever that is allowed, and removes those of
    /// nodes that are gone.
    pub(super) fn prepare(owner: u32) -> Self {
        let text = |path: &str| fs::read_to_string(path).unwrap_or_default();
        let found = find(&text("/proc/self/mountinfo"), &text("/proc/self/cgroup"));
        let mut usable: Vec<Hierarchy> = Vec::new();
        for mut hierarchy in found {
            let has =
                |controller: &Controller| usable.iter().any(|other| other.controllers.contains(controller));
            hierarchy.controllers.retain(|controller| !has(controller));
            remove_leftovers(&hierarchy.folder);
            if hierarchy.unified {
                hierarchy.controllers = delegated(&hierarchy.folder, &hierarchy.controllers);
            }
            let folder = hierarchy.folder.join(format!("{PREFIX}{owner}"));
            if hierarchy.controllers.is_empty() || fs::create_dir_all(&folder).is_err() {
                continue;
            }
            if hierarchy.unified {
                let all = delegated(&folder, &hierarchy.controllers);
                hierarchy.controllers = all;
            }
            let own = Hierarchy { folder, ..hierarchy };
            share_for_all(&own);
            usable.push(own);
        }
        Self(usable)
    }

    /// Whether something here does that.
    pub(super) fn has(&self, controller: Controller) -> bool {
        self.0
            .iter()
            .any(|hierarchy| hierarchy.controllers.contains(&controller))
    }

    /// Removes the node's folders. Those of instances must be gone.
    pub(super) fn remove(&self) {
        for hierarchy in &self.0 {
            // one that is still in use is removed by the next node
            drop(fs::remove_dir(&hierarchy.folder));
        }
    }

    /// The group of an instance, whether it exists or not.
    pub(super) fn group(&self, number: u64) -> Cgroup {
        let folder = |hierarchy: &Hierarchy| Hierarchy {
            folder: hierarchy.folder.join(number.to_string()),
            ..hierarchy.clone()
        };
        Cgroup(self.0.iter().map(folder).collect())
    }
}

/// The group of one instance, in each hierarchy.
#[derive(Clone, Debug, Default)]
pub(super) struct Cgroup(Vec<Hierarchy>);

impl Cgroup {
    /// Makes it.
    pub(super) fn create(&self, limits: &Limits) -> io::Result<()> {
        for hierarchy in &self.0 {
            fs::create_dir(&hierarchy.folder)?;
            for (file, value, required) in settings(hierarchy, limits) {
                let written = fs::write(hierarchy.folder.join(file), value);
                if required {
                    written.map_err(|error| io::Error::new(error.kind(), format!("{file}: {error}")))?;
                }
            }
        }
        Ok(())
    }

    /// Where a process writes `0` to enter.
    pub(super) fn entrances(&self) -> impl Iterator<Item = PathBuf> {
        self.0
            .iter()
            .map(|hierarchy| hierarchy.folder.join("cgroup.procs"))
    }

    /// Removes it. False when there are still processes in it.
    pub(super) fn remove(&self) -> bool {
        let gone = |hierarchy: &Hierarchy| match fs::remove_dir(&hierarchy.folder) {
            Ok(()) => true,
            Err(error) => error.kind() == io::ErrorKind::NotFound,
        };
        // every one is tried
        self.0.iter().filter(|hierarchy| !gone(hierarchy)).count() == 0
    }

    /// Stops all its processes where they are, or lets them go on. False where no hierarchy can.
    pub(super) fn set_frozen(&self, frozen: bool) -> io::Result<bool> {
        let Some(hierarchy) = self.with(Controller::Freezer) else {
            return Ok(false);
        };
        let (file, value) = match (hierarchy.unified, frozen) {
            (false, true) => ("freezer.state", "FROZEN"),
            (false, false) => ("freezer.state", "THAWED"),
            (true, true) => ("cgroup.freeze", "1"),
            (true, false) => ("cgroup.freeze", "0"),
        };
        fs::write(hierarchy.folder.join(file), value)?;
        Ok(true)
    }

    /// Memory that cannot be taken back from it: all but the files it has read and may read again.
    pub(super) fn memory_bytes(&self) -> Option<u64> {
        let hierarchy = self.with(Controller::Memory)?;
        let (file, cache) = match hierarchy.unified {
            false => ("memory.usage_in_bytes", "total_inactive_file"),
            true => ("memory.current", "inactive_file"),
        };
        let used = number(&hierarchy.folder.join(file))?;
        let cache = keyed(&hierarchy.folder.join("memory.stat"), cache)?;
        Some(used.saturating_sub(cache))
    }

    /// The most memory it had, with files it read.
    pub(super) fn peak_bytes(&self) -> Option<u64> {
        let hierarchy = self.with(Controller::Memory)?;
        let file = if hierarchy.unified {
            "memory.peak"
        } else {
            "memory.max_usage_in_bytes"
        };
        number(&hierarchy.folder.join(file))
    }

    /// Processor time it used.
    pub(super) fn cpu(&self) -> Option<Duration> {
        if let Some(hierarchy) = self.with(Controller::CpuAccounting)
            && !hierarchy.unified
        {
            return number(&hierarchy.folder.join("cpuacct.usage")).map(Duration::from_nanos);
        }
        let hierarchy = self.0.iter().find(|hierarchy| hierarchy.unified)?;
        keyed(&hierarchy.folder.join("cpu.stat"), "usage_usec").map(Duration::from_micros)
    }

    /// How many of its processes were killed for memory.
    pub(super) fn oom_kills(&self) -> u64 {
        let Some(hierarchy) = self.with(Controller::Memory) else {
            return 0;
        };
        let file = if hierarchy.unified {
            "memory.events"
        } else {
            "memory.oom_control"
        };
        keyed(&hierarchy.folder.join(file), "oom_kill").unwrap_or_default()
    }

    fn with(&self, controller: Controller) -> Option<&Hierarchy> {
        self.0
            .iter()
            .find(|hierarchy| hierarchy.controllers.contains(&controller))
    }
}

/// All functions together weigh as much as one busy process for each processor: they slow others down no
/// more than a full machine does, the node least of all.
fn share_for_all(hierarchy: &Hierarchy) {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let (file, share) = match hierarchy.unified {
        false => ("cpu.shares", 1024 * cores),
        true => ("cpu.weight", (100 * cores).min(10_000)),
    };
    if hierarchy.controllers.contains(&Controller::Cpu) {
        // as it was, all functions weigh as much as one process
        drop(fs::write(hierarchy.folder.join(file), share.to_string()));
    }
}

/// File, value, and whether the jail is not made without it.
fn settings(hierarchy: &Hierarchy, limits: &Limits) -> Vec<(&'static str, String, bool)> {
    let memory = (u64::from(limits.memory_mib) * MIB + OVERHEAD_BYTES).to_string();
    let mib = u64::from(limits.memory_mib);
    let mut all = Vec::new();
    for controller in &hierarchy.controllers {
        match (controller, hierarchy.unified) {
            (Controller::Memory, false) => {
                all.push(("memory.limit_in_bytes", memory.clone(), true));
                // not there where the kernel does not account for swap; then there is to be none
                all.push(("memory.memsw.limit_in_bytes", memory.clone(), false));
                all.push(("memory.swappiness", "0".to_owned(), false));
            }
            (Controller::Memory, true) => {
                all.push(("memory.max", memory.clone(), true));
                all.push(("memory.swap.max", "0".to_owned(), false));
            }
            (Controller::Cpu, false) => {
                let shares = (1024 * mib / MIB_PER_CPU).max(2);
                all.push(("cpu.shares", shares.to_string(), true));
                if let Some(millis) = limits.cpu_millis {
                    all.push(("cpu.cfs_quota_us", (u64::from(millis) * 100).to_string(), true));
                }
            }
            (Controller::Cpu, true) => {
                let weight = (100 * mib / MIB_PER_CPU).clamp(1, 10_000);
                all.push(("cpu.weight", weight.to_string(), true));
                if let Some(millis) = limits.cpu_millis {
                    all.push(("cpu.max", format!("{} 100000", u64::from(millis) * 100), true));
                }
            }
            (Controller::Pids, _) => all.push(("pids.max", PROCESSES.to_string(), true)),
            (Controller::CpuAccounting | Controller::Freezer, _) => {}
        }
    }
    all
}

/// The hierarchies of `/proc/self/mountinfo`, each at the place of this process as `/proc/self/cgroup` has
/// it. Version 1 first: controllers that are there are not in version 2.
fn find(mounts: &str, places: &str) -> Vec<Hierarchy> {
    let mut found: Vec<Hierarchy> = mounts.lines().filter_map(|line| mounted(line, places)).collect();
    found.sort_by_key(|hierarchy| hierarchy.unified);
    found
}

/// `36 35 98:0 /root /mount/point rw,noatime master:1 - cgroup source rw,memory`
fn mounted(line: &str, places: &str) -> Option<Hierarchy> {
    let (mount, kind) = line.split_once(" - ")?;
    let mut mount = mount.split(' ').skip(3);
    let (root, point) = (mount.next()?, mount.next()?);
    let mut kind = kind.split(' ');
    let (unified, options) = match kind.next()? {
        "cgroup" => (false, kind.nth(1)?),
        "cgroup2" => (true, ""),
        _ => return None,
    };
    let named = |controller: &Controller| options.split(',').any(|option| option == controller.name());
    let controllers: Vec<_> = if unified {
        Controller::ALL.into()
    } else {
        Controller::ALL.into_iter().filter(named).collect()
    };
    let own = places
        .lines()
        .find_map(|line| own_place(line, &controllers, unified))?;
    // in a container, the mount shows only what is below the container's own place
    let below = own.strip_prefix(root.trim_end_matches('/')).unwrap_or_default();
    let folder = Path::new(point).join(below.trim_start_matches('/'));
    Some(Hierarchy {
        unified,
        controllers,
        folder: if folder.is_dir() { folder } else { point.into() },
    })
}

/// `4:memory:/place`, or `0::/place` of version 2.
fn own_place<'a>(line: &'a str, controllers: &[Controller], unified: bool) -> Option<&'a str> {
    let mut parts = line.splitn(3, ':').skip(1);
    let (names, place) = (parts.next()?, parts.next()?);
    let is_it = match unified {
        true => names.is_empty(),
        false => names
            .split(',')
            .any(|name| controllers.iter().any(|controller| controller.name() == name)),
    };
    is_it.then_some(place)
}

/// Lets groups below `folder`, of version 2, have what `wanted` they may have. Freezing and counting
/// processor time need no controller there.
fn delegated(folder: &Path, wanted: &[Controller]) -> Vec<Controller> {
    let available = fs::read_to_string(folder.join("cgroup.controllers")).unwrap_or_default();
    let granted = |controller: &Controller| match controller {
        Controller::Freezer | Controller::CpuAccounting => true,
        Controller::Memory | Controller::Cpu | Controller::Pids => {
            let name = controller.name();
            available.split_whitespace().any(|other| other == name)
                && fs::write(folder.join("cgroup.subtree_control"), format!("+{name}")).is_ok()
        }
    };
    wanted.iter().copied().filter(granted).collect()
}

/// Removes the folders of nodes that are gone, with the processes in them.
fn remove_leftovers(folder: &Path) {
    for left in subfolders(folder) {
        let owner = left
            .file_name()
            .and_then(|name| name.to_str()?.strip_prefix(PREFIX)?.parse::<u32>().ok());
        if owner.is_some_and(|owner| !Path::new(&format!("/proc/{owner}")).exists()) {
            subfolders(&left)
                .iter()
                .for_each(|instance| remove_leftover(instance));
            remove_leftover(&left);
        }
    }
}

fn remove_leftover(group: &Path) {
    // version 2 kills by itself; the processes of version 1 died with their spawner
    drop(fs::write(group.join("cgroup.kill"), "1"));
    drop(fs::remove_dir(group));
}

fn subfolders(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    entries
        .filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()))
        .map(|entry| entry.path())
        .collect()
}

fn number(file: &Path) -> Option<u64> {
    fs::read_to_string(file).ok()?.trim().parse().ok()
}

/// The value of a line `key value`.
fn keyed(file: &Path, key: &str) -> Option<u64> {
    let text = fs::read_to_string(file).ok()?;
    let value = |line: &str| {
        let (name, value) = line.split_once(' ')?;
        (name == key).then(|| value.trim().parse().ok())?
    };
    text.lines().find_map(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: Limits = Limits {
        memory_mib: 1769,
        tmp_mib: 512,
        cpu_millis: Some(500),
    };

    fn hierarchy(unified: bool, controllers: &[Controller], folder: &Path) -> Hierarchy {
        Hierarchy {
            unified,
            controllers: controllers.into(),
            folder: folder.into(),
        }
    }

    #[test]
    fn both_versions_are_found_where_this_process_is() {
        let mounts = "\
30 25 0:27 / /no/cgroup rw,relatime - tmpfs tmpfs rw
31 30 0:28 / /no/memory rw shared:5 - cgroup cgroup rw,memory
32 30 0:29 / /no/cpu rw - cgroup cgroup rw,cpu,cpuacct
33 30 0:30 / /no/systemd rw - cgroup cgroup rw,name=systemd
34 30 0:31 / /no/unified rw - cgroup2 cgroup2 rw,nsdelegate";
        let places = "4:memory:/a/b\n2:cpu,cpuacct:/\n1:name=systemd:/x\n0::/user.slice";
        let found = find(mounts, places);
        let seen: Vec<_> = found
            .iter()
            .map(|hierarchy| {
                (
                    hierarchy.unified,
                    hierarchy.controllers.len(),
                    hierarchy.folder.clone(),
                )
            })
            .collect();
        // none of the folders exists, so that the mount points themselves are taken
        assert_eq!(
            seen,
            [
                (false, 1, "/no/memory".into()),
                (false, 2, "/no/cpu".into()),
                (true, 5, "/no/unified".into())
            ]
        );
    }

    #[test]
    fn the_place_of_this_process_is_below_what_a_container_shows() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(folder.path().join("b")).unwrap();
        let mount = format!(
            "31 30 0:28 /docker/a {} rw - cgroup cgroup rw,memory",
            folder.path().display()
        );
        let found = mounted(&mount, "4:memory:/docker/a/b").unwrap();
        assert_eq!(found.folder, folder.path().join("b"));
    }

    #[test]
    fn limits_are_lambdas_in_both_versions() {
        let all = [Controller::Memory, Controller::Cpu, Controller::Pids];
        let of = |unified| {
            let hierarchy = hierarchy(unified, &all, Path::new("/"));
            let all = settings(&hierarchy, &LIMITS);
            all.into_iter()
                .map(|(file, value, _required)| format!("{file}={value}"))
                .collect::<Vec<_>>()
        };
        let memory = 1773 * MIB;
        for expected in [
            format!("memory.limit_in_bytes={memory}"),
            "cpu.shares=1024".into(),
            "cpu.cfs_quota_us=50000".into(),
            "pids.max=1025".into(),
        ] {
            assert!(of(false).contains(&expected), "{expected} {:?}", of(false));
        }
        for expected in [
            format!("memory.max={memory}"),
            "memory.swap.max=0".into(),
            "cpu.weight=100".into(),
            "cpu.max=50000 100000".into(),
            "pids.max=1025".into(),
        ] {
            assert!(of(true).contains(&expected), "{expected} {:?}", of(true));
        }
    }

    #[test]
    fn counters_are_read_as_both_versions_print_them() {
        let folder = tempfile::tempdir().unwrap();
        let write = |file: &str, text: &str| std::fs::write(folder.path().join(file), text).unwrap();
        write("memory.usage_in_bytes", "1000\n");
        write("memory.current", "2000\n");
        write("memory.stat", "inactive_file 500\ntotal_inactive_file 400\n");
        write(
            "memory.oom_control",
            "oom_kill_disable 0\nunder_oom 0\noom_kill 2\n",
        );
        write("memory.events", "oom 9\noom_kill 3\n");
        write("cpuacct.usage", "1500\n");
        write("cpu.stat", "usage_usec 7\nuser_usec 5\n");
        let all = Controller::ALL;
        let one = Cgroup(vec![hierarchy(false, &all, folder.path())]);
        let two = Cgroup(vec![hierarchy(true, &all, folder.path())]);
        assert_eq!((one.memory_bytes(), two.memory_bytes()), (Some(600), Some(1500)));
        assert_eq!((one.oom_kills(), two.oom_kills()), (2, 3));
        assert_eq!(one.cpu(), Some(Duration::from_nanos(1500)));
        assert_eq!(two.cpu(), Some(Duration::from_micros(7)));
        write("freezer.state", "");
        write("cgroup.freeze", "");
        assert!(one.set_frozen(true).unwrap() && two.set_frozen(true).unwrap());
        let read = |file: &str| std::fs::read_to_string(folder.path().join(file)).unwrap();
        assert_eq!(
            (read("freezer.state").as_str(), read("cgroup.freeze").as_str()),
            ("FROZEN", "1")
        );
        assert!(!Cgroup::default().set_frozen(true).unwrap());
    }

    #[test]
    fn folders_of_nodes_that_are_gone_are_removed_and_others_kept() {
        let folder = tempfile::tempdir().unwrap();
        let own = format!("{PREFIX}{}", std::process::id());
        // process ids end at four million
        for name in [&format!("{PREFIX}4999999"), &own, "other"] {
            std::fs::create_dir_all(folder.path().join(name).join("7")).unwrap();
        }
        // real groups have their files removed with them
        let gone = folder.path().join(format!("{PREFIX}4999999"));
        remove_leftovers(folder.path());
        assert!(!gone.join("7/tasks").exists());
        assert!(folder.path().join(own).exists() && folder.path().join("other").exists());
    }
}
