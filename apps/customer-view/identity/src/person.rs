//! The golden record: `persons/<id>.json`.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::account::{Account, AccountRef};
use crate::compare::{Link, Profile};
use crate::golden::{Field, Standing, golden};
use crate::groups::{Member, groups};

/// How many entries the history keeps.
const MAX_HISTORY: usize = 200;

/// All that is believed of one person.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Person {
    /// 1.
    pub format: u32,
    /// `p-` and 32 hexadecimal digits.
    pub id: String,
    /// One more with each change.
    pub version: u64,
    /// When the last change happened.
    pub updated: String,
    /// Its accounts, in order.
    pub accounts: Vec<AccountRef>,
    /// Field → what is believed.
    #[serde(default)]
    pub fields: BTreeMap<String, Field>,
    /// Purpose → what is believed.
    #[serde(default)]
    pub consents: BTreeMap<String, Standing>,
    /// Why its accounts are one person.
    #[serde(default)]
    pub links: Vec<Link>,
    /// Which of its accounts never are one with another.
    #[serde(default)]
    pub never: Vec<Never>,
    /// What staff said.
    #[serde(default)]
    pub statements: Vec<Statement>,
    /// Art. 18: kept, and not used.
    #[serde(default)]
    pub restricted: Option<Restriction>,
    /// What happened to the record.
    #[serde(default)]
    pub history: Vec<Value>,
    /// Persons that went into this one.
    #[serde(default)]
    pub was: Vec<String>,
    /// The event that made this version: when it comes again, the change is told again.
    #[serde(default)]
    pub by: String,
    /// Into whom this person is just going: a `merged/` object will say so in a moment.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub merged: Option<String>,
}

/// Two accounts that never are one person.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Never {
    /// The lesser token.
    pub a: String,
    /// The greater token.
    pub b: String,
    /// Since when.
    pub at: String,
    /// Who said so.
    pub by: String,
    /// And why.
    pub why: String,
}

/// What staff said of a person.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Statement {
    /// Of a field or of a consent.
    pub kind: StatementKind,
    /// Which.
    pub name: String,
    /// What it is; of a consent `granted` or `withdrawn`.
    pub value: Value,
    /// When.
    pub at: String,
    /// Who said so.
    pub by: String,
    /// And why.
    pub why: String,
    /// The account it stays with when the person is parted.
    pub token: String,
}

/// What a statement is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum StatementKind {
    /// A field of the golden record.
    Field,
    /// A consent.
    Consent,
}

/// A restriction of processing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Restriction {
    /// Since when.
    pub since: String,
    /// By which request.
    pub request: String,
}

impl Person {
    /// A person without accounts yet.
    #[must_use]
    pub fn new(id: &str) -> Self {
        Self {
            format: 1,
            id: id.to_owned(),
            ..Self::default()
        }
    }

    /// Makes the record of these accounts anew; the names of what is believed otherwise than before. The same
    /// accounts make the same record, and no new version.
    pub fn rebuild(&mut self, accounts: &[Account], at: &str, by: &str) -> Vec<String> {
        let before = self.clone();
        let mut known: Vec<AccountRef> = accounts.iter().map(Account::reference).collect();
        known.sort();
        self.accounts = known;
        self.links = links_within(accounts);
        (self.fields, self.consents) = golden(accounts, &self.statements);
        let changed = differences(&before, self);
        if *self != before {
            self.turn(at, by);
            self.remember(&before, &changed, at);
        }
        changed
    }

    /// The next version.
    fn turn(&mut self, at: &str, by: &str) {
        self.version += 1;
        by.clone_into(&mut self.by);
        if *at > *self.updated {
            at.clone_into(&mut self.updated);
        }
    }

    fn remember(&mut self, before: &Self, changed: &[String], at: &str) {
        if before.version == 0 && self.history.is_empty() {
            self.note(json!({"at": at, "what": "created"}));
        } else if !changed.is_empty() {
            self.note(json!({"at": at, "what": "changed", "fields": changed}));
        }
    }

    fn note(&mut self, entry: Value) {
        self.history.push(entry);
        let over = self.history.len().saturating_sub(MAX_HISTORY);
        self.history.drain(..over);
    }

    /// Takes in what is known of another besides its accounts. The record is then to be rebuilt.
    pub fn absorb(&mut self, other: Self, at: &str) {
        let new = |statement: &Statement| !self.statements.contains(statement);
        let statements: Vec<Statement> = other.statements.into_iter().filter(new).collect();
        self.statements.extend(statements);
        let new = |never: &Never| !self.never.contains(never);
        let never: Vec<Never> = other.never.into_iter().filter(new).collect();
        self.never.extend(never);
        self.restricted = self.restricted.take().or(other.restricted);
        if !self.was.contains(&other.id) {
            self.note(json!({"at": at, "what": "merged", "from": other.id}));
            self.was.push(other.id);
        }
        self.was.extend(other.was);
        self.was.sort();
        self.was.dedup();
    }

    /// The part of this person that has these accounts, as a person of its own that is to be rebuilt.
    #[must_use]
    pub fn part(&self, id: &str, tokens: &[String], at: &str) -> Self {
        let mut part = Self::new(id);
        part.statements = self
            .statements
            .iter()
            .filter(|one| tokens.contains(&one.token))
            .cloned()
            .collect();
        let of_part = |never: &&Never| tokens.contains(&never.a) || tokens.contains(&never.b);
        part.never = self.never.iter().filter(of_part).cloned().collect();
        part.restricted = self.restricted.clone();
        if id == self.id {
            part.version = self.version;
            part.updated.clone_from(&self.updated);
            part.history.clone_from(&self.history);
            part.was.clone_from(&self.was);
        }
        part.note(json!({"at": at, "what": "unmerged", "from": self.id}));
        part
    }

    /// Takes a statement of staff in, once. The record is then to be rebuilt.
    pub fn state(&mut self, statement: Statement) {
        if !self.statements.contains(&statement) {
            let (at, name) = (statement.at.clone(), statement.name.clone());
            self.statements.push(statement);
            self.note(json!({"at": at, "what": "stated", "fields": [name]}));
        }
    }

    /// Restricts the processing, or releases it; whether that changed anything.
    pub fn restrict(&mut self, restriction: Option<Restriction>, at: &str) -> bool {
        if self.restricted.is_some() == restriction.is_some() {
            return false;
        }
        let what = if restriction.is_some() {
            "restricted"
        } else {
            "released"
        };
        self.restricted = restriction;
        self.turn(at, what);
        self.note(json!({"at": at, "what": what}));
        true
    }

    /// Whether an account is among its own.
    #[must_use]
    pub fn has(&self, token: &str) -> bool {
        self.accounts.iter().any(|account| account.token == token)
    }
}

/// Which of these accounts are one person, by the links they know of.
#[must_use]
pub fn parts(accounts: &[Account], never: &[(String, String)]) -> Vec<Vec<String>> {
    let members: Vec<Member> = accounts.iter().map(member).collect();
    groups(&members, &links_within(accounts), never)
}

/// What decides whether an account may stand with others.
pub(crate) fn member(account: &Account) -> Member {
    let profile = Profile::of(account);
    Member {
        token: account.token.clone(),
        given: profile.given,
        born: profile.born,
    }
}

/// The links of the accounts to one another, each pair once.
fn links_within(accounts: &[Account]) -> Vec<Link> {
    let has = |token: &str| accounts.iter().any(|account| account.token == token);
    let mut links: Vec<Link> = accounts
        .iter()
        .flat_map(|account| account.links.clone())
        .collect();
    links.retain(|link| has(&link.a) && has(&link.b));
    links.sort_by(|x, y| (&x.a, &x.b).cmp(&(&y.a, &y.b)).then(y.score.total_cmp(&x.score)));
    links.dedup_by(|x, y| (&x.a, &x.b) == (&y.a, &y.b));
    links
}

fn differences(before: &Person, now: &Person) -> Vec<String> {
    let believed = |person: &Person, name: &str| person.fields.get(name).map(|field| field.value.clone());
    let fields = before.fields.keys().chain(now.fields.keys());
    let mut changed: Vec<String> = fields
        .filter(|name| believed(before, name) != believed(now, name))
        .cloned()
        .collect();
    let state = |person: &Person, name: &str| person.consents.get(name).map(|consent| consent.state.clone());
    let purposes = before.consents.keys().chain(now.consents.keys());
    let other = purposes.filter(|name| state(before, name) != state(now, name));
    changed.extend(other.map(|name| format!("consents.{name}")));
    if before.accounts != now.accounts {
        changed.push("accounts".to_owned());
    }
    changed.sort();
    changed.dedup();
    changed
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::account::Event;
    use crate::compare::link;

    fn account(source: &str, token: &str, said: Value) -> Account {
        let mut account = Account::new(source, token, token);
        let event = Event {
            at: "2026-01-01T00:00:00Z".to_owned(),
            id: token.to_owned(),
        };
        account.apply(
            &event,
            &serde_json::from_value(json!({"type": "x", "said": said})).unwrap(),
        );
        account
    }

    fn linked(mut accounts: Vec<Account>) -> Vec<Account> {
        for at in 0..accounts.len() {
            let own = Profile::of(&accounts[at]);
            let other =
                |other: &Account| link((&accounts[at].token, &own), (&other.token, &Profile::of(other)));
            let links = accounts
                .iter()
                .filter(|one| one.token != accounts[at].token)
                .filter_map(other)
                .collect();
            accounts[at].join(links);
        }
        accounts
    }

    fn family() -> Vec<Account> {
        linked(vec![
            account(
                "shop",
                "a",
                json!({"email": "karl@x.example", "given": "Karl", "family": "Weiß"}),
            ),
            account(
                "orders",
                "b",
                json!({"email": "karl@x.example", "family": "Weiß"}),
            ),
            account(
                "calls",
                "c",
                json!({"email": "karl@x.example", "given": "Karl", "phone": "+491712345678"}),
            ),
        ])
    }

    #[test]
    fn a_record_is_made_once_of_what_is_known() {
        let mut person = Person::new("p-a");
        let changed = person.rebuild(&family(), "2026-01-02T00:00:00Z", "e");
        assert_eq!(changed, ["accounts", "email", "family", "given", "phone"]);
        assert_eq!(
            (person.version, person.links.len(), person.accounts.len()),
            (1, 3, 3)
        );
        let made = person.clone();
        assert!(person.rebuild(&family(), "2026-01-03T00:00:00Z", "e").is_empty());
        assert_eq!(person, made);
        let stored = serde_json::to_string(&person).unwrap();
        assert_eq!(serde_json::from_str::<Person>(&stored).unwrap(), made);
    }

    #[test]
    fn a_person_is_parted_where_the_evidence_is_weakest() {
        let accounts = family();
        assert_eq!(parts(&accounts, &[]), [["a", "b", "c"]]);
        let never = [("a".to_owned(), "c".to_owned())];
        // b has the family name in common with a, and only the e-mail with c.
        assert_eq!(parts(&accounts, &never), [vec!["a", "b"], vec!["c"]]);
    }

    #[test]
    fn what_staff_said_stays_with_its_account() {
        let mut person = Person::new("p-a");
        person.rebuild(&family(), "2026-01-01T00:00:00Z", "e");
        let statement = |name: &str, token: &str| Statement {
            kind: StatementKind::Consent,
            name: name.to_owned(),
            value: "granted".into(),
            at: "2026-02-01T00:00:00Z".to_owned(),
            by: "officer".to_owned(),
            why: "by phone".to_owned(),
            token: token.to_owned(),
        };
        person.state(statement("phone", "c"));
        person.state(statement("phone", "c"));
        person.state(statement("newsletter", "a"));
        assert_eq!(person.statements.len(), 2);
        person.rebuild(&family(), "2026-02-01T00:00:00Z", "e");
        assert!(person.consents.len() == 2 && person.version == 2);
        let mut part = person.part("p-new", &["c".to_owned()], "2026-03-01T00:00:00Z");
        let alone: Vec<Account> = family().into_iter().filter(|one| one.token == "c").collect();
        part.rebuild(&alone, "2026-03-01T00:00:00Z", "e");
        assert_eq!(part.consents.keys().collect::<Vec<_>>(), ["phone"]);
        assert!(!part.fields.contains_key("family") && part.links.is_empty());
        let mut whole = person.clone();
        whole.absorb(part, "2026-04-01T00:00:00Z");
        whole.rebuild(&family(), "2026-04-01T00:00:00Z", "e");
        assert_eq!(whole.consents, person.consents);
    }

    #[test]
    fn a_restriction_is_a_version() {
        let mut person = Person::new("p-a");
        let restriction = Restriction {
            since: "2026".to_owned(),
            request: "r".to_owned(),
        };
        assert!(person.restrict(Some(restriction.clone()), "2026"));
        assert!(!person.restrict(Some(restriction), "2027"));
        assert!(person.restrict(None, "2028"));
        assert_eq!((person.version, person.history.len()), (2, 2));
    }
}
