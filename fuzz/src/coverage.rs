//! What an input reached. `cargo xtask fuzz` has the compiler put a counter of eight bits at every edge of the code
//! under test (LLVM's SanitizerCoverage, which stable Rust passes through) and announce them to a function of this
//! name. Without that nothing is counted, and mutants are made of the seeds alone.
#![expect(unsafe_code, reason = "the counters are memory that the compiler lays out")]

use std::sync::atomic::{AtomicPtr, AtomicU8, AtomicUsize, Ordering};

static COUNTERS: AtomicPtr<AtomicU8> = AtomicPtr::new(std::ptr::null_mut());
static LENGTH: AtomicUsize = AtomicUsize::new(0);

/// Called by code that the compiler adds, before `main`, perhaps several times with the same counters.
///
/// # Safety
/// From `start` to `stop` there are counters that live as long as the process.
#[unsafe(no_mangle)]
unsafe extern "C" fn __sanitizer_cov_8bit_counters_init(start: *mut AtomicU8, stop: *mut AtomicU8) {
    LENGTH.store(stop as usize - start as usize, Ordering::SeqCst);
    COUNTERS.store(start, Ordering::SeqCst);
}

/// What has been reached so far, each counter's value as a bit for its magnitude.
#[derive(Debug)]
pub(crate) struct Coverage {
    seen: Vec<u8>,
}

impl Coverage {
    pub(crate) fn new() -> Self {
        Self {
            seen: vec![0; counters().len()],
        }
    }

    pub(crate) fn reset(&mut self) {
        for counter in counters() {
            counter.store(0, Ordering::Relaxed);
        }
    }

    /// Whether the last input reached something, or reached it so much more often, for the first time.
    pub(crate) fn is_new(&mut self) -> bool {
        let mut is_new = false;
        for (seen, counter) in self.seen.iter_mut().zip(counters()) {
            let magnitude = magnitude(counter.load(Ordering::Relaxed));
            is_new |= *seen | magnitude != *seen;
            *seen |= magnitude;
        }
        is_new
    }
}

impl std::fmt::Display for Coverage {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let reached = self.seen.iter().filter(|seen| **seen != 0).count();
        write!(f, "{reached} of {} edges reached", self.seen.len())
    }
}

fn magnitude(count: u8) -> u8 {
    match count {
        0 => 0,
        1 => 1,
        2 => 2,
        3 => 4,
        4..=7 => 8,
        8..=15 => 16,
        16..=31 => 32,
        32..=127 => 64,
        128.. => 128,
    }
}

fn counters() -> &'static [AtomicU8] {
    let start = COUNTERS.load(Ordering::SeqCst);
    if start.is_null() {
        return &[];
    }
    // SAFETY: so many counters are there, for good; they are only touched as atomics from here, and the code
    // under test runs on this thread.
    unsafe { std::slice::from_raw_parts(start, LENGTH.load(Ordering::SeqCst)) }
}
