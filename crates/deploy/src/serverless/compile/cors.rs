//! The OPTIONS methods that answer browsers' preflight requests, one for each path with CORS.

use serde_json::{Map, Value, json};

use crate::serverless::model::{Cors, HttpEvent};

/// What `ANY` stands for in `Access-Control-Allow-Methods`.
const ANY: &str = "DELETE,GET,HEAD,PATCH,POST,PUT";

/// The settings of one path, merged over its events: what comes later counts first.
#[derive(Clone, Debug, Default)]
pub(super) struct Preflight {
    pub(super) path: String,
    origin: Option<String>,
    origins: Vec<String>,
    headers: Vec<String>,
    methods: Vec<String>,
    credentials: bool,
    max_age: Option<u64>,
    cache_control: Option<String>,
}

/// The preflight settings of every path that has any, in the order of the events.
pub(super) fn preflights<'e>(events: impl Iterator<Item = &'e HttpEvent>) -> Vec<Preflight> {
    let mut preflights: Vec<Preflight> = Vec::new();
    for event in events {
        let Some(cors) = &event.cors else { continue };
        match preflights.iter_mut().find(|known| known.path == event.path) {
            Some(known) => known.merge(cors, &event.method),
            None => {
                let mut new = Preflight {
                    path: event.path.clone(),
                    ..Preflight::default()
                };
                new.merge(cors, &event.method);
                preflights.push(new);
            }
        }
    }
    preflights
}

impl Preflight {
    fn merge(&mut self, cors: &Cors, method: &str) {
        let mut methods = cors.methods.clone();
        for method in ["OPTIONS", method] {
            if !methods.iter().any(|known| known == method) {
                methods.push(method.to_owned());
            }
        }
        self.methods = union(methods, &self.methods);
        self.headers = union(cors.headers.clone(), &self.headers);
        let listed = cors.origin.as_deref().filter(|origin| origin.contains(','));
        let origins = match listed {
            Some(list) => list.split(',').map(|origin| origin.trim().to_owned()).collect(),
            None => cors.origins.clone(),
        };
        self.origins = union(origins, &self.origins);
        self.origin = cors.origin.clone().or(self.origin.take());
        self.credentials |= cors.credentials;
        self.max_age = cors.max_age.or(self.max_age);
        self.cache_control = cors.cache_control.clone().or(self.cache_control.take());
    }

    /// `AWS::ApiGateway::Method` properties, but for the resource and the API.
    pub(super) fn properties(&self) -> Map<String, Value> {
        let headers = self.response_headers();
        let declared: Map<String, Value> = headers
            .keys()
            .map(|name| (name.clone(), Value::Bool(true)))
            .collect();
        let method = json!({
            "AuthorizationType": "NONE",
            "HttpMethod": "OPTIONS",
            "MethodResponses": [
                {"StatusCode": "200", "ResponseParameters": declared, "ResponseModels": {}},
            ],
            "RequestParameters": {},
            "Integration": {
                "Type": "MOCK",
                "RequestTemplates": {"application/json": "{statusCode:200}"},
                "ContentHandling": "CONVERT_TO_TEXT",
                "IntegrationResponses": [
                    {
                        "StatusCode": "200",
                        "ResponseParameters": headers,
                        "ResponseTemplates": {"application/json": self.template()},
                    },
                ],
            },
        });
        match method {
            Value::Object(properties) => properties,
            _ => Map::new(),
        }
    }

    fn response_headers(&self) -> Map<String, Value> {
        let mut headers = Map::new();
        let mut set = |name: &str, value: &str| {
            headers.insert(
                format!("method.response.header.{name}"),
                format!("'{value}'").into(),
            );
        };
        let origin = self.origins.first().or(self.origin.as_ref());
        set("Access-Control-Allow-Origin", origin.map_or("*", String::as_str));
        set("Access-Control-Allow-Headers", &self.headers.join(","));
        set(
            "Access-Control-Allow-Methods",
            &self.methods.join(",").replace("ANY", ANY),
        );
        if self.credentials {
            set("Access-Control-Allow-Credentials", "true");
        }
        if let Some(seconds) = self.max_age {
            set("Access-Control-Max-Age", &seconds.to_string());
        }
        if let Some(cache_control) = &self.cache_control {
            set("Cache-Control", cache_control);
        }
        headers
    }

    /// With several origins, a template that answers with the caller's own if it is one of them.
    fn template(&self) -> String {
        if self.origins.is_empty() {
            return String::new();
        }
        let pattern = |origin: &String| origin.replace('.', "[.]").replace('*', ".+");
        let matches: Vec<String> = self
            .origins
            .iter()
            .map(|origin| format!("$origin.matches(\"{}\")", pattern(origin)))
            .collect();
        [
            "#set($origin = $input.params(\"Origin\"))\n".to_owned(),
            "#if($origin == \"\") #set($origin = $input.params(\"origin\")) #end\n".to_owned(),
            format!("#if({}) ", matches.join(" || ")),
            "#set($context.responseOverride.header.Access-Control-Allow-Origin = $origin) #end".to_owned(),
        ]
        .concat()
    }
}

/// The new values, then the old ones that are not among them.
fn union(new: Vec<String>, old: &[String]) -> Vec<String> {
    let mut all: Vec<String> = Vec::new();
    for value in new.iter().chain(old) {
        if !all.contains(value) {
            all.push(value.clone());
        }
    }
    all
}
