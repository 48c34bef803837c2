//! A bucket of JSON objects with conditional writes.

use futures_util::StreamExt as _;
use object_store::aws::{AmazonS3, AmazonS3Builder};
use object_store::path::Path;
use object_store::{
    ClientOptions, Error, ObjectStore as _, ObjectStoreExt as _, PutMode, PutOptions, PutPayload,
    UpdateVersion,
};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::failure::Failure;
use crate::settings::Endpoint;

/// How often a change is decided anew because others were faster.
const MAX_TRIES: usize = 32;

/// A bucket.
#[derive(Clone, Debug)]
pub struct Bucket {
    store: AmazonS3,
}

/// An object, and which version of it was read.
#[derive(Clone, Debug)]
pub struct Found<T> {
    /// What it says.
    pub value: T,
    version: UpdateVersion,
}

#[cfg(test)]
impl<T> Found<T> {
    /// As if it had been read.
    pub(crate) fn fixture(value: T) -> Self {
        let version = UpdateVersion {
            e_tag: None,
            version: None,
        };
        Self { value, version }
    }
}

impl Bucket {
    /// A bucket of the platform.
    ///
    /// # Errors
    /// When the endpoint is no URL.
    pub fn new(endpoint: &Endpoint, name: &str) -> Result<Self, Failure> {
        let store = AmazonS3Builder::new()
            .with_endpoint(&endpoint.url)
            .with_region(&endpoint.region)
            .with_access_key_id(&endpoint.key_id)
            .with_secret_access_key(&endpoint.secret_key)
            .with_virtual_hosted_style_request(false)
            .with_client_options(ClientOptions::new().with_allow_http(true))
            .with_bucket_name(name)
            .build()?;
        Ok(Self { store })
    }

    /// The bytes of an object, if it is there.
    ///
    /// # Errors
    /// When the bucket does not answer; so for all below.
    pub async fn bytes(&self, path: &str) -> Result<Option<Vec<u8>>, Failure> {
        match self.store.get(&Path::from(path)).await {
            Ok(object) => Ok(Some(object.bytes().await?.to_vec())),
            Err(Error::NotFound { .. }) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// An object, if it is there.
    ///
    /// # Errors
    /// Also when it is not of this shape.
    pub async fn get<T: DeserializeOwned>(&self, path: &str) -> Result<Option<Found<T>>, Failure> {
        let object = match self.store.get(&Path::from(path)).await {
            Ok(object) => object,
            Err(Error::NotFound { .. }) => return Ok(None),
            Err(error) => return Err(error.into()),
        };
        let version = UpdateVersion {
            e_tag: object.meta.e_tag.clone(),
            version: object.meta.version.clone(),
        };
        let value = serde_json::from_slice(&object.bytes().await?).map_err(|cause| Failure::Shape {
            what: path.to_owned(),
            cause,
        })?;
        Ok(Some(Found { value, version }))
    }

    /// Whether an object is there.
    ///
    /// # Errors
    /// When the bucket does not answer.
    pub async fn has(&self, path: &str) -> Result<bool, Failure> {
        match self.store.head(&Path::from(path)).await {
            Ok(_) => Ok(true),
            Err(Error::NotFound { .. }) => Ok(false),
            Err(error) => Err(error.into()),
        }
    }

    /// Writes an object if it still is what was read, or still is not there; whether it did.
    ///
    /// # Errors
    /// When the bucket does not answer.
    pub async fn put<T: Serialize, U>(
        &self,
        path: &str,
        read: Option<&Found<U>>,
        value: &T,
    ) -> Result<bool, Failure> {
        let text = serde_json::to_vec(value).map_err(|cause| Failure::Shape {
            what: path.to_owned(),
            cause,
        })?;
        let mode = match read {
            Some(found) => PutMode::Update(found.version.clone()),
            None => PutMode::Create,
        };
        self.write(path, mode, text).await
    }

    /// Writes an object that is not there yet; whether it did.
    ///
    /// # Errors
    /// When the bucket does not answer.
    pub async fn create(&self, path: &str, bytes: Vec<u8>) -> Result<bool, Failure> {
        self.write(path, PutMode::Create, bytes).await
    }

    async fn write(&self, path: &str, mode: PutMode, bytes: Vec<u8>) -> Result<bool, Failure> {
        let options = PutOptions::from(mode);
        match self
            .store
            .put_opts(&Path::from(path), PutPayload::from(bytes), options)
            .await
        {
            Ok(_) => Ok(true),
            // An object that is to be changed and has gone was changed by others, too.
            Err(Error::AlreadyExists { .. } | Error::Precondition { .. } | Error::NotFound { .. }) => {
                Ok(false)
            }
            Err(error) => Err(error.into()),
        }
    }

    /// Changes an object by a decision that may be made several times; `None` leaves it as it is.
    ///
    /// # Errors
    /// Also when others changed it each time.
    pub async fn change<T, R>(
        &self,
        path: &str,
        decide: impl Fn(Option<&T>) -> (Option<T>, R),
    ) -> Result<R, Failure>
    where
        T: Serialize + DeserializeOwned,
    {
        for _ in 0..MAX_TRIES {
            let read = self.get::<T>(path).await?;
            let (wanted, result) = decide(read.as_ref().map(|found| &found.value));
            let Some(wanted) = wanted else { return Ok(result) };
            if self.put(path, read.as_ref(), &wanted).await? {
                return Ok(result);
            }
        }
        Err(Failure::Contended(path.to_owned()))
    }

    /// Takes an object away, if it is there.
    ///
    /// # Errors
    /// When the bucket does not answer.
    pub async fn delete(&self, path: &str) -> Result<(), Failure> {
        match self.store.delete(&Path::from(path)).await {
            Ok(()) | Err(Error::NotFound { .. }) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    /// The paths below a folder.
    ///
    /// # Errors
    /// When the bucket does not answer.
    pub async fn list(&self, folder: &str) -> Result<Vec<String>, Failure> {
        let mut objects = self.store.list(Some(&Path::from(folder)));
        let mut paths = Vec::new();
        while let Some(object) = objects.next().await {
            paths.push(object?.location.to_string());
        }
        Ok(paths)
    }
}
