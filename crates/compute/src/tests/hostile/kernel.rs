//! Asking the kernel for what a function has no business with.

use serde_json::{Value, json};

use super::Scene;

/// Asks for each `[name, call]` and gives those that were not refused.
async fn not_refused(scene: &Scene, calls: &str) -> Value {
    let calls = calls.replace('\n', " ");
    let code = format!(
        "
            result = [name for name, *arguments in {calls} if call(*arguments) not in ('EPERM', 'ENOSYS')]
        "
    );
    scene.attack(&code).await
}

#[cfg(target_arch = "x86_64")]
#[tokio::test]
async fn mounting_tracing_keys_and_the_machine_itself_are_refused() {
    let scene = Scene::new().await;
    let calls = "[
        ('ptrace', 101, 0, 0, 0, 0), ('process_vm_readv', 310, 1, 0, 0, 0, 0, 0), ('kcmp', 312, 1, 2, 0, 0, 0),
        ('pidfd_getfd', 438, 0, 0, 0), ('mount', 165, 0, 0, 0, 0, 0), ('umount2', 166, 0, 0), ('pivot_root', 155, 0, 0),
        ('chroot', 161, 0), ('open_tree', 428, -100, 0, 1), ('move_mount', 429, 0, 0, 0, 0, 0), ('fsopen', 430, 0, 0),
        ('unshare user', 272, 0x10000000), ('unshare net', 272, 0x40000000), ('setns', 308, 0, 0),
        ('add_key', 248, 0, 0, 0, 0, -3), ('request_key', 249, 0, 0, 0, 0), ('keyctl', 250, 0, -3, 0),
        ('bpf', 321, 0, 0, 0), ('perf_event_open', 298, 0, 0, -1, -1, 0), ('userfaultfd', 323, 0),
        ('io_uring_setup', 425, 1, 0), ('kexec_load', 246, 0, 0, 0, 0), ('init_module', 175, 0, 0, 0),
        ('reboot', 169, 0, 0, 0), ('swapon', 167, 0, 0), ('settimeofday', 164, 0, 0), ('sethostname', 170, 0, 0),
        ('syslog', 103, 3, 0, 0), ('open_by_handle_at', 304, 0, 0, 0), ('iopl', 172, 3), ('quotactl', 179, 0, 0, 0, 0),
        ('clone3', 435, 0, 0), ('fanotify_init', 300, 0, 0), ('acct', 163, 0),
        ('clone newuser', 56, 0x10000000 | 17, 0, 0, 0, 0), ('personality', 135, 0x0040000),
        ('x32 getpid', 0x40000000 + 39),
    ]";
    assert_eq!(not_refused(&scene, calls).await, json!([]));
    scene.end().await;
}

#[tokio::test]
async fn raw_and_foreign_sockets_are_refused_and_others_work() {
    let scene = Scene::new().await;
    let seen = scene
        .attack(
            "
            def make(*kind):
                socket.socket(*kind).close()
            refused = [(socket.AF_INET, socket.SOCK_RAW, 1), (socket.AF_INET6, socket.SOCK_RAW, 58),
                       (socket.AF_PACKET, socket.SOCK_RAW, 0), (40, socket.SOCK_STREAM, 0), (38, 5, 0), (16, 3, 9), (31, 1, 0)]
            allowed = [(socket.AF_INET, socket.SOCK_STREAM), (socket.AF_INET6, socket.SOCK_DGRAM),
                       (socket.AF_UNIX, socket.SOCK_STREAM), (socket.AF_NETLINK, socket.SOCK_RAW, 0)]
            result = [[attempt(lambda: make(*kind)) for kind in refused], [attempt(lambda: make(*kind)) for kind in allowed]]
            ",
        )
        .await;
    let refused = seen[0].as_array().unwrap();
    // asking the audit subsystem is netlink, too: it answers nobody without privileges
    let sockets = refused.iter().enumerate().filter(|(at, _)| *at != 5);
    assert!(
        sockets
            .map(|(_, answer)| answer)
            .all(|answer| answer != "allowed"),
        "{seen}"
    );
    assert_eq!(seen[1], json!(["allowed", "allowed", "allowed", "allowed"]));
    scene.end().await;
}

#[tokio::test]
async fn no_program_gives_privileges_back() {
    let scene = Scene::new().await;
    let seen = scene
        .attack(
            "
            status = dict(line.split(':\\t', 1) for line in open('/proc/self/status').read().splitlines() if ':\\t' in line)
            become = [attempt(lambda: os.setuid(0)), attempt(lambda: os.setgid(0)), attempt(lambda: os.setgroups([0]))]
            result = [status['CapEff'], status['CapBnd'], status['NoNewPrivs'], status['Seccomp'], become]
            ",
        )
        .await;
    assert_eq!(
        seen,
        json!([
            "0000000000000000",
            "0000000000000000",
            "1",
            "2",
            ["EINVAL", "EINVAL", "EPERM"]
        ])
    );
    scene.end().await;
}
