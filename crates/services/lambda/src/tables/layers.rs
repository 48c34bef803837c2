//! The rows of layers: one for each name, which keeps the next number, and one for each version.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use tradewind_model::Timestamp;
use tradewind_store::{Batch, Database, Row, SqlValue};

use super::stored::{FORMAT, policy_of, policy_text};
use super::{LoadFunctionsError, display, number, unsigned};
use crate::layer::{Description, Layer, LayerArn, LayerVersion};
use crate::model::{Architecture, Code, Owner};

const PUT: &str = "INSERT INTO lambda_layers (account, region, name, next_version) VALUES ($1, $2, $3, $4) \
    ON CONFLICT (account, region, name) DO UPDATE SET next_version = excluded.next_version";
const PUT_VERSION: &str = "INSERT INTO lambda_layer_versions (account, region, name, version, document) VALUES ($1, $2, $3, $4, $5) \
    ON CONFLICT (account, region, name, version) DO UPDATE SET document = excluded.document";
const DELETE_VERSION: &str = "DELETE FROM lambda_layer_versions \
    WHERE account = $1 AND region = $2 AND name = $3 AND version = $4";
const LAYERS: &str = "SELECT account, region, name, next_version FROM lambda_layers";
const VERSIONS: &str = "SELECT account, region, name, version, document FROM lambda_layer_versions";

/// The statements that turn `before` into `after`, both states of one layer.
pub(crate) fn change(before: Option<&Layer>, after: &Layer) -> Batch {
    let mut row = key(&after.arn);
    row.push(number(after.next_version));
    let mut batch = Batch::new().run(PUT, row);
    let old = before.map(|layer| &layer.versions);
    for (version, content) in &after.versions {
        if old.and_then(|old| old.get(version)) != Some(content) {
            let mut row = key(&after.arn);
            row.extend([number(*version), document(content)]);
            batch = batch.run(PUT_VERSION, row);
        }
    }
    let gone = old.into_iter().flat_map(BTreeMap::keys);
    for version in gone.filter(|version| !after.versions.contains_key(version)) {
        let mut row = key(&after.arn);
        row.push(number(*version));
        batch = batch.run(DELETE_VERSION, row);
    }
    batch
}

fn key(arn: &LayerArn) -> Vec<SqlValue> {
    vec![
        arn.account.as_str().into(),
        arn.region.as_str().into(),
        arn.name.as_str().into(),
    ]
}

/// Reads every layer.
pub(crate) async fn load(database: &Database) -> Result<Vec<Layer>, LoadFunctionsError> {
    let mut layers = BTreeMap::new();
    for row in database.read(LAYERS, vec![]).await? {
        let arn = arn_of(&row)?;
        let next_version = unsigned(row.integer(3)?).map_err(|reason| broken(&arn, reason))?;
        let layer = Layer {
            next_version,
            ..Layer::new(arn.clone())
        };
        layers.insert(arn, layer);
    }
    for row in database.read(VERSIONS, vec![]).await? {
        let arn = arn_of(&row)?;
        let version = unsigned(row.integer(3)?).map_err(|reason| broken(&arn, reason))?;
        let content = version_of(row.text(4)?).map_err(|reason| broken(&arn, reason))?;
        if let Some(layer) = layers.get_mut(&arn) {
            layer.versions.insert(version, content);
        }
    }
    Ok(layers.into_values().collect())
}

/// The key in the first three columns.
fn arn_of(row: &Row) -> Result<LayerArn, LoadFunctionsError> {
    let text = format!(
        "arn:aws:lambda:{}:{}:layer:{}",
        row.text(1)?,
        row.text(0)?,
        row.text(2)?
    );
    text.parse().map_err(|_invalid| LoadFunctionsError::Row {
        function: text.clone(),
        reason: "its key is not an account, a region and a layer name".to_owned(),
    })
}

fn broken(arn: &LayerArn, reason: String) -> LoadFunctionsError {
    LoadFunctionsError::Row {
        function: arn.to_string(),
        reason,
    }
}

/// The stored form of a layer version.
#[derive(Serialize, Deserialize)]
struct StoredLayerVersion {
    format: u32,
    package: String,
    code_size_bytes: u64,
    description: String,
    license: Option<String>,
    runtimes: Vec<String>,
    architectures: Vec<String>,
    created_ms: i64,
    /// As policies of functions are stored.
    policy: Option<Value>,
    stack: Option<String>,
    owner: Option<String>,
}

fn document(version: &LayerVersion) -> SqlValue {
    let Description {
        text,
        license,
        runtimes,
        architectures,
    } = version.description.clone();
    let stored = StoredLayerVersion {
        format: FORMAT,
        package: version.code.package.to_string(),
        code_size_bytes: version.code.size_bytes,
        description: text,
        license,
        runtimes,
        architectures: architectures
            .iter()
            .map(|known| known.as_str().to_owned())
            .collect(),
        created_ms: version.created.as_millis(),
        policy: version.policy.as_ref().map(policy_text),
        stack: version.owner.as_ref().map(|owner| owner.stack.clone()),
        owner: version.owner.as_ref().map(|owner| owner.resource.clone()),
    };
    serde_json::to_string(&stored)
        .expect("text, numbers and lists of text are JSON")
        .into()
}

fn version_of(text: &str) -> Result<LayerVersion, String> {
    let stored: StoredLayerVersion = serde_json::from_str(text).map_err(display)?;
    if stored.format != FORMAT {
        return Err(format!(
            "its version has format {}, this binary knows {FORMAT}",
            stored.format
        ));
    }
    let architectures = stored.architectures.iter().map(|name| Architecture::parse(name));
    let owner = stored.stack.zip(stored.owner);
    let policy = stored.policy.map(|policy| policy_of(&policy.to_string()));
    Ok(LayerVersion {
        code: Code {
            package: stored.package.parse().map_err(display)?,
            size_bytes: stored.code_size_bytes,
        },
        description: Description {
            text: stored.description,
            license: stored.license,
            runtimes: stored.runtimes,
            architectures: architectures
                .collect::<Option<_>>()
                .ok_or("unknown architecture")?,
        },
        created: Timestamp::from_millis(stored.created_ms),
        policy: policy.transpose()?,
        owner: owner.map(|(stack, resource)| Owner { stack, resource }),
    })
}
