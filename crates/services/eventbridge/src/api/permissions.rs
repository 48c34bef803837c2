//! Policies of buses: kept, evaluated by nobody yet.

use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::Call;
use crate::error::EventBridgeError;
use crate::model::{EventBus, Statement};
use crate::names::{Name, required};
use crate::service::EventBridgeService;

/// The longest policy, in bytes of JSON.
const MAX_POLICY: usize = 10_240;

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct PutPermission {
    pub(crate) event_bus_name: Option<String>,
    pub(crate) action: Option<String>,
    pub(crate) principal: Option<String>,
    pub(crate) statement_id: Option<String>,
    pub(crate) condition: Option<Condition>,
    pub(crate) policy: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Condition {
    r#type: String,
    key: String,
    value: String,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct RemovePermission {
    event_bus_name: Option<String>,
    statement_id: Option<String>,
    remove_all_permissions: Option<bool>,
}

impl EventBridgeService {
    pub(super) async fn put_permission(
        &self,
        call: &Call,
        request: PutPermission,
    ) -> Result<Value, EventBridgeError> {
        let bus = call.bus(request.event_bus_name.as_deref())?;
        let _changing = self.changing().await;
        let mut bus = EventBus::clone(&*self.registry(|registry| registry.bus(&bus))?);
        match &request.policy {
            Some(policy) => bus.statements = statements(policy)?,
            None => {
                let (id, statement) = request.statement(&bus)?;
                bus.statements.insert(id, statement);
            }
        }
        bus.check_policy()?;
        self.store_bus(bus).await?;
        Ok(json!({}))
    }

    pub(super) async fn remove_permission(
        &self,
        call: &Call,
        request: RemovePermission,
    ) -> Result<Value, EventBridgeError> {
        let bus = call.bus(request.event_bus_name.as_deref())?;
        let _changing = self.changing().await;
        let mut bus = EventBus::clone(&*self.registry(|registry| registry.bus(&bus))?);
        if request.remove_all_permissions == Some(true) {
            bus.statements.clear();
        } else {
            let id = required(request.statement_id, "statementId")?;
            let removed = bus.statements.remove(&id);
            removed.ok_or_else(|| {
                let text = "Statement with the provided id does not exist.";
                EventBridgeError::ResourceNotFound(text.into())
            })?;
        }
        self.store_bus(bus).await?;
        Ok(json!({}))
    }
}

impl PutPermission {
    /// The statement that action, principal and condition make.
    pub(crate) fn statement(&self, bus: &EventBus) -> Result<(String, Statement), EventBridgeError> {
        let id = Name::parse(self.statement_id.clone(), "statementId", 64)?;
        let action = required(self.action.clone(), "action")?;
        let principal = required(self.principal.as_deref(), "principal")?;
        let principal = match principal {
            "*" => json!("*"),
            account if account.len() == 12 && account.bytes().all(|b| b.is_ascii_digit()) => {
                json!({"AWS": format!("arn:aws:iam::{account}:root")})
            }
            _ => {
                let reason = "Principal has to be an account of twelve digits, or *.";
                return Err(EventBridgeError::parameter("Principal", reason));
            }
        };
        let mut statement = json!({
            "Effect": "Allow", "Principal": principal, "Action": action, "Resource": bus.arn.to_string(),
        });
        if let Some(condition) = &self.condition {
            let pair = Map::from_iter([(condition.key.clone(), json!(condition.value))]);
            statement["Condition"] = Value::Object(Map::from_iter([(condition.r#type.clone(), pair.into())]));
        }
        let document = statement.to_string();
        Ok((
            id.to_string(),
            Statement {
                document,
                owner: None,
            },
        ))
    }
}

/// The statements of a policy by their ids; those without one get one.
pub(crate) fn statements(
    policy: &str,
) -> Result<std::collections::BTreeMap<String, Statement>, EventBridgeError> {
    let invalid = || EventBridgeError::parameter("Policy", "It has to be a policy with `Statement`.");
    let policy: Value = serde_json::from_str(policy).map_err(|_not_json| invalid())?;
    let given = match policy.get("Statement") {
        Some(Value::Array(given)) => given.clone(),
        Some(one @ Value::Object(_)) => vec![one.clone()],
        _ => return Err(invalid()),
    };
    let statement = |(number, statement): (usize, Value)| {
        let Value::Object(mut statement) = statement else {
            return Err(invalid());
        };
        let id = statement
            .remove("Sid")
            .and_then(|id| id.as_str().map(str::to_owned));
        let document = Value::Object(statement).to_string();
        Ok((
            id.unwrap_or_else(|| format!("statement-{}", number + 1)),
            Statement {
                document,
                owner: None,
            },
        ))
    };
    given.into_iter().enumerate().map(statement).collect()
}

impl EventBus {
    /// The policy's text, if there is one.
    pub(crate) fn policy(&self) -> Option<String> {
        let statement = |(id, statement): (&String, &Statement)| {
            let mut with_id = Map::from_iter([("Sid".to_owned(), json!(id))]);
            let document = serde_json::from_str::<Map<String, Value>>(&statement.document);
            with_id.extend(document.unwrap_or_default());
            Value::Object(with_id)
        };
        let statements: Vec<Value> = self.statements.iter().map(statement).collect();
        (!statements.is_empty())
            .then(|| json!({"Version": "2012-10-17", "Statement": statements}).to_string())
    }

    /// Refuses a policy that is too long.
    pub(crate) fn check_policy(&self) -> Result<(), EventBridgeError> {
        let length = self.policy().map_or(0, |policy| policy.len());
        if length <= MAX_POLICY {
            return Ok(());
        }
        Err(EventBridgeError::PolicyLengthExceeded(format!(
            "The policy of the event bus would have {length} bytes; it may have {MAX_POLICY}."
        )))
    }
}
