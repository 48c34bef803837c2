//! One instance: a child process and the channel to it.

use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream as Pair;
use std::process::Stdio;

use anyhow::{Context as _, Result, ensure};
use bytes::Bytes;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::UnixStream;
use tokio::process::{Child, ChildStdin, ChildStdout, Command};
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
    /// Of frames; reused.
    buffer: Vec<u8>,
}

#[derive(Debug)]
enum Channel {
    Socket(UnixStream),
    Pipes(ChildStdin, ChildStdout),
    RuntimeApi(RuntimeApi),
}

impl Instance {
    pub(crate) async fn start(arguments: &Arguments, tasks: &TaskTracker) -> Result<Self> {
        let (process, channel) = match arguments.channel {
            ChannelKind::Socket => with_socket(&arguments.command)?,
            ChannelKind::Pipes => with_pipes(&arguments.command)?,
            ChannelKind::RuntimeApi => with_runtime_api(&arguments.command, tasks).await?,
        };
        Ok(Self {
            _process: process,
            channel,
            buffer: Vec::with_capacity(BUFFER_BYTES),
        })
    }

    /// Gives the instance an event and waits for its answer.
    pub(crate) async fn invoke(&mut self, event: Vec<u8>) -> Result<Bytes> {
        match &mut self.channel {
            Channel::Socket(socket) => {
                let (reader, writer) = socket.split();
                exchange(reader, writer, &mut self.buffer, &event).await
            }
            Channel::Pipes(writer, reader) => exchange(reader, writer, &mut self.buffer, &event).await,
            Channel::RuntimeApi(api) => api.exchange(event).await,
        }
    }
}

fn with_socket(command: &[String]) -> Result<(Child, Channel)> {
    let (ours, theirs) = Pair::pair()?;
    ours.set_nonblocking(true)?;
    let mut child = prepare(command)?;
    child
        .stdin(Stdio::from(OwnedFd::from(theirs)))
        .stdout(Stdio::null());
    Ok((child.spawn()?, Channel::Socket(UnixStream::from_std(ours)?)))
}

fn with_pipes(command: &[String]) -> Result<(Child, Channel)> {
    let mut child = prepare(command)?;
    let mut process = child.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
    let ends = process.stdin.take().zip(process.stdout.take());
    let (writer, reader) = ends.context("invariant: both were asked for")?;
    Ok((process, Channel::Pipes(writer, reader)))
}

async fn with_runtime_api(command: &[String], tasks: &TaskTracker) -> Result<(Child, Channel)> {
    let api = RuntimeApi::listen(tasks).await?;
    let mut child = prepare(command)?;
    child
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .env("AWS_LAMBDA_RUNTIME_API", &api.address);
    Ok((child.spawn()?, Channel::RuntimeApi(api)))
}

async fn exchange<R, W>(mut reader: R, mut writer: W, buffer: &mut Vec<u8>, event: &[u8]) -> Result<Bytes>
where
    R: AsyncRead + Unpin,
    W: AsyncWrite + Unpin,
{
    buffer.clear();
    buffer.extend_from_slice(&u32::try_from(event.len())?.to_le_bytes());
    buffer.extend_from_slice(event);
    writer.write_all(buffer).await?;
    buffer.clear();
    loop {
        ensure!(reader.read_buf(buffer).await? > 0, "the instance has ended");
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

fn prepare(command: &[String]) -> Result<Command> {
    let (program, arguments) = command.split_first().context("no command")?;
    let mut child = Command::new(program);
    child.args(arguments).envs(FUNCTION).kill_on_drop(true);
    Ok(child)
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
