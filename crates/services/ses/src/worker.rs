//! What is owed to recipients, and how the relay gets it.

use std::time::Duration;

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use tradewind_events::delivery::{Death, Deliverer, Delivery, Outcome};
use tradewind_events::{Message, Routing};

use crate::error::SesError;
use crate::service::SesService;

/// The kind of the lanes.
pub(crate) const LANES: &str = "ses";
/// How long the relay has to take a mail.
const TIME_LIMIT: Duration = Duration::from_secs(120);

/// Whom a mail is owed. A delivery's payload is this as a line of JSON, then the mail as it is.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Owed {
    /// The id that the sender was told.
    pub(crate) id: String,
    /// The address that the envelope is from.
    pub(crate) from: String,
    /// The recipient's address.
    pub(crate) to: String,
}

impl Owed {
    pub(crate) fn payload(&self, content: &[u8]) -> Result<Bytes, SesError> {
        let mut payload = serde_json::to_vec(self).map_err(|error| SesError::Internal(error.to_string()))?;
        payload.push(b'\n');
        payload.extend_from_slice(content);
        Ok(payload.into())
    }

    fn of(payload: &[u8]) -> Option<(Self, &[u8])> {
        let end = payload.iter().position(|byte| *byte == b'\n')?;
        let (head, content) = payload.split_at_checked(end)?;
        Some((serde_json::from_slice(head).ok()?, content.get(1..)?))
    }
}

#[async_trait::async_trait]
impl Deliverer for SesService {
    fn time_limit(&self) -> Duration {
        TIME_LIMIT
    }

    async fn deliver(&self, delivery: &Delivery, _routing: &mut Routing) -> Outcome {
        let Some((owed, content)) = Owed::of(&delivery.payload) else {
            return Outcome::GiveUp {
                code: "Unreadable".into(),
                reason: "the mail is stored in a form that cannot be read".into(),
            };
        };
        match self.relay() {
            Some(relay) => relay.send_written((&owed.from, &owed.to), content).await,
            None => Outcome::Retry {
                code: "NoRelay".into(),
                reason: "the node has no mail relay".into(),
                after: None,
            },
        }
    }

    /// There is no queue for it: the log says so, without the address.
    fn dead_letter(&self, delivery: &Delivery, death: &Death) -> Option<Message> {
        let id = Owed::of(&delivery.payload)
            .map(|(owed, _)| owed.id)
            .unwrap_or_default();
        tracing::warn!(
            message_id = id,
            code = death.code,
            attempts = death.attempts,
            "the mail relay did not take a mail for one of its recipients; it is given up"
        );
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_owed_comes_back_as_it_went() {
        let owed = Owed {
            id: "i".into(),
            from: "a@b.example".into(),
            to: "c@d.example".into(),
        };
        let payload = owed.payload(b"Subject: x\r\n\r\na\nb").unwrap();
        assert_eq!(Owed::of(&payload), Some((owed, &b"Subject: x\r\n\r\na\nb"[..])));
        assert_eq!(Owed::of(b"no"), None);
    }
}
