//! The trace that every event carries, in the form of the `X-Amzn-Trace-Id` header.
//!
//! `Root` names the journey and stays the same from its first step to its last. `Parent` names the step
//! that an event comes from, so the steps of a journey are a tree.

use std::fmt;

use tradewind_model::Timestamp;

/// See the module. The default is the trace of nothing: it has no root.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Trace {
    root: Box<str>,
    parent: Option<Box<str>>,
    /// `Sampled`, `Lineage` and what else came, as it came.
    rest: Vec<(Box<str>, Box<str>)>,
}

impl Trace {
    /// The trace of a header's text; a new one if there is no root in it.
    #[must_use]
    pub fn from_header(header: Option<&str>, now: Timestamp) -> Self {
        let mut trace = Self::default();
        for (name, value) in header
            .unwrap_or_default()
            .split(';')
            .filter_map(|f| f.split_once('='))
        {
            match name.trim() {
                "Root" => trace.root = value.into(),
                "Parent" => trace.parent = Some(value.into()),
                name => trace.rest.push((name.into(), value.into())),
            }
        }
        if is_root(&trace.root) {
            trace
        } else {
            Self::new(now)
        }
    }

    /// A journey that begins now.
    #[must_use]
    pub fn new(now: Timestamp) -> Self {
        let seconds = now.as_millis() / 1000;
        let id = uuid::Uuid::new_v4().simple().to_string();
        let unique: String = id.chars().take(24).collect();
        Self {
            root: format!("1-{seconds:08x}-{unique}").into(),
            parent: None,
            rest: Vec::new(),
        }
    }

    /// The journey's id, `1-{seconds}-{24 hexadecimal digits}`; empty for the trace of nothing.
    #[must_use]
    pub fn root(&self) -> &str {
        &self.root
    }

    /// The step it comes from, 16 hexadecimal digits.
    #[must_use]
    pub fn parent(&self) -> Option<&str> {
        self.parent.as_deref()
    }

    /// The same journey after the step `id`.
    #[must_use]
    pub fn after(&self, id: &str) -> Self {
        Self {
            parent: Some(id.into()),
            ..self.clone()
        }
    }

    /// The id of a new step.
    #[must_use]
    pub fn step_id() -> String {
        let id = uuid::Uuid::new_v4().simple().to_string();
        id.chars().take(16).collect()
    }

    /// The value of another field of the header, such as `Lineage`.
    #[must_use]
    pub fn field(&self, name: &str) -> Option<&str> {
        let found = self.rest.iter().find(|(other, _)| **other == *name);
        found.map(|(_, value)| &**value)
    }

    /// The same with this field.
    #[must_use]
    pub fn with_field(mut self, name: &str, value: &str) -> Self {
        self.rest.retain(|(other, _)| **other != *name);
        self.rest.push((name.into(), value.into()));
        self
    }

    /// The text of the header; none for the trace of nothing.
    #[must_use]
    pub fn header(&self) -> Option<String> {
        (!self.root.is_empty()).then(|| self.to_string())
    }
}

impl fmt::Display for Trace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Root={}", self.root)?;
        if let Some(parent) = &self.parent {
            write!(f, ";Parent={parent}")?;
        }
        self.rest
            .iter()
            .try_for_each(|(name, value)| write!(f, ";{name}={value}"))
    }
}

/// `1-{8 hexadecimal digits}-{24 hexadecimal digits}`.
pub(crate) fn is_root(text: &str) -> bool {
    let mut parts = text.split('-');
    let hexadecimal = |part: Option<&str>, digits: usize| {
        part.is_some_and(|part| part.len() == digits && part.bytes().all(|b| b.is_ascii_hexdigit()))
    };
    parts.next() == Some("1")
        && hexadecimal(parts.next(), 8)
        && hexadecimal(parts.next(), 24)
        && parts.next().is_none()
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEADER: &str =
        "Root=1-5e5ffb9e-0123456789abcdef01234567;Parent=53995c3f42cd8ad8;Sampled=1;Lineage=a:3";

    #[test]
    fn a_header_is_kept_to_the_letter() {
        let trace = Trace::from_header(Some(HEADER), Timestamp::from_millis(0));
        assert_eq!(trace.to_string(), HEADER);
        assert_eq!(trace.field("Lineage"), Some("a:3"));
        assert_eq!(trace.parent(), Some("53995c3f42cd8ad8"));
    }

    #[test]
    fn a_step_changes_the_parent_only() {
        let trace = Trace::from_header(Some(HEADER), Timestamp::from_millis(0)).after("00000000000000aa");
        assert_eq!(
            trace.to_string(),
            HEADER.replace("53995c3f42cd8ad8", "00000000000000aa")
        );
    }

    #[test]
    fn what_has_no_root_begins_a_journey() {
        for header in [
            None,
            Some(""),
            Some("Parent=1"),
            Some("Root=1-xyz-1"),
            Some("Root=2-5e5ffb9e-0123456789abcdef01234567"),
        ] {
            let trace = Trace::from_header(header, Timestamp::from_millis(1_583_349_662_000));
            assert!(is_root(trace.root()), "{header:?} {trace}");
            assert_eq!(trace.parent(), None);
        }
        assert_eq!(Trace::default().header(), None);
    }
}
