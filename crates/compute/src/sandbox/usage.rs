//! What a process uses, as the kernel tells it.

use std::fs;
use std::time::Duration;

/// Clock ticks a second in `/proc/<pid>/stat`: `USER_HZ`, which is 100 on every architecture we run on.
const TICKS_PER_SECOND: u64 = 100;

/// What a process and, where the sandbox counts them, its descendants use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ProcessUsage {
    /// Memory now.
    pub(crate) memory_bytes: u64,
    /// The most memory so far.
    pub(crate) peak_bytes: u64,
    /// Processor time so far.
    pub(crate) cpu: Duration,
}

/// What one process uses, from `/proc`.
pub(super) fn of_process(id: u32) -> Option<ProcessUsage> {
    let status = fs::read_to_string(format!("/proc/{id}/status")).ok()?;
    let stat = fs::read_to_string(format!("/proc/{id}/stat")).ok()?;
    Some(ProcessUsage {
        memory_bytes: kilobytes(&status, "VmRSS:")?,
        peak_bytes: kilobytes(&status, "VmHWM:")?,
        cpu: cpu(&stat)?,
    })
}

/// The value of a `Name:   123 kB` line, in bytes.
fn kilobytes(text: &str, name: &str) -> Option<u64> {
    let value = text.lines().find_map(|line| line.strip_prefix(name))?;
    let kilobytes: u64 = value.trim().trim_end_matches("kB").trim_end().parse().ok()?;
    Some(kilobytes * 1024)
}

/// Fields 14 to 17 of `/proc/<pid>/stat`: user and system time, own and of children waited for. The
/// second field, the name, may hold anything, also a parenthesis.
fn cpu(stat: &str) -> Option<Duration> {
    let (_name, rest) = stat.rsplit_once(')')?;
    let mut ticks = 0;
    for field in rest.split_whitespace().skip(11).take(4) {
        ticks += field.parse::<u64>().ok()?;
    }
    Some(Duration::from_millis(ticks * (1000 / TICKS_PER_SECOND)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_is_read_as_linux_prints_it() {
        let status = "Name:\tnode\nVmHWM:\t   66560 kB\nVmRSS:\t   65000 kB\nThreads:\t7\n";
        assert_eq!(kilobytes(status, "VmRSS:"), Some(65_000 * 1024));
        assert_eq!(kilobytes(status, "VmHWM:"), Some(66_560 * 1024));
        assert_eq!(kilobytes("Name:\tzombie\n", "VmRSS:"), None);
    }

    #[test]
    fn processor_time_is_read_behind_whatever_name() {
        let stat = "42 (a) b) S 1 42 42 0 -1 4194560 100 0 0 0 7 3 1 1 20 0 1 0 100 0 0";
        assert_eq!(cpu(stat), Some(Duration::from_millis(120)));
        assert_eq!(cpu("no parenthesis"), None);
    }
}
