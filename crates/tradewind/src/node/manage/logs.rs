//! Logs over HTTP: what was written, and with `follow=true` what will be.

use std::sync::Arc;

use http::request::Parts;
use http::{Response, StatusCode};
use serde_json::{Value, json};
use tradewind_lambda::FunctionSummary;
use tradewind_logs::{FilterPattern, LogGroupName};
use tradewind_model::{FunctionRef, Timestamp};
use tradewind_observe::{Home, LogEvent, LogKind, LogQuery, LogTail, MessageFilter, TailItem};
use tradewind_wire::{Body, BodySender, Params, parse_query};

use super::{error, line, lines};
use crate::node::State;

const DEFAULT_LIMIT: usize = 1_000;
const MAX_LIMIT: usize = 10_000;

/// What the client asked for.
struct Request {
    /// The groups of the functions there are, or the one that was named.
    groups: Vec<String>,
    /// Neither function nor group was named: what is followed includes functions that are yet to come.
    every: bool,
    since: Option<Timestamp>,
    contains: Option<String>,
    filter: Option<FilterPattern>,
    limit: usize,
    follow: bool,
}

pub(crate) async fn read(state: &Arc<State>, parts: &Parts) -> Response<Body> {
    let request = match parse(state, parts).await {
        Ok(request) => request,
        Err(message) => return error(StatusCode::BAD_REQUEST, &message),
    };
    // Subscribed before reading, so that no event falls between the two.
    let tail = request.follow.then(|| state.logs.subscribe());
    let query = LogQuery {
        groups: request.groups.clone(),
        since: request.since,
        contains: request.contains.clone(),
        filter: request
            .filter
            .clone()
            .map(|pattern| MessageFilter::new(move |message: &str| pattern.matches(message))),
        limit: request.limit,
        ..LogQuery::default()
    };
    // No groups would mean all there ever were.
    let read = match request.groups.as_slice() {
        [] => Ok(Vec::new()),
        _ => state.logs.read(query).await,
    };
    let events = match read {
        Ok(events) => events,
        Err(failure) => return error(StatusCode::INTERNAL_SERVER_ERROR, &failure.to_string()),
    };
    let (sender, body) = Body::channel(16);
    let stopping = state.stopping.clone();
    state.detached.spawn(async move {
        tokio::select! {
            () = send_all(&sender, &request, events, tail) => {}
            () = sender.closed() => {}
            () = stopping.cancelled() => {}
        }
    });
    lines(body)
}

async fn parse(state: &State, parts: &Parts) -> Result<Request, String> {
    let params = parse_query(parts.uri.query().unwrap_or_default(), b"").map_err(|e| e.to_string())?;
    let limit = match number(&params, "limit")? {
        Some(limit) => usize::try_from(limit).unwrap_or(MAX_LIMIT).clamp(1, MAX_LIMIT),
        None => DEFAULT_LIMIT,
    };
    let filter = params.get("filter").map(str::parse::<FilterPattern>);
    let groups = match params.get("group") {
        Some(_) if params.get("function").is_some() => {
            return Err("a function has one group: name the function or a group".to_owned());
        }
        Some(group) => vec![named_group(state, group).await?],
        None => groups(state, &params)?,
    };
    Ok(Request {
        groups,
        every: params.get("function").is_none() && params.get("group").is_none(),
        filter: filter.transpose().map_err(|error| error.to_string())?,
        since: number(&params, "since")?.map(Timestamp::from_millis),
        contains: params.get("contains").map(str::to_owned),
        limit,
        follow: params.get("follow") == Some("true"),
    })
}

pub(super) fn number(params: &Params, name: &str) -> Result<Option<i64>, String> {
    let Some(text) = params.get(name) else {
        return Ok(None);
    };
    text.parse()
        .map(Some)
        .map_err(|_not_a_number| format!("`{name}` is not a number: `{text}`"))
}

/// The log groups of one function, or of all.
fn groups(state: &State, params: &Params) -> Result<Vec<String>, String> {
    let functions = state.lambda.list_functions();
    let Some(wanted) = params.get("function") else {
        return Ok(functions
            .iter()
            .map(|function| group_of(state, function))
            .collect());
    };
    let reference: FunctionRef = wanted
        .parse()
        .map_err(|e: tradewind_model::InvalidFunctionRef| e.to_string())?;
    let found = functions.iter().find(|f| f.arn.name == reference.name);
    found
        .map(|function| vec![group_of(state, function)])
        .ok_or_else(|| format!("function `{wanted}` does not exist"))
}

/// What the log store calls the group of a function.
fn group_of(state: &State, function: &FunctionSummary) -> String {
    let home = Home {
        account: state.account.clone(),
        region: state.region.clone(),
    };
    let arn = &function.arn;
    home.key(&arn.account, &arn.region, &function.log_group)
}

/// A group of the node's own account and region.
async fn named_group(state: &State, group: &str) -> Result<String, String> {
    let name: LogGroupName = group
        .parse()
        .map_err(|error: tradewind_logs::InvalidLogGroup| error.to_string())?;
    let found = state
        .cloudwatch_logs
        .has_group(&state.account, &state.region, &name);
    match found.await {
        Ok(true) => Ok(name.to_string()),
        Ok(false) => Err(format!("log group `{name}` does not exist")),
        Err(error) => Err(error.to_string()),
    }
}

async fn send_all(sender: &BodySender, request: &Request, events: Vec<LogEvent>, tail: Option<LogTail>) {
    for event in &events {
        if sender.send(line(&document(event))).await.is_err() {
            return;
        }
    }
    let Some(mut tail) = tail else { return };
    while let Some(item) = tail.next().await {
        let text = match &item {
            TailItem::Event(event) if wanted(request, event, &events) => line(&document(event)),
            TailItem::Event(_) => continue,
            TailItem::Skipped(count) => line(&json!({"kind": "skipped", "count": count})),
        };
        if sender.send(text).await.is_err() {
            return;
        }
    }
}

/// True for an event that was asked for and not among those already sent: events are read and
/// then followed, and one written in between is seen twice.
fn wanted(request: &Request, event: &LogEvent, sent: &[LogEvent]) -> bool {
    let last = sent.last().map(|event| event.timestamp);
    let repeated = last.is_some_and(|last| event.timestamp <= last) && sent.iter().rev().any(|s| s == event);
    let group = request.every || request.groups.iter().any(|group| **group == *event.group);
    let text = request
        .contains
        .as_ref()
        .is_none_or(|text| event.message.contains(text.as_str()));
    let pattern = request
        .filter
        .as_ref()
        .is_none_or(|pattern| pattern.matches(&event.message));
    !repeated && group && text && pattern
}

fn document(event: &LogEvent) -> Value {
    json!({
        "timestamp": event.timestamp,
        "function": event.group.strip_prefix("/aws/lambda/").unwrap_or(&event.group),
        "group": &*event.group,
        "stream": &*event.stream,
        "requestId": event.request_id.as_deref(),
        "kind": kind(event.kind),
        "message": &*event.message,
    })
}

fn kind(kind: LogKind) -> &'static str {
    match kind {
        LogKind::Start => "start",
        LogKind::Line => "line",
        LogKind::End => "end",
        LogKind::Report => "report",
        LogKind::Platform => "platform",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(group: &str, message: &str) -> LogEvent {
        LogEvent {
            group: group.into(),
            stream: "s".into(),
            timestamp: Timestamp::from_millis(5),
            request_id: None,
            kind: LogKind::Line,
            message: message.into(),
        }
    }

    fn request(groups: &[&str], every: bool) -> Request {
        Request {
            groups: groups.iter().map(|&group| group.to_owned()).collect(),
            every,
            since: None,
            contains: Some("a".to_owned()),
            filter: Some("-no".parse().unwrap()),
            limit: 10,
            follow: true,
        }
    }

    #[test]
    fn a_function_that_comes_later_is_followed_unless_another_was_named() {
        let later = event("/aws/lambda/later", "a");
        assert!(wanted(&request(&["/aws/lambda/f"], true), &later, &[]));
        assert!(!wanted(&request(&["/aws/lambda/f"], false), &later, &[]));
    }

    #[test]
    fn what_was_sent_or_not_asked_for_is_left_out() {
        let asked = request(&["g"], false);
        assert!(!wanted(&asked, &event("g", "b"), &[]));
        assert!(!wanted(&asked, &event("g", "a no"), &[]));
        assert!(!wanted(&asked, &event("g", "a"), &[event("g", "a")]));
        assert!(wanted(&asked, &event("g", "aa"), &[event("g", "a")]));
    }
}
