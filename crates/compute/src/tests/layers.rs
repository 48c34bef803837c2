//! What layers bring is found by the functions that have them, and of two the later wins.

use std::io::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::json;

use super::node::{Node, zip_of};
use crate::{FunctionSpec, Interpreters};

/// `public class Who { public static String name(String event) { return "of the layer"; } }` for Java 8.
const WHO_CLASS: &str = "yv66vgAAADQADgoAAgADBwAEDAAFAAYBABBqYXZhL2xhbmcvT2JqZWN0AQAGPGluaXQ+AQADKClWCAAIAQAMb2Yg\
    dGhlIGxheWVyBwAKAQADV2hvAQAEQ29kZQEABG5hbWUBACYoTGphdmEvbGFuZy9TdHJpbmc7KUxqYXZhL2xhbmcvU3RyaW5nOwAhAAkAAgAAAAAA\
    AgABAAUABgABAAsAAAARAAEAAQAAAAUqtwABsQAAAAAACQAMAA0AAQALAAAADwABAAEAAAADEgewAAAAAAAA";

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

/// Both sandboxes, unless no interpreter here runs the runtime.
fn nodes_for(runtime: &str) -> Vec<Node> {
    let interpreters = Interpreters::discover(&std::env::var_os("PATH").unwrap());
    match interpreters.for_runtime(&runtime.parse().unwrap()) {
        Ok(_found) => vec![Node::start(), Node::plain()],
        Err(missing) => {
            eprintln!("skipped: {missing}");
            Vec::new()
        }
    }
}

#[tokio::test]
async fn ruby_finds_the_files_and_gems_of_layers() {
    let gem = "Gem::Specification.new { |s| s.name = 'base'; s.version = '1.0'; s.summary = 's'; s.authors = ['a'] }";
    let layer = zip_of(&[
        ("ruby/lib/who.rb", "WHO = 'file'"),
        ("ruby/gems/3.3.0/specifications/base-1.0.gemspec", gem),
        ("ruby/gems/3.3.0/gems/base-1.0/lib/base.rb", "BASE = 'gem'"),
    ]);
    let code = "require 'who'\nrequire 'base'\ndef handler(event:, context:) = [WHO, BASE]";
    for node in nodes_for("ruby3.3") {
        let packages = node.engine.packages();
        let layer = packages.add_zip(layer.clone().into()).await.unwrap();
        let mut spec = node.spec("ruby3.3", "main.handler", &[("main.rb", code)]).await;
        spec.layers = Some(layer);
        let function = node.deploy(spec);
        assert_eq!(node.invoke(&function, "{}").await, json!(["file", "gem"]));
        node.stop().await;
    }
}

#[tokio::test]
async fn java_finds_the_jars_of_layers() {
    let mut jar = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    let options = zip::write::SimpleFileOptions::default();
    jar.start_file("Who.class", options).unwrap();
    jar.write_all(&STANDARD.decode(WHO_CLASS).unwrap()).unwrap();
    let jar = jar.finish().unwrap().into_inner();
    let mut layer = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    layer.start_file("java/lib/who.jar", options).unwrap();
    layer.write_all(&jar).unwrap();
    let layer = layer.finish().unwrap().into_inner();
    for node in nodes_for("java17") {
        let packages = node.engine.packages();
        let layer = packages.add_zip(layer.clone().into()).await.unwrap();
        let mut spec = node
            .spec("java17", "Who::name", &[("README", "no classes")])
            .await;
        spec.layers = Some(layer);
        let function = node.deploy(spec);
        assert_eq!(node.invoke(&function, r#""event""#).await, json!("of the layer"));
        node.stop().await;
    }
}
