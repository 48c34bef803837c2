//! All records in memory, and what follows from them: the APIs to serve and the URLs to list.

use std::collections::BTreeMap;
use std::time::Duration;

use http::{HeaderName, HeaderValue, StatusCode};
use tradewind_gateway::{
    Api, ApiKind, Integration, LambdaIntegration, MockReply, OriginPattern, PayloadFormat, Route, RouteKey,
    Stage,
};

use crate::model::{
    DeployedMethod, Deployment, HttpApi, HttpRoute, LambdaRecord, MockRecord, Record, RecordKey, RecordKind,
    RestApi, RestIntegration, RestMethod, RestResource, RestStage,
};
use crate::urls::{Url, UrlKind};

/// A record and the resource it belongs to, by the name its stack stored for it.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Stored {
    pub(crate) owner: String,
    pub(crate) record: Record,
}

/// Every record by its key.
#[derive(Clone, Debug, Default)]
pub(crate) struct State(BTreeMap<RecordKey, Stored>);

/// A record that the gateway's types do not take: it was checked when it was made, so this is a bug
/// or a damaged row.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("API `{api}` cannot be served: {reason}")]
pub(crate) struct CannotServe {
    api: String,
    reason: String,
}

impl State {
    pub(crate) fn insert(&mut self, key: RecordKey, stored: Stored) {
        self.0.insert(key, stored);
    }

    /// Removes a record; an API goes with all its parts.
    pub(crate) fn remove(&mut self, key: &RecordKey) {
        if key.kind.is_api() {
            self.0.retain(|other, _| other.api != key.api);
        } else {
            self.0.remove(key);
        }
    }

    pub(crate) fn get(&self, key: &RecordKey) -> Option<&Stored> {
        self.0.get(key)
    }

    pub(crate) fn api_ids(&self) -> Vec<String> {
        self.0
            .keys()
            .filter(|key| key.kind.is_api())
            .map(|key| key.api.clone())
            .collect()
    }

    /// The records of one kind of one API, by id.
    pub(crate) fn records(&self, api: &str, kind: RecordKind) -> impl Iterator<Item = (&str, &Record)> {
        let first = RecordKey {
            api: api.to_owned(),
            kind,
            id: String::new(),
        };
        let api = api.to_owned();
        self.0
            .range(first..)
            .take_while(move |(key, _)| key.api == api && key.kind == kind)
            .map(|(key, stored)| (key.id.as_str(), &stored.record))
    }

    pub(crate) fn rest_api(&self, api: &str) -> Option<&RestApi> {
        match &self.get(&RecordKey::of_api(RecordKind::RestApi, api))?.record {
            Record::RestApi(rest_api) => Some(rest_api),
            _ => None,
        }
    }

    pub(crate) fn http_api(&self, api: &str) -> Option<&HttpApi> {
        match &self.get(&RecordKey::of_api(RecordKind::HttpApi, api))?.record {
            Record::HttpApi(http_api) => Some(http_api),
            _ => None,
        }
    }

    pub(crate) fn resource(&self, api: &str, id: &str) -> Option<&RestResource> {
        let key = RecordKey {
            api: api.to_owned(),
            kind: RecordKind::Resource,
            id: id.to_owned(),
        };
        match &self.get(&key)?.record {
            Record::Resource(resource) => Some(resource),
            _ => None,
        }
    }

    pub(crate) fn deployments(&self, api: &str) -> impl Iterator<Item = (&str, &Deployment)> {
        self.records(api, RecordKind::Deployment)
            .filter_map(|(id, record)| match record {
                Record::Deployment(deployment) => Some((id, deployment)),
                _ => None,
            })
    }

    pub(crate) fn integration(&self, api: &str, id: &str) -> Option<&LambdaRecord> {
        let key = RecordKey {
            api: api.to_owned(),
            kind: RecordKind::Integration,
            id: id.to_owned(),
        };
        match &self.get(&key)?.record {
            Record::Integration(integration) => Some(integration),
            _ => None,
        }
    }

    pub(crate) fn routes(&self, api: &str) -> impl Iterator<Item = (&str, &HttpRoute)> {
        self.records(api, RecordKind::Route)
            .filter_map(|(id, record)| match record {
                Record::Route(route) => Some((id, route)),
                _ => None,
            })
    }

    /// The methods of a REST API as they are now, with their paths: what a deployment copies.
    pub(crate) fn methods(&self, api: &str) -> Vec<DeployedMethod> {
        let root = self
            .rest_api(api)
            .map_or("", |rest_api| rest_api.root_resource_id.as_str());
        let methods = self
            .records(api, RecordKind::Method)
            .filter_map(|(_, record)| match record {
                Record::Method(method) => Some(method),
                _ => None,
            });
        methods
            .filter_map(|method| {
                let path = self.path_of(api, root, &method.resource_id)?;
                Some(DeployedMethod {
                    path,
                    method: method.clone(),
                })
            })
            .collect()
    }

    /// The path of a resource, if its parents lead to the root.
    fn path_of(&self, api: &str, root: &str, id: &str) -> Option<String> {
        let mut parts = Vec::new();
        let mut id = id;
        while id != root {
            let resource = self.resource(api, id)?;
            parts.push(resource.path_part.as_str());
            id = &resource.parent_id;
            // Parents exist before their children, so a circle cannot be made; a damaged row could.
            if parts.len() > self.0.len() {
                return None;
            }
        }
        parts.reverse();
        Some(format!("/{}", parts.join("/")))
    }

    /// The API as the gateway serves it; none if there is no such API.
    pub(crate) fn compile(&self, api: &str) -> Result<Option<Api>, CannotServe> {
        let fail = |reason: String| CannotServe {
            api: api.to_owned(),
            reason,
        };
        let (kind, stages) = if let Some(rest_api) = self.rest_api(api) {
            (
                ApiKind::Rest,
                if rest_api.endpoint_disabled {
                    Ok(BTreeMap::new())
                } else {
                    self.rest_stages(api)
                },
            )
        } else if let Some(http_api) = self.http_api(api) {
            let disabled = http_api.endpoint_disabled;
            (
                ApiKind::Http,
                if disabled {
                    Ok(BTreeMap::new())
                } else {
                    self.http_stages(api, http_api)
                },
            )
        } else {
            return Ok(None);
        };
        let id = api
            .parse()
            .map_err(|error: tradewind_gateway::InvalidApiId| fail(error.to_string()))?;
        Ok(Some(Api {
            id,
            kind,
            stages: stages.map_err(fail)?,
        }))
    }

    /// The stages that deployments name, each with the latest of them, and those declared as such.
    fn rest_stages(&self, api: &str) -> Result<BTreeMap<String, Stage>, String> {
        let deployments: BTreeMap<&str, &Deployment> = self.deployments(api).collect();
        let mut by_sequence: Vec<_> = deployments.iter().collect();
        by_sequence.sort_by_key(|(_, deployment)| deployment.sequence);
        let mut stages = BTreeMap::new();
        for (id, deployment) in by_sequence {
            if let Some(name) = &deployment.stage_name {
                stages.insert(
                    name.clone(),
                    self.rest_stage(api, id, deployment, &deployment.stage_variables)?,
                );
            }
        }
        for (name, record) in self.records(api, RecordKind::Stage) {
            let Record::Stage(RestStage {
                deployment_id,
                variables,
                ..
            }) = record
            else {
                continue;
            };
            if let Some(deployment) = deployments.get(deployment_id.as_str()) {
                stages.insert(
                    name.to_owned(),
                    self.rest_stage(api, deployment_id, deployment, variables)?,
                );
            }
        }
        Ok(stages)
    }

    fn rest_stage(
        &self,
        api: &str,
        deployment_id: &str,
        deployment: &Deployment,
        variables: &BTreeMap<String, String>,
    ) -> Result<Stage, String> {
        let still_there = |deployed: &&DeployedMethod| self.get(&method_key(api, &deployed.method)).is_some();
        let routes = deployment.methods.iter().filter(still_there).map(rest_route);
        Ok(Stage {
            deployment_id: deployment_id.to_owned(),
            routes: routes.collect::<Result<_, _>>()?,
            cors: None,
            binary_media_types: deployment.binary_media_types.clone(),
            variables: variables.clone(),
        })
    }

    fn http_stages(&self, api: &str, http_api: &HttpApi) -> Result<BTreeMap<String, Stage>, String> {
        let mut stages = BTreeMap::new();
        for (name, record) in self.records(api, RecordKind::HttpStage) {
            let Record::HttpStage(stage) = record else {
                continue;
            };
            let routes = self
                .routes(api)
                .filter_map(|(_, route)| self.http_route(api, route).transpose());
            let stage = Stage {
                deployment_id: String::new(),
                routes: routes.collect::<Result<_, _>>()?,
                cors: http_api.cors.clone(),
                binary_media_types: Vec::new(),
                variables: stage.variables.clone(),
            };
            stages.insert(name.to_owned(), stage);
        }
        Ok(stages)
    }

    /// A route whose integration is there.
    fn http_route(&self, api: &str, route: &HttpRoute) -> Result<Option<Route>, String> {
        let Some(integration) = self.integration(api, &route.integration_id) else {
            return Ok(None);
        };
        Ok(Some(Route {
            key: route.route_key.parse().map_err(text)?,
            resource_id: String::new(),
            integration: Integration::Lambda(lambda(integration)?),
        }))
    }

    /// What every function answers, API by API.
    pub(crate) fn urls(&self) -> Vec<Url> {
        let apis = self.api_ids();
        apis.iter()
            .filter_map(|api| self.compile(api).ok().flatten())
            .flat_map(|api| urls_of(&api))
            .collect()
    }
}

/// Where the method of a resource is kept.
pub(crate) fn method_key(api: &str, method: &RestMethod) -> RecordKey {
    let id = format!("{}|{}", method.resource_id, method.http_method);
    RecordKey {
        api: api.to_owned(),
        kind: RecordKind::Method,
        id,
    }
}

fn rest_route(deployed: &DeployedMethod) -> Result<Route, String> {
    let method = &deployed.method;
    let key = RouteKey::Path(
        method.http_method.parse().map_err(text)?,
        deployed.path.parse().map_err(text)?,
    );
    let integration = match &method.integration {
        RestIntegration::Lambda(record) => Integration::Lambda(lambda(record)?),
        RestIntegration::Mock(record) => Integration::Mock(mock(record)?),
    };
    Ok(Route {
        key,
        resource_id: method.resource_id.clone(),
        integration,
    })
}

/// A function behind a route, as the gateway has it.
pub(crate) fn lambda(record: &LambdaRecord) -> Result<LambdaIntegration, String> {
    let payload_format = match record.payload_format.as_str() {
        "1.0" => PayloadFormat::V1,
        "2.0" => PayloadFormat::V2,
        other => return Err(format!("payload format `{other}` is unknown")),
    };
    Ok(LambdaIntegration {
        function: record.function.parse().map_err(text)?,
        payload_format,
        timeout: Duration::from_millis(record.timeout_ms),
    })
}

/// A fixed answer, as the gateway has it.
pub(crate) fn mock(record: &MockRecord) -> Result<MockReply, String> {
    let header = |(name, value): (&String, &String)| -> Result<_, String> {
        let value =
            HeaderValue::from_str(value).map_err(|_bad| format!("`{value}` is no value of a header"))?;
        Ok((name.parse::<HeaderName>().map_err(text)?, value))
    };
    let origins = record
        .origins
        .iter()
        .map(|regex| OriginPattern::from_regex(regex).map_err(text));
    Ok(MockReply {
        status: StatusCode::from_u16(record.status).map_err(text)?,
        headers: record.headers.iter().map(header).collect::<Result<_, _>>()?,
        origins: origins.collect::<Result<_, _>>()?,
    })
}

fn text(error: impl std::fmt::Display) -> String {
    error.to_string()
}

fn urls_of(api: &Api) -> Vec<Url> {
    let kind = match api.kind {
        ApiKind::Rest => UrlKind::Http,
        // URLs of functions are the Lambda service's; none is kept here
        ApiKind::Http | ApiKind::FunctionUrl(_) => UrlKind::HttpApi,
    };
    let mut urls = Vec::new();
    for (stage, routes) in &api.stages {
        for route in &routes.routes {
            let Integration::Lambda(lambda) = &route.integration else {
                continue;
            };
            let (method, path) = match &route.key {
                RouteKey::Default => ("ANY".to_owned(), "/{proxy+}".to_owned()),
                RouteKey::Path(method, path) => (method.to_string(), path.to_string()),
            };
            let function = lambda.function.clone();
            urls.push(Url {
                api_id: api.id.to_string(),
                kind,
                stage: stage.clone(),
                method,
                path,
                function,
            });
        }
    }
    urls
}
