//! Log groups, and the types their properties are parsed into.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use tradewind_model::{AccountId, Region};

/// A log group's name: 1 to 512 of letters, digits and `._/#-`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct LogGroupName(Box<str>);

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
