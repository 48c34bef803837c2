//! What confines functions on this node, told without gloss.

use crate::sandbox::network::no_way_out;
use crate::sandbox::{Facts, SandboxChoice, SandboxConfig, SpawnerProgram, connect};

/// One protection, and whether it holds here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Guard {
    /// What it is, for example `open files`.
    pub name: &'static str,
    /// Whether it holds.
    pub active: bool,
    /// What it means for whoever runs functions here.
    pub detail: String,
}

/// The guards that a node started here would have, found by making a jail.
///
/// # Blocking
/// For some milliseconds; five seconds at most.
#[must_use]
pub fn guards(choice: SandboxChoice, spawner: Option<&SpawnerProgram>) -> Vec<Guard> {
    if choice == SandboxChoice::Process {
        return of(Err(None));
    }
    let folder = std::env::temp_dir().join(format!("tradewind-guards-{}", std::process::id()));
    let facts = std::fs::create_dir_all(&folder).and_then(|()| {
        let config = SandboxConfig {
            choice,
            spawner,
            folder: &folder,
            api: None,
        };
        connect(&config)?.into_facts()
    });
    // an empty folder of ours; one that stays is in nobody's way
    drop(std::fs::remove_dir(&folder));
    match facts {
        Ok(facts) => of(Ok(&facts)),
        Err(error) => of(Err(Some(&error.to_string()))),
    }
}

/// What confines functions, for a line at the node's start; true when it is a jail.
pub(crate) fn summary(facts: Result<&Facts, Option<&str>>) -> (bool, String) {
    let missing: Vec<_> = of(facts)
        .into_iter()
        .filter(|guard| !guard.active)
        .map(|guard| guard.name)
        .collect();
    match facts {
        Ok(_) if missing.is_empty() => (true, "functions run in jails".to_owned()),
        Ok(_) => (
            true,
            format!("functions run in jails, without: {}", missing.join(", ")),
        ),
        Err(Some(reason)) => (false, format!("functions run as plain processes: {reason}")),
        Err(None) => (
            false,
            "functions run as plain processes: run only code you trust".to_owned(),
        ),
    }
}

/// Of what was found.
pub(crate) fn of(facts: Result<&Facts, Option<&str>>) -> Vec<Guard> {
    match facts {
        Ok(facts) => in_jails(facts),
        Err(reason) => as_processes(reason),
    }
}

fn guard(name: &'static str, active: bool, detail: impl Into<String>) -> Guard {
    Guard {
        name,
        active,
        detail: detail.into(),
    }
}

/// What functions with egress have, where each instance has a network of its own.
fn egress(own_networks: bool) -> Guard {
    if !own_networks {
        return guard("egress", false, "functions share the network of the node");
    }
    match no_way_out() {
        None => guard(
            "egress",
            true,
            "through the node, to anybody but the node and other instances",
        ),
        Some(reason) => guard(
            "egress",
            false,
            format!("no function reaches the world: no network device can be made ({reason})"),
        ),
    }
}

fn in_jails(facts: &Facts) -> Vec<Guard> {
    let either = |holds: bool, yes: &'static str, no: &'static str| if holds { yes } else { no };
    let (own_users, memory, cpu) = (facts.own_users(), facts.limits_memory(), facts.shares_cpu());
    vec![
        guard(
            "jail",
            true,
            "user, mount, pid, ipc, uts and cgroup namespaces for each instance",
        ),
        guard(
            "no orphans",
            true,
            "everything in a jail ends with its function's process, its timeout, and the node",
        ),
        guard(
            "file system",
            true,
            "a read-only root with the system's programs, the function's code, and a /tmp of its own and limited size",
        ),
        guard(
            "system calls",
            true,
            "an allow-list (seccomp), no capabilities, no new privileges",
        ),
        guard(
            "landlock",
            facts.landlock() > 0,
            match facts.landlock() {
                0 => "this kernel has none; the file system is guarded by mounts alone".to_owned(),
                version => format!("interface {version}"),
            },
        ),
        guard(
            "users",
            own_users,
            either(
                own_users,
                "each instance is a user of its own",
                "instances are the node's user; run the node as root for others",
            ),
        ),
        guard(
            "network",
            own_users,
            either(
                own_users,
                "a network of its own for each instance",
                "instances reach what the node reaches; run the node as root for networks of their own",
            ),
        ),
        egress(own_users),
        guard(
            "memory limit",
            memory,
            either(
                memory,
                "the function's memory size, by cgroup",
                "no cgroup may be made here; instances together are kept within the node's memory",
            ),
        ),
        guard(
            "cpu limit",
            cpu,
            either(
                cpu,
                "a share in proportion to memory, by cgroup",
                "no cgroup may be made here",
            ),
        ),
        guard(
            "processes",
            true,
            either(
                facts.limits_processes(),
                "1024 processes and threads, by cgroup",
                "1024 processes and threads, by resource limit",
            ),
        ),
        guard(
            "freezing",
            facts.freezes(),
            either(
                facts.freezes(),
                "idle instances get no processor time, by cgroup",
                "idle instances are stopped by signal",
            ),
        ),
        guard("open files", true, "1024 file descriptors a process"),
        guard("core dumps", true, "off"),
    ]
}

/// The guards of the `process` sandbox: it keeps functions apart by process, and trusts their code.
fn as_processes(reason: Option<&str>) -> Vec<Guard> {
    let linux = cfg!(target_os = "linux");
    vec![
        guard(
            "jail",
            false,
            reason.unwrap_or("not asked for (`--sandbox process`)"),
        ),
        guard(
            "process group",
            true,
            "a timeout or a redeploy kills an instance with its children, unless they leave its session",
        ),
        guard(
            "no orphans",
            linux,
            "instances die with the node, also when it is killed",
        ),
        guard(
            "clean environment",
            true,
            "functions see their own variables, none of the node's",
        ),
        guard("open files", true, "1024 file descriptors an instance"),
        guard("core dumps", true, "off"),
        guard(
            "private TMPDIR",
            true,
            "a folder of its own for each instance, removed with it",
        ),
        guard(
            "memory limit",
            false,
            "not enforced; instances together are kept within the node's memory",
        ),
        guard("cpu limit", false, "not enforced"),
        guard(
            "file system",
            false,
            "functions see the files of the user that runs the node",
        ),
        guard("network", false, "functions reach what the node reaches"),
        guard("system calls", false, "not filtered; run only code you trust"),
    ]
}
