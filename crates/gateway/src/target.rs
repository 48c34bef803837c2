//! Which API or function URL a request is for: by host, or by path where names do not resolve.

use http::header::HOST;
use http::request::Parts;

/// The API a request names, whether it exists or not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    api: Box<str>,
    front: Front,
    form: Form,
}

/// What kind of name it was called by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Front {
    Api,
    FunctionUrl,
}

impl Front {
    const ALL: [Self; 2] = [Self::Api, Self::FunctionUrl];

    /// The second label of host names.
    fn domain(self) -> &'static str {
        match self {
            Self::Api => "execute-api",
            Self::FunctionUrl => "lambda-url",
        }
    }

    /// What comes before the id in paths.
    fn path_prefix(self) -> &'static str {
        match self {
            Self::Api => "/_api/",
            Self::FunctionUrl => "/_url/",
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Form {
    /// `http://{api}.execute-api.{domain}/…`, or `lambda-url` in its place; the host as it was sent.
    Host(Box<str>),
    /// `/_api/{api}/…` or `/_url/{id}/…`; what of the path comes before the API's own.
    Path { prefix: usize },
}

impl Target {
    /// The API that the host or the path names, if one of them does.
    pub(crate) fn of(parts: &Parts) -> Option<Self> {
        Self::by_host(parts).or_else(|| Self::by_path(parts.uri.path()))
    }

    fn by_host(parts: &Parts) -> Option<Self> {
        let host = match parts.uri.authority() {
            Some(authority) => authority.as_str(),
            None => parts.headers.get(HOST)?.to_str().ok()?,
        };
        let (api, rest) = host.split_once('.')?;
        let (front, domain) = Front::ALL
            .into_iter()
            .find_map(|front| Some((front, rest.strip_prefix(front.domain())?)))?;
        if api.is_empty() || !(domain.is_empty() || domain.starts_with(['.', ':'])) {
            return None;
        }
        Some(Self {
            api: api.to_ascii_lowercase().into(),
            front,
            form: Form::Host(host.into()),
        })
    }

    fn by_path(path: &str) -> Option<Self> {
        let (front, rest) = Front::ALL
            .into_iter()
            .find_map(|front| Some((front, path.strip_prefix(front.path_prefix())?)))?;
        let api = rest.split('/').next().filter(|api| !api.is_empty())?;
        Some(Self {
            api: api.into(),
            front,
            form: Form::Path {
                prefix: front.path_prefix().len() + api.len(),
            },
        })
    }

    /// The API's id as the request has it.
    #[must_use]
    pub fn api(&self) -> &str {
        &self.api
    }

    /// What kind of name it was called by.
    pub(crate) fn front(&self) -> Front {
        self.front
    }

    /// The path below the API: raw, with the stage, starting with `/`.
    pub(crate) fn path<'p>(&self, path: &'p str) -> &'p str {
        let own = match self.form {
            Form::Host(_) => path,
            Form::Path { prefix } => path.get(prefix..).unwrap_or_default(),
        };
        if own.is_empty() { "/" } else { own }
    }

    /// The domain name events carry: the host that was called, or the one that could have been.
    /// It keeps the port, so that URLs made of it work here.
    pub(crate) fn domain(&self, base_domain: &str) -> String {
        match &self.form {
            Form::Host(host) => host.to_string(),
            Form::Path { .. } => format!("{}.{}.{base_domain}", self.api, self.front.domain()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::Request;

    fn target(host: &str, path: &str) -> Option<(String, String, String)> {
        let request = Request::builder()
            .uri(path)
            .header("host", host)
            .body(())
            .unwrap();
        let (parts, ()) = request.into_parts();
        let target = Target::of(&parts)?;
        let own = target.path(parts.uri.path()).to_owned();
        Some((target.api().to_owned(), own, target.domain("localhost:4566")))
    }

    #[test]
    fn hosts_and_paths_name_apis() {
        for (host, path, api, own, domain) in [
            (
                "a1.execute-api.localhost:4566",
                "/dev/x",
                "a1",
                "/dev/x",
                "a1.execute-api.localhost:4566",
            ),
            (
                "A1.execute-api.us-east-1.amazonaws.com",
                "/",
                "a1",
                "/",
                "A1.execute-api.us-east-1.amazonaws.com",
            ),
            (
                "a1.execute-api:4566",
                "/_api/b",
                "a1",
                "/_api/b",
                "a1.execute-api:4566",
            ),
            (
                "127.0.0.1:4566",
                "/_api/a1/dev/x",
                "a1",
                "/dev/x",
                "a1.execute-api.localhost:4566",
            ),
            (
                "127.0.0.1:4566",
                "/_api/a1",
                "a1",
                "/",
                "a1.execute-api.localhost:4566",
            ),
            (
                "127.0.0.1:4566",
                "/_api/a1/",
                "a1",
                "/",
                "a1.execute-api.localhost:4566",
            ),
        ] {
            let expected = Some((api.to_owned(), own.to_owned(), domain.to_owned()));
            assert_eq!(target(host, path), expected, "{host} {path}");
        }
    }

    #[test]
    fn other_requests_are_not_claimed() {
        for (host, path) in [
            ("localhost:4566", "/"),
            ("bucket.s3.localhost", "/x"),
            ("a1.execute-apis.localhost", "/"),
            ("localhost", "/_api/"),
            ("localhost", "/_apis/a"),
        ] {
            assert_eq!(target(host, path), None, "{host} {path}");
        }
    }
}
