//! Uploaded artifacts: a template names code by bucket and key, the node knows it by content.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

/// The form in which functions and layers take a package the node holds.
pub(crate) const PACKAGE_ID: &str = "PackageId";

/// The properties that name a package: of functions, and of layer versions.
const PLACES: [&str; 2] = ["Code", "Content"];

/// Replaces `Code: {S3Bucket, S3Key}`, and likewise `Content`, by the uploaded package of that key, so that a diff compares
/// content and not the time in a key.
pub(crate) fn substitute(properties: &mut Map<String, Value>, artifacts: &BTreeMap<String, String>) {
    for place in PLACES {
        let Some(Value::Object(code)) = properties.get_mut(place) else {
            continue;
        };
        let package = code
            .get("S3Key")
            .and_then(Value::as_str)
            .and_then(|key| artifacts.get(key));
        if let Some(package) = package {
            *code = Map::from_iter([(PACKAGE_ID.to_owned(), Value::from(package.clone()))]);
        }
    }
}

/// The package that a resource's stored properties name.
pub(crate) fn package_of(properties: &Map<String, Value>) -> Option<String> {
    let package = PLACES
        .iter()
        .find_map(|place| properties.get(*place)?.get(PACKAGE_ID)?.as_str());
    package.map(str::to_owned)
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
        let mut layer = json!({"Content": {"S3Bucket": "b", "S3Key": "a/shop.zip"}});
        substitute(layer.as_object_mut().unwrap(), &artifacts);
        assert_eq!(package_of(layer.as_object().unwrap()).unwrap(), "ff00");
        let foreign = json!({"Code": {"S3Bucket": "b", "S3Key": "other.zip"}});
        let mut same = foreign.clone();
        substitute(same.as_object_mut().unwrap(), &artifacts);
        assert_eq!(same, foreign);
    }
}
