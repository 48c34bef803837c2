//! Every operation of the Scheduler API in one table. The router, the "not implemented" answer and the
//! compatibility page come from it alone.

use percent_encoding::percent_decode_str;
use tradewind_wire::{OperationSupport, Support};

macro_rules! operations {
    ($($name:ident $method:literal $path:literal => $support:expr,)+) => {
        /// An operation of the Scheduler API (version 2021-06-30).
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub(crate) enum Operation {
            $($name,)+
        }

        /// All operations, by name.
        const OPERATIONS: &[Entry] = &[
            $(Entry {
                operation: Operation::$name,
                name: stringify!($name),
                method: $method,
                path: $path,
                support: $support,
            },)+
        ];
    };
}

/// One line of the table.
#[derive(Debug)]
struct Entry {
    operation: Operation,
    name: &'static str,
    method: &'static str,
    /// Ends in a label, or is all fixed.
    path: &'static str,
    support: Support,
}

use Support::Served;

operations! {
    CreateSchedule "POST" "/schedules/{}" => Served("targets are Lambda functions, SQS queues, SNS topics and event buses, as templated targets and, for functions, queues and topics, as `aws-sdk:lambda:invoke`, `aws-sdk:sqs:sendMessage` and `aws-sdk:sns:publish`; other targets and `KmsKeyArn` are refused by name; the role is kept and not assumed"),
    CreateScheduleGroup "POST" "/schedule-groups/{}" => Served(""),
    DeleteSchedule "DELETE" "/schedules/{}" => Served("a repeated deletion does not find the schedule, also with the same `ClientToken`"),
    DeleteScheduleGroup "DELETE" "/schedule-groups/{}" => Served("at once, with all schedules of the group; AWS takes some minutes"),
    GetSchedule "GET" "/schedules/{}" => Served(""),
    GetScheduleGroup "GET" "/schedule-groups/{}" => Served("the group `default` has no dates"),
    ListScheduleGroups "GET" "/schedule-groups" => Served(""),
    ListSchedules "GET" "/schedules" => Served(""),
    ListTagsForResource "GET" "/tags/{}" => Served(""),
    TagResource "POST" "/tags/{}" => Served(""),
    UntagResource "DELETE" "/tags/{}" => Served(""),
    UpdateSchedule "PUT" "/schedules/{}" => Served("refuses what `CreateSchedule` refuses"),
}

/// The operation that a request line asks for, and the label of its path, decoded; empty if it has none.
pub(crate) fn route(method: &str, path: &str) -> Option<(Operation, String)> {
    let path = path.strip_suffix('/').unwrap_or(path);
    let mut found = OPERATIONS.iter().filter(|entry| entry.method == method);
    found.find_map(|entry| Some((entry.operation, entry.label(path)?)))
}

impl Entry {
    /// The label of a path that is this operation's. An ARN in it may stand with its slashes.
    fn label(&self, path: &str) -> Option<String> {
        let Some(prefix) = self.path.strip_suffix("{}") else {
            return (path == self.path).then(String::new);
        };
        let label = path.strip_prefix(prefix).filter(|label| !label.is_empty())?;
        Some(percent_decode_str(label).decode_utf8().ok()?.into_owned())
    }
}

/// Every operation and whether it is served, by name; the compatibility page is made of it.
pub fn operations() -> impl Iterator<Item = OperationSupport> {
    OPERATIONS.iter().map(|entry| (entry.name, entry.support))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_sorted_by_name() {
        assert!(OPERATIONS.is_sorted_by_key(|entry| entry.name));
    }

    #[test]
    fn every_line_routes_to_itself() {
        for entry in OPERATIONS {
            let (operation, label) = route(entry.method, &entry.path.replace("{}", "a%3Ab")).unwrap();
            assert_eq!(operation, entry.operation);
            assert_eq!(label, if entry.path.ends_with("{}") { "a:b" } else { "" });
        }
        assert_eq!(route("PATCH", "/schedules/a"), None);
        assert_eq!(route("GET", "/schedule"), None);
    }
}
