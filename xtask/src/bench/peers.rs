//! What is measured: us and the others, each a process that ends with its handle.

use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};

use crate::command::{cache, command, root, run};
use crate::tools;

/// A server that is being measured; it and what it started ends when this is dropped.
pub(crate) struct Server {
    child: Child,
    pub(crate) port: u16,
    /// From the start of the process to its first answer.
    pub(crate) ready: Duration,
}

impl Server {
    fn start(command: &mut Command, port: u16, probe: &str) -> Result<Self> {
        let begun = Instant::now();
        let child = command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .with_context(|| format!("cannot start {command:?}"))?;
        let mut server = Self {
            child,
            port,
            ready: Duration::ZERO,
        };
        let url = server.url(probe);
        while get(&url).is_err() {
            if let Some(status) = server.child.try_wait()? {
                bail!("{command:?} ended before it answered ({status})");
            }
            if begun.elapsed() > Duration::from_secs(60) {
                bail!("{command:?} did not answer at {url} in a minute");
            }
            std::thread::sleep(Duration::from_millis(1));
        }
        server.ready = begun.elapsed();
        Ok(server)
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}{path}", self.port)
    }

    /// Resident memory of the process itself, in MB.
    pub(crate) fn resident_mb(&self) -> Result<f64> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id()))?;
        let line = status
            .lines()
            .find_map(|line| line.strip_prefix("VmRSS:"))
            .context("no VmRSS")?;
        let kilobytes: f64 = line.trim().trim_end_matches("kB").trim().parse()?;
        Ok(kilobytes / 1024.0)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // Ours drains on SIGTERM; a peer that does not end is killed.
        let pid = self.child.id().to_string();
        let asked = Command::new("kill")
            .arg(&pid)
            .status()
            .is_ok_and(|status| status.success());
        let deadline = Instant::now() + Duration::from_secs(5);
        while asked && Instant::now() < deadline {
            if matches!(self.child.try_wait(), Ok(Some(_))) {
                return;
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        if self.child.kill().is_ok() && self.child.wait().is_err() {
            eprintln!("process {pid} could not be ended");
        }
    }
}

/// GET; an error unless the answer is 2xx.
pub(crate) fn get(url: &str) -> Result<String> {
    let output = Command::new("curl").args(["-sf", "-m", "30", url]).output()?;
    if !output.status.success() {
        bail!("GET {url} failed ({})", output.status);
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

fn free_port() -> Result<u16> {
    Ok(std::net::TcpListener::bind("127.0.0.1:0")?.local_addr()?.port())
}

/// The release binary, built when it is not up to date.
pub(crate) fn build_tradewind() -> Result<PathBuf> {
    run(command("cargo").args(["build", "--release", "--locked", "--bin", "tradewind"]))?;
    Ok(root().join("target/release/tradewind"))
}

/// A node on an empty data folder.
pub(crate) fn tradewind(binary: &PathBuf, data: &std::path::Path) -> Result<Server> {
    let port = free_port()?;
    let listen = format!("127.0.0.1:{port}");
    let mut serve = command(binary);
    serve.args(["serve", "--listen", &listen, "--data"]).arg(data);
    Server::start(&mut serve, port, "/_tradewind/health")
}

/// Deploys a project to it and gives the URLs of its functions by path.
pub(crate) fn deploy(binary: &PathBuf, server: &Server, project: &str) -> Result<Vec<String>> {
    let endpoint = server.url("");
    run(command(binary)
        .args(["deploy", project, "--endpoint", &endpoint])
        .stdout(Stdio::null()))?;
    let list = command(binary)
        .args(["list", "--json", "--endpoint", &endpoint])
        .output()?;
    let lines = String::from_utf8(list.stdout)?;
    let mut urls = Vec::new();
    for line in lines.lines() {
        let function: serde_json::Value = serde_json::from_str(line)?;
        let own = function["urls"].as_array().into_iter().flatten();
        urls.extend(own.filter_map(|url| url["url"].as_str().map(str::to_owned)));
    }
    Ok(urls)
}

/// Node's own HTTP server with the same handler.
pub(crate) fn raw_node() -> Result<Server> {
    let port = free_port()?;
    let mut node = command("node");
    node.args(["bench/http/server.mjs", &port.to_string()]);
    Server::start(&mut node, port, "/")
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
        .env("SLS_TELEMETRY_DISABLED", "1");
    Server::start(&mut offline, port, "/hello")
}

fn install_serverless_offline(home: &std::path::Path) -> Result<()> {
    std::fs::create_dir_all(home)?;
    let bench = root().join("bench/http");
    std::fs::copy(bench.join("serverless-offline.yml"), home.join("serverless.yml"))?;
    std::fs::copy(bench.join("handler.js"), home.join("handler.js"))?;
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

/// Makes wrk and curl available.
pub(crate) fn tools() -> Result<()> {
    tools::apt("sh", &["-c", "command -v wrk"], &["wrk"])?;
    tools::apt("curl", &["--version"], &["curl"])
}
