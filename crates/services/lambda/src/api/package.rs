//! Packages in requests: read, decoded and kept, for the operations that bring or name one.

use std::borrow::Cow;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use serde::Deserialize;
use serde::de::{IgnoredAny, MapAccess, Visitor};
use serde_json::Value;
use tradewind_compute::{Interpreters, PackageError};
use tradewind_model::{Language, Runtime, limits};

use super::body_is_wrong;
use crate::error::LambdaError;
use crate::model::Code;
use crate::objects::ObjectName;
use crate::service::LambdaService;
use crate::settings::{Members, Refusal};

const FROM_REGISTRY: &str = "only zip packages run; deploy the function as one";

/// Where the code comes from, as a request writes it.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct WrittenCode<'a> {
    #[serde(borrow)]
    zip_file: Option<Text<'a>>,
    s3_bucket: Option<String>,
    s3_key: Option<String>,
    s3_object_version: Option<String>,
    image_uri: Option<String>,
    #[serde(rename = "SourceKMSKeyArn")]
    source_kms_key_arn: Option<String>,
}

/// Text that is borrowed where it needs no unescaping: a package is not copied once more.
#[derive(Debug, Deserialize)]
struct Text<'a>(#[serde(borrow)] Cow<'a, str>);

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct WithCode<'a> {
    #[serde(borrow)]
    code: WrittenCode<'a>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct WithContent<'a> {
    #[serde(borrow)]
    content: WrittenCode<'a>,
}

/// Where a package is.
#[derive(Clone, Debug)]
pub(crate) enum Source {
    /// In the request.
    Zip(Bytes),
    /// In a bucket of the node.
    Object(ObjectName),
}

impl Source {
    /// What `S3Bucket`, `S3Key` and `S3ObjectVersion` name; none if one of the first two is missing.
    pub(crate) fn object(
        bucket: Option<String>,
        key: Option<String>,
        version: Option<String>,
    ) -> Option<Self> {
        let given = |text: Option<String>| text.filter(|text| !text.is_empty());
        Some(Self::Object(ObjectName {
            bucket: given(bucket)?,
            key: given(key)?,
            version: given(version),
        }))
    }

    /// Keeps the package and tells what a version stores of it.
    ///
    /// # Errors
    /// When it cannot be fetched, is no zip, or is too large.
    pub(crate) async fn store(self, service: &LambdaService) -> Result<Code, LambdaError> {
        let object = match self {
            Self::Zip(zip) => return store_zip(service, zip).await,
            Self::Object(object) => object,
        };
        let most = limits::UNZIPPED_BYTES;
        let _turn = service.fetches().acquire().await.map_err(LambdaError::internal)?;
        let zip = service.objects().get(&object, most).await;
        match zip.map_err(|error| error.into_lambda(most))? {
            zip if zip.is_empty() => Err(LambdaError::EmptyZip),
            zip => store_zip(service, zip).await,
        }
    }
}

impl WrittenCode<'_> {
    /// Where the package is; none if no code is named.
    fn decode(self, path: &[&str]) -> Result<Option<Source>, LambdaError> {
        let refused = |name: &str, hint| {
            let path = path.iter().chain([&name]).map(|&part| part.to_owned()).collect();
            Err(LambdaError::Refused(Refusal { path, hint }))
        };
        let given = |text: &Option<String>| text.as_ref().is_some_and(|text| !text.is_empty());
        let from_s3 = given(&self.s3_bucket) || given(&self.s3_key);
        if self.zip_file.is_some() && (from_s3 || given(&self.image_uri)) {
            return Err(LambdaError::CodeTwice);
        }
        if given(&self.image_uri) {
            return refused("ImageUri", FROM_REGISTRY);
        }
        if given(&self.source_kms_key_arn) {
            return refused(
                "SourceKMSKeyArn",
                "packages are not encrypted with keys of your own; remove it",
            );
        }
        match self.zip_file {
            Some(text) => Ok(Some(Source::Zip(zip_bytes(&text.0)?))),
            None => Ok(Source::object(
                self.s3_bucket,
                self.s3_key,
                self.s3_object_version,
            )),
        }
    }
}

fn zip_bytes(base64: &str) -> Result<Bytes, LambdaError> {
    let limit = limits::ZIP_BYTES;
    if base64.len() / 4 * 3 > limit + 3 {
        return Err(LambdaError::ZippedTooLarge { limit });
    }
    let decoded = STANDARD
        .decode(base64)
        .map_err(|_not_base64| LambdaError::WrongType {
            detail: "`ZipFile` must be a zip archive in base64".to_owned(),
        })?;
    match decoded.len() {
        0 => Err(LambdaError::EmptyZip),
        size if size > limit => Err(LambdaError::ZippedTooLarge { limit }),
        _ => Ok(decoded.into()),
    }
}

/// All members of a body but those that hold a package.
struct WithoutCode(Members);

impl<'de> Deserialize<'de> for WithoutCode {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Skip;
        impl<'de> Visitor<'de> for Skip {
            type Value = WithoutCode;
            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("an object")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<WithoutCode, A::Error> {
                let mut members = Members::new();
                while let Some(name) = map.next_key::<String>()? {
                    if matches!(name.as_str(), "Code" | "Content" | "ZipFile") {
                        map.next_value::<IgnoredAny>()?;
                    } else {
                        members.insert(name, map.next_value::<Value>()?);
                    }
                }
                Ok(WithoutCode(members))
            }
        }
        deserializer.deserialize_map(Skip)
    }
}

/// Parses a body and decodes its package on a thread of its own: it may be 70 MB.
pub(super) async fn read(body: Bytes, place: Place) -> Result<(Members, Option<Source>), LambdaError> {
    let parse = move || {
        let wrong = |error: serde_json::Error| body_is_wrong(&error);
        let WithoutCode(members) = serde_json::from_slice(&body).map_err(wrong)?;
        let source = match place {
            Place::AtTop => serde_json::from_slice::<WrittenCode<'_>>(&body)
                .map_err(wrong)?
                .decode(&[]),
            Place::InCode => serde_json::from_slice::<WithCode<'_>>(&body)
                .map_err(wrong)?
                .code
                .decode(&["Code"]),
            Place::InContent => serde_json::from_slice::<WithContent<'_>>(&body)
                .map_err(wrong)?
                .content
                .decode(&["Content"]),
        };
        Ok((members, source?))
    };
    tokio::task::spawn_blocking(parse)
        .await
        .map_err(LambdaError::internal)?
}

/// Where a body names the code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// UpdateFunctionCode: among its other members.
    AtTop,
    /// CreateFunction: in the member `Code`.
    InCode,
    /// PublishLayerVersion: in the member `Content`.
    InContent,
}

/// Keeps a package and tells what a version stores of it.
pub(crate) async fn store_zip(service: &LambdaService, zip: Bytes) -> Result<Code, LambdaError> {
    let packages = service.engine().packages();
    let zipped_size = zip.len() as u64;
    let package = packages.add_zip(zip).await.map_err(of_package)?;
    Ok(Code {
        package,
        size_bytes: zipped_size,
    })
}

/// What a package that is already there is to a version.
pub(crate) fn stored(service: &LambdaService, id: &str) -> Result<Code, LambdaError> {
    let missing = || LambdaError::PackageMissing { id: id.to_owned() };
    let package = id.parse().map_err(|_no_id| missing())?;
    let packages = service.engine().packages();
    if !packages.contains(&package) {
        return Err(missing());
    }
    let size_bytes = packages.size_of(&package).map_err(of_package)?;
    Ok(Code { package, size_bytes })
}

pub(crate) fn of_package(error: PackageError) -> LambdaError {
    match error {
        PackageError::InvalidZip { reason } => {
            tracing::debug!(%reason, "a package could not be unzipped");
            LambdaError::BadZip
        }
        PackageError::TooLarge { limit_bytes } => LambdaError::UnzippedTooLarge { limit: limit_bytes },
        PackageError::NotFound { package } => LambdaError::PackageMissing { id: package },
        refused @ (PackageError::UnsafeEntry { .. }
        | PackageError::TooManyEntries { .. }
        | PackageError::ZipBomb) => LambdaError::PackageRefused {
            reason: refused.to_string(),
        },
        PackageError::Io { ref source, .. } if source.kind() == std::io::ErrorKind::StorageFull => {
            LambdaError::DiskFull
        }
        failed @ PackageError::Io { .. } => LambdaError::internal(failed),
    }
}

/// Fails if nothing on this machine runs the runtime; on a thread of its own, because an interpreter
/// is run for its version the first time.
pub(crate) async fn check_runtime(service: &LambdaService, runtime: &Runtime) -> Result<(), LambdaError> {
    let (interpreters, runtime) = (service.interpreters().clone(), runtime.clone());
    let check = move || available(&interpreters, &runtime);
    tokio::task::spawn_blocking(check)
        .await
        .map_err(LambdaError::internal)?
}

/// Fails if nothing on this machine runs the runtime.
///
/// # Blocking
/// Runs interpreters for their version the first time.
pub(crate) fn available(interpreters: &Interpreters, runtime: &Runtime) -> Result<(), LambdaError> {
    if matches!(runtime.language(), Language::Provided | Language::Go) {
        return Ok(());
    }
    match interpreters.for_runtime(runtime) {
        Ok(found) if found.exact => Ok(()),
        Ok(found) => {
            tracing::info!(%runtime, version = %found.version, "a runtime is run by another version");
            Ok(())
        }
        Err(missing) => Err(LambdaError::RuntimeUnavailable {
            runtime: missing.runtime,
            hint: missing.hint,
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_package_is_at_most_50_megabytes() {
        let fits = "A".repeat(limits::ZIP_BYTES / 3 * 4);
        assert!(zip_bytes(&fits).unwrap().len() <= limits::ZIP_BYTES);
        let text = zip_bytes(&format!("{fits}AAAAAAAA")).unwrap_err().to_string();
        assert_eq!(text, "Zipped size must be smaller than 52428800 bytes");
    }

    #[test]
    fn packages_are_left_out_of_the_members() {
        let body = br#"{"Code": {"ZipFile": "eA=="}, "ZipFile": "eA==", "Timeout": 3}"#;
        let WithoutCode(members) = serde_json::from_slice(body).unwrap();
        assert_eq!(members.keys().collect::<Vec<_>>(), ["Timeout"]);
    }

    #[test]
    fn code_is_given_once() {
        let both = r#"{"ZipFile": "eA==", "S3Key": "k"}"#;
        let code: WrittenCode<'_> = serde_json::from_str(both).unwrap();
        assert!(matches!(code.decode(&[]), Err(LambdaError::CodeTwice)));
    }

    #[test]
    fn an_object_has_bucket_and_key() {
        let read = |body: &str| {
            let code: WrittenCode<'_> = serde_json::from_str(body).unwrap();
            code.decode(&[]).unwrap()
        };
        let named = read(r#"{"S3Bucket": "b", "S3Key": "k", "S3ObjectVersion": "v"}"#);
        let Some(Source::Object(object)) = named else {
            panic!("{named:?}")
        };
        let version = Some("v".to_owned());
        assert_eq!(
            (object.bucket.as_str(), object.key.as_str(), object.version),
            ("b", "k", version)
        );
        assert!(read(r#"{"S3Bucket": "b"}"#).is_none() && read(r#"{"S3Key": "k"}"#).is_none());
    }
}
