//! What a group of an account and a region is called in the store.

use tradewind_model::{AccountId, Region};

/// The account and region whose groups have their plain names; those of others stand below `account:region:`,
/// which no group's name begins with, since none has a colon.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Home {
    /// The account of the node.
    pub account: AccountId,
    /// The region of the node.
    pub region: Region,
}

impl Home {
    /// What the store calls `group`.
    #[must_use]
    pub fn key(&self, account: &AccountId, region: &Region, group: &str) -> String {
        if *account == self.account && *region == self.region {
            return group.to_owned();
        }
        format!("{account}:{region}:{group}")
    }

    /// Whose group it is that the store calls so, and its name.
    #[must_use]
    pub fn read<'a>(&self, key: &'a str) -> Option<(AccountId, Region, &'a str)> {
        let Some((account, rest)) = key.split_once(':') else {
            return Some((self.account.clone(), self.region.clone(), key));
        };
        let (region, group) = rest.split_once(':')?;
        Some((account.parse().ok()?, region.parse().ok()?, group))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_groups_of_others_have_a_prefix() {
        let home = Home {
            account: AccountId::default_account(),
            region: Region::default_region(),
        };
        let other: Region = "eu-west-1".parse().unwrap();
        assert_eq!(home.key(&home.account, &home.region, "/g"), "/g");
        let key = home.key(&home.account, &other, "/g");
        assert_eq!(key, "000000000000:eu-west-1:/g");
        assert_eq!(home.read(&key), Some((home.account.clone(), other, "/g")));
        let own = (home.account.clone(), home.region.clone(), "/g");
        assert_eq!(home.read("/g"), Some(own));
        assert_eq!(home.read("x:y"), None);
    }
}
