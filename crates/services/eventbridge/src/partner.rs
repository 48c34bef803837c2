//! Partner event sources: what one account offers another, and whether its events arrive.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use tradewind_model::{Region, Timestamp};

use crate::error::EventBridgeError;
use crate::names::{BusArn, required};
use crate::tables::Stored;

/// How the names of partner event sources, and of their buses, begin.
pub(crate) const PARTNERS: &str = "aws.partner/";
/// How long a source may have no active bus. API Reference, `DeactivateEventSource`.
const PENDING: Duration = Duration::from_hours(14 * 24);
const MAX_NAME: usize = 256;

/// A source that a partner made for an account.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct PartnerSource {
    /// The bus that takes its events, of the account it was made for. It has the source's name.
    pub(crate) bus: BusArn,
    /// The account that made it.
    pub(crate) partner: Box<str>,
    pub(crate) created: Timestamp,
    /// Since when it waits, if it does.
    pub(crate) since: Timestamp,
    pub(crate) deactivated: bool,
    /// The partner removed it.
    pub(crate) deleted: bool,
}

/// Whether events arrive. API Reference, `EventSource`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub(crate) enum SourceState {
    /// There is no bus yet, or it is deactivated.
    Pending,
    Active,
    /// There is a bus, and nothing will arrive any more.
    Deleted,
}

impl PartnerSource {
    pub(crate) fn name(&self) -> &str {
        &self.bus.name
    }

    pub(crate) fn arn(&self) -> String {
        source_arn(&self.bus.region, self.name())
    }

    /// The partner's name, as its sources tell it.
    pub(crate) fn created_by(&self) -> &str {
        let rest = self.name().strip_prefix(PARTNERS).unwrap_or_default();
        rest.split('/').next().unwrap_or_default()
    }

    /// None when it is gone: the partner removed it, or it waited too long.
    pub(crate) fn state(&self, has_bus: bool, now: Timestamp) -> Option<SourceState> {
        let waits = self.deactivated || !has_bus;
        match (self.deleted || waits && self.expires() <= now, waits) {
            (true, _) => has_bus.then_some(SourceState::Deleted),
            (false, true) => Some(SourceState::Pending),
            (false, false) => Some(SourceState::Active),
        }
    }

    /// When it ends if it goes on waiting.
    pub(crate) fn expires(&self) -> Timestamp {
        let wait = i64::try_from(PENDING.as_millis()).unwrap_or(i64::MAX);
        self.since.plus_millis(wait)
    }
}

impl Stored for PartnerSource {
    const KIND: &'static str = "partner-source";
    fn key(&self) -> String {
        format!("{}#{}", self.arn(), self.bus.account)
    }
}

fn source_arn(region: &Region, name: &str) -> String {
    format!("arn:aws:events:{region}::event-source/{name}")
}

/// The name of a source: `aws.partner/PARTNER/NAMESPACE…`.
pub(crate) fn source_name(name: Option<String>) -> Result<String, EventBridgeError> {
    let name = required(name, "name")?;
    let quoted = format!("'{name}'");
    if name.len() > MAX_NAME {
        let rule = format!("Member must have length less than or equal to {MAX_NAME}");
        return Err(EventBridgeError::constraint(&quoted, "name", &rule));
    }
    let is_part = |part: &str| {
        !part.is_empty()
            && part
                .chars()
                .all(|c| c.is_ascii_alphanumeric() || ".-_".contains(c))
    };
    let mut parts = name.strip_prefix(PARTNERS).unwrap_or_default().split('/');
    if parts.clone().count() < 2 || !parts.all(is_part) {
        let rule = r"Member must satisfy regular expression pattern: aws\.partner(/[\.\-_A-Za-z0-9]+){2,}";
        return Err(EventBridgeError::constraint(&quoted, "name", rule));
    }
    Ok(name)
}
