//! Rules that hold between events: no route twice, one variable name at each place of a REST path.

use std::collections::BTreeMap;

use super::function::ReadFunction;
use super::section::Problems;
use crate::diagnostic::{Diagnostic, Span};
use crate::serverless::model::Route;

/// Checks the routes of all functions together.
pub(super) fn check(functions: &[ReadFunction], problems: &mut Problems) {
    check_http(functions, problems);
    check_http_api(functions, problems);
    check_function_names(functions, problems);
}

fn check_http(functions: &[ReadFunction], problems: &mut Problems) {
    let mut routes: BTreeMap<String, Span> = BTreeMap::new();
    let mut variables: BTreeMap<String, String> = BTreeMap::new();
    for event in functions.iter().flat_map(|read| &read.function.http) {
        let route = format!("{} /{}", event.method, event.path);
        once(&mut routes, "http", route, &event.span, problems);
        let mut parent = String::new();
        for part in event.path.split('/') {
            if part.starts_with('{') {
                let known = variables.entry(parent.clone()).or_insert_with(|| part.to_owned());
                if known != part {
                    let message = format!(
                        "below `/{}` stand two variables, `{known}` and `{part}`",
                        parent.trim_matches('/')
                    );
                    problems.add(
                        Diagnostic::error(message)
                            .at(&event.span)
                            .hint("a REST API allows one there; give them one name, or use `httpApi`"),
                    );
                    return;
                }
            }
            parent = format!("{parent}/{part}");
        }
    }
}

fn check_http_api(functions: &[ReadFunction], problems: &mut Problems) {
    let mut routes: BTreeMap<String, Span> = BTreeMap::new();
    for event in functions.iter().flat_map(|read| &read.function.http_api) {
        let route = match &event.route {
            Route::Default => "*".to_owned(),
            Route::Path { method, path } => format!("{method} {path}"),
        };
        once(&mut routes, "httpApi", route, &event.span, problems);
    }
}

fn check_function_names(functions: &[ReadFunction], problems: &mut Problems) {
    let mut names: BTreeMap<&str, &str> = BTreeMap::new();
    for function in functions.iter().map(|read| &read.function) {
        if let Some(other) = names.insert(&function.name, &function.key) {
            let message = format!(
                "functions `{other}` and `{}` have the same name, `{}`",
                function.key, function.name
            );
            problems.error(&function.span, message);
        }
    }
}

fn once(
    routes: &mut BTreeMap<String, Span>,
    kind: &str,
    route: String,
    span: &Span,
    problems: &mut Problems,
) {
    if let Some(first) = routes.get(&route) {
        let hint = format!("the first is at {first}; keep one of them");
        problems.add(
            Diagnostic::error(format!("{kind} route `{route}` is given twice"))
                .at(span)
                .hint(hint),
        );
        return;
    }
    routes.insert(route, span.clone());
}
