//! The seam between the template engine and the services: what a CloudFormation resource type can do.

use std::future::Future;
use std::pin::Pin;

use serde_json::{Map, Value};

mod properties;

pub use properties::{
    check_known, check_required, is_intrinsic, optional_bool, optional_integer, optional_tags, optional_text,
    problem, required_text,
};

/// A boxed future, so that resource types can be kept in one table.
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// The resolved properties of a resource: no intrinsic functions are left in them.
pub type Properties = Map<String, Value>;

/// What a resource is after it was created or updated.
#[derive(Clone, Debug, Default, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct ResourceState {
    /// The physical id; also what `Ref` gives, unless `reference` says otherwise.
    pub physical_id: String,
    /// What `Ref` gives where that is not the physical id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reference: Option<String>,
    /// What `Fn::GetAtt` gives, by attribute name (`Arn`, `RootResourceId`, …).
    #[serde(default)]
    pub attributes: Map<String, Value>,
}

/// Which resource of which stack is being changed.
#[derive(Clone, Debug)]
pub struct ResourceContext {
    /// The stack's name.
    pub stack: String,
    /// The key below `Resources`.
    pub logical_id: String,
    /// The physical name to use when the properties give none. It was stored before the call, so
    /// a create that is repeated after a crash gets the same one and must succeed again.
    pub generated_name: String,
    /// The account and region the stack lives in.
    pub account: crate::AccountId,
    /// See `account`.
    pub region: crate::Region,
    /// True in `tradewind up`: a function update must prove that the new code initialises
    /// before it replaces what runs.
    pub prove_updates: bool,
}

impl ResourceContext {
    /// For tests of resource types: a resource of the stack `shop-dev` in the default account.
    #[must_use]
    pub fn for_tests(logical_id: &str) -> Self {
        Self {
            stack: "shop-dev".into(),
            logical_id: logical_id.into(),
            generated_name: format!("shop-dev-{logical_id}-0123456789AB"),
            account: crate::AccountId::default_account(),
            region: crate::Region::default_region(),
            prove_updates: false,
        }
    }

    /// One text for whose the resource is, to be kept in its row: a repeated create finds its own,
    /// and nobody overwrites or deletes what belongs to another stack, logical id or replacement.
    #[must_use]
    pub fn owner(&self) -> String {
        format!("{}/{}/{}", self.stack, self.logical_id, self.generated_name)
    }

    /// `generated_name` in at most `max` characters. Its end, which makes it unique, is kept.
    #[must_use]
    pub fn generated_name_within(&self, max: usize) -> String {
        const UNIQUE_END: usize = 13;
        let name: Vec<char> = self.generated_name.chars().collect();
        if name.len() <= max {
            return self.generated_name.clone();
        }
        let end = UNIQUE_END.min(max);
        name[..max - end]
            .iter()
            .chain(&name[name.len() - end..])
            .collect()
    }
}

/// Why a resource could not be changed. Its text reaches the user as the event's status reason.
#[derive(Clone, Debug, thiserror::Error)]
pub enum ResourceError {
    /// The properties are wrong; repeating the call cannot help.
    #[error("{message}")]
    Invalid {
        /// What is wrong, naming the property.
        message: String,
    },
    /// The resource belongs to somebody else.
    #[error("{kind} `{name}` already exists outside this stack")]
    AlreadyExists {
        /// What it is, for example `function`.
        kind: &'static str,
        /// Its name.
        name: String,
    },
    /// The node failed; the call may be repeated.
    #[error("{message}")]
    Internal {
        /// What failed.
        message: String,
    },
}

/// A property the type does not accept, found before anything is changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PropertyProblem {
    /// Path below `Properties`, for example `["Code", "S3Bucket"]`.
    pub path: Vec<String>,
    /// What is wrong with it.
    pub message: String,
}

/// What a type knows of its properties; the compatibility page is made of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KnownProperties {
    /// The top-level properties it takes, though perhaps not every value of each.
    pub accepted: &'static [&'static str],
    /// What it refuses by name, with the reason: a path below `Properties`, joined by dots.
    pub refused: Vec<(String, &'static str)>,
    /// The top-level properties that must be there.
    pub required: &'static [&'static str],
}

impl KnownProperties {
    /// A type that takes `accepted` and refuses nothing by name.
    #[must_use]
    pub fn new(accepted: &'static [&'static str]) -> Self {
        Self {
            accepted,
            refused: Vec::new(),
            required: &[],
        }
    }

    /// The same, missing none of `required`.
    #[must_use]
    pub fn requiring(mut self, required: &'static [&'static str]) -> Self {
        self.required = required;
        self
    }

    /// What is unknown, refused or missing at the top level.
    #[must_use]
    pub fn check(&self, properties: &Properties) -> Vec<PropertyProblem> {
        let refused: Vec<(&str, &'static str)> = self
            .refused
            .iter()
            .map(|(path, reason)| (path.as_str(), *reason))
            .collect();
        let mut problems = check_known(properties, self.accepted, &refused);
        problems.extend(check_required(properties, self.required));
        problems
    }

    /// The same, refusing `refused` below the property `parent`; an empty `parent` is the top level.
    #[must_use]
    pub fn refusing(mut self, parent: &str, refused: &[(&str, &'static str)]) -> Self {
        let path = |name: &str| match parent {
            "" => name.to_owned(),
            parent => format!("{parent}.{name}"),
        };
        self.refused
            .extend(refused.iter().map(|(name, reason)| (path(name), *reason)));
        self
    }
}

/// What a service writes for each CloudFormation resource type it has.
///
/// All calls are idempotent: after a crash the engine repeats the last one. `create` with a
/// `generated_name` that this stack's resource already has succeeds and brings it to `properties`.
pub trait ResourceHandler: Send + Sync + std::fmt::Debug {
    /// `AWS::Service::Type`.
    fn type_name(&self) -> &'static str;

    /// What it knows of its properties, as [`ResourceHandler::check`] judges them.
    fn known_properties(&self) -> KnownProperties;

    /// Names every property that this type does not understand or refuses. Called on the template
    /// as written (intrinsic functions may still be inside values) before anything is changed.
    fn check(&self, properties: &Properties) -> Vec<PropertyProblem> {
        self.known_properties().check(properties)
    }

    /// Top-level properties whose change replaces the resource.
    fn replaced_by(&self) -> &'static [&'static str] {
        &[]
    }

    /// The resolved properties, with what they only name, and others may change, in the place of the name: an
    /// object in a bucket becomes the package that it is now. What comes of it is compared with what is stored,
    /// kept, and made again when a change is undone.
    fn pin(&self, properties: Properties) -> impl Future<Output = Result<Properties, ResourceError>> + Send {
        std::future::ready(Ok(properties))
    }

    /// Makes the resource.
    fn create(
        &self,
        context: &ResourceContext,
        properties: &Properties,
    ) -> impl Future<Output = Result<ResourceState, ResourceError>> + Send;

    /// Changes it in place: where `create` brings what is there to `properties`, that is all.
    fn update(
        &self,
        context: &ResourceContext,
        _current: &ResourceState,
        properties: &Properties,
    ) -> impl Future<Output = Result<ResourceState, ResourceError>> + Send {
        self.create(context, properties)
    }

    /// Says what keeps the resource from being deleted, as far as it can be known without trying. A stack asks
    /// all its resources before it removes the first.
    fn check_delete(
        &self,
        _context: &ResourceContext,
        _current: &ResourceState,
    ) -> impl Future<Output = Result<(), ResourceError>> + Send {
        std::future::ready(Ok(()))
    }

    /// Removes it; that it is gone already is success.
    fn delete(
        &self,
        context: &ResourceContext,
        current: &ResourceState,
    ) -> impl Future<Output = Result<(), ResourceError>> + Send;
}

/// A [`ResourceHandler`] as the template engine keeps it: all types in one table. Never written by
/// hand; see there for what the calls promise.
pub trait ResourceType: Send + Sync + std::fmt::Debug {
    /// See [`ResourceHandler::type_name`].
    fn type_name(&self) -> &'static str;

    /// See [`ResourceHandler::known_properties`].
    fn known_properties(&self) -> KnownProperties;

    /// See [`ResourceHandler::check`].
    fn check(&self, properties: &Properties) -> Vec<PropertyProblem>;

    /// See [`ResourceHandler::replaced_by`].
    fn replaced_by(&self) -> &'static [&'static str];

    /// See [`ResourceHandler::pin`].
    fn pin(&self, properties: Properties) -> BoxFuture<'_, Result<Properties, ResourceError>>;

    /// See [`ResourceHandler::create`].
    fn create<'a>(
        &'a self,
        context: &'a ResourceContext,
        properties: &'a Properties,
    ) -> BoxFuture<'a, Result<ResourceState, ResourceError>>;

    /// See [`ResourceHandler::update`].
    fn update<'a>(
        &'a self,
        context: &'a ResourceContext,
        current: &'a ResourceState,
        properties: &'a Properties,
    ) -> BoxFuture<'a, Result<ResourceState, ResourceError>>;

    /// See [`ResourceHandler::check_delete`].
    fn check_delete<'a>(
        &'a self,
        context: &'a ResourceContext,
        current: &'a ResourceState,
    ) -> BoxFuture<'a, Result<(), ResourceError>>;

    /// See [`ResourceHandler::delete`].
    fn delete<'a>(
        &'a self,
        context: &'a ResourceContext,
        current: &'a ResourceState,
    ) -> BoxFuture<'a, Result<(), ResourceError>>;
}

impl<T: ResourceHandler> ResourceType for T {
    fn type_name(&self) -> &'static str {
        ResourceHandler::type_name(self)
    }

    fn known_properties(&self) -> KnownProperties {
        ResourceHandler::known_properties(self)
    }

    fn check(&self, properties: &Properties) -> Vec<PropertyProblem> {
        ResourceHandler::check(self, properties)
    }

    fn replaced_by(&self) -> &'static [&'static str] {
        ResourceHandler::replaced_by(self)
    }

    fn pin(&self, properties: Properties) -> BoxFuture<'_, Result<Properties, ResourceError>> {
        Box::pin(ResourceHandler::pin(self, properties))
    }

    fn create<'a>(
        &'a self,
        context: &'a ResourceContext,
        properties: &'a Properties,
    ) -> BoxFuture<'a, Result<ResourceState, ResourceError>> {
        Box::pin(ResourceHandler::create(self, context, properties))
    }

    fn update<'a>(
        &'a self,
        context: &'a ResourceContext,
        current: &'a ResourceState,
        properties: &'a Properties,
    ) -> BoxFuture<'a, Result<ResourceState, ResourceError>> {
        Box::pin(ResourceHandler::update(self, context, current, properties))
    }

    fn check_delete<'a>(
        &'a self,
        context: &'a ResourceContext,
        current: &'a ResourceState,
    ) -> BoxFuture<'a, Result<(), ResourceError>> {
        Box::pin(ResourceHandler::check_delete(self, context, current))
    }

    fn delete<'a>(
        &'a self,
        context: &'a ResourceContext,
        current: &'a ResourceState,
    ) -> BoxFuture<'a, Result<(), ResourceError>> {
        Box::pin(ResourceHandler::delete(self, context, current))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_generated_names_keep_their_unique_end() {
        let context = ResourceContext::for_tests("Role");
        assert_eq!(context.generated_name_within(64), "shop-dev-Role-0123456789AB");
        assert_eq!(context.generated_name_within(20), "shop-de-0123456789AB");
        assert_eq!(context.generated_name_within(5), "789AB");
        assert_eq!(context.owner(), "shop-dev/Role/shop-dev-Role-0123456789AB");
    }
}
