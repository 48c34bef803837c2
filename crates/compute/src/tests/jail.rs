//! What a function finds in its jail.

use serde_json::json;

use super::node::{Node, Settings};
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
