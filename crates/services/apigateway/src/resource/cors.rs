//! `CorsConfiguration` of an HTTP API.

use serde_json::Value;
use tradewind_gateway::Cors;
use tradewind_model::resource::{Properties, ResourceError, optional_bool, optional_integer};

use super::check::Check;
use super::{invalid, texts};

const CREDENTIALS: &str = "`AllowOrigins` cannot be `*` with `AllowCredentials`: name the origins";

pub(super) fn check(check: &mut Check<'_>) {
    check.known(
        &[
            "AllowCredentials",
            "AllowHeaders",
            "AllowMethods",
            "AllowOrigins",
            "ExposeHeaders",
            "MaxAge",
        ],
        &[],
    );
    check.within("MaxAge", -1, 86_400);
    let origins = check.properties().get("AllowOrigins").and_then(Value::as_array);
    let all = origins.is_some_and(|origins| origins.iter().any(|origin| origin == "*"));
    if all && check.literal("AllowCredentials").as_deref() == Some("true") {
        check.problem(&["AllowOrigins"], CREDENTIALS);
    }
}

pub(super) fn parse(properties: &Properties) -> Result<Option<Cors>, ResourceError> {
    let cors = match properties.get("CorsConfiguration") {
        None | Some(Value::Null) => return Ok(None),
        Some(Value::Object(cors)) => cors,
        Some(_) => return Err(invalid("property `CorsConfiguration` must be an object")),
    };
    let cors = Cors {
        allow_credentials: optional_bool(cors, "AllowCredentials")?.unwrap_or_default(),
        allow_headers: texts(cors, "AllowHeaders")?,
        allow_methods: texts(cors, "AllowMethods")?,
        allow_origins: texts(cors, "AllowOrigins")?,
        expose_headers: texts(cors, "ExposeHeaders")?,
        max_age_seconds: optional_integer(cors, "MaxAge")?,
    };
    if cors.allow_credentials && cors.allow_origins.iter().any(|origin| origin == "*") {
        return Err(invalid(CREDENTIALS));
    }
    Ok(Some(cors))
}
