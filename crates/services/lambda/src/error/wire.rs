//! Code and status of each error on the wire.

use tradewind_wire::WireError;

use super::LambdaError;

impl LambdaError {
    /// The error as REST-JSON words it.
    #[must_use]
    pub fn wire(&self) -> WireError {
        let (status, code) = self.status_and_code();
        let error = WireError::new(status, code, self.to_string());
        match self {
            Self::Throttled { reason } => error
                .with_field("Reason", reason.as_str())
                .with_header(http::header::RETRY_AFTER, http::HeaderValue::from_static("1")),
            _ => error,
        }
    }

    fn status_and_code(&self) -> (u16, &'static str) {
        match self {
            Self::FunctionNotFound { .. }
            | Self::AliasNotFound { .. }
            | Self::NoAliasToUpdate { .. }
            | Self::NoFunctionForUrl
            | Self::FunctionGone
            | Self::NoEventInvokeConfig { .. }
            | Self::PolicyNotFound
            | Self::NoPolicyToRemove
            | Self::NoPolicyFor { .. }
            | Self::StatementNotFound { .. }
            | Self::OtherRegion { .. } => (404, "ResourceNotFoundException"),
            Self::NoProvisionedConfig => (404, "ProvisionedConcurrencyConfigNotFoundException"),
            Self::OtherAccount { .. } => (403, "AccessDeniedException"),
            Self::FunctionExists { .. }
            | Self::AliasExists { .. }
            | Self::VersionInUse { .. }
            | Self::UrlExists { .. }
            | Self::VersionOfProvisionedAlias
            | Self::AliasOfProvisionedVersion
            | Self::StatementExists { .. }
            | Self::UpdateInProgress { .. } => (409, "ResourceConflictException"),
            Self::RevisionMismatch { .. } => (412, "PreconditionFailedException"),
            Self::Layer(error) => error.status_and_code(),
            Self::Mapping(error) => error.status_and_code(),
            Self::Validation(_) => (400, "ValidationException"),
            Self::NameTooLong { .. }
            | Self::TooManyWeights
            | Self::NothingToConfigure
            | Self::DestinationInvalid { .. }
            | Self::DestinationIsItself
            | Self::DeadLettersInvalid { .. }
            | Self::DestinationsInvalid { .. }
            | Self::ReservedTooMuch { .. }
            | Self::ReservedBelowProvisioned { .. }
            | Self::ProvisionedOverReserved
            | Self::ProvisionedOverUnreserved { .. }
            | Self::ProvisionedTooMuch { .. }
            | Self::ProvisionedLatest
            | Self::WeightOfMainVersion { .. }
            | Self::LatestWithWeights
            | Self::QualifierMismatch
            | Self::QualifierNotAllowed
            | Self::DeleteLatest
            | Self::DeleteAlias
            | Self::RuntimeAndHandlerMandatory
            | Self::UnknownRuntime { .. }
            | Self::RuntimeUnavailable { .. }
            | Self::EnvironmentTooLarge { .. }
            | Self::ReservedEnvironmentKeys { .. }
            | Self::Refused(_)
            | Self::NoCode
            | Self::LogLevelsOfText
            | Self::CodeTwice
            | Self::CodeNotFetched { .. }
            | Self::EmptyZip
            | Self::BadZip
            | Self::UnzippedTooLarge { .. }
            | Self::PackageMissing { .. }
            | Self::PackageRefused { .. }
            | Self::CodeSha256Mismatch { .. }
            | Self::PolicyOnLatest
            | Self::InvalidPrincipal
            | Self::TagsOnVersion
            | Self::TagsOfOtherResource { .. }
            | Self::TooManyTags
            | Self::NoTags
            | Self::InvalidMarker => (400, "InvalidParameterValueException"),
            Self::Recursive => (400, "RecursiveInvocationException"),
            Self::PolicyTooLong { .. } => (400, "PolicyLengthExceededException"),
            Self::InvalidBody { .. } | Self::InvalidPayload { .. } | Self::InvalidClientContext => {
                (400, "InvalidRequestContentException")
            }
            Self::WrongType { .. } => (400, "SerializationException"),
            Self::RequestInterrupted { .. } => (400, "RequestTimeoutException"),
            Self::PayloadTooLarge { .. } | Self::EventTooLarge { .. } => (413, "RequestTooLargeException"),
            Self::RequestTooLarge { .. } | Self::ZippedTooLarge { .. } => {
                (413, "RequestEntityTooLargeException")
            }
            Self::Throttled { .. } => (429, "TooManyRequestsException"),
            Self::NotImplemented { .. } => (501, "NotImplemented"),
            Self::UnknownOperation => (404, "UnknownOperationException"),
            Self::ShuttingDown => (503, "ServiceUnavailableException"),
            Self::Unavailable { .. } | Self::DiskFull | Self::Internal { .. } => (500, "ServiceException"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn throttles_tell_their_reason_and_when_to_retry() {
        let reason = "ReservedFunctionConcurrentInvocationLimitExceeded".to_owned();
        let wire = LambdaError::Throttled { reason }.wire();
        assert_eq!(
            (wire.status, wire.code.as_ref()),
            (429, "TooManyRequestsException")
        );
        assert_eq!(wire.message, "Rate Exceeded.");
        assert_eq!(
            wire.fields[0].1,
            "ReservedFunctionConcurrentInvocationLimitExceeded"
        );
        assert_eq!(wire.headers[0].1, "1");
    }

    #[test]
    fn causes_inside_the_node_do_not_leak() {
        let wire = LambdaError::internal("secret path /x").wire();
        assert_eq!(wire.status, 500);
        assert!(!wire.message.contains("secret"), "{}", wire.message);
    }
}
