//! Sweeping, retention and moves.

use std::time::Duration;

use super::super::{DeadLetter, MoveStatus, QueueError, QueueId, QueueSettings, Settled};
use super::{Fixture, MINUTE, NO_WAIT, bodies};

async fn rows(it: &Fixture) -> i64 {
    let count = "SELECT COUNT(*) FROM queue_messages";
    it.queues.database.read(count, vec![]).await.unwrap()[0]
        .integer(0)
        .unwrap()
}

async fn keep(it: &Fixture) {
    while it.queues.keep().await.unwrap().is_zero() {}
}

#[tokio::test]
async fn what_a_purge_and_a_deletion_leave_is_swept() {
    let it = Fixture::new(&QueueSettings::standard()).await;
    let many: Vec<_> = (0..2_500).map(|i| i.to_string()).collect();
    it.send(&many.iter().map(String::as_str).collect::<Vec<_>>())
        .await;
    it.queues.purge(&it.id).await.unwrap();
    it.send(&["kept"]).await;
    keep(&it).await;
    assert_eq!(rows(&it).await, 1);
    it.queues.delete(&it.id).await.unwrap();
    keep(&it).await;
    assert_eq!(rows(&it).await, 0);
}

#[tokio::test]
async fn what_is_older_than_the_retention_is_dropped() {
    let settings = QueueSettings {
        retention: 10 * MINUTE,
        ..QueueSettings::standard()
    };
    let it = Fixture::new(&settings).await;
    it.send(&["returned", "untouched"]).await;
    let got = it.receive(1).await;
    it.pass(9 * MINUTE);
    it.queues.update(&it.id, &settings).await.unwrap();
    it.queues
        .nack(&it.id, &[(got[0].receipt, Duration::ZERO)])
        .await
        .unwrap();
    it.send(&["young"]).await;
    it.pass(MINUTE);
    keep(&it).await;
    assert_eq!(bodies(&it.receive(10).await), ["young"]);
    assert_eq!(rows(&it).await, 1);
}

async fn with_dead(count: usize) -> (Fixture, QueueId) {
    let dead = QueueId::new("arn:aws:sqs:us-east-1:000000000000:dead");
    let settings = QueueSettings {
        dead_letter: Some(DeadLetter {
            queue: dead.clone(),
            max_receives: 1,
        }),
        ..QueueSettings::standard()
    };
    let it = Fixture::new(&settings).await;
    it.queues.create(&dead, &QueueSettings::standard()).await.unwrap();
    for i in 0..count {
        it.send(&[&i.to_string()]).await;
        let got = it.receive(1).await;
        let buried = it
            .queues
            .dead_letter(&it.id, got[0].receipt, "broken")
            .await
            .unwrap();
        assert_eq!(buried, Settled::Done);
    }
    (it, dead)
}

#[tokio::test]
async fn a_move_takes_messages_back() {
    let (it, dead) = with_dead(3).await;
    let id = it.queues.start_move(&dead, None, None).await.unwrap();
    let second = it.queues.start_move(&dead, None, None).await;
    assert!(
        matches!(second, Err(QueueError::MoveRunning { .. })),
        "{second:?}"
    );
    keep(&it).await;
    let got = it.receive(10).await;
    assert_eq!(bodies(&got), ["0", "1", "2"]);
    assert!(
        got.iter()
            .all(|message| message.receives == 1 && message.death.is_none())
    );
    let moves = it.queues.list_moves(&dead, 10).await.unwrap();
    assert_eq!((moves[0].id, moves[0].moved, moves[0].to_move), (id, 3, 3));
    assert_eq!(moves[0].status, MoveStatus::Completed);
}

#[tokio::test]
async fn a_move_keeps_its_pace_and_can_be_cancelled() {
    let (it, dead) = with_dead(5).await;
    let id = it.queues.start_move(&dead, Some(&it.id), Some(2)).await.unwrap();
    assert_eq!(it.queues.keep().await.unwrap(), Duration::from_secs(1));
    keep(&it).await;
    assert_eq!(it.receive(10).await.len(), 2);
    it.pass(Duration::from_secs(1));
    keep(&it).await;
    let stood = it.queues.cancel_move(id).await.unwrap().unwrap();
    assert_eq!((stood.moved, stood.status), (4, MoveStatus::Running));
    it.pass(Duration::from_secs(1));
    keep(&it).await;
    let left = it.queues.receive(&dead, 10, MINUTE, NO_WAIT).await.unwrap();
    assert_eq!(bodies(&left), ["4"]);
    assert_eq!(
        it.queues.list_moves(&dead, 1).await.unwrap()[0].status,
        MoveStatus::Cancelled
    );
}

#[tokio::test]
async fn a_move_to_a_queue_that_is_gone_says_so() {
    let (it, dead) = with_dead(1).await;
    it.queues.delete(&it.id).await.unwrap();
    it.queues.start_move(&dead, None, None).await.unwrap();
    keep(&it).await;
    let status = it.queues.list_moves(&dead, 1).await.unwrap().remove(0).status;
    assert!(
        matches!(&status, MoveStatus::Failed { reason } if reason.contains("orders")),
        "{status:?}"
    );
    assert_eq!(it.queues.depth(&dead).await.unwrap().ready, 1);
}
