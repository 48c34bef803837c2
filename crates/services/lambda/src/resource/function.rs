//! `AWS::Lambda::Function`.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use tradewind_compute::{FunctionSpec, InitFailure};
use tradewind_model::resource::{
    KnownProperties, Properties, PropertyProblem, ResourceContext, ResourceError, ResourceHandler,
    ResourceState, check_known, is_intrinsic, optional_integer, optional_tags, optional_text, problem,
};
use tradewind_model::{FunctionArn, FunctionName, Qualifier, Timestamp};

use super::{code, inline_code, of_lambda, owner, scope, typed};
use crate::api::concurrency::check_reserved;
use crate::api::package::{available, check_runtime, store_zip};
use crate::api::tags;
use crate::error::LambdaError;
use crate::layer::{LayerVersionArn, UsedLayers};
use crate::model::{Code, Configuration, Function, Owner, Version, new_revision};
use crate::recursion::RecursiveLoop;
use crate::service::{Decision, LambdaService};
use crate::settings::{Settings, refusals, refused_settings};

const TYPE: &str = "AWS::Lambda::Function";
const REQUIRED: &[&str] = &["Code", "Role"];
const ACCEPTED: &[&str] = &[
    "Architectures",
    "Code",
    "DeadLetterConfig",
    "Description",
    "Environment",
    "EphemeralStorage",
    "FileSystemConfigs",
    "FunctionName",
    "Handler",
    "ImageConfig",
    "KmsKeyArn",
    "Layers",
    "LoggingConfig",
    "MemorySize",
    "PackageType",
    "RecursiveLoop",
    "ReservedConcurrentExecutions",
    "Role",
    "Runtime",
    "SnapStart",
    "Tags",
    "Timeout",
    "TracingConfig",
    "VpcConfig",
];
const REFUSED: &[(&str, &str)] = &[
    (
        "CodeSigningConfigArn",
        "code is not verified; deploy without code signing",
    ),
    (
        "RuntimeManagementConfig",
        "functions run on the interpreters of this machine",
    ),
];
/// `S3Bucket` and `S3Key` stand in templates; the package that they name comes into their place.
const CODE: &[&str] = &[
    "ImageUri",
    "PackageId",
    "S3Bucket",
    "S3Key",
    "S3ObjectVersion",
    "ZipFile",
];
const IMAGE: (&str, &str) = (
    "ImageUri",
    "container images do not run yet; deploy the function as a zip package",
);
const NUMBERS: &[&str] = &["MemorySize", "ReservedConcurrentExecutions", "Timeout"];
/// Longest function name.
const LONGEST_NAME: usize = 64;
/// Lines of a failed initialisation's log that the reason shows.
const LOG_LINES: usize = 20;

/// The type.
#[derive(Debug)]
pub(super) struct FunctionType(pub(super) LambdaService);

impl ResourceHandler for FunctionType {
    fn type_name(&self) -> &'static str {
        TYPE
    }

    fn known_properties(&self) -> KnownProperties {
        let mut known = KnownProperties::new(ACCEPTED)
            .refusing("", REFUSED)
            .refusing("Code", &[IMAGE])
            .requiring(REQUIRED);
        let of_settings =
            refused_settings().filter(|(path, _)| ACCEPTED.contains(&path.split('.').next().unwrap_or(path)));
        known.refused.extend(of_settings);
        known
    }

    fn check(&self, properties: &Properties) -> Vec<PropertyProblem> {
        let mut problems = self.known_properties().check(properties);
        problems.extend(refusals(properties).into_iter().map(|refusal| PropertyProblem {
            message: refusal.to_string(),
            path: refusal.path,
        }));
        problems.extend(check_code(properties));
        if problems.is_empty() {
            problems.extend(self.check_values(properties));
        }
        problems
    }

    fn replaced_by(&self) -> &'static [&'static str] {
        &["FunctionName", "PackageType"]
    }

    async fn pin(&self, properties: Properties) -> Result<Properties, ResourceError> {
        code::pin(&self.0, properties, "Code").await
    }

    async fn create(
        &self,
        context: &ResourceContext,
        properties: &Properties,
    ) -> Result<ResourceState, ResourceError> {
        let name = name(context, properties)?;
        self.put(context, name, properties).await
    }

    async fn update(
        &self,
        context: &ResourceContext,
        current: &ResourceState,
        properties: &Properties,
    ) -> Result<ResourceState, ResourceError> {
        let name = current.physical_id.parse().map_err(invalid)?;
        self.put(context, name, properties).await
    }

    async fn delete(&self, context: &ResourceContext, current: &ResourceState) -> Result<(), ResourceError> {
        let Ok(name) = current.physical_id.parse() else {
            return Ok(());
        };
        let owner = owner(context);
        let delete = move |function: Option<&Function>, _now| {
            let ours = function.is_some_and(|function| function.owner.as_ref() == Some(&owner));
            Ok(if ours {
                Decision::delete(())
            } else {
                Decision::keep(())
            })
        };
        self.0.change(arn(context, name), delete).await.map_err(of_lambda)
    }
}

/// The function as a template describes it.
struct Described {
    configuration: Configuration,
    code: Code,
    reserved_concurrency: Option<u32>,
    recursive_loop: RecursiveLoop,
    tags: BTreeMap<String, String>,
    owner: Owner,
}

impl FunctionType {
    /// Makes the function, or brings it to `properties`; both may be repeated.
    async fn put(
        &self,
        context: &ResourceContext,
        name: FunctionName,
        properties: &Properties,
    ) -> Result<ResourceState, ResourceError> {
        let described = self.describe(context, &name, properties).await?;
        let arn = arn(context, name);
        let before = self.0.find(&arn);
        let old = before.as_ref().map(|function| &function.latest.configuration);
        self.0
            .check_dead_letters(old, &described.configuration)
            .map_err(of_lambda)?;
        if let Some(function) = &before {
            refuse_foreign(function, &described.owner)?;
            if context.prove_updates {
                self.prove(function, &described).await?;
            }
        }
        let seen = before.map(|function| function.latest.revision_id.clone());
        let of_function = arn.clone();
        let unreserved = self.0.unreserved_concurrency(&arn);
        let decide = move |current: Option<&Function>, now| {
            if current.map(|function| &function.latest.revision_id) != seen.as_ref() {
                return Err(LambdaError::UpdateInProgress {
                    arn: of_function.to_string(),
                });
            }
            let after = bring_to(current, of_function, described, now);
            if let Some(reserved) = after.reserved_concurrency {
                check_reserved(&after, reserved, unreserved)?;
            }
            Ok(if current == Some(&after) {
                Decision::keep(())
            } else {
                Decision::put(after, ())
            })
        };
        self.0.change(arn.clone(), decide).await.map_err(of_lambda)?;
        Ok(state(&arn))
    }

    async fn describe(
        &self,
        context: &ResourceContext,
        name: &FunctionName,
        properties: &Properties,
    ) -> Result<Described, ResourceError> {
        let mut settings = Settings::read(&members(properties)).map_err(of_lambda)?;
        let layers = settings.layers.take().unwrap_or_default();
        let mut configuration = settings.create(name).map_err(of_lambda)?;
        check_runtime(&self.0, &configuration.runtime)
            .await
            .map_err(of_lambda)?;
        let tags = optional_tags(properties, "Tags")?;
        tags::check(&tags).map_err(of_lambda)?;
        let code = self.code(&configuration, properties).await?;
        configuration.layers = self.layers(context, name, &layers).await.map_err(of_lambda)?;
        self.0
            .check_unzipped(&code, &configuration.layers)
            .await
            .map_err(of_lambda)?;
        Ok(Described {
            code,
            configuration,
            reserved_concurrency: reserved_concurrency(properties)?,
            recursive_loop: recursive_loop(properties)?,
            tags,
            owner: owner(context),
        })
    }

    /// The layers of the template. A version that the function has already may have been deleted since.
    async fn layers(
        &self,
        context: &ResourceContext,
        name: &FunctionName,
        arns: &[LayerVersionArn],
    ) -> Result<UsedLayers, LambdaError> {
        let before = self.0.find(&arn(context, name.clone()));
        let already = before.map(|function| function.latest.configuration.layers.clone());
        self.0
            .use_layers(arns, &scope(context), &already.unwrap_or_default())
            .await
    }

    async fn code(
        &self,
        configuration: &Configuration,
        properties: &Properties,
    ) -> Result<Code, ResourceError> {
        let code = properties
            .get("Code")
            .and_then(Value::as_object)
            .cloned()
            .unwrap_or_default();
        if let Some(source) = optional_text(&code, "ZipFile")? {
            let zip = inline_code::package(&configuration.runtime, &source)?;
            return store_zip(&self.0, zip).await.map_err(of_lambda);
        }
        let pinned = code::pinned(&self.0, properties, "Code")?;
        pinned.ok_or_else(|| ResourceError::Invalid {
            message: "`Code` names no package; give `ZipFile`, or `S3Bucket` and `S3Key`".to_owned(),
        })
    }

    /// Lets the new code initialise before it replaces what runs; settings that cannot break it need no proof.
    async fn prove(&self, function: &Function, described: &Described) -> Result<(), ResourceError> {
        let mut after = function.clone();
        after.latest.configuration = described.configuration.clone();
        after.latest.code = described.code.clone();
        after.reserved_concurrency = described.reserved_concurrency;
        let specs = (function.spec(&Qualifier::Latest), after.spec(&Qualifier::Latest));
        let (Some(old), Some(new)) = specs else {
            return Ok(());
        };
        if same_behaviour(&old, &new) {
            return Ok(());
        }
        self.0
            .engine()
            .prove(new)
            .await
            .map_err(|failure| not_proven(function, &failure))
    }

    /// What can be said of literal values before the template is resolved.
    fn check_values(&self, properties: &Properties) -> Vec<PropertyProblem> {
        let of_loops = properties
            .get("RecursiveLoop")
            .filter(|given| !is_intrinsic(given));
        if let Some(Err(error)) = of_loops.map(|_| recursive_loop(properties)) {
            return vec![problem(&["RecursiveLoop"], error.to_string())];
        }
        let literal = without_intrinsics(&Value::Object(members(properties)));
        let Some(Value::Object(literal)) = literal else {
            return Vec::new();
        };
        match Settings::read(&literal) {
            Ok(settings) => {
                let runtime = settings.runtime.as_ref();
                let missing = runtime.and_then(|runtime| available(self.0.interpreters(), runtime).err());
                missing
                    .map(|error| problem(&["Runtime"], error.to_string()))
                    .into_iter()
                    .collect()
            }
            Err(LambdaError::Validation(violations)) => violations
                .iter()
                .map(|violation| problem(violation.path, violation.to_string()))
                .collect(),
            Err(error) => vec![problem(path_of(&error), error.to_string())],
        }
    }
}

fn path_of(error: &LambdaError) -> &'static [&'static str] {
    match error {
        LambdaError::UnknownRuntime { .. } => &["Runtime"],
        LambdaError::LogLevelsOfText => &["LoggingConfig"],
        LambdaError::EnvironmentTooLarge { .. } | LambdaError::ReservedEnvironmentKeys { .. } => {
            &["Environment", "Variables"]
        }
        _ => &[],
    }
}

fn check_code(properties: &Properties) -> Vec<PropertyProblem> {
    let Some(code) = properties.get("Code") else {
        return Vec::new();
    };
    if is_intrinsic(code) {
        return Vec::new();
    }
    let Some(members) = code.as_object() else {
        return vec![problem(&["Code"], "`Code` must be an object")];
    };
    let unknown = check_known(members, CODE, &[]).into_iter().map(|mut found| {
        found.path.insert(0, "Code".to_owned());
        found
    });
    let image = members.contains_key(IMAGE.0).then(|| {
        let (name, reason) = IMAGE;
        problem(&["Code", name], reason)
    });
    unknown.chain(image).collect()
}

/// The properties as the settings of a request: numbers as numbers, the environment as text.
fn members(properties: &Properties) -> Properties {
    let mut members = typed(properties, NUMBERS, &[]);
    members.retain(|name, _| !matches!(name.as_str(), "Code" | "Tags" | "FunctionName" | "RecursiveLoop"));
    if let Some(Value::Object(storage)) = members.get_mut("EphemeralStorage") {
        *storage = typed(storage, &["Size"], &[]);
    }
    if let Some(Value::Object(variables)) = members
        .get_mut("Environment")
        .and_then(|e| e.get_mut("Variables"))
    {
        for value in variables.values_mut() {
            if value.is_number() || value.is_boolean() {
                *value = value.to_string().into();
            }
        }
    }
    members
}

fn without_intrinsics(value: &Value) -> Option<Value> {
    match value {
        value if is_intrinsic(value) => None,
        Value::Object(map) => {
            let known = map
                .iter()
                .filter_map(|(name, value)| Some((name.clone(), without_intrinsics(value)?)));
            Some(Value::Object(known.collect()))
        }
        Value::Array(list) => list
            .iter()
            .map(without_intrinsics)
            .collect::<Option<Vec<_>>>()
            .map(Value::Array),
        plain => Some(plain.clone()),
    }
}

fn reserved_concurrency(properties: &Properties) -> Result<Option<u32>, ResourceError> {
    let given = optional_integer(properties, "ReservedConcurrentExecutions")?;
    given
        .map(u32::try_from)
        .transpose()
        .map_err(|_out_of_range| ResourceError::Invalid {
            message: "property `ReservedConcurrentExecutions` must be 0 or more".to_owned(),
        })
}

fn recursive_loop(properties: &Properties) -> Result<RecursiveLoop, ResourceError> {
    let Some(given) = optional_text(properties, "RecursiveLoop")? else {
        return Ok(RecursiveLoop::default());
    };
    RecursiveLoop::parse(&given).ok_or_else(|| ResourceError::Invalid {
        message: format!("property `RecursiveLoop` must be `Allow` or `Terminate`, not `{given}`"),
    })
}

fn bring_to(current: Option<&Function>, arn: FunctionArn, described: Described, now: Timestamp) -> Function {
    let fresh = Version {
        configuration: described.configuration,
        code: described.code,
        last_modified: now,
        revision_id: new_revision(),
        published_from: None,
    };
    match current {
        None => Function {
            arn,
            latest: fresh,
            versions: BTreeMap::new(),
            next_version: 1,
            reserved_concurrency: described.reserved_concurrency,
            recursive_loop: described.recursive_loop,
            owner: Some(described.owner),
            tags: described.tags,
            policies: BTreeMap::new(),
            aliases: BTreeMap::new(),
            provisioned: BTreeMap::new(),
            event_invoke: BTreeMap::new(),
            urls: BTreeMap::new(),
        },
        Some(function) => {
            let mut after = function.clone();
            let same = after.latest.configuration == fresh.configuration && after.latest.code == fresh.code;
            if !same {
                after.latest = fresh;
            }
            after.reserved_concurrency = described.reserved_concurrency;
            after.recursive_loop = described.recursive_loop;
            after.owner = Some(described.owner);
            after.tags = described.tags;
            after
        }
    }
}

fn refuse_foreign(function: &Function, owner: &Owner) -> Result<(), ResourceError> {
    if function.owner.as_ref() == Some(owner) {
        return Ok(());
    }
    Err(ResourceError::AlreadyExists {
        kind: "function",
        name: function.arn.name.to_string(),
    })
}

/// Whether nothing changes that can keep the code from initialising.
fn same_behaviour(old: &FunctionSpec, new: &FunctionSpec) -> bool {
    old.package == new.package
        && old.handler == new.handler
        && old.runtime == new.runtime
        && old.layers == new.layers
        && old.environment == new.environment
        && old.egress == new.egress
}

fn not_proven(function: &Function, failure: &InitFailure) -> ResourceError {
    let name = &function.arn.name;
    let InitFailure {
        error_type,
        message,
        log,
    } = failure;
    let first = log.len().saturating_sub(LOG_LINES);
    let lines: String = log
        .iter()
        .skip(first)
        .map(|line| format!("\n  {}", line.trim_end()))
        .collect();
    ResourceError::Invalid {
        message: format!(
            "the new code of `{name}` does not initialise, the old code keeps running: {error_type}: \
             {message}{lines}"
        ),
    }
}

fn name(context: &ResourceContext, properties: &Properties) -> Result<FunctionName, ResourceError> {
    let given = optional_text(properties, "FunctionName")?;
    let name = given.unwrap_or_else(|| context.generated_name_within(LONGEST_NAME));
    name.parse().map_err(invalid)
}

fn arn(context: &ResourceContext, name: FunctionName) -> FunctionArn {
    FunctionArn {
        region: context.region.clone(),
        account: context.account.clone(),
        name,
        qualifier: None,
    }
}

fn state(arn: &FunctionArn) -> ResourceState {
    let mut attributes = Properties::new();
    attributes.insert("Arn".into(), json!(arn.to_string()));
    ResourceState {
        physical_id: arn.name.to_string(),
        reference: None,
        attributes,
    }
}

fn invalid(error: impl std::fmt::Display) -> ResourceError {
    ResourceError::Invalid {
        message: error.to_string(),
    }
}
