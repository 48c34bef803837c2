//! The tables of usage: series (who used what) and their buckets, of a minute, an hour or a day.

use std::collections::HashSet;

use sha2::{Digest, Sha256};
use tradewind_store::{Batch, Database, DatabaseError, Migration, Row};

use super::UsageTotals;

/// The schema.
pub const MIGRATIONS: &[Migration] = &[Migration {
    service: "usage",
    version: 1,
    sql: "CREATE TABLE usage_sequence (value BIGINT NOT NULL);
          INSERT INTO usage_sequence (value) VALUES (0);
          CREATE TABLE usage_series (
            id BIGINT NOT NULL PRIMARY KEY,
            item TEXT NOT NULL,
            resource TEXT NOT NULL,
            version TEXT NOT NULL,
            memory_mib BIGINT NOT NULL,
            stack TEXT);
          CREATE TABLE usage_functions (
            series BIGINT NOT NULL,
            span BIGINT NOT NULL,
            start BIGINT NOT NULL,
            invocations BIGINT NOT NULL,
            errors BIGINT NOT NULL,
            timeouts BIGINT NOT NULL,
            cold_starts BIGINT NOT NULL,
            init_us BIGINT NOT NULL,
            duration_us BIGINT NOT NULL,
            billed_ms BIGINT NOT NULL,
            billed_mib_ms BIGINT NOT NULL,
            peak_memory_bytes BIGINT NOT NULL,
            cpu_us BIGINT NOT NULL,
            bytes_in BIGINT NOT NULL,
            bytes_out BIGINT NOT NULL,
            PRIMARY KEY (span, start, series));
          CREATE TABLE usage_counts (
            series BIGINT NOT NULL,
            span BIGINT NOT NULL,
            start BIGINT NOT NULL,
            quantity BIGINT NOT NULL,
            PRIMARY KEY (span, start, series));",
}];

/// What buckets of functions are kept under.
pub(super) const FUNCTIONS: &str = "lambda";

/// Who used what; its buckets name it by its id.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Series {
    pub(super) item: &'static str,
    pub(super) resource: Box<str>,
    pub(super) version: Box<str>,
    pub(super) memory_mib: u32,
}

impl Series {
    /// Made of what it is, so that it need not be looked up: 63 bits of a digest.
    pub(super) fn id(&self) -> i64 {
        let mut digest = Sha256::new();
        for part in [self.item, &self.resource, &self.version] {
            digest.update(part.as_bytes());
            digest.update([0]);
        }
        digest.update(self.memory_mib.to_be_bytes());
        let digest = digest.finalize();
        let first: [u8; 8] = std::array::from_fn(|at| digest[at]);
        i64::from_be_bytes(first) & i64::MAX
    }
}

/// The number of the last flush that is in the database.
pub(super) async fn sequence(database: &Database) -> Result<i64, DatabaseError> {
    let rows = database
        .read("SELECT value FROM usage_sequence", Vec::new())
        .await?;
    rows.first().map_or(Ok(0), |row| row.integer(0))
}

/// The batch is that of flush `number`, and fails whole if that flush, or a later one, is in the database.
pub(super) fn numbered(batch: Batch, number: i64) -> Batch {
    batch.require(
        "UPDATE usage_sequence SET value = $1 WHERE value = $2",
        vec![number.into(), (number - 1).into()],
        1,
    )
}

/// Makes a series known.
pub(super) fn put_series(batch: Batch, series: &Series, stack: Option<String>) -> Batch {
    batch.run(
        "INSERT INTO usage_series (id, item, resource, version, memory_mib, stack)
         VALUES ($1, $2, $3, $4, $5, $6)
         ON CONFLICT (id) DO UPDATE SET stack = COALESCE(excluded.stack, usage_series.stack)",
        vec![
            series.id().into(),
            series.item.into(),
            (&*series.resource).into(),
            (&*series.version).into(),
            series.memory_mib.into(),
            stack.into(),
        ],
    )
}

/// What is added to a bucket that is there.
macro_rules! merge_functions {
    () => {
        "ON CONFLICT (span, start, series) DO UPDATE SET
         invocations = usage_functions.invocations + excluded.invocations,
         errors = usage_functions.errors + excluded.errors,
         timeouts = usage_functions.timeouts + excluded.timeouts,
         cold_starts = usage_functions.cold_starts + excluded.cold_starts,
         init_us = usage_functions.init_us + excluded.init_us,
         duration_us = usage_functions.duration_us + excluded.duration_us,
         billed_ms = usage_functions.billed_ms + excluded.billed_ms,
         billed_mib_ms = usage_functions.billed_mib_ms + excluded.billed_mib_ms,
         peak_memory_bytes = CASE WHEN excluded.peak_memory_bytes > usage_functions.peak_memory_bytes
             THEN excluded.peak_memory_bytes ELSE usage_functions.peak_memory_bytes END,
         cpu_us = usage_functions.cpu_us + excluded.cpu_us,
         bytes_in = usage_functions.bytes_in + excluded.bytes_in,
         bytes_out = usage_functions.bytes_out + excluded.bytes_out"
    };
}

/// Adds what a function used in a minute.
pub(super) fn add_function(batch: Batch, series: i64, minute: i64, used: &UsageTotals) -> Batch {
    let numbers = [
        used.invocations,
        used.errors,
        used.timeouts,
        used.cold_starts,
        used.init_us,
        used.duration_us,
        used.billed_ms,
        used.billed_mib_ms,
        used.peak_memory_bytes,
        used.cpu_us,
        used.bytes_in,
        used.bytes_out,
    ];
    let numbers = numbers.map(|number| stored(number).into());
    batch.run(
        concat!(
            "INSERT INTO usage_functions (series, span, start, invocations, errors, timeouts, cold_starts, init_us,
                duration_us, billed_ms, billed_mib_ms, peak_memory_bytes, cpu_us, bytes_in, bytes_out)
             VALUES ($1, 1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14) ",
            merge_functions!()
        ),
        [series.into(), minute.into()].into_iter().chain(numbers).collect(),
    )
}

/// Adds what was counted in a minute.
pub(super) fn add_count(batch: Batch, series: i64, minute: i64, quantity: u64) -> Batch {
    batch.run(
        "INSERT INTO usage_counts (series, span, start, quantity) VALUES ($1, 1, $2, $3)
         ON CONFLICT (span, start, series) DO UPDATE SET quantity = usage_counts.quantity + excluded.quantity",
        vec![series.into(), minute.into(), stored(quantity).into()],
    )
}

/// Beyond what a column holds nothing is counted any more, as nothing can have used so much.
fn stored(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// What buckets of `span` minutes hold from `from` to before `until` becomes buckets of `wider` minutes.
pub(super) fn roll_up(batch: Batch, (span, wider): (i64, i64), (from, until): (i64, i64)) -> Batch {
    let of = || vec![span.into(), wider.into(), from.into(), until.into()];
    let gone = || vec![span.into(), from.into(), until.into()];
    batch
        .run(
            concat!(
                "INSERT INTO usage_functions (series, span, start, invocations, errors, timeouts, cold_starts, init_us,
                    duration_us, billed_ms, billed_mib_ms, peak_memory_bytes, cpu_us, bytes_in, bytes_out)
                 SELECT series, CAST($2 AS BIGINT), start / $2 * $2, SUM(invocations), SUM(errors), SUM(timeouts),
                    SUM(cold_starts), SUM(init_us), SUM(duration_us), SUM(billed_ms), SUM(billed_mib_ms),
                    MAX(peak_memory_bytes), SUM(cpu_us), SUM(bytes_in), SUM(bytes_out)
                 FROM usage_functions WHERE span = $1 AND start >= $3 AND start < $4
                 GROUP BY series, start / $2 * $2 ",
                merge_functions!()
            ),
            of(),
        )
        .run(
            "INSERT INTO usage_counts (series, span, start, quantity)
             SELECT series, CAST($2 AS BIGINT), start / $2 * $2, SUM(quantity)
             FROM usage_counts WHERE span = $1 AND start >= $3 AND start < $4
             GROUP BY series, start / $2 * $2
             ON CONFLICT (span, start, series) DO UPDATE SET quantity = usage_counts.quantity + excluded.quantity",
            of(),
        )
        .run(
            "DELETE FROM usage_functions WHERE span = $1 AND start >= $2 AND start < $3",
            gone(),
        )
        .run(
            "DELETE FROM usage_counts WHERE span = $1 AND start >= $2 AND start < $3",
            gone(),
        )
}

/// Deletes what began before `before`, and the series that have nothing left.
pub(super) fn forget(batch: Batch, before: i64) -> Batch {
    batch
        .run(
            "DELETE FROM usage_functions WHERE start < $1",
            vec![before.into()],
        )
        .run("DELETE FROM usage_counts WHERE start < $1", vec![before.into()])
        .run(
            "DELETE FROM usage_series WHERE id NOT IN (SELECT series FROM usage_functions)
             AND id NOT IN (SELECT series FROM usage_counts)",
            Vec::new(),
        )
}

/// The ids of all series.
pub(super) async fn series(database: &Database) -> Result<HashSet<i64>, DatabaseError> {
    let rows = database.read("SELECT id FROM usage_series", Vec::new()).await?;
    rows.iter().map(|row| row.integer(0)).collect()
}

/// The start of the oldest bucket of that span; of any for none.
pub(super) async fn oldest(database: &Database, span: Option<i64>) -> Result<Option<i64>, DatabaseError> {
    let widest = span.unwrap_or(i64::MAX);
    let rows = database.read(
        "SELECT MIN(start) FROM (
            SELECT MIN(start) AS start FROM usage_functions WHERE span >= $1 AND span <= $2
            UNION ALL SELECT MIN(start) AS start FROM usage_counts WHERE span >= $1 AND span <= $2) AS oldest",
        vec![span.unwrap_or(0).into(), widest.into()],
    );
    rows.await?
        .first()
        .map_or(Ok(None), |row| row.optional_integer(0))
}

/// What one series used over a time.
pub(super) struct Sum {
    pub(super) item: String,
    pub(super) resource: String,
    pub(super) version: String,
    pub(super) memory_mib: u32,
    pub(super) stack: Option<String>,
    /// For functions.
    pub(super) totals: UsageTotals,
    /// For all else.
    pub(super) quantity: u64,
}

/// What buckets hold that begin from `from` to before `until`, in minutes since the epoch.
pub(super) async fn sums(database: &Database, from: i64, until: i64) -> Result<Vec<Sum>, DatabaseError> {
    let functions = database.read(
        "SELECT s.item, s.resource, s.version, s.memory_mib, s.stack, b.n1, b.n2, b.n3, b.n4, b.n5, b.n6, b.n7, b.n8,
            b.n9, b.n10, b.n11, b.n12
         FROM usage_series AS s JOIN (SELECT series, CAST(SUM(invocations) AS BIGINT) AS n1,
            CAST(SUM(errors) AS BIGINT) AS n2, CAST(SUM(timeouts) AS BIGINT) AS n3,
            CAST(SUM(cold_starts) AS BIGINT) AS n4, CAST(SUM(init_us) AS BIGINT) AS n5,
            CAST(SUM(duration_us) AS BIGINT) AS n6, CAST(SUM(billed_ms) AS BIGINT) AS n7,
            CAST(SUM(billed_mib_ms) AS BIGINT) AS n8, MAX(peak_memory_bytes) AS n9,
            CAST(SUM(cpu_us) AS BIGINT) AS n10, CAST(SUM(bytes_in) AS BIGINT) AS n11,
            CAST(SUM(bytes_out) AS BIGINT) AS n12
            FROM usage_functions WHERE start >= $1 AND start < $2 GROUP BY series) AS b ON b.series = s.id
         ORDER BY s.resource, s.version, s.memory_mib",
        vec![from.into(), until.into()],
    );
    let counts = database.read(
        "SELECT s.item, s.resource, s.version, s.memory_mib, s.stack, b.quantity
         FROM usage_series AS s JOIN (SELECT series, CAST(SUM(quantity) AS BIGINT) AS quantity
            FROM usage_counts WHERE start >= $1 AND start < $2 GROUP BY series) AS b ON b.series = s.id
         ORDER BY s.item, s.resource",
        vec![from.into(), until.into()],
    );
    let mut sums = Vec::new();
    for row in &functions.await? {
        sums.push(Sum {
            totals: totals(row)?,
            ..sum(row)?
        });
    }
    for row in &counts.await? {
        sums.push(Sum {
            quantity: number(row, 5)?,
            ..sum(row)?
        });
    }
    Ok(sums)
}

fn sum(row: &Row) -> Result<Sum, DatabaseError> {
    Ok(Sum {
        item: row.text(0)?.to_owned(),
        resource: row.text(1)?.to_owned(),
        version: row.text(2)?.to_owned(),
        memory_mib: u32::try_from(row.integer(3)?).unwrap_or_default(),
        stack: row.optional_text(4)?.map(str::to_owned),
        totals: UsageTotals::default(),
        quantity: 0,
    })
}

fn totals(row: &Row) -> Result<UsageTotals, DatabaseError> {
    Ok(UsageTotals {
        invocations: number(row, 5)?,
        errors: number(row, 6)?,
        timeouts: number(row, 7)?,
        cold_starts: number(row, 8)?,
        init_us: number(row, 9)?,
        duration_us: number(row, 10)?,
        billed_ms: number(row, 11)?,
        billed_mib_ms: number(row, 12)?,
        peak_memory_bytes: number(row, 13)?,
        cpu_us: number(row, 14)?,
        bytes_in: number(row, 15)?,
        bytes_out: number(row, 16)?,
    })
}

fn number(row: &Row, column: usize) -> Result<u64, DatabaseError> {
    Ok(u64::try_from(row.integer(column)?).unwrap_or_default())
}
