//! What others ask of the one writer of `persons/`, by `Invoke`.

use customer_view_identity::{Account, Never, Person, Restriction, Statement, StatementKind};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::failure::Failure;
use crate::resolve::account_path;
use crate::settings::Settings;
use crate::suppressed;

use super::gather::{gather, merged_path, person_path};
use super::settle::{Settled, Work, settle};
use super::tell;

/// What is asked.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "lowercase", deny_unknown_fields)]
enum Asked {
    Unmerge(Unmerge),
    State(State),
    Restrict(Restrict),
    Release(Restrict),
    Forget(Forget),
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Unmerge {
    person: String,
    a: String,
    b: String,
    by: String,
    why: String,
    at: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct State {
    person: String,
    kind: StatementKind,
    name: String,
    value: Value,
    by: String,
    why: String,
    at: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Restrict {
    person: String,
    request: String,
    at: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Forget {
    person: String,
    at: String,
}

/// Fields that staff may state.
const FIELDS: [&str; 7] = ["email", "phone", "given", "family", "address", "born", "language"];
/// The five systems.
const SOURCES: [&str; 5] = ["shop", "orders", "delivery", "marketing", "calls"];
/// Purposes of consents.
const PURPOSES: [&str; 4] = ["newsletter", "profiling", "partners", "phone"];

/// Why it is not done.
fn refused(error: &str, message: &str) -> Value {
    json!({"error": error, "message": message})
}

/// Does what is asked, and says which persons there are now.
pub(super) async fn answer(settings: &Settings, event: &Value) -> Result<Value, Failure> {
    let asked = match serde_json::from_value::<Asked>(event.clone()) {
        Ok(asked) => asked,
        Err(error) => return Ok(refused("invalid", &error.to_string())),
    };
    match asked {
        Asked::Unmerge(asked) => unmerge(settings, asked).await,
        Asked::State(asked) => state(settings, asked).await,
        Asked::Restrict(asked) => restrict(settings, asked, true).await,
        Asked::Release(asked) => restrict(settings, asked, false).await,
        Asked::Forget(asked) => forget(settings, asked).await,
    }
}

/// The person of that id, or the one it went into.
async fn find(settings: &Settings, id: &str) -> Result<Option<Person>, Failure> {
    let gathered = gather(settings, &[], &[id.to_owned()]).await?;
    let root = gathered.ways.get(id).and_then(|root| gathered.roots.get(root));
    Ok(root.and_then(Option::as_ref).map(|found| found.value.clone()))
}

fn unknown(id: &str) -> Value {
    refused("unknown-person", &format!("there is no person `{id}`"))
}

async fn unmerge(settings: &Settings, asked: Unmerge) -> Result<Value, Failure> {
    let (a, b) = if asked.a < asked.b {
        (asked.a, asked.b)
    } else {
        (asked.b, asked.a)
    };
    let Some(person) = find(settings, &asked.person).await? else {
        return Ok(unknown(&asked.person));
    };
    let pair = |never: &Never| never.a == a && never.b == b;
    let is_done = person.never.iter().any(pair);
    if a == b || !(is_done || person.has(&a) && person.has(&b)) {
        return Ok(refused("not-linked", "the person does not have both accounts"));
    }
    let never = Never {
        a: a.clone(),
        b: b.clone(),
        at: asked.at.clone(),
        by: asked.by,
        why: asked.why,
    };
    let edit = |person: &mut Person| {
        let known = person.never.iter().any(|never| never.a == a && never.b == b);
        if !known && person.has(&a) && person.has(&b) {
            person.never.push(never.clone());
        }
    };
    let settled = edit_person(settings, &person.id, &asked.at, &edit).await?;
    Ok(persons(&settled))
}

async fn state(settings: &Settings, asked: State) -> Result<Value, Failure> {
    if let Some(problem) = invalid(&asked) {
        return Ok(refused("invalid", &problem));
    }
    let Some(person) = find(settings, &asked.person).await? else {
        return Ok(unknown(&asked.person));
    };
    let statement = Statement {
        kind: asked.kind,
        name: asked.name,
        value: asked.value,
        at: asked.at.clone(),
        by: asked.by,
        why: asked.why,
        token: person
            .accounts
            .first()
            .map(|account| account.token.clone())
            .unwrap_or_default(),
    };
    let edit = |person: &mut Person| person.state(statement.clone());
    let settled = edit_person(settings, &person.id, &asked.at, &edit).await?;
    Ok(persons(&settled))
}

fn invalid(asked: &State) -> Option<String> {
    let (known, sound) = match asked.kind {
        StatementKind::Field => (
            FIELDS.contains(&asked.name.as_str()),
            if asked.name == "address" {
                asked.value.is_object()
            } else {
                asked.value.is_string()
            },
        ),
        StatementKind::Consent => (
            PURPOSES.contains(&asked.name.as_str()),
            asked.value == "granted" || asked.value == "withdrawn",
        ),
    };
    match (known, sound) {
        (false, _) => Some(format!("there is no `{}`", asked.name)),
        (true, false) => Some(format!("this is no value of `{}`", asked.name)),
        (true, true) => None,
    }
}

async fn restrict(settings: &Settings, asked: Restrict, on: bool) -> Result<Value, Failure> {
    let Some(person) = find(settings, &asked.person).await? else {
        return Ok(unknown(&asked.person));
    };
    let restriction = on.then(|| Restriction {
        since: asked.at.clone(),
        request: asked.request.clone(),
    });
    let edit = |person: &mut Person| {
        person.restrict(restriction.clone(), &asked.at);
    };
    let settled = edit_person(settings, &person.id, &asked.at, &edit).await?;
    Ok(persons(&settled))
}

/// Edits a person and tells of it.
async fn edit_person(
    settings: &Settings,
    id: &str,
    at: &str,
    edit: &(dyn Fn(&mut Person) + Sync),
) -> Result<Settled, Failure> {
    let work = Work {
        touched: Vec::new(),
        persons: vec![id.to_owned()],
        at,
        by: "staff",
        edit,
    };
    let settled = settle(settings, &work).await?;
    let mut told: Vec<_> = settled.redirected.iter().map(|id| tell::tombstone(id)).collect();
    for outcome in &settled.persons {
        told.push(tell::change(settings, &outcome.person, &outcome.changed).await?);
    }
    tell::tell(settings, &told).await?;
    Ok(settled)
}

/// The ids, those that were there before first.
fn persons(settled: &Settled) -> Value {
    let mut outcomes: Vec<_> = settled.persons.iter().collect();
    outcomes.sort_by_key(|outcome| outcome.is_new);
    let ids: Vec<&str> = outcomes
        .iter()
        .map(|outcome| outcome.person.id.as_str())
        .collect();
    json!({"persons": ids})
}

/// Removes all that is known of an erased person as a person.
async fn forget(settings: &Settings, asked: Forget) -> Result<Value, Failure> {
    let Some(person) = find(settings, &asked.person).await? else {
        return Ok(json!({"persons": []}));
    };
    for account in &person.accounts {
        if !suppressed::account(settings, &account.token).await? {
            return Ok(refused(
                "not-suppressed",
                "an account of the person is not suppressed",
            ));
        }
    }
    forget_never(settings, &person, &asked.at).await?;
    // The person goes last: while it is there, whoever asks again finds all that is to go with it.
    let ids: Vec<&String> = person.was.iter().chain(std::iter::once(&person.id)).collect();
    let tombstones: Vec<_> = ids.iter().map(|id| tell::tombstone(id)).collect();
    settings.bus.put(&tombstones).await?;
    for id in &ids {
        settings.keys.delete(&format!("person/{id}")).await?;
        settings.data.delete(&merged_path(id)).await?;
        settings.data.delete(&person_path(id)).await?;
    }
    // Once more, behind what someone else may have told in between.
    settings.bus.put(&tombstones).await?;
    Ok(json!({"persons": [], "at": asked.at}))
}

/// Takes the pairs with an erased account, and what staff wrote of them, out of the persons it was parted from.
async fn forget_never(settings: &Settings, person: &Person, at: &str) -> Result<(), Failure> {
    let has = |token: &String| person.has(token);
    let others = person
        .never
        .iter()
        .flat_map(|pair| [&pair.a, &pair.b])
        .filter(|token| !has(token));
    let is_of = |never: &Never| has(&never.a) || has(&never.b);
    let edit = |other: &mut Person| {
        if other.id != person.id {
            other.never.retain(|never| !is_of(never));
        }
    };
    for token in others {
        for source in SOURCES {
            let Some(other) = settings.data.get::<Account>(&account_path(source, token)).await? else {
                continue;
            };
            edit_person(settings, &other.value.person, at, &edit).await?;
        }
    }
    Ok(())
}
