//! What happens to instances while nobody calls them.

use super::node::{Node, eventually};

/// Counts in the background, between invocations too if it is let.
const RESTLESS: &str = "
    import threading
    count = 0
    def work():
        global count
        while True:
            count += 1
            time.sleep(0.001)
    threading.Thread(target=work, daemon=True).start()
    def handler(event, context):
        before = count
        while count == before:
            time.sleep(0.001)
        return os.getpid()
";

fn is_stopped(pid: u64) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
    stat.rsplit(')').next().unwrap().trim_start().starts_with('T')
}

#[tokio::test]
async fn an_idle_instance_gets_no_processor_and_goes_on_when_it_is_called() {
    let node = Node::plain();
    let function = node.python(RESTLESS).await;
    for _ in 0..2 {
        let pid = node.invoke(&function, "{}").await.as_u64().unwrap();
        eventually(|| is_stopped(pid)).await;
    }
    assert_eq!(node.engine.functions()[0].idle, 1);
    node.stop().await;
}

#[tokio::test]
async fn a_runtime_of_the_users_own_is_frozen_with_its_children() {
    let node = Node::plain();
    let bootstrap = r#"#!/bin/bash
        while sleep 0.001; do :; done &
        child=$!
        api="http://$AWS_LAMBDA_RUNTIME_API/2018-06-01/runtime/invocation"
        while true; do
            id=$(curl -s -D - -o /dev/null "$api/next" | tr -d '\r' | sed -n 's/^lambda-runtime-aws-request-id: //ip')
            curl -s -o /dev/null -d "[$$, $child]" "$api/$id/response"
        done
    "#;
    let spec = node
        .spec("provided.al2023", "any", &[("bootstrap", bootstrap)])
        .await;
    let function = node.deploy(spec);
    for _ in 0..2 {
        let pids = node.invoke(&function, "{}").await;
        for pid in pids.as_array().unwrap() {
            let pid = pid.as_u64().unwrap();
            eventually(|| is_stopped(pid)).await;
        }
    }
    assert_eq!(node.engine.functions()[0].idle, 1);
    node.stop().await;
}

#[tokio::test]
async fn a_frozen_instance_ends_like_any_other() {
    let node = Node::plain();
    let spec = node.python_spec(RESTLESS).await;
    let function = node.deploy(spec);
    let pid = node.invoke(&function, "{}").await.as_u64().unwrap();
    eventually(|| is_stopped(pid)).await;
    node.engine.remove(&function);
    eventually(|| !super::node::process_exists(pid)).await;
    node.stop().await;
}
