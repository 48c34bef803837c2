//! The tables of functions, versions, policies and tags. No other crate reads them.
//!
//! A row of `lambda_functions` holds `$LATEST` as a JSON document with a format number; the rows of
//! the other tables hang on its key. [`change`] writes the difference between two states of one
//! function as one batch.

pub(crate) mod layers;
mod stored;

use std::collections::BTreeMap;

use tradewind_model::{AccountId, FunctionArn, FunctionName, Qualifier, Region};
use tradewind_store::{Batch, Database, DatabaseError, Migration, Row, SqlValue};

use self::stored::{
    alias_document, alias_of, document, event_invoke_document, event_invoke_of, policy_document, policy_of,
    provisioned_document, provisioned_of, url_document, url_of, version_of,
};
use crate::model::{Function, Owner};
use crate::recursion::RecursiveLoop;

/// The schema of this service.
pub const MIGRATIONS: &[Migration] = &[
    Migration {
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
    },
    Migration {
        service: "lambda",
        version: 2,
        sql: "
        CREATE TABLE lambda_aliases (
            account TEXT NOT NULL, region TEXT NOT NULL, name TEXT NOT NULL,
            alias TEXT NOT NULL, document TEXT NOT NULL,
            PRIMARY KEY (account, region, name, alias));
    ",
    },
    Migration {
        service: "lambda",
        version: 3,
        sql: "
        CREATE TABLE lambda_provisioned (
            account TEXT NOT NULL, region TEXT NOT NULL, name TEXT NOT NULL,
            qualifier TEXT NOT NULL, document TEXT NOT NULL,
            PRIMARY KEY (account, region, name, qualifier));
    ",
    },
    Migration {
        service: "lambda",
        version: 4,
        sql: "
        CREATE TABLE lambda_urls (
            account TEXT NOT NULL, region TEXT NOT NULL, name TEXT NOT NULL,
            qualifier TEXT NOT NULL, document TEXT NOT NULL,
            PRIMARY KEY (account, region, name, qualifier));
    ",
    },
    Migration {
        service: "lambda",
        version: 5,
        sql: "
        CREATE TABLE lambda_event_invoke (
            account TEXT NOT NULL, region TEXT NOT NULL, name TEXT NOT NULL,
            qualifier TEXT NOT NULL, document TEXT NOT NULL,
            PRIMARY KEY (account, region, name, qualifier));
    ",
    },
    Migration {
        service: "lambda",
        version: 6,
        sql: "
        CREATE TABLE lambda_layers (
            account TEXT NOT NULL, region TEXT NOT NULL, name TEXT NOT NULL, next_version BIGINT NOT NULL,
            PRIMARY KEY (account, region, name));
        CREATE TABLE lambda_layer_versions (
            account TEXT NOT NULL, region TEXT NOT NULL, name TEXT NOT NULL,
            version BIGINT NOT NULL, document TEXT NOT NULL,
            PRIMARY KEY (account, region, name, version));
    ",
    },
    Migration {
        service: "lambda",
        version: 7,
        sql: "ALTER TABLE lambda_functions ADD COLUMN recursive_loop TEXT;",
    },
];

const PUT_FUNCTION: &str = "INSERT INTO lambda_functions \
    (account, region, name, next_version, reserved_concurrency, stack, owner, latest, recursive_loop) \
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9) \
    ON CONFLICT (account, region, name) DO UPDATE SET next_version = excluded.next_version, \
    reserved_concurrency = excluded.reserved_concurrency, stack = excluded.stack, \
    owner = excluded.owner, latest = excluded.latest, recursive_loop = excluded.recursive_loop";
const DELETE_FUNCTION: &str = "DELETE FROM lambda_functions WHERE account = $1 AND region = $2 AND name = $3";
/// A table whose rows hang on a function's key, told apart by one more column.
struct Table {
    put: &'static str,
    delete: &'static str,
    delete_all: &'static str,
    read: &'static str,
}

macro_rules! table {
    ($name:literal, $column:literal, $value:literal) => {
        Table {
            put: concat!(
                "INSERT INTO ",
                $name,
                " (account, region, name, ",
                $column,
                ", ",
                $value,
                ") VALUES ($1, $2, $3, $4, $5) ON CONFLICT (account, region, name, ",
                $column,
                ") DO UPDATE SET ",
                $value,
                " = excluded.",
                $value
            ),
            delete: concat!(
                "DELETE FROM ",
                $name,
                " WHERE account = $1 AND region = $2 AND name = $3 AND ",
                $column,
                " = $4"
            ),
            delete_all: concat!(
                "DELETE FROM ",
                $name,
                " WHERE account = $1 AND region = $2 AND name = $3"
            ),
            read: concat!(
                "SELECT account, region, name, ",
                $column,
                ", ",
                $value,
                " FROM ",
                $name
            ),
        }
    };
}

const VERSIONS: Table = table!("lambda_versions", "version", "document");
const POLICIES: Table = table!("lambda_policies", "qualifier", "document");
const TAGS: Table = table!("lambda_tags", "tag_key", "tag_value");
const ALIASES: Table = table!("lambda_aliases", "alias", "document");
const PROVISIONED: Table = table!("lambda_provisioned", "qualifier", "document");
const EVENT_INVOKE: Table = table!("lambda_event_invoke", "qualifier", "document");
const URLS: Table = table!("lambda_urls", "qualifier", "document");
/// All of them: what goes with a function.
const PARTS: &[Table] = &[VERSIONS, POLICIES, TAGS, ALIASES, PROVISIONED, EVENT_INVOKE, URLS];

const DELETE_QUEUED: &str =
    "DELETE FROM lambda_async_invocations WHERE account = $1 AND region = $2 AND name = $3";

/// The statements that turn `before` into `after`. Both are states of one function.
pub(crate) fn change(before: Option<&Function>, after: Option<&Function>) -> Batch {
    match (before, after) {
        (None, None) => Batch::new(),
        (Some(gone), None) => PARTS
            .iter()
            .map(|table| table.delete_all)
            .chain([DELETE_QUEUED, DELETE_FUNCTION])
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
        after.recursive_loop.as_str().into(),
    ]);
    let batch = Batch::new().run(PUT_FUNCTION, row);
    let text = |text: &String| SqlValue::from(text.as_str());
    let versions = (before.map(|f| &f.versions), &after.versions);
    let batch = difference(batch, &after.arn, versions, &VERSIONS, |n| number(*n), document);
    let policies = (before.map(|f| &f.policies), &after.policies);
    let batch = difference(
        batch,
        &after.arn,
        policies,
        &POLICIES,
        qualifier_text,
        policy_document,
    );
    let aliases = (before.map(|f| &f.aliases), &after.aliases);
    let batch = difference(batch, &after.arn, aliases, &ALIASES, text, alias_document);
    let provisioned = (before.map(|f| &f.provisioned), &after.provisioned);
    let named = |qualifier: &Qualifier| SqlValue::from(qualifier.to_string());
    let batch = difference(
        batch,
        &after.arn,
        provisioned,
        &PROVISIONED,
        named,
        provisioned_document,
    );
    let event_invoke = (before.map(|f| &f.event_invoke), &after.event_invoke);
    let batch = difference(
        batch,
        &after.arn,
        event_invoke,
        &EVENT_INVOKE,
        named,
        event_invoke_document,
    );
    let urls = (before.map(|f| &f.urls), &after.urls);
    let batch = difference(batch, &after.arn, urls, &URLS, qualifier_text, url_document);
    let tags = (before.map(|f| &f.tags), &after.tags);
    difference(batch, &after.arn, tags, &TAGS, text, text)
}

/// Adds what puts the new and changed entries of a map and deletes those that are gone.
fn difference<K: Ord, V: PartialEq>(
    mut batch: Batch,
    arn: &FunctionArn,
    (before, after): (Option<&BTreeMap<K, V>>, &BTreeMap<K, V>),
    table: &Table,
    column: impl Fn(&K) -> SqlValue,
    value: impl Fn(&V) -> SqlValue,
) -> Batch {
    for (entry, new) in after {
        if before.and_then(|map| map.get(entry)) != Some(new) {
            let mut row = key(arn);
            row.extend([column(entry), value(new)]);
            batch = batch.run(table.put, row);
        }
    }
    for entry in before
        .into_iter()
        .flat_map(BTreeMap::keys)
        .filter(|entry| !after.contains_key(entry))
    {
        let mut row = key(arn);
        row.push(column(entry));
        batch = batch.run(table.delete, row);
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

/// Why the stored functions cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum LoadFunctionsError {
    /// The database failed.
    #[error(transparent)]
    Database(#[from] DatabaseError),
    /// A row of a function or a layer is not what this binary writes.
    #[error("the stored `{function}` cannot be read: {reason}")]
    Row {
        /// Which.
        function: String,
        /// What is wrong.
        reason: String,
    },
}

const FUNCTIONS: &str = "SELECT account, region, name, next_version, reserved_concurrency, stack, owner, \
    latest, recursive_loop FROM lambda_functions ORDER BY account, region, name";
/// Reads every function.
pub(crate) async fn load(database: &Database) -> Result<Vec<Function>, LoadFunctionsError> {
    let mut functions = BTreeMap::new();
    for row in database.read(FUNCTIONS, vec![]).await? {
        let function = function_of(&row)?;
        functions.insert(function.arn.clone(), function);
    }
    for row in database.read(VERSIONS.read, vec![]).await? {
        if let Some(function) = functions.get_mut(&arn_of(&row)?) {
            add_version(function, &row)?;
        }
    }
    for row in database.read(POLICIES.read, vec![]).await? {
        if let Some(function) = functions.get_mut(&arn_of(&row)?) {
            add_policy(function, &row)?;
        }
    }
    for row in database.read(ALIASES.read, vec![]).await? {
        if let Some(function) = functions.get_mut(&arn_of(&row)?) {
            add_alias(function, &row)?;
        }
    }
    for row in database.read(PROVISIONED.read, vec![]).await? {
        if let Some(function) = functions.get_mut(&arn_of(&row)?) {
            add_provisioned(function, &row)?;
        }
    }
    for row in database.read(EVENT_INVOKE.read, vec![]).await? {
        if let Some(function) = functions.get_mut(&arn_of(&row)?) {
            add_event_invoke(function, &row)?;
        }
    }
    for row in database.read(URLS.read, vec![]).await? {
        if let Some(function) = functions.get_mut(&arn_of(&row)?) {
            add_url(function, &row)?;
        }
    }
    for row in database.read(TAGS.read, vec![]).await? {
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
        // absent in rows from before it was a setting
        recursive_loop: row
            .optional_text(8)?
            .and_then(RecursiveLoop::parse)
            .unwrap_or_default(),
        reserved_concurrency: reserved.map_err(|error| broken(error.to_string()))?,
        owner,
        tags: BTreeMap::new(),
        policies: BTreeMap::new(),
        aliases: BTreeMap::new(),
        provisioned: BTreeMap::new(),
        event_invoke: BTreeMap::new(),
        urls: BTreeMap::new(),
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

fn add_alias(function: &mut Function, row: &Row) -> Result<(), LoadFunctionsError> {
    let alias = alias_of(row.text(4)?).map_err(|reason| broken_row(function, reason))?;
    function.aliases.insert(row.text(3)?.to_owned(), alias);
    Ok(())
}

fn add_url(function: &mut Function, row: &Row) -> Result<(), LoadFunctionsError> {
    let qualifier = match row.text(3)? {
        "" => Ok(None),
        text => text.parse().map(Some).map_err(display),
    };
    let url = url_of(row.text(4)?);
    let entry = qualifier.and_then(|qualifier| Ok((qualifier, url?)));
    let (qualifier, url) = entry.map_err(|reason| broken_row(function, reason))?;
    function.urls.insert(qualifier, url);
    Ok(())
}

fn add_provisioned(function: &mut Function, row: &Row) -> Result<(), LoadFunctionsError> {
    let qualifier = row.text(3)?.parse().map_err(display);
    let entry =
        qualifier.and_then(|qualifier| Ok((qualifier, provisioned_of(row.text(4).map_err(display)?)?)));
    let (qualifier, provisioned) = entry.map_err(|reason| broken_row(function, reason))?;
    function.provisioned.insert(qualifier, provisioned);
    Ok(())
}

fn add_event_invoke(function: &mut Function, row: &Row) -> Result<(), LoadFunctionsError> {
    let qualifier = row.text(3)?.parse().map_err(display);
    let entry =
        qualifier.and_then(|qualifier| Ok((qualifier, event_invoke_of(row.text(4).map_err(display)?)?)));
    let (qualifier, config) = entry.map_err(|reason| broken_row(function, reason))?;
    function.event_invoke.insert(qualifier, config);
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

fn display(error: impl std::fmt::Display) -> String {
    error.to_string()
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
