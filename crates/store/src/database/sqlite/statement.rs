//! Running statements of the common subset on SQLite.

use rusqlite::Connection;

use crate::database::DatabaseError;
use crate::database::batch::Statement;
use crate::value::{Row, SqlValue};

pub(super) fn execute(connection: &Connection, statement: &Statement) -> Result<usize, rusqlite::Error> {
    let mut prepared = connection.prepare_cached(statement.sql)?;
    bind(&mut prepared, &statement.params)?;
    prepared.raw_execute()
}

/// Binds `$1`, `$2`, … by their numbers, as PostgreSQL does; SQLite itself would take them for
/// names and count them by first appearance.
fn bind(prepared: &mut rusqlite::Statement<'_>, params: &[SqlValue]) -> Result<(), rusqlite::Error> {
    let expected = prepared.parameter_count();
    if expected != params.len() {
        return Err(rusqlite::Error::InvalidParameterCount(params.len(), expected));
    }
    for (position, value) in params.iter().enumerate() {
        let name = format!("${}", position + 1);
        let index = prepared
            .parameter_index(&name)?
            .ok_or(rusqlite::Error::InvalidParameterName(name))?;
        prepared.raw_bind_parameter(index, value)?;
    }
    Ok(())
}

pub(super) fn query(
    connection: &Connection,
    sql: &str,
    params: &[SqlValue],
) -> Result<Vec<Row>, DatabaseError> {
    let mut statement = connection.prepare_cached(sql)?;
    let columns = statement.column_count();
    bind(&mut statement, params)?;
    collect(statement.raw_query(), columns)
}

/// The rows of a query whose parameters are `?1`, `?2`, …
pub(crate) fn query_positional(
    connection: &Connection,
    sql: &str,
    params: impl rusqlite::Params,
) -> Result<Vec<Row>, DatabaseError> {
    let mut statement = connection.prepare_cached(sql)?;
    let columns = statement.column_count();
    collect(statement.query(params)?, columns)
}

fn collect(mut rows: rusqlite::Rows<'_>, columns: usize) -> Result<Vec<Row>, DatabaseError> {
    let mut answer = Vec::new();
    while let Some(row) = rows.next()? {
        answer.push(Row((0..columns)
            .map(|i| column(row, i))
            .collect::<Result<_, _>>()?));
    }
    Ok(answer)
}

fn column(row: &rusqlite::Row<'_>, position: usize) -> Result<SqlValue, DatabaseError> {
    use rusqlite::types::Value;
    Ok(match row.get::<_, Value>(position)? {
        Value::Null => SqlValue::Null,
        Value::Integer(value) => SqlValue::Integer(value),
        Value::Text(text) => SqlValue::Text(text),
        Value::Blob(bytes) => SqlValue::Blob(bytes),
        Value::Real(_) => {
            return Err(DatabaseError::Column {
                column: position,
                expected: "BIGINT",
            });
        }
    })
}
