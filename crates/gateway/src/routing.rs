//! Finding the route of a method and path in a tree of segments.
//!
//! A static segment wins over a parameter, a parameter over a greedy one, and a method over `ANY`.
//! The two kinds of API differ in one point. A REST API chooses the *resource* by path alone and
//! then looks for the method there, so that `POST /a` finds nothing when `/a` has only a GET, even
//! if `/{proxy+}` has ANY. An HTTP API matches path and method together, so there the greedy route
//! would answer (API Gateway Developer Guide, "Create routes for HTTP APIs").
//!
//! Each node of the tree is visited at most once a request, so no set of routes makes a search slow.

use std::borrow::Cow;
use std::collections::BTreeMap;

use http::Method;
use percent_encoding::percent_decode_str;

use crate::api::{ApiKind, RouteKey, RouteMethod};
use crate::route_path::{RoutePath, Segment};

/// The routes of one stage, by position in its list of routes.
#[derive(Debug)]
pub(crate) struct RouteTable {
    kind: ApiKind,
    nodes: Vec<Node>,
    default: Option<usize>,
}

#[derive(Debug, Default)]
struct Node {
    statics: BTreeMap<Box<str>, usize>,
    parameter: Option<usize>,
    greedy: Methods,
    here: Methods,
}

#[derive(Debug, Default)]
struct Methods {
    exact: Vec<(Method, usize)>,
    any: Option<usize>,
}

/// A route and what its parameters matched, raw, from left to right.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Matched<'p> {
    pub(crate) route: usize,
    pub(crate) captures: Vec<&'p str>,
}

impl RouteTable {
    pub(crate) fn new<'k>(kind: ApiKind, keys: impl IntoIterator<Item = &'k RouteKey>) -> Self {
        let mut table = Self {
            kind,
            nodes: vec![Node::default()],
            default: None,
        };
        for (route, key) in keys.into_iter().enumerate() {
            match key {
                RouteKey::Default => table.default = Some(route),
                RouteKey::Path(method, path) => table.insert(method, path, route),
            }
        }
        table
    }

    fn insert(&mut self, method: &RouteMethod, path: &RoutePath, route: usize) {
        let mut node = 0;
        for segment in path.segments() {
            node = match segment {
                Segment::Static(text) => self.static_child(node, text),
                Segment::Parameter(_) => self.parameter_child(node),
                Segment::Greedy(_) => return self.nodes[node].greedy.insert(method, route),
            };
        }
        self.nodes[node].here.insert(method, route);
    }

    fn static_child(&mut self, node: usize, text: &str) -> usize {
        if let Some(&child) = self.nodes[node].statics.get(text) {
            return child;
        }
        let child = self.add_node();
        self.nodes[node].statics.insert(text.into(), child);
        child
    }

    fn parameter_child(&mut self, node: usize) -> usize {
        if let Some(child) = self.nodes[node].parameter {
            return child;
        }
        let child = self.add_node();
        self.nodes[node].parameter = Some(child);
        child
    }

    fn add_node(&mut self) -> usize {
        self.nodes.push(Node::default());
        self.nodes.len() - 1
    }

    /// The route of `method` and `path`; the path is raw and starts with `/`.
    pub(crate) fn find<'p>(&self, method: &Method, path: &'p str) -> Option<Matched<'p>> {
        let path = path.strip_prefix('/').unwrap_or(path);
        // REST APIs do not mind a slash at the end.
        let path = if self.kind == ApiKind::Rest {
            path.trim_end_matches('/')
        } else {
            path
        };
        let rest = (!path.is_empty()).then_some(path);
        let mut captures = Vec::new();
        let found = self.visit(0, rest, method, &mut captures);
        match found.and_then(|methods| methods.pick(method)) {
            Some(route) => Some(Matched { route, captures }),
            None => self.default.map(|route| Matched {
                route,
                captures: Vec::new(),
            }),
        }
    }

    fn visit<'p>(
        &self,
        node: usize,
        rest: Option<&'p str>,
        method: &Method,
        captures: &mut Vec<&'p str>,
    ) -> Option<&Methods> {
        let node = &self.nodes[node];
        let Some(text) = rest else {
            return self.accepts(&node.here, method).then_some(&node.here);
        };
        let (segment, rest) = match text.split_once('/') {
            Some((segment, rest)) => (segment, Some(rest)),
            None => (text, None),
        };
        let next = node.statics.get(&*decoded(segment));
        if let Some(found) = next.and_then(|&next| self.visit(next, rest, method, captures)) {
            return Some(found);
        }
        if let Some(next) = node.parameter.filter(|_| !segment.is_empty()) {
            captures.push(segment);
            if let Some(found) = self.visit(next, rest, method, captures) {
                return Some(found);
            }
            captures.pop();
        }
        let found = self.accepts(&node.greedy, method).then_some(&node.greedy)?;
        captures.push(text);
        Some(found)
    }

    fn accepts(&self, methods: &Methods, method: &Method) -> bool {
        match self.kind {
            ApiKind::Rest => methods.any.is_some() || !methods.exact.is_empty(),
            ApiKind::Http | ApiKind::FunctionUrl(_) => methods.pick(method).is_some(),
        }
    }
}

impl Methods {
    fn insert(&mut self, method: &RouteMethod, route: usize) {
        match method {
            RouteMethod::Any => self.any = Some(route),
            RouteMethod::Exact(method) => self.exact.push((method.clone(), route)),
        }
    }

    fn pick(&self, method: &Method) -> Option<usize> {
        let exact = self.exact.iter().find(|(candidate, _)| candidate == method);
        exact.map(|(_, route)| *route).or(self.any)
    }
}

/// A raw part of a path with its percent-escapes resolved.
pub(crate) fn decoded(raw: &str) -> Cow<'_, str> {
    if raw.contains('%') {
        percent_decode_str(raw).decode_utf8_lossy()
    } else {
        Cow::Borrowed(raw)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    struct Table {
        texts: Vec<&'static str>,
        table: RouteTable,
    }

    fn table(kind: ApiKind, texts: &[&'static str]) -> Table {
        let keys: Vec<RouteKey> = texts.iter().map(|text| text.parse().unwrap()).collect();
        Table {
            texts: texts.to_vec(),
            table: RouteTable::new(kind, &keys),
        }
    }

    impl Table {
        fn find(&self, request: &str) -> Option<(&'static str, String)> {
            let (method, path) = request.split_once(' ').unwrap();
            let found = self.table.find(&method.parse().unwrap(), path)?;
            Some((self.texts[found.route], found.captures.join("|")))
        }
    }

    const ROUTES: &[&str] = &[
        "GET /",
        "GET /pets",
        "ANY /pets",
        "GET /pets/dog",
        "GET /pets/{id}",
        "GET /pets/{id}/toys",
        "GET /pets/dog/{rest+}",
        "POST /{proxy+}",
        "GET /caf\u{e9}",
    ];

    #[test]
    fn both_kinds_prefer_what_is_most_specific() {
        for kind in [ApiKind::Rest, ApiKind::Http] {
            let table = table(kind, ROUTES);
            for (request, route, captures) in [
                ("GET /", "GET /", ""),
                ("GET /pets", "GET /pets", ""),
                ("PUT /pets", "ANY /pets", ""),
                ("GET /pets/dog", "GET /pets/dog", ""),
                ("GET /pets/cat", "GET /pets/{id}", "cat"),
                ("GET /pets/a%2Fb", "GET /pets/{id}", "a%2Fb"),
                ("GET /pets/dog/1/2", "GET /pets/dog/{rest+}", "1/2"),
                ("GET /pets/cat/toys", "GET /pets/{id}/toys", "cat"),
                ("POST /a/b", "POST /{proxy+}", "a/b"),
                ("GET /caf%C3%A9", "GET /caf\u{e9}", ""),
            ] {
                assert_eq!(
                    table.find(request),
                    Some((route, captures.to_owned())),
                    "{kind:?} {request}"
                );
            }
            for request in ["HEAD /", "GET /nobody", "DELETE /x/y"] {
                assert_eq!(table.find(request), None, "{kind:?} {request}");
            }
        }
    }

    #[test]
    fn a_rest_api_chooses_the_resource_before_the_method() {
        let routes = ["GET /a", "ANY /{proxy+}"];
        assert_eq!(table(ApiKind::Rest, &routes).find("POST /a"), None);
        assert_eq!(
            table(ApiKind::Http, &routes).find("POST /a"),
            Some(("ANY /{proxy+}", "a".into()))
        );
    }

    #[test]
    fn a_slash_at_the_end_matters_to_http_apis_only() {
        let routes = ["GET /a", "GET /b/{proxy+}"];
        let rest = table(ApiKind::Rest, &routes);
        assert_eq!(rest.find("GET /a/"), Some(("GET /a", String::new())));
        assert_eq!(rest.find("GET /b/c/"), Some(("GET /b/{proxy+}", "c".into())));
        let http = table(ApiKind::Http, &routes);
        assert_eq!(http.find("GET /a/"), None);
        assert_eq!(http.find("GET /b/c/"), Some(("GET /b/{proxy+}", "c/".into())));
    }

    #[test]
    fn the_default_route_takes_what_is_left() {
        let table = table(ApiKind::Http, &["$default", "GET /a"]);
        assert_eq!(table.find("GET /a"), Some(("GET /a", String::new())));
        assert_eq!(table.find("POST /a"), Some(("$default", String::new())));
        assert_eq!(table.find("GET /"), Some(("$default", String::new())));
    }

    #[test]
    fn backing_out_of_a_dead_end_forgets_what_it_captured() {
        let table = table(ApiKind::Http, &["GET /a/{x}/c", "GET /a/{rest+}"]);
        assert_eq!(table.find("GET /a/b/d"), Some(("GET /a/{rest+}", "b/d".into())));
    }

    fn segment() -> impl Strategy<Value = (String, String)> {
        prop_oneof![
            "[a-z]{1,4}".prop_map(|text| (text.clone(), text)),
            ("[a-z]{1,4}", "[a-z0-9%~.-]{1,6}").prop_map(|(name, value)| (format!("{{{name}}}"), value)),
        ]
    }

    proptest! {
        #[test]
        fn what_the_parameters_matched_joins_to_the_path(
            segments in proptest::collection::vec(segment(), 0..6),
            tail in proptest::option::of("[a-z0-9]{1,3}(/[a-z0-9]{1,3}){0,3}"),
        ) {
            let mut pattern: Vec<String> = segments.iter().map(|(pattern, _)| pattern.clone()).collect();
            let mut values: Vec<String> = segments.iter().map(|(_, value)| value.clone()).collect();
            if let Some(tail) = tail {
                pattern.push("{rest+}".to_owned());
                values.push(tail);
            }
            let path = format!("/{}", values.join("/"));
            let key: RouteKey = format!("GET /{}", pattern.join("/")).parse().unwrap();
            for kind in [ApiKind::Rest, ApiKind::Http] {
                let table = RouteTable::new(kind, [&key]);
                let found = table.find(&Method::GET, &path).expect("a path made from the pattern matches it");
                let mut captures = found.captures.into_iter();
                let joined: String = pattern
                    .iter()
                    .map(|text| if text.starts_with('{') { captures.next().unwrap() } else { text })
                    .map(|text| format!("/{text}"))
                    .collect();
                let joined = if joined.is_empty() { "/".to_owned() } else { joined };
                prop_assert_eq!(&joined, &path);
                prop_assert_eq!(captures.next(), None);
            }
        }
    }
}
