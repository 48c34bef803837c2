//! API destinations: events as requests to HTTP endpoints; topics of Kafka; and events for functions and log
//! groups that had no room for them.
//!
//! A target that is an API destination, a topic, a function or a log group has a lane of durable deliveries of its own
//! (`tradewind_events::delivery`); what is owed there holds the request's parts that come from the event.
//! Endpoint and authorisation are those of the moment of the attempt. Functions and log groups get an event
//! in its own transaction; their lane has only what they were too full for.

mod call;
mod request;
mod token;
pub(crate) mod topic;

#[cfg(test)]
mod tests;

use std::time::Duration;

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use tradewind_events::api_destination::HttpParameters;
use tradewind_events::delivery::{
    Backoff, Death, Deliverer, Delivery, Exhausted, LaneId, LaneSettings, Outcome, Rate, RetryPolicy,
};
use tradewind_events::{Message, Routing, Trace, Undeliverable, http_client};
use tradewind_model::{Arn, Timestamp};

use self::call::Call;
use self::token::Tokens;
use crate::cloud_event;
use crate::error::EventBridgeError;
use crate::model::{EventBus, Rule};
use crate::names::Name;
use crate::receiver::{DeadLetter, Event, SENDER, error_code};
use crate::service::EventBridgeService;
use crate::tables::Stored;
use crate::target::Target;

/// The kind of the lanes.
pub(crate) const LANES: &str = "eventbridge";
/// How long an endpoint may take for its answer. EventBridge User Guide, "API destinations".
const TIMEOUT: Duration = Duration::from_secs(5);
/// With the request for a token. A topic of Kafka tells after half of it why it takes nothing.
const TIME_LIMIT: Duration = Duration::from_secs(60);
/// Requests to an endpoint at the same time, of each target.
const CONCURRENCY: usize = 16;
/// What a destination that says nothing may be asked, in a second.
pub(crate) const DEFAULT_RATE: u32 = 300;
const DEFAULT_AGE: Duration = Duration::from_hours(24);

/// An API destination.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct ApiDestination {
    pub(crate) arn: String,
    pub(crate) name: Name,
    pub(crate) description: Option<String>,
    /// The connection's ARN.
    pub(crate) connection: String,
    /// A URL; each `*` is a path parameter.
    pub(crate) endpoint: String,
    pub(crate) method: String,
    /// Requests in a second.
    pub(crate) rate: u32,
    pub(crate) created: Timestamp,
    pub(crate) modified: Timestamp,
    /// The resource of a stack that made it.
    pub(crate) owner: Option<String>,
}

impl Stored for ApiDestination {
    const KIND: &'static str = "api-destination";
    fn key(&self) -> String {
        self.arn.clone()
    }
}

/// What lies in a lane.
#[derive(Debug, Serialize, Deserialize)]
struct Owed {
    rule: String,
    /// The target: an API destination, or what is inside of the node.
    destination: String,
    body: String,
    /// As it came, for the dead-letter queue.
    event: String,
    http: HttpParameters,
    /// Of a record.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    key: Option<String>,
    trace: Option<String>,
}

/// What requests share.
#[derive(Debug)]
pub(crate) struct Destinations {
    client: reqwest::Client,
    tokens: Tokens,
}

impl Destinations {
    pub(crate) fn new() -> Result<Self, EventBridgeError> {
        let client = http_client::builder()
            .timeout(TIMEOUT)
            .user_agent("Amazon/EventBridge/ApiDestinations")
            .build();
        Ok(Self {
            client: client.map_err(|error| EventBridgeError::Internal(error.to_string()))?,
            tokens: Tokens::default(),
        })
    }

    /// A connection changed: its token is asked for anew.
    pub(crate) fn forget_token(&self, connection: &str) {
        self.tokens.forget(connection);
    }
}

/// Lanes.
impl EventBridgeService {
    /// The lane of each target of the rule that events may wait for, and its settings.
    pub(crate) fn lanes(&self, bus: &EventBus, rule: &Rule) -> Vec<(LaneId, LaneSettings)> {
        let targets = rule.targets.iter().filter(|target| target.may_wait());
        targets
            .map(|target| (lane(rule, target), self.lane_settings(bus, target)))
            .collect()
    }

    fn lane_settings(&self, bus: &EventBus, target: &Target) -> LaneSettings {
        let rate = target.is_destination().then(|| {
            let destination = self.registry(|registry| registry.destination(&target.arn.to_string()));
            let unknown = || Rate::shared(DEFAULT_RATE, &target.arn.to_string());
            destination.map_or_else(unknown, |destination| destination.shared_rate())
        });
        let of_bus = || bus.dead_letter.as_deref().and_then(|arn| arn.parse().ok());
        // what is inside of the node was tried once before it was owed
        let first = u32::from(target.is_outside());
        LaneSettings {
            retry: RetryPolicy {
                attempts: first + target.allowed_retries(),
                age: Some(target.age.unwrap_or(DEFAULT_AGE)),
                backoff: Backoff::Exponential {
                    min: Duration::from_secs(1),
                    max: Duration::from_mins(10),
                },
            },
            dead_letter: target.dead_letter.clone().or_else(of_bus),
            concurrency: CONCURRENCY,
            rate,
            in_order: topic::is_topic(&target.arn).then_some(topic::BATCH),
        }
    }

    /// Opens what the changed rule needs; gives the lanes that it needs no more.
    pub(crate) async fn open_lanes_of(
        &self,
        before: Option<&Rule>,
        rule: &Rule,
    ) -> Result<Vec<LaneId>, EventBridgeError> {
        let bus = self.registry(|registry| registry.bus(&rule.definition.bus))?;
        let lanes = self.lanes(&bus, rule);
        let before = before.map(|before| self.lanes(&bus, before)).unwrap_or_default();
        let mut left: Vec<LaneId> = before.into_iter().map(|(lane, _)| lane).collect();
        left.retain(|lane| !lanes.iter().any(|(needed, _)| needed == lane));
        for (lane, settings) in lanes {
            self.deliveries().open(&lane, settings).await?;
        }
        Ok(left)
    }

    pub(crate) async fn close_lanes(&self, lanes: Vec<LaneId>) -> Result<(), EventBridgeError> {
        for lane in lanes {
            self.deliveries().close(&lane).await?;
        }
        Ok(())
    }

    /// Gives the lanes of all rules the settings that they should have now.
    pub(crate) fn refresh_lanes(&self) {
        for rule in self.registry(|registry| registry.all_rules()) {
            let Ok(bus) = self.registry(|registry| registry.bus(&rule.definition.bus)) else {
                continue;
            };
            for (lane, settings) in self.lanes(&bus, &rule) {
                self.deliveries().change(&lane, settings);
            }
        }
    }

    /// Owes the event to the target's endpoint or topic.
    pub(crate) fn owe(&self, routing: &mut Routing, rule: &Rule, target: &Target, event: &Event) {
        let http = target
            .http
            .as_ref()
            .map(|http| http.of_event(&event.json))
            .unwrap_or_default();
        let wants_cloud_event = target.is_whole_event()
            && http
                .header_parameters
                .iter()
                .any(|(name, value)| cloud_event::is_asked_for(name, value));
        let body = match cloud_event::of(&event.json).filter(|_| wants_cloud_event) {
            Some(cloud_event) => cloud_event.to_string().into(),
            None => target.input.body(rule, event),
        };
        self.put_in_lane(routing, rule, target, event, (&body, http));
    }

    /// Owes the event to a function or log group that has no room for it.
    pub(crate) fn owe_later(&self, routing: &mut Routing, rule: &Rule, target: &Target, event: &Event) {
        let body = target.input.body(rule, event);
        self.put_in_lane(routing, rule, target, event, (&body, HttpParameters::default()));
    }

    fn put_in_lane(
        &self,
        routing: &mut Routing,
        rule: &Rule,
        target: &Target,
        event: &Event,
        (body, http): (&[u8], HttpParameters),
    ) {
        let owed = Owed {
            rule: rule.arn.clone(),
            destination: target.arn.to_string(),
            body: text(body),
            event: text(&event.text),
            http,
            key: topic::key_of(target.key.as_ref(), &event.json),
            trace: event.trace.header(),
        };
        let payload = serde_json::to_vec(&owed).expect("texts are JSON");
        self.deliveries()
            .owe(routing, &lane(rule, target), payload.into());
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn lane(rule: &Rule, target: &Target) -> LaneId {
    LaneId::new(LANES, &format!("{}#{}", rule.arn, target.id))
}

#[async_trait::async_trait]
impl Deliverer for EventBridgeService {
    fn time_limit(&self) -> Duration {
        TIME_LIMIT
    }

    async fn deliver(&self, delivery: &Delivery, routing: &mut Routing) -> Outcome {
        let Ok(owed) = serde_json::from_slice::<Owed>(&delivery.payload) else {
            return give_up("INTERNAL_ERROR", "what is owed cannot be read");
        };
        if owed.is_for_topic() {
            // the target was a topic when it was owed
            let mut outcomes = self.write_in_order(std::slice::from_ref(delivery)).await;
            return outcomes
                .pop()
                .unwrap_or_else(|| give_up("INTERNAL_ERROR", "nothing is known of it"));
        }
        if let Some(target) = owed.inside() {
            return self.give_again(routing, &target, owed);
        }
        let call = Call {
            body: &owed.body,
            http: &owed.http,
            trace: owed.trace.as_deref(),
        };
        match self.request(&owed.destination, call).await {
            Ok(_taken) => Outcome::Done,
            Err(outcome) => outcome,
        }
    }

    async fn deliver_in_order(&self, deliveries: &[Delivery]) -> Vec<Outcome> {
        self.write_in_order(deliveries).await
    }

    fn dead_letter(&self, delivery: &Delivery, death: &Death) -> Option<Message> {
        let owed: Owed = serde_json::from_slice(&delivery.payload).ok()?;
        let letter = DeadLetter {
            rule: &owed.rule,
            target: &owed.destination,
            code: &death.code,
            message: &death.reason,
            attempts: match owed.inside() {
                Some(_) => death.attempts,
                None => death.attempts.saturating_sub(1),
            },
            exhausted: match death.exhausted {
                Exhausted::GivenUp => None,
                Exhausted::Attempts => Some("MaximumRetryAttempts"),
                Exhausted::Age => Some("MaximumEventAgeInSeconds"),
            },
        };
        let trace = Trace::from_header(owed.trace.as_deref(), self.now());
        Some(letter.message(Bytes::from(owed.event), trace))
    }
}

impl Owed {
    /// The target, if it is inside of the node.
    fn inside(&self) -> Option<Arn> {
        let target: Option<Arn> = self.destination.parse().ok();
        target.filter(|target| &*target.service != "events" && !topic::is_topic(target))
    }

    fn is_for_topic(&self) -> bool {
        self.destination
            .parse()
            .is_ok_and(|target: Arn| topic::is_topic(&target))
    }
}

impl EventBridgeService {
    /// To a target inside of the node, in the transaction that ends the delivery.
    fn give_again(&self, routing: &mut Routing, target: &Arn, owed: Owed) -> Outcome {
        let message = Message {
            body: owed.body.into(),
            sender: SENDER.to_owned(),
            source: owed.rule,
            trace: Trace::from_header(owed.trace.as_deref(), self.now()),
            ..Message::default()
        };
        match self.router().deliver(routing, target, message) {
            Ok(()) => Outcome::Done,
            Err(full @ Undeliverable::Full { .. }) => retry(error_code(&full), full.to_string(), None),
            Err(refusal) => give_up(error_code(&refusal), &refusal.to_string()),
        }
    }
}

fn give_up(code: &str, reason: &str) -> Outcome {
    Outcome::GiveUp {
        code: code.to_owned(),
        reason: reason.to_owned(),
    }
}

fn retry(code: &str, reason: String, after: Option<Duration>) -> Outcome {
    Outcome::Retry {
        code: code.to_owned(),
        reason,
        after,
    }
}
