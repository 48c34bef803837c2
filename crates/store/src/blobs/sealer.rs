//! Short contents that stay in their owner's row, each sealed under a key of its own.

use std::sync::Arc;

use super::keys::MasterKeys;

/// Seals without waiting: its master key was made and recorded before. Clones are handles to the same keys.
#[derive(Clone, Debug)]
pub struct Sealer(Arc<MasterKeys>);

impl Sealer {
    pub(super) fn new(keys: Arc<MasterKeys>) -> Self {
        Self(keys)
    }

    /// Seals a content under a new key, which is wrapped with the node's master key.
    /// [`Blobs::unseal`](super::Blobs::unseal) opens it.
    #[must_use]
    pub fn seal(&self, content: &[u8]) -> Vec<u8> {
        let (key, wrapped) = self.0.data_key();
        let mut sealed = wrapped.to_vec();
        key.seal(content, 0, true, &mut sealed);
        sealed
    }
}
