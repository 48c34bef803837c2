//! Targets outside of the node: mail, and HTTP endpoints: notifications and confirmations as requests. SNS developer guide, "Parsing Amazon SNS
//! message formats" and "Message delivery retries".

use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::sync::OnceCell;
use tradewind_events::delivery::{Backoff, Death, Deliverer, Delivery, LaneSettings, Outcome, RetryPolicy};
use tradewind_events::{Message, Routing, Trace, Undeliverable, http_client};
use tradewind_model::Arn;
use tradewind_observe::usage::{Metered, units_of_64_kib};

use crate::error::SnsError;
use crate::fan_out::reason;
use crate::model::Subscription;
use crate::names::SubscriptionArn;
use crate::publication::Publication;
use crate::service::SnsService;

/// How long an endpoint has to answer.
const TIME_LIMIT: Duration = Duration::from_secs(15);
const AGENT: &str = "Amazon Simple Notification Service Agent";

/// What an endpoint is owed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Post {
    /// `Notification` or `SubscriptionConfirmation`.
    kind: String,
    message_id: String,
    raw: bool,
    body: String,
    /// Of mail.
    subject: Option<String>,
    /// The `X-Amzn-Trace-Id`.
    trace: Option<String>,
}

impl Post {
    /// A delivery's payload: a notification.
    pub(crate) fn notification(
        subscription: &Subscription,
        publication: &Publication,
        body: bytes::Bytes,
    ) -> Result<Vec<u8>, SnsError> {
        let body = String::from_utf8(body.into()).map_err(|error| SnsError::Internal(error.to_string()))?;
        Self {
            kind: "Notification".into(),
            message_id: publication.id.to_string(),
            raw: subscription.attributes.raw,
            body,
            subject: publication.subject.clone(),
            trace: publication.trace.header(),
        }
        .to_bytes()
    }

    /// A delivery's payload: the question whether the endpoint agrees.
    pub(crate) fn confirmation(message_id: String, body: String) -> Result<Vec<u8>, SnsError> {
        Self {
            kind: "SubscriptionConfirmation".into(),
            message_id,
            raw: false,
            body,
            subject: None,
            trace: None,
        }
        .to_bytes()
    }

    fn to_bytes(&self) -> Result<Vec<u8>, SnsError> {
        serde_json::to_vec(self).map_err(|error| SnsError::Internal(error.to_string()))
    }

    fn of(delivery: &Delivery) -> Option<Self> {
        serde_json::from_slice(&delivery.payload).ok()
    }
}

/// Posts to endpoints.
#[derive(Debug)]
pub(crate) struct Endpoints {
    service: SnsService,
    /// Made at the first delivery: it reads the machine's certificates.
    client: OnceCell<reqwest::Client>,
}

impl Endpoints {
    pub(crate) fn new(service: SnsService) -> Self {
        Self {
            service,
            client: OnceCell::new(),
        }
    }

    /// Follows no redirect: a signed message goes where its subscription says.
    async fn client(&self) -> Result<&reqwest::Client, reqwest::Error> {
        let build = || async { http_client::builder().user_agent(AGENT).build() };
        self.client.get_or_try_init(build).await
    }

    /// To a function that had as many events as it may have when the message was published.
    fn hand_to(
        &self,
        routing: &mut Routing,
        function: &Arn,
        subscription: &Subscription,
        post: &Post,
    ) -> Outcome {
        let message = Message {
            body: post.body.clone().into(),
            sender: "sns.amazonaws.com".into(),
            source: subscription.arn.topic.to_string(),
            trace: Trace::from_header(post.trace.as_deref(), self.service.now()),
            ..Message::default()
        };
        match self.service.router().deliver(routing, function, message) {
            Ok(()) => Outcome::Done,
            Err(full @ Undeliverable::Full { .. }) => retry("Throttled", full.to_string()),
            Err(refusal) => Outcome::GiveUp {
                code: "Undeliverable".into(),
                reason: refusal.to_string(),
            },
        }
    }

    /// Counts what was delivered, and gives what became of it.
    fn count(
        &self,
        routing: &mut Routing,
        subscription: &Subscription,
        (item, quantity): (Metered, u64),
        outcome: Outcome,
    ) -> Outcome {
        if matches!(outcome, Outcome::Done) {
            let topic = &subscription.arn.topic;
            self.service.router().count(routing, item, topic, quantity);
        }
        outcome
    }

    async fn mail(&self, subscription: &Subscription, post: &Post) -> Outcome {
        let Some(relay) = self.service.mail() else {
            return retry("NoRelay", "the node has no mail relay".into());
        };
        let usual = match &*post.kind {
            "Notification" => "Notification",
            _ => "Confirm a subscription",
        };
        let subject = post.subject.as_deref().unwrap_or(usual);
        let to = &subscription.endpoint.text;
        relay.send((&post.message_id, to), subject, &post.body).await
    }

    async fn post(&self, subscription: &Subscription, post: &Post) -> Outcome {
        let client = match self.client().await {
            Ok(client) => client,
            Err(error) => return retry("Client", chain(error)),
        };
        let content_type = self
            .service
            .effective_policy(subscription)
            .content_type()
            .to_owned();
        let mut request = client
            .post(&subscription.endpoint.text)
            .header("content-type", content_type)
            .header("x-amz-sns-message-type", &post.kind)
            .header("x-amz-sns-message-id", &post.message_id)
            .header("x-amz-sns-topic-arn", subscription.arn.topic.to_string());
        if post.kind == "Notification" {
            request = request.header("x-amz-sns-subscription-arn", subscription.arn.to_string());
        }
        if post.raw {
            request = request.header("x-amz-sns-rawdelivery", "true");
        }
        if let Some(trace) = &post.trace {
            request = request.header("x-amzn-trace-id", trace);
        }
        match request.body(post.body.clone()).send().await {
            Ok(response) => judge(response.status().as_u16()),
            Err(error) => retry("Connection", chain(error)),
        }
    }
}

/// How a function is tried that is too busy. SNS developer guide, "Message delivery retries".
pub(crate) fn function_lane_settings(dead_letter: Option<&Arn>) -> LaneSettings {
    LaneSettings {
        retry: RetryPolicy {
            attempts: 100_015,
            age: None,
            backoff: Backoff::Exponential {
                min: Duration::from_secs(1),
                max: Duration::from_secs(20),
            },
        },
        dead_letter: dead_letter.cloned(),
        concurrency: 10,
        rate: None,
        in_order: None,
    }
}

fn retry(code: &str, reason: String) -> Outcome {
    Outcome::Retry {
        code: code.into(),
        reason,
        after: None,
    }
}

/// 200 to 299 is success; a server's failure and 429 may pass, all else will be the same next time.
fn judge(status: u16) -> Outcome {
    let (code, reason) = (status.to_string(), format!("the endpoint answered {status}"));
    match status {
        200..=299 => Outcome::Done,
        100..=199 | 429 | 500.. => retry(&code, reason),
        _ => Outcome::GiveUp { code, reason },
    }
}

/// What failed, and why; not the URL, whose query may hold a secret.
fn chain(error: reqwest::Error) -> String {
    let error = error.without_url();
    let mut text = error.to_string();
    let mut source = std::error::Error::source(&error);
    while let Some(cause) = source {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        source = cause.source();
    }
    text
}

#[async_trait::async_trait]
impl Deliverer for Endpoints {
    fn time_limit(&self) -> Duration {
        TIME_LIMIT
    }

    async fn deliver(&self, delivery: &Delivery, routing: &mut Routing) -> Outcome {
        let arn: Result<SubscriptionArn, _> = delivery.lane.key().parse();
        let subscription = match arn {
            Ok(arn) => self.service.settled_subscription(&arn).await,
            Err(_no_arn) => None,
        };
        match (subscription, Post::of(delivery)) {
            (Some(subscription), Some(post)) if subscription.endpoint.protocol.is_mail() => {
                let outcome = self.mail(&subscription, &post).await;
                self.count(routing, &subscription, (Metered::SnsEmailDeliveries, 1), outcome)
            }
            (Some(subscription), Some(post)) => match &subscription.endpoint.arn {
                Some(function) => self.hand_to(routing, function, &subscription, &post),
                None => {
                    let outcome = self.post(&subscription, &post).await;
                    let units = units_of_64_kib(post.body.len());
                    self.count(
                        routing,
                        &subscription,
                        (Metered::SnsHttpDeliveries, units),
                        outcome,
                    )
                }
            },
            // nobody waits for it any more
            (None, _) => Outcome::Done,
            (Some(_), None) => Outcome::GiveUp {
                code: "Unreadable".into(),
                reason: "the delivery is stored in a form that cannot be read".into(),
            },
        }
    }

    fn dead_letter(&self, delivery: &Delivery, death: &Death) -> Option<Message> {
        let post = Post::of(delivery).filter(|post| post.kind == "Notification")?;
        let arn: SubscriptionArn = delivery.lane.key().parse().ok()?;
        let trace = Trace::from_header(post.trace.as_deref(), self.service.now());
        Some(Message {
            body: post.body.into(),
            attributes: reason(&death.code, &death.reason).into(),
            sender: "sns.amazonaws.com".into(),
            source: arn.topic.to_string(),
            trace,
            ..Message::default()
        })
    }
}

#[cfg(test)]
mod tests;
