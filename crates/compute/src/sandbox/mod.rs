//! What confines an instance, and how its process is started and ended.
//!
//! There is one sandbox today, `process`: a plain child with a session and process group of its
//! own, resource limits, a cleared environment, and a parent-death signal. [`crate::guards`] tells
//! what that does and does not hold. A stronger sandbox takes the same [`SpawnPlan`] and gives the
//! same [`Process`].
//!
//! Everything unsafe in the workspace is below this folder: [`process`](self::process) and
//! `network/link.rs`.

#[cfg(target_os = "linux")]
#[allow(dead_code, reason = "for the jail, which is about to join these networks")]
pub(crate) mod network;
mod process;
mod spawner;

pub(crate) use process::{Process, raise_open_files};
pub(crate) use spawner::{SpawnError, Spawner};

use std::ffi::OsString;
use std::io::Read;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// The descriptor numbers under which a function finds its ends of the channel: events come from the
/// first, answers go to the second.
pub(crate) const CHANNEL_FDS: [i32; 2] = [3, 4];

/// A function's ends of its channel.
#[derive(Debug)]
pub(crate) struct ChannelEnds {
    /// Events.
    pub(crate) input: OwnedFd,
    /// Answers.
    pub(crate) output: OwnedFd,
}

/// A process to be started.
#[derive(Debug)]
pub(crate) struct SpawnPlan {
    /// The executable.
    pub(crate) program: PathBuf,
    /// Its arguments.
    pub(crate) args: Vec<OsString>,
    /// Its whole environment.
    pub(crate) environment: Vec<(OsString, OsString)>,
    /// Where it starts.
    pub(crate) working_dir: PathBuf,
    /// Its own temporary folder, made just before it starts.
    pub(crate) tmp_dir: PathBuf,
    /// Its ends of the channel, if it speaks frames.
    pub(crate) channel: Option<ChannelEnds>,
    /// Where its standard output and error go.
    pub(crate) output: OwnedFd,
}

/// How long an interpreter may take to say its version.
const PROBE_LIMIT: Duration = Duration::from_secs(10);

/// Runs a program of the machine and returns what it printed, or nothing when it failed.
///
/// # Blocking
/// Until the program ends, at most ten seconds.
pub(crate) fn probe(program: &Path, args: &[&str]) -> Option<String> {
    let mut child = Command::new(program)
        .args(args)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .ok()?;
    let limit = Instant::now() + PROBE_LIMIT;
    let status = loop {
        match child.try_wait().ok()? {
            Some(status) => break status,
            None if Instant::now() > limit => {
                child.kill().ok()?;
                return None;
            }
            None => std::thread::sleep(Duration::from_millis(2)),
        }
    };
    let mut text = String::new();
    child
        .stdout
        .take()?
        .take(64 * 1024)
        .read_to_string(&mut text)
        .ok()?;
    status.success().then_some(text)
}
