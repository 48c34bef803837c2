//! A function, its versions and its policies as this service knows them.

use std::collections::BTreeMap;
use std::fmt;

use sha2::{Digest as _, Sha256};
use tradewind_compute::{AliasRoute, Egress, FunctionSpec, LoggingConfig, PackageId};
use tradewind_gateway::{Cors, UrlSettings};
use tradewind_model::{
    Arn, EphemeralStorageMib, FunctionArn, MemoryMib, Qualifier, Runtime, TimeoutSeconds, Timestamp,
};

use crate::event_invoke::EventInvoke;
use crate::layer::UsedLayers;
use crate::policy::Policy;
use crate::recursion::RecursiveLoop;

/// The instruction set a function says it wants; the node runs its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Architecture {
    X86_64,
    Arm64,
}

impl Architecture {
    /// The node's own.
    pub(crate) const HOST: Self = if cfg!(target_arch = "aarch64") {
        Self::Arm64
    } else {
        Self::X86_64
    };

    /// As the API spells it.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::X86_64 => "x86_64",
            Self::Arm64 => "arm64",
        }
    }

    /// Reads the API's spelling.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        [Self::X86_64, Self::Arm64]
            .into_iter()
            .find(|known| known.as_str() == text)
    }
}

/// The settings of one version.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Configuration {
    pub(crate) runtime: Runtime,
    pub(crate) handler: String,
    pub(crate) role: String,
    pub(crate) description: String,
    pub(crate) memory: MemoryMib,
    pub(crate) timeout: TimeoutSeconds,
    pub(crate) ephemeral_storage: EphemeralStorageMib,
    /// None where none was ever given: the API then leaves the member out.
    pub(crate) environment: Option<BTreeMap<String, String>>,
    pub(crate) log_group: String,
    pub(crate) logging: LoggingConfig,
    pub(crate) architecture: Architecture,
    pub(crate) layers: UsedLayers,
    /// The queue or topic that gets the events that were given up.
    pub(crate) dead_letters: Option<Arn>,
}

impl fmt::Debug for Configuration {
    /// Without the values of the environment: they may be secrets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Configuration")
            .field("runtime", &self.runtime.as_str())
            .field("handler", &self.handler)
            .field(
                "environment",
                &self.environment.as_ref().map(|e| e.keys().collect::<Vec<_>>()),
            )
            .finish_non_exhaustive()
    }
}

/// The code of one version.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Code {
    pub(crate) package: PackageId,
    pub(crate) size_bytes: u64,
}

/// The tag that says whom a function may talk to. A tag, because every tool that deploys functions can
/// set one, and it means nothing to other clouds.
pub(crate) const EGRESS_TAG: &str = "tradewind:egress";

/// Whom the tags let a function talk to: the world, unless they say `none`. Nothing is what they cannot say.
pub(crate) fn egress(tags: &BTreeMap<String, String>) -> Option<Egress> {
    match tags.get(EGRESS_TAG).map(String::as_str) {
        None | Some("internet") => Some(Egress::Internet),
        Some("none") => Some(Egress::None),
        Some(_) => None,
    }
}

/// `$LATEST` or a published version.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Version {
    pub(crate) configuration: Configuration,
    pub(crate) code: Code,
    pub(crate) last_modified: Timestamp,
    pub(crate) revision_id: String,
    /// Of a published version: what `$LATEST` was when it was published, see [`fingerprint`].
    pub(crate) published_from: Option<String>,
}

/// The resource that made a function.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Owner {
    /// The stack it is in.
    pub(crate) stack: String,
    /// Which resource of the stack, as `ResourceContext::owner` tells it.
    pub(crate) resource: String,
}

impl Owner {
    /// Whether both are the same resource of the same stack, though perhaps one replaces the other.
    pub(crate) fn is_resource_of(&self, other: &Self) -> bool {
        let resource = |owner: &Self| {
            owner
                .resource
                .rsplit_once('/')
                .map(|(resource, _)| resource.to_owned())
        };
        self.stack == other.stack && resource(self) == resource(other)
    }
}

/// A share of an alias's invocations, 0 to 1.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Weight(f64);

// A weight is never NaN.
impl Eq for Weight {}

impl Weight {
    /// None outside of 0 to 1.
    pub(crate) fn new(share: f64) -> Option<Self> {
        (0.0..=1.0).contains(&share).then_some(Self(share))
    }

    pub(crate) fn get(self) -> f64 {
        self.0
    }
}

/// A name that sends invocations to a version, or to one of two published ones.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Alias {
    /// `$LATEST` or a published version.
    pub(crate) version: Qualifier,
    pub(crate) description: String,
    /// Another published version, and the share of the invocations that go there.
    pub(crate) additional: Option<(u64, Weight)>,
    pub(crate) revision_id: String,
}

impl Alias {
    /// As the engine routes it.
    pub(crate) fn route(&self) -> AliasRoute {
        AliasRoute {
            version: self.version.clone(),
            additional: self
                .additional
                .map(|(version, weight)| (Qualifier::Version(version), weight.get())),
        }
    }

    /// Whether both send invocations to the same places and are described alike.
    pub(crate) fn is_like(&self, other: &Self) -> bool {
        self.version == other.version
            && self.additional == other.additional
            && self.description == other.description
    }

    /// Whether it sends invocations to the published version.
    pub(crate) fn leads_to(&self, version: u64) -> bool {
        self.version == Qualifier::Version(version)
            || self
                .additional
                .is_some_and(|(additional, _)| additional == version)
    }
}

/// Instances of a version that are kept initialised.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Provisioned {
    /// How many.
    pub(crate) executions: u32,
    pub(crate) last_modified: Timestamp,
}

/// An HTTP endpoint of a function or an alias.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct FunctionUrl {
    /// The first label of its host name.
    pub(crate) id: String,
    pub(crate) settings: UrlSettings,
    pub(crate) cors: Option<Cors>,
    pub(crate) created: Timestamp,
    pub(crate) modified: Timestamp,
    /// The resource of a stack that made it.
    pub(crate) owner: Option<Owner>,
}

impl FunctionUrl {
    /// Where it answers. The path form, because not every resolver knows the host form.
    pub(crate) fn address(&self, base_url: &str) -> String {
        format!("{}/_url/{}/", base_url.trim_end_matches('/'), self.id)
    }
}

/// A function with all its versions. Immutable: a change makes a new one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Function {
    /// Without qualifier.
    pub(crate) arn: FunctionArn,
    pub(crate) latest: Version,
    pub(crate) versions: BTreeMap<u64, Version>,
    /// The number the next published version gets; numbers are never used twice.
    pub(crate) next_version: u64,
    pub(crate) reserved_concurrency: Option<u32>,
    pub(crate) recursive_loop: RecursiveLoop,
    pub(crate) owner: Option<Owner>,
    pub(crate) tags: BTreeMap<String, String>,
    /// By qualifier; the function's own under none.
    pub(crate) policies: BTreeMap<Option<Qualifier>, Policy>,
    /// By name.
    pub(crate) aliases: BTreeMap<String, Alias>,
    /// By version or alias. Those of an alias are all of its first version.
    pub(crate) provisioned: BTreeMap<Qualifier, Provisioned>,
    /// By qualifier: `$LATEST`, a version or an alias.
    pub(crate) event_invoke: BTreeMap<Qualifier, EventInvoke>,
    /// By alias; the function's own under none.
    pub(crate) urls: BTreeMap<Option<Qualifier>, FunctionUrl>,
}

impl Function {
    /// `$LATEST`, the version of that number, or the one that an alias leads to first; none for what is
    /// not there.
    pub(crate) fn version(&self, qualifier: &Qualifier) -> Option<&Version> {
        match self.executed(qualifier)? {
            Qualifier::Latest => Some(&self.latest),
            Qualifier::Version(number) => self.versions.get(number),
            Qualifier::Alias(_) => None,
        }
    }

    /// The version that a qualifier names or leads to; none for an alias that is not there.
    pub(crate) fn executed<'a>(&'a self, qualifier: &'a Qualifier) -> Option<&'a Qualifier> {
        match qualifier {
            Qualifier::Alias(name) => self.aliases.get(&**name).map(|alias| &alias.version),
            version => Some(version),
        }
    }

    /// The ARN the engine runs a qualifier by; none for what is not there.
    pub(crate) fn invocable(&self, qualifier: &Qualifier) -> Option<FunctionArn> {
        self.version(qualifier)?;
        Some(match qualifier {
            Qualifier::Latest => self.arn.clone(),
            Qualifier::Version(_) | Qualifier::Alias(_) => self.arn.qualified(qualifier.clone()),
        })
    }

    /// The ARN of an alias.
    pub(crate) fn alias_arn(&self, name: &str) -> FunctionArn {
        self.arn.qualified(Qualifier::Alias(name.into()))
    }

    /// What is provisioned of all versions together.
    pub(crate) fn provisioned_total(&self) -> u32 {
        sum(self.provisioned.values())
    }

    /// What no other function may use: its reservation, else what is provisioned of it.
    pub(crate) fn kept_concurrency(&self) -> u32 {
        self.reserved_concurrency
            .unwrap_or_else(|| self.provisioned_total())
    }

    /// The newest published version, unless `$LATEST` differs from what it was published from.
    pub(crate) fn unchanged_since_published(&self) -> Option<u64> {
        let newest = self.next_version.checked_sub(1)?;
        let version = self.versions.get(&newest)?;
        let unchanged = version.published_from.as_deref() == Some(fingerprint(&self.latest).as_str());
        unchanged.then_some(newest)
    }

    /// What the engine runs for a version.
    pub(crate) fn spec(&self, qualifier: &Qualifier) -> Option<FunctionSpec> {
        let version = self.version(qualifier)?;
        let provisioned = self.provisioned.iter();
        let provisioned = provisioned.filter(|(of, _)| self.executed(of) == Some(qualifier));
        Some(FunctionSpec {
            provisioned_concurrency: sum(provisioned.map(|(_, config)| config)),
            // tags were checked when they came; of others the stricter reading
            egress: egress(&self.tags).unwrap_or(Egress::None),
            ..spec(self.invocable(qualifier)?, version, self.reserved_concurrency)
        })
    }

    /// All versions, `$LATEST` first.
    pub(crate) fn qualifiers(&self) -> impl Iterator<Item = Qualifier> {
        std::iter::once(Qualifier::Latest).chain(self.versions.keys().copied().map(Qualifier::Version))
    }
}

fn sum<'a>(provisioned: impl Iterator<Item = &'a Provisioned>) -> u32 {
    provisioned.fold(0, |sum, config| sum.saturating_add(config.executions))
}

fn spec(arn: FunctionArn, version: &Version, reserved_concurrency: Option<u32>) -> FunctionSpec {
    let Configuration {
        runtime,
        handler,
        memory,
        timeout,
        ephemeral_storage,
        environment,
        log_group,
        logging,
        role: _,
        description: _,
        architecture: _,
        layers,
        dead_letters: _,
    } = &version.configuration;
    FunctionSpec {
        memory: *memory,
        timeout: *timeout,
        ephemeral_storage: *ephemeral_storage,
        environment: environment.clone().unwrap_or_default(),
        log_group: log_group.as_str().into(),
        logging: *logging,
        layers: layers.merged.clone(),
        reserved_concurrency,
        ..FunctionSpec::new(
            arn,
            runtime.clone(),
            handler.as_str(),
            version.code.package.clone(),
        )
    }
}

/// A digest of a version's code and settings: equal digests mean that publishing changes nothing.
pub(crate) fn fingerprint(version: &Version) -> String {
    let Configuration {
        runtime,
        handler,
        role,
        description,
        memory,
        timeout,
        ephemeral_storage,
        environment,
        log_group,
        logging,
        architecture,
        layers,
        dead_letters,
    } = &version.configuration;
    let mut settings = serde_json::json!([
        version.code.package.to_string(),
        runtime.as_str(),
        handler,
        role,
        description,
        memory.get(),
        timeout.get(),
        ephemeral_storage.get(),
        environment,
        log_group,
        architecture.as_str(),
    ]);
    // only where it says something: digests from before it was a setting stay what they are
    if *logging != LoggingConfig::default()
        && let Some(list) = settings.as_array_mut()
    {
        list.push(format!("{logging:?}").into());
    }
    if !layers.list.is_empty()
        && let Some(list) = settings.as_array_mut()
    {
        list.extend(layers.list.iter().map(|used| used.arn.to_string().into()));
    }
    if let Some(target) = dead_letters
        && let Some(list) = settings.as_array_mut()
    {
        list.push(target.to_string().into());
    }
    hex(&Sha256::digest(settings.to_string().as_bytes()))
}

fn hex(bytes: &[u8]) -> String {
    use fmt::Write as _;
    bytes
        .iter()
        .fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
            write!(text, "{byte:02x}").expect("a String takes all that is written");
            text
        })
}

/// A fresh revision id.
pub(crate) fn new_revision() -> String {
    uuid::Uuid::new_v4().to_string()
}

/// `2026-11-20T23:08:00.123+0000`: how `LastModified` is written.
pub(crate) fn last_modified_text(at: Timestamp) -> String {
    let text = at.to_rfc3339();
    format!("{}+0000", text.trim_end_matches('Z'))
}
