//! Clients and functions that the end-to-end tests drive, built once into `.cache/`.

use anyhow::Result;

/// Installs them all.
pub(crate) fn install() -> Result<()> {
    Ok(())
}
