//! Many senders and receivers at the same time.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::task::JoinSet;

use super::super::{Depth, NewMessage, QueueSettings, Received, Settled};
use super::{Fixture, MINUTE, message};

const SENDERS: usize = 6;
const EACH: usize = 30;

async fn exchange(settings: &QueueSettings) -> Vec<Received> {
    let it = Fixture::new(settings).await;
    let mut senders = JoinSet::new();
    for sender in 0..SENDERS {
        let (queues, id, fifo) = (it.queues.clone(), it.id.clone(), settings.fifo);
        senders.spawn(async move {
            for number in 0..EACH {
                let body = format!("{sender} {number}");
                let message = NewMessage {
                    group: fifo.then(|| sender.to_string()),
                    deduplication_id: fifo.then(|| body.clone()),
                    ..message(&body)
                };
                queues.send(&id, vec![message]).await.unwrap();
            }
        });
    }
    let mut receivers = JoinSet::new();
    let (done, all) = (Arc::new(AtomicUsize::new(0)), SENDERS * EACH);
    for _ in 0..4 {
        let (queues, id, done) = (it.queues.clone(), it.id.clone(), Arc::clone(&done));
        receivers.spawn(async move {
            let mut mine = Vec::new();
            while done.load(Ordering::SeqCst) < all {
                let wait = Duration::from_millis(200);
                let got = queues.receive(&id, 7, MINUTE, wait).await.unwrap();
                mine.extend(
                    got.iter()
                        .cloned()
                        .map(|message| (done.load(Ordering::SeqCst), message)),
                );
                let receipts: Vec<_> = got.iter().map(|message| message.receipt).collect();
                let settled = queues.ack(&id, &receipts).await.unwrap();
                assert!(settled.iter().all(|settled| *settled == Settled::Done));
                done.fetch_add(receipts.len(), Ordering::SeqCst);
            }
            mine
        });
    }
    senders.join_all().await;
    let mut got: Vec<_> = receivers.join_all().await.into_iter().flatten().collect();
    assert_eq!(it.queues.depth(&it.id).await.unwrap(), Depth::default());
    // By when it was received: of one group, the next only after the one before was acked.
    got.sort_by_key(|(acked_before, message)| (*acked_before, message.sequence));
    got.into_iter().map(|(_, message)| message).collect()
}

fn by_sender(messages: &[Received]) -> BTreeMap<String, Vec<usize>> {
    let mut by_sender = BTreeMap::<_, Vec<_>>::new();
    for message in messages {
        let body = std::str::from_utf8(&message.body).unwrap();
        let (sender, number) = body.split_once(' ').unwrap();
        by_sender
            .entry(sender.to_owned())
            .or_default()
            .push(number.parse().unwrap());
    }
    by_sender
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_message_is_received_once() {
    let got = exchange(&QueueSettings::standard()).await;
    for (_, mut numbers) in by_sender(&got) {
        numbers.sort_unstable();
        assert_eq!(numbers, (0..EACH).collect::<Vec<_>>());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_group_is_received_in_order() {
    let got = exchange(&QueueSettings::fifo()).await;
    let by_sender = by_sender(&got);
    assert_eq!(by_sender.len(), SENDERS);
    for (_, numbers) in by_sender {
        assert_eq!(numbers, (0..EACH).collect::<Vec<_>>());
    }
}
