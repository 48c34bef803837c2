//! Which step of making a jail failed, and why.

use std::io;

/// A failed step.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("cannot {step}: {}", io::Error::from_raw_os_error(*.errno))]
pub(super) struct Trouble {
    /// What was tried, for example `mount /tmp`. Empty for the program itself.
    pub(super) step: String,
    /// The kernel's error number.
    pub(super) errno: i32,
}

/// Names what was tried.
pub(super) trait Step<T> {
    fn step(self, what: impl Into<String>) -> Result<T, Trouble>;
}

impl<T, E: Into<io::Error>> Step<T> for Result<T, E> {
    fn step(self, what: impl Into<String>) -> Result<T, Trouble> {
        self.map_err(|error| Trouble {
            step: what.into(),
            errno: error.into().raw_os_error().unwrap_or(libc::EIO),
        })
    }
}
