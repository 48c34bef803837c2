//! Starts with code that was compiled when it was deployed.

use serde_json::{Value, json};

use super::node::{Node, Settings, eventually};
use crate::package::PREPARED_FILE;
use crate::{FunctionSpec, SandboxChoice};

fn preparing(stems: usize) -> Node {
    Node::start_with(Settings {
        stems,
        prepare: true,
        sandbox: SandboxChoice::Jail,
        ..Settings::default()
    })
}

/// Enough to be worth it.
fn library(comment: &str) -> String {
    let mut text = String::new();
    for number in 0_u32..20_000 {
        text += &format!("{comment} {:x}\n", number.wrapping_mul(2_654_435_761));
    }
    text
}

const NODE: &str = "
    const compile = module.constructor.prototype._compile.toString();
    const large = require('./large');
    exports.handler = async () => ({
        cached: compile.includes('cachedData'), large, cache: process.env._TRADEWIND_CACHE || null, files: require('fs').readdirSync('/var/prepared') });
";
const PYTHON: &str = "
import os
import large
def handler(event, context):
    return {'cached': 'use.<locals>' in type(large.__loader__).__qualname__, 'large': large.value,
            'cache': os.environ.get('_TRADEWIND_CACHE'), 'files': os.listdir('/var/prepared')}
";

async fn specs(node: &Node) -> [FunctionSpec; 2] {
    let large = format!("{}module.exports = 7;", library("//"));
    let javascript = node
        .spec(
            "nodejs20.x",
            "index.handler",
            &[("index.js", NODE), ("large.js", &large)],
        )
        .await;
    let large = format!("{}value = 7", library("#"));
    let python = node
        .spec(
            "python3.11",
            "app.handler",
            &[("app.py", PYTHON), ("large.py", &large)],
        )
        .await;
    [javascript, python]
}

/// The answer of an instance that has its code from the cache.
fn expected() -> Value {
    json!({ "cached": true, "large": 7, "cache": null, "files": [PREPARED_FILE] })
}

#[tokio::test]
async fn code_is_compiled_at_the_deploy_and_used_by_starts() {
    for stems in [0, 1] {
        let node = preparing(stems);
        for spec in specs(&node).await {
            let function = node.deploy(spec.clone());
            eventually(|| node.engine.is_prepared(&spec.arn)).await;
            eventually(|| node.engine.stems() >= stems).await;
            let answer = node.invoke(&function, "{}").await;
            assert_eq!(answer, expected(), "{} with {stems} stems", spec.runtime);
        }
        node.stop().await;
    }
}

#[tokio::test]
async fn what_cannot_be_prepared_starts_as_it_is() {
    let node = preparing(0);
    let large = format!(
        "{}exports.handler = async () => 7; if (!process.env.TABLE) throw new Error();",
        library("//")
    );
    let mut broken = node
        .spec("nodejs20.x", "index.handler", &[("index.js", &large)])
        .await;
    node.deploy(broken.clone());
    // prepared after it: the task takes them in turn
    let [working, _python] = specs(&node).await;
    node.deploy(working.clone());
    eventually(|| node.engine.is_prepared(&working.arn)).await;
    assert!(!node.engine.is_prepared(&broken.arn));
    // with its variable it loads, and is prepared under another name
    broken.environment.insert("TABLE".into(), "orders".into());
    let function = node.deploy(broken.clone());
    assert_eq!(node.invoke(&function, "{}").await, json!(7));
    eventually(|| node.engine.is_prepared(&broken.arn)).await;
    node.stop().await;
}

#[tokio::test]
async fn a_preparation_reaches_nobody() {
    let node = preparing(0);
    let [mut spec, _python] = specs(&node).await;
    let reaches = "
        const { execFileSync } = require('child_process');
        const said = execFileSync(process.execPath, ['-e', `
            const socket = require('net').connect(4566, '127.0.0.1');
            socket.on('connect', () => { console.log('connected'); process.exit(); });
            socket.on('error', (error) => { console.log(error.code); process.exit(); });
        `]).toString().trim();
        if (said !== 'ECONNREFUSED') throw new Error(said);
    ";
    let index = format!("{}{NODE}{reaches}", library("//"));
    spec.package = node
        .spec(
            "nodejs20.x",
            "index.handler",
            &[("index.js", &index), ("large.js", "")],
        )
        .await
        .package;
    node.deploy(spec.clone());
    eventually(|| node.engine.is_prepared(&spec.arn)).await;
    node.stop().await;
}
