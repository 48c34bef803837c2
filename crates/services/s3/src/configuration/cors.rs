//! Cross-origin resource sharing: the configuration of a bucket, and what it lets web pages do.

use http::header::{self, HeaderName};
use http::{HeaderMap, HeaderValue};
use s3s::dto::{
    CORSConfiguration, CORSRule, DeleteBucketCorsInput, DeleteBucketCorsOutput, GetBucketCorsInput,
    GetBucketCorsOutput, PutBucketCorsInput, PutBucketCorsOutput,
};
use s3s::{S3Error, S3ErrorCode, S3Result};

use super::{Configurations, bad_request, malformed, refused};

const RULES: usize = 100;
const ID_CHARACTERS: usize = 255;
const METHODS: &[&str] = &["GET", "PUT", "HEAD", "POST", "DELETE"];
const VARY: HeaderValue =
    HeaderValue::from_static("Origin, Access-Control-Request-Headers, Access-Control-Request-Method");

impl Configurations {
    pub(crate) async fn put_bucket_cors(&self, input: PutBucketCorsInput) -> S3Result<PutBucketCorsOutput> {
        check(&input.cors_configuration)?;
        self.put(&input.bucket, &input.cors_configuration).await?;
        Ok(PutBucketCorsOutput::default())
    }

    pub(crate) async fn get_bucket_cors(&self, input: GetBucketCorsInput) -> S3Result<GetBucketCorsOutput> {
        let cors: CORSConfiguration = self.find(&input.bucket).await?;
        Ok(GetBucketCorsOutput {
            cors_rules: Some(cors.cors_rules),
        })
    }

    pub(crate) async fn delete_bucket_cors(
        &self,
        input: DeleteBucketCorsInput,
    ) -> S3Result<DeleteBucketCorsOutput> {
        self.delete::<CORSConfiguration>(&input.bucket).await?;
        Ok(DeleteBucketCorsOutput::default())
    }

    /// The headers that answer a preflight request (`OPTIONS`) for something in the bucket.
    ///
    /// # Errors
    /// `BadRequest` for what is no preflight, `AccessForbidden` where no rule admits it.
    pub(crate) async fn preflight(&self, bucket: &str, request: &HeaderMap) -> S3Result<HeaderMap> {
        let asked = Asked::preflight(request)?;
        let cors = self.stored::<CORSConfiguration>(bucket).await?.put();
        let cors = cors.ok_or_else(|| forbidden("CORSResponse: CORS is not enabled for this bucket."))?;
        let admitted = asked.answer(&cors.cors_rules);
        admitted.ok_or_else(|| forbidden(NOT_ALLOWED))
    }

    /// The headers to add to the answer of a web page's request for something in the bucket; none
    /// where no rule admits it, or there is no such bucket.
    pub(crate) async fn cors_headers(
        &self,
        bucket: &str,
        method: &http::Method,
        request: &HeaderMap,
    ) -> Option<HeaderMap> {
        let asked = Asked {
            origin: request.get(header::ORIGIN)?.to_str().ok()?,
            method: method.as_str(),
            headers: vec![],
        };
        let cors = self.stored::<CORSConfiguration>(bucket).await.ok()?.put()?;
        asked.answer(&cors.cors_rules)
    }
}

const NOT_ALLOWED: &str = "CORSResponse: This CORS request is not allowed. This is usually because the \
    evalution of Origin, request method / Access-Control-Request-Method or \
    Access-Control-Request-Headers are not whitelisted by the resource's CORS spec.";

/// What a web page wants to do.
struct Asked<'a> {
    origin: &'a str,
    method: &'a str,
    headers: Vec<String>,
}

impl<'a> Asked<'a> {
    fn preflight(request: &'a HeaderMap) -> S3Result<Self> {
        let text = |name: HeaderName| request.get(name).and_then(|value| value.to_str().ok());
        let origin = text(header::ORIGIN)
            .ok_or_else(|| bad_request("Insufficient information. Origin request header needed."))?;
        let method = text(header::ACCESS_CONTROL_REQUEST_METHOD).unwrap_or("null");
        if !METHODS.contains(&method) {
            let message = format!("Invalid Access-Control-Request-Method: {method}");
            return Err(bad_request(message));
        }
        let headers = text(header::ACCESS_CONTROL_REQUEST_HEADERS).unwrap_or_default();
        let headers = headers.split(',').map(|name| name.trim().to_ascii_lowercase());
        Ok(Self {
            origin,
            method,
            headers: headers.filter(|name| !name.is_empty()).collect(),
        })
    }

    /// The headers of the first rule that admits all of it.
    fn answer(&self, rules: &[CORSRule]) -> Option<HeaderMap> {
        rules.iter().find_map(|rule| self.answer_of(rule))
    }

    fn answer_of(&self, rule: &CORSRule) -> Option<HeaderMap> {
        let pattern = rule
            .allowed_origins
            .iter()
            .find(|pattern| matches(pattern, self.origin))?;
        let admits = |name: &String| {
            let mut allowed = rule.allowed_headers.iter().flatten();
            allowed.any(|pattern| matches(&pattern.to_ascii_lowercase(), name))
        };
        let method = rule.allowed_methods.iter().any(|method| method == self.method);
        if !method || !self.headers.iter().all(admits) {
            return None;
        }
        let mut answer = HeaderMap::new();
        let mut add = |name: HeaderName, value: &str| {
            if let Ok(value) = HeaderValue::from_str(value)
                && !value.is_empty()
            {
                answer.insert(name, value);
            }
        };
        if pattern == "*" {
            add(header::ACCESS_CONTROL_ALLOW_ORIGIN, "*");
        } else {
            add(header::ACCESS_CONTROL_ALLOW_ORIGIN, self.origin);
            add(header::ACCESS_CONTROL_ALLOW_CREDENTIALS, "true");
        }
        add(
            header::ACCESS_CONTROL_ALLOW_METHODS,
            &rule.allowed_methods.join(", "),
        );
        add(header::ACCESS_CONTROL_ALLOW_HEADERS, &self.headers.join(", "));
        let exposed = rule.expose_headers.as_deref().unwrap_or_default();
        add(header::ACCESS_CONTROL_EXPOSE_HEADERS, &exposed.join(", "));
        let age = rule.max_age_seconds.map(|seconds| seconds.to_string());
        add(header::ACCESS_CONTROL_MAX_AGE, &age.unwrap_or_default());
        answer.insert(header::VARY, VARY);
        Some(answer)
    }
}

/// Whether the text fits the pattern, in which one `*` stands for anything.
fn matches(pattern: &str, text: &str) -> bool {
    match pattern.split_once('*') {
        None => pattern == text,
        Some((start, end)) => {
            text.len() >= start.len() + end.len() && text.starts_with(start) && text.ends_with(end)
        }
    }
}

/// Checks a configuration as S3 does.
pub(crate) fn check(cors: &CORSConfiguration) -> S3Result<()> {
    if cors.cors_rules.is_empty() || cors.cors_rules.len() > RULES {
        return Err(malformed());
    }
    cors.cors_rules.iter().try_for_each(check_rule)
}

fn check_rule(rule: &CORSRule) -> S3Result<()> {
    let id = rule.id.as_deref().unwrap_or_default();
    if rule.allowed_methods.is_empty() || rule.allowed_origins.is_empty() || id.len() > ID_CHARACTERS {
        return Err(malformed());
    }
    if let Some(method) = rule
        .allowed_methods
        .iter()
        .find(|m| !METHODS.contains(&m.as_str()))
    {
        return Err(invalid(format!(
            "Found unsupported HTTP method in CORS config. Unsupported method is {method}"
        )));
    }
    one_wildcard("AllowedOrigin", &rule.allowed_origins)?;
    one_wildcard(
        "AllowedHeader",
        rule.allowed_headers.as_deref().unwrap_or_default(),
    )?;
    let mut exposed = rule.expose_headers.iter().flatten();
    if let Some(name) = exposed.find(|name| name.contains('*')) {
        return Err(invalid(format!(
            "ExposeHeader \"{name}\" contains wildcard. We currently do not support wildcard for ExposeHeader."
        )));
    }
    Ok(())
}

fn one_wildcard(member: &str, patterns: &[String]) -> S3Result<()> {
    let wrong = patterns.iter().find(|pattern| pattern.matches('*').count() > 1);
    wrong.map_or(Ok(()), |pattern| {
        Err(invalid(format!(
            "{member} \"{pattern}\" can not have more than one wildcard."
        )))
    })
}

fn invalid(message: String) -> S3Error {
    refused(S3ErrorCode::InvalidRequest, message)
}

fn forbidden(message: &'static str) -> S3Error {
    super::custom("AccessForbidden", http::StatusCode::FORBIDDEN, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rule(origins: &[&str], methods: &[&str], headers: &[&str]) -> CORSRule {
        let texts = |values: &[&str]| values.iter().map(|&value| value.to_owned()).collect::<Vec<_>>();
        CORSRule {
            allowed_headers: Some(texts(headers)),
            allowed_methods: texts(methods),
            allowed_origins: texts(origins),
            expose_headers: Some(texts(&["ETag"])),
            id: None,
            max_age_seconds: Some(300),
        }
    }

    fn asked<'a>(origin: &'a str, method: &'a str, headers: &[&str]) -> Asked<'a> {
        Asked {
            origin,
            method,
            headers: headers.iter().map(|&name| name.to_owned()).collect(),
        }
    }

    #[test]
    fn the_first_rule_that_admits_everything_answers() {
        let rules = [
            rule(
                &["https://*.shop.example"],
                &["PUT", "GET"],
                &["x-amz-*", "Content-Type"],
            ),
            rule(&["*"], &["GET"], &[]),
        ];
        let origin = "https://eu.shop.example";
        let answer = asked(origin, "PUT", &["content-type", "x-amz-acl"])
            .answer(&rules)
            .unwrap();
        assert_eq!(answer["access-control-allow-origin"], origin);
        assert_eq!(answer["access-control-allow-credentials"], "true");
        assert_eq!(answer["access-control-allow-methods"], "PUT, GET");
        assert_eq!(answer["access-control-allow-headers"], "content-type, x-amz-acl");
        assert_eq!(answer["access-control-expose-headers"], "ETag");
        assert_eq!(answer["access-control-max-age"], "300");
        let answer = asked("http://elsewhere", "GET", &[]).answer(&rules).unwrap();
        assert_eq!(answer["access-control-allow-origin"], "*");
        assert!(!answer.contains_key("access-control-allow-credentials"));
        assert!(asked("http://elsewhere", "PUT", &[]).answer(&rules).is_none());
        assert!(asked(origin, "PUT", &["authorization"]).answer(&rules).is_none());
        assert!(asked(origin, "DELETE", &[]).answer(&rules).is_none());
    }

    #[test]
    fn rules_are_checked_as_s3_does() {
        let refusal = |rule: CORSRule| {
            let error = check(&CORSConfiguration {
                cors_rules: vec![rule],
            })
            .unwrap_err();
            format!("{}: {}", error.code().as_str(), error.message().unwrap())
        };
        assert_eq!(
            refusal(rule(&["*"], &["PATCH"], &[])),
            "InvalidRequest: Found unsupported HTTP method in CORS config. Unsupported method is PATCH"
        );
        assert_eq!(
            refusal(rule(&["http://*.*"], &["GET"], &[])),
            "InvalidRequest: AllowedOrigin \"http://*.*\" can not have more than one wildcard."
        );
        assert!(refusal(rule(&["*"], &["GET"], &["*-*"])).contains("AllowedHeader"));
        let exposing = CORSRule {
            expose_headers: Some(vec!["*".into()]),
            ..rule(&["*"], &["GET"], &[])
        };
        assert!(refusal(exposing).contains("ExposeHeader \"*\" contains wildcard"));
        assert!(refusal(rule(&[], &["GET"], &[])).starts_with("MalformedXML"));
        let many = vec![rule(&["*"], &["GET"], &[]); RULES + 1];
        assert!(check(&CORSConfiguration { cors_rules: many }).is_err());
    }
}
