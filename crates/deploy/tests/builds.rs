//! Builds with the real tools: `cargo test -p tradewind-deploy --test builds -- --ignored` needs npm, node,
//! python3 with pip, and their registries.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on ends")]

use std::path::Path;
use std::process::Command;

use tempfile::TempDir;
use tradewind_deploy::package::{PreparedPackage, Tools, prepare, write_zip};
use tradewind_deploy::serverless::{LoadOptions, load};
use tradewind_model::Timestamp;

/// A project in a temporary folder, with a cache for tools beside it.
struct Service {
    dir: TempDir,
}

impl Service {
    fn new(files: &[(&str, &str)]) -> Self {
        let dir = tempfile::tempdir().unwrap();
        for (name, content) in files {
            let path = dir.path().join("service").join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, content).unwrap();
        }
        Self { dir }
    }

    async fn prepare(&self) -> PreparedPackage {
        let options = LoadOptions {
            dir: self.dir.path().join("service"),
            config: None,
            stage: None,
            region: None,
            params: Default::default(),
            options: Default::default(),
            environment: Default::default(),
            account: "000000000000".parse().unwrap(),
            node: None,
            publish_versions: false,
            now: Timestamp::from_millis(0),
        };
        let project = load(&options).await.unwrap();
        let tools = Tools::new(std::env::var_os("PATH").unwrap(), self.dir.path().join("tools"));
        prepare(&project, &project.packages[0], &tools, &|_| {})
            .await
            .unwrap()
    }

    /// Prepares the package, unpacks it, and runs `program` in it.
    async fn run(&self, program: &str, arguments: &[&str]) -> String {
        let package = self.prepare().await;
        let zip = self.dir.path().join("package.zip");
        write_zip(&package, &mut std::fs::File::create(&zip).unwrap()).unwrap();
        let folder = self.dir.path().join("unpacked");
        zip::ZipArchive::new(std::fs::File::open(&zip).unwrap())
            .unwrap()
            .extract(&folder)
            .unwrap();
        output(program, arguments, &folder)
    }
}

fn output(program: &str, arguments: &[&str], folder: &Path) -> String {
    let output = Command::new(program)
        .args(arguments)
        .current_dir(folder)
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

const NODE: &str = "service: shop\nprovider:\n  name: aws\n  runtime: nodejs20.x\nfunctions:\n  f:\n    handler: src/x.handler\n";

#[tokio::test]
#[ignore = "needs npm and its registry"]
async fn a_typescript_handler_runs_with_its_packages_beside_it() {
    let service = Service::new(&[
        ("serverless.yml", NODE),
        (
            "package.json",
            r#"{"dependencies":{"ms":"2.1.3"},"devDependencies":{"typescript":"5"}}"#,
        ),
        (
            "src/x.ts",
            "import ms from 'ms';\nimport { hours } from './y';\nexport const handler = (): number => ms(hours(2));",
        ),
        ("src/y.ts", "export const hours = (n: number): string => `${n}h`;"),
    ]);
    let answer = service.run("node", &["-p", "require('./src/x').handler()"]).await;
    assert_eq!(answer, "7200000");
    let package = service.prepare().await;
    let paths: Vec<&str> = package
        .files
        .iter()
        .map(|file| file.path_in_package.as_str())
        .collect();
    assert!(
        paths.contains(&"node_modules/ms/index.js") && !paths.contains(&"src/y.ts"),
        "{paths:?}"
    );
}

#[tokio::test]
#[ignore = "needs npm and its registry"]
async fn a_bundle_holds_everything() {
    let service = Service::new(&[
        (
            "serverless.yml",
            &format!("{NODE}plugins:\n  - serverless-esbuild\n"),
        ),
        (
            "package.json",
            r#"{"type":"module","devDependencies":{"ms":"2.1.3"}}"#,
        ),
        (
            "src/x.js",
            "import ms from 'ms';\nexport const handler = () => ms('2h');",
        ),
    ]);
    let script = "import('./src/x.mjs').then((x) => console.log(x.handler()))";
    assert_eq!(service.run("node", &["-e", script]).await, "7200000");
    let paths: Vec<_> = service
        .prepare()
        .await
        .files
        .into_iter()
        .map(|file| file.path_in_package)
        .collect();
    assert_eq!(paths, ["src/x.mjs", "src/x.mjs.map"]);
}

#[tokio::test]
#[ignore = "needs pip and its index"]
async fn requirements_can_be_imported() {
    let service = Service::new(&[
        (
            "serverless.yml",
            "service: shop\nprovider:\n  name: aws\n  runtime: python3.12\nfunctions:\n  f:\n    handler: app.handler\n",
        ),
        ("requirements.txt", "six==1.16.0\n"),
        (
            "app.py",
            "import six\ndef handler():\n    return six.__version__\n",
        ),
    ]);
    let answer = service
        .run("python3", &["-c", "import app; print(app.handler())"])
        .await;
    assert_eq!(answer, "1.16.0");
}
