//! The JSON of an answer, borrowed from the payload wherever it can be.

use std::borrow::Cow;
use std::fmt;

use http::{HeaderName, HeaderValue};
use serde::Deserialize;
use serde::de::{Deserializer, Error, MapAccess, SeqAccess, Visitor};

use super::Malformed;

/// A proxy answer of any format; what a format does not know stays empty.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(crate) struct Answer<'a> {
    pub(crate) status_code: Option<Status>,
    #[serde(borrow)]
    pub(crate) headers: Option<Headers<'a>>,
    #[serde(borrow)]
    pub(crate) multi_value_headers: Option<MultiHeaders<'a>>,
    #[serde(borrow)]
    pub(crate) body: Option<Scalar<'a>>,
    pub(crate) is_base64_encoded: Option<bool>,
    #[serde(borrow)]
    pub(crate) cookies: Option<Vec<Text<'a>>>,
}

/// The answer to a REST API: it must have no other members.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct StrictAnswer<'a> {
    pub(crate) status_code: Option<Status>,
    #[serde(borrow)]
    pub(crate) headers: Option<Headers<'a>>,
    #[serde(borrow)]
    pub(crate) multi_value_headers: Option<MultiHeaders<'a>>,
    #[serde(borrow)]
    pub(crate) body: Option<Text<'a>>,
    pub(crate) is_base64_encoded: Option<bool>,
}

/// Whether an answer says its status, whatever else is in it.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct HasStatus {
    pub(crate) status_code: Option<serde::de::IgnoredAny>,
}

/// A status, as a number or as its digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Status(pub(crate) u16);

/// A string, borrowed where it has no escapes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Text<'a>(pub(crate) Cow<'a, str>);

/// The value of a header, or the body of an HTTP API: a string, or a number or truth value as text;
/// null is none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Scalar<'a>(pub(crate) Option<Cow<'a, str>>);

/// Names and values in the order they came.
#[derive(Clone, Debug, Default)]
pub(crate) struct Headers<'a>(Vec<(Text<'a>, Scalar<'a>)>);

/// Names and lists of values in the order they came.
#[derive(Clone, Debug, Default)]
pub(crate) struct MultiHeaders<'a>(Vec<(Text<'a>, Vec<Scalar<'a>>)>);

impl Headers<'_> {
    /// Each as the HTTP types.
    pub(crate) fn parsed(&self) -> Result<Vec<(HeaderName, HeaderValue)>, Malformed> {
        self.0
            .iter()
            .filter_map(|(name, value)| parsed(name, value).transpose())
            .collect()
    }
}

impl MultiHeaders<'_> {
    /// Each value as the HTTP types.
    pub(crate) fn parsed(&self) -> Result<Vec<(HeaderName, HeaderValue)>, Malformed> {
        let each = self
            .0
            .iter()
            .flat_map(|(name, values)| values.iter().map(move |value| (name, value)));
        each.filter_map(|(name, value)| parsed(name, value).transpose())
            .collect()
    }
}

fn parsed(name: &Text<'_>, value: &Scalar<'_>) -> Result<Option<(HeaderName, HeaderValue)>, Malformed> {
    let Some(value) = &value.0 else { return Ok(None) };
    let name = HeaderName::from_bytes(name.0.as_bytes()).map_err(|_bad_name| Malformed)?;
    let value = HeaderValue::from_bytes(value.as_bytes()).map_err(|_bad_value| Malformed)?;
    Ok(Some((name, value)))
}

impl<'de> Deserialize<'de> for Status {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct StatusVisitor;
        impl Visitor<'_> for StatusVisitor {
            type Value = Status;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a status code")
            }
            fn visit_u64<E: Error>(self, code: u64) -> Result<Status, E> {
                u16::try_from(code).map(Status).map_err(E::custom)
            }
            fn visit_f64<E: Error>(self, code: f64) -> Result<Status, E> {
                self.visit_str(&code.to_string())
            }
            fn visit_str<E: Error>(self, code: &str) -> Result<Status, E> {
                code.parse().map(Status).map_err(E::custom)
            }
        }
        deserializer.deserialize_any(StatusVisitor)
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Text<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct TextVisitor;
        impl<'de> Visitor<'de> for TextVisitor {
            type Value = Text<'de>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a string")
            }
            fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Text<'de>, E> {
                Ok(Text(Cow::Borrowed(text)))
            }
            fn visit_str<E>(self, text: &str) -> Result<Text<'de>, E> {
                Ok(Text(Cow::Owned(text.to_owned())))
            }
            fn visit_string<E>(self, text: String) -> Result<Text<'de>, E> {
                Ok(Text(Cow::Owned(text)))
            }
        }
        deserializer.deserialize_str(TextVisitor)
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Scalar<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct HeaderVisitor;
        fn owned<'de>(value: impl ToString) -> Scalar<'de> {
            Scalar(Some(Cow::Owned(value.to_string())))
        }
        impl<'de> Visitor<'de> for HeaderVisitor {
            type Value = Scalar<'de>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("the value of a header")
            }
            fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Scalar<'de>, E> {
                Ok(Scalar(Some(Cow::Borrowed(text))))
            }
            fn visit_str<E>(self, text: &str) -> Result<Scalar<'de>, E> {
                Ok(owned(text))
            }
            fn visit_bool<E>(self, truth: bool) -> Result<Scalar<'de>, E> {
                Ok(owned(truth))
            }
            fn visit_i64<E>(self, number: i64) -> Result<Scalar<'de>, E> {
                Ok(owned(number))
            }
            fn visit_u64<E>(self, number: u64) -> Result<Scalar<'de>, E> {
                Ok(owned(number))
            }
            fn visit_f64<E>(self, number: f64) -> Result<Scalar<'de>, E> {
                Ok(owned(number))
            }
            fn visit_unit<E>(self) -> Result<Scalar<'de>, E> {
                Ok(Scalar(None))
            }
        }
        deserializer.deserialize_any(HeaderVisitor)
    }
}

/// Reads an object as its pairs, with each value read by `read`.
struct Pairs<V>(std::marker::PhantomData<V>);

impl<'de, V: Deserialize<'de>> Visitor<'de> for Pairs<V> {
    type Value = Vec<(Text<'de>, V)>;
    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object of headers")
    }
    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut pairs = Vec::with_capacity(map.size_hint().unwrap_or(8));
        while let Some(pair) = map.next_entry()? {
            pairs.push(pair);
        }
        Ok(pairs)
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Headers<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer
            .deserialize_map(Pairs::<Scalar<'de>>(std::marker::PhantomData))
            .map(Headers)
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for MultiHeaders<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let pairs = deserializer.deserialize_map(Pairs::<OneOrMore<'de>>(std::marker::PhantomData))?;
        Ok(MultiHeaders(
            pairs.into_iter().map(|(name, values)| (name, values.0)).collect(),
        ))
    }
}

/// A list of values, or one value that stands for a list of one.
struct OneOrMore<'a>(Vec<Scalar<'a>>);

impl<'de: 'a, 'a> Deserialize<'de> for OneOrMore<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct ListVisitor;
        impl<'de> Visitor<'de> for ListVisitor {
            type Value = OneOrMore<'de>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a list of header values")
            }
            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Self::Value, A::Error> {
                let mut values = Vec::with_capacity(list.size_hint().unwrap_or(2));
                while let Some(value) = list.next_element()? {
                    values.push(value);
                }
                Ok(OneOrMore(values))
            }
            fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Self::Value, E> {
                Ok(OneOrMore(vec![Scalar(Some(Cow::Borrowed(text)))]))
            }
            fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
                Ok(OneOrMore(vec![Scalar(Some(Cow::Owned(text.to_owned())))]))
            }
            fn visit_unit<E>(self) -> Result<Self::Value, E> {
                Ok(OneOrMore(Vec::new()))
            }
        }
        deserializer.deserialize_any(ListVisitor)
    }
}
