//! APIs in the form requests use them: stages by name, routes in a table, patterns parsed.

use std::collections::{BTreeMap, HashMap};

use tradewind_model::Region;
use tradewind_observe::usage::{Counter, Meter, Metered};

use crate::api::{Api, ApiKind, Integration, Route, RouteKey, Stage};
use crate::cors::CompiledCors;
use crate::routing::{Matched, RouteTable};

/// The stage of an HTTP API that is served without a path segment.
const DEFAULT_STAGE: &str = "$default";

#[derive(Debug)]
pub(crate) struct CompiledApi {
    pub(crate) id: Box<str>,
    pub(crate) kind: ApiKind,
    /// Requests that are charged for; none for function URLs, whose invocations are.
    requests: Option<Counter>,
    stages: HashMap<Box<str>, CompiledStage>,
}

#[derive(Debug)]
pub(crate) struct CompiledStage {
    pub(crate) name: Box<str>,
    pub(crate) deployment_id: String,
    pub(crate) binary: BinaryTypes,
    pub(crate) cors: Option<CompiledCors>,
    pub(crate) variables: BTreeMap<String, String>,
    table: RouteTable,
    routes: Vec<CompiledRoute>,
}

#[derive(Debug)]
pub(crate) struct CompiledRoute {
    /// `GET /items/{id}` or `$default`.
    pub(crate) key: String,
    /// `/items/{id}` or `$default`.
    pub(crate) path: String,
    pub(crate) parameters: Vec<Box<str>>,
    pub(crate) resource_id: String,
    pub(crate) integration: Integration,
}

impl CompiledApi {
    pub(crate) fn new(api: Api) -> Self {
        let kind = api.kind;
        let compile = |(name, stage): (String, Stage)| {
            let name: Box<str> = name.into();
            (name.clone(), CompiledStage::new(name, kind, stage))
        };
        Self {
            id: api.id.as_str().into(),
            kind,
            requests: None,
            stages: api.stages.into_iter().map(compile).collect(),
        }
    }

    /// Requests are counted by `meter`, under the API's ARN.
    pub(crate) fn counted_in(mut self, meter: &Meter, region: &Region) -> Self {
        let arn = |path: &str| format!("arn:aws:apigateway:{region}::/{path}/{}", self.id);
        self.requests = match self.kind {
            ApiKind::Rest => Some(meter.counter(Metered::RestApiRequests, &arn("restapis"))),
            ApiKind::Http => Some(meter.counter(Metered::HttpApiRequests, &arn("apis"))),
            ApiKind::FunctionUrl(_) => None,
        };
        self
    }

    /// Counts a request that had, or was answered with, so many bytes.
    pub(crate) fn count(&self, bytes: u64) {
        let units = match self.kind {
            ApiKind::Http => bytes.div_ceil(512 * 1024).max(1),
            ApiKind::Rest | ApiKind::FunctionUrl(_) => 1,
        };
        if let Some(requests) = &self.requests {
            requests.add(units);
        }
    }

    /// The stage that the first segment of a path names and the path inside it, which starts with `/`.
    pub(crate) fn stage<'p>(&self, path: &'p str) -> Option<(&CompiledStage, &'p str)> {
        let rest = path.strip_prefix('/').unwrap_or(path);
        let name = rest.split('/').next().unwrap_or_default();
        if let Some(stage) = self.stages.get(name).filter(|stage| !stage.is_default()) {
            let inside = rest.get(name.len()..).filter(|inside| !inside.is_empty());
            return Some((stage, inside.unwrap_or("/")));
        }
        Some((self.stages.get(DEFAULT_STAGE)?, path))
    }
}

impl CompiledStage {
    fn new(name: Box<str>, kind: ApiKind, stage: Stage) -> Self {
        Self {
            name,
            deployment_id: stage.deployment_id,
            binary: BinaryTypes::new(&stage.binary_media_types),
            cors: stage.cors.as_ref().map(CompiledCors::new),
            variables: stage.variables,
            table: RouteTable::new(kind, stage.routes.iter().map(|route| &route.key)),
            routes: stage.routes.into_iter().map(CompiledRoute::new).collect(),
        }
    }

    pub(crate) fn is_default(&self) -> bool {
        &*self.name == DEFAULT_STAGE
    }

    pub(crate) fn route<'p>(
        &self,
        method: &http::Method,
        path: &'p str,
    ) -> Option<(&CompiledRoute, Vec<&'p str>)> {
        let Matched { route, captures } = self.table.find(method, path)?;
        Some((&self.routes[route], captures))
    }
}

impl CompiledRoute {
    fn new(route: Route) -> Self {
        let (path, parameters) = match &route.key {
            RouteKey::Default => (route.key.to_string(), Vec::new()),
            RouteKey::Path(_, path) => (path.to_string(), path.parameters().map(Into::into).collect()),
        };
        Self {
            key: route.key.to_string(),
            path,
            parameters,
            resource_id: route.resource_id,
            integration: route.integration,
        }
    }
}

/// `binaryMediaTypes` of a REST API: `*/*`, `image/*` or whole types.
#[derive(Debug)]
pub(crate) struct BinaryTypes(Vec<Box<str>>);

impl BinaryTypes {
    fn new(types: &[String]) -> Self {
        Self(
            types
                .iter()
                .map(|text| text.to_ascii_lowercase().into())
                .collect(),
        )
    }

    /// Whether a header's media type is one of them; parameters and further types do not count.
    pub(crate) fn contain(&self, header: Option<&str>) -> bool {
        let header = header.unwrap_or("application/json");
        let essence = header.split([';', ',']).next().unwrap_or_default().trim();
        self.0.iter().any(|binary| matches_type(binary, essence))
    }
}

fn matches_type(binary: &str, essence: &str) -> bool {
    if binary == "*/*" || binary.eq_ignore_ascii_case(essence) {
        return true;
    }
    match (binary.strip_suffix("/*"), essence.split_once('/')) {
        (Some(binary), Some((kind, _))) => binary.eq_ignore_ascii_case(kind),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn api(kind: ApiKind, stages: &[&str]) -> CompiledApi {
        let stages = stages
            .iter()
            .map(|&name| (name.to_owned(), Stage::default()))
            .collect();
        CompiledApi::new(Api {
            id: "a1".parse().unwrap(),
            kind,
            stages,
        })
    }

    fn stage<'p>(api: &CompiledApi, path: &'p str) -> Option<(String, &'p str)> {
        api.stage(path)
            .map(|(stage, inside)| (stage.name.to_string(), inside))
    }

    #[test]
    fn the_first_segment_names_the_stage() {
        let rest = api(ApiKind::Rest, &["dev", "prod"]);
        assert_eq!(stage(&rest, "/dev/a/b"), Some(("dev".into(), "/a/b")));
        assert_eq!(stage(&rest, "/prod"), Some(("prod".into(), "/")));
        assert_eq!(stage(&rest, "/prod/"), Some(("prod".into(), "/")));
        assert_eq!(stage(&rest, "/devx/a"), None);
        assert_eq!(stage(&rest, "/"), None);
    }

    #[test]
    fn the_default_stage_has_no_segment() {
        let http = api(ApiKind::Http, &["$default", "beta"]);
        assert_eq!(stage(&http, "/cart/1"), Some(("$default".into(), "/cart/1")));
        assert_eq!(stage(&http, "/"), Some(("$default".into(), "/")));
        assert_eq!(stage(&http, "/beta/cart"), Some(("beta".into(), "/cart")));
        assert_eq!(
            stage(&http, "/$default/x"),
            Some(("$default".into(), "/$default/x"))
        );
    }

    #[test]
    fn binary_types_match_by_essence() {
        let some = BinaryTypes::new(&["image/*".into(), "application/PDF".into()]);
        for (header, expected) in [
            (Some("image/png"), true),
            (Some("application/pdf; q=1"), true),
            (Some("image/avif,text/html"), true),
            (Some("text/html,image/png"), false),
            (None, false),
        ] {
            assert_eq!(some.contain(header), expected, "{header:?}");
        }
        assert!(BinaryTypes::new(&["*/*".into()]).contain(None));
        assert!(!BinaryTypes::new(&[]).contain(Some("image/png")));
    }
}
