//! Events of other services, sent to log groups: owed in the transaction that they come from, written by the
//! worker soon after it.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use serde_json::Value;
use tradewind_events::{Message, Receiver, Routing, Undeliverable};
use tradewind_model::{Arn, Timestamp};

use crate::api::group_at;
use crate::model::Group;
use crate::service::LogsService;
use crate::tables::{self, Owed};

/// Events that may be owed at once.
const MAX_OWED: usize = 100_000;
/// As long as a message of `PutLogEvents` may be.
const MAX_BYTES: usize = 1_048_576 - 26;

impl Receiver for LogsService {
    fn find(&self, target: &Arn) -> Result<(), Undeliverable> {
        self.group_at(target).map(drop)
    }

    fn accept(&self, routing: &mut Routing, target: &Arn, message: Message) -> Result<(), Undeliverable> {
        let group = self.group_at(target)?;
        let bytes = message.body.len();
        if bytes > MAX_BYTES {
            return Err(Undeliverable::TooLarge {
                target: target.to_string(),
                bytes,
                limit: MAX_BYTES,
            });
        }
        if self.owed().load(Ordering::SeqCst) >= MAX_OWED {
            let target = target.to_string();
            return Err(Undeliverable::Full { target });
        }
        let text = str::from_utf8(&message.body).map_err(|_not_text| Undeliverable::Refused {
            target: target.to_string(),
            reason: "a log event is text".to_owned(),
        })?;
        let (timestamp, text) = event_of(text, self.now());
        let owed = Owed {
            id: uuid::Uuid::now_v7().to_string(),
            group: group.key.clone(),
            stream: stream_of(&message.source),
            timestamp,
            message: text,
        };
        let service = self.clone();
        routing.add(|batch| {
            tables::owe(batch, &owed).after_commit(move || {
                service.owed().fetch_add(1, Ordering::SeqCst);
                service.wake().notify_one();
            })
        });
        Ok(())
    }
}

impl LogsService {
    fn group_at(&self, target: &Arn) -> Result<Arc<Group>, Undeliverable> {
        let group = group_at(target).and_then(|key| self.registry(|registry| registry.get(&key)));
        group.ok_or_else(|| Undeliverable::NotFound {
            target: target.to_string(),
        })
    }
}

/// An input of the form `{"timestamp": …, "message": "…"}` says both; of any other the text is the message.
/// EventBridge User Guide, "Amazon CloudWatch Logs log group as a target".
fn event_of(text: &str, now: Timestamp) -> (Timestamp, String) {
    let value = serde_json::from_str::<Value>(text).ok();
    let object = value
        .as_ref()
        .and_then(Value::as_object)
        .filter(|object| object.len() == 2);
    let said = object.and_then(|object| {
        let timestamp = object.get("timestamp")?.as_i64()?;
        let message = object.get("message")?.as_str()?;
        Some((Timestamp::from_millis(timestamp), message.to_owned()))
    });
    said.unwrap_or_else(|| (now, text.to_owned()))
}

/// A stream for each sender: the last part of its ARN, the name of a rule for example.
fn stream_of(source: &str) -> String {
    let name = source.rsplit([':', '/']).next().unwrap_or_default();
    let name: String = name.chars().filter(|c| *c != '*').take(512).collect();
    if name.is_empty() {
        "events".to_owned()
    } else {
        name
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use tradewind_events::Router;
    use tradewind_store::Batch;

    use super::*;
    use crate::testing::{NOW, World, messages};
    use crate::worker::Pumped;

    async fn send(world: &World, group: &str, body: &str) -> Result<(), Undeliverable> {
        let router = Router::new();
        router.connect("logs", Arc::new(world.service.clone()));
        let target = format!("arn:aws:logs:us-east-1:000000000000:log-group:{group}");
        let message = Message {
            body: body.to_owned().into(),
            source: "arn:aws:events:us-east-1:000000000000:rule/orders".into(),
            ..Message::default()
        };
        let mut routing = Routing::new(Batch::new());
        router.deliver(&mut routing, &target.parse().unwrap(), message)?;
        world
            .service
            .database()
            .write(routing.into_batch())
            .await
            .unwrap();
        Ok(())
    }

    #[tokio::test]
    async fn what_is_sent_is_in_the_group_after_a_restart_too() {
        let mut world = World::new().await;
        world.group("/g").await;
        send(&world, "/g:*", r#"{"detail": 1}"#).await.unwrap();
        world.restart().await;
        assert_eq!(world.service.store_owed().await, Pumped::Done);
        let said = json!({"timestamp": NOW - 5, "message": "said"}).to_string();
        send(&world, "/g", &said).await.unwrap();
        assert_eq!(world.service.store_owed().await, Pumped::Done);
        assert_eq!(world.service.store_owed().await, Pumped::Done);
        let events = world.ok("FilterLogEvents", json!({"logGroupName": "/g"})).await;
        assert_eq!(messages(&events), ["said", r#"{"detail": 1}"#]);
        assert_eq!(events["events"][0]["logStreamName"], "orders");
        assert_eq!(events["events"][0]["timestamp"], NOW - 5);
    }

    #[tokio::test]
    async fn a_group_that_is_not_there_takes_nothing() {
        let world = World::new().await;
        let missing = send(&world, "/g", "x").await;
        assert!(
            matches!(missing, Err(Undeliverable::NotFound { .. })),
            "{missing:?}"
        );
        world.group("/g").await;
        send(&world, "/g", "x").await.unwrap();
        world.ok("DeleteLogGroup", json!({"logGroupName": "/g"})).await;
        assert_eq!(world.service.store_owed().await, Pumped::Done);
        let groups = world.ok("DescribeLogGroups", json!({})).await;
        assert_eq!(groups["logGroups"], json!([]));
        let large = "x".repeat(MAX_BYTES + 1);
        world.group("/g").await;
        let refused = send(&world, "/g", &large).await;
        assert!(
            matches!(refused, Err(Undeliverable::TooLarge { .. })),
            "{refused:?}"
        );
    }
}
