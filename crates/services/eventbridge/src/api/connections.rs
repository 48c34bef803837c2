//! Connections and API destinations.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use serde_json::{Value, json};
use tradewind_model::{AccountId, Region};
use tradewind_store::Batch;

use super::buses::check_description;
use super::{Call, answer, seconds};
use crate::connection::{AuthChange, AuthParameters, AuthorizationType, Connection, ConnectionDefinition};
use crate::error::EventBridgeError;
use crate::names::{Name, arn, required};
use crate::service::EventBridgeService;
use crate::tables;
use crate::token::Paging;

const MAX_NAME: usize = 64;

/// What `CreateConnection` takes, and `UpdateConnection`, where all members are optional.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct ConnectionRequest<A = AuthParameters> {
    pub(crate) name: Option<String>,
    pub(crate) description: Option<String>,
    pub(crate) authorization_type: Option<AuthorizationType>,
    pub(crate) auth_parameters: Option<A>,
    pub(crate) invocation_connectivity_parameters: Option<Value>,
    pub(crate) kms_key_identifier: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Named {
    name: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct ListConnections {
    name_prefix: Option<String>,
    connection_state: Option<String>,
    #[serde(flatten)]
    paging: Paging,
}

impl Named {
    pub(super) fn name(self) -> Result<Name, EventBridgeError> {
        name(self.name)
    }
}

pub(super) fn name(name: Option<String>) -> Result<Name, EventBridgeError> {
    Name::parse(name, "name", MAX_NAME)
}

impl<A> ConnectionRequest<A> {
    /// Refuses what a node does not honour.
    fn check(&self) -> Result<(), EventBridgeError> {
        check_description(self.description.as_deref())?;
        if self
            .invocation_connectivity_parameters
            .as_ref()
            .is_some_and(|given| !given.is_null())
        {
            let reason = "it reaches no private endpoints";
            return Err(EventBridgeError::unsupported(
                "Parameter InvocationConnectivityParameters",
                reason,
            ));
        }
        if self
            .kms_key_identifier
            .as_ref()
            .is_some_and(|key| !key.is_empty())
        {
            let reason = "secrets are sealed with the node's own key";
            return Err(EventBridgeError::unsupported(
                "Parameter KmsKeyIdentifier",
                reason,
            ));
        }
        Ok(())
    }
}

impl ConnectionRequest {
    /// A new connection with its secrets.
    pub(crate) fn parse(
        self,
        account: &AccountId,
        region: &Region,
        service: &EventBridgeService,
    ) -> Result<Connection, EventBridgeError> {
        self.check()?;
        let name = name(self.name)?;
        let authorization = required(self.authorization_type, "authorizationType")?;
        let auth = required(self.auth_parameters, "authParameters")?;
        auth.check(authorization)?;
        let now = service.now();
        let resource = format!("connection/{name}/{}", crate::event::new_id());
        let definition = ConnectionDefinition {
            arn: arn(account, region, &resource).to_string(),
            name,
            description: self.description,
            authorization,
            sealed: None,
            created: now,
            modified: now,
            authorized: now,
            owner: None,
        };
        let auth = Some(auth);
        Ok(Connection { definition, auth })
    }
}

impl ConnectionRequest<AuthChange> {
    /// Changes what the request says, and leaves the rest.
    fn apply(
        self,
        connection: &Connection,
        service: &EventBridgeService,
    ) -> Result<Connection, EventBridgeError> {
        self.check()?;
        let now = service.now();
        let mut definition = connection.definition.clone();
        definition.modified = now;
        definition.description = self.description.or(definition.description);
        definition.authorization = self.authorization_type.unwrap_or(definition.authorization);
        let auth = match self.auth_parameters {
            Some(change) => {
                definition.authorized = now;
                Some(change.apply(connection.auth.as_ref(), definition.authorization)?)
            }
            None => connection.auth.clone(),
        };
        if let Some(auth) = &auth {
            auth.check(definition.authorization)?;
        }
        Ok(Connection { definition, auth })
    }
}

impl EventBridgeService {
    pub(super) async fn create_connection(
        &self,
        call: &Call,
        request: ConnectionRequest,
    ) -> Result<Value, EventBridgeError> {
        let connection = request.parse(&call.account, &call.region, self)?;
        let _changing = self.changing().await;
        let name = &connection.definition.name;
        if self.connection(&call.account, &call.region, name).is_ok() {
            let text = format!("Connection {name} already exists.");
            return Err(EventBridgeError::ResourceAlreadyExists(text));
        }
        self.store_connection(connection).await
    }

    pub(super) async fn update_connection(
        &self,
        call: &Call,
        request: ConnectionRequest<AuthChange>,
    ) -> Result<Value, EventBridgeError> {
        let _changing = self.changing().await;
        let connection = self.connection(&call.account, &call.region, &name(request.name.clone())?)?;
        self.store_connection(request.apply(&connection, self)?).await
    }

    pub(super) async fn deauthorize_connection(
        &self,
        call: &Call,
        request: Named,
    ) -> Result<Value, EventBridgeError> {
        let _changing = self.changing().await;
        let connection = self.connection(&call.account, &call.region, &request.name()?)?;
        let connection = Connection {
            definition: connection.definition.clone(),
            auth: None,
        };
        self.store_connection(connection).await
    }

    /// Seals and stores a connection; gives what is answered. Called while [`Self::changing`] is held.
    pub(crate) async fn store_connection(
        &self,
        mut connection: Connection,
    ) -> Result<Value, EventBridgeError> {
        connection.definition.sealed = match &connection.auth {
            Some(auth) => {
                let secret = serde_json::to_vec(auth)
                    .map_err(|error| EventBridgeError::Internal(error.to_string()))?;
                Some(STANDARD.encode(self.blobs().seal(&secret).await?))
            }
            None => None,
        };
        let view = changed(&connection);
        let batch = tables::put(Batch::new(), &connection.definition)?;
        let arn = connection.definition.arn.clone();
        self.commit(batch, |registry| registry.put_connection(connection))
            .await?;
        self.destinations().forget_token(&arn);
        Ok(view)
    }

    /// The connection with its secrets, as it was stored.
    pub(crate) fn unseal(
        blobs: &tradewind_store::blobs::Blobs,
        definition: ConnectionDefinition,
    ) -> Result<Connection, EventBridgeError> {
        let wrong = |reason: &str| EventBridgeError::stored(&definition.arn, reason);
        let auth = match &definition.sealed {
            None => None,
            Some(sealed) => {
                let sealed = STANDARD
                    .decode(sealed)
                    .map_err(|_not_base64| wrong("it is not base64"))?;
                let secret = blobs
                    .unseal(&sealed)
                    .ok_or_else(|| wrong("the node's key does not open it"))?;
                Some(serde_json::from_slice(&secret).map_err(|_not_json| wrong("it is not JSON"))?)
            }
        };
        Ok(Connection { definition, auth })
    }

    /// The connection, or AWS's words that it is not there.
    pub(crate) fn connection(
        &self,
        account: &AccountId,
        region: &Region,
        name: &Name,
    ) -> Result<Arc<Connection>, EventBridgeError> {
        let all = self.registry(|registry| registry.connections_in(account, region));
        let found = all
            .into_iter()
            .find(|connection| connection.definition.name == *name);
        found.ok_or_else(|| {
            EventBridgeError::ResourceNotFound(format!(
                "Failed to describe the connection(s). Connection '{name}' does not exist."
            ))
        })
    }

    pub(super) async fn delete_connection(
        &self,
        call: &Call,
        request: Named,
    ) -> Result<Value, EventBridgeError> {
        let _changing = self.changing().await;
        let connection = self.connection(&call.account, &call.region, &request.name()?)?;
        let mut view = changed(&connection);
        self.remove_connection(&connection.definition.arn).await?;
        view["ConnectionState"] = json!("DELETING");
        Ok(view)
    }

    /// Removes a connection. Called while [`Self::changing`] is held.
    pub(crate) async fn remove_connection(&self, arn: &str) -> Result<(), EventBridgeError> {
        let batch = tables::delete(Batch::new(), arn);
        self.commit(batch, |registry| registry.delete_connection(arn))
            .await?;
        self.destinations().forget_token(arn);
        Ok(())
    }

    pub(super) fn describe_connection(&self, call: &Call, request: Named) -> Result<Value, EventBridgeError> {
        let connection = self.connection(&call.account, &call.region, &request.name()?)?;
        let mut view = view(&connection);
        view["Description"] = json!(connection.definition.description);
        view["AuthParameters"] = connection.auth.as_ref().map_or(Value::Null, AuthParameters::view);
        Ok(answer(view))
    }

    pub(super) fn list_connections(
        &self,
        call: &Call,
        request: ListConnections,
    ) -> Result<Value, EventBridgeError> {
        let prefix = request.name_prefix.unwrap_or_default();
        let all = self.registry(|registry| registry.connections_in(&call.account, &call.region));
        let wanted = |connection: &&Arc<Connection>| {
            connection.definition.name.as_str().starts_with(&prefix)
                && request
                    .connection_state
                    .as_deref()
                    .is_none_or(|state| connection.state() == state)
        };
        let mut views: Vec<_> = all
            .iter()
            .filter(wanted)
            .map(|connection| (connection.definition.name.to_string(), answer(view(connection))))
            .collect();
        views.sort_by(|(one, _), (other, _)| one.cmp(other));
        let (page, next) = request.paging.page("ListConnections", views.into_iter())?;
        Ok(answer(json!({"Connections": page, "NextToken": next})))
    }
}

fn changed(connection: &Connection) -> Value {
    let definition = &connection.definition;
    json!({
        "ConnectionArn": definition.arn, "ConnectionState": connection.state(),
        "CreationTime": seconds(Some(definition.created)),
        "LastModifiedTime": seconds(Some(definition.modified)),
        "LastAuthorizedTime": seconds(Some(definition.authorized)),
    })
}

fn view(connection: &Connection) -> Value {
    let mut view = changed(connection);
    view["Name"] = json!(connection.definition.name);
    view["AuthorizationType"] = json!(connection.definition.authorization);
    view
}
