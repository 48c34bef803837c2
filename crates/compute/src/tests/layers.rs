//! What layers bring is found by the functions that have them, and of two the later wins.

use serde_json::json;

use super::node::{Node, zip_of};
use crate::FunctionSpec;

async fn layered(node: &Node, mut spec: FunctionSpec) -> FunctionSpec {
    let packages = node.engine.packages();
    let first = zip_of(&[
        ("nodejs/node_modules/who/index.js", "module.exports = 'first';"),
        ("nodejs/node_modules/base/index.js", "module.exports = 'base';"),
        ("python/who.py", "name = 'first'"),
        ("python/base.py", "name = 'base'"),
    ]);
    let second = zip_of(&[
        ("nodejs/node_modules/who/index.js", "module.exports = 'second';"),
        ("python/who.py", "name = 'second'"),
    ]);
    let first = packages.add_zip(first.into()).await.unwrap();
    let second = packages.add_zip(second.into()).await.unwrap();
    spec.layers = Some(packages.merge(&[first, second]).await.unwrap());
    spec
}

#[tokio::test]
async fn functions_find_the_modules_of_their_layers() {
    for node in [Node::start(), Node::plain()] {
        finds_modules(&node).await;
    }
}

async fn finds_modules(node: &Node) {
    let js = "exports.handler = async () => [require('who'), require('base')];";
    let js = node.js_spec(js, "").await;
    let python = "import who, base\ndef handler(event, context): return [who.name, base.name]";
    let python = node.python_spec(python).await;
    for spec in [js, python] {
        let function = node.deploy(layered(node, spec).await);
        assert_eq!(node.invoke(&function, "1").await, json!(["second", "base"]));
    }
}
