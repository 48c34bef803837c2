//! Every operation of the SNS API in one table. The router, the "not implemented" answer and the
//! compatibility page come from it alone.

use tradewind_wire::{OperationSupport, Support, operations};

use Support::{Missing, Served};

operations! {
    /// An operation of the SNS API (version 2010-03-31).
    enum Operation in OPERATIONS;
    AddPermission => Served("kept in the topic's policy, which is not evaluated yet"),
    CheckIfPhoneNumberIsOptedOut => Missing,
    ConfirmSubscription => Served("by a signed request or by a visit to the `SubscribeURL`"),
    CreatePlatformApplication => Missing,
    CreatePlatformEndpoint => Missing,
    CreateSMSSandboxPhoneNumber => Missing,
    CreateTopic => Served("encryption (`KmsMasterKeyId`), delivery status logging (`…FeedbackRoleArn`, `…FeedbackSampleRate`), `ArchivePolicy`, data protection and `TracingConfig` `Active` are refused; policies are kept and not evaluated yet"),
    DeleteEndpoint => Missing,
    DeletePlatformApplication => Missing,
    DeleteSMSSandboxPhoneNumber => Missing,
    DeleteTopic => Served("at once, with its subscriptions"),
    GetDataProtectionPolicy => Missing,
    GetEndpointAttributes => Missing,
    GetPlatformApplicationAttributes => Missing,
    GetSMSAttributes => Missing,
    GetSMSSandboxAccountStatus => Missing,
    GetSubscriptionAttributes => Served(""),
    GetTopicAttributes => Served(""),
    ListEndpointsByPlatformApplication => Missing,
    ListOriginationNumbers => Missing,
    ListPhoneNumbersOptedOut => Missing,
    ListPlatformApplications => Missing,
    ListSMSSandboxPhoneNumbers => Missing,
    ListSubscriptions => Served(""),
    ListSubscriptionsByTopic => Served(""),
    ListTagsForResource => Served(""),
    ListTopics => Served(""),
    OptInPhoneNumber => Missing,
    Publish => Served("to topics; to a `PhoneNumber` or a mobile endpoint it is refused"),
    PublishBatch => Served("no throughput quota is enforced"),
    PutDataProtectionPolicy => Missing,
    RemovePermission => Served(""),
    SetEndpointAttributes => Missing,
    SetPlatformApplicationAttributes => Missing,
    SetSMSAttributes => Missing,
    SetSubscriptionAttributes => Served("in force at once; `ReplayPolicy` and `SubscriptionRoleArn` are refused"),
    SetTopicAttributes => Served("in force at once; refuses what `CreateTopic` refuses"),
    Subscribe => Served("`sqs`, `lambda`, `http`, `https`, and with a mail relay (`--smtp-relay`) `email` and `email-json`; `sms`, `application` and `firehose` are refused"),
    TagResource => Served(""),
    Unsubscribe => Served("also by a visit to the `UnsubscribeURL`"),
    UntagResource => Served(""),
    VerifySMSSandboxPhoneNumber => Missing,
}

impl Operation {
    /// The operation of that name, if it is served; none if the API has no such operation.
    pub(crate) fn named(name: &str) -> Option<(Self, Support)> {
        let found = OPERATIONS.iter().find(|(_, found, _)| *found == name);
        found.map(|(operation, _, support)| (*operation, *support))
    }
}

/// Every operation and whether it is served, by name; the compatibility page is made of it.
pub fn operations() -> impl Iterator<Item = OperationSupport> {
    OPERATIONS.iter().map(|(_, name, support)| (*name, *support))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_sorted_by_name() {
        assert!(OPERATIONS.is_sorted_by_key(|(_, name, _)| *name));
    }

    #[test]
    fn every_line_is_found_by_its_name() {
        for (operation, name, support) in OPERATIONS {
            assert_eq!(Operation::named(name), Some((*operation, *support)));
        }
        assert_eq!(Operation::named("PublishAll"), None);
    }
}
