//! `http` events: the REST API.

use super::section::{Problems, Section};
use crate::serverless::model::{Cors, HttpEvent};
use crate::yaml::{Content, Entry, Node};

const METHODS: [&str; 8] = ["ANY", "GET", "POST", "PUT", "PATCH", "OPTIONS", "HEAD", "DELETE"];

/// Headers an API allows when its configuration names none (the framework's documentation, "CORS").
pub(crate) const DEFAULT_HEADERS: [&str; 7] = [
    "Content-Type",
    "X-Amz-Date",
    "Authorization",
    "X-Api-Key",
    "X-Amz-Security-Token",
    "X-Amz-User-Agent",
    "X-Amzn-Trace-Id",
];

/// Reads one `http` event; none when it is wrong.
pub(super) fn read(entry: &Entry, path: &str, problems: &mut Problems) -> Option<HttpEvent> {
    let node = &entry.node;
    let span = &entry.key_span;
    if let Some(text) = node.as_text() {
        let Some((method, path)) = text.trim().split_once(char::is_whitespace) else {
            problems.error(
                &node.span,
                format!("`http: {text}` is not a method and a path, such as `GET users/{{id}}`"),
            );
            return None;
        };
        return Some(HttpEvent {
            path: checked_path(path, node, problems)?,
            method: checked_method(method, node, problems)?,
            cors: None,
            operation: None,
            parameters: Vec::new(),
            timeout_ms: None,
            span: span.clone(),
        });
    }
    let mut section = Section::new(node, path, problems);
    section.refuse(
        &[
            ("authorizer", "remove it to serve the route without authorization"),
            ("private", "remove it to serve the route without an API key"),
            ("async", "remove it; the caller then waits for the function"),
            ("response", "let the handler return the whole response"),
            ("connectionId", "remove it; private integrations need a VPC link"),
            (
                "connectionType",
                "remove it; private integrations need a VPC link",
            ),
            ("reqValidatorName", "check the request in the handler"),
            ("schema", "check the request in the handler"),
        ],
        problems,
    );
    refuse_integration(&mut section, problems);
    section.ignore(&["documentation"]);
    let method = required(&mut section, "method", node, problems);
    let route = required(&mut section, "path", node, problems);
    let event = HttpEvent {
        path: route.and_then(|(text, at)| checked_path(&text, at, problems))?,
        method: method.and_then(|(text, at)| checked_method(&text, at, problems))?,
        cors: section.get("cors").and_then(|cors| cors_of(cors, path, problems)),
        operation: section.text("operationId", problems),
        parameters: request_parameters(&mut section, problems),
        timeout_ms: section.integer("timeoutInMillis", problems),
        span: span.clone(),
    };
    section.finish(problems);
    Some(event)
}

fn required<'n>(
    section: &mut Section<'n>,
    key: &'static str,
    node: &'n Node,
    problems: &mut Problems,
) -> Option<(String, &'n Node)> {
    let at = section.get(key);
    let text = section.text(key, problems);
    if at.is_none() && matches!(node.content, Content::Map(_)) {
        problems.error(section.span(), format!("`{}` is missing", section.path_of(key)));
    }
    text.zip(at)
}

fn refuse_integration(section: &mut Section<'_>, problems: &mut Problems) {
    let Some(node) = section.get("integration") else {
        return;
    };
    let name = node.scalar_text().unwrap_or_default();
    if !matches!(
        name.to_ascii_lowercase().replace('_', "-").as_str(),
        "lambda-proxy" | "aws-proxy"
    ) {
        let hint = "use `integration: lambda-proxy`, the default, and let the handler return the response";
        problems.unsupported(&node.span, &format!("integration `{name}`"), hint);
    }
}

fn checked_method(method: &str, node: &Node, problems: &mut Problems) -> Option<String> {
    let method = match method.trim().to_ascii_uppercase().as_str() {
        "*" => "ANY".to_owned(),
        upper => upper.to_owned(),
    };
    if METHODS.contains(&method.as_str()) {
        return Some(method);
    }
    problems.add(
        crate::diagnostic::Diagnostic::error(format!("`{method}` is not an HTTP method"))
            .at(&node.span)
            .hint("use get, post, put, patch, delete, head, options or any"),
    );
    None
}

/// The path without slashes at its ends. A greedy variable may only be the last part.
fn checked_path(path: &str, node: &Node, problems: &mut Problems) -> Option<String> {
    let path = path.trim().trim_matches('/');
    let parts: Vec<&str> = path.split('/').collect();
    for (index, part) in parts.iter().enumerate() {
        if let Some(problem) = problem_of_part(part, index + 1 == parts.len(), path.is_empty()) {
            problems.error(&node.span, format!("path `/{path}`: {problem}"));
            return None;
        }
    }
    Some(path.to_owned())
}

/// What is wrong with one part of a path.
pub(super) fn problem_of_part(part: &str, is_last: bool, is_root: bool) -> Option<String> {
    if part.is_empty() {
        return (!is_root).then(|| "two slashes stand together".to_owned());
    }
    if let Some(name) = part.strip_prefix('{').and_then(|part| part.strip_suffix('}')) {
        let plain = name.strip_suffix('+').unwrap_or(name);
        let named = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.' | ':');
        if plain.is_empty() || !plain.chars().all(named) {
            return Some(format!(
                "`{part}` is not a path variable such as `{{id}}` or `{{proxy+}}`"
            ));
        }
        if name.ends_with('+') && !is_last {
            return Some(format!(
                "`{part}` takes the rest of the path, so nothing may follow it"
            ));
        }
        return None;
    }
    let strange = part
        .chars()
        .find(|c| c.is_whitespace() || matches!(c, '{' | '}' | '?' | '#' | '*'));
    strange.map(|c| format!("`{part}` contains `{c}`; a variable is a whole part, such as `{{id}}`"))
}

fn request_parameters(section: &mut Section<'_>, problems: &mut Problems) -> Vec<(String, bool)> {
    let Some(mut request) = section.section("request", problems) else {
        return Vec::new();
    };
    request.refuse(
        &[
            ("schemas", "check the request in the handler"),
            ("schema", "check the request in the handler"),
            ("template", "the handler gets the request as it is"),
            ("passThrough", "the handler gets the request as it is"),
            ("contentHandling", "set `provider.apiGateway.binaryMediaTypes`"),
        ],
        problems,
    );
    request.ignore(&["uri"]);
    let mut parameters = Vec::new();
    if let Some(mut places) = request.section("parameters", problems) {
        for (key, place) in [
            ("querystrings", "querystring"),
            ("paths", "path"),
            ("headers", "header"),
        ] {
            let given = places.get(key).and_then(Node::as_map);
            for entry in given.into_iter().flatten() {
                let required = entry.node.child("required").unwrap_or(&entry.node);
                let required = required.scalar_text().is_some_and(|text| text == "true");
                if required && place != "path" {
                    let what = format!("checking requests for `{}`", entry.key);
                    problems.unsupported(&entry.key_span, &what, "check it in the handler");
                }
                parameters.push((format!("method.request.{place}.{}", entry.key), required));
            }
        }
        places.finish(problems);
    }
    request.finish(problems);
    parameters
}

/// `cors: true`, or an object.
fn cors_of(node: &Node, path: &str, problems: &mut Problems) -> Option<Cors> {
    let headers = || DEFAULT_HEADERS.map(str::to_owned).to_vec();
    match node.scalar_text().as_deref() {
        Some("true") => {
            return Some(Cors {
                origin: Some("*".into()),
                headers: headers(),
                ..Cors::default()
            });
        }
        Some("false") => return None,
        _ => {}
    }
    let mut section = Section::new(node, format!("{path}.cors"), problems);
    let origins = section.texts("origins", problems).unwrap_or_default();
    let origin = section.text("origin", problems);
    let cors = Cors {
        origin: origin.or_else(|| origins.is_empty().then(|| "*".to_owned())),
        origins,
        headers: section.texts("headers", problems).unwrap_or_else(headers),
        methods: section
            .texts("methods", problems)
            .unwrap_or_default()
            .iter()
            .map(|method| method.to_ascii_uppercase())
            .collect(),
        credentials: section.boolean("allowCredentials", problems).unwrap_or(false),
        max_age: section.integer("maxAge", problems),
        cache_control: section.text("cacheControl", problems),
    };
    section.finish(problems);
    Some(cors)
}
