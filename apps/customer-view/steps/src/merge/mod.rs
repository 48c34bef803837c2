//! The step `merge`: the one writer of `persons/`.
//!
//! An event says that an account changed, and whom it is one with. All of their persons and accounts are read, parted
//! into people anew, and written. There is no transaction over objects, so the order of writes is the safety:
//!
//! 1. who goes into another is claimed: its object says `merged`, with all that it knew, under the version that was
//!    read, so that nobody else changes it any more
//! 2. who stays is written, under the version that was read
//! 3. other teams are told that the others are gone, `merged/` says where they went, and their objects go
//! 4. the accounts are pointed at their persons
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

use futures_util::{StreamExt as _, stream};
use serde::Deserialize;
use serde_json::Value;

use crate::bus::Entry;
use crate::failure::Failure;
use crate::records::{self, Done, Outcome, Record};
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
/// When the bus or the queue does not take what is told: the batch comes again.
pub async fn handle(settings: &Settings, event: &Value) -> Result<Value, Failure> {
    if event.get("records").is_some() {
        return batch(settings, event).await;
    }
    ask::answer(settings, event).await
}

async fn batch(settings: &Settings, event: &Value) -> Result<Value, Failure> {
    let token = |value: &Value| Some(value["token"].as_str()?.to_owned());
    let people = by_person(records::read::<Resolved>(event, token));
    let merged = stream::iter(people.into_iter().map(|events| in_order(settings, events)));
    let outcomes: Vec<Vec<_>> = merged.buffered(AT_ONCE).collect().await;
    // What is merged is told, also of events behind one that comes again: they do not make it a second time.
    let done = Done::of("merge", outcomes.into_iter().flatten().collect(), true);
    settings.rejected.send(&done.rejections).await?;
    tell::tell(settings, &done.entries).await?;
    Ok(done.answer())
}

fn by_person(records: Vec<Record<Resolved>>) -> Vec<Vec<Record<Resolved>>> {
    let mut people: Vec<Vec<Record<Resolved>>> = Vec::new();
    let mut known: BTreeMap<String, usize> = BTreeMap::new();
    for record in records {
        let person = record.value.as_ref().map(|event| event.person.clone());
        let at = *known.entry(person.unwrap_or_default()).or_insert(people.len());
        match people.get_mut(at) {
            Some(records) => records.push(record),
            None => people.push(vec![record]),
        }
    }
    people
}

async fn in_order(settings: &Settings, records: Vec<Record<Resolved>>) -> Vec<(Record<Resolved>, Outcome)> {
    let mut outcomes = Vec::new();
    for record in records {
        let merged = match &record.value {
            Some(event) => merge(settings, event).await,
            None => Err(Failure::broken(
                "wrong-envelope",
                "the record is not of `view.resolved/1`",
            )),
        };
        let outcome = Outcome::of(&record, merged);
        outcomes.push((record, outcome));
    }
    outcomes
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
    use base64::Engine as _;

    #[test]
    fn events_of_a_person_stay_in_order() {
        let event = |person: &str, event: &str| {
            let value =
                serde_json::json!({"event": event, "source": "", "token": "", "at": "", "person": person});
            let value = base64::engine::general_purpose::STANDARD.encode(value.to_string());
            serde_json::json!({"topic": "t", "partition": 0, "offset": 1, "value": value})
        };
        let batch =
            serde_json::json!({"records": {"t-0": [event("p", "1"), event("q", "2"), event("p", "3")]}});
        let people = by_person(records::read(&batch, |_| None));
        let id = |record: &Record<Resolved>| record.value.as_ref().unwrap().event.clone();
        let order: Vec<Vec<String>> = people
            .iter()
            .map(|events| events.iter().map(id).collect())
            .collect();
        assert_eq!(order, [vec!["1", "3"], vec!["2"]]);
    }
}
