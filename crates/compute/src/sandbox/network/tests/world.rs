//! A small internet: a node in a namespace of its own, and another machine in a second one, by a cable.

use std::io::ErrorKind;
use std::net::{IpAddr, SocketAddr, TcpStream};
use std::os::fd::{AsFd, OwnedFd};
use std::process::Command;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use super::super::link;

/// The node's address on the cable.
pub(crate) const NODE: &str = "203.0.113.1";
/// The other machine's.
pub(crate) const REMOTE: &str = "203.0.113.5";
pub(crate) const REMOTE_V6: &str = "2001:db8:5::5";

/// The other machine. Whatever thread made it is on the node from then on.
pub(crate) struct Remote(OwnedFd);

impl Remote {
    /// Moves the calling thread, and what it starts, to the node.
    pub(crate) fn connect() -> Self {
        link::enter_new_namespace().unwrap();
        let remote = Self::machine();
        ip("link set lo up");
        ip(&format!("addr add {NODE}/24 dev cable"));
        ip("-6 addr add 2001:db8:5::1/64 dev cable nodad");
        ip("link set cable up");
        // the first question for a neighbour is lost while the cable is being plugged in
        std::fs::write("/proc/sys/net/ipv6/neigh/cable/retrans_time_ms", "5").unwrap();
        ip("-6 route add default via 2001:db8:5::5 dev cable");
        remote.run(|| {
            ip("link set lo up");
            ip(&format!("addr add {REMOTE}/24 dev cable"));
            ip(&format!("-6 addr add {REMOTE_V6}/64 dev cable nodad"));
            ip("link set cable up");
        });
        await_answer();
        remote
    }

    /// A namespace with the other end of a cable.
    fn machine() -> Self {
        let (there, namespace) = mpsc::channel();
        let (done, go_on) = mpsc::channel::<()>();
        let machine = thread::spawn(move || {
            link::enter_new_namespace().unwrap();
            let thread = std::fs::read_link("/proc/thread-self").unwrap();
            let id = thread.file_name().unwrap().to_str().unwrap().to_owned();
            there.send((id, link::current_namespace().unwrap())).unwrap();
            // the namespace is found by this thread
            go_on.recv().unwrap();
        });
        let (id, namespace) = namespace.recv().unwrap();
        ip(&format!("link add cable type veth peer name cable netns {id}"));
        done.send(()).unwrap();
        machine.join().unwrap();
        Self(namespace.into())
    }

    /// Does something on the other machine.
    pub(crate) fn run<T: Send + 'static>(&self, act: impl FnOnce() -> T + Send + 'static) -> T {
        let namespace = self.0.try_clone().unwrap();
        let there = thread::spawn(move || {
            link::enter(namespace.as_fd()).unwrap();
            act()
        });
        there.join().unwrap()
    }

    /// Gives the other machine one more address.
    pub(crate) fn adopt(&self, address: SocketAddr) {
        let IpAddr::V4(v4) = address.ip() else {
            panic!("this machine's resolver has no IPv4 address")
        };
        ip(&format!("route add {v4}/32 dev cable"));
        self.run(move || ip(&format!("addr add {v4}/32 dev cable")));
    }
}

/// The kernel takes its time to see that a cable is plugged in.
fn await_answer() {
    let nobody = SocketAddr::new(REMOTE_V6.parse().unwrap(), 1);
    let refused = |error: &std::io::Error| error.kind() == ErrorKind::ConnectionRefused;
    while !TcpStream::connect_timeout(&nobody, Duration::from_millis(50)).is_err_and(|error| refused(&error))
    {
    }
}

/// Configures the namespace of the calling thread.
pub(crate) fn ip(arguments: &str) {
    let output = Command::new("ip").args(arguments.split(' ')).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "ip {arguments}: {said}");
}
