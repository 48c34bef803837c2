//! Starts from runtimes that booted in advance.

use std::time::Duration;

use serde_json::{Value, json};
use tradewind_model::MemoryMib;

use super::node::{Node, Settings, eventually};
use crate::{FunctionSpec, SandboxChoice};

const SANDBOXES: [SandboxChoice; 2] = [SandboxChoice::Process, SandboxChoice::Jail];

fn with_stems(stems: usize, sandbox: SandboxChoice) -> Node {
    Node::start_with(Settings {
        stems,
        sandbox,
        ..Settings::default()
    })
}

const NODE: &str = "
    const started = require('fs').readFileSync('/proc/self/environ', 'latin1');
    let calls = 0;
    exports.handler = async () =>
        ({ calls: ++calls, started, pid: process.pid, cwd: process.cwd(), env: process.env });
";
const PYTHON: &str = "
    started, calls = open('/proc/self/environ').read(), 0
    def handler(event, context):
        global calls
        calls += 1
        return {'calls': calls, 'started': started, 'pid': os.getpid(), 'cwd': os.getcwd(), 'env': dict(os.environ)}
";

async fn specs(node: &Node) -> [FunctionSpec; 2] {
    [
        node.spec("nodejs20.x", "index.handler", &[("index.js", NODE)])
            .await,
        node.python_spec(PYTHON).await,
    ]
}

/// Whether the process was started without a function.
fn was_stem(answer: &Value) -> bool {
    let mut variables = answer["started"].as_str().unwrap().split('\0');
    variables.any(|variable| variable == "_TRADEWIND_STEM=1")
}

/// What must be the same for an instance from a stem and one from nothing.
fn comparable(answer: &Value) -> Value {
    let mut env = answer["env"].clone();
    for its_own in ["AWS_LAMBDA_LOG_STREAM_NAME", "TMPDIR", "_X_AMZN_TRACE_ID"] {
        assert!(
            env.as_object_mut().unwrap().remove(its_own).is_some(),
            "{its_own}"
        );
    }
    serde_json::json!([env, answer["cwd"]])
}

#[tokio::test]
async fn a_stem_becomes_the_function_and_is_replaced() {
    for sandbox in SANDBOXES {
        becomes_the_function(with_stems(1, sandbox)).await;
    }
}

async fn becomes_the_function(node: Node) {
    for mut spec in specs(&node).await {
        let others = node.engine.stems();
        spec.environment.insert("TZ".into(), "Asia/Tokyo".into());
        let function = node.deploy(spec.clone());
        eventually(|| node.engine.stems() == others + 1).await;
        let first = node.invoke(&function, "{}").await;
        assert!(was_stem(&first), "{}", spec.runtime);
        assert_eq!(first["env"]["TZ"], "Asia/Tokyo");
        assert_eq!(
            (&first["calls"], &node.invoke(&function, "{}").await["calls"]),
            (&json!(1), &json!(2))
        );
        eventually(|| node.engine.stems() == others + 1).await;
        // the same without: one for which there is no stem
        spec.environment
            .insert("LD_DEBUG_OUTPUT".into(), "/dev/null".into());
        node.deploy(spec.clone());
        let mut plain = node.invoke(&function, "{}").await;
        assert!(!was_stem(&plain));
        plain["env"].as_object_mut().unwrap().remove("LD_DEBUG_OUTPUT");
        assert_eq!(comparable(&first), comparable(&plain));
    }
    node.stop().await;
}

#[tokio::test]
async fn a_dead_stem_is_not_given_away() {
    let node = with_stems(1, SandboxChoice::Process);
    let [spec, _python] = specs(&node).await;
    let function = node.deploy(spec.clone());
    eventually(|| node.engine.stems() == 1).await;
    let killed = std::process::Command::new("pkill")
        .args(["-9", "-P", &std::process::id().to_string(), "-f"])
        .arg(node.dir.path().join("bootstraps"))
        .status()
        .unwrap();
    assert!(killed.success());
    let answer = node.invoke(&function, "{}").await;
    assert_eq!(answer["calls"], 1);
    eventually(|| node.engine.stems() == 1).await;
    node.stop().await;
}

#[tokio::test]
async fn stems_go_with_the_last_function_that_needs_them_and_with_the_engine() {
    for sandbox in SANDBOXES {
        go_with_their_functions(sandbox).await;
    }
}

async fn go_with_their_functions(sandbox: SandboxChoice) {
    let node = Node::start_with(Settings {
        stems: 2,
        keep_alive: super::node::NO_TIME,
        sandbox,
        ..Settings::default()
    });
    let [javascript, python] = specs(&node).await;
    let functions = [node.deploy(javascript), node.deploy(python)];
    eventually(|| node.engine.stems() == 4).await;
    let [first, _second] = functions;
    node.engine.remove(&first);
    eventually(|| node.engine.stems() == 2).await;
    let run = node.dir.path().join("run");
    // in a jail it is not on the machine's disk
    let folders = if sandbox == SandboxChoice::Jail { 0 } else { 2 };
    eventually(|| std::fs::read_dir(&run).unwrap().count() == folders).await;
    node.engine.shutdown(Duration::from_secs(60)).await;
    assert_eq!(std::fs::read_dir(&run).unwrap().count(), 0);
}

#[tokio::test]
async fn stems_leave_the_memory_to_the_functions() {
    let node = Node::start_with(Settings {
        stems: 2,
        // room for a stem in an eighth of it, not for two
        memory_budget_bytes: Some(8 * 50 * 1024 * 1024),
        ..Settings::default()
    });
    let [_javascript, python] = specs(&node).await;
    let function = node.deploy(python);
    eventually(|| node.engine.stems() == 1).await;
    // eight that were never measured leave no room for a ninth process
    node.engine.set_warm_floor(&function, 8);
    eventually(|| node.engine.functions()[0].idle == 8).await;
    assert_eq!(node.engine.stems(), 0);
    node.stop().await;
}

#[tokio::test]
async fn a_stem_in_a_jail_sees_its_own_code_alone_and_has_its_functions_limits() {
    let node = with_stems(1, SandboxChoice::Jail);
    let code = "
        import ctypes
        beside = open('/var/task/main.py').read().strip().splitlines()[-1]
        stem = '_TRADEWIND_STEM=1' in open('/proc/self/environ').read()
        def flags(path):
            return os.statvfs(path).f_flag
        def handler(event, context):
            if 'fill' in event:
                return len(bytes([1]) * (event['fill'] << 20))
            try:
                open('/var/task/x', 'w')
                wrote = True
            except OSError:
                wrote = False
            libc = ctypes.CDLL(None, use_errno=True)
            return {
                'beside': beside, 'stem': stem, 'wrote': wrote,
                'task': sorted(os.listdir('/var/task')),
                'opt': os.listdir('/opt'),
                'flags': [flags('/var/task') & f != 0 for f in (os.ST_RDONLY, os.ST_NOSUID, os.ST_NODEV)],
                'unmounted': libc.umount2(b'/var/task', 2) == 0,
                'uid': os.getuid(),
                'outside': open('/proc/self/uid_map').read().split()[1],
            }
    ";
    let mut answers = Vec::new();
    for (memory, name) in [(256, "# one"), (512, "# other")] {
        let mut spec = node.python_spec(&format!("{code}\n        {name}\n")).await;
        spec.memory = MemoryMib::new(memory).unwrap();
        let function = node.deploy(spec);
        // of this size, and one that replaces those of the sizes before
        eventually(|| node.engine.stems() == answers.len() + 1).await;
        let seen = node.invoke(&function, "{}").await;
        assert_eq!(
            [&seen["stem"], &seen["wrote"], &seen["unmounted"]],
            [&json!(true), &json!(false), &json!(false)]
        );
        assert_eq!(
            (&seen["beside"], &seen["task"]),
            (&json!(name), &json!(["main.py"]))
        );
        assert_eq!((&seen["opt"], &seen["uid"]), (&json!([]), &json!(993)));
        assert_eq!(seen["flags"], json!([true, true, true]));
        answers.push((function, seen));
    }
    let [(small, one), (large, other)] = <[_; 2]>::try_from(answers).unwrap();
    // as this process sees it, the namespace's user is the machine's
    assert_ne!(one["outside"], other["outside"]);
    let fill = r#"{"fill":300}"#;
    assert_eq!(node.invoke(&large, fill).await, json!(300 << 20));
    let (kind, _message) = node.invoke_error(&small, fill).await;
    assert_eq!(kind, "Runtime.ExitError");
    node.stop().await;
}

#[tokio::test]
async fn a_package_with_a_folder_of_libraries_is_started_from_nothing() {
    let node = with_stems(1, SandboxChoice::Jail);
    let files = [("index.js", NODE), ("lib/libx.so.1", "")];
    let spec = node.spec("nodejs20.x", "index.handler", &files).await;
    let function = node.deploy(spec);
    eventually(|| node.engine.stems() == 1).await;
    assert!(!was_stem(&node.invoke(&function, "{}").await));
    assert_eq!(node.engine.stems(), 1);
    node.stop().await;
}
