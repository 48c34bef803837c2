//! Walks the configuration and resolves what it meets.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::PathBuf;
use std::rc::Rc;

use super::grammar::{self, Part, Source, Text, Variable};
use super::{Context, Resolution, sources};
use crate::diagnostic::{Diagnostic, Severity, Span};
use crate::yaml::{Content, Map, Node};

/// A value may be a variable that yields a variable, and so on, this often.
const MAX_NESTING: usize = 10;
/// Characters of one resolved text.
const MAX_TEXT: usize = 1024 * 1024;
/// Values that variables may yield, all together.
const MAX_VALUES: usize = 1_000_000;

/// Where in the configuration something stands.
pub(super) type Path = Vec<String>;

/// Resolves variables of one configuration.
#[derive(Debug)]
pub(in crate::serverless) struct Resolver<'a> {
    pub(super) context: &'a Context<'a>,
    root: Rc<Node>,
    /// Texts with variables that were resolved, by their path.
    resolved: HashMap<Path, Result<Node, Diagnostic>>,
    /// What is being resolved now, outermost first.
    in_progress: Vec<String>,
    nesting: usize,
    values: usize,
    /// Problems at places nobody may ever read, by their path's first key.
    problems: Vec<(String, Diagnostic)>,
    pub(super) warnings: Vec<Diagnostic>,
    pub(super) files: BTreeMap<PathBuf, Option<Rc<Node>>>,
    pub(super) read: BTreeSet<PathBuf>,
}

/// What a source came to.
enum Found {
    Value(Node),
    /// It has none, and what to say if nothing else has.
    Absent(Diagnostic),
}

impl<'a> Resolver<'a> {
    pub(in crate::serverless) fn new(root: Node, context: &'a Context<'a>) -> Self {
        Self {
            context,
            root: Rc::new(root),
            resolved: HashMap::new(),
            in_progress: Vec::new(),
            nesting: 0,
            values: 0,
            problems: Vec::new(),
            warnings: Vec::new(),
            files: BTreeMap::new(),
            read: BTreeSet::new(),
        }
    }

    /// Resolves everything, collecting every problem.
    pub(super) fn resolve_all(mut self) -> Resolution {
        let root = Rc::clone(&self.root);
        let resolved = self.lenient(&root, &Vec::new());
        let mut diagnostics = self.warnings;
        for (section, problem) in self.problems {
            let problem = soften(&section, problem);
            let known = |d: &Diagnostic| d.message == problem.message && d.span == problem.span;
            match diagnostics.iter_mut().find(|d| known(d)) {
                Some(other) if problem.severity == Severity::Error => *other = problem,
                Some(_) => {}
                None => diagnostics.push(problem),
            }
        }
        Resolution {
            root: resolved,
            diagnostics,
            files: self.read.into_iter().collect(),
        }
    }

    /// The value at `keys` of the configuration, resolved; none when it is missing or null.
    pub(in crate::serverless) fn property(&mut self, keys: &[String]) -> Result<Option<Node>, Diagnostic> {
        let root = Rc::clone(&self.root);
        let mut current = Cow::Borrowed(root.as_ref());
        let mut path = Path::new();
        let mut settled = false;
        for key in keys {
            if !settled && let Some(node) = self.settle(&current, &path)? {
                current = Cow::Owned(node);
                settled = true;
            }
            let child = match current {
                Cow::Borrowed(node) => node.child(key).map(Cow::Borrowed),
                Cow::Owned(node) => node.child(key).cloned().map(Cow::Owned),
            };
            match child {
                Some(child) => current = child,
                None => return Ok(None),
            }
            path.push(key.clone());
        }
        let node = if settled {
            current.into_owned()
        } else {
            self.strict(&current, &path)?
        };
        self.count(&node)?;
        Ok(Some(node).filter(|node| !node.is_null()))
    }

    /// The keys of the mapping at `keys`, for suggestions.
    pub(super) fn siblings(&self, keys: &[String]) -> Vec<String> {
        let parent = keys
            .iter()
            .take(keys.len().saturating_sub(1))
            .try_fold(self.root.as_ref(), |node, key| node.child(key));
        let map = parent.and_then(Node::as_map);
        map.map(|map| map.iter().map(|e| e.key.clone()).collect())
            .unwrap_or_default()
    }

    /// `node` with everything below it resolved; the first problem ends it.
    pub(super) fn strict(&mut self, node: &Node, path: &Path) -> Result<Node, Diagnostic> {
        if let Some(settled) = self.settle(node, path)? {
            return Ok(settled);
        }
        let content = match &node.content {
            Content::List(items) => {
                let mut resolved = Vec::with_capacity(items.len());
                for (index, item) in items.iter().enumerate() {
                    resolved.push(self.strict(item, &below(path, &index.to_string()))?);
                }
                Content::List(resolved)
            }
            Content::Map(map) => {
                let mut resolved = Map::default();
                for entry in map {
                    let value = self.strict(&entry.node, &below(path, &entry.key))?;
                    resolved.append(entry, value);
                }
                Content::Map(resolved)
            }
            scalar => scalar.clone(),
        };
        Ok(Node::new(&node.span, content))
    }

    /// Like [`Resolver::strict`], but a problem is noted and leaves null behind.
    fn lenient(&mut self, node: &Node, path: &Path) -> Node {
        match self.settle(node, path) {
            Ok(Some(settled)) => return settled,
            Ok(None) => {}
            Err(problem) => {
                let section = path.first().cloned().unwrap_or_default();
                self.problems.push((section, problem));
                return Node::new(&node.span, Content::Null);
            }
        }
        let content = match &node.content {
            Content::List(items) => {
                let item =
                    |(index, item): (usize, &Node)| self.lenient(item, &below(path, &index.to_string()));
                Content::List(items.iter().enumerate().map(item).collect())
            }
            Content::Map(map) => {
                let mut resolved = Map::default();
                for entry in map {
                    let value = self.lenient(&entry.node, &below(path, &entry.key));
                    resolved.append(entry, value);
                }
                Content::Map(resolved)
            }
            scalar => scalar.clone(),
        };
        Node::new(&node.span, content)
    }

    /// The value of a text with variables; none when `node` is something else.
    fn settle(&mut self, node: &Node, path: &Path) -> Result<Option<Node>, Diagnostic> {
        let Some(text) = node.as_text().filter(|text| grammar::may_have_variables(text)) else {
            return Ok(None);
        };
        if let Some(known) = self.resolved.get(path) {
            return known.clone().map(Some);
        }
        let place = &node.span;
        let outcome = self.guarded(path.join("."), place, |resolver| resolver.text(text, place));
        if !path.is_empty() {
            self.resolved.insert(path.clone(), outcome.clone());
        }
        outcome.map(Some)
    }

    /// Runs `work` unless `label` is being resolved already.
    pub(super) fn guarded<T>(
        &mut self,
        label: String,
        place: &Span,
        work: impl FnOnce(&mut Self) -> Result<T, Diagnostic>,
    ) -> Result<T, Diagnostic> {
        if let Some(start) = self
            .in_progress
            .iter()
            .position(|open| *open == label && !label.is_empty())
        {
            let mut around: Vec<&str> = self.in_progress.iter().skip(start).map(String::as_str).collect();
            around.push(&label);
            let message = format!("variables go in a circle: `{}`", around.join("` → `"));
            return Err(Diagnostic::error(message)
                .at(place)
                .hint("give one of them a value of its own"));
        }
        self.in_progress.push(label);
        let outcome = work(self);
        self.in_progress.pop();
        outcome
    }

    /// The value of `text`: that of its variable if it is nothing else, else a text.
    pub(super) fn text(&mut self, text: &str, place: &Span) -> Result<Node, Diagnostic> {
        let parsed = grammar::parse(text).map_err(|error| {
            Diagnostic::error(error.to_string())
                .at(place)
                .hint("write `${source:address, 'fallback'}`; quote fallbacks that are text")
        })?;
        self.parsed(&parsed, place)
    }

    /// The value of a text that is taken apart already.
    pub(super) fn parsed(&mut self, text: &Text, place: &Span) -> Result<Node, Diagnostic> {
        if let [Part::Variable(variable)] = text.0.as_slice() {
            return self.variable(variable, place);
        }
        let mut joined = String::new();
        for part in &text.0 {
            match part {
                Part::Literal(literal) => joined.push_str(literal),
                Part::Variable(variable) => {
                    let node = self.variable(variable, place)?;
                    let piece = node.scalar_text();
                    joined.push_str(&piece.ok_or_else(|| not_scalar(variable, &node, place))?);
                }
            }
            if joined.len() > MAX_TEXT {
                let message = format!("a text grows beyond {MAX_TEXT} characters through its variables");
                return Err(Diagnostic::error(message).at(place));
            }
        }
        Ok(Node::text(place, joined))
    }

    fn variable(&mut self, variable: &Variable, place: &Span) -> Result<Node, Diagnostic> {
        let mut missing: Option<Diagnostic> = None;
        for (index, source) in variable.sources.iter().enumerate() {
            let is_last = index + 1 == variable.sources.len();
            match self.source(source, variable, place) {
                Ok(Found::Value(node)) => {
                    if let Some(skipped) = missing.filter(sources::is_unavailable) {
                        self.warn_of_fallback(skipped);
                    }
                    return Ok(at_place(node, place));
                }
                Ok(Found::Absent(absent)) => missing = missing.or(Some(absent)),
                Err(problem) if sources::is_unavailable(&problem) && !is_last => {
                    missing = missing.or(Some(problem));
                }
                Err(problem) => return Err(missing.filter(sources::is_unavailable).unwrap_or(problem)),
            }
        }
        Err(missing.unwrap_or_else(|| sources::no_value(variable, place)))
    }

    fn source(&mut self, source: &Source, variable: &Variable, place: &Span) -> Result<Found, Diagnostic> {
        match source {
            Source::Literal(value) => Ok(Found::Value(Node::from_json(value.clone(), place))),
            Source::Quoted(text) => {
                let node = self.parsed(text, place)?;
                let text = node.scalar_text();
                let text = text.ok_or_else(|| not_scalar(variable, &node, place))?;
                Ok(Found::Value(Node::text(place, text)))
            }
            Source::Nested(inner) => self.nested_fallback(inner, place),
            Source::Named {
                name,
                params,
                address,
            } => {
                let params = params
                    .iter()
                    .map(|param| self.argument(param, variable, place))
                    .collect::<Result<Vec<_>, _>>()?;
                let address = match address {
                    Some(address) => Some(self.argument(address, variable, place)?),
                    None => None,
                };
                let call = sources::Call {
                    name,
                    params,
                    address,
                    variable,
                    place,
                };
                let value = sources::value(self, &call)?;
                Ok(value.map_or_else(|| Found::Absent(sources::absent(self, &call)), Found::Value))
            }
        }
    }

    /// A variable in the place of a source has no value where its own sources have none.
    fn nested_fallback(&mut self, inner: &Variable, place: &Span) -> Result<Found, Diagnostic> {
        let mut absent = None;
        for source in &inner.sources {
            match self.source(source, inner, place)? {
                Found::Value(node) => return Ok(Found::Value(node)),
                Found::Absent(why) => absent = absent.or(Some(why)),
            }
        }
        Ok(Found::Absent(
            absent.unwrap_or_else(|| sources::no_value(inner, place)),
        ))
    }

    fn argument(&mut self, text: &Text, variable: &Variable, place: &Span) -> Result<String, Diagnostic> {
        let node = self.parsed(text, place)?;
        node.scalar_text()
            .ok_or_else(|| not_scalar(variable, &node, place))
    }

    /// Resolves what a source from outside the configuration yielded: it may hold variables again.
    pub(super) fn outside(&mut self, node: &Node, place: &Span) -> Result<Node, Diagnostic> {
        if self.nesting == MAX_NESTING {
            let message = format!("variables yield variables more than {MAX_NESTING} times");
            return Err(Diagnostic::error(message).at(place));
        }
        self.count(node)?;
        self.nesting += 1;
        let resolved = self.fresh(node);
        self.nesting -= 1;
        resolved
    }

    /// Resolves a tree that has no path of its own in the configuration.
    fn fresh(&mut self, node: &Node) -> Result<Node, Diagnostic> {
        let content = match &node.content {
            Content::Text(text) if grammar::may_have_variables(text) => {
                let place = &node.span;
                return self.text(text, place);
            }
            Content::List(items) => Content::List(
                items
                    .iter()
                    .map(|item| self.fresh(item))
                    .collect::<Result<_, _>>()?,
            ),
            Content::Map(map) => {
                let mut resolved = Map::default();
                for entry in map {
                    let value = self.fresh(&entry.node)?;
                    resolved.append(entry, value);
                }
                Content::Map(resolved)
            }
            scalar => scalar.clone(),
        };
        Ok(Node::new(&node.span, content))
    }

    fn count(&mut self, node: &Node) -> Result<(), Diagnostic> {
        self.values += node.size();
        if self.values > MAX_VALUES {
            let message = format!("variables yield more than {MAX_VALUES} values");
            return Err(Diagnostic::error(message).at(&node.span));
        }
        Ok(())
    }

    fn warn_of_fallback(&mut self, skipped: Diagnostic) {
        let warning = Diagnostic {
            severity: Severity::Warning,
            message: format!("{}; its fallback is used", skipped.message),
            hint: None,
            ..skipped
        };
        if !self.warnings.contains(&warning) {
            self.warnings.push(warning);
        }
    }
}

/// A scalar stands where its variable is written; a tree keeps the places of its file.
fn at_place(node: Node, span: &Span) -> Node {
    match node.content {
        Content::List(_) | Content::Map(_) => node,
        scalar => Node::new(span, scalar),
    }
}

fn below(path: &Path, key: &str) -> Path {
    let mut longer = path.clone();
    longer.push(key.to_owned());
    longer
}

/// What nobody reads unless a variable refers to it may name a service that is not there.
fn soften(section: &str, problem: Diagnostic) -> Diagnostic {
    if matches!(section, "custom" | "params" | "stages") && sources::is_unavailable(&problem) {
        return Diagnostic {
            severity: Severity::Warning,
            ..problem
        };
    }
    problem
}

fn not_scalar(variable: &Variable, node: &Node, place: &Span) -> Diagnostic {
    let message = format!(
        "`{}` is {}, which cannot stand inside a text",
        variable.written,
        node.kind()
    );
    Diagnostic::error(message).at(place)
}
