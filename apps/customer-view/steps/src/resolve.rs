//! The step `resolve`: keeps what each account said, and finds whom it is one with.
//!
//! An account stands in the index before it is written, and looks for others after it is. Of two that come at the
//! same time at least one therefore finds the other: no lock is needed.

use std::collections::BTreeMap;

use customer_view_identity::normal::Normal;
use customer_view_identity::{Account, CROWDED, Event, Link, Profile, keys, link};
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::bus::Entry;
use crate::failure::Failure;
use crate::records::{self, Envelope};
use crate::seal::Key;
use crate::settings::Settings;
use crate::suppressed;

/// As many accounts are worked on at once.
const AT_ONCE: usize = 16;

/// An object of the index.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
struct Indexed {
    format: u32,
    accounts: Vec<Place>,
}

/// Where an account is kept.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
struct Place {
    source: String,
    token: String,
}

impl Place {
    fn path(&self) -> String {
        account_path(&self.source, &self.token)
    }
}

/// Where an account is kept.
pub(crate) fn account_path(source: &str, token: &str) -> String {
    format!("accounts/{source}/{token}.json")
}

/// Works on a batch of `view.normal`.
///
/// # Errors
/// When one record could not be resolved: the batch comes again.
pub async fn batch(settings: &Settings, event: &Value) -> Result<Value, Failure> {
    let mut accounts: Vec<(String, Vec<Envelope>)> = Vec::new();
    for record in records::values::<Envelope>(event)? {
        let name = format!("{}|{}", record.source, record.account);
        match accounts.iter_mut().find(|(known, _)| *known == name) {
            Some((_, records)) => records.push(record),
            None => accounts.push((name, vec![record])),
        }
    }
    let resolved = stream::iter(
        accounts
            .into_iter()
            .map(|(_, records)| in_order(settings, records)),
    );
    let entries: Vec<Vec<Entry>> = resolved.buffered(AT_ONCE).try_collect().await?;
    let entries: Vec<Entry> = entries.into_iter().flatten().collect();
    settings.bus.put(&entries).await?;
    Ok(json!({"resolved": entries.len()}))
}

async fn in_order(settings: &Settings, records: Vec<Envelope>) -> Result<Vec<Entry>, Failure> {
    let mut entries = Vec::new();
    for record in records {
        entries.extend(resolve(settings, &record).await?);
    }
    Ok(entries)
}

/// What the record says to `merge`; nothing if its person was erased.
async fn resolve(settings: &Settings, record: &Envelope) -> Result<Option<Entry>, Failure> {
    let token = settings.pepper.token(&record.source, &record.account);
    if suppressed::account(settings, token.as_str()).await? {
        return Ok(None);
    }
    let Some(normal) = open(settings, record, token.as_str()).await? else {
        return Ok(None);
    };
    if is_of_erased(settings, &normal, &record.at).await? {
        return Ok(None);
    }
    let place = Place {
        source: record.source.clone(),
        token: token.to_string(),
    };
    let account = keep(settings, record, &place, &normal).await?;
    if suppressed::account(settings, token.as_str()).await? {
        take_away(settings, &account).await?;
        return Ok(None);
    }
    Ok(Some(entry(record, &account)))
}

fn entry(record: &Envelope, account: &Account) -> Entry {
    Entry {
        step: "resolve",
        topic: "view.resolved",
        key: account.person.clone(),
        value: json!({
            "schema": "view.resolved/1", "event": record.event, "source": record.source, "token": account.token,
            "at": record.at, "person": account.person, "links": account.links, "linked": account.linked,
        }),
    }
}

/// The personal part; nothing if its key was destroyed.
async fn open(settings: &Settings, record: &Envelope, token: &str) -> Result<Option<Normal>, Failure> {
    let name = format!("{}/{token}", record.source);
    let Some(key) = settings.keys.bytes(&name).await? else {
        return match suppressed::account(settings, token).await? {
            true => Ok(None),
            false => Err(Failure::Key(name)),
        };
    };
    let opened = Key::new(&key).and_then(|key| key.open(&record.bound_to(), &record.sealed));
    let text = opened.ok_or_else(|| Failure::Sealed(record.event.clone()))?;
    serde_json::from_slice(&text)
        .map(Some)
        .map_err(|cause| Failure::Shape {
            what: record.event.clone(),
            cause,
        })
}

async fn is_of_erased(settings: &Settings, normal: &Normal, at: &str) -> Result<bool, Failure> {
    let said = [("email", &normal.said.email), ("phone", &normal.said.phone)];
    for (kind, value) in said {
        let Some(value) = value else { continue };
        if suppressed::value(settings, kind, &settings.pepper.token(kind, value), at).await? {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Keeps the event, and gives the account with its links.
async fn keep(
    settings: &Settings,
    record: &Envelope,
    place: &Place,
    normal: &Normal,
) -> Result<Account, Failure> {
    let event = Event {
        at: record.at.clone(),
        id: record.event.clone(),
    };
    let read = settings
        .data
        .get::<Account>(&place.path())
        .await?
        .map(|found| found.value);
    let with_event = |known: Option<&Account>| {
        let mut account = known
            .cloned()
            .unwrap_or_else(|| Account::new(&place.source, &record.account, &place.token));
        account.apply(&event, normal);
        account.index = index_of(settings, &account);
        account
    };
    let planned = with_event(read.as_ref());
    stand_in_index(settings, place, read.as_ref(), &planned).await?;
    let account = settings
        .data
        .change(&place.path(), |known: Option<&Account>| {
            let account = with_event(known);
            ((known != Some(&account)).then(|| account.clone()), account)
        })
        .await?;
    // A new event that says what is known finds nobody new; one that comes again may have been cut off here.
    let read_nothing = read.is_none();
    let repeated = read
        .as_ref()
        .is_some_and(|known| known.facts.contains_key(&record.event));
    let says_nothing_new = read.is_some_and(|known| known.said_values() == account.said_values());
    if says_nothing_new && !repeated {
        return Ok(account);
    }
    link_up(settings, place, account, read_nothing).await
}

/// The objects of the index an account belongs into.
fn index_of(settings: &Settings, account: &Account) -> Vec<String> {
    let keys = keys(account).into_iter();
    keys.map(|key| {
        format!(
            "{}/{}",
            key.kind.name(),
            settings.pepper.token(key.kind.name(), &key.value)
        )
    })
    .collect()
}

/// An account that lists an object of the index stands in it already: the index is written first.
async fn stand_in_index(
    settings: &Settings,
    place: &Place,
    read: Option<&Account>,
    planned: &Account,
) -> Result<(), Failure> {
    let known = |name: &&String| read.is_some_and(|account| account.index.contains(name));
    let new = planned.index.iter().filter(|name| !known(name));
    let written = stream::iter(new.map(|name| add_to_index(settings, name, place)));
    written.buffer_unordered(AT_ONCE).try_collect::<Vec<()>>().await?;
    Ok(())
}

async fn add_to_index(settings: &Settings, name: &str, place: &Place) -> Result<(), Failure> {
    let add = |known: Option<&Indexed>| {
        let mut indexed = known.cloned().unwrap_or_default();
        if indexed.accounts.contains(place) || indexed.accounts.len() >= CROWDED {
            return (None, ());
        }
        indexed.format = 1;
        indexed.accounts.push(place.clone());
        (Some(indexed), ())
    };
    settings.data.change(&format!("index/{name}.json"), add).await
}

/// Finds whom the account is one with, and keeps that with it.
async fn link_up(
    settings: &Settings,
    place: &Place,
    account: Account,
    is_new: bool,
) -> Result<Account, Failure> {
    let others = candidates(settings, place, &account.index).await?;
    let profile = Profile::of(&account);
    let mut nearest: Option<(f64, String)> = None;
    let mut links: Vec<Link> = Vec::new();
    let mut linked: BTreeMap<String, String> = BTreeMap::new();
    for other in &others {
        if let Some(link) = link((&account.token, &profile), (&other.token, &Profile::of(other))) {
            if nearest.as_ref().is_none_or(|(score, _)| *score < link.score) {
                nearest = Some((link.score, other.person.clone()));
            }
            linked.insert(other.token.clone(), other.source.clone());
            links.push(link);
        }
    }
    let with_links = |known: Option<&Account>| {
        let mut joined = known.cloned().unwrap_or_else(|| account.clone());
        joined.join(links.clone());
        joined.linked.extend(linked.clone());
        // A new account begins with the person it is most like, which spares a merge; `merge` may still part them.
        let begins = is_new && joined.person == account.person;
        if let Some((_, person)) = nearest.as_ref().filter(|_| begins) {
            joined.person.clone_from(person);
        }
        // One that is gone was erased: it is not written again.
        let write = known.is_some_and(|known| *known != joined);
        (write.then(|| joined.clone()), joined)
    };
    settings.data.change(&place.path(), with_links).await
}

async fn candidates(settings: &Settings, place: &Place, index: &[String]) -> Result<Vec<Account>, Failure> {
    let lists = stream::iter(index.iter().map(|name| async move {
        let path = format!("index/{name}.json");
        settings.data.get::<Indexed>(&path).await
    }));
    let lists: Vec<_> = lists.buffer_unordered(AT_ONCE).try_collect().await?;
    let accounts = lists.into_iter().flatten().flat_map(|found| found.value.accounts);
    let mut places: Vec<Place> = accounts.filter(|other| other != place).collect();
    places.sort();
    places.dedup();
    let accounts = stream::iter(
        places
            .into_iter()
            .map(|place| async move { settings.data.get::<Account>(&place.path()).await }),
    );
    let accounts: Vec<_> = accounts.buffer_unordered(AT_ONCE).try_collect().await?;
    Ok(accounts.into_iter().flatten().map(|found| found.value).collect())
}

/// Takes away what was written of an account that was erased meanwhile.
async fn take_away(settings: &Settings, account: &Account) -> Result<(), Failure> {
    for name in &account.index {
        let without = |known: Option<&Indexed>| {
            let mut indexed = known.cloned().unwrap_or_default();
            let before = indexed.accounts.len();
            indexed.accounts.retain(|place| place.token != account.token);
            ((indexed.accounts.len() < before).then_some(indexed), ())
        };
        settings
            .data
            .change(&format!("index/{name}.json"), without)
            .await?;
    }
    settings
        .data
        .delete(&account_path(&account.source, &account.token))
        .await
}
