//! How many instances there are, and who is throttled.

use std::collections::HashSet;

use serde_json::{Value, json};
use tokio::task::JoinSet;

use super::node::{Node, Settings, eventually};
use crate::{InvokeError, SandboxChoice, ThrottleReason};

/// Invokes `count` times at once and gives the answers.
async fn burst(
    node: &std::sync::Arc<Node>,
    function: &tradewind_model::FunctionArn,
    count: usize,
    event: &str,
) -> Vec<Value> {
    let mut calls = JoinSet::new();
    for _ in 0..count {
        let (node, function, event) = (node.clone(), function.clone(), event.to_owned());
        calls.spawn(async move { node.invoke(&function, &event).await });
    }
    calls.join_all().await
}

fn distinct(answers: &[Value]) -> usize {
    answers
        .iter()
        .map(ToString::to_string)
        .collect::<HashSet<_>>()
        .len()
}

async fn stop(node: std::sync::Arc<Node>) {
    node.engine.shutdown(std::time::Duration::from_secs(60)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn twenty_that_wait_get_an_instance_each() {
    let node = std::sync::Arc::new(Node::plain());
    let folder = node.shared("all");
    // none answers before all are there: fewer than twenty instances could never answer
    let function = node
        .python(
            "
            def handler(event, context):
                open(os.path.join(event['folder'], str(os.getpid())), 'w').close()
                while len(os.listdir(event['folder'])) < 20:
                    time.sleep(0.005)
                return os.getpid()
            ",
        )
        .await;
    let answers = burst(&node, &function, 20, &json!({ "folder": folder }).to_string()).await;
    assert_eq!(distinct(&answers), 20);
    stop(node).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_burst_on_a_fast_function_shares_few_instances() {
    let node = std::sync::Arc::new(Node::plain());
    let function = node.js("exports.handler = async () => process.pid").await;
    let answers = burst(&node, &function, 64, "{}").await;
    assert!(distinct(&answers) <= 16, "{} instances", distinct(&answers));
    let warm = burst(&node, &function, 64, "{}").await;
    assert!(distinct(&warm) <= 16, "{} instances", distinct(&warm));
    stop(node).await;
}

#[tokio::test]
async fn the_last_used_instance_is_used_first() {
    let node = Node::plain();
    let folder = node.shared("all");
    let function = node
        .python(
            "
            def handler(event, context):
                if event:
                    open(os.path.join(event, str(os.getpid())), 'w').close()
                    while len(os.listdir(event)) < 3:
                        time.sleep(0.005)
                return os.getpid()
            ",
        )
        .await;
    let event = json!(folder).to_string();
    let call = || node.invoke(&function, &event);
    tokio::join!(call(), call(), call());
    let first = node.invoke(&function, "null").await;
    for _ in 0..5 {
        assert_eq!(node.invoke(&function, "null").await, first);
    }
    assert_eq!(node.engine.functions()[0].idle, 3);
    node.stop().await;
}

const WAITING: &str = "
    def handler(event, context):
        if event:
            open(os.path.join(event, 'running'), 'w').close()
            while not os.path.exists(os.path.join(event, 'go')):
                time.sleep(0.005)
        return 'done'
";

#[tokio::test]
async fn reserved_concurrency_throttles_and_zero_turns_off() {
    let node = Node::plain();
    let folder = node.shared("gate");
    let mut spec = node.python_spec(WAITING).await;
    spec.reserved_concurrency = Some(1);
    let function = node.deploy(spec.clone());
    let event = json!(folder).to_string();
    let other = async {
        eventually(|| folder.join("running").exists()).await;
        let refused = node.try_invoke(&function, "null").await;
        std::fs::write(folder.join("go"), "").unwrap();
        refused
    };
    let (answer, refused) = tokio::join!(node.invoke(&function, &event), other);
    assert_eq!(answer, "done");
    let reason = ThrottleReason::ReservedConcurrency;
    assert_eq!(refused.unwrap_err(), InvokeError::Throttled { reason });
    for _ in 0..5 {
        assert_eq!(node.invoke(&function, "null").await, "done");
    }
    spec.reserved_concurrency = Some(0);
    node.deploy(spec);
    assert_eq!(node.engine.functions()[0].idle, 1);
    assert_eq!(
        node.try_invoke(&function, "null").await.unwrap_err(),
        InvokeError::Throttled { reason }
    );
    node.stop().await;
}

#[tokio::test]
async fn the_account_is_a_limit_for_all_functions_together() {
    let node = Node::start_with(Settings {
        sandbox: SandboxChoice::Process,
        account_concurrency: 1,
        ..Settings::default()
    });
    let folder = node.shared("gate");
    let (one, two) = (node.python(WAITING).await, node.python(WAITING).await);
    let event = json!(folder).to_string();
    let other = async {
        eventually(|| folder.join("running").exists()).await;
        let refused = node.try_invoke(&two, "null").await;
        std::fs::write(folder.join("go"), "").unwrap();
        refused
    };
    let (_answer, refused) = tokio::join!(node.invoke(&one, &event), other);
    let reason = ThrottleReason::AccountConcurrency;
    assert_eq!(refused.unwrap_err(), InvokeError::Throttled { reason });
    assert_eq!(node.invoke(&two, "null").await, "done");
    node.stop().await;
}

#[tokio::test]
async fn a_function_takes_the_memory_of_one_that_is_idle() {
    let budget = Some(60 * 1024 * 1024);
    let node = Node::start_with(Settings {
        memory_budget_bytes: budget,
        ..Settings::default()
    });
    let (one, two) = (node.python(WAITING).await, node.python(WAITING).await);
    assert_eq!(node.invoke(&one, "null").await, "done");
    let busy = "def handler(event, context): return bytearray(64 << 20).__len__()";
    let large = node.python(busy).await;
    assert_eq!(node.invoke(&large, "null").await, 64 << 20);
    assert_eq!(node.invoke(&two, "null").await, "done");
    node.stop().await;
}
