//! The root folder that all jails share, read-only: the system's programs and libraries, the few files of
//! `/etc` that they need, devices, and empty places for what each instance has of its own.
//!
//! It is mounted once, in the spawner's mount namespace, of which each jail's is a copy; a jail adds its
//! own and makes it the root.

use std::ffi::CString;
use std::fs;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::symlink;
use std::path::{Component, Path, PathBuf};

use rustix::mount::{MountFlags, mount, mount_bind_recursive};

use super::sys;
use super::trouble::{Step, Trouble};

/// Folders of the system, shown as they are: a folder, or a link to a place that is shown.
const SYSTEM: [&str; 8] = ["usr", "bin", "sbin", "lib", "lib32", "lib64", "libx32", "nix"];
/// Folders of `/etc` that programs need: certificates, and what Debian links its programs through.
const ETC_FOLDERS: [&str; 6] = [
    "ssl",
    "pki",
    "ca-certificates",
    "alternatives",
    "crypto-policies",
    "fonts",
];
/// Files of `/etc`, copied.
const ETC_FILES: [&str; 10] = [
    "localtime",
    "timezone",
    "ld.so.cache",
    "ld.so.conf",
    "os-release",
    "mime.types",
    "services",
    "protocols",
    "gai.conf",
    "resolv.conf",
];
/// Different contents of `/etc/resolv.conf`: with egress and without, and after the machine's has changed.
const MAX_RESOLVERS: u32 = 64;
/// The largest of them that is believed to be meant.
const ETC_FILE_BYTES: u64 = 1024 * 1024;
const DEVICES: [&str; 5] = ["null", "zero", "full", "random", "urandom"];
/// What `/proc` tells of the machine and functions have no use for.
const MASKED: [&str; 8] = [
    "/proc/kcore",
    "/proc/keys",
    "/proc/key-users",
    "/proc/kmsg",
    "/proc/latency_stats",
    "/proc/sched_debug",
    "/proc/sysrq-trigger",
    "/proc/timer_list",
];

/// Lambda's own names and numbers.
pub(super) const USER: &str = "sbx_user1051";
pub(super) const USER_ID: u32 = 993;
pub(super) const GROUP_ID: u32 = 990;

/// Where an instance's own things are shown.
pub(super) const TASK_ROOT: &str = "/var/task";
pub(super) const LAYERS: &str = "/opt";
pub(super) const RUNTIME: &str = "/var/runtime";
pub(super) const PREPARED: &str = "/var/prepared";
pub(super) const TMP: &str = "/tmp";
pub(super) const SHARED_MEMORY: &str = "/dev/shm";
pub(super) const RESOLVER: &str = "/etc/resolv.conf";

/// Not written to, no device in it, no program of it changes who one is.
pub(super) const READ_ONLY: u64 = libc::MOUNT_ATTR_RDONLY | libc::MOUNT_ATTR_NOSUID | libc::MOUNT_ATTR_NODEV;

/// The root, mounted.
#[derive(Debug)]
pub(super) struct Root {
    at: PathBuf,
    /// Files of `/proc` that exist here and are to be hidden.
    pub(super) masked: Vec<&'static str>,
}

impl Root {
    /// Mounts it over the folder `at`.
    pub(super) fn build(at: &Path) -> Result<Self, Trouble> {
        let flags = MountFlags::NOSUID | MountFlags::NODEV;
        mount("tradewind", at, "tmpfs", flags, c"size=8m,mode=0755").step("mount the root")?;
        let root = Self {
            at: at.to_owned(),
            masked: MASKED
                .into_iter()
                .filter(|path| Path::new(path).exists())
                .collect(),
        };
        for place in [
            "/proc",
            "/sys",
            "/run",
            "/root",
            "/home",
            TMP,
            LAYERS,
            TASK_ROOT,
            RUNTIME,
            PREPARED,
            SHARED_MEMORY,
        ] {
            root.place(Path::new(place)).step(format!("create {place}"))?;
        }
        root.system()?;
        root.etc()?;
        root.devices()?;
        Ok(root)
    }

    /// Where a path of the jail is as long as the root is not its root.
    pub(super) fn path(&self, inside: impl AsRef<Path>) -> PathBuf {
        let parts = inside.as_ref().components();
        let below = parts.filter(|part| matches!(part, Component::Normal(_)));
        self.at.join(below.collect::<PathBuf>())
    }

    /// Makes a folder that something can be mounted over.
    pub(super) fn place(&self, inside: &Path) -> io::Result<PathBuf> {
        let path = self.path(inside);
        fs::create_dir_all(&path)?;
        Ok(path)
    }

    /// Whether a path of this machine is in every jail anyway.
    pub(super) fn shows(path: &Path) -> bool {
        SYSTEM
            .iter()
            .any(|name| path.starts_with(Path::new("/").join(name)))
    }

    /// Shows `outside` at `inside` and adds `attributes`, with whatever is mounted below.
    pub(super) fn bind(&self, outside: &Path, inside: &Path, attributes: u64) -> Result<(), Trouble> {
        let to = self.path(inside);
        mount_bind_recursive(outside, &to).step(format!("show {}", outside.display()))?;
        add_attributes(&to, attributes, libc::AT_RECURSIVE).step(format!("protect {}", inside.display()))
    }

    /// A file with a content for `/etc/resolv.conf`, on this machine. There are few different ones.
    pub(super) fn resolver(&self, content: &str) -> Result<PathBuf, Trouble> {
        for number in 0..MAX_RESOLVERS {
            let path = self.path(format!("{RESOLVER}.{number}"));
            match fs::read_to_string(&path) {
                Ok(other) if other == content => return Ok(path),
                Ok(_other) => {}
                Err(_none) => {
                    fs::write(&path, content).step("write resolv.conf")?;
                    return Ok(path);
                }
            }
        }
        Err(io::Error::from_raw_os_error(libc::ENOSPC)).step("write resolv.conf")
    }

    fn system(&self) -> Result<(), Trouble> {
        for name in SYSTEM {
            let outside = Path::new("/").join(name);
            let Ok(metadata) = fs::symlink_metadata(&outside) else {
                continue;
            };
            if metadata.is_symlink() {
                let target = fs::read_link(&outside).step(format!("read /{name}"))?;
                symlink(target, self.path(&outside)).step(format!("link /{name}"))?;
            } else {
                self.place(&outside).step(format!("create /{name}"))?;
                self.bind(&outside, &outside, READ_ONLY)?;
            }
        }
        Ok(())
    }

    fn etc(&self) -> Result<(), Trouble> {
        let etc = self.place(Path::new("/etc")).step("create /etc")?;
        let mut folders: Vec<PathBuf> = ETC_FOLDERS
            .iter()
            .map(|name| Path::new("/etc").join(name))
            .collect();
        folders.extend(java_settings());
        for folder in folders.iter().filter(|folder| folder.is_dir()) {
            self.place(folder).step("create a folder of /etc")?;
            self.bind(folder, folder, READ_ONLY)?;
        }
        for name in ETC_FILES {
            let outside = Path::new("/etc").join(name);
            let small =
                fs::metadata(&outside).is_ok_and(|file| file.is_file() && file.len() < ETC_FILE_BYTES);
            if small && let Ok(content) = fs::read(&outside) {
                fs::write(etc.join(name), content).step(format!("write /etc/{name}"))?;
            }
        }
        if !etc.join("resolv.conf").exists() {
            fs::write(etc.join("resolv.conf"), "").step("write resolv.conf")?;
        }
        for (name, content) in own_files() {
            fs::write(etc.join(name), content).step(format!("write /etc/{name}"))?;
        }
        Ok(())
    }

    fn devices(&self) -> Result<(), Trouble> {
        let dev = self.path("/dev");
        for name in DEVICES {
            let device = Path::new("/dev").join(name);
            fs::write(self.path(&device), "").step(format!("create /dev/{name}"))?;
            self.bind(
                &device,
                &device,
                libc::MOUNT_ATTR_NOSUID | libc::MOUNT_ATTR_NOEXEC,
            )?;
        }
        for (name, target) in [
            ("fd", "/proc/self/fd"),
            ("stdin", "/proc/self/fd/0"),
            ("stdout", "/proc/self/fd/1"),
            ("stderr", "/proc/self/fd/2"),
        ] {
            symlink(target, dev.join(name)).step(format!("link /dev/{name}"))?;
        }
        Ok(())
    }
}

/// Adds `MOUNT_ATTR_…` to the mount at `path`.
pub(super) fn add_attributes(path: &Path, attributes: u64, flags: libc::c_int) -> io::Result<()> {
    let path = CString::new(path.as_os_str().as_bytes())?;
    sys::add_mount_attributes(rustix::fs::CWD, &path, attributes, flags)
}

/// Debian keeps settings of its Java versions in `/etc`.
fn java_settings() -> impl Iterator<Item = PathBuf> {
    let entries = fs::read_dir("/etc").into_iter().flatten().flatten();
    entries
        .filter(|entry| entry.file_name().as_encoded_bytes().starts_with(b"java"))
        .map(|entry| entry.path())
}

fn own_files() -> [(&'static str, String); 5] {
    [
        (
            "passwd",
            format!(
                "root:x:0:0:root:/root:/sbin/nologin\n\
                 {USER}:x:{USER_ID}:{GROUP_ID}::/home/{USER}:/sbin/nologin\n\
                 nobody:x:65534:65534:nobody:/:/sbin/nologin\n"
            ),
        ),
        (
            "group",
            format!("root:x:0:\n{USER}:x:{GROUP_ID}:\nnogroup:x:65534:\n"),
        ),
        ("hosts", "127.0.0.1 localhost\n::1 localhost\n".to_owned()),
        ("hostname", "tradewind\n".to_owned()),
        (
            "nsswitch.conf",
            "passwd: files\ngroup: files\nhosts: files dns\nservices: files\nprotocols: files\n".to_owned(),
        ),
    ]
}

/// Files made from now on may be read by the users of jails.
pub(super) fn readable_by_all() {
    // what the mask was is of no interest
    let _before = rustix::process::umask(rustix::fs::Mode::from_raw_mode(0o022));
}
