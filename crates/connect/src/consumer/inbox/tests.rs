use proptest::prelude::*;

use super::*;

const ALL: Bounds = Bounds {
    records: 10_000,
    bytes: usize::MAX,
};

fn inbox(partitions: i32) -> (Arc<Inbox<i64>>, Instant) {
    let inbox = Arc::new(Inbox::new());
    inbox.assign(0..partitions);
    (inbox, Instant::now())
}

fn offsets(parts: &[Part<i64>]) -> Vec<(i32, Vec<i64>)> {
    let of = |part: &Part<i64>| {
        (
            part.claim.partition(),
            part.items.iter().map(|item| item.value).collect(),
        )
    };
    parts.iter().map(of).collect()
}

#[test]
fn a_partition_is_in_one_batch_at_a_time() {
    let (inbox, now) = inbox(2);
    inbox.push(0, 0, Some((0, 1)), now);
    let first = inbox.take(ALL, 1, now);
    inbox.push(0, 1, Some((1, 1)), now);
    inbox.push(1, 7, Some((7, 1)), now);
    assert_eq!(inbox.waiting().records, 1);
    let second = inbox.take(ALL, 1, now);
    assert_eq!(offsets(&second), [(1, vec![7])]);
    assert!(inbox.take(ALL, 1, now).is_empty());
    let mut first = first;
    first[0].claim.settle(1);
    drop(first);
    assert_eq!(offsets(&inbox.take(ALL, 1, now)), [(0, vec![1])]);
    assert_eq!(inbox.take_settled(), [(0, 1)]);
}

#[test]
fn batches_share_partitions_and_take_turns() {
    let (inbox, now) = inbox(4);
    for partition in 0..4 {
        for offset in 0..5 {
            inbox.push(partition, offset, Some((offset, 1)), now);
        }
    }
    let of = |parts: &[Part<i64>]| {
        parts
            .iter()
            .map(|part| part.claim.partition())
            .collect::<Vec<_>>()
    };
    let (first, second) = (inbox.take(ALL, 2, now), inbox.take(ALL, 1, now));
    assert_eq!((of(&first), of(&second)), (vec![0, 1], vec![2, 3]));
    drop((first, second));
    let (inbox, now) = super::tests::inbox(3);
    for partition in 0..3 {
        for offset in 0..9 {
            inbox.push(partition, offset, Some((offset, 1)), now);
        }
    }
    let small = Bounds { records: 3, ..ALL };
    let turns: Vec<_> = (0..6)
        .map(|_| {
            let mut parts = inbox.take(small, 1, now);
            let end = parts[0].items.last().unwrap().next;
            parts[0].claim.settle(end);
            (parts[0].claim.partition(), end)
        })
        .collect();
    assert_eq!(turns, [(0, 3), (1, 3), (2, 3), (0, 6), (1, 6), (2, 6)]);
}

#[test]
fn a_batch_has_at_least_a_record_and_at_most_its_bytes() {
    let (inbox, now) = inbox(1);
    for (offset, bytes) in [(0, 9), (1, 2), (2, 2), (3, 2)] {
        inbox.push(0, offset, Some((offset, bytes)), now);
    }
    let bounds = Bounds {
        records: 10,
        bytes: 5,
    };
    for expected in [vec![0], vec![1, 2], vec![3]] {
        let mut parts = inbox.take(bounds, 1, now);
        assert_eq!(offsets(&parts), [(0, expected)]);
        let end = parts[0].items.last().unwrap().next;
        parts[0].claim.settle(end);
    }
}

#[test]
fn what_nobody_wants_is_settled_with_what_comes_before_it() {
    let (inbox, now) = inbox(1);
    let has_attention = inbox.push(0, 0, None, now);
    assert!(!has_attention, "it is not committed by itself");
    assert_eq!(inbox.take_settled(), [(0, 1)]);
    inbox.push(0, 1, Some((1, 1)), now);
    inbox.push(0, 2, None, now);
    let mut parts = inbox.take(ALL, 1, now);
    inbox.push(0, 3, None, now);
    assert_eq!(inbox.take_settled(), [], "the record before it is not done");
    assert_eq!(parts[0].items[0].next, 3);
    parts[0].claim.settle(3);
    assert_eq!(inbox.take_settled(), [(0, 4)]);
}

#[test]
fn a_batch_that_is_given_up_comes_again() {
    let (inbox, now) = inbox(1);
    for offset in 0..4 {
        inbox.push(0, offset, Some((offset, 1)), now);
    }
    let mut parts = inbox.take(Bounds { records: 3, ..ALL }, 1, now);
    parts[0].claim.settle(1);
    drop(parts);
    assert_eq!(inbox.step(now), Step::Rewind(0, 1));
    inbox.push(0, 4, Some((4, 1)), now);
    assert!(inbox.take(ALL, 1, now).is_empty(), "nothing overtakes it");
    inbox.rewound(0);
    inbox.push(0, 1, Some((1, 1)), now);
    assert_eq!(offsets(&inbox.take(ALL, 1, now)), [(0, vec![1])]);
}

fn settle(mut parts: Vec<Part<i64>>, next: i64) {
    parts[0].claim.settle(next);
}

#[test]
fn a_slow_partition_is_paused_and_the_others_are_not() {
    let (inbox, now) = inbox(2);
    let most = i64::try_from(LEAST_RECORDS).unwrap();
    for offset in 0..most {
        let is_last = offset == most - 1;
        assert_eq!(inbox.push(0, offset, Some((offset, 1)), now), is_last);
    }
    assert_eq!(inbox.step(now), Step::Rest(GRACE));
    assert!(inbox.waiting().full);
    assert_eq!(inbox.step(now + GRACE), Step::Pause(vec![0]));
    inbox.paused(&[0], true);
    assert_eq!(inbox.step(now + GRACE), Step::Poll);
    settle(inbox.take(Bounds { records: 400, ..ALL }, 1, now), 400);
    assert_eq!(
        inbox.step(now + GRACE),
        Step::Poll,
        "not before half of it is gone"
    );
    settle(inbox.take(Bounds { records: 400, ..ALL }, 1, now), 800);
    assert_eq!(inbox.step(now + GRACE), Step::Resume(vec![0]));
}

/// Fetches records of this size as the thread does, of all partitions in turn, until nothing more comes.
fn fill(inbox: &Inbox<i64>, partitions: i32, bytes: usize, now: Instant) {
    let mut paused = std::collections::BTreeSet::new();
    let fetches = (0..10).flat_map(|offset| (0..partitions).map(move |partition| (partition, offset)));
    for (partition, offset) in fetches {
        loop {
            match inbox.step(now + GRACE) {
                Step::Pause(which) => {
                    inbox.paused(&which, true);
                    paused.extend(which);
                }
                Step::Resume(which) => {
                    inbox.paused(&which, false);
                    paused.retain(|partition| !which.contains(partition));
                }
                _ => break,
            }
        }
        if !paused.contains(&partition) {
            inbox.push(partition, offset, Some((offset, bytes)), now);
        }
    }
}

#[test]
fn all_partitions_together_hold_no_more_than_they_may() {
    const LARGE: usize = 7 * 1024 * 1024;
    let (inbox, now) = inbox(100);
    fill(&inbox, 100, LARGE, now);
    assert!(inbox.waiting().bytes < MOST_BYTES + LARGE);
    assert!(inbox.waiting().full, "a batch is made of what there is");
    // batches that fail hold the first ones up, not the others
    let failing = inbox.take(ALL, 1, now);
    assert_eq!(failing.len(), 3);
    fill(&inbox, 100, LARGE, now);
    let others = inbox.take(ALL, 1, now);
    assert!(!others.is_empty());
    drop((failing, others));
    for partition in 0..100 {
        inbox.rewound(partition);
    }
    fill(&inbox, 100, LARGE, now);
    assert!(inbox.waiting().bytes < MOST_BYTES + LARGE);
    assert!(inbox.waiting().records >= 3, "it goes on");
}

#[test]
fn a_commit_that_failed_does_not_undo_a_later_one() {
    let (inbox, now) = inbox(1);
    inbox.push(0, 0, None, now);
    assert_eq!(inbox.take_settled(), [(0, 1)]);
    inbox.unsettled(0, 1);
    assert_eq!(inbox.take_settled(), [(0, 1)], "it is tried again");
    inbox.push(0, 1, None, now);
    assert_eq!(inbox.take_settled(), [(0, 2)]);
    inbox.unsettled(0, 1);
    assert_eq!(inbox.take_settled(), [], "it may be committed, and would go back");
    inbox.assign([0]);
    inbox.unsettled(0, 2);
    assert_eq!(inbox.take_settled(), [], "it is of an earlier assignment");
}

#[test]
fn a_claim_of_an_earlier_assignment_is_void() {
    let (inbox, now) = inbox(1);
    inbox.push(0, 0, Some((0, 1)), now);
    let mut parts = inbox.take(ALL, 1, now);
    assert_eq!(inbox.revoke(&[0], Duration::ZERO), []);
    inbox.assign([0]);
    inbox.push(0, 0, Some((0, 1)), now);
    parts[0].claim.settle(1);
    drop(parts);
    assert_eq!(inbox.take_settled(), []);
    assert_eq!(offsets(&inbox.take(ALL, 1, now)), [(0, vec![0])]);
}

#[tokio::test]
async fn who_has_a_claim_is_told_that_it_is_void() {
    let (inbox, now) = inbox(2);
    inbox.push(0, 0, Some((0, 1)), now);
    inbox.push(1, 0, Some((0, 1)), now);
    let parts = inbox.take(ALL, 1, now);
    let (revoked, kept) = (&parts[0].claim, &parts[1].claim);
    assert!(revoked.is_valid() && kept.is_valid());
    let group = async {
        inbox.revoke(&[0], Duration::ZERO);
        inbox.assign([0]);
    };
    tokio::join!(revoked.void(), group);
    assert!(!revoked.is_valid(), "that it came back does not help");
    assert!(kept.is_valid());
}

#[test]
fn a_revoked_partition_waits_for_its_batch() {
    let (inbox, now) = inbox(1);
    inbox.push(0, 0, Some((0, 1)), now);
    let mut parts = inbox.take(ALL, 1, now);
    let waiting = Arc::clone(&inbox);
    let revoked = std::thread::spawn(move || waiting.revoke(&[0], Duration::from_secs(60)));
    parts[0].claim.settle(1);
    drop(parts);
    assert_eq!(revoked.join().unwrap(), [(0, 1)]);
}

#[derive(Clone, Debug)]
enum Act {
    /// The client brings this many records of a partition.
    Fetch(i32, usize),
    /// A batch of this size is made; this many of its records are settled, and it ends.
    Batch(usize, usize),
    /// The thread does what it is to do.
    Serve,
    /// The group takes all partitions away and gives them back.
    Rebalance,
}

fn act() -> impl Strategy<Value = Act> {
    prop_oneof![
        (0..3, 1..6_usize).prop_map(|(partition, records)| Act::Fetch(partition, records)),
        (1..8_usize, 0..10_usize).prop_map(|(size, settled)| Act::Batch(size, settled)),
        Just(Act::Serve),
        Just(Act::Rebalance),
    ]
}

/// A log of records of which every third is wanted by nobody, and what became of it.
#[derive(Default)]
struct Log {
    fetched: [i64; 3],
    committed: [i64; 3],
    done: [Vec<i64>; 3],
}

fn wanted(offset: i64) -> Option<(i64, usize)> {
    (offset % 3 != 1).then_some((offset, 1))
}

proptest! {
    #[test]
    fn nothing_is_skipped_and_order_holds(acts in proptest::collection::vec(act(), 1..60)) {
        let (inbox, now) = inbox(3);
        let mut log = Log::default();
        for act in acts {
            match act {
                Act::Fetch(partition, records) => for _ in 0..records {
                    let next = &mut log.fetched[usize::try_from(partition).unwrap()];
                    inbox.push(partition, *next, wanted(*next), now);
                    *next += 1;
                },
                Act::Batch(records, settled) => {
                    let mut left = settled;
                    for mut part in inbox.take(Bounds { records, ..ALL }, 1, now) {
                        let done = &mut log.done[usize::try_from(part.claim.partition()).unwrap()];
                        for item in part.items.iter().take(left) {
                            done.push(item.offset);
                            part.claim.settle(item.next);
                        }
                        left = left.saturating_sub(part.items.len());
                    }
                }
                Act::Serve => {
                    while let Step::Rewind(partition, offset) = inbox.step(now) {
                        log.fetched[usize::try_from(partition).unwrap()] = offset;
                        inbox.rewound(partition);
                    }
                }
                Act::Rebalance => {
                    commit(&mut log, inbox.take_settled());
                    commit(&mut log, inbox.revoke(&[0, 1, 2], Duration::ZERO));
                    inbox.assign(0..3);
                    log.fetched = log.committed;
                }
            }
            commit(&mut log, inbox.take_settled());
        }
        for partition in 0..3 {
            let mut expected = (0..log.committed[partition]).filter(|offset| wanted(*offset).is_some());
            let done = &log.done[partition];
            // in order, and again only from where it was given up
            prop_assert!(done.windows(2).all(|pair| pair[0] < pair[1]), "{done:?}");
            prop_assert!(expected.all(|offset| done.contains(&offset)), "{:?} {done:?}", log.committed);
        }
    }
}

fn commit(log: &mut Log, settled: Vec<(i32, i64)>) {
    for (partition, next) in settled {
        let committed = &mut log.committed[usize::try_from(partition).unwrap()];
        assert!(next >= *committed, "a commit never goes back");
        *committed = next;
    }
}
