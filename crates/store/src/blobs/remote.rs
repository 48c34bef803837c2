//! Blobs as objects of an S3-compatible store, by the `object_store` crate.

use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;
use futures_util::StreamExt as _;
use object_store::aws::AmazonS3Builder;
use object_store::multipart::{MultipartStore, PartId};
use object_store::path::Path;
use object_store::{ClientOptions, Error, ObjectStore, ObjectStoreExt as _, PutPayload};
use tradewind_model::Timestamp;

use super::{BlobError, BlobId};

/// Where blobs go that are not kept on this machine's disk.
#[derive(Clone)]
pub struct RemoteConfig {
    bucket: String,
    prefix: String,
    endpoint: Option<String>,
    region: String,
    virtual_hosts: bool,
    /// The access key's id.
    pub access_key_id: String,
    /// The secret access key.
    pub secret_access_key: String,
    /// The session token of temporary keys.
    pub session_token: Option<String>,
}

/// A text that names no place for blobs.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("{0}; write s3://BUCKET/PREFIX?endpoint=https://HOST&region=REGION")]
pub struct InvalidBlobsUrl(String);

impl RemoteConfig {
    /// Reads `s3://BUCKET[/PREFIX][?endpoint=URL][&region=REGION][&virtual-hosts=true]`; keys come apart.
    ///
    /// # Errors
    /// When the text is of another form, or has a parameter that is not known.
    pub fn parse(url: &str) -> Result<Self, InvalidBlobsUrl> {
        let invalid = |why: &str| InvalidBlobsUrl(why.to_owned());
        let rest = url
            .strip_prefix("s3://")
            .ok_or_else(|| invalid("it does not begin with s3://"))?;
        let (place, query) = rest.split_once('?').unwrap_or((rest, ""));
        let (bucket, prefix) = place.split_once('/').unwrap_or((place, ""));
        let named = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_');
        if bucket.is_empty() || !bucket.chars().all(named) {
            return Err(invalid("it names no bucket"));
        }
        if !prefix.chars().all(|c| named(c) || c == '/') {
            return Err(invalid(
                "its prefix has other characters than A-Z a-z 0-9 . - _ /",
            ));
        }
        let mut config = Self {
            bucket: bucket.to_owned(),
            prefix: prefix.trim_matches('/').to_owned(),
            endpoint: None,
            region: "us-east-1".to_owned(),
            virtual_hosts: false,
            access_key_id: String::new(),
            secret_access_key: String::new(),
            session_token: None,
        };
        for pair in query.split('&').filter(|pair| !pair.is_empty()) {
            config.set(pair)?;
        }
        Ok(config)
    }

    fn set(&mut self, pair: &str) -> Result<(), InvalidBlobsUrl> {
        match pair.split_once('=') {
            Some(("endpoint", url)) if url.starts_with("http://") || url.starts_with("https://") => {
                self.endpoint = Some(url.trim_end_matches('/').to_owned());
            }
            Some(("region", region)) if !region.is_empty() => self.region = region.to_owned(),
            Some(("virtual-hosts", "true")) => self.virtual_hosts = true,
            Some(("virtual-hosts", "false")) => self.virtual_hosts = false,
            Some(_) | None => return Err(InvalidBlobsUrl(format!("it does not take `{pair}`"))),
        }
        Ok(())
    }

    /// Bucket and prefix, for people and for the record of where content is.
    #[must_use]
    pub fn location(&self) -> String {
        format!("s3://{}/{}", self.bucket, self.prefix)
    }
}

impl std::fmt::Debug for RemoteConfig {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "RemoteConfig({} ***)", self.location())
    }
}

/// What a store must be able to do.
pub(super) trait RemoteStore: ObjectStore + MultipartStore {}

impl<S: ObjectStore + MultipartStore> RemoteStore for S {}

/// The objects of the blobs below one prefix.
#[derive(Debug)]
pub(super) struct Remote {
    store: Arc<dyn RemoteStore>,
    prefix: Path,
}

impl Remote {
    pub(super) fn open(config: &RemoteConfig) -> Result<Self, BlobError> {
        Ok(Self::new(Self::store(config)?, &config.prefix))
    }

    pub(super) fn store(config: &RemoteConfig) -> Result<Arc<dyn RemoteStore>, BlobError> {
        let mut builder = AmazonS3Builder::new()
            .with_bucket_name(&config.bucket)
            .with_region(&config.region)
            .with_access_key_id(&config.access_key_id)
            .with_secret_access_key(&config.secret_access_key)
            .with_virtual_hosted_style_request(config.virtual_hosts);
        if let Some(endpoint) = &config.endpoint {
            let plain = endpoint.starts_with("http://");
            builder = builder
                .with_endpoint(endpoint)
                .with_client_options(ClientOptions::new().with_allow_http(plain));
        }
        if let Some(token) = &config.session_token {
            builder = builder.with_token(token);
        }
        Ok(Arc::new(builder.build().map_err(failed("reach"))?))
    }

    pub(super) fn new(store: Arc<dyn RemoteStore>, prefix: &str) -> Self {
        Self {
            store,
            prefix: Path::from(prefix),
        }
    }

    fn key(&self, id: BlobId) -> Path {
        self.prefix.clone().join(id.to_string())
    }

    pub(super) async fn put(&self, id: BlobId, content: Vec<Bytes>) -> Result<(), BlobError> {
        let payload = PutPayload::from_iter(content);
        self.store
            .put(&self.key(id), payload)
            .await
            .map_err(failed("put an object to"))?;
        Ok(())
    }

    pub(super) async fn begin(&self, id: BlobId) -> Result<String, BlobError> {
        let begun = self.store.create_multipart(&self.key(id)).await;
        begun.map_err(failed("begin an upload to"))
    }

    pub(super) async fn put_part(
        self: Arc<Self>,
        id: BlobId,
        upload: Arc<str>,
        number: usize,
        content: Vec<Bytes>,
    ) -> Result<PartId, BlobError> {
        let payload = PutPayload::from_iter(content);
        let part = self
            .store
            .put_part(&self.key(id), &upload.to_string(), number, payload)
            .await;
        part.map_err(failed("put a part to"))
    }

    pub(super) async fn complete(
        &self,
        id: BlobId,
        upload: &str,
        parts: Vec<PartId>,
    ) -> Result<(), BlobError> {
        let done = self
            .store
            .complete_multipart(&self.key(id), &upload.to_owned(), parts)
            .await;
        done.map_err(failed("complete an upload to"))?;
        Ok(())
    }

    /// Ends an upload that will not be completed; one that is gone already is fine.
    pub(super) async fn abort(&self, id: BlobId, upload: &str) -> Result<(), BlobError> {
        match self
            .store
            .abort_multipart(&self.key(id), &upload.to_owned())
            .await
        {
            Ok(()) | Err(Error::NotFound { .. }) => Ok(()),
            Err(error) => Err(failed("abort an upload to")(error)),
        }
    }

    pub(super) async fn get(&self, id: BlobId, range: Range<u64>) -> Result<Bytes, BlobError> {
        let expected = range.end - range.start;
        match self.store.get_range(&self.key(id), range).await {
            Ok(bytes) if bytes.len() as u64 == expected => Ok(bytes),
            Ok(_) => Err(BlobError::Damaged {
                id,
                detail: "its object is too short",
            }),
            Err(Error::NotFound { .. }) => Err(BlobError::Damaged {
                id,
                detail: "its object is missing",
            }),
            Err(error) => Err(failed("get an object from")(error)),
        }
    }

    /// Removes objects; those that are gone already are fine.
    pub(super) async fn remove(&self, ids: &[BlobId]) -> Result<(), BlobError> {
        let keys: Vec<_> = ids.iter().map(|&id| Ok(self.key(id))).collect();
        let mut removed = self.store.delete_stream(futures_util::stream::iter(keys).boxed());
        while let Some(result) = removed.next().await {
            match result {
                Ok(_) | Err(Error::NotFound { .. }) => {}
                Err(error) => return Err(failed("remove objects from")(error)),
            }
        }
        Ok(())
    }

    /// The blobs whose ids were made in `[from, until)`.
    pub(super) async fn made_within(
        &self,
        from: Timestamp,
        until: Timestamp,
    ) -> Result<Vec<BlobId>, BlobError> {
        let offset = self.prefix.clone().join(BlobId::least_at(from));
        let mut listed = self.store.list_with_offset(Some(&self.prefix), &offset);
        let mut found = Vec::new();
        while let Some(object) = listed.next().await {
            let object = object.map_err(failed("list the objects of"))?;
            let Some(Ok(id)) = object.location.filename().map(str::parse::<BlobId>) else {
                continue;
            };
            if (from.as_millis()..until.as_millis()).contains(&id.millis()) {
                found.push(id);
            }
        }
        Ok(found)
    }

    /// What says whose blobs these are.
    pub(super) async fn marker(&self) -> Result<Option<String>, BlobError> {
        let object = match self.store.get(&self.prefix.clone().join(MARKER)).await {
            Err(Error::NotFound { .. }) => return Ok(None),
            result => result.map_err(failed("read"))?,
        };
        let bytes = object.bytes().await.map_err(failed("read"))?;
        Ok(Some(String::from_utf8_lossy(&bytes).trim().to_owned()))
    }

    pub(super) async fn put_marker(&self, owner: &str) -> Result<(), BlobError> {
        let payload = PutPayload::from(format!("{owner}\n"));
        let put = self.store.put(&self.prefix.clone().join(MARKER), payload).await;
        put.map_err(failed("write to"))?;
        Ok(())
    }
}

/// The object, or file, that says which database the blobs beside it belong to.
pub(super) const MARKER: &str = "tradewind-store";

fn failed(what: &'static str) -> impl FnOnce(Error) -> BlobError {
    move |error| BlobError::Remote {
        what,
        source: Box::new(error),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn urls_say_where_blobs_go() {
        let config =
            RemoteConfig::parse("s3://b.c/x/y/?endpoint=http://127.0.0.1:9000/&region=eu-west-1").unwrap();
        assert_eq!(config.location(), "s3://b.c/x/y");
        assert_eq!(config.endpoint.as_deref(), Some("http://127.0.0.1:9000"));
        assert_eq!(config.region, "eu-west-1");
        assert_eq!(RemoteConfig::parse("s3://b").unwrap().location(), "s3://b/");
        for (url, mistake) in [
            ("/var/blobs", "begin with s3://"),
            ("s3:///x", "no bucket"),
            ("s3://b/%2e", "prefix"),
            ("s3://b?endpoint=host", "`endpoint=host`"),
            ("s3://b?secret=1", "`secret=1`"),
        ] {
            let error = RemoteConfig::parse(url).unwrap_err();
            assert!(error.to_string().contains(mistake), "{error}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_a_url_or_refused(text: String) {
            drop(RemoteConfig::parse(&format!("s3://{text}")));
        }
    }
}
