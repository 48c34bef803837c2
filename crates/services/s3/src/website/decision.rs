//! What answers a path of a website. No I/O.

use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};
use s3s::dto::{Redirect, RoutingRule, WebsiteConfiguration};

/// What stands for itself in the path of a `Location`.
const PATH: &AsciiSet = &CONTROLS
    .add(b' ')
    .add(b'"')
    .add(b'#')
    .add(b'%')
    .add(b'<')
    .add(b'>')
    .add(b'?')
    .add(b'`')
    .add(b'{')
    .add(b'}')
    .add(b'\\');

/// A website: its configuration, and by which host and scheme it is being asked.
#[derive(Debug)]
pub(crate) struct Site<'a> {
    pub(crate) configuration: &'a WebsiteConfiguration,
    pub(crate) host: &'a str,
}

/// Where a browser is sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Redirection {
    pub(crate) status: u16,
    pub(crate) location: String,
}

/// What to do about a path before anything is read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Plan {
    /// The path redirects whatever is there.
    Redirect(Redirection),
    /// The object with this key answers.
    Read(String),
}

/// What to do about a key that could not be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Found {
    /// It redirects.
    Redirect(Redirection),
    /// The object with this key answers, with the error's status.
    ErrorDocument(String),
    /// A page made for the error answers.
    ErrorPage,
}

impl Site<'_> {
    /// What answers a key, that is a decoded path without its first slash.
    pub(crate) fn plan(&self, key: &str) -> Plan {
        if let Some(all) = &self.configuration.redirect_all_requests_to {
            let protocol = all.protocol.as_ref().map_or("http", |protocol| protocol.as_str());
            return Plan::Redirect(redirection(301, protocol, &all.host_name, key));
        }
        if let Some(rule) = self.rule(key, None) {
            return Plan::Redirect(self.redirect(&rule.redirect, prefix(rule), key));
        }
        if key.is_empty() || key.ends_with('/') {
            return Plan::Read(format!("{key}{}", self.suffix()));
        }
        Plan::Read(key.to_owned())
    }

    /// The key that a path without its last slash would have as a folder; when it is there, and `key` is
    /// not, the browser is sent to the path with the slash.
    pub(crate) fn index_of(&self, key: &str) -> Option<String> {
        (!key.is_empty() && !key.ends_with('/')).then(|| format!("{key}/{}", self.suffix()))
    }

    /// The redirection to a folder's path.
    pub(crate) fn to_folder(&self, key: &str) -> Redirection {
        Redirection {
            status: 302,
            location: format!("/{}/", encode(key)),
        }
    }

    /// What answers when reading the key failed with this status.
    pub(crate) fn failed(&self, key: &str, status: u16) -> Found {
        if let Some(rule) = self.rule(key, Some(status)) {
            return Found::Redirect(self.redirect(&rule.redirect, prefix(rule), key));
        }
        match &self.configuration.error_document {
            Some(document) => Found::ErrorDocument(document.key.clone()),
            None => Found::ErrorPage,
        }
    }

    fn suffix(&self) -> &str {
        let index = self.configuration.index_document.as_ref();
        index.map_or("index.html", |index| index.suffix.as_str())
    }

    /// The first rule for the key: of those without an error code before anything is read, of those with
    /// this one after.
    fn rule(&self, key: &str, status: Option<u16>) -> Option<&RoutingRule> {
        let mut rules = self.configuration.routing_rules.iter().flatten();
        rules.find(|rule| {
            let condition = rule.condition.as_ref();
            let code = condition.and_then(|c| c.http_error_code_returned_equals.as_deref());
            code.map(str::to_owned) == status.map(|status| status.to_string())
                && key.starts_with(prefix(rule))
        })
    }

    fn redirect(&self, redirect: &Redirect, prefix: &str, key: &str) -> Redirection {
        let rest = key.strip_prefix(prefix).unwrap_or(key);
        let to = match (&redirect.replace_key_with, &redirect.replace_key_prefix_with) {
            (Some(whole), _) => whole.clone(),
            (None, Some(start)) => format!("{start}{rest}"),
            (None, None) => key.to_owned(),
        };
        let status = redirect.http_redirect_code.as_deref();
        let status = status.and_then(|code| code.parse().ok()).unwrap_or(301);
        let protocol = redirect
            .protocol
            .as_ref()
            .map_or("http", |protocol| protocol.as_str());
        let host = redirect.host_name.as_deref().unwrap_or(self.host);
        redirection(status, protocol, host, &to)
    }
}

fn prefix(rule: &RoutingRule) -> &str {
    let condition = rule.condition.as_ref();
    condition
        .and_then(|c| c.key_prefix_equals.as_deref())
        .unwrap_or_default()
}

fn redirection(status: u16, protocol: &str, host: &str, key: &str) -> Redirection {
    Redirection {
        status,
        location: format!("{protocol}://{host}/{}", encode(key)),
    }
}

fn encode(key: &str) -> String {
    utf8_percent_encode(key, PATH).to_string()
}

/// The bucket whose website a host is: `{bucket}.s3-website-{region}.…` or `{bucket}.s3-website.…`.
pub(crate) fn is_website_host(host: &str) -> Option<&str> {
    let (bucket, rest) = host.split_once(".s3-website")?;
    let ends = rest.starts_with('.') || rest.starts_with('-');
    (ends && !bucket.is_empty()).then_some(bucket)
}

#[cfg(test)]
mod tests {
    use super::*;
    use s3s::xml::{Deserialize as _, Deserializer};

    fn parse(inside: &str) -> WebsiteConfiguration {
        let text = format!("<WebsiteConfiguration>{inside}</WebsiteConfiguration>");
        WebsiteConfiguration::deserialize(&mut Deserializer::new(text.as_bytes())).unwrap()
    }

    fn to(status: u16, location: &str) -> Redirection {
        Redirection {
            status,
            location: location.into(),
        }
    }

    const INDEX: &str = "<IndexDocument><Suffix>home.html</Suffix></IndexDocument>\
        <ErrorDocument><Key>error.html</Key></ErrorDocument>";

    #[test]
    fn a_path_is_a_key_or_the_index_of_a_folder() {
        let configuration = parse(INDEX);
        let site = Site {
            configuration: &configuration,
            host: "b.s3-website.localhost",
        };
        assert_eq!(site.plan(""), Plan::Read("home.html".into()));
        assert_eq!(site.plan("docs/"), Plan::Read("docs/home.html".into()));
        assert_eq!(site.plan("docs"), Plan::Read("docs".into()));
        assert_eq!(site.index_of("docs").unwrap(), "docs/home.html");
        assert_eq!(site.index_of("docs/"), None);
        assert_eq!(site.to_folder("a b"), to(302, "/a%20b/"));
        assert_eq!(site.failed("x", 404), Found::ErrorDocument("error.html".into()));
    }

    #[test]
    fn rules_redirect_by_prefix_and_by_error() {
        let configuration = parse(&format!(
            "{INDEX}<RoutingRules>
             <RoutingRule><Condition><KeyPrefixEquals>old/</KeyPrefixEquals></Condition>
             <Redirect><ReplaceKeyPrefixWith>new/</ReplaceKeyPrefixWith></Redirect></RoutingRule>
             <RoutingRule><Condition><HttpErrorCodeReturnedEquals>404</HttpErrorCodeReturnedEquals>
             <KeyPrefixEquals>img/</KeyPrefixEquals></Condition><Redirect><HostName>cdn.example</HostName>
             <Protocol>https</Protocol><HttpRedirectCode>307</HttpRedirectCode>
             <ReplaceKeyWith>none.png</ReplaceKeyWith></Redirect></RoutingRule></RoutingRules>"
        ));
        let site = Site {
            configuration: &configuration,
            host: "h:1",
        };
        assert_eq!(
            site.plan("old/a b"),
            Plan::Redirect(to(301, "http://h:1/new/a%20b"))
        );
        assert_eq!(site.plan("img/x"), Plan::Read("img/x".into()));
        assert_eq!(
            site.failed("img/x", 404),
            Found::Redirect(to(307, "https://cdn.example/none.png"))
        );
        assert_eq!(
            site.failed("img/x", 403),
            Found::ErrorDocument("error.html".into())
        );
        assert_eq!(site.failed("a", 404), Found::ErrorDocument("error.html".into()));
    }

    #[test]
    fn everything_may_redirect() {
        let configuration = parse(
            "<RedirectAllRequestsTo><HostName>example.com</HostName><Protocol>https</Protocol></RedirectAllRequestsTo>",
        );
        let site = Site {
            configuration: &configuration,
            host: "h",
        };
        assert_eq!(
            site.plan("a/b"),
            Plan::Redirect(to(301, "https://example.com/a/b"))
        );
    }

    #[test]
    fn hosts_of_websites() {
        assert_eq!(
            is_website_host("a.b.s3-website-eu-west-1.amazonaws.com"),
            Some("a.b")
        );
        assert_eq!(is_website_host("b.s3-website.localhost:4566"), Some("b"));
        assert_eq!(is_website_host("b.s3.localhost"), None);
        assert_eq!(is_website_host(".s3-website.localhost"), None);
    }
}
