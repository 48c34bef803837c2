//! Query strings: names and values decoded, equal names together.

use std::borrow::Cow;

use percent_encoding::percent_decode;

use super::json::{Object, array, string};

/// The parameters of a query, sorted by name; of one name in the order they came.
#[derive(Debug)]
pub(crate) struct Query<'q>(Vec<Parameter<'q>>);

/// Name and value.
type Parameter<'q> = (Cow<'q, str>, Cow<'q, str>);

impl<'q> Query<'q> {
    pub(crate) fn parse(raw: Option<&'q str>) -> Self {
        let pairs = raw.unwrap_or_default().split('&').filter(|pair| !pair.is_empty());
        let mut parameters: Vec<_> = pairs
            .map(|pair| {
                let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
                (decoded(name), decoded(value))
            })
            .collect();
        parameters.sort_by(|(a, _), (b, _)| a.cmp(b));
        Self(parameters)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    fn by_name(&self) -> impl Iterator<Item = (&str, &[Parameter<'q>])> {
        self.0
            .chunk_by(|(a, _), (b, _)| a == b)
            .filter_map(|same| Some((&*same.first()?.0, same)))
    }

    /// Format 1.0: the last value of each name, and all values of each name.
    pub(crate) fn write_v1(&self, event: &mut Object<'_>) {
        if self.is_empty() {
            event.null("queryStringParameters");
            event.null("multiValueQueryStringParameters");
            return;
        }
        event.object("queryStringParameters", |object| {
            for (name, same) in self.by_name() {
                let last = same.last().map_or("", |(_, value)| value);
                string(object.escaped(name), last);
            }
        });
        event.object("multiValueQueryStringParameters", |object| {
            for (name, same) in self.by_name() {
                array(object.escaped(name), same.iter().map(|(_, value)| value));
            }
        });
    }

    /// Format 2.0: the values of each name joined by commas; nothing when there are none.
    pub(crate) fn write_v2(&self, event: &mut Object<'_>) {
        if self.is_empty() {
            return;
        }
        event.object("queryStringParameters", |object| {
            for (name, same) in self.by_name() {
                let out = object.escaped(name);
                match same {
                    [(_, only)] => string(out, only),
                    several => {
                        let values: Vec<&str> = several.iter().map(|(_, value)| &**value).collect();
                        string(out, &values.join(","));
                    }
                }
            }
        });
    }
}

/// `+` is a space and `%XX` a byte, as in forms.
fn decoded(raw: &str) -> Cow<'_, str> {
    if !raw.contains(['%', '+']) {
        return Cow::Borrowed(raw);
    }
    let spaced = raw.replace('+', " ");
    Cow::Owned(percent_decode(spaced.as_bytes()).decode_utf8_lossy().into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::json::object;

    fn written(raw: &str, write: impl FnOnce(&Query<'_>, &mut Object<'_>)) -> serde_json::Value {
        let mut out = Vec::new();
        object(&mut out, |event| write(&Query::parse(Some(raw)), event));
        serde_json::from_slice(&out).unwrap()
    }

    /// Values as recorded from the service by the tests of a public project.
    #[test]
    fn values_are_decoded_and_the_last_one_wins() {
        let event = written(
            "category=electronics&price=10&category=books&plus=test+alias%40x.com&flag&email=a%2Bb&&=",
            |query, event| query.write_v1(event),
        );
        assert_eq!(event["queryStringParameters"]["category"], "books");
        assert_eq!(event["queryStringParameters"]["plus"], "test alias@x.com");
        assert_eq!(event["queryStringParameters"]["email"], "a+b");
        assert_eq!(event["queryStringParameters"]["flag"], "");
        let several = &event["multiValueQueryStringParameters"]["category"];
        assert_eq!(several, &serde_json::json!(["electronics", "books"]));
    }

    #[test]
    fn format_2_joins_values_by_commas() {
        let event = written("a=1&b=x&a=2", |query, event| query.write_v2(event));
        assert_eq!(
            event["queryStringParameters"],
            serde_json::json!({"a": "1,2", "b": "x"})
        );
    }

    #[test]
    fn no_query_is_null_in_1_and_absent_in_2() {
        let one = written("", |query, event| query.write_v1(event));
        assert!(one["queryStringParameters"].is_null() && one["multiValueQueryStringParameters"].is_null());
        assert_eq!(
            written("", |query, event| query.write_v2(event)),
            serde_json::json!({})
        );
    }
}
