//! From the text of a pattern to its conjunctions, with AWS's words for what is wrong.

use super::json::{self, Kind, Node};
use super::matcher::{Cidr, Matcher, Range, Wildcard};
use super::value::{Number, Order, Scalar};
use super::{Conjunction, Field, InvalidPattern, MAX_CONJUNCTIONS, Place};

const OR: &str = "$or";

/// Names that the objects of an `$or` cannot have.
const RESERVED: [&str; 24] = [
    "exactly",
    "equals-ignore-case",
    "prefix",
    "suffix",
    "anything-but",
    "exists",
    "wildcard",
    "numeric",
    "cidr",
    "=",
    "<",
    "<=",
    ">",
    ">=",
    "regex",
    "not-wildcard",
    "not-equals-ignore-case",
    "date-after",
    "date-on-or-after",
    "date-before",
    "date-on-or-before",
    "in-date-range",
    "ip-address-in-range",
    "ip-address-not-in-range",
];

/// Reads a pattern.
pub(super) fn compile(source: &str) -> Result<Vec<Conjunction>, InvalidPattern> {
    let compiler = Compiler { source };
    if source.trim().is_empty() {
        return Err(compiler.error(Place::START, "Filter is not an object"));
    }
    let root = json::read(source)?;
    let mut path = Vec::new();
    let mut conjunctions = compiler.object(&root, &mut path, vec![Vec::new()], false)?;
    for conjunction in &mut conjunctions {
        conjunction.sort_by_cached_key(|field| (cost(field), field.path.clone()));
    }
    Ok(conjunctions)
}

/// How little the field tells events apart, so that those that tell most come first.
fn cost(field: &Field) -> (u8, usize) {
    let of = |matcher: &Matcher| match matcher {
        Matcher::Exact(Scalar::Text(_) | Scalar::Number(_)) => 0,
        Matcher::EqualsIgnoreCase(_) | Matcher::Cidr(_) => 1,
        Matcher::Prefix(_)
        | Matcher::Suffix(_)
        | Matcher::PrefixIgnoreCase(_)
        | Matcher::SuffixIgnoreCase(_) => 2,
        Matcher::Wildcard(_) | Matcher::Range(_) => 3,
        Matcher::Exact(Scalar::Null | Scalar::Bool(_)) => 4,
        Matcher::Exists | Matcher::AnythingBut(_) => 5,
        Matcher::Absent => 6,
    };
    (
        field.matchers.iter().map(of).max().unwrap_or(0),
        field.matchers.len(),
    )
}

struct Compiler<'a> {
    source: &'a str,
}

type Compiled<T> = Result<T, InvalidPattern>;

impl Compiler<'_> {
    fn error(&self, place: Place, reason: impl Into<String>) -> InvalidPattern {
        InvalidPattern::at(self.source, place, reason)
    }

    /// Adds what an object asks for to all of `so_far`.
    fn object(
        &self,
        node: &Node,
        path: &mut Vec<Box<str>>,
        mut so_far: Vec<Conjunction>,
        within_or: bool,
    ) -> Compiled<Vec<Conjunction>> {
        let Kind::Object(members) = &node.kind else {
            return Err(self.error(node.start, "Filter is not an object"));
        };
        if members.is_empty() {
            return Err(self.error(node.end, "Empty objects are not allowed"));
        }
        for (name, value) in members {
            if name == OR {
                so_far = self.or(value, path, &so_far)?;
                continue;
            }
            if within_or && RESERVED.contains(&&**name) {
                let reason = format!("{name} is Ruler reserved fieldName which cannot be used inside $or.");
                return Err(self.error(value.start, reason));
            }
            path.push(name.as_str().into());
            so_far = match &value.kind {
                Kind::Object(_) => self.object(value, path, so_far, within_or)?,
                Kind::Array(alternatives) => self.field(value, alternatives, path, so_far)?,
                Kind::Null | Kind::Bool(_) | Kind::Number(_) | Kind::Text(_) => {
                    let reason = format!("\"{name}\" must be an object or an array");
                    return Err(self.error(value.start, reason));
                }
            };
            path.pop();
        }
        Ok(so_far)
    }

    /// Each of `so_far` goes on in each branch.
    fn or(
        &self,
        node: &Node,
        path: &mut Vec<Box<str>>,
        so_far: &[Conjunction],
    ) -> Compiled<Vec<Conjunction>> {
        let Kind::Array(branches) = &node.kind else {
            return Err(self.error(node.start, "It must be an Array followed with $or."));
        };
        let mut all = Vec::new();
        for branch in branches {
            if !matches!(branch.kind, Kind::Object(_)) {
                let reason = "Only JSON object is allowed in array of $or relationship.";
                return Err(self.error(branch.start, reason));
            }
            all.extend(self.object(branch, path, so_far.to_vec(), true)?);
            self.limit(node, all.len())?;
        }
        if branches.len() < 2 {
            let reason = "There must have at least 2 Objects in $or relationship.";
            return Err(self.error(node.end, reason));
        }
        Ok(all)
    }

    fn limit(&self, node: &Node, conjunctions: usize) -> Compiled<()> {
        if conjunctions <= MAX_CONJUNCTIONS {
            return Ok(());
        }
        let reason = format!("More than {MAX_CONJUNCTIONS} combinations of $or conditions are not allowed");
        Err(self.error(node.end, reason))
    }

    fn field(
        &self,
        node: &Node,
        alternatives: &[Node],
        path: &[Box<str>],
        so_far: Vec<Conjunction>,
    ) -> Compiled<Vec<Conjunction>> {
        if alternatives.is_empty() {
            return Err(self.error(node.end, "Empty arrays are not allowed"));
        }
        let matchers: Compiled<Vec<Matcher>> = alternatives.iter().map(|one| self.alternative(one)).collect();
        let (absent, present): (Vec<_>, Vec<_>) = matchers?
            .into_iter()
            .partition(|matcher| *matcher == Matcher::Absent);
        if so_far.iter().flatten().any(|field| field.path == path) {
            let path = path.join(".");
            let reason = format!("Path `{path}` cannot be allowed multiple times");
            return Err(self.error(node.end, reason));
        }
        let mut all = Vec::new();
        for mut matchers in [present, absent] {
            matchers.sort();
            matchers.dedup();
            if !matchers.is_empty() {
                let path = path.to_vec();
                let field = Field { path, matchers };
                all.extend(so_far.iter().map(|conjunction| {
                    let mut conjunction = conjunction.clone();
                    conjunction.push(field.clone());
                    conjunction
                }));
            }
        }
        self.limit(node, all.len())?;
        Ok(all)
    }

    fn alternative(&self, node: &Node) -> Compiled<Matcher> {
        let exact = |scalar| Ok(Matcher::Exact(scalar));
        match &node.kind {
            Kind::Null => exact(Scalar::Null),
            Kind::Bool(is) => exact(Scalar::Bool(*is)),
            Kind::Number(number) => exact(Scalar::Number(Number::of(number))),
            Kind::Text(text) => exact(Scalar::Text(text.clone().into())),
            Kind::Object(members) => self.expression(node, members),
            Kind::Array(_) => Err(self.error(
                node.start,
                "Match value must be String, number, true, false, or null",
            )),
        }
    }

    /// `{"prefix": "a"}` and the others.
    fn expression(&self, node: &Node, members: &[(String, Node)]) -> Compiled<Matcher> {
        let Some((name, value)) = members.first() else {
            return Err(self.error(node.end, "Match expression name not found"));
        };
        let text = |name: &str| self.text(value, &format!("{name} match pattern must be a string"));
        let matcher = match name.as_str() {
            "exactly" => Matcher::Exact(Scalar::Text(text("exact")?.to_owned().into())),
            "prefix" => self.end_of(
                value,
                "prefix",
                "Prefix",
                Matcher::Prefix,
                Matcher::PrefixIgnoreCase,
            )?,
            "suffix" => self.end_of(
                value,
                "suffix",
                "Suffix",
                Matcher::Suffix,
                Matcher::SuffixIgnoreCase,
            )?,
            "equals-ignore-case" => {
                Matcher::EqualsIgnoreCase(text("equals-ignore-case")?.to_lowercase().into())
            }
            "wildcard" => self.wildcard(value)?,
            "cidr" => Matcher::Cidr(Cidr::parse(text("prefix")?).map_err(InvalidPattern::new)?),
            "numeric" => self.numeric(value)?,
            "anything-but" => self.anything_but(value)?,
            "exists" => match value.kind {
                Kind::Bool(true) => Matcher::Exists,
                Kind::Bool(false) => Matcher::Absent,
                Kind::Null | Kind::Number(_) | Kind::Text(_) | Kind::Array(_) | Kind::Object(_) => {
                    let reason = "exists match pattern must be either true or false.";
                    return Err(self.error(value.start, reason));
                }
            },
            other => return Err(self.error(value.start, format!("Unrecognized match type {other}"))),
        };
        let reason = match name.as_str() {
            "numeric" | "anything-but" => "Too many elements in numeric expression",
            _ => "Only one key allowed in match expression",
        };
        self.only_one(members, reason).map(|()| matcher)
    }

    fn only_one(&self, members: &[(String, Node)], reason: &str) -> Compiled<()> {
        match members.get(1) {
            Some((_, second)) => Err(self.error(second.start, reason)),
            None => Ok(()),
        }
    }

    fn text<'n>(&self, node: &'n Node, reason: &str) -> Compiled<&'n str> {
        match &node.kind {
            Kind::Text(text) => Ok(text),
            Kind::Null | Kind::Bool(_) | Kind::Number(_) | Kind::Array(_) | Kind::Object(_) => {
                Err(self.error(node.start, reason))
            }
        }
    }

    /// `prefix` and `suffix`, each of a text or of `{"equals-ignore-case": text}`.
    fn end_of(
        &self,
        node: &Node,
        name: &str,
        title: &str,
        same_case: fn(Box<str>) -> Matcher,
        any_case: fn(Box<str>) -> Matcher,
    ) -> Compiled<Matcher> {
        let Kind::Object(members) = &node.kind else {
            let text = self.text(node, &format!("{name} match pattern must be a string"))?;
            return Ok(same_case(text.into()));
        };
        match members.first() {
            None => Err(self.error(node.end, format!("{title} expression name not found"))),
            Some((operator, value)) if operator == "equals-ignore-case" => {
                let text = self.text(value, "equals-ignore-case match pattern must be a string")?;
                self.only_one(members, "Only one key allowed in match expression")?;
                Ok(any_case(text.to_lowercase().into()))
            }
            Some((operator, value)) => {
                Err(self.error(value.start, format!("Unsupported {name} pattern: {operator}")))
            }
        }
    }

    fn wildcard(&self, node: &Node) -> Compiled<Matcher> {
        let text = self.text(node, "wildcard match pattern must be a string")?;
        let wildcard = Wildcard::parse(text).map_err(|reason| self.error(node.end, reason))?;
        Ok(Matcher::Wildcard(wildcard))
    }

    fn anything_but(&self, node: &Node) -> Compiled<Matcher> {
        let these = match &node.kind {
            Kind::Object(members) => self.anything_but_those(node, members)?,
            Kind::Array(values) => self.anything_but_values(node, values)?,
            Kind::Text(_) | Kind::Number(_) => vec![self.alternative(node)?],
            Kind::Null | Kind::Bool(_) => {
                let reason = "Value of anything-but must be an array or single string/number value.";
                return Err(self.error(node.start, reason));
            }
        };
        Ok(Matcher::AnythingBut(these))
    }

    fn anything_but_values(&self, node: &Node, values: &[Node]) -> Compiled<Vec<Matcher>> {
        let is_number = |value: &Node| matches!(value.kind, Kind::Number(_));
        for value in values {
            if !is_number(value) && !matches!(value.kind, Kind::Text(_)) {
                let reason = "Inside anything but list, start|null|boolean is not supported.";
                return Err(self.error(value.start, reason));
            }
        }
        let numbers = values.iter().filter(|value| is_number(value)).count();
        if values.is_empty() || (numbers > 0 && numbers < values.len()) {
            let reason = "Inside anything but list, either all values are number or string, mixed type is not supported";
            return Err(self.error(node.end, reason));
        }
        values.iter().map(|value| self.alternative(value)).collect()
    }

    /// `{"anything-but": {"prefix": …}}` and the others, of a text or of several.
    fn anything_but_those(&self, node: &Node, members: &[(String, Node)]) -> Compiled<Vec<Matcher>> {
        let Some((operator, value)) = members.first() else {
            return Err(self.error(node.end, "Anything-But expression name not found"));
        };
        if !["prefix", "suffix", "equals-ignore-case", "wildcard"].contains(&&**operator) {
            let reason = format!("Unsupported anything-but pattern: {operator}");
            return Err(self.error(value.start, reason));
        }
        let values = match &value.kind {
            Kind::Array(values) => values.as_slice(),
            Kind::Text(_) | Kind::Number(_) => std::slice::from_ref(value),
            Kind::Null | Kind::Bool(_) | Kind::Object(_) => {
                let reason = "Value of anything-but must be an array or single string/number value.";
                return Err(self.error(value.start, reason));
            }
        };
        let these = values.iter().map(|value| self.anything_but_this(operator, value));
        let these: Compiled<Vec<Matcher>> = these.collect();
        self.only_one(members, "Too many elements in numeric expression")?;
        these
    }

    fn anything_but_this(&self, operator: &str, node: &Node) -> Compiled<Matcher> {
        let reason = match operator {
            "equals-ignore-case" => {
                "Inside anything-but/equals-ignore-case list, number|start|null|boolean is not supported."
            }
            "wildcard" => return self.wildcard(node),
            _ => "prefix/suffix match pattern must be a string",
        };
        let text = self.text(node, reason)?;
        match operator {
            "equals-ignore-case" => Ok(Matcher::EqualsIgnoreCase(text.to_lowercase().into())),
            _ if text.is_empty() => Err(self.error(node.end, "Null prefix/suffix not allowed")),
            "prefix" => Ok(Matcher::Prefix(text.into())),
            _ => Ok(Matcher::Suffix(text.into())),
        }
    }

    /// `["<", 5]`, `[">=", 0, "<", 10]`, …
    fn numeric(&self, node: &Node) -> Compiled<Matcher> {
        let Kind::Array(terms) = &node.kind else {
            return Err(self.error(node.start, "Value of numeric must be an array."));
        };
        let Some((first, terms)) = terms.split_first() else {
            return Err(self.error(node.end, "Invalid member in numeric match: ]"));
        };
        let Kind::Text(operator) = &first.kind else {
            let reason = format!("Invalid member in numeric match: {}", shown(first));
            return Err(self.error(first.start, reason));
        };
        let number = match operator.as_str() {
            "=" | "<" | "<=" | ">" | ">=" => self.number(operator, first, terms.first())?,
            _ => {
                let reason = format!("Unrecognized numeric range operator: {operator}");
                return Err(self.error(terms.first().map_or(node.end, |term| term.start), reason));
            }
        };
        let range = bound(operator, number);
        match terms.get(1..).unwrap_or_default() {
            [] => Ok(Matcher::Range(range)),
            [extra, ..] if !matches!(operator.as_str(), ">" | ">=") => {
                Err(self.error(extra.start, "Too many elements in numeric expression"))
            }
            [operator, rest @ ..] => {
                let high = self.top(number, operator, rest)?;
                Ok(Matcher::Range(Range { low: range.low, high }))
            }
        }
    }

    /// The upper end of a range that begins at `bottom`.
    fn top(&self, bottom: Order, operator: &Node, terms: &[Node]) -> Compiled<Order> {
        let Kind::Text(name) = &operator.kind else {
            let reason = format!("Bad value in numeric range: {}", shown(operator));
            return Err(self.error(operator.start, reason));
        };
        if !matches!(name.as_str(), "<" | "<=") {
            return Err(self.error(operator.end, format!("Bad numeric range operator: {name}")));
        }
        let number = self.number(name, operator, terms.first())?;
        if let Some(extra) = terms.get(1) {
            return Err(self.error(extra.start, "Too many terms in numeric range expression"));
        }
        if bottom >= number {
            let end = terms.first().map_or(operator.end, |term| term.end);
            return Err(self.error(end, "Bottom must be less than top"));
        }
        Ok(bound(name, number).high)
    }

    fn number(&self, operator: &str, before: &Node, term: Option<&Node>) -> Compiled<Order> {
        let name = if operator == "=" { "equals" } else { operator };
        let reason = format!("Value of {name} must be numeric");
        match term.map(|term| (&term.kind, term.start)) {
            Some((Kind::Number(number), _)) => Ok(Number::of(number).order()),
            Some((_, start)) => Err(self.error(start, reason)),
            None => Err(self.error(before.end, reason)),
        }
    }
}

/// All numbers that have this relation to `number`.
fn bound(operator: &str, number: Order) -> Range {
    let (low, high) = match operator {
        "<" => (Order::MIN, number.previous()),
        "<=" => (Order::MIN, number),
        ">" => (number.next(), Order::MAX),
        ">=" => (number, Order::MAX),
        _ => (number, number),
    };
    Range { low, high }
}

/// As AWS's reader shows a token.
fn shown(node: &Node) -> String {
    match &node.kind {
        Kind::Null => "null".to_owned(),
        Kind::Bool(is) => is.to_string(),
        Kind::Number(number) => number.to_string(),
        Kind::Text(text) => text.clone(),
        Kind::Array(_) => "[".to_owned(),
        Kind::Object(_) => "{".to_owned(),
    }
}
