//! `AWS::IAM::Role`.

use serde_json::{Map, Value, json};
use tradewind_model::RequestId;
use tradewind_model::resource::{
    KnownProperties, Properties, PropertyProblem, ResourceContext, ResourceError, ResourceHandler,
    ResourceState, check_known, check_required, is_intrinsic, optional_integer, optional_tags, optional_text,
    problem,
};
use tradewind_store::Database;

use crate::error::RoleError;
use crate::model::{InlinePolicy, InvalidRole, Role, RoleName, RolePath};
use crate::policy::{self, PolicyDocument, PolicyKind};
use crate::tables;

const ACCEPTED: &[&str] = &[
    "AssumeRolePolicyDocument",
    "Description",
    "ManagedPolicyArns",
    "MaxSessionDuration",
    "Path",
    "PermissionsBoundary",
    "Policies",
    "RoleName",
    "Tags",
];
const POLICIES: &str = "a list of objects with `PolicyName` and `PolicyDocument`";

/// Roles, kept with all they say, enforced by nobody yet.
#[derive(Debug)]
pub(crate) struct RoleType {
    database: Database,
}

impl RoleType {
    pub(crate) fn new(database: Database) -> Self {
        Self { database }
    }

    async fn put(
        &self,
        context: &ResourceContext,
        name: RoleName,
        properties: &Properties,
    ) -> Result<ResourceState, RoleError> {
        let role = read_role(properties)?;
        let key = (&context.account, &name);
        let id = tables::put(&self.database, key, &context.owner(), new_role_id(), &role).await?;
        let arn = role.arn(&context.account, &name);
        let attributes = Map::from_iter([("Arn".into(), json!(arn)), ("RoleId".into(), json!(id))]);
        Ok(ResourceState {
            physical_id: name.to_string(),
            reference: None,
            attributes,
        })
    }
}

impl ResourceHandler for RoleType {
    fn type_name(&self) -> &'static str {
        "AWS::IAM::Role"
    }

    fn known_properties(&self) -> KnownProperties {
        KnownProperties::new(ACCEPTED).requiring(&["AssumeRolePolicyDocument"])
    }

    fn check(&self, properties: &Properties) -> Vec<PropertyProblem> {
        let mut problems = self.known_properties().check(properties);
        let trust = properties.get("AssumeRolePolicyDocument");
        problems.extend(check_document(
            trust,
            PolicyKind::Trust,
            &["AssumeRolePolicyDocument"],
        ));
        problems.extend(check_policies(properties));
        problems
    }

    fn replaced_by(&self) -> &'static [&'static str] {
        &["RoleName", "Path"]
    }

    async fn create(
        &self,
        context: &ResourceContext,
        properties: &Properties,
    ) -> Result<ResourceState, ResourceError> {
        let given = optional_text(properties, "RoleName")?;
        let name = given.unwrap_or_else(|| context.generated_name_within(64));
        let name = name.parse().map_err(RoleError::Invalid)?;
        Ok(self.put(context, name, properties).await?)
    }

    async fn update(
        &self,
        context: &ResourceContext,
        current: &ResourceState,
        properties: &Properties,
    ) -> Result<ResourceState, ResourceError> {
        let name = current.physical_id.parse().map_err(RoleError::Invalid)?;
        Ok(self.put(context, name, properties).await?)
    }

    async fn delete(&self, context: &ResourceContext, current: &ResourceState) -> Result<(), ResourceError> {
        let name = &current.physical_id;
        tables::delete(&self.database, &context.account, name, &context.owner()).await?;
        Ok(())
    }
}

fn check_policies(properties: &Properties) -> Vec<PropertyProblem> {
    let policies = match properties.get("Policies") {
        None | Some(Value::Null) => return Vec::new(),
        Some(value) if is_intrinsic(value) => return Vec::new(),
        Some(Value::Array(policies)) => policies,
        Some(_) => {
            return vec![problem(
                &["Policies"],
                format!("property `Policies` must be {POLICIES}"),
            )];
        }
    };
    let numbered = policies
        .iter()
        .enumerate()
        .filter(|(_, policy)| !is_intrinsic(policy));
    numbered
        .flat_map(|(index, policy)| check_inline(policy, &index.to_string()))
        .collect()
}

fn check_inline(policy: &Value, index: &str) -> Vec<PropertyProblem> {
    let Value::Object(members) = policy else {
        return vec![problem(
            &["Policies", index],
            format!("property `Policies` must be {POLICIES}"),
        )];
    };
    let known = &["PolicyName", "PolicyDocument"];
    let mut problems = check_known(members, known, &[]);
    problems.extend(check_required(members, known));
    for problem in &mut problems {
        problem
            .path
            .splice(0..0, ["Policies".to_owned(), index.to_owned()]);
    }
    let document = members.get("PolicyDocument");
    problems.extend(check_document(
        document,
        PolicyKind::Identity,
        &["Policies", index, "PolicyDocument"],
    ));
    problems
}

fn check_document(document: Option<&Value>, kind: PolicyKind, path: &[&str]) -> Vec<PropertyProblem> {
    let problems = match document {
        None => Vec::new(),
        Some(Value::String(_)) => document
            .and_then(|text| PolicyDocument::parse(text, kind).err())
            .into_iter()
            .collect(),
        Some(document) => policy::check(document, kind),
    };
    let below = |found: policy::InvalidPolicy| {
        let whole: Vec<&str> = path
            .iter()
            .copied()
            .chain(found.path.iter().map(String::as_str))
            .collect();
        problem(&whole, found.message)
    };
    problems.into_iter().map(below).collect()
}

fn read_role(properties: &Properties) -> Result<Role, RoleError> {
    let trust = properties.get("AssumeRolePolicyDocument").unwrap_or(&Value::Null);
    let path: RolePath = match optional_text(properties, "Path")? {
        Some(text) => text.parse()?,
        None => RolePath::default(),
    };
    Ok(Role {
        path,
        trust: document("AssumeRolePolicyDocument", trust, PolicyKind::Trust)?,
        description: optional_text(properties, "Description")?,
        max_session_duration: session_duration(properties)?,
        permissions_boundary: optional_text(properties, "PermissionsBoundary")?,
        managed_policies: managed_policies(properties)?,
        inline_policies: inline_policies(properties)?,
        tags: optional_tags(properties, "Tags")?,
    })
}

fn session_duration(properties: &Properties) -> Result<u32, RoleError> {
    let seconds = optional_integer(properties, "MaxSessionDuration")?.unwrap_or(3600);
    let valid = u32::try_from(seconds)
        .ok()
        .filter(|seconds| (3600..=43_200).contains(seconds));
    Ok(valid.ok_or(InvalidRole::SessionDuration(seconds))?)
}

fn managed_policies(properties: &Properties) -> Result<Vec<String>, InvalidRole> {
    let text = |arn: &Value| arn.as_str().map(str::to_owned);
    list(properties, "ManagedPolicyArns", "a list of ARNs", text)
}

fn inline_policies(properties: &Properties) -> Result<Vec<InlinePolicy>, InvalidRole> {
    let named = |policy: &Value| {
        Some((
            policy.get("PolicyName")?.as_str()?.to_owned(),
            policy.get("PolicyDocument")?.clone(),
        ))
    };
    let policies = list(properties, "Policies", POLICIES, named)?;
    let parse = |(name, value): (String, Value)| {
        let document = document(&name, &value, PolicyKind::Identity)?;
        Ok(InlinePolicy { name, document })
    };
    policies.into_iter().map(parse).collect()
}

fn list<T>(
    properties: &Properties,
    property: &'static str,
    expected: &'static str,
    read: impl Fn(&Value) -> Option<T>,
) -> Result<Vec<T>, InvalidRole> {
    let members = match properties.get(property) {
        None | Some(Value::Null) => return Ok(Vec::new()),
        Some(Value::Array(members)) => members,
        Some(_) => return Err(InvalidRole::Shape { property, expected }),
    };
    let read: Option<Vec<T>> = members.iter().map(read).collect();
    read.ok_or(InvalidRole::Shape { property, expected })
}

fn document(policy: &str, value: &Value, kind: PolicyKind) -> Result<PolicyDocument, InvalidRole> {
    PolicyDocument::parse(value, kind).map_err(|problem| InvalidRole::Policy {
        policy: policy.to_owned(),
        problem,
    })
}

/// `AROA` and 17 capital letters, the form of IAM's ids for roles.
fn new_role_id() -> String {
    let random = RequestId::random();
    let nibbles = random.as_str().chars().filter_map(|c| c.to_digit(16)).take(17);
    let letters = nibbles.filter_map(|n| char::from_u32(u32::from(b'A') + n));
    "AROA".chars().chain(letters).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn role_type() -> RoleType {
        RoleType::new(Database::in_memory_for_tests(&[tables::MIGRATIONS]))
    }

    fn properties(value: Value) -> Properties {
        value.as_object().unwrap().clone()
    }

    /// As the Serverless Framework writes it.
    fn lambda_role() -> Value {
        json!({
            "AssumeRolePolicyDocument": {"Version": "2012-10-17", "Statement": [{
                "Effect": "Allow",
                "Principal": {"Service": ["lambda.amazonaws.com"]},
                "Action": ["sts:AssumeRole"]
            }]},
            "Policies": [{"PolicyName": "shop-dev-lambda", "PolicyDocument": {
                "Version": "2012-10-17",
                "Statement": [{"Effect": "Allow", "Action": ["logs:PutLogEvents"], "Resource": ["*"]}]
            }}],
            "Path": "/",
            "RoleName": "shop-dev-us-east-1-lambdaRole"
        })
    }

    #[tokio::test]
    async fn a_role_is_made_changed_and_removed() {
        let roles = role_type();
        let context = ResourceContext::for_tests("IamRoleLambdaExecution");
        let made = roles.create(&context, &properties(lambda_role())).await.unwrap();
        assert_eq!(made.physical_id, "shop-dev-us-east-1-lambdaRole");
        assert_eq!(
            made.attributes["Arn"],
            "arn:aws:iam::000000000000:role/shop-dev-us-east-1-lambdaRole"
        );
        let mut changed = properties(lambda_role());
        changed.insert("MaxSessionDuration".into(), "7200".into());
        let updated = roles.update(&context, &made, &changed).await.unwrap();
        assert_eq!(updated, made, "the id and ARN of a role stay");
        let stored = tables::get(&roles.database, &context.account, &made.physical_id)
            .await
            .unwrap()
            .unwrap();
        assert_eq!(stored.max_session_duration, 7200);
        assert_eq!(stored.inline_policies[0].name, "shop-dev-lambda");
        for _ in 0..2 {
            roles.delete(&context, &made).await.unwrap();
        }
        let gone = tables::get(&roles.database, &context.account, &made.physical_id)
            .await
            .unwrap();
        assert_eq!(gone, None);
    }

    #[tokio::test]
    async fn a_create_repeated_after_a_crash_finds_its_own_role() {
        let roles = role_type();
        let mut unnamed = properties(lambda_role());
        unnamed.remove("RoleName");
        let first = roles
            .create(&ResourceContext::for_tests("Role"), &unnamed)
            .await
            .unwrap();
        assert_eq!(first.physical_id, "shop-dev-Role-0123456789AB");
        assert_eq!(
            roles
                .create(&ResourceContext::for_tests("Role"), &unnamed)
                .await
                .unwrap(),
            first
        );
    }

    #[tokio::test]
    async fn a_role_of_another_resource_is_neither_taken_nor_deleted() {
        let roles = role_type();
        let (mine, other) = (
            ResourceContext::for_tests("Mine"),
            ResourceContext::for_tests("Other"),
        );
        let made = roles.create(&mine, &properties(lambda_role())).await.unwrap();
        let error = roles
            .create(&other, &properties(lambda_role()))
            .await
            .unwrap_err();
        assert!(
            matches!(error, ResourceError::AlreadyExists { kind: "role", .. }),
            "{error}"
        );
        roles.delete(&other, &made).await.unwrap();
        assert!(
            tables::get(&roles.database, &mine.account, &made.physical_id)
                .await
                .unwrap()
                .is_some()
        );
    }

    #[test]
    fn what_the_framework_writes_has_no_problems() {
        let mut given = lambda_role();
        given["RoleName"] = json!({"Fn::Join": ["-", ["a", {"Ref": "AWS::Region"}]]});
        given["Policies"][0]["PolicyName"] = json!({"Fn::Join": ["-", ["a", "b"]]});
        given["ManagedPolicyArns"] = json!(["arn:aws:iam::aws:policy/X"]);
        assert_eq!(role_type().check(&properties(given)), []);
    }

    #[test]
    fn problems_carry_their_path() {
        let mut given = lambda_role();
        given["Policies"][0]["PolicyDocument"]["Statement"][0]["Effect"] = json!("Maybe");
        given["Policies"][0]["Polcy"] = json!(1);
        given["Polices"] = json!([]);
        let problems = role_type().check(&properties(given));
        let paths: Vec<String> = problems.iter().map(|problem| problem.path.join("/")).collect();
        assert_eq!(
            paths,
            [
                "Polices",
                "Policies/0/Polcy",
                "Policies/0/PolicyDocument/Statement/0/Effect"
            ]
        );
        let missing = role_type().check(&Properties::new());
        assert_eq!(
            missing[0].message,
            "required property `AssumeRolePolicyDocument` is missing"
        );
    }

    #[tokio::test]
    async fn wrong_values_are_refused_by_name() {
        for (property, value, message) in [
            (
                "RoleName",
                json!("a b"),
                "role name `a b` is not valid: 1 to 64 letters, digits or `+=,.@_-`",
            ),
            (
                "MaxSessionDuration",
                json!(60),
                "MaxSessionDuration 60 is outside 3600 to 43200 seconds",
            ),
            (
                "ManagedPolicyArns",
                json!("x"),
                "property `ManagedPolicyArns` must be a list of ARNs",
            ),
            (
                "Path",
                json!("x"),
                "role path `x` is not valid: it begins and ends with `/` and has at most 512 characters",
            ),
        ] {
            let mut given = properties(lambda_role());
            given.insert(property.into(), value);
            let error = role_type()
                .create(&ResourceContext::for_tests("Role"), &given)
                .await
                .unwrap_err();
            assert_eq!(error.to_string(), message);
        }
    }

    #[test]
    fn role_ids_look_like_iams() {
        let id = new_role_id();
        assert_eq!(id.len(), 21);
        assert!(
            id.starts_with("AROA") && id.chars().all(|c| c.is_ascii_uppercase()),
            "{id}"
        );
        assert_ne!(id, new_role_id());
    }
}
