//! What a well-behaved function and its caller see.

mod behaviours;

use serde_json::json;
use tradewind_model::{Qualifier, RequestId};
use tradewind_observe::LogKind;

use super::node::Node;
use crate::{InvokeError, InvokeRequest, LogFormat, LogLevel};

const ECHO_JS: &str =
    "let calls = 0; exports.handler = async (event) => ({ event, calls: ++calls, pid: process.pid });";

#[tokio::test]
async fn node_and_python_functions_answer_and_are_reused() {
    let node = Node::start();
    let js = node.js(ECHO_JS).await;
    let python = node
        .python(
            "
            calls = 0
            def handler(event, context):
                global calls
                calls += 1
                return {'event': event, 'calls': calls}
            ",
        )
        .await;
    for function in [&js, &python] {
        for call in 1..=3 {
            let answer = node.invoke(function, r#"{"a":[1,"ü"]}"#).await;
            assert_eq!(answer["event"], json!({"a": [1, "ü"]}));
            assert_eq!(answer["calls"], call);
        }
    }
    node.stop().await;
}

#[tokio::test]
async fn the_log_has_lambdas_lines_in_order() {
    let node = Node::start();
    let function = node
        .python(
            "
            print('loading')
            def handler(event, context):
                print('working')
                sys.stdout.write('no newline')
            ",
        )
        .await;
    let request = InvokeRequest::new(RequestId::from("r-1"), "{}");
    let response = node.engine.invoke(&function, request).await.unwrap();
    assert_eq!(response.executed_version, Qualifier::Latest);
    node.invoke(&function, "{}").await;
    let messages = node.messages(&function, 2).await;
    assert!(
        messages[0].starts_with("INIT_START Runtime Version: python:3.11.v")
            && messages[0].contains("\tRuntime Version ARN: arn:aws:lambda:us-east-1::runtime:"),
        "{messages:?}"
    );
    let of_first = &messages[1..7];
    assert_eq!(of_first[0], "loading");
    assert_eq!(of_first[1], "START RequestId: r-1 Version: $LATEST");
    assert_eq!(of_first[2..5], ["working", "no newline", "END RequestId: r-1"]);
    let report = &of_first[5];
    assert!(
        report.starts_with("REPORT RequestId: r-1\tDuration: "),
        "{report}"
    );
    assert!(
        report.contains("\tMemory Size: 256 MB\tMax Memory Used: "),
        "{report}"
    );
    assert!(report.contains("\tInit Duration: "), "{report}");
    assert!(
        !messages.last().unwrap().contains("Init Duration"),
        "{messages:?}"
    );
    node.stop().await;
}

#[tokio::test]
async fn events_of_the_log_carry_their_invocation_and_instance() {
    let node = Node::start();
    let function = node
        .js("exports.handler = async () => { console.log('one'); console.error('two'); }")
        .await;
    let id = RequestId::from("r-7");
    node.engine
        .invoke(&function, InvokeRequest::new(id, "{}"))
        .await
        .unwrap();
    node.messages(&function, 1).await;
    let mut log = node.log(&function).await;
    let init = log.remove(0);
    assert_eq!((init.kind, init.request_id), (LogKind::Start, None));
    let kinds: Vec<_> = log.iter().map(|event| event.kind).collect();
    assert_eq!(
        kinds,
        [
            LogKind::Start,
            LogKind::Line,
            LogKind::Line,
            LogKind::End,
            LogKind::Report
        ]
    );
    assert!(log.iter().all(|event| event.request_id.as_deref() == Some("r-7")));
    let stream = &log[0].stream;
    let form = stream.split('/').collect::<Vec<_>>();
    assert_eq!(form.len(), 4, "{stream}");
    assert!(
        form[3].starts_with("[$LATEST]") && form[3].len() == "[$LATEST]".len() + 32,
        "{stream}"
    );
    node.stop().await;
}

#[tokio::test]
async fn the_log_tail_is_the_invocations_own() {
    let node = Node::start();
    let function = node
        .js("exports.handler = async (event) => { console.log('say ' + event); }")
        .await;
    node.invoke(&function, "1").await;
    let mut request = InvokeRequest::new(RequestId::from("r-2"), "2");
    request.log_tail = true;
    let response = node.engine.invoke(&function, request).await.unwrap();
    let tail = String::from_utf8(response.log_tail.unwrap()).unwrap();
    assert!(
        tail.starts_with("START RequestId: r-2 Version: $LATEST\n"),
        "{tail}"
    );
    assert!(tail.contains("say 2\n") && !tail.contains("say 1"), "{tail}");
    assert!(
        tail.contains("\nEND RequestId: r-2\nREPORT RequestId: r-2\t"),
        "{tail}"
    );
    node.stop().await;
}

#[tokio::test]
async fn the_context_says_what_was_invoked_and_how_long_is_left() {
    let node = Node::start();
    let code = "exports.handler = async (event, context) => ({
        arn: context.invokedFunctionArn, id: context.awsRequestId, memory: context.memoryLimitInMB,
        left: context.getRemainingTimeInMillis(), trace: process.env._X_AMZN_TRACE_ID,
        custom: context.clientContext })";
    let function = node.js(code).await;
    let mut request = InvokeRequest::new(RequestId::from("r-3"), "{}");
    request.client_context = Some(r#"{"custom":{"k":"v"}}"#.into());
    let response = node.engine.invoke(&function, request).await.unwrap();
    let seen: serde_json::Value = serde_json::from_slice(&response.payload).unwrap();
    assert_eq!(seen["arn"], function.to_string());
    assert_eq!(seen["id"], "r-3");
    assert_eq!(seen["memory"].to_string().trim_matches('"'), "256");
    let left = seen["left"].as_i64().unwrap();
    assert!((1..=60_000).contains(&left), "{left}");
    assert!(seen["trace"].as_str().unwrap().starts_with("Root=1-"), "{seen}");
    assert_eq!(seen["custom"]["custom"]["k"], "v");
    let qualified = function.qualified(Qualifier::Latest);
    assert_eq!(node.invoke(&qualified, "{}").await["arn"], qualified.to_string());
    node.stop().await;
}

#[tokio::test]
async fn the_environment_is_lambdas_and_the_users_and_nothing_else() {
    let node = Node::plain();
    let mut spec = node
        .python_spec("def handler(event, context): return dict(os.environ, CWD=os.getcwd())")
        .await;
    spec.environment.insert("STAGE".into(), "dev".into());
    let package = node.engine.packages().path_of(&spec.package);
    let function = node.deploy(spec);
    let seen = node.invoke(&function, "{}").await;
    let mut names: Vec<&str> = seen.as_object().unwrap().keys().map(String::as_str).collect();
    names.sort_unstable();
    let expected = [
        "AWS_ACCESS_KEY_ID",
        "AWS_DEFAULT_REGION",
        "AWS_ENDPOINT_URL",
        "AWS_EXECUTION_ENV",
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE",
        "AWS_LAMBDA_FUNCTION_NAME",
        "AWS_LAMBDA_FUNCTION_VERSION",
        "AWS_LAMBDA_INITIALIZATION_TYPE",
        "AWS_LAMBDA_LOG_FORMAT",
        "AWS_LAMBDA_LOG_GROUP_NAME",
        "AWS_LAMBDA_LOG_STREAM_NAME",
        "AWS_REGION",
        "AWS_SECRET_ACCESS_KEY",
        "AWS_SESSION_TOKEN",
        "AWS_XRAY_CONTEXT_MISSING",
        "CWD",
        "LAMBDA_RUNTIME_DIR",
        "LAMBDA_TASK_ROOT",
        "LANG",
        "LD_LIBRARY_PATH",
        "PATH",
        "STAGE",
        "TMPDIR",
        "TZ",
        "_HANDLER",
        "_X_AMZN_TRACE_ID",
    ];
    let unexpected: Vec<_> = names.iter().filter(|name| !expected.contains(name)).collect();
    // Python itself may set LC_CTYPE
    assert!(
        unexpected.iter().all(|name| **name == "LC_CTYPE"),
        "{unexpected:?}"
    );
    assert!(expected.iter().all(|name| names.contains(name)), "{names:?}");
    assert_eq!(seen["CWD"], package.to_str().unwrap());
    assert_eq!(seen["LAMBDA_TASK_ROOT"], package.to_str().unwrap());
    assert_eq!(seen["STAGE"], "dev");
    node.stop().await;
}

#[tokio::test]
async fn what_does_not_exist_or_is_too_large_does_not_reach_a_function() {
    let node = Node::start();
    let function = node.js(ECHO_JS).await;
    let missing = function.qualified(Qualifier::Version(9));
    assert!(matches!(
        node.try_invoke(&missing, "{}").await,
        Err(InvokeError::NotFound { .. })
    ));
    let large = "x".repeat(tradewind_model::limits::SYNC_PAYLOAD_BYTES + 1);
    assert!(matches!(
        node.try_invoke(&function, &large).await,
        Err(InvokeError::RequestTooLarge { .. })
    ));
    node.engine.remove(&function);
    assert!(matches!(
        node.try_invoke(&function, "{}").await,
        Err(InvokeError::NotFound { .. })
    ));
    node.stop().await;
}

#[tokio::test]
async fn large_events_and_answers_pass() {
    let node = Node::start();
    let function = node.js("exports.handler = async (event) => event").await;
    let text = "x".repeat(6 * 1024 * 1024);
    let answer = node.invoke(&function, &format!("\"{text}\"")).await;
    assert_eq!(answer.as_str().unwrap().len(), text.len());
    node.stop().await;
}

#[tokio::test]
async fn every_invocation_is_counted_with_the_figures_of_its_report() {
    let node = Node::start();
    let function = node
        .js("exports.handler = async (event) => { if (event === 1) throw new Error('no'); return event }")
        .await;
    for event in ["\"abc\"", "1", "{}"] {
        node.try_invoke(&function, event).await.unwrap();
    }
    let messages = node.messages(&function, 3).await;
    let billed: u64 = messages
        .iter()
        .filter_map(|line| {
            line.split("Billed Duration: ")
                .nth(1)?
                .split(' ')
                .next()?
                .parse::<u64>()
                .ok()
        })
        .sum();
    let all = node.usage.totals();
    let [usage] = all.as_slice() else {
        panic!("{all:?}")
    };
    assert_eq!(*usage.function, *function.to_string());
    assert_eq!(*usage.version, *"$LATEST");
    let totals = &usage.totals;
    assert_eq!((totals.invocations, totals.errors, totals.cold_starts), (3, 1, 1));
    assert_eq!((totals.bytes_in, totals.bytes_out), (8, 7));
    assert_eq!((totals.billed_ms, totals.billed_mib_ms), (billed, billed * 256));
    assert!(
        totals.init_us > 0 && totals.cpu_us > 0 && totals.peak_memory_bytes > 0,
        "{totals:?}"
    );
    node.stop().await;
}

#[tokio::test]
async fn a_json_log_has_json_events_and_only_the_levels_that_are_wanted() {
    let node = Node::start();
    let code = "
        def handler(event, context):
            sys.stdout.write('{\"level\":\"INFO\",\"message\":\"quiet\"}\\n{\"level\":\"ERROR\",\"message\":\"loud\"}\\nplain\\n')
            if event: os._exit(3)
            return [os.environ['AWS_LAMBDA_LOG_FORMAT'], os.environ['AWS_LAMBDA_LOG_LEVEL']]
        ";
    let mut spec = node.python_spec(code).await;
    spec.logging.format = LogFormat::Json;
    spec.logging.application_level = LogLevel::Warn;
    let function = node.deploy(spec);
    assert_eq!(node.invoke(&function, "0").await, json!(["JSON", "WARN"]));
    let (error_type, _message) = node.invoke_error(&function, "1").await;
    assert_eq!(error_type, "Runtime.ExitError");
    let messages = node.messages(&function, 2).await;
    let types: Vec<String> = messages
        .iter()
        .map(|line| {
            let Ok(event) = serde_json::from_str::<serde_json::Value>(line) else {
                return line.clone();
            };
            let name = event["type"].as_str().or(event["message"].as_str());
            name.unwrap_or_default()
                .split('\n')
                .next()
                .unwrap_or_default()
                .to_owned()
        })
        .collect();
    assert_eq!(
        types[..5],
        [
            "platform.initStart",
            "platform.start",
            "loud",
            "plain",
            "platform.report"
        ]
    );
    assert_eq!(types[5..8], ["platform.start", "loud", "plain"]);
    assert!(
        types[8].ends_with("Error: Runtime exited with error: exit status 3"),
        "{types:?}"
    );
    assert_eq!(types[9..], ["platform.runtimeDone", "platform.report"]);
    node.stop().await;
}

#[tokio::test]
async fn tmp_is_the_instances_own_and_is_kept_between_invocations() {
    let node = Node::start();
    let code = "
        import tempfile
        def handler(event, context):
            path = os.path.join(tempfile.gettempdir(), 'kept')
            seen = os.path.exists(path)
            open(path, 'w').close()
            return seen
        ";
    let (one, other) = (node.python(code).await, node.python(code).await);
    assert_eq!(node.invoke(&one, "{}").await, false);
    assert_eq!(node.invoke(&one, "{}").await, true);
    assert_eq!(node.invoke(&other, "{}").await, false);
    node.stop().await;
}
