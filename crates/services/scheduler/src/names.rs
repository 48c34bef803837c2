//! Names of schedules and groups, and the ARNs made of them.

use std::fmt;
use std::str::FromStr;

use tradewind_model::{AccountId, Arn, Region};

use crate::error::SchedulerError;

/// The group of schedules that name none.
const DEFAULT_GROUP: &str = "default";

/// The name of a schedule or group: 1–64 of `A-Z a-z 0-9 - _ .`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Name(Box<str>);

/// Where requests are answered: an account in a region.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Scope {
    pub(crate) account: AccountId,
    pub(crate) region: Region,
}

/// Which group.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct GroupId {
    pub(crate) scope: Scope,
    pub(crate) name: Name,
}

/// Which schedule. It prints as its ARN.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct ScheduleId {
    pub(crate) group: GroupId,
    pub(crate) name: Name,
}

impl Name {
    /// Reads the name given as the member `member` of a request.
    pub(crate) fn parse(member: &'static str, text: &str) -> Result<Self, SchedulerError> {
        let is_allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
        let rule = if text.is_empty() {
            "Member must have length greater than or equal to 1"
        } else if text.len() > 64 {
            "Member must have length less than or equal to 64"
        } else if !text.bytes().all(is_allowed) {
            "Member must satisfy regular expression pattern: [0-9a-zA-Z-_.]+"
        } else {
            return Ok(Self(text.into()));
        };
        Err(SchedulerError::violation(member, text, rule))
    }

    pub(crate) fn default_group() -> Self {
        Self(DEFAULT_GROUP.into())
    }

    pub(crate) fn is_default_group(&self) -> bool {
        &*self.0 == DEFAULT_GROUP
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl GroupId {
    /// What the ARNs of its schedules begin with, which no other group's do.
    pub(crate) fn prefix(&self) -> String {
        let Scope { account, region } = &self.scope;
        format!("arn:aws:scheduler:{region}:{account}:schedule/{}/", self.name)
    }
}

impl fmt::Display for GroupId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Scope { account, region } = &self.scope;
        write!(
            f,
            "arn:aws:scheduler:{region}:{account}:schedule-group/{}",
            self.name
        )
    }
}

impl fmt::Display for ScheduleId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.group.prefix(), self.name)
    }
}

fn scope_of(arn: &Arn) -> Option<Scope> {
    let scope = Scope {
        account: arn.account.parse().ok()?,
        region: arn.region.parse().ok()?,
    };
    Some(scope).filter(|_| &*arn.service == "scheduler")
}

impl FromStr for GroupId {
    type Err = SchedulerError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let read = || {
            let arn: Arn = text.parse().ok()?;
            let name = arn.resource.strip_prefix("schedule-group/")?;
            Some(Self {
                scope: scope_of(&arn)?,
                name: Name::parse("resourceArn", name).ok()?,
            })
        };
        read().ok_or_else(|| {
            let rule = "Member must be the ARN of a schedule group";
            SchedulerError::violation("resourceArn", text, rule)
        })
    }
}

impl FromStr for ScheduleId {
    type Err = SchedulerError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let read = || {
            let arn: Arn = text.parse().ok()?;
            let (group, name) = arn.resource.strip_prefix("schedule/")?.split_once('/')?;
            let group = GroupId {
                scope: scope_of(&arn)?,
                name: Name::parse("groupName", group).ok()?,
            };
            Some(Self {
                group,
                name: Name::parse("name", name).ok()?,
            })
        };
        read().ok_or_else(|| SchedulerError::Internal(format!("`{text}` is not the ARN of a schedule")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_print_as_the_arns_they_are_read_from() {
        let schedule = "arn:aws:scheduler:us-east-1:000000000000:schedule/default/nightly.1";
        assert_eq!(schedule.parse::<ScheduleId>().unwrap().to_string(), schedule);
        let group = "arn:aws:scheduler:us-east-1:000000000000:schedule-group/reports";
        assert_eq!(group.parse::<GroupId>().unwrap().to_string(), group);
        assert!(schedule.parse::<GroupId>().is_err());
        assert!(group.parse::<ScheduleId>().is_err());
    }

    #[test]
    fn names_keep_to_their_letters() {
        for name in ["a", "A-1_b.c", &"x".repeat(64)] {
            assert_eq!(Name::parse("name", name).unwrap().as_str(), name);
        }
        for name in ["", "a b", "a/b", "ä", &"x".repeat(65)] {
            let error = Name::parse("name", name).unwrap_err().to_string();
            assert!(
                error.contains("at 'name' failed to satisfy constraint"),
                "{error}"
            );
        }
    }
}
