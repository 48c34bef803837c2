//! `AWS::Logs::LogGroup`.

use serde_json::{Map, Value, json};
use tradewind_model::resource::{
    KnownProperties, Properties, PropertyProblem, ResourceContext, ResourceError, ResourceHandler,
    ResourceState, optional_integer, optional_tags, optional_text, problem,
};
use tradewind_observe::LogStore;
use tradewind_store::Database;

use crate::error::LogGroupError;
use crate::model::{LogGroup, LogGroupName, RetentionDays};
use crate::tables;

const ACCEPTED: &[&str] = &["LogGroupName", "RetentionInDays", "Tags"];
const REFUSED: &[(&str, &str)] = &[
    (
        "BearerTokenAuthenticationEnabled",
        "log groups take no events over HTTP",
    ),
    (
        "DataProtectionPolicy",
        "log events are stored as they come, without masking",
    ),
    (
        "DeletionProtectionEnabled",
        "log groups are deleted with their stack",
    ),
    ("FieldIndexPolicies", "log events are not indexed by field"),
    ("KmsKeyId", "log events are not encrypted with keys of your own"),
    ("LogGroupClass", "there is one class of log groups"),
    ("ResourcePolicyDocument", "policies are not enforced"),
];

/// Log groups, wired to the log store.
#[derive(Debug)]
pub(crate) struct LogGroupType {
    database: Database,
    logs: LogStore,
}

impl LogGroupType {
    pub(crate) fn new(database: Database, logs: LogStore) -> Self {
        Self { database, logs }
    }

    async fn put(
        &self,
        context: &ResourceContext,
        name: LogGroupName,
        properties: &Properties,
    ) -> Result<ResourceState, LogGroupError> {
        let retention = optional_integer(properties, "RetentionInDays")?;
        let group = LogGroup {
            retention: retention.map(RetentionDays::new).transpose()?,
            tags: optional_tags(properties, "Tags")?,
        };
        tables::put(&self.database, context, name.as_str(), &group).await?;
        let days = group.retention.map(RetentionDays::get);
        self.logs.set_retention(name.as_str(), days).await;
        let arn = name.arn(&context.account, &context.region);
        Ok(ResourceState {
            physical_id: name.to_string(),
            reference: None,
            attributes: Map::from_iter([("Arn".into(), json!(arn))]),
        })
    }

    /// The events go before the row: after a crash in between, the repeated call finds the row.
    async fn remove(&self, context: &ResourceContext, name: &str) -> Result<(), LogGroupError> {
        if !tables::may_delete(&self.database, context, name).await? {
            return Ok(());
        }
        self.logs.delete_group(name).await?;
        tables::delete(&self.database, context, name).await
    }
}

impl ResourceHandler for LogGroupType {
    fn type_name(&self) -> &'static str {
        "AWS::Logs::LogGroup"
    }

    fn known_properties(&self) -> KnownProperties {
        KnownProperties::new(ACCEPTED).refusing("", REFUSED)
    }

    fn check(&self, properties: &Properties) -> Vec<PropertyProblem> {
        let mut problems = self.known_properties().check(properties);
        if let Some(Value::Number(days)) = properties.get("RetentionInDays")
            && let Err(error) = RetentionDays::new(days.as_i64().unwrap_or(i64::MAX))
        {
            problems.push(problem(&["RetentionInDays"], error.to_string()));
        }
        problems
    }

    fn replaced_by(&self) -> &'static [&'static str] {
        &["LogGroupName"]
    }

    async fn create(
        &self,
        context: &ResourceContext,
        properties: &Properties,
    ) -> Result<ResourceState, ResourceError> {
        let given = optional_text(properties, "LogGroupName")?;
        let name = given.unwrap_or_else(|| context.generated_name_within(512));
        let name = name.parse().map_err(LogGroupError::Invalid)?;
        Ok(self.put(context, name, properties).await?)
    }

    async fn update(
        &self,
        context: &ResourceContext,
        current: &ResourceState,
        properties: &Properties,
    ) -> Result<ResourceState, ResourceError> {
        let name = current.physical_id.parse().map_err(LogGroupError::Invalid)?;
        Ok(self.put(context, name, properties).await?)
    }

    async fn delete(&self, context: &ResourceContext, current: &ResourceState) -> Result<(), ResourceError> {
        Ok(self.remove(context, &current.physical_id).await?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tempfile::TempDir;
    use tradewind_model::{Clock, Timestamp};
    use tradewind_observe::{LogEvent, LogKind, LogOptions};

    use crate::LogsService;

    const NAME: &str = "/aws/lambda/shop-dev-cart";
    const DAY_MS: i64 = 24 * 60 * 60 * 1000;

    struct Bench {
        _dir: TempDir,
        database: Database,
        logs: LogStore,
        groups: LogGroupType,
    }

    fn bench() -> Bench {
        let dir = TempDir::new().unwrap();
        let clock = Clock::manual(Timestamp::from_millis(100 * DAY_MS));
        let logs = LogStore::open(dir.path().into(), clock, LogOptions::default()).unwrap();
        let database = Database::in_memory_for_tests(&[tables::MIGRATIONS]);
        let groups = LogGroupType::new(database.clone(), logs.clone());
        Bench {
            _dir: dir,
            database,
            logs,
            groups,
        }
    }

    fn properties(value: Value) -> Properties {
        value.as_object().unwrap().clone()
    }

    async fn log_ten_days_ago(logs: &LogStore) {
        let event = LogEvent {
            group: NAME.into(),
            stream: "s".into(),
            timestamp: Timestamp::from_millis(90 * DAY_MS),
            request_id: None,
            kind: LogKind::Line,
            message: "old".into(),
        };
        logs.append(vec![event]).await;
    }

    #[tokio::test]
    async fn retention_is_enforced_from_create_over_update_to_restart() {
        let bench = bench();
        log_ten_days_ago(&bench.logs).await;
        let named = properties(json!({"LogGroupName": NAME, "RetentionInDays": 14}));
        let made = bench
            .groups
            .create(&ResourceContext::for_tests("Group"), &named)
            .await
            .unwrap();
        assert_eq!(made.physical_id, NAME);
        assert_eq!(
            made.attributes["Arn"],
            "arn:aws:logs:us-east-1:000000000000:log-group:/aws/lambda/shop-dev-cart:*"
        );
        assert_eq!(bench.logs.groups().await, [NAME], "ten days are within fourteen");
        let shorter = properties(json!({"LogGroupName": NAME, "RetentionInDays": "7"}));
        bench
            .groups
            .update(&ResourceContext::for_tests("Group"), &made, &shorter)
            .await
            .unwrap();
        assert_eq!(bench.logs.groups().await, Vec::<String>::new());

        bench.logs.set_retention(NAME, None).await;
        log_ten_days_ago(&bench.logs).await;
        assert_eq!(bench.logs.groups().await, [NAME]);
        LogsService::open(bench.database, bench.logs.clone())
            .await
            .unwrap();
        assert_eq!(
            bench.logs.groups().await,
            Vec::<String>::new(),
            "the service sets it again"
        );
    }

    #[tokio::test]
    async fn deleting_the_group_deletes_its_events_and_can_be_repeated() {
        let bench = bench();
        let named = properties(json!({"LogGroupName": NAME}));
        let made = bench
            .groups
            .create(&ResourceContext::for_tests("Group"), &named)
            .await
            .unwrap();
        log_ten_days_ago(&bench.logs).await;
        for _ in 0..2 {
            bench
                .groups
                .delete(&ResourceContext::for_tests("Group"), &made)
                .await
                .unwrap();
        }
        assert_eq!(bench.logs.groups().await, Vec::<String>::new());
        assert_eq!(tables::all(&bench.database).await.unwrap(), []);
    }

    #[tokio::test]
    async fn a_group_of_another_resource_is_neither_taken_nor_deleted() {
        let bench = bench();
        let named = properties(json!({"LogGroupName": NAME}));
        let made = bench
            .groups
            .create(&ResourceContext::for_tests("Mine"), &named)
            .await
            .unwrap();
        log_ten_days_ago(&bench.logs).await;
        assert_eq!(
            bench
                .groups
                .create(&ResourceContext::for_tests("Mine"), &named)
                .await
                .unwrap(),
            made,
            "a repeated create"
        );
        let error = bench
            .groups
            .create(&ResourceContext::for_tests("Other"), &named)
            .await
            .unwrap_err();
        assert!(
            matches!(
                error,
                ResourceError::AlreadyExists {
                    kind: "log group",
                    ..
                }
            ),
            "{error}"
        );
        bench
            .groups
            .delete(&ResourceContext::for_tests("Other"), &made)
            .await
            .unwrap();
        assert_eq!(bench.logs.groups().await, [NAME]);
    }

    #[tokio::test]
    async fn a_group_without_a_name_gets_the_generated_one() {
        let made = bench()
            .groups
            .create(&ResourceContext::for_tests("Group"), &Properties::new())
            .await
            .unwrap();
        assert_eq!(made.physical_id, "shop-dev-Group-0123456789AB");
    }

    #[tokio::test]
    async fn what_is_not_understood_is_refused_by_name() {
        let groups = bench().groups;
        let given = properties(json!({"KmsKeyId": "k", "RetentionInDay": 7, "RetentionInDays": 8}));
        let problems: Vec<String> = groups
            .check(&given)
            .into_iter()
            .map(|problem| problem.message)
            .collect();
        assert_eq!(
            problems[0],
            "property `KmsKeyId` is not supported yet: log events are not encrypted with keys of your own"
        );
        assert_eq!(
            problems[1],
            "unknown property `RetentionInDay`; did you mean `RetentionInDays`?"
        );
        assert!(problems[2].starts_with("RetentionInDays 8 is not allowed: use one of [1, 3, 5, 7,"));
        let resolved = properties(json!({"RetentionInDays": "8"}));
        assert!(
            groups
                .create(&ResourceContext::for_tests("Group"), &resolved)
                .await
                .is_err()
        );
        let later = properties(json!({"RetentionInDays": {"Ref": "Days"}}));
        assert_eq!(groups.check(&later), []);
    }
}
