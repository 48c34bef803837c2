//! PublishVersion and ListVersionsByFunction.

use http::StatusCode;
use serde_json::{Value, json};
use tradewind_model::{Qualifier, Timestamp};

use super::{Answer, Call, json, optional_text};
use crate::error::{LambdaError, Violations};
use crate::model::{Function, Version, fingerprint, new_revision};
use crate::names::Shape;
use crate::service::{Decision, LambdaService};
use crate::settings::{Members, refusals};
use crate::view::{Detail, configuration};
use crate::{api::get::PAGE, token};

const LIST: &str = "ListVersionsByFunction";

/// What a version is published with.
#[derive(Clone, Debug, Default)]
pub(crate) struct Publication {
    pub(crate) code_sha256: Option<String>,
    pub(crate) description: Option<String>,
    pub(crate) revision_id: Option<String>,
}

impl Publication {
    fn read(members: &Members) -> Result<Self, LambdaError> {
        if let Some(refusal) = refusals(members).into_iter().next() {
            return Err(LambdaError::Refused(refusal));
        }
        let publication = Self {
            code_sha256: optional_text(members, "CodeSha256")?.filter(|text| !text.is_empty()),
            description: optional_text(members, "Description")?,
            revision_id: optional_text(members, "RevisionId")?,
        };
        publication.check()?;
        Ok(publication)
    }

    /// Checks the description's length.
    pub(crate) fn check(&self) -> Result<(), LambdaError> {
        let mut violations = Violations::default();
        if let Some(long) = self
            .description
            .as_ref()
            .filter(|text| text.chars().count() > 256)
        {
            violations.add(
                &["Description"],
                long.clone(),
                "Member must have length less than or equal to 256",
            );
        }
        violations.into_result()
    }

    /// Publishes `$LATEST` of `function`; gives the new state, if it is new, and the version's number.
    pub(crate) fn apply(
        self,
        function: &Function,
        now: Timestamp,
    ) -> Result<(Option<Function>, u64), LambdaError> {
        check_revision(function, self.revision_id.as_deref())?;
        let current = function.latest.code.package.code_sha256_base64();
        if let Some(given) = self.code_sha256.filter(|given| *given != current) {
            return Err(LambdaError::CodeSha256Mismatch { given, current });
        }
        if let Some(number) = function.unchanged_since_published() {
            return Ok((None, number));
        }
        let mut version = Version {
            published_from: Some(fingerprint(&function.latest)),
            revision_id: new_revision(),
            last_modified: now,
            ..function.latest.clone()
        };
        if let Some(description) = self.description {
            version.configuration.description = description;
        }
        let mut after = function.clone();
        let number = after.next_version;
        after.versions.insert(number, version);
        after.next_version = number.saturating_add(1);
        Ok((Some(after), number))
    }
}

/// Fails if the caller knows another revision of `$LATEST`.
pub(super) fn check_revision(function: &Function, given: Option<&str>) -> Result<(), LambdaError> {
    match given {
        Some(given) if given != function.latest.revision_id => Err(LambdaError::RevisionMismatch {
            operation: "GetFunction/GetAlias",
        }),
        _ => Ok(()),
    }
}

pub(super) async fn publish(service: &LambdaService, call: Call) -> Answer {
    let target = call.target(Shape::Plain)?.without_qualifier()?;
    let publication = Publication::read(&call.members()?)?;
    let arn = target.function_arn()?;
    let decide = move |current: Option<&Function>, now| {
        let function = current.ok_or_else(|| target.not_found())?;
        let (after, number) = publication.apply(function, now)?;
        let shown = show(after.as_ref().unwrap_or(function), number)?;
        Ok(match after {
            Some(after) => Decision::put(after, shown),
            None => Decision::keep(shown),
        })
    };
    json(StatusCode::CREATED, &service.change(arn, decide).await?)
}

/// The configuration of one published version.
pub(super) fn show(function: &Function, number: u64) -> Result<Value, LambdaError> {
    let qualifier = Qualifier::Version(number);
    let version = function
        .version(&qualifier)
        .ok_or_else(|| LambdaError::internal("a version vanished"))?;
    let view = configuration(function, version, Some(&qualifier), Detail::Full);
    serde_json::to_value(view).map_err(LambdaError::internal)
}

pub(super) fn list(service: &LambdaService, call: &Call) -> Answer {
    let target = call.target(Shape::Namespaced)?.without_qualifier()?;
    let function = service.function(&target)?;
    let page = call.page_size(PAGE)?;
    let after: Option<Qualifier> = match call.params.get("Marker") {
        None => None,
        Some(marker) => {
            let last = token::decode(LIST, marker)?;
            Some(last.parse().map_err(|_no_qualifier| LambdaError::InvalidMarker)?)
        }
    };
    let rest = function
        .qualifiers()
        .filter(|q| after.as_ref().is_none_or(|after| q > after));
    let found: Vec<Qualifier> = rest.take(page + 1).collect();
    let shown = found.iter().take(page).filter_map(|qualifier| {
        let version = function.version(qualifier)?;
        serde_json::to_value(configuration(&function, version, Some(qualifier), Detail::Listed)).ok()
    });
    let mut shape = json!({"Versions": shown.collect::<Vec<_>>()});
    if found.len() > page
        && let Some(last) = page.checked_sub(1).and_then(|last| found.get(last))
    {
        shape["NextMarker"] = token::encode(LIST, &last.to_string()).into();
    }
    json(StatusCode::OK, &shape)
}
