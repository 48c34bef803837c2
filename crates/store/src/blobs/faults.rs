//! Where tests make the disk fail or the process die. Costs nothing in a build that is not a test.

/// A step of a write or removal; [`Faults::reach`] is called just before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    Create,
    Write,
    SyncFile,
    Rename,
    SyncFolder,
    Finished,
    Remove,
    RemoveRow,
}

/// What a test has planned.
#[derive(Debug, Default)]
pub(super) struct Faults {
    #[cfg(test)]
    plan: std::sync::Mutex<Option<(Step, Fault)>>,
}

/// What happens at the planned step, each time.
#[cfg(test)]
#[derive(Clone, Copy, Debug)]
pub(super) enum Fault {
    /// The system answers with this error.
    Fail(std::io::ErrorKind),
    /// The process dies at once.
    Die,
}

impl Faults {
    #[cfg(not(test))]
    #[expect(
        clippy::unused_self,
        clippy::unnecessary_wraps,
        reason = "the shape that tests need"
    )]
    #[inline]
    pub(super) fn reach(&self, _step: Step) -> std::io::Result<()> {
        Ok(())
    }

    #[cfg(test)]
    pub(super) fn reach(&self, step: Step) -> std::io::Result<()> {
        match *self.plan.lock().unwrap() {
            Some((at, Fault::Fail(kind))) if at == step => Err(kind.into()),
            Some((at, Fault::Die)) if at == step => std::process::abort(),
            _ => Ok(()),
        }
    }

    #[cfg(test)]
    pub(super) fn plan(&self, plan: Option<(Step, Fault)>) {
        *self.plan.lock().unwrap() = plan;
    }
}
