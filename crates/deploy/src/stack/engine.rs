//! The engine's face: apply a template, remove a stack, look at stacks.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};

use serde_json::Value;
use tokio::sync::mpsc;
use tradewind_model::resource::{Properties, ResourceContext, ResourceError, ResourceType};
use tradewind_model::{AccountId, Clock, Region, Secrets};
use tradewind_store::{Batch, Database, DatabaseError};

use super::apply::Apply;
use super::artifacts;
use super::dynamic::References;
use super::graph::{creation_order, dependencies};
use super::intrinsics::PSEUDO_PARAMETERS;
use super::model::{ResourceDescription, StackDescription, StackEvent, StackName, StackOutcome, StackStatus};
use super::sources::{self, EventSource};
use super::tables::{self, ResourceRow, StackRow};
use super::template::{ParsedTemplate, ResourceDeclaration, TemplateProblem};

/// Applies templates. Clones are handles to the same engine.
#[derive(Clone, Debug)]
pub struct StackEngine {
    pub(crate) shared: Arc<Shared>,
}

#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) database: Database,
    pub(crate) types: BTreeMap<&'static str, Arc<dyn ResourceType>>,
    pub(crate) account: AccountId,
    pub(crate) region: Region,
    pub(crate) clock: Clock,
    secrets: Arc<dyn Secrets>,
    busy: Mutex<BTreeSet<StackName>>,
}

/// What to apply.
#[derive(Clone, Debug)]
pub struct ApplyRequest {
    /// The stack to make or change.
    pub stack: StackName,
    /// The whole template.
    pub template: Value,
    /// Values of its parameters.
    pub parameters: BTreeMap<String, String>,
    /// Uploaded code: S3 key in the template → id of the package in the node.
    pub artifacts: BTreeMap<String, String>,
    /// Tags of the stack, which its resources get as far as they have tags and do not set the same.
    pub tags: BTreeMap<String, String>,
    /// See [`ResourceContext::prove_updates`].
    pub prove_updates: bool,
}

/// Why an apply was not begun; nothing was changed.
#[derive(Debug, thiserror::Error)]
pub enum ApplyError {
    /// The template cannot be applied as it is written.
    #[error("the template has {} problem{}", .0.len(), if .0.len() == 1 { "" } else { "s" })]
    Problems(Vec<TemplateProblem>),
    /// Another apply or removal of the same stack is running.
    #[error("stack `{0}` is being changed; try again when that is finished")]
    Busy(StackName),
    /// The work panicked. What it left is what a crash leaves: the next apply finishes or undoes it.
    #[error("applying stack `{0}` failed in an unforeseen way; the node's log says more")]
    Unforeseen(StackName),
    /// The stack's record could not be read or written.
    #[error(transparent)]
    Database(#[from] DatabaseError),
}

/// Why a removal was not begun; nothing was changed.
#[derive(Debug, thiserror::Error)]
pub enum RemoveError {
    /// No such stack.
    #[error("stack `{0}` does not exist")]
    NotFound(StackName),
    /// Another apply or removal of the same stack is running.
    #[error("stack `{0}` is being changed; try again when that is finished")]
    Busy(StackName),
    /// Another stack imports one of its exports.
    #[error("export `{export}` of stack `{stack}` is in use by stack `{importer}`; remove that stack first")]
    ExportInUse {
        /// The stack to remove.
        stack: StackName,
        /// The export.
        export: String,
        /// Who imports it.
        importer: String,
    },
    /// Resources that cannot go as things stand; nothing was removed.
    #[error("{}", obstacles(.stack, .found))]
    Obstacles {
        /// The stack to remove.
        stack: StackName,
        /// Logical ids, and what is in the way.
        found: Vec<(String, String)>,
    },
    /// The stack's record could not be read or written.
    #[error(transparent)]
    Database(#[from] DatabaseError),
}

fn obstacles(stack: &StackName, found: &[(String, String)]) -> String {
    let shown: Vec<String> = found
        .iter()
        .map(|(id, reason)| format!("{id}: {reason}"))
        .collect();
    format!("stack `{stack}` was left as it is: {}", shown.join("; "))
}

/// Holds a stack's name while it is being changed.
pub(crate) struct Busy<'e> {
    engine: &'e Shared,
    stack: StackName,
}

impl Drop for Busy<'_> {
    fn drop(&mut self) {
        self.engine
            .busy
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .remove(&self.stack);
    }
}

impl StackEngine {
    /// An engine over the given resource types; `secrets` is asked for what templates refer to.
    ///
    /// # Panics
    /// When two of them have the same name.
    #[must_use]
    pub fn new(
        database: Database,
        types: Vec<Arc<dyn ResourceType>>,
        account: AccountId,
        region: Region,
        clock: Clock,
        secrets: Arc<dyn Secrets>,
    ) -> Self {
        let mut table = BTreeMap::new();
        for resource_type in types {
            let name = resource_type.type_name();
            assert!(
                table.insert(name, resource_type).is_none(),
                "two resource types are called {name}"
            );
        }
        let shared = Shared {
            database,
            types: table,
            account,
            region,
            clock,
            secrets,
            busy: Mutex::default(),
        };
        Self {
            shared: Arc::new(shared),
        }
    }

    /// The resource types this engine knows, sorted by name.
    pub fn resource_types(&self) -> impl Iterator<Item = &dyn ResourceType> {
        self.shared.types.values().map(AsRef::as_ref)
    }

    /// Brings the stack to the template and tells `events` what happens; undoes all if one fails.
    ///
    /// A full or closed event channel loses events, never holds up the apply.
    ///
    /// # Errors
    /// When nothing was begun: see [`ApplyError`]. A change that failed and was undone is an `Ok`
    /// whose status says so.
    ///
    /// # Cancel safety
    /// Not cancel safe: run it in a task of its own. Dropped half-way it leaves what a crash leaves.
    pub async fn apply(
        &self,
        request: ApplyRequest,
        events: mpsc::Sender<StackEvent>,
    ) -> Result<StackOutcome, ApplyError> {
        let shared = &*self.shared;
        let busy = shared
            .take(&request.stack)
            .ok_or_else(|| ApplyError::Busy(request.stack.clone()))?;
        let template =
            ParsedTemplate::parse(&request.template, &request.parameters).map_err(ApplyError::Problems)?;
        let order = shared.check(&template).map_err(ApplyError::Problems)?;
        let outcome = Apply::begin(shared, &request, template, events)
            .await?
            .run(&order)
            .await?;
        drop(busy);
        Ok(outcome)
    }

    /// Everything wrong with a template, without changing anything.
    ///
    /// # Errors
    /// The problems.
    pub fn check(
        &self,
        template: &Value,
        parameters: &BTreeMap<String, String>,
    ) -> Result<(), Vec<TemplateProblem>> {
        let parsed = ParsedTemplate::parse(template, parameters)?;
        self.shared.check(&parsed).map(|_order| ())
    }

    /// Removes the stack and all it made, newest first.
    ///
    /// # Errors
    /// When nothing was begun: see [`RemoveError`].
    ///
    /// # Cancel safety
    /// See [`StackEngine::apply`].
    pub async fn remove(
        &self,
        stack: &StackName,
        events: mpsc::Sender<StackEvent>,
    ) -> Result<StackOutcome, RemoveError> {
        let shared = &*self.shared;
        let _busy = shared
            .take(stack)
            .ok_or_else(|| RemoveError::Busy(stack.clone()))?;
        let row = tables::stack(&shared.database, stack).await?;
        let row = row.ok_or_else(|| RemoveError::NotFound(stack.clone()))?;
        shared.refuse_imported(stack, &row).await?;
        let found = super::rollback::obstacles(shared, stack).await?;
        if !found.is_empty() {
            let stack = stack.clone();
            return Err(RemoveError::Obstacles { stack, found });
        }
        Ok(super::rollback::remove_stack(shared, stack, row, &events).await?)
    }

    /// The stack as stored, if it exists.
    ///
    /// # Errors
    /// When the record cannot be read.
    pub async fn describe(&self, stack: &StackName) -> Result<Option<StackDescription>, DatabaseError> {
        let Some(row) = tables::stack(&self.shared.database, stack).await? else {
            return Ok(None);
        };
        let resources = tables::resources(&self.shared.database, stack).await?;
        Ok(Some(describe(row, resources)))
    }

    /// All stacks, by name.
    ///
    /// # Errors
    /// When the records cannot be read.
    pub async fn list(&self) -> Result<Vec<StackDescription>, DatabaseError> {
        let mut stacks = Vec::new();
        for row in tables::stacks(&self.shared.database).await? {
            let Ok(name) = row.name.parse::<StackName>() else {
                continue;
            };
            let resources = tables::resources(&self.shared.database, &name).await?;
            stacks.push(describe(row, resources));
        }
        Ok(stacks)
    }

    /// What invokes functions, as the resources of all stacks say it, in the order these were made.
    ///
    /// # Errors
    /// When the records cannot be read.
    pub async fn event_sources(&self) -> Result<Vec<EventSource>, DatabaseError> {
        let mut found = Vec::new();
        for stack in tables::stacks(&self.shared.database).await? {
            let Ok(name) = stack.name.parse::<StackName>() else {
                continue;
            };
            let rows = tables::resources(&self.shared.database, &name).await?;
            found.extend(rows.iter().flat_map(sources::of));
        }
        Ok(found)
    }

    /// The packages that stored resources name, also those an interrupted change has yet to undo.
    ///
    /// # Errors
    /// When the records cannot be read.
    pub async fn packages_in_use(&self) -> Result<BTreeSet<String>, DatabaseError> {
        let mut packages = BTreeSet::new();
        for stack in tables::stacks(&self.shared.database).await? {
            let Ok(name) = stack.name.parse::<StackName>() else {
                continue;
            };
            let rows = tables::resources(&self.shared.database, &name).await?;
            packages.extend(
                rows.iter()
                    .filter_map(|row| artifacts::package_of(&row.properties)),
            );
        }
        Ok(packages)
    }

    /// Marks what a crash interrupted as failed, so that it is not shown as still running. The next
    /// apply of such a stack finishes or undoes the work.
    ///
    /// # Errors
    /// When the records cannot be read or written.
    pub async fn recover(&self) -> Result<(), DatabaseError> {
        let mut batch = Batch::new();
        for mut row in tables::stacks(&self.shared.database).await? {
            if let Some(failed) = interrupted(row.status) {
                tracing::info!(stack = %row.name, status = row.status.as_str(), "a change was interrupted; deploy again to finish it");
                row.status = failed;
                batch = tables::put_stack(batch, &row);
            }
        }
        self.shared.database.write(batch).await.map(|_rows| ())
    }
}

fn interrupted(status: StackStatus) -> Option<StackStatus> {
    match status {
        StackStatus::CreateInProgress => Some(StackStatus::CreateFailed),
        StackStatus::UpdateInProgress => Some(StackStatus::UpdateFailed),
        StackStatus::RollbackInProgress => Some(StackStatus::RollbackFailed),
        StackStatus::UpdateRollbackInProgress => Some(StackStatus::UpdateRollbackFailed),
        StackStatus::DeleteInProgress => Some(StackStatus::DeleteFailed),
        StackStatus::CreateComplete
        | StackStatus::CreateFailed
        | StackStatus::UpdateComplete
        | StackStatus::UpdateFailed
        | StackStatus::RollbackComplete
        | StackStatus::RollbackFailed
        | StackStatus::UpdateRollbackComplete
        | StackStatus::UpdateRollbackFailed
        | StackStatus::DeleteComplete
        | StackStatus::DeleteSkipped
        | StackStatus::DeleteFailed => None,
    }
}

fn describe(row: StackRow, resources: Vec<ResourceRow>) -> StackDescription {
    let describe_resource = |row: ResourceRow| ResourceDescription {
        logical_id: row.logical_id,
        resource_type: row.resource_type,
        physical_id: row.state.physical_id,
        status: row.status,
    };
    StackDescription {
        name: row.name,
        status: row.status,
        outputs: row.outputs,
        resources: resources.into_iter().map(describe_resource).collect(),
    }
}

impl Shared {
    fn take(&self, stack: &StackName) -> Option<Busy<'_>> {
        let free = self
            .busy
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(stack.clone());
        free.then(|| Busy {
            engine: self,
            stack: stack.clone(),
        })
    }

    /// Finds every problem; gives the order of creation when there is none.
    fn check(&self, template: &ParsedTemplate) -> Result<Vec<usize>, Vec<TemplateProblem>> {
        let mut problems: Vec<_> = template
            .resources
            .iter()
            .flat_map(|d| self.check_resource(d))
            .collect();
        problems.extend(unresolved(template));
        match creation_order(&template.resources) {
            Ok(order) if problems.is_empty() => return Ok(order),
            Ok(_) => {}
            Err(problem) => problems.push(problem),
        }
        Err(problems)
    }

    fn check_resource(&self, declaration: &ResourceDeclaration) -> Vec<TemplateProblem> {
        let id = &declaration.logical_id;
        let Some(resource_type) = self.types.get(declaration.resource_type.as_str()) else {
            let message = format!(
                "resource type `{}` is not supported yet",
                declaration.resource_type
            );
            return vec![TemplateProblem::of_resource(id, &["Type"], message)];
        };
        let found = resource_type.check(&declaration.properties);
        let problem = |found: tradewind_model::resource::PropertyProblem| {
            let mut path = vec!["Properties".to_owned()];
            path.extend(found.path);
            TemplateProblem {
                logical_id: id.clone(),
                path,
                message: found.message,
            }
        };
        found.into_iter().map(problem).collect()
    }

    /// The properties as a resource type gets them: with the secrets that they refer to.
    pub(crate) fn with_secrets(&self, properties: &Properties) -> Result<Properties, ResourceError> {
        let references = References {
            secrets: &*self.secrets,
            account: &self.account,
            region: &self.region,
        };
        let resolved = references.resolve_map(properties);
        resolved.map_err(|error| ResourceError::Invalid { message: error.0 })
    }

    pub(crate) fn context(
        &self,
        stack: &StackName,
        row: &ResourceRow,
        prove_updates: bool,
    ) -> ResourceContext {
        ResourceContext {
            stack: stack.to_string(),
            logical_id: row.logical_id.clone(),
            generated_name: row.generated_name.clone(),
            account: self.account.clone(),
            region: self.region.clone(),
            prove_updates,
        }
    }

    async fn refuse_imported(&self, stack: &StackName, row: &StackRow) -> Result<(), RemoveError> {
        for other in tables::stacks(&self.database).await? {
            let imported = other.imports.iter().find(|name| row.exports.contains_key(*name));
            if let Some(export) = imported.filter(|_| other.name != row.name) {
                let (stack, export) = (stack.clone(), export.clone());
                return Err(RemoveError::ExportInUse {
                    stack,
                    export,
                    importer: other.name,
                });
            }
        }
        Ok(())
    }
}

/// References to what is neither a resource, a parameter nor a pseudo parameter.
fn unresolved(template: &ParsedTemplate) -> Vec<TemplateProblem> {
    let ids: BTreeSet<&str> = template.resources.iter().map(|d| d.logical_id.as_str()).collect();
    let known = |name: &str| {
        ids.contains(name) || template.parameters.contains_key(name) || PSEUDO_PARAMETERS.contains(&name)
    };
    let mut problems = Vec::new();
    for declaration in &template.resources {
        let missing: Vec<String> = dependencies(declaration)
            .into_iter()
            .filter(|name| !known(name) && !is_sub_variable(declaration, name))
            .collect();
        if !missing.is_empty() {
            let message = format!("Unresolved resource dependencies [{}]", missing.join(", "));
            problems.push(TemplateProblem::of_resource(
                &declaration.logical_id,
                &["Properties"],
                message,
            ));
        }
        if let Some(condition) = declaration
            .condition
            .as_ref()
            .filter(|c| !template.conditions.contains_key(*c))
        {
            let message = format!("condition `{condition}` is not in the template");
            problems.push(TemplateProblem::of_resource(
                &declaration.logical_id,
                &["Condition"],
                message,
            ));
        }
    }
    problems
}

/// True for a variable that a `Fn::Sub` of this resource brings along itself.
fn is_sub_variable(declaration: &ResourceDeclaration, name: &str) -> bool {
    fn search(value: &Value, name: &str) -> bool {
        match value {
            Value::Array(items) => items.iter().any(|item| search(item, name)),
            Value::Object(map) => {
                let own = map
                    .get("Fn::Sub")
                    .and_then(|sub| sub.get(1))
                    .is_some_and(|v| v.get(name).is_some());
                own || map.values().any(|item| search(item, name))
            }
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => false,
        }
    }
    declaration.properties.values().any(|value| search(value, name))
}
