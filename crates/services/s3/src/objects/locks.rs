//! Writers of one key take turns, so that none is decided in vain.

use std::collections::hash_map::RandomState;
use std::hash::BuildHasher as _;

use tokio::sync::{Mutex, MutexGuard};

const STRIPES: usize = 1024;

/// A turn for each key; some keys share one. Only a courtesy: the database decides (see [`super`]).
#[derive(Debug)]
pub(crate) struct KeyLocks {
    hasher: RandomState,
    stripes: Box<[Mutex<()>]>,
}

impl Default for KeyLocks {
    fn default() -> Self {
        Self {
            hasher: RandomState::new(),
            stripes: (0..STRIPES).map(|_| Mutex::default()).collect(),
        }
    }
}

impl KeyLocks {
    pub(crate) async fn turn(&self, bucket: &str, key: &str) -> MutexGuard<'_, ()> {
        let hash = self.hasher.hash_one((bucket, key));
        let stripe = usize::try_from(hash % STRIPES as u64).unwrap_or(0);
        self.stripes[stripe].lock().await
    }
}
