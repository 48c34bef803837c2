//! Rates: of one lane, and shared.

use super::*;

async fn is_pending(future: impl Future + Unpin) -> bool {
    tokio::time::timeout(Duration::ZERO, future).await.is_err()
}

#[tokio::test]
async fn no_more_begin_in_a_second_than_the_lane_allows() {
    let mut world = World::new().await;
    let limited = LaneSettings {
        rate: Some(Rate::own(1)),
        ..settings()
    };
    world.deliveries.open(&lane("shop"), limited).await.unwrap();
    world.open("other").await;
    world.owe("shop", "one").await;
    world.attempt().await;
    world.owe("shop", "two").await;
    for _ in 0..10 {
        world.owe("other", "a few steps of the worker later").await;
        assert_eq!(world.attempt().await.lane, lane("other"));
    }
    world.pass(1);
    assert_eq!(&*world.attempt().await.payload, b"two");
}

/// Many more than a rate allows within the deliverer's time limit.
#[tokio::test]
async fn who_shares_a_rate_takes_turns_and_uses_no_attempts_up() {
    let mut world = World::new().await;
    let limited = LaneSettings {
        rate: Some(Rate::shared(1, "endpoint")),
        ..settings()
    };
    for name in ["a", "b"] {
        world.deliveries.open(&lane(name), limited.clone()).await.unwrap();
        for number in 0..40 {
            world.owe(name, &format!("{name} {number:02}")).await;
        }
    }
    world.open("free").await;
    let mut got: BTreeMap<String, Vec<Delivery>> = BTreeMap::new();
    for second in 0..80 {
        let delivery = world.attempt().await;
        let of = got.entry(delivery.lane.key().to_owned()).or_default();
        of.push(delivery);
        let (a, b) = (got.get("a").map_or(0, Vec::len), got.get("b").map_or(0, Vec::len));
        // the first waits for its second turn before the other asks
        assert!(a.abs_diff(b) <= 2, "after {second}: {a} and {b}");
        world.owe("free", "is not held up").await;
        assert_eq!(world.attempt().await.lane, lane("free"));
        assert!(world.attempts.try_recv().is_err(), "two within a second");
        world.pass(1);
    }
    for (name, got) in got {
        let in_order = (0..40).map(|number| format!("{name} {number:02}"));
        assert!(
            got.iter()
                .map(|one| one.payload.to_vec())
                .eq(in_order.map(String::into_bytes))
        );
        assert!(got.iter().all(|one| one.attempt == 1), "{name}");
    }
}

#[tokio::test]
async fn a_caller_waits_for_its_turn_in_the_line_of_the_lanes() {
    let mut world = World::new().await;
    let rate = Rate::shared(1, "endpoint");
    let limited = LaneSettings {
        rate: Some(rate.clone()),
        ..settings()
    };
    world.deliveries.open(&lane("a"), limited).await.unwrap();
    for number in 0..3 {
        world.owe("a", &number.to_string()).await;
    }
    world.attempt().await;
    let deliveries = world.deliveries.clone();
    let given_up = tokio::time::timeout(Duration::ZERO, deliveries.turn(&rate)).await;
    assert!(given_up.is_err(), "the second is taken");
    let mut turn = std::pin::pin!(deliveries.turn(&rate));
    assert!(is_pending(&mut turn).await);
    world.pass(1);
    world.attempt().await;
    assert!(is_pending(&mut turn).await, "the lane was before");
    world.pass(1);
    assert_eq!(turn.await, Ok(()));
    world.pass(1);
    assert_eq!(&*world.attempt().await.payload, b"2");
    world.running.shutdown().await;
}

#[tokio::test]
async fn who_waits_for_a_turn_learns_that_there_are_none_any_more() {
    let mut world = World::new().await;
    let stop = CancellationToken::new();
    world.running.shutdown().await;
    let (deliveries, stopped) = (world.deliveries.clone(), stop.clone());
    let rate = Rate::shared(1, "endpoint");
    world.running.spawn(async move { deliveries.run(stopped).await });
    assert_eq!(world.deliveries.turn(&rate).await, Ok(()));
    let mut waits = std::pin::pin!(world.deliveries.turn(&rate));
    assert!(is_pending(&mut waits).await);
    stop.cancel();
    assert_eq!(waits.await, Err(Stopped));
    assert_eq!(world.deliveries.turn(&rate).await, Err(Stopped));
}
