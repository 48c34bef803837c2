//! Survivorship: which of the things that were said of a person is believed.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::account::Account;
use crate::person::{Statement, StatementKind};

/// A believed value, and why.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Field {
    /// The value.
    pub value: Value,
    /// Who said it: a system, or `staff`.
    pub source: String,
    /// Of which account.
    pub token: String,
    /// When.
    pub at: String,
    /// By which rule.
    pub rule: String,
}

/// The believed word on a purpose.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Standing {
    /// `granted` or `withdrawn`.
    pub state: String,
    /// Who said it: a system, or `staff`.
    pub source: String,
    /// Of which account.
    pub token: String,
    /// When.
    pub at: String,
}

/// What is believed of a person: fields and consents by name.
pub type Golden = (BTreeMap<String, Field>, BTreeMap<String, Standing>);

/// Whom to believe, the most trusted first.
const TRUST: [(&str, &[&str]); 7] = [
    ("email", &["shop", "marketing", "orders", "calls"]),
    ("phone", &["calls", "shop", "orders", "delivery"]),
    ("given", NAMES),
    ("family", NAMES),
    ("address", &["delivery", "orders", "shop"]),
    ("born", &["shop", "marketing"]),
    ("language", &["shop", "marketing"]),
];
const NAMES: &[&str] = &["shop", "orders", "marketing", "delivery", "calls"];
/// For how many years the most trusted system is believed against later words of others.
const TRUSTED_YEARS: u32 = 3;

/// The fields and consents of a person with these accounts.
#[must_use]
pub fn golden(accounts: &[Account], statements: &[Statement]) -> Golden {
    let mut fields: BTreeMap<String, Field> = TRUST
        .iter()
        .filter_map(|(field, trusted)| Some(((*field).to_owned(), survivor(accounts, field, trusted)?)))
        .collect();
    let mut consents = consents(accounts);
    let mut statements: Vec<&Statement> = statements.iter().collect();
    statements.sort_by(|a, b| a.at.cmp(&b.at));
    for statement in statements {
        match statement.kind {
            StatementKind::Field => {
                fields.insert(statement.name.clone(), stated(statement));
            }
            StatementKind::Consent => hear(&mut consents, &statement.name, standing(statement)),
        }
    }
    (fields, consents)
}

fn stated(statement: &Statement) -> Field {
    Field {
        value: statement.value.clone(),
        source: "staff".to_owned(),
        token: statement.token.clone(),
        at: statement.at.clone(),
        rule: "stated by staff".to_owned(),
    }
}

fn standing(statement: &Statement) -> Standing {
    Standing {
        state: statement.value.as_str().unwrap_or("withdrawn").to_owned(),
        source: "staff".to_owned(),
        token: statement.token.clone(),
        at: statement.at.clone(),
    }
}

fn survivor(accounts: &[Account], field: &str, trusted: &[&str]) -> Option<Field> {
    let words = || {
        accounts
            .iter()
            .filter_map(|account| Some((account, account.said.get(field)?)))
    };
    let latest = words().map(|(_, word)| word.at.as_str()).max()?;
    let since = years_before(latest, TRUSTED_YEARS);
    let rank = |account: &Account| trusted.iter().position(|source| *source == account.source);
    let (account, word) = words()
        .filter(|(account, word)| rank(account).is_some() && word.at >= since)
        .min_by(|(a, x), (b, y)| (rank(a), &y.at, &y.event).cmp(&(rank(b), &x.at, &x.event)))
        .or_else(|| words().max_by(|(_, x), (_, y)| (&x.at, &x.event).cmp(&(&y.at, &y.event))))?;
    Some(Field {
        value: word.value.clone(),
        source: account.source.clone(),
        token: account.token.clone(),
        at: word.at.clone(),
        rule: if rank(account).is_some() {
            "most trusted source"
        } else {
            "latest word"
        }
        .to_owned(),
    })
}

/// The time so many years earlier, as text.
fn years_before(at: &str, years: u32) -> String {
    let (year, rest) = at.split_once('-').unwrap_or((at, ""));
    let year = year.parse::<u32>().unwrap_or_default().saturating_sub(years);
    format!("{year:04}-{rest}")
}

fn consents(accounts: &[Account]) -> BTreeMap<String, Standing> {
    let mut consents = BTreeMap::new();
    for account in accounts {
        for (purpose, consent) in &account.consents {
            let said = Standing {
                state: consent.state.clone(),
                source: account.source.clone(),
                token: account.token.clone(),
                at: consent.at.clone(),
            };
            hear(&mut consents, purpose, said);
        }
    }
    consents
}

/// The later word stays; at the same second, a withdrawal.
fn hear(consents: &mut BTreeMap<String, Standing>, purpose: &str, said: Standing) {
    let rank = |word: &Standing| (word.at.clone(), word.state.clone(), word.token.clone());
    if consents
        .get(purpose)
        .is_none_or(|known| rank(known) < rank(&said))
    {
        consents.insert(purpose.to_owned(), said);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::account::Event;
    use serde_json::json;

    fn account(source: &str, at: &str, normal: Value) -> Account {
        let mut account = Account::new(source, "1", source);
        let event = Event {
            at: at.to_owned(),
            id: "e".to_owned(),
        };
        account.apply(&event, &serde_json::from_value(normal).unwrap());
        account
    }

    fn phone(source: &str, at: &str) -> Account {
        account(
            source,
            at,
            json!({"type": "x", "said": {"phone": format!("+49{source}")}}),
        )
    }

    #[test]
    fn the_most_trusted_source_wins_until_its_word_is_old() {
        let believed = |accounts: &[Account]| golden(accounts, &[]).0["phone"].source.clone();
        let [calls, shop] = [
            phone("calls", "2023-06-01T00:00:00Z"),
            phone("shop", "2026-05-31T00:00:00Z"),
        ];
        assert_eq!(believed(&[shop.clone(), calls]), "calls");
        assert_eq!(believed(&[shop, phone("calls", "2023-05-30T00:00:00Z")]), "shop");
        assert_eq!(
            believed(&[phone("marketing", "2026-01-01T00:00:00Z")]),
            "marketing"
        );
    }

    #[test]
    fn staff_beats_everyone_and_a_withdrawal_wins_a_tie() {
        let consent = |source: &str, at: &str, granted: bool| {
            account(
                source,
                at,
                json!({"type": "x", "consents": {"newsletter": granted}}),
            )
        };
        let accounts = [
            phone("calls", "2026-01-01T00:00:00Z"),
            consent("shop", "2026-02-01T00:00:00Z", false),
            consent("marketing", "2026-02-01T00:00:00Z", true),
        ];
        let state = |at: &str, kind: StatementKind, name: &str, value: &str| Statement {
            kind,
            name: name.to_owned(),
            value: value.into(),
            at: at.to_owned(),
            by: "officer".to_owned(),
            why: String::new(),
            token: "shop".to_owned(),
        };
        assert_eq!(golden(&accounts, &[]).1["newsletter"].state, "withdrawn");
        let statements = [
            state("2020-01-01T00:00:00Z", StatementKind::Field, "phone", "+491"),
            state(
                "2026-03-01T00:00:00Z",
                StatementKind::Consent,
                "newsletter",
                "granted",
            ),
            state(
                "2025-03-01T00:00:00Z",
                StatementKind::Consent,
                "newsletter",
                "withdrawn",
            ),
        ];
        let (fields, consents) = golden(&accounts, &statements);
        assert_eq!(
            (&fields["phone"].value, fields["phone"].source.as_str()),
            (&json!("+491"), "staff")
        );
        assert_eq!(consents["newsletter"].state, "granted");
    }
}
