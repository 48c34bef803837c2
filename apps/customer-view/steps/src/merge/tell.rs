//! Changes for other teams: `view.changes`.

use std::collections::BTreeMap;

use customer_view_identity::Person;
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use serde_json::{Value, json};

use crate::bus::Entry;
use crate::failure::Failure;
use crate::seal::{Key, Sealed};
use crate::settings::Settings;

use super::gather::person_path;
use super::settle::Settled;

/// As many persons are looked at at once.
const AT_ONCE: usize = 8;

/// What is to be told of what was settled: versions that this event made, now or before it was cut off.
pub(super) async fn changes(settings: &Settings, settled: &Settled, by: &str) -> Result<Vec<Entry>, Failure> {
    let mut entries: Vec<Entry> = settled.redirected.iter().map(|id| tombstone(id)).collect();
    for outcome in &settled.persons {
        if !outcome.changed.is_empty() || outcome.person.by == by {
            entries.push(change(settings, &outcome.person, &outcome.changed).await?);
        }
    }
    Ok(entries)
}

/// Tells changes, and looks again: of a person that went meanwhile, or was told of newer, the last word in the topic is
/// to be that it went, or how it is now. Whoever tells last looks last.
pub(super) async fn tell(settings: &Settings, entries: &[Entry]) -> Result<(), Failure> {
    let mut late = entries.to_vec();
    while !late.is_empty() {
        settings.bus.put(&late).await?;
        let told = newest(&late);
        let looks = stream::iter(told.into_iter().map(|(id, version)| look(settings, id, version)));
        let found: Vec<Option<Entry>> = looks.buffer_unordered(AT_ONCE).try_collect().await?;
        late = found.into_iter().flatten().collect();
    }
    Ok(())
}

/// The versions of persons that are told; what is told of one who went is final.
fn newest(entries: &[Entry]) -> BTreeMap<String, u64> {
    let mut told = BTreeMap::new();
    for entry in entries {
        match entry.value["version"].as_u64() {
            // The last word counts, not the greatest: in the topic it is the one that stays.
            Some(version) => told.insert(entry.key.clone(), version),
            None => told.remove(&entry.key),
        };
    }
    told
}

/// What is to be told of a person after this version of it was.
async fn look(settings: &Settings, id: String, version: u64) -> Result<Option<Entry>, Failure> {
    let found = settings.data.get::<Person>(&person_path(&id)).await?;
    match found
        .map(|found| found.value)
        .filter(|person| person.merged.is_none())
    {
        None => {
            // A key that was made for what is told now would outlive an erasure.
            settings.keys.delete(&format!("person/{id}")).await?;
            Ok(Some(tombstone(&id)))
        }
        Some(person) if person.version > version => Ok(Some(change(settings, &person, &[]).await?)),
        Some(_) => Ok(None),
    }
}

/// A person is not any more.
pub(super) fn tombstone(id: &str) -> Entry {
    Entry {
        step: "merge",
        topic: "view.changes",
        key: id.to_owned(),
        value: Value::Null,
    }
}

/// How a person is now.
pub(super) async fn change(
    settings: &Settings,
    person: &Person,
    changed: &[String],
) -> Result<Entry, Failure> {
    Ok(Entry {
        step: "merge",
        topic: "view.changes",
        key: person.id.clone(),
        value: json!({
            "schema": "view.change/1", "person": person.id, "version": person.version, "at": person.updated,
            "changed": changed, "accounts": person.accounts.len(), "restricted": person.restricted.is_some(),
            "sealed": sealed(settings, person).await?,
        }),
    })
}

async fn sealed(settings: &Settings, person: &Person) -> Result<Sealed, Failure> {
    let name = format!("person/{}", person.id);
    let key = loop {
        if let Some(key) = settings.keys.bytes(&name).await? {
            break key;
        }
        let new = Key::random().ok_or_else(|| Failure::Key(name.clone()))?;
        settings.keys.create(&name, new.to_vec()).await?;
    };
    let text = json!({"fields": person.fields, "consents": person.consents}).to_string();
    let bound_to = format!("{}|{}", person.id, person.version);
    let sealed = Key::new(&key).and_then(|key| key.seal(&person.id, &bound_to, text.as_bytes()));
    sealed.ok_or(Failure::Key(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_word_on_each_person_is_looked_at() {
        let word = |id: &str, version: u64| Entry {
            value: json!({"version": version}),
            ..tombstone(id)
        };
        let told = newest(&[
            word("p-a", 2),
            word("p-b", 1),
            tombstone("p-b"),
            word("p-a", 1),
            tombstone("p-c"),
            word("p-c", 7),
        ]);
        let told: Vec<_> = told.iter().map(|(id, version)| (id.as_str(), *version)).collect();
        assert_eq!(told, [("p-a", 1), ("p-c", 7)]);
    }
}
