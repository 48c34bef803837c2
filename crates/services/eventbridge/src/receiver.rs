//! A bus takes an event: it is matched with the bus's rules, and what their targets are owed is added to
//! the batch that the event comes in.

use bytes::Bytes;
use serde_json::Value;
use tradewind_events::transform::RuleContext;
use tradewind_events::{AttributeValue, Message, MessageAttribute, Receiver, Routing, Trace, Undeliverable};
use tradewind_model::Arn;
use tradewind_observe::usage::{Metered, units_of_64_kib};

use crate::event;
use crate::model::{EventBus, Rule};
use crate::names::BusArn;
use crate::partner::PARTNERS;
use crate::service::EventBridgeService;
use crate::target::{Input, Target};

/// Who sends what targets get.
pub(crate) const SENDER: &str = "events.amazonaws.com";
/// The largest event, with its envelope, in bytes.
pub(crate) const MAX_EVENT: usize = 1024 * 1024;

impl Receiver for EventBridgeService {
    fn find(&self, target: &Arn) -> Result<(), Undeliverable> {
        self.bus_at(target).map(drop)
    }

    fn accept(&self, routing: &mut Routing, target: &Arn, message: Message) -> Result<(), Undeliverable> {
        let bus = self.bus_at(target)?;
        if message.body.len() > MAX_EVENT {
            return Err(Undeliverable::TooLarge {
                target: target.to_string(),
                bytes: message.body.len(),
                limit: MAX_EVENT,
            });
        }
        let json = serde_json::from_slice(&message.body)
            .ok()
            .filter(Value::is_object);
        let json = json.ok_or_else(|| Undeliverable::Refused {
            target: target.to_string(),
            reason: "an event is a JSON object".to_owned(),
        })?;
        if is_charged(&json) {
            let units = units_of_64_kib(message.body.len());
            self.router()
                .count(routing, Metered::EventBridgeEvents, &bus.arn, units);
        }
        let event = Event {
            json,
            text: message.body,
            trace: message.trace,
            ingested: event::time(self.now()),
        };
        self.archive_event(routing, &bus, &event);
        let replay = self.replay_of(&bus.arn, &event.json);
        for rule in self.registry(|registry| registry.matching(&bus.arn, &event.json)) {
            if replay
                .as_ref()
                .is_some_and(|replay| !replay.rules.contains(&rule.arn))
            {
                continue;
            }
            self.follow(routing, &bus, &rule, &event);
        }
        Ok(())
    }
}

/// Events of AWS's own services cost nothing; those of partners do.
fn is_charged(event: &Value) -> bool {
    let source = event["source"].as_str().unwrap_or_default();
    !source.starts_with("aws.") || source.starts_with(PARTNERS)
}

/// An event that is being handed on.
pub(crate) struct Event {
    pub(crate) json: Value,
    pub(crate) text: Bytes,
    pub(crate) trace: Trace,
    /// When the bus got it.
    pub(crate) ingested: String,
}

impl EventBridgeService {
    fn bus_at(&self, target: &Arn) -> Result<std::sync::Arc<EventBus>, Undeliverable> {
        let bus = BusArn::of(target).and_then(|arn| self.registry(|registry| registry.bus(&arn)).ok());
        bus.ok_or_else(|| Undeliverable::NotFound {
            target: target.to_string(),
        })
    }

    /// Adds what the rule's targets are owed.
    pub(crate) fn follow(&self, routing: &mut Routing, bus: &EventBus, rule: &Rule, event: &Event) {
        for target in &rule.targets {
            if target.is_outside() {
                self.owe(routing, rule, target, event);
                continue;
            }
            match self.give(routing, rule, target, event) {
                Ok(()) => {}
                Err(Undeliverable::Full { .. }) if target.may_wait() && target.allowed_retries() > 0 => {
                    self.owe_later(routing, rule, target, event);
                }
                Err(refusal) => self.bury(routing, bus, rule, target, event, &refusal),
            }
        }
    }

    fn give(
        &self,
        routing: &mut Routing,
        rule: &Rule,
        target: &Target,
        event: &Event,
    ) -> Result<(), Undeliverable> {
        let message = Message {
            body: target.input.body(rule, event),
            group: target.group.clone(),
            sender: SENDER.to_owned(),
            source: rule.arn.clone(),
            trace: event.trace.clone(),
            ..Message::default()
        };
        self.router().deliver(routing, &target.arn, message)
    }

    /// What a target refused goes to its dead-letter queue, else to the bus's; without either it is only
    /// told of.
    fn bury(
        &self,
        routing: &mut Routing,
        bus: &EventBus,
        rule: &Rule,
        target: &Target,
        event: &Event,
        refusal: &Undeliverable,
    ) {
        let of_bus = || bus.dead_letter.as_deref().and_then(|arn| arn.parse().ok());
        let Some(queue) = target.dead_letter.clone().or_else(of_bus) else {
            return tracing::warn!(rule = %rule.arn, target = %target.arn, %refusal, "a target of a rule does not take an event, and has no dead-letter queue");
        };
        let letter = DeadLetter {
            rule: &rule.arn,
            target: &target.arn.to_string(),
            code: error_code(refusal),
            message: &refusal.to_string(),
            attempts: 0,
            exhausted: matches!(refusal, Undeliverable::Full { .. }).then_some("MaximumRetryAttempts"),
        };
        let message = letter.message(event.text.clone(), event.trace.clone());
        if let Err(error) = self.router().deliver(routing, &queue, message) {
            tracing::warn!(rule = %rule.arn, target = %target.arn, %refusal, %error, "a target of a rule does not take an event, nor does its dead-letter queue");
        }
    }
}

impl Input {
    /// What the target gets of the event.
    pub(crate) fn body(&self, rule: &Rule, event: &Event) -> Bytes {
        match self {
            Self::Event => event.text.clone(),
            Self::Constant(constant) => constant.clone(),
            Self::Part(path) => {
                let part = path.select(&event.json).map(|part| part.to_string());
                part.unwrap_or_else(|| "{}".to_owned()).into()
            }
            Self::Transformed(transformer) => {
                let context = RuleContext {
                    rule_name: rule.definition.name.as_str(),
                    rule_arn: &rule.arn,
                    ingestion_time: &event.ingested,
                };
                transformer.apply(&event.json, context).into()
            }
        }
    }
}

/// Why an event could not be delivered, as its dead-letter queue is told. EventBridge User Guide, "Using
/// dead-letter queues to process undelivered events".
pub(crate) struct DeadLetter<'a> {
    pub(crate) rule: &'a str,
    pub(crate) target: &'a str,
    pub(crate) code: &'a str,
    pub(crate) message: &'a str,
    /// After the first.
    pub(crate) attempts: u32,
    /// Which member of the retry policy ended it.
    pub(crate) exhausted: Option<&'a str>,
}

impl DeadLetter<'_> {
    /// The message with the event.
    pub(crate) fn message(&self, event: Bytes, trace: Trace) -> Message {
        let attempts = self.attempts.to_string();
        let attribute = |name: &str, data_type: &str, value: &str| MessageAttribute {
            name: name.to_owned(),
            data_type: data_type.to_owned(),
            value: AttributeValue::Text(value.to_owned()),
        };
        let mut attributes = vec![
            attribute("RULE_ARN", "String", self.rule),
            attribute("TARGET_ARN", "String", self.target),
            attribute("ERROR_CODE", "String", self.code),
            attribute("ERROR_MESSAGE", "String", self.message),
            attribute("RETRY_ATTEMPTS", "Number", &attempts),
        ];
        attributes.extend(
            self.exhausted
                .map(|condition| attribute("EXHAUSTED_RETRY_CONDITION", "String", condition)),
        );
        Message {
            body: event,
            attributes,
            sender: SENDER.to_owned(),
            source: self.rule.to_owned(),
            trace,
            ..Message::default()
        }
    }
}

/// What `ERROR_CODE` says.
pub(crate) fn error_code(refusal: &Undeliverable) -> &'static str {
    match refusal {
        Undeliverable::NoReceiver { .. } | Undeliverable::NotFound { .. } => "NO_RESOURCE",
        Undeliverable::TooLarge { .. } | Undeliverable::Refused { .. } => "INVALID_PARAMETER",
        Undeliverable::Full { .. } => "THROTTLING",
        Undeliverable::Loop { .. } | Undeliverable::TooDeep { .. } | Undeliverable::TooMany => {
            "RESOURCE_LIMIT_EXCEEDED"
        }
    }
}
