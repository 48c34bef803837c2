//! Fields between spaces: `[ip, user, ..., status = 4* && status != 404, bytes > 1000]`.

use std::collections::BTreeMap;

use super::InvalidFilterPattern;
use super::cursor::Cursor;
use super::expression::{Expression, Found};

/// One entry a field; `...` stands for any number of them.
#[derive(Clone, Debug)]
pub(super) struct Fields {
    before: Vec<Field>,
    /// What follows the ellipsis, if there is one.
    after: Option<Vec<Field>>,
}

#[derive(Clone, Debug)]
struct Field {
    name: Box<str>,
    condition: Option<Expression<()>>,
}

impl Fields {
    pub(super) fn parse(text: &str) -> Result<Self, InvalidFilterPattern> {
        let mut cursor = Cursor::new(text);
        cursor.expect("[")?;
        let mut fields = Self {
            before: Vec::new(),
            after: None,
        };
        loop {
            cursor.skip_spaces();
            if cursor.take("...") {
                if fields.after.is_some() {
                    return Err(InvalidFilterPattern("there is more than one `...`".into()));
                }
                fields.after = Some(Vec::new());
            } else {
                let field = Field::parse(&mut cursor)?;
                fields.after.as_mut().unwrap_or(&mut fields.before).push(field);
            }
            cursor.skip_spaces();
            if cursor.take("]") {
                break;
            }
            cursor.expect(",")?;
        }
        if !cursor.rest.trim().is_empty() {
            let text = format!(
                "nothing may follow `]`, but there is something {}",
                cursor.place()
            );
            return Err(InvalidFilterPattern(text));
        }
        Ok(fields)
    }

    pub(super) fn matches(&self, message: &str) -> bool {
        self.each(message, |field, word| field.holds(word))
            .is_some_and(|holds| holds.into_iter().all(|holds| holds))
    }

    pub(super) fn extract(&self, message: &str) -> BTreeMap<String, String> {
        let named = self.each(message, |field, word| {
            (format!("${}", field.name), word.to_owned())
        });
        named.unwrap_or_default().into_iter().collect()
    }

    /// Each field with its word; none when the message has more or fewer.
    fn each<T>(&self, message: &str, see: impl Fn(&Field, &str) -> T) -> Option<Vec<T>> {
        let words = words(message);
        let after = self.after.as_deref().unwrap_or_default();
        let named = self.before.len() + after.len();
        let fits = match self.after {
            Some(_) => words.len() >= named,
            None => words.len() == named,
        };
        let skipped = words.len().checked_sub(named).filter(|_| fits)?;
        let head = self.before.iter().zip(&words);
        let tail = after.iter().zip(words.iter().skip(self.before.len() + skipped));
        Some(head.chain(tail).map(|(field, word)| see(field, word)).collect())
    }
}

impl Field {
    /// `name`, or a condition in which every part begins with the name.
    fn parse(cursor: &mut Cursor<'_>) -> Result<Self, InvalidFilterPattern> {
        let whole = cursor.rest;
        let open = |c: char| c == '(' || c.is_whitespace();
        let mut ahead = Cursor::new(whole.trim_start_matches(open));
        let name = name(&mut ahead)?;
        ahead.skip_spaces();
        if !whole.starts_with('(') && (ahead.rest.starts_with(',') || ahead.rest.starts_with(']')) {
            cursor.rest = ahead.rest;
            return Ok(Self {
                name: name.into(),
                condition: None,
            });
        }
        let selector = |cursor: &mut Cursor<'_>| match self::name(cursor)? {
            other if other == name => Ok(()),
            other => Err(InvalidFilterPattern(format!(
                "a condition of the field `{name}` is about `{other}`"
            ))),
        };
        let condition = Expression::parse(cursor, &selector)?;
        Ok(Self {
            name: name.into(),
            condition: Some(condition),
        })
    }

    fn holds(&self, word: &str) -> bool {
        self.condition
            .as_ref()
            .is_none_or(|condition| condition.holds(&|()| Found::Word(word)))
    }
}

fn name<'a>(cursor: &mut Cursor<'a>) -> Result<&'a str, InvalidFilterPattern> {
    let name = cursor.take_until(|c| !c.is_alphanumeric() && !"_-.".contains(c));
    if name.is_empty() {
        let text = format!("the name of a field expected {}", cursor.place());
        return Err(InvalidFilterPattern(text));
    }
    Ok(name)
}

/// A message's fields: words, and what stands in brackets or quotation marks.
fn words(message: &str) -> Vec<&str> {
    let mut words = Vec::new();
    let mut rest = message.trim();
    while let Some(first) = rest.chars().next() {
        let closing = match first {
            '"' => Some('"'),
            '[' => Some(']'),
            _ => None,
        };
        let enclosed = closing.and_then(|closing| rest.strip_prefix(first)?.split_once(closing));
        let (word, after) = enclosed.unwrap_or_else(|| {
            let end = rest.find(char::is_whitespace).unwrap_or(rest.len());
            rest.split_at(end)
        });
        words.push(word);
        rest = after.trim_start();
    }
    words
}
