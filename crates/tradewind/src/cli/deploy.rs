//! `tradewind deploy`: build, upload, apply, on a running node.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use serde::Deserialize;
use serde_json::json;
use tradewind_deploy::serverless::{Project, Template};
use tradewind_model::AccountId;

use super::arguments::Deploy;
use super::client::{NodeClient, encode};
use super::failure::Failure;
use super::functions::{self, Function, FunctionList};
use super::output::{self, FAINT, GOOD, STRONG};
use super::project::{self, Workspace, ZippedPackage};
use super::stack_events::{self, Origin, StackHistory};
use super::surroundings::Surroundings;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Uploaded {
    package_id: String,
}

/// Runs the command. With `--json`, what fails before the node begins is a line like the node's own.
pub(crate) async fn run(arguments: &Deploy, surroundings: &Surroundings) -> Result<(), Failure> {
    let client = NodeClient::new(&arguments.endpoint.endpoint);
    let ready = match ready(arguments, surroundings, &client).await {
        Err(failure) if arguments.json => {
            output::line(&failure.document().to_string())?;
            return Err(failure);
        }
        ready => ready?,
    };
    let project = &ready.project;
    let origin = Origin {
        project,
        template: &ready.template,
    };
    output::progress(&format!("applying {}", project.stack_name));
    let request = json!({
        "template": ready.template.body, "parameters": project.stack_parameters, "artifacts": ready.artifacts,
        "tags": project.stack_tags,
    });
    let path = format!("/_tradewind/stacks/{}", encode(&project.stack_name));
    let lines = match client.apply(&path, request.to_string().into(), origin).await {
        Err(failure) if arguments.json => {
            output::line(&failure.document().to_string())?;
            return Err(failure);
        }
        lines => lines?,
    };
    let history = stack_events::follow(lines, Some(origin), arguments.json).await?;
    if arguments.json {
        return Ok(());
    }
    summarise(&client, &project.stack_name, &history).await
}

/// A project whose packages are on the node.
struct Ready {
    project: Project,
    template: Template,
    artifacts: BTreeMap<String, String>,
}

async fn ready(
    arguments: &Deploy,
    surroundings: &Surroundings,
    client: &NodeClient,
) -> Result<Ready, Failure> {
    let health = client.health().await?;
    let account: AccountId = health
        .account
        .parse()
        .map_err(|invalid: tradewind_model::InvalidArn| {
            Failure::new(format!(
                "the node's account `{}` is no account id",
                health.account
            ))
            .because(&invalid)
        })?;
    let workspace = Workspace::new(&arguments.project, surroundings, account, true);
    let project = workspace.load().await?;
    project::stack_name(&project)?;
    let mut told = BTreeSet::new();
    project::warn_once(&project.warnings, &mut told);
    if project.region != health.region {
        return Err(other_region(&project.region, &health.region));
    }
    project::warn_once(&workspace.check_interpreters(&project).await?, &mut told);
    let packages = workspace.prepare(&project).await?;
    project::warn_once(packages.iter().flat_map(|package| &package.warnings), &mut told);
    let zipped = project::zip(&project, packages).await?;
    let template = project.compile(&project::digests(&zipped))?;
    let artifacts = upload(client, zipped).await?;
    Ok(Ready {
        project,
        template,
        artifacts,
    })
}

/// A node is in one region; a project that names another would get ARNs and URLs that lead nowhere.
fn other_region(wanted: &str, has: &str) -> Failure {
    Failure::new(format!(
        "the project wants region `{wanted}`, the node is `{has}`"
    ))
    .hint(format!(
        "deploy with `--region {has}`, or start the node with `--region {wanted}`"
    ))
}

/// Uploads each archive once, however many functions have it.
async fn upload(
    client: &NodeClient,
    packages: Vec<ZippedPackage>,
) -> Result<BTreeMap<String, String>, Failure> {
    let mut artifacts = BTreeMap::new();
    let mut sent: Vec<(Bytes, String)> = Vec::new();
    for package in packages {
        let known = sent
            .iter()
            .find(|(zip, _)| *zip == package.zip)
            .map(|(_, id)| id.clone());
        let id = match known {
            Some(id) => id,
            None => upload_one(client, &package).await?,
        };
        sent.push((package.zip, id.clone()));
        artifacts.insert(package.key, id);
    }
    Ok(artifacts)
}

async fn upload_one(client: &NodeClient, package: &ZippedPackage) -> Result<String, Failure> {
    output::progress(&format!(
        "uploading {} ({})",
        package.name,
        size(package.zip.len())
    ));
    let uploaded: Uploaded = client.put("/_tradewind/packages", package.zip.clone()).await?;
    Ok(uploaded.package_id)
}

fn size(bytes: usize) -> String {
    match bytes {
        0..1024 => format!("{bytes} B"),
        1024..1_048_576 => format!("{} KB", bytes / 1024),
        _ => format!("{}.{} MB", bytes / 1_048_576, bytes % 1_048_576 * 10 / 1_048_576),
    }
}

async fn summarise(client: &NodeClient, stack: &str, history: &StackHistory) -> Result<(), Failure> {
    let what = if history.changed_anything() {
        "deployed"
    } else {
        "nothing to change in"
    };
    output::note(&format!("{GOOD}{what}{GOOD:#} {stack}\n"));
    let list: FunctionList = client.json("/_tradewind/functions").await?;
    let mut functions = list.read()?;
    functions.retain(|function| function.stack.as_deref() == Some(stack));
    if !functions.is_empty() {
        output::line(&format!("{}\n", functions::table(&functions, Function::key)))?;
    }
    print_outputs(&history.end.outputs)
}

fn print_outputs(outputs: &BTreeMap<String, String>) -> Result<(), Failure> {
    let own: Vec<_> = outputs.iter().filter(|(name, _)| !is_generated(name)).collect();
    let width = own.iter().map(|(name, _)| name.len()).max().unwrap_or(0);
    if !own.is_empty() {
        output::line(&format!("{STRONG}outputs{STRONG:#}"))?;
    }
    own.iter()
        .try_for_each(|(name, value)| output::line(&format!("  {FAINT}{name:width$}{FAINT:#}  {value}")))
}

/// Outputs that every project has; their URLs are AWS's, ours were just shown. `--json` has them all.
fn is_generated(output: &str) -> bool {
    let names = [
        "HttpApiId",
        "HttpApiUrl",
        "ServiceEndpoint",
        "ServerlessDeploymentBucketName",
    ];
    let of_layers = ["LambdaLayerQualifiedArn", "LambdaLayerHash", "LambdaLayerS3Key"];
    names.contains(&output)
        || output.ends_with("LambdaFunctionQualifiedArn")
        || of_layers.iter().any(|end| output.ends_with(end))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn outputs_of_the_project_s_own_are_told_from_generated_ones() {
        assert!(is_generated("HttpApiUrl") && is_generated("CartLambdaFunctionQualifiedArn"));
        assert!(!is_generated("TableName"));
    }

    #[test]
    fn sizes_are_short() {
        assert_eq!(size(900), "900 B");
        assert_eq!(size(2_500), "2 KB");
        assert_eq!(size(2_700_000), "2.5 MB");
    }
}
