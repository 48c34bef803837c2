//! `tradewind serve`: a node that others deploy to. How a node is started and stopped is the same
//! for `up`.

use std::time::Duration;

use tradewind_model::{AccountId, Region};

use super::arguments::{ColdStarts, Serve};
use super::failure::Failure;
use super::interrupts::Interrupts;
use super::output::{self, FAINT, GOOD, WARNING};
use super::project::STATE_DIR;
use super::surroundings::Surroundings;
use crate::node::{Node, NodeConfig};

/// How long running requests may take to end after Ctrl-C.
const DRAIN: Duration = Duration::from_secs(10);
/// Stopping is announced when it takes longer than this.
const PATIENCE: Duration = Duration::from_millis(300);

/// Runs the command.
pub(crate) async fn run(arguments: &Serve, surroundings: &Surroundings) -> Result<(), Failure> {
    let mut interrupts = Interrupts::listen()?;
    let region: Region = arguments
        .region
        .parse()
        .map_err(|invalid: tradewind_model::InvalidArn| Failure::usage(invalid.to_string()))?;
    let config = NodeConfig {
        listen: arguments.node.listen,
        data_dir: arguments.node.data.clone().unwrap_or_else(|| STATE_DIR.into()),
        account: AccountId::default_account(),
        region,
        stems: arguments.cold_starts != ColdStarts::Plain,
        prepare: arguments.cold_starts == ColdStarts::Prepared,
        path: surroundings.path.clone(),
        sandbox: arguments.node.sandbox.into(),
        database: arguments.node.database.clone(),
        content: arguments.node.content.config(surroundings)?,
        mail: arguments.node.mail.config()?,
        kafka: arguments.node.kafka.config()?,
    };
    let node = start(config).await?;
    output::note(&format!("{GOOD}ready{GOOD:#} at http://{}", node.address()));
    output::note(&isolation(&node));
    output::note(&format!(
        "{FAINT}any credentials are accepted; Ctrl-C stops{FAINT:#}"
    ));
    let ended = tokio::select! {
        () = interrupts.next() => Ok(()),
        failure = failure(&node) => Err(failure),
    };
    stop(node, &mut interrupts).await?;
    ended
}

/// Waits until the node must not go on, and says why.
pub(crate) async fn failure(node: &Node) -> Failure {
    let error = node.failure().await;
    Failure::new(error.to_string())
        .hint("look for errors of the disk (`dmesg`), then start again: all that was acknowledged is kept")
}

/// What confines functions, in a line; a warning when little does.
pub(crate) fn isolation(node: &Node) -> String {
    let (jailed, summary) = node.isolation();
    match jailed {
        true => format!("{FAINT}{summary}{FAINT:#}"),
        false => format!("{WARNING}{summary}{WARNING:#}"),
    }
}

/// Starts a node.
pub(crate) async fn start(config: NodeConfig) -> Result<Node, Failure> {
    Node::start(config).await.map_err(|error| {
        let failure = Failure::new(error.to_string());
        match error.hint() {
            Some(hint) => failure.hint(hint),
            None => failure,
        }
    })
}

/// Lets running requests end, then stops the node; at once when interrupted again.
pub(crate) async fn stop(node: Node, interrupts: &mut Interrupts) -> Result<(), Failure> {
    let mut stopping = Box::pin(node.stop(DRAIN));
    tokio::select! {
        () = &mut stopping => {
            output::note(&format!("{FAINT}stopped{FAINT:#}"));
            return Ok(());
        }
        () = tokio::time::sleep(PATIENCE) => {}
        () = interrupts.next() => return Err(Failure::Interrupted),
    }
    output::note(&format!(
        "{FAINT}waiting for running requests; Ctrl-C again stops at once{FAINT:#}"
    ));
    tokio::select! {
        () = &mut stopping => Ok(()),
        () = interrupts.next() => Err(Failure::Interrupted),
    }
}
