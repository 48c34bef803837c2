//! Instances that are kept although nobody waits for them.

use serde_json::json;

use super::node::{NO_TIME, Node, Settings, eventually, process_exists};
use crate::{ProvisionedState, ProvisionedStatus};

const KIND: &str = "
    def handler(event, context):
        if event:
            open(os.path.join(event, str(os.getpid())), 'w').close()
            while len(os.listdir(event)) < 2:
                time.sleep(0.005)
        return [os.environ['AWS_LAMBDA_INITIALIZATION_TYPE'], os.getpid()]
";

fn ready(requested: u32) -> ProvisionedStatus {
    ProvisionedStatus {
        requested,
        allocated: requested,
        available: requested,
        status: ProvisionedState::Ready,
        reason: None,
    }
}

#[tokio::test]
async fn provisioned_instances_are_there_before_anyone_asks_and_are_replaced() {
    let node = Node::plain();
    let mut spec = node.python_spec(KIND).await;
    spec.provisioned_concurrency = 2;
    let function = node.deploy(spec.clone());
    let status = || node.engine.provisioned(&function).unwrap();
    assert_eq!(status().status, ProvisionedState::InProgress);
    eventually(|| status() == ready(2)).await;
    assert_eq!(node.engine.functions()[0].idle, 2);
    let event = json!(node.shared("both")).to_string();
    let (one, two) = tokio::join!(node.invoke(&function, &event), node.invoke(&function, &event));
    assert_eq!((&one[0], &two[0]), (&json!("provisioned-concurrency"), &one[0]));
    assert_ne!(one[1], two[1]);
    let victim = one[1].as_u64().unwrap();
    std::process::Command::new("kill")
        .args(["-9", &victim.to_string()])
        .status()
        .unwrap();
    eventually(|| !process_exists(victim) && status() == ready(2)).await;
    spec.provisioned_concurrency = 0;
    node.deploy(spec);
    assert_eq!(status(), ready(0));
    assert_eq!(node.engine.functions()[0].idle, 2);
    node.stop().await;
}

#[tokio::test]
async fn what_is_kept_warm_outlives_the_keep_alive_and_the_rest_does_not() {
    let node = Node::start_with(Settings {
        sandbox: crate::SandboxChoice::Process,
        keep_alive: NO_TIME,
        ..Settings::default()
    });
    let (function, other) = (node.python(KIND).await, node.python(KIND).await);
    let idle = |at: usize| node.engine.functions()[at].idle;
    assert!(node.engine.set_warm_floor(&function, 1));
    eventually(|| idle(0) == 1).await;
    let event = json!(node.shared("both")).to_string();
    let (one, _two) = tokio::join!(node.invoke(&function, &event), node.invoke(&function, &event));
    assert_eq!(one[0], "on-demand");
    eventually(|| idle(0) == 1).await;
    // used later, gone earlier
    node.invoke(&other, "null").await;
    eventually(|| idle(1) == 0).await;
    assert_eq!(idle(0), 1);
    assert!(node.engine.set_warm_floor(&function, 0));
    eventually(|| idle(0) == 0).await;
    node.stop().await;
}

#[tokio::test]
async fn new_code_is_warmed_as_the_old_was() {
    let node = Node::plain();
    let mut spec = node.python_spec(KIND).await;
    spec.provisioned_concurrency = 1;
    let function = node.deploy(spec.clone());
    node.engine.set_warm_floor(&function, 2);
    eventually(|| node.engine.functions()[0].idle == 2).await;
    spec.environment.insert("NEW".into(), "yes".into());
    node.deploy(spec);
    assert_eq!(node.engine.functions()[0].idle, 0);
    eventually(|| node.engine.functions()[0].idle == 2).await;
    assert_eq!(node.engine.provisioned(&function).unwrap(), ready(1));
    node.stop().await;
}

#[tokio::test]
async fn provisioning_fails_after_several_starts_and_says_why() {
    let node = Node::plain();
    let mut spec = node.python_spec("raise ValueError('no luck')").await;
    spec.provisioned_concurrency = 1;
    let function = node.deploy(spec.clone());
    let status = || node.engine.provisioned(&function).unwrap();
    eventually(|| status().status == ProvisionedState::Failed).await;
    assert!(status().reason.unwrap().contains("no luck"));
    assert_eq!((status().requested, status().available), (1, 0));
    spec.provisioned_concurrency = 0;
    node.deploy(spec);
    assert_eq!(status(), ready(0));
    node.stop().await;
}

#[tokio::test]
async fn provisioning_does_not_outgrow_the_nodes_memory() {
    let node = Node::start_with(Settings {
        sandbox: crate::SandboxChoice::Process,
        memory_budget_bytes: Some(60 * 1024 * 1024),
        ..Settings::default()
    });
    let mut spec = node.python_spec(KIND).await;
    spec.provisioned_concurrency = 20;
    let function = node.deploy(spec);
    let status = || node.engine.provisioned(&function).unwrap();
    eventually(|| status().status == ProvisionedState::Failed).await;
    assert!(status().available < 20);
    assert!(status().reason.unwrap().contains("memory"));
    node.invoke(&function, "null").await;
    node.stop().await;
}
