//! Ending and changing leases.

use tradewind_model::Timestamp;

use super::look_up::Queue;
use super::{Result, group, receive, small};
use crate::queue::model::{Receipt, Settled};
use crate::queue::transaction::{Transaction, Value, values};

macro_rules! state {
    ($rest:literal) => {
        concat!(
            "SELECT queue, receives, visible_at, message_group FROM queue_messages WHERE sequence = ?1",
            $rest
        )
    };
}
const STATE: &str = state!("");
const HELD_STATE: &str = state!(" FOR UPDATE");
const ACK: &str = "DELETE FROM queue_messages WHERE sequence = ?1 AND receives = ?2 AND queue = ?3";
const CHANGE: &str = "UPDATE queue_messages SET visible_at = ?2 WHERE sequence = ?1";
const PUT_BACK: &str =
    "UPDATE queue_messages SET visible_at = ?2, receives = receives - 1 WHERE sequence = ?1";
/// A message is visible when it is sent, unless it was delayed: that is its place in the order.
const RETURN: &str = "UPDATE queue_messages SET visible_at = sent_at \
    WHERE sequence = ?1 AND receives = ?2 AND queue = ?3";
const RETURN_ALL: &str = "UPDATE queue_messages SET visible_at = sent_at \
    WHERE queue = ?1 AND visible_at > ?2 AND receives > 0";

/// What a receipt did, and from when on that makes a message ready.
pub(in crate::queue) struct Outcome {
    pub(in crate::queue) settled: Settled,
    pub(in crate::queue) ready_at: Option<Timestamp>,
}

impl Outcome {
    fn nothing(settled: Settled) -> Self {
        Self {
            settled,
            ready_at: None,
        }
    }
}

/// Ends messages. In a standard queue also after their leases, as long as nobody received them again.
pub(in crate::queue) fn ack(
    tx: &Transaction<'_>,
    queue: &Queue,
    receipts: &[Receipt],
    now: Timestamp,
) -> Result<Vec<Outcome>> {
    if queue.settings.fifo {
        return receipts
            .iter()
            .map(|receipt| ack_in_order(tx, queue, *receipt, now))
            .collect();
    }
    let keys: Vec<_> = receipts.iter().map(|receipt| key(queue, *receipt)).collect();
    let acked = tx.execute_many(ACK, &keys)?;
    let settled = receipts.iter().zip(acked).map(|(receipt, acked)| match acked {
        0 => state(tx, queue, *receipt, now).map(|(settled, _)| settled),
        _ => Ok(Settled::Done),
    });
    settled.map(|settled| settled.map(Outcome::nothing)).collect()
}

fn key(queue: &Queue, receipt: Receipt) -> [Value<'static>; 3] {
    values![receipt.sequence, receipt.receives, queue.number]
}

fn ack_in_order(tx: &Transaction<'_>, queue: &Queue, receipt: Receipt, now: Timestamp) -> Result<Outcome> {
    let (settled, group) = state(tx, queue, receipt, now)?;
    if settled != Settled::Done {
        return Ok(Outcome::nothing(settled));
    }
    tx.execute(ACK, &key(queue, receipt))?;
    let ready_at = refresh(tx, queue, group.as_deref(), now)?;
    Ok(Outcome { settled, ready_at })
}

/// Makes the message visible at `visible_at`: an extension, or a nack.
pub(in crate::queue) fn change(
    tx: &Transaction<'_>,
    queue: &Queue,
    receipt: Receipt,
    visible_at: Timestamp,
    now: Timestamp,
) -> Result<Outcome> {
    show(tx, queue, receipt, (CHANGE, visible_at), now)
}

/// Makes the message visible now, and takes its last receive back.
pub(in crate::queue) fn put_back(
    tx: &Transaction<'_>,
    queue: &Queue,
    receipt: Receipt,
    now: Timestamp,
) -> Result<Outcome> {
    show(tx, queue, receipt, (PUT_BACK, now), now)
}

fn show(
    tx: &Transaction<'_>,
    queue: &Queue,
    receipt: Receipt,
    (sql, visible_at): (&'static str, Timestamp),
    now: Timestamp,
) -> Result<Outcome> {
    let (settled, group) = state(tx, queue, receipt, now)?;
    if settled != Settled::Done {
        return Ok(Outcome::nothing(settled));
    }
    tx.execute(sql, &values![receipt.sequence, visible_at])?;
    let ready_at = match queue.settings.fifo {
        true => refresh(tx, queue, group.as_deref(), now)?,
        false => Some(visible_at),
    };
    Ok(Outcome { settled, ready_at })
}

/// Ends leases, and puts the messages back to where they were in the order.
pub(in crate::queue) fn return_in_order(
    tx: &Transaction<'_>,
    queue: &Queue,
    receipts: &[Receipt],
) -> Result<()> {
    let keys: Vec<_> = receipts.iter().map(|receipt| key(queue, *receipt)).collect();
    tx.execute_many(RETURN, &keys).map(drop)
}

/// Ends all leases, and puts the messages back to where they were in the order.
pub(in crate::queue) fn return_all_in_order(
    tx: &Transaction<'_>,
    queue: &Queue,
    now: Timestamp,
) -> Result<()> {
    tx.execute(RETURN_ALL, &values![queue.number, now]).map(drop)
}

/// Moves the message into the dead-letter queue.
pub(in crate::queue) fn bury(
    tx: &Transaction<'_>,
    queue: &Queue,
    dead: &Queue,
    receipt: Receipt,
    reason: &str,
    now: Timestamp,
) -> Result<Settled> {
    let (settled, group) = state(tx, queue, receipt, now)?;
    if settled == Settled::Done {
        let group = group.as_deref();
        receive::bury(tx, queue, dead, (receipt.sequence, group), reason, now)?;
        refresh(tx, queue, group, now)?;
    }
    Ok(settled)
}

fn refresh(
    tx: &Transaction<'_>,
    queue: &Queue,
    group: Option<&str>,
    now: Timestamp,
) -> Result<Option<Timestamp>> {
    match group {
        Some(group) if queue.settings.fifo => group::refresh(tx, queue.number, group, now),
        Some(_) | None => Ok(None),
    }
}

/// Whether the receipt's lease holds, and the message's group.
fn state(
    tx: &Transaction<'_>,
    queue: &Queue,
    receipt: Receipt,
    now: Timestamp,
) -> Result<(Settled, Option<String>)> {
    let rows = tx.query(
        if tx.is_postgres() { HELD_STATE } else { STATE },
        &values![receipt.sequence],
    )?;
    let Some(row) = rows.first() else {
        return Ok((Settled::Gone, None));
    };
    let settled = if row.integer(0)? != queue.number || small(row, 1)? != receipt.receives {
        Settled::Stale
    } else if row.integer(2)? <= now.as_millis() {
        Settled::Expired
    } else {
        Settled::Done
    };
    Ok((settled, row.optional_text(3)?.map(str::to_owned)))
}
