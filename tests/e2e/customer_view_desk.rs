//! The view and the desk of the customer view: the API by HTTP, the page in a real browser, by keyboard.

use std::process::Command;

use tradewind_tests::{Node, Project, root, stdout};

/// The app with the desk's own `serverless.yml`, which leaves the pipeline out.
fn desk() -> Project {
    let project = Project::copy_of(&root().join("apps/customer-view"));
    let alone = std::fs::read_to_string(project.join("desk/test/serverless.yml")).unwrap();
    project.write("serverless.yml", &alone);
    project
}

/// Runs one of the flows below `desk/test/flows` against a node that runs the project.
fn passes(flow: &str) {
    let project = desk();
    let node = Node::up(project.path());
    let page = node.route("GET", "/desk");
    let output = Command::new("node")
        .arg(project.join("desk/test/flows").join(flow))
        .current_dir(project.path())
        .envs(environment(&node))
        .env("DESK_URL", page.strip_suffix("/desk").unwrap())
        .output()
        .expect("node is installed");
    assert!(
        output.status.success(),
        "{}\nnode:\n{}",
        stdout(&output),
        node.output()
    );
}

fn environment(node: &Node) -> [(&'static str, String); 7] {
    let bucket = |what: &str| format!("customer-view-dev-{what}-000000000000");
    [
        ("AWS_ENDPOINT_URL", node.url("")),
        ("AWS_REGION", "us-east-1".to_owned()),
        ("AWS_ACCESS_KEY_ID", "000000000000".to_owned()),
        ("AWS_SECRET_ACCESS_KEY", "secret".to_owned()),
        ("CUSTOMER_VIEW_PEPPER", "pepper".to_owned()),
        ("DATA_BUCKET", bucket("data")),
        ("REQUESTS_BUCKET", bucket("requests")),
    ]
}

#[test]
#[ignore = "needs what `cargo xtask test` builds"]
fn the_view_answers_staff_and_records_every_look() {
    passes("view.mjs");
}

#[test]
#[ignore = "needs what `cargo xtask test` builds"]
fn the_desk_works_in_a_browser_by_keyboard_in_two_languages() {
    passes("desk.mjs");
}
