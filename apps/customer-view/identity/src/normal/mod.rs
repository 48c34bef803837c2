//! The records of the five systems in one form: `view.normal/1` of `../MODEL.md`.
//!
//! The function `normalise` does the same in JavaScript; `cases.json` holds both to it.

mod address;
mod name;
mod phone;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

pub use address::Address;
pub use name::{Name, split};
pub use phone::e164;

/// A personal part in the one form.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Normal {
    /// `account`, `order`, `parcel`, `contact` or `call`.
    #[serde(rename = "type")]
    pub kind: String,
    /// The order, parcel or call.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// What it says of the person.
    #[serde(default)]
    pub said: Said,
    /// Purpose → yes or no.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub consents: Map<String, Value>,
    /// What happened, besides.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub fact: Map<String, Value>,
}

/// What a record says of a person. What it does not say is `None`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Said {
    /// Trimmed, lower case.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub email: Option<String>,
    /// E.164.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub phone: Option<String>,
    /// Given names.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub given: Option<String>,
    /// Family name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub family: Option<String>,
    /// Where to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub address: Option<Address>,
    /// ISO date.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub born: Option<String>,
    /// ISO 639, lower case.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub language: Option<String>,
}

/// The type in the one form of each schema, and its member with the id.
const SCHEMAS: [(&str, &str, &str); 5] = [
    ("shop.account/1", "account", ""),
    ("orders.order/1", "order", "order"),
    ("delivery.parcel/1", "parcel", "parcel"),
    ("marketing.contact/1", "contact", ""),
    ("calls.note/1", "call", "call"),
];

/// What becomes members of a fact.
const FACTS: [&str; 6] = ["cents", "currency", "items", "status", "note", "order"];

/// The one form of a valid personal part; `None` for a schema there is not.
#[must_use]
pub fn normal(schema: &str, part: &Map<String, Value>) -> Option<Normal> {
    let (_, kind, id) = SCHEMAS.iter().find(|(name, ..)| *name == schema)?;
    let text = |name: &str| part.get(name).and_then(Value::as_str);
    let object = |name: &str| {
        part.get(name)
            .and_then(Value::as_object)
            .cloned()
            .unwrap_or_default()
    };
    let facts = FACTS.iter().filter(|name| *name != id);
    Some(Normal {
        kind: (*kind).to_owned(),
        id: text(id).map(str::to_owned),
        said: said(part),
        consents: object("consents"),
        fact: facts
            .filter_map(|name| Some(((*name).to_owned(), part.get(*name)?.clone())))
            .collect(),
    })
}

fn said(part: &Map<String, Value>) -> Said {
    let text = |name: &str| part.get(name).and_then(Value::as_str);
    let address = part
        .get("address")
        .and_then(Value::as_object)
        .and_then(Address::normal);
    let country = address.as_ref().and_then(|address| address.country.as_deref());
    let phone = text("phone").and_then(|phone| e164(phone, country.unwrap_or("DE")));
    let name = name::normal(text("given"), text("family"), text("name"));
    Said {
        email: text("email").map(|email| email.trim().to_lowercase()),
        phone,
        given: name.given,
        family: name.family,
        born: text("born").map(str::to_owned),
        language: text("language").map(|language| language.trim().to_lowercase()),
        address,
    }
}

/// Spaces made single, none around; `None` of nothing.
fn tidy(text: &str) -> Option<String> {
    let words: Vec<&str> = text.split_whitespace().collect();
    (!words.is_empty()).then(|| words.join(" "))
}

/// `ANNA-MARIA WEISS` and `anna-maria weiss` as `Anna-Maria Weiss`; what has both cases stays.
fn cased(text: &str) -> String {
    let shouted = text.chars().all(|letter| !letter.is_lowercase());
    let whispered = text.chars().all(|letter| !letter.is_uppercase());
    if !(shouted || whispered) {
        return text.to_owned();
    }
    let mut beginning = true;
    let mut cased = String::with_capacity(text.len());
    for letter in text.chars() {
        if beginning {
            cased.extend(letter.to_uppercase());
        } else {
            cased.extend(letter.to_lowercase());
        }
        beginning = !letter.is_alphanumeric();
    }
    cased
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cases_are_as_written() {
        let cases: Vec<Value> = serde_json::from_str(include_str!("../../cases.json")).unwrap();
        assert!(cases.len() > 10);
        for case in cases {
            let part = case["part"].as_object().unwrap();
            let made = normal(case["schema"].as_str().unwrap(), part).unwrap();
            assert_eq!(serde_json::to_value(made).unwrap(), case["normal"], "{case}");
        }
    }

    #[test]
    fn an_unknown_schema_has_no_form() {
        assert_eq!(normal("shop.account/2", &Map::new()), None);
    }
}
