//! Which service a request is for: the one table of service detection.
//!
//! In this order: the service in the SigV4 credential scope (header, then presigned query), the
//! prefix of `X-Amz-Target`, the `Version` of a query-protocol request, a host or path that only one
//! service has; and else S3, which owns every other path.

use http::request::Parts;
use percent_encoding::percent_decode_str;

/// A service of AWS that this platform is or will be, or the signing name of another one.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "the variants are the names of the services")]
pub enum Service {
    Lambda,
    ApiGateway,
    ApiGatewayV2,
    ExecuteApi,
    CloudFormation,
    CloudWatch,
    CognitoIdp,
    DynamoDb,
    DynamoDbStreams,
    Ec2,
    Ecr,
    EventBridge,
    Firehose,
    Iam,
    Kinesis,
    Kms,
    Logs,
    Pipes,
    S3,
    Scheduler,
    SecretsManager,
    Ses,
    SesV2,
    Sns,
    Sqs,
    Ssm,
    StepFunctions,
    Sts,
    /// A signing name, target prefix or API version that no line of the table has.
    Unknown(Box<str>),
}

/// How a service words its requests and answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protocol {
    /// Paths and JSON bodies.
    RestJson,
    /// `X-Amz-Target` and JSON bodies, version 1.0.
    Json10,
    /// `X-Amz-Target` and JSON bodies, version 1.1.
    Json11,
    /// Form parameters with `Action`, XML answers.
    Query,
    /// Paths and XML bodies.
    RestXml,
}

struct Entry {
    service: Service,
    /// What SDKs, the CLI and error messages call it.
    name: &'static str,
    /// In credential scopes.
    signing_names: &'static [&'static str],
    /// What stands before the last dot of `X-Amz-Target`.
    target_prefixes: &'static [&'static str],
    /// `Version` of query-protocol requests.
    query_version: Option<&'static str>,
    protocol: Protocol,
}

const fn entry(
    service: Service,
    name: &'static str,
    signing_names: &'static [&'static str],
    target_prefixes: &'static [&'static str],
    query_version: Option<&'static str>,
    protocol: Protocol,
) -> Entry {
    Entry {
        service,
        name,
        signing_names,
        target_prefixes,
        query_version,
        protocol,
    }
}

#[rustfmt::skip]
static TABLE: &[Entry] = &[
    entry(Service::Lambda, "lambda", &["lambda"], &["AWSLambda"], None, Protocol::RestJson),
    entry(Service::ApiGateway, "apigateway", &["apigateway"], &[], None, Protocol::RestJson),
    entry(Service::ApiGatewayV2, "apigatewayv2", &[], &[], None, Protocol::RestJson),
    entry(Service::ExecuteApi, "execute-api", &["execute-api"], &[], None, Protocol::RestJson),
    entry(Service::CloudFormation, "cloudformation", &["cloudformation"], &[], Some("2010-05-15"), Protocol::Query),
    entry(Service::CloudWatch, "monitoring", &["monitoring"], &["GraniteServiceVersion20100801"], Some("2010-08-01"), Protocol::Query),
    entry(Service::CognitoIdp, "cognito-idp", &["cognito-idp"], &["AWSCognitoIdentityProviderService"], None, Protocol::Json11),
    entry(Service::DynamoDb, "dynamodb", &["dynamodb"], &["DynamoDB_20120810", "DynamoDB_20111205"], None, Protocol::Json10),
    entry(Service::DynamoDbStreams, "dynamodbstreams", &[], &["DynamoDBStreams_20120810"], None, Protocol::Json10),
    entry(Service::Ec2, "ec2", &["ec2"], &[], Some("2016-11-15"), Protocol::Query),
    entry(Service::Ecr, "ecr", &["ecr"], &["AmazonEC2ContainerRegistry_V20150921"], None, Protocol::Json11),
    entry(Service::EventBridge, "events", &["events"], &["AWSEvents"], None, Protocol::Json11),
    entry(Service::Firehose, "firehose", &["firehose"], &["Firehose_20150804"], None, Protocol::Json11),
    entry(Service::Iam, "iam", &["iam"], &[], Some("2010-05-08"), Protocol::Query),
    entry(Service::Kinesis, "kinesis", &["kinesis"], &["Kinesis_20131202"], None, Protocol::Json11),
    entry(Service::Kms, "kms", &["kms"], &["TrentService"], None, Protocol::Json11),
    entry(Service::Logs, "logs", &["logs"], &["Logs_20140328"], None, Protocol::Json11),
    entry(Service::Pipes, "pipes", &["pipes"], &[], None, Protocol::RestJson),
    entry(Service::S3, "s3", &["s3", "s3-outposts", "s3-object-lambda", "s3express"], &[], None, Protocol::RestXml),
    entry(Service::Scheduler, "scheduler", &["scheduler"], &[], None, Protocol::RestJson),
    entry(Service::SecretsManager, "secretsmanager", &["secretsmanager"], &["secretsmanager"], None, Protocol::Json11),
    entry(Service::Ses, "ses", &["ses", "email"], &[], Some("2010-12-01"), Protocol::Query),
    entry(Service::SesV2, "sesv2", &[], &[], None, Protocol::RestJson),
    entry(Service::Sns, "sns", &["sns"], &[], Some("2010-03-31"), Protocol::Query),
    entry(Service::Sqs, "sqs", &["sqs"], &["AmazonSQS"], Some("2012-11-05"), Protocol::Json10),
    entry(Service::Ssm, "ssm", &["ssm"], &["AmazonSSM"], None, Protocol::Json11),
    entry(Service::StepFunctions, "states", &["states"], &["AWSStepFunctions"], None, Protocol::Json10),
    entry(Service::Sts, "sts", &["sts"], &[], Some("2011-06-15"), Protocol::Query),
];

/// What follows the date in the paths of Lambda's API.
const LAMBDA_COLLECTIONS: &[&str] = &[
    "account-settings",
    "capacity-providers",
    "code-signing-configs",
    "durable-execution-callbacks",
    "durable-executions",
    "event-source-mappings",
    "functions",
    "layers",
    "layers-by-arn",
    "tags",
];

/// The service a request is for; see the module's text for the order of the evidence.
#[must_use]
pub fn service_of(parts: &Parts) -> Service {
    let path = parts.uri.path();
    if let Some(name) = scope_service(parts) {
        return by_signing_name(&name, parts);
    }
    if let Some(target) = header(parts, "x-amz-target") {
        return by_target(target);
    }
    if let Some(version) = query_version(parts.uri.query().unwrap_or_default()) {
        return by_query_version(&version);
    }
    if is_lambda_path(path) {
        return Service::Lambda;
    }
    if is_sqs_host(parts) {
        return Service::Sqs;
    }
    Service::S3
}

impl Service {
    /// Every service of the table.
    pub fn all() -> impl Iterator<Item = &'static Self> {
        TABLE.iter().map(|entry| &entry.service)
    }

    /// What SDKs and the CLI call the service; for an unknown one the name it was asked for by.
    #[must_use]
    pub fn name(&self) -> &str {
        match (self, self.entry()) {
            (Self::Unknown(name), _) => name,
            (_, Some(entry)) => entry.name,
            (_, None) => "unknown",
        }
    }

    /// The protocol in which this request has to be answered, also when the answer is an error.
    /// Services that speak two (SQS) answer in the one that was spoken.
    #[must_use]
    pub fn protocol(&self, parts: &Parts) -> Protocol {
        let content_type = header(parts, "content-type").unwrap_or_default();
        let usual = self.entry().map(|entry| entry.protocol);
        let may_be_query = matches!(usual, None | Some(Protocol::Json10));
        if content_type.starts_with("application/x-amz-json-1.0") {
            Protocol::Json10
        } else if content_type.starts_with("application/x-amz-json-1.1") {
            Protocol::Json11
        } else if may_be_query && content_type.starts_with("application/x-www-form-urlencoded") {
            Protocol::Query
        } else {
            usual.unwrap_or(Protocol::RestJson)
        }
    }

    fn entry(&self) -> Option<&'static Entry> {
        TABLE.iter().find(|entry| entry.service == *self)
    }
}

fn by_signing_name(name: &str, parts: &Parts) -> Service {
    let listed = TABLE.iter().find(|entry| entry.signing_names.contains(&name));
    match listed.map(|entry| &entry.service) {
        None => Service::Unknown(name.into()),
        Some(Service::ApiGateway) if is_below(parts.uri.path(), "/v2") => Service::ApiGatewayV2,
        Some(Service::Ses) if is_below(parts.uri.path(), "/v2/email") => Service::SesV2,
        Some(Service::DynamoDb) => match header(parts, "x-amz-target").map(by_target) {
            Some(Service::DynamoDbStreams) => Service::DynamoDbStreams,
            _ => Service::DynamoDb,
        },
        Some(service) => service.clone(),
    }
}

fn by_target(target: &str) -> Service {
    let prefix = target.rsplit_once('.').map_or(target, |(prefix, _)| prefix);
    let listed = TABLE.iter().find(|entry| entry.target_prefixes.contains(&prefix));
    listed.map_or_else(|| Service::Unknown(prefix.into()), |entry| entry.service.clone())
}

fn by_query_version(version: &str) -> Service {
    let listed = TABLE.iter().find(|entry| entry.query_version == Some(version));
    listed.map_or_else(|| Service::Unknown(version.into()), |entry| entry.service.clone())
}

/// The service in the credential scope, read leniently: a malformed scope is refused by
/// [`crate::caller`], in the words of the service that it names as far as one can tell.
fn scope_service(parts: &Parts) -> Option<String> {
    let authorization = header(parts, "authorization").filter(|value| value.starts_with("AWS4-"));
    let credential = match authorization {
        Some(value) => value.split_once("Credential=")?.1.split(',').next()?.to_owned(),
        None => query_value(parts.uri.query()?, "X-Amz-Credential")?,
    };
    let service = credential.trim().rsplit('/').nth(1)?;
    (!service.is_empty()).then(|| service.to_owned())
}

/// The `Version` of a request whose query string has an `Action`, as only the query protocol has.
fn query_version(query: &str) -> Option<String> {
    query_value(query, "Action")?;
    query_value(query, "Version")
}

/// `sqs.{region}.…` and `{region}.queue.…`: the hosts of queue URLs, which the query protocol posts to.
fn is_sqs_host(parts: &Parts) -> bool {
    let mut labels = header(parts, "host").unwrap_or_default().split(['.', ':']);
    let (first, second, third) = (labels.next(), labels.next(), labels.next());
    let is_region = |label: Option<&str>| label.is_some_and(|label| label.matches('-').count() == 2);
    third.is_some()
        && ((first == Some("sqs") && is_region(second)) || (is_region(first) && second == Some("queue")))
}

/// `/2015-03-31/functions/…` and its like: a date, then one of Lambda's collections.
fn is_lambda_path(path: &str) -> bool {
    let mut segments = path.split('/').skip(1);
    let date = segments.next().unwrap_or_default();
    let collection = segments.next().unwrap_or_default();
    is_date(date) && LAMBDA_COLLECTIONS.contains(&collection)
}

/// `YYYY-MM-DD`.
fn is_date(text: &str) -> bool {
    let is_right = |(index, byte): (usize, u8)| match index {
        4 | 7 => byte == b'-',
        _ => byte.is_ascii_digit(),
    };
    text.len() == 10 && text.bytes().enumerate().all(is_right)
}

fn is_below(path: &str, prefix: &str) -> bool {
    path.strip_prefix(prefix)
        .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

pub(crate) fn header<'a>(parts: &'a Parts, name: &str) -> Option<&'a str> {
    parts.headers.get(name)?.to_str().ok()
}

/// The decoded value of `name` in a query string; the first, where there are several.
#[must_use]
pub fn query_value(query: &str, name: &str) -> Option<String> {
    let mut pairs = query
        .split('&')
        .map(|pair| pair.split_once('=').unwrap_or((pair, "")));
    let (_, value) = pairs.find(|(given, _)| *given == name)?;
    Some(percent_decode_str(value).decode_utf8_lossy().into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts(path: &str, headers: &[(&str, &str)]) -> Parts {
        let mut request = http::Request::builder().uri(path);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        request.body(()).unwrap().into_parts().0
    }

    fn signed_for(name: &str) -> String {
        format!(
            "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/{name}/aws4_request, \
             SignedHeaders=host;x-amz-date, Signature=00"
        )
    }

    #[test]
    fn every_signing_name_of_the_table_selects_its_service() {
        for entry in TABLE {
            for name in entry.signing_names {
                let found = service_of(&parts("/", &[("authorization", &signed_for(name))]));
                assert_eq!(found, entry.service, "{name}");
            }
        }
    }

    #[test]
    fn every_target_prefix_of_the_table_selects_its_service() {
        for entry in TABLE {
            for prefix in entry.target_prefixes {
                let target = format!("{prefix}.DoIt");
                assert_eq!(
                    service_of(&parts("/", &[("x-amz-target", &target)])),
                    entry.service,
                    "{prefix}"
                );
            }
        }
    }

    #[test]
    fn every_query_version_of_the_table_selects_its_service() {
        for entry in TABLE {
            let Some(version) = entry.query_version else {
                continue;
            };
            let path = format!("/?Action=DoIt&Version={version}");
            assert_eq!(service_of(&parts(&path, &[])), entry.service, "{version}");
        }
    }

    #[test]
    fn no_name_prefix_or_version_stands_in_two_lines() {
        let names = TABLE
            .iter()
            .flat_map(|e| e.signing_names.iter().map(|n| ("signing", *n)));
        let prefixes = TABLE
            .iter()
            .flat_map(|e| e.target_prefixes.iter().map(|n| ("target", *n)));
        let versions = TABLE
            .iter()
            .filter_map(|e| e.query_version.map(|v| ("version", v)));
        let mut seen = std::collections::HashSet::new();
        for key in names.chain(prefixes).chain(versions) {
            assert!(seen.insert(key), "{key:?}");
        }
    }

    #[test]
    fn lambdas_paths_select_it_without_a_signature() {
        for path in [
            "/2014-11-13/functions/f/invoke-async/",
            "/2015-03-31/functions",
            "/2015-03-31/functions/",
            "/2015-03-31/functions/f/invocations",
            "/2015-03-31/event-source-mappings/",
            "/2016-08-19/account-settings/",
            "/2017-03-31/tags/arn:aws:lambda:us-east-1:000000000000:function:f",
            "/2017-10-31/functions/f/concurrency",
            "/2018-10-31/layers/l/versions",
            "/2018-10-31/layers-by-arn?Arn=x",
            "/2019-09-25/functions/f/event-invoke-config",
            "/2019-09-30/functions/f/provisioned-concurrency",
            "/2020-04-22/code-signing-configs/",
            "/2020-06-30/functions/f/code-signing-config",
            "/2021-07-20/functions/f/runtime-management-config",
            "/2021-10-31/functions/f/url",
            "/2021-11-15/functions/f/response-streaming-invocations",
            "/2024-08-31/functions/f/recursion-config",
            "/2025-12-01/durable-executions/x",
        ] {
            assert_eq!(service_of(&parts(path, &[])), Service::Lambda, "{path}");
        }
    }

    #[test]
    fn hosts_of_queue_urls_select_sqs() {
        for host in [
            "sqs.us-east-1.localhost:4566",
            "sqs.us-east-1.localhost.localstack.cloud:4566",
            "us-east-1.queue.localhost:4566",
        ] {
            let found = service_of(&parts("/000000000000/q", &[("host", host)]));
            assert_eq!(found, Service::Sqs, "{host}");
        }
        for host in [
            "sqs.s3.localhost:4566",
            "sqs.localhost:4566",
            "my-own-sqs.queue-1:4566",
        ] {
            let found = service_of(&parts("/000000000000/q", &[("host", host)]));
            assert_eq!(found, Service::S3, "{host}");
        }
    }

    #[test]
    fn every_other_path_is_s3() {
        for path in [
            "/",
            "/bucket",
            "/bucket/functions/key",
            "/2015-03-31",
            "/2015-03-31/bucket-like",
            "/2015-3-31/functions",
            "/20150331xx/functions",
            "/bucket/2015-03-31/functions",
            "/bucket?Version=1",
        ] {
            assert_eq!(service_of(&parts(path, &[])), Service::S3, "{path}");
        }
    }

    #[test]
    fn a_signature_weighs_more_than_the_path() {
        let signed = signed_for("s3");
        let found = service_of(&parts("/2015-03-31/functions", &[("authorization", &signed)]));
        assert_eq!(found, Service::S3);
    }

    #[test]
    fn presigned_requests_are_found_by_their_credential() {
        let query = "/b/k?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=A%2F20150830%2Feu-west-1%2Fsts%2Faws4_request";
        assert_eq!(service_of(&parts(query, &[])), Service::Sts);
    }

    #[test]
    fn one_signing_name_may_cover_two_services() {
        let apigateway = signed_for("apigateway");
        let found = |path| service_of(&parts(path, &[("authorization", apigateway.as_str())]));
        assert_eq!(found("/restapis"), Service::ApiGateway);
        assert_eq!(found("/v2/apis"), Service::ApiGatewayV2);
        assert_eq!(found("/v20/apis"), Service::ApiGateway);
        let ses = signed_for("ses");
        let found_ses = |path| service_of(&parts(path, &[("authorization", ses.as_str())]));
        assert_eq!(found_ses("/"), Service::Ses);
        assert_eq!(found_ses("/v2/email/outbound-emails"), Service::SesV2);
        let dynamodb = signed_for("dynamodb");
        let streams = [
            ("authorization", dynamodb.as_str()),
            ("x-amz-target", "DynamoDBStreams_20120810.ListStreams"),
        ];
        assert_eq!(service_of(&parts("/", &streams)), Service::DynamoDbStreams);
    }

    #[test]
    fn what_is_not_in_the_table_keeps_its_name() {
        let unknown = service_of(&parts("/", &[("authorization", &signed_for("quantum"))]));
        assert_eq!(unknown, Service::Unknown("quantum".into()));
        assert_eq!(unknown.name(), "quantum");
        let target = service_of(&parts("/", &[("x-amz-target", "Com.Example.Svc.Op")]));
        assert_eq!(target, Service::Unknown("Com.Example.Svc".into()));
    }

    #[test]
    fn a_bearer_token_is_no_credential_scope() {
        let bearer = [("authorization", "Bearer Credential=a/b/c/lambda/x")];
        assert_eq!(service_of(&parts("/bucket", &bearer)), Service::S3);
    }

    #[test]
    fn the_answer_is_in_the_protocol_that_was_spoken() {
        let spoken =
            |service: Service, content_type| service.protocol(&parts("/", &[("content-type", content_type)]));
        assert_eq!(
            spoken(Service::Sqs, "application/x-amz-json-1.0"),
            Protocol::Json10
        );
        assert_eq!(
            spoken(Service::Sqs, "application/x-www-form-urlencoded; charset=utf-8"),
            Protocol::Query
        );
        assert_eq!(
            spoken(Service::Sts, "application/x-www-form-urlencoded"),
            Protocol::Query
        );
        assert_eq!(
            spoken(Service::Lambda, "application/x-www-form-urlencoded"),
            Protocol::RestJson
        );
        assert_eq!(
            spoken(Service::S3, "application/x-www-form-urlencoded"),
            Protocol::RestXml
        );
        assert_eq!(
            spoken(Service::Unknown("x".into()), "application/x-www-form-urlencoded"),
            Protocol::Query
        );
        assert_eq!(
            spoken(Service::Unknown("x".into()), "application/json"),
            Protocol::RestJson
        );
    }
}
