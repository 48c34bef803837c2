//! Undoing and removing: a failed apply, the leftovers of a crash, a stack that goes.

use std::collections::BTreeMap;

use tokio::sync::mpsc;
use tradewind_model::resource::ResourceError;
use tradewind_store::{Batch, DatabaseError};

use super::apply::{Apply, Done, tell};
use super::engine::Shared;
use super::model::{StackEvent, StackName, StackOutcome, StackStatus};
use super::tables::{self, ResourceRow, StackRow};

/// Undoes everything the apply did, newest first; what ran before runs again.
pub(crate) async fn undo(
    apply: &mut Apply<'_>,
    mut stack: StackRow,
    reason: String,
) -> Result<StackOutcome, DatabaseError> {
    let first = apply.first;
    stack.status = if first {
        StackStatus::RollbackInProgress
    } else {
        StackStatus::UpdateRollbackInProgress
    };
    let engine = apply.engine;
    engine
        .database
        .write(tables::put_stack(Batch::new(), &stack))
        .await?;
    let mut undone = true;
    for done in std::mem::take(&mut apply.done).into_iter().rev() {
        undone &= match done {
            Done::Created { row } | Done::Replaced { new: row, .. } => {
                delete_row(engine, &apply.request.stack, row, &apply.events).await?
            }
            Done::Updated { before, after } => change_back(apply, before, after).await?,
        };
    }
    stack.status = match (first, undone) {
        (true, true) => StackStatus::RollbackComplete,
        (true, false) => StackStatus::RollbackFailed,
        (false, true) => StackStatus::UpdateRollbackComplete,
        (false, false) => StackStatus::UpdateRollbackFailed,
    };
    engine
        .database
        .write(tables::put_stack(Batch::new(), &stack))
        .await?;
    Ok(StackOutcome {
        status: stack.status,
        changed: true,
        outputs: stack.outputs,
        reason: Some(reason),
    })
}

async fn change_back(
    apply: &Apply<'_>,
    before: ResourceRow,
    after: ResourceRow,
) -> Result<bool, DatabaseError> {
    let engine = apply.engine;
    // The old properties ran before: they need no proof, and must not fail for want of one.
    let context = engine.context(&apply.request.stack, &after, false);
    let resource_type = &engine.types[after.resource_type.as_str()];
    let updated = match engine.with_secrets(&before.properties) {
        Ok(resolved) => resource_type.update(&context, &after.state, &resolved).await,
        Err(error) => Err(error),
    };
    let (row, reason) = match updated {
        Ok(state) => (
            ResourceRow {
                status: StackStatus::UpdateRollbackComplete,
                state,
                ..before
            },
            None,
        ),
        Err(error) => (
            ResourceRow {
                status: StackStatus::UpdateFailed,
                ..after
            },
            Some(error.to_string()),
        ),
    };
    engine
        .database
        .write(tables::put_resource(Batch::new(), &apply.request.stack, &row))
        .await?;
    let undone = reason.is_none();
    tell(engine, &apply.events, &row, reason);
    Ok(undone)
}

/// Clears what a crash left half done and gives the row of each logical id that counts.
///
/// A logical id with two rows was being replaced: the one still being created is finished and
/// removed (its name makes that repeatable), the old one counts. One being deleted is deleted, but one that would
/// not go and that is `declared` again counts: it is there, under the name the stack knows.
pub(crate) async fn settle_leftovers(
    engine: &Shared,
    stack: &StackName,
    rows: Vec<ResourceRow>,
    declared: impl Fn(&ResourceRow) -> bool,
    events: &mpsc::Sender<StackEvent>,
) -> Result<BTreeMap<String, ResourceRow>, DatabaseError> {
    let mut settled: BTreeMap<String, ResourceRow> = BTreeMap::new();
    let mut leftovers = Vec::new();
    for row in rows {
        if row.status == StackStatus::DeleteInProgress || row.status == StackStatus::DeleteFailed {
            leftovers.push(row);
            continue;
        }
        let pending = row.status == StackStatus::CreateInProgress;
        match settled.remove(&row.logical_id) {
            Some(other) if pending => {
                leftovers.push(row);
                settled.insert(other.logical_id.clone(), other);
            }
            Some(other) => {
                leftovers.push(other);
                settled.insert(row.logical_id.clone(), row);
            }
            None => drop(settled.insert(row.logical_id.clone(), row)),
        }
    }
    let (taken_back, leftovers): (Vec<_>, Vec<_>) = leftovers.into_iter().partition(|row| {
        row.status == StackStatus::DeleteFailed && !settled.contains_key(&row.logical_id) && declared(row)
    });
    delete_rows(engine, stack, leftovers, events).await?;
    settled.extend(taken_back.into_iter().map(|row| (row.logical_id.clone(), row)));
    Ok(settled)
}

/// What keeps the stack from being removed: logical ids and reasons. Nothing is changed.
pub(crate) async fn obstacles(
    engine: &Shared,
    stack: &StackName,
) -> Result<Vec<(String, String)>, DatabaseError> {
    let mut found = Vec::new();
    for row in tables::resources(&engine.database, stack).await? {
        let made = !row.retain && !row.state.physical_id.is_empty();
        let Some(resource_type) = engine.types.get(row.resource_type.as_str()).filter(|_| made) else {
            continue;
        };
        let context = engine.context(stack, &row, false);
        if let Err(error) = resource_type.check_delete(&context, &row.state).await {
            found.push((row.logical_id, error.to_string()));
        }
    }
    Ok(found)
}

/// Removes the stack's resources, newest first, and then its record.
pub(crate) async fn remove_stack(
    engine: &Shared,
    stack: &StackName,
    mut record: StackRow,
    events: &mpsc::Sender<StackEvent>,
) -> Result<StackOutcome, DatabaseError> {
    record.status = StackStatus::DeleteInProgress;
    engine
        .database
        .write(tables::put_stack(Batch::new(), &record))
        .await?;
    let mut rows = tables::resources(&engine.database, stack).await?;
    rows.reverse();
    let failed = delete_rows(engine, stack, rows, events).await?;
    if let Some(reason) = failed {
        record.status = StackStatus::DeleteFailed;
        engine
            .database
            .write(tables::put_stack(Batch::new(), &record))
            .await?;
        let (status, outputs) = (record.status, record.outputs);
        return Ok(StackOutcome {
            status,
            changed: true,
            outputs,
            reason: Some(reason),
        });
    }
    engine
        .database
        .write(tables::delete_stack(Batch::new(), stack))
        .await?;
    let outputs = BTreeMap::new();
    Ok(StackOutcome {
        status: StackStatus::DeleteComplete,
        changed: true,
        outputs,
        reason: None,
    })
}

/// Deletes all rows; gives the first failure, and leaves the rows that failed.
pub(crate) async fn delete_rows(
    engine: &Shared,
    stack: &StackName,
    rows: Vec<ResourceRow>,
    events: &mpsc::Sender<StackEvent>,
) -> Result<Option<String>, DatabaseError> {
    let mut first_failure = None;
    for row in rows {
        let logical_id = row.logical_id.clone();
        let retained = row.retain;
        if retained {
            forget(engine, stack, row, events).await?;
        } else if !delete_row(engine, stack, row, events).await? {
            first_failure.get_or_insert(format!("{logical_id} could not be deleted"));
        }
    }
    Ok(first_failure)
}

async fn forget(
    engine: &Shared,
    stack: &StackName,
    row: ResourceRow,
    events: &mpsc::Sender<StackEvent>,
) -> Result<(), DatabaseError> {
    engine
        .database
        .write(tables::delete_resource(Batch::new(), stack, &row))
        .await?;
    tell(
        engine,
        events,
        &ResourceRow {
            status: StackStatus::DeleteSkipped,
            ..row
        },
        None,
    );
    Ok(())
}

/// Deletes one resource and its row; false when the resource would not go.
async fn delete_row(
    engine: &Shared,
    stack: &StackName,
    mut row: ResourceRow,
    events: &mpsc::Sender<StackEvent>,
) -> Result<bool, DatabaseError> {
    match delete_resource(engine, stack, &mut row).await {
        Ok(()) => {
            engine
                .database
                .write(tables::delete_resource(Batch::new(), stack, &row))
                .await?;
            row.status = StackStatus::DeleteComplete;
            tell(engine, events, &row, None);
            Ok(true)
        }
        Err(error) => {
            row.status = StackStatus::DeleteFailed;
            engine
                .database
                .write(tables::put_resource(Batch::new(), stack, &row))
                .await?;
            tell(engine, events, &row, Some(error.to_string()));
            Ok(false)
        }
    }
}

async fn delete_resource(
    engine: &Shared,
    stack: &StackName,
    row: &mut ResourceRow,
) -> Result<(), ResourceError> {
    let Some(resource_type) = engine.types.get(row.resource_type.as_str()) else {
        let message = format!(
            "resource type `{}` is not known to this binary",
            row.resource_type
        );
        return Err(ResourceError::Internal { message });
    };
    let context = engine.context(stack, row, false);
    if row.state.physical_id.is_empty() {
        // A crash hid whether it was made: its generated name finds or makes it, then it can go.
        // a secret that is gone does not keep the resource
        let resolved = engine.with_secrets(&row.properties);
        let properties = resolved.unwrap_or_else(|_no_secret| row.properties.clone());
        row.state = match resource_type.create(&context, &properties).await {
            Ok(state) => state,
            Err(error @ ResourceError::Internal { .. }) => return Err(error),
            // Refused, it was most likely never made, and trying for ever would keep the stack.
            Err(error @ (ResourceError::Invalid { .. } | ResourceError::AlreadyExists { .. })) => {
                tracing::warn!(%stack, resource = %row.logical_id, %error, "taken for never made");
                return Ok(());
            }
        };
    }
    resource_type.delete(&context, &row.state).await
}
