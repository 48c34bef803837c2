//! One way from the files to running functions.

use std::path::PathBuf;

use tokio::sync::mpsc;
use tradewind_deploy::diagnostic::Diagnostic;
use tradewind_deploy::serverless::Project;
use tradewind_deploy::stack::{ApplyError, ApplyRequest, StackEvent};

use crate::cli::failure::Failure;
use crate::cli::functions::{Function, FunctionList};
use crate::cli::project::{self, Workspace};
use crate::cli::stack_events::{self, Origin, ResourceEvent, StackEnd, StackHistory};
use crate::node::Node;

const EVENTS: usize = 64;
const FUNCTION: &str = "AWS::Lambda::Function";

/// A deployment that succeeded.
#[derive(Debug)]
pub(crate) struct Applied {
    /// The project as it was loaded.
    pub(crate) project: Project,
    /// What was done.
    history: StackHistory,
    /// What to look at.
    pub(crate) warnings: Vec<Diagnostic>,
    /// What to watch besides the project's folder.
    pub(crate) watched: Vec<PathBuf>,
}

/// Loads, builds, stages, compiles and applies the project as it is now.
///
/// # Cancel safety
/// Dropping it leaves the node consistent: an apply that has begun goes on in a task of the node.
pub(crate) async fn apply(node: &Node, workspace: &Workspace) -> Result<Applied, Failure> {
    let project = workspace.load().await?;
    let mut warnings = project.warnings.clone();
    warnings.extend(workspace.check_interpreters(&project).await?);
    let packages = workspace.prepare(&project).await?;
    warnings.extend(
        packages
            .iter()
            .flat_map(|package| package.warnings.iter().cloned()),
    );
    let artifacts = project::stage(node.engine().packages(), &project, &packages).await?;
    let template = project.compile(&artifacts.digests)?;
    let request = ApplyRequest {
        stack: project::stack_name(&project)?,
        template: template.body.clone(),
        parameters: project.stack_parameters.clone(),
        artifacts: artifacts.packages,
        tags: project.stack_tags.clone(),
        prove_updates: true,
    };
    let origin = Origin {
        project: &project,
        template: &template,
    };
    let history = apply_request(node, request, origin).await?;
    let watched = project::watched_paths(&project, &packages);
    Ok(Applied {
        project,
        history,
        warnings,
        watched,
    })
}

async fn apply_request(
    node: &Node,
    request: ApplyRequest,
    origin: Origin<'_>,
) -> Result<StackHistory, Failure> {
    let (sender, receiver) = mpsc::channel(EVENTS);
    let (outcome, events) = tokio::join!(node.apply(request, sender), collect(receiver));
    let outcome = outcome.map_err(|error| match error {
        ApplyError::Problems(problems) => stack_events::problems(&problems, origin),
        ApplyError::Busy(_) | ApplyError::Unforeseen(_) | ApplyError::Database(_) => {
            Failure::new(error.to_string())
        }
    })?;
    let status = if outcome.changed {
        outcome.status.as_str()
    } else {
        "NO_CHANGES"
    };
    let end = StackEnd {
        status: status.to_owned(),
        outputs: outcome.outputs,
        reason: outcome.reason,
    };
    StackHistory { events, end }.succeeded(Some(origin))
}

async fn collect(mut receiver: mpsc::Receiver<StackEvent>) -> Vec<ResourceEvent> {
    let mut events = Vec::new();
    while let Some(event) = receiver.recv().await {
        events.push(ResourceEvent::from(&event));
    }
    events
}

impl Applied {
    /// `reloaded cart, page`, or what else was changed; nothing when nothing was.
    pub(crate) fn summary(&self) -> Option<String> {
        if !self.history.changed_anything() {
            return None;
        }
        let keys: Vec<&str> = self
            .history
            .changed(FUNCTION)
            .into_iter()
            .map(|id| key_of(&self.project, id))
            .collect();
        if keys.is_empty() {
            return Some(format!("updated {}", self.project.stack_name));
        }
        Some(format!("reloaded {}", keys.join(", ")))
    }
}

fn key_of<'a>(project: &'a Project, logical_id: &'a str) -> &'a str {
    let function = project
        .functions
        .iter()
        .find(|function| function.logical_id == logical_id);
    function.map_or(logical_id, |function| &function.key)
}

/// The project's functions as the node runs them, in the order of the file.
pub(crate) async fn running_functions(node: &Node, project: &Project) -> Result<Vec<Function>, Failure> {
    let functions = node
        .functions()
        .await
        .map_err(|error| Failure::new("the node's functions cannot be read").because(&error))?;
    let list: FunctionList = serde_json::from_value(functions)
        .map_err(|error| Failure::new("the node's functions were not understood").because(&error))?;
    let mut functions = list.read()?;
    functions.retain(|function| function.stack.as_deref() == Some(&project.stack_name));
    let position = |function: &Function| {
        project
            .functions
            .iter()
            .position(|known| known.name == function.function)
    };
    functions.sort_by_key(|function| position(function).unwrap_or(usize::MAX));
    Ok(functions)
}
