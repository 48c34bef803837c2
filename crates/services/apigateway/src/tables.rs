//! The rows: one for each record, its body in JSON.

use tradewind_store::{Batch, Database, DatabaseError, Migration, Row};

use crate::model::{Record, RecordKey, RecordKind};
use crate::state::Stored;

/// The tables of this service.
pub const MIGRATIONS: &[Migration] = &[Migration {
    service: "apigateway",
    version: 1,
    sql: "CREATE TABLE apigateway_records (
            api TEXT NOT NULL,
            kind TEXT NOT NULL,
            id TEXT NOT NULL,
            owner TEXT NOT NULL,
            format BIGINT NOT NULL,
            body TEXT NOT NULL,
            PRIMARY KEY (api, kind, id))",
}];

/// The form of `body` that this version writes.
const FORMAT: i64 = 1;

/// A row that this version cannot read.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ReadRecordError {
    #[error(transparent)]
    Database(#[from] DatabaseError),
    #[error("the record {kind} `{id}` of API `{api}` has format {format}; this version reads {FORMAT}")]
    Format {
        api: String,
        kind: String,
        id: String,
        format: i64,
    },
    #[error("the record {kind} `{id}` of API `{api}` cannot be read: {reason}")]
    Body {
        api: String,
        kind: String,
        id: String,
        reason: String,
    },
}

pub(crate) async fn all(database: &Database) -> Result<Vec<(RecordKey, Stored)>, ReadRecordError> {
    const ALL: &str =
        "SELECT api, kind, id, owner, format, body FROM apigateway_records ORDER BY api, kind, id";
    let rows = database.read(ALL, Vec::new()).await?;
    rows.iter().map(parse).collect()
}

fn parse(row: &Row) -> Result<(RecordKey, Stored), ReadRecordError> {
    let (api, kind, id) = (
        row.text(0)?.to_owned(),
        row.text(1)?.to_owned(),
        row.text(2)?.to_owned(),
    );
    let format = row.integer(4)?;
    if format != FORMAT {
        return Err(ReadRecordError::Format {
            api,
            kind,
            id,
            format,
        });
    }
    let record: Result<Record, _> = serde_json::from_str(row.text(5)?);
    match (RecordKind::parse(&kind), record) {
        (Some(known), Ok(record)) => {
            let stored = Stored {
                owner: row.text(3)?.to_owned(),
                record,
            };
            Ok((RecordKey { api, kind: known, id }, stored))
        }
        (None, _) => Err(ReadRecordError::Body {
            api,
            kind,
            id,
            reason: "its kind is unknown".to_owned(),
        }),
        (_, Err(error)) => Err(ReadRecordError::Body {
            api,
            kind,
            id,
            reason: error.to_string(),
        }),
    }
}

pub(crate) fn put(key: &RecordKey, stored: &Stored) -> Batch {
    let body = serde_json::to_string(&stored.record).expect("records are made of plain values");
    Batch::new().run(
        "INSERT INTO apigateway_records (api, kind, id, owner, format, body) VALUES ($1, $2, $3, $4, $5, $6)
         ON CONFLICT (api, kind, id) DO UPDATE SET owner = excluded.owner, format = excluded.format,
         body = excluded.body",
        vec![
            key.api.as_str().into(),
            key.kind.as_str().into(),
            key.id.as_str().into(),
            stored.owner.as_str().into(),
            FORMAT.into(),
            body.into(),
        ],
    )
}

/// Removes a record; an API goes with all its parts.
pub(crate) fn remove(key: &RecordKey) -> Batch {
    if key.kind.is_api() {
        return Batch::new().run(
            "DELETE FROM apigateway_records WHERE api = $1",
            vec![key.api.as_str().into()],
        );
    }
    Batch::new().run(
        "DELETE FROM apigateway_records WHERE api = $1 AND kind = $2 AND id = $3",
        vec![
            key.api.as_str().into(),
            key.kind.as_str().into(),
            key.id.as_str().into(),
        ],
    )
}
