//! Postal addresses.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::{cased, tidy};

/// A postal address.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Address {
    /// Street, with its number at the end.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub street: Option<String>,
    /// In capitals.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub postcode: Option<String>,
    /// The town.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub city: Option<String>,
    /// ISO 3166-1 alpha-2, in capitals.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub country: Option<String>,
}

impl Address {
    /// The one form of a record's address; `None` when it says nothing.
    pub(super) fn normal(part: &Map<String, Value>) -> Option<Self> {
        let text = |name: &str| part.get(name).and_then(Value::as_str).and_then(tidy);
        let address = Self {
            street: text("street").map(|street| number_last(&cased(&street))),
            postcode: text("postcode").map(|postcode| postcode.to_uppercase()),
            city: text("city").map(|city| cased(&city)),
            country: text("country").map(|country| country.to_uppercase()),
        };
        (address != Self::default()).then_some(address)
    }
}

/// `12, Rue Verte` as `Rue Verte 12`.
fn number_last(street: &str) -> String {
    match street.split_once(' ') {
        Some((number, name)) if number.starts_with(|first: char| first.is_ascii_digit()) => {
            format!("{name} {}", number.trim_end_matches(','))
        }
        _ => street.to_owned(),
    }
}
