//! What the machine gives: processors, memory, file descriptors, file watches.

use super::{Check, Group, Status};

/// Below this many open files a node runs out with a few hundred connections and instances.
const FEW_FILES: u64 = 4_096;
/// Below this many watches a large project is not wholly watched.
const FEW_WATCHES: u64 = 8_192;

/// Looks at all of them; what this system does not tell is left out.
pub(super) fn checks() -> Vec<Check> {
    let read = |path: &str| std::fs::read_to_string(path).ok();
    let mut checks = vec![cpus()];
    checks.extend(read("/proc/meminfo").and_then(|text| memory(&text)));
    checks.extend(read("/proc/self/limits").and_then(|text| open_files(&text)));
    checks.extend(read("/proc/sys/fs/inotify/max_user_watches").and_then(|text| watches(&text)));
    checks
}

fn limit(name: &str, status: Status, detail: impl Into<String>) -> Check {
    Check::new(Group::Limits, name, status, detail)
}

fn cpus() -> Check {
    match std::thread::available_parallelism() {
        Ok(count) => limit("processors", Status::Ok, count.to_string()),
        Err(error) => limit("processors", Status::Missing, error.to_string()),
    }
}

fn memory(meminfo: &str) -> Option<Check> {
    let kilobytes = |name: &str| -> Option<u64> {
        let line = meminfo.lines().find_map(|line| line.strip_prefix(name))?;
        line.trim().strip_suffix(" kB")?.trim().parse().ok()
    };
    let (total, available) = (kilobytes("MemTotal:")?, kilobytes("MemAvailable:")?);
    Some(limit(
        "memory",
        Status::Ok,
        format!("{} MB, {} MB available", total / 1024, available / 1024),
    ))
}

fn open_files(limits: &str) -> Option<Check> {
    let line = limits
        .lines()
        .find_map(|line| line.strip_prefix("Max open files"))?;
    let mut columns = line.split_whitespace();
    let (soft, hard) = (columns.next()?, columns.next()?);
    let detail = format!("{soft}, may be raised to {hard}");
    if soft.parse::<u64>().is_ok_and(|soft| soft < FEW_FILES) {
        return Some(
            limit("open files", Status::Missing, detail).hint(format!("raise it: `ulimit -n {hard}`")),
        );
    }
    Some(limit("open files", Status::Ok, detail))
}

fn watches(text: &str) -> Option<Check> {
    let count: u64 = text.trim().parse().ok()?;
    if count < FEW_WATCHES {
        let hint = "raise it: `sudo sysctl fs.inotify.max_user_watches=524288`";
        return Some(limit("file watches", Status::Missing, count.to_string()).hint(hint));
    }
    Some(limit("file watches", Status::Ok, count.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_is_read_from_the_system() {
        let check =
            memory("MemTotal:       24682680 kB\nMemFree: 1 kB\nMemAvailable:   24061952 kB\n").unwrap();
        assert_eq!(check.detail, "24104 MB, 23498 MB available");
        assert!(memory("nothing").is_none());
    }

    #[test]
    fn few_open_files_get_a_hint() {
        let text = "Limit                     Soft Limit           Hard Limit           Units     \n\
                    Max open files            1024                 1048576              files     \n";
        let check = open_files(text).unwrap();
        assert_eq!(check.status, Status::Missing);
        assert_eq!(check.detail, "1024, may be raised to 1048576");
        let many = text.replace("1024    ", "1048576 ");
        assert_eq!(open_files(&many).unwrap().status, Status::Ok);
    }

    #[test]
    fn few_watches_get_a_hint() {
        assert_eq!(watches("524288\n").unwrap().status, Status::Ok);
        assert!(watches("1024\n").unwrap().hint.is_some());
    }
}
