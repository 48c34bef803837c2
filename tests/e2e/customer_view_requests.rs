//! Data-subject requests of the customer view: form, mail, archive, certificate, on a node of their own.

use std::net::TcpListener;
use std::path::Path;

use tradewind_tests::{Node, Project, client, root, run, stderr, stdout};

/// The app with the requests' own `serverless.yml`, which leaves Kafka and the pipeline out.
fn requests() -> Project {
    let project = Project::copy_of(&root().join("apps/customer-view"));
    let alone = std::fs::read_to_string(project.join("requests/tests/alone/serverless.yml")).unwrap();
    project.write("serverless.yml", &alone);
    project
}

fn serve(data: &Path, smtp_port: u16) -> Node {
    let relay = format!("smtp://127.0.0.1:{smtp_port}");
    let arguments = ["serve", "--data", data.to_str().unwrap()];
    let mail = [
        "--smtp-relay",
        &relay,
        "--smtp-sender",
        "Privacy <privacy@retail.example>",
    ];
    Node::start(Path::new("/"), &[arguments.as_slice(), &mail].concat())
}

#[test]
#[ignore = "needs what `cargo xtask test` builds"]
fn requests_are_answered_from_the_form_to_the_certificate() {
    let (project, data) = (requests(), tempfile::tempdir().unwrap());
    let free = TcpListener::bind("127.0.0.1:0").unwrap();
    let smtp_port = free.local_addr().unwrap().port();
    drop(free);
    let node = serve(data.path(), smtp_port);
    let deployed = run(project.path(), &["deploy", "--endpoint", &node.url("")]);
    assert!(
        deployed.status.success(),
        "{}{}",
        stdout(&deployed),
        stderr(&deployed)
    );
    let route = node.route("POST", "/requests");
    let api = route.strip_suffix("/requests").unwrap();
    let arguments = ["-m", "requests.tests.flow", api, &smtp_port.to_string()];
    let mut flow = client("python3", &arguments, &node);
    let output = flow.current_dir(project.path()).output().unwrap();
    let said = format!("{}{}\nnode:\n{}", stdout(&output), stderr(&output), node.output());
    assert!(output.status.success(), "{said}");
}
