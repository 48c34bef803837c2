//! What one system said of one account: `accounts/<source>/<token>.json`.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::compare::Link;
use crate::normal::{Normal, Said};

/// How many replaced values an account keeps.
const MAX_BEFORE: usize = 20;
/// How many facts an account keeps.
const MAX_FACTS: usize = 1_000;

/// Which event it was, and when.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Event {
    /// RFC 3339, UTC, whole seconds: compared as text.
    pub at: String,
    /// Its id.
    pub id: String,
}

/// A value and the event that said it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Word {
    /// What was said.
    pub value: Value,
    /// When.
    pub at: String,
    /// By which event.
    pub event: String,
}

/// A value that another replaced.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Replaced {
    /// The field of `said`.
    pub field: String,
    /// What was said.
    #[serde(flatten)]
    pub word: Word,
}

/// `granted` or `withdrawn`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Consent {
    /// `granted` or `withdrawn`.
    pub state: String,
    /// When.
    pub at: String,
    /// By which event.
    pub event: String,
}

/// An account as others name it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct AccountRef {
    /// The system.
    pub source: String,
    /// The system's own id.
    pub account: String,
    /// The keyed hash of both.
    pub token: String,
}

/// All that one system said of one account.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Account {
    /// 1.
    pub format: u32,
    /// The system.
    pub source: String,
    /// The system's own id.
    pub account: String,
    /// The keyed hash of both.
    pub token: String,
    /// Whom it belongs to; they may have been merged since.
    pub person: String,
    /// Field → the latest word on it.
    #[serde(default)]
    pub said: BTreeMap<String, Word>,
    /// Earlier words, the latest first.
    #[serde(default)]
    pub before: Vec<Replaced>,
    /// Purpose → the latest word on it.
    #[serde(default)]
    pub consents: BTreeMap<String, Consent>,
    /// Event → what happened.
    #[serde(default)]
    pub facts: BTreeMap<String, Map<String, Value>>,
    /// Objects of the index that name it.
    #[serde(default)]
    pub index: Vec<String>,
    /// With whom it was found to be one.
    #[serde(default)]
    pub links: Vec<Link>,
    /// The accounts of these links → their systems.
    #[serde(default)]
    pub linked: BTreeMap<String, String>,
    /// The earliest event.
    #[serde(default)]
    pub first: String,
    /// The latest event.
    #[serde(default)]
    pub last: String,
}

impl Account {
    /// An account nothing is known of, which is a person of its own.
    #[must_use]
    pub fn new(source: &str, account: &str, token: &str) -> Self {
        Self {
            format: 1,
            source: source.to_owned(),
            account: account.to_owned(),
            token: token.to_owned(),
            person: format!("p-{token}"),
            ..Self::default()
        }
    }

    /// How others name it.
    #[must_use]
    pub fn reference(&self) -> AccountRef {
        AccountRef {
            source: self.source.clone(),
            account: self.account.clone(),
            token: self.token.clone(),
        }
    }

    /// Takes an event in. The same event twice, or events in another order, make the same account.
    pub fn apply(&mut self, event: &Event, normal: &Normal) {
        for (field, value) in words(&normal.said) {
            self.hear(field, value, event);
        }
        self.limit_before();
        for (purpose, granted) in &normal.consents {
            self.consent(purpose, granted == true, event);
        }
        self.note(event, normal);
        if self.first.is_empty() || event.at < self.first {
            self.first.clone_from(&event.at);
        }
        if event.at > self.last {
            self.last.clone_from(&event.at);
        }
    }

    /// Takes an event back: what it said, and that it was. Each field falls back to the latest word before it; a
    /// consent that it changed is unknown again.
    pub fn unsay(&mut self, event: &str) {
        self.before.retain(|old| old.word.event != event);
        let (gone, kept): (BTreeMap<_, _>, BTreeMap<_, _>) = std::mem::take(&mut self.said)
            .into_iter()
            .partition(|(_, word)| word.event == event);
        self.said = kept;
        for field in gone.into_keys() {
            if let Some(at) = self.before.iter().position(|old| old.field == field) {
                self.said.insert(field, self.before.remove(at).word);
            }
        }
        self.consents.retain(|_, consent| consent.event != event);
        self.facts.remove(event);
        let times = || self.facts.values().filter_map(|fact| fact["at"].as_str());
        let (first, last) = (times().min().map(str::to_owned), times().max().map(str::to_owned));
        (self.first, self.last) = (first.unwrap_or_default(), last.unwrap_or_default());
    }

    fn hear(&mut self, field: &str, value: Value, event: &Event) {
        let word = Word {
            value,
            at: event.at.clone(),
            event: event.id.clone(),
        };
        let replaced = match self.said.get_mut(field) {
            None => {
                self.said.insert(field.to_owned(), word);
                return;
            }
            Some(known) if (&known.at, &known.event) < (&word.at, &word.event) => {
                std::mem::replace(known, word)
            }
            Some(_) => word,
        };
        self.before.push(Replaced {
            field: field.to_owned(),
            word: replaced,
        });
    }

    /// Each value once, with the latest event that said it; none that is said now; the latest few.
    fn limit_before(&mut self) {
        let now = &self.said;
        self.before.retain(|old| {
            now.get(&old.field)
                .is_none_or(|word| word.value != old.word.value)
        });
        self.before.sort_by(|a, b| {
            (&b.word.at, &b.word.event, &a.field).cmp(&(&a.word.at, &a.word.event, &b.field))
        });
        let mut kept: Vec<Replaced> = Vec::new();
        for old in self.before.drain(..) {
            let known = |one: &Replaced| one.field == old.field && one.word.value == old.word.value;
            if kept.len() < MAX_BEFORE && !kept.iter().any(known) {
                kept.push(old);
            }
        }
        self.before = kept;
    }

    fn consent(&mut self, purpose: &str, granted: bool, event: &Event) {
        let consent = Consent {
            state: if granted { "granted" } else { "withdrawn" }.to_owned(),
            at: event.at.clone(),
            event: event.id.clone(),
        };
        let rank = |consent: &Consent| (consent.at.clone(), consent.state.clone(), consent.event.clone());
        let known = self.consents.get(purpose);
        // `withdrawn` is the greater text: at the same second it wins.
        if known.is_none_or(|known| rank(known) < rank(&consent)) {
            self.consents.insert(purpose.to_owned(), consent);
        }
    }

    fn note(&mut self, event: &Event, normal: &Normal) {
        let mut fact = Map::new();
        fact.insert("type".to_owned(), normal.kind.clone().into());
        fact.extend(normal.id.clone().map(|id| ("id".to_owned(), id.into())));
        fact.insert("at".to_owned(), event.at.clone().into());
        fact.extend(normal.fact.clone());
        self.facts.insert(event.id.clone(), fact);
        while self.facts.len() > MAX_FACTS {
            let when = |fact: &Map<String, Value>| fact["at"].as_str().unwrap_or_default().to_owned();
            let oldest = self
                .facts
                .iter()
                .min_by_key(|(id, fact)| (when(fact), (*id).clone()));
            let Some(oldest) = oldest.map(|(id, _)| id.clone()) else {
                break;
            };
            self.facts.remove(&oldest);
        }
    }

    /// Every value of a field, the one said now first.
    pub(crate) fn values<'a>(&'a self, field: &'a str) -> impl Iterator<Item = &'a Value> {
        let before = self.before.iter().filter(move |old| old.field == field);
        let now = self.said.get(field).map(|word| &word.value);
        now.into_iter().chain(before.map(|old| &old.word.value))
    }

    /// All that is said now and was before, whenever that was: what identity is decided by.
    #[must_use]
    pub fn said_values(&self) -> Vec<(&str, &Value)> {
        let now = self
            .said
            .iter()
            .map(|(field, word)| (field.as_str(), &word.value));
        let before = self
            .before
            .iter()
            .map(|old| (old.field.as_str(), &old.word.value));
        let mut values: Vec<_> = now.chain(before).collect();
        values.sort_by_cached_key(|(field, value)| ((*field).to_owned(), value.to_string()));
        values
    }

    /// As [`Account::values`], of a field that is a text.
    pub(crate) fn texts<'a>(&'a self, field: &'a str) -> impl Iterator<Item = &'a str> {
        self.values(field).filter_map(Value::as_str)
    }

    /// Adds links, each pair once: the later of two replaces the earlier.
    pub fn join(&mut self, links: Vec<Link>) {
        for link in links {
            self.links
                .retain(|known| (&known.a, &known.b) != (&link.a, &link.b));
            self.links.push(link);
        }
        self.links.sort_by(|a, b| (&a.a, &a.b).cmp(&(&b.a, &b.b)));
    }
}

fn words(said: &Said) -> Vec<(&'static str, Value)> {
    let text = |value: &Option<String>| value.clone().map(Value::from);
    let address = said
        .address
        .as_ref()
        .and_then(|address| serde_json::to_value(address).ok());
    let fields = [
        ("email", text(&said.email)),
        ("phone", text(&said.phone)),
        ("given", text(&said.given)),
        ("family", text(&said.family)),
        ("address", address),
        ("born", text(&said.born)),
        ("language", text(&said.language)),
    ];
    let spoken = fields.into_iter();
    spoken
        .filter_map(|(field, value)| Some((field, value?)))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn event(at: &str, id: &str) -> Event {
        Event {
            at: at.to_owned(),
            id: id.to_owned(),
        }
    }

    fn said(value: Value) -> Normal {
        serde_json::from_value(value).unwrap()
    }

    #[test]
    fn neither_order_nor_repetition_matters() {
        let events = [
            (
                event("2025-01-01T00:00:00Z", "a"),
                json!({"type": "account", "said": {"email": "a@x.example"}, "consents": {"newsletter": true}}),
            ),
            (
                event("2025-02-01T00:00:00Z", "b"),
                json!({"type": "account", "said": {"email": "b@x.example", "given": "Ada"}}),
            ),
            (
                event("2025-02-01T00:00:00Z", "c"),
                json!({"type": "account", "said": {"email": "c@x.example"}, "consents": {"newsletter": false}}),
            ),
            (
                event("2025-03-01T00:00:00Z", "d"),
                json!({"type": "order", "id": "O-1", "said": {"given": "Ada"}, "fact": {"cents": 5}}),
            ),
            (
                event("2024-03-01T00:00:00Z", "e"),
                json!({"type": "account", "said": {"email": "b@x.example"}}),
            ),
        ];
        let mut made: Vec<Account> = Vec::new();
        for order in [[0, 1, 2, 3, 4], [4, 3, 2, 1, 0], [2, 0, 4, 1, 3]] {
            let mut account = Account::new("shop", "S-1", "t");
            for at in order.into_iter().chain([1, 4]) {
                account.apply(&events[at].0, &said(events[at].1.clone()));
            }
            made.push(account);
        }
        assert_eq!(made[0], made[1]);
        assert_eq!(made[0], made[2]);
        let account = &made[0];
        assert_eq!(account.said["email"].value, "c@x.example");
        assert_eq!(account.consents["newsletter"].state, "withdrawn");
        let before: Vec<&str> = account.texts("email").collect();
        assert_eq!(before, ["c@x.example", "b@x.example", "a@x.example"]);
        assert_eq!(account.facts["d"]["cents"], 5);
        assert_eq!(
            (account.first.as_str(), account.last.as_str()),
            ("2024-03-01T00:00:00Z", "2025-03-01T00:00:00Z")
        );
    }

    #[test]
    fn an_event_is_taken_back() {
        let first = json!({"type": "account", "said": {"email": "a@x.example"}});
        let second = json!({"type": "account", "said": {"email": "b@x.example", "given": "Ada"}, "consents": {"phone": true}});
        let mut account = Account::new("shop", "S-1", "t");
        account.apply(&event("2025-01-01T00:00:00Z", "a"), &said(first));
        let before = account.clone();
        account.apply(&event("2025-02-01T00:00:00Z", "b"), &said(second));
        account.unsay("b");
        assert_eq!(account, before);
        account.unsay("a");
        assert!(account.facts.is_empty() && account.said.is_empty() && account.first.is_empty());
    }

    #[test]
    fn what_is_kept_is_bounded() {
        let mut account = Account::new("calls", "C-1", "t");
        for call in 0..1_100 {
            let email = format!("{call}@x.example");
            let at = format!("2025-01-01T{:02}:{:02}:00Z", call / 60, call % 60);
            account.apply(
                &event(&at, &format!("{call:05}")),
                &said(json!({"type": "call", "said": {"email": email}})),
            );
        }
        assert_eq!(
            (account.before.len(), account.facts.len()),
            (MAX_BEFORE, MAX_FACTS)
        );
        assert!(!account.facts.contains_key("00099") && account.facts.contains_key("00100"));
        assert_eq!(account.before[0].word.value, "1098@x.example");
    }

    #[test]
    fn what_is_stored_is_read_again() {
        let mut account = Account::new("shop", "S-1", "t");
        account.apply(
            &event("2025-01-01T00:00:00Z", "a"),
            &said(json!({"type": "account", "said": {"address": {"city": "Berlin"}}})),
        );
        account.apply(
            &event("2025-01-02T00:00:00Z", "b"),
            &said(json!({"type": "account", "said": {"address": {"city": "Bonn"}}})),
        );
        let stored = serde_json::to_string(&account).unwrap();
        assert!(stored.starts_with("{\"format\":1,"), "{stored}");
        assert_eq!(serde_json::from_str::<Account>(&stored).unwrap(), account);
    }
}
