//! Everyone, in memory: what the functions do with a bucket, for tests against the truth and for measuring.

use std::collections::HashMap;

use crate::account::{Account, Event};
use crate::compare::{Link, Profile, link};
use crate::groups::agree;
use crate::keys::{Key, keys};
use crate::normal::Normal;

/// At most as many accounts with a value say something of who they are.
pub const CROWDED: usize = 50;

/// All accounts, and which of them are one person.
#[derive(Debug, Default)]
pub struct People {
    known: Vec<Known>,
    by_token: HashMap<String, usize>,
    index: HashMap<Key, Vec<usize>>,
    people: Vec<Group>,
}

#[derive(Debug)]
struct Known {
    account: Account,
    profile: Profile,
    keys: Vec<Key>,
    person: usize,
}

#[derive(Debug, Default)]
struct Group {
    accounts: Vec<usize>,
    given: Vec<String>,
    born: Vec<String>,
}

impl People {
    /// Nobody.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes an event of an account in.
    pub fn hear(&mut self, source: &str, account: &str, event: &Event, normal: &Normal) {
        let at = self.known(source, account);
        let said = |known: &Known| {
            (
                known
                    .account
                    .said
                    .values()
                    .map(|word| word.value.clone())
                    .collect::<Vec<_>>(),
                known.account.before.len(),
            )
        };
        let before = said(&self.known[at]);
        self.known[at].account.apply(event, normal);
        if said(&self.known[at]) != before {
            self.resolve(at);
        }
    }

    fn known(&mut self, source: &str, account: &str) -> usize {
        let token = format!("{source}/{account}");
        if let Some(&at) = self.by_token.get(&token) {
            return at;
        }
        let at = self.known.len();
        self.known.push(Known {
            account: Account::new(source, account, &token),
            profile: Profile::default(),
            keys: Vec::new(),
            person: at,
        });
        self.people.push(Group {
            accounts: vec![at],
            ..Group::default()
        });
        self.by_token.insert(token, at);
        at
    }

    /// Finds whom an account that changed is one with.
    fn resolve(&mut self, at: usize) {
        let profile = Profile::of(&self.known[at].account);
        let person = &mut self.people[self.known[at].person];
        add(&mut person.given, &profile.given);
        add(&mut person.born, &profile.born);
        self.known[at].profile = profile;
        for other in self.candidates(at) {
            if let Some(link) = self.link(at, other) {
                self.join(at, other, link);
            }
        }
    }

    /// The accounts that share a value with this one, which stands in the index from then on.
    fn candidates(&mut self, at: usize) -> Vec<usize> {
        let keys = keys(&self.known[at].account);
        let mut candidates = Vec::new();
        for key in &keys {
            let accounts = self.index.entry(key.clone()).or_default();
            candidates.extend(accounts.iter().copied().filter(|other| *other != at));
            if accounts.len() < CROWDED && !accounts.contains(&at) {
                accounts.push(at);
            }
        }
        self.known[at].keys = keys;
        candidates.sort_unstable();
        candidates.dedup();
        candidates
    }

    fn link(&self, at: usize, other: usize) -> Option<Link> {
        let (one, other) = (&self.known[at], &self.known[other]);
        if one.person == other.person {
            return None;
        }
        link(
            (&one.account.token, &one.profile),
            (&other.account.token, &other.profile),
        )
    }

    fn join(&mut self, one: usize, other: usize, link: Link) {
        let (a, b) = (self.known[one].person, self.known[other].person);
        if a == b || !self.may_join(a, b) {
            return;
        }
        let (into, from) = if self.people[a].accounts.len() < self.people[b].accounts.len() {
            (b, a)
        } else {
            (a, b)
        };
        let moved = std::mem::take(&mut self.people[from]);
        moved.accounts.iter().for_each(|&at| self.known[at].person = into);
        let person = &mut self.people[into];
        person.accounts.extend(moved.accounts);
        add(&mut person.given, &moved.given);
        add(&mut person.born, &moved.born);
        self.known[one].account.join(vec![link]);
    }

    fn may_join(&self, a: usize, b: usize) -> bool {
        let (a, b) = (&self.people[a], &self.people[b]);
        agree(&a.given, &b.given, crate::compare::may_be_one)
            && agree(&a.born, &b.born, crate::compare::same_day)
    }

    /// How many accounts are known.
    #[must_use]
    pub fn accounts(&self) -> usize {
        self.known.len()
    }

    /// Which accounts are one person: (source, account, number of the person).
    pub fn view(&self) -> impl Iterator<Item = (&str, &str, usize)> {
        let known = self.known.iter();
        known.map(|one| {
            (
                one.account.source.as_str(),
                one.account.account.as_str(),
                one.person,
            )
        })
    }

    /// An account.
    #[must_use]
    pub fn account(&self, source: &str, account: &str) -> Option<&Account> {
        let at = self.by_token.get(&format!("{source}/{account}"))?;
        Some(&self.known[*at].account)
    }
}

fn add(to: &mut Vec<String>, values: &[String]) {
    for value in values {
        if !to.contains(value) {
            to.push(value.clone());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn people_are_found_over_systems_whatever_came_first() {
        let events = [
            (
                "shop",
                "S-1",
                json!({"email": "ada@x.example", "given": "Ada", "family": "Weiß", "phone": "+491712345678"}),
            ),
            ("calls", "C-1", json!({"phone": "+491712345678"})),
            ("marketing", "M-1", json!({"email": "ada@x.example"})),
            (
                "shop",
                "S-2",
                json!({"email": "bernd@x.example", "given": "Bernd", "family": "Weiß"}),
            ),
        ];
        for order in [[0, 1, 2, 3], [3, 2, 1, 0], [1, 3, 2, 0]] {
            let mut people = People::new();
            for at in order {
                let (source, account, said) = &events[at];
                let event = Event {
                    at: format!("202{at}"),
                    id: at.to_string(),
                };
                people.hear(
                    source,
                    account,
                    &event,
                    &serde_json::from_value(json!({"type": "x", "said": said})).unwrap(),
                );
            }
            let person: HashMap<&str, usize> = people
                .view()
                .map(|(_, account, person)| (account, person))
                .collect();
            assert!(
                person["S-1"] == person["C-1"] && person["S-1"] == person["M-1"],
                "{order:?}"
            );
            assert_ne!(person["S-1"], person["S-2"]);
        }
    }
}
