//! Waiting for something to become true.

use std::time::{Duration, Instant};

/// Long enough for a slow machine; only a failing test waits this long.
const PATIENCE: Duration = Duration::from_secs(60);

/// Asks `probe` again and again until it gives a value.
///
/// # Panics
/// When it has not after a minute: the message names what was waited for.
pub fn until<T>(what: &str, mut probe: impl FnMut() -> Option<T>) -> T {
    let begun = Instant::now();
    loop {
        if let Some(value) = probe() {
            return value;
        }
        assert!(begun.elapsed() < PATIENCE, "waited a minute for: {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}
