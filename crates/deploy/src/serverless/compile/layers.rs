//! Layers, and who else may use them.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::builder::Builder;
use super::function::package_place;
use super::intrinsics::reference;
use crate::serverless::model::{Function, Layer};

/// Template properties and the keys they are written as.
const WRITTEN_AS: [(&str, &str); 6] = [
    ("CompatibleArchitectures", "compatibleArchitectures"),
    ("CompatibleRuntimes", "compatibleRuntimes"),
    ("Content", "path"),
    ("Description", "description"),
    ("LayerName", "name"),
    ("LicenseInfo", "licenseInfo"),
];

/// The logical id of a layer.
fn layer_id(layer: &Layer) -> String {
    format!("{}LambdaLayer", layer.id)
}

/// Adds the layers; `digests` are the packages' base64 SHA-256 by artifact key.
pub(super) fn compile(builder: &mut Builder<'_>, digests: &BTreeMap<String, String>) {
    for layer in &builder.definition.layers {
        let id = layer_id(layer);
        builder.add(&id, resource(builder, layer), &layer.span);
        for (property, key) in WRITTEN_AS {
            builder.locate(&id, property, &layer.node, key);
        }
        permissions(builder, layer, &id);
        let description = "Current Lambda layer version";
        builder.output(&format!("{id}QualifiedArn"), Some(description), reference(&id));
        if let Some(digest) = digest(builder, layer, digests) {
            builder.output(
                &format!("{id}Hash"),
                Some("Current Lambda layer hash"),
                digest.into(),
            );
        }
        let key = package_place(builder, layer.package)["S3Key"].clone();
        builder.output(&format!("{id}S3Key"), Some("Current Lambda layer S3Key"), key);
    }
}

fn resource(builder: &Builder<'_>, layer: &Layer) -> Value {
    let mut properties = Map::new();
    let mut set = |name: &str, value: Option<Value>| {
        if let Some(value) = value {
            properties.insert(name.to_owned(), value);
        }
    };
    let listed = |names: &[String]| (!names.is_empty()).then(|| json!(names));
    set("Content", Some(package_place(builder, layer.package)));
    set(
        "LayerName",
        Some(layer.name.as_ref().unwrap_or(&layer.key).as_str().into()),
    );
    set("Description", layer.description.as_deref().map(Value::from));
    set("LicenseInfo", layer.license.as_deref().map(Value::from));
    set("CompatibleRuntimes", listed(&layer.runtimes));
    set("CompatibleArchitectures", listed(&layer.architectures));
    let mut resource = json!({"Type": "AWS::Lambda::LayerVersion", "Properties": properties});
    if layer.retain {
        // each deployment replaces the version, so that what replaced ones become counts as well
        resource["DeletionPolicy"] = "Retain".into();
        resource["UpdateReplacePolicy"] = "Retain".into();
    }
    resource
}

fn permissions(builder: &mut Builder<'_>, layer: &Layer, id: &str) {
    for account in &layer.allowed_accounts {
        let named: String = match account.as_str() {
            "*" => "Wild".to_owned(),
            account => account.chars().filter(char::is_ascii_alphanumeric).collect(),
        };
        let permission = json!({
            "Type": "AWS::Lambda::LayerVersionPermission",
            "Properties": {
                "Action": "lambda:GetLayerVersion", "LayerVersionArn": reference(id), "Principal": account,
            },
        });
        let permission_id = format!("{}{named}LambdaLayerPermission", layer.id);
        builder.add(&permission_id, permission, &layer.span);
        builder.locate(&permission_id, "Principal", &layer.node, "allowedAccounts");
    }
}

fn digest(builder: &Builder<'_>, layer: &Layer, digests: &BTreeMap<String, String>) -> Option<String> {
    let request = builder.project.packages.get(layer.package)?;
    digests.get(&request.artifact_key).cloned()
}

/// What changes when a layer of this project that the function has changes: its version is another one then.
pub(super) fn digests_of(
    builder: &Builder<'_>,
    function: &Function,
    digests: &BTreeMap<String, String>,
) -> Vec<String> {
    let used = function
        .layers
        .iter()
        .filter_map(|layer| layer.get("Ref")?.as_str());
    let own = used.filter_map(|id| {
        builder
            .definition
            .layers
            .iter()
            .find(|layer| layer_id(layer) == id)
    });
    let described = own.map(|layer| {
        let mut properties = resource(builder, layer)["Properties"].take();
        if let Some(properties) = properties.as_object_mut() {
            properties.remove("Content");
        }
        let digest = digest(builder, layer, digests).unwrap_or_default();
        format!("{digest}{properties}")
    });
    described.collect()
}
