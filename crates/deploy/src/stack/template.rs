//! A template's sections, parsed once; what is wrong with them, all together.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;
use serde_json::{Map, Value};
use tradewind_model::resource::Properties;

/// CloudFormation quotas: resources in a template.
const MAX_RESOURCES: usize = 500;

/// Something wrong with a template, found before anything is changed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct TemplateProblem {
    /// The resource it is in; empty for the template as a whole.
    pub logical_id: String,
    /// Path below the resource, for example `["Properties", "Code", "ImageUri"]`.
    pub path: Vec<String>,
    /// What is wrong.
    pub message: String,
}

impl TemplateProblem {
    pub(crate) fn of_template(message: impl Into<String>) -> Self {
        Self {
            logical_id: String::new(),
            path: Vec::new(),
            message: message.into(),
        }
    }

    pub(crate) fn of_resource(logical_id: &str, path: &[&str], message: impl Into<String>) -> Self {
        let path = path.iter().map(|&part| part.to_owned()).collect();
        Self {
            logical_id: logical_id.to_owned(),
            path,
            message: message.into(),
        }
    }
}

/// What becomes of a resource that leaves the template.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum DeletionPolicy {
    #[default]
    Delete,
    Retain,
}

impl DeletionPolicy {
    fn parse(value: Option<&Value>) -> Result<Self, String> {
        match value.map(|v| v.as_str().unwrap_or_default()) {
            None | Some("Delete") => Ok(Self::Delete),
            Some("Retain" | "RetainExceptOnCreate") => Ok(Self::Retain),
            Some(other) => Err(format!("`{other}` is not supported; use Delete or Retain")),
        }
    }
}

/// One entry of `Resources`.
#[derive(Clone, Debug)]
pub(crate) struct ResourceDeclaration {
    pub(crate) logical_id: String,
    pub(crate) resource_type: String,
    pub(crate) properties: Properties,
    pub(crate) depends_on: Vec<String>,
    pub(crate) condition: Option<String>,
    pub(crate) deletion_policy: DeletionPolicy,
    /// The same for one that is replaced.
    pub(crate) update_replace_policy: DeletionPolicy,
}

/// A parsed template.
#[derive(Clone, Debug)]
pub(crate) struct ParsedTemplate {
    pub(crate) resources: Vec<ResourceDeclaration>,
    pub(crate) parameters: BTreeMap<String, Value>,
    pub(crate) mappings: Map<String, Value>,
    pub(crate) conditions: Map<String, Value>,
    pub(crate) outputs: Map<String, Value>,
}

const SECTIONS: [&str; 9] = [
    "AWSTemplateFormatVersion",
    "Description",
    "Metadata",
    "Parameters",
    "Mappings",
    "Conditions",
    "Resources",
    "Outputs",
    "Rules",
];

impl ParsedTemplate {
    /// Parses the sections; `given` are the parameter values of the call.
    pub(crate) fn parse(
        template: &Value,
        given: &BTreeMap<String, String>,
    ) -> Result<Self, Vec<TemplateProblem>> {
        let mut problems = Vec::new();
        let Some(template) = template.as_object() else {
            return Err(vec![TemplateProblem::of_template(
                "the template is not a mapping",
            )]);
        };
        refuse_sections(template, &mut problems);
        let parsed = Self {
            resources: resources(template, &mut problems),
            parameters: parameters(template, given, &mut problems),
            mappings: section(template, "Mappings"),
            conditions: section(template, "Conditions"),
            outputs: section(template, "Outputs"),
        };
        if problems.is_empty() {
            Ok(parsed)
        } else {
            Err(problems)
        }
    }
}

fn section(template: &Map<String, Value>, name: &str) -> Map<String, Value> {
    template
        .get(name)
        .and_then(Value::as_object)
        .cloned()
        .unwrap_or_default()
}

fn refuse_sections(template: &Map<String, Value>, problems: &mut Vec<TemplateProblem>) {
    for (name, value) in template {
        if !SECTIONS.contains(&name.as_str()) {
            problems.push(TemplateProblem::of_template(format!(
                "section `{name}` is not supported"
            )));
        } else if name == "Rules" && value.as_object().is_some_and(|rules| !rules.is_empty()) {
            problems.push(TemplateProblem::of_template(
                "section `Rules` is not supported yet",
            ));
        }
    }
}

fn resources(template: &Map<String, Value>, problems: &mut Vec<TemplateProblem>) -> Vec<ResourceDeclaration> {
    let resources = section(template, "Resources");
    if resources.is_empty() {
        problems.push(TemplateProblem::of_template("the template has no resources"));
    }
    if resources.len() > MAX_RESOURCES {
        let message = format!(
            "the template has {} resources; the limit is {MAX_RESOURCES}",
            resources.len()
        );
        problems.push(TemplateProblem::of_template(message));
    }
    let mut declarations = Vec::with_capacity(resources.len());
    for (logical_id, body) in &resources {
        match declaration(logical_id, body) {
            Ok(declaration) => declarations.push(declaration),
            Err(problem) => problems.push(problem),
        }
    }
    check_dependencies(&declarations, problems);
    declarations
}

fn declaration(logical_id: &str, body: &Value) -> Result<ResourceDeclaration, TemplateProblem> {
    let problem = |path: &[&str], message: String| TemplateProblem::of_resource(logical_id, path, message);
    if logical_id.is_empty() || !logical_id.bytes().all(|b| b.is_ascii_alphanumeric()) {
        return Err(problem(
            &[],
            format!("logical id `{logical_id}` must be letters and digits"),
        ));
    }
    let Some(body) = body.as_object() else {
        return Err(problem(&[], "the resource is not a mapping".into()));
    };
    let Some(resource_type) = body.get("Type").and_then(Value::as_str) else {
        return Err(problem(&["Type"], "the resource has no `Type`".into()));
    };
    let properties = match body.get("Properties") {
        None | Some(Value::Null) => Map::new(),
        Some(Value::Object(properties)) => properties.clone(),
        Some(_) => return Err(problem(&["Properties"], "`Properties` is not a mapping".into())),
    };
    refuse_attributes(logical_id, body)?;
    Ok(ResourceDeclaration {
        logical_id: logical_id.to_owned(),
        resource_type: resource_type.to_owned(),
        properties,
        depends_on: depends_on(body.get("DependsOn")).map_err(|m| problem(&["DependsOn"], m))?,
        condition: body.get("Condition").and_then(Value::as_str).map(str::to_owned),
        deletion_policy: DeletionPolicy::parse(body.get("DeletionPolicy"))
            .map_err(|m| problem(&["DeletionPolicy"], m))?,
        update_replace_policy: DeletionPolicy::parse(body.get("UpdateReplacePolicy"))
            .map_err(|m| problem(&["UpdateReplacePolicy"], m))?,
    })
}

fn refuse_attributes(logical_id: &str, body: &Map<String, Value>) -> Result<(), TemplateProblem> {
    const KNOWN: [&str; 7] = [
        "Type",
        "Properties",
        "DependsOn",
        "Condition",
        "DeletionPolicy",
        "UpdateReplacePolicy",
        "Metadata",
    ];
    for name in body.keys() {
        if !KNOWN.contains(&name.as_str()) {
            let message = format!("resource attribute `{name}` is not supported");
            return Err(TemplateProblem::of_resource(logical_id, &[name], message));
        }
    }
    Ok(())
}

fn depends_on(value: Option<&Value>) -> Result<Vec<String>, String> {
    let not_text = || "`DependsOn` is a logical id or a list of them".to_owned();
    match value {
        None | Some(Value::Null) => Ok(Vec::new()),
        Some(Value::String(id)) => Ok(vec![id.clone()]),
        Some(Value::Array(ids)) => ids
            .iter()
            .map(|id| id.as_str().map(str::to_owned).ok_or_else(not_text))
            .collect(),
        Some(_) => Err(not_text()),
    }
}

fn check_dependencies(declarations: &[ResourceDeclaration], problems: &mut Vec<TemplateProblem>) {
    let known: BTreeSet<&str> = declarations.iter().map(|d| d.logical_id.as_str()).collect();
    for declaration in declarations {
        for dependency in &declaration.depends_on {
            if !known.contains(dependency.as_str()) {
                let message = format!("`DependsOn` names `{dependency}`, which is not in the template");
                problems.push(TemplateProblem::of_resource(
                    &declaration.logical_id,
                    &["DependsOn"],
                    message,
                ));
            }
        }
    }
}

fn parameters(
    template: &Map<String, Value>,
    given: &BTreeMap<String, String>,
    problems: &mut Vec<TemplateProblem>,
) -> BTreeMap<String, Value> {
    let declared = section(template, "Parameters");
    for name in given.keys().filter(|name| !declared.contains_key(*name)) {
        problems.push(TemplateProblem::of_template(format!(
            "parameter `{name}` is not in the template"
        )));
    }
    let mut values = BTreeMap::new();
    for (name, declaration) in &declared {
        match parameter(name, declaration, given.get(name)) {
            Ok(value) => drop(values.insert(name.clone(), value)),
            Err(message) => problems.push(TemplateProblem::of_template(message)),
        }
    }
    values
}

fn parameter(name: &str, declaration: &Value, given: Option<&String>) -> Result<Value, String> {
    let kind = declaration
        .get("Type")
        .and_then(Value::as_str)
        .unwrap_or("String");
    if kind.starts_with("AWS::SSM::Parameter") {
        return Err(format!("parameter `{name}`: type `{kind}` is not supported yet"));
    }
    let text = match (given, declaration.get("Default")) {
        (Some(text), _) => text.clone(),
        (None, Some(Value::String(text))) => text.clone(),
        (None, Some(default @ (Value::Number(_) | Value::Bool(_)))) => default.to_string(),
        (None, Some(_)) => return Err(format!("parameter `{name}`: `Default` is not a text or number")),
        (None, None) => return Err(format!("Parameters: [{name}] must have values")),
    };
    check_parameter(name, declaration, kind, &text)?;
    if kind == "CommaDelimitedList" || kind.starts_with("List<") {
        return Ok(text.split(',').map(|item| Value::from(item.trim())).collect());
    }
    Ok(Value::String(text))
}

fn check_parameter(name: &str, declaration: &Value, kind: &str, text: &str) -> Result<(), String> {
    if kind == "Number" && text.parse::<f64>().is_err() {
        return Err(format!("parameter `{name}`: `{text}` is not a number"));
    }
    let allowed = declaration.get("AllowedValues").and_then(Value::as_array);
    let matches = |value: &Value| {
        let printed = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        printed == text
    };
    if allowed.is_some_and(|values| !values.iter().any(matches)) {
        return Err(format!(
            "parameter `{name}`: `{text}` is not one of its allowed values"
        ));
    }
    if let Some(pattern) = declaration.get("AllowedPattern").and_then(Value::as_str) {
        let whole = regex::Regex::new(&format!("^(?:{pattern})$"))
            .map_err(|error| format!("parameter `{name}`: `AllowedPattern` cannot be read: {error}"))?;
        if !whole.is_match(text) {
            return Err(format!("parameter `{name}`: `{text}` does not match `{pattern}`"));
        }
    }
    check_bounds(name, declaration, text)
}

fn check_bounds(name: &str, declaration: &Value, text: &str) -> Result<(), String> {
    let bound = |key: &str| {
        let value = declaration.get(key)?;
        value.as_f64().or_else(|| value.as_str()?.parse().ok())
    };
    let length = text.chars().count() as f64;
    let number = text.parse::<f64>().ok();
    let too_small = bound("MinLength").is_some_and(|min| length < min)
        || bound("MinValue").zip(number).is_some_and(|(min, n)| n < min);
    let too_large = bound("MaxLength").is_some_and(|max| length > max)
        || bound("MaxValue").zip(number).is_some_and(|(max, n)| n > max);
    if too_small || too_large {
        return Err(format!("parameter `{name}`: `{text}` is outside its bounds"));
    }
    Ok(())
}
