//! Roles, and the types their properties are parsed into.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use tradewind_model::AccountId;

use crate::policy::{InvalidPolicy, PolicyDocument};

/// A role's name: 1 to 64 of letters, digits and `+=,.@_-`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct RoleName(Box<str>);

/// A role's path: `/`, or `/…/` of at most 512 printable ASCII characters.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(transparent)]
pub struct RolePath(Box<str>);

/// A property of a role that breaks its rule.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidRole {
    /// The name.
    #[error("role name `{0}` is not valid: 1 to 64 letters, digits or `+=,.@_-`")]
    Name(String),
    /// The path.
    #[error("role path `{0}` is not valid: it begins and ends with `/` and has at most 512 characters")]
    Path(String),
    /// The longest session.
    #[error("MaxSessionDuration {0} is outside 3600 to 43200 seconds")]
    SessionDuration(i64),
    /// A list is not one, or its members are not what they should be.
    #[error("property `{property}` must be {expected}")]
    Shape {
        /// Which property.
        property: &'static str,
        /// What it should be.
        expected: &'static str,
    },
    /// A document.
    #[error("policy `{policy}`: {problem}")]
    Policy {
        /// The policy's name, or the property that holds it.
        policy: String,
        /// What is wrong with it.
        problem: InvalidPolicy,
    },
}

/// A policy that lives inside a role.
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct InlinePolicy {
    /// Its name.
    pub name: String,
    /// What it says.
    pub document: PolicyDocument,
}

/// What a role is, except for its name and account. This is also the form in its row: members may
/// be added, never renamed.
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Role {
    /// Part of its ARN.
    pub path: RolePath,
    /// Who may assume it.
    pub trust: PolicyDocument,
    /// The user's words.
    pub description: Option<String>,
    /// In seconds.
    pub max_session_duration: u32,
    /// The ARN of the policy that bounds it.
    pub permissions_boundary: Option<String>,
    /// Attached policies, by ARN.
    pub managed_policies: Vec<String>,
    /// Policies inside it.
    pub inline_policies: Vec<InlinePolicy>,
    /// Tags.
    pub tags: BTreeMap<String, String>,
}

impl Role {
    /// The ARN of this role under `name`.
    #[must_use]
    pub fn arn(&self, account: &AccountId, name: &RoleName) -> String {
        format!("arn:aws:iam::{account}:role{}{name}", self.path)
    }
}

impl Default for RolePath {
    fn default() -> Self {
        Self("/".into())
    }
}

impl FromStr for RoleName {
    type Err = InvalidRole;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let allowed = |b: u8| b.is_ascii_alphanumeric() || b"+=,.@_-".contains(&b);
        if (1..=64).contains(&text.len()) && text.bytes().all(allowed) {
            return Ok(Self(text.into()));
        }
        Err(InvalidRole::Name(text.into()))
    }
}

impl FromStr for RolePath {
    type Err = InvalidRole;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let framed = text.starts_with('/') && text.ends_with('/') && text.len() <= 512;
        if framed && text.bytes().all(|b| b.is_ascii_graphic()) {
            return Ok(Self(text.into()));
        }
        Err(InvalidRole::Path(text.into()))
    }
}

impl fmt::Display for RoleName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Display for RolePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_follow_iams_rule() {
        for name in ["r", "shop-dev-us-east-1-lambdaRole", "a+=,.@_-", &"x".repeat(64)] {
            assert_eq!(name.parse::<RoleName>().unwrap().to_string(), name);
        }
        for name in ["", "a b", "a/b", "ü", &"x".repeat(65)] {
            assert!(name.parse::<RoleName>().is_err(), "{name}");
        }
    }

    #[test]
    fn paths_are_framed_by_slashes() {
        for path in ["/", "/service-role/", "/a/b/"] {
            assert_eq!(path.parse::<RolePath>().unwrap().to_string(), path);
        }
        for path in ["", "a/", "/a", "/a b/", &format!("/{}/", "x".repeat(511))] {
            assert!(path.parse::<RolePath>().is_err(), "{path}");
        }
    }
}
