//! A pipe.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use serde_json::{Map, Value, json};
use tradewind_model::{AccountId, Arn, Region, Timestamp};

use crate::error::PipesError;
use crate::settings::{Plan, Settings, State};

/// Which pipe. It prints as its ARN.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct PipeId {
    pub(crate) account: AccountId,
    pub(crate) region: Region,
    name: Box<str>,
}

impl PipeId {
    /// Names are 1–64 of `A-Z a-z 0-9 . - _`.
    pub(crate) fn parse(account: AccountId, region: Region, name: &str) -> Result<Self, PipesError> {
        let is_allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
        let rule = if name.is_empty() {
            "Member must have length greater than or equal to 1"
        } else if name.len() > 64 {
            "Member must have length less than or equal to 64"
        } else if !name.bytes().all(is_allowed) {
            r"Member must satisfy regular expression pattern: [\.\-_A-Za-z0-9]+"
        } else {
            let name = name.into();
            return Ok(Self {
                account,
                region,
                name,
            });
        };
        Err(PipesError::violation("name", name, rule))
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }
}

impl fmt::Display for PipeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            account,
            region,
            name,
        } = self;
        write!(f, "arn:aws:pipes:{region}:{account}:pipe/{name}")
    }
}

impl FromStr for PipeId {
    type Err = PipesError;

    fn from_str(text: &str) -> Result<Self, PipesError> {
        let read = || {
            let arn: Arn = text.parse().ok().filter(|arn: &Arn| &*arn.service == "pipes")?;
            let name = arn.resource.strip_prefix("pipe/")?;
            Self::parse(arn.account.parse().ok()?, arn.region.parse().ok()?, name).ok()
        };
        read().ok_or_else(|| PipesError::violation("resourceArn", text, "Member must be the ARN of a pipe"))
    }
}

/// A pipe as it is configured.
#[derive(Clone, Debug)]
pub(crate) struct Pipe {
    pub(crate) id: PipeId,
    pub(crate) settings: Settings,
    /// What the settings mean.
    pub(crate) plan: Plan,
    pub(crate) tags: BTreeMap<String, String>,
    pub(crate) created: Timestamp,
    pub(crate) modified: Timestamp,
    /// The resource of a stack that it belongs to.
    pub(crate) owner: Option<String>,
}

impl Pipe {
    pub(crate) fn is_running(&self) -> bool {
        self.settings.desired_state == State::Running
    }

    /// What operations that change a pipe answer, and lists.
    pub(crate) fn summary(&self) -> Map<String, Value> {
        let state = self.settings.desired_state;
        let summary = json!({
            "Arn": self.id.to_string(),
            "Name": self.id.name(),
            "DesiredState": state,
            "CurrentState": state,
            "CreationTime": seconds(self.created),
            "LastModifiedTime": seconds(self.modified),
        });
        match summary {
            Value::Object(members) => members,
            _ => Map::new(),
        }
    }
}

fn seconds(time: Timestamp) -> Value {
    let millis = time.as_millis();
    json!(std::time::Duration::from_millis(millis.unsigned_abs()).as_secs_f64())
}
