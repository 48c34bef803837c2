//! The tables of stacks. Nothing else reads or writes them.

use std::collections::BTreeMap;

use serde_json::Value;
use tradewind_model::resource::{Properties, ResourceState};
use tradewind_store::{Batch, Database, DatabaseError, Migration, Row};

use super::model::{StackName, StackStatus};

/// The schema of the template engine.
pub const MIGRATIONS: &[Migration] = &[Migration {
    service: "stacks",
    version: 1,
    sql: "CREATE TABLE stacks (
              name TEXT NOT NULL PRIMARY KEY,
              status TEXT NOT NULL,
              outputs TEXT NOT NULL,
              exports TEXT NOT NULL,
              imports TEXT NOT NULL);
          CREATE TABLE stack_resources (
              stack TEXT NOT NULL,
              logical_id TEXT NOT NULL,
              generated_name TEXT NOT NULL,
              type TEXT NOT NULL,
              position BIGINT NOT NULL,
              status TEXT NOT NULL,
              properties TEXT NOT NULL,
              state TEXT NOT NULL,
              deletion_policy TEXT NOT NULL,
              PRIMARY KEY (stack, logical_id, generated_name));",
}];

/// A stack's own row.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct StackRow {
    pub(crate) name: String,
    pub(crate) status: StackStatus,
    pub(crate) outputs: BTreeMap<String, String>,
    pub(crate) exports: BTreeMap<String, String>,
    pub(crate) imports: Vec<String>,
}

/// A resource's row. A resource that is being replaced has two, told apart by their generated names.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct ResourceRow {
    pub(crate) logical_id: String,
    pub(crate) generated_name: String,
    pub(crate) resource_type: String,
    /// Place in the order of creation.
    pub(crate) position: i64,
    pub(crate) status: StackStatus,
    /// The properties it has, resolved.
    pub(crate) properties: Properties,
    pub(crate) state: ResourceState,
    pub(crate) retain: bool,
}

const STACK_COLUMNS: &str = "SELECT name, status, outputs, exports, imports FROM stacks ORDER BY name";

pub(crate) async fn stacks(database: &Database) -> Result<Vec<StackRow>, DatabaseError> {
    database
        .read(STACK_COLUMNS, vec![])
        .await?
        .iter()
        .map(stack_row)
        .collect()
}

pub(crate) async fn stack(database: &Database, name: &StackName) -> Result<Option<StackRow>, DatabaseError> {
    const ONE: &str = "SELECT name, status, outputs, exports, imports FROM stacks WHERE name = $1";
    database
        .read(ONE, vec![name.as_str().into()])
        .await?
        .first()
        .map(stack_row)
        .transpose()
}

pub(crate) async fn resources(
    database: &Database,
    stack: &StackName,
) -> Result<Vec<ResourceRow>, DatabaseError> {
    const ALL: &str = "SELECT logical_id, generated_name, type, position, status, properties, state, \
                       deletion_policy FROM stack_resources WHERE stack = $1 ORDER BY position, logical_id";
    database
        .read(ALL, vec![stack.as_str().into()])
        .await?
        .iter()
        .map(resource_row)
        .collect()
}

fn stack_row(row: &Row) -> Result<StackRow, DatabaseError> {
    Ok(StackRow {
        name: row.text(0)?.to_owned(),
        status: status(row, 1)?,
        outputs: json(row, 2)?,
        exports: json(row, 3)?,
        imports: json(row, 4)?,
    })
}

fn resource_row(row: &Row) -> Result<ResourceRow, DatabaseError> {
    Ok(ResourceRow {
        logical_id: row.text(0)?.to_owned(),
        generated_name: row.text(1)?.to_owned(),
        resource_type: row.text(2)?.to_owned(),
        position: row.integer(3)?,
        status: status(row, 4)?,
        properties: json(row, 5)?,
        state: json(row, 6)?,
        retain: row.text(7)? == "Retain",
    })
}

fn status(row: &Row, column: usize) -> Result<StackStatus, DatabaseError> {
    StackStatus::parse(row.text(column)?).ok_or(DatabaseError::Column {
        column,
        expected: "stack status",
    })
}

fn json<T: serde::de::DeserializeOwned>(row: &Row, column: usize) -> Result<T, DatabaseError> {
    serde_json::from_str(row.text(column)?).map_err(|_unreadable| DatabaseError::Column {
        column,
        expected: "JSON document",
    })
}

fn text<T: serde::Serialize>(value: &T) -> String {
    serde_json::to_string(value).expect("rows hold maps with text keys, which always serialise")
}

/// Adds the stack's row, new or changed.
pub(crate) fn put_stack(batch: Batch, row: &StackRow) -> Batch {
    batch.run(
        "INSERT INTO stacks (name, status, outputs, exports, imports) VALUES ($1, $2, $3, $4, $5) \
         ON CONFLICT (name) DO UPDATE SET status = excluded.status, outputs = excluded.outputs, \
         exports = excluded.exports, imports = excluded.imports",
        vec![
            row.name.as_str().into(),
            row.status.as_str().into(),
            text(&row.outputs).into(),
            text(&row.exports).into(),
            text(&row.imports).into(),
        ],
    )
}

pub(crate) fn delete_stack(batch: Batch, name: &StackName) -> Batch {
    batch
        .run(
            "DELETE FROM stack_resources WHERE stack = $1",
            vec![name.as_str().into()],
        )
        .run("DELETE FROM stacks WHERE name = $1", vec![name.as_str().into()])
}

/// Adds a resource's row, new or changed.
pub(crate) fn put_resource(batch: Batch, stack: &StackName, row: &ResourceRow) -> Batch {
    let policy = if row.retain { "Retain" } else { "Delete" };
    batch.run(
        "INSERT INTO stack_resources (stack, logical_id, generated_name, type, position, status, \
         properties, state, deletion_policy) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9) \
         ON CONFLICT (stack, logical_id, generated_name) DO UPDATE SET position = excluded.position, \
         status = excluded.status, properties = excluded.properties, state = excluded.state, \
         deletion_policy = excluded.deletion_policy",
        vec![
            stack.as_str().into(),
            row.logical_id.as_str().into(),
            row.generated_name.as_str().into(),
            row.resource_type.as_str().into(),
            row.position.into(),
            row.status.as_str().into(),
            Value::Object(row.properties.clone()).to_string().into(),
            text(&row.state).into(),
            policy.into(),
        ],
    )
}

pub(crate) fn delete_resource(batch: Batch, stack: &StackName, row: &ResourceRow) -> Batch {
    batch.run(
        "DELETE FROM stack_resources WHERE stack = $1 AND logical_id = $2 AND generated_name = $3",
        vec![
            stack.as_str().into(),
            row.logical_id.as_str().into(),
            row.generated_name.as_str().into(),
        ],
    )
}
