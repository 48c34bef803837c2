//! What was decided, written.

use std::collections::BTreeMap;

use customer_view_identity::{Account, Person};

use crate::failure::Failure;
use crate::resolve::account_path;
use crate::settings::Settings;

use super::gather::{Gathered, Merged, Place, gather, merged_path, person_path};
use super::plan::{Loser, Outcome, Plan, plan};
use super::tell;

/// How often everything is decided anew because others were faster.
const MAX_TRIES: usize = 24;

/// What is to be done.
pub(super) struct Work<'a> {
    /// Accounts that changed, or are one with such.
    pub(super) touched: Vec<Place>,
    /// Persons that are looked at, besides.
    pub(super) persons: Vec<String>,
    /// When it happened.
    pub(super) at: &'a str,
    /// The event.
    pub(super) by: &'a str,
    /// What changes of the persons before their accounts are parted.
    pub(super) edit: &'a (dyn Fn(&mut Person) + Sync),
}

/// What came of it.
#[derive(Debug, Default)]
pub(super) struct Settled {
    /// Persons that are there now.
    pub(super) persons: Vec<Outcome>,
    /// Those that were met and had gone into others, now or before: told again, as whoever sent them there may have
    /// been cut off before it looked whether an older change came late.
    pub(super) redirected: Vec<String>,
}

/// Decides and writes; begins anew while others are faster.
pub(super) async fn settle(settings: &Settings, work: &Work<'_>) -> Result<Settled, Failure> {
    for _ in 0..MAX_TRIES {
        let gathered = gather(settings, &work.touched, &work.persons).await?;
        let going = going(&gathered);
        let name = |root: &str, token: &str| {
            let made = settings.pepper.token("person", &format!("{root}|{token}"));
            format!("p-{made}")
        };
        let redirected = redirected(&gathered);
        let plan = plan(work, gathered, &name);
        if let Some(settled) = carry_out(settings, work, plan, going).await? {
            return Ok(Settled {
                redirected,
                ..settled
            });
        }
    }
    Err(Failure::Contended(work.persons.join(" ")))
}

/// Merges that were cut off, and are finished along.
fn going(gathered: &Gathered) -> BTreeMap<String, String> {
    let left = gathered.leftovers.keys();
    left.filter_map(|id| Some((id.clone(), gathered.ways.get(id)?.clone())))
        .collect()
}

/// Everyone met who went into another.
fn redirected(gathered: &Gathered) -> Vec<String> {
    let ways = gathered.ways.iter().filter(|(id, root)| id != root);
    ways.map(|(id, _)| id.clone()).collect()
}

/// Writes in the order that keeps everything findable; `None` when others were faster.
async fn carry_out(
    settings: &Settings,
    work: &Work<'_>,
    plan: Plan,
    mut gone: BTreeMap<String, String>,
) -> Result<Option<Settled>, Failure> {
    for loser in &plan.losers {
        if !claim(settings, loser).await? {
            return Ok(None);
        }
        gone.insert(loser.root.person.id.clone(), loser.into.clone());
    }
    for outcome in &plan.outcomes {
        if !write(settings, outcome).await? {
            return Ok(None);
        }
        if outcome.is_new {
            point(settings, outcome).await?;
        }
    }
    // While their objects are there whoever comes again finds them, and tells it again.
    let nobody = plan.emptied.iter().map(|root| &root.person.id);
    let told: Vec<_> = gone.keys().chain(nobody).map(|id| tell::tombstone(id)).collect();
    settings.bus.put(&told).await?;
    for (id, into) in &gone {
        finish(settings, id, into, work.at).await?;
    }
    for outcome in plan.outcomes.iter().filter(|outcome| !outcome.is_new) {
        point(settings, outcome).await?;
    }
    for root in &plan.emptied {
        settings
            .keys
            .delete(&format!("person/{}", root.person.id))
            .await?;
        settings.data.delete(&person_path(&root.person.id)).await?;
    }
    Ok(Some(Settled {
        persons: plan.outcomes,
        redirected: Vec::new(),
    }))
}

/// Says in the object of who goes where it goes, unless it changed.
async fn claim(settings: &Settings, loser: &Loser) -> Result<bool, Failure> {
    let mut person = loser.root.person.clone();
    person.merged = Some(loser.into.clone());
    settings
        .data
        .put(&person_path(&person.id), loser.root.read.as_ref(), &person)
        .await
}

async fn write(settings: &Settings, outcome: &Outcome) -> Result<bool, Failure> {
    let path = person_path(&outcome.person.id);
    if outcome.is_new {
        // Its name is made of what it is parted from: one that is there was written before this was cut off.
        let read = settings.data.get::<Person>(&path).await?;
        return settings.data.put(&path, read.as_ref(), &outcome.person).await;
    }
    if outcome
        .read
        .as_ref()
        .is_some_and(|read| read.value == outcome.person)
    {
        return Ok(true);
    }
    let written = settings
        .data
        .put(&path, outcome.read.as_ref(), &outcome.person)
        .await?;
    // Created while someone else merged it away: that is seen now, and decided anew.
    let merged =
        written && outcome.read.is_none() && settings.data.has(&merged_path(&outcome.person.id)).await?;
    Ok(written && !merged)
}

/// Points the accounts at their person.
async fn point(settings: &Settings, outcome: &Outcome) -> Result<(), Failure> {
    let id = &outcome.person.id;
    for account in outcome.accounts.iter().filter(|account| account.person != *id) {
        let pointed = |known: Option<&Account>| {
            let other = known.filter(|known| known.person != *id).cloned();
            let pointed = other.map(|mut account| {
                account.person.clone_from(id);
                account
            });
            (pointed, ())
        };
        settings
            .data
            .change(&account_path(&account.source, &account.token), pointed)
            .await?;
    }
    Ok(())
}

/// Leaves the sign where a person went, and takes its object away.
async fn finish(settings: &Settings, id: &str, into: &str, at: &str) -> Result<(), Failure> {
    let merged = Merged {
        format: 1,
        id: id.to_owned(),
        into: into.to_owned(),
        at: at.to_owned(),
    };
    let sign = |known: Option<&Merged>| (known.is_none().then(|| merged.clone()), ());
    settings.data.change(&merged_path(id), sign).await?;
    settings.data.delete(&person_path(id)).await
}
