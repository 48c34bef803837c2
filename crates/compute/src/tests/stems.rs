//! Starts from runtimes that booted in advance.

use serde_json::Value;

use super::node::{Node, Settings, eventually, process_exists};
use crate::{FunctionSpec, SandboxChoice};

/// Only there a process is told late which function it runs.
fn on_plain_processes() -> Settings {
    Settings {
        sandbox: SandboxChoice::Process,
        ..Settings::default()
    }
}

fn with_stems(stems: usize) -> Node {
    Node::start_with(Settings {
        stems,
        ..on_plain_processes()
    })
}

const NODE: &str =
    "exports.handler = async () => ({ pid: process.pid, cwd: process.cwd(), env: process.env })";
const PYTHON: &str = "
    def handler(event, context):
        return {'pid': os.getpid(), 'cwd': os.getcwd(), 'env': dict(os.environ)}
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
    let environment = std::fs::read(format!("/proc/{}/environ", answer["pid"])).unwrap();
    let mut variables = environment.split(|byte| *byte == 0);
    variables.any(|variable| variable == b"_TRADEWIND_STEM=1")
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
    let node = with_stems(1);
    for mut spec in specs(&node).await {
        let others = node.engine.stems();
        spec.environment.insert("TZ".into(), "Asia/Tokyo".into());
        let function = node.deploy(spec.clone());
        eventually(|| node.engine.stems() == others + 1).await;
        let first = node.invoke(&function, "{}").await;
        assert!(was_stem(&first), "{}", spec.runtime);
        assert_eq!(first["env"]["TZ"], "Asia/Tokyo");
        assert_eq!(node.invoke(&function, "{}").await["pid"], first["pid"]);
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
    let node = with_stems(1);
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
    assert!(process_exists(answer["pid"].as_u64().unwrap()));
    eventually(|| node.engine.stems() == 1).await;
    node.stop().await;
}

#[tokio::test]
async fn stems_go_with_the_last_function_that_needs_them_and_with_the_engine() {
    let node = Node::start_with(Settings {
        stems: 2,
        keep_alive: super::node::NO_TIME,
        ..on_plain_processes()
    });
    let [javascript, python] = specs(&node).await;
    let functions = [node.deploy(javascript), node.deploy(python)];
    eventually(|| node.engine.stems() == 4).await;
    let [first, _second] = functions;
    node.engine.remove(&first);
    eventually(|| node.engine.stems() == 2).await;
    let run = node.dir.path().join("run");
    eventually(|| std::fs::read_dir(&run).unwrap().count() == 2).await;
    node.engine.shutdown(std::time::Duration::from_secs(60)).await;
    assert_eq!(std::fs::read_dir(&run).unwrap().count(), 0);
}

#[tokio::test]
async fn stems_leave_the_memory_to_the_functions() {
    let node = Node::start_with(Settings {
        stems: 2,
        // room for a stem in an eighth of it, not for two
        memory_budget_bytes: Some(8 * 50 * 1024 * 1024),
        ..on_plain_processes()
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
