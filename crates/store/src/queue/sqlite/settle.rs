//! Ending and changing leases.

use rusqlite::{Connection, OptionalExtension as _, params};
use tradewind_model::Timestamp;

use super::look_up::Queue;
use super::{Result, execute, group, receive};
use crate::queue::model::{Receipt, Settled};

const STATE: &str =
    "SELECT queue, receives, visible_at, message_group FROM queue_messages WHERE sequence = ?1";
const ACK: &str = "DELETE FROM queue_messages WHERE sequence = ?1 AND receives = ?2 AND queue = ?3";
const CHANGE: &str = "UPDATE queue_messages SET visible_at = ?2 WHERE sequence = ?1";

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

/// Ends the message. In a standard queue also after the lease, as long as nobody received it again.
pub(in crate::queue) fn ack(
    connection: &Connection,
    queue: &Queue,
    receipt: Receipt,
    now: Timestamp,
) -> Result<Outcome> {
    if !queue.settings.fifo {
        let key = params![receipt.sequence, receipt.receives, queue.number];
        if execute(connection, ACK, key)? == 1 {
            return Ok(Outcome::nothing(Settled::Done));
        }
    }
    let (settled, group) = state(connection, queue, receipt, now)?;
    if settled != Settled::Done {
        return Ok(Outcome::nothing(settled));
    }
    let key = params![receipt.sequence, receipt.receives, queue.number];
    execute(connection, ACK, key)?;
    let ready_at = refresh(connection, queue, group.as_deref(), now)?;
    Ok(Outcome { settled, ready_at })
}

/// Makes the message visible at `visible_at`: an extension, or a nack.
pub(in crate::queue) fn change(
    connection: &Connection,
    queue: &Queue,
    receipt: Receipt,
    visible_at: Timestamp,
    now: Timestamp,
) -> Result<Outcome> {
    let (settled, group) = state(connection, queue, receipt, now)?;
    if settled != Settled::Done {
        return Ok(Outcome::nothing(settled));
    }
    execute(
        connection,
        CHANGE,
        params![receipt.sequence, visible_at.as_millis()],
    )?;
    let ready_at = match queue.settings.fifo {
        true => refresh(connection, queue, group.as_deref(), now)?,
        false => Some(visible_at),
    };
    Ok(Outcome { settled, ready_at })
}

/// Moves the message into the dead-letter queue.
pub(in crate::queue) fn bury(
    connection: &Connection,
    queue: &Queue,
    dead: &Queue,
    receipt: Receipt,
    reason: &str,
    now: Timestamp,
) -> Result<Settled> {
    let (settled, group) = state(connection, queue, receipt, now)?;
    if settled == Settled::Done {
        let group = group.as_deref();
        receive::bury(connection, queue, dead, (receipt.sequence, group), reason, now)?;
        refresh(connection, queue, group, now)?;
    }
    Ok(settled)
}

fn refresh(
    connection: &Connection,
    queue: &Queue,
    group: Option<&str>,
    now: Timestamp,
) -> Result<Option<Timestamp>> {
    match group {
        Some(group) if queue.settings.fifo => group::refresh(connection, queue.number, group, now),
        Some(_) | None => Ok(None),
    }
}

/// Whether the receipt's lease holds, and the message's group.
fn state(
    connection: &Connection,
    queue: &Queue,
    receipt: Receipt,
    now: Timestamp,
) -> Result<(Settled, Option<String>)> {
    let mut statement = connection.prepare_cached(STATE)?;
    let row = statement.query_row([receipt.sequence], |row| {
        Ok((
            row.get::<_, i64>(0)?,
            row.get::<_, u32>(1)?,
            row.get::<_, i64>(2)?,
            row.get(3)?,
        ))
    });
    let Some((number, receives, visible_at, group)) = row.optional()? else {
        return Ok((Settled::Gone, None));
    };
    let settled = if number != queue.number || receives != receipt.receives {
        Settled::Stale
    } else if visible_at <= now.as_millis() {
        Settled::Expired
    } else {
        Settled::Done
    };
    Ok((settled, group))
}
