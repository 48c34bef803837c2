//! A Tradewind node under test, and Lambda's API as far as measurements need it.

use std::io::{Cursor, Write as _};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use zip::write::SimpleFileOptions;

use crate::command::{command, root, run};
use crate::http::{Answer, Client};
use crate::process;
use crate::server::{Server, free_port};

/// How a node is started.
#[derive(Clone, Debug, Default)]
pub(crate) struct Setup {
    /// Before the program: `taskset -c 0`, say.
    pub(crate) wrapper: Vec<String>,
    /// Further arguments of `serve`.
    pub(crate) arguments: Vec<String>,
    /// Further variables of its environment.
    pub(crate) environment: Vec<(String, String)>,
}

/// A node on a data folder of its own, which goes with it.
#[derive(Debug)]
pub(crate) struct Node {
    pub(crate) server: Server,
    binary: PathBuf,
    data: PathBuf,
}

/// A function to create.
#[derive(Clone, Debug)]
pub(crate) struct Function {
    pub(crate) runtime: &'static str,
    pub(crate) handler: &'static str,
    /// The zipped package, in base64.
    pub(crate) code: String,
    pub(crate) memory_mb: u32,
    pub(crate) timeout_s: u32,
}

impl Function {
    /// A function of one file.
    pub(crate) fn of_file(runtime: &'static str, name: &str, content: &str) -> Result<Self> {
        Ok(Self {
            runtime,
            handler: "handler.handler",
            code: package(&[(name, content)])?,
            memory_mb: 128,
            timeout_s: 30,
        })
    }
}

/// Zips files, all executable, and encodes them for the API.
pub(crate) fn package(files: &[(&str, &str)]) -> Result<String> {
    let mut zip = zip::ZipWriter::new(Cursor::new(Vec::new()));
    for (name, content) in files {
        zip.start_file(*name, SimpleFileOptions::default().unix_permissions(0o755))?;
        zip.write_all(content.as_bytes())?;
    }
    Ok(STANDARD.encode(zip.finish()?.into_inner()))
}

/// The release binary, built when it is not up to date.
pub(crate) fn build() -> Result<PathBuf> {
    run(command("cargo").args(["build", "--release", "--locked", "--bin", "tradewind"]))?;
    Ok(root().join("target/release/tradewind"))
}

/// The binary as it is published: slower to build, faster to run.
pub(crate) fn build_dist() -> Result<PathBuf> {
    run(command("cargo").args(["build", "--profile", "dist", "--locked", "--bin", "tradewind"]))?;
    Ok(root().join("target/dist/tradewind"))
}

impl Node {
    /// Starts a node on an empty data folder.
    pub(crate) fn start(binary: &Path, setup: &Setup) -> Result<Self> {
        let port = free_port()?;
        let data = std::env::temp_dir().join(format!("tradewind-bench-{}-{port}", std::process::id()));
        let mut words = setup.wrapper.clone();
        words.push(binary.to_string_lossy().into_owned());
        let mut serve = command(&words[0]);
        serve
            .args(&words[1..])
            .args(["serve", "--listen", &format!("127.0.0.1:{port}"), "--data"])
            .arg(&data)
            .args(&setup.arguments)
            .envs(setup.environment.iter().cloned())
            .stderr(Stdio::null());
        Ok(Self {
            server: Server::start(&mut serve, port, "/_tradewind/health")?,
            binary: binary.to_owned(),
            data,
        })
    }

    pub(crate) fn data(&self) -> &Path {
        &self.data
    }

    /// Deploys a project of this repository and gives the URLs of its routes.
    pub(crate) fn deploy(&self, project: &Path) -> Result<Vec<String>> {
        let endpoint = self.server.url("");
        run(command(&self.binary)
            .arg("deploy")
            .arg(project)
            .args(["--endpoint", &endpoint])
            .stdout(Stdio::null()))?;
        let functions = self.api("GET", "/_tradewind/functions", &Value::Null)?.json()?;
        let functions = functions["functions"].as_array().into_iter().flatten();
        let urls = functions.flat_map(|function| function["urls"].as_array().into_iter().flatten());
        Ok(urls
            .filter_map(|url| url["url"].as_str().map(str::to_owned))
            .collect())
    }

    /// The URL of the route that ends like this.
    pub(crate) fn route(&self, project: &Path, end: &str) -> Result<String> {
        let urls = self.deploy(project)?;
        let found = urls.into_iter().find(|url| url.ends_with(end));
        found.with_context(|| format!("{} has no route {end}", project.display()))
    }

    /// One call of an API, with a JSON body unless it is null.
    pub(crate) fn api(&self, method: &str, path: &str, body: &Value) -> Result<Answer> {
        call(&mut self.server.client()?, method, path, body)
    }

    pub(crate) fn create(&self, name: &str, function: &Function) -> Result<()> {
        create(&mut self.server.client()?, name, function)
    }

    /// Invokes over a new connection, which is not counted.
    pub(crate) fn invoke(&self, name: &str, payload: &str) -> Result<(Duration, Answer)> {
        let mut client = self.server.client()?;
        let begun = Instant::now();
        let answer = client.send("POST", &invocations(name), payload.as_bytes())?;
        Ok((begun.elapsed(), answer.success("invoke")?))
    }

    /// The processes that run functions: those below the node whose name is an interpreter's.
    pub(crate) fn instances(&self, interpreter: &str) -> Vec<u32> {
        let below = process::below(self.server.pid()).into_iter();
        let named = below.filter(|(_pid, stat)| stat.name.starts_with(interpreter));
        named.map(|(pid, _stat)| pid).collect()
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        self.server.end();
        if let Err(error) = std::fs::remove_dir_all(&self.data) {
            eprintln!("{}: {error}", self.data.display());
        }
    }
}

/// One call of an API over a connection of the caller's.
pub(crate) fn call(client: &mut Client, method: &str, path: &str, body: &Value) -> Result<Answer> {
    let body = match body {
        Value::Null => String::new(),
        body => body.to_string(),
    };
    client
        .send(method, path, body.as_bytes())?
        .success(&format!("{method} {path}"))
}

/// `CreateFunction`.
pub(crate) fn create(client: &mut Client, name: &str, function: &Function) -> Result<()> {
    let request = json!({
        "FunctionName": name, "Runtime": function.runtime, "Handler": function.handler,
        "Role": "arn:aws:iam::000000000000:role/bench", "Code": { "ZipFile": function.code },
        "MemorySize": function.memory_mb, "Timeout": function.timeout_s,
    });
    call(client, "POST", "/2015-03-31/functions", &request).map(drop)
}

/// The path of `Invoke`.
pub(crate) fn invocations(name: &str) -> String {
    format!("/2015-03-31/functions/{name}/invocations")
}
