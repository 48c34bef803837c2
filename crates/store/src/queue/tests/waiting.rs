//! Receivers that wait.

use std::sync::{Mutex, mpsc};
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::super::transaction::Transaction;
use super::super::waiting::Wakes;
use super::super::{NewMessage, QueueSettings, Received};
use super::{Fixture, MINUTE, bodies, message};
use crate::Batch;
use crate::database::Backend;

/// A wait that only a lost wake-up lasts for.
const LONG: Duration = Duration::from_secs(30);

fn wait(it: &Fixture, receivers: &mut JoinSet<Vec<Received>>) {
    let (queues, id) = (it.queues.clone(), it.id.clone());
    receivers.spawn(async move { queues.receive(&id, 1, MINUTE, LONG).await.unwrap() });
}

async fn seated(it: &Fixture, count: usize) {
    while it.queues.room.waiting(&it.id) < count {
        tokio::task::yield_now().await;
    }
    // Their first look is done when a later transaction is.
    it.queues.depth(&it.id).await.unwrap();
}

#[tokio::test]
async fn a_send_wakes_who_waits() {
    let it = Fixture::new(&QueueSettings::standard()).await;
    let mut receivers = JoinSet::new();
    wait(&it, &mut receivers);
    wait(&it, &mut receivers);
    seated(&it, 2).await;
    it.send(&["one", "two"]).await;
    let mut got: Vec<_> = receivers.join_all().await.into_iter().flatten().collect();
    got.sort_by_key(|message| message.sequence);
    assert_eq!(bodies(&got), ["one", "two"]);
}

#[tokio::test]
async fn who_gives_up_waits_no_longer_and_keeps_what_it_leased() {
    let it = Fixture::new(&QueueSettings::standard()).await;
    let given_up = CancellationToken::new();
    let (queues, id, token) = (it.queues.clone(), it.id.clone(), given_up.clone());
    let mut receivers = JoinSet::new();
    receivers.spawn(async move { queues.receive_unless(&id, 1, MINUTE, LONG, &token).await.unwrap() });
    seated(&it, 1).await;
    given_up.cancel();
    assert_eq!(bodies(&receivers.join_next().await.unwrap().unwrap()), [""; 0]);
    it.send(&["one"]).await;
    let found = it
        .queues
        .receive_unless(&it.id, 1, MINUTE, LONG, &given_up)
        .await
        .unwrap();
    assert_eq!(bodies(&found), ["one"]);
}

#[tokio::test]
async fn an_outbox_wakes_after_its_commit_and_fails_with_it() {
    let it = Fixture::new(&QueueSettings::standard()).await;
    let mut receivers = JoinSet::new();
    wait(&it, &mut receivers);
    seated(&it, 1).await;
    let fails = it.queues.send_within(Batch::new(), &it.id, message("undone"));
    let fails = fails.require("DELETE FROM queue_queues WHERE id = $1", vec!["none".into()], 1);
    assert!(it.queues.database.write(fails).await.is_err());
    let batch = it.queues.send_within(Batch::new(), &it.id, message("done"));
    it.queues.database.write(batch).await.unwrap();
    assert_eq!(bodies(&receivers.join_next().await.unwrap().unwrap()), ["done"]);
}

#[tokio::test]
async fn an_outbox_keeps_groups_and_deduplicates() {
    let it = Fixture::new(&QueueSettings::fifo()).await;
    let of = |body: &str| NewMessage {
        group: Some("g".into()),
        ..message(body)
    };
    let batch = ["one", "two", "one"].iter().fold(Batch::new(), |batch, body| {
        it.queues.send_within(batch, &it.id, of(body))
    });
    it.queues.database.write(batch).await.unwrap();
    let again = it.queues.send_within(Batch::new(), &it.id, of("two"));
    it.queues.database.write(again).await.unwrap();
    assert_eq!(bodies(&it.receive(10).await), ["one", "two"]);
    assert!(it.receive(10).await.is_empty());
}

#[tokio::test]
async fn the_end_of_a_delay_and_of_a_lease_wake() {
    let it = Fixture::new(&QueueSettings::standard()).await;
    let mut receivers = JoinSet::new();
    wait(&it, &mut receivers);
    wait(&it, &mut receivers);
    seated(&it, 2).await;
    let delayed = NewMessage {
        delay: Some(MINUTE),
        ..message("late")
    };
    it.queues.send(&it.id, vec![delayed]).await.unwrap();
    it.pass(MINUTE);
    let first = receivers.join_next().await.unwrap().unwrap();
    assert_eq!(bodies(&first), ["late"]);
    it.pass(MINUTE);
    let again = receivers.join_next().await.unwrap().unwrap();
    assert_eq!(again[0].receives, 2);
}

/// Holds the writer until the sender is dropped; the receiver hears when it holds.
fn hold_writer(it: &Fixture, jobs: &mut JoinSet<()>) -> (mpsc::Sender<()>, oneshot::Receiver<()>) {
    let (release, released) = mpsc::channel::<()>();
    let (holds, held) = oneshot::channel();
    let queues = it.queues.clone();
    let holds = Mutex::new(Some(holds));
    let released = Mutex::new(released);
    let hold = move |_: &Transaction<'_>, _: &mut Wakes| {
        let holds = holds.lock().unwrap().take();
        holds.unwrap().send(()).unwrap();
        released.lock().unwrap().recv().unwrap_err();
        Ok(())
    };
    jobs.spawn(async move { queues.transact(hold).await.unwrap() });
    (release, held)
}

#[tokio::test]
async fn who_leaves_while_it_looks_passes_the_wake_up_on() {
    let it = Fixture::new(&QueueSettings::standard()).await;
    if matches!(it.queues.database.backend(), Backend::Postgres(_)) {
        return; // There is no one writer to hold.
    }
    let (mut leaving, mut staying, mut jobs) = (JoinSet::new(), JoinSet::new(), JoinSet::new());
    wait(&it, &mut leaving);
    seated(&it, 1).await;
    wait(&it, &mut staying);
    seated(&it, 2).await;
    let (release_first, first_holds) = hold_writer(&it, &mut jobs);
    first_holds.await.unwrap();
    let (queues, id) = (it.queues.clone(), it.id.clone());
    jobs.spawn(async move { drop(queues.send(&id, vec![message("one")]).await.unwrap()) });
    tokio::task::yield_now().await;
    let (release, holds) = hold_writer(&it, &mut jobs);
    tokio::task::yield_now().await;
    drop(release_first);
    holds.await.unwrap();
    // The send ran and woke the first in line, who looks now; the look stands behind the hold.
    for _ in 0..10 {
        tokio::task::yield_now().await;
    }
    leaving.shutdown().await;
    drop(release);
    assert_eq!(bodies(&staying.join_next().await.unwrap().unwrap()), ["one"]);
}

#[tokio::test]
async fn an_ack_wakes_who_waits_for_the_group() {
    let it = Fixture::new(&QueueSettings::fifo()).await;
    let of = |body: &str| NewMessage {
        group: Some("g".into()),
        deduplication_id: Some(body.into()),
        ..message(body)
    };
    it.queues.send(&it.id, vec![of("one"), of("two")]).await.unwrap();
    let first = it.receive(1).await;
    let mut receivers = JoinSet::new();
    wait(&it, &mut receivers);
    seated(&it, 1).await;
    it.ack(&first[0]).await;
    assert_eq!(bodies(&receivers.join_next().await.unwrap().unwrap()), ["two"]);
}

/// The receiver sleeps for as long as the delay was when it looked; that the clock leaps wakes it nevertheless.
#[tokio::test]
async fn a_clock_that_is_set_forward_is_noticed() {
    let it = Fixture::new(&QueueSettings::standard()).await;
    it.queues
        .send(
            &it.id,
            vec![NewMessage {
                delay: Some(10 * MINUTE),
                ..message("late")
            }],
        )
        .await
        .unwrap();
    let mut receivers = JoinSet::new();
    wait(&it, &mut receivers);
    seated(&it, 1).await;
    let (keeper, stop) = (it.queues.clone(), CancellationToken::new());
    let stopped = stop.clone();
    receivers.spawn(async move {
        keeper.run(stopped).await;
        Vec::new()
    });
    it.clock.advance_millis(3_600_000);
    assert_eq!(bodies(&receivers.join_next().await.unwrap().unwrap()), ["late"]);
    stop.cancel();
}
