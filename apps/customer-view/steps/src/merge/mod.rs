//! The step `merge`: the one writer of `persons/`.
//!
//! An event says that an account changed, and whom it is one with. All of their persons and accounts are read, parted
//! into people anew, and written. There is no transaction over objects, so the order of writes is the safety:
//!
//! 1. who goes into another is claimed: its object says `merged`, with all that it knew, under the version that was
//!    read, so that nobody else changes it any more
//! 2. who stays is written, under the version that was read
//! 3. the accounts are pointed at their persons
//! 4. `merged/` says where the others went, and their objects go
//!
//! Whoever finds its version changed begins anew; what was cut off is found by the same event when it comes again,
//! because the accounts still point at the claimed person. Persons go into those with lesser ids, so no circle comes
//! to be.

mod ask;
mod gather;
mod plan;
mod settle;
mod tell;

use std::collections::BTreeMap;

use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::bus::Entry;
use crate::failure::Failure;
use crate::records;
use crate::settings::Settings;
use crate::suppressed;

use gather::Place;
use settle::Work;

/// As many events are worked on at once: others may be of the same people.
const AT_ONCE: usize = 8;

/// A record of `view.resolved`.
#[derive(Clone, Debug, Deserialize)]
struct Resolved {
    event: String,
    source: String,
    token: String,
    at: String,
    person: String,
    #[serde(default)]
    linked: BTreeMap<String, String>,
}

/// Works on a batch of `view.resolved`, or on what is asked by `Invoke`.
///
/// # Errors
/// When one event could not be merged: the batch comes again.
pub async fn handle(settings: &Settings, event: &Value) -> Result<Value, Failure> {
    if event.get("records").is_some() {
        return batch(settings, event).await;
    }
    ask::answer(settings, event).await
}

async fn batch(settings: &Settings, event: &Value) -> Result<Value, Failure> {
    let people = by_person(records::values::<Resolved>(event)?);
    let merged = stream::iter(people.into_iter().map(|events| in_order(settings, events)));
    let entries: Vec<Vec<Entry>> = merged.buffered(AT_ONCE).try_collect().await?;
    let entries: Vec<Entry> = entries.into_iter().flatten().collect();
    settings.bus.put(&entries).await?;
    Ok(json!({"changes": entries.len()}))
}

fn by_person(events: Vec<Resolved>) -> Vec<Vec<Resolved>> {
    let mut people: Vec<Vec<Resolved>> = Vec::new();
    let mut known: BTreeMap<String, usize> = BTreeMap::new();
    for event in events {
        let at = *known.entry(event.person.clone()).or_insert(people.len());
        match people.get_mut(at) {
            Some(events) => events.push(event),
            None => people.push(vec![event]),
        }
    }
    people
}

async fn in_order(settings: &Settings, events: Vec<Resolved>) -> Result<Vec<Entry>, Failure> {
    let mut entries = Vec::new();
    for event in events {
        entries.extend(merge(settings, &event).await?);
    }
    Ok(entries)
}

async fn merge(settings: &Settings, event: &Resolved) -> Result<Vec<Entry>, Failure> {
    let own = Place {
        source: event.source.clone(),
        token: event.token.clone(),
    };
    let linked = event.linked.iter().map(|(token, source)| Place {
        source: source.clone(),
        token: token.clone(),
    });
    let work = Work {
        touched: std::iter::once(own).chain(linked).collect(),
        persons: vec![event.person.clone()],
        at: &event.at,
        by: &event.event,
        edit: &|_| (),
    };
    if suppressed::account(settings, &event.token).await? {
        return Ok(Vec::new());
    }
    let settled = settle::settle(settings, &work).await?;
    // Erased meanwhile: made anew, now without what is gone.
    let settled = match suppressed::account(settings, &event.token).await? {
        true => settle::settle(settings, &work).await?,
        false => settled,
    };
    tell::changes(settings, &settled, &event.event).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_of_a_person_stay_in_order() {
        let event = |person: &str, event: &str| Resolved {
            event: event.to_owned(),
            source: String::new(),
            token: String::new(),
            at: String::new(),
            person: person.to_owned(),
            linked: BTreeMap::new(),
        };
        let people = by_person(vec![event("p", "1"), event("q", "2"), event("p", "3")]);
        let order: Vec<Vec<&str>> = people
            .iter()
            .map(|events| events.iter().map(|one| one.event.as_str()).collect())
            .collect();
        assert_eq!(order, [vec!["1", "3"], vec!["2"]]);
    }
}
