//! Who else may use a layer version.

use serde::Deserialize;
use serde_json::json;
use tradewind_model::AccountId;

use super::LayerVersionArn;
use crate::error::{LambdaError, Violations};
use crate::policy::{Policy, Statement, check_statement_id, check_text, principal};
use crate::settings::{Members, Refusal, read_members};

const ACTION: &str = "lambda:GetLayerVersion";
const PRINCIPAL_PATTERN: &str = "\\d{12}|\\*|arn:(aws[a-zA-Z-]*):iam::\\d{12}:root";

/// A permission to add, as AddLayerVersionPermission and `AWS::Lambda::LayerVersionPermission` write it.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(crate) struct LayerPermission {
    statement_id: Option<String>,
    action: Option<String>,
    principal: Option<String>,
    organization_id: Option<String>,
}

impl LayerPermission {
    /// Reads a permission and checks its members.
    pub(crate) fn read(members: &Members) -> Result<Self, LambdaError> {
        let permission: Self = read_members(members)?;
        permission.check()?;
        if permission.organization_id.is_some() {
            return Err(LambdaError::Refused(Refusal {
                path: vec!["OrganizationId".to_owned()],
                hint: "accounts of this node are in no organization; name the accounts",
            }));
        }
        Ok(permission)
    }

    fn check(&self) -> Result<(), LambdaError> {
        let mut violations = Violations::default();
        check_statement_id(self.statement_id.as_deref(), &mut violations);
        let action = self.action.as_deref();
        check_text(
            &["Action"],
            action,
            |text| text == ACTION,
            ACTION,
            &mut violations,
        );
        let given = self.principal.as_deref();
        check_text(
            &["Principal"],
            given,
            is_principal,
            PRINCIPAL_PATTERN,
            &mut violations,
        );
        violations.into_result()
    }

    /// The statement about a layer version.
    pub(crate) fn statement(&self, arn: &LayerVersionArn) -> Result<Statement, LambdaError> {
        let id = self.statement_id.clone().unwrap_or_default();
        let json = json!({
            "Sid": id,
            "Effect": "Allow",
            "Principal": principal(self.principal.as_deref().unwrap_or_default())?,
            "Action": ACTION,
            "Resource": arn.to_string(),
        });
        Ok(Statement { id, json })
    }
}

fn is_principal(text: &str) -> bool {
    let is_account = |text: &str| text.len() == 12 && text.bytes().all(|b| b.is_ascii_digit());
    let root = text
        .strip_prefix("arn:aws:iam::")
        .and_then(|rest| rest.strip_suffix(":root"));
    text == "*" || is_account(text) || root.is_some_and(is_account)
}

impl Policy {
    /// Whether a statement of a layer's policy names the account, or everybody.
    pub(crate) fn allows_account(&self, account: &AccountId) -> bool {
        let root = format!("arn:aws:iam::{account}:root");
        self.statements.iter().any(|statement| {
            let principal = &statement.json["Principal"];
            *principal == json!("*") || principal["AWS"] == json!(root)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(value: serde_json::Value) -> Result<LayerPermission, LambdaError> {
        LayerPermission::read(value.as_object().unwrap())
    }

    #[test]
    fn a_statement_names_whom_it_allows() {
        let arn: LayerVersionArn = "arn:aws:lambda:us-east-1:123456789012:layer:l:1".parse().unwrap();
        let given = json!({"StatementId": "s", "Action": ACTION, "Principal": "210987654321"});
        let statement = read(given).unwrap().statement(&arn).unwrap();
        assert_eq!(
            statement.json["Principal"],
            json!({"AWS": "arn:aws:iam::210987654321:root"})
        );
        let policy = Policy::default().with(statement).unwrap();
        assert!(policy.allows_account(&"210987654321".parse().unwrap()));
        assert!(!policy.allows_account(&"210987654320".parse().unwrap()));
        let all = json!({"StatementId": "s", "Action": ACTION, "Principal": "*"});
        let all = Policy::default()
            .with(read(all).unwrap().statement(&arn).unwrap())
            .unwrap();
        assert!(all.allows_account(&"210987654320".parse().unwrap()));
    }

    #[test]
    fn what_is_not_for_layers_is_refused() {
        for (given, expected) in [
            (
                json!({"StatementId": "s", "Action": "lambda:*", "Principal": "*"}),
                "at 'action'",
            ),
            (
                json!({"StatementId": "s", "Action": ACTION, "Principal": "s3.amazonaws.com"}),
                "at 'principal'",
            ),
            (
                json!({"StatementId": "s", "Action": ACTION, "Principal": "*", "OrganizationId": "o-1"}),
                "`OrganizationId`",
            ),
        ] {
            let text = read(given).unwrap_err().to_string();
            assert!(text.contains(expected), "{text}");
        }
    }
}
