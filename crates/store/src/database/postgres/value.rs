//! Values on PostgreSQL's wire: BIGINT, TEXT, BYTEA and NULL.

use std::error::Error;

use tokio_postgres::types::private::BytesMut;
use tokio_postgres::types::{FromSql, IsNull, ToSql, Type, to_sql_checked};

use crate::DatabaseError;
use crate::value::{Row, SqlValue};

/// The type that the server is told a parameter has, so that it need not guess. A NULL takes the type of
/// the place where it stands.
pub(super) fn parameter_type(value: &SqlValue) -> Type {
    match value {
        SqlValue::Null => Type::UNKNOWN,
        SqlValue::Integer(_) => Type::INT8,
        SqlValue::Text(_) => Type::TEXT,
        SqlValue::Blob(_) => Type::BYTEA,
    }
}

/// Refuses another number of parameters than the statement has; the server itself lets more pass.
pub(super) fn check_count(sql: &str, params: &[SqlValue]) -> Result<(), DatabaseError> {
    let number = |piece: &str| {
        let digits = piece.bytes().take_while(u8::is_ascii_digit).count();
        piece.get(..digits).and_then(|digits| digits.parse().ok())
    };
    let expected: usize = sql.split('$').skip(1).filter_map(number).max().unwrap_or(0);
    if expected == params.len() {
        return Ok(());
    }
    Err(DatabaseError::Postgres {
        code: "-".into(),
        message: format!(
            "the statement has {expected} parameters, {} were given",
            params.len()
        ),
    })
}

pub(super) fn references(params: &[SqlValue]) -> Vec<&(dyn ToSql + Sync)> {
    params.iter().map(|value| value as &(dyn ToSql + Sync)).collect()
}

impl ToSql for SqlValue {
    fn to_sql(&self, ty: &Type, out: &mut BytesMut) -> Result<IsNull, Box<dyn Error + Sync + Send>> {
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

impl<'a> FromSql<'a> for SqlValue {
    fn from_sql(ty: &Type, raw: &'a [u8]) -> Result<Self, Box<dyn Error + Sync + Send>> {
        Ok(match *ty {
            Type::INT8 => Self::Integer(i64::from_sql(ty, raw)?),
            Type::INT4 => Self::Integer(i32::from_sql(ty, raw)?.into()),
            Type::INT2 => Self::Integer(i16::from_sql(ty, raw)?.into()),
            Type::BOOL => Self::Integer(bool::from_sql(ty, raw)?.into()),
            Type::NUMERIC => Self::Integer(whole_number(raw).ok_or("a NUMERIC that is not a BIGINT")?),
            Type::BYTEA => Self::Blob(raw.to_vec()),
            _ => Self::Text(String::from_sql(ty, raw)?),
        })
    }

    fn from_sql_null(_: &Type) -> Result<Self, Box<dyn Error + Sync + Send>> {
        Ok(Self::Null)
    }

    fn accepts(ty: &Type) -> bool {
        matches!(
            *ty,
            Type::INT8 | Type::INT4 | Type::INT2 | Type::BOOL | Type::NUMERIC | Type::BYTEA
        ) || <String as FromSql>::accepts(ty)
    }
}

/// A NUMERIC without a fraction: what SUM over BIGINT gives. Digits to the base of 10,000, highest first,
/// after four 16-bit numbers: how many digits, the weight of the first, the sign, the scale.
fn whole_number(raw: &[u8]) -> Option<i64> {
    let mut words = raw
        .chunks_exact(2)
        .map(|word| i16::from_be_bytes([word[0], word[1]]));
    let (count, weight, sign, _scale) = (words.next()?, words.next()?, words.next()?, words.next()?);
    let mut magnitude: i128 = 0;
    for (position, digit) in (0..count).zip(words) {
        let exponent = u32::try_from(i32::from(weight) - i32::from(position)).ok()?;
        let scale = 10_000_i128.checked_pow(exponent)?;
        magnitude = magnitude.checked_add(scale.checked_mul(digit.into())?)?;
    }
    match sign {
        0 => i64::try_from(magnitude).ok(),
        0x4000 => i64::try_from(-magnitude).ok(),
        _ => None,
    }
}

pub(super) fn row_of(row: &tokio_postgres::Row) -> Result<Row, DatabaseError> {
    let columns = (0..row.len()).map(|column| row.try_get(column));
    Ok(Row(columns.collect::<Result<_, _>>()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn numeric(weight: i16, sign: i16, digits: &[i16]) -> Vec<u8> {
        let count = i16::try_from(digits.len()).unwrap();
        let words = [count, weight, sign, 0].into_iter().chain(digits.iter().copied());
        words.flat_map(i16::to_be_bytes).collect()
    }

    #[test]
    fn sums_are_whole_numbers() {
        assert_eq!(whole_number(&numeric(0, 0, &[])), Some(0));
        assert_eq!(whole_number(&numeric(1, 0, &[12, 3456])), Some(123_456));
        assert_eq!(whole_number(&numeric(1, 0, &[12])), Some(120_000));
        assert_eq!(whole_number(&numeric(0, 0x4000, &[7])), Some(-7));
        let least = [922, 3372, 368, 5477, 5808];
        assert_eq!(whole_number(&numeric(4, 0x4000, &least)), Some(i64::MIN));
        assert_eq!(whole_number(&numeric(4, 0, &least)), None, "one too many");
        assert_eq!(whole_number(&numeric(-1, 0, &[5000])), None, "a half");
    }
}
