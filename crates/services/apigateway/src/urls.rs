//! The URLs that functions answer, for `list`.

use tradewind_model::FunctionArn;

/// The event a URL comes from, in the words of serverless.yml.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum UrlKind {
    /// A REST API.
    Http,
    /// An HTTP API.
    HttpApi,
}

impl UrlKind {
    /// `http` or `httpApi`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::HttpApi => "httpApi",
        }
    }
}

/// One method and path of one stage, and the function that answers it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Url {
    /// The API.
    pub api_id: String,
    /// Which kind of API it is.
    pub kind: UrlKind,
    /// The stage; `$default` has no path segment.
    pub stage: String,
    /// A method or `ANY`.
    pub method: String,
    /// The path inside the stage with its `{parameters}`; `/{proxy+}` for the `$default` route.
    pub path: String,
    /// The function.
    pub function: FunctionArn,
}

impl Url {
    /// The path at which every node answers it, `/_api/{api}/{stage}/…`.
    #[must_use]
    pub fn path_form(&self) -> String {
        match self.stage.as_str() {
            "$default" => format!("/_api/{}{}", self.api_id, self.path),
            stage => format!("/_api/{}/{stage}{}", self.api_id, self.path),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_default_stage_has_no_segment() {
        let url = |stage: &str| Url {
            api_id: "a1".into(),
            kind: UrlKind::HttpApi,
            stage: stage.into(),
            method: "GET".into(),
            path: "/cart/{id}".into(),
            function: "arn:aws:lambda:us-east-1:000000000000:function:f"
                .parse()
                .unwrap(),
        };
        assert_eq!(url("$default").path_form(), "/_api/a1/cart/{id}");
        assert_eq!(url("dev").path_form(), "/_api/a1/dev/cart/{id}");
    }
}
