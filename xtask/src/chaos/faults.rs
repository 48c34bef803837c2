//! `chaos store --faults`: what is done to the disk below a node under load, besides killing the node.

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use tradewind_tests::{Call, Fault, Faults};

use super::Chance;
use crate::server::Server;

/// Calls that succeed before the first one that fails.
const AFTER: std::ops::Range<u64> = 0..12;
/// How long a call that is to fail is waited for: not all of them happen all the time.
const MET_WITHIN: Duration = Duration::from_secs(2);
/// How long a disk goes on failing, in milliseconds.
const LASTS_MS: std::ops::Range<u64> = 0..300;
/// How long a node may take to end after a sync that failed: it lets running requests end.
const END_LIMIT: Duration = Duration::from_secs(30);
/// Files that fail alone, and all of them.
const FILES: [&str; 4] = ["/data/node.db", "/data/blobs/", "/data/logs/", "/data/"];

/// A disk that can fail, and what came of it.
#[derive(Debug)]
pub(super) struct Disk {
    pub(super) faults: Faults,
    planned: u32,
    hit: u32,
    died: u32,
    gave_up: u32,
}

impl Disk {
    pub(super) fn new(folder: &Path) -> Self {
        Self {
            faults: Faults::build(folder),
            planned: 0,
            hit: 0,
            died: 0,
            gave_up: 0,
        }
    }

    /// Lets the disk fail in some way for a while. True when the node has ended of it, as it should.
    pub(super) fn fail(&mut self, node: &mut Server, chance: &mut Chance) -> Result<bool> {
        let call = pick(&Call::ALL, chance);
        let fault = pick(&[Fault::Broken, Fault::Full, Fault::Killed], chance);
        let file = pick(&FILES, chance);
        self.faults.plan(call, fault, chance.within(AFTER), file);
        let deadline = Instant::now() + MET_WITHIN;
        while !self.faults.hit() && Instant::now() < deadline {
            std::thread::sleep(Duration::from_millis(5));
        }
        std::thread::sleep(Duration::from_millis(chance.within(LASTS_MS)));
        let hit = self.faults.hit();
        self.faults.clear();
        self.planned += 1;
        self.hit += u32::from(hit);
        let what = format!("{call:?} {fault:?} {file}");
        let must_end = hit && fault == Fault::Killed;
        let may_end = hit && call == Call::Sync;
        let Some(code) = node.ended_within(if must_end { END_LIMIT } else { Duration::ZERO })? else {
            ensure!(!must_end, "{what}: the node lives on");
            return self.settle(node, may_end, &what);
        };
        self.note_end(code, may_end, &what)?;
        Ok(true)
    }

    /// A node whose sync has failed is about to end, or was asked for no write of its database meanwhile.
    fn settle(&mut self, node: &mut Server, may_end: bool, what: &str) -> Result<bool> {
        if !may_end || node.answers("/_tradewind/health") {
            return Ok(false);
        }
        match node.ended_within(END_LIMIT)? {
            Some(code) => self.note_end(code, may_end, what).map(|()| true),
            None => Ok(false),
        }
    }

    /// A node ends because it was killed, or because it must not go on: with 1, which it explains.
    fn note_end(&mut self, code: Option<i32>, may_end: bool, what: &str) -> Result<()> {
        ensure!(
            code.is_none() || (code == Some(1) && may_end),
            "{what}: the node ended with {code:?}"
        );
        match code {
            None => self.died += 1,
            Some(_) => self.gave_up += 1,
        }
        Ok(())
    }

    pub(super) fn print(&self) {
        println!(
            "{} faults of the disk, {} of them met: of these the node was killed in a call by {} and ended itself by {}",
            self.planned, self.hit, self.died, self.gave_up
        );
    }
}

fn pick<T: Copy>(all: &[T], chance: &mut Chance) -> T {
    let at = chance.within(0..all.len() as u64);
    all[usize::try_from(at).expect("less than its length")]
}
