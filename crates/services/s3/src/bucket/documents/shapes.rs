//! Properties of `AWS::S3::Bucket` in a template's spelling, and what they are in S3's.

use s3s::dto;
use serde::Deserialize;
use serde::de::{self, Deserializer};

/// A number, which a template may write as text.
pub(super) fn number<'de, D: Deserializer<'de>, T>(deserializer: D) -> Result<Option<T>, D::Error>
where
    T: TryFrom<i64>,
{
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Written {
        Number(i64),
        Text(String),
    }
    let number = match Option::<Written>::deserialize(deserializer)? {
        None => return Ok(None),
        Some(Written::Number(number)) => Some(number),
        Some(Written::Text(text)) => text.parse().ok(),
    };
    let number = number.and_then(|number| T::try_from(number).ok());
    number
        .map(Some)
        .ok_or_else(|| de::Error::custom("a number is expected"))
}

/// A truth value, which a template may write as text.
pub(super) fn truth<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<bool>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Written {
        Truth(bool),
        Text(String),
    }
    match Option::<Written>::deserialize(deserializer)? {
        None => Ok(None),
        Some(Written::Truth(truth)) => Ok(Some(truth)),
        Some(Written::Text(text)) => text
            .parse()
            .map(Some)
            .map_err(|_neither| de::Error::custom("`true` or `false` is expected")),
    }
}

/// `BucketEncryption`.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(super) struct Encryption {
    server_side_encryption_configuration: Vec<EncryptionRule>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct EncryptionRule {
    server_side_encryption_by_default: Option<ByDefault>,
    #[serde(default, deserialize_with = "truth")]
    bucket_key_enabled: Option<bool>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ByDefault {
    #[serde(rename = "SSEAlgorithm")]
    sse_algorithm: String,
    #[serde(rename = "KMSMasterKeyID")]
    kms_master_key_id: Option<String>,
}

impl From<Encryption> for dto::ServerSideEncryptionConfiguration {
    fn from(given: Encryption) -> Self {
        let rule = |rule: EncryptionRule| dto::ServerSideEncryptionRule {
            apply_server_side_encryption_by_default: rule.server_side_encryption_by_default.map(|by| {
                dto::ServerSideEncryptionByDefault {
                    kms_master_key_id: by.kms_master_key_id,
                    sse_algorithm: by.sse_algorithm.into(),
                }
            }),
            bucket_key_enabled: rule.bucket_key_enabled,
        };
        let rules = given.server_side_encryption_configuration.into_iter();
        Self {
            rules: rules.map(rule).collect(),
        }
    }
}

/// `CorsConfiguration`.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(super) struct Cors {
    cors_rules: Vec<CorsRule>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct CorsRule {
    id: Option<String>,
    allowed_headers: Option<Vec<String>>,
    allowed_methods: Vec<String>,
    allowed_origins: Vec<String>,
    exposed_headers: Option<Vec<String>>,
    #[serde(default, deserialize_with = "number")]
    max_age: Option<i32>,
}

impl From<Cors> for dto::CORSConfiguration {
    fn from(given: Cors) -> Self {
        let rule = |rule: CorsRule| dto::CORSRule {
            allowed_headers: rule.allowed_headers,
            allowed_methods: rule.allowed_methods,
            allowed_origins: rule.allowed_origins,
            expose_headers: rule.exposed_headers,
            id: rule.id,
            max_age_seconds: rule.max_age,
        };
        Self {
            cors_rules: given.cors_rules.into_iter().map(rule).collect(),
        }
    }
}

/// `NotificationConfiguration`.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(super) struct Notification {
    queue_configurations: Option<Vec<ToQueue>>,
    lambda_configurations: Option<Vec<ToFunction>>,
    topic_configurations: Option<Vec<ToTopic>>,
    event_bridge_configuration: Option<ToBus>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct ToQueue {
    event: String,
    queue: String,
    filter: Option<Filter>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct ToFunction {
    event: String,
    function: String,
    filter: Option<Filter>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct ToTopic {
    event: String,
    topic: String,
    filter: Option<Filter>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct ToBus {
    #[serde(default, deserialize_with = "truth")]
    event_bridge_enabled: Option<bool>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct Filter {
    s3_key: FilterKey,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct FilterKey {
    rules: Vec<FilterRule>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct FilterRule {
    name: String,
    value: String,
}

impl From<Notification> for dto::NotificationConfiguration {
    fn from(given: Notification) -> Self {
        let queue = |to: ToQueue| dto::QueueConfiguration {
            events: vec![to.event.into()],
            filter: to.filter.map(filter),
            id: None,
            queue_arn: to.queue,
        };
        let function = |to: ToFunction| dto::LambdaFunctionConfiguration {
            events: vec![to.event.into()],
            filter: to.filter.map(filter),
            id: None,
            lambda_function_arn: to.function,
        };
        let topic = |to: ToTopic| dto::TopicConfiguration {
            events: vec![to.event.into()],
            filter: to.filter.map(filter),
            id: None,
            topic_arn: to.topic,
        };
        let (queues, functions) = (given.queue_configurations, given.lambda_configurations);
        let (topics, bus) = (given.topic_configurations, given.event_bridge_configuration);
        let bus = bus.filter(|bus| bus.event_bridge_enabled != Some(false));
        Self {
            queue_configurations: queues.map(|list| list.into_iter().map(queue).collect()),
            lambda_function_configurations: functions.map(|list| list.into_iter().map(function).collect()),
            topic_configurations: topics.map(|list| list.into_iter().map(topic).collect()),
            event_bridge_configuration: bus.map(|_| dto::EventBridgeConfiguration::default()),
        }
    }
}

fn filter(given: Filter) -> dto::NotificationConfigurationFilter {
    let rule = |rule: FilterRule| dto::FilterRule {
        name: Some(rule.name.into()),
        value: Some(rule.value),
    };
    dto::NotificationConfigurationFilter {
        key: Some(dto::S3KeyFilter {
            filter_rules: Some(given.s3_key.rules.into_iter().map(rule).collect()),
        }),
    }
}

/// `ObjectLockConfiguration`.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(super) struct ObjectLock {
    object_lock_enabled: Option<String>,
    rule: Option<LockRule>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct LockRule {
    default_retention: Option<Retention>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct Retention {
    mode: Option<String>,
    #[serde(default, deserialize_with = "number")]
    days: Option<i32>,
    #[serde(default, deserialize_with = "number")]
    years: Option<i32>,
}

impl From<ObjectLock> for dto::ObjectLockConfiguration {
    fn from(given: ObjectLock) -> Self {
        let retention = |retention: Retention| dto::DefaultRetention {
            days: retention.days,
            mode: retention.mode.map(Into::into),
            years: retention.years,
        };
        Self {
            object_lock_enabled: given.object_lock_enabled.map(Into::into),
            rule: given.rule.map(|rule| dto::ObjectLockRule {
                default_retention: rule.default_retention.map(retention),
            }),
        }
    }
}

/// `OwnershipControls`.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(super) struct Ownership {
    rules: Vec<OwnershipRule>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct OwnershipRule {
    object_ownership: String,
}

impl From<Ownership> for dto::OwnershipControls {
    fn from(given: Ownership) -> Self {
        let rule = |rule: OwnershipRule| dto::OwnershipControlsRule {
            object_ownership: rule.object_ownership.into(),
        };
        Self {
            rules: given.rules.into_iter().map(rule).collect(),
        }
    }
}

/// `PublicAccessBlockConfiguration`.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(super) struct PublicAccess {
    #[serde(default, deserialize_with = "truth")]
    block_public_acls: Option<bool>,
    #[serde(default, deserialize_with = "truth")]
    block_public_policy: Option<bool>,
    #[serde(default, deserialize_with = "truth")]
    ignore_public_acls: Option<bool>,
    #[serde(default, deserialize_with = "truth")]
    restrict_public_buckets: Option<bool>,
}

impl From<PublicAccess> for dto::PublicAccessBlockConfiguration {
    fn from(given: PublicAccess) -> Self {
        Self {
            block_public_acls: given.block_public_acls.or(Some(false)),
            block_public_policy: given.block_public_policy.or(Some(false)),
            ignore_public_acls: given.ignore_public_acls.or(Some(false)),
            restrict_public_buckets: given.restrict_public_buckets.or(Some(false)),
        }
    }
}

/// `WebsiteConfiguration`.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(super) struct Website {
    index_document: Option<String>,
    error_document: Option<String>,
    redirect_all_requests_to: Option<RedirectAll>,
    routing_rules: Option<Vec<RoutingRule>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct RedirectAll {
    host_name: String,
    protocol: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct RoutingRule {
    redirect_rule: RedirectRule,
    routing_rule_condition: Option<RoutingCondition>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct RedirectRule {
    host_name: Option<String>,
    http_redirect_code: Option<String>,
    protocol: Option<String>,
    replace_key_prefix_with: Option<String>,
    replace_key_with: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct RoutingCondition {
    http_error_code_returned_equals: Option<String>,
    key_prefix_equals: Option<String>,
}

impl From<Website> for dto::WebsiteConfiguration {
    fn from(given: Website) -> Self {
        let rules = given.routing_rules;
        Self {
            error_document: given.error_document.map(|key| dto::ErrorDocument { key }),
            index_document: given.index_document.map(|suffix| dto::IndexDocument { suffix }),
            redirect_all_requests_to: given
                .redirect_all_requests_to
                .map(|all| dto::RedirectAllRequestsTo {
                    host_name: all.host_name,
                    protocol: all.protocol.map(Into::into),
                }),
            routing_rules: rules.map(|rules| rules.into_iter().map(routing_rule).collect()),
        }
    }
}

fn routing_rule(given: RoutingRule) -> dto::RoutingRule {
    let redirect = given.redirect_rule;
    dto::RoutingRule {
        condition: given.routing_rule_condition.map(|condition| dto::Condition {
            http_error_code_returned_equals: condition.http_error_code_returned_equals,
            key_prefix_equals: condition.key_prefix_equals,
        }),
        redirect: dto::Redirect {
            host_name: redirect.host_name,
            http_redirect_code: redirect.http_redirect_code,
            protocol: redirect.protocol.map(Into::into),
            replace_key_prefix_with: redirect.replace_key_prefix_with,
            replace_key_with: redirect.replace_key_with,
        },
    }
}
