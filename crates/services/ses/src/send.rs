//! What both APIs do with a letter: check it, and owe it to its recipients.

use tokio::sync::SemaphorePermit;
use tradewind_events::Routing;
use tradewind_model::{AccountId, Region};
use tradewind_store::Batch;

use crate::error::SesError;
use crate::letter::Letter;
use crate::service::SesService;
use crate::worker::Owed;

const MAX_RECIPIENTS: usize = 50;
/// The longest mail, in bytes.
const MAX_MAIL: usize = 10 * 1024 * 1024;
/// The longest mail times its recipients: what one transaction stores.
const MAX_COPIES: usize = 64 * 1024 * 1024;
/// What the transactions of all requests store at the same time, in KiB: one that is as large as may be, or many
/// small ones. Others wait, in their order.
pub(crate) const MAX_STORING_KIB: usize = MAX_COPIES / 1024;

/// Who calls.
#[derive(Clone, Debug)]
pub(crate) struct Call {
    pub(crate) account: AccountId,
    pub(crate) region: Region,
}

impl SesService {
    /// An id for a letter that is to be sent.
    pub(crate) fn new_id(&self) -> String {
        format!("{:016x}-{}-000000", self.now().as_millis(), uuid::Uuid::new_v4())
    }

    /// Sends a letter: all its recipients are owed it when this returns.
    pub(crate) async fn send(&self, call: &Call, id: &str, letter: &Letter) -> Result<(), SesError> {
        self.check(call, letter)?;
        let _room = self.room_for(letter.content.len() * letter.to.len()).await;
        let mut routing = Routing::new(Batch::new());
        for to in &letter.to {
            let owed = Owed {
                id: id.to_owned(),
                from: letter.from.clone(),
                to: to.clone(),
            };
            let payload = owed.payload(&letter.content)?;
            self.deliveries().owe(&mut routing, &Self::lane(), payload);
        }
        self.database().write(routing.into_batch()).await?;
        Ok(())
    }

    /// Waits until so many bytes may be stored.
    async fn room_for(&self, bytes: usize) -> SemaphorePermit<'_> {
        let kib = bytes.div_ceil(1024).clamp(1, MAX_STORING_KIB);
        let kib = u32::try_from(kib).unwrap_or(u32::MAX);
        let room = self.storing().acquire_many(kib).await;
        room.expect("nobody closes it")
    }

    fn check(&self, call: &Call, letter: &Letter) -> Result<(), SesError> {
        let relay = self.relay().ok_or(SesError::SendingPaused)?;
        if letter.to.is_empty() {
            return Err(SesError::BadRequest("Destination is required.".into()));
        }
        if letter.to.len() > MAX_RECIPIENTS {
            return Err(SesError::BadRequest(format!(
                "Recipient count exceeds {MAX_RECIPIENTS}."
            )));
        }
        let size = letter.content.len();
        if size > MAX_MAIL {
            return Err(SesError::BadRequest(format!(
                "Message length is more than {MAX_MAIL} bytes long: {size}"
            )));
        }
        if size * letter.to.len() > MAX_COPIES {
            let text = format!(
                "Message length times recipients is more than {MAX_COPIES} bytes; send to fewer at a time."
            );
            return Err(SesError::BadRequest(text));
        }
        let identities = self.identities_of(&call.account, &call.region);
        let allowed =
            |sender: &&String| *sender == relay.sender() || identities.iter().any(|one| one.covers(sender));
        match letter.senders.iter().find(|sender| !allowed(sender)) {
            None => Ok(()),
            Some(sender) => Err(SesError::MessageRejected(format!(
                "Email address is not verified. The following identities failed the check in region {}: {sender}",
                call.region.as_str().to_uppercase()
            ))),
        }
    }
}
