//! Values that go into and come out of statements.

use rusqlite::types::{ToSqlOutput, Value, ValueRef};

use crate::DatabaseError;

/// A parameter or a column's value.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum SqlValue {
    /// NULL
    #[default]
    Null,
    /// BIGINT
    Integer(i64),
    /// TEXT
    Text(String),
    /// BLOB
    Blob(Vec<u8>),
}

macro_rules! from {
    ($type:ty, $value:ident => $variant:expr) => {
        impl From<$type> for SqlValue {
            fn from($value: $type) -> Self {
                $variant
            }
        }
    };
}
from!(i64, v => Self::Integer(v));
from!(u32, v => Self::Integer(i64::from(v)));
from!(bool, v => Self::Integer(i64::from(v)));
from!(String, v => Self::Text(v));
from!(&str, v => Self::Text(v.to_owned()));
from!(Vec<u8>, v => Self::Blob(v));

impl<T: Into<Self>> From<Option<T>> for SqlValue {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::Null, Into::into)
    }
}

impl rusqlite::ToSql for SqlValue {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(match self {
            Self::Null => ToSqlOutput::Owned(Value::Null),
            Self::Integer(v) => ToSqlOutput::Owned(Value::Integer(*v)),
            Self::Text(v) => ToSqlOutput::Borrowed(ValueRef::Text(v.as_bytes())),
            Self::Blob(v) => ToSqlOutput::Borrowed(ValueRef::Blob(v)),
        })
    }
}

/// One row of an answer, read by column position.
#[derive(Clone, Debug, PartialEq)]
pub struct Row(pub(crate) Vec<SqlValue>);

impl Row {
    /// A TEXT column.
    ///
    /// # Errors
    /// When the column is absent or of another type; so for all readers here.
    pub fn text(&self, column: usize) -> Result<&str, DatabaseError> {
        self.optional_text(column)?.ok_or_else(|| wrong(column, "TEXT"))
    }

    /// A TEXT column that may be NULL.
    ///
    /// # Errors
    /// See [`Row::text`].
    pub fn optional_text(&self, column: usize) -> Result<Option<&str>, DatabaseError> {
        match self.0.get(column) {
            Some(SqlValue::Text(text)) => Ok(Some(text)),
            Some(SqlValue::Null) => Ok(None),
            Some(SqlValue::Integer(_) | SqlValue::Blob(_)) | None => Err(wrong(column, "TEXT")),
        }
    }

    /// A BIGINT column.
    ///
    /// # Errors
    /// See [`Row::text`].
    pub fn integer(&self, column: usize) -> Result<i64, DatabaseError> {
        self.optional_integer(column)?
            .ok_or_else(|| wrong(column, "BIGINT"))
    }

    /// A BIGINT column that may be NULL.
    ///
    /// # Errors
    /// See [`Row::text`].
    pub fn optional_integer(&self, column: usize) -> Result<Option<i64>, DatabaseError> {
        match self.0.get(column) {
            Some(SqlValue::Integer(value)) => Ok(Some(*value)),
            Some(SqlValue::Null) => Ok(None),
            Some(SqlValue::Text(_) | SqlValue::Blob(_)) | None => Err(wrong(column, "BIGINT")),
        }
    }

    /// A BLOB column.
    ///
    /// # Errors
    /// See [`Row::text`].
    pub fn blob(&self, column: usize) -> Result<&[u8], DatabaseError> {
        self.optional_blob(column)?.ok_or_else(|| wrong(column, "BLOB"))
    }

    /// A BLOB column that may be NULL.
    ///
    /// # Errors
    /// See [`Row::text`].
    pub fn optional_blob(&self, column: usize) -> Result<Option<&[u8]>, DatabaseError> {
        match self.0.get(column) {
            Some(SqlValue::Blob(bytes)) => Ok(Some(bytes)),
            Some(SqlValue::Null) => Ok(None),
            Some(SqlValue::Integer(_) | SqlValue::Text(_)) | None => Err(wrong(column, "BLOB")),
        }
    }
}

impl Row {
    /// A TEXT column that may be NULL, taken out of the row.
    pub(crate) fn take_text(&mut self, column: usize) -> Result<Option<String>, DatabaseError> {
        match self.0.get_mut(column).map(std::mem::take) {
            Some(SqlValue::Text(text)) => Ok(Some(text)),
            Some(SqlValue::Null) => Ok(None),
            Some(SqlValue::Integer(_) | SqlValue::Blob(_)) | None => Err(wrong(column, "TEXT")),
        }
    }

    /// A BLOB column, taken out of the row.
    pub(crate) fn take_blob(&mut self, column: usize) -> Result<Vec<u8>, DatabaseError> {
        match self.0.get_mut(column).map(std::mem::take) {
            Some(SqlValue::Blob(bytes)) => Ok(bytes),
            Some(SqlValue::Null | SqlValue::Integer(_) | SqlValue::Text(_)) | None => {
                Err(wrong(column, "BLOB"))
            }
        }
    }
}

fn wrong(column: usize, expected: &'static str) -> DatabaseError {
    DatabaseError::Column { column, expected }
}
