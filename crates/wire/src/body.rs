//! Bodies: the response body of the node, and reading request bodies within a limit.

use std::fmt;
use std::pin::{Pin, pin};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http_body::{Frame, SizeHint};
use tokio::sync::mpsc;

/// A response body: nothing, bytes that are there, or bytes that come, through a channel or when asked.
#[derive(Debug, Default)]
pub struct Body(Content);

#[derive(Default)]
enum Content {
    #[default]
    Empty,
    Full(Bytes),
    Channel(mpsc::Receiver<std::io::Result<Bytes>>),
    Polled(Poller),
}

/// Gives the next piece of a body; none ends it.
type Poller = Box<dyn FnMut(&mut Context<'_>) -> Poll<Option<std::io::Result<Bytes>>> + Send + Sync>;

impl fmt::Debug for Content {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Empty => "Empty",
            Self::Full(_) => "Full",
            Self::Channel(_) => "Channel",
            Self::Polled(_) => "Polled",
        })
    }
}

impl Body {
    /// A body of no bytes.
    #[must_use]
    pub const fn empty() -> Self {
        Self(Content::Empty)
    }

    /// A body that is all there.
    #[must_use]
    pub fn full(bytes: impl Into<Bytes>) -> Self {
        let bytes = bytes.into();
        if bytes.is_empty() {
            return Self::empty();
        }
        Self(Content::Full(bytes))
    }

    /// A body that is sent piece by piece; at most `capacity` pieces wait for the client.
    /// It ends when the sender is dropped.
    #[must_use]
    pub fn channel(capacity: usize) -> (BodySender, Self) {
        let (sender, receiver) = mpsc::channel(capacity.max(1));
        (BodySender(sender), Self(Content::Channel(receiver)))
    }

    /// A body whose pieces `poll` gives when the client has taken those before; none ends it, and it is
    /// not asked again.
    #[must_use]
    pub fn polled(
        poll: impl FnMut(&mut Context<'_>) -> Poll<Option<std::io::Result<Bytes>>> + Send + Sync + 'static,
    ) -> Self {
        Self(Content::Polled(Box::new(poll)))
    }
}

impl From<Bytes> for Body {
    fn from(bytes: Bytes) -> Self {
        Self::full(bytes)
    }
}

impl From<String> for Body {
    fn from(text: String) -> Self {
        Self::full(text)
    }
}

impl http_body::Body for Body {
    type Data = Bytes;
    type Error = std::io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        match &mut self.0 {
            Content::Empty => Poll::Ready(None),
            Content::Full(bytes) => {
                let bytes = std::mem::take(bytes);
                self.0 = Content::Empty;
                Poll::Ready(Some(Ok(Frame::data(bytes))))
            }
            Content::Channel(receiver) => {
                let piece = ready!(receiver.poll_recv(cx));
                Poll::Ready(piece.map(|result| result.map(Frame::data)))
            }
            Content::Polled(poll) => {
                let piece = ready!(poll(cx));
                if !matches!(piece, Some(Ok(_))) {
                    self.0 = Content::Empty;
                }
                Poll::Ready(piece.map(|result| result.map(Frame::data)))
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        matches!(self.0, Content::Empty)
    }

    fn size_hint(&self) -> SizeHint {
        match &self.0 {
            Content::Empty => SizeHint::with_exact(0),
            Content::Full(bytes) => SizeHint::with_exact(bytes.len() as u64),
            Content::Channel(_) | Content::Polled(_) => SizeHint::default(),
        }
    }
}

/// The sending half of [`Body::channel`].
#[derive(Clone, Debug)]
pub struct BodySender(mpsc::Sender<std::io::Result<Bytes>>);

/// The client hung up: nobody will read what is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the reader of the body is gone")]
pub struct ReceiverGone;

impl BodySender {
    /// Sends one piece, waiting while the client is slow.
    ///
    /// # Errors
    /// When the client hung up.
    ///
    /// # Cancel safety
    /// Cancel-safe: a piece that was not accepted is dropped whole.
    pub async fn send(&self, piece: impl Into<Bytes>) -> Result<(), ReceiverGone> {
        let sent = self.0.send(Ok(piece.into())).await;
        sent.map_err(|_rejected_piece| ReceiverGone)
    }

    /// Ends the body as broken, so that the client does not take it for complete.
    ///
    /// # Errors
    /// When the client hung up.
    pub async fn fail(self, error: std::io::Error) -> Result<(), ReceiverGone> {
        let sent = self.0.send(Err(error)).await;
        sent.map_err(|_rejected_error| ReceiverGone)
    }

    /// Waits until the client hangs up.
    pub async fn closed(&self) {
        self.0.closed().await;
    }
}

/// Why a request body could not be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReadBodyError {
    /// It is longer than the operation allows.
    #[error("the body is larger than {limit} bytes")]
    TooLarge {
        /// The most the operation allows, in bytes.
        limit: usize,
    },
    /// The client stopped sending before the end.
    #[error("the body ended early: {reason}")]
    Interrupted {
        /// What the connection said.
        reason: String,
    },
}

/// How long a client may pause inside a body: what reads it holds memory and permits meanwhile.
const PATIENCE: Duration = Duration::from_secs(30);

/// Reads a whole body of at most `limit` bytes. A length that is announced as larger is refused
/// before anything is read.
///
/// # Errors
/// When the body is larger than `limit`, ends early, or pauses for half a minute.
///
/// # Cancel safety
/// Not cancel-safe: what was read is lost.
pub async fn read_body<B>(body: B, limit: usize) -> Result<Bytes, ReadBodyError>
where
    B: http_body::Body<Data = Bytes>,
    B::Error: std::fmt::Display,
{
    let announced = body.size_hint().lower();
    if usize::try_from(announced).is_ok_and(|length| length > limit) {
        return Err(ReadBodyError::TooLarge { limit });
    }
    let mut body = pin!(body);
    let Some(first) = next_data(body.as_mut(), limit).await? else {
        return Ok(Bytes::new());
    };
    let Some(second) = next_data(body.as_mut(), limit - first.len())
        .await
        .map_err(|e| e.of(limit))?
    else {
        return Ok(first);
    };
    let mut whole = BytesMut::with_capacity(first.len() + second.len());
    whole.extend_from_slice(&first);
    whole.extend_from_slice(&second);
    while let Some(piece) = next_data(body.as_mut(), limit - whole.len())
        .await
        .map_err(|e| e.of(limit))?
    {
        whole.extend_from_slice(&piece);
    }
    Ok(whole.freeze())
}

impl ReadBodyError {
    /// The same error about the whole body instead of what was left of it.
    fn of(self, limit: usize) -> Self {
        match self {
            Self::TooLarge { .. } => Self::TooLarge { limit },
            Self::Interrupted { reason } => Self::Interrupted { reason },
        }
    }
}

fn stalled() -> ReadBodyError {
    ReadBodyError::Interrupted {
        reason: format!("nothing came for {} seconds", PATIENCE.as_secs()),
    }
}

async fn next_data<B>(mut body: Pin<&mut B>, room: usize) -> Result<Option<Bytes>, ReadBodyError>
where
    B: http_body::Body<Data = Bytes>,
    B::Error: std::fmt::Display,
{
    loop {
        let next = std::future::poll_fn(|cx| body.as_mut().poll_frame(cx));
        let frame = tokio::time::timeout(PATIENCE, next)
            .await
            .map_err(|_elapsed| stalled())?;
        let Some(frame) = frame else { return Ok(None) };
        let frame = frame.map_err(|error| ReadBodyError::Interrupted {
            reason: error.to_string(),
        })?;
        let Ok(data) = frame.into_data() else { continue };
        if data.len() > room {
            return Err(ReadBodyError::TooLarge { limit: room });
        }
        if !data.is_empty() {
            return Ok(Some(data));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http_body::Body as _;

    fn channel_of(pieces: &[&'static str]) -> Body {
        let (sender, receiver) = mpsc::channel(pieces.len() + 1);
        for piece in pieces {
            sender.try_send(Ok(Bytes::from_static(piece.as_bytes()))).unwrap();
        }
        Body(Content::Channel(receiver))
    }

    #[tokio::test(start_paused = true)]
    async fn a_body_that_stalls_is_given_up() {
        let (sender, body) = Body::channel(4);
        sender.send("begun, ").await.unwrap();
        let read = read_body(body, 100).await;
        assert!(matches!(read, Err(ReadBodyError::Interrupted { .. })), "{read:?}");
        drop(sender);
    }

    #[tokio::test]
    async fn pieces_are_joined_in_order() {
        let read = read_body(channel_of(&["a", "", "bc", "d"]), 4).await;
        assert_eq!(read.unwrap(), "abcd");
        assert_eq!(read_body(Body::empty(), 0).await.unwrap(), "");
        assert_eq!(read_body(Body::full("whole"), 5).await.unwrap(), "whole");
    }

    #[tokio::test]
    async fn one_byte_too_many_is_refused_with_the_whole_limit() {
        for pieces in [&["abcde"][..], &["ab", "cde"], &["a", "b", "cde"]] {
            let error = read_body(channel_of(pieces), 4).await.unwrap_err();
            assert_eq!(error, ReadBodyError::TooLarge { limit: 4 }, "{pieces:?}");
        }
        let announced = read_body(Body::full("abcde"), 4).await.unwrap_err();
        assert_eq!(announced, ReadBodyError::TooLarge { limit: 4 });
    }

    #[tokio::test]
    async fn a_broken_body_is_not_taken_for_a_short_one() {
        let (sender, body) = Body::channel(2);
        sender.send("half").await.unwrap();
        sender.fail(std::io::Error::other("disk")).await.unwrap();
        let error = read_body(body, 100).await.unwrap_err();
        assert_eq!(
            error,
            ReadBodyError::Interrupted {
                reason: "disk".into()
            }
        );
    }

    #[tokio::test]
    async fn sending_to_a_client_that_left_fails() {
        let (sender, body) = Body::channel(1);
        drop(body);
        assert_eq!(sender.send("x").await, Err(ReceiverGone));
    }

    #[test]
    fn lengths_are_exact_where_they_are_known() {
        assert_eq!(Body::full("four").size_hint().exact(), Some(4));
        assert_eq!(Body::empty().size_hint().exact(), Some(0));
        assert!(Body::full("").is_end_stream());
        assert_eq!(Body::channel(1).1.size_hint().exact(), None);
    }
}
