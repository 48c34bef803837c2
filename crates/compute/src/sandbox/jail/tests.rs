//! The spawner of tests.

use std::io;
use std::os::fd::AsFd;

use rustix::net::SocketType;
use rustix::net::sockopt::socket_type;

use super::{SpawnerProgram, run_spawner};

/// The test program itself, told to run [`the_spawner`] only.
pub(crate) fn spawner() -> SpawnerProgram {
    let args = [
        "--exact",
        "sandbox::jail::tests::the_spawner",
        "--ignored",
        "--nocapture",
    ];
    SpawnerProgram {
        program: std::env::current_exe().unwrap(),
        args: args.map(Into::into).into(),
    }
}

/// Is the spawner when its input is a control socket, and else nothing.
#[test]
#[ignore = "not a test but the process that starts the jails of others"]
fn the_spawner() {
    if socket_type(io::stdin().as_fd()).is_ok_and(|kind| kind == SocketType::SEQPACKET) {
        let _ended = run_spawner();
    }
}
