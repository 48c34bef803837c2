//! The AWS CLI and boto3, unmodified, against `tradewind serve`.

use tradewind_tests::{Node, cache, client_output, stderr, succeeds, until};

#[test]
#[ignore = "needs what `cargo xtask test` builds"]
fn boto3_finds_lambdas_api() {
    let data = tempfile::tempdir().unwrap();
    let node = Node::serve(data.path());
    let output = succeeds("python3", &["lambda_api.py", &node.url("")], &node);
    assert!(output.ends_with("ok delete\n"), "{output}");
}

#[test]
#[ignore = "needs what `cargo xtask test` builds"]
fn the_aws_cli_creates_and_invokes() {
    let data = tempfile::tempdir().unwrap();
    let work = tempfile::tempdir().unwrap();
    let node = Node::serve(data.path());
    let zip = work.path().join("function.zip");
    let source = "exports.handler = async (event) => ({ got: event });";
    let script = "import sys, zipfile; zipfile.ZipFile(sys.argv[1], 'w').writestr('index.js', sys.argv[2])";
    succeeds("python3", &["-c", script, zip.to_str().unwrap(), source], &node);
    let code = format!("fileb://{}", zip.display());
    let role = "arn:aws:iam::000000000000:role/r";
    let create = [
        "lambda",
        "create-function",
        "--function-name",
        "echo",
        "--runtime",
        "nodejs20.x",
        "--handler",
        "index.handler",
        "--role",
        role,
        "--zip-file",
        &code,
    ];
    succeeds("aws", &create, &node);
    let out = work.path().join("out.json");
    let invoke = [
        "lambda",
        "invoke",
        "--function-name",
        "echo",
        "--payload",
        "{\"a\": 1}",
        out.to_str().unwrap(),
    ];
    let answer = succeeds("aws", &invoke, &node);
    assert!(answer.contains("\"StatusCode\": 200"), "{answer}");
    assert_eq!(std::fs::read_to_string(&out).unwrap(), "{\"got\":{\"a\":1}}");
    let identity = succeeds("aws", &["sts", "get-caller-identity"], &node);
    assert!(identity.contains("\"Account\": \"000000000000\""), "{identity}");
    let missing = client_output(
        "aws",
        &["lambda", "get-function", "--function-name", "nobody"],
        &node,
    );
    assert!(
        stderr(&missing).contains("ResourceNotFoundException"),
        "{}",
        stderr(&missing)
    );
    let absent = client_output("aws", &["kms", "list-keys"], &node);
    assert!(stderr(&absent).contains("NotImplemented"), "{}", stderr(&absent));
}

#[test]
#[ignore = "needs what `cargo xtask test` builds"]
fn an_accepted_event_is_run_also_after_a_kill() {
    let data = tempfile::tempdir().unwrap();
    let work = tempfile::tempdir().unwrap();
    let marker = work.path().join("ran");
    // its functions write to a file of the test
    let arguments = [
        "serve",
        "--data",
        data.path().to_str().unwrap(),
        "--sandbox",
        "process",
    ];
    let node = Node::start(std::path::Path::new("/"), &arguments);
    let script = r"
import boto3, io, sys, zipfile
endpoint, marker, count = sys.argv[1], sys.argv[2], int(sys.argv[3])
source = f'''
def handler(event, context):
    with open({marker!r}, 'a') as log:
        log.write(str(event['n']) + chr(10))
'''
buffer = io.BytesIO()
with zipfile.ZipFile(buffer, 'w') as archive:
    archive.writestr('index.py', source)
client = boto3.client('lambda', endpoint_url=endpoint)
client.create_function(FunctionName='note', Runtime='python3.11', Handler='index.handler',
                       Role='arn:aws:iam::000000000000:role/r', Code={'ZipFile': buffer.getvalue()})
for n in range(count):
    client.invoke(FunctionName='note', InvocationType='Event', Payload='{\'n\': %d}'.replace('\'', '\x22') % n)
";
    succeeds(
        "python3",
        &["-c", script, &node.url(""), marker.to_str().unwrap(), "200"],
        &node,
    );
    node.kill();
    let again = Node::start(std::path::Path::new("/"), &arguments);
    until("every accepted event to run", || {
        let ran = std::fs::read_to_string(&marker).unwrap_or_default();
        let numbers: std::collections::BTreeSet<&str> = ran.lines().collect();
        (numbers.len() == 200).then_some(())
    });
    let (status, output) = again.interrupt();
    assert_eq!(status.code(), Some(0), "{output}");
}

/// The Runtime API is the one that AWS's own clients expect; `tests/functions` says what each does.
fn runtime_client(name: &str, handler: &str) {
    let data = tempfile::tempdir().unwrap();
    let node = Node::serve(data.path());
    let package = cache().join("functions").join(name);
    let arguments = [
        "runtime_client.py",
        &node.url(""),
        name,
        package.to_str().unwrap(),
        handler,
    ];
    assert_eq!(succeeds("python3", &arguments, &node), format!("ok {name}\n"));
}

#[test]
#[ignore = "needs what `cargo xtask test` builds"]
fn the_official_rust_client_runs() {
    runtime_client("rust", "any");
}

/// An assembly of .NET; its client is the function's own.
#[test]
#[ignore = "needs what `cargo xtask test` builds"]
fn a_dotnet_assembly_runs() {
    if !cfg!(target_arch = "x86_64") {
        println!("skipped: the .NET runtime of the tests is for x86_64");
        return;
    }
    runtime_client("dotnet", "any");
}

#[test]
#[ignore = "needs what `cargo xtask test` builds"]
fn the_official_go_client_runs() {
    runtime_client("go", "any");
}

#[test]
#[ignore = "needs what `cargo xtask test` builds"]
fn the_official_node_client_runs() {
    runtime_client("node-ric", "index.handler");
}

#[test]
#[ignore = "needs what `cargo xtask test` builds"]
fn the_official_python_client_runs() {
    runtime_client("python-ric", "app.handler");
}
