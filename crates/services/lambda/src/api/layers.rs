//! PublishLayerVersion, GetLayerVersion, GetLayerVersionByArn, ListLayers, ListLayerVersions and
//! DeleteLayerVersion.

use http::StatusCode;
use serde_json::{Value, json};

use super::package::{Place, read};
use super::{Answer, Call, empty, json};
use crate::error::{LambdaError, LayerError, Violations};
use crate::layer::{
    Change, Description, Filter, Layer, LayerVersion, LayerVersionArn, NamedLayer, VERSION_ARN_PATTERN,
};
use crate::model::{Architecture, last_modified_text};
use crate::service::LambdaService;
use crate::token;

/// Layers or versions on a page.
const PAGE: usize = 50;
const LIST: &str = "ListLayers";
const LIST_VERSIONS: &str = "ListLayerVersions";

pub(super) async fn publish(service: &LambdaService, call: Call) -> Answer {
    let NamedLayer(arn) = NamedLayer::parse(call.route.first(), &call.scope)?;
    own(&call, &arn.version(1))?;
    let (members, source) = read(call.body.clone(), Place::InContent).await?;
    let description = Description::read(&members)?;
    let code = source.ok_or(LambdaError::NoCode)?.store(service).await?;
    let of_layer = arn.clone();
    let decide = move |current: Option<&Layer>, now| {
        let mut layer = current.cloned().unwrap_or_else(|| Layer::new(of_layer));
        let version = LayerVersion {
            code,
            description,
            created: now,
            policy: None,
            owner: None,
        };
        let number = layer.publish(version.clone());
        Ok(Change::put(layer, (number, version)))
    };
    let (number, version) = service.change_layer(arn.clone(), decide).await?;
    let shape = with_content(service, &arn.version(number), &version);
    json(StatusCode::CREATED, &shape)
}

pub(super) fn get(service: &LambdaService, call: &Call) -> Answer {
    show(service, call, &named_version(call)?)
}

pub(super) fn get_by_arn(service: &LambdaService, call: &Call) -> Answer {
    let text = call.params.get("Arn");
    let arn = text.and_then(|text| text.parse().ok()).ok_or_else(|| {
        let constraint = match text {
            Some(_) => format!("Member must satisfy regular expression pattern: {VERSION_ARN_PATTERN}"),
            None => "Member must not be null".to_owned(),
        };
        let mut violations = Violations::default();
        violations.add(&["Arn"], text.map(str::to_owned), constraint);
        LambdaError::Validation(violations)
    })?;
    show(service, call, &arn)
}

fn show(service: &LambdaService, call: &Call, arn: &LayerVersionArn) -> Answer {
    let version = service.shelf().version(arn);
    let is_own = arn.layer.account == call.scope.account;
    match version {
        Some(version) if is_own || version.is_shared_with(&call.scope.account) => {
            json(StatusCode::OK, &with_content(service, arn, &version))
        }
        Some(_) => Err(not_shared(call, arn)),
        None => Err(LayerError::NotFound.into()),
    }
}

fn not_shared(call: &Call, arn: &LayerVersionArn) -> LambdaError {
    LayerError::NotShared {
        caller: call.scope.account.to_string(),
        arn: arn.to_string(),
    }
    .into()
}

/// Fails if the layer is another account's: only its owner changes it.
pub(super) fn own(call: &Call, arn: &LayerVersionArn) -> Result<(), LambdaError> {
    if arn.layer.account == call.scope.account {
        return Ok(());
    }
    Err(LambdaError::OtherAccount {
        account: arn.layer.account.to_string(),
    })
}

/// The layer version of a path.
pub(super) fn named_version(call: &Call) -> Result<LayerVersionArn, LambdaError> {
    let text = call.route.second();
    let Ok(number) = text.parse::<i64>() else {
        return Err(LambdaError::WrongType {
            detail: format!("`VersionNumber` must be a number, not `{text}`"),
        });
    };
    let number = u64::try_from(number).unwrap_or(0);
    if number == 0 {
        return Err(LayerError::VersionBelowOne.into());
    }
    let NamedLayer(layer) = NamedLayer::parse(call.route.first(), &call.scope)?;
    Ok(layer.version(number))
}

pub(super) fn list(service: &LambdaService, call: &Call) -> Answer {
    let filter = filter(call)?;
    let page = call.page_size_within(PAGE, PAGE)?;
    let after = call.params.get("Marker").map(|marker| {
        let name = token::decode(LIST, marker)?;
        name.parse().map_err(|_no_name| LambdaError::InvalidMarker)
    });
    let layers = service
        .shelf()
        .list(&call.scope.account, &call.scope.region, after.transpose()?);
    let newest = layers.iter().filter_map(|layer| {
        let mut versions = layer.versions.iter().rev();
        let (number, version) = versions.find(|(_, version)| version.suits(&filter))?;
        Some((layer, *number, version))
    });
    let found: Vec<_> = newest.take(page + 1).collect();
    let shown = found.iter().take(page).map(|(layer, number, version)| {
        json!({
            "LayerName": layer.arn.name.as_str(),
            "LayerArn": layer.arn.to_string(),
            "LatestMatchingVersion": listed(&layer.arn.version(*number), version),
        })
    });
    let mut shape = json!({"Layers": shown.collect::<Vec<_>>()});
    if found.len() > page
        && let Some((layer, ..)) = found.get(page - 1)
    {
        shape["NextMarker"] = token::encode(LIST, layer.arn.name.as_str()).into();
    }
    json(StatusCode::OK, &shape)
}

pub(super) fn list_versions(service: &LambdaService, call: &Call) -> Answer {
    let NamedLayer(arn) = NamedLayer::parse(call.route.first(), &call.scope)?;
    let filter = filter(call)?;
    let page = call.page_size_within(PAGE, PAGE)?;
    let below = match call.params.get("Marker") {
        None => u64::MAX,
        Some(marker) => token::decode(LIST_VERSIONS, marker)?
            .parse()
            .map_err(|_no_number| LambdaError::InvalidMarker)?,
    };
    let layer = service.shelf().find(&arn);
    let is_own = arn.account == call.scope.account;
    let versions = layer.iter().flat_map(|layer| layer.versions.range(..below).rev());
    let seen = versions
        .filter(|(_, version)| is_own || version.is_shared_with(&call.scope.account))
        .filter(|(_, version)| version.suits(&filter));
    let found: Vec<_> = seen.take(page + 1).collect();
    let shown = found.iter().take(page);
    let shown = shown.map(|(number, version)| listed(&arn.version(**number), version));
    let mut shape = json!({"LayerVersions": shown.collect::<Vec<_>>()});
    if found.len() > page
        && let Some((last, _)) = found.get(page - 1)
    {
        shape["NextMarker"] = token::encode(LIST_VERSIONS, &last.to_string()).into();
    }
    json(StatusCode::OK, &shape)
}

fn filter(call: &Call) -> Result<Filter, LambdaError> {
    let (runtime, architecture) = ("CompatibleRuntime", "CompatibleArchitecture");
    Filter::read(call.params.get(runtime), call.params.get(architecture))
}

pub(super) async fn delete(service: &LambdaService, call: Call) -> Answer {
    let arn = named_version(&call)?;
    own(&call, &arn)?;
    remove_version(service, &arn).await?;
    empty(StatusCode::NO_CONTENT)
}

/// Removes a version; that it is gone already is success. Functions that have it keep it.
pub(crate) async fn remove_version(
    service: &LambdaService,
    arn: &LayerVersionArn,
) -> Result<(), LambdaError> {
    let number = arn.version;
    let decide = move |current: Option<&Layer>, _now| {
        let mut layer = match current {
            Some(layer) if layer.versions.contains_key(&number) => layer.clone(),
            Some(_) | None => return Ok(Change::keep(())),
        };
        layer.versions.remove(&number);
        Ok(Change::put(layer, ()))
    };
    service.change_layer(arn.layer.clone(), decide).await
}

/// A version as lists show it.
fn listed(arn: &LayerVersionArn, version: &LayerVersion) -> Value {
    let Description {
        text,
        license,
        runtimes,
        architectures,
    } = &version.description;
    let mut shape = json!({
        "LayerVersionArn": arn.to_string(),
        "Version": arn.version,
        "Description": text,
        "CreatedDate": last_modified_text(version.created),
    });
    if let Some(license) = license {
        shape["LicenseInfo"] = license.as_str().into();
    }
    if !runtimes.is_empty() {
        shape["CompatibleRuntimes"] = json!(runtimes);
    }
    if !architectures.is_empty() {
        let names: Vec<_> = architectures.iter().copied().map(Architecture::as_str).collect();
        shape["CompatibleArchitectures"] = json!(names);
    }
    shape
}

/// A version with where its archive is.
fn with_content(service: &LambdaService, arn: &LayerVersionArn, version: &LayerVersion) -> Value {
    let package = &version.code.package;
    let base = service.base_url().trim_end_matches('/');
    let mut shape = listed(arn, version);
    shape["LayerArn"] = arn.layer.to_string().into();
    shape["Content"] = json!({
        "Location": format!("{base}/_tradewind/packages/{package}.zip"),
        "CodeSha256": package.code_sha256_base64(),
        "CodeSize": version.code.size_bytes,
    });
    shape
}
