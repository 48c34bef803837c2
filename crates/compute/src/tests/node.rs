//! A node for tests: an engine, its logs, and small functions to run on it.

use std::io::{Cursor, Write};
use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use serde_json::Value;
use tradewind_model::{AccountId, Clock, FunctionArn, MemoryMib, Region, RequestId, TimeoutSeconds};
use tradewind_observe::usage::UsageSink;
use tradewind_observe::{LogEvent, LogKind, LogOptions, LogQuery, LogStore};
use zip::ZipWriter;
use zip::write::SimpleFileOptions;

use crate::{
    Engine, EngineConfig, FunctionSpec, Interpreters, InvokeError, InvokeRequest, InvokeResponse, KeepAlive,
    SandboxChoice,
};

/// An engine in a folder of its own.
pub(super) struct Node {
    pub(super) dir: tempfile::TempDir,
    pub(super) engine: Engine,
    pub(super) logs: LogStore,
    pub(super) usage: UsageSink,
    functions: AtomicU32,
}

/// Idle instances go when the engine looks.
pub(super) const NO_TIME: KeepAlive = KeepAlive {
    least: Duration::from_millis(1),
    most: Duration::from_millis(1),
};

/// What tests may change about their node.
pub(super) struct Settings {
    pub(super) account_concurrency: u32,
    pub(super) keep_alive: KeepAlive,
    pub(super) stems: usize,
    pub(super) prepare: bool,
    pub(super) init_limit: Duration,
    pub(super) memory_budget_bytes: Option<u64>,
    pub(super) sandbox: SandboxChoice,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            account_concurrency: 1000,
            keep_alive: EngineConfig::KEEP_ALIVE,
            stems: 0,
            prepare: false,
            init_limit: Duration::from_secs(60),
            memory_budget_bytes: None,
            sandbox: SandboxChoice::Auto,
        }
    }
}

impl Node {
    pub(super) fn start() -> Self {
        Self::start_with(Settings::default())
    }

    /// A node whose functions share its files and process ids, for tests that look at them from outside.
    pub(super) fn plain() -> Self {
        Self::start_with(Settings {
            sandbox: SandboxChoice::Process,
            ..Settings::default()
        })
    }

    pub(super) fn start_with(settings: Settings) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let path = |name: &str| dir.path().join(name);
        let logs = LogStore::open(path("logs"), Clock::system(), LogOptions::default()).unwrap();
        let usage = UsageSink::default();
        let config = EngineConfig {
            packages_dir: path("packages"),
            run_dir: path("run"),
            sandbox: settings.sandbox,
            spawner: Some(crate::sandbox::test_spawner()),
            bootstraps_dir: path("bootstraps"),
            account: AccountId::default_account(),
            region: Region::default_region(),
            endpoint_url: "http://127.0.0.1:4566".into(),
            account_concurrency: settings.account_concurrency,
            memory_budget_bytes: settings.memory_budget_bytes,
            keep_alive: settings.keep_alive,
            stems: settings.stems,
            prepare: settings.prepare,
            clock: Clock::system(),
            logs: logs.clone(),
            usage: usage.clone(),
            interpreters: Interpreters::discover(&std::env::var_os("PATH").unwrap()),
        };
        let engine = Engine::start_with(config, settings.init_limit).unwrap();
        Self {
            dir,
            engine,
            logs,
            usage,
            functions: AtomicU32::new(0),
        }
    }

    /// A spec of a new function made of `files`, not deployed yet. Files named `bootstrap` or `main`
    /// are executable.
    pub(super) async fn spec(&self, runtime: &str, handler: &str, files: &[(&str, &str)]) -> FunctionSpec {
        let package = self
            .engine
            .packages()
            .add_zip(zip_of(files).into())
            .await
            .unwrap();
        let number = self.functions.fetch_add(1, Ordering::Relaxed);
        let arn = format!("arn:aws:lambda:us-east-1:000000000000:function:f{number}");
        FunctionSpec {
            memory: MemoryMib::new(256).unwrap(),
            timeout: TimeoutSeconds::new(60).unwrap(),
            ..FunctionSpec::new(arn.parse().unwrap(), runtime.parse().unwrap(), handler, package)
        }
    }

    /// A Python function: the body of `main.py`, with `import os, sys, json, time` before it.
    pub(super) async fn python_spec(&self, code: &str) -> FunctionSpec {
        let source = format!("import os, sys, json, time\n{}", unindented(code));
        self.spec("python3.11", "main.handler", &[("main.py", &source)])
            .await
    }

    /// The same, deployed.
    pub(super) async fn python(&self, code: &str) -> FunctionArn {
        self.deploy(self.python_spec(code).await)
    }

    /// A Node function: the body of `index.js`.
    pub(super) async fn js(&self, code: &str) -> FunctionArn {
        self.deploy(
            self.spec("nodejs20.x", "index.handler", &[("index.js", code)])
                .await,
        )
    }

    /// A spec of a Node function with a second file that sets `loaded`.
    pub(super) async fn js_spec(&self, code: &str, other: &str) -> FunctionSpec {
        let files = [("index.js", code), (other, "exports.loaded = true")];
        self.spec("nodejs20.x", "index.handler", &files).await
    }

    pub(super) fn deploy(&self, spec: FunctionSpec) -> FunctionArn {
        let arn = spec.arn.clone();
        self.engine.deploy(spec);
        arn
    }

    pub(super) async fn try_invoke(
        &self,
        arn: &FunctionArn,
        event: &str,
    ) -> Result<InvokeResponse, InvokeError> {
        self.engine
            .invoke(arn, InvokeRequest::new(RequestId::random(), event.to_owned()))
            .await
    }

    /// The answer of an invocation that must succeed.
    pub(super) async fn invoke(&self, arn: &FunctionArn, event: &str) -> Value {
        let response = self.try_invoke(arn, event).await.unwrap();
        assert_eq!(response.error, None, "{:?}", response.payload);
        serde_json::from_slice(&response.payload).unwrap()
    }

    /// The error of an invocation that must fail in its function: type and message.
    pub(super) async fn invoke_error(&self, arn: &FunctionArn, event: &str) -> (String, String) {
        let response = self.try_invoke(arn, event).await.unwrap();
        assert!(response.error.is_some(), "{:?}", response.payload);
        let error: Value = serde_json::from_slice(&response.payload).unwrap();
        let text = |name: &str| error[name].as_str().unwrap_or_default().to_owned();
        (text("errorType"), text("errorMessage"))
    }

    /// All log events of a function so far.
    pub(super) async fn log(&self, arn: &FunctionArn) -> Vec<LogEvent> {
        let query = LogQuery {
            groups: vec![format!("/aws/lambda/{}", arn.name)],
            limit: 10_000,
            ..LogQuery::default()
        };
        self.logs.read(query).await.unwrap()
    }

    /// The messages of a function's log once it has `reports` REPORT lines.
    pub(super) async fn messages(&self, arn: &FunctionArn, reports: usize) -> Vec<String> {
        loop {
            let log = self.log(arn).await;
            if log.iter().filter(|event| event.kind == LogKind::Report).count() >= reports {
                return log.into_iter().map(|event| event.message.into()).collect();
            }
            tokio::task::yield_now().await;
        }
    }

    /// A folder that functions and tests can both see.
    pub(super) fn shared(&self, name: &str) -> PathBuf {
        let path = self.dir.path().join(name);
        std::fs::create_dir_all(&path).unwrap();
        path
    }

    pub(super) async fn stop(self) {
        self.engine.shutdown(Duration::from_secs(60)).await;
    }
}

/// A zip archive of text files.
pub(super) fn zip_of(files: &[(&str, &str)]) -> Vec<u8> {
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    for (name, content) in files {
        let mode = if matches!(*name, "bootstrap" | "main") || name.starts_with("extensions/") {
            0o755
        } else {
            0o644
        };
        zip.start_file(*name, SimpleFileOptions::default().unix_permissions(mode))
            .unwrap();
        zip.write_all(content.as_bytes()).unwrap();
    }
    zip.finish().unwrap().into_inner()
}

/// Waits for something that happens beside the invocation: a process ends, a folder goes.
pub(super) async fn eventually(mut condition: impl FnMut() -> bool) {
    while !condition() {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

pub(super) fn process_exists(id: u64) -> bool {
    match std::fs::read_to_string(format!("/proc/{id}/stat")) {
        // `pid (name) state …`; a zombie has ended
        Ok(stat) => !stat.rsplit(')').next().unwrap().trim_start().starts_with('Z'),
        Err(_) => false,
    }
}

/// Python without the indentation that its place in a test gives it.
pub(super) fn unindented(code: &str) -> String {
    let lines: Vec<&str> = code.lines().filter(|line| !line.trim().is_empty()).collect();
    let indent = lines
        .iter()
        .map(|line| line.len() - line.trim_start().len())
        .min()
        .unwrap_or(0);
    lines
        .iter()
        .map(|line| format!("{}\n", line.split_at(indent).1))
        .collect()
}
