use super::*;
use std::collections::VecDeque;

/// A body in pieces of a size.
#[derive(Debug)]
struct Pieces(VecDeque<Bytes>);

impl Body for Pieces {
    type Data = Bytes;
    type Error = std::convert::Infallible;
    fn poll_frame(
        mut self: Pin<&mut Self>,
        _cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        Poll::Ready(self.0.pop_front().map(|piece| Ok(Frame::data(piece))))
    }
}

fn pieces(text: &[u8], size: usize) -> Pieces {
    Pieces(text.chunks(size).map(Bytes::copy_from_slice).collect())
}

fn headers() -> HeaderMap {
    let mut headers = HeaderMap::new();
    headers.insert(
        header::CONTENT_TYPE,
        "multipart/form-data; boundary=\"xx\"".parse().unwrap(),
    );
    headers
}

const FORM: &[u8] = b"--xx\r\nContent-Disposition: form-data; name=\"key\"\r\n\r\nin/${filename}\r\n\
--xx\r\nContent-Disposition: form-data; name=Content-Type\r\n\r\ntext/plain\r\n\
--xx\r\nContent-Disposition: form-data; name=\"file\"; filename=\"C:\\a.txt\"\r\nContent-Type: x/y\r\n\r\n\
one\r\n--x two\r\n--xx--\r\n";

#[tokio::test]
async fn a_form_is_read_however_it_comes() {
    for size in 1..FORM.len() {
        let (fields, file) = read(&headers(), pieces(FORM, size)).await.unwrap();
        assert_eq!(fields.get("key"), Some("in/${filename}"));
        assert_eq!(fields.get("content-type"), Some("text/plain"));
        assert_eq!(fields.filename(), "a.txt");
        let content = file.collect().await.unwrap().to_bytes();
        assert_eq!(content, b"one\r\n--x two".as_slice(), "pieces of {size}");
    }
}

#[tokio::test]
async fn the_policy_bounds_the_file() {
    for (bounds, fails) in [((12, 12), false), ((0, 11), true), ((13, 99), true)] {
        let (_, mut file) = read(&headers(), pieces(FORM, 7)).await.unwrap();
        file.bound(Some(bounds));
        assert_eq!(file.collect().await.is_err(), fails, "{bounds:?}");
    }
}

#[tokio::test]
async fn what_is_no_form_is_refused() {
    let cut = &FORM[..FORM.len() - 12];
    let (_, file) = read(&headers(), pieces(cut, 9)).await.unwrap();
    assert!(file.collect().await.is_err(), "a file without an end");
    let error = read(&headers(), pieces(&FORM[..40], 9)).await.unwrap_err();
    assert_eq!(error.code().as_str(), "MalformedPOSTRequest");
    let error = read(&headers(), pieces(b"--xx--\r\n", 9)).await.unwrap_err();
    assert_eq!(error.code().as_str(), "InvalidArgument");
    let error = read(&HeaderMap::new(), pieces(FORM, 9)).await.unwrap_err();
    assert_eq!(error.code().as_str(), "MalformedPOSTRequest");
    let mut long = b"--xx\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\n".to_vec();
    long.extend(vec![b'x'; 3 * BEFORE_FILE]);
    long.extend(FORM);
    let error = read(&headers(), pieces(&long, 4096)).await.unwrap_err();
    assert_eq!(error.code().as_str(), "MaxPostPreDataLengthExceeded");
}
