//! Every operation of the Lambda API in one table: how it is addressed, and whether it is here.
//! The router, the "not implemented" answer and the compatibility page come from this table alone.

use percent_encoding::percent_decode_str;
use tradewind_wire::{OperationSupport, Support};

/// One line of the table.
#[derive(Clone, Copy, Debug)]
pub struct Entry {
    /// Which operation.
    pub operation: Operation,
    /// Its name in the Lambda API reference.
    pub name: &'static str,
    method: &'static str,
    path: &'static str,
    /// A query parameter that tells the operation from another one with the same path.
    query: Option<&'static str>,
    /// Whether it is served.
    pub support: Support,
}

#[cfg(test)]
impl Entry {
    /// Method and path of a request for this operation with `label` in every label.
    pub(crate) fn example(&self, label: &str) -> (&'static str, String) {
        let query = self.query.map(|query| format!("?{query}")).unwrap_or_default();
        (self.method, self.path.replace("{}", label) + &query)
    }
}

/// The operation a request asks for, with the labels of its path, decoded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Route {
    pub(crate) operation: Operation,
    labels: Vec<String>,
}

impl Route {
    /// The path's first label: the function's name, or the resource of a tag operation.
    pub(crate) fn first(&self) -> &str {
        self.labels.first().map_or("", String::as_str)
    }

    /// The path's second label: a statement id, or the number of a layer version.
    pub(crate) fn second(&self) -> &str {
        self.labels.get(1).map_or("", String::as_str)
    }

    /// The path's third label: the statement id of a layer version.
    pub(crate) fn third(&self) -> &str {
        self.labels.get(2).map_or("", String::as_str)
    }
}

macro_rules! operations {
    ($($name:ident $method:literal $path:literal $($query:literal)? => $support:expr,)+) => {
        /// An operation of the Lambda API (versions 2014-11-13 to 2026-07-09).
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[expect(missing_docs, reason = "the names are those of the API reference")]
        pub enum Operation {
            $($name,)+
        }

        /// All operations, by name.
        pub const OPERATIONS: &[Entry] = &[
            $(Entry {
                operation: Operation::$name,
                name: stringify!($name),
                method: $method,
                path: $path,
                query: operations!(@query $($query)?),
                support: $support,
            },)+
        ];
    };
    (@query) => { None };
    (@query $query:literal) => { Some($query) };
}

use Support::{Missing, Served};

operations! {
    AddLayerVersionPermission "POST" "/2018-10-31/layers/{}/versions/{}/policy" => Served("`OrganizationId` is refused"),
    AddPermission "POST" "/2015-03-31/functions/{}/policy" => Served(""),
    CheckpointDurableExecution "POST" "/2025-12-01/durable-executions/{}/checkpoint" => Missing,
    CreateAlias "POST" "/2015-03-31/functions/{}/aliases" => Served(""),
    CreateCapacityProvider "POST" "/2025-11-30/capacity-providers" => Missing,
    CreateCodeSigningConfig "POST" "/2020-04-22/code-signing-configs" => Missing,
    CreateEventSourceMapping "POST" "/2015-03-31/event-source-mappings" => Served("sources are queues of SQS; `KMSKeyArn`, `LoggingConfig`, `MetricsConfig` and `ProvisionedPollerConfig` are refused by name"),
    CreateFunction "POST" "/2015-03-31/functions" => Served(
        "code as `ZipFile`; VPC, file systems, active tracing, SnapStart, \
         images and code signing are refused by name",
    ),
    CreateFunctionUrlConfig "POST" "/2021-10-31/functions/{}/url" => Served("`AWS_IAM` asks for a signature and does not verify it; the address is the node's `/_url/{id}/`"),
    DeleteAlias "DELETE" "/2015-03-31/functions/{}/aliases/{}" => Served(""),
    DeleteCapacityProvider "DELETE" "/2025-11-30/capacity-providers/{}" => Missing,
    DeleteCodeSigningConfig "DELETE" "/2020-04-22/code-signing-configs/{}" => Missing,
    DeleteDurableExecution "DELETE" "/2025-12-01/durable-executions/{}" => Missing,
    DeleteEventSourceMapping "DELETE" "/2015-03-31/event-source-mappings/{}" => Served(""),
    DeleteFunction "DELETE" "/2015-03-31/functions/{}" => Served(""),
    DeleteFunctionCodeSigningConfig "DELETE" "/2020-06-30/functions/{}/code-signing-config" => Missing,
    DeleteFunctionConcurrency "DELETE" "/2017-10-31/functions/{}/concurrency" => Served(""),
    DeleteFunctionEventInvokeConfig "DELETE" "/2019-09-25/functions/{}/event-invoke-config" => Served(""),
    DeleteFunctionUrlConfig "DELETE" "/2021-10-31/functions/{}/url" => Served(""),
    DeleteLayerVersion "DELETE" "/2018-10-31/layers/{}/versions/{}" => Served(""),
    DeleteProvisionedConcurrencyConfig "DELETE" "/2019-09-30/functions/{}/provisioned-concurrency" => Served(""),
    DeleteResourcePolicy "DELETE" "/2026-07-09/resource-policy/{}" => Missing,
    GetAccountSettings "GET" "/2016-08-19/account-settings" => Served(""),
    GetAlias "GET" "/2015-03-31/functions/{}/aliases/{}" => Served(""),
    GetCapacityProvider "GET" "/2025-11-30/capacity-providers/{}" => Missing,
    GetCodeSigningConfig "GET" "/2020-04-22/code-signing-configs/{}" => Missing,
    GetDurableExecution "GET" "/2025-12-01/durable-executions/{}" => Missing,
    GetDurableExecutionHistory "GET" "/2025-12-01/durable-executions/{}/history" => Missing,
    GetDurableExecutionState "GET" "/2025-12-01/durable-executions/{}/state" => Missing,
    GetEventSourceMapping "GET" "/2015-03-31/event-source-mappings/{}" => Served(""),
    GetFunction "GET" "/2015-03-31/functions/{}" => Served(""),
    GetFunctionCodeSigningConfig "GET" "/2020-06-30/functions/{}/code-signing-config" => Served("no function has one"),
    GetFunctionConcurrency "GET" "/2019-09-30/functions/{}/concurrency" => Served(""),
    GetFunctionConfiguration "GET" "/2015-03-31/functions/{}/configuration" => Served(""),
    GetFunctionEventInvokeConfig "GET" "/2019-09-25/functions/{}/event-invoke-config" => Served(""),
    GetFunctionRecursionConfig "GET" "/2024-08-31/functions/{}/recursion-config" => Served(""),
    GetFunctionScalingConfig "GET" "/2025-11-30/functions/{}/function-scaling-config" => Missing,
    GetFunctionUrlConfig "GET" "/2021-10-31/functions/{}/url" => Served(""),
    GetLayerVersion "GET" "/2018-10-31/layers/{}/versions/{}" => Served(""),
    GetLayerVersionByArn "GET" "/2018-10-31/layers" "find=LayerVersion" => Served(""),
    GetLayerVersionPolicy "GET" "/2018-10-31/layers/{}/versions/{}/policy" => Served(""),
    GetPolicy "GET" "/2015-03-31/functions/{}/policy" => Served(""),
    GetProvisionedConcurrencyConfig "GET" "/2019-09-30/functions/{}/provisioned-concurrency" => Served(""),
    GetResourcePolicy "GET" "/2026-07-09/resource-policy/{}" => Missing,
    GetRuntimeManagementConfig "GET" "/2021-07-20/functions/{}/runtime-management-config" => Served("always `Auto`: functions run on the interpreters of the machine"),
    Invoke "POST" "/2015-03-31/functions/{}/invocations" => Served(
        "`RequestResponse`, `Event` and `DryRun`",
    ),
    InvokeAsync "POST" "/2014-11-13/functions/{}/invoke-async" => Missing,
    InvokeWithResponseStream "POST" "/2021-11-15/functions/{}/response-streaming-invocations" => Served("no limit of 2 MB/s after the first 6 MB: the reader sets the pace"),
    ListAliases "GET" "/2015-03-31/functions/{}/aliases" => Served(""),
    ListCapacityProviders "GET" "/2025-11-30/capacity-providers" => Missing,
    ListCodeSigningConfigs "GET" "/2020-04-22/code-signing-configs" => Missing,
    ListDurableExecutionsByFunction "GET" "/2025-12-01/functions/{}/durable-executions" => Missing,
    ListEventSourceMappings "GET" "/2015-03-31/event-source-mappings" => Served(""),
    ListFunctionEventInvokeConfigs "GET" "/2019-09-25/functions/{}/event-invoke-config/list" => Served(""),
    ListFunctionUrlConfigs "GET" "/2021-10-31/functions/{}/urls" => Served(""),
    ListFunctionVersionsByCapacityProvider "GET" "/2025-11-30/capacity-providers/{}/function-versions" => Missing,
    ListFunctions "GET" "/2015-03-31/functions" => Served("`MasterRegion` is refused"),
    ListFunctionsByCodeSigningConfig "GET" "/2020-04-22/code-signing-configs/{}/functions" => Missing,
    ListLayerVersions "GET" "/2018-10-31/layers/{}/versions" => Served(""),
    ListLayers "GET" "/2018-10-31/layers" => Served(""),
    ListProvisionedConcurrencyConfigs "GET" "/2019-09-30/functions/{}/provisioned-concurrency" "List=ALL" => Served(""),
    ListTags "GET" "/2017-03-31/tags/{}" => Served("functions and event source mappings only"),
    ListVersionsByFunction "GET" "/2015-03-31/functions/{}/versions" => Served(""),
    PauseDurableExecution "POST" "/2025-12-01/durable-executions/{}/pause" => Missing,
    PublishLayerVersion "POST" "/2018-10-31/layers/{}/versions" => Served("content as `ZipFile`"),
    PublishVersion "POST" "/2015-03-31/functions/{}/versions" => Served(""),
    PutFunctionCodeSigningConfig "PUT" "/2020-06-30/functions/{}/code-signing-config" => Missing,
    PutFunctionConcurrency "PUT" "/2017-10-31/functions/{}/concurrency" => Served(""),
    PutFunctionEventInvokeConfig "PUT" "/2019-09-25/functions/{}/event-invoke-config" => Served("destinations are functions, queues, topics and event buses; buckets are refused by name"),
    PutFunctionRecursionConfig "PUT" "/2024-08-31/functions/{}/recursion-config" => Served(""),
    PutFunctionScalingConfig "PUT" "/2025-11-30/functions/{}/function-scaling-config" => Missing,
    PutProvisionedConcurrencyConfig "PUT" "/2019-09-30/functions/{}/provisioned-concurrency" => Served(""),
    PutResourcePolicy "PUT" "/2026-07-09/resource-policy/{}" => Missing,
    PutRuntimeManagementConfig "PUT" "/2021-07-20/functions/{}/runtime-management-config" => Missing,
    RemoveLayerVersionPermission "DELETE" "/2018-10-31/layers/{}/versions/{}/policy/{}" => Served(""),
    RemovePermission "DELETE" "/2015-03-31/functions/{}/policy/{}" => Served(""),
    ResumeDurableExecution "POST" "/2025-12-01/durable-executions/{}/resume" => Missing,
    SendDurableExecutionCallbackFailure "POST" "/2025-12-01/durable-execution-callbacks/{}/fail" => Missing,
    SendDurableExecutionCallbackHeartbeat "POST" "/2025-12-01/durable-execution-callbacks/{}/heartbeat" => Missing,
    SendDurableExecutionCallbackSuccess "POST" "/2025-12-01/durable-execution-callbacks/{}/succeed" => Missing,
    StopDurableExecution "POST" "/2025-12-01/durable-executions/{}/stop" => Missing,
    TagResource "POST" "/2017-03-31/tags/{}" => Served("functions and event source mappings only"),
    UntagResource "DELETE" "/2017-03-31/tags/{}" => Served("functions and event source mappings only"),
    UpdateAlias "PUT" "/2015-03-31/functions/{}/aliases/{}" => Served(""),
    UpdateCapacityProvider "PUT" "/2025-11-30/capacity-providers/{}" => Missing,
    UpdateCodeSigningConfig "PUT" "/2020-04-22/code-signing-configs/{}" => Missing,
    UpdateEventSourceMapping "PUT" "/2015-03-31/event-source-mappings/{}" => Served("sources are queues of SQS; `KMSKeyArn`, `LoggingConfig`, `MetricsConfig` and `ProvisionedPollerConfig` are refused by name"),
    UpdateFunctionCode "PUT" "/2015-03-31/functions/{}/code" => Served("code as `ZipFile`"),
    UpdateFunctionConfiguration "PUT" "/2015-03-31/functions/{}/configuration" => Served(
        "the same settings as CreateFunction",
    ),
    UpdateFunctionEventInvokeConfig "POST" "/2019-09-25/functions/{}/event-invoke-config" => Served("destinations are functions, queues, topics and event buses; buckets are refused by name"),
    UpdateFunctionUrlConfig "PUT" "/2021-10-31/functions/{}/url" => Served(""),
}

impl Operation {
    /// The operation's line in the table.
    #[must_use]
    pub fn entry(self) -> &'static Entry {
        OPERATIONS
            .iter()
            .find(|entry| entry.operation == self)
            .expect("the enum and the table come from one macro call")
    }
}

/// Finds the operation of a request line; none if it is no request of this API.
pub(crate) fn route(method: &str, path: &str, query: &str) -> Option<Route> {
    let path = path.strip_suffix('/').unwrap_or(path);
    let of_path = OPERATIONS.iter().filter(|entry| entry.method == method);
    let mut found: Vec<(&Entry, Vec<&str>)> = of_path
        .filter_map(|entry| Some((entry, labels(entry.path, path)?)))
        .filter(|(entry, _)| {
            entry
                .query
                .is_none_or(|pair| query.split('&').any(|given| given == pair))
        })
        .collect();
    found.sort_by_key(|(entry, _)| entry.query.is_none());
    let (entry, labels) = found.into_iter().next()?;
    let decoded = labels.into_iter().map(decode).collect::<Option<_>>()?;
    Some(Route {
        operation: entry.operation,
        labels: decoded,
    })
}

fn labels<'a>(template: &str, path: &'a str) -> Option<Vec<&'a str>> {
    let mut labels = Vec::new();
    let mut given = path.split('/');
    for expected in template.split('/') {
        let segment = given.next()?;
        match expected {
            "{}" if !segment.is_empty() => labels.push(segment),
            fixed if fixed == segment => {}
            _ => return None,
        }
    }
    given.next().is_none().then_some(labels)
}

fn decode(label: &str) -> Option<String> {
    Some(percent_decode_str(label).decode_utf8().ok()?.into_owned())
}

/// Every operation and whether it is served, by name; the compatibility page is made of it.
pub fn operations() -> impl Iterator<Item = OperationSupport> {
    OPERATIONS.iter().map(|entry| (entry.name, entry.support))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_line_routes_to_itself() {
        for entry in OPERATIONS {
            let path = entry.path.replace("{}", "label%3A1");
            let found = route(entry.method, &path, entry.query.unwrap_or("")).unwrap();
            assert_eq!(found.operation, entry.operation);
            assert_eq!(found.operation.entry().name, entry.name);
            assert_eq!(found.labels.len(), entry.path.matches("{}").count());
            assert!(
                found.labels.iter().all(|label| label == "label:1"),
                "{}",
                entry.name
            );
        }
    }

    #[test]
    fn a_query_parameter_tells_operations_of_one_path_apart() {
        let path = "/2018-10-31/layers";
        assert_eq!(
            route("GET", path, "Arn=x&find=LayerVersion").unwrap().operation,
            Operation::GetLayerVersionByArn
        );
        assert_eq!(
            route("GET", path, "MaxItems=1").unwrap().operation,
            Operation::ListLayers
        );
    }

    #[test]
    fn a_trailing_slash_is_the_same_path() {
        let found = route("GET", "/2015-03-31/functions/", "").unwrap();
        assert_eq!(found.operation, Operation::ListFunctions);
    }

    #[test]
    fn what_is_no_operation_routes_nowhere() {
        for (method, path) in [
            ("GET", "/"),
            ("GET", "/2015-03-31/functions/a/b/c"),
            ("PATCH", "/2015-03-31/functions"),
            ("GET", "/2015-03-31/functions/%FF"),
            ("GET", "/2015-03-31//invocations"),
        ] {
            assert_eq!(route(method, path, ""), None, "{method} {path}");
        }
    }

    #[test]
    fn the_table_is_sorted_by_name() {
        assert!(OPERATIONS.is_sorted_by_key(|entry| entry.name));
    }
}
