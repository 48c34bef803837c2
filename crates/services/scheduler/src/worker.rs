//! What happens when a schedule is due.
//!
//! A schedule's timer is due at its next occurrence, within the flexible window at a moment that the
//! occurrence itself decides. Firing delivers the event and sets the timer for the occurrence after it. What
//! the target cannot take now gets a timer of its own, until it is delivered or given up.
//!
//! ```text
//! occurrence ──taken──▶ delivered
//!     │                     ▲
//!     ├──no room──▶ retry ──┘ ──attempts or age exhausted──▶ dead letter
//!     └──refused, too old ───────────────────────────────────▶ dead letter
//! ```
//!
//! A schedule that goes after its completion goes when no occurrence of it waits for another attempt.
//!
//! Of the times that were missed, because no node ran or the clock was moved, the latest counts and the
//! others are skipped. One that is older than the retry policy's age is not delivered any more.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use tradewind_events::schedule::timer::{Firing, Timer, TimerOwner};
use tradewind_events::{AttributeValue, Message, MessageAttribute, Routing, Trace, Undeliverable};
use tradewind_model::{Arn, Timestamp};
use tradewind_observe::usage::Metered;
use tradewind_store::Batch;

use crate::TIMERS;
use crate::error::SchedulerError;
use crate::model::Schedule;
use crate::names::ScheduleId;
use crate::service::SchedulerService;
use crate::target::{ApiRequest, Context, TargetKind};

/// Who sends, as targets see it.
const SENDER: &str = "scheduler.amazonaws.com";
/// The longest wait between two attempts.
const MAX_BACKOFF_MS: i64 = 5 * 60_000;
/// How often a schedule that is to go is looked at, as long as occurrences of it wait for another attempt.
const BEFORE_GOING_MS: i64 = 60_000;
/// How late a one-time schedule may be created: AWS is precise to the minute.
const LATE_MS: i64 = 60_000;

/// What a timer is for, kept as its state.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Pending {
    /// The schedule's, when the timer was set.
    revision: String,
    /// The occurrence, in milliseconds.
    scheduled: i64,
    /// Attempts before this one; the schedule's own timer has none.
    #[serde(default)]
    attempts: u32,
    /// Whether the schedule is not due after this occurrence.
    #[serde(default)]
    last: bool,
    /// Whether all is over but what waits for another attempt; then the schedule goes.
    #[serde(default)]
    ended: bool,
}

/// How an attempt ended.
enum Outcome {
    Delivered,
    /// There was no room: again later.
    Later(Undeliverable),
    /// It will not be delivered.
    Dead(Death),
}

/// Why an occurrence is given up.
struct Death {
    code: &'static str,
    message: String,
    condition: Option<&'static str>,
}

/// The schedule and the occurrence whose next attempt the timer is for; none if it is the schedule's own.
pub(crate) fn retry_of(timer: &Timer) -> Option<(ScheduleId, &str)> {
    let (arn, execution) = timer.key.split_once('#')?;
    Some((arn.parse().ok()?, execution))
}

impl TimerOwner for SchedulerService {
    fn fire(&self, timer: &Timer, now: Timestamp, routing: &mut Routing) -> Firing {
        let Some((schedule, pending)) = self.pending(timer) else {
            return self.unknown(timer);
        };
        if pending.ended {
            self.conclude(&schedule, &pending, now, routing);
            return Firing::Over;
        }
        if pending.attempts > 0 {
            self.settle(&schedule, &pending, now, routing);
            return Firing::Over;
        }
        self.occur(&schedule, &pending, now, routing)
    }
}

impl SchedulerService {
    /// Adds to the batch the timer of the schedule's first occurrence, if it is enabled and has one.
    pub(crate) fn set_first(&self, batch: Batch, schedule: &Schedule, is_new: bool) -> Batch {
        let Some(first) = schedule.first(is_new) else {
            return batch;
        };
        let timer = Timer {
            owner: TIMERS.into(),
            key: schedule.id.to_string(),
            due: schedule.moment_of(first),
            state: Pending::of(schedule, first).text(),
        };
        self.timers().set(batch, &timer)
    }

    /// A batch in which the timer that `before` had is the changed schedule's; none if their times differ.
    /// It fails if the timer fires meanwhile.
    pub(crate) fn keep_timer(&self, timer: &Timer, before: &Schedule, schedule: &Schedule) -> Option<Batch> {
        let same = before.plan.recurrence == schedule.plan.recurrence
            && before.plan.window_ms == schedule.plan.window_ms
            && before.is_enabled()
            && schedule.is_enabled();
        let pending: Pending = serde_json::from_str(&timer.state).ok().filter(|_| same)?;
        let pending = Pending {
            revision: schedule.revision.clone(),
            ..pending
        };
        let kept = Timer {
            state: pending.text(),
            ..timer.clone()
        };
        Some(self.timers().replace(Batch::new(), timer, &kept))
    }

    /// What the timer is for; none if the schedule in memory is not the one that it was set for.
    fn pending(&self, timer: &Timer) -> Option<(std::sync::Arc<Schedule>, Pending)> {
        let pending: Pending = serde_json::from_str(&timer.state).ok()?;
        let id = match retry_of(timer) {
            Some((id, _execution)) => id,
            None => timer.key.parse().ok()?,
        };
        let schedule = self.registry(|registry| registry.schedule(&id))?;
        // what is tried again goes to the target of now
        let is_meant = pending.attempts > 0 || schedule.revision == pending.revision;
        Some((schedule, pending)).filter(|_| is_meant)
    }

    /// A timer that memory does not know of: perhaps not yet, unless it is of a retry. A schedule is known as
    /// long as it has retries.
    fn unknown(&self, timer: &Timer) -> Firing {
        let schedule = retry_of(timer).map(|(id, _)| self.registry(|registry| registry.schedule(&id)));
        if let Some(None) = schedule {
            tracing::warn!(timer = %timer.key, "an occurrence waited for another attempt, but its schedule is gone");
            return Firing::Over;
        }
        Firing::NotYet
    }

    fn occur(&self, schedule: &Schedule, pending: &Pending, now: Timestamp, routing: &mut Routing) -> Firing {
        let Schedule { plan, .. } = schedule;
        let due = Timestamp::from_millis(pending.scheduled);
        let scheduled = plan.recurrence.latest(due, now.plus_millis(-plan.window_ms));
        let next = plan.recurrence.following(scheduled);
        let attempt = Pending {
            last: next.is_none(),
            ..Pending::of(schedule, scheduled)
        };
        self.settle(schedule, &attempt, now, routing);
        match next {
            Some(next) => Firing::Again {
                due: schedule.moment_of(next),
                state: Pending::of(schedule, next).text(),
            },
            None => Firing::Over,
        }
    }

    /// Makes an attempt and adds to the batch what follows from its outcome.
    fn settle(&self, schedule: &Schedule, pending: &Pending, now: Timestamp, routing: &mut Routing) {
        let death = match self.attempt(schedule, pending, now, routing) {
            Outcome::Delivered => None,
            Outcome::Dead(death) => Some(death),
            Outcome::Later(why) => match Self::postpone(schedule, pending, now, &why) {
                Ok(timer) => {
                    self.note_waiting(schedule, pending, true, routing);
                    return routing.add(|batch| self.timers().set(batch, &timer));
                }
                Err(death) => Some(death),
            },
        };
        if let Some(death) = death {
            self.bury(schedule, pending, now, &death, routing);
        }
        if pending.attempts > 0 {
            self.note_waiting(schedule, pending, false, routing);
        }
        if pending.last && pending.revision == schedule.revision {
            self.conclude(schedule, pending, now, routing);
        }
    }

    fn note_waiting(&self, schedule: &Schedule, pending: &Pending, waits: bool, routing: &mut Routing) {
        let (id, execution) = (schedule.id.clone(), pending.execution(schedule));
        routing.add(|batch| {
            self.remember(batch, move |registry| {
                registry.set_waiting(&id, &execution, waits);
            })
        });
    }

    /// A schedule that was due for the last time goes, if it is to, as soon as none of its occurrences waits.
    fn conclude(&self, schedule: &Schedule, pending: &Pending, now: Timestamp, routing: &mut Routing) {
        if !schedule.goes_after_completion() {
            return;
        }
        let this = pending.execution(schedule);
        if !self.registry(|registry| registry.has_waiting(&schedule.id, &this)) {
            return routing.add(|batch| self.forget(batch, &schedule.id));
        }
        let again = Pending {
            ended: true,
            ..Pending::of(schedule, Timestamp::from_millis(pending.scheduled))
        };
        let timer = Timer {
            owner: TIMERS.into(),
            key: schedule.id.to_string(),
            due: now.plus_millis(BEFORE_GOING_MS),
            state: again.text(),
        };
        routing.add(|batch| self.timers().set(batch, &timer));
    }

    /// The timer of the next attempt, if there may be one.
    fn postpone(
        schedule: &Schedule,
        pending: &Pending,
        now: Timestamp,
        why: &Undeliverable,
    ) -> Result<Timer, Death> {
        let again = Pending {
            attempts: pending.attempts + 1,
            ..pending.clone()
        };
        let due = again.next_attempt(schedule, now).map_err(|condition| Death {
            code: code_of(why),
            message: why.to_string(),
            condition: Some(condition),
        })?;
        Ok(Timer {
            owner: TIMERS.into(),
            key: format!("{}#{}", schedule.id, again.execution(schedule)),
            due,
            state: again.text(),
        })
    }

    fn attempt(
        &self,
        schedule: &Schedule,
        pending: &Pending,
        now: Timestamp,
        routing: &mut Routing,
    ) -> Outcome {
        if now.as_millis() - pending.scheduled > schedule.max_age_ms() {
            return Outcome::Dead(Death {
                code: "EventAgeExceeded",
                message: "the occurrence was older than the retry policy allows when a node got to it".into(),
                condition: Some("MaximumEventAgeInSeconds"),
            });
        }
        let delivered = event(schedule, pending, now)
            .map_err(|error| Death::new("InvalidInput", error.to_string()))
            .map(|(target, message)| self.router().deliver(routing, &target, message));
        match delivered {
            Err(death) => Outcome::Dead(death),
            Ok(Ok(())) => {
                self.router()
                    .count(routing, Metered::SchedulerInvocations, &schedule.id, 1);
                Outcome::Delivered
            }
            Ok(Err(full @ Undeliverable::Full { .. })) => Outcome::Later(full),
            Ok(Err(error)) => Outcome::Dead(Death::new(code_of(&error), error.to_string())),
        }
    }

    /// Sends the occurrence to the dead-letter queue, if there is one.
    fn bury(
        &self,
        schedule: &Schedule,
        pending: &Pending,
        now: Timestamp,
        death: &Death,
        routing: &mut Routing,
    ) {
        tracing::warn!(schedule = %schedule.id, code = death.code, reason = %death.message, "a schedule's target did not get its event");
        let Some(queue) = &schedule.plan.target.dead_letter else {
            return;
        };
        let request =
            event(schedule, pending, now).map_or(Value::Null, |(target, message)| request(&target, &message));
        let letter = Message {
            body: request.to_string().into(),
            attributes: death.attributes(schedule, pending),
            sender: SENDER.into(),
            source: schedule.id.to_string(),
            trace: Trace::new(now),
            ..Message::default()
        };
        if let Err(error) = self.router().deliver(routing, queue, letter) {
            tracing::warn!(schedule = %schedule.id, %error, "a dead letter was not taken and is lost");
        }
    }
}

impl Schedule {
    /// The first occurrence of a schedule that was just made or changed.
    fn first(&self, is_new: bool) -> Option<Timestamp> {
        let recurrence = &self.plan.recurrence;
        if !self.is_enabled() {
            return None;
        }
        // a rate without a start begins at once. Scheduler user guide, "Rate-based schedules"
        if recurrence.expression.period_ms().is_some() && recurrence.start.is_none() {
            let is_over = recurrence.end.is_some_and(|end| end < self.modified);
            return Some(self.modified).filter(|_| !is_over);
        }
        let is_late_allowed = is_new && recurrence.expression.is_one_time();
        let late = if is_late_allowed { LATE_MS } else { 0 };
        recurrence.first(self.modified.plus_millis(-late))
    }

    /// When the occurrence at `time` happens: at once, or anywhere in its window. It is the same moment
    /// whenever it is asked for, so that it is chosen once.
    fn moment_of(&self, time: Timestamp) -> Timestamp {
        if self.plan.window_ms == 0 {
            return time;
        }
        let digest = Sha256::digest(format!("{} {}", self.id, time.as_millis()));
        let bytes = digest.first_chunk().copied().unwrap_or_default();
        let offset = u64::from_be_bytes(bytes) % self.plan.window_ms.unsigned_abs();
        time.plus_millis(i64::try_from(offset).unwrap_or(0))
    }

    fn max_age_ms(&self) -> i64 {
        // the window is not lateness
        self.plan.target.retry.maximum_event_age_in_seconds * 1000 + self.plan.window_ms
    }
}

impl Pending {
    fn of(schedule: &Schedule, scheduled: Timestamp) -> Self {
        Self {
            revision: schedule.revision.clone(),
            scheduled: scheduled.as_millis(),
            attempts: 0,
            last: false,
            ended: false,
        }
    }

    fn text(&self) -> String {
        json!(self).to_string()
    }

    /// The id of the occurrence, for all of its attempts.
    fn execution(&self, schedule: &Schedule) -> String {
        let digest = Sha256::digest(format!(
            "{} {} {}",
            schedule.id,
            schedule.created.as_millis(),
            self.scheduled
        ));
        digest.iter().take(8).map(|byte| format!("{byte:02x}")).collect()
    }

    /// When to try again: after 1 s, 2 s, 4 s … five minutes, each less up to a half so that not all come
    /// at once. When attempts or age are exhausted, the condition that says so.
    fn next_attempt(&self, schedule: &Schedule, now: Timestamp) -> Result<Timestamp, &'static str> {
        let retry = schedule.plan.target.retry;
        if i64::from(self.attempts) > retry.maximum_retry_attempts {
            return Err("MaximumRetryAttempts");
        }
        let longest = (1000_i64 << self.attempts.saturating_sub(1).min(20)).min(MAX_BACKOFF_MS);
        let digest = Sha256::digest(format!("{} {}", self.execution(schedule), self.attempts));
        let spread = i64::from(digest.first().copied().unwrap_or_default());
        let at = now.plus_millis(longest - longest * spread / 512);
        if at.as_millis() - self.scheduled > schedule.max_age_ms() {
            return Err("MaximumEventAgeInSeconds");
        }
        Ok(at)
    }

    /// Without milliseconds, as AWS writes it.
    fn scheduled_time(&self) -> String {
        format!("{:.0}", Timestamp::from_millis(self.scheduled).to_jiff())
    }
}

impl Death {
    fn new(code: &'static str, message: String) -> Self {
        Self {
            code,
            message,
            condition: None,
        }
    }

    /// Scheduler user guide, "Configuring a dead-letter queue".
    fn attributes(&self, schedule: &Schedule, pending: &Pending) -> Vec<MessageAttribute> {
        let condition = self
            .condition
            .map(|condition| ("EXHAUSTED_RETRY_CONDITION", condition.to_owned()));
        let attributes = [
            ("ERROR_CODE", self.code.to_owned()),
            ("ERROR_MESSAGE", self.message.clone()),
            ("EXECUTION_ID", pending.execution(schedule)),
            ("IS_PAYLOAD_TRUNCATED", "false".to_owned()),
            ("RETRY_ATTEMPTS", pending.attempts.to_string()),
            ("SCHEDULED_TIME", pending.scheduled_time()),
            ("SCHEDULE_ARN", schedule.id.to_string()),
            ("TARGET_ARN", schedule.settings.target.arn.clone()),
        ];
        let attributes = attributes.into_iter().chain(condition);
        attributes
            .map(|(name, value)| MessageAttribute {
                name: name.into(),
                data_type: "String".into(),
                value: AttributeValue::Text(value),
            })
            .collect()
    }
}

/// The request that AWS would have made of the target, as dead letters show it.
fn request(target: &Arn, message: &Message) -> Value {
    let body = String::from_utf8_lossy(&message.body);
    match &*target.service {
        "lambda" => json!({"FunctionName": target.to_string(), "InvocationType": "Event", "Payload": body}),
        "sns" => json!({"Message": body, "TopicArn": target.to_string()}),
        "sqs" => {
            let Arn {
                region,
                account,
                resource,
                ..
            } = target;
            let url = format!("https://sqs.{region}.amazonaws.com/{account}/{resource}");
            json!({"MessageBody": body, "QueueUrl": url})
        }
        _ => {
            let event: Value = serde_json::from_str(&body).unwrap_or_default();
            let entry = json!({
                "Detail": event["detail"].to_string(), "DetailType": event["detail-type"],
                "EventBusName": target.to_string(), "Source": event["source"],
            });
            json!({"Entries": [entry]})
        }
    }
}

fn code_of(error: &Undeliverable) -> &'static str {
    match error {
        Undeliverable::NoReceiver { .. } | Undeliverable::NotFound { .. } => "ResourceNotFoundException",
        Undeliverable::TooLarge { .. } => "PayloadTooLarge",
        Undeliverable::Full { .. } => "ThrottlingException",
        Undeliverable::Loop { .. } | Undeliverable::TooDeep { .. } | Undeliverable::TooMany => "TooManyHops",
        Undeliverable::Refused { .. } => "InvalidParameterValue",
    }
}

/// Where the occurrence goes, and what.
fn event(schedule: &Schedule, pending: &Pending, now: Timestamp) -> Result<(Arn, Message), SchedulerError> {
    let context = Context {
        schedule_arn: schedule.id.to_string(),
        scheduled_time: pending.scheduled_time(),
        execution_id: pending.execution(schedule),
        attempt: pending.attempts + 1,
    };
    let target = &schedule.plan.target;
    let input = target.input.as_ref().map(|input| context.fill(input));
    let message = Message {
        sender: SENDER.into(),
        source: schedule.id.to_string(),
        trace: Trace::new(now),
        ..Message::default()
    };
    let body = || {
        input
            .clone()
            .unwrap_or_else(|| default_event(schedule, &context).to_string())
    };
    Ok(match &target.kind {
        TargetKind::Plain(arn) => (
            arn.clone(),
            Message {
                body: body().into(),
                ..message
            },
        ),
        TargetKind::Queue { queue, group } => {
            let group = group.clone();
            (
                queue.clone(),
                Message {
                    body: body().into(),
                    group,
                    ..message
                },
            )
        }
        TargetKind::Bus { bus, parameters } => {
            let mut event = default_event(schedule, &context);
            event["detail-type"] = json!(parameters.detail_type);
            event["source"] = json!(parameters.source);
            event["detail"] = read(input.as_deref().unwrap_or("{}"))?;
            (
                bus.clone(),
                Message {
                    body: event.to_string().into(),
                    ..message
                },
            )
        }
        TargetKind::Api(operation) => {
            let request = operation.read(&read(input.as_deref().unwrap_or("{}"))?)?;
            let ApiRequest {
                mut target,
                body,
                subject,
                group,
                deduplication_id,
            } = request;
            if target.region.is_empty() {
                target.region = schedule.id.group.scope.region.as_str().into();
            }
            let body = body.into();
            (
                target,
                Message {
                    body,
                    subject,
                    group,
                    deduplication_id,
                    ..message
                },
            )
        }
    })
}

fn read(json: &str) -> Result<Value, SchedulerError> {
    serde_json::from_str(json)
        .map_err(|error| SchedulerError::Validation(format!("the input is not JSON: {error}")))
}

/// What a target without an input gets.
fn default_event(schedule: &Schedule, context: &Context) -> Value {
    let scope = &schedule.id.group.scope;
    json!({
        "version": "0",
        "id": event_id(context),
        "detail-type": "Scheduled Event",
        "source": "aws.scheduler",
        "account": scope.account.as_str(),
        "time": context.scheduled_time,
        "region": scope.region.as_str(),
        "resources": [context.schedule_arn],
        "detail": "{}",
    })
}

/// The same for all attempts, so that a receiver can tell that it had the event already.
fn event_id(context: &Context) -> String {
    let digest = Sha256::digest(format!("{} {}", context.schedule_arn, context.execution_id));
    let bytes = digest.first_chunk().copied().unwrap_or_default();
    uuid::Builder::from_random_bytes(bytes).into_uuid().to_string()
}

#[cfg(test)]
mod tests;
