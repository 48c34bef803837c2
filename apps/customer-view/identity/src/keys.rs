//! Under which values an account is found: exact ones, and blocks of those that look alike.

use crate::account::Account;
use crate::compare::Place;
use crate::text::{fold, sound};

/// A folder of the index.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum KeyKind {
    /// A whole e-mail address.
    Email,
    /// A whole phone number.
    Phone,
    /// Something that accounts of one person have in common, and few others.
    Block,
}

impl KeyKind {
    /// Its name in the index and in tokens.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Email => "email",
            Self::Phone => "phone",
            Self::Block => "block",
        }
    }
}

/// A value of the index, before it becomes a token.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key {
    /// What kind of value.
    pub kind: KeyKind,
    /// The value.
    pub value: String,
}

/// At most as many keys an account.
const MAX_KEYS: usize = 24;

/// All values under which the account is found, those it had before, too.
#[must_use]
pub fn keys(account: &Account) -> Vec<Key> {
    let key = |kind: KeyKind| move |value: String| Key { kind, value };
    let mut keys: Vec<Key> = account
        .texts("email")
        .map(str::to_owned)
        .map(key(KeyKind::Email))
        .collect();
    keys.extend(account.texts("phone").map(str::to_owned).map(key(KeyKind::Phone)));
    let mut blocks = blocks(account);
    blocks.sort();
    blocks.dedup();
    keys.extend(blocks.into_iter().map(key(KeyKind::Block)));
    keys.truncate(MAX_KEYS);
    keys
}

fn blocks(account: &Account) -> Vec<String> {
    let families: Vec<String> = account.texts("family").map(|name| sound(&fold(name))).collect();
    let initials: Vec<char> = account
        .texts("given")
        .filter_map(|name| fold(name).chars().next())
        .collect();
    let places: Vec<Place> = account.values("address").map(Place::of).collect();
    let born = account.texts("born");
    let mut blocks: Vec<String> = born
        .flat_map(|born| initials.iter().map(move |initial| format!("b:{born}{initial}")))
        .collect();
    blocks.extend(account.texts("email").filter_map(mailbox));
    for place in &places {
        // Towns are written right more often than postcodes.
        let town = if place.city.is_empty() {
            &place.postcode
        } else {
            &place.city
        };
        blocks.push(format!("a:{}:{town}", place.street));
        blocks.extend(
            families
                .iter()
                .map(|family| format!("n:{family}:{}", place.postcode)),
        );
    }
    blocks
}

/// The host, and which consonants and digits stand before it: the same after most slips.
fn mailbox(email: &str) -> Option<String> {
    let (local, host) = email.split_once('@')?;
    let mut letters: Vec<char> = local
        .chars()
        .filter(|letter| !"aeiou.-_".contains(*letter))
        .collect();
    letters.sort_unstable();
    letters.dedup();
    Some(format!("m:{}@{host}", letters.into_iter().collect::<String>()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::account::Event;
    use serde_json::json;

    #[test]
    fn an_account_is_found_by_what_it_was_called_before() {
        let mut account = Account::new("shop", "S-1", "t");
        for (at, said) in [
            (
                "2025",
                json!({"email": "a@x.example", "given": "Ada", "family": "Meier", "born": "1984-05-17"}),
            ),
            (
                "2026",
                json!({"email": "b@x.example", "family": "Maier", "address": {"street": "Am Ring 1", "postcode": "10969"}}),
            ),
        ] {
            let event = Event {
                at: at.to_owned(),
                id: at.to_owned(),
            };
            account.apply(
                &event,
                &serde_json::from_value(json!({"type": "account", "said": said})).unwrap(),
            );
        }
        let found: Vec<String> = keys(&account)
            .iter()
            .map(|key| format!("{} {}", key.kind.name(), key.value))
            .collect();
        assert_eq!(
            found,
            [
                "email b@x.example",
                "email a@x.example",
                "block a:amring1:10969",
                "block b:1984-05-17a",
                "block m:@x.example",
                "block m:b@x.example",
                "block n:mr:10969"
            ]
        );
    }
}
