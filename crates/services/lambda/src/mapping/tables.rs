//! The table of mappings. No other module reads it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use tradewind_model::Timestamp;
use tradewind_store::{Batch, Database, Migration, Row};

use super::filter::Filters;
use super::kafka::{KafkaSettings, StoredKafka};
use super::model::{Mapping, MappingId, Settings, Source};
use crate::error::LambdaError;
use crate::model::Owner;
use crate::tables::LoadFunctionsError;

/// The schema.
pub const MIGRATIONS: &[Migration] = &[Migration {
    service: "lambda_mappings",
    version: 1,
    sql: "CREATE TABLE lambda_mappings (
            id TEXT NOT NULL PRIMARY KEY,
            account TEXT NOT NULL,
            region TEXT NOT NULL,
            document TEXT NOT NULL)",
}];

const FORMAT: u32 = 1;
/// As the first, with [`Stored::kafka`]: nodes of before do not take it for a queue.
const KAFKA_FORMAT: u32 = 2;

/// The stored form of a mapping. Formats 1 (queues) and 2 (topics) are the first; a later one gets a struct of its own.
#[derive(Serialize, Deserialize)]
struct Stored {
    format: u32,
    /// Of a queue; else empty.
    #[serde(default)]
    source: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    kafka: Option<StoredKafka>,
    function: String,
    enabled: bool,
    batch_size: u32,
    window_seconds: Option<u32>,
    maximum_concurrency: Option<u32>,
    reports_failures: bool,
    /// The patterns, as they were written.
    filters: Vec<String>,
    tags: BTreeMap<String, String>,
    modified_ms: i64,
    /// Stack and resource.
    owner: Option<(String, String)>,
}

/// Stores a mapping, new or changed.
pub(super) fn put(batch: Batch, mapping: &Mapping) -> Result<Batch, LambdaError> {
    let settings = &mapping.settings;
    let (format, source, kafka) = match &mapping.source {
        Source::Queue(arn) => (FORMAT, arn.to_string(), None),
        Source::Kafka(topic) => {
            let kafka = StoredKafka::new(topic, &settings.kafka);
            (KAFKA_FORMAT, String::new(), Some(kafka))
        }
    };
    let stored = Stored {
        format,
        source,
        kafka,
        function: mapping.function.to_string(),
        enabled: mapping.enabled,
        batch_size: settings.batch_size,
        window_seconds: settings.window_seconds,
        maximum_concurrency: settings.maximum_concurrency,
        reports_failures: settings.reports_failures,
        filters: settings.filters.texts().map(str::to_owned).collect(),
        tags: mapping.tags.clone(),
        modified_ms: mapping.modified.as_millis(),
        owner: mapping
            .owner
            .as_ref()
            .map(|owner| (owner.stack.clone(), owner.resource.clone())),
    };
    let document = serde_json::to_string(&stored).map_err(LambdaError::internal)?;
    Ok(batch.run(
        "INSERT INTO lambda_mappings (id, account, region, document) VALUES ($1, $2, $3, $4)
         ON CONFLICT (id) DO UPDATE SET document = excluded.document",
        vec![
            mapping.id.to_string().into(),
            mapping.account.as_str().into(),
            mapping.region.as_str().into(),
            document.into(),
        ],
    ))
}

/// Removes a mapping.
pub(super) fn delete(batch: Batch, id: MappingId) -> Batch {
    batch.run(
        "DELETE FROM lambda_mappings WHERE id = $1",
        vec![id.to_string().into()],
    )
}

/// All mappings.
pub(super) async fn load(database: &Database) -> Result<Vec<Mapping>, LoadFunctionsError> {
    let rows = database.read(
        "SELECT id, account, region, document FROM lambda_mappings ORDER BY id",
        vec![],
    );
    rows.await?.iter().map(mapping).collect()
}

fn mapping(row: &Row) -> Result<Mapping, LoadFunctionsError> {
    let id = row.text(0)?;
    parse(row.text(0)?, row.text(1)?, row.text(2)?, row.text(3)?).map_err(|reason| LoadFunctionsError::Row {
        function: format!("event source mapping {id}"),
        reason,
    })
}

fn parse(id: &str, account: &str, region: &str, document: &str) -> Result<Mapping, String> {
    let stored: Stored = serde_json::from_str(document).map_err(display)?;
    if ![FORMAT, KAFKA_FORMAT].contains(&stored.format) {
        return Err(format!(
            "its format is {}, written by a newer node",
            stored.format
        ));
    }
    let (source, kafka) = match stored.kafka {
        Some(kafka) => {
            let (topic, settings) = kafka.parse()?;
            (Source::Kafka(topic), settings)
        }
        None => {
            let arn = stored.source.parse().map_err(display)?;
            (Source::Queue(arn), KafkaSettings::default())
        }
    };
    Ok(Mapping {
        id: id.parse().map_err(display)?,
        account: account.parse().map_err(display)?,
        region: region.parse().map_err(display)?,
        source,
        function: stored.function.parse().map_err(display)?,
        enabled: stored.enabled,
        settings: Settings {
            batch_size: stored.batch_size,
            window_seconds: stored.window_seconds,
            maximum_concurrency: stored.maximum_concurrency,
            reports_failures: stored.reports_failures,
            filters: Filters::parse(stored.filters.iter().map(String::as_str)).map_err(display)?,
            kafka,
        },
        tags: stored.tags,
        modified: Timestamp::from_millis(stored.modified_ms),
        owner: stored.owner.map(|(stack, resource)| Owner { stack, resource }),
    })
}

fn display(error: impl std::fmt::Display) -> String {
    error.to_string()
}
