//! The names of buses, rules, archives and the like, and their ARNs.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use tradewind_model::{AccountId, Arn, InvalidArn, Region};

use crate::error::EventBridgeError;

/// The service in ARNs.
const SERVICE: &str = "events";
/// The bus that every account has in every region.
pub(crate) const DEFAULT_BUS: &str = "default";
const MAX_BUS_NAME: usize = 256;

/// The name of a rule, archive, replay, connection or API destination, or a target's id: letters, digits
/// and `. - _`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct Name(Box<str>);

impl Name {
    /// The name given in `member` of a request, at most `max` characters long.
    pub(crate) fn parse(
        name: Option<String>,
        member: &'static str,
        max: usize,
    ) -> Result<Self, EventBridgeError> {
        let name = required(name, member)?;
        check(&name, member, max, "")?;
        Ok(Self(name.into()))
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

/// A member that has to be there.
pub(crate) fn required<T>(value: Option<T>, member: &'static str) -> Result<T, EventBridgeError> {
    value.ok_or_else(|| EventBridgeError::constraint("null", member, "Member must not be null"))
}

fn check(name: &str, member: &str, max: usize, more: &str) -> Result<(), EventBridgeError> {
    let allowed = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c) || more.contains(c);
    let quoted = || format!("'{name}'");
    if name.is_empty() {
        let rule = "Member must have length greater than or equal to 1";
        return Err(EventBridgeError::constraint(&quoted(), member, rule));
    }
    if name.chars().count() > max {
        let rule = format!("Member must have length less than or equal to {max}");
        return Err(EventBridgeError::constraint(&quoted(), member, &rule));
    }
    if !name.chars().all(allowed) {
        let rule = format!(r"Member must satisfy regular expression pattern: [{more}\.\-_A-Za-z0-9]+");
        return Err(EventBridgeError::constraint(&quoted(), member, &rule));
    }
    Ok(())
}

/// Which bus of which account and region.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub(crate) struct BusArn {
    pub(crate) account: AccountId,
    pub(crate) region: Region,
    pub(crate) name: Box<str>,
}

impl BusArn {
    /// The bus that `given` names, by name or ARN; without one the default bus.
    pub(crate) fn parse(
        given: Option<&str>,
        account: &AccountId,
        region: &Region,
    ) -> Result<Self, EventBridgeError> {
        let name = given.unwrap_or(DEFAULT_BUS);
        if name.starts_with("arn:") {
            let invalid = |error: InvalidArn| {
                EventBridgeError::parameter(
                    "EventBusName",
                    &format!("Provided Arn is not in correct format: {error}."),
                )
            };
            return name.parse().map_err(invalid);
        }
        check(name, "eventBusName", MAX_BUS_NAME, "/")?;
        Ok(Self {
            account: account.clone(),
            region: region.clone(),
            name: name.into(),
        })
    }

    /// The bus of an ARN that is one of a bus.
    pub(crate) fn of(arn: &Arn) -> Option<Self> {
        if &*arn.service != SERVICE {
            return None;
        }
        Some(Self {
            account: arn.account.parse().ok()?,
            region: arn.region.parse().ok()?,
            name: arn.resource.strip_prefix("event-bus/")?.into(),
        })
    }

    pub(crate) fn is_default(&self) -> bool {
        &*self.name == DEFAULT_BUS
    }

    pub(crate) fn to_arn(&self) -> Arn {
        arn(&self.account, &self.region, &format!("event-bus/{}", self.name))
    }

    /// The bus and the name of an ARN that is one of a rule.
    pub(crate) fn of_rule(arn: &Arn) -> Option<(Self, Name)> {
        let rule = arn.resource.strip_prefix("rule/")?;
        let (bus, name) = rule.rsplit_once('/').unwrap_or((DEFAULT_BUS, rule));
        let bus = Self {
            account: arn.account.parse().ok()?,
            region: arn.region.parse().ok()?,
            name: bus.into(),
        };
        Some((bus, Name(name.into())))
    }

    /// The ARN of a rule of this bus.
    pub(crate) fn rule(&self, name: &Name) -> String {
        let resource = if self.is_default() {
            format!("rule/{name}")
        } else {
            format!("rule/{}/{name}", self.name)
        };
        arn(&self.account, &self.region, &resource).to_string()
    }
}

/// An ARN of this service.
pub(crate) fn arn(account: &AccountId, region: &Region, resource: &str) -> Arn {
    Arn {
        partition: "aws".into(),
        service: SERVICE.into(),
        region: region.as_str().into(),
        account: account.as_str().into(),
        resource: resource.into(),
    }
}

impl fmt::Display for BusArn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.to_arn().fmt(f)
    }
}

impl FromStr for BusArn {
    type Err = InvalidArn;
    fn from_str(text: &str) -> Result<Self, InvalidArn> {
        Self::of(&text.parse()?).ok_or_else(|| InvalidArn {
            text: text.into(),
            rule: "the ARN of a bus is arn:aws:events:region:account:event-bus/name",
        })
    }
}

impl TryFrom<String> for BusArn {
    type Error = InvalidArn;
    fn try_from(text: String) -> Result<Self, InvalidArn> {
        text.parse()
    }
}

impl From<BusArn> for String {
    fn from(arn: BusArn) -> Self {
        arn.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bus(given: Option<&str>) -> Result<BusArn, EventBridgeError> {
        BusArn::parse(given, &AccountId::default_account(), &Region::default_region())
    }

    #[test]
    fn a_bus_is_named_or_given_by_its_arn() {
        let arn = "arn:aws:events:eu-west-1:123456789012:event-bus/shop";
        assert_eq!(bus(Some(arn)).unwrap().to_string(), arn);
        let default = bus(None).unwrap();
        assert_eq!(
            default.to_string(),
            "arn:aws:events:us-east-1:000000000000:event-bus/default"
        );
        for wrong in [
            "",
            "a b",
            "arn:aws:sqs:us-east-1:000000000000:q",
            "arn:aws:events:us-east-1:000000000000:rule/x",
        ] {
            assert!(bus(Some(wrong)).is_err(), "{wrong}");
        }
    }

    #[test]
    fn rules_of_other_buses_say_which() {
        let name = Name::parse(Some("paid".into()), "name", 64).unwrap();
        let rule = |given| bus(given).unwrap().rule(&name);
        assert_eq!(rule(None), "arn:aws:events:us-east-1:000000000000:rule/paid");
        assert_eq!(
            rule(Some("shop")),
            "arn:aws:events:us-east-1:000000000000:rule/shop/paid"
        );
    }

    #[test]
    fn a_name_that_is_none_is_told_why() {
        let error = Name::parse(Some("a/b".into()), "name", 64)
            .unwrap_err()
            .to_string();
        assert_eq!(
            error,
            r"1 validation error detected: Value 'a/b' at 'name' failed to satisfy constraint: Member must satisfy regular expression pattern: [\.\-_A-Za-z0-9]+"
        );
        assert!(
            Name::parse(None, "name", 64)
                .unwrap_err()
                .to_string()
                .contains("must not be null")
        );
        assert!(Name::parse(Some("x".repeat(65)), "name", 64).is_err());
    }
}
