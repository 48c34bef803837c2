//! Every operation of both APIs of SES, in a table each. The routers, the "not implemented" answers and the
//! compatibility page come from them alone.

use percent_encoding::percent_decode_str;
use tradewind_wire::{OperationSupport, Support};

macro_rules! operations {
    ($($name:ident $method:literal $path:literal => $support:expr,)+) => {
        /// An operation of the SES API v2 (version 2019-09-27).
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
    /// `{}` stands for a label.
    path: &'static str,
    support: Support,
}

use Support::{Missing, Served};

operations! {
    AssociateEmailIdentityCertificate "POST" "/v2/email/identity/certificates" => Missing,
    BatchGetMetricData "POST" "/v2/email/metrics/batch" => Missing,
    CancelExportJob "PUT" "/v2/email/export-jobs/{}/cancel" => Missing,
    CreateConfigurationSet "POST" "/v2/email/configuration-sets" => Missing,
    CreateConfigurationSetEventDestination "POST" "/v2/email/configuration-sets/{}/event-destinations" => Missing,
    CreateContact "POST" "/v2/email/contact-lists/{}/contacts" => Missing,
    CreateContactList "POST" "/v2/email/contact-lists" => Missing,
    CreateCustomVerificationEmailTemplate "POST" "/v2/email/custom-verification-email-templates" => Missing,
    CreateDedicatedIpPool "POST" "/v2/email/dedicated-ip-pools" => Missing,
    CreateDeliverabilityTestReport "POST" "/v2/email/deliverability-dashboard/test" => Missing,
    CreateEmailIdentity "POST" "/v2/email/identities" => Served("recorded and verified at once, without a mail or DNS; DKIM attributes and configuration sets are refused"),
    CreateEmailIdentityPolicy "POST" "/v2/email/identities/{}/policies/{}" => Missing,
    CreateEmailTemplate "POST" "/v2/email/templates" => Missing,
    CreateExportJob "POST" "/v2/email/export-jobs" => Missing,
    CreateImportJob "POST" "/v2/email/import-jobs" => Missing,
    CreateMultiRegionEndpoint "POST" "/v2/email/multi-region-endpoints" => Missing,
    CreateTenant "POST" "/v2/email/tenants" => Missing,
    CreateTenantResourceAssociation "POST" "/v2/email/tenants/resources" => Missing,
    DeleteConfigurationSet "DELETE" "/v2/email/configuration-sets/{}" => Missing,
    DeleteConfigurationSetEventDestination "DELETE" "/v2/email/configuration-sets/{}/event-destinations/{}" => Missing,
    DeleteContact "DELETE" "/v2/email/contact-lists/{}/contacts/{}" => Missing,
    DeleteContactList "DELETE" "/v2/email/contact-lists/{}" => Missing,
    DeleteCustomVerificationEmailTemplate "DELETE" "/v2/email/custom-verification-email-templates/{}" => Missing,
    DeleteDedicatedIpPool "DELETE" "/v2/email/dedicated-ip-pools/{}" => Missing,
    DeleteEmailIdentity "DELETE" "/v2/email/identities/{}" => Served(""),
    DeleteEmailIdentityPolicy "DELETE" "/v2/email/identities/{}/policies/{}" => Missing,
    DeleteEmailTemplate "DELETE" "/v2/email/templates/{}" => Missing,
    DeleteMultiRegionEndpoint "DELETE" "/v2/email/multi-region-endpoints/{}" => Missing,
    DeleteSuppressedDestination "DELETE" "/v2/email/suppression/addresses/{}" => Missing,
    DeleteTenant "POST" "/v2/email/tenants/delete" => Missing,
    DeleteTenantResourceAssociation "POST" "/v2/email/tenants/resources/delete" => Missing,
    DisassociateEmailIdentityCertificate "POST" "/v2/email/identity/certificates/delete" => Missing,
    GetAccount "GET" "/v2/email/account" => Missing,
    GetBlacklistReports "GET" "/v2/email/deliverability-dashboard/blacklist-report" => Missing,
    GetConfigurationSet "GET" "/v2/email/configuration-sets/{}" => Missing,
    GetConfigurationSetEventDestinations "GET" "/v2/email/configuration-sets/{}/event-destinations" => Missing,
    GetContact "GET" "/v2/email/contact-lists/{}/contacts/{}" => Missing,
    GetContactList "GET" "/v2/email/contact-lists/{}" => Missing,
    GetCustomVerificationEmailTemplate "GET" "/v2/email/custom-verification-email-templates/{}" => Missing,
    GetDedicatedIp "GET" "/v2/email/dedicated-ips/{}" => Missing,
    GetDedicatedIpPool "GET" "/v2/email/dedicated-ip-pools/{}" => Missing,
    GetDedicatedIps "GET" "/v2/email/dedicated-ips" => Missing,
    GetDeliverabilityDashboardOptions "GET" "/v2/email/deliverability-dashboard" => Missing,
    GetDeliverabilityTestReport "GET" "/v2/email/deliverability-dashboard/test-reports/{}" => Missing,
    GetDomainDeliverabilityCampaign "GET" "/v2/email/deliverability-dashboard/campaigns/{}" => Missing,
    GetDomainStatisticsReport "GET" "/v2/email/deliverability-dashboard/statistics-report/{}" => Missing,
    GetEmailAddressInsights "POST" "/v2/email/email-address-insights" => Missing,
    GetEmailIdentity "GET" "/v2/email/identities/{}" => Served(""),
    GetEmailIdentityPolicies "GET" "/v2/email/identities/{}/policies" => Missing,
    GetEmailTemplate "GET" "/v2/email/templates/{}" => Missing,
    GetExportJob "GET" "/v2/email/export-jobs/{}" => Missing,
    GetImportJob "GET" "/v2/email/import-jobs/{}" => Missing,
    GetMessageInsights "GET" "/v2/email/insights/{}" => Missing,
    GetMultiRegionEndpoint "GET" "/v2/email/multi-region-endpoints/{}" => Missing,
    GetReputationEntity "GET" "/v2/email/reputation/entities/{}/{}" => Missing,
    GetSuppressedDestination "GET" "/v2/email/suppression/addresses/{}" => Missing,
    GetTenant "POST" "/v2/email/tenants/get" => Missing,
    ListConfigurationSets "POST" "/v2/email/list-configuration-sets" => Missing,
    ListContactLists "GET" "/v2/email/contact-lists" => Missing,
    ListContacts "POST" "/v2/email/contact-lists/{}/contacts/list" => Missing,
    ListCustomVerificationEmailTemplates "GET" "/v2/email/custom-verification-email-templates" => Missing,
    ListDedicatedIpPools "GET" "/v2/email/dedicated-ip-pools" => Missing,
    ListDeliverabilityTestReports "GET" "/v2/email/deliverability-dashboard/test-reports" => Missing,
    ListDomainDeliverabilityCampaigns "GET" "/v2/email/deliverability-dashboard/domains/{}/campaigns" => Missing,
    ListEmailIdentities "POST" "/v2/email/list-identities" => Served("`Filter` is refused"),
    ListEmailIdentityCertificates "POST" "/v2/email/identity/certificates/list" => Missing,
    ListEmailTemplates "GET" "/v2/email/templates" => Missing,
    ListExportJobs "POST" "/v2/email/list-export-jobs" => Missing,
    ListImportJobs "POST" "/v2/email/import-jobs/list" => Missing,
    ListMultiRegionEndpoints "GET" "/v2/email/multi-region-endpoints" => Missing,
    ListRecommendations "POST" "/v2/email/vdm/recommendations" => Missing,
    ListReputationEntities "POST" "/v2/email/reputation/entities" => Missing,
    ListResourceTenants "POST" "/v2/email/resources/tenants/list" => Missing,
    ListSuppressedDestinations "GET" "/v2/email/suppression/addresses" => Missing,
    ListTagsForResource "GET" "/v2/email/tags" => Missing,
    ListTenantResources "POST" "/v2/email/tenants/resources/list" => Missing,
    ListTenants "POST" "/v2/email/tenants/list" => Missing,
    PutAccountDedicatedIpWarmupAttributes "PUT" "/v2/email/account/dedicated-ips/warmup" => Missing,
    PutAccountDetails "POST" "/v2/email/account/details" => Missing,
    PutAccountPricingAttributes "PUT" "/v2/email/account/pricing-attributes" => Missing,
    PutAccountSendingAttributes "PUT" "/v2/email/account/sending" => Missing,
    PutAccountSuppressionAttributes "PUT" "/v2/email/account/suppression" => Missing,
    PutAccountVdmAttributes "PUT" "/v2/email/account/vdm" => Missing,
    PutConfigurationSetArchivingOptions "PUT" "/v2/email/configuration-sets/{}/archiving-options" => Missing,
    PutConfigurationSetDeliveryOptions "PUT" "/v2/email/configuration-sets/{}/delivery-options" => Missing,
    PutConfigurationSetReputationOptions "PUT" "/v2/email/configuration-sets/{}/reputation-options" => Missing,
    PutConfigurationSetSendingOptions "PUT" "/v2/email/configuration-sets/{}/sending" => Missing,
    PutConfigurationSetSuppressionOptions "PUT" "/v2/email/configuration-sets/{}/suppression-options" => Missing,
    PutConfigurationSetTrackingOptions "PUT" "/v2/email/configuration-sets/{}/tracking-options" => Missing,
    PutConfigurationSetVdmOptions "PUT" "/v2/email/configuration-sets/{}/vdm-options" => Missing,
    PutDedicatedIpInPool "PUT" "/v2/email/dedicated-ips/{}/pool" => Missing,
    PutDedicatedIpPoolScalingAttributes "PUT" "/v2/email/dedicated-ip-pools/{}/scaling" => Missing,
    PutDedicatedIpWarmupAttributes "PUT" "/v2/email/dedicated-ips/{}/warmup" => Missing,
    PutDeliverabilityDashboardOption "PUT" "/v2/email/deliverability-dashboard" => Missing,
    PutEmailIdentityConfigurationSetAttributes "PUT" "/v2/email/identities/{}/configuration-set" => Missing,
    PutEmailIdentityDkimAttributes "PUT" "/v2/email/identities/{}/dkim" => Missing,
    PutEmailIdentityDkimSigningAttributes "PUT" "/v2/email/identities/{}/dkim/signing" => Missing,
    PutEmailIdentityFeedbackAttributes "PUT" "/v2/email/identities/{}/feedback" => Missing,
    PutEmailIdentityMailFromAttributes "PUT" "/v2/email/identities/{}/mail-from" => Missing,
    PutSuppressedDestination "PUT" "/v2/email/suppression/addresses" => Missing,
    PutTenantSuppressionAttributes "POST" "/v2/email/tenant/suppression" => Missing,
    SendBulkEmail "POST" "/v2/email/outbound-bulk-emails" => Missing,
    SendCustomVerificationEmail "POST" "/v2/email/outbound-custom-verification-emails" => Missing,
    SendEmail "POST" "/v2/email/outbound-emails" => Served("to any address, through the relay of `--smtp-relay`; `Simple` without `Attachments` and `Raw`. `Template`, configuration sets, tags, lists, tenants, endpoints and sending authorization are refused"),
    TagResource "POST" "/v2/email/tags" => Missing,
    TestRenderEmailTemplate "POST" "/v2/email/templates/{}/render" => Missing,
    UntagResource "DELETE" "/v2/email/tags" => Missing,
    UpdateConfigurationSet "POST" "/v2/email/update-configuration-sets" => Missing,
    UpdateConfigurationSetEventDestination "PUT" "/v2/email/configuration-sets/{}/event-destinations/{}" => Missing,
    UpdateContact "PUT" "/v2/email/contact-lists/{}/contacts/{}" => Missing,
    UpdateContactList "PUT" "/v2/email/contact-lists/{}" => Missing,
    UpdateCustomVerificationEmailTemplate "PUT" "/v2/email/custom-verification-email-templates/{}" => Missing,
    UpdateEmailIdentityPolicy "PUT" "/v2/email/identities/{}/policies/{}" => Missing,
    UpdateEmailTemplate "PUT" "/v2/email/templates/{}" => Missing,
    UpdateReputationEntityCustomerManagedStatus "PUT" "/v2/email/reputation/entities/{}/{}/customer-managed-status" => Missing,
    UpdateReputationEntityPolicy "PUT" "/v2/email/reputation/entities/{}/{}/policy" => Missing,
}

tradewind_wire::operations! {
    /// An operation of the older query API (version 2010-12-01).
    enum QueryOperation in QUERY_OPERATIONS;
    CloneReceiptRuleSet => Missing,
    CreateConfigurationSet => Missing,
    CreateConfigurationSetEventDestination => Missing,
    CreateConfigurationSetTrackingOptions => Missing,
    CreateCustomVerificationEmailTemplate => Missing,
    CreateReceiptFilter => Missing,
    CreateReceiptRule => Missing,
    CreateReceiptRuleSet => Missing,
    CreateTemplate => Missing,
    DeleteConfigurationSet => Missing,
    DeleteConfigurationSetEventDestination => Missing,
    DeleteConfigurationSetTrackingOptions => Missing,
    DeleteCustomVerificationEmailTemplate => Missing,
    DeleteIdentity => Served(""),
    DeleteIdentityPolicy => Missing,
    DeleteReceiptFilter => Missing,
    DeleteReceiptRule => Missing,
    DeleteReceiptRuleSet => Missing,
    DeleteTemplate => Missing,
    DeleteVerifiedEmailAddress => Missing,
    DescribeActiveReceiptRuleSet => Missing,
    DescribeConfigurationSet => Missing,
    DescribeReceiptRule => Missing,
    DescribeReceiptRuleSet => Missing,
    GetAccountSendingEnabled => Missing,
    GetCustomVerificationEmailTemplate => Missing,
    GetIdentityDkimAttributes => Missing,
    GetIdentityMailFromDomainAttributes => Missing,
    GetIdentityNotificationAttributes => Missing,
    GetIdentityPolicies => Missing,
    GetIdentityVerificationAttributes => Missing,
    GetSendQuota => Missing,
    GetSendStatistics => Missing,
    GetTemplate => Missing,
    ListConfigurationSets => Missing,
    ListCustomVerificationEmailTemplates => Missing,
    ListIdentities => Served(""),
    ListIdentityPolicies => Missing,
    ListReceiptFilters => Missing,
    ListReceiptRuleSets => Missing,
    ListTemplates => Missing,
    ListVerifiedEmailAddresses => Missing,
    PutConfigurationSetDeliveryOptions => Missing,
    PutIdentityPolicy => Missing,
    ReorderReceiptRuleSet => Missing,
    SendBounce => Missing,
    SendBulkTemplatedEmail => Missing,
    SendCustomVerificationEmail => Missing,
    SendEmail => Served("as `SendEmail` of the API v2"),
    SendRawEmail => Served("as `SendEmail` of the API v2 with `Raw`"),
    SendTemplatedEmail => Missing,
    SetActiveReceiptRuleSet => Missing,
    SetIdentityDkimEnabled => Missing,
    SetIdentityFeedbackForwardingEnabled => Missing,
    SetIdentityHeadersInNotificationsEnabled => Missing,
    SetIdentityMailFromDomain => Missing,
    SetIdentityNotificationTopic => Missing,
    SetReceiptRulePosition => Missing,
    TestRenderTemplate => Missing,
    UpdateAccountSendingEnabled => Missing,
    UpdateConfigurationSetEventDestination => Missing,
    UpdateConfigurationSetReputationMetricsEnabled => Missing,
    UpdateConfigurationSetSendingEnabled => Missing,
    UpdateConfigurationSetTrackingOptions => Missing,
    UpdateCustomVerificationEmailTemplate => Missing,
    UpdateReceiptRule => Missing,
    UpdateTemplate => Missing,
    VerifyDomainDkim => Missing,
    VerifyDomainIdentity => Served("verified at once; the token means nothing"),
    VerifyEmailAddress => Missing,
    VerifyEmailIdentity => Served("verified at once"),
}

/// A request's operation, its name, and the first label of its path, or an empty one.
pub(crate) fn route(method: &str, path: &str) -> Option<(Operation, &'static str, String)> {
    let path = path.strip_suffix('/').unwrap_or(path);
    OPERATIONS
        .iter()
        .filter(|entry| entry.method == method)
        .find_map(|entry| {
            let label = label(entry.path, path)?;
            Some((entry.operation, entry.name, label))
        })
}

fn label(pattern: &str, path: &str) -> Option<String> {
    let (mut pattern, mut path) = (pattern.split('/'), path.split('/'));
    let mut found = None;
    loop {
        match (pattern.next(), path.next()) {
            (None, None) => break,
            (Some("{}"), Some(label)) if !label.is_empty() => {
                let label = percent_decode_str(label).decode_utf8_lossy().into_owned();
                found.get_or_insert(label);
            }
            (Some(one), Some(other)) if one == other => {}
            _ => return None,
        }
    }
    Some(found.unwrap_or_default())
}

impl QueryOperation {
    /// The operation of that name.
    pub(crate) fn named(name: &str) -> Option<Self> {
        let found = QUERY_OPERATIONS.iter().find(|(_, found, _)| *found == name);
        found.map(|(operation, ..)| *operation)
    }
}

/// Every operation of the API v2 and whether it is served, by name; the compatibility page is made of it.
pub fn operations() -> impl Iterator<Item = OperationSupport> {
    OPERATIONS.iter().map(|entry| (entry.name, entry.support))
}

/// The same of the query API.
pub fn query_operations() -> impl Iterator<Item = OperationSupport> {
    QUERY_OPERATIONS
        .iter()
        .map(|(_, name, support)| (*name, *support))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tables_are_sorted_by_name() {
        assert!(OPERATIONS.is_sorted_by_key(|entry| entry.name));
        assert!(QUERY_OPERATIONS.is_sorted_by_key(|(_, name, _)| *name));
    }

    #[test]
    fn every_line_routes_to_itself() {
        for entry in OPERATIONS {
            let (operation, _, label) = route(entry.method, &entry.path.replace("{}", "a%40b")).unwrap();
            assert_eq!(operation, entry.operation);
            assert_eq!(label, if entry.path.contains("{}") { "a@b" } else { "" });
        }
        assert_eq!(route("PATCH", "/v2/email/identities"), None);
        assert_eq!(route("GET", "/v2/email/identities/a/b"), None);
        for (operation, name, _) in QUERY_OPERATIONS {
            assert_eq!(QueryOperation::named(name), Some(*operation));
        }
    }
}
