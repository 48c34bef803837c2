//! `tradewind remove`: take a stack off a node.

use std::fmt::Write as _;

use bytes::Bytes;
use http::Method;
use serde::Deserialize;
use tradewind_model::AccountId;

use super::arguments::Remove;
use super::client::{NodeClient, encode};
use super::failure::Failure;
use super::output::{self, GOOD};
use super::project::Workspace;
use super::stack_events;
use super::surroundings::Surroundings;

#[derive(Deserialize)]
struct StackList {
    stacks: Vec<Stack>,
}

#[derive(Deserialize)]
struct Stack {
    name: String,
    resources: Vec<Resource>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Resource {
    #[serde(rename = "type")]
    resource_type: String,
    physical_id: String,
}

/// Runs the command.
pub(crate) async fn run(arguments: &Remove, surroundings: &Surroundings) -> Result<(), Failure> {
    let name = match &arguments.stack {
        Some(name) => name.clone(),
        None => stack_of_project(arguments, surroundings).await?,
    };
    let client = NodeClient::new(&arguments.endpoint.endpoint);
    let list: StackList = client.json("/_tradewind/stacks").await?;
    let Some(stack) = list.stacks.into_iter().find(|stack| stack.name == name) else {
        output::note(&format!(
            "nothing to do: stack `{name}` is not deployed at {}",
            arguments.endpoint.endpoint
        ));
        return Ok(());
    };
    if arguments.dry_run {
        return output::line(&describe(&stack));
    }
    if !arguments.yes && !confirmed(&stack)? {
        output::note("nothing was removed");
        return Ok(());
    }
    let path = format!("/_tradewind/stacks/{}", encode(&stack.name));
    let lines = client.stream(Method::DELETE, &path, Bytes::new()).await?;
    stack_events::follow(lines, None, arguments.json).await?;
    output::note(&format!("{GOOD}removed{GOOD:#} {}", stack.name));
    Ok(())
}

async fn stack_of_project(arguments: &Remove, surroundings: &Surroundings) -> Result<String, Failure> {
    let account = AccountId::default_account();
    let project = Workspace::new(&arguments.project, surroundings, account, true)
        .load()
        .await?;
    Ok(project.stack_name)
}

fn confirmed(stack: &Stack) -> Result<bool, Failure> {
    let question = format!(
        "remove stack `{}` with its {} resources?",
        stack.name,
        stack.resources.len()
    );
    output::ask(&question).ok_or_else(|| {
        Failure::usage("this removes things and there is no terminal to ask on").hint("say so with `--yes`")
    })
}

fn describe(stack: &Stack) -> String {
    let width = stack
        .resources
        .iter()
        .map(|resource| resource.resource_type.len())
        .max()
        .unwrap_or(0);
    let mut text = format!("stack {}", stack.name);
    for resource in stack.resources.iter().rev() {
        // Writing to a String does not fail.
        write!(
            text,
            "\n  {:width$}  {}",
            resource.resource_type, resource.physical_id
        )
        .ok();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dry_run_shows_what_goes_last_first() {
        let resource = |resource_type: &str, physical_id: &str| Resource {
            resource_type: resource_type.into(),
            physical_id: physical_id.into(),
        };
        let stack = Stack {
            name: "shop-dev".into(),
            resources: vec![
                resource("AWS::IAM::Role", "role"),
                resource("AWS::Lambda::Function", "shop-dev-cart"),
            ],
        };
        assert_eq!(
            describe(&stack),
            "stack shop-dev\n  AWS::Lambda::Function  shop-dev-cart\n  AWS::IAM::Role         role"
        );
    }
}
