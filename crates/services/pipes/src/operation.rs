//! Every operation of the Pipes API in one table. The router, the "not implemented" answer and the
//! compatibility page come from it alone.

use percent_encoding::percent_decode_str;
use tradewind_wire::{OperationSupport, Support};

macro_rules! operations {
    ($($name:ident $method:literal $before:literal $after:literal => $support:expr,)+) => {
        /// An operation of the Pipes API (version 2015-10-07).
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
                before: $before,
                after: $after,
                support: $support,
            },)+
        ];
    };
}

/// One line of the table. A path is a label between two fixed parts; an empty first part is that of
/// no label at all.
#[derive(Debug)]
struct Entry {
    operation: Operation,
    name: &'static str,
    method: &'static str,
    before: &'static str,
    after: &'static str,
    support: Support,
}

use Support::Served;

operations! {
    CreatePipe "POST" "/v1/pipes/" "" => Served("sources are SQS queues; enrichments are Lambda functions and API destinations; targets are Lambda functions, SQS queues, SNS topics, event buses, API destinations, log groups and topics of Kafka. Others, their parameters, `LogConfiguration` and `KmsKeyIdentifier` are refused by name; the role is kept and not assumed. The pipe runs at once"),
    DeletePipe "DELETE" "/v1/pipes/" "" => Served("at once; batches that are on their way end"),
    DescribePipe "GET" "/v1/pipes/" "" => Served("`StateReason` says what is in the way of a pipe that runs"),
    ListPipes "GET" "" "/v1/pipes" => Served(""),
    ListTagsForResource "GET" "/tags/" "" => Served(""),
    StartPipe "POST" "/v1/pipes/" "/start" => Served("at once"),
    StopPipe "POST" "/v1/pipes/" "/stop" => Served("at once; batches that are on their way end"),
    TagResource "POST" "/tags/" "" => Served(""),
    UntagResource "DELETE" "/tags/" "" => Served(""),
    UpdatePipe "PUT" "/v1/pipes/" "" => Served("refuses what `CreatePipe` refuses"),
}

/// The operation that a request line asks for, and the label of its path, decoded; empty if it has none.
pub(crate) fn route(method: &str, path: &str) -> Option<(Operation, String)> {
    let path = path.strip_suffix('/').unwrap_or(path);
    let found = OPERATIONS.iter().filter(|entry| entry.method == method);
    // of two that fit, the one with more fixed text: `/start` is no part of a name
    let found = found.filter_map(|entry| Some((entry, entry.label(path)?)));
    let (entry, label) = found.max_by_key(|(entry, _)| entry.after.len())?;
    Some((entry.operation, label))
}

impl Entry {
    fn label(&self, path: &str) -> Option<String> {
        if self.before.is_empty() {
            return (path == self.after).then(String::new);
        }
        let label = path.strip_prefix(self.before)?.strip_suffix(self.after)?;
        let label = Some(label).filter(|label| !label.is_empty())?;
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
            let label = if entry.before.is_empty() { "" } else { "a%3Ab" };
            let path = format!("{}{label}{}", entry.before, entry.after);
            let (operation, label) = route(entry.method, &path).unwrap();
            assert_eq!(operation, entry.operation);
            assert_eq!(label, if entry.before.is_empty() { "" } else { "a:b" });
        }
        assert_eq!(route("PATCH", "/v1/pipes/a"), None);
        assert_eq!(route("GET", "/v1/pipe"), None);
    }
}
