//! Log groups, streams and subscription filters, and the types their properties are parsed into.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use tradewind_model::{AccountId, Arn, Region, Timestamp};

use crate::pattern::FilterPattern;

/// A log group's name: 1 to 512 of letters, digits and `._/#-`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct LogGroupName(Box<str>);

/// A log stream's name: 1 to 512 characters, neither `:` nor `*`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct LogStreamName(Box<str>);

/// Which log group.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct GroupKey {
    pub(crate) account: AccountId,
    pub(crate) region: Region,
    pub(crate) name: LogGroupName,
}

/// A log group as it is served.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Group {
    pub(crate) key: GroupKey,
    pub(crate) settings: LogGroup,
    /// The resource of a stack that has it; none for those that the API made, or a function by logging.
    pub(crate) owner: Option<String>,
    /// By name.
    pub(crate) filters: BTreeMap<String, SubscriptionFilter>,
}

/// Where the events of a group go besides.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct SubscriptionFilter {
    pub(crate) pattern: FilterPattern,
    /// A function.
    pub(crate) destination: Arn,
    pub(crate) distribution: Option<String>,
    pub(crate) created: Timestamp,
    /// The resource of a stack that has it.
    pub(crate) owner: Option<String>,
}

/// For how many days events are kept: one of the values CloudWatch Logs allows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(transparent)]
pub struct RetentionDays(u32);

/// CloudWatch Logs API Reference, `PutRetentionPolicy`.
pub(crate) const ALLOWED_RETENTION_DAYS: &[u32] = &[
    1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653,
];

/// A property of a log group that breaks its rule.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidLogGroup {
    /// The name.
    #[error("log group name `{0}` is not valid: 1 to 512 letters, digits or `._/#-`")]
    Name(String),
    /// The name of a stream.
    #[error("log stream name `{0}` is not valid: 1 to 512 characters, neither `:` nor `*`")]
    Stream(String),
    /// The retention.
    #[error("RetentionInDays {0} is not allowed: use one of {ALLOWED_RETENTION_DAYS:?}")]
    Retention(i64),
}

/// What a log group is, except for its name. This is also the form in its row: members may be
/// added, never renamed.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct LogGroup {
    /// Without one, events are kept as long as there is room.
    pub retention: Option<RetentionDays>,
    /// Tags.
    pub tags: BTreeMap<String, String>,
    /// When it was made, as far as that is known.
    #[serde(default)]
    pub created: Option<Timestamp>,
}

impl GroupKey {
    /// `arn:aws:logs:…:log-group:name`, without the `:*` of its streams.
    pub(crate) fn arn(&self) -> String {
        let Self {
            account,
            region,
            name,
        } = self;
        format!("arn:aws:logs:{region}:{account}:log-group:{name}")
    }
}

impl Group {
    /// A group with nothing set.
    pub(crate) fn new(key: GroupKey, created: Option<Timestamp>) -> Self {
        Self {
            key,
            settings: LogGroup {
                created,
                ..LogGroup::default()
            },
            owner: None,
            filters: BTreeMap::new(),
        }
    }
}

impl LogStreamName {
    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for LogStreamName {
    type Err = InvalidLogGroup;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if (1..=512).contains(&text.chars().count()) && !text.contains([':', '*']) {
            return Ok(Self(text.into()));
        }
        Err(InvalidLogGroup::Stream(text.into()))
    }
}

impl fmt::Display for LogStreamName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl LogGroupName {
    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The ARN that `Fn::GetAtt` gives; it covers the streams of the group.
    #[must_use]
    pub fn arn(&self, account: &AccountId, region: &Region) -> String {
        format!("arn:aws:logs:{region}:{account}:log-group:{}:*", self.0)
    }
}

impl RetentionDays {
    /// A number of days.
    ///
    /// # Errors
    /// When CloudWatch Logs does not allow it.
    pub fn new(days: i64) -> Result<Self, InvalidLogGroup> {
        let allowed = u32::try_from(days)
            .ok()
            .filter(|days| ALLOWED_RETENTION_DAYS.contains(days));
        allowed.map(Self).ok_or(InvalidLogGroup::Retention(days))
    }

    /// The number of days.
    #[must_use]
    pub const fn get(self) -> u32 {
        self.0
    }
}

impl FromStr for LogGroupName {
    type Err = InvalidLogGroup;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let allowed = |b: u8| b.is_ascii_alphanumeric() || b"._/#-".contains(&b);
        if (1..=512).contains(&text.len()) && text.bytes().all(allowed) {
            return Ok(Self(text.into()));
        }
        Err(InvalidLogGroup::Name(text.into()))
    }
}

impl fmt::Display for LogGroupName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_follow_cloudwatchs_rule() {
        for name in ["/aws/lambda/shop-dev-cart", "a.b_c#d", &"x".repeat(512)] {
            assert_eq!(name.parse::<LogGroupName>().unwrap().to_string(), name);
        }
        for name in ["", "a b", "a:b", "ü", &"x".repeat(513)] {
            assert!(name.parse::<LogGroupName>().is_err(), "{name}");
        }
    }

    #[test]
    fn only_the_listed_retentions_are_allowed() {
        assert_eq!(RetentionDays::new(14).unwrap().get(), 14);
        for days in [0, 2, -7, 3654, i64::MAX] {
            assert_eq!(RetentionDays::new(days), Err(InvalidLogGroup::Retention(days)));
        }
    }
}
