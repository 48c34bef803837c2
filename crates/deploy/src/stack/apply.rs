//! One apply: walk the resources in order, change what differs, then clean up; or undo.
//!
//! ```text
//! leftovers of a crash ─▶ create / update / replace in order ─▶ outputs ─▶ commit ─▶ remove what is gone
//!                                    └── failure ─▶ rollback
//! ```

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::Value;
use tokio::sync::mpsc;
use tradewind_model::resource::{Properties, ResourceError, ResourceState, ResourceType};
use tradewind_store::{Batch, DatabaseError};

use super::artifacts;
use super::dynamic;
use super::engine::{ApplyRequest, Shared};
use super::exports::Others;
use super::intrinsics::{ResolveError, Scope};
use super::model::{StackEvent, StackOutcome, StackStatus};
use super::rollback;
use super::tables::{self, ResourceRow, StackRow};
use super::tags;
use super::template::{DeletionPolicy, ParsedTemplate, ResourceDeclaration};

/// An apply under way.
pub(crate) struct Apply<'e> {
    pub(crate) engine: &'e Shared,
    pub(crate) request: &'e ApplyRequest,
    pub(crate) events: mpsc::Sender<StackEvent>,
    template: ParsedTemplate,
    stack: StackRow,
    /// True when nothing is there yet: a failure then leaves nothing but the record.
    pub(crate) first: bool,
    /// What was there before, by logical id.
    existing: BTreeMap<String, ResourceRow>,
    others: Others,
    /// What exists by now, for references.
    states: BTreeMap<String, ResourceState>,
    pub(crate) done: Vec<Done>,
}

/// What was done, and what undoing it needs.
pub(crate) enum Done {
    Created { row: ResourceRow },
    Updated { before: ResourceRow, after: ResourceRow },
    Replaced { old: ResourceRow, new: ResourceRow },
}

/// A resource could not be brought to its declaration.
pub(crate) enum Failure {
    Resource { logical_id: String, reason: String },
    Database(DatabaseError),
}

impl From<DatabaseError> for Failure {
    fn from(error: DatabaseError) -> Self {
        Self::Database(error)
    }
}

impl<'e> Apply<'e> {
    /// Reads what is there and records that a change has begun.
    pub(crate) async fn begin(
        engine: &'e Shared,
        request: &'e ApplyRequest,
        template: ParsedTemplate,
        events: mpsc::Sender<StackEvent>,
    ) -> Result<Self, DatabaseError> {
        let stored = tables::stack(&engine.database, &request.stack).await?;
        let rows = tables::resources(&engine.database, &request.stack).await?;
        let first = rows.is_empty();
        let others = Others::of(engine, &request.stack).await?;
        let declared = |row: &ResourceRow| {
            let same = |d: &ResourceDeclaration| {
                d.logical_id == row.logical_id && d.resource_type == row.resource_type
            };
            template.resources.iter().any(same)
        };
        let existing = rollback::settle_leftovers(engine, &request.stack, rows, declared, &events).await?;
        let stack = stored.unwrap_or_else(|| StackRow {
            name: request.stack.to_string(),
            status: StackStatus::CreateInProgress,
            outputs: BTreeMap::new(),
            exports: BTreeMap::new(),
            imports: Vec::new(),
        });
        let (states, done) = (BTreeMap::new(), Vec::new());
        Ok(Self {
            engine,
            request,
            events,
            template,
            stack,
            first,
            existing,
            others,
            states,
            done,
        })
    }

    /// Does the work; `order` are positions in the template's resources.
    pub(crate) async fn run(mut self, order: &[usize]) -> Result<StackOutcome, DatabaseError> {
        let before = self.stack.clone();
        let begun = if self.first {
            StackStatus::CreateInProgress
        } else {
            StackStatus::UpdateInProgress
        };
        self.store_status(begun).await?;
        let result = self.change_all(order).await;
        match result {
            Ok(outputs) => self.commit(outputs, before).await,
            Err(Failure::Resource { logical_id, reason }) => {
                rollback::undo(&mut self, before, format!("{logical_id}: {reason}")).await
            }
            Err(Failure::Database(error)) => Err(error),
        }
    }

    async fn change_all(&mut self, order: &[usize]) -> Result<Outputs, Failure> {
        for (place, &position) in order.iter().enumerate() {
            let declaration = self.template.resources[position].clone();
            if !self.wanted(&declaration)? {
                continue;
            }
            let place = i64::try_from(place).unwrap_or(i64::MAX);
            self.change(&declaration, place).await?;
        }
        let outputs = self.outputs().map_err(|error| failed("Outputs", error.0))?;
        match self.others.refusal(&self.stack.exports, &outputs.exports) {
            Some(reason) => Err(failed("Outputs", reason)),
            None => Ok(outputs),
        }
    }

    fn wanted(&self, declaration: &ResourceDeclaration) -> Result<bool, Failure> {
        match &declaration.condition {
            None => Ok(true),
            Some(name) => self
                .scope()
                .condition(name)
                .map_err(|e| failed(&declaration.logical_id, e.0)),
        }
    }

    async fn change(&mut self, declaration: &ResourceDeclaration, place: i64) -> Result<(), Failure> {
        let id = &declaration.logical_id;
        let mut properties = self
            .scope()
            .resolve_map(&declaration.properties)
            .map_err(|e| failed(id, e.0))?;
        artifacts::substitute(&mut properties, &self.request.artifacts);
        let resource_type = Arc::clone(&self.engine.types[declaration.resource_type.as_str()]);
        let mut properties = resource_type
            .pin(properties)
            .await
            .map_err(|error| failed(id, error.to_string()))?;
        tags::add(&mut properties, &*resource_type, &self.request.tags);
        match self.existing.get(id).cloned() {
            None => self.create(declaration, &resource_type, properties, place).await,
            Some(row) if row.status == StackStatus::CreateInProgress => {
                self.create_again(declaration, &resource_type, properties, row)
                    .await
            }
            Some(row) if row.resource_type != declaration.resource_type => {
                self.replace(declaration, &resource_type, properties, row).await
            }
            Some(row) if is_same(&row, &properties) => self.keep(declaration, row).await,
            Some(row) if replaces(&*resource_type, &row.properties, &properties) => {
                self.replace(declaration, &resource_type, properties, row).await
            }
            Some(row) => self.update(&resource_type, properties, row).await,
        }
    }

    /// Unchanged, but for what only the engine reads.
    async fn keep(&mut self, declaration: &ResourceDeclaration, mut row: ResourceRow) -> Result<(), Failure> {
        let retain = declaration.deletion_policy == DeletionPolicy::Retain;
        if row.retain != retain {
            row.retain = retain;
            self.store(&row).await?;
        }
        self.states.insert(row.logical_id.clone(), row.state);
        Ok(())
    }

    async fn create(
        &mut self,
        declaration: &ResourceDeclaration,
        resource_type: &Arc<dyn ResourceType>,
        properties: Properties,
        place: i64,
    ) -> Result<(), Failure> {
        let row = self.new_row(declaration, properties, place);
        let row = self.make_new(resource_type, row).await?;
        self.done.push(Done::Created { row });
        Ok(())
    }

    /// A crash interrupted the creation: the same name makes the same resource. If it cannot be
    /// made as declared now, undoing removes what may be there.
    async fn create_again(
        &mut self,
        declaration: &ResourceDeclaration,
        resource_type: &Arc<dyn ResourceType>,
        properties: Properties,
        left: ResourceRow,
    ) -> Result<(), Failure> {
        let fresh = self.new_row(declaration, properties, left.position);
        let row = ResourceRow {
            generated_name: left.generated_name.clone(),
            ..fresh
        };
        let made = self.make(resource_type, row).await;
        if let Err(Failure::Resource { .. }) = &made {
            self.store(&left).await?;
        }
        let row = made.as_ref().map_or(left, ResourceRow::clone);
        self.done.push(Done::Created { row });
        made.map(|_row| ())
    }

    async fn replace(
        &mut self,
        declaration: &ResourceDeclaration,
        resource_type: &Arc<dyn ResourceType>,
        properties: Properties,
        old: ResourceRow,
    ) -> Result<(), Failure> {
        let row = self.new_row(declaration, properties, old.position);
        let new = self.make_new(resource_type, row).await?;
        let retain = declaration.update_replace_policy == DeletionPolicy::Retain;
        let old = ResourceRow { retain, ..old };
        self.done.push(Done::Replaced { old, new });
        Ok(())
    }

    async fn update(
        &mut self,
        resource_type: &Arc<dyn ResourceType>,
        properties: Properties,
        before: ResourceRow,
    ) -> Result<(), Failure> {
        let mut row = before.clone();
        row.status = StackStatus::UpdateInProgress;
        self.store(&row).await?;
        self.tell(&row, None);
        let context = self
            .engine
            .context(&self.request.stack, &row, self.request.prove_updates);
        let updated = match self.engine.with_secrets(&properties) {
            Ok(resolved) => resource_type.update(&context, &row.state, &resolved).await,
            Err(error) => Err(error),
        };
        match updated {
            Ok(state) => {
                let after = ResourceRow {
                    status: StackStatus::UpdateComplete,
                    properties,
                    state,
                    ..row
                };
                self.store(&after).await?;
                self.tell(&after, None);
                self.states.insert(after.logical_id.clone(), after.state.clone());
                self.done.push(Done::Updated { before, after });
                Ok(())
            }
            Err(error) => {
                let failure = self.refused(&mut row, StackStatus::UpdateFailed, &error);
                self.done.push(Done::Updated { before, after: row });
                Err(failure)
            }
        }
    }

    /// [`Self::make`] of a resource that was never tried: refused, it leaves no row.
    async fn make_new(
        &mut self,
        resource_type: &Arc<dyn ResourceType>,
        row: ResourceRow,
    ) -> Result<ResourceRow, Failure> {
        let unmade = row.clone();
        let made = self.make(resource_type, row).await;
        if let Err(Failure::Resource { .. }) = &made {
            let forget = tables::delete_resource(Batch::new(), &self.request.stack, &unmade);
            self.engine.database.write(forget).await?;
        }
        made
    }

    /// Stores the row, makes the resource, stores what it is. It stays `CREATE_IN_PROGRESS` in the
    /// record until the apply commits.
    async fn make(
        &mut self,
        resource_type: &Arc<dyn ResourceType>,
        mut row: ResourceRow,
    ) -> Result<ResourceRow, Failure> {
        self.store(&row).await?;
        self.tell(&row, None);
        let context = self
            .engine
            .context(&self.request.stack, &row, self.request.prove_updates);
        let created = match self.engine.with_secrets(&row.properties) {
            Ok(resolved) => resource_type.create(&context, &resolved).await,
            Err(error) => Err(error),
        };
        match created {
            Ok(state) => {
                row.state = state;
                self.store(&row).await?;
                self.tell(
                    &ResourceRow {
                        status: StackStatus::CreateComplete,
                        ..row.clone()
                    },
                    None,
                );
                self.states.insert(row.logical_id.clone(), row.state.clone());
                Ok(row)
            }
            Err(error) => Err(self.refused(&mut row, StackStatus::CreateFailed, &error)),
        }
    }

    fn refused(&self, row: &mut ResourceRow, status: StackStatus, error: &ResourceError) -> Failure {
        row.status = status;
        let reason = error.to_string();
        self.tell(row, Some(reason.clone()));
        Failure::Resource {
            logical_id: row.logical_id.clone(),
            reason,
        }
    }

    fn new_row(&self, declaration: &ResourceDeclaration, properties: Properties, place: i64) -> ResourceRow {
        let suffix = uuid::Uuid::new_v4().simple().to_string();
        let suffix: String = suffix.chars().take(12).collect();
        ResourceRow {
            logical_id: declaration.logical_id.clone(),
            generated_name: format!("{}-{}-{suffix}", self.request.stack, declaration.logical_id),
            resource_type: declaration.resource_type.clone(),
            position: place,
            status: StackStatus::CreateInProgress,
            properties,
            state: ResourceState::default(),
            retain: declaration.deletion_policy == DeletionPolicy::Retain,
        }
    }

    fn scope(&self) -> Scope<'_> {
        Scope {
            stack: &self.request.stack,
            account: &self.engine.account,
            region: &self.engine.region,
            template: &self.template,
            exports: &self.others.exports,
            resources: &self.states,
        }
    }

    fn outputs(&self) -> Result<Outputs, ResolveError> {
        let scope = self.scope();
        let mut outputs = Outputs::default();
        for (name, output) in &self.template.outputs {
            if let Some(condition) = output.get("Condition").and_then(Value::as_str)
                && !scope.condition(condition)?
            {
                continue;
            }
            let value = scope
                .resolve(output.get("Value").unwrap_or(&Value::Null))?
                .unwrap_or_default();
            let value = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            if dynamic::is_in(&value) {
                let text = format!(
                    "output `{name}` would show a secret: a dynamic reference is for properties only"
                );
                return Err(ResolveError(text));
            }
            if let Some(export) = output.get("Export").and_then(|export| export.get("Name")) {
                let export = scope.resolve(export)?.unwrap_or_default();
                outputs
                    .exports
                    .insert(export.as_str().unwrap_or_default().to_owned(), value.clone());
            }
            outputs.values.insert(name.clone(), value);
        }
        outputs.imports = imports(&self.template, &scope);
        Ok(outputs)
    }

    /// The point of no return: new resources count as made, old ones as going.
    async fn commit(mut self, outputs: Outputs, before: StackRow) -> Result<StackOutcome, DatabaseError> {
        let gone = self.gone();
        let same_face = before.outputs == outputs.values && before.exports == outputs.exports;
        let changed = !self.done.is_empty() || !gone.is_empty() || !same_face || self.first;
        self.stack.status = match (changed, self.first) {
            (false, _) if settled(before.status) => before.status,
            (_, true) => StackStatus::CreateComplete,
            (_, false) => StackStatus::UpdateComplete,
        };
        self.stack.outputs = outputs.values;
        self.stack.exports = outputs.exports;
        self.stack.imports = outputs.imports;
        self.engine.database.write(self.commit_batch(&gone)).await?;
        rollback::delete_rows(self.engine, &self.request.stack, gone, &self.events).await?;
        Ok(StackOutcome {
            status: self.stack.status,
            changed,
            outputs: self.stack.outputs,
            reason: None,
        })
    }

    fn commit_batch(&self, gone: &[ResourceRow]) -> Batch {
        let mut batch = tables::put_stack(Batch::new(), &self.stack);
        for done in &self.done {
            if let Done::Created { row } | Done::Replaced { new: row, .. } = done {
                let row = ResourceRow {
                    status: StackStatus::CreateComplete,
                    ..row.clone()
                };
                batch = tables::put_resource(batch, &self.request.stack, &row);
            }
        }
        for row in gone {
            let row = ResourceRow {
                status: StackStatus::DeleteInProgress,
                ..row.clone()
            };
            batch = tables::put_resource(batch, &self.request.stack, &row);
        }
        batch
    }

    /// Rows to remove, newest first: replaced ones, and those the template no longer has.
    fn gone(&self) -> Vec<ResourceRow> {
        let replaced = self.done.iter().filter_map(|done| match done {
            Done::Replaced { old, .. } => Some(old.clone()),
            Done::Created { .. } | Done::Updated { .. } => None,
        });
        let dropped = self
            .existing
            .values()
            .filter(|row| !self.states.contains_key(&row.logical_id))
            .cloned();
        let mut gone: Vec<ResourceRow> = replaced.chain(dropped).collect();
        gone.sort_by_key(|row| std::cmp::Reverse(row.position));
        gone
    }

    async fn store_status(&mut self, status: StackStatus) -> Result<(), DatabaseError> {
        self.stack.status = status;
        self.engine
            .database
            .write(tables::put_stack(Batch::new(), &self.stack))
            .await
            .map(|_rows| ())
    }

    async fn store(&self, row: &ResourceRow) -> Result<(), DatabaseError> {
        let batch = tables::put_resource(Batch::new(), &self.request.stack, row);
        self.engine.database.write(batch).await.map(|_rows| ())
    }

    fn tell(&self, row: &ResourceRow, reason: Option<String>) {
        tell(self.engine, &self.events, row, reason);
    }
}

#[derive(Default)]
struct Outputs {
    values: BTreeMap<String, String>,
    exports: BTreeMap<String, String>,
    imports: Vec<String>,
}

/// Reports an event; a reader that is too slow misses it.
pub(crate) fn tell(
    engine: &Shared,
    events: &mpsc::Sender<StackEvent>,
    row: &ResourceRow,
    reason: Option<String>,
) {
    let event = StackEvent {
        logical_id: row.logical_id.clone(),
        resource_type: row.resource_type.clone(),
        physical_id: row.state.physical_id.clone(),
        status: row.status,
        reason,
        timestamp: engine.clock.now(),
    };
    if events.try_send(event).is_err() {
        tracing::debug!(resource = %row.logical_id, "nobody read a stack event in time");
    }
}

fn failed(logical_id: &str, reason: String) -> Failure {
    Failure::Resource {
        logical_id: logical_id.to_owned(),
        reason,
    }
}

/// Interrupted or failed resources are never taken as the same: nobody knows what they are.
fn is_same(row: &ResourceRow, properties: &Properties) -> bool {
    settled(row.status) && row.properties == *properties
}

fn settled(status: StackStatus) -> bool {
    matches!(
        status,
        StackStatus::CreateComplete | StackStatus::UpdateComplete | StackStatus::UpdateRollbackComplete
    )
}

fn replaces(resource_type: &dyn ResourceType, before: &Properties, after: &Properties) -> bool {
    resource_type
        .replaced_by()
        .iter()
        .any(|&name| before.get(name) != after.get(name))
}

/// Names of the exports this template imports.
fn imports(template: &ParsedTemplate, scope: &Scope<'_>) -> Vec<String> {
    fn search(value: &Value, scope: &Scope<'_>, found: &mut Vec<String>) {
        match value {
            Value::Array(items) => items.iter().for_each(|item| search(item, scope, found)),
            Value::Object(map) => {
                let name = map
                    .get("Fn::ImportValue")
                    .and_then(|name| scope.resolve(name).ok().flatten());
                found.extend(name.and_then(|name| name.as_str().map(str::to_owned)));
                map.values().for_each(|item| search(item, scope, found));
            }
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
        }
    }
    let mut found = Vec::new();
    let properties = template.resources.iter().flat_map(|d| d.properties.values());
    properties
        .chain(template.outputs.values())
        .for_each(|value| search(value, scope, &mut found));
    found
}
