//! Functions in Function Compute's dialect, through the engine.

use serde_json::json;
use tradewind_model::TimeoutSeconds;

use super::node::Node;
use crate::{CustomRuntime, Dialect, FunctionComputeSettings, FunctionSpec, Hook};

const NODE: &str = r"
    let started = 0;
    exports.start = (context, callback) => { started += 1; callback(null, ''); };
    exports.handler = (event, context, callback) => {
      if (event.toString() === '{}') return callback(new TypeError('oops'));
      callback(null, { started, buffer: Buffer.isBuffer(event), name: context.function.name, timeout: context.function.timeout,
        memory: context.function.memory, region: context.region, account: context.accountId,
        hidden: Object.keys(process.env).filter((name) => name.startsWith('_TRADEWIND')) });
    };";

const PYTHON: &str = r#"
import os
started = 0
def start(context):
    global started
    started += 1
def handler(event, context):
    if event == b'{}':
        raise TypeError('oops')
    return {'started': started, 'buffer': isinstance(event, bytes), 'name': context.function.name, 'timeout': context.function.timeout,
        'memory': context.function.memory, 'region': context.region, 'account': context.account_id,
        'hidden': [name for name in os.environ if name.startswith('_TRADEWIND')]}
"#;

async fn spec(node: &Node, runtime: &str, file: &str, source: &str) -> FunctionSpec {
    let mut spec = node.spec(runtime, "index.handler", &[(file, source)]).await;
    spec.dialect = Dialect::FunctionCompute(FunctionComputeSettings {
        initializer: Some(hook("index.start")),
        ..FunctionComputeSettings::default()
    });
    spec
}

fn hook(handler: &str) -> Hook {
    Hook {
        handler: handler.into(),
        timeout: TimeoutSeconds::new(3).unwrap(),
    }
}

#[tokio::test]
async fn node_and_python_handlers_get_bytes_context_and_their_initializer() {
    let node = Node::start();
    for (runtime, file, source) in [
        ("nodejs20.x", "index.js", NODE),
        ("python3.12", "index.py", PYTHON),
    ] {
        let spec = spec(&node, runtime, file, source).await;
        let expected = json!({
            "started": 1, "buffer": true, "name": spec.arn.name.as_str(), "timeout": spec.timeout.get(),
            "memory": spec.memory.get(), "region": spec.arn.region.as_str(), "account": spec.arn.account.as_str(), "hidden": [],
        });
        let function = node.deploy(spec);
        assert_eq!(node.invoke(&function, "[1]").await, expected, "{runtime}");
        assert_eq!(node.invoke(&function, "[2]").await, expected, "{runtime}");
        let error = node.invoke_error(&function, "{}").await;
        assert_eq!(error, ("TypeError".to_owned(), "oops".to_owned()), "{runtime}");
        let messages = node.messages(&function, 1).await;
        let invoke_lines = messages
            .iter()
            .filter(|line| line.starts_with("FC Invoke "))
            .count();
        assert_eq!(invoke_lines, 6, "{runtime}: {messages:?}");
    }
    node.stop().await;
}

#[tokio::test]
async fn what_is_not_there_yet_is_refused_by_name() {
    let node = Node::start();
    let custom = CustomRuntime {
        command: Vec::new(),
        args: Vec::new(),
        port: 9000,
    };
    let none = FunctionComputeSettings::default;
    for (settings, what) in [
        (
            FunctionComputeSettings {
                pre_stop: Some(hook("index.stop")),
                ..none()
            },
            "preStop hooks",
        ),
        (
            FunctionComputeSettings {
                custom_runtime: Some(custom.clone()),
                ..none()
            },
            "custom runtimes",
        ),
    ] {
        let mut spec = spec(&node, "nodejs20.x", "index.js", NODE).await;
        spec.dialect = Dialect::FunctionCompute(settings);
        let function = node.deploy(spec);
        let error = node.try_invoke(&function, "[]").await.unwrap_err().to_string();
        assert!(error.contains(&format!("Function Compute's {what}")), "{error}");
    }
    node.stop().await;
}
