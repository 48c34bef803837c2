//! What happens by itself: rules with schedules run when they are due, replays go on, archives are tidied.

use std::time::Duration;

use bytes::Bytes;
use tokio_util::sync::CancellationToken;
use tradewind_events::schedule::timer::{Firing, Timer, TimerOwner};
use tradewind_events::{Routing, Trace};
use tradewind_model::{Arn, Timestamp};
use tradewind_store::Batch;

use crate::error::EventBridgeError;
use crate::event::{self, NewEvent, new_id};
use crate::model::Rule;
use crate::names::BusArn;
use crate::receiver::Event;
use crate::service::EventBridgeService;

/// Whose timers they are.
pub(crate) const TIMERS: &str = "events";
/// How often archives are looked through for what is past its retention.
const TIDY_INTERVAL: Duration = Duration::from_hours(1);
const RETRY_INTERVAL: Duration = Duration::from_secs(1);

/// A timer's key is a rule's ARN, its state the rule's schedule.
impl TimerOwner for EventBridgeService {
    fn fire(&self, timer: &Timer, now: Timestamp, routing: &mut Routing) -> Firing {
        let rule = timer
            .key
            .parse::<Arn>()
            .ok()
            .and_then(|arn| BusArn::of_rule(&arn));
        let rule = rule.and_then(|(bus, name)| self.registry(|registry| registry.rule(&bus, &name)));
        let current = rule.filter(|rule| rule.runs_at(&timer.state));
        // the row is of a change that memory does not show yet
        let Some(rule) = current else {
            return Firing::NotYet;
        };
        let Some(schedule) = &rule.schedule else {
            return Firing::NotYet;
        };
        // of the times that were missed, the last
        let latest = schedule.latest(timer.due, now);
        if let Ok(bus) = self.registry(|registry| registry.bus(&rule.definition.bus)) {
            self.follow(routing, &bus, &rule, &scheduled(&rule, latest, now));
        }
        match schedule.following(latest) {
            Some(due) => Firing::Again {
                due,
                state: timer.state.clone(),
            },
            None => Firing::Over,
        }
    }
}

/// The event that the targets of a rule with a schedule get.
fn scheduled(rule: &Rule, due: Timestamp, now: Timestamp) -> Event {
    let new = NewEvent {
        bus: &rule.definition.bus,
        source: "aws.events",
        detail_type: "Scheduled Event",
        time: due,
        resources: std::slice::from_ref(&rule.arn),
        detail: "{}",
    };
    let text: Bytes = new.envelope(&new_id());
    Event {
        json: serde_json::from_slice(&text).expect("an envelope is JSON"),
        text,
        trace: Trace::new(now),
        ingested: event::time(now),
    }
}

impl Rule {
    /// Whether it runs by this schedule.
    fn runs_at(&self, schedule: &str) -> bool {
        self.is_enabled() && self.definition.schedule.as_deref() == Some(schedule)
    }
}

impl EventBridgeService {
    /// Replays and tidies up, as long as the node runs.
    ///
    /// # Cancel safety
    /// Each step is a transaction of its own: dropped, it goes on from there.
    pub async fn run(&self, cancelled: CancellationToken) {
        loop {
            let pause = match self.step(&cancelled).await {
                Ok(()) => TIDY_INTERVAL,
                Err(error) => {
                    tracing::error!(%error, "replays and archives cannot be worked on; trying again");
                    RETRY_INTERVAL
                }
            };
            tokio::select! {
                () = cancelled.cancelled() => return,
                () = self.work().notified() => {}
                () = tokio::time::sleep(pause) => {}
            }
        }
    }

    async fn step(&self, cancelled: &CancellationToken) -> Result<(), EventBridgeError> {
        while self.replay_pages().await? {
            if cancelled.is_cancelled() {
                return Ok(());
            }
        }
        self.tidy().await
    }

    /// Adds when the changed rule is due; one whose schedule stays goes on as it was.
    pub(crate) fn reschedule(&self, batch: Batch, before: Option<&Rule>, rule: &Rule) -> Batch {
        let schedule = rule.schedule.as_ref().filter(|_| rule.is_enabled());
        let (Some(schedule), Some(text)) = (schedule, &rule.definition.schedule) else {
            return self.unschedule(batch, rule);
        };
        if before.is_some_and(|before| before.runs_at(text)) {
            return batch;
        }
        let Some(due) = schedule.first(self.now()) else {
            return self.unschedule(batch, rule);
        };
        let timer = Timer {
            owner: TIMERS.to_owned(),
            key: rule.arn.clone(),
            due,
            state: text.clone(),
        };
        self.timers().set(batch, &timer)
    }

    /// Adds that the rule is due no more.
    pub(crate) fn unschedule(&self, batch: Batch, rule: &Rule) -> Batch {
        self.timers().clear(batch, TIMERS, &rule.arn)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use crate::testing::{World, queue};

    async fn with_schedule(schedule: &str) -> World {
        let world = World::new().await;
        world
            .ok("PutRule", json!({"Name": "r", "ScheduleExpression": schedule}))
            .await;
        world
            .ok(
                "PutTargets",
                json!({"Rule": "r", "Targets": [{"Id": "1", "Arn": queue("q")}]}),
            )
            .await;
        world
    }

    impl World {
        /// The events that the queue got after time went by.
        async fn after_minutes(&self, minutes: i64) -> Vec<Value> {
            self.clock.advance_millis(minutes * 60_000);
            self.service.timers().fire_due().await.unwrap();
            self.queues.bodies().into_iter().map(|(_, event)| event).collect()
        }
    }

    #[tokio::test]
    async fn a_rule_runs_once_each_time_it_is_due() {
        let mut world = with_schedule("rate(5 minutes)").await;
        assert!(world.after_minutes(4).await.is_empty());
        let got = world.after_minutes(1).await;
        let [event] = got.as_slice() else {
            panic!("{got:?}")
        };
        let expected = json!({
            "version": "0", "id": event["id"], "detail-type": "Scheduled Event", "source": "aws.events",
            "account": "000000000000", "time": "2023-11-14T22:18:20Z", "region": "us-east-1",
            "resources": ["arn:aws:events:us-east-1:000000000000:rule/r"], "detail": {},
        });
        assert_eq!(*event, expected);
        assert!(world.after_minutes(0).await.is_empty());
        world.restart().await;
        assert_eq!(world.after_minutes(5).await.len(), 1);
        assert_eq!(
            world.after_minutes(60).await.len(),
            1,
            "what was missed runs once"
        );
        assert_eq!(world.after_minutes(5).await.len(), 1);
    }

    #[tokio::test]
    async fn a_rule_that_is_disabled_or_changed_does_not_run_as_before() {
        let world = with_schedule("cron(0 * * * ? *)").await;
        world.ok("DisableRule", json!({"Name": "r"})).await;
        assert!(world.after_minutes(60).await.is_empty());
        world.ok("EnableRule", json!({"Name": "r"})).await;
        assert_eq!(world.after_minutes(60).await.len(), 1);
        world
            .ok(
                "PutRule",
                json!({"Name": "r", "ScheduleExpression": "rate(1 day)"}),
            )
            .await;
        assert!(world.after_minutes(60).await.is_empty());
        world
            .ok("RemoveTargets", json!({"Rule": "r", "Ids": ["1"]}))
            .await;
        world.ok("DeleteRule", json!({"Name": "r"})).await;
        assert!(world.after_minutes(24 * 60).await.is_empty());
    }

    #[tokio::test]
    async fn a_schedule_that_is_none_is_refused() {
        let world = World::new().await;
        for wrong in ["rate(0 minutes)", "at(2030-01-01T00:00:00)", "hourly"] {
            let (_, text) = world
                .refused("PutRule", json!({"Name": "r", "ScheduleExpression": wrong}))
                .await;
            assert_eq!(text, "Parameter ScheduleExpression is not valid.");
        }
    }
}
