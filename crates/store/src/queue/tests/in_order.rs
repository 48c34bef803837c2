//! One batch after the other.

use super::super::QueueSettings;
use super::{Fixture, MINUTE, bodies};

async fn receive(it: &Fixture, max: usize) -> Vec<super::Received> {
    let received = it.queues.receive_in_order(&it.id, max, 10, MINUTE).await;
    received.unwrap()
}

#[tokio::test]
async fn what_is_given_back_comes_before_what_was_sent_later() {
    let it = Fixture::new(&QueueSettings::standard()).await;
    // of the same millisecond, and of a later one
    it.send(&["a", "b", "c", "d"]).await;
    it.pass(MINUTE);
    it.send(&["e"]).await;
    let got = receive(&it, 3).await;
    assert_eq!(bodies(&got), ["a", "b", "c"]);
    it.ack(&got[1]).await;
    let left = [got[0].receipt, got[2].receipt];
    it.queues.return_in_order(&it.id, &left).await.unwrap();
    it.pass(MINUTE);
    it.send(&["f"]).await;
    let again = receive(&it, 10).await;
    assert_eq!(bodies(&again), ["a", "c", "d", "e", "f"]);
    assert_eq!((again[0].receives, again[2].receives), (2, 1));
}

#[tokio::test]
async fn what_a_crash_left_leased_comes_first() {
    let it = Fixture::new(&QueueSettings::standard()).await;
    it.send(&["a", "b", "c"]).await;
    receive(&it, 2).await;
    it.queues.return_all_in_order(&it.id).await.unwrap();
    let again = receive(&it, 10).await;
    assert_eq!(bodies(&again), ["a", "b", "c"]);
    assert_eq!((again[0].receives, again[2].receives), (2, 1));
    it.queues
        .return_in_order(&it.id, &[again[1].receipt])
        .await
        .unwrap();
    assert_eq!(bodies(&receive(&it, 10).await), ["b"]);
}

#[tokio::test]
async fn an_old_receipt_gives_nothing_back() {
    let it = Fixture::new(&QueueSettings::standard()).await;
    it.send(&["a"]).await;
    let first = receive(&it, 1).await;
    it.queues.return_all_in_order(&it.id).await.unwrap();
    receive(&it, 1).await;
    it.queues
        .return_in_order(&it.id, &[first[0].receipt])
        .await
        .unwrap();
    assert!(receive(&it, 1).await.is_empty());
}

#[tokio::test]
async fn a_batch_has_a_bound_in_bytes() {
    let it = Fixture::new(&QueueSettings::standard()).await;
    it.send(&["more than ten bytes", "12345", "12345", "1"]).await;
    assert_eq!(bodies(&receive(&it, 10).await), ["more than ten bytes"]);
    assert_eq!(bodies(&receive(&it, 10).await), ["12345", "12345"]);
    assert_eq!(bodies(&receive(&it, 10).await), ["1"]);
    assert!(receive(&it, 10).await.is_empty());
}
