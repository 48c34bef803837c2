//! The path of a route: static segments, `{parameters}`, and a greedy `{parameter+}` at the end.

use std::fmt;
use std::str::FromStr;

/// One segment of a route's path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Segment {
    /// This text.
    Static(Box<str>),
    /// Any one segment, under this name.
    Parameter(Box<str>),
    /// All that is left, under this name.
    Greedy(Box<str>),
}

/// A parsed path, `/items/{id}`. It prints as it was given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RoutePath {
    text: Box<str>,
    segments: Vec<Segment>,
}

/// Text that is no route path.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{path}` is not a route path: {rule}")]
pub struct InvalidRoutePath {
    path: Box<str>,
    rule: &'static str,
}

impl RoutePath {
    /// Its segments; none for `/`.
    #[must_use]
    pub fn segments(&self) -> &[Segment] {
        &self.segments
    }

    /// The path as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The names of its parameters, from left to right.
    pub fn parameters(&self) -> impl Iterator<Item = &str> {
        self.segments.iter().filter_map(|segment| match segment {
            Segment::Static(_) => None,
            Segment::Parameter(name) | Segment::Greedy(name) => Some(&**name),
        })
    }
}

impl FromStr for RoutePath {
    type Err = InvalidRoutePath;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let invalid = |rule| InvalidRoutePath {
            path: text.into(),
            rule,
        };
        let rest = text
            .strip_prefix('/')
            .ok_or_else(|| invalid("it starts with `/`"))?;
        let texts = if rest.is_empty() {
            Vec::new()
        } else {
            rest.split('/').collect()
        };
        let segments: Vec<Segment> = texts
            .into_iter()
            .map(segment)
            .collect::<Result<_, _>>()
            .map_err(invalid)?;
        let inner = segments.split_last().map_or(&[][..], |(_last, inner)| inner);
        if inner.iter().any(|segment| matches!(segment, Segment::Greedy(_))) {
            return Err(invalid("a greedy parameter `{name+}` is its last segment"));
        }
        Ok(Self {
            text: text.into(),
            segments,
        })
    }
}

fn segment(text: &str) -> Result<Segment, &'static str> {
    let Some(inner) = text.strip_prefix('{').and_then(|rest| rest.strip_suffix('}')) else {
        if text.contains(['{', '}']) {
            return Err("a parameter `{name}` is a whole segment");
        }
        return Ok(Segment::Static(text.into()));
    };
    let (name, greedy) = match inner.strip_suffix('+') {
        Some(name) => (name, true),
        None => (inner, false),
    };
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"._-:".contains(&b);
    if name.is_empty() || !name.bytes().all(plain) {
        return Err("a parameter's name is one or more of `A-Z a-z 0-9 . _ - :`");
    }
    Ok(if greedy {
        Segment::Greedy(name.into())
    } else {
        Segment::Parameter(name.into())
    })
}

impl fmt::Display for RoutePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn segments_are_told_apart() {
        let path: RoutePath = "/shops/{shop}/{rest+}".parse().unwrap();
        assert_eq!(
            path.segments(),
            [
                Segment::Static("shops".into()),
                Segment::Parameter("shop".into()),
                Segment::Greedy("rest".into())
            ]
        );
        assert_eq!(path.parameters().collect::<Vec<_>>(), ["shop", "rest"]);
        assert!("/".parse::<RoutePath>().unwrap().segments().is_empty());
    }

    #[test]
    fn what_is_no_path_is_refused() {
        for text in ["", "a", "/{}", "/{+}", "/a{b}", "/{a+}/b", "/{a b}", "/{a"] {
            assert!(text.parse::<RoutePath>().is_err(), "{text}");
        }
    }
}
