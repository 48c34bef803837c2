//! The website configuration of a bucket: kept as it was put, checked as S3 checks it.

use s3s::dto::{
    DeleteBucketWebsiteInput, DeleteBucketWebsiteOutput, GetBucketWebsiteInput, GetBucketWebsiteOutput,
    Protocol, PutBucketWebsiteInput, PutBucketWebsiteOutput, RoutingRule, WebsiteConfiguration,
};
use s3s::{S3Error, S3ErrorCode, S3Result};

use crate::configuration::{Configurations, malformed, refused};

/// Routing rules a website may have (S3 User Guide, "Configuring a webpage redirect").
const ROUTING_RULES: usize = 50;

impl Configurations {
    pub(crate) async fn put_bucket_website(
        &self,
        input: PutBucketWebsiteInput,
    ) -> S3Result<PutBucketWebsiteOutput> {
        check(&input.website_configuration)?;
        self.put(&input.bucket, &input.website_configuration).await?;
        Ok(PutBucketWebsiteOutput::default())
    }

    pub(crate) async fn get_bucket_website(
        &self,
        input: GetBucketWebsiteInput,
    ) -> S3Result<GetBucketWebsiteOutput> {
        let website: WebsiteConfiguration = self.find(&input.bucket).await?;
        Ok(GetBucketWebsiteOutput {
            error_document: website.error_document,
            index_document: website.index_document,
            redirect_all_requests_to: website.redirect_all_requests_to,
            routing_rules: website.routing_rules,
        })
    }

    pub(crate) async fn delete_bucket_website(
        &self,
        input: DeleteBucketWebsiteInput,
    ) -> S3Result<DeleteBucketWebsiteOutput> {
        self.delete::<WebsiteConfiguration>(&input.bucket).await?;
        Ok(DeleteBucketWebsiteOutput::default())
    }
}

/// Checks a configuration as S3 does.
pub(crate) fn check(website: &WebsiteConfiguration) -> S3Result<()> {
    let rules = website.routing_rules.as_deref().unwrap_or_default();
    if let Some(all) = &website.redirect_all_requests_to {
        let more = website.index_document.is_some() || website.error_document.is_some();
        if more || !rules.is_empty() {
            return Err(argument(
                "RedirectAllRequestsTo cannot be provided in conjunction with other Routing Rules.",
            ));
        }
        check_host(Some(&all.host_name))?;
        return check_protocol(all.protocol.as_ref());
    }
    let index = website.index_document.as_ref().ok_or_else(|| {
        argument("A value for IndexDocument Suffix must be provided if RedirectAllRequestsTo is empty")
    })?;
    if index.suffix.is_empty() || index.suffix.contains('/') {
        return Err(argument("The IndexDocument Suffix is not well formed"));
    }
    if website
        .error_document
        .as_ref()
        .is_some_and(|error| error.key.is_empty())
    {
        return Err(argument("The ErrorDocument Key is not well formed"));
    }
    if rules.len() > ROUTING_RULES {
        return Err(refused(
            S3ErrorCode::InvalidRequest,
            format!(
                "{} routing rules provided, the number of routing rules in a website configuration is limited to 50.",
                rules.len()
            ),
        ));
    }
    rules.iter().try_for_each(check_rule)
}

fn check_rule(rule: &RoutingRule) -> S3Result<()> {
    if let Some(condition) = &rule.condition {
        let code = condition.http_error_code_returned_equals.as_deref();
        if code.is_none() && condition.key_prefix_equals.is_none() {
            return Err(refused(
                S3ErrorCode::InvalidRequest,
                "Condition cannot be empty. To redirect all requests without a condition, the condition \
                 element shouldn't be present.",
            ));
        }
        if let Some(code) = code.filter(|code| !is_between(code, 400..=599)) {
            return Err(refused(
                S3ErrorCode::InvalidRequest,
                format!("The provided HTTP error code ({code}) is not valid. Valid codes are 4XX or 5XX."),
            ));
        }
    }
    let redirect = &rule.redirect;
    if redirect.replace_key_with.is_some() && redirect.replace_key_prefix_with.is_some() {
        return Err(refused(
            S3ErrorCode::InvalidRequest,
            "You can only define ReplaceKeyPrefix or ReplaceKey but not both.",
        ));
    }
    let code = redirect.http_redirect_code.as_deref();
    if let Some(code) = code.filter(|code| !is_between(code, 301..=399)) {
        return Err(refused(
            S3ErrorCode::InvalidRequest,
            format!("The provided HTTP redirect code ({code}) is not valid. Valid codes are 3XX except 300."),
        ));
    }
    let changes = [
        redirect.host_name.is_some(),
        redirect.protocol.is_some(),
        redirect.replace_key_with.is_some(),
        redirect.replace_key_prefix_with.is_some(),
        code.is_some(),
    ];
    if !changes.contains(&true) {
        return Err(malformed());
    }
    check_host(redirect.host_name.as_deref())?;
    check_protocol(redirect.protocol.as_ref())
}

fn is_between(code: &str, range: std::ops::RangeInclusive<u16>) -> bool {
    code.parse().is_ok_and(|code| range.contains(&code))
}

/// A host may have a port; it cannot break out of the `Location` it becomes part of.
fn check_host(host: Option<&str>) -> S3Result<()> {
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"-._:[]/".contains(&b);
    match host {
        Some(host) if host.is_empty() || !host.bytes().all(plain) => {
            Err(argument("The HostName is not well formed"))
        }
        _ => Ok(()),
    }
}

fn check_protocol(protocol: Option<&Protocol>) -> S3Result<()> {
    match protocol.map(Protocol::as_str) {
        None | Some(Protocol::HTTP | Protocol::HTTPS) => Ok(()),
        Some(_) => Err(refused(
            S3ErrorCode::InvalidRequest,
            "Invalid protocol, protocol can be http or https. If not defined the protocol will be \
             selected automatically.",
        )),
    }
}

fn argument(message: &'static str) -> S3Error {
    refused(S3ErrorCode::InvalidArgument, message)
}

#[cfg(test)]
mod tests {
    use super::*;
    use s3s::xml::{Deserialize as _, Deserializer};

    fn parse(inside: &str) -> WebsiteConfiguration {
        let text = format!("<WebsiteConfiguration>{inside}</WebsiteConfiguration>");
        WebsiteConfiguration::deserialize(&mut Deserializer::new(text.as_bytes())).unwrap()
    }

    #[test]
    fn websites_are_checked_as_s3_does() {
        let index = "<IndexDocument><Suffix>index.html</Suffix></IndexDocument>";
        let rule =
            |inside: &str| format!("{index}<RoutingRules><RoutingRule>{inside}</RoutingRule></RoutingRules>");
        let all = "<RedirectAllRequestsTo><HostName>example.com</HostName></RedirectAllRequestsTo>";
        check(&parse(index)).unwrap();
        check(&parse(all)).unwrap();
        check(&parse(&rule(
            "<Redirect><ReplaceKeyWith>a</ReplaceKeyWith></Redirect>",
        )))
        .unwrap();
        for (text, part) in [
            (String::new(), "IndexDocument Suffix must be provided"),
            (format!("{all}{index}"), "cannot be provided in conjunction"),
            (
                "<IndexDocument><Suffix>a/b</Suffix></IndexDocument>".into(),
                "not well formed",
            ),
            (
                rule("<Condition></Condition><Redirect><ReplaceKeyWith>a</ReplaceKeyWith></Redirect>"),
                "cannot be empty",
            ),
            (
                rule(
                    "<Condition><HttpErrorCodeReturnedEquals>302</HttpErrorCodeReturnedEquals></Condition>\
                      <Redirect><ReplaceKeyWith>a</ReplaceKeyWith></Redirect>",
                ),
                "Valid codes are 4XX or 5XX",
            ),
            (
                rule("<Redirect><HttpRedirectCode>300</HttpRedirectCode></Redirect>"),
                "3XX except 300",
            ),
            (
                rule(
                    "<Redirect><ReplaceKeyWith>a</ReplaceKeyWith><ReplaceKeyPrefixWith>b</ReplaceKeyPrefixWith></Redirect>",
                ),
                "not both",
            ),
            (
                rule("<Redirect><HostName>a\r\nb</HostName></Redirect>"),
                "HostName",
            ),
            (
                rule("<Redirect><Protocol>ftp</Protocol></Redirect>"),
                "http or https",
            ),
        ] {
            let error = check(&parse(&text)).unwrap_err();
            assert!(error.message().unwrap().contains(part), "{error} {text}");
        }
    }
}
