//! Blobs that someone will still open: those outlive their last owner.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use super::{BlobId, Content, Shared};

/// How many hold each blob.
#[derive(Debug, Default)]
pub(super) struct Held(Mutex<HashMap<BlobId, usize>>);

/// Keeps blobs from being removed until it is dropped, also those that lose their last owner meanwhile.
#[derive(Debug)]
pub struct Hold {
    shared: Arc<Shared>,
    ids: Vec<BlobId>,
}

impl Hold {
    pub(super) fn new<'c>(shared: &Arc<Shared>, contents: impl Iterator<Item = &'c Content>) -> Self {
        let ids: Vec<BlobId> = contents
            .filter_map(|content| match content {
                Content::Blob(id) => Some(*id),
                Content::Inline(_) | Content::SealedInline(_) => None,
            })
            .collect();
        let mut held = shared.held.0.lock().unwrap_or_else(PoisonError::into_inner);
        for id in &ids {
            *held.entry(*id).or_default() += 1;
        }
        drop(held);
        Self {
            shared: Arc::clone(shared),
            ids,
        }
    }
}

impl Drop for Hold {
    fn drop(&mut self) {
        let mut held = self.shared.held.0.lock().unwrap_or_else(PoisonError::into_inner);
        for id in &self.ids {
            if let Some(holders) = held.get_mut(id) {
                *holders -= 1;
                if *holders == 0 {
                    held.remove(id);
                }
            }
        }
    }
}

impl Held {
    /// Takes those that are held out of `ids`.
    pub(super) fn take_from(&self, ids: &mut Vec<BlobId>) -> Vec<BlobId> {
        let held = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        ids.extract_if(.., |id| held.contains_key(id)).collect()
    }
}
