//! Uploaded artifacts: a template names code by bucket and key, the node knows it by content.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

/// The form in which `AWS::Lambda::Function` takes a package the node holds.
pub(crate) const PACKAGE_ID: &str = "PackageId";

/// Replaces `Code: {S3Bucket, S3Key}` by the uploaded package of that key, so that a diff compares
/// content and not the time in a key.
pub(crate) fn substitute(properties: &mut Map<String, Value>, artifacts: &BTreeMap<String, String>) {
    let Some(Value::Object(code)) = properties.get_mut("Code") else {
        return;
    };
    let package = code
        .get("S3Key")
        .and_then(Value::as_str)
        .and_then(|key| artifacts.get(key));
    if let Some(package) = package {
        *code = Map::from_iter([(PACKAGE_ID.to_owned(), Value::from(package.clone()))]);
    }
}

/// The package that a resource's stored properties name.
pub(crate) fn package_of(properties: &Map<String, Value>) -> Option<String> {
    let package = properties.get("Code")?.get(PACKAGE_ID)?;
    package.as_str().map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn only_uploaded_keys_are_replaced() {
        let artifacts = BTreeMap::from([("a/shop.zip".to_owned(), "ff00".to_owned())]);
        let mut uploaded = json!({"Code": {"S3Bucket": "b", "S3Key": "a/shop.zip"}});
        substitute(uploaded.as_object_mut().unwrap(), &artifacts);
        assert_eq!(uploaded, json!({"Code": {"PackageId": "ff00"}}));
        let foreign = json!({"Code": {"S3Bucket": "b", "S3Key": "other.zip"}});
        let mut same = foreign.clone();
        substitute(same.as_object_mut().unwrap(), &artifacts);
        assert_eq!(same, foreign);
    }
}
