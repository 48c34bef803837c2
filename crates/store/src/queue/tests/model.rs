//! Random operations against a model of a queue: nothing is lost, nothing is seen twice inside its lease,
//! groups keep their order and wait for each other, duplicates are recognised in their window.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use proptest::prelude::*;

use super::super::{
    DeadLetter, DeduplicationScope, NewMessage, QueueId, QueueSettings, Receipt, Received, Settled,
};
use super::{Fixture, NO_WAIT, message};

const MAX_RECEIVES: u32 = 3;
const WINDOW_MS: i64 = 5 * 60 * 1000;

#[derive(Clone, Debug)]
enum Op {
    Send {
        group: u8,
        deduplication_id: u8,
        delay_s: u64,
    },
    SendWithin {
        group: u8,
        deduplication_id: u8,
    },
    Receive {
        max: usize,
        lease_s: u64,
    },
    Ack {
        receipt: prop::sample::Index,
    },
    Change {
        receipt: prop::sample::Index,
        seconds: u64,
    },
    Advance {
        seconds: u64,
    },
    Keep,
    Purge,
}

fn op() -> impl Strategy<Value = Op> {
    let index = || any::<prop::sample::Index>();
    prop_oneof![
        8 => (0..3_u8, 0..12_u8, 0..90_u64)
            .prop_map(|(group, deduplication_id, delay_s)| Op::Send { group, deduplication_id, delay_s: delay_s.saturating_sub(60) }),
        2 => (0..3_u8, 0..12_u8).prop_map(|(group, deduplication_id)| Op::SendWithin { group, deduplication_id }),
        8 => (1..12_usize, 0..60_u64).prop_map(|(max, lease_s)| Op::Receive { max, lease_s }),
        6 => index().prop_map(|receipt| Op::Ack { receipt }),
        4 => (index(), 0..60_u64).prop_map(|(receipt, seconds)| Op::Change { receipt, seconds: seconds.saturating_sub(20) }),
        4 => (1..40_u64).prop_map(|seconds| Op::Advance { seconds }),
        1 => (100..301_u64).prop_map(|seconds| Op::Advance { seconds }),
        2 => Just(Op::Keep),
        1 => Just(Op::Purge),
    ]
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Place {
    Queue,
    Dead,
    Gone,
}

#[derive(Clone, Debug)]
struct Known {
    group: u8,
    sequence: u64,
    visible_at: i64,
    receives: u32,
    place: Place,
}

/// What must be in the queue. A message is known by its body, a number.
struct Model {
    it: Fixture,
    dead: QueueId,
    settings: QueueSettings,
    messages: Vec<Known>,
    windows: HashMap<(u8, u8), (i64, usize)>,
    receipts: Vec<(Receipt, usize)>,
}

fn settings(fifo: bool, by_group: bool, dead: &QueueId) -> QueueSettings {
    let scope = if by_group {
        DeduplicationScope::Group
    } else {
        DeduplicationScope::Queue
    };
    QueueSettings {
        fifo,
        deduplication_scope: scope,
        dead_letter: (!fifo).then(|| DeadLetter {
            queue: dead.clone(),
            max_receives: MAX_RECEIVES,
        }),
        ..QueueSettings::standard()
    }
}

impl Model {
    async fn new(fifo: bool, by_group: bool) -> Self {
        let dead = QueueId::new("arn:aws:sqs:us-east-1:000000000000:dead");
        let settings = settings(fifo, by_group, &dead);
        let it = Fixture::new(&settings).await;
        it.queues.create(&dead, &QueueSettings::standard()).await.unwrap();
        Self {
            it,
            dead,
            settings,
            messages: Vec::new(),
            windows: HashMap::new(),
            receipts: Vec::new(),
        }
    }

    fn now(&self) -> i64 {
        self.it.clock.now().as_millis()
    }

    async fn run(&mut self, op: Op) {
        match op {
            Op::Send {
                group,
                deduplication_id,
                delay_s,
            } => self.send(group, deduplication_id, delay_s).await,
            Op::SendWithin {
                group,
                deduplication_id,
            } => self.send_within(group, deduplication_id).await,
            Op::Receive { max, lease_s } => self.receive(max, lease_s).await,
            Op::Ack { receipt } => self.ack(receipt).await,
            Op::Change { receipt, seconds } => self.change(receipt, seconds).await,
            Op::Advance { seconds } => self.it.pass(Duration::from_secs(seconds)),
            Op::Keep => drop(self.it.queues.keep().await.unwrap()),
            Op::Purge => self.purge().await,
        }
    }

    fn draft(&self, group: u8, deduplication_id: u8) -> NewMessage {
        NewMessage {
            group: self.settings.fifo.then(|| group.to_string()),
            deduplication_id: self.settings.fifo.then(|| deduplication_id.to_string()),
            ..message(&self.messages.len().to_string())
        }
    }

    /// The message of which this one is a duplicate.
    fn duplicate_of(&self, group: u8, deduplication_id: u8) -> Option<usize> {
        let found = self.windows.get(&self.key(group, deduplication_id));
        found
            .filter(|(expires_at, _)| *expires_at > self.now())
            .map(|(_, index)| *index)
    }

    fn key(&self, group: u8, deduplication_id: u8) -> (u8, u8) {
        match self.settings.deduplication_scope {
            DeduplicationScope::Queue => (0, deduplication_id),
            DeduplicationScope::Group => (group, deduplication_id),
        }
    }

    fn note_sent(&mut self, group: u8, deduplication_id: u8, sequence: u64, delay_s: u64) {
        if self.settings.fifo {
            let window = (self.now() + WINDOW_MS, self.messages.len());
            self.windows.insert(self.key(group, deduplication_id), window);
        }
        self.messages.push(Known {
            group,
            sequence,
            visible_at: self.now() + delay_s.cast_signed() * 1000,
            receives: 0,
            place: Place::Queue,
        });
    }

    async fn send(&mut self, group: u8, deduplication_id: u8, delay_s: u64) {
        let delay_s = if self.settings.fifo { 0 } else { delay_s };
        let draft = NewMessage {
            delay: (delay_s > 0).then(|| Duration::from_secs(delay_s)),
            ..self.draft(group, deduplication_id)
        };
        let sent = self.it.queues.send(&self.it.id, vec![draft]).await.unwrap()[0];
        match self.duplicate_of(group, deduplication_id) {
            Some(first) => {
                assert!(sent.duplicate, "not recognised as a duplicate");
                assert_eq!(sent.sequence, self.messages[first].sequence);
            }
            None => {
                assert!(!sent.duplicate, "no duplicate");
                self.note_sent(group, deduplication_id, sent.sequence, delay_s);
            }
        }
    }

    async fn send_within(&mut self, group: u8, deduplication_id: u8) {
        let draft = self.draft(group, deduplication_id);
        let batch = self
            .it
            .queues
            .send_within(crate::Batch::new(), &self.it.id, draft);
        self.it.queues.database.write(batch).await.unwrap();
        if self.duplicate_of(group, deduplication_id).is_none() {
            let newest = "SELECT MAX(sequence) FROM queue_messages";
            let rows = self.it.queues.database.read(newest, vec![]).await.unwrap();
            let sequence = rows[0].integer(0).unwrap().cast_unsigned();
            self.note_sent(group, deduplication_id, sequence, 0);
        }
    }

    async fn receive(&mut self, max: usize, lease_s: u64) {
        let lease = Duration::from_secs(lease_s);
        let got = self
            .it
            .queues
            .receive(&self.it.id, max, lease, NO_WAIT)
            .await
            .unwrap();
        let expected = if self.settings.fifo {
            self.available_in_groups(max)
        } else {
            self.available(max)
        };
        assert_eq!(got.len(), expected, "as many as there are");
        let blocked: Vec<bool> = (0..3).map(|group| self.is_blocked(group)).collect();
        let mut before = Vec::new();
        for message in &got {
            before.push(self.check_received(message, &blocked, &before, lease_s));
        }
    }

    fn check_received(
        &mut self,
        message: &Received,
        blocked: &[bool],
        before: &[usize],
        lease_s: u64,
    ) -> usize {
        let index: usize = std::str::from_utf8(&message.body).unwrap().parse().unwrap();
        let now = self.now();
        let known = self.messages[index].clone();
        assert_eq!(known.place, Place::Queue, "what is gone stays gone");
        assert!(known.visible_at <= now, "seen inside its lease or delay");
        assert_eq!(message.receives, known.receives + 1);
        assert_eq!(message.sequence, known.sequence);
        if self.settings.fifo {
            assert!(!blocked[usize::from(known.group)], "its group was blocked");
            let mut earlier = self.live(known.group).take_while(|(other, _)| *other != index);
            assert!(earlier.all(|(other, _)| before.contains(&other)), "out of order");
        }
        let known = &mut self.messages[index];
        known.receives += 1;
        known.visible_at = now + lease_s.cast_signed() * 1000;
        self.receipts.push((message.receipt, index));
        index
    }

    fn live(&self, group: u8) -> impl Iterator<Item = (usize, &Known)> {
        let all = self.messages.iter().enumerate();
        all.filter(move |(_, known)| known.group == group && known.place == Place::Queue)
    }

    fn is_blocked(&self, group: u8) -> bool {
        let now = self.now();
        self.live(group).any(|(_, known)| known.is_leased(now))
    }

    fn available_in_groups(&self, max: usize) -> usize {
        let now = self.now();
        let free = (0..3).filter(|group| !self.is_blocked(*group));
        let ready = free.map(|group| {
            self.live(group)
                .take_while(|(_, known)| known.visible_at <= now)
                .count()
        });
        ready.map(|count| count.min(10)).sum::<usize>().min(max)
    }

    /// Buries on the way what was received too often, as far as the receive gets.
    fn available(&mut self, max: usize) -> usize {
        let now = self.now();
        let mut ready: Vec<_> = self.messages.iter_mut().collect();
        ready.retain(|known| known.place == Place::Queue && known.visible_at <= now);
        ready.sort_by_key(|known| (known.visible_at, known.receives, known.sequence));
        let mut count = 0;
        for known in ready {
            if count == max {
                break;
            }
            match known.receives < MAX_RECEIVES {
                true => count += 1,
                false => known.place = Place::Dead,
            }
        }
        count
    }

    fn expected_settlement(&self, receipt: Receipt, index: usize, ack: bool) -> Settled {
        let known = &self.messages[index];
        let late_ack = ack && !self.settings.fifo;
        match known.place {
            Place::Gone => Settled::Gone,
            Place::Dead => Settled::Stale,
            Place::Queue if known.receives != receipt.receives => Settled::Stale,
            Place::Queue if known.visible_at <= self.now() && !late_ack => Settled::Expired,
            Place::Queue => Settled::Done,
        }
    }

    async fn ack(&mut self, receipt: prop::sample::Index) {
        if self.receipts.is_empty() {
            return;
        }
        let (receipt, index) = *receipt.get(&self.receipts);
        let settled = self.it.queues.ack(&self.it.id, &[receipt]).await.unwrap()[0];
        let expected = self.expected_settlement(receipt, index, true);
        assert_eq!(settled.or_purged(), expected.or_purged());
        if settled == Settled::Done {
            self.messages[index].place = Place::Gone;
        }
    }

    async fn change(&mut self, receipt: prop::sample::Index, seconds: u64) {
        if self.receipts.is_empty() {
            return;
        }
        let (receipt, index) = *receipt.get(&self.receipts);
        let change = [(receipt, Duration::from_secs(seconds))];
        let settled = self.it.queues.extend(&self.it.id, &change).await.unwrap()[0];
        let expected = self.expected_settlement(receipt, index, false);
        assert_eq!(settled.or_purged(), expected.or_purged());
        if settled == Settled::Done {
            self.messages[index].visible_at = self.now() + seconds.cast_signed() * 1000;
        }
    }

    async fn purge(&mut self) {
        self.it.queues.purge(&self.it.id).await.unwrap();
        let here = self
            .messages
            .iter_mut()
            .filter(|known| known.place == Place::Queue);
        here.for_each(|known| known.place = Place::Gone);
    }

    /// Takes all that is left: exactly what was sent and not acked.
    async fn settle_accounts(mut self) {
        let depth = self.it.queues.depth(&self.it.id).await.unwrap();
        let here = self
            .messages
            .iter()
            .filter(|known| known.place == Place::Queue)
            .count();
        assert_eq!(depth.ready + depth.delayed + depth.leased, here as u64);
        let mut last = BTreeMap::new();
        while self.messages.iter().any(|known| known.place == Place::Queue) {
            self.it.pass(Duration::from_secs(120));
            self.receive(10, 30).await;
            let got = std::mem::take(&mut self.receipts);
            for (receipt, index) in got {
                let settled = self.it.queues.ack(&self.it.id, &[receipt]).await.unwrap()[0];
                if settled == Settled::Done {
                    self.messages[index].place = Place::Gone;
                    let known = &self.messages[index];
                    let before = last.insert(known.group, known.sequence);
                    assert!(
                        !self.settings.fifo || before < Some(known.sequence),
                        "out of order"
                    );
                }
            }
        }
        let dead = self
            .messages
            .iter()
            .filter(|known| known.place == Place::Dead)
            .count();
        assert_eq!(self.it.queues.depth(&self.dead).await.unwrap().ready, dead as u64);
    }
}

impl Known {
    fn is_leased(&self, now: i64) -> bool {
        self.receives > 0 && self.visible_at > now
    }
}

trait OrPurged {
    fn or_purged(self) -> Settled;
}

impl OrPurged for Settled {
    /// What a purge took may be swept by now or not.
    fn or_purged(self) -> Settled {
        if self == Settled::Stale {
            Settled::Gone
        } else {
            self
        }
    }
}

fn check(fifo: bool, by_group: bool, ops: Vec<Op>) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        let mut model = Model::new(fifo, by_group).await;
        for op in ops {
            model.run(op).await;
        }
        model.settle_accounts().await;
    });
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn a_standard_queue_does_what_its_model_does(ops in prop::collection::vec(op(), 1..80)) {
        check(false, false, ops);
    }

    #[test]
    fn a_fifo_queue_does_what_its_model_does(by_group: bool, ops in prop::collection::vec(op(), 1..80)) {
        check(true, by_group, ops);
    }
}
