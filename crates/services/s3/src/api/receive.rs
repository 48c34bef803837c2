//! Content on its way in: stored, hashed and compared with what the client says of it.

use std::pin::Pin;

use http::HeaderMap;
use http_body::Body as _;
use s3s::dto::StreamingBlob;
use s3s::{Body, S3Error, S3ErrorCode, S3Result};
use tradewind_store::blobs::{Content, Stored};

use crate::digest::{self, Algorithm, ContentHasher, Digests, Hasher};
use crate::front::{PayloadError, Trailers};
use crate::post::FormError;
use crate::refusal::{invalid_request, of_blob, refused};
use crate::state::State;

/// The largest body of one request.
const LARGEST: u64 = 5 * 1024 * 1024 * 1024;

/// What a request says of its body.
#[derive(Clone, Debug, Default)]
pub(crate) struct Claims {
    pub(crate) length: Option<i64>,
    /// It is the file of a form, whose length nobody says.
    pub(crate) of_form: bool,
    pub(crate) md5: Option<String>,
    /// The checksum that was said, or is to be computed.
    pub(crate) algorithm: Option<Algorithm>,
    /// Its value, in a header.
    value: Option<String>,
    /// It follows the body.
    trailing: Option<Trailers>,
}

/// Content that came, and is as it was said to be.
#[derive(Debug)]
pub(crate) struct Received {
    pub(crate) stored: Stored,
    pub(crate) digests: Digests,
}

impl Received {
    pub(crate) fn etag(&self) -> String {
        digest::hex(&self.digests.md5)
    }

    pub(crate) fn content(&self) -> Content {
        self.stored.content().clone()
    }
}

impl Claims {
    /// Reads them of the headers; `algorithm` is that of `x-amz-sdk-checksum-algorithm`.
    ///
    /// # Errors
    /// `InvalidRequest` where they contradict each other or are none, `InvalidDigest`.
    pub(crate) fn of(
        headers: &HeaderMap,
        trailers: Option<&Trailers>,
        length: Option<i64>,
        algorithm: Option<&str>,
    ) -> S3Result<Self> {
        let text = |name: &str| {
            headers
                .get(name)
                .and_then(|value| value.to_str().ok())
                .map(str::to_owned)
        };
        let md5 = text("content-md5");
        if md5
            .as_deref()
            .is_some_and(|md5| digest::from_base64(md5).is_none_or(|md5| md5.len() != 16))
        {
            return Err(refused(
                S3ErrorCode::InvalidDigest,
                "The Content-MD5 you specified was invalid.",
            ));
        }
        let mut given = Algorithm::ALL
            .into_iter()
            .filter_map(|known| Some((known, text(known.header())?)));
        let header = given.next();
        if given.next().is_some() {
            return Err(invalid_request(
                "Expecting a single x-amz-checksum- header. Multiple checksum Types are not allowed.",
            ));
        }
        if let Some((known, value)) = &header {
            well_formed(*known, value)?;
        }
        let trailer = text("x-amz-trailer").map(|name| of_trailer(&name)).transpose()?;
        let asked = algorithm.map(named).transpose()?;
        Ok(Self {
            length,
            of_form: false,
            md5,
            algorithm: header.as_ref().map(|(known, _)| *known).or(trailer).or(asked),
            value: header.map(|(_, value)| value),
            trailing: trailer.and(trailers).cloned(),
        })
    }

    /// How many bytes will come, when that is said.
    fn announced(&self) -> S3Result<Option<u64>> {
        if self.of_form {
            return Ok(None);
        }
        let length = self.length.ok_or_else(|| {
            refused(
                S3ErrorCode::MissingContentLength,
                "You must provide the Content-Length HTTP header.",
            )
        })?;
        match u64::try_from(length).unwrap_or(0) {
            length if length > LARGEST => Err(too_large()),
            length => Ok(Some(length)),
        }
    }

    fn check(&self, digests: &Digests, own: Option<Hasher>) -> S3Result {
        if self
            .md5
            .as_deref()
            .is_some_and(|md5| md5 != digest::base64(&digests.md5))
        {
            return Err(refused(
                S3ErrorCode::BadDigest,
                "The Content-MD5 you specified did not match what we received.",
            ));
        }
        let algorithm = self.algorithm.unwrap_or(digests.algorithm);
        let said = match (&self.value, &self.trailing) {
            (Some(value), _) => Some(value.clone()),
            (None, Some(trailers)) => {
                let value = trailers.get(algorithm.header());
                Some(value.ok_or_else(|| malformed_trailer(algorithm))?)
            }
            (None, None) => None,
        };
        let Some(said) = said else {
            return Ok(());
        };
        well_formed(algorithm, &said)?;
        let computed = own.map_or_else(|| digests.value.clone(), Hasher::finish);
        if said == computed {
            Ok(())
        } else {
            Err(bad_checksum(algorithm))
        }
    }
}

pub(crate) fn named(name: &str) -> S3Result<Algorithm> {
    Algorithm::named(&name.to_ascii_uppercase()).ok_or_else(|| {
        invalid_request("Checksum algorithm provided is unsupported. Please try again with any of the valid types: [CRC32, CRC32C, CRC64NVME, SHA1, SHA256]")
    })
}

fn of_trailer(name: &str) -> S3Result<Algorithm> {
    let name = name.trim().to_ascii_lowercase();
    let known = Algorithm::ALL
        .into_iter()
        .find(|algorithm| algorithm.header() == name);
    known.ok_or_else(|| invalid_request("The value specified in the x-amz-trailer header is not supported"))
}

fn malformed_trailer(algorithm: Algorithm) -> S3Error {
    refused(
        S3ErrorCode::Custom("MalformedTrailerError".into()),
        format!(
            "The request contained trailing data that was not well-formed or did not conform to our published schema: {} is missing.",
            algorithm.header()
        ),
    )
}

pub(crate) fn well_formed(algorithm: Algorithm, value: &str) -> S3Result {
    if digest::from_base64(value).is_some_and(|value| value.len() == algorithm.size()) {
        return Ok(());
    }
    Err(invalid_request(format!(
        "Value for {} header is invalid.",
        algorithm.header()
    )))
}

fn bad_checksum(algorithm: Algorithm) -> S3Error {
    refused(
        S3ErrorCode::BadDigest,
        format!(
            "The {} you specified did not match the calculated checksum.",
            algorithm.name()
        ),
    )
}

/// Stores a body and compares it with its claims. `keep` is the checksum to keep. What was stored of a
/// body that is refused goes as an orphan.
///
/// # Errors
/// `IncompleteBody`, `EntityTooLarge`, `MissingContentLength`, `BadDigest`, and what the disk says.
pub(crate) async fn receive(
    state: &State,
    body: Option<StreamingBlob>,
    claims: &Claims,
    keep: Algorithm,
) -> S3Result<Received> {
    let announced = claims.announced()?;
    let mut writer = state.blobs.encrypting_writer(announced).await.map_err(of_blob)?;
    let mut hasher = ContentHasher::new(keep);
    let mut own = claims
        .algorithm
        .filter(|algorithm| *algorithm != keep)
        .map(Algorithm::hasher);
    let mut body = Body::from(body.unwrap_or_else(|| StreamingBlob::from(Body::empty())));
    let mut received = 0u64;
    while let Some(frame) = std::future::poll_fn(|cx| Pin::new(&mut body).poll_frame(cx)).await {
        let frame = frame.map_err(broken_body)?;
        let Ok(bytes) = frame.into_data() else { continue };
        received += bytes.len() as u64;
        if received > announced.unwrap_or(LARGEST) {
            return Err(announced.map_or_else(too_large, |_| PayloadError::Length.to_s3()));
        }
        hasher.update(&bytes);
        if let Some(own) = &mut own {
            own.update(&bytes);
        }
        writer.write(&bytes).await.map_err(of_blob)?;
    }
    if announced.is_some_and(|length| received != length) {
        return Err(PayloadError::Length.to_s3());
    }
    let digests = hasher.finish();
    claims.check(&digests, own)?;
    let stored = writer.finish().await.map_err(of_blob)?;
    Ok(Received { stored, digests })
}

pub(crate) fn too_large() -> S3Error {
    refused(
        S3ErrorCode::EntityTooLarge,
        "Your proposed upload exceeds the maximum allowed size",
    )
}

fn broken_body(error: s3s::StdError) -> S3Error {
    if let Some(error) = error.downcast_ref::<FormError>() {
        return error.to_s3();
    }
    match error.downcast_ref::<PayloadError>() {
        Some(error) => error.to_s3(),
        None => PayloadError::Interrupted(error.to_string()).to_s3(),
    }
}
