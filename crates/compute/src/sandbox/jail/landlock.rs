//! Landlock: a second lock on the file system, where the kernel has it. What mounts keep read-only stays
//! so even if a mount were wrong, and sockets and signals do not leave the jail.

use std::io;

use landlock::{
    ABI, Access, AccessFs, CompatLevel, Compatible, PathBeneath, PathFd, Ruleset, RulesetAttr,
    RulesetCreatedAttr, RulesetStatus, Scope,
};

use super::root::{SHARED_MEMORY, TMP};

/// The newest interface that is asked for; an older kernel does what it can.
const INTERFACE: ABI = ABI::V6;
/// Where a function may write.
const WRITABLE: [&str; 2] = [TMP, SHARED_MEMORY];

/// Confines this process and whatever it starts, for good. False where the kernel has no Landlock.
pub(super) fn restrict() -> io::Result<bool> {
    let read = AccessFs::from_read(INTERFACE);
    let write = AccessFs::WriteFile | AccessFs::Truncate;
    let status = Ruleset::default()
        .set_compatibility(CompatLevel::BestEffort)
        .handle_access(AccessFs::from_all(INTERFACE))
        .and_then(|rules| rules.scope(Scope::from_all(INTERFACE)))
        .and_then(Ruleset::create)
        .map_err(io::Error::other)?;
    let open = |path: &str| PathFd::new(path).map_err(io::Error::other);
    let mut status = status
        .add_rule(PathBeneath::new(open("/")?, read))
        .map_err(io::Error::other)?;
    for place in WRITABLE {
        let all = AccessFs::from_all(INTERFACE);
        let rule = PathBeneath::new(open(place)?, all);
        status = status.add_rule(rule).map_err(io::Error::other)?;
    }
    // devices, and what a process may say of itself
    for place in ["/dev", "/proc"] {
        let rule = PathBeneath::new(open(place)?, read | write);
        status = status.add_rule(rule).map_err(io::Error::other)?;
    }
    let status = status.restrict_self().map_err(io::Error::other)?;
    Ok(status.ruleset != RulesetStatus::NotEnforced)
}
