//! Configuration written in JavaScript: evaluated by the user's own `node`, which answers in JSON.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use serde::Deserialize;
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};
use tokio::runtime::Handle;

use crate::diagnostic::Span;

const LOADER: &str = include_str!("loader.cjs");
/// How long a file may take to answer or to ask.
const PATIENCE: Duration = Duration::from_secs(60);
/// Most that a file may say.
const MAX_OUTPUT: u64 = 16 * 1024 * 1024;

/// A file to be evaluated.
#[derive(Debug)]
pub(super) struct Script<'a> {
    /// The `node` program.
    pub(super) node: &'a Path,
    /// The service directory.
    pub(super) dir: &'a Path,
    /// The file.
    pub(super) file: &'a Path,
    /// Keys to walk into what the file exports; functions on the way are called.
    pub(super) address: &'a [String],
    /// The command line's options, for functions.
    pub(super) options: &'a Value,
    /// What the file sees of the environment.
    pub(super) environment: &'a BTreeMap<String, String>,
}

/// What a file evaluated to.
#[derive(Debug, PartialEq)]
pub(super) struct Evaluated {
    /// The value.
    pub(super) value: Value,
    /// Keys of the address that are left because the value is a text, which may be a variable.
    pub(super) rest: Vec<String>,
    /// The project's files that were read.
    pub(super) files: Vec<PathBuf>,
}

/// Something a file wants to know.
#[derive(Debug, PartialEq)]
pub(super) enum Question {
    /// `resolveVariable('self:provider.stage')`
    Variable(String),
    /// `resolveConfigurationProperty(['custom', 'x'])`
    Property(Vec<String>),
}

/// Why a file has no value.
#[derive(Debug, thiserror::Error)]
pub(super) enum EvaluateError {
    #[error("cannot start node: {0}")]
    Start(std::io::Error),
    #[error("{message}")]
    Thrown {
        message: String,
        /// The first line of the project that had a part in it.
        place: Option<Place>,
    },
    #[error("no answer within {} s", PATIENCE.as_secs())]
    Timeout,
    #[error("node ended without an answer")]
    Silent,
    #[error("TypeScript configuration needs esbuild")]
    NeedsEsbuild,
}

/// A place in a file that node names.
#[derive(Debug, Deserialize)]
pub(super) struct Place {
    pub(super) file: PathBuf,
    pub(super) line: u32,
    pub(super) column: u32,
}

impl Place {
    /// The place, naming `file` as the command does when it is that file.
    pub(super) fn span(&self, file: &Path) -> Span {
        let same = file
            .canonicalize()
            .is_ok_and(|path| self.file.canonicalize().is_ok_and(|other| other == path));
        let file = if same { file } else { &self.file };
        Span {
            file: file.into(),
            line: self.line,
            column: self.column,
        }
    }
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Message {
    Value {
        value: Value,
        rest: Vec<String>,
        files: Vec<PathBuf>,
    },
    Variable {
        variable: String,
    },
    Property {
        property: Vec<Value>,
    },
    Error {
        error: String,
        place: Option<Place>,
    },
    Missing {
        missing: String,
    },
}

/// Evaluates `script`, putting its questions to `answer`. Blocks; call it outside of async code, on a
/// thread that belongs to a runtime.
pub(super) fn evaluate(
    script: &Script<'_>,
    answer: &mut dyn FnMut(Question) -> Result<Value, String>,
) -> Result<Evaluated, EvaluateError> {
    let runtime = Handle::current();
    let mut process = runtime.block_on(async { Process::start(script) })?;
    loop {
        let question = match runtime.block_on(process.next_message())? {
            Message::Value { value, rest, files } => return Ok(Evaluated { value, rest, files }),
            Message::Error { error, place } => {
                return Err(EvaluateError::Thrown {
                    message: error,
                    place,
                });
            }
            Message::Missing { missing: _esbuild } => return Err(EvaluateError::NeedsEsbuild),
            Message::Variable { variable } => Question::Variable(variable),
            Message::Property { property } => Question::Property(keys(&property)),
        };
        let reply = match answer(question) {
            Ok(value) => json!({ "value": value }),
            Err(error) => json!({ "error": error }),
        };
        runtime.block_on(process.reply(&reply))?;
    }
}

fn keys(property: &[Value]) -> Vec<String> {
    let text = |key: &Value| key.as_str().map_or_else(|| key.to_string(), str::to_owned);
    property.iter().map(text).collect()
}

struct Process {
    /// Killed when it is dropped.
    _child: Child,
    input: ChildStdin,
    output: BufReader<tokio::io::Take<ChildStdout>>,
}

impl Process {
    fn start(script: &Script<'_>) -> Result<Self, EvaluateError> {
        let absolute = |path: &Path| std::path::absolute(path).unwrap_or_else(|_| PathBuf::from(path));
        let request = json!({
            "file": absolute(script.file),
            "dir": absolute(script.dir),
            "address": script.address,
            "options": script.options,
        });
        let mut child = Command::new(script.node)
            .args(["-e", LOADER, &request.to_string()])
            .current_dir(script.dir)
            .env_clear()
            .envs(script.environment)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .map_err(EvaluateError::Start)?;
        let (Some(input), Some(output)) = (child.stdin.take(), child.stdout.take()) else {
            return Err(EvaluateError::Silent);
        };
        let output = BufReader::new(output.take(MAX_OUTPUT));
        Ok(Self {
            _child: child,
            input,
            output,
        })
    }

    async fn next_message(&mut self) -> Result<Message, EvaluateError> {
        let mut line = String::new();
        let read = tokio::time::timeout(PATIENCE, self.output.read_line(&mut line));
        match read.await {
            Err(_elapsed) => Err(EvaluateError::Timeout),
            Ok(Err(_)) => Err(EvaluateError::Silent),
            Ok(Ok(_)) => serde_json::from_str(&line).map_err(|_cut_off| EvaluateError::Silent),
        }
    }

    async fn reply(&mut self, reply: &Value) -> Result<(), EvaluateError> {
        let line = format!("{reply}\n");
        let written = self.input.write_all(line.as_bytes()).await;
        written.map_err(|_closed| EvaluateError::Silent)
    }
}
