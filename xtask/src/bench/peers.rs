//! What we are measured against, each installed from public registries into `.cache/`.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::Result;

use crate::command::{cache, command, root, run};
use crate::server::{Server, free_port};
use crate::{fixtures, maven, tools};

const UVICORN: [&str; 3] = ["uvicorn==0.54.0", "httptools==0.9.0", "uvloop==0.23.0"];
const MOTO: [&str; 1] = ["moto[server,s3,sqs]==5.2.5"];
const MINISTACK: [&str; 2] = ["ministack==1.5.33", "boto3"];

/// The bare host of `bench/host`: how many instances of what.
#[derive(Clone, Debug)]
pub(crate) struct BareHost {
    pub(crate) instances: usize,
    /// `socket`, `pipes` or `runtime-api`.
    pub(crate) channel: &'static str,
    pub(crate) command: Vec<String>,
    pub(crate) folder: PathBuf,
    /// `_HANDLER`, for official clients.
    pub(crate) handler: &'static str,
}

impl BareHost {
    /// Instances of `bench/hello/handler.js`, with the least program around it.
    pub(crate) fn of_node(instances: usize) -> Self {
        let words = [
            "node",
            "bench/host/functions/frames.cjs",
            "bench/hello/handler.js",
            "handler",
            "0",
        ];
        Self {
            instances,
            channel: "socket",
            command: words.map(str::to_owned).into(),
            folder: root(),
            handler: "handler.handler",
        }
    }

    /// The same over pipes, which wake fewer processes.
    pub(crate) fn on_pipes(mut self) -> Self {
        self.channel = "pipes";
        if let Some(out) = self.command.last_mut() {
            "1".clone_into(out);
        }
        self
    }

    /// Instances of `bench/hello/handler.py`, with the least program around it.
    pub(crate) fn of_python(instances: usize) -> Self {
        let words = [
            "python3.11",
            "bench/host/functions/frames.py",
            "bench/hello/handler.py",
            "handler",
        ];
        Self {
            command: words.map(str::to_owned).into(),
            ..Self::of_node(instances)
        }
    }

    /// Instances of a custom runtime's package.
    pub(crate) fn of_package(instances: usize, folder: &Path, handler: &'static str) -> Self {
        Self {
            instances,
            channel: "runtime-api",
            command: vec!["./bootstrap".to_owned()],
            folder: folder.to_owned(),
            handler,
        }
    }

    pub(crate) fn start(&self, wrapper: &[&str]) -> Result<Server> {
        let port = free_port()?;
        let program = root().join("target/release/bench-host");
        let mut host = wrapped(wrapper, &program.to_string_lossy());
        host.current_dir(&self.folder)
            .args(["--listen", &format!("127.0.0.1:{port}")])
            .args(["--instances", &self.instances.to_string()])
            .args(["--channel", self.channel, "--"])
            .args(&self.command)
            .env("_HANDLER", self.handler)
            .env("LAMBDA_TASK_ROOT", &self.folder);
        Server::start(&mut host, port, "/")
    }
}

/// Builds the bare host.
pub(crate) fn build_bare_host() -> Result<()> {
    run(command("cargo").args(["build", "--release", "--locked", "--package", "bench-host"]))
}

/// Node's own HTTP server with the same handler.
pub(crate) fn raw_node(wrapper: &[&str]) -> Result<Server> {
    let port = free_port()?;
    let mut node = wrapped(wrapper, "node");
    node.args(["bench/hello/server.mjs", &port.to_string()]);
    Server::start(&mut node, port, "/")
}

/// uvicorn, one process, with its fast parser and event loop.
pub(crate) fn uvicorn() -> Result<Server> {
    let home = python_environment("uvicorn", &UVICORN)?;
    let port = free_port()?;
    let mut uvicorn = command(home.join("bin/uvicorn"));
    uvicorn
        .current_dir(root().join("bench/hello"))
        .args(["asgi:app", "--host", "127.0.0.1", "--port", &port.to_string()])
        .args(["--loop", "uvloop", "--http", "httptools"])
        .args(["--no-access-log", "--log-level", "warning"]);
    Server::start(&mut uvicorn, port, "/")
}

/// A virtual environment with these packages.
fn python_environment(name: &str, packages: &[&str]) -> Result<PathBuf> {
    let home = cache().join("bench").join(name);
    let wanted = home.with_extension("txt");
    std::fs::create_dir_all(cache().join("bench"))?;
    if std::fs::read_to_string(&wanted).ok().as_deref() != Some(&packages.join("\n")) {
        std::fs::write(&wanted, packages.join("\n"))?;
    }
    fixtures::once(&format!("bench-{name}"), &wanted, || {
        run(command("python3.11").args(["-m", "venv"]).arg(&home))?;
        run(command(home.join("bin/python"))
            .args(["-m", "pip", "install", "-q"])
            .args(packages))
    })?;
    Ok(home)
}

/// serverless-offline with the same handler.
pub(crate) fn serverless_offline() -> Result<Server> {
    let home = cache().join("serverless-offline");
    install_serverless_offline(&home)?;
    let (port, lambda_port) = (free_port()?, free_port()?);
    let mut offline = command("node");
    offline
        .current_dir(&home)
        .args([
            "node_modules/osls/bin/serverless.js",
            "offline",
            "--noPrependStageInUrl",
        ])
        .args(["--host", "127.0.0.1", "--httpPort", &port.to_string()])
        .args(["--lambdaPort", &lambda_port.to_string()])
        .env("SLS_TELEMETRY_DISABLED", "1")
        .stderr(Stdio::null());
    Server::start(&mut offline, port, "/hello")
}

fn install_serverless_offline(home: &Path) -> Result<()> {
    std::fs::create_dir_all(home)?;
    let hello = root().join("bench/hello");
    std::fs::copy(hello.join("serverless-offline.yml"), home.join("serverless.yml"))?;
    std::fs::copy(hello.join("handler.js"), home.join("handler.js"))?;
    if home.join("node_modules/serverless-offline").exists() {
        return Ok(());
    }
    std::fs::write(home.join("package.json"), "{\"private\": true}\n")?;
    let packages = ["osls@4.3.1", "serverless-offline@14.8.2"];
    run(command("npm")
        .current_dir(home)
        .args(["install", "--no-audit", "--no-fund", "--save-exact"])
        .args(packages))
}

/// A Python that has boto3.
pub(crate) fn python_with_boto3() -> Result<PathBuf> {
    Ok(python_environment("ministack", &MINISTACK)?.join("bin/python"))
}

/// MiniStack with nothing in it.
pub(crate) fn bare_ministack() -> Result<Server> {
    let home = python_environment("ministack", &MINISTACK)?;
    let port = free_port()?;
    let mut ministack = command(home.join("bin/ministack"));
    ministack
        .env("GATEWAY_PORT", port.to_string())
        .stderr(Stdio::null());
    Server::start(&mut ministack, port, "/_ministack/health")
}

/// moto's server.
pub(crate) fn moto() -> Result<Server> {
    let home = python_environment("moto", &MOTO)?;
    let port = free_port()?;
    let mut moto = command(home.join("bin/moto_server"));
    moto.args(["-H", "127.0.0.1", "-p", &port.to_string()])
        .stderr(Stdio::null());
    Server::start(&mut moto, port, "/moto-api/data.json")
}

/// ElasticMQ in memory.
pub(crate) fn elasticmq() -> Result<Server> {
    let home = root().join("bench/peers/elasticmq");
    let jars = maven::install("elasticmq", &home.join("pom.xml"))?;
    let port = free_port()?;
    let mut elasticmq = command("java");
    elasticmq
        .arg("-cp")
        .arg(jars.join("*"))
        .arg(home.join("Serve.java"))
        .arg(port.to_string())
        .stderr(Stdio::null());
    Server::start(&mut elasticmq, port, "/?Action=ListQueues")
}

/// MiniStack with the same handler behind an HTTP API, and its URL.
pub(crate) fn ministack() -> Result<(Server, String)> {
    let home = python_environment("ministack", &MINISTACK)?;
    let port = free_port()?;
    let server = Server::start(
        command(home.join("bin/ministack"))
            .env("GATEWAY_PORT", port.to_string())
            .env("AWS_ACCESS_KEY_ID", "test")
            .env("AWS_SECRET_ACCESS_KEY", "test")
            .stderr(Stdio::null()),
        port,
        "/_ministack/health",
    )?;
    let output = command(home.join("bin/python"))
        .args([
            "bench/peers/ministack.py",
            &port.to_string(),
            "bench/hello/handler.js",
        ])
        .output()?;
    let url = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    anyhow::ensure!(
        output.status.success(),
        "MiniStack: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    Ok((server, url))
}

/// Makes what measures available.
pub(crate) fn tools() -> Result<()> {
    tools::apt("sh", &["-c", "command -v wrk"], &["wrk"])
}

/// A command behind another: `taskset -c 0`, say.
fn wrapped(wrapper: &[&str], program: &str) -> Command {
    let Some((first, rest)) = wrapper.split_first() else {
        return command(program);
    };
    let mut command = command(first);
    command.args(rest).arg(program);
    command
}
