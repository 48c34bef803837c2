//! One transaction on either database: what the steps below `rows` run in.

use rusqlite::Connection;
use rusqlite::types::{ToSqlOutput, ValueRef};
use tokio_postgres::types::private::BytesMut;
use tokio_postgres::types::{IsNull, ToSql, Type, to_sql_checked};
use tradewind_model::Timestamp;

use crate::DatabaseError;
use crate::database::{Parameter, Session, query};
use crate::value::Row;

/// A transaction. Statements have their parameters as `?1`, `?2`, … in the words of both databases.
pub(super) enum Transaction<'t> {
    /// The one that all writers of this moment share, on the writer's thread.
    Sqlite(&'t Connection),
    /// One of its own; what other transactions may do at the same time is up to the statements.
    Postgres(&'t Session),
}

/// A borrowed parameter.
#[derive(Clone, Copy, Debug)]
pub(super) enum Value<'v> {
    Null,
    Integer(i64),
    Text(&'v str),
    Blob(&'v [u8]),
}

/// The parameters of a statement.
macro_rules! values {
    ($($value:expr),* $(,)?) => { [$($crate::queue::transaction::Value::from($value)),*] };
}
pub(super) use values;

impl Transaction<'_> {
    pub(super) fn is_postgres(&self) -> bool {
        matches!(self, Self::Postgres(_))
    }

    /// Runs a statement; how many rows it changed.
    pub(super) fn execute(&self, sql: &'static str, values: &[Value<'_>]) -> Result<u64, DatabaseError> {
        let changed = self.execute_many(sql, &[values])?;
        Ok(changed.first().copied().unwrap_or_default())
    }

    /// Runs a statement once for each set of parameters; how many rows each changed.
    pub(super) fn execute_many<'v>(
        &self,
        sql: &'static str,
        sets: &[impl AsRef<[Value<'v>]>],
    ) -> Result<Vec<u64>, DatabaseError> {
        match self {
            Self::Sqlite(connection) => {
                let mut statement = connection.prepare_cached(sql)?;
                let mut changed = Vec::with_capacity(sets.len());
                for set in sets {
                    let rows = statement.execute(rusqlite::params_from_iter(set.as_ref()))?;
                    changed.push(rows as u64);
                }
                Ok(changed)
            }
            Self::Postgres(session) => {
                let sets: Vec<_> = sets.iter().map(|set| parameters(set.as_ref())).collect();
                session.execute(&numbered(sql), &sets)
            }
        }
    }

    /// The rows a statement gives.
    pub(super) fn query(&self, sql: &'static str, values: &[Value<'_>]) -> Result<Vec<Row>, DatabaseError> {
        match self {
            Self::Sqlite(connection) => query(connection, sql, rusqlite::params_from_iter(values)),
            Self::Postgres(session) => session.query(&numbered(sql), &parameters(values)),
        }
    }
}

fn numbered(sql: &str) -> String {
    sql.replace('?', "$")
}

fn parameters<'v>(values: &'v [Value<'v>]) -> Vec<Parameter<'v>> {
    values.iter().map(|value| (value as _, value.kind())).collect()
}

impl Value<'_> {
    /// A NULL takes the type of the place where it stands.
    fn kind(&self) -> Type {
        match self {
            Self::Null => Type::UNKNOWN,
            Self::Integer(_) => Type::INT8,
            Self::Text(_) => Type::TEXT,
            Self::Blob(_) => Type::BYTEA,
        }
    }
}

macro_rules! from {
    ($type:ty, $value:ident => $variant:expr) => {
        impl<'v> From<$type> for Value<'v> {
            fn from($value: $type) -> Self {
                $variant
            }
        }
    };
}
from!(i64, v => Self::Integer(v));
from!(u32, v => Self::Integer(v.into()));
from!(bool, v => Self::Integer(v.into()));
from!(Timestamp, v => Self::Integer(v.as_millis()));
from!(&'v str, v => Self::Text(v));
from!(&'v String, v => Self::Text(v));
from!(&'v [u8], v => Self::Blob(v));
from!(&'v Vec<u8>, v => Self::Blob(v));
from!(&'v [u8; 16], v => Self::Blob(v));

impl<'v, T: Into<Self>> From<Option<T>> for Value<'v> {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::Null, Into::into)
    }
}

impl rusqlite::ToSql for Value<'_> {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::Borrowed(match self {
            Self::Null => ValueRef::Null,
            Self::Integer(value) => ValueRef::Integer(*value),
            Self::Text(text) => ValueRef::Text(text.as_bytes()),
            Self::Blob(bytes) => ValueRef::Blob(bytes),
        }))
    }
}

impl ToSql for Value<'_> {
    fn to_sql(
        &self,
        ty: &Type,
        out: &mut BytesMut,
    ) -> Result<IsNull, Box<dyn std::error::Error + Sync + Send>> {
        match self {
            Self::Null => Ok(IsNull::Yes),
            Self::Integer(value) => value.to_sql(ty, out),
            Self::Text(text) => text.to_sql(ty, out),
            Self::Blob(bytes) => bytes.to_sql(ty, out),
        }
    }

    fn accepts(_: &Type) -> bool {
        true
    }

    to_sql_checked!();
}
