//! Names of secrets, their ARNs, and the texts that may stand for them.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use tradewind_model::{AccountId, Arn, InvalidArn, Region};

use crate::error::SecretsManagerError;

/// The service in ARNs.
const SERVICE: &str = "secretsmanager";
const MAX_NAME: usize = 512;
/// How many random characters the ARN of a secret ends in.
const SUFFIX: usize = 6;

/// A member that has to be there.
pub(crate) fn required<T>(value: Option<T>, member: &str) -> Result<T, SecretsManagerError> {
    value.ok_or_else(|| SecretsManagerError::constraint("null", member, "Member must not be null"))
}

/// Which secret: its name is its own in its account and region, also while it is scheduled for deletion.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct SecretKey {
    pub(crate) account: AccountId,
    pub(crate) region: Region,
    pub(crate) name: Box<str>,
}

impl SecretKey {
    /// A secret to be made.
    pub(crate) fn new(account: &AccountId, region: &Region, name: &str) -> Result<Self, SecretsManagerError> {
        let allowed = |c: char| c.is_ascii_alphanumeric() || "-/_+=.@!".contains(c);
        let length = name.chars().count();
        if length > MAX_NAME {
            let rule = format!("Member must have length less than or equal to {MAX_NAME}");
            return Err(SecretsManagerError::constraint(
                &format!("'{name}'"),
                "name",
                &rule,
            ));
        }
        if length == 0 || !name.chars().all(allowed) {
            return Err(SecretsManagerError::Validation(
                "Invalid name. Must be a valid name containing alphanumeric characters, or any of the following: \
                 -/_+=.@!"
                    .into(),
            ));
        }
        Ok(Self {
            account: account.clone(),
            region: region.clone(),
            name: name.into(),
        })
    }
}

/// `arn:aws:secretsmanager:REGION:ACCOUNT:secret:NAME-SUFFIX`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub(crate) struct SecretArn {
    pub(crate) key: SecretKey,
    /// Six characters, so that a secret that is made again has another ARN.
    suffix: Box<str>,
}

impl SecretArn {
    /// The ARN of a new secret.
    pub(crate) fn random(key: SecretKey) -> Self {
        let suffix = crate::password::letters_and_digits(SUFFIX);
        Self {
            key,
            suffix: suffix.into(),
        }
    }
}

impl fmt::Display for SecretArn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let SecretKey {
            account,
            region,
            name,
        } = &self.key;
        write!(
            f,
            "arn:aws:{SERVICE}:{region}:{account}:secret:{name}-{}",
            self.suffix
        )
    }
}

impl From<SecretArn> for String {
    fn from(arn: SecretArn) -> Self {
        arn.to_string()
    }
}

impl FromStr for SecretArn {
    type Err = InvalidArn;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let invalid = || InvalidArn {
            text: text.into(),
            rule: "the ARN of a secret is arn:aws:secretsmanager:region:account:secret:name-suffix",
        };
        match SecretId::parse(text) {
            Some(SecretId::Arn { whole, .. }) => whole.ok_or_else(invalid),
            _ => Err(invalid()),
        }
    }
}

impl TryFrom<String> for SecretArn {
    type Error = InvalidArn;
    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

/// What a request calls a secret by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum SecretId {
    /// Its name.
    Name(Box<str>),
    /// An ARN: whole, or partial, without the six characters at its end. One text may be read as either.
    Arn {
        whole: Option<SecretArn>,
        partial: SecretKey,
    },
}

impl SecretId {
    /// None if it is an ARN of something else.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        if !text.starts_with("arn:") {
            return Some(Self::Name(text.into()));
        }
        let arn: Arn = text.parse().ok()?;
        let name = arn
            .resource
            .strip_prefix("secret:")
            .filter(|_| *arn.service == *SERVICE)?;
        let (account, region): (AccountId, Region) = (arn.account.parse().ok()?, arn.region.parse().ok()?);
        let key = |name: &str| SecretKey {
            account: account.clone(),
            region: region.clone(),
            name: name.into(),
        };
        let whole = name.rsplit_once('-').filter(|(_, suffix)| is_suffix(suffix));
        Some(Self::Arn {
            whole: whole.map(|(name, suffix)| SecretArn {
                key: key(name),
                suffix: suffix.into(),
            }),
            partial: key(name),
        })
    }
}

fn is_suffix(text: &str) -> bool {
    text.len() == SUFFIX && text.bytes().all(|b| b.is_ascii_alphanumeric())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(name: &str) -> SecretKey {
        SecretKey::new(&AccountId::default_account(), &Region::default_region(), name).unwrap()
    }

    #[test]
    fn an_arn_ends_in_six_random_characters() {
        let arn = SecretArn::random(key("shop/db-main"));
        let text = arn.to_string();
        let front = "arn:aws:secretsmanager:us-east-1:000000000000:secret:shop/db-main-";
        assert!(text.starts_with(front) && text.len() == front.len() + 6, "{text}");
        assert_eq!(text.parse::<SecretArn>().unwrap(), arn);
        assert_ne!(SecretArn::random(key("shop/db-main")), arn);
    }

    #[test]
    fn a_partial_arn_may_look_like_a_whole_one() {
        let text = "arn:aws:secretsmanager:us-east-1:000000000000:secret:shop-public";
        let Some(SecretId::Arn { whole, partial }) = SecretId::parse(text) else {
            panic!("{text}");
        };
        assert_eq!(partial, key("shop-public"));
        assert_eq!(whole.unwrap().key, key("shop"));
    }

    #[test]
    fn names_have_awss_characters() {
        for name in ["a", "shop/dev/db+x=1.2@3-4_5!"] {
            assert!(SecretKey::new(&AccountId::default_account(), &Region::default_region(), name).is_ok());
        }
        for name in ["", "a b", "naïve", "a:b", &"x".repeat(513)] {
            assert!(SecretKey::new(&AccountId::default_account(), &Region::default_region(), name).is_err());
        }
    }
}
