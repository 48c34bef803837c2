//! `tradewind trace`: the journey of an event as a tree.

use serde::Deserialize;

use super::arguments::Trace;
use super::client::{NodeClient, encode};
use super::failure::Failure;
use super::output::{self, ERROR, FAINT, GOOD, STRONG};

/// The answer of `GET /_tradewind/traces/ID`.
#[derive(Debug, Deserialize)]
struct Journey {
    id: String,
    steps: Vec<Step>,
    lost: u64,
}

/// One step, with what came of it.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Step {
    what: String,
    to: String,
    at: String,
    took_ms: Option<u64>,
    attempt: u32,
    request_id: Option<String>,
    outcome: String,
    steps: Vec<Step>,
}

/// Runs the command.
pub(crate) async fn run(arguments: &Trace) -> Result<(), Failure> {
    let client = NodeClient::new(&arguments.endpoint.endpoint);
    // as a header has it, too
    let id = arguments.id.strip_prefix("Root=").unwrap_or(&arguments.id);
    let path = format!("/_tradewind/traces/{}", encode(id));
    if arguments.json {
        let document: serde_json::Value = client.json(&path).await?;
        return output::line(&document.to_string());
    }
    let journey: Journey = client.json(&path).await?;
    output::line(&format!("{STRONG}{}{STRONG:#}", journey.id))?;
    let mut lines = Vec::new();
    draw(&journey.steps, "", &mut lines);
    lines.iter().try_for_each(|text| output::line(text))?;
    if journey.lost > 0 {
        let lost = journey.lost;
        output::note(&format!(
            "{lost} steps of all journeys could not be noted since the node started"
        ));
    }
    Ok(())
}

/// The steps below `stem`, the lines that lead to them.
fn draw(steps: &[Step], stem: &str, lines: &mut Vec<String>) {
    for (at, step) in steps.iter().enumerate() {
        let is_last = at + 1 == steps.len();
        let (branch, below) = match is_last {
            true => ("└─ ", "   "),
            false => ("├─ ", "│  "),
        };
        lines.push(format!("{} {stem}{branch}{}", time(step), text(step)));
        draw(&step.steps, &format!("{stem}{below}"), lines);
    }
}

fn time(step: &Step) -> String {
    let time = step.at.split_once('T').map_or(step.at.as_str(), |(_, time)| time);
    format!("{FAINT}{}{FAINT:#}", time.trim_end_matches('Z'))
}

fn text(step: &Step) -> String {
    let mut text = format!("{STRONG}{}{STRONG:#} {}", step.what, name(&step.to));
    if step.attempt > 1 {
        text.push_str(&format!(", attempt {}", step.attempt));
    }
    let style = if step.outcome.starts_with("ok") {
        GOOD
    } else {
        ERROR
    };
    text.push_str(&format!("  {style}{}{style:#}", step.outcome));
    if let Some(took) = step.took_ms {
        text.push_str(&format!("  {took} ms"));
    }
    if let Some(request) = &step.request_id {
        let short: String = request.chars().take(8).collect();
        text.push_str(&format!("  {FAINT}{short}{FAINT:#}"));
    }
    text
}

/// An ARN as people say it: `sqs orders`, `lambda cart:live`, `s3 bucket/key`.
fn name(arn: &str) -> String {
    let mut parts = arn.splitn(6, ':').skip(2);
    let (Some(service), Some(resource)) = (parts.next(), parts.nth(2)) else {
        return arn.to_owned();
    };
    let kind = ["function:", "event-bus/", "log-group:", "rule/"];
    let short = kind.iter().find_map(|kind| resource.strip_prefix(kind));
    format!("{service} {}", short.unwrap_or(resource))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn step(to: &str, outcome: &str, steps: Vec<Step>) -> Step {
        Step {
            what: "delivery".into(),
            to: to.into(),
            at: "2026-11-21T17:00:00.123Z".into(),
            took_ms: None,
            attempt: 1,
            request_id: None,
            outcome: outcome.into(),
            steps,
        }
    }

    #[test]
    fn a_journey_is_drawn_as_a_tree() {
        let function = Step {
            what: "invocation".into(),
            took_ms: Some(7),
            attempt: 2,
            request_id: Some("0123456789".into()),
            ..step(
                "arn:aws:lambda:us-east-1:000000000000:function:cart",
                "ok",
                vec![],
            )
        };
        let queue = step("arn:aws:sqs:us-east-1:000000000000:q", "ok", vec![]);
        let gone = step("nowhere", "gone", vec![]);
        let topic = step("arn:aws:sns:us-east-1:000000000000:t", "ok", vec![queue, gone]);
        let mut lines = Vec::new();
        draw(&[topic, function], "", &mut lines);
        let plain: Vec<String> = lines
            .iter()
            .map(|line| anstream::adapter::strip_str(line).to_string())
            .collect();
        assert_eq!(
            plain,
            [
                "17:00:00.123 ├─ delivery sns t  ok",
                "17:00:00.123 │  ├─ delivery sqs q  ok",
                "17:00:00.123 │  └─ delivery nowhere  gone",
                "17:00:00.123 └─ invocation lambda cart, attempt 2  ok  7 ms  01234567",
            ]
        );
    }
}
