//! Changes for other teams: `view.changes`.

use customer_view_identity::Person;
use serde_json::{Value, json};

use crate::bus::Entry;
use crate::failure::Failure;
use crate::seal::{Key, Sealed};
use crate::settings::Settings;

use super::plan::Outcome;
use super::settle::Settled;

/// What is to be told of what was settled: versions that this event made, now or before it was cut off.
pub(super) async fn changes(settings: &Settings, settled: &Settled, by: &str) -> Result<Vec<Entry>, Failure> {
    let mut entries: Vec<Entry> = settled.gone.iter().map(|id| tombstone(id)).collect();
    for outcome in &settled.persons {
        if !outcome.changed.is_empty() || outcome.person.by == by {
            entries.push(change(settings, outcome).await?);
        }
    }
    Ok(entries)
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
pub(super) async fn change(settings: &Settings, outcome: &Outcome) -> Result<Entry, Failure> {
    let person = &outcome.person;
    Ok(Entry {
        step: "merge",
        topic: "view.changes",
        key: person.id.clone(),
        value: json!({
            "schema": "view.change/1", "person": person.id, "version": person.version, "at": person.updated,
            "changed": outcome.changed, "accounts": person.accounts.len(), "restricted": person.restricted.is_some(),
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
