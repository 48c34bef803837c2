//! `schedule` events.

use serde_json::Value;
use tradewind_events::schedule::{ScheduleExpression, TimeZone};

use super::expression::{self, ArnOf, is_expression};
use super::rule_input;
use super::section::{Problems, Section};
use crate::diagnostic::{Diagnostic, nearest};
use crate::serverless::model::{ScheduleEvent, ScheduleMethod};
use crate::yaml::{Entry, Node};

const ROLE: ArnOf = ArnOf {
    what: "a role",
    services: &["iam"],
    example: "for example `arn:aws:iam::000000000000:role/name`",
};

/// What only the scheduler knows.
const OF_SCHEDULER: [&str; 3] = ["timezone", "groupName", "roleArn"];

/// Reads one `schedule` event; none when it is wrong.
pub(super) fn event(entry: &Entry, path: &str, problems: &mut Problems) -> Option<ScheduleEvent> {
    let node = &entry.node;
    if node.as_text().is_some() {
        return Some(ScheduleEvent {
            rates: vec![rate(node, path, false, problems)?],
            enabled: true,
            name: None,
            description: None,
            input: None,
            method: ScheduleMethod::EventBus,
        });
    }
    let mut section = Section::new(node, path, problems);
    let method = method(&mut section, problems);
    let by_scheduler = matches!(method, ScheduleMethod::Scheduler { .. });
    let event = ScheduleEvent {
        rates: rates(&mut section, by_scheduler, problems),
        enabled: section.boolean("enabled", problems).unwrap_or(true),
        name: rule_input::name(&mut section, problems),
        description: rule_input::description(&mut section, problems),
        input: input(&mut section, by_scheduler, problems),
        method,
    };
    if let (Some(name), true) = (section.given("name"), event.rates.len() > 1) {
        let problem = Diagnostic::error("several rates cannot have one name").at(&name.key_span);
        problems.add(problem.hint("remove `name`, or write an event for each rate"));
    }
    section.finish(problems);
    (!event.rates.is_empty()).then_some(event)
}

fn method(section: &mut Section<'_>, problems: &mut Problems) -> ScheduleMethod {
    let method = section.one_of("method", &["eventBus", "scheduler"], problems);
    if method != Some("scheduler") {
        section.expect(&OF_SCHEDULER);
        for key in OF_SCHEDULER {
            if let Some(entry) = section.given(key) {
                let path = section.path_of(key);
                let problem = Diagnostic::error(format!("`{path}` is for schedules of the scheduler"));
                problems.add(problem.at(&entry.key_span).hint("add `method: scheduler`"));
            }
        }
        return ScheduleMethod::EventBus;
    }
    let group = section.get("groupName");
    if let Some(node) = group.filter(|node| node.as_text().is_none() && !is_expression(node)) {
        section.wrong("groupName", node, "the name of a schedule group", problems);
    }
    ScheduleMethod::Scheduler {
        timezone: timezone(section, problems),
        group: group.map(Node::to_json),
        role: expression::arn(section, "roleArn", ROLE, problems),
    }
}

fn timezone(section: &mut Section<'_>, problems: &mut Problems) -> Option<String> {
    let node = section.get("timezone")?;
    let name = section.text("timezone", problems)?;
    if TimeZone::named(&name).is_err() {
        let path = section.path_of("timezone");
        let known: Vec<String> = jiff::tz::db().available().map(|zone| zone.to_string()).collect();
        let hint = match nearest(&name, known.iter().map(String::as_str)) {
            Some(near) => format!("did you mean `{near}`?"),
            None => "write a name of the IANA database, for example `Europe/Berlin` or `UTC`".to_owned(),
        };
        let problem = Diagnostic::error(format!("`{path}` is `{name}`, not a time zone"));
        problems.add(problem.at(&node.span).hint(hint));
    }
    Some(name)
}

fn rates(section: &mut Section<'_>, by_scheduler: bool, problems: &mut Problems) -> Vec<Value> {
    let path = section.path_of("rate");
    let Some(node) = section.get("rate") else {
        section.missing("rate", "for example `rate: rate(1 hour)`", problems);
        return Vec::new();
    };
    let rates = node.as_list().unwrap_or(std::slice::from_ref(node));
    if rates.is_empty() {
        section.wrong("rate", node, "an expression such as `rate(1 hour)`", problems);
    }
    rates
        .iter()
        .filter_map(|node| rate(node, &path, by_scheduler, problems))
        .collect()
}

/// One expression. It is read here as the event bus and the scheduler read it, so that mistakes are told before anything
/// is built.
fn rate(node: &Node, path: &str, by_scheduler: bool, problems: &mut Problems) -> Option<Value> {
    if is_expression(node) {
        return Some(node.to_json());
    }
    let text = node.scalar_text().unwrap_or_default();
    let (message, hint) = match problem_of_rate(&text, by_scheduler) {
        None => return Some(text.into()),
        Some(hint) => (format!("`{path}` is `{text}`, not a schedule"), hint),
    };
    problems.add(Diagnostic::error(message).at(&node.span).hint(hint));
    None
}

const FORMS: &str = "for example `rate(5 minutes)`, `cron(0 12 * * ? *)`";

/// What to write instead; none if nothing is wrong with the form.
pub(super) fn problem_of_rate(text: &str, by_scheduler: bool) -> Option<String> {
    problem_of_form(text, by_scheduler).or_else(|| {
        let error = ScheduleExpression::parse(text).err()?;
        Some(format!("{}: {FORMS}", error.reason))
    })
}

fn problem_of_form(text: &str, by_scheduler: bool) -> Option<String> {
    let inside = |function: &str| text.strip_prefix(function)?.strip_suffix(')');
    if let Some(rate) = inside("rate(") {
        return problem_of_interval(rate);
    }
    if let Some(fields) = inside("cron(") {
        return problem_of_count(fields.split_whitespace().count());
    }
    match inside("at(") {
        Some(_) if by_scheduler => None,
        Some(_) => Some("`at` is for schedules of the scheduler: add `method: scheduler`".into()),
        None => Some(FORMS.into()),
    }
}

fn problem_of_count(count: usize) -> Option<String> {
    let more = match count {
        6 => return None,
        7 => "; AWS's cron has no seconds, leave the first field out",
        _ => "",
    };
    Some(format!(
        "`cron` has six fields, minutes to year, here are {count}{more}: {FORMS}"
    ))
}

fn problem_of_interval(rate: &str) -> Option<String> {
    let parts: Vec<&str> = rate.split_whitespace().collect();
    let [count, unit] = parts.as_slice() else {
        return Some(FORMS.into());
    };
    let count: u64 = count.parse().unwrap_or(0);
    let singular = unit.strip_suffix('s').unwrap_or(unit);
    if count == 0 || !matches!(singular, "minute" | "hour" | "day") {
        return Some(format!("a rate is a number of minutes, hours or days: {FORMS}"));
    }
    let expected = if count == 1 {
        singular.to_owned()
    } else {
        format!("{singular}s")
    };
    (*unit != expected).then(|| format!("write `rate({count} {expected})`"))
}

fn input(
    section: &mut Section<'_>,
    by_scheduler: bool,
    problems: &mut Problems,
) -> Option<crate::serverless::model::RuleInput> {
    if by_scheduler {
        for key in ["inputPath", "inputTransformer"] {
            if let Some(entry) = section.given(key) {
                let path = section.path_of(key);
                let problem = Diagnostic::error(format!(
                    "`{path}` is for rules; the scheduler has no event to take from"
                ));
                problems.add(
                    problem
                        .at(&entry.key_span)
                        .hint("write `input`, or remove `method: scheduler`"),
                );
            }
        }
    }
    rule_input::read(section, problems)
}
