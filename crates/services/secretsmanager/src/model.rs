//! A secret, its versions and their stages.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use tradewind_model::Timestamp;

use crate::error::SecretsManagerError;
use crate::names::SecretArn;

/// The stage of the version that is given to who asks for none.
pub(crate) const CURRENT: &str = "AWSCURRENT";
/// The stage of the version that was current before.
pub(crate) const PREVIOUS: &str = "AWSPREVIOUS";
/// Versions of a secret. AWS begins to forget those without stages near a hundred.
const MAX_VERSIONS: usize = 100;
/// For how long at least a version is kept that has no stage.
const KEPT_MS: i64 = 24 * 60 * 60 * 1000;
/// Stages of a version.
const MAX_STAGES: usize = 20;
/// The longest value, in bytes.
pub(crate) const MAX_VALUE: usize = 65_536;

/// Tags, by key.
pub(crate) type Tags = BTreeMap<String, String>;

/// A secret, but for its values, which are in rows of their own.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Secret {
    pub(crate) arn: SecretArn,
    pub(crate) description: Option<String>,
    pub(crate) tags: Tags,
    /// Kept, evaluated by nobody yet.
    pub(crate) policy: Option<Policy>,
    pub(crate) created: Timestamp,
    pub(crate) changed: Timestamp,
    /// The day of the last `GetSecretValue`.
    pub(crate) accessed: Option<Timestamp>,
    pub(crate) deletion: Option<Deletion>,
    /// From the oldest to the newest.
    pub(crate) versions: Vec<Version>,
    /// Which stack's resource it is.
    pub(crate) owner: Option<String>,
    /// The `GenerateSecretString` that a stack had the value made by, sealed (see `generated.rs`).
    pub(crate) generated_by: Option<String>,
}

/// A resource policy.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Policy {
    pub(crate) document: String,
    /// Which stack's resource it is.
    pub(crate) owner: Option<String>,
}

/// That a secret is to go.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(crate) struct Deletion {
    pub(crate) asked: Timestamp,
    pub(crate) due: Timestamp,
}

/// A version of a secret.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Version {
    pub(crate) id: String,
    pub(crate) created: Timestamp,
    pub(crate) accessed: Option<Timestamp>,
    pub(crate) stages: BTreeSet<String>,
    /// The value, sealed; in a row of its own.
    #[serde(skip)]
    pub(crate) sealed: Arc<[u8]>,
}

/// What is secret.
#[derive(Clone, PartialEq, Eq)]
pub(crate) enum SecretValue {
    Text(String),
    Binary(Vec<u8>),
}

impl fmt::Debug for SecretValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretValue(..)")
    }
}

impl Secret {
    /// A secret without a value.
    pub(crate) fn new(arn: SecretArn, now: Timestamp) -> Self {
        Self {
            arn,
            description: None,
            tags: Tags::new(),
            policy: None,
            created: now,
            changed: now,
            accessed: None,
            deletion: None,
            versions: Vec::new(),
            owner: None,
            generated_by: None,
        }
    }

    pub(crate) fn name(&self) -> &str {
        &self.arn.key.name
    }

    pub(crate) fn version(&self, id: &str) -> Option<&Version> {
        self.versions.iter().find(|version| version.id == id)
    }

    pub(crate) fn staged(&self, stage: &str) -> Option<&Version> {
        self.versions
            .iter()
            .find(|version| version.stages.contains(stage))
    }

    /// Adds a version, gives it the stages, and forgets versions without stages as AWS does. Gives the ids of
    /// those.
    pub(crate) fn add(
        &mut self,
        version: Version,
        stages: &BTreeSet<String>,
        now: Timestamp,
    ) -> Result<Vec<String>, SecretsManagerError> {
        let id = version.id.clone();
        let first = self.versions.is_empty();
        self.versions.push(version);
        for stage in stages {
            self.move_stage(stage, Some(&id));
        }
        if first {
            self.move_stage(CURRENT, Some(&id));
        }
        self.changed = now;
        self.check_stages()?;
        self.forget(now)
    }

    /// Moves a stage to the version `to`, or takes it away. The version that was current becomes the previous
    /// one.
    pub(crate) fn move_stage(&mut self, stage: &str, to: Option<&str>) {
        let from = self.staged(stage).map(|version| version.id.clone());
        if from.as_deref() == to {
            return;
        }
        for version in &mut self.versions {
            version.stages.remove(stage);
            if Some(version.id.as_str()) == to {
                version.stages.insert(stage.to_owned());
            }
        }
        if let Some(from) = from.filter(|_| stage == CURRENT) {
            self.move_stage(PREVIOUS, Some(&from));
        }
    }

    pub(crate) fn check_stages(&self) -> Result<(), SecretsManagerError> {
        if self
            .versions
            .iter()
            .any(|version| version.stages.len() > MAX_STAGES)
        {
            let text = format!("A version has at most {MAX_STAGES} staging labels.");
            return Err(SecretsManagerError::LimitExceeded(text));
        }
        Ok(())
    }

    fn forget(&mut self, now: Timestamp) -> Result<Vec<String>, SecretsManagerError> {
        let mut gone = Vec::new();
        while self.versions.len() > MAX_VERSIONS {
            let old = self
                .versions
                .iter()
                .position(|version| version.stages.is_empty() && version.created.plus_millis(KEPT_MS) <= now);
            let Some(old) = old else {
                let text = "You can't create more than 100 versions of a secret within a day; versions without a \
                            staging label are removed when they are a day old.";
                return Err(SecretsManagerError::LimitExceeded(text.into()));
            };
            gone.push(self.versions.remove(old).id);
        }
        Ok(gone)
    }
}

#[cfg(test)]
mod tests {
    use tradewind_model::{AccountId, Region};

    use super::*;
    use crate::names::SecretKey;

    fn secret() -> Secret {
        let key = SecretKey::new(&AccountId::default_account(), &Region::default_region(), "s").unwrap();
        Secret::new(SecretArn::random(key), Timestamp::default())
    }

    fn add(
        secret: &mut Secret,
        id: &str,
        stages: &[&str],
        now: i64,
    ) -> Result<Vec<String>, SecretsManagerError> {
        let now = Timestamp::from_millis(now);
        let version = Version {
            id: id.into(),
            created: now,
            accessed: None,
            stages: BTreeSet::new(),
            sealed: Arc::default(),
        };
        let stages = stages.iter().map(ToString::to_string).collect();
        secret.add(version, &stages, now)
    }

    fn at(secret: &Secret, stage: &str) -> Option<String> {
        secret.staged(stage).map(|version| version.id.clone())
    }

    #[test]
    fn what_was_current_becomes_the_previous_one() {
        let mut secret = secret();
        add(&mut secret, "a", &["AWSPENDING"], 0).unwrap();
        assert_eq!(at(&secret, CURRENT).unwrap(), "a", "the first version is current");
        add(&mut secret, "b", &["AWSPENDING"], 0).unwrap();
        assert_eq!(
            (at(&secret, CURRENT).unwrap(), at(&secret, "AWSPENDING").unwrap()),
            ("a".into(), "b".into())
        );
        secret.move_stage(CURRENT, Some("b"));
        secret.move_stage(CURRENT, Some("b"));
        assert_eq!(
            (at(&secret, CURRENT).unwrap(), at(&secret, PREVIOUS).unwrap()),
            ("b".into(), "a".into())
        );
        add(&mut secret, "c", &[CURRENT], 0).unwrap();
        assert_eq!(at(&secret, PREVIOUS).unwrap(), "b");
        assert!(secret.version("a").unwrap().stages.is_empty());
        secret.move_stage("AWSPENDING", None);
        assert_eq!(at(&secret, "AWSPENDING"), None);
    }

    #[test]
    fn old_versions_without_stages_make_room() {
        let mut secret = secret();
        for n in 0..MAX_VERSIONS {
            assert_eq!(add(&mut secret, &n.to_string(), &[CURRENT], 0).unwrap(), [""; 0]);
        }
        let too_soon = add(&mut secret.clone(), "new", &[CURRENT], KEPT_MS - 1);
        assert!(
            matches!(too_soon, Err(SecretsManagerError::LimitExceeded(_))),
            "{too_soon:?}"
        );
        assert_eq!(add(&mut secret, "new", &[CURRENT], KEPT_MS).unwrap(), ["0"]);
        assert_eq!(secret.versions.len(), MAX_VERSIONS);
    }
}
