//! Java functions. Their handlers are methods of the JDK itself, so that nothing has to be compiled;
//! what handlers of users' own see is tested in `runtimes/tests/test_java.py`.

use serde_json::json;
use tradewind_model::TimeoutSeconds;

use super::node::Node;
use crate::{FunctionSpec, Interpreters};

/// A node, unless there is no Java here to test with.
fn node_with_java() -> Option<Node> {
    let interpreters = Interpreters::discover(&std::env::var_os("PATH").unwrap());
    match interpreters.for_runtime(&"java17".parse().unwrap()) {
        Ok(_found) => Some(Node::start()),
        Err(missing) => {
            eprintln!("skipped: {missing}");
            None
        }
    }
}

async fn spec(node: &Node, handler: &str) -> FunctionSpec {
    node.spec("java17", handler, &[("lib/README", "no jars")]).await
}

#[tokio::test]
async fn a_java_method_is_a_function() {
    let Some(node) = node_with_java() else { return };
    let function = node.deploy(spec(&node, "java.lang.Integer::toBinaryString").await);
    assert_eq!(node.invoke(&function, "5").await, json!("101"));
    assert_eq!(node.invoke(&function, "6").await, json!("110"));
    let (error_type, message) = node.invoke_error(&function, r#""five""#).await;
    assert_eq!(error_type, "java.lang.RuntimeException");
    assert_eq!(message, "An error occurred during JSON parsing");
    node.stop().await;
}

#[tokio::test]
async fn a_class_that_is_missing_is_named() {
    let Some(node) = node_with_java() else { return };
    let function = node.deploy(spec(&node, "com.example.Handler").await);
    let (error_type, message) = node.invoke_error(&function, "{}").await;
    assert_eq!(error_type, "java.lang.ClassNotFoundException");
    assert_eq!(message, "Class not found: com.example.Handler");
    node.stop().await;
}

#[tokio::test]
async fn java_sees_its_environment_and_the_users_options() {
    let Some(node) = node_with_java() else { return };
    let mut variables = spec(&node, "java.lang.System::getenv").await;
    variables.environment.insert("STAGE".into(), "dev".into());
    let variables = node.deploy(variables);
    assert_eq!(node.invoke(&variables, r#""STAGE""#).await, json!("dev"));
    assert_eq!(node.invoke(&variables, r#""_TRADEWIND_FD""#).await, json!(null));
    let mut properties = spec(&node, "java.lang.System::getProperty").await;
    let options = "-Dshop.stage=dev -XX:+UseParallelGC".to_owned();
    properties.environment.insert("JAVA_TOOL_OPTIONS".into(), options);
    let properties = node.deploy(properties);
    assert_eq!(node.invoke(&properties, r#""shop.stage""#).await, json!("dev"));
    node.stop().await;
}

/// Debian keeps a JVM's configuration in /etc, apart from the JVM.
#[tokio::test]
async fn java_finds_its_configuration() {
    let Some(node) = node_with_java() else { return };
    let random = node.deploy(spec(&node, "java.util.UUID::randomUUID").await);
    assert!(node.invoke(&random, "{}").await.is_string());
    let provider = node.deploy(spec(&node, "java.security.Security::getProperty").await);
    let trust = node.invoke(&provider, r#""keystore.type""#).await;
    assert_eq!(trust, json!("pkcs12"));
    node.stop().await;
}

#[tokio::test]
async fn java_that_hangs_is_stopped() {
    let Some(node) = node_with_java() else { return };
    let mut hangs = spec(&node, "java.lang.Thread::sleep").await;
    hangs.timeout = TimeoutSeconds::new(1).unwrap();
    let hangs = node.deploy(hangs);
    assert_eq!(node.invoke(&hangs, "1").await, json!(null));
    let (error_type, _message) = node.invoke_error(&hangs, "3600000").await;
    assert_eq!(error_type, "Sandbox.Timedout");
    assert_eq!(node.invoke(&hangs, "1").await, json!(null));
    node.stop().await;
}
