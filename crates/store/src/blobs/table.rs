//! The rows of blobs. Owners' rows point at them by id; no other module reads them.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use tradewind_model::Timestamp;

use super::keys::Fingerprint;
use super::{BlobError, BlobId, Content, Shared, Stored};
use crate::{Batch, Database, DatabaseError, Migration, Row, SqlValue};

/// The schema.
pub const MIGRATIONS: &[Migration] = &[
    Migration {
        service: "blobs",
        version: 1,
        sql: "CREATE TABLE blobs (
            id TEXT NOT NULL PRIMARY KEY,
            size BIGINT NOT NULL,
            checksum BIGINT NOT NULL,
            owners BIGINT NOT NULL,
            dropped_at BIGINT);
          CREATE INDEX blobs_dropped ON blobs (dropped_at) WHERE owners = 0;
          CREATE TABLE blobs_marks (
            name TEXT NOT NULL PRIMARY KEY,
            value BIGINT NOT NULL)",
    },
    Migration {
        service: "blobs",
        version: 2,
        sql: "ALTER TABLE blobs ADD COLUMN wrapped_key BLOB;
          CREATE TABLE blobs_keys (fingerprint BLOB NOT NULL PRIMARY KEY)",
    },
    Migration {
        service: "blobs",
        version: 3,
        sql: "CREATE TABLE blobs_uploads (
                id TEXT NOT NULL PRIMARY KEY,
                upload TEXT NOT NULL);
              CREATE TABLE blobs_owner (
                one BIGINT NOT NULL PRIMARY KEY,
                owner TEXT NOT NULL,
                location TEXT NOT NULL)",
    },
];

/// What a row says of a blob's bytes. It never changes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Facts {
    pub(super) id: BlobId,
    pub(super) size: u64,
    /// CRC-64/NVME of the content; 0 where it is encrypted and so authenticated.
    pub(super) checksum: u64,
    /// Of encrypted content.
    pub(super) wrapped_key: Option<Arc<[u8]>>,
}

pub(super) fn keep(batch: Batch, stored: &Stored) -> Batch {
    let Some(facts) = &stored.facts else {
        return batch;
    };
    let batch = match stored.uploaded {
        true => batch.run(
            "DELETE FROM blobs_uploads WHERE id = $1",
            vec![facts.id.to_string().into()],
        ),
        false => batch,
    };
    batch.require(
        "INSERT INTO blobs (id, size, checksum, wrapped_key, owners) VALUES ($1, $2, $3, $4, 1)",
        vec![
            facts.id.to_string().into(),
            facts.size.cast_signed().into(),
            facts.checksum.cast_signed().into(),
            facts.wrapped_key.as_ref().map(|key| key.to_vec()).into(),
        ],
        1,
    )
}

pub(super) fn share(batch: Batch, content: &Content) -> Batch {
    let Content::Blob(id) = content else {
        return batch;
    };
    batch.require(
        "UPDATE blobs SET owners = owners + 1 WHERE id = $1 AND owners > 0",
        vec![id.to_string().into()],
        1,
    )
}

pub(super) fn drop_in(batch: Batch, content: &Content, now: Timestamp) -> Batch {
    let Content::Blob(id) = content else {
        return batch;
    };
    batch.require(
        "UPDATE blobs SET owners = owners - 1, dropped_at = $2 WHERE id = $1 AND owners > 0",
        vec![id.to_string().into(), now.as_millis().into()],
        1,
    )
}

/// What is known of the blob, from memory or its row; also of one that was dropped, while it is there.
pub(super) async fn facts(shared: &Shared, id: BlobId) -> Result<Facts, BlobError> {
    if let Some(facts) = shared.facts.get(id) {
        return Ok(facts);
    }
    let rows = shared.database.read(
        "SELECT size, checksum, wrapped_key FROM blobs WHERE id = $1",
        vec![id.to_string().into()],
    );
    let rows = rows.await?;
    let row = rows.first().ok_or(BlobError::Gone(id))?;
    let facts = Facts {
        id,
        size: row.integer(0)?.cast_unsigned(),
        checksum: row.integer(1)?.cast_unsigned(),
        wrapped_key: row.optional_blob(2)?.map(Arc::from),
    };
    shared.facts.put(facts.clone());
    Ok(facts)
}

/// Up to `limit` blobs that lost their last owner before `until`.
pub(super) async fn dropped(
    database: &Database,
    until: Timestamp,
    limit: u32,
) -> Result<Vec<BlobId>, BlobError> {
    let rows = database.read(
        "SELECT id FROM blobs WHERE owners = 0 AND dropped_at < $1 ORDER BY dropped_at LIMIT $2",
        vec![until.as_millis().into(), limit.into()],
    );
    Ok(ids(&rows.await?))
}

/// Lets blobs count as dropped at `instant`.
pub(super) async fn postpone(
    database: &Database,
    ids: &[BlobId],
    instant: Timestamp,
) -> Result<(), BlobError> {
    if ids.is_empty() {
        return Ok(());
    }
    let batch = ids.iter().fold(Batch::new(), |batch, id| {
        batch.run(
            "UPDATE blobs SET dropped_at = $2 WHERE id = $1 AND owners = 0",
            vec![id.to_string().into(), instant.as_millis().into()],
        )
    });
    database.write(batch).await?;
    Ok(())
}

pub(super) async fn forget(shared: &Shared, gone: &[BlobId]) -> Result<(), BlobError> {
    let batch = gone.iter().fold(Batch::new(), |batch, id| {
        batch.run(
            "DELETE FROM blobs WHERE id = $1 AND owners = 0",
            vec![id.to_string().into()],
        )
    });
    shared.database.write(batch).await?;
    shared.facts.remove(gone);
    Ok(())
}

/// The ids with rows that were made in `[from, until)`, in order.
pub(super) async fn made_within(
    database: &Database,
    from: Timestamp,
    until: Timestamp,
) -> Result<Vec<BlobId>, BlobError> {
    let rows = database.read(
        "SELECT id FROM blobs WHERE id >= $1 AND id < $2 ORDER BY id",
        vec![BlobId::least_at(from).into(), BlobId::least_at(until).into()],
    );
    Ok(ids(&rows.await?))
}

/// Gives orphans rows without an owner, so that they go the way of what was dropped. A batch that would
/// keep one of them from now on fails: a file that may be gone is never acknowledged.
pub(super) async fn adopt(
    database: &Database,
    orphans: &[BlobId],
    now: Timestamp,
    swept: Timestamp,
) -> Result<(), BlobError> {
    let batch = orphans.iter().fold(Batch::new(), |batch, id| {
        batch.run(
            "INSERT INTO blobs (id, size, checksum, owners, dropped_at) VALUES ($1, 0, 0, 0, $2)
             ON CONFLICT (id) DO NOTHING",
            vec![id.to_string().into(), now.as_millis().into()],
        )
    });
    let batch = batch.run(
        "INSERT INTO blobs_marks (name, value) VALUES ('swept', $1)
         ON CONFLICT (name) DO UPDATE SET value = excluded.value",
        vec![swept.as_millis().into()],
    );
    database.write(batch).await?;
    Ok(())
}

/// The fingerprints of the master keys that content was encrypted with.
pub(super) async fn used_keys(database: &Database) -> Result<Vec<Vec<u8>>, BlobError> {
    let rows = database
        .read("SELECT fingerprint FROM blobs_keys", Vec::new())
        .await?;
    rows.iter().map(|row| Ok(row.blob(0)?.to_vec())).collect()
}

pub(super) async fn record_key(database: &Database, fingerprint: Fingerprint) -> Result<(), BlobError> {
    let batch = Batch::new().run(
        "INSERT INTO blobs_keys (fingerprint) VALUES ($1) ON CONFLICT (fingerprint) DO NOTHING",
        vec![fingerprint.to_vec().into()],
    );
    database.write(batch).await?;
    Ok(())
}

/// An upload in parts was begun.
pub(super) async fn record_upload(shared: &Shared, id: BlobId, upload: &str) -> Result<(), BlobError> {
    let batch = Batch::new().run(
        "INSERT INTO blobs_uploads (id, upload) VALUES ($1, $2)",
        vec![id.to_string().into(), upload.into()],
    );
    shared.database.write(batch).await?;
    Ok(())
}

/// Some of the uploads that were begun before `until` and not finished.
pub(super) async fn unfinished(
    database: &Database,
    until: Timestamp,
) -> Result<Vec<(BlobId, String)>, BlobError> {
    let rows = database.read(
        "SELECT id, upload FROM blobs_uploads WHERE id < $1 ORDER BY id LIMIT 100",
        vec![BlobId::least_at(until).into()],
    );
    let rows = rows.await?;
    let upload = |row: &Row| Some((row.text(0).ok()?.parse().ok()?, row.text(1).ok()?.to_owned()));
    Ok(rows.iter().filter_map(upload).collect())
}

pub(super) async fn forget_upload(database: &Database, id: BlobId) -> Result<(), BlobError> {
    let batch = Batch::new().run(
        "DELETE FROM blobs_uploads WHERE id = $1",
        vec![id.to_string().into()],
    );
    database.write(batch).await?;
    Ok(())
}

/// The name by which places know this database, made on first use, and where its content is.
pub(super) async fn owner(database: &Database, here: &str) -> Result<(String, String), BlobError> {
    let batch = Batch::new().run(
        "INSERT INTO blobs_owner (one, owner, location) VALUES (1, $1, $2) ON CONFLICT (one) DO NOTHING",
        vec![uuid::Uuid::new_v4().to_string().into(), here.into()],
    );
    database.write(batch).await?;
    let rows = database
        .read("SELECT owner, location FROM blobs_owner", Vec::new())
        .await?;
    let row = rows.first().ok_or(DatabaseError::Closed)?;
    Ok((row.text(0)?.to_owned(), row.text(1)?.to_owned()))
}

pub(super) async fn has_blobs(database: &Database) -> Result<bool, BlobError> {
    Ok(!database
        .read("SELECT 1 FROM blobs LIMIT 1", Vec::new())
        .await?
        .is_empty())
}

pub(super) async fn record_location(database: &Database, here: &str) -> Result<(), BlobError> {
    let batch = Batch::new().run("UPDATE blobs_owner SET location = $1", vec![here.into()]);
    database.write(batch).await?;
    Ok(())
}

/// Until when orphans have been looked for.
pub(super) async fn swept(database: &Database) -> Result<Timestamp, DatabaseError> {
    let rows = database.read(
        "SELECT value FROM blobs_marks WHERE name = 'swept'",
        Vec::<SqlValue>::new(),
    );
    let mark = rows.await?.first().map_or(Ok(0), |row| row.integer(0))?;
    Ok(Timestamp::from_millis(mark))
}

fn ids(rows: &[Row]) -> Vec<BlobId> {
    rows.iter()
        .filter_map(|row| row.text(0).ok()?.parse().ok())
        .collect()
}

/// What was lately known of blobs: a read of one that was just written or read asks no row.
#[derive(Debug, Default)]
pub(super) struct FactCache(Mutex<Generations>);

/// Two maps: when the young one is full it becomes the old one, and the old one is forgotten.
#[derive(Debug, Default)]
struct Generations {
    young: HashMap<BlobId, Facts>,
    old: HashMap<BlobId, Facts>,
}

/// Facts a generation holds, of about 64 bytes each.
const GENERATION: usize = 16 * 1024;

impl FactCache {
    fn get(&self, id: BlobId) -> Option<Facts> {
        let mut generations = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(facts) = generations.young.get(&id) {
            return Some(facts.clone());
        }
        let facts = generations.old.remove(&id)?;
        generations.put(facts.clone());
        Some(facts)
    }

    pub(super) fn put(&self, facts: Facts) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).put(facts);
    }

    fn remove(&self, gone: &[BlobId]) {
        let mut generations = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for id in gone {
            generations.young.remove(id);
            generations.old.remove(id);
        }
    }
}

impl Generations {
    fn put(&mut self, facts: Facts) {
        if self.young.len() >= GENERATION {
            self.old = std::mem::take(&mut self.young);
        }
        self.young.insert(facts.id, facts);
    }
}
