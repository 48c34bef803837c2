//! `tradewind list`: functions and their URLs.

use super::arguments::List;
use super::client::NodeClient;
use super::failure::Failure;
use super::functions::{self, FunctionList};
use super::output;

/// Runs the command.
pub(crate) async fn run(arguments: &List) -> Result<(), Failure> {
    let client = NodeClient::new(&arguments.endpoint.endpoint);
    let list: FunctionList = client.json("/_tradewind/functions").await?;
    if arguments.json {
        return list
            .functions
            .iter()
            .try_for_each(|function| output::line(&function.to_string()));
    }
    let functions = list.read()?;
    if functions.is_empty() {
        output::note(&format!("nothing is deployed at {}", arguments.endpoint.endpoint));
        return Ok(());
    }
    output::line(&functions::table(&functions, |function| &function.function))
}
