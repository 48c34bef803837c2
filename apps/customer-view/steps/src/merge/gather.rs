//! Everything an event may change: persons, and their accounts.

use std::collections::{BTreeMap, BTreeSet};

use customer_view_identity::{Account, Person};
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use serde::{Deserialize, Serialize};

use crate::bucket::Found;
use crate::failure::Failure;
use crate::resolve::account_path;
use crate::settings::Settings;

/// As many objects are read at once.
const AT_ONCE: usize = 8;
/// A longer way than anyone goes.
const MAX_WAY: usize = 32;

/// Where an account is kept.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Place {
    pub(super) source: String,
    pub(super) token: String,
}

/// `merged/<id>.json`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Merged {
    pub(super) format: u32,
    pub(super) id: String,
    pub(super) into: String,
    pub(super) at: String,
}

/// What was read.
#[derive(Debug, Default)]
pub(super) struct Gathered {
    /// Those that are there, by token.
    pub(super) accounts: BTreeMap<String, Account>,
    /// Those that are not merged, by id; `None` are not written yet.
    pub(super) roots: BTreeMap<String, Option<Found<Person>>>,
    /// Id → the root it leads to, of everyone met.
    pub(super) ways: BTreeMap<String, String>,
    /// Records of those that were merged, and whose objects are still there.
    pub(super) leftovers: BTreeMap<String, Person>,
}

pub(super) fn person_path(id: &str) -> String {
    format!("persons/{id}.json")
}

pub(super) fn merged_path(id: &str) -> String {
    format!("merged/{id}.json")
}

/// Reads the accounts, the persons they and `persons` lead to, and all accounts of those, until nobody new is met.
pub(super) async fn gather(
    settings: &Settings,
    touched: &[Place],
    persons: &[String],
) -> Result<Gathered, Failure> {
    let mut gathered = Gathered::default();
    let mut missing = BTreeSet::new();
    let mut places: BTreeSet<Place> = touched.iter().cloned().collect();
    let mut ids: BTreeSet<String> = persons.iter().cloned().collect();
    while !places.is_empty() || !ids.is_empty() {
        missing.extend(places.iter().map(|place| place.token.clone()));
        load(settings, &mut gathered, places).await?;
        ids.extend(gathered.accounts.values().map(|account| account.person.clone()));
        for id in &ids {
            if !gathered.ways.contains_key(id) {
                follow(settings, &mut gathered, id).await?;
            }
        }
        ids.clear();
        places = gathered
            .listed()
            .filter(|place| !missing.contains(&place.token))
            .collect();
    }
    Ok(gathered)
}

async fn load(settings: &Settings, gathered: &mut Gathered, places: BTreeSet<Place>) -> Result<(), Failure> {
    let read = stream::iter(places.into_iter().map(|place| async move {
        settings
            .data
            .get::<Account>(&account_path(&place.source, &place.token))
            .await
    }));
    let accounts: Vec<_> = read.buffer_unordered(AT_ONCE).try_collect().await?;
    let there = accounts.into_iter().flatten().map(|found| found.value);
    gathered
        .accounts
        .extend(there.map(|account| (account.token.clone(), account)));
    Ok(())
}

/// Goes the way from a person to the one it was merged into.
async fn follow(settings: &Settings, gathered: &mut Gathered, from: &str) -> Result<(), Failure> {
    let mut way = vec![from.to_owned()];
    for _ in 0..MAX_WAY {
        let id = way.last().cloned().unwrap_or_default();
        let Some(next) = next(settings, gathered, &id).await? else {
            gathered.ways.extend(way.into_iter().map(|met| (met, id.clone())));
            return Ok(());
        };
        way.push(next);
    }
    Err(Failure::Contended(person_path(from)))
}

/// Where a person went; `None` of one that is still there, or not yet.
async fn next(settings: &Settings, gathered: &mut Gathered, id: &str) -> Result<Option<String>, Failure> {
    if gathered.roots.contains_key(id) {
        return Ok(None);
    }
    let merged = settings.data.get::<Merged>(&merged_path(id)).await?;
    let person = settings.data.get::<Person>(&person_path(id)).await?;
    let claimed = person.as_ref().and_then(|found| found.value.merged.clone());
    match merged.map(|merged| merged.value.into).or(claimed) {
        Some(into) => {
            gathered
                .leftovers
                .extend(person.map(|found| (id.to_owned(), found.value)));
            Ok(Some(into))
        }
        None => {
            gathered.roots.insert(id.to_owned(), person);
            Ok(None)
        }
    }
}

impl Gathered {
    /// The accounts that the persons list.
    fn listed(&self) -> impl Iterator<Item = Place> {
        let known = self.roots.values().flatten().map(|found| &found.value);
        let accounts = known
            .chain(self.leftovers.values())
            .flat_map(|person| &person.accounts);
        accounts.map(|account| Place {
            source: account.source.clone(),
            token: account.token.clone(),
        })
    }

    /// Account → the root its person leads to.
    pub(super) fn homes(&self) -> BTreeMap<String, String> {
        let home = |account: &Account| self.ways.get(&account.person).unwrap_or(&account.person).clone();
        let accounts = self.accounts.values();
        accounts
            .map(|account| (account.token.clone(), home(account)))
            .collect()
    }
}
