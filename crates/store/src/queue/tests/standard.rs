//! Standard queues.

use super::super::{
    DeadLetter, Depth, NewMessage, QueueError, QueueId, QueueSettings, Queues, Receipt, Settled,
};
use super::{Fixture, MINUTE, NO_WAIT, bodies, message};
use crate::Batch;
use std::time::Duration;

#[tokio::test]
async fn a_message_is_leased_and_acked() {
    let it = Fixture::new(&QueueSettings::standard()).await;
    it.send(&["one", "two"]).await;
    let got = it.receive(10).await;
    assert_eq!(bodies(&got), ["one", "two"]);
    assert!(it.receive(10).await.is_empty());
    assert_eq!(it.ack(&got[0]).await, Settled::Done);
    assert_eq!(it.ack(&got[0]).await, Settled::Gone);
    it.pass(MINUTE);
    let again = it.receive(10).await;
    assert_eq!(bodies(&again), ["two"]);
    assert_eq!(again[0].receives, 2);
    assert_eq!(again[0].first_received_at, again[0].sent_at);
    assert_eq!(it.ack(&got[1]).await, Settled::Stale);
    assert_eq!(it.ack(&again[0]).await, Settled::Done);
    assert_eq!(it.queues.depth(&it.id).await.unwrap(), Depth::default());
}

#[tokio::test]
async fn a_late_ack_counts_until_the_next_receive() {
    let it = Fixture::new(&QueueSettings::standard()).await;
    it.send(&["one"]).await;
    let got = it.receive(1).await;
    it.pass(MINUTE);
    assert_eq!(it.ack(&got[0]).await, Settled::Done);
    assert!(it.receive(1).await.is_empty());
}

#[tokio::test]
async fn leases_are_extended_and_given_back() {
    let it = Fixture::new(&QueueSettings::standard()).await;
    it.send(&["one"]).await;
    let receipt = it.receive(1).await[0].receipt;
    let extended = it.queues.extend(&it.id, &[(receipt, 3 * MINUTE)]).await.unwrap();
    assert_eq!(extended, [Settled::Done]);
    it.pass(2 * MINUTE);
    assert!(it.receive(1).await.is_empty());
    it.queues.nack(&it.id, &[(receipt, MINUTE / 2)]).await.unwrap();
    assert!(it.receive(1).await.is_empty());
    it.pass(MINUTE / 2);
    let expired = it.queues.extend(&it.id, &[(receipt, MINUTE)]).await.unwrap();
    assert_eq!(expired, [Settled::Expired]);
    assert_eq!(it.receive(1).await[0].receives, 2);
}

#[tokio::test]
async fn what_becomes_ready_between_a_receive_and_the_question_when_is_not_missed() {
    let queue = Fixture::new(&QueueSettings::standard()).await;
    queue.send(&["paid"]).await;
    queue.receive(1).await;
    let since = queue.clock.now();
    assert!(queue.receive(1).await.is_empty());
    let ready = since.plus_millis(i64::try_from(MINUTE.as_millis()).unwrap());
    queue.pass(MINUTE);
    let due = queue.queues.next_due(&queue.id, since).await.unwrap();
    assert_eq!(due, Some(ready));
}

#[tokio::test]
async fn delays_are_the_messages_or_the_queues() {
    let settings = QueueSettings {
        delay: MINUTE,
        ..QueueSettings::standard()
    };
    let it = Fixture::new(&settings).await;
    let at_once = NewMessage {
        delay: Some(Duration::ZERO),
        ..message("now")
    };
    it.queues
        .send(&it.id, vec![message("later"), at_once])
        .await
        .unwrap();
    let depth = it.queues.depth(&it.id).await.unwrap();
    assert_eq!((depth.ready, depth.delayed, depth.leased), (1, 1, 0));
    assert_eq!(bodies(&it.receive(10).await), ["now"]);
    it.pass(MINUTE - Duration::from_millis(1));
    assert!(it.receive(10).await.is_empty());
    it.pass(Duration::from_millis(1));
    assert!(bodies(&it.receive(10).await).contains(&"later"));
}

#[tokio::test]
async fn what_is_received_too_often_goes_to_the_dead_letter_queue() {
    let dead = QueueId::new("arn:aws:sqs:us-east-1:000000000000:dead");
    let settings = QueueSettings {
        dead_letter: Some(DeadLetter {
            queue: dead.clone(),
            max_receives: 2,
        }),
        ..QueueSettings::standard()
    };
    let it = Fixture::new(&settings).await;
    it.queues.create(&dead, &QueueSettings::standard()).await.unwrap();
    it.send(&["poison"]).await;
    let first = it.receive(1).await;
    it.pass(MINUTE);
    it.receive(1).await;
    it.pass(MINUTE);
    assert!(it.receive(1).await.is_empty());
    let got = it.queues.receive(&dead, 10, MINUTE, NO_WAIT).await.unwrap();
    assert_eq!(got[0].id, first[0].id);
    assert_eq!(got[0].sent_at, first[0].sent_at);
    let death = got[0].death.as_ref().unwrap();
    assert_eq!(death.source, it.id);
    assert!(death.reason.contains("2 times"), "{}", death.reason);
}

#[tokio::test]
async fn a_purge_takes_what_is_leased_too() {
    let it = Fixture::new(&QueueSettings::standard()).await;
    it.send(&["one", "two"]).await;
    let leased = it.receive(1).await;
    it.queues.purge(&it.id).await.unwrap();
    assert_eq!(it.queues.depth(&it.id).await.unwrap(), Depth::default());
    it.pass(MINUTE);
    assert!(it.receive(10).await.is_empty());
    assert_ne!(it.ack(&leased[0]).await, Settled::Done);
    it.send(&["three"]).await;
    assert_eq!(bodies(&it.receive(10).await), ["three"]);
}

#[tokio::test]
async fn queues_are_listed_changed_and_deleted() {
    let it = Fixture::new(&QueueSettings::standard()).await;
    let other = QueueId::new("arn:aws:sqs:us-east-1:000000000000:other");
    it.queues.create(&other, &QueueSettings::fifo()).await.unwrap();
    let prefix = "arn:aws:sqs:us-east-1:000000000000:";
    assert_eq!(
        it.queues.list(prefix, None, 10).await.unwrap(),
        [it.id.clone(), other.clone()]
    );
    let rest = it.queues.list(prefix, Some(&it.id), 10).await.unwrap();
    assert_eq!(rest, std::slice::from_ref(&other));
    let again = it.queues.create(&other, &QueueSettings::fifo()).await;
    assert!(matches!(again, Err(QueueError::Exists { .. })), "{again:?}");
    let turned = it.queues.update(&other, &QueueSettings::standard()).await;
    assert!(
        matches!(turned, Err(QueueError::FifoIsFixed { .. })),
        "{turned:?}"
    );
    it.queues.delete(&other).await.unwrap();
    let gone = it.queues.settings(&other).await;
    assert!(matches!(gone, Err(QueueError::NotFound { .. })), "{gone:?}");
}

#[test]
fn receipts_survive_the_wire() {
    let receipt = Receipt {
        sequence: 1 << 60,
        receives: 7,
    };
    assert_eq!(Receipt::from_bytes(&receipt.to_bytes()), Ok(receipt));
    assert!(Receipt::from_bytes(&[0; 11]).is_err());
    assert!(Receipt::from_bytes(&[0; 13]).is_err());
}

#[tokio::test]
async fn an_end_and_its_batch_happen_together_or_not_at_all() {
    let it = Fixture::new(&QueueSettings::standard()).await;
    it.send(&["a"]).await;
    let first = it.receive(1).await;
    it.pass(MINUTE);
    let second = it.receive(1).await;
    let end = |receipt| {
        let batch = it
            .queues
            .send_within(Batch::new(), &it.id, message("what follows"));
        it.queues
            .database
            .write(it.queues.end_within(batch, &it.id, receipt))
    };
    assert!(end(first[0].receipt).await.is_err(), "it was received again");
    assert!(it.receive(10).await.is_empty());
    end(second[0].receipt).await.unwrap();
    assert_eq!(bodies(&it.receive(10).await), ["what follows"]);
    assert!(end(second[0].receipt).await.is_err(), "it is gone");
}

#[tokio::test]
async fn no_more_are_leased_than_the_queue_allows() {
    let settings = QueueSettings {
        max_leased: Some(3),
        ..QueueSettings::standard()
    };
    let it = Fixture::new(&settings).await;
    it.send(&["1", "2", "3", "4", "5", "6", "7"]).await;
    let first = it.receive(2).await;
    assert_eq!(bodies(&first), ["1", "2"]);
    assert_eq!(bodies(&it.receive(2).await), ["3"]);
    let full = || async { it.queues.receive(&it.id, 1, MINUTE, NO_WAIT).await.unwrap_err() };
    assert!(matches!(full().await, QueueError::TooManyLeased { max: 3, .. }));
    assert_eq!(it.ack(&first[0]).await, Settled::Done);
    assert_eq!(bodies(&it.receive(2).await), ["4"]);
    assert!(matches!(full().await, QueueError::TooManyLeased { .. }));
    it.pass(MINUTE);
    assert_eq!(it.receive(10).await.len(), 3);
    assert!(matches!(full().await, QueueError::TooManyLeased { .. }));
}

#[tokio::test]
async fn an_old_count_of_leases_is_not_trusted() {
    let settings = QueueSettings {
        max_leased: Some(4),
        ..QueueSettings::standard()
    };
    let it = Fixture::new(&settings).await;
    it.send(&["1", "2", "3", "4", "5"]).await;
    assert_eq!(it.receive(1).await.len(), 1);
    // another node of the same database
    let other = Queues::new(it.queues.database.clone(), it.clock.clone());
    assert_eq!(other.receive(&it.id, 2, MINUTE, NO_WAIT).await.unwrap().len(), 2);
    it.pass(Duration::from_secs(1));
    assert_eq!(it.receive(3).await.len(), 1);
}
