//! One instance: a child process and the channel to it.

use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream as Pair;
use std::process::Stdio;

use anyhow::{Context as _, Result, ensure};
use bytes::Bytes;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::UnixStream;
use tokio::process::{Child, Command};
use tokio_util::task::TaskTracker;

use crate::runtime_api::RuntimeApi;
use crate::{Arguments, ChannelKind};

const LENGTH_BYTES: usize = 4;
const BUFFER_BYTES: usize = 64 * 1024;

/// An instance; dropping it kills its process.
#[derive(Debug)]
pub(crate) struct Instance {
    _process: Child,
    channel: Channel,
}

#[derive(Debug)]
enum Channel {
    Frames { socket: UnixStream, buffer: Vec<u8> },
    RuntimeApi(RuntimeApi),
}

impl Instance {
    pub(crate) async fn start(arguments: &Arguments, tasks: &TaskTracker) -> Result<Self> {
        match arguments.channel {
            ChannelKind::Frames => Self::with_frames(&arguments.command),
            ChannelKind::RuntimeApi => Self::with_runtime_api(&arguments.command, tasks).await,
        }
    }

    fn with_frames(command: &[String]) -> Result<Self> {
        let (ours, theirs) = Pair::pair()?;
        ours.set_nonblocking(true)?;
        let process = spawn(command, Stdio::from(OwnedFd::from(theirs)), None)?;
        let channel = Channel::Frames {
            socket: UnixStream::from_std(ours)?,
            buffer: Vec::with_capacity(BUFFER_BYTES),
        };
        Ok(Self {
            _process: process,
            channel,
        })
    }

    async fn with_runtime_api(command: &[String], tasks: &TaskTracker) -> Result<Self> {
        let api = RuntimeApi::listen(tasks).await?;
        let process = spawn(command, Stdio::null(), Some(&api.address))?;
        Ok(Self {
            _process: process,
            channel: Channel::RuntimeApi(api),
        })
    }

    /// Gives the instance an event and waits for its answer.
    pub(crate) async fn invoke(&mut self, event: Vec<u8>) -> Result<Bytes> {
        match &mut self.channel {
            Channel::Frames { socket, buffer } => exchange(socket, buffer, &event).await,
            Channel::RuntimeApi(api) => api.exchange(event).await,
        }
    }
}

async fn exchange(socket: &mut UnixStream, buffer: &mut Vec<u8>, event: &[u8]) -> Result<Bytes> {
    buffer.clear();
    buffer.extend_from_slice(&u32::try_from(event.len())?.to_le_bytes());
    buffer.extend_from_slice(event);
    socket.write_all(buffer).await?;
    buffer.clear();
    loop {
        ensure!(socket.read_buf(buffer).await? > 0, "the instance has ended");
        if let Some(answer) = whole(buffer) {
            return Ok(Bytes::copy_from_slice(answer));
        }
    }
}

fn whole(buffer: &[u8]) -> Option<&[u8]> {
    let (length, rest) = buffer.split_at_checked(LENGTH_BYTES)?;
    let length = u32::from_le_bytes(length.try_into().ok()?);
    rest.get(..usize::try_from(length).ok()?)
}

fn spawn(command: &[String], stdin: Stdio, runtime_api: Option<&str>) -> Result<Child> {
    let (program, arguments) = command.split_first().context("no command")?;
    let mut child = Command::new(program);
    child
        .args(arguments)
        .stdin(stdin)
        .stdout(Stdio::null())
        .kill_on_drop(true);
    for (name, value) in FUNCTION {
        child.env(name, value);
    }
    if let Some(address) = runtime_api {
        child.env("AWS_LAMBDA_RUNTIME_API", address);
    }
    child.spawn().with_context(|| format!("cannot start {program}"))
}

/// What Lambda's clients want to know about their function.
const FUNCTION: [(&str, &str); 6] = [
    ("AWS_LAMBDA_FUNCTION_NAME", "hello"),
    ("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST"),
    ("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "1024"),
    ("AWS_LAMBDA_LOG_GROUP_NAME", "/aws/lambda/hello"),
    ("AWS_LAMBDA_LOG_STREAM_NAME", "bench"),
    ("AWS_REGION", "us-east-1"),
];
