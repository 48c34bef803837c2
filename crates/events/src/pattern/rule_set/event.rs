//! An event as the leaves that rules ask for.

use std::borrow::Cow;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::Value;

use super::super::value::{Number, Scalar};
use super::paths::Paths;

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Event<'e> {
    /// By path.
    leaves: Vec<(usize, Scalar<'e>)>,
    /// Whether there is an array of objects or arrays, so that leaves do not say all.
    pub(super) nested_arrays: bool,
}

impl<'e> Event<'e> {
    pub(super) fn of(event: &'e Value, paths: &Paths) -> Self {
        let mut flat = Self::default();
        flat.add(Paths::ROOT, event, paths);
        flat.sorted()
    }

    /// # Errors
    /// If it is not JSON.
    pub(super) fn read(event: &'e [u8], paths: &Paths) -> Result<Self, serde_json::Error> {
        let mut flat = Self::default();
        let mut reader = serde_json::Deserializer::from_slice(event);
        let root = Reading {
            at: Paths::ROOT,
            paths,
            event: &mut flat,
        };
        root.deserialize(&mut reader)?;
        reader.end()?;
        Ok(flat.sorted())
    }

    pub(super) fn leaves(&self) -> &[(usize, Scalar<'e>)] {
        &self.leaves
    }

    /// The leaves of one path.
    pub(super) fn at(&self, path: usize) -> &[(usize, Scalar<'e>)] {
        let begin = self.leaves.partition_point(|(other, _)| *other < path);
        let (_, rest) = self.leaves.split_at(begin);
        let end = rest
            .iter()
            .position(|(other, _)| *other != path)
            .unwrap_or(rest.len());
        rest.split_at(end).0
    }

    fn sorted(mut self) -> Self {
        self.leaves.sort_unstable_by_key(|(path, _)| *path);
        self
    }

    fn add(&mut self, at: usize, value: &'e Value, paths: &Paths) {
        match value {
            Value::Object(members) if paths.all_below(at).len() < members.len() => {
                for (name, below) in paths.all_below(at) {
                    if let Some(value) = members.get(&**name) {
                        self.add(*below, value, paths);
                    }
                }
            }
            Value::Object(members) => {
                for (name, value) in members {
                    if let Some(below) = paths.below(at, name) {
                        self.add(below, value, paths);
                    }
                }
            }
            Value::Array(elements) => {
                for element in elements {
                    self.nested_arrays |= element.is_object() || element.is_array();
                    self.add(at, element, paths);
                }
            }
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {
                if let Some(value) = Scalar::of(value).filter(|_| paths.is_wanted(at)) {
                    self.leaves.push((at, value));
                }
            }
        }
    }
}

/// Reads one value.
struct Reading<'r, 'e> {
    at: usize,
    paths: &'r Paths,
    event: &'r mut Event<'e>,
}

/// Whether what was read is an object or array.
struct IsContainer(bool);

impl<'e> Reading<'_, 'e> {
    fn leaf(self, value: Scalar<'e>) -> IsContainer {
        if self.paths.is_wanted(self.at) {
            self.event.leaves.push((self.at, value));
        }
        IsContainer(false)
    }
}

impl<'e> DeserializeSeed<'e> for Reading<'_, 'e> {
    type Value = IsContainer;

    fn deserialize<D: Deserializer<'e>>(self, deserializer: D) -> Result<IsContainer, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'e> Visitor<'e> for Reading<'_, 'e> {
    type Value = IsContainer;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_unit<E>(self) -> Result<IsContainer, E> {
        Ok(self.leaf(Scalar::Null))
    }

    fn visit_bool<E>(self, is: bool) -> Result<IsContainer, E> {
        Ok(self.leaf(Scalar::Bool(is)))
    }

    fn visit_i64<E>(self, number: i64) -> Result<IsContainer, E> {
        Ok(self.leaf(Scalar::Number(Number::Whole(number.into()))))
    }

    fn visit_u64<E>(self, number: u64) -> Result<IsContainer, E> {
        Ok(self.leaf(Scalar::Number(Number::Whole(number.into()))))
    }

    fn visit_f64<E>(self, number: f64) -> Result<IsContainer, E> {
        Ok(self.leaf(Scalar::Number(Number::real(number))))
    }

    fn visit_str<E>(self, text: &str) -> Result<IsContainer, E> {
        Ok(self.leaf(Scalar::Text(Cow::Owned(text.to_owned()))))
    }

    fn visit_borrowed_str<E>(self, text: &'e str) -> Result<IsContainer, E> {
        Ok(self.leaf(Scalar::Text(Cow::Borrowed(text))))
    }

    fn visit_seq<A: SeqAccess<'e>>(self, mut elements: A) -> Result<IsContainer, A::Error> {
        let Self { at, paths, event } = self;
        while let Some(IsContainer(is)) = elements.next_element_seed(Reading {
            at,
            paths,
            event: &mut *event,
        })? {
            event.nested_arrays |= is;
        }
        Ok(IsContainer(true))
    }

    fn visit_map<A: MapAccess<'e>>(self, mut members: A) -> Result<IsContainer, A::Error> {
        let Self { at, paths, event } = self;
        let below = paths.all_below(at);
        while let Some(found) = members.next_key_seed(Name { below })? {
            match found {
                Some(at) => {
                    let event = &mut *event;
                    members.next_value_seed(Reading { at, paths, event })?;
                }
                None => {
                    members.next_value::<IgnoredAny>()?;
                }
            }
        }
        Ok(IsContainer(true))
    }
}

/// Reads a member's name as the path it leads to.
struct Name<'r> {
    below: &'r std::collections::HashMap<Box<str>, usize>,
}

impl<'e> DeserializeSeed<'e> for Name<'_> {
    type Value = Option<usize>;

    fn deserialize<D: Deserializer<'e>>(self, deserializer: D) -> Result<Option<usize>, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl Visitor<'_> for Name<'_> {
    type Value = Option<usize>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a name")
    }

    fn visit_str<E>(self, name: &str) -> Result<Option<usize>, E> {
        Ok(self.below.get(name).copied())
    }
}
