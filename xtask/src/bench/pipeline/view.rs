//! From a record of a system to the customer view: the app's four functions, with the bus and Kafka between them.
//!
//! Nothing in the app is changed to be measured: each step's records carry the time at which they were written, so the
//! topics tell afterwards how long each step took.

use std::path::Path;
use std::process::Stdio;

use anyhow::{Result, ensure};
use serde_json::Value;
use tradewind_tests::Project;

use super::super::report::{Goal, Report};
use super::{build, measured_broker, number, program};
use crate::command::{command, root, run as run_command};
use crate::node::{Node, Setup};

/// People of whom there are events, at most: some six events each.
const PEOPLE: u32 = 1_000;

/// People of whom there are events, by events a second: for twenty seconds, if they are not too many.
fn people(rate: u32, quick: bool) -> u32 {
    let people = if quick { rate / 3 } else { rate * 3 };
    people.clamp(10, PEOPLE)
}

/// Measures it at a rate of events.
pub(super) fn measure(binary: &Path, rate: u32, quick: bool, report: &mut Report) -> Result<()> {
    build(&["customer-view-steps", "customer-view-generator"])?;
    let broker = measured_broker()?;
    let cluster = format!("main={}", broker.bootstrap());
    let node = Node::start(
        binary,
        &Setup {
            arguments: vec!["--kafka".to_owned(), cluster],
            ..Setup::default()
        },
    )?;
    let generator = program("customer-view");
    run_command(command(&generator).args(["topics", "--kafka", &broker.bootstrap()]))?;
    let app = deployed(binary, &node)?;
    let truth = app.join("truth");
    run_command(
        command(&generator)
            .args(["write", "--seed", "7", "--rate", &rate.to_string()])
            .args(["--people", &people(rate, quick).to_string()])
            .args(["--kafka", &broker.bootstrap(), "--endpoint", &node.server.url("")])
            .arg("--truth")
            .arg(&truth)
            .env_remove("CUSTOMER_VIEW_PEPPER"),
    )?;
    let output = command("python3")
        .arg(root().join("bench/pipeline/view.py"))
        .arg(broker.bootstrap())
        .stderr(Stdio::inherit())
        .output()?;
    ensure!(output.status.success(), "view.py failed");
    show(&serde_json::from_slice(&output.stdout)?, rate, report)
}

/// The pipeline of the app, without requests, view and desk.
fn deployed(binary: &Path, node: &Node) -> Result<Project> {
    let app = Project::copy_of(&root().join("apps/customer-view"));
    let alone = std::fs::read_to_string(app.join("pipeline/test/serverless.yml"))?;
    app.write("serverless.yml", &alone);
    let mut deploy = command(binary);
    deploy
        .arg("deploy")
        .args(["--endpoint", &node.server.url("")])
        .current_dir(app.path())
        .stdout(Stdio::null());
    for step in ["resolve", "merge"] {
        let folder = app.join(&format!("built-{step}"));
        std::fs::create_dir(&folder)?;
        std::fs::copy(program(step), folder.join("bootstrap"))?;
        run_command(
            command("python3")
                .args(["-m", "zipfile", "-c"])
                .arg(app.join(&format!("{step}.zip")))
                .arg("bootstrap")
                .current_dir(&folder),
        )?;
        deploy.args(["--param", &format!("{step}={step}.zip")]);
    }
    run_command(&mut deploy)?;
    Ok(app)
}

fn show(figure: &Value, rate: u32, report: &mut Report) -> Result<()> {
    report.figures(figure.clone());
    println!(
        "  {} events, written at {:.0} of {rate} a second, were in the view at {:.0} a second",
        figure["events"],
        number(figure, "written_per_second")?,
        number(figure, "viewed_per_second")?,
    );
    for hop in figure["hops"].as_array().into_iter().flatten() {
        println!(
            "    {:<24} p50 {:>8.0} ms, p99 {:>8.0} ms",
            hop["hop"].as_str().unwrap_or_default(),
            number(hop, "p50_ms")?,
            number(hop, "p99_ms")?
        );
    }
    let what = format!("record → customer view at {rate}/s, four functions, p50 in ms");
    report.goal("K3", &what, number(figure, "p50_ms")?, Goal::AtMost(50.0));
    Ok(())
}
