//! `Code` of a function and `Content` of a layer version: the package that a template names.

use serde_json::{Map, Value};
use tradewind_model::resource::{Properties, ResourceError, optional_text};

use super::of_lambda;
use crate::api::package::{Source, stored};
use crate::model::Code;
use crate::service::LambdaService;

/// The form in which stored properties name a package: what it is, not where it was.
const PACKAGE_ID: &str = "PackageId";

/// Puts the package that an object is now in the place of the object's name in `property`.
///
/// # Errors
/// When the object cannot be fetched or is no package.
pub(super) async fn pin(
    service: &LambdaService,
    mut properties: Properties,
    property: &str,
) -> Result<Properties, ResourceError> {
    let Some(Value::Object(code)) = properties.get_mut(property) else {
        return Ok(properties);
    };
    let source = Source::object(
        optional_text(code, "S3Bucket")?,
        optional_text(code, "S3Key")?,
        optional_text(code, "S3ObjectVersion")?,
    );
    if let Some(source) = source {
        let package = source.store(service).await.map_err(of_lambda)?.package;
        *code = Map::from_iter([(PACKAGE_ID.to_owned(), Value::from(package.to_string()))]);
    }
    Ok(properties)
}

/// The package that pinned properties name in `property`, if they do.
pub(super) fn pinned(
    service: &LambdaService,
    properties: &Properties,
    property: &str,
) -> Result<Option<Code>, ResourceError> {
    let Some(Value::Object(code)) = properties.get(property) else {
        return Ok(None);
    };
    let id = optional_text(code, PACKAGE_ID)?;
    id.map(|id| stored(service, &id).map_err(of_lambda)).transpose()
}
