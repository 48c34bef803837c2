//! Reading on after a refusal: a client that is still sending when the connection closes may lose
//! the answer that tells it why.

use std::fmt;
use std::pin::pin;
use std::time::Duration;

use bytes::{Buf, Bytes};
use http::HeaderMap;
use http::header::EXPECT;
use http_body_util::BodyExt;

/// What is read of a refused body, at most.
const LIMIT_BYTES: usize = 32 * 1024 * 1024;
/// And for how long.
const LIMIT_TIME: Duration = Duration::from_secs(5);

/// Reads and drops what the client still sends. One that waits for `100 Continue` sends nothing.
pub(crate) async fn drain<B>(headers: &HeaderMap, body: B)
where
    B: http_body::Body<Data = Bytes>,
    B::Error: fmt::Display,
{
    if body.is_end_stream() || headers.contains_key(EXPECT) {
        return;
    }
    let mut body = pin!(body);
    let mut left = LIMIT_BYTES;
    let reading = async {
        while let Some(Ok(frame)) = body.frame().await {
            let length = frame.data_ref().map_or(0, Buf::remaining);
            if length > left {
                return;
            }
            left -= length;
        }
    };
    if tokio::time::timeout(LIMIT_TIME, reading).await.is_err() {
        tracing::debug!("a refused body is still being sent; closing");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;
    use tradewind_wire::Body;

    #[tokio::test]
    async fn what_is_still_sent_is_read_to_its_end() {
        let (sender, body) = Body::channel(1);
        let sending = async move {
            for _ in 0..5 {
                sender.send("piece").await.unwrap();
            }
        };
        let headers = HeaderMap::new();
        tokio::join!(drain(&headers, body), sending);
    }

    #[tokio::test(start_paused = true)]
    async fn a_client_that_stalls_or_waits_holds_nobody_up() {
        let (_sender, stalled) = Body::channel(1);
        drain(&HeaderMap::new(), stalled).await;
        let (_sender, waiting) = Body::channel(1);
        let mut headers = HeaderMap::new();
        headers.insert(EXPECT, HeaderValue::from_static("100-continue"));
        let before = tokio::time::Instant::now();
        drain(&headers, waiting).await;
        assert_eq!(tokio::time::Instant::now(), before);
    }
}
