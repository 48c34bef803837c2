//! `tradewind scrub`: waits until nothing of what was deleted is left on disk.

use bytes::Bytes;
use http::Method;
use serde::Deserialize;

use super::arguments::Scrub;
use super::client::NodeClient;
use super::failure::Failure;
use super::output;

/// The answer of `POST /_tradewind/scrub`.
#[derive(Debug, Deserialize)]
struct Scrubbed {
    contents: u64,
    rows: bool,
}

/// Runs the command.
pub(crate) async fn run(arguments: &Scrub) -> Result<(), Failure> {
    let client = NodeClient::new(&arguments.endpoint.endpoint);
    let mut lines = client
        .stream(Method::POST, "/_tradewind/scrub", Bytes::new())
        .await?;
    let answer = lines.next().await?.unwrap_or_default();
    let done: Scrubbed = serde_json::from_slice(&answer)
        .map_err(|error| Failure::new("the node's answer is not understood").because(&error))?;
    if arguments.json {
        return output::line(&String::from_utf8_lossy(&answer));
    }
    output::line(&format!("contents removed now: {}", done.contents))?;
    match done.rows {
        true => output::line("nothing of deleted rows is left in the data folder"),
        false => {
            output::line("contents and packages are gone; the rows are on a PostgreSQL server")?;
            output::note("what the server keeps of deleted rows: docs/storage.md, What deletion means");
            Ok(())
        }
    }
}
