//! Writing JSON objects member by member.

/// An object that is being written. Keys are plain text and not escaped, but for those of
/// [`Object::escaped`].
#[derive(Debug)]
pub(crate) struct Object<'o> {
    out: &'o mut Vec<u8>,
    first: bool,
}

/// Writes `{…}`; `fill` writes the members.
pub(crate) fn object(out: &mut Vec<u8>, fill: impl FnOnce(&mut Object<'_>)) {
    out.push(b'{');
    fill(&mut Object { out, first: true });
    out.push(b'}');
}

/// Writes a string with its quotes.
pub(crate) fn string(out: &mut Vec<u8>, text: &str) {
    serde_json::to_writer(out, text).expect("writing a string to a Vec cannot fail");
}

impl Object<'_> {
    /// Begins the member `key`; its value is written to what this gives.
    pub(crate) fn value(&mut self, key: &str) -> &mut Vec<u8> {
        self.separate();
        self.out.push(b'"');
        self.out.extend_from_slice(key.as_bytes());
        self.out.extend_from_slice(b"\":");
        self.out
    }

    /// Begins a member whose key is the client's.
    pub(crate) fn escaped(&mut self, key: &str) -> &mut Vec<u8> {
        self.separate();
        string(self.out, key);
        self.out.push(b':');
        self.out
    }

    fn separate(&mut self) {
        if !self.first {
            self.out.push(b',');
        }
        self.first = false;
    }

    pub(crate) fn text(&mut self, key: &'static str, text: &str) {
        string(self.value(key), text);
    }

    pub(crate) fn text_or_null(&mut self, key: &'static str, text: Option<&str>) {
        match text {
            Some(text) => self.text(key, text),
            None => self.null(key),
        }
    }

    pub(crate) fn null(&mut self, key: &'static str) {
        self.value(key).extend_from_slice(b"null");
    }

    pub(crate) fn number(&mut self, key: &'static str, number: i64) {
        self.value(key).extend_from_slice(number.to_string().as_bytes());
    }

    pub(crate) fn truth(&mut self, key: &'static str, truth: bool) {
        let text: &[u8] = if truth { b"true" } else { b"false" };
        self.value(key).extend_from_slice(text);
    }

    pub(crate) fn object(&mut self, key: &'static str, fill: impl FnOnce(&mut Object<'_>)) {
        object(self.value(key), fill);
    }

    /// An object of strings, or null when there are none.
    pub(crate) fn texts_or_null<'t>(
        &mut self,
        key: &'static str,
        texts: impl Iterator<Item = (&'t str, &'t str)>,
    ) {
        let mut texts = texts.peekable();
        if texts.peek().is_none() {
            return self.null(key);
        }
        self.object(key, |object| {
            for (key, text) in texts {
                string(object.escaped(key), text);
            }
        });
    }
}

/// Writes an array of strings.
pub(crate) fn array(out: &mut Vec<u8>, texts: impl Iterator<Item = impl AsRef<str>>) {
    out.push(b'[');
    for (i, text) in texts.enumerate() {
        if i > 0 {
            out.push(b',');
        }
        string(out, text.as_ref());
    }
    out.push(b']');
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn members_are_separated_and_escaped() {
        let mut out = Vec::new();
        object(&mut out, |o| {
            o.text("a", "quote \" and\nline");
            string(o.escaped("k\"ey"), "v");
            o.null("n");
            o.truth("t", true);
            o.number("i", -5);
            o.texts_or_null("none", std::iter::empty());
            o.texts_or_null("some", [("x", "y")].into_iter());
            array(o.value("list"), ["1", "2"].into_iter());
            o.object("empty", |_| {});
        });
        let expected = r#"{"a":"quote \" and\nline","k\"ey":"v","n":null,"t":true,"i":-5,"none":null,"some":{"x":"y"},"list":["1","2"],"empty":{}}"#;
        assert_eq!(String::from_utf8(out).unwrap(), expected);
    }
}
