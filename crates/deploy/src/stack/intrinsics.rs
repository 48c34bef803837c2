//! Intrinsic functions: what `Ref`, `Fn::GetAtt`, `Fn::Sub` and the others stand for
//! (CloudFormation User Guide, "Intrinsic function reference").

use std::collections::BTreeMap;

use base64::Engine as _;
use serde_json::{Map, Value};
use tradewind_model::resource::ResourceState;
use tradewind_model::{AccountId, Region};

use super::dynamic;
use super::model::StackName;
use super::template::ParsedTemplate;

/// A value that cannot be resolved; the text goes to the user.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub(crate) struct ResolveError(pub(crate) String);

/// Everything a value may refer to.
#[derive(Debug)]
pub(crate) struct Scope<'a> {
    pub(crate) stack: &'a StackName,
    pub(crate) account: &'a AccountId,
    pub(crate) region: &'a Region,
    pub(crate) template: &'a ParsedTemplate,
    /// Exports of other stacks, for `Fn::ImportValue`.
    pub(crate) exports: &'a BTreeMap<String, String>,
    /// Resources that exist by now.
    pub(crate) resources: &'a BTreeMap<String, ResourceState>,
}

/// What `Ref` and `Fn::Sub` name without the template declaring it (User Guide, "Pseudo parameters reference").
pub(crate) const PSEUDO_PARAMETERS: [&str; 8] = [
    "AWS::AccountId",
    "AWS::NotificationARNs",
    "AWS::NoValue",
    "AWS::Partition",
    "AWS::Region",
    "AWS::StackId",
    "AWS::StackName",
    "AWS::URLSuffix",
];

/// Conditions that were looked at while one question was answered: each once, however often it is named.
#[derive(Debug, Default)]
struct Conditions {
    known: BTreeMap<String, bool>,
    /// Those that wait for their answer.
    open: Vec<String>,
}

type Resolved = Result<Option<Value>, ResolveError>;

fn error<T>(message: impl Into<String>) -> Result<T, ResolveError> {
    Err(ResolveError(message.into()))
}

impl Scope<'_> {
    /// The properties with every function replaced; those that are `AWS::NoValue` are left out.
    pub(crate) fn resolve_map(&self, map: &Map<String, Value>) -> Result<Map<String, Value>, ResolveError> {
        let mut resolved = Map::with_capacity(map.len());
        for (key, value) in map {
            if let Some(value) = self.resolve(value)? {
                resolved.insert(key.clone(), value);
            }
        }
        Ok(resolved)
    }

    /// The value with every function replaced; none for `AWS::NoValue`. Dynamic references stay ([`dynamic`]).
    pub(crate) fn resolve(&self, value: &Value) -> Resolved {
        match value {
            Value::Null | Value::Bool(_) | Value::Number(_) => Ok(Some(value.clone())),
            Value::String(text) => {
                dynamic::check(text)?;
                Ok(Some(value.clone()))
            }
            Value::Array(items) => {
                let resolved: Result<Vec<_>, _> = items.iter().map(|item| self.resolve(item)).collect();
                Ok(Some(resolved?.into_iter().flatten().collect()))
            }
            Value::Object(map) => self.resolve_object(map),
        }
    }

    fn resolve_object(&self, map: &Map<String, Value>) -> Resolved {
        let single = map.iter().next().filter(|_| map.len() == 1);
        match single {
            Some((name, argument)) if name == "Ref" || name.starts_with("Fn::") => self.call(name, argument),
            Some((name, Value::String(condition))) if name == "Condition" => {
                Ok(Some(Value::Bool(self.condition(condition)?)))
            }
            _ => Ok(Some(Value::Object(self.resolve_map(map)?))),
        }
    }

    fn call(&self, name: &str, argument: &Value) -> Resolved {
        match name {
            "Ref" => self.reference(text_of(name, argument)?),
            "Fn::GetAtt" => self.get_att(argument).map(Some),
            "Fn::Sub" => self.sub(argument).map(Some),
            "Fn::Join" => self.join(argument).map(Some),
            "Fn::Split" => self.split(argument).map(Some),
            "Fn::Select" => self.select(argument).map(Some),
            "Fn::Base64" => {
                let text = self.text(name, argument)?;
                Ok(Some(
                    base64::engine::general_purpose::STANDARD.encode(text).into(),
                ))
            }
            "Fn::FindInMap" => self.find_in_map(argument).map(Some),
            "Fn::ImportValue" => self.import(argument).map(Some),
            "Fn::GetAZs" => Ok(Some(Value::from(vec![format!("{}a", self.region)]))),
            "Fn::ToJsonString" => {
                let value = self.resolve(argument)?.unwrap_or(Value::Null);
                Ok(Some(Value::String(value.to_string())))
            }
            "Fn::Length" => Ok(Some(Value::from(self.list(name, argument)?.len()))),
            "Fn::If" => self.choose(argument),
            "Fn::Equals" | "Fn::And" | "Fn::Or" | "Fn::Not" => {
                let test = one(name, argument);
                Ok(Some(Value::Bool(self.test(&test, &mut Conditions::default())?)))
            }
            other => error(format!("function `{other}` is not supported")),
        }
    }

    fn reference(&self, id: &str) -> Resolved {
        if id == "AWS::NoValue" {
            return Ok(None);
        }
        if let Some(value) = self.pseudo_parameter(id) {
            return Ok(Some(value));
        }
        if let Some(value) = self.template.parameters.get(id) {
            return Ok(Some(value.clone()));
        }
        match self.resources.get(id) {
            Some(state) => {
                let reference = state.reference.as_ref().unwrap_or(&state.physical_id);
                Ok(Some(Value::String(reference.clone())))
            }
            None => error(format!("`Ref` names `{id}`, which does not exist")),
        }
    }

    fn pseudo_parameter(&self, id: &str) -> Option<Value> {
        let text = match id {
            "AWS::AccountId" => self.account.to_string(),
            "AWS::Region" => self.region.to_string(),
            "AWS::Partition" => "aws".to_owned(),
            "AWS::URLSuffix" => "amazonaws.com".to_owned(),
            "AWS::StackName" => self.stack.to_string(),
            "AWS::StackId" => stack_id(self.stack, self.account, self.region),
            "AWS::NotificationARNs" => return Some(Value::Array(Vec::new())),
            _ => return None,
        };
        Some(Value::String(text))
    }

    fn get_att(&self, argument: &Value) -> Result<Value, ResolveError> {
        let (id, attribute) = match argument {
            Value::String(text) => match text.split_once('.') {
                Some((id, attribute)) => (id.to_owned(), attribute.to_owned()),
                None => return error(format!("`Fn::GetAtt: {text}` names no attribute")),
            },
            Value::Array(parts) if parts.len() == 2 => (
                text_of("Fn::GetAtt", &parts[0])?.to_owned(),
                self.text("Fn::GetAtt", &parts[1])?,
            ),
            _ => return error("`Fn::GetAtt` takes a logical id and an attribute"),
        };
        self.attribute(&id, &attribute)
    }

    fn attribute(&self, id: &str, attribute: &str) -> Result<Value, ResolveError> {
        let Some(state) = self.resources.get(id) else {
            return error(format!("`Fn::GetAtt` names `{id}`, which does not exist"));
        };
        match state.attributes.get(attribute) {
            Some(value) => Ok(value.clone()),
            None => error(format!("resource `{id}` has no attribute `{attribute}`")),
        }
    }

    fn sub(&self, argument: &Value) -> Result<Value, ResolveError> {
        let (template, variables) = match argument {
            Value::String(template) => (template, Map::new()),
            Value::Array(parts) => match parts.as_slice() {
                [Value::String(template), Value::Object(variables)] => {
                    (template, self.resolve_map(variables)?)
                }
                _ => return error("`Fn::Sub` takes a text, or a text and a mapping"),
            },
            _ => return error("`Fn::Sub` takes a text, or a text and a mapping"),
        };
        let mut text = String::with_capacity(template.len());
        for piece in sub_pieces(template) {
            match piece {
                SubPiece::Literal(literal) => text.push_str(literal),
                SubPiece::Escaped(name) => {
                    text.push_str("${");
                    text.push_str(name);
                    text.push('}');
                }
                SubPiece::Variable(name) => text.push_str(&self.sub_variable(name, &variables)?),
            }
        }
        Ok(Value::String(text))
    }

    fn sub_variable(&self, name: &str, variables: &Map<String, Value>) -> Result<String, ResolveError> {
        if let Some(value) = variables.get(name) {
            return plain("Fn::Sub", value);
        }
        let value = match name.split_once('.') {
            Some((id, attribute)) => Some(self.attribute(id, attribute)?),
            None => self.reference(name)?,
        };
        plain("Fn::Sub", &value.unwrap_or_default())
    }

    fn join(&self, argument: &Value) -> Result<Value, ResolveError> {
        let [delimiter, list] = pair("Fn::Join", argument)?;
        let delimiter = self.text("Fn::Join", delimiter)?;
        let items: Result<Vec<String>, _> = self
            .list("Fn::Join", list)?
            .iter()
            .map(|item| plain("Fn::Join", item))
            .collect();
        Ok(Value::String(items?.join(&delimiter)))
    }

    fn split(&self, argument: &Value) -> Result<Value, ResolveError> {
        let [delimiter, text] = pair("Fn::Split", argument)?;
        let (delimiter, text) = (self.text("Fn::Split", delimiter)?, self.text("Fn::Split", text)?);
        Ok(text.split(delimiter.as_str()).map(Value::from).collect())
    }

    fn select(&self, argument: &Value) -> Result<Value, ResolveError> {
        let [index, list] = pair("Fn::Select", argument)?;
        let index = self.text("Fn::Select", index)?;
        let items = self.list("Fn::Select", list)?;
        let position: Option<usize> = index.parse().ok();
        match position.and_then(|i| items.get(i)) {
            Some(value) => Ok(value.clone()),
            None => error(format!(
                "`Fn::Select` has no item {index} in a list of {}",
                items.len()
            )),
        }
    }

    fn find_in_map(&self, argument: &Value) -> Result<Value, ResolveError> {
        let Some([map, first, second]) = argument
            .as_array()
            .and_then(|a| <&[Value; 3]>::try_from(a.as_slice()).ok())
        else {
            return error("`Fn::FindInMap` takes a map, a first and a second key");
        };
        let keys = [map, first, second].map(|key| self.text("Fn::FindInMap", key));
        let [map, first, second] = keys;
        let (map, first, second) = (map?, first?, second?);
        let found = self
            .template
            .mappings
            .get(&map)
            .and_then(|m| m.get(&first))
            .and_then(|m| m.get(&second));
        match found {
            Some(value) => Ok(value.clone()),
            None => error(format!("`Fn::FindInMap` finds nothing at {map}.{first}.{second}")),
        }
    }

    fn import(&self, argument: &Value) -> Result<Value, ResolveError> {
        let name = self.text("Fn::ImportValue", argument)?;
        match self.exports.get(&name) {
            Some(value) => Ok(Value::String(value.clone())),
            None => error(format!("No export named {name} found")),
        }
    }

    fn choose(&self, argument: &Value) -> Resolved {
        let Some([condition, yes, no]) = argument
            .as_array()
            .and_then(|a| <&[Value; 3]>::try_from(a.as_slice()).ok())
        else {
            return error("`Fn::If` takes a condition and two values");
        };
        let holds = self.condition(text_of("Fn::If", condition)?)?;
        self.resolve(if holds { yes } else { no })
    }

    /// Whether the named condition holds.
    pub(crate) fn condition(&self, name: &str) -> Result<bool, ResolveError> {
        self.named(name, &mut Conditions::default())
    }

    fn named(&self, name: &str, conditions: &mut Conditions) -> Result<bool, ResolveError> {
        if let Some(holds) = conditions.known.get(name) {
            return Ok(*holds);
        }
        let Some(condition) = self.template.conditions.get(name) else {
            return error(format!("condition `{name}` is not in the template"));
        };
        if conditions.open.iter().any(|open| open == name) {
            return error(format!("condition `{name}` refers to itself"));
        }
        conditions.open.push(name.to_owned());
        let holds = self.test(condition, conditions)?;
        conditions.open.pop();
        conditions.known.insert(name.to_owned(), holds);
        Ok(holds)
    }

    fn test(&self, condition: &Value, conditions: &mut Conditions) -> Result<bool, ResolveError> {
        let not_a_condition = || ResolveError(format!("`{condition}` is not a condition"));
        let map = condition
            .as_object()
            .filter(|map| map.len() == 1)
            .ok_or_else(not_a_condition)?;
        let (name, argument) = map.iter().next().ok_or_else(not_a_condition)?;
        if name == "Condition" {
            return self.named(text_of(name, argument)?, conditions);
        }
        let arguments = argument.as_array().ok_or_else(not_a_condition)?;
        let mut tests = arguments.iter().map(|argument| self.test(argument, conditions));
        match (name.as_str(), arguments.as_slice()) {
            ("Fn::Equals", [left, right]) => Ok(self.comparable(left)? == self.comparable(right)?),
            ("Fn::Not", [_]) => Ok(!tests.next().unwrap_or(Ok(true))?),
            ("Fn::And", [_, ..]) => tests.try_fold(true, |all, test| Ok(all && test?)),
            ("Fn::Or", [_, ..]) => tests.try_fold(false, |any, test| Ok(any || test?)),
            _ => Err(not_a_condition()),
        }
    }

    /// Equality compares texts: `1` equals `"1"`.
    fn comparable(&self, value: &Value) -> Result<Value, ResolveError> {
        let value = self.resolve(value)?.unwrap_or(Value::Null);
        Ok(match value {
            Value::Number(_) | Value::Bool(_) => Value::String(value.to_string()),
            Value::Null | Value::String(_) | Value::Array(_) | Value::Object(_) => value,
        })
    }

    fn text(&self, function: &str, value: &Value) -> Result<String, ResolveError> {
        plain(function, &self.resolve(value)?.unwrap_or(Value::Null))
    }

    fn list(&self, function: &str, value: &Value) -> Result<Vec<Value>, ResolveError> {
        match self.resolve(value)? {
            Some(Value::Array(items)) => Ok(items),
            _ => error(format!("`{function}` needs a list")),
        }
    }
}

/// The ARN of a stack. Names are unique, so the id after the name is fixed.
pub(crate) fn stack_id(stack: &StackName, account: &AccountId, region: &Region) -> String {
    format!("arn:aws:cloudformation:{region}:{account}:stack/{stack}/tradewind")
}

fn one(name: &str, argument: &Value) -> Value {
    Value::Object(Map::from_iter([(name.to_owned(), argument.clone())]))
}

fn text_of<'v>(function: &str, value: &'v Value) -> Result<&'v str, ResolveError> {
    value
        .as_str()
        .ok_or_else(|| ResolveError(format!("`{function}` needs a text, not {value}")))
}

fn pair<'v>(function: &str, value: &'v Value) -> Result<[&'v Value; 2], ResolveError> {
    match value.as_array().map(Vec::as_slice) {
        Some([first, second]) => Ok([first, second]),
        _ => error(format!("`{function}` takes two arguments")),
    }
}

fn plain(function: &str, value: &Value) -> Result<String, ResolveError> {
    match value {
        Value::String(text) => Ok(text.clone()),
        Value::Number(_) | Value::Bool(_) => Ok(value.to_string()),
        Value::Null | Value::Array(_) | Value::Object(_) => error(format!(
            "`{function}` needs a text, number or boolean, not {value}"
        )),
    }
}

enum SubPiece<'t> {
    Literal(&'t str),
    /// `${!name}`, which prints as `${name}`.
    Escaped(&'t str),
    Variable(&'t str),
}

fn sub_pieces(text: &str) -> Vec<SubPiece<'_>> {
    let mut pieces = Vec::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("${") {
        let Some((inside, behind)) = after.split_once('}') else {
            break;
        };
        pieces.push(SubPiece::Literal(before));
        pieces.push(match inside.strip_prefix('!') {
            Some(name) => SubPiece::Escaped(name),
            None => SubPiece::Variable(inside.trim()),
        });
        rest = behind;
    }
    pieces.push(SubPiece::Literal(rest));
    pieces
}

/// The resources and parameters that a `Fn::Sub` text names.
pub(crate) fn sub_references(text: &str) -> Vec<String> {
    let id_of = |piece: SubPiece<'_>| match piece {
        SubPiece::Variable(name) => name.split('.').next().map(str::to_owned),
        SubPiece::Literal(_) | SubPiece::Escaped(_) => None,
    };
    sub_pieces(text).into_iter().filter_map(id_of).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn resolve(value: &Value) -> Result<Option<Value>, ResolveError> {
        let template = json!({
            "Parameters": {"Env": {"Default": "dev"}, "Zones": {"Type": "CommaDelimitedList", "Default": "a, b"}},
            "Mappings": {"Sizes": {"dev": {"memory": 128}}},
            "Conditions": {"IsDev": {"Fn::Equals": [{"Ref": "Env"}, "dev"]},
                           "Not": {"Fn::Not": [{"Condition": "IsDev"}]},
                           "Loop": {"Fn::Not": [{"Condition": "Loop"}]}},
            "Resources": {"Fn": {"Type": "AWS::Lambda::Function"}}
        });
        let parsed = ParsedTemplate::parse(&template, &BTreeMap::new()).unwrap();
        let function = ResourceState {
            physical_id: "shop-dev-cart".into(),
            reference: None,
            attributes: Map::from_iter([("Arn".to_owned(), json!("arn:x"))]),
        };
        let scope = Scope {
            stack: &"shop-dev".parse().unwrap(),
            account: &AccountId::default_account(),
            region: &Region::default_region(),
            template: &parsed,
            exports: &BTreeMap::from([("other-Url".to_owned(), "http://x".to_owned())]),
            resources: &BTreeMap::from([("Fn".to_owned(), function)]),
        };
        scope.resolve(value)
    }

    /// Each condition names the one before twice, so that looking at each mention would take years.
    #[test]
    fn a_condition_is_looked_at_once() {
        let mut conditions = json!({"C0": {"Fn::Equals": ["a", "a"]}});
        for number in 1..60 {
            let before = json!({"Condition": format!("C{}", number - 1)});
            conditions[format!("C{number}")] = json!({"Fn::And": [before, before]});
        }
        let template =
            json!({"Conditions": conditions, "Resources": {"Fn": {"Type": "AWS::Lambda::Function"}}});
        let parsed = ParsedTemplate::parse(&template, &BTreeMap::new()).unwrap();
        let scope = Scope {
            stack: &"shop-dev".parse().unwrap(),
            account: &AccountId::default_account(),
            region: &Region::default_region(),
            template: &parsed,
            exports: &BTreeMap::new(),
            resources: &BTreeMap::new(),
        };
        assert_eq!(scope.condition("C59"), Ok(true));
    }

    #[test]
    fn every_function_gives_what_the_guide_says() {
        let cases = [
            (json!({"Ref": "Env"}), json!("dev")),
            (json!({"Ref": "Fn"}), json!("shop-dev-cart")),
            (json!({"Ref": "Zones"}), json!(["a", "b"])),
            (json!({"Ref": "AWS::Region"}), json!("us-east-1")),
            (json!({"Fn::GetAtt": ["Fn", "Arn"]}), json!("arn:x")),
            (json!({"Fn::GetAtt": "Fn.Arn"}), json!("arn:x")),
            (
                json!({"Fn::Sub": "${Fn}/${Fn.Arn}/${!keep}/${AWS::AccountId}"}),
                json!("shop-dev-cart/arn:x/${keep}/000000000000"),
            ),
            (
                json!({"Fn::Sub": ["${a}-${Env}", {"a": {"Ref": "Env"}}]}),
                json!("dev-dev"),
            ),
            (json!({"Fn::Sub": "cost ${ open"}), json!("cost ${ open")),
            (
                json!({"Fn::Join": ["-", ["a", {"Ref": "Env"}, 3]]}),
                json!("a-dev-3"),
            ),
            (
                json!({"Fn::Select": ["1", {"Fn::Split": [",", "x,y"]}]}),
                json!("y"),
            ),
            (json!({"Fn::Base64": "hi"}), json!("aGk=")),
            (
                json!({"Fn::FindInMap": ["Sizes", {"Ref": "Env"}, "memory"]}),
                json!(128),
            ),
            (json!({"Fn::ImportValue": "other-Url"}), json!("http://x")),
            (json!({"Fn::If": ["IsDev", "yes", "no"]}), json!("yes")),
            (json!({"Fn::If": ["Not", "yes", "no"]}), json!("no")),
            (json!({"Fn::Length": [1, 2]}), json!(2)),
            (json!({"a": {"Ref": "AWS::NoValue"}, "b": 1}), json!({"b": 1})),
            (json!([{"Ref": "AWS::NoValue"}, 1]), json!([1])),
            (
                json!({"Condition": {"StringEquals": {}}}),
                json!({"Condition": {"StringEquals": {}}}),
            ),
        ];
        for (value, expected) in cases {
            assert_eq!(resolve(&value).unwrap().unwrap(), expected, "{value}");
        }
    }

    #[test]
    fn what_cannot_be_resolved_is_named() {
        let cases = [
            (
                json!({"Ref": "Nobody"}),
                "`Ref` names `Nobody`, which does not exist",
            ),
            (
                json!({"Fn::GetAtt": ["Fn", "Color"]}),
                "resource `Fn` has no attribute `Color`",
            ),
            (json!({"Fn::ImportValue": "none"}), "No export named none found"),
            (
                json!({"Fn::Select": [5, [1]]}),
                "`Fn::Select` has no item 5 in a list of 1",
            ),
            (
                json!({"Fn::If": ["Loop", 1, 2]}),
                "condition `Loop` refers to itself",
            ),
            (
                json!({"Fn::Cidr": ["10.0.0.0/16", 1, 8]}),
                "function `Fn::Cidr` is not supported",
            ),
            (
                json!("{{resolve:ssm:x}}"),
                "dynamic reference `{{resolve:ssm:x}}` is not supported yet",
            ),
        ];
        for (value, expected) in cases {
            assert_eq!(resolve(&value).unwrap_err().0, expected, "{value}");
        }
    }
}
