//! What can go wrong with layers.

/// Why an operation on a layer, or on a function with layers, failed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LayerError {
    /// No such layer version.
    #[error("The resource you requested does not exist.")]
    NotFound,
    /// Versions count from one.
    #[error("Layer Version Cannot be less than 1.")]
    VersionBelowOne,
    /// The layer version whose policy is asked for is not there.
    #[error("Layer version {arn} does not exist.")]
    VersionNotFound {
        /// Its ARN.
        arn: String,
    },
    /// A function names a layer version that is not there.
    #[error("Layer version {arn} does not exist.")]
    NoSuchVersion {
        /// Its ARN.
        arn: String,
    },
    /// A function names too many.
    #[error("Cannot reference more than {limit} layers.")]
    TooMany {
        /// How many it may have.
        limit: usize,
    },
    /// A function names a layer twice.
    #[error(
        "Two different versions of the same layer are not allowed to be referenced in the same function. {first} \
         and {second} are versions of the same layer."
    )]
    TwoVersions {
        /// The one that stands first.
        first: String,
        /// The other.
        second: String,
    },
    /// A function names a layer of another region.
    #[error(
        "Layers are not in the same region as the function. Layers are expected to be in region {region}."
    )]
    OtherRegion {
        /// The function's.
        region: String,
    },
    /// The layer is another account's and not shared.
    #[error(
        "User: arn:aws:iam::{caller}:root is not authorized to perform: lambda:GetLayerVersion on resource: \
         {arn} because no resource-based policy allows the lambda:GetLayerVersion action"
    )]
    NotShared {
        /// Account of the caller.
        caller: String,
        /// Of the layer version.
        arn: String,
    },
    /// The layer is another account's, and this node has none of that name.
    #[error(
        "User: arn:aws:iam::{caller}:root is not authorized to perform: lambda:GetLayerVersion on resource: \
         {arn} because no resource-based policy allows the lambda:GetLayerVersion action; layers are not fetched \
         from AWS: publish it on this node with an access key of account `{account}`, or use one of your own"
    )]
    OfOtherAccount {
        /// Account of the caller.
        caller: String,
        /// Of the layer.
        account: String,
        /// Of the layer version.
        arn: String,
    },
    /// Code and layers are larger than a function may be.
    #[error(
        "Function code combined with layers exceeds the maximum allowed size of {limit} bytes. The actual size \
         is {size} bytes."
    )]
    TooLargeTogether {
        /// In bytes, unzipped.
        limit: u64,
        /// In bytes, unzipped.
        size: u64,
    },
}

impl LayerError {
    pub(super) fn status_and_code(&self) -> (u16, &'static str) {
        match self {
            Self::NotFound | Self::VersionNotFound { .. } => (404, "ResourceNotFoundException"),
            Self::NotShared { .. } | Self::OfOtherAccount { .. } => (403, "AccessDeniedException"),
            Self::VersionBelowOne
            | Self::NoSuchVersion { .. }
            | Self::TooMany { .. }
            | Self::TwoVersions { .. }
            | Self::OtherRegion { .. }
            | Self::TooLargeTogether { .. } => (400, "InvalidParameterValueException"),
        }
    }
}
