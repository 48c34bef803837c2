//! `AWS::Events::Rule`.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};
use tradewind_model::resource::{
    KnownProperties, Properties, PropertyProblem, ResourceContext, ResourceError, ResourceHandler,
    ResourceState, is_intrinsic, problem,
};

use super::{document, request};
use crate::api::RuleRequest;
use crate::error::EventBridgeError;
use crate::model::RuleDefinition;
use crate::names::{BusArn, Name};
use crate::service::EventBridgeService;
use crate::target::{MAX_TARGETS, TARGET_MEMBERS, TargetDefinition, unsupported};

const ACCEPTED: &[&str] = &[
    "Description",
    "EventBusName",
    "EventPattern",
    "Name",
    "RoleArn",
    "ScheduleExpression",
    "State",
    "Tags",
    "Targets",
];
const MAX_NAME: usize = 64;

/// Rules of stacks.
#[derive(Debug)]
pub(crate) struct RuleType {
    service: EventBridgeService,
}

impl RuleType {
    pub(crate) fn new(service: EventBridgeService) -> Self {
        Self { service }
    }

    /// Makes the rule, or brings the one that this resource has to its properties.
    async fn put(
        &self,
        context: &ResourceContext,
        name: String,
        properties: &Properties,
    ) -> Result<ResourceState, ResourceError> {
        let mut properties = properties.clone();
        if let Some(pattern) = properties.get("EventPattern").and_then(document) {
            properties.insert("EventPattern".into(), pattern.into());
        }
        let targets = self.targets(properties.remove("Targets"))?;
        let mut wanted: RuleRequest = request(&properties)?;
        wanted.name = Some(name);
        let bus = BusArn::parse(
            wanted.event_bus_name.as_deref(),
            &context.account,
            &context.region,
        )?;
        let owner = Some(context.owner());
        let definition = RuleDefinition {
            targets,
            owner: owner.clone(),
            ..wanted.parse(bus)?
        };
        let _changing = self.service.changing().await;
        let existing = self
            .service
            .registry(|registry| registry.rule(&definition.bus, &definition.name));
        if existing.is_some_and(|rule| rule.definition.owner != owner) {
            let name = definition.name.to_string();
            return Err(EventBridgeError::OfAnother { kind: "rule", name }.into());
        }
        let state = state(&definition);
        self.service.store_rule(definition).await?;
        Ok(state)
    }

    fn targets(&self, given: Option<Value>) -> Result<BTreeMap<Name, TargetDefinition>, ResourceError> {
        let wrong = |error| ResourceError::Invalid {
            message: format!("property `Targets` must be a list of targets: {error}"),
        };
        let given = given
            .filter(|given| !given.is_null())
            .unwrap_or_else(|| json!([]));
        let given: Vec<TargetDefinition> = serde_json::from_value(given).map_err(wrong)?;
        if given.len() > MAX_TARGETS {
            return Err(ResourceError::Invalid {
                message: format!("property `Targets`: a rule has at most {MAX_TARGETS} targets"),
            });
        }
        let parsed = given.into_iter().map(|target| self.service.parse_target(target));
        Ok(parsed.collect::<Result<_, _>>()?)
    }
}

impl ResourceHandler for RuleType {
    fn type_name(&self) -> &'static str {
        "AWS::Events::Rule"
    }

    fn known_properties(&self) -> KnownProperties {
        const OTHERS: &str = "this node has no targets of that kind";
        const REFUSED: &[(&str, &str)] = &[
            ("AppSyncParameters", OTHERS),
            ("BatchParameters", OTHERS),
            ("EcsParameters", OTHERS),
            ("RedshiftDataParameters", OTHERS),
            ("RunCommandParameters", OTHERS),
            ("SageMakerPipelineParameters", OTHERS),
        ];
        KnownProperties::new(ACCEPTED).refusing("Targets", REFUSED)
    }

    fn check(&self, properties: &Properties) -> Vec<PropertyProblem> {
        let mut problems = self.known_properties().check(properties);
        let targets = properties
            .get("Targets")
            .and_then(Value::as_array)
            .into_iter()
            .flatten();
        for (index, target) in targets.enumerate().filter(|(_, target)| !is_intrinsic(target)) {
            let members = target.as_object().into_iter().flat_map(Map::keys);
            let unknown = members.filter(|member| !TARGET_MEMBERS.contains(&member.as_str()));
            problems.extend(unknown.map(|member| {
                let reason = unsupported(member);
                let text = format!("property `{member}` of a target is not supported by this node: {reason}");
                problem(&["Targets", &index.to_string(), member], text)
            }));
        }
        problems
    }

    fn replaced_by(&self) -> &'static [&'static str] {
        &["EventBusName", "Name"]
    }

    async fn create(
        &self,
        context: &ResourceContext,
        properties: &Properties,
    ) -> Result<ResourceState, ResourceError> {
        let name = tradewind_model::resource::optional_text(properties, "Name")?;
        let name = name.unwrap_or_else(|| context.generated_name_within(MAX_NAME));
        self.put(context, name, properties).await
    }

    async fn update(
        &self,
        context: &ResourceContext,
        current: &ResourceState,
        properties: &Properties,
    ) -> Result<ResourceState, ResourceError> {
        let (_, name) = split(&current.physical_id);
        self.put(context, name.to_owned(), properties).await
    }

    async fn delete(&self, context: &ResourceContext, current: &ResourceState) -> Result<(), ResourceError> {
        let (bus, name) = split(&current.physical_id);
        let bus = BusArn::parse(bus, &context.account, &context.region)?;
        let name = Name::parse(Some(name.to_owned()), "name", MAX_NAME)?;
        let _changing = self.service.changing().await;
        let rule = self.service.registry(|registry| registry.rule(&bus, &name));
        match rule.filter(|rule| rule.definition.owner == Some(context.owner())) {
            Some(rule) => Ok(self.service.remove_rule(&rule).await?),
            None => Ok(()),
        }
    }
}

/// The bus, unless it is the default one, and the name in a physical id.
fn split(id: &str) -> (Option<&str>, &str) {
    match id.rsplit_once('|') {
        Some((bus, name)) => (Some(bus), name),
        None => (None, id),
    }
}

fn state(rule: &RuleDefinition) -> ResourceState {
    let id = if rule.bus.is_default() {
        rule.name.to_string()
    } else {
        format!("{}|{}", rule.bus.name, rule.name)
    };
    ResourceState {
        physical_id: id,
        reference: None,
        attributes: Map::from_iter([("Arn".into(), json!(rule.bus.rule(&rule.name)))]),
    }
}
