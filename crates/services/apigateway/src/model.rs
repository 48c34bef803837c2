//! What is kept of each resource.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use tradewind_gateway::Cors;

/// The kinds of records; a kind is a CloudFormation type.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum RecordKind {
    RestApi,
    Resource,
    Method,
    Deployment,
    Stage,
    HttpApi,
    HttpStage,
    Integration,
    Route,
}

impl RecordKind {
    const ALL: [Self; 9] = [
        Self::RestApi,
        Self::Resource,
        Self::Method,
        Self::Deployment,
        Self::Stage,
        Self::HttpApi,
        Self::HttpStage,
        Self::Integration,
        Self::Route,
    ];

    /// The word for it in rows and messages.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::RestApi => "REST API",
            Self::Resource => "resource",
            Self::Method => "method",
            Self::Deployment => "deployment",
            Self::Stage => "stage",
            Self::HttpApi => "HTTP API",
            Self::HttpStage => "HTTP API stage",
            Self::Integration => "integration",
            Self::Route => "route",
        }
    }

    pub(crate) fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == text)
    }

    /// True for the two kinds that are APIs; the others are parts of one.
    pub(crate) fn is_api(self) -> bool {
        matches!(self, Self::RestApi | Self::HttpApi)
    }
}

/// The name of a record: its API, its kind, and its id in the API (an API's own id again).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct RecordKey {
    pub(crate) api: String,
    pub(crate) kind: RecordKind,
    pub(crate) id: String,
}

impl RecordKey {
    pub(crate) fn of_api(kind: RecordKind, id: &str) -> Self {
        Self {
            api: id.to_owned(),
            kind,
            id: id.to_owned(),
        }
    }

    /// The physical id: the API's id, or `api|id` of a part.
    pub(crate) fn physical_id(&self) -> String {
        if self.kind.is_api() {
            self.api.clone()
        } else {
            format!("{}|{}", self.api, self.id)
        }
    }

    /// The key that [`RecordKey::physical_id`] printed.
    pub(crate) fn parse(kind: RecordKind, physical_id: &str) -> Option<Self> {
        if kind.is_api() {
            return Some(Self::of_api(kind, physical_id));
        }
        let (api, id) = physical_id.split_once('|')?;
        Some(Self {
            api: api.to_owned(),
            kind,
            id: id.to_owned(),
        })
    }
}

/// A record of any kind.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "record")]
pub(crate) enum Record {
    RestApi(RestApi),
    Resource(RestResource),
    Method(RestMethod),
    Deployment(Deployment),
    Stage(RestStage),
    HttpApi(HttpApi),
    HttpStage(HttpStage),
    Integration(LambdaRecord),
    Route(HttpRoute),
}

/// `AWS::ApiGateway::RestApi`
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct RestApi {
    pub(crate) name: String,
    pub(crate) description: Option<String>,
    pub(crate) root_resource_id: String,
    pub(crate) binary_media_types: Vec<String>,
    pub(crate) endpoint_disabled: bool,
    pub(crate) tags: BTreeMap<String, String>,
}

/// `AWS::ApiGateway::Resource`
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct RestResource {
    pub(crate) parent_id: String,
    pub(crate) path_part: String,
}

/// `AWS::ApiGateway::Method`
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct RestMethod {
    pub(crate) resource_id: String,
    pub(crate) http_method: String,
    pub(crate) integration: RestIntegration,
}

/// The integration of a method.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) enum RestIntegration {
    Lambda(LambdaRecord),
    Mock(MockRecord),
}

/// A function behind a method or route; also `AWS::ApiGatewayV2::Integration`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct LambdaRecord {
    pub(crate) function: String,
    /// `1.0` or `2.0`
    pub(crate) payload_format: String,
    pub(crate) timeout_ms: u64,
}

/// A fixed answer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct MockRecord {
    pub(crate) status: u16,
    pub(crate) headers: BTreeMap<String, String>,
    /// Regular expressions of the origins that are answered as they came.
    pub(crate) origins: Vec<String>,
}

/// `AWS::ApiGateway::Deployment`: a copy of the methods.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Deployment {
    /// Later deployments of an API have larger numbers.
    pub(crate) sequence: u64,
    /// The stage it is for, when it names one itself.
    pub(crate) stage_name: Option<String>,
    pub(crate) stage_variables: BTreeMap<String, String>,
    pub(crate) binary_media_types: Vec<String>,
    pub(crate) methods: Vec<DeployedMethod>,
}

/// A method as it was deployed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct DeployedMethod {
    pub(crate) path: String,
    pub(crate) method: RestMethod,
}

/// `AWS::ApiGateway::Stage`
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct RestStage {
    pub(crate) deployment_id: String,
    pub(crate) variables: BTreeMap<String, String>,
    pub(crate) tags: BTreeMap<String, String>,
}

/// `AWS::ApiGatewayV2::Api`
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct HttpApi {
    pub(crate) name: String,
    pub(crate) description: Option<String>,
    pub(crate) cors: Option<Cors>,
    pub(crate) endpoint_disabled: bool,
    pub(crate) tags: BTreeMap<String, String>,
}

/// `AWS::ApiGatewayV2::Stage`, with `AutoDeploy`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct HttpStage {
    pub(crate) variables: BTreeMap<String, String>,
    pub(crate) tags: BTreeMap<String, String>,
}

/// `AWS::ApiGatewayV2::Route`
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct HttpRoute {
    pub(crate) route_key: String,
    pub(crate) integration_id: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn physical_ids_name_their_records() {
        for (kind, physical_id) in [
            (RecordKind::RestApi, "a1b2c3d4e5"),
            (RecordKind::Method, "a1b2c3d4e5|r1|GET"),
            (RecordKind::HttpStage, "a1b2c3d4e5|$default"),
        ] {
            let key = RecordKey::parse(kind, physical_id).unwrap();
            assert_eq!(
                (key.api.as_str(), key.physical_id().as_str()),
                ("a1b2c3d4e5", physical_id)
            );
        }
        assert_eq!(RecordKey::parse(RecordKind::Route, "a1b2c3d4e5"), None);
    }

    #[test]
    fn kinds_parse_as_they_print() {
        for kind in RecordKind::ALL {
            assert_eq!(RecordKind::parse(kind.as_str()), Some(kind));
        }
    }
}
