//! Messages as the store has them: plain, or sealed under the node's key for queues with `SqsManagedSseEnabled`.
//!
//! Of a sealed message the attributes are [`SEALED`], and the body is envelope and body, sealed together. Each
//! message says itself which it is: a queue's setting changes, and messages move between queues.

use std::borrow::Cow;

use tradewind_store::queue::{NewMessage, Received, content_hash};

use crate::error::SqsError;
use crate::message::Envelope;
use crate::model::Queue;
use crate::service::SqsService;

/// No envelope begins like that, which is JSON.
const SEALED: &[u8] = b"\x01";

impl SqsService {
    /// The message as it is stored. What is sealed is deduplicated by the content that was sent.
    pub(crate) fn stored(
        &self,
        queue: &Queue,
        envelope: &Envelope,
        mut message: NewMessage,
    ) -> Result<NewMessage, SqsError> {
        message.attributes = envelope.to_bytes()?;
        if !queue.attributes.encrypted {
            return Ok(message);
        }
        if queue.attributes.fifo.is_some() && message.deduplication_id.is_none() {
            message.deduplication_id = Some(content_hash(&message.body));
        }
        let sealer = self
            .sealer()
            .ok_or_else(|| SqsError::Internal("there is no key to seal messages with".into()))?;
        message.body = sealer.seal(&joined(&message.attributes, &message.body));
        message.attributes = SEALED.to_vec();
        Ok(message)
    }

    /// The envelope and the body of a message that was received.
    pub(crate) fn opened<'m>(&self, message: &'m Received) -> Result<(Envelope, Cow<'m, [u8]>), SqsError> {
        if message.attributes != SEALED {
            let envelope = Envelope::from_bytes(&message.attributes)?;
            return Ok((envelope, Cow::Borrowed(&message.body)));
        }
        let unreadable = || SqsError::Internal(format!("message {} does not open", message.id));
        let content = self.blobs().unseal(&message.body).ok_or_else(unreadable)?;
        let (envelope, body) = split(&content).ok_or_else(unreadable)?;
        Ok((Envelope::from_bytes(envelope)?, Cow::Owned(body.to_vec())))
    }
}

/// The length of the first in four bytes, the first, the second.
fn joined(envelope: &[u8], body: &[u8]) -> Vec<u8> {
    let length = u32::try_from(envelope.len()).expect("a request has a few MiB at most");
    [length.to_be_bytes().as_slice(), envelope, body].concat()
}

fn split(content: &[u8]) -> Option<(&[u8], &[u8])> {
    let (length, rest) = content.split_first_chunk()?;
    rest.split_at_checked(usize::try_from(u32::from_be_bytes(*length)).ok()?)
}
