//! Identities: addresses and domains that mail may be from.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};
use tradewind_events::mail::is_address;
use tradewind_model::{AccountId, Arn, Region};

use crate::error::SesError;

/// The longest identity, in characters.
const MAX_IDENTITY: usize = 320;
const MAX_TAGS: usize = 50;

/// An address or a domain, its domain in lower case.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct IdentityName(Box<str>);

impl IdentityName {
    pub(crate) fn parse(text: &str) -> Result<Self, SesError> {
        let allowed = |c: char| c.is_ascii_alphanumeric() || "-.".contains(c);
        let is_domain = text.contains('.') && text.chars().all(allowed) && !text.starts_with(['.', '-']);
        if text.len() > MAX_IDENTITY || !(is_domain || is_address(text)) {
            let text = format!("Invalid email identity `{text}`: it is neither an address nor a domain.");
            return Err(SesError::BadRequest(text));
        }
        let name = match text.rsplit_once('@') {
            Some((local, domain)) => format!("{local}@{}", domain.to_ascii_lowercase()),
            None => text.to_ascii_lowercase(),
        };
        Ok(Self(name.into()))
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }

    pub(crate) fn is_domain(&self) -> bool {
        !self.0.contains('@')
    }

    /// `EMAIL_ADDRESS` or `DOMAIN`.
    pub(crate) fn kind(&self) -> &'static str {
        match self.is_domain() {
            true => "DOMAIN",
            false => "EMAIL_ADDRESS",
        }
    }

    /// Whether mail may be from `address` because of this identity: that address, or one of the domain or below.
    pub(crate) fn covers(&self, address: &str) -> bool {
        let Some((local, domain)) = address.rsplit_once('@') else {
            return false;
        };
        let domain = domain.to_ascii_lowercase();
        if let Some((own, own_domain)) = self.0.rsplit_once('@') {
            return own == local && own_domain == domain;
        }
        let above = domain.strip_suffix(&*self.0);
        above.is_some_and(|above| above.is_empty() || above.ends_with('.'))
    }
}

impl fmt::Display for IdentityName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Which identity of which account and region.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct IdentityKey {
    pub(crate) account: AccountId,
    pub(crate) region: Region,
    pub(crate) name: IdentityName,
}

impl IdentityKey {
    /// `arn:aws:ses:REGION:ACCOUNT:identity/NAME`, which rows are known by.
    pub(crate) fn arn(&self) -> Arn {
        Arn {
            partition: "aws".into(),
            service: "ses".into(),
            region: self.region.as_str().into(),
            account: self.account.as_str().into(),
            resource: format!("identity/{}", self.name).into(),
        }
    }

    pub(crate) fn of(arn: &Arn) -> Option<Self> {
        Some(Self {
            account: arn.account.parse().ok()?,
            region: arn.region.parse().ok()?,
            name: IdentityName::parse(arn.resource.strip_prefix("identity/")?).ok()?,
        })
    }
}

/// What is recorded of an identity.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Identity {
    pub(crate) tags: BTreeMap<String, String>,
    /// Which stack's resource it is.
    pub(crate) owner: Option<String>,
}

/// Refuses tags that AWS refuses.
pub(crate) fn check_tags(tags: &BTreeMap<String, String>) -> Result<(), SesError> {
    let fits = |(key, value): (&String, &String)| {
        (1..=128).contains(&key.chars().count()) && value.chars().count() <= 256
    };
    if tags.len() > MAX_TAGS || !tags.iter().all(fits) {
        let text = "An identity has at most 50 tags; a key has 1 to 128 characters, a value at most 256.";
        return Err(SesError::BadRequest(text.into()));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn identities_cover_addresses() {
        let covers = |identity: &str, address| IdentityName::parse(identity).unwrap().covers(address);
        assert!(covers("Shop@Example.COM", "Shop@example.com"));
        assert!(!covers("shop@example.com", "Shop@example.com"));
        assert!(covers("Example.com", "anyone@EXAMPLE.com") && covers("example.com", "a@mail.example.com"));
        assert!(!covers("example.com", "a@notexample.com") && !covers("example.com", "nobody"));
    }

    #[test]
    fn what_is_no_identity_is_refused() {
        for text in [
            "",
            "nobody",
            "a b@c.example",
            "a@",
            ".example.com",
            "ex ample.com",
        ] {
            assert!(IdentityName::parse(text).is_err(), "{text}");
        }
        let key = IdentityKey {
            account: AccountId::default_account(),
            region: Region::default_region(),
            name: IdentityName::parse("a@b.example").unwrap(),
        };
        assert_eq!(IdentityKey::of(&key.arn()), Some(key));
    }
}
