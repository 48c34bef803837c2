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
use crate::records::{self, Done, Envelope, Outcome, Record};
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
/// When the bus or the queue does not take what is told: the batch comes again.
pub async fn batch(settings: &Settings, event: &Value) -> Result<Value, Failure> {
    let token = |value: &Value| {
        let token = settings
            .pepper
            .token(value["source"].as_str()?, value["account"].as_str()?);
        Some(token.to_string())
    };
    let mut accounts: Vec<(String, Vec<Record<Envelope>>)> = Vec::new();
    for record in records::read::<Envelope>(event, token) {
        let value = record.value.as_ref();
        let name = value.map_or_else(String::new, |value| format!("{}|{}", value.source, value.account));
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
    let outcomes: Vec<Vec<_>> = resolved.buffered(AT_ONCE).collect().await;
    let done = Done::of("resolve", outcomes.into_iter().flatten().collect(), false);
    settings.rejected.send(&done.rejections).await?;
    settings.bus.put(&done.entries).await?;
    Ok(done.answer())
}

async fn in_order(settings: &Settings, records: Vec<Record<Envelope>>) -> Vec<(Record<Envelope>, Outcome)> {
    let mut outcomes = Vec::new();
    for record in records {
        let resolved = match &record.value {
            Some(envelope) => resolve(settings, envelope).await,
            None => Err(Failure::broken(
                "wrong-envelope",
                "the record is not of `view.normal/1`",
            )),
        };
        let outcome = Outcome::of(&record, resolved.map(|entry| entry.into_iter().collect()));
        outcomes.push((record, outcome));
    }
    outcomes
}

/// What the record says to `merge`; nothing if its account was erased.
async fn resolve(settings: &Settings, record: &Envelope) -> Result<Option<Entry>, Failure> {
    let token = settings.pepper.token(&record.source, &record.account);
    if suppressed::account(settings, token.as_str()).await? {
        return Ok(None);
    }
    let Some(normal) = open(settings, record, token.as_str()).await? else {
        return Ok(None);
    };
    let place = Place {
        source: record.source.clone(),
        token: token.to_string(),
    };
    refuse_erased(settings, record, &place, &normal).await?;
    let account = keep(settings, record, &place, &normal).await?;
    if suppressed::account(settings, token.as_str()).await? {
        take_away(settings, &account).await?;
        return Ok(None);
    }
    refuse_erased(settings, record, &place, &normal).await?;
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
            false => Err(Failure::broken(
                "wrong-key",
                "the key of the account is gone, and the account is not suppressed",
            )),
        };
    };
    let opened = Key::new(&key).and_then(|key| key.open(&record.bound_to(), &record.sealed));
    let shut = || {
        Failure::broken(
            "not-opened",
            "field `sealed`: does not open with the account's key",
        )
    };
    match serde_json::from_slice(&opened.ok_or_else(shut)?) {
        Ok(normal) => Ok(Some(normal)),
        Err(_) => Err(Failure::broken(
            "wrong-type",
            "the personal part is not of `view.normal/1`",
        )),
    }
}

/// Refuses what happened to someone before they were erased, and takes it back if it was kept: looked at before the
/// write and after, by whoever comes again, too.
async fn refuse_erased(
    settings: &Settings,
    record: &Envelope,
    place: &Place,
    normal: &Normal,
) -> Result<(), Failure> {
    let Some(kind) = erased(settings, normal, &record.at).await? else {
        return Ok(());
    };
    if let Some(account) = unsay(settings, place, &record.event).await? {
        // `merge` may have seen it.
        settings.bus.put(&[entry(record, &account)]).await?;
    }
    let reason = format!("field `{kind}`: of someone who was erased, and of before");
    Err(Failure::broken("erased", &reason))
}

/// What the event has of someone who was erased after it happened, unless it has another's name.
async fn erased(settings: &Settings, normal: &Normal, at: &str) -> Result<Option<&'static str>, Failure> {
    let given = normal.said.given.as_deref();
    for (kind, value) in [("email", &normal.said.email), ("phone", &normal.said.phone)] {
        let Some(value) = value else { continue };
        let token = settings.pepper.token(kind, value);
        if suppressed::value(settings, kind, &token, given, at).await? {
            return Ok(Some(kind));
        }
    }
    Ok(None)
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
    // Who no longer says a value leaves its object of the index before it is forgotten which one that was.
    if let Some(read) = &read {
        let left = read.index.iter().filter(|name| !planned.index.contains(name));
        leave_index(settings, left, &place.token).await?;
    }
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
    leave_index(settings, account.index.iter(), &account.token).await?;
    settings
        .data
        .delete(&account_path(&account.source, &account.token))
        .await
}

/// Takes an account out of objects of the index.
async fn leave_index(
    settings: &Settings,
    names: impl Iterator<Item = &String>,
    token: &str,
) -> Result<(), Failure> {
    for name in names {
        let without = |known: Option<&Indexed>| {
            let mut indexed = known.cloned().unwrap_or_default();
            let before = indexed.accounts.len();
            indexed.accounts.retain(|place| place.token != token);
            ((indexed.accounts.len() < before).then_some(indexed), ())
        };
        settings
            .data
            .change(&format!("index/{name}.json"), without)
            .await?;
    }
    Ok(())
}

/// Takes an event back out of its account, and the account away if it said nothing else; the account as it is then, if
/// the event was in it.
async fn unsay(settings: &Settings, place: &Place, event: &str) -> Result<Option<Account>, Failure> {
    let read = settings.data.get::<Account>(&place.path()).await?;
    let Some(read) = read.filter(|found| found.value.facts.contains_key(event)) else {
        return Ok(None);
    };
    let without = |known: &Account| {
        let mut account = known.clone();
        account.unsay(event);
        account.index = index_of(settings, &account);
        account
    };
    let planned = without(&read.value);
    if planned.facts.is_empty() {
        take_away(settings, &read.value).await?;
        return Ok(Some(planned));
    }
    let left = read
        .value
        .index
        .iter()
        .filter(|name| !planned.index.contains(name));
    leave_index(settings, left, &place.token).await?;
    let decide = |known: Option<&Account>| (known.map(without), ());
    settings.data.change(&place.path(), decide).await?;
    Ok(Some(planned))
}
