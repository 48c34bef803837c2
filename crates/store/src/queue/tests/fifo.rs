//! FIFO queues.

use super::super::{DeduplicationScope, NewMessage, QueueError, QueueSettings, Settled};
use super::{Fixture, MINUTE, bodies, message};
use std::time::Duration;

fn in_group(group: &str, body: &str) -> NewMessage {
    NewMessage {
        group: Some(group.into()),
        deduplication_id: Some(body.into()),
        ..message(body)
    }
}

async fn with(messages: &[(&str, &str)]) -> Fixture {
    let it = Fixture::new(&QueueSettings::fifo()).await;
    send(&it, messages).await;
    it
}

async fn send(it: &Fixture, messages: &[(&str, &str)]) {
    let messages = messages
        .iter()
        .map(|(group, body)| in_group(group, body))
        .collect();
    it.queues.send(&it.id, messages).await.unwrap();
}

#[tokio::test]
async fn a_group_is_blocked_while_one_of_it_is_leased() {
    let it = with(&[("a", "a1"), ("a", "a2"), ("b", "b1")]).await;
    let a1 = it.receive(1).await;
    assert_eq!(bodies(&a1), ["a1"]);
    assert_eq!(bodies(&it.receive(10).await), ["b1"]);
    assert_eq!(it.ack(&a1[0]).await, Settled::Done);
    assert_eq!(bodies(&it.receive(10).await), ["a2"]);
    assert!(it.receive(10).await.is_empty());
}

#[tokio::test]
async fn a_group_stays_blocked_until_all_of_a_receive_are_settled() {
    let it = with(&[("a", "a1"), ("a", "a2"), ("a", "a3")]).await;
    let got = it.receive(2).await;
    assert_eq!(bodies(&got), ["a1", "a2"]);
    it.queues
        .nack(&it.id, &[(got[0].receipt, Duration::ZERO)])
        .await
        .unwrap();
    assert!(it.receive(10).await.is_empty(), "a2 is still leased");
    it.queues
        .nack(&it.id, &[(got[1].receipt, Duration::ZERO)])
        .await
        .unwrap();
    assert_eq!(bodies(&it.receive(10).await), ["a1", "a2", "a3"]);
}

#[tokio::test]
async fn what_is_put_back_comes_again_as_if_it_had_not_been_received() {
    let it = with(&[("a", "a1"), ("a", "a2")]).await;
    let got = it.receive(2).await;
    let receipts = [got[0].receipt, got[1].receipt];
    it.pass(Duration::from_secs(1));
    let settled = it.queues.put_back(&it.id, &receipts).await.unwrap();
    assert_eq!(settled, [Settled::Done, Settled::Done]);
    let again = it.receive(2).await;
    assert_eq!(bodies(&again), ["a1", "a2"]);
    assert_eq!((again[0].receives, again[1].receives), (1, 1));
    assert_eq!(again[0].first_received_at, it.clock.now());
    it.pass(MINUTE);
    let settled = it.queues.put_back(&it.id, &[again[0].receipt]).await.unwrap();
    assert_eq!(settled, [Settled::Expired]);
    assert_eq!(it.receive(1).await[0].receives, 2);
}

#[tokio::test]
async fn a_lease_that_ends_gives_the_same_message_again() {
    let it = with(&[("a", "a1"), ("a", "a2")]).await;
    let first = it.receive(1).await;
    it.pass(MINUTE);
    assert_eq!(it.ack(&first[0]).await, Settled::Expired);
    assert_eq!(bodies(&it.receive(10).await), ["a1", "a2"]);
    assert_eq!(it.ack(&first[0]).await, Settled::Stale);
}

#[tokio::test]
async fn groups_take_turns() {
    let it = with(&[("a", "a1"), ("a", "a2"), ("a", "a3"), ("b", "b1"), ("c", "c1")]).await;
    let mut order = Vec::new();
    for _ in 0..5 {
        it.pass(Duration::from_millis(1));
        let got = it.receive(1).await;
        it.ack(&got[0]).await;
        order.extend(bodies(&got).into_iter().map(str::to_owned));
    }
    assert_eq!(order, ["a1", "b1", "c1", "a2", "a3"]);
}

#[tokio::test]
async fn a_deduplication_id_is_taken_for_five_minutes() {
    let it = with(&[("a", "one")]).await;
    let first = it.receive(1).await;
    it.ack(&first[0]).await;
    it.pass(5 * MINUTE - Duration::from_millis(1));
    let again = it.queues.send(&it.id, vec![in_group("b", "one")]).await.unwrap();
    assert!(again[0].duplicate);
    assert_eq!((again[0].id, again[0].sequence), (first[0].id, first[0].sequence));
    assert!(it.receive(1).await.is_empty());
    it.pass(Duration::from_millis(1));
    send(&it, &[("b", "one")]).await;
    assert_eq!(bodies(&it.receive(1).await), ["one"]);
}

#[tokio::test]
async fn deduplication_can_be_by_group_and_by_content() {
    let settings = QueueSettings {
        deduplication_scope: DeduplicationScope::Group,
        content_based_deduplication: true,
        ..QueueSettings::fifo()
    };
    let it = Fixture::new(&settings).await;
    let of = |group: &str| NewMessage {
        deduplication_id: None,
        ..in_group(group, "same")
    };
    let sent = it
        .queues
        .send(&it.id, vec![of("a"), of("b"), of("a")])
        .await
        .unwrap();
    let duplicates: Vec<_> = sent.iter().map(|sent| sent.duplicate).collect();
    assert_eq!(duplicates, [false, false, true]);
    let got = it.receive(10).await;
    assert_eq!(got.len(), 2);
    let hash = "0967115f2813a3541eaef77de9d9d5773f1c0c04314b0bbfe4ff3b3b1c55b5d5";
    assert_eq!(got[0].deduplication_id.as_deref(), Some(hash));
}

#[tokio::test]
async fn messages_that_do_not_fit_are_refused_whole() {
    let it = Fixture::new(&QueueSettings::fifo()).await;
    let no_group = it
        .queues
        .send(&it.id, vec![in_group("a", "fits"), message("no group")])
        .await;
    assert!(
        matches!(no_group, Err(QueueError::GroupMissing { .. })),
        "{no_group:?}"
    );
    let no_id = NewMessage {
        deduplication_id: None,
        ..in_group("a", "x")
    };
    let no_id = it.queues.send(&it.id, vec![no_id]).await;
    assert!(
        matches!(no_id, Err(QueueError::DeduplicationIdMissing { .. })),
        "{no_id:?}"
    );
    let delayed = NewMessage {
        delay: Some(MINUTE),
        ..in_group("a", "x")
    };
    let delayed = it.queues.send(&it.id, vec![delayed]).await;
    assert!(
        matches!(delayed, Err(QueueError::DelayOnFifo { .. })),
        "{delayed:?}"
    );
    assert!(it.receive(10).await.is_empty());
}
