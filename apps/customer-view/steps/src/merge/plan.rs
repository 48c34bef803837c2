//! Who is whom, decided of what was read. No I/O.

use std::collections::BTreeMap;

use customer_view_identity::{Account, Person, parts};

use crate::bucket::Found;

use super::gather::Gathered;
use super::settle::Work;

/// A person as it was read, with what was said of it since.
#[derive(Clone, Debug)]
pub(super) struct Root {
    pub(super) person: Person,
    pub(super) read: Option<Found<Person>>,
}

/// A person that goes into another.
#[derive(Debug)]
pub(super) struct Loser {
    pub(super) root: Root,
    pub(super) into: String,
}

/// A person as it is to be.
#[derive(Debug)]
pub(super) struct Outcome {
    pub(super) person: Person,
    pub(super) read: Option<Found<Person>>,
    /// What is believed otherwise than before.
    pub(super) changed: Vec<String>,
    /// Its accounts.
    pub(super) accounts: Vec<Account>,
    /// Parted from another just now.
    pub(super) is_new: bool,
}

/// All that is to be written.
#[derive(Debug, Default)]
pub(super) struct Plan {
    /// The new ones first: until they are written, those they are parted from know everything.
    pub(super) outcomes: Vec<Outcome>,
    pub(super) losers: Vec<Loser>,
    /// Persons whose accounts are gone: they were erased.
    pub(super) emptied: Vec<Root>,
}

type Roots = BTreeMap<String, Root>;

/// Parts all accounts into people, and gives each part a person: the least of those that have most of their accounts
/// in it, or a new one.
pub(super) fn plan(work: &Work<'_>, gathered: Gathered, name: &dyn Fn(&str, &str) -> String) -> Plan {
    let homes = gathered.homes();
    let accounts: Vec<Account> = gathered.accounts.values().cloned().collect();
    let mut roots = roots(work, gathered);
    let origins = roots.clone();
    let parts = parts(&accounts, &never(&roots));
    let owners = owners(&parts, &homes);
    let mut plan = Plan::default();
    for (at, part) in parts.iter().enumerate() {
        let ids: Vec<&String> = owners
            .iter()
            .filter(|(_, part)| **part == at)
            .map(|(id, _)| id)
            .collect();
        let root = match ids.split_first() {
            Some((first, others)) => survivor(&mut roots, first, others, work.at, &mut plan.losers),
            None => None,
        };
        let of_part = accounts
            .iter()
            .filter(|account| part.contains(&account.token))
            .cloned();
        let outcome = match root {
            Some(root) => stays(work, root, part, &homes, of_part.collect()),
            None => is_parted(work, part, &homes, &origins, name, of_part.collect()),
        };
        plan.outcomes.push(outcome);
    }
    plan.outcomes.sort_by_key(|outcome| !outcome.is_new);
    plan.emptied = roots.into_values().filter(|root| root.read.is_some()).collect();
    plan
}

/// The persons as they were read, with what others that went into them knew, and with the edit.
fn roots(work: &Work<'_>, gathered: Gathered) -> Roots {
    let root = |(id, read): (String, Option<Found<Person>>)| {
        let person = read
            .as_ref()
            .map_or_else(|| Person::new(&id), |found| found.value.clone());
        (id, Root { person, read })
    };
    let mut roots: Roots = gathered.roots.into_iter().map(root).collect();
    for (id, leftover) in gathered.leftovers {
        let into = gathered.ways.get(&id).and_then(|into| roots.get_mut(into));
        if let Some(into) = into {
            into.person.absorb(leftover, work.at);
        }
    }
    roots.values_mut().for_each(|root| (work.edit)(&mut root.person));
    roots
}

fn never(roots: &Roots) -> Vec<(String, String)> {
    let pairs = roots.values().flat_map(|root| &root.person.never);
    pairs.map(|pair| (pair.a.clone(), pair.b.clone())).collect()
}

/// Root → the part that has most of its accounts; of equal ones the first.
fn owners(parts: &[Vec<String>], homes: &BTreeMap<String, String>) -> BTreeMap<String, usize> {
    let mut counts: BTreeMap<&str, BTreeMap<usize, usize>> = BTreeMap::new();
    for (at, part) in parts.iter().enumerate() {
        for home in part.iter().filter_map(|token| homes.get(token)) {
            *counts.entry(home).or_default().entry(at).or_default() += 1;
        }
    }
    let most = |counts: BTreeMap<usize, usize>| counts.into_iter().rev().max_by_key(|(_, count)| *count);
    let owners = counts.into_iter();
    owners
        .filter_map(|(root, counts)| Some((root.to_owned(), most(counts)?.0)))
        .collect()
}

/// The first takes the others in.
fn survivor(
    roots: &mut Roots,
    first: &str,
    others: &[&String],
    at: &str,
    losers: &mut Vec<Loser>,
) -> Option<Root> {
    let mut root = roots.remove(first)?;
    for other in others {
        let Some(loser) = roots.remove(*other) else {
            continue;
        };
        root.person.absorb(loser.person.clone(), at);
        losers.push(Loser {
            root: loser,
            into: first.to_owned(),
        });
    }
    Some(root)
}

fn stays(
    work: &Work<'_>,
    root: Root,
    part: &[String],
    homes: &BTreeMap<String, String>,
    accounts: Vec<Account>,
) -> Outcome {
    let left = |token: &str| homes.contains_key(token) && !part.iter().any(|one| one == token);
    let is_parted = root.person.accounts.iter().any(|account| left(&account.token));
    let mut person = match is_parted {
        true => root.person.part(&root.person.id, part, work.at),
        false => root.person,
    };
    let changed = person.rebuild(&accounts, work.at, work.by);
    Outcome {
        person,
        read: root.read,
        changed,
        accounts,
        is_new: false,
    }
}

fn is_parted(
    work: &Work<'_>,
    part: &[String],
    homes: &BTreeMap<String, String>,
    origins: &Roots,
    name: &dyn Fn(&str, &str) -> String,
    accounts: Vec<Account>,
) -> Outcome {
    let token = part.iter().min().map_or("", String::as_str);
    let home = homes.get(token).map_or("", String::as_str);
    let id = name(home, token);
    let mut person = match origins.get(home) {
        Some(origin) => origin.person.part(&id, part, work.at),
        None => Person::new(&id),
    };
    let changed = person.rebuild(&accounts, work.at, work.by);
    Outcome {
        person,
        read: None,
        changed,
        accounts,
        is_new: true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use customer_view_identity::normal::Normal;
    use customer_view_identity::{Event, Never, Profile, link};
    use serde_json::json;

    fn account(token: &str, person: &str, given: &str, email: &str) -> Account {
        let mut account = Account::new("shop", token, token);
        account.person = person.to_owned();
        let normal: Normal =
            serde_json::from_value(json!({"type": "account", "said": {"given": given, "email": email}}))
                .unwrap();
        let event = Event {
            at: "2026-01-01T00:00:00Z".to_owned(),
            id: token.to_owned(),
        };
        account.apply(&event, &normal);
        account
    }

    /// Accounts that know of their links, and persons that were read.
    fn gathered(accounts: &[Account], persons: &[&str]) -> Gathered {
        let mut gathered = Gathered::default();
        for account in accounts {
            let mut account = account.clone();
            let own = Profile::of(&account);
            let others = accounts.iter().filter(|other| other.token != account.token);
            let links =
                others.filter_map(|other| link((&account.token, &own), (&other.token, &Profile::of(other))));
            account.join(links.collect());
            gathered
                .ways
                .insert(account.person.clone(), account.person.clone());
            gathered.roots.entry(account.person.clone()).or_insert(None);
            gathered.accounts.insert(account.token.clone(), account);
        }
        for id in persons {
            let mut person = Person::new(id);
            let own: Vec<Account> = gathered
                .accounts
                .values()
                .filter(|one| one.person == **id)
                .cloned()
                .collect();
            person.rebuild(&own, "2026-01-01T00:00:00Z", "before");
            gathered
                .roots
                .insert((*id).to_owned(), Some(Found::fixture(person)));
            gathered.ways.insert((*id).to_owned(), (*id).to_owned());
        }
        gathered
    }

    fn planned(gathered: Gathered, edit: &(dyn Fn(&mut Person) + Sync)) -> Plan {
        let work = Work {
            touched: Vec::new(),
            persons: Vec::new(),
            at: "2026-02-01T00:00:00Z",
            by: "e",
            edit,
        };
        plan(&work, gathered, &|root, token| format!("{root}+{token}"))
    }

    fn people(plan: &Plan) -> Vec<String> {
        let person = |outcome: &Outcome| {
            let tokens: Vec<&str> = outcome
                .person
                .accounts
                .iter()
                .map(|account| account.token.as_str())
                .collect();
            format!("{}: {}", outcome.person.id, tokens.join(" "))
        };
        plan.outcomes.iter().map(person).collect()
    }

    #[test]
    fn the_lesser_takes_the_other_in() {
        let accounts = [
            account("a", "p-a", "Ada", "x@x"),
            account("b", "p-b", "Ada", "x@x"),
        ];
        let plan = planned(gathered(&accounts, &["p-a", "p-b"]), &|_| ());
        assert_eq!(people(&plan), ["p-a: a b"]);
        assert_eq!((plan.losers.len(), plan.losers[0].into.as_str()), (1, "p-a"));
        assert_eq!(plan.outcomes[0].person.was, ["p-b"]);
    }

    #[test]
    fn an_unmerge_parts_and_stays_parted() {
        let accounts = ["a", "b", "c"].map(|token| account(token, "p-a", "Karl", "x@x"));
        let never = |person: &mut Person| {
            let pair = Never {
                a: "a".to_owned(),
                b: "c".to_owned(),
                at: String::new(),
                by: String::new(),
                why: String::new(),
            };
            if !person.never.contains(&pair) {
                person.never.push(pair);
            }
        };
        let plan = planned(gathered(&accounts, &["p-a"]), &never);
        assert_eq!(people(&plan), ["p-a+c: c", "p-a: a b"]);
        assert!(
            plan.outcomes[0].is_new
                && plan
                    .outcomes
                    .iter()
                    .all(|outcome| outcome.person.never.len() == 1)
        );

        // Cut off after the new one was written and pointed at: the other still lists the account.
        let mut cut = gathered(&accounts, &["p-a"]);
        cut.accounts.get_mut("c").unwrap().person = "p-a+c".to_owned();
        cut.roots.insert(
            "p-a+c".to_owned(),
            Some(Found::fixture(plan.outcomes[0].person.clone())),
        );
        cut.ways.insert("p-a+c".to_owned(), "p-a+c".to_owned());
        assert_eq!(people(&planned(cut, &|_| ())), ["p-a: a b", "p-a+c: c"]);
    }

    #[test]
    fn a_merge_that_was_cut_off_is_finished() {
        // p-b was claimed by p-a, and then nothing: its accounts still point at it.
        let accounts = [
            account("a", "p-a", "Ada", "x@x"),
            account("b", "p-b", "Ada", "x@x"),
            account("c", "p-b", "Ada", "x@x"),
        ];
        let mut cut = gathered(&accounts, &["p-a", "p-b"]);
        let claimed = cut.roots.remove("p-b").flatten().unwrap().value;
        cut.leftovers.insert("p-b".to_owned(), claimed);
        cut.ways.insert("p-b".to_owned(), "p-a".to_owned());
        let plan = planned(cut, &|_| ());
        assert_eq!(people(&plan), ["p-a: a b c"]);
        assert_eq!(plan.outcomes[0].person.was, ["p-b"]);
        assert!(plan.losers.is_empty());
    }

    #[test]
    fn a_person_without_accounts_goes() {
        let mut erased = gathered(&[account("a", "p-a", "Ada", "x@x")], &["p-a"]);
        erased.accounts.clear();
        let plan = planned(erased, &|_| ());
        assert!(plan.outcomes.is_empty() && plan.emptied[0].person.id == "p-a");
    }
}
