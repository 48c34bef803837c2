//! Lanes that keep their order; here outcomes are those of payloads.

use super::*;

impl World {
    /// A lane with batches of two.
    async fn open_in_order(&self, name: &str) {
        let settings = LaneSettings {
            in_order: Some(2),
            ..settings()
        };
        self.deliveries.open(&lane(name), settings).await.unwrap();
    }

    async fn owe_all(&self, name: &str, payloads: &[&str]) {
        let mut routing = Routing::new(Batch::new());
        for payload in payloads {
            let payload = Bytes::copy_from_slice(payload.as_bytes());
            self.deliveries.owe(&mut routing, &lane(name), payload);
        }
        self.database.write(routing.into_batch()).await.unwrap();
    }

    /// Payload and number of the next attempts.
    async fn attempts(&mut self, count: usize) -> Vec<(String, u32)> {
        let mut made = Vec::new();
        for _ in 0..count {
            let attempt = self.attempt().await;
            let payload = String::from_utf8(attempt.payload.to_vec()).unwrap();
            made.push((payload, attempt.attempt));
        }
        made
    }

    async fn until_ready(&self, name: &str, count: u64) {
        let ready = async {
            let queue = lanes::queue_of(&lane(name));
            while self.queues.depth(&queue).await.unwrap().ready != count {
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(PATIENCE, ready).await.expect("not ready");
    }
}

fn expected(attempts: &[(&str, u32)]) -> Vec<(String, u32)> {
    attempts
        .iter()
        .map(|(payload, attempt)| ((*payload).to_owned(), *attempt))
        .collect()
}

#[tokio::test]
async fn what_is_tried_again_holds_up_what_was_owed_later() {
    let mut world = World::new().await;
    world.open_in_order("shop").await;
    world.answer("b", retry());
    world.owe_all("shop", &["a", "b", "c", "d"]).await;
    assert_eq!(world.attempts(2).await, expected(&[("a", 1), ("b", 1)]));
    world.until_ready("shop", 3).await;
    world.owe_all("shop", &["e"]).await;
    world.pass(9);
    // what the worker does for another lane it does after what it does for this one
    world.open_in_order("yard").await;
    world.owe_all("yard", &["y"]).await;
    assert_eq!(world.attempts(1).await, expected(&[("y", 1)]));
    world.answer("b", Outcome::Done);
    world.owe_all("shop", &["f"]).await;
    world.pass(1);
    let then = [("b", 2), ("c", 1), ("d", 1), ("e", 1), ("f", 1)];
    assert_eq!(world.attempts(5).await, expected(&then));
    world.until_empty("shop").await;
    assert!(world.attempts.try_recv().is_err());
}

#[tokio::test]
async fn a_crash_does_not_change_the_order() {
    let mut world = World::new().await;
    world.open_in_order("slow").await;
    world.owe_all("slow", &["a", "b", "c"]).await;
    assert_eq!(world.attempts(2).await, expected(&[("a", 1), ("b", 1)]));
    world.crash().await;
    world.open_in_order("slow").await;
    world.target.gate.add_permits(2);
    let then = [("a", 2), ("b", 2), ("c", 1)];
    assert_eq!(world.attempts(3).await, expected(&then));
    world.until_empty("slow").await;
}

#[tokio::test]
async fn what_is_given_up_holds_up_nobody() {
    let mut world = World::new().await;
    world.open_in_order("shop").await;
    let code = "Refused".to_owned();
    let reason = "too large".to_owned();
    world.answer("a", Outcome::GiveUp { code, reason });
    world.owe_all("shop", &["a", "b", "c"]).await;
    let then = [("a", 1), ("b", 1), ("c", 1)];
    assert_eq!(world.attempts(3).await, expected(&then));
    world.until_empty("shop").await;
    assert_eq!(world.dead_letters().await, ["a: Refused after 1, GivenUp"]);
}

#[tokio::test]
async fn what_cannot_be_settled_is_not_overtaken() {
    let mut world = World::new().await;
    world.open_in_order("shop").await;
    let (code, reason) = ("Refused".to_owned(), String::new());
    world.answer("a", Outcome::GiveUp { code, reason });
    world.target.fails.store(true, Ordering::Relaxed);
    world.owe_all("shop", &["a", "b", "c"]).await;
    assert_eq!(world.attempts(2).await, expected(&[("a", 1), ("b", 1)]));
    world.target.fails.store(false, Ordering::Relaxed);
    assert_eq!(world.attempts(1).await, expected(&[("c", 1)]));
    world.until_empty("shop").await;
    assert_eq!(world.dead_letters().await.len(), 1);
}

#[tokio::test]
async fn a_batch_that_panics_is_not_overtaken() {
    let mut world = World::new().await;
    world.open_in_order("shop").await;
    world.owe_all("shop", &["a", "panic"]).await;
    assert_eq!(world.attempts(2).await, expected(&[("a", 1), ("panic", 1)]));
    world.owe_all("shop", &["c"]).await;
    // what the worker does for another lane it does after what it does for this one
    world.open_in_order("yard").await;
    world.owe_all("yard", &["y"]).await;
    assert_eq!(world.attempts(1).await, expected(&[("y", 1)]));
    world.pass(5);
    let then = [("a", 2), ("panic", 2), ("c", 1)];
    assert_eq!(world.attempts(3).await, expected(&then));
    world.until_empty("shop").await;
}
