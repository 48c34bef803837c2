//! The tables of functions, versions, policies and tags. No other crate reads them.
//!
//! A row of `lambda_functions` holds `$LATEST` as a JSON document with a format number; the rows of
//! the other tables hang on its key. [`change`] writes the difference between two states of one
//! function as one batch.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use tradewind_model::{
    AccountId, EphemeralStorageMib, FunctionArn, FunctionName, MemoryMib, Qualifier, Region, TimeoutSeconds,
    Timestamp,
};
use tradewind_store::{Batch, Database, DatabaseError, Migration, Row, SqlValue};

use crate::model::{Architecture, Code, Configuration, Function, Owner, Version};
use crate::policy::{Policy, Statement};

/// The schema of this service.
pub const MIGRATIONS: &[Migration] = &[Migration {
    service: "lambda",
    version: 1,
    sql: "
        CREATE TABLE lambda_functions (
            account TEXT NOT NULL, region TEXT NOT NULL, name TEXT NOT NULL,
            next_version BIGINT NOT NULL, reserved_concurrency BIGINT,
            stack TEXT, owner TEXT, latest TEXT NOT NULL,
            PRIMARY KEY (account, region, name));
        CREATE TABLE lambda_versions (
            account TEXT NOT NULL, region TEXT NOT NULL, name TEXT NOT NULL,
            version BIGINT NOT NULL, document TEXT NOT NULL,
            PRIMARY KEY (account, region, name, version));
        CREATE TABLE lambda_policies (
            account TEXT NOT NULL, region TEXT NOT NULL, name TEXT NOT NULL,
            qualifier TEXT NOT NULL, document TEXT NOT NULL,
            PRIMARY KEY (account, region, name, qualifier));
        CREATE TABLE lambda_tags (
            account TEXT NOT NULL, region TEXT NOT NULL, name TEXT NOT NULL,
            tag_key TEXT NOT NULL, tag_value TEXT NOT NULL,
            PRIMARY KEY (account, region, name, tag_key));
        CREATE TABLE lambda_async_invocations (
            request_id TEXT NOT NULL PRIMARY KEY,
            account TEXT NOT NULL, region TEXT NOT NULL, name TEXT NOT NULL, qualifier TEXT NOT NULL,
            payload BLOB NOT NULL, trace_id TEXT,
            enqueued_at BIGINT NOT NULL, due_at BIGINT NOT NULL, leased_by TEXT,
            function_errors BIGINT NOT NULL, system_errors BIGINT NOT NULL);
        CREATE INDEX lambda_async_invocations_due
            ON lambda_async_invocations (account, region, name, due_at);
    ",
}];

const PUT_FUNCTION: &str = "INSERT INTO lambda_functions \
    (account, region, name, next_version, reserved_concurrency, stack, owner, latest) \
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8) \
    ON CONFLICT (account, region, name) DO UPDATE SET next_version = excluded.next_version, \
    reserved_concurrency = excluded.reserved_concurrency, stack = excluded.stack, \
    owner = excluded.owner, latest = excluded.latest";
const PUT_VERSION: &str = "INSERT INTO lambda_versions (account, region, name, version, document) \
    VALUES ($1, $2, $3, $4, $5) \
    ON CONFLICT (account, region, name, version) DO UPDATE SET document = excluded.document";
const PUT_POLICY: &str = "INSERT INTO lambda_policies (account, region, name, qualifier, document) \
    VALUES ($1, $2, $3, $4, $5) \
    ON CONFLICT (account, region, name, qualifier) DO UPDATE SET document = excluded.document";
const PUT_TAG: &str = "INSERT INTO lambda_tags (account, region, name, tag_key, tag_value) \
    VALUES ($1, $2, $3, $4, $5) \
    ON CONFLICT (account, region, name, tag_key) DO UPDATE SET tag_value = excluded.tag_value";
const DELETE_FUNCTION: &str = "DELETE FROM lambda_functions WHERE account = $1 AND region = $2 AND name = $3";
const DELETE_VERSION: &str =
    "DELETE FROM lambda_versions WHERE account = $1 AND region = $2 AND name = $3 AND version = $4";
const DELETE_POLICY: &str =
    "DELETE FROM lambda_policies WHERE account = $1 AND region = $2 AND name = $3 AND qualifier = $4";
const DELETE_TAG: &str =
    "DELETE FROM lambda_tags WHERE account = $1 AND region = $2 AND name = $3 AND tag_key = $4";
const DELETE_VERSIONS: &str = "DELETE FROM lambda_versions WHERE account = $1 AND region = $2 AND name = $3";
const DELETE_POLICIES: &str = "DELETE FROM lambda_policies WHERE account = $1 AND region = $2 AND name = $3";
const DELETE_TAGS: &str = "DELETE FROM lambda_tags WHERE account = $1 AND region = $2 AND name = $3";
const DELETE_QUEUED: &str =
    "DELETE FROM lambda_async_invocations WHERE account = $1 AND region = $2 AND name = $3";

/// The statements that turn `before` into `after`. Both are states of one function.
pub(crate) fn change(before: Option<&Function>, after: Option<&Function>) -> Batch {
    match (before, after) {
        (None, None) => Batch::new(),
        (Some(gone), None) => [
            DELETE_TAGS,
            DELETE_POLICIES,
            DELETE_VERSIONS,
            DELETE_QUEUED,
            DELETE_FUNCTION,
        ]
        .into_iter()
        .fold(Batch::new(), |batch, sql| batch.run(sql, key(&gone.arn))),
        (before, Some(after)) => put(before, after),
    }
}

fn put(before: Option<&Function>, after: &Function) -> Batch {
    let mut row = key(&after.arn);
    row.extend([
        number(after.next_version),
        after.reserved_concurrency.into(),
        after.owner.as_ref().map(|owner| owner.stack.clone()).into(),
        after.owner.as_ref().map(|owner| owner.resource.clone()).into(),
        document(&after.latest),
    ]);
    let batch = Batch::new().run(PUT_FUNCTION, row);
    let versions = (before.map(|f| &f.versions), &after.versions);
    let batch = difference(
        batch,
        &after.arn,
        versions,
        (PUT_VERSION, DELETE_VERSION),
        |n| number(*n),
        document,
    );
    let policies = (before.map(|f| &f.policies), &after.policies);
    let batch = difference(
        batch,
        &after.arn,
        policies,
        (PUT_POLICY, DELETE_POLICY),
        qualifier_text,
        policy_document,
    );
    let tags = (before.map(|f| &f.tags), &after.tags);
    let text = |text: &String| SqlValue::from(text.as_str());
    difference(batch, &after.arn, tags, (PUT_TAG, DELETE_TAG), text, text)
}

/// Adds what puts the new and changed entries of a map and deletes those that are gone.
fn difference<K: Ord, V: PartialEq>(
    mut batch: Batch,
    arn: &FunctionArn,
    (before, after): (Option<&BTreeMap<K, V>>, &BTreeMap<K, V>),
    (put, delete): (&'static str, &'static str),
    column: impl Fn(&K) -> SqlValue,
    value: impl Fn(&V) -> SqlValue,
) -> Batch {
    for (entry, new) in after {
        if before.and_then(|map| map.get(entry)) != Some(new) {
            let mut row = key(arn);
            row.extend([column(entry), value(new)]);
            batch = batch.run(put, row);
        }
    }
    for entry in before
        .into_iter()
        .flat_map(BTreeMap::keys)
        .filter(|entry| !after.contains_key(entry))
    {
        let mut row = key(arn);
        row.push(column(entry));
        batch = batch.run(delete, row);
    }
    batch
}

fn key(arn: &FunctionArn) -> Vec<SqlValue> {
    vec![
        arn.account.as_str().into(),
        arn.region.as_str().into(),
        arn.name.as_str().into(),
    ]
}

fn number(value: u64) -> SqlValue {
    SqlValue::Integer(i64::try_from(value).unwrap_or(i64::MAX))
}

/// How a qualifier is kept; the function's own policy has the empty text.
fn qualifier_text(qualifier: &Option<Qualifier>) -> SqlValue {
    qualifier
        .as_ref()
        .map(ToString::to_string)
        .unwrap_or_default()
        .into()
}

/// The stored form of a version. Format 1 is the first; a later one gets a struct of its own.
#[derive(Serialize, Deserialize)]
struct StoredVersion {
    format: u32,
    runtime: String,
    handler: String,
    role: String,
    description: String,
    memory_mib: u32,
    timeout_seconds: u32,
    ephemeral_storage_mib: u32,
    environment: Option<BTreeMap<String, String>>,
    log_group: String,
    architecture: String,
    package: String,
    code_size_bytes: u64,
    last_modified_ms: i64,
    revision_id: String,
    published_from: Option<String>,
}

const FORMAT: u32 = 1;

fn document(version: &Version) -> SqlValue {
    let settings = &version.configuration;
    let stored = StoredVersion {
        format: FORMAT,
        runtime: settings.runtime.to_string(),
        handler: settings.handler.clone(),
        role: settings.role.clone(),
        description: settings.description.clone(),
        memory_mib: settings.memory.get(),
        timeout_seconds: settings.timeout.get(),
        ephemeral_storage_mib: settings.ephemeral_storage.get(),
        environment: settings.environment.clone(),
        log_group: settings.log_group.clone(),
        architecture: settings.architecture.as_str().to_owned(),
        package: version.code.package.to_string(),
        code_size_bytes: version.code.size_bytes,
        last_modified_ms: version.last_modified.as_millis(),
        revision_id: version.revision_id.clone(),
        published_from: version.published_from.clone(),
    };
    serde_json::to_string(&stored)
        .expect("text, numbers and maps of text are JSON")
        .into()
}

/// Why the stored functions cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum LoadFunctionsError {
    /// The database failed.
    #[error(transparent)]
    Database(#[from] DatabaseError),
    /// A row is not what this binary writes.
    #[error("the stored function `{function}` cannot be read: {reason}")]
    Row {
        /// Which.
        function: String,
        /// What is wrong.
        reason: String,
    },
}

fn version_of(text: &str) -> Result<Version, String> {
    let stored: StoredVersion = serde_json::from_str(text).map_err(|error| error.to_string())?;
    if stored.format != FORMAT {
        return Err(format!(
            "it has format {}, this binary knows {FORMAT}",
            stored.format
        ));
    }
    Ok(Version {
        code: Code {
            package: stored.package.parse().map_err(display)?,
            size_bytes: stored.code_size_bytes,
        },
        last_modified: Timestamp::from_millis(stored.last_modified_ms),
        revision_id: stored.revision_id.clone(),
        published_from: stored.published_from.clone(),
        configuration: configuration_of(stored)?,
    })
}

fn configuration_of(stored: StoredVersion) -> Result<Configuration, String> {
    Ok(Configuration {
        runtime: stored.runtime.parse().map_err(display)?,
        handler: stored.handler,
        role: stored.role,
        description: stored.description,
        memory: MemoryMib::new(stored.memory_mib.into()).map_err(display)?,
        timeout: TimeoutSeconds::new(stored.timeout_seconds.into()).map_err(display)?,
        ephemeral_storage: EphemeralStorageMib::new(stored.ephemeral_storage_mib.into()).map_err(display)?,
        environment: stored.environment,
        log_group: stored.log_group,
        architecture: Architecture::parse(&stored.architecture).ok_or("unknown architecture")?,
    })
}

fn display(error: impl std::fmt::Display) -> String {
    error.to_string()
}

fn policy_document(policy: &Policy) -> SqlValue {
    let statements: Vec<&Value> = policy
        .statements
        .iter()
        .map(|statement| &statement.json)
        .collect();
    let stored = serde_json::json!({
        "format": FORMAT, "revision_id": policy.revision_id, "statements": statements,
    });
    stored.to_string().into()
}

#[derive(Deserialize)]
struct StoredPolicy {
    format: u32,
    revision_id: String,
    statements: Vec<Value>,
}

fn policy_of(text: &str) -> Result<Policy, String> {
    let stored: StoredPolicy = serde_json::from_str(text).map_err(display)?;
    if stored.format != FORMAT {
        return Err(format!(
            "its policy has format {}, this binary knows {FORMAT}",
            stored.format
        ));
    }
    let statement = |json: Value| Statement {
        id: json
            .get("Sid")
            .and_then(Value::as_str)
            .unwrap_or_default()
            .to_owned(),
        json,
    };
    Ok(Policy {
        revision_id: stored.revision_id,
        statements: stored.statements.into_iter().map(statement).collect(),
    })
}

const FUNCTIONS: &str = "SELECT account, region, name, next_version, reserved_concurrency, stack, owner, \
    latest FROM lambda_functions ORDER BY account, region, name";
const VERSIONS: &str = "SELECT account, region, name, version, document FROM lambda_versions";
const POLICIES: &str = "SELECT account, region, name, qualifier, document FROM lambda_policies";
const TAGS: &str = "SELECT account, region, name, tag_key, tag_value FROM lambda_tags";

/// Reads every function.
pub(crate) async fn load(database: &Database) -> Result<Vec<Function>, LoadFunctionsError> {
    let mut functions = BTreeMap::new();
    for row in database.read(FUNCTIONS, vec![]).await? {
        let function = function_of(&row)?;
        functions.insert(function.arn.clone(), function);
    }
    for row in database.read(VERSIONS, vec![]).await? {
        if let Some(function) = functions.get_mut(&arn_of(&row)?) {
            add_version(function, &row)?;
        }
    }
    for row in database.read(POLICIES, vec![]).await? {
        if let Some(function) = functions.get_mut(&arn_of(&row)?) {
            add_policy(function, &row)?;
        }
    }
    for row in database.read(TAGS, vec![]).await? {
        if let Some(function) = functions.get_mut(&arn_of(&row)?) {
            function
                .tags
                .insert(row.text(3)?.to_owned(), row.text(4)?.to_owned());
        }
    }
    Ok(functions.into_values().collect())
}

fn function_of(row: &Row) -> Result<Function, LoadFunctionsError> {
    let arn = arn_of(row)?;
    let broken = |reason: String| LoadFunctionsError::Row {
        function: arn.to_string(),
        reason,
    };
    let reserved = row.optional_integer(4)?.map(u32::try_from).transpose();
    let owner = match (row.optional_text(5)?, row.optional_text(6)?) {
        (Some(stack), Some(resource)) => Some(Owner {
            stack: stack.to_owned(),
            resource: resource.to_owned(),
        }),
        _ => None,
    };
    Ok(Function {
        latest: version_of(row.text(7)?).map_err(&broken)?,
        versions: BTreeMap::new(),
        next_version: unsigned(row.integer(3)?).map_err(&broken)?,
        reserved_concurrency: reserved.map_err(|error| broken(error.to_string()))?,
        owner,
        tags: BTreeMap::new(),
        policies: BTreeMap::new(),
        arn,
    })
}

fn add_version(function: &mut Function, row: &Row) -> Result<(), LoadFunctionsError> {
    let number = unsigned(row.integer(3)?);
    let version = number.and_then(|number| Ok((number, version_of(row.text(4).map_err(display)?)?)));
    let (number, version) = version.map_err(|reason| broken_row(function, reason))?;
    function.versions.insert(number, version);
    Ok(())
}

fn add_policy(function: &mut Function, row: &Row) -> Result<(), LoadFunctionsError> {
    let qualifier = match row.text(3)? {
        "" => Ok(None),
        text => text.parse().map(Some).map_err(display),
    };
    let policy = policy_of(row.text(4)?);
    let entry = qualifier.and_then(|qualifier| Ok((qualifier, policy?)));
    let (qualifier, policy) = entry.map_err(|reason| broken_row(function, reason))?;
    function.policies.insert(qualifier, policy);
    Ok(())
}

fn broken_row(function: &Function, reason: String) -> LoadFunctionsError {
    LoadFunctionsError::Row {
        function: function.arn.to_string(),
        reason,
    }
}

fn unsigned(value: i64) -> Result<u64, String> {
    u64::try_from(value).map_err(|_negative| format!("the number {value} is negative"))
}

/// The key in the first three columns.
pub(crate) fn arn_of(row: &Row) -> Result<FunctionArn, LoadFunctionsError> {
    let (account, region, name) = (row.text(0)?, row.text(1)?, row.text(2)?);
    let parts = (
        account.parse::<AccountId>(),
        region.parse::<Region>(),
        name.parse::<FunctionName>(),
    );
    let (Ok(account), Ok(region), Ok(name)) = parts else {
        return Err(LoadFunctionsError::Row {
            function: format!("{account}/{region}/{name}"),
            reason: "its key is not an account, a region and a function name".to_owned(),
        });
    };
    Ok(FunctionArn {
        region,
        account,
        name,
        qualifier: None,
    })
}
