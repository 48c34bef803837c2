//! What is deleted goes, soon by itself or at once when somebody asks: content, rows, packages.

use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::State;
use super::code::{collect_packages, packages_in_use};

/// How often packages are looked for that nothing names any more.
const PACKAGES_EVERY: Duration = Duration::from_secs(30);

/// What a scrub did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Scrubbed {
    /// Contents of deleted objects that were removed now.
    pub(crate) contents: usize,
    /// Whether the database keeps nothing of deleted rows; false where the rows are on a server.
    pub(crate) rows: bool,
}

/// Removes what is deleted and still there, in the order in which one thing lets go of another, and waits until
/// it is gone.
///
/// # Errors
/// What failed; the rest was not tried and is done by itself later.
pub(crate) async fn scrub(state: &State) -> Result<Scrubbed, String> {
    let said = |what: &str, error: &dyn std::fmt::Display| format!("{what}: {error}");
    state
        .queues
        .scrub()
        .await
        .map_err(|error| said("queues", &error))?;
    let contents = state
        .blobs
        .scrub()
        .await
        .map_err(|error| said("contents", &error))?;
    let keep = packages_in_use(&state.lambda, &state.stacks).await;
    let keep = keep.map_err(|error| said("packages", &error))?;
    let packages = state.engine.packages().scrub(&keep).await;
    packages.map_err(|error| said("packages", &error))?;
    let rows = state
        .database
        .scrub()
        .await
        .map_err(|error| said("rows", &error))?;
    Ok(Scrubbed { contents, rows })
}

/// Deletes packages of functions that were deleted or changed, until `stop`.
pub(super) async fn run(state: &State, stop: CancellationToken) {
    let collecting = async {
        loop {
            tokio::time::sleep(PACKAGES_EVERY).await;
            collect_packages(&state.engine, &state.lambda, &state.stacks).await;
        }
    };
    stop.run_until_cancelled(collecting).await;
}
