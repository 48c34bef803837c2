//! `ReceiveRequestAttemptId`: a receive of a FIFO queue that is repeated because its answer was lost
//! gets the same messages again, as long as nothing happened to them.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use tradewind_model::Timestamp;
use tradewind_store::queue::{Received, Settled};

use super::Call;
use super::receive::Want;
use crate::error::SqsError;
use crate::model::Queue;
use crate::names::QueueArn;
use crate::service::{SqsService, id_of};

/// How long an attempt can be repeated. SQS API reference, `ReceiveRequestAttemptId`.
const WINDOW_MS: i64 = 5 * 60_000;
/// Attempts that are remembered; a further one forgets the others.
const MAX_ATTEMPTS: usize = 1000;
/// So many bytes of messages are remembered at most; a further one forgets the others.
const MAX_BYTES: usize = 64 * 1024 * 1024;

/// What the attempts of the last five minutes got. It is lost with the node: a repeated attempt is then
/// a new one, and the messages of the first come back after their visibility timeout.
#[derive(Debug, Default)]
pub(crate) struct Attempts(Mutex<HashMap<Key, (Timestamp, Vec<Received>)>>);

/// A queue, and the id of an attempt.
type Key = (QueueArn, String);

impl Attempts {
    fn recall(&self, key: &Key, now: Timestamp) -> Option<Vec<Received>> {
        let attempts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (at, received) = attempts.get(key)?;
        (now.as_millis() - at.as_millis() < WINDOW_MS).then(|| received.clone())
    }

    fn note(&self, key: Key, now: Timestamp, received: &[Received]) {
        let mut attempts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        attempts.retain(|_, (at, _)| now.as_millis() - at.as_millis() < WINDOW_MS);
        let kept: usize = attempts.values().map(|(_, received)| bytes(received)).sum();
        if attempts.len() >= MAX_ATTEMPTS || kept + bytes(received) > MAX_BYTES {
            attempts.clear();
        }
        attempts.insert(key, (now, received.to_vec()));
    }
}

impl SqsService {
    /// Receives as [`SqsService::receive`] does; a repeated `attempt` gets what the first one got, with
    /// its visibility timeout begun anew.
    pub(super) async fn receive_attempt(
        &self,
        call: &Call,
        queue: &Queue,
        attempt: &str,
        want: Want,
    ) -> Result<Vec<Received>, SqsError> {
        check(attempt)?;
        let key = (queue.arn.clone(), attempt.to_owned());
        if let Some(first) = self.attempts().recall(&key, self.now()) {
            let leases: Vec<_> = first
                .iter()
                .map(|message| (message.receipt, want.lease))
                .collect();
            let settled = self.queues().extend(&id_of(&queue.arn), &leases).await?;
            if settled.iter().all(|settled| *settled == Settled::Done) {
                return Ok(first);
            }
            let reason =
                "The receiveRequestAttemptId is not valid anymore since the receive call is not retryable.";
            return Err(SqsError::value(attempt, "ReceiveRequestAttemptId", reason));
        }
        let received = self.receive(call, queue, want).await?;
        if !received.is_empty() {
            self.attempts().note(key, self.now(), &received);
        }
        Ok(received)
    }
}

fn bytes(received: &[Received]) -> usize {
    let one = |message: &Received| message.body.len() + message.attributes.len();
    received.iter().map(one).sum()
}

fn check(attempt: &str) -> Result<(), SqsError> {
    if (1..=128).contains(&attempt.len()) && attempt.bytes().all(|b| b.is_ascii_graphic()) {
        return Ok(());
    }
    let reason = "ReceiveRequestAttemptId can only include alphanumeric and punctuation characters. 1 to 128 in length.";
    Err(SqsError::value(attempt, "ReceiveRequestAttemptId", reason))
}
