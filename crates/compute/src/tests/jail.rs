//! What a function finds in its jail.

use serde_json::json;

use super::node::{Node, Settings, eventually};
use crate::SandboxChoice;

/// A node whose functions run in jails, or no node at all.
fn jails() -> Node {
    Node::start_with(Settings {
        sandbox: SandboxChoice::Jail,
        ..Settings::default()
    })
}

#[tokio::test]
async fn a_function_sees_its_code_its_runtime_and_a_tmp_of_its_own() {
    let node = jails();
    let function = node
        .python(
            "
            def handler(event, context):
                open('/tmp/mine', 'w').write('x')
                return {
                    'task': sorted(os.listdir('/var/task')),
                    'cwd': os.getcwd(),
                    'environment': [os.environ[n] for n in ('LAMBDA_TASK_ROOT', 'LAMBDA_RUNTIME_DIR', 'TMPDIR')],
                    'root': sorted(os.listdir('/')),
                    'tmp': os.listdir('/tmp'),
                    'pid': os.getpid(),
                    'uid': [os.getuid(), os.getgid()],
                    'host': os.uname().nodename,
                    'status': open('/proc/self/status').read(),
                }
            ",
        )
        .await;
    let seen = node.invoke(&function, "{}").await;
    assert_eq!(seen["task"], json!(["main.py"]));
    assert_eq!(seen["cwd"], "/var/task");
    assert_eq!(seen["environment"], json!(["/var/task", "/var/runtime", "/tmp"]));
    assert_eq!(seen["tmp"], json!(["mine"]));
    assert_eq!((&seen["pid"], &seen["host"]), (&json!(2), &json!("tradewind")));
    assert_eq!(seen["uid"], json!([993, 990]));
    // what is bound and mounted, and nothing of the machine's own
    let root = seen["root"].as_array().unwrap();
    for absent in ["boot", "etc/shadow", "mnt", "srv", "work"] {
        assert!(!root.contains(&json!(absent)), "{absent}");
    }
    let status = seen["status"].as_str().unwrap();
    for line in [
        "CapEff:\t0000000000000000",
        "CapBnd:\t0000000000000000",
        "NoNewPrivs:\t1",
        "Seccomp:\t2",
    ] {
        assert!(status.contains(line), "{line} in {status}");
    }
    node.stop().await;
}

/// The process on this machine that calls itself so.
fn process_named(name: &str) -> Option<u32> {
    let entries = std::fs::read_dir("/proc").unwrap().flatten();
    let mut ids = entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    ids.find(|id: &u32| {
        std::fs::read_to_string(format!("/proc/{id}/comm")).is_ok_and(|comm| comm.trim() == name)
    })
}

/// Whether the kernel keeps the processor from a process, as its cgroup says; none without such a cgroup.
fn is_frozen(id: u32) -> Option<bool> {
    let groups = std::fs::read_to_string(format!("/proc/{id}/cgroup")).ok()?;
    let group = groups
        .lines()
        .find_map(|line| line.split_once(":freezer:"))
        .map(|(_number, group)| group)?;
    let state = std::fs::read_to_string(format!("/sys/fs/cgroup/freezer{group}/freezer.state")).ok()?;
    Some(state.trim() == "FROZEN")
}

#[tokio::test]
async fn an_idle_jail_is_frozen_thawed_for_the_next_event_and_killed_all_the_same() {
    let node = jails();
    let name = format!("twfr{}", std::process::id());
    let code = format!(
        "
            import threading
            open('/proc/self/comm', 'w').write({name:?})
            def work():
                while True:
                    time.sleep(0.001)
            threading.Thread(target=work, daemon=True).start()
            count = 0
            def handler(event, context):
                global count
                count += 1
                return count
        "
    );
    let function = node.python(&code).await;
    for count in [1, 2] {
        assert_eq!(node.invoke(&function, "{}").await, count);
        let id = process_named(&name).unwrap();
        if is_frozen(id).is_some() {
            eventually(|| is_frozen(id) == Some(true)).await;
        }
    }
    node.engine.remove(&function);
    eventually(|| process_named(&name).is_none()).await;
    node.stop().await;
}

#[tokio::test]
async fn nothing_is_left_of_a_node_that_stopped() {
    let groups = || -> Vec<std::path::PathBuf> {
        let text = std::fs::read_to_string("/proc/mounts").unwrap();
        let mounts = text
            .lines()
            .filter(|line| line.contains(" cgroup"))
            .filter_map(|line| line.split(' ').nth(1));
        let all = mounts.flat_map(|mount| std::fs::read_dir(mount).into_iter().flatten().flatten());
        all.map(|entry| entry.path()).collect()
    };
    let node = jails();
    let function = node.python("def handler(event, context): return 1").await;
    let during = groups();
    node.invoke(&function, "{}").await;
    node.stop().await;
    // groups of this node are those that are gone now: there must be some where the jail has any
    let after = groups();
    let ours = during.iter().filter(|group| !after.contains(group)).count();
    let had_any = during
        .iter()
        .any(|group| group.to_string_lossy().contains("/tradewind-"));
    assert!(ours > 0 || !had_any, "{after:?}");
}
