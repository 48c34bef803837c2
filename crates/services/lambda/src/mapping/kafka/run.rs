//! One batch of a topic: invoked, retried in place, taken apart, given up; its offsets settled as it goes.
//!
//! A batch is worked off from a stack of pieces. At first it is one piece; a failure may leave a part of it, or two
//! halves, of which the first is next: so order within a partition holds whatever becomes of it.
//!
//! The records of a partition that the group took away meanwhile are dropped before the next try: another batch, here
//! or on another node, has them by then.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tokio_util::sync::CancellationToken;
use tradewind_compute::{InvokeError, InvokeRequest, InvokeResponse};
use tradewind_connect::consumer::{Claim, Part};
use tradewind_events::Trace;
use tradewind_model::RequestId;

use super::super::model::Mapping;
use super::super::poller::{Place, Shared};
use super::super::worker::Invocable;
use super::event::{Envelope, KafkaRecord};
use super::failure::{Condition, GivenUp, LastTry};
use super::producer::MappingProducer;
use super::response::{Verdict, verdict};
use crate::journey::{self, Begun};

/// The first wait after a throttle or a failure; it doubles.
const FIRST_WAIT: Duration = Duration::from_millis(100);
/// The longest wait after a throttle.
const LONGEST_WAIT: Duration = Duration::from_secs(5);
/// The longest wait between the tries of records that fail.
const LONGEST_RETRY_WAIT: Duration = Duration::from_secs(30);
/// Retries of records that have somewhere to go when they are given up, if nothing is said of retries.
const RETRIES_WITH_DESTINATION: u32 = 10;

/// How batches of a mapping are run, as mapping and function are now.
#[derive(Debug)]
pub(super) struct KafkaPlan {
    pub(super) mapping: Arc<Mapping>,
    pub(super) function: Invocable,
    pub(super) envelope: Envelope,
    pub(super) producer: Arc<MappingProducer>,
    /// Batches that may run.
    pub(super) cap: u32,
}

/// See the module.
#[derive(Debug)]
pub(super) struct KafkaRun {
    shared: Arc<Shared>,
    plan: Arc<KafkaPlan>,
    claims: BTreeMap<i32, Claim<KafkaRecord>>,
    /// Cancelled when it is to wait no longer.
    patience: CancellationToken,
    place: Place,
}

/// A part of a batch.
#[derive(Clone, Debug, Default)]
pub(super) struct Piece {
    pub(super) records: Vec<KafkaRecord>,
    /// Where its partitions go on after it.
    pub(super) ends: BTreeMap<i32, i64>,
    /// Failures that count.
    pub(super) failures: u32,
    invocations: u32,
    last: LastTry,
}

/// How an invocation went.
enum Outcome {
    Answered(Bytes),
    Failed,
    TooLarge,
    /// Its partitions were taken away before it ran.
    Void,
    /// It did not run, and is not to be tried again.
    NotRun,
}

impl Piece {
    pub(super) fn new(records: Vec<KafkaRecord>) -> Self {
        Self {
            ends: records
                .iter()
                .map(|record| (record.partition, record.next))
                .collect(),
            records,
            ..Self::default()
        }
    }

    /// A part of it, with what happened to it so far.
    fn part(&self, records: Vec<KafkaRecord>) -> Self {
        Self {
            failures: self.failures,
            invocations: self.invocations,
            last: self.last.clone(),
            ..Self::new(records)
        }
    }

    /// Both halves.
    pub(super) fn halves(mut self) -> [Self; 2] {
        let second = self.records.split_off(self.records.len().div_ceil(2));
        let first = std::mem::take(&mut self.records);
        [self.part(first), self.part(second)]
    }

    /// The first record of each partition, and the rest.
    pub(super) fn heads(mut self) -> [Self; 2] {
        let mut seen = None;
        let is_head = |record: &KafkaRecord| seen.replace(record.partition) != Some(record.partition);
        let (heads, tails) = std::mem::take(&mut self.records).into_iter().partition(is_head);
        [self.part(heads), self.part(tails)]
    }

    /// What comes again when from these offsets on nothing is done, and where the other partitions go on.
    pub(super) fn rest(mut self, from: &BTreeMap<i32, i64>) -> (Self, Vec<(i32, i64)>) {
        let mut settled = self.ends.clone();
        settled.retain(|partition, _| !from.contains_key(partition));
        let mut again = Vec::new();
        for record in std::mem::take(&mut self.records) {
            match from.get(&record.partition) {
                Some(first) if record.offset >= *first => again.push(record),
                Some(_) => drop(settled.insert(record.partition, record.next)),
                None => {}
            }
        }
        (self.part(again), settled.into_iter().collect())
    }
}

impl KafkaPlan {
    fn given_up<'a>(&'a self, piece: &'a Piece, condition: Condition) -> GivenUp<'a> {
        GivenUp {
            mapping: &self.mapping,
            function: &self.function.arn,
            envelope: &self.envelope,
            records: &piece.records,
            condition,
            invocations: piece.invocations,
            last: &piece.last,
            producer: &self.producer,
        }
    }
}

impl KafkaRun {
    pub(super) fn new(
        shared: &Arc<Shared>,
        plan: Arc<KafkaPlan>,
        parts: Vec<Part<KafkaRecord>>,
        place: Place,
    ) -> (Self, Piece) {
        let (mut claims, mut records) = (BTreeMap::new(), Vec::new());
        for part in parts {
            records.extend(part.items.into_iter().map(|item| KafkaRecord {
                next: item.next,
                ..item.value
            }));
            claims.insert(part.claim.partition(), part.claim);
        }
        let run = Self {
            shared: Arc::clone(shared),
            patience: shared.patience(),
            plan,
            claims,
            place,
        };
        (run, Piece::new(records))
    }

    /// # Cancel safety
    /// Dropped, what is not settled comes again.
    pub(super) async fn run(mut self, piece: Piece) {
        let mut pieces = vec![piece];
        while let Some(piece) = pieces.pop() {
            match self.work_off(piece).await {
                Some(left) => pieces.extend(left.into_iter().rev().filter(|left| !left.records.is_empty())),
                None => break,
            }
        }
        // its partitions are free before its place is
        self.claims.clear();
        drop(self.place);
    }

    /// Invokes once; gives what is left of the piece, in order. None if it is to stop.
    async fn work_off(&mut self, piece: Piece) -> Option<Vec<Piece>> {
        let mut piece = self.give_up_old(piece).await?;
        if piece.records.is_empty() {
            self.settle(piece.ends);
            return Some(Vec::new());
        }
        match self.invoke(&mut piece).await {
            Outcome::NotRun => None,
            Outcome::Void => {
                self.settle(piece.ends);
                Some(Vec::new())
            }
            Outcome::Answered(answer) => self.answered(&answer, piece).await,
            Outcome::Failed => {
                self.shared.status.tell("PROBLEM: Function call failed");
                self.failed(piece).await
            }
            Outcome::TooLarge if piece.records.len() > 1 => Some(piece.halves().into()),
            Outcome::TooLarge => {
                let text = "PROBLEM: A record is larger than a function's payload may be";
                self.shared.tell_problem(&self.plan.mapping, text);
                self.give_up(piece, Condition::MaximumPayloadSizeExceeded).await?;
                Some(Vec::new())
            }
        }
    }

    async fn answered(&mut self, answer: &[u8], piece: Piece) -> Option<Vec<Piece>> {
        let verdict = match self.plan.mapping.settings.reports_failures {
            true => verdict(answer, &self.plan.envelope, &piece.records),
            false => Verdict::Done,
        };
        match verdict {
            Verdict::Done => {
                self.shared.status.tell("OK");
                self.settle(piece.ends);
                Some(Vec::new())
            }
            Verdict::Failed => {
                self.shared.status.tell("PROBLEM: Function call failed");
                self.failed(piece).await
            }
            Verdict::From(offsets) => {
                self.shared.status.tell("OK");
                let before = piece.records.len();
                let (mut rest, settled) = piece.rest(&offsets);
                self.settle(settled);
                if rest.records.len() < before {
                    // other records are to blame than before
                    rest.failures = 0;
                }
                if self.plan.mapping.settings.kafka.bisects && rest.records.len() > offsets.len() {
                    return Some(rest.heads().into());
                }
                self.failed(rest).await
            }
        }
    }

    /// Takes it apart, has it tried again after a while, or gives it up.
    async fn failed(&mut self, mut piece: Piece) -> Option<Vec<Piece>> {
        let settings = &self.plan.mapping.settings.kafka;
        if settings.bisects && piece.records.len() > 1 {
            return Some(piece.halves().into());
        }
        piece.failures += 1;
        let with_destination = settings.on_failure.as_ref().map(|_| RETRIES_WITH_DESTINATION);
        let most = settings.maximum_retry_attempts.or(with_destination);
        if most.is_some_and(|most| piece.failures > most) {
            self.give_up(piece, Condition::RetryAttemptsExhausted).await?;
            return Some(Vec::new());
        }
        let doublings = (piece.failures - 1).min(16);
        self.wait((FIRST_WAIT * 2_u32.pow(doublings)).min(LONGEST_RETRY_WAIT))
            .await?;
        Some(vec![piece])
    }

    /// Waits; none if it is to wait no longer, or for nothing.
    async fn wait(&self, time: Duration) -> Option<()> {
        tokio::select! {
            biased;
            () = self.patience.cancelled() => None,
            () = self.all_void() => None,
            () = tokio::time::sleep(time) => Some(()),
        }
    }

    /// Waits until the group has taken all its partitions away.
    async fn all_void(&self) {
        for claim in self.claims.values() {
            claim.void().await;
        }
    }

    /// Drops what the group took away; true if the piece had some of it.
    fn drop_void(&mut self, piece: &mut Piece) -> bool {
        self.claims.retain(|_, claim| claim.is_valid());
        let before = piece.records.len();
        piece
            .records
            .retain(|record| self.claims.contains_key(&record.partition));
        piece.records.len() < before
    }

    /// Gives up what is older than the mapping allows; the rest of the piece.
    async fn give_up_old(&mut self, mut piece: Piece) -> Option<Piece> {
        let Some(age) = self.plan.mapping.settings.kafka.maximum_record_age else {
            return Some(piece);
        };
        let oldest = self.shared.service.clock().now().as_millis() - i64::from(age) * 1000;
        let is_old = |record: &KafkaRecord| record.timestamp >= 0 && record.timestamp < oldest;
        let (old, young) = std::mem::take(&mut piece.records).into_iter().partition(is_old);
        let old = piece.part(old);
        piece.records = young;
        if !old.records.is_empty() {
            self.tell_destination(old, Condition::MaximumRecordAgeExceeded)
                .await?;
        }
        Some(piece)
    }

    async fn give_up(&mut self, piece: Piece, condition: Condition) -> Option<()> {
        let ends = piece.ends.clone();
        self.tell_destination(piece, condition).await?;
        self.settle(ends);
        Some(())
    }

    /// Tries until the destination has what is given up, and is still this batch's to give up.
    async fn tell_destination(&mut self, mut piece: Piece, condition: Condition) -> Option<()> {
        let plan = Arc::clone(&self.plan);
        let Some(destination) = &plan.mapping.settings.kafka.on_failure else {
            tracing::warn!(
                mapping = %plan.mapping.id, records = piece.records.len(), ?condition,
                "records are given up; the event source mapping has no failure destination"
            );
            return Some(());
        };
        let mut wait = FIRST_WAIT;
        loop {
            self.drop_void(&mut piece);
            if piece.records.is_empty() {
                return Some(());
            }
            let given_up = plan.given_up(&piece, condition);
            let Err(why) = given_up.tell(&self.shared.service, destination).await else {
                return Some(());
            };
            let text = format!("PROBLEM: The failure destination does not take records: {why}");
            self.shared.tell_problem(&plan.mapping, &text);
            self.wait(wait).await?;
            wait = (wait * 2).min(LONGEST_RETRY_WAIT);
        }
    }

    fn settle(&mut self, ends: impl IntoIterator<Item = (i32, i64)>) {
        for (partition, next) in ends {
            if let Some(claim) = self.claims.get_mut(&partition) {
                claim.settle(next);
            }
        }
    }

    /// Tries until the function ran.
    async fn invoke(&mut self, piece: &mut Piece) -> Outcome {
        let mut wait = FIRST_WAIT;
        let mut event = None;
        loop {
            if self.drop_void(piece) {
                event = None;
            }
            if piece.records.is_empty() {
                return Outcome::Void;
            }
            let event = event.get_or_insert_with(|| self.plan.envelope.event(&piece.records));
            match self.invoke_once(event.clone(), piece).await {
                Ok(response) => {
                    let failed = response.error.is_some();
                    let payload = response.payload.clone();
                    piece.last.response = Some(response);
                    return if failed {
                        Outcome::Failed
                    } else {
                        Outcome::Answered(payload)
                    };
                }
                Err(InvokeError::RequestTooLarge { .. }) => return Outcome::TooLarge,
                Err(InvokeError::ShuttingDown) => return Outcome::NotRun,
                Err(InvokeError::NotFound { .. }) => {
                    let text = "PROBLEM: Function not found";
                    self.shared.tell_problem(&self.plan.mapping, text);
                    return Outcome::NotRun;
                }
                Err(InvokeError::Throttled { .. } | InvokeError::Unavailable { .. }) => {}
            }
            let now = self.shared.service.clock().now();
            self.shared.scale(|scale| scale.throttled(now));
            if self.wait(wait).await.is_none() {
                return Outcome::NotRun;
            }
            wait = (wait * 2).min(LONGEST_WAIT);
        }
    }

    async fn invoke_once(&self, event: Bytes, piece: &mut Piece) -> Result<InvokeResponse, InvokeError> {
        let (service, function) = (&self.shared.service, &self.plan.function);
        let request_id = RequestId::random();
        let mut request = InvokeRequest::new(request_id.clone(), event);
        let mut begun = Begun::new(service, Trace::new(service.clock().now()));
        if begun.enter(&function.function).is_err() {
            tracing::debug!(function = %function.arn, "a journey that begins does not go round");
        }
        request.trace_id = begun.trace().header();
        let ended = service.engine().invoke(&function.arn, request).await;
        let outcome = match &ended {
            Ok(response) => journey::outcome_of(response),
            Err(error) => error.to_string(),
        };
        begun.end(
            service,
            &function.arn,
            (&request_id, piece.failures + 1),
            &outcome,
        );
        if ended.is_ok() {
            piece.invocations += 1;
            piece.last = LastTry {
                request_id: Some(request_id),
                response: None,
            };
        }
        ended
    }
}
