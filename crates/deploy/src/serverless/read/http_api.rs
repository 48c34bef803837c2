//! `httpApi` events and `provider.httpApi`: the HTTP API.

use super::http::problem_of_part;
use super::section::{Problems, Section};
use crate::diagnostic::Diagnostic;
use crate::serverless::model::{HttpApi, HttpApiCors, HttpApiEvent, Route};
use crate::yaml::{Entry, Node};

const METHODS: [&str; 8] = ["ANY", "GET", "POST", "PUT", "PATCH", "OPTIONS", "HEAD", "DELETE"];

/// Reads one `httpApi` event; none when it is wrong.
pub(super) fn event(entry: &Entry, path: &str, problems: &mut Problems) -> Option<HttpApiEvent> {
    let node = &entry.node;
    let route = match node.as_text() {
        Some(text) => short_route(text, node, problems)?,
        None => long_route(node, path, problems)?,
    };
    Some(HttpApiEvent {
        route,
        span: entry.key_span.clone(),
    })
}

/// `GET /path` or `*`
fn short_route(text: &str, node: &Node, problems: &mut Problems) -> Option<Route> {
    let text = text.trim();
    if text == "*" {
        return Some(Route::Default);
    }
    match text.split_once(char::is_whitespace) {
        Some((method, path)) => route(method, path.trim(), node, problems),
        None => {
            problems.error(
                &node.span,
                format!(
                    "`httpApi: {text}` is neither `*` nor a method and a path, such as `GET /users/{{id}}`"
                ),
            );
            None
        }
    }
}

fn long_route(node: &Node, path: &str, problems: &mut Problems) -> Option<Route> {
    let mut section = Section::new(node, path, problems);
    section.refuse(
        &[("authorizer", "remove it to serve the route without authorization")],
        problems,
    );
    let method = section.text("method", problems);
    let at = section.get("path").unwrap_or(node);
    let route_path = section.text("path", problems);
    section.ignore(&["timeout"]);
    section.finish(problems);
    match (method.as_deref(), route_path.as_deref()) {
        (None | Some("*"), Some("*")) => Some(Route::Default),
        (Some(method), Some(route_path)) => route(method, route_path, at, problems),
        (Some("*"), None) => Some(Route::Default),
        (method, _) => {
            let missing = if method.is_none() { "method" } else { "path" };
            problems.error(&node.span, format!("`{path}.{missing}` is missing"));
            None
        }
    }
}

fn route(method: &str, path: &str, node: &Node, problems: &mut Problems) -> Option<Route> {
    let method = match method.trim().to_ascii_uppercase().as_str() {
        "*" => "ANY".to_owned(),
        upper => upper.to_owned(),
    };
    if !METHODS.contains(&method.as_str()) {
        problems.add(
            Diagnostic::error(format!("`{method}` is not an HTTP method"))
                .at(&node.span)
                .hint("use get, post, put, patch, delete, head, options or `*`"),
        );
        return None;
    }
    let Some(parts) = path.strip_prefix('/') else {
        problems.add(
            Diagnostic::error(format!("path `{path}` does not start with `/`"))
                .at(&node.span)
                .hint(format!("write `/{path}`")),
        );
        return None;
    };
    let parts: Vec<&str> = parts.strip_suffix('/').unwrap_or(parts).split('/').collect();
    let root = parts == [""];
    for (index, part) in parts.iter().enumerate() {
        if let Some(problem) = problem_of_part(part, index + 1 == parts.len(), root) {
            problems.error(&node.span, format!("path `{path}`: {problem}"));
            return None;
        }
    }
    Some(Route::Path {
        method,
        path: path.to_owned(),
    })
}

/// `provider.httpApi`
pub(super) fn settings(section: Option<Section<'_>>, problems: &mut Problems) -> HttpApi {
    let Some(mut section) = section else {
        return HttpApi::default();
    };
    section.refuse(
        &[
            ("id", "remove it; the service then makes its own HTTP API"),
            ("authorizers", "remove them to serve routes without authorization"),
            ("accessLogSettings", "remove it; the functions' own logs are kept"),
        ],
        problems,
    );
    section.ignore(&["timeout", "useProviderTags"]);
    let settings = HttpApi {
        name: section.get("name").map(Node::to_json),
        service_first: section
            .boolean("shouldStartNameWithService", problems)
            .unwrap_or(false),
        payload: payload(&mut section, problems),
        cors: section.get("cors").and_then(|node| cors(node, problems)),
        metrics: section.boolean("metrics", problems).unwrap_or(false),
        disable_default_endpoint: section.boolean("disableDefaultEndpoint", problems),
        tags: std::collections::BTreeMap::new(),
    };
    section.finish(problems);
    settings
}

/// `payload: '1.0'` or `'2.0'`
pub(super) fn payload(section: &mut Section<'_>, problems: &mut Problems) -> Option<String> {
    let node = section.get("payload")?;
    match section.text("payload", problems)?.as_str() {
        "1" | "1.0" => Some("1.0".into()),
        "2" | "2.0" => Some("2.0".into()),
        _ => {
            section.wrong("payload", node, "`1.0` or `2.0`", problems);
            None
        }
    }
}

fn cors(node: &Node, problems: &mut Problems) -> Option<HttpApiCors> {
    match node.scalar_text().as_deref() {
        Some("true") => return Some(HttpApiCors::default()),
        Some("false") => return None,
        _ => {}
    }
    let mut section = Section::new(node, "provider.httpApi.cors", problems);
    let cors = HttpApiCors {
        origins: section.texts("allowedOrigins", problems),
        headers: section.texts("allowedHeaders", problems),
        methods: section
            .texts("allowedMethods", problems)
            .map(|methods| methods.iter().map(|method| method.to_ascii_uppercase()).collect()),
        credentials: section.boolean("allowCredentials", problems),
        exposed: section.texts("exposedResponseHeaders", problems),
        max_age: section.integer("maxAge", problems),
    };
    section.finish(problems);
    Some(cors)
}
