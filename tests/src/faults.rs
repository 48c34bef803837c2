//! Disks that fail, for the real binary: a library between it and the C library (`faults.c`, compiled here) makes
//! calls fail, or kills the process just before one, as long as a file says so. The product knows nothing of it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicU64, Ordering};

/// What can fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Call {
    /// Making a file.
    Create,
    /// Writing to one.
    Write,
    /// `fsync` and `fdatasync`.
    Sync,
    /// Changing its length.
    Truncate,
    /// Giving it another name.
    Rename,
    /// Removing it.
    Unlink,
}

impl Call {
    /// All of them.
    pub const ALL: [Self; 6] = [
        Self::Create,
        Self::Write,
        Self::Sync,
        Self::Truncate,
        Self::Rename,
        Self::Unlink,
    ];

    fn name(self) -> &'static str {
        match self {
            Self::Create => "create",
            Self::Write => "write",
            Self::Sync => "sync",
            Self::Truncate => "truncate",
            Self::Rename => "rename",
            Self::Unlink => "unlink",
        }
    }
}

/// How it fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The disk has an error: `EIO`.
    Broken,
    /// The disk is full: `ENOSPC`.
    Full,
    /// The process is killed just before the call.
    Killed,
}

impl Fault {
    fn number(self) -> i32 {
        match self {
            Self::Broken => libc::EIO,
            Self::Full => libc::ENOSPC,
            Self::Killed => -1,
        }
    }
}

/// The library, and the plan of what fails in the processes that were started with it.
#[derive(Debug)]
pub struct Faults {
    library: PathBuf,
    control: PathBuf,
    plans: AtomicU64,
}

impl Faults {
    /// Compiles the library into `folder`. Nothing fails yet.
    ///
    /// # Panics
    /// When there is no C compiler, which building Tradewind needs, too; so for all that writes the plan.
    #[must_use]
    pub fn build(folder: &Path) -> Self {
        let library = folder.join("faults.so");
        let built = Command::new("cc")
            .args(["-O1", "-shared", "-fPIC", "-o"])
            .arg(&library)
            .arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("src/faults.c"))
            .arg("-ldl")
            .output()
            .expect("a C compiler is installed");
        assert!(
            built.status.success(),
            "{}",
            String::from_utf8_lossy(&built.stderr)
        );
        Self {
            library,
            control: folder.join("fault"),
            plans: AtomicU64::new(1),
        }
    }

    /// Starts the process with the library.
    pub fn within<'c>(&self, command: &'c mut Command) -> &'c mut Command {
        command
            .env("LD_PRELOAD", &self.library)
            .env("TRADEWIND_TEST_FAULTS", &self.control)
    }

    /// From now on these calls fail for files with `part` in their path, after so many that succeed.
    pub fn plan(&self, call: Call, fault: Fault, after: u64, part: &str) {
        self.clear();
        let number = self.plans.fetch_add(1, Ordering::Relaxed);
        let plan = format!("{number} {} {} {after} {part}\n", call.name(), fault.number());
        let new = self.control.with_extension("new");
        fs::write(&new, plan)
            .and_then(|()| fs::rename(&new, &self.control))
            .expect("the plan can be written");
    }

    /// From now on nothing fails.
    pub fn clear(&self) {
        for file in [&self.control, &self.control.with_extension("hit")] {
            match fs::remove_file(file) {
                Err(error) if error.kind() != std::io::ErrorKind::NotFound => panic!("{error}"),
                Ok(()) | Err(_) => {}
            }
        }
    }

    /// Whether the plan has come true.
    #[must_use]
    pub fn hit(&self) -> bool {
        self.control.with_extension("hit").exists()
    }
}
