//! What price lists charge for, measured from usage.

use crate::usage::{Metered, Used};

/// What a list may have a price for, and the node does not count.
pub const NOT_COUNTED: &[&str] = &[
    "data sent to the internet",
    "storage (objects, logs, packages)",
    "function storage above 512 MB",
    "provisioned concurrency",
    "streamed answers above 6 MB",
    "pipes",
    "archives and replays of buses",
    "API destinations",
    "receives of event source mappings that find nothing or fail",
    "receives and deletions of pipes",
    "secrets and their reads",
    "mail that applications send by SES",
    "Kafka clusters",
    "networks",
];

/// Whose instructions a function is said to be made for; it decides its price on AWS.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Architecture {
    /// `x86_64`
    #[default]
    X86,
    /// `arm64`
    Arm,
}

/// What one owner used of one thing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UsedBy {
    /// The ARN of the resource, empty where it is not known.
    pub resource: String,
    /// Its stack.
    pub stack: Option<String>,
    /// Of what.
    pub measure: Measure,
    /// How much, in the measure's ticks.
    pub ticks: u64,
}

/// Something that is charged for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Measure {
    /// Its name in price files.
    pub name: &'static str,
    /// How many of what is counted make one of what is charged.
    pub ticks: u32,
}

const fn measure(name: &'static str, ticks: u32) -> Measure {
    Measure { name, ticks }
}

/// Invocations.
pub(super) const REQUESTS: Measure = measure("functions.requests", 1);
/// A gigabyte-second is 1,024 MiB for 1,000 ms.
pub(super) const GB_SECONDS: Measure = measure("functions.gb_seconds", 1_024_000);
pub(super) const GB_SECONDS_X86: Measure = measure("functions.gb_seconds.x86_64", 1_024_000);
pub(super) const GB_SECONDS_ARM: Measure = measure("functions.gb_seconds.arm64", 1_024_000);
/// Counted in milliseconds of a twentieth of a processor, the step in which Function Compute sells them.
pub(super) const VCPU_SECONDS: Measure = measure("functions.vcpu_seconds", 20_000);
/// Lines, in GB.
pub(super) const LOG_GIGABYTES: Measure = measure("logs.gigabytes", 1 << 30);

impl Measure {
    /// The measure of that name.
    pub(super) fn named(name: &str) -> Option<Self> {
        let own = [
            REQUESTS,
            GB_SECONDS,
            GB_SECONDS_X86,
            GB_SECONDS_ARM,
            VCPU_SECONDS,
            LOG_GIGABYTES,
        ];
        let counted = Metered::ALL.iter().map(|item| Self::of(*item));
        own.into_iter()
            .chain(counted)
            .find(|measure| measure.name == name)
    }

    fn of(item: Metered) -> Self {
        match item {
            Metered::LogBytes => LOG_GIGABYTES,
            _ => measure(item.as_str(), 1),
        }
    }

    /// Whether it says of functions what another measure says, too; lists use one or the other.
    pub(super) fn is_of_functions(self) -> bool {
        self.name.starts_with("functions.")
    }
}

/// The twentieths of a processor that Function Compute gives to so much memory unless it is told otherwise: 0.35 for
/// 512 MB, and so in proportion, up to its next step of 0.05.
fn twentieths(memory_mib: u32) -> u64 {
    (u64::from(memory_mib) * 7).div_ceil(512).max(1)
}

impl UsedBy {
    /// What is charged for of `used`; nothing for what this binary does not know.
    #[must_use]
    pub fn of(used: &Used, architecture: Architecture) -> Vec<Self> {
        let by = |measure, ticks| Self {
            resource: used.owner.resource.clone(),
            stack: used.owner.stack.clone(),
            measure,
            ticks,
        };
        if used.item == "lambda" {
            let totals = &used.totals;
            let of_architecture = match architecture {
                Architecture::X86 => GB_SECONDS_X86,
                Architecture::Arm => GB_SECONDS_ARM,
            };
            let vcpu = totals.billed_ms.saturating_mul(twentieths(used.memory_mib));
            return vec![
                by(REQUESTS, totals.invocations),
                by(GB_SECONDS, totals.billed_mib_ms),
                by(of_architecture, totals.billed_mib_ms),
                by(VCPU_SECONDS, vcpu),
            ];
        }
        let item = Metered::ALL.iter().find(|item| item.as_str() == used.item);
        item.map(|item| by(Measure::of(*item), used.quantity))
            .into_iter()
            .collect()
    }
}
