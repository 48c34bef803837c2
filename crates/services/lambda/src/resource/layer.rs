//! `AWS::Lambda::LayerVersion`.

use serde_json::{Value, json};
use tradewind_model::resource::{
    KnownProperties, Properties, PropertyProblem, ResourceContext, ResourceError, ResourceHandler,
    ResourceState, check_known, is_intrinsic, optional_text, problem,
};

use super::{code, of_lambda, owner, scope};
use crate::api::layers::remove_version;
use crate::error::LambdaError;
use crate::layer::{Change, Description, Layer, LayerArn, LayerVersion, LayerVersionArn, NamedLayer};
use crate::model::Code;
use crate::service::LambdaService;

const ACCEPTED: &[&str] = &[
    "CompatibleArchitectures",
    "CompatibleRuntimes",
    "Content",
    "Description",
    "LayerName",
    "LicenseInfo",
];
/// As in `Code` of a function, the package comes into the place of the key.
const CONTENT: &[&str] = &["PackageId", "S3Bucket", "S3Key", "S3ObjectVersion"];
/// Longest layer name.
const LONGEST_NAME: usize = 140;

/// The type.
#[derive(Debug)]
pub(super) struct LayerVersionType(pub(super) LambdaService);

impl ResourceHandler for LayerVersionType {
    fn type_name(&self) -> &'static str {
        "AWS::Lambda::LayerVersion"
    }

    fn known_properties(&self) -> KnownProperties {
        KnownProperties::new(ACCEPTED).requiring(&["Content"])
    }

    fn check(&self, properties: &Properties) -> Vec<PropertyProblem> {
        let mut problems = self.known_properties().check(properties);
        problems.extend(properties.get("Content").map(check_content).unwrap_or_default());
        problems
    }

    fn replaced_by(&self) -> &'static [&'static str] {
        ACCEPTED
    }

    async fn pin(&self, properties: Properties) -> Result<Properties, ResourceError> {
        code::pin(&self.0, properties, "Content").await
    }

    async fn create(
        &self,
        context: &ResourceContext,
        properties: &Properties,
    ) -> Result<ResourceState, ResourceError> {
        let arn = named(context, properties)?;
        let code = self.code(properties)?;
        let description = Description::read(&description(properties)).map_err(of_lambda)?;
        let owner = owner(context);
        let of_layer = arn.clone();
        let decide = move |current: Option<&Layer>, now| {
            let mut layer = current.cloned().unwrap_or_else(|| Layer::new(of_layer));
            let own = layer.version_of(&owner);
            let own = own.map(|(number, own)| (number, own.code == code && own.description == description));
            match own {
                Some((number, true)) => return Ok(Change::keep(number)),
                // published by an earlier try of this create that was interrupted, from another template
                Some((number, false)) => drop(layer.versions.remove(&number)),
                None => {}
            }
            let number = layer.publish(LayerVersion {
                code,
                description,
                created: now,
                policy: None,
                owner: Some(owner),
            });
            Ok(Change::put(layer, number))
        };
        let number = self
            .0
            .change_layer(arn.clone(), decide)
            .await
            .map_err(of_lambda)?;
        Ok(state(&arn.version(number)))
    }

    async fn update(
        &self,
        _context: &ResourceContext,
        current: &ResourceState,
        _properties: &Properties,
    ) -> Result<ResourceState, ResourceError> {
        // Every property replaces the version; only attributes around it can have changed.
        Ok(current.clone())
    }

    async fn delete(&self, _context: &ResourceContext, current: &ResourceState) -> Result<(), ResourceError> {
        match current.physical_id.parse::<LayerVersionArn>() {
            Ok(arn) => remove_version(&self.0, &arn).await.map_err(of_lambda),
            Err(_never_published) => Ok(()),
        }
    }
}

impl LayerVersionType {
    fn code(&self, properties: &Properties) -> Result<Code, ResourceError> {
        let pinned = code::pinned(&self.0, properties, "Content")?;
        pinned.ok_or_else(|| ResourceError::Invalid {
            message: "`Content` names no package; give `S3Bucket` and `S3Key`".to_owned(),
        })
    }
}

fn check_content(content: &Value) -> Vec<PropertyProblem> {
    if is_intrinsic(content) {
        return Vec::new();
    }
    let Some(members) = content.as_object() else {
        return vec![problem(&["Content"], "`Content` must be an object")];
    };
    let mut unknown = check_known(members, CONTENT, &[]);
    for found in &mut unknown {
        found.path.insert(0, "Content".to_owned());
    }
    unknown
}

/// The layer that the template names, or one named after the resource.
fn named(context: &ResourceContext, properties: &Properties) -> Result<LayerArn, ResourceError> {
    let given = optional_text(properties, "LayerName")?;
    let name = given.unwrap_or_else(|| context.generated_name_within(LONGEST_NAME));
    let parsed = NamedLayer::parse(&name, &scope(context)).map_err(of_lambda)?;
    let NamedLayer(arn) = parsed;
    if arn.account != context.account || arn.region != context.region {
        let account = arn.account.to_string();
        return Err(of_lambda(LambdaError::OtherAccount { account }));
    }
    Ok(arn)
}

/// The properties that describe the version.
fn description(properties: &Properties) -> Properties {
    let mut described = super::typed(properties, &[], &[]);
    described.retain(|name, _| name != "Content" && name != "LayerName");
    described
}

fn state(arn: &LayerVersionArn) -> ResourceState {
    let mut attributes = Properties::new();
    attributes.insert("LayerVersionArn".into(), json!(arn.to_string()));
    ResourceState {
        physical_id: arn.to_string(),
        reference: None,
        attributes,
    }
}
