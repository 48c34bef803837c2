//! A folder whose new names are synced together. A sync that failed is not tried again: the system would confirm
//! it without having written anything.

use std::fs::{self, File};
use std::io;
use std::path::Path;
use std::sync::{Condvar, Mutex, PoisonError};

/// An open folder. Callers that come while a sync runs share the next one.
#[derive(Debug)]
pub(super) struct DurableFolder {
    file: File,
    state: Mutex<State>,
    ended: Condvar,
}

#[derive(Debug, Default)]
struct State {
    /// Syncs asked for.
    asked: u64,
    /// Of these, how many a sync that has ended covers.
    covered: u64,
    /// A sync has failed: nothing is confirmed any more.
    failed: bool,
    running: bool,
}

impl DurableFolder {
    /// Makes `path`, below `root`, and what lies between, so that they survive the loss of power.
    pub(super) fn make(root: &Path, path: &Path) -> io::Result<Self> {
        fs::create_dir_all(path)?;
        if let Err(error) = sync_names(root, path) {
            // made anew, its name is written anew; where it holds files it was there before
            fs::remove_dir(path).unwrap_or_default();
            return Err(error);
        }
        Ok(Self {
            file: File::open(path)?,
            state: Mutex::default(),
            ended: Condvar::new(),
        })
    }

    /// Returns after a sync that began after this call.
    pub(super) fn sync(&self) -> io::Result<()> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.asked += 1;
        let mine = state.asked;
        while state.covered < mine {
            if state.failed {
                return Err(io::Error::other("a sync of this folder has failed"));
            }
            if state.running {
                state = self.ended.wait(state).unwrap_or_else(PoisonError::into_inner);
                continue;
            }
            state.running = true;
            let covers = state.asked;
            drop(state);
            let result = self.file.sync_all();
            state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
            state.running = false;
            self.ended.notify_all();
            match result {
                Ok(()) => state.covered = covers,
                Err(error) => {
                    state.failed = true;
                    return Err(error);
                }
            }
        }
        Ok(())
    }
}

fn sync_names(root: &Path, path: &Path) -> io::Result<()> {
    for ancestor in path.ancestors().skip(1) {
        File::open(ancestor)?.sync_all()?;
        if ancestor == root {
            break;
        }
    }
    Ok(())
}
