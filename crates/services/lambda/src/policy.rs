//! Resource policies: who else may invoke a function. Statements are kept as the JSON that AddPermission
//! answers and GetPolicy repeats.

use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::error::{LambdaError, Violations};
use crate::model::new_revision;
use crate::settings::{Members, read_members};

/// Largest policy: 20 KB.
const LONGEST_POLICY_BYTES: usize = 20_480;
const STATEMENT_ID_PATTERN: &str = "([a-zA-Z0-9-_]+)";
const ACTION_PATTERN: &str = "(lambda:[*]|lambda:[a-zA-Z]+|[*])";

/// The policy of a function or of one of its versions; never without statements.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Policy {
    pub(crate) revision_id: String,
    pub(crate) statements: Vec<Statement>,
}

/// One statement: its id, and all of it as JSON.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Statement {
    pub(crate) id: String,
    pub(crate) json: Value,
}

/// A permission to add, as AddPermission and `AWS::Lambda::Permission` write it.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(crate) struct Permission {
    pub(crate) statement_id: Option<String>,
    action: Option<String>,
    principal: Option<String>,
    source_arn: Option<String>,
    source_account: Option<String>,
    event_source_token: Option<String>,
    function_url_auth_type: Option<String>,
    invoked_via_function_url: Option<bool>,
    #[serde(rename = "PrincipalOrgID")]
    principal_org_id: Option<String>,
    pub(crate) revision_id: Option<String>,
}

impl Permission {
    /// Reads a permission and checks its members.
    pub(crate) fn read(members: &Members) -> Result<Self, LambdaError> {
        let permission: Self = read_members(members)?;
        permission.check()?;
        Ok(permission)
    }

    fn check(&self) -> Result<(), LambdaError> {
        let mut violations = Violations::default();
        check_statement_id(self.statement_id.as_deref(), &mut violations);
        check_text(
            &["Action"],
            self.action.as_deref(),
            is_action,
            ACTION_PATTERN,
            &mut violations,
        );
        let principal_fits = |text: &str| !text.is_empty() && !text.contains(char::is_whitespace);
        check_text(
            &["Principal"],
            self.principal.as_deref(),
            principal_fits,
            "[^\\s]+",
            &mut violations,
        );
        check_optional_members(self, &mut violations);
        violations.into_result()
    }

    /// The statement about `resource`.
    pub(crate) fn statement(&self, resource: &str) -> Result<Statement, LambdaError> {
        let id = self.statement_id.clone().unwrap_or_default();
        let mut statement = Map::new();
        statement.insert("Sid".into(), json!(id));
        statement.insert("Effect".into(), json!("Allow"));
        statement.insert(
            "Principal".into(),
            principal(self.principal.as_deref().unwrap_or_default())?,
        );
        statement.insert("Action".into(), json!(self.action));
        statement.insert("Resource".into(), json!(resource));
        let condition = self.condition();
        if !condition.is_empty() {
            statement.insert("Condition".into(), Value::Object(condition));
        }
        Ok(Statement {
            id,
            json: Value::Object(statement),
        })
    }

    fn condition(&self) -> Map<String, Value> {
        let mut equals = Map::new();
        for (key, value) in [
            ("AWS:SourceAccount", &self.source_account),
            ("lambda:EventSourceToken", &self.event_source_token),
            ("lambda:FunctionUrlAuthType", &self.function_url_auth_type),
            ("aws:PrincipalOrgID", &self.principal_org_id),
        ] {
            if let Some(value) = value {
                equals.insert(key.into(), json!(value));
            }
        }
        let mut condition = Map::new();
        if !equals.is_empty() {
            condition.insert("StringEquals".into(), Value::Object(equals));
        }
        if let Some(via_url) = self.invoked_via_function_url {
            condition.insert(
                "Bool".into(),
                json!({"lambda:InvokedViaFunctionUrl": via_url.to_string()}),
            );
        }
        if let Some(source) = &self.source_arn {
            condition.insert("ArnLike".into(), json!({"AWS:SourceArn": source}));
        }
        condition
    }
}

/// `[a-zA-Z0-9-_]+`, at most 100 characters.
pub(crate) fn check_statement_id(given: Option<&str>, violations: &mut Violations) {
    let allowed = |b: u8| b.is_ascii_alphanumeric() || b"-_".contains(&b);
    let fits = |id: &str| !id.is_empty() && id.bytes().all(allowed);
    check_text(&["StatementId"], given, fits, STATEMENT_ID_PATTERN, violations);
    if let Some(long) = given.filter(|id| id.len() > 100) {
        let constraint = "Member must have length less than or equal to 100";
        violations.add(&["StatementId"], long.to_owned(), constraint);
    }
}

/// A text that must be there and fit.
pub(crate) fn check_text(
    path: &'static [&'static str],
    given: Option<&str>,
    fits: impl Fn(&str) -> bool,
    pattern: &str,
    violations: &mut Violations,
) {
    match given {
        None => violations.add(path, None, "Member must not be null"),
        Some(text) if fits(text) => {}
        Some(text) => {
            let constraint = format!("Member must satisfy regular expression pattern: {pattern}");
            violations.add(path, text.to_owned(), constraint);
        }
    }
}

fn check_optional_members(permission: &Permission, violations: &mut Violations) {
    let account_fits = |text: &str| text.len() == 12 && text.bytes().all(|b| b.is_ascii_digit());
    if let Some(account) = permission
        .source_account
        .as_deref()
        .filter(|text| !account_fits(text))
    {
        let constraint = "Member must satisfy regular expression pattern: \\d{12}";
        violations.add(&["SourceAccount"], account.to_owned(), constraint);
    }
    if let Some(arn) = permission
        .source_arn
        .as_deref()
        .filter(|text| !text.starts_with("arn:"))
    {
        let constraint =
            "Member must satisfy regular expression pattern: arn:(aws[a-zA-Z0-9-]*):([a-zA-Z0-9\\-])+:.*";
        violations.add(&["SourceArn"], arn.to_owned(), constraint);
    }
    let auth_type = permission.function_url_auth_type.as_deref();
    if let Some(other) = auth_type.filter(|text| !matches!(*text, "NONE" | "AWS_IAM")) {
        let constraint = "Member must satisfy enum value set: [NONE, AWS_IAM]";
        violations.add(&["FunctionUrlAuthType"], other.to_owned(), constraint);
    }
}

fn is_action(text: &str) -> bool {
    text == "*"
        || text == "lambda:*"
        || text
            .strip_prefix("lambda:")
            .is_some_and(|name| !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphabetic()))
}

/// `*`, a service, an account or an ARN, as the policy writes it.
pub(crate) fn principal(text: &str) -> Result<Value, LambdaError> {
    let is_account = text.len() == 12 && text.bytes().all(|b| b.is_ascii_digit());
    let is_service = [".amazonaws.com", ".amazonaws.com.cn", ".amazon.com"]
        .iter()
        .any(|end| text.ends_with(end));
    match text {
        "*" => Ok(json!("*")),
        _ if is_account => Ok(json!({"AWS": format!("arn:aws:iam::{text}:root")})),
        _ if is_service => Ok(json!({"Service": text})),
        _ if text.starts_with("arn:") => Ok(json!({"AWS": text})),
        _ => Err(LambdaError::InvalidPrincipal),
    }
}

impl Policy {
    /// The whole document, as GetPolicy answers it.
    pub(crate) fn document(&self) -> String {
        let statements: Vec<&Value> = self.statements.iter().map(|statement| &statement.json).collect();
        json!({"Version": "2012-10-17", "Id": "default", "Statement": statements}).to_string()
    }

    /// This policy with one more statement.
    pub(crate) fn with(&self, statement: Statement) -> Result<Self, LambdaError> {
        if self.statements.iter().any(|other| other.id == statement.id) {
            return Err(LambdaError::StatementExists { id: statement.id });
        }
        let mut statements = self.statements.clone();
        statements.push(statement);
        let policy = Self {
            revision_id: new_revision(),
            statements,
        };
        let size = policy.document().len();
        if size > LONGEST_POLICY_BYTES {
            let limit = LONGEST_POLICY_BYTES;
            return Err(LambdaError::PolicyTooLong { size, limit });
        }
        Ok(policy)
    }

    /// This policy without the statement; none if that was the last.
    pub(crate) fn without(&self, id: &str) -> Result<Option<Self>, LambdaError> {
        let rest: Vec<Statement> = self.statements.iter().filter(|s| s.id != id).cloned().collect();
        if rest.len() == self.statements.len() {
            return Err(LambdaError::StatementNotFound { id: id.to_owned() });
        }
        Ok((!rest.is_empty()).then(|| Self {
            revision_id: new_revision(),
            statements: rest,
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ARN: &str = "arn:aws:lambda:us-east-1:123456789012:function:f";

    fn permission(value: Value) -> Result<Permission, LambdaError> {
        Permission::read(value.as_object().unwrap())
    }

    fn statement(id: &str) -> Statement {
        let given =
            json!({"StatementId": id, "Action": "lambda:InvokeFunction", "Principal": "s3.amazonaws.com"});
        permission(given).unwrap().statement(ARN).unwrap()
    }

    #[test]
    fn statements_read_exactly_as_the_service_writes_them() {
        let given = json!({
            "StatementId": "s3", "Action": "lambda:InvokeFunction", "Principal": "s3.amazonaws.com",
            "SourceArn": "arn:aws:s3:::bucket", "SourceAccount": "123456789012",
        });
        let expected = format!(
            "{{\"Sid\":\"s3\",\"Effect\":\"Allow\",\"Principal\":{{\"Service\":\"s3.amazonaws.com\"}},\
             \"Action\":\"lambda:InvokeFunction\",\"Resource\":\"{ARN}\",\"Condition\":{{\
             \"StringEquals\":{{\"AWS:SourceAccount\":\"123456789012\"}},\
             \"ArnLike\":{{\"AWS:SourceArn\":\"arn:aws:s3:::bucket\"}}}}}}"
        );
        assert_eq!(
            permission(given)
                .unwrap()
                .statement(ARN)
                .unwrap()
                .json
                .to_string(),
            expected
        );
    }

    #[test]
    fn principals_have_four_forms() {
        assert_eq!(principal("*").unwrap(), json!("*"));
        assert_eq!(
            principal("123456789012").unwrap(),
            json!({"AWS": "arn:aws:iam::123456789012:root"})
        );
        assert_eq!(
            principal("alexa-appkit.amazon.com").unwrap(),
            json!({"Service": "alexa-appkit.amazon.com"})
        );
        assert_eq!(
            principal("arn:aws:iam::1:user/u").unwrap(),
            json!({"AWS": "arn:aws:iam::1:user/u"})
        );
        assert!(matches!(
            principal("invalid.nonaws.com"),
            Err(LambdaError::InvalidPrincipal)
        ));
    }

    #[test]
    fn members_are_checked() {
        for (given, expected) in [
            (
                json!({"StatementId": "example.com", "Action": "lambda:*", "Principal": "*"}),
                "Value 'example.com' at 'statementId'",
            ),
            (
                json!({"StatementId": "a", "Action": "s3:Get", "Principal": "*"}),
                "Value 's3:Get' at 'action'",
            ),
            (
                json!({"StatementId": "a", "Action": "*"}),
                "Value null at 'principal'",
            ),
            (
                json!({"StatementId": "a", "Action": "*", "Principal": "*", "SourceAccount": "1"}),
                "'sourceAccount'",
            ),
        ] {
            let text = permission(given).unwrap_err().to_string();
            assert!(text.contains(expected), "{text}");
        }
    }

    #[test]
    fn statement_ids_are_unique_and_removal_ends_with_nothing() {
        let one = Policy::default().with(statement("a")).unwrap();
        assert!(matches!(
            one.with(statement("a")),
            Err(LambdaError::StatementExists { .. })
        ));
        let two = one.with(statement("b")).unwrap();
        assert_ne!(one.revision_id, two.revision_id);
        assert!(matches!(
            two.without("c"),
            Err(LambdaError::StatementNotFound { .. })
        ));
        let rest = two.without("a").unwrap().unwrap();
        assert_eq!(rest.without("b").unwrap(), None);
    }

    #[test]
    fn a_policy_is_at_most_20_kilobytes() {
        let mut policy = Policy::default();
        let error = loop {
            let id = format!("statement-{}", policy.statements.len());
            match policy.with(statement(&id)) {
                Ok(longer) => policy = longer,
                Err(error) => break error,
            }
        };
        assert_eq!(error.wire().code, "PolicyLengthExceededException");
        assert!(policy.document().len() <= LONGEST_POLICY_BYTES);
    }
}
