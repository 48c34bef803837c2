//! What confines functions on this node, told without gloss.

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

/// The guards of the `process` sandbox, the one there is: it keeps functions apart by process, and
/// trusts their code.
#[must_use]
pub fn guards() -> Vec<Guard> {
    let guard = |name, active, detail: &str| Guard {
        name,
        active,
        detail: detail.to_owned(),
    };
    let linux = cfg!(target_os = "linux");
    vec![
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
