//! What a function may do wrong, what its caller then gets, and that the next request works.

use std::time::Duration;

use serde_json::Value;
use tradewind_model::limits::SYNC_PAYLOAD_BYTES;
use tradewind_model::{FunctionArn, RequestId, TimeoutSeconds};

use super::node::{Node, eventually, process_exists};
use crate::{Egress, InvokeRequest};

/// Does what its event says; counts, so that a new instance can be told from an old one.
const BAD_JS: &str = r#"
let calls = 0;
exports.handler = async (event) => {
  calls += 1;
  switch (event.do) {
    case 'throw': { const e = new TypeError('no good'); throw e; }
    case 'exit': process.exit(event.code);
    case 'kill': process.kill(process.pid, event.signal); await new Promise(() => {});
    case 'hang': await new Promise((resolve) => setTimeout(resolve, 3600e3)); break;
    case 'spin': for (;;) {}
    case 'large': return 'x'.repeat(7 * 1024 * 1024);
    case 'circular': { const a = {}; a.a = a; return a; }
    case 'garbage': require('fs').writeSync(4, 'this is no frame'); await new Promise(() => {});
    case 'late': setTimeout(() => process.exit(9), 0); return 'fine';
  }
  return { calls, pid: process.pid };
};
"#;

async fn bad(node: &Node) -> FunctionArn {
    let mut spec = node
        .spec("nodejs20.x", "index.handler", &[("index.js", BAD_JS)])
        .await;
    spec.timeout = TimeoutSeconds::new(2).unwrap();
    node.deploy(spec)
}

async fn calls(node: &Node, function: &FunctionArn) -> u64 {
    node.invoke(function, "{}").await["calls"].as_u64().unwrap()
}

#[tokio::test]
async fn what_a_handler_throws_is_its_callers_error_and_the_instance_lives_on() {
    let node = Node::start();
    let function = bad(&node).await;
    let (error_type, message) = node.invoke_error(&function, r#"{"do":"throw"}"#).await;
    assert_eq!((error_type.as_str(), message.as_str()), ("TypeError", "no good"));
    assert_eq!(calls(&node, &function).await, 2);
    node.stop().await;
}

#[tokio::test]
async fn a_handler_that_exits_or_is_killed_is_named_and_replaced() {
    let node = Node::start();
    let function = bad(&node).await;
    for (event, reason) in [
        (
            r#"{"do":"exit","code":1}"#,
            "Runtime exited with error: exit status 1",
        ),
        (
            r#"{"do":"exit","code":0}"#,
            "Runtime exited without providing a reason",
        ),
        (
            r#"{"do":"kill","signal":"SIGKILL"}"#,
            "Runtime exited with error: signal: killed",
        ),
        (
            r#"{"do":"kill","signal":"SIGSEGV"}"#,
            "Runtime exited with error: signal: segmentation fault",
        ),
    ] {
        let request = InvokeRequest::new(RequestId::from("X"), event);
        let response = node.engine.invoke(&function, request).await.unwrap();
        let error: Value = serde_json::from_slice(&response.payload).unwrap();
        assert_eq!(error["errorType"], "Runtime.ExitError", "{event}");
        assert_eq!(
            error["errorMessage"],
            format!("RequestId: X Error: {reason}"),
            "{event}"
        );
        assert_eq!(calls(&node, &function).await, 1, "{event}");
    }
    let messages = node.messages(&function, 8).await;
    assert!(
        messages.contains(
            &"RequestId: X Error: Runtime exited with error: exit status 1\nRuntime.ExitError".into()
        )
    );
    assert!(
        messages
            .iter()
            .any(|line| line.ends_with("Status: error\tError Type: Runtime.ExitError"))
    );
    node.stop().await;
}

#[tokio::test]
async fn a_handler_that_hangs_or_spins_times_out() {
    let node = Node::start();
    let function = bad(&node).await;
    for event in [r#"{"do":"hang"}"#, r#"{"do":"spin"}"#] {
        let request = InvokeRequest::new(RequestId::from("X"), event);
        let response = node.engine.invoke(&function, request).await.unwrap();
        assert_eq!(
            response.payload,
            r#"{"errorType":"Sandbox.Timedout","errorMessage":"RequestId: X Error: Task timed out after 2.00 seconds"}"#
        );
        assert_eq!(calls(&node, &function).await, 1, "{event}");
    }
    let messages = node.messages(&function, 4).await;
    let line = messages
        .iter()
        .find(|line| line.ends_with(" X Task timed out after 2.00 seconds"))
        .unwrap();
    assert!(line.as_bytes()[..24].ends_with(b"Z"), "{line}");
    assert!(messages.iter().any(|line| {
        line.starts_with("REPORT RequestId: X\tDuration: 2000.00 ms\tBilled Duration: ")
            && line.ends_with("\tStatus: timeout")
    }));
    node.stop().await;
}

#[tokio::test]
async fn a_timeout_ends_the_children_of_a_function_too() {
    let node = Node::plain();
    let pids = node.shared("pids");
    let mut spec = node
        .python_spec(
            "
            import subprocess
            def handler(event, context):
                child = subprocess.Popen(['sleep', '3600'])
                with open(event, 'w') as out:
                    out.write(str(child.pid))
                time.sleep(3600)
            ",
        )
        .await;
    spec.timeout = TimeoutSeconds::new(1).unwrap();
    let function = node.deploy(spec);
    let file = pids.join("child");
    let (error_type, _message) = node
        .invoke_error(&function, &format!("{:?}", file.to_str().unwrap()))
        .await;
    assert_eq!(error_type, "Sandbox.Timedout");
    let child: u64 = std::fs::read_to_string(file).unwrap().parse().unwrap();
    eventually(|| !process_exists(child)).await;
    node.stop().await;
}

#[tokio::test]
async fn seven_megabytes_are_too_much_and_the_instance_lives_on() {
    let node = Node::start();
    let function = bad(&node).await;
    let (error_type, message) = node.invoke_error(&function, r#"{"do":"large"}"#).await;
    assert_eq!(error_type, "Function.ResponseSizeTooLarge");
    let expected =
        format!("Response payload size exceeded maximum allowed payload size ({SYNC_PAYLOAD_BYTES} bytes).");
    assert_eq!(message, expected);
    assert_eq!(calls(&node, &function).await, 2);
    node.stop().await;
}

#[tokio::test]
async fn what_cannot_be_an_answer_is_an_error() {
    let node = Node::start();
    let function = bad(&node).await;
    let (_error_type, message) = node.invoke_error(&function, r#"{"do":"circular"}"#).await;
    assert_eq!(message, "Unable to stringify response body");
    assert_eq!(calls(&node, &function).await, 2);
    let (error_type, _message) = node.invoke_error(&function, r#"{"do":"garbage"}"#).await;
    assert_eq!(error_type, "Runtime.Unknown");
    assert_eq!(calls(&node, &function).await, 1);
    node.stop().await;
}

#[tokio::test]
async fn megabytes_of_output_neither_block_nor_vanish() {
    let node = Node::start();
    let function = node
        .python(
            "
            def handler(event, context):
                for number in range(4000):
                    print(str(number).rjust(1000, '.'))
                print('x' * 600000)
                return 'done'
            ",
        )
        .await;
    assert_eq!(node.invoke(&function, "{}").await, "done");
    let messages = node.messages(&function, 1).await;
    let lines: Vec<_> = messages.iter().filter(|line| line.len() == 1000).collect();
    assert_eq!(lines.len(), 4000);
    assert!(
        lines
            .iter()
            .enumerate()
            .all(|(number, line)| line.ends_with(&format!(".{number}")))
    );
    let long: usize = messages
        .iter()
        .filter(|line| line.starts_with('x'))
        .map(String::len)
        .sum();
    assert_eq!(long, 600_000);
    assert!(messages.iter().all(|line| line.len() <= 256 * 1024));
    node.stop().await;
}

#[tokio::test]
async fn output_that_never_ends_does_not_keep_a_timeout_away() {
    let node = Node::start();
    let mut spec = node
        .python_spec("def handler(event, context):\n    while True: print('again')")
        .await;
    spec.timeout = TimeoutSeconds::new(1).unwrap();
    let function = node.deploy(spec);
    let (error_type, _message) = node.invoke_error(&function, "{}").await;
    assert_eq!(error_type, "Sandbox.Timedout");
    node.stop().await;
}

#[tokio::test]
async fn an_instance_that_died_between_invocations_is_replaced_unseen() {
    let node = Node::plain();
    let function = bad(&node).await;
    let pid = node.invoke(&function, "{}").await["pid"].as_u64().unwrap();
    let killed = std::process::Command::new("kill")
        .args(["-9", &pid.to_string()])
        .status()
        .unwrap();
    assert!(killed.success());
    // before the engine can have noticed, as nothing else runs on this thread; and afterwards. A process
    // that is still about to die may yet read an event
    while process_exists(pid) {
        std::thread::yield_now();
    }
    assert_eq!(calls(&node, &function).await, 1);
    eventually(|| !process_exists(pid)).await;
    assert_eq!(calls(&node, &function).await, 2);
    node.stop().await;
}

#[tokio::test]
async fn a_module_that_cannot_be_loaded_fails_each_invocation_with_the_runtimes_words() {
    let node = Node::start();
    let function = node
        .js("require('not-installed'); exports.handler = async () => 1;")
        .await;
    for _ in 0..2 {
        let (error_type, message) = node.invoke_error(&function, "{}").await;
        assert_eq!(error_type, "Runtime.ImportModuleError");
        assert!(
            message.contains("Cannot find module 'not-installed'"),
            "{message}"
        );
    }
    let status = &node.engine.functions()[0];
    assert_eq!(status.failed_starts, 2);
    assert!(status.last_failure.as_ref().unwrap().contains("not-installed"));
    let messages = node.messages(&function, 2).await;
    assert!(
        messages.iter().filter(|line| line.starts_with("START ")).count() == 2,
        "{messages:?}"
    );
    node.stop().await;
}

#[tokio::test]
async fn an_exit_while_initialising_is_named() {
    let node = Node::start();
    let function = node.python("sys.exit(3)").await;
    let (error_type, message) = node.invoke_error(&function, "{}").await;
    assert!(
        error_type == "Runtime.ExitError" || message.contains('3'),
        "{error_type}: {message}"
    );
    let function = node.python("os._exit(3)").await;
    let (error_type, message) = node.invoke_error(&function, "{}").await;
    assert_eq!(error_type, "Runtime.ExitError");
    assert!(
        message.ends_with("Error: Runtime exited with error: exit status 3"),
        "{message}"
    );
    node.stop().await;
}

#[tokio::test]
async fn a_slow_initialisation_is_repeated_under_the_functions_timeout() {
    let node = Node::start_with(super::node::Settings {
        sandbox: crate::SandboxChoice::Process,
        init_limit: Duration::from_millis(500),
        ..super::node::Settings::default()
    });
    let marks = node.shared("marks");
    // the first start hangs, the second finds its mark and goes on
    let code = format!(
        "
        mark = {mark:?}
        if not os.path.exists(mark):
            open(mark, 'w').close()
            time.sleep(3600)
        def handler(event, context): return 'second'
        ",
        mark = marks.join("first").to_str().unwrap()
    );
    let function = node.python(&code).await;
    assert_eq!(node.invoke(&function, "{}").await, "second");
    let messages = node.messages(&function, 1).await;
    assert!(
        messages.iter().any(
            |line| line.starts_with("INIT_REPORT Init Duration: 500.00 ms\tPhase: init\tStatus: timeout")
        )
    );
    assert!(
        !messages.last().unwrap().contains("Init Duration"),
        "{messages:?}"
    );
    assert_eq!(node.invoke(&function, "{}").await, "second");

    let mut never = node.python_spec("time.sleep(3600)").await;
    never.timeout = TimeoutSeconds::new(1).unwrap();
    let never = node.deploy(never);
    let (error_type, message) = node.invoke_error(&never, "{}").await;
    assert_eq!(error_type, "Sandbox.Timedout");
    assert!(
        message.ends_with("Task timed out after 1.00 seconds"),
        "{message}"
    );
    node.stop().await;
}

#[tokio::test]
async fn a_runtime_without_interpreter_says_what_to_do() {
    let node = Node::start();
    let spec = node.spec("dotnet8", "a::b::c", &[("a.dll", "")]).await;
    let function = node.deploy(spec.clone());
    let error = node.try_invoke(&function, "{}").await.unwrap_err();
    assert!(error.to_string().contains("dotnet8"), "{error}");
    assert!(
        node.engine
            .prove(spec)
            .await
            .unwrap_err()
            .message
            .contains("dotnet8")
    );
    node.stop().await;
}

#[tokio::test]
async fn a_function_without_egress_does_not_run_where_that_cannot_be_kept() {
    let node = Node::plain();
    let mut spec = node.python_spec("def handler(event, context): return 1").await;
    spec.egress = Egress::None;
    let function = node.deploy(spec);
    let error = node.try_invoke(&function, "{}").await.unwrap_err();
    assert!(error.to_string().contains("is to have no egress"), "{error}");
    node.stop().await;
}
