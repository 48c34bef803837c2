//! Filter policies: which messages a subscription wants.

use serde_json::Value;
use tradewind_events::MessageAttribute;
use tradewind_events::filter_policy::{FilterPolicy, FilterPolicyScope};

use crate::error::SnsError;

/// A filter policy and what it looks at.
#[derive(Clone, Debug)]
pub(crate) struct Filter {
    policy: FilterPolicy,
    scope: FilterPolicyScope,
}

impl Filter {
    /// The scope that a policy has if nobody says another.
    pub(crate) const ATTRIBUTES: &'static str = "MessageAttributes";

    pub(crate) fn check_scope(scope: &str) -> Result<(), SnsError> {
        scope_of(scope).map(drop)
    }

    pub(crate) fn parse(text: &str, scope: &str) -> Result<Self, SnsError> {
        let scope = scope_of(scope)?;
        let policy = FilterPolicy::parse(text, scope)
            .map_err(|error| SnsError::InvalidParameter(format!("FilterPolicy: {error}")))?;
        Ok(Self { policy, scope })
    }

    /// Whether the subscription wants the message. A body that is no JSON matches no policy on bodies.
    pub(crate) fn wants(&self, attributes: &[MessageAttribute], body: &str) -> bool {
        match self.scope {
            FilterPolicyScope::MessageAttributes => self.policy.matches_attributes(attributes),
            FilterPolicyScope::MessageBody => {
                let body: Result<Value, _> = serde_json::from_str(body);
                body.is_ok_and(|body| self.policy.matches_body(&body))
            }
        }
    }
}

fn scope_of(text: &str) -> Result<FilterPolicyScope, SnsError> {
    match text {
        Filter::ATTRIBUTES => Ok(FilterPolicyScope::MessageAttributes),
        "MessageBody" => Ok(FilterPolicyScope::MessageBody),
        _ => Err(SnsError::InvalidParameter(format!(
            "FilterPolicyScope: Invalid value [{text}]. Please use either MessageBody or MessageAttributes"
        ))),
    }
}
