//! Deploys, proofs, limits of processes, and the engine's end.

use std::collections::HashSet;
use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};
use std::time::Duration;

use serde_json::json;
use tradewind_model::RequestId;
use tradewind_observe::{LogKind, TailItem};

use super::node::{NO_TIME, Node, Settings, eventually, process_exists};
use crate::{InvokeError, InvokeRequest, SandboxChoice};

/// Says that it runs, then waits until it may go on.
const GATED: &str = "
    def handler(event, context):
        folder = event['folder']
        open(os.path.join(folder, 'running-' + context.aws_request_id), 'w').close()
        while not os.path.exists(os.path.join(folder, 'go')):
            time.sleep(0.005)
        return {'version': os.environ.get('V'), 'pid': os.getpid()}
";

fn running(folder: &std::path::Path) -> usize {
    let named = |entry: std::io::Result<std::fs::DirEntry>| {
        entry
            .unwrap()
            .file_name()
            .to_str()
            .unwrap()
            .starts_with("running-")
    };
    std::fs::read_dir(folder)
        .unwrap()
        .filter_map(|entry| named(entry).then_some(()))
        .count()
}

#[tokio::test]
async fn a_running_invocation_finishes_on_the_old_code_and_new_ones_run_the_new() {
    let node = Node::plain();
    let folder = node.shared("gate");
    let event = json!({ "folder": folder }).to_string();
    let mut spec = node.python_spec(GATED).await;
    spec.environment.insert("V".into(), "old".into());
    let function = node.deploy(spec.clone());
    let old = node.invoke(&function, &event);
    let deploy = async {
        eventually(|| running(&folder) == 1).await;
        spec.environment.insert("V".into(), "new".into());
        node.engine.deploy(spec);
        let new = node.invoke(&function, &event);
        let release = async {
            eventually(|| running(&folder) == 2).await;
            std::fs::write(folder.join("go"), "").unwrap();
        };
        tokio::join!(new, release).0
    };
    let (old, new) = tokio::join!(old, deploy);
    assert_eq!((&old["version"], &new["version"]), (&json!("old"), &json!("new")));
    eventually(|| !process_exists(old["pid"].as_u64().unwrap())).await;
    node.stop().await;
}

#[tokio::test]
async fn a_deploy_of_the_same_changes_nothing_and_one_of_another_stops_the_idle() {
    let node = Node::plain();
    let spec = node
        .python_spec("def handler(event, context): return os.getpid()")
        .await;
    let function = node.deploy(spec.clone());
    let first = node.invoke(&function, "{}").await;
    node.deploy(spec.clone());
    assert_eq!(node.invoke(&function, "{}").await, first);
    let mut other = spec;
    other.environment.insert("A".into(), "1".into());
    node.deploy(other);
    assert_ne!(node.invoke(&function, "{}").await, first);
    eventually(|| !process_exists(first.as_u64().unwrap())).await;
    node.stop().await;
}

#[tokio::test]
async fn a_proved_function_is_warm_when_it_is_deployed() {
    let node = Node::plain();
    let spec = node
        .python_spec("print('hello')\ndef handler(event, context): return os.getpid()")
        .await;
    node.engine.prove(spec.clone()).await.unwrap();
    let function = node.deploy(spec);
    assert_eq!(node.engine.functions()[0].idle, 1);
    node.invoke(&function, "{}").await;
    let messages = node.messages(&function, 1).await;
    assert_eq!(
        messages.iter().filter(|line| *line == "hello").count(),
        1,
        "{messages:?}"
    );
    node.stop().await;
}

#[tokio::test]
async fn what_does_not_initialise_is_not_proved_and_says_why() {
    let node = Node::start();
    let spec = node
        .python_spec("print('about to fail')\nimport not_installed")
        .await;
    let failure = node.engine.prove(spec).await.unwrap_err();
    assert_eq!(failure.error_type, "Runtime.ImportModuleError");
    assert!(failure.message.contains("not_installed"), "{failure:?}");
    assert!(
        failure.log.iter().any(|line| line == "about to fail"),
        "{failure:?}"
    );
    assert_eq!(node.engine.functions().len(), 0);
    node.stop().await;
}

#[tokio::test]
async fn an_invocation_runs_to_its_end_when_its_caller_goes_away() {
    let node = Node::plain();
    let folder = node.shared("gate");
    let function = node.python(GATED).await;
    let mut tail = node.logs.subscribe();
    let event = json!({ "folder": folder }).to_string();
    {
        let mut call = std::pin::pin!(
            node.engine
                .invoke(&function, InvokeRequest::new(RequestId::random(), event))
        );
        tokio::select! {
            _ = &mut call => panic!("it cannot answer yet"),
            () = eventually(|| running(&folder) == 1) => {}
        }
    }
    std::fs::write(folder.join("go"), "").unwrap();
    loop {
        if let Some(TailItem::Event(event)) = tail.next().await
            && event.kind == LogKind::Report
        {
            assert!(!event.message.contains("Status:"), "{}", event.message);
            break;
        }
    }
    assert_eq!(node.engine.functions()[0].idle, 1);
    node.stop().await;
}

#[tokio::test]
async fn idle_instances_go_after_their_keep_alive_with_their_folders() {
    let node = Node::start_with(Settings {
        sandbox: SandboxChoice::Process,
        keep_alive: NO_TIME,
        ..Settings::default()
    });
    let function = node
        .python("def handler(event, context):\n    open(os.environ['TMPDIR'] + '/f', 'w').close()\n    return os.getpid()")
        .await;
    let pid = node.invoke(&function, "{}").await.as_u64().unwrap();
    eventually(|| !process_exists(pid)).await;
    let run = node.dir.path().join("run");
    eventually(|| std::fs::read_dir(&run).unwrap().count() == 0).await;
    assert_ne!(node.invoke(&function, "{}").await, pid);
    node.stop().await;
}

#[tokio::test]
async fn the_process_is_confined_as_far_as_a_plain_child_can_be() {
    let node = Node::plain();
    let function = node
        .python(
            "
            import resource
            def handler(event, context):
                return {
                    'files': resource.getrlimit(resource.RLIMIT_NOFILE),
                    'core': resource.getrlimit(resource.RLIMIT_CORE),
                    'leader': [os.getsid(0) == os.getpid(), os.getpgid(0) == os.getpid()],
                    'stdin': sys.stdin.read(),
                    'open': sorted(int(fd) for fd in os.listdir('/proc/self/fd')),
                    'oom': open('/proc/self/oom_score_adj').read().strip(),
                }
            ",
        )
        .await;
    let seen = node.invoke(&function, "{}").await;
    assert_eq!(seen["files"], json!([1024, 1024]));
    assert_eq!(seen["core"], json!([0, 0]));
    assert_eq!(seen["leader"], json!([true, true]));
    assert_eq!(seen["stdin"], "");
    // the last one is the listing itself
    let open = seen["open"].as_array().unwrap();
    assert!(
        open.len() <= 6 && open.starts_with(&[json!(0), json!(1), json!(2), json!(3), json!(4)]),
        "{open:?}"
    );
    assert_eq!(seen["oom"], "500");
    node.stop().await;
}

#[tokio::test]
async fn a_package_stays_while_an_instance_runs_it() {
    let node = Node::start();
    let spec = node
        .js_spec("exports.handler = async () => require('./other')", "other.js")
        .await;
    let function = node.deploy(spec.clone());
    let package = spec.package.clone();
    node.engine.prove(spec).await.unwrap();
    node.engine.packages().age();
    node.engine.packages().retain(&HashSet::new()).await.unwrap();
    assert!(node.engine.packages().contains(&package));
    assert_eq!(node.invoke(&function, "{}").await, json!({ "loaded": true }));
    node.stop().await;
}

#[tokio::test]
async fn shutdown_waits_for_what_runs_and_leaves_nothing() {
    let node = Node::plain();
    let folder = node.shared("gate");
    let function = node.python(GATED).await;
    let event = json!({ "folder": folder }).to_string();
    let call = node.invoke(&function, &event);
    let stop = async {
        eventually(|| running(&folder) == 1).await;
        let shutdown = node.engine.shutdown(Duration::from_secs(60));
        let refuse_and_release = async {
            let refused = node.try_invoke(&function, &event).await;
            assert_eq!(refused.unwrap_err(), InvokeError::ShuttingDown);
            std::fs::write(folder.join("go"), "").unwrap();
        };
        tokio::join!(shutdown, refuse_and_release);
    };
    let (answer, ()) = tokio::join!(call, stop);
    assert!(!process_exists(answer["pid"].as_u64().unwrap()));
    assert_eq!(std::fs::read_dir(node.dir.path().join("run")).unwrap().count(), 0);
}

#[tokio::test]
async fn shutdown_kills_what_does_not_finish_in_time() {
    let node = Node::plain();
    let folder = node.shared("gate");
    let function = node.python(GATED).await;
    let event = json!({ "folder": folder }).to_string();
    let call = node.try_invoke(&function, &event);
    let stop = async {
        eventually(|| running(&folder) == 1).await;
        node.engine.shutdown(Duration::ZERO).await;
    };
    let (answer, ()) = tokio::join!(call, stop);
    assert_eq!(answer.unwrap_err(), InvokeError::ShuttingDown);
    assert_eq!(std::fs::read_dir(node.dir.path().join("run")).unwrap().count(), 0);
}

#[tokio::test]
async fn dropping_the_engine_kills_its_instances() {
    let node = Node::plain();
    let function = node
        .python("def handler(event, context): return os.getpid()")
        .await;
    let pid = node.invoke(&function, "{}").await.as_u64().unwrap();
    drop(node);
    eventually(|| !process_exists(pid)).await;
}

/// Set for the process in which [`a_node_to_be_killed`] is one.
const TO_BE_KILLED: &str = "TRADEWIND_TEST_NODE_TO_BE_KILLED";

/// The node of the test below, in a process of its own: says its instance's process id and waits.
/// Run with all other tests, it has nothing to do.
#[tokio::test]
async fn a_node_to_be_killed() {
    if std::env::var_os(TO_BE_KILLED).is_none() {
        return;
    }
    let node = Node::plain();
    let function = node
        .python("def handler(event, context): return os.getpid()")
        .await;
    println!("instance {}", node.invoke(&function, "{}").await);
    std::future::pending::<()>().await;
}

#[tokio::test]
async fn killing_the_node_leaves_no_orphan() {
    // the killed node cannot remove its folder
    let folder = tempfile::tempdir().unwrap();
    let mut node = Command::new(std::env::current_exe().unwrap())
        .env("TMPDIR", folder.path())
        .env(TO_BE_KILLED, "yes")
        .args(["--exact", "tests::lifecycle::a_node_to_be_killed", "--nocapture"])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let output = BufReader::new(node.stdout.take().unwrap());
    let said = output
        .lines()
        .map(|line| line.unwrap())
        .find_map(|line| Some(line.split("instance ").nth(1)?.trim().parse::<u64>().unwrap()));
    let instance = said.unwrap();
    assert!(process_exists(instance));
    node.kill().unwrap();
    node.wait().unwrap();
    eventually(|| !process_exists(instance)).await;
}
