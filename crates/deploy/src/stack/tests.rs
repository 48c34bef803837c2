//! The engine against resource types that remember what was done to them and fail on demand.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};

use serde_json::{Map, Value, json};
use tokio::sync::mpsc;
use tradewind_model::resource::{
    KnownProperties, Properties, PropertyProblem, ResourceContext, ResourceError, ResourceHandler,
    ResourceState, ResourceType,
};
use tradewind_model::{AccountId, Clock, Region, SecretError, SecretText, Secrets, Timestamp};
use tradewind_store::Database;

use super::{
    ApplyError, ApplyRequest, MIGRATIONS, RemoveError, StackEngine, StackOutcome, StackStatus, tables,
};

/// Things by physical name, and what happened in which order.
#[derive(Debug, Default)]
struct World {
    things: BTreeMap<String, Properties>,
    log: Vec<String>,
    fail: BTreeSet<String>,
    /// What says beforehand that it cannot be deleted.
    full: BTreeSet<String>,
    /// What only refuses when it is to be deleted.
    stuck: BTreeSet<String>,
    /// By name.
    secrets: BTreeMap<String, String>,
}

/// The secrets of the world.
#[derive(Debug)]
struct Keeper(Arc<Mutex<World>>);

impl Secrets for Keeper {
    fn text(&self, _: &AccountId, _: &Region, id: &str) -> Result<SecretText, SecretError> {
        let found = self.0.lock().unwrap().secrets.get(id).cloned();
        found.map(SecretText::from).ok_or(SecretError::NotFound)
    }
}

#[derive(Debug)]
struct Thing(Arc<Mutex<World>>);

impl Thing {
    fn put(&self, verb: &str, name: String, properties: &Properties) -> Result<ResourceState, ResourceError> {
        let mut world = self.0.lock().unwrap();
        let label = properties
            .get("Label")
            .and_then(Value::as_str)
            .unwrap_or_default()
            .to_owned();
        if world.fail.contains(&label) {
            return Err(ResourceError::Invalid {
                message: format!("`{label}` is cursed"),
            });
        }
        world.log.push(format!("{verb} {label}"));
        world.things.insert(name.clone(), properties.clone());
        let attributes = Map::from_iter([("Label".to_owned(), Value::from(label))]);
        Ok(ResourceState {
            physical_id: name,
            reference: None,
            attributes,
        })
    }
}

/// Between the effect and its record.
async fn a_crash_may_fall_here() {
    tokio::task::yield_now().await;
}

impl ResourceHandler for Thing {
    fn type_name(&self) -> &'static str {
        "Test::Thing"
    }

    fn known_properties(&self) -> KnownProperties {
        KnownProperties::new(&["Label", "Name", "Needs"])
    }

    fn check(&self, properties: &Properties) -> Vec<PropertyProblem> {
        let unknown = properties
            .keys()
            .filter(|key| !["Label", "Name", "Needs"].contains(&key.as_str()));
        unknown
            .map(|key| PropertyProblem {
                path: vec![key.clone()],
                message: format!("unknown `{key}`"),
            })
            .collect()
    }

    fn replaced_by(&self) -> &'static [&'static str] {
        &["Name"]
    }

    async fn create(
        &self,
        context: &ResourceContext,
        properties: &Properties,
    ) -> Result<ResourceState, ResourceError> {
        let made = self.put("create", context.generated_name.clone(), properties);
        a_crash_may_fall_here().await;
        made
    }

    async fn update(
        &self,
        _context: &ResourceContext,
        current: &ResourceState,
        properties: &Properties,
    ) -> Result<ResourceState, ResourceError> {
        let changed = self.put("update", current.physical_id.clone(), properties);
        a_crash_may_fall_here().await;
        changed
    }

    async fn check_delete(
        &self,
        _context: &ResourceContext,
        current: &ResourceState,
    ) -> Result<(), ResourceError> {
        let label = current.attributes["Label"].as_str().unwrap();
        if self.0.lock().unwrap().full.contains(label) {
            let message = format!("`{label}` is full");
            return Err(ResourceError::Invalid { message });
        }
        Ok(())
    }

    async fn delete(&self, _context: &ResourceContext, current: &ResourceState) -> Result<(), ResourceError> {
        let mut world = self.0.lock().unwrap();
        let stuck = current.attributes["Label"].as_str().unwrap();
        if world.stuck.contains(stuck) {
            let message = format!("`{stuck}` is stuck");
            return Err(ResourceError::Invalid { message });
        }
        let properties = world.things.remove(&current.physical_id).unwrap_or_default();
        let label = properties
            .get("Label")
            .and_then(Value::as_str)
            .unwrap_or_default()
            .to_owned();
        world.log.push(format!("delete {label}"));
        Ok(())
    }
}

struct Bench {
    world: Arc<Mutex<World>>,
    engine: StackEngine,
}

impl Bench {
    fn new() -> Self {
        let world = Arc::new(Mutex::new(World::default()));
        let database = Database::in_memory_for_tests(&[MIGRATIONS]);
        Self {
            engine: engine(&world, database),
            world,
        }
    }

    async fn apply(&self, resources: Value) -> Result<StackOutcome, ApplyError> {
        self.apply_template(json!({ "Resources": resources })).await
    }

    async fn apply_template(&self, template: Value) -> Result<StackOutcome, ApplyError> {
        let request = ApplyRequest {
            stack: "shop".parse().unwrap(),
            template,
            parameters: BTreeMap::new(),
            artifacts: BTreeMap::new(),
            tags: BTreeMap::new(),
            prove_updates: false,
        };
        let (events, _reader) = mpsc::channel(64);
        self.engine.apply(request, events).await
    }

    fn log(&self) -> Vec<String> {
        std::mem::take(&mut self.world.lock().unwrap().log)
    }

    fn curse(&self, label: &str) {
        self.world.lock().unwrap().fail.insert(label.to_owned());
    }

    fn labels(&self) -> Vec<String> {
        let world = self.world.lock().unwrap();
        let mut labels: Vec<_> = world
            .things
            .values()
            .map(|p| p["Label"].as_str().unwrap().to_owned())
            .collect();
        labels.sort();
        labels
    }
}

fn engine(world: &Arc<Mutex<World>>, database: Database) -> StackEngine {
    let clock = Clock::manual(Timestamp::from_millis(0));
    let types: Vec<Arc<dyn ResourceType>> = vec![Arc::new(Thing(Arc::clone(world)))];
    StackEngine::new(
        database,
        types,
        AccountId::default_account(),
        Region::default_region(),
        clock,
        Arc::new(Keeper(Arc::clone(world))),
    )
}

fn thing(label: &str) -> Value {
    json!({"Type": "Test::Thing", "Properties": {"Label": label}})
}

fn needing(label: &str, other: &str) -> Value {
    json!({"Type": "Test::Thing", "Properties": {"Label": label, "Needs": {"Ref": other}}})
}

#[tokio::test]
async fn resources_are_made_behind_what_they_need() {
    let bench = Bench::new();
    let outcome = bench
        .apply(json!({"A": needing("a", "B"), "B": needing("b", "C"), "C": thing("c")}))
        .await
        .unwrap();
    assert_eq!(outcome.status, StackStatus::CreateComplete);
    assert_eq!(bench.log(), ["create c", "create b", "create a"]);
}

#[tokio::test]
async fn the_same_template_changes_nothing() {
    let bench = Bench::new();
    let template = json!({"A": needing("a", "B"), "B": thing("b")});
    bench.apply(template.clone()).await.unwrap();
    bench.log();
    let outcome = bench.apply(template).await.unwrap();
    assert!(!outcome.changed);
    assert_eq!(outcome.status, StackStatus::CreateComplete);
    assert!(bench.log().is_empty());
}

#[tokio::test]
async fn only_what_differs_is_changed_and_what_left_is_removed() {
    let bench = Bench::new();
    bench
        .apply(json!({"A": thing("a"), "B": thing("b"), "C": thing("c")}))
        .await
        .unwrap();
    bench.log();
    let outcome = bench
        .apply(json!({"A": thing("a"), "B": thing("b2")}))
        .await
        .unwrap();
    assert_eq!(outcome.status, StackStatus::UpdateComplete);
    assert_eq!(bench.log(), ["update b2", "delete c"]);
}

#[tokio::test]
async fn a_replaced_resource_is_made_before_the_old_one_goes() {
    let bench = Bench::new();
    let named = |name: &str, label: &str| json!({"Type": "Test::Thing", "Properties": {"Label": label, "Name": name}});
    bench
        .apply(json!({"A": named("one", "old"), "B": needing("b", "A")}))
        .await
        .unwrap();
    bench.log();
    bench
        .apply(json!({"A": named("two", "new"), "B": needing("b", "A")}))
        .await
        .unwrap();
    assert_eq!(bench.log(), ["create new", "update b", "delete old"]);
}

#[tokio::test]
async fn a_failed_first_apply_leaves_nothing() {
    let bench = Bench::new();
    bench.curse("bad");
    let outcome = bench
        .apply(json!({"A": thing("a"), "B": needing("bad", "A")}))
        .await
        .unwrap();
    assert_eq!(outcome.status, StackStatus::RollbackComplete);
    assert_eq!(outcome.reason.as_deref(), Some("B: `bad` is cursed"));
    assert!(bench.labels().is_empty());
    let failed_again = bench.apply(json!({"B": thing("bad")})).await.unwrap();
    assert_eq!(failed_again.status, StackStatus::RollbackComplete);
    let again = bench.apply(json!({"A": thing("a")})).await.unwrap();
    assert_eq!(again.status, StackStatus::CreateComplete);
}

#[tokio::test]
async fn a_failed_update_brings_back_what_ran() {
    let bench = Bench::new();
    bench
        .apply(json!({"A": thing("a"), "B": thing("b"), "D": thing("d")}))
        .await
        .unwrap();
    bench.curse("bad");
    let broken = json!({"A": thing("a2"), "B": thing("b"), "C": thing("c"), "Z": thing("bad")});
    let outcome = bench.apply(broken).await.unwrap();
    assert_eq!(outcome.status, StackStatus::UpdateRollbackComplete);
    assert_eq!(bench.labels(), ["a", "b", "d"]);
    let same = bench
        .apply(json!({"A": thing("a"), "B": thing("b"), "D": thing("d")}))
        .await
        .unwrap();
    assert!(!same.changed);
}

#[tokio::test]
async fn problems_are_found_before_anything_is_changed() {
    let bench = Bench::new();
    let template = json!({
        "A": {"Type": "AWS::Nothing::Here"},
        "B": {"Type": "Test::Thing", "Properties": {"Colour": 1}},
        "C": needing("c", "Nobody"),
        "D": needing("d", "E"),
        "E": needing("e", "D"),
        "F": thing("f"),
        "G": needing("g", "AWS::Foo"),
    });
    let ApplyError::Problems(problems) = bench.apply(template).await.unwrap_err() else {
        panic!("no problems")
    };
    let messages: Vec<&str> = problems.iter().map(|p| p.message.as_str()).collect();
    assert_eq!(
        messages,
        [
            "resource type `AWS::Nothing::Here` is not supported yet",
            "unknown `Colour`",
            "Unresolved resource dependencies [Nobody]",
            "Unresolved resource dependencies [AWS::Foo]",
            "Circular dependency between resources: [D, E]",
        ]
    );
    assert!(bench.log().is_empty());
}

#[tokio::test]
async fn outputs_are_exported_and_an_imported_stack_stays() {
    let bench = Bench::new();
    let exporting = json!({
        "Resources": {"A": thing("a")},
        "Outputs": {"Label": {"Value": {"Fn::GetAtt": ["A", "Label"]}, "Export": {"Name": "the-label"}}},
    });
    let outcome = bench.apply_template(exporting).await.unwrap();
    assert_eq!(outcome.outputs["Label"], "a");
    let importing = ApplyRequest {
        stack: "other".parse().unwrap(),
        template: json!({"Resources": {"X": {"Type": "Test::Thing", "Properties": {
            "Label": {"Fn::ImportValue": "the-label"}}}}}),
        parameters: BTreeMap::new(),
        artifacts: BTreeMap::new(),
        tags: BTreeMap::new(),
        prove_updates: false,
    };
    let (events, _reader) = mpsc::channel(64);
    bench.engine.apply(importing, events.clone()).await.unwrap();
    let changed = json!({
        "Resources": {"A": thing("b")},
        "Outputs": {"Label": {"Value": {"Fn::GetAtt": ["A", "Label"]}, "Export": {"Name": "the-label"}}},
    });
    let refused = bench.apply_template(changed).await.unwrap();
    assert_eq!(refused.status, StackStatus::UpdateRollbackComplete);
    let reason = "Outputs: Export the-label cannot be updated as it is in use by other";
    assert_eq!(refused.reason.as_deref(), Some(reason));
    let error = bench
        .engine
        .remove(&"shop".parse().unwrap(), events.clone())
        .await
        .unwrap_err();
    assert!(matches!(error, RemoveError::ExportInUse { .. }), "{error}");
    bench
        .engine
        .remove(&"other".parse().unwrap(), events.clone())
        .await
        .unwrap();
    bench
        .engine
        .remove(&"shop".parse().unwrap(), events)
        .await
        .unwrap();
    assert!(bench.labels().is_empty());
    assert!(bench.engine.list().await.unwrap().is_empty());
}

#[tokio::test]
async fn a_retained_resource_is_left_and_forgotten() {
    let bench = Bench::new();
    let kept = json!({"Type": "Test::Thing", "DeletionPolicy": "Retain", "Properties": {"Label": "kept"}});
    bench.apply(json!({"A": thing("a"), "K": kept})).await.unwrap();
    bench.apply(json!({"A": thing("a")})).await.unwrap();
    assert_eq!(bench.labels(), ["a", "kept"]);
}

#[tokio::test]
async fn a_stack_that_cannot_go_whole_stays_whole() {
    let bench = Bench::new();
    bench
        .apply(json!({"A": thing("a"), "B": thing("b"), "C": thing("c")}))
        .await
        .unwrap();
    bench.world.lock().unwrap().full = BTreeSet::from(["a".into(), "c".into()]);
    let (events, _seen) = mpsc::channel(64);
    let name = "shop".parse().unwrap();
    let error = bench.engine.remove(&name, events.clone()).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "stack `shop` was left as it is: A: `a` is full; C: `c` is full"
    );
    assert_eq!(bench.labels(), ["a", "b", "c"]);
    let stack = bench.engine.describe(&name).await.unwrap().unwrap();
    assert_eq!(stack.status, StackStatus::CreateComplete);
    bench.world.lock().unwrap().full.clear();
    bench.engine.remove(&name, events).await.unwrap();
    assert_eq!(bench.labels(), Vec::<String>::new());
}

#[tokio::test]
async fn what_would_not_go_is_taken_back_by_the_next_apply() {
    let bench = Bench::new();
    bench
        .apply(json!({"A": thing("a"), "B": thing("b")}))
        .await
        .unwrap();
    bench.world.lock().unwrap().stuck = BTreeSet::from(["b".into()]);
    let (events, _seen) = mpsc::channel(64);
    let name = "shop".parse().unwrap();
    let removed = bench.engine.remove(&name, events).await.unwrap();
    assert_eq!(removed.status, StackStatus::DeleteFailed);
    let before = bench.world.lock().unwrap().things.clone();
    bench.world.lock().unwrap().log.clear();
    bench
        .apply(json!({"A": thing("a"), "B": thing("b")}))
        .await
        .unwrap();
    assert_eq!(bench.log(), ["create a", "update b"]);
    let after = bench.world.lock().unwrap().things.clone();
    assert!(
        before.keys().all(|name| after.contains_key(name)),
        "{before:?} {after:?}"
    );
    assert_eq!(bench.labels(), ["a", "b"]);
}

#[tokio::test]
async fn a_replaced_resource_stays_if_its_policy_says_so() {
    let named = |label: &str, policy: &str| {
        let properties = json!({"Label": label, "Name": label});
        json!({"A": {"Type": "Test::Thing", policy: "Retain", "Properties": properties}})
    };
    for (policy, left) in [
        ("UpdateReplacePolicy", &["new", "old"][..]),
        ("DeletionPolicy", &["new"]),
    ] {
        let bench = Bench::new();
        bench.apply(named("old", policy)).await.unwrap();
        bench.apply(named("new", policy)).await.unwrap();
        assert_eq!(bench.labels(), left, "{policy}");
    }
}

/// A task that is dropped at any point leaves what a crash leaves; the next apply must converge.
#[tokio::test]
async fn an_apply_interrupted_anywhere_is_finished_by_the_next() {
    let old = json!({"A": thing("a"), "B": needing("b", "A"),
        "R": {"Type": "Test::Thing", "Properties": {"Label": "r", "Name": "one"}}});
    let new = json!({"A": thing("a2"), "C": needing("c", "A"),
        "R": {"Type": "Test::Thing", "Properties": {"Label": "r2", "Name": "two"}}});
    for steps in 0..60 {
        let bench = Bench::new();
        bench.apply(old.clone()).await.unwrap();
        interrupt_after(steps, bench.apply(new.clone())).await;
        bench.engine.recover().await.unwrap();
        let target = if steps % 2 == 0 { &new } else { &old };
        let outcome = bench.apply(target.clone()).await.unwrap();
        assert!(outcome.reason.is_none(), "step {steps}: {:?}", outcome.reason);
        let expected: &[&str] = if steps % 2 == 0 {
            &["a2", "c", "r2"]
        } else {
            &["a", "b", "r"]
        };
        assert_eq!(bench.labels(), expected, "interrupted after {steps} polls");
    }
}

/// What a crash left half made was made once; a declaration that then fails must not hide it.
#[tokio::test]
async fn what_a_crash_left_is_removed_when_it_cannot_be_made_again() {
    for steps in 0..20 {
        let bench = Bench::new();
        interrupt_after(steps, bench.apply(json!({"A": thing("a")}))).await;
        bench.curse("bad");
        bench.apply(json!({"A": thing("bad")})).await.unwrap();
        let outcome = bench.apply(json!({"A": thing("b")})).await.unwrap();
        assert!(outcome.reason.is_none());
        assert_eq!(bench.labels(), ["b"], "interrupted after {steps} polls");
    }
}

#[tokio::test]
async fn what_cannot_be_made_again_does_not_keep_a_stack() {
    for steps in 0..20 {
        let bench = Bench::new();
        interrupt_after(steps, bench.apply(json!({"A": thing("a")}))).await;
        bench.engine.recover().await.unwrap();
        bench.curse("a");
        let (events, _reader) = mpsc::channel(64);
        match bench.engine.remove(&"shop".parse().unwrap(), events).await {
            Ok(outcome) => assert_eq!(outcome.status, StackStatus::DeleteComplete, "after {steps} polls"),
            Err(RemoveError::NotFound(_)) => {}
            Err(other) => panic!("after {steps} polls: {other}"),
        }
    }
}

/// Polls the future at most `polls` times, then drops it.
async fn interrupt_after<F: Future>(polls: usize, future: F) {
    let mut future = std::pin::pin!(future);
    let mut left = polls;
    std::future::poll_fn(|context| {
        if left == 0 {
            return std::task::Poll::Ready(());
        }
        left -= 1;
        future.as_mut().poll(context).map(|_done| ())
    })
    .await;
}

#[tokio::test]
async fn a_secret_reaches_the_resource_and_not_the_record() {
    const REFERENCE: &str = "{{resolve:secretsmanager:db:SecretString:password}}";
    let bench = Bench::new();
    let keep = |text: &str| {
        bench
            .world
            .lock()
            .unwrap()
            .secrets
            .insert("db".into(), text.into())
    };
    let template = json!({"A": {"Type": "Test::Thing", "Properties": {"Label": {"Fn::Sub": REFERENCE}}}});
    let refused = bench.apply(template.clone()).await.unwrap();
    assert_eq!(refused.status, StackStatus::RollbackComplete);
    assert!(refused.reason.unwrap().contains("there is no such secret"));
    keep(r#"{"password": "hush"}"#);
    let outcome = bench.apply(template.clone()).await.unwrap();
    assert_eq!(
        (outcome.status, bench.labels()),
        (StackStatus::CreateComplete, vec!["hush".to_owned()])
    );
    let stack = "shop".parse().unwrap();
    let rows = tables::resources(&bench.engine.shared.database, &stack).await;
    let properties = rows.unwrap()[0].properties.clone();
    assert_eq!(properties["Label"], REFERENCE);
    bench.log();
    keep(r#"{"password": "other"}"#);
    assert!(
        !bench.apply(template).await.unwrap().changed,
        "the template is the same"
    );
    let output = json!({"Resources": {"A": thing("a")}, "Outputs": {"Password": {"Value": REFERENCE}}});
    let refused = bench.apply_template(output).await.unwrap();
    assert_eq!(refused.status, StackStatus::UpdateRollbackComplete);
    assert!(
        refused
            .reason
            .unwrap()
            .contains("output `Password` would show a secret")
    );
    assert_eq!(bench.labels(), ["other"], "changed back, with the value of now");
}
