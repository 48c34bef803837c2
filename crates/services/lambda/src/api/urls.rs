//! CreateFunctionUrlConfig and its siblings: HTTP endpoints of functions and aliases.

use http::StatusCode;
use serde::Deserialize;
use serde_json::{Map, Value, json};
use tradewind_gateway::{Cors, InvokeMode, UrlAuth, UrlSettings};
use tradewind_model::{FunctionArn, Qualifier, Timestamp};

use super::{Answer, Call, empty, json};
use crate::api::get::PAGE;
use crate::error::{LambdaError, Violations};
use crate::model::{Function, FunctionUrl};
use crate::names::{Shape, Target};
use crate::service::{Decision, LambdaService};
use crate::settings::{Members, read_members};
use crate::token;

const LIST: &str = "ListFunctionUrlConfigs";
const QUALIFIER_PATTERN: &str = "((?!^\\d+$)^[0-9a-zA-Z-_]+$)";

/// A function URL as requests write it.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(crate) struct WrittenUrl {
    auth_type: Option<String>,
    invoke_mode: Option<String>,
    cors: Option<WrittenCors>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct WrittenCors {
    allow_credentials: Option<bool>,
    allow_headers: Vec<String>,
    allow_methods: Vec<String>,
    allow_origins: Vec<String>,
    expose_headers: Vec<String>,
    max_age: Option<i64>,
}

impl WrittenCors {
    fn cors(&self) -> Cors {
        Cors {
            allow_credentials: self.allow_credentials.unwrap_or(false),
            allow_headers: self.allow_headers.clone(),
            allow_methods: self.allow_methods.clone(),
            allow_origins: self.allow_origins.clone(),
            expose_headers: self.expose_headers.clone(),
            max_age_seconds: self.max_age,
        }
    }
}

impl WrittenUrl {
    /// Reads the members of a request.
    pub(crate) fn read(members: &Members) -> Result<Self, LambdaError> {
        read_members(members)
    }

    /// Whether it says anything of CORS.
    pub(crate) fn has_cors(&self) -> bool {
        self.cors.is_some()
    }

    /// `current` with what is given, or a new one.
    pub(crate) fn apply(
        &self,
        current: Option<&FunctionUrl>,
        now: Timestamp,
    ) -> Result<FunctionUrl, LambdaError> {
        let mut violations = Violations::default();
        let old = current.map(|url| url.settings).unwrap_or_default();
        let auth = match self.auth_type.as_deref() {
            Some("NONE") => UrlAuth::None,
            Some("AWS_IAM") => UrlAuth::Iam,
            Some(other) => {
                let constraint = "Member must satisfy enum value set: [NONE, AWS_IAM]";
                violations.add(&["AuthType"], other.to_owned(), constraint);
                old.auth
            }
            None if current.is_none() => {
                violations.add(&["AuthType"], None, "Member must not be null");
                old.auth
            }
            None => old.auth,
        };
        let mode = match self.invoke_mode.as_deref() {
            Some("BUFFERED") => InvokeMode::Buffered,
            Some("RESPONSE_STREAM") => InvokeMode::ResponseStream,
            Some(other) => {
                let constraint = "Member must satisfy enum value set: [RESPONSE_STREAM, BUFFERED]";
                violations.add(&["InvokeMode"], other.to_owned(), constraint);
                old.mode
            }
            None => old.mode,
        };
        violations.into_result()?;
        let old_cors = current.and_then(|url| url.cors.clone());
        Ok(FunctionUrl {
            id: current.map_or_else(new_id, |url| url.id.clone()),
            settings: UrlSettings { auth, mode },
            cors: self.cors.as_ref().map(WrittenCors::cors).or(old_cors),
            created: current.map_or(now, |url| url.created),
            modified: now,
            owner: current.and_then(|url| url.owner.clone()),
        })
    }
}

/// 32 letters and digits, as the service's are.
fn new_id() -> String {
    uuid::Uuid::new_v4().simple().to_string()
}

/// A function URL as the API shows it.
pub(crate) fn show(
    service: &LambdaService,
    function: &Function,
    qualifier: Option<&Qualifier>,
    url: &FunctionUrl,
) -> Map<String, Value> {
    let UrlSettings { auth, mode } = url.settings;
    let mut shape = Map::new();
    shape.insert("FunctionUrl".into(), json!(url.address(service.base_url())));
    shape.insert(
        "FunctionArn".into(),
        json!(arn_of(function, qualifier).to_string()),
    );
    shape.insert(
        "AuthType".into(),
        json!(match auth {
            UrlAuth::None => "NONE",
            UrlAuth::Iam => "AWS_IAM",
        }),
    );
    if let Some(cors) = &url.cors {
        shape.insert("Cors".into(), show_cors(cors));
    }
    shape.insert("CreationTime".into(), json!(url.created.to_rfc3339()));
    shape.insert("LastModifiedTime".into(), json!(url.modified.to_rfc3339()));
    shape.insert(
        "InvokeMode".into(),
        json!(match mode {
            InvokeMode::Buffered => "BUFFERED",
            InvokeMode::ResponseStream => "RESPONSE_STREAM",
        }),
    );
    shape
}

fn show_cors(cors: &Cors) -> Value {
    let mut shape = Map::new();
    for (name, list) in [
        ("AllowHeaders", &cors.allow_headers),
        ("AllowMethods", &cors.allow_methods),
        ("AllowOrigins", &cors.allow_origins),
        ("ExposeHeaders", &cors.expose_headers),
    ] {
        if !list.is_empty() {
            shape.insert(name.into(), json!(list));
        }
    }
    if cors.allow_credentials {
        shape.insert("AllowCredentials".into(), json!(true));
    }
    if let Some(seconds) = cors.max_age_seconds {
        shape.insert("MaxAge".into(), json!(seconds));
    }
    Value::Object(shape)
}

/// What the URL calls.
pub(crate) fn arn_of(function: &Function, qualifier: Option<&Qualifier>) -> FunctionArn {
    match qualifier {
        Some(qualifier) => function.arn.qualified(qualifier.clone()),
        None => function.arn.clone(),
    }
}

/// The alias of a request; none for the function itself. Versions have no URLs.
pub(crate) fn alias_of(target: &Target) -> Result<Option<Qualifier>, LambdaError> {
    match target.qualifier().transpose()? {
        None | Some(Qualifier::Latest) => Ok(None),
        Some(Qualifier::Version(number)) => {
            let mut violations = Violations::default();
            let constraint = format!("Member must satisfy regular expression pattern: {QUALIFIER_PATTERN}");
            violations.add(&["Qualifier"], number.to_string(), constraint);
            Err(LambdaError::Validation(violations))
        }
        alias => Ok(alias),
    }
}

/// The function with a URL; there must be something to call.
pub(crate) fn with_url(
    function: &Function,
    qualifier: Option<Qualifier>,
    url: FunctionUrl,
) -> Result<Function, LambdaError> {
    if function.version(&qualifier.clone().unwrap_or_default()).is_none() {
        return Err(LambdaError::NoFunctionForUrl);
    }
    let mut after = function.clone();
    after.urls.insert(qualifier, url);
    Ok(after)
}

pub(super) async fn create(service: &LambdaService, call: Call) -> Answer {
    let target = call.target(Shape::Plain)?;
    let alias = alias_of(&target)?;
    let written = WrittenUrl::read(&call.members()?)?;
    let arn = target
        .function_arn()
        .map_err(|_no_name| LambdaError::NoFunctionForUrl)?;
    let shower = service.clone();
    let decide = move |current: Option<&Function>, now| {
        let function = current.ok_or(LambdaError::NoFunctionForUrl)?;
        let url = written.apply(None, now)?;
        if function.urls.contains_key(&alias) {
            return Err(LambdaError::UrlExists {
                arn: arn_of(function, alias.as_ref()).to_string(),
            });
        }
        let mut shown = show(&shower, function, alias.as_ref(), &url);
        shown.remove("LastModifiedTime");
        Ok(Decision::put(
            with_url(function, alias, url)?,
            Value::Object(shown),
        ))
    };
    json(StatusCode::CREATED, &service.change(arn, decide).await?)
}

pub(super) async fn update(service: &LambdaService, call: Call) -> Answer {
    let target = call.target(Shape::Plain)?;
    let alias = alias_of(&target)?;
    let written = WrittenUrl::read(&call.members()?)?;
    let arn = target
        .function_arn()
        .map_err(|_no_name| LambdaError::PolicyNotFound)?;
    let shower = service.clone();
    let decide = move |current: Option<&Function>, now| {
        let function = current.ok_or(LambdaError::PolicyNotFound)?;
        let url = function.urls.get(&alias).ok_or(LambdaError::PolicyNotFound)?;
        let url = written.apply(Some(url), now)?;
        let shown = show(&shower, function, alias.as_ref(), &url);
        Ok(Decision::put(
            with_url(function, alias, url)?,
            Value::Object(shown),
        ))
    };
    json(StatusCode::OK, &service.change(arn, decide).await?)
}

pub(super) fn get(service: &LambdaService, call: &Call) -> Answer {
    let target = call.target(Shape::Plain)?;
    let alias = alias_of(&target)?;
    let function = service
        .function(&target)
        .map_err(|_not_found| LambdaError::PolicyNotFound)?;
    let url = function.urls.get(&alias).ok_or(LambdaError::PolicyNotFound)?;
    json(
        StatusCode::OK,
        &Value::Object(show(service, &function, alias.as_ref(), url)),
    )
}

pub(super) async fn delete(service: &LambdaService, call: Call) -> Answer {
    let target = call.target(Shape::Plain)?;
    let alias = alias_of(&target)?;
    let arn = target
        .function_arn()
        .map_err(|_no_name| LambdaError::PolicyNotFound)?;
    let decide = move |current: Option<&Function>, _now| {
        let function = current.ok_or(LambdaError::PolicyNotFound)?;
        let mut after = function.clone();
        after.urls.remove(&alias).ok_or(LambdaError::PolicyNotFound)?;
        Ok(Decision::put(after, ()))
    };
    service.change(arn, decide).await?;
    empty(StatusCode::NO_CONTENT)
}

pub(super) fn list(service: &LambdaService, call: &Call) -> Answer {
    let target = call.target(Shape::Plain)?.without_qualifier()?;
    let function = service.function(&target)?;
    let page = call.page_size(PAGE)?;
    let after: Option<String> = call
        .params
        .get("Marker")
        .map(|marker| token::decode(LIST, marker))
        .transpose()?;
    let name =
        |qualifier: &Option<Qualifier>| qualifier.as_ref().map(ToString::to_string).unwrap_or_default();
    let mut found = function
        .urls
        .iter()
        .filter(|(qualifier, _)| after.as_ref().is_none_or(|after| name(qualifier) > *after));
    let shown: Vec<_> = found.by_ref().take(page).collect();
    let list = shown
        .iter()
        .map(|(qualifier, url)| Value::Object(show(service, &function, qualifier.as_ref(), url)));
    let mut shape = json!({"FunctionUrlConfigs": list.collect::<Vec<_>>()});
    if let (Some((last, _)), Some(_more)) = (shown.last(), found.next()) {
        shape["NextMarker"] = token::encode(LIST, &name(last)).into();
    }
    json(StatusCode::OK, &shape)
}
