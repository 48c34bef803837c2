//! `AWS::SecretsManager::Secret`.

use std::collections::BTreeSet;
use std::sync::Arc;

use serde_json::{Map, Value, json};
use tradewind_model::resource::{
    KnownProperties, Properties, PropertyProblem, ResourceContext, ResourceError, ResourceHandler,
    ResourceState, check_known, is_intrinsic, optional_bool, optional_integer, optional_tags, optional_text,
    problem,
};

use crate::api::{MAX_DESCRIPTION, check_tags, check_value, new_secret};
use crate::error::SecretsManagerError;
use crate::generated;
use crate::model::{CURRENT, Secret, SecretValue};
use crate::names::{SecretArn, SecretKey};
use crate::password::PasswordRequest;
use crate::service::{NewVersion, SecretsManagerService};

const ACCEPTED: &[&str] = &[
    "Description",
    "GenerateSecretString",
    "Name",
    "SecretString",
    "Tags",
];
const REFUSED: &[(&str, &str)] = &[
    ("KmsKeyId", "secrets are sealed with the node's own key"),
    (
        "ReplicaRegions",
        "there is one region, and secrets have no replicas",
    ),
    ("Type", "there are no managed external secrets"),
];
const GENERATE: &str = "GenerateSecretString";
const GENERATED: &[&str] = &[
    "ExcludeCharacters",
    "ExcludeLowercase",
    "ExcludeNumbers",
    "ExcludePunctuation",
    "ExcludeUppercase",
    "GenerateStringKey",
    "IncludeSpace",
    "PasswordLength",
    "RequireEachIncludedType",
    "SecretStringTemplate",
];

/// Secrets of stacks.
#[derive(Debug)]
pub(crate) struct SecretType {
    service: SecretsManagerService,
}

/// The value that a resource asks for.
enum Wanted {
    /// None; the value stays as it is.
    Nothing,
    /// This one.
    Given(String),
    /// One that is made, once for this text of `GenerateSecretString`.
    Generated { by: String, settings: Properties },
}

impl SecretType {
    pub(crate) fn new(service: SecretsManagerService) -> Self {
        Self { service }
    }

    /// The resource's secret, or a new one.
    fn existing(&self, key: SecretKey, owner: &str) -> Result<Secret, SecretsManagerError> {
        let found = self.service.registry(|registry| registry.get(&key));
        match found.filter(|secret| secret.deletion.is_none()) {
            Some(found) if found.owner.as_deref() == Some(owner) => Ok(Secret::clone(&found)),
            Some(_) => Err(SecretsManagerError::OfAnother(key.name.to_string())),
            None => {
                let mut secret = new_secret(&self.service, key)?;
                secret.owner = Some(owner.to_owned());
                Ok(secret)
            }
        }
    }

    async fn put(
        &self,
        context: &ResourceContext,
        name: &str,
        properties: &Properties,
    ) -> Result<ResourceState, ResourceError> {
        let key = SecretKey::new(&context.account, &context.region, name)?;
        let description = optional_text(properties, "Description")?;
        check_description(description.as_deref())?;
        let tags = optional_tags(properties, "Tags")?;
        check_tags(&tags)?;
        let wanted = wanted(properties)?;
        let _changing = self.service.changing().await;
        let mut secret = self.existing(key, &context.owner())?;
        (secret.description, secret.tags) = (description, tags);
        let value = self.new_value(&mut secret, wanted).await?;
        let state = state(&secret.arn);
        self.store(secret, value).await?;
        Ok(state)
    }

    /// The value to store, if it is another than the current one.
    async fn new_value(
        &self,
        secret: &mut Secret,
        wanted: Wanted,
    ) -> Result<Option<SecretValue>, ResourceError> {
        match wanted {
            Wanted::Nothing => {
                secret.generated_by = None;
                Ok(None)
            }
            Wanted::Given(text) => {
                secret.generated_by = None;
                let value = SecretValue::Text(text);
                check_value(&value)?;
                let current = secret.staged(CURRENT);
                let current = current
                    .map(|version| self.service.value(secret, version))
                    .transpose()?;
                Ok(Some(value).filter(|value| current.as_ref() != Some(value)))
            }
            Wanted::Generated { by, .. } if generated::is_by(self.service.blobs(), secret, &by) => Ok(None),
            Wanted::Generated { by, settings } => {
                let value = SecretValue::Text(generate(&settings)?);
                check_value(&value)?;
                secret.generated_by = Some(generated::seal(self.service.blobs(), secret, &by).await?);
                Ok(Some(value))
            }
        }
    }

    async fn store(&self, mut secret: Secret, value: Option<SecretValue>) -> Result<(), SecretsManagerError> {
        secret.changed = self.service.now();
        let Some(value) = value else {
            return self.service.store(secret).await;
        };
        let new = NewVersion {
            id: &uuid::Uuid::new_v4().to_string(),
            value: &value,
            stages: &BTreeSet::from([CURRENT.to_owned()]),
        };
        self.service
            .store_with(secret, new)
            .await
            .map(|_stored: Arc<Secret>| ())
    }
}

impl ResourceHandler for SecretType {
    fn type_name(&self) -> &'static str {
        "AWS::SecretsManager::Secret"
    }

    fn known_properties(&self) -> KnownProperties {
        KnownProperties::new(ACCEPTED).refusing("", REFUSED)
    }

    fn check(&self, properties: &Properties) -> Vec<PropertyProblem> {
        let mut problems = self.known_properties().check(properties);
        if properties.contains_key(GENERATE) && properties.contains_key("SecretString") {
            let text = "give either `GenerateSecretString` or `SecretString`";
            problems.push(problem(&["SecretString"], text));
        }
        match properties.get(GENERATE) {
            None => {}
            Some(value) if is_intrinsic(value) => {}
            Some(Value::Object(settings)) => {
                let unknown = check_known(settings, GENERATED, &[]);
                problems.extend(unknown.into_iter().map(|mut found| {
                    found.path.insert(0, GENERATE.into());
                    found
                }));
                if settings.contains_key("GenerateStringKey") != settings.contains_key("SecretStringTemplate")
                {
                    let text = "`GenerateStringKey` and `SecretStringTemplate` go together";
                    problems.push(problem(&[GENERATE], text));
                }
            }
            Some(_) => problems.push(problem(
                &[GENERATE],
                "property `GenerateSecretString` must be an object",
            )),
        }
        problems
    }

    fn replaced_by(&self) -> &'static [&'static str] {
        &["Name"]
    }

    async fn create(
        &self,
        context: &ResourceContext,
        properties: &Properties,
    ) -> Result<ResourceState, ResourceError> {
        let name = optional_text(properties, "Name")?;
        let name = name.unwrap_or_else(|| context.generated_name.clone());
        self.put(context, &name, properties).await
    }

    async fn update(
        &self,
        context: &ResourceContext,
        current: &ResourceState,
        properties: &Properties,
    ) -> Result<ResourceState, ResourceError> {
        let name = arn_of(current)?.key.name;
        self.put(context, &name, properties).await
    }

    /// At once, as AWS's stacks do.
    async fn delete(&self, context: &ResourceContext, current: &ResourceState) -> Result<(), ResourceError> {
        let arn = arn_of(current)?;
        let _changing = self.service.changing().await;
        let found = self.service.registry(|registry| registry.get(&arn.key));
        match found.filter(|secret| secret.owner == Some(context.owner())) {
            Some(found) => Ok(self.service.remove(&found).await?),
            None => Ok(()),
        }
    }
}

fn arn_of(state: &ResourceState) -> Result<SecretArn, ResourceError> {
    state
        .physical_id
        .parse()
        .map_err(|error: tradewind_model::InvalidArn| ResourceError::Internal {
            message: error.to_string(),
        })
}

fn state(arn: &SecretArn) -> ResourceState {
    ResourceState {
        physical_id: arn.to_string(),
        reference: None,
        attributes: Map::from_iter([("Id".into(), json!(arn))]),
    }
}

fn check_description(description: Option<&str>) -> Result<(), ResourceError> {
    if description.unwrap_or_default().chars().count() > MAX_DESCRIPTION {
        let message = format!("property `Description` is longer than {MAX_DESCRIPTION} characters");
        return Err(ResourceError::Invalid { message });
    }
    Ok(())
}

fn wanted(properties: &Properties) -> Result<Wanted, ResourceError> {
    if let Some(text) = optional_text(properties, "SecretString")? {
        return Ok(Wanted::Given(text));
    }
    match properties.get(GENERATE) {
        None | Some(Value::Null) => Ok(Wanted::Nothing),
        Some(Value::Object(settings)) => Ok(Wanted::Generated {
            by: Value::Object(settings.clone()).to_string(),
            settings: settings.clone(),
        }),
        Some(_) => Err(ResourceError::Invalid {
            message: "property `GenerateSecretString` must be an object".into(),
        }),
    }
}

/// A value made by the settings: a password, or the template with a password in it.
fn generate(settings: &Properties) -> Result<String, ResourceError> {
    let password = PasswordRequest {
        password_length: optional_integer(settings, "PasswordLength")?,
        exclude_characters: optional_text(settings, "ExcludeCharacters")?,
        exclude_numbers: optional_bool(settings, "ExcludeNumbers")?,
        exclude_punctuation: optional_bool(settings, "ExcludePunctuation")?,
        exclude_uppercase: optional_bool(settings, "ExcludeUppercase")?,
        exclude_lowercase: optional_bool(settings, "ExcludeLowercase")?,
        include_space: optional_bool(settings, "IncludeSpace")?,
        require_each_included_type: optional_bool(settings, "RequireEachIncludedType")?,
    };
    let password = password.generate()?;
    let template = optional_text(settings, "SecretStringTemplate")?;
    let (Some(template), Some(key)) = (template, optional_text(settings, "GenerateStringKey")?) else {
        return Ok(password);
    };
    let Ok(Value::Object(mut members)) = serde_json::from_str(&template) else {
        return Err(ResourceError::Invalid {
            message: "`GenerateSecretString.SecretStringTemplate` must be the text of a JSON object".into(),
        });
    };
    members.insert(key, password.into());
    Ok(Value::Object(members).to_string())
}
