//! AWS Lambda's limits (Developer Guide, "Lambda quotas") and the types that keep them.

use std::fmt;
use std::time::Duration;

/// Largest synchronous request or response body: 6 MB and 100 bytes, as the service enforces it.
pub const SYNC_PAYLOAD_BYTES: usize = 6 * 1024 * 1024 + 100;
/// Largest streamed response body: 200 MB.
pub const STREAMED_PAYLOAD_BYTES: usize = 200 * 1024 * 1024;
/// Largest asynchronous request body: 1 MB.
pub const ASYNC_PAYLOAD_BYTES: usize = 1024 * 1024;
/// Keys and values of a function's environment together.
pub const ENVIRONMENT_BYTES: usize = 4 * 1024;
/// A zipped package sent in a request.
pub const ZIP_BYTES: usize = 50 * 1024 * 1024;
/// A package and its layers, unpacked.
pub const UNZIPPED_BYTES: u64 = 250 * 1024 * 1024;
/// Open files of one instance.
pub const OPEN_FILES: u64 = 1024;
/// Processes and threads of one instance.
pub const PROCESSES: u64 = 1024;
/// Concurrent executions of an account, unless configured.
pub const ACCOUNT_CONCURRENCY: u32 = 1000;
/// How long an instance may initialise before its first invocation.
pub const INIT: Duration = Duration::from_secs(10);
/// How long a REST API waits for its integration.
pub const REST_INTEGRATION: Duration = Duration::from_secs(29);
/// How long an HTTP API waits for its integration.
pub const HTTP_INTEGRATION: Duration = Duration::from_secs(30);
/// Largest body an HTTP request to an API may carry: 10 MB.
pub const HTTP_BODY_BYTES: usize = 10 * 1024 * 1024;

/// A value outside its limits.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{what} {value} is outside {min} to {max}")]
pub struct LimitError {
    /// What it measures, for example `memory size`.
    pub what: &'static str,
    /// What was given.
    pub value: u64,
    /// Smallest allowed.
    pub min: u64,
    /// Largest allowed.
    pub max: u64,
}

macro_rules! limited {
    ($(#[$doc:meta])* $name:ident, $what:literal, $min:literal..=$max:literal, default $default:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(u32);

        impl $name {
            /// A value within the limits.
            ///
            /// # Errors
            /// When it is outside.
            pub fn new(value: u64) -> Result<Self, LimitError> {
                let error = LimitError { what: $what, value, min: $min, max: $max };
                match u32::try_from(value) {
                    Ok(small) if ($min..=$max).contains(&small) => Ok(Self(small)),
                    _ => Err(error),
                }
            }

            /// The number.
            #[must_use]
            pub const fn get(self) -> u32 {
                self.0
            }
        }

        impl Default for $name {
            fn default() -> Self {
                Self($default)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }
    };
}

limited!(
    /// A function's memory in MiB: 128 to 10,240, by default 128.
    MemoryMib, "memory size", 128..=10_240, default 128);
limited!(
    /// A function's timeout in seconds: 1 to 900, by default 3.
    TimeoutSeconds, "timeout", 1..=900, default 3);
limited!(
    /// A function's `/tmp` in MiB: 512 to 10,240, by default 512.
    EphemeralStorageMib, "ephemeral storage size", 512..=10_240, default 512);

impl TimeoutSeconds {
    /// The timeout as a duration.
    #[must_use]
    pub const fn as_duration(self) -> Duration {
        Duration::from_secs(self.0 as u64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_hold_at_both_ends() {
        assert!(MemoryMib::new(127).is_err());
        assert_eq!(MemoryMib::new(128).unwrap(), MemoryMib::default());
        assert!(MemoryMib::new(10_241).is_err());
        assert!(TimeoutSeconds::new(0).is_err());
        assert!(TimeoutSeconds::new(900).is_ok());
    }
}
