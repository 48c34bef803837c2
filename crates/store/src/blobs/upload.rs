//! One blob on its way to a remote store: in one put, or in parts when it is longer.

use std::sync::Arc;

use bytes::Bytes;
use object_store::multipart::PartId;
use tokio::task::JoinSet;

use super::encoder::Encoder;
use super::remote::Remote;
use super::{BlobError, BlobId, Shared, table};

/// Bytes of a part. One is sent while the next is gathered.
const PART: usize = 8 * 1024 * 1024;

/// The parts sent, and the one that is gathered.
#[derive(Debug)]
pub(super) struct Upload {
    shared: Arc<Shared>,
    remote: Arc<Remote>,
    id: BlobId,
    encoder: Encoder,
    gathered: Vec<Bytes>,
    length: usize,
    begun: Option<Begun>,
}

/// An upload in parts. The database knows of it: when it is neither completed nor aborted, for
/// instance because the process died, [`super::Blobs::tidy`] aborts it.
#[derive(Debug)]
struct Begun {
    upload: Arc<str>,
    parts: Vec<PartId>,
    /// At most one.
    sending: JoinSet<Result<PartId, BlobError>>,
}

impl Upload {
    pub(super) fn new(shared: Arc<Shared>, remote: Arc<Remote>, encoder: Encoder) -> Self {
        Self {
            id: BlobId::new(shared.clock.now()),
            shared,
            remote,
            encoder,
            gathered: Vec::new(),
            length: 0,
            begun: None,
        }
    }

    pub(super) fn into_encoder(self) -> Encoder {
        self.encoder
    }

    pub(super) async fn append(&mut self, piece: &[u8]) -> Result<(), BlobError> {
        let stored = Bytes::copy_from_slice(self.encoder.encode(piece, false));
        self.length += stored.len();
        self.gathered.push(stored);
        if self.length >= PART {
            self.send_part().await?;
        }
        Ok(())
    }

    /// Sends the last piece. Gives the id, the checksum and whether it went in parts, when the store has
    /// it all.
    pub(super) async fn finish(mut self, last: &[u8]) -> Result<(BlobId, u64, bool), BlobError> {
        self.gathered
            .push(Bytes::copy_from_slice(self.encoder.encode(last, true)));
        if self.begun.is_none() {
            self.remote
                .put(self.id, std::mem::take(&mut self.gathered))
                .await?;
            return Ok((self.id, self.encoder.checksum(), false));
        }
        self.send_part().await?;
        if let Some(begun) = &mut self.begun {
            begun.sent().await?;
            let parts = std::mem::take(&mut begun.parts);
            self.remote.complete(self.id, &begun.upload, parts).await?;
        }
        Ok((self.id, self.encoder.checksum(), true))
    }

    async fn send_part(&mut self) -> Result<(), BlobError> {
        if self.begun.is_none() {
            let upload = self.remote.begin(self.id).await?;
            table::record_upload(&self.shared, self.id, &upload).await?;
            self.begun = Some(Begun {
                upload: upload.into(),
                parts: Vec::new(),
                sending: JoinSet::new(),
            });
        }
        let Some(begun) = &mut self.begun else {
            return Ok(());
        };
        begun.sent().await?;
        let content = std::mem::take(&mut self.gathered);
        self.length = 0;
        let (remote, upload) = (Arc::clone(&self.remote), Arc::clone(&begun.upload));
        begun
            .sending
            .spawn(remote.put_part(self.id, upload, begun.parts.len(), content));
        Ok(())
    }
}

impl Begun {
    /// Waits for the part that is being sent.
    async fn sent(&mut self) -> Result<(), BlobError> {
        while let Some(sent) = self.sending.join_next().await {
            self.parts.push(sent.map_err(|_aborted| BlobError::Stopped)??);
        }
        Ok(())
    }
}
