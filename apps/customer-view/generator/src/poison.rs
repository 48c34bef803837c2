//! Records that are broken on purpose, and the code they are to be rejected with.

use serde_json::{Value, json};

use crate::random::Random;
use crate::retailer::Record;

/// How a record is broken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Poison {
    /// Cut off in the middle.
    NotJson,
    /// Without a time.
    WrongEnvelope,
    /// Of a schema nobody knows.
    UnknownSchema,
    /// Sealed for another account.
    WrongKey,
    /// Sealed with another key.
    NotOpened,
    /// A number where a text belongs.
    WrongType,
    /// Without anything.
    Missing,
    /// With a member nobody knows.
    UnknownField,
    /// Of the year 2999.
    FromTheFuture,
}

const ALL: [Poison; 9] = [
    Poison::NotJson,
    Poison::WrongEnvelope,
    Poison::UnknownSchema,
    Poison::WrongKey,
    Poison::NotOpened,
    Poison::WrongType,
    Poison::Missing,
    Poison::UnknownField,
    Poison::FromTheFuture,
];

impl Poison {
    /// One of them.
    pub fn any(random: &mut Random) -> Self {
        *random.pick(&ALL)
    }

    /// The code of the rejection.
    #[must_use]
    pub fn code(self) -> &'static str {
        match self {
            Self::NotJson => "not-json",
            Self::WrongEnvelope => "wrong-envelope",
            Self::UnknownSchema => "unknown-schema",
            Self::WrongKey => "wrong-key",
            Self::NotOpened => "not-opened",
            Self::WrongType => "wrong-type",
            Self::Missing => "missing",
            Self::UnknownField => "unknown-field",
            Self::FromTheFuture => "from-the-future",
        }
    }

    /// Breaks what is sealed.
    pub(crate) fn before_sealing(self, record: &mut Record) {
        match self {
            Self::WrongType => drop(
                record
                    .part
                    .insert("name".to_owned(), json!(7))
                    .or_else(|| record.part.remove("x")),
            ),
            Self::Missing => record.part.clear(),
            Self::UnknownField => drop(record.part.insert("shoe_size".to_owned(), json!(42))),
            Self::UnknownSchema => record.schema = "shop.account/9",
            Self::FromTheFuture => "2999-01-01T00:00:00Z".clone_into(&mut record.at),
            Self::NotJson | Self::WrongEnvelope | Self::WrongKey | Self::NotOpened => {}
        }
    }

    /// Breaks what is written.
    pub(crate) fn after_sealing(self, mut value: Value) -> String {
        match self {
            Self::WrongEnvelope => drop(value.as_object_mut().and_then(|value| value.remove("at"))),
            Self::WrongKey => value["sealed"]["key"] = "0".repeat(32).into(),
            Self::NotOpened => value["sealed"]["nonce"] = "AAAAAAAAAAAAAAAA".into(),
            _ => {}
        }
        let mut text = value.to_string();
        if self == Self::NotJson {
            text.pop();
        }
        text
    }
}
