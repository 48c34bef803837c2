//! The jail and its networks where there are none: everywhere but on Linux.

use std::ffi::OsString;
use std::io;
use std::net::SocketAddr;
use std::os::fd::BorrowedFd;
use std::path::{Path, PathBuf};
use std::process::{ExitCode, ExitStatus};
use std::task::{Context, Poll};

use tokio::net::TcpListener;

use super::{Folders, ProcessUsage, SpawnError, SpawnPlan};
use crate::spec::Egress;

/// The program that would become the spawner.
#[derive(Clone, Debug)]
pub struct SpawnerProgram {
    /// The executable.
    pub program: PathBuf,
    /// Its arguments.
    pub args: Vec<OsString>,
}

/// There is none here.
#[must_use]
pub fn run_spawner() -> ExitCode {
    ExitCode::FAILURE
}

/// What there is none of.
#[derive(Clone, Debug)]
pub(crate) enum Never {}

pub(crate) type Facts = Never;
pub(crate) type Connection = Never;
pub(crate) type Jail = Never;
pub(crate) type Process = Never;
pub(crate) type InstanceNetwork = Never;

pub(crate) fn no_way_out() -> Option<String> {
    None
}

impl Never {
    pub(crate) fn start<A, B>(_one: A, _other: B) -> io::Result<Self> {
        Err(io::Error::new(io::ErrorKind::Unsupported, "jails need Linux"))
    }

    pub(crate) fn new(connection: Self) -> io::Result<Self> {
        match connection {}
    }

    pub(crate) fn facts(&self) -> &Self {
        self
    }

    pub(crate) fn into_facts(self) -> io::Result<Self> {
        match self {}
    }

    pub(crate) fn inside(outside: &Folders) -> Folders {
        outside.clone()
    }

    pub(crate) async fn spawn(&self, _plan: SpawnPlan) -> Result<Self, SpawnError> {
        match *self {}
    }

    pub(crate) async fn specialise(&self, _process: &Self, _folders: &Folders) -> Result<(), SpawnError> {
        match *self {}
    }

    pub(crate) fn specialises(&self) -> bool {
        match *self {}
    }

    pub(crate) async fn stop(&self) {
        match *self {}
    }

    pub(crate) fn poll_exit(&mut self, _cx: &mut Context<'_>) -> Poll<ExitStatus> {
        match *self {}
    }

    pub(crate) fn kill(&mut self) {
        match *self {}
    }

    pub(crate) fn freeze(&mut self) -> io::Result<()> {
        match *self {}
    }

    pub(crate) fn thaw(&mut self) -> io::Result<()> {
        match *self {}
    }

    pub(crate) fn usage(&self) -> Option<ProcessUsage> {
        match *self {}
    }

    pub(crate) fn oom_killed(&self) -> bool {
        match *self {}
    }

    pub(crate) fn own_users(&self) -> bool {
        match *self {}
    }

    pub(crate) fn landlock(&self) -> u32 {
        match *self {}
    }

    pub(crate) fn limits_memory(&self) -> bool {
        match *self {}
    }

    pub(crate) fn shares_cpu(&self) -> bool {
        match *self {}
    }

    pub(crate) fn limits_processes(&self) -> bool {
        match *self {}
    }

    pub(crate) fn freezes(&self) -> bool {
        match *self {}
    }

    pub(crate) fn namespace(&self) -> BorrowedFd<'_> {
        match *self {}
    }

    pub(crate) fn resolv_conf(&self) -> &str {
        match *self {}
    }

    pub(crate) fn runtime_api(&mut self) -> io::Result<TcpListener> {
        match *self {}
    }
}

/// The maker of networks, where there is none.
#[derive(Clone, Debug)]
pub(crate) enum Networks {}

impl Networks {
    pub(crate) fn start(_api: Option<SocketAddr>) -> io::Result<Self> {
        Err(io::Error::new(
            io::ErrorKind::Unsupported,
            "networks of their own need Linux",
        ))
    }

    pub(crate) async fn take(&self, _egress: Egress) -> io::Result<InstanceNetwork> {
        match *self {}
    }

    pub(crate) async fn stop(&self) {
        match *self {}
    }
}
