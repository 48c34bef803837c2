//! The bytes of a version, as a stream.

use std::collections::VecDeque;
use std::ops::Range;
use std::pin::{Pin, pin};
use std::sync::{Mutex, PoisonError};
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http_body::{Frame, SizeHint};
use s3s::S3Result;
use tradewind_store::blobs::{BlobError, BlobReader, Blobs, Content, Hold};

use super::row::Version;
use crate::multipart;
use crate::refusal::{no_such_key, of_blob};
use crate::state::State;

type Opening = Pin<Box<dyn Future<Output = Result<BlobReader, BlobError>> + Send>>;

/// The bytes of a range of a version, piece after piece.
pub(crate) struct ObjectStream {
    blobs: Blobs,
    /// However long the client takes, and whatever becomes of the version: what was begun is read to its end.
    _hold: Hold,
    pieces: VecDeque<(Content, Range<u64>)>,
    reader: Option<BlobReader>,
    /// A lock that nobody waits for: it makes the stream `Sync`, as s3s wants it.
    opening: Option<Mutex<Opening>>,
    left: u64,
}

impl ObjectStream {
    /// Opens the content; that it is there and readable is known when this returns.
    ///
    /// # Errors
    /// When it is gone or damaged.
    pub(crate) async fn open(state: &State, version: &Version, range: Range<u64>) -> S3Result<Self> {
        let left = range.end.saturating_sub(range.start);
        let mut pieces = match &version.upload {
            None => VecDeque::from([(version.content.clone(), range)]),
            Some(upload) => multipart::pieces(state, upload, range).await?,
        };
        let there: u64 = pieces.iter().map(|(_, range)| range.end - range.start).sum();
        if there != left {
            // removed since the version was looked up, and its parts with it
            return Err(no_such_key());
        }
        let hold = state.blobs.hold(pieces.iter().map(|(content, _)| content));
        let reader = match pieces.pop_front() {
            Some((content, range)) => Some(state.blobs.read(&content, range).await.map_err(of_blob)?),
            None => None,
        };
        Ok(Self {
            blobs: state.blobs.clone(),
            _hold: hold,
            pieces,
            reader,
            opening: None,
            left,
        })
    }

    /// The next bytes; none at the end.
    pub(crate) async fn next(&mut self) -> Option<Result<Bytes, BlobError>> {
        std::future::poll_fn(|cx| self.poll_next(cx)).await
    }

    fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, BlobError>>> {
        loop {
            if let Some(opening) = &mut self.opening {
                let opening = opening.get_mut().unwrap_or_else(PoisonError::into_inner);
                let opened = ready!(opening.as_mut().poll(cx));
                self.opening = None;
                match opened {
                    Ok(reader) => self.reader = Some(reader),
                    Err(error) => return Poll::Ready(Some(Err(error))),
                }
            }
            if let Some(reader) = &mut self.reader {
                // `next` is cancel-safe: a new one goes on where the last one stood
                let next = ready!(pin!(reader.next()).poll(cx));
                match next {
                    Some(Ok(bytes)) => {
                        self.left = self.left.saturating_sub(bytes.len() as u64);
                        return Poll::Ready(Some(Ok(bytes)));
                    }
                    Some(Err(error)) => {
                        self.pieces.clear();
                        self.reader = None;
                        return Poll::Ready(Some(Err(error)));
                    }
                    None => self.reader = None,
                }
            }
            let Some((content, range)) = self.pieces.pop_front() else {
                return Poll::Ready(None);
            };
            let blobs = self.blobs.clone();
            let opening: Opening = Box::pin(async move { blobs.read(&content, range).await });
            self.opening = Some(Mutex::new(opening));
        }
    }
}

impl http_body::Body for ObjectStream {
    type Data = Bytes;
    type Error = BlobError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BlobError>>> {
        let next = ready!(self.poll_next(cx));
        Poll::Ready(next.map(|result| result.map(Frame::data)))
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.left)
    }
}
