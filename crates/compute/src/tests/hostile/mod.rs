//! Functions that nobody should trust, in jails: what each tries fails, with the right error, and a
//! function beside it goes on in the same instance as if nothing had been.

mod kernel;
mod resources;
mod snooping;

use serde_json::{Value, json};
use tradewind_model::{FunctionArn, MemoryMib, TimeoutSeconds};

use super::node::{Node, Settings};
use crate::SandboxChoice;

/// Runs what its event says; `call` makes a system call and gives the name of its error.
const ATTACKER: &str = "
    import ctypes, errno, signal, socket
    libc = ctypes.CDLL(None, use_errno=True)

    def call(number, *arguments):
        ctypes.set_errno(0)
        result = libc.syscall(ctypes.c_long(number), *(ctypes.c_long(argument) for argument in arguments))
        return 'allowed' if result >= 0 else errno.errorcode[ctypes.get_errno()]

    def attempt(what):
        try:
            return what() or 'allowed'
        except OSError as error:
            return errno.errorcode.get(error.errno, str(error))

    def handler(event, context):
        scope = dict(globals(), event=event)
        exec(event['code'], scope)
        return scope.get('result')
";

/// Counts its invocations: whoever disturbed its instance would be seen.
const NEIGHBOUR: &str = "
    count = 0
    open('/tmp/secret', 'w').write('of the neighbour')
    def handler(event, context):
        global count
        count += 1
        return [count, open('/tmp/secret').read(), os.environ['SECRET']]
";

/// Two functions on one node.
struct Scene {
    node: Node,
    attacker: FunctionArn,
    neighbour: FunctionArn,
    asked: u64,
}

impl Scene {
    async fn new() -> Self {
        Self::with(256, 5).await
    }

    /// The attacker has so much memory, and so many seconds.
    async fn with(memory_mib: u64, timeout_seconds: u64) -> Self {
        let node = Node::start_with(Settings {
            sandbox: SandboxChoice::Jail,
            ..Settings::default()
        });
        let mut spec = node.python_spec(NEIGHBOUR).await;
        spec.environment
            .insert("SECRET".into(), "in its environment".into());
        let neighbour = node.deploy(spec);
        let mut spec = node.python_spec(ATTACKER).await;
        spec.memory = MemoryMib::new(memory_mib).unwrap();
        spec.timeout = TimeoutSeconds::new(timeout_seconds).unwrap();
        let attacker = node.deploy(spec);
        let mut scene = Self {
            node,
            attacker,
            neighbour,
            asked: 0,
        };
        scene.neighbour_is_well().await;
        scene
    }

    /// What the code leaves in `result`.
    async fn attack(&self, code: &str) -> Value {
        let event = json!({ "code": super::node::unindented(code) });
        self.node.invoke(&self.attacker, &event.to_string()).await
    }

    /// The error type and message of code that does not end well.
    async fn fatal_attack(&self, code: &str) -> (String, String) {
        let event = json!({ "code": super::node::unindented(code) });
        self.node.invoke_error(&self.attacker, &event.to_string()).await
    }

    /// Whether this machine lets the node have a guard; without root, some are missing, and said to be.
    fn holds(&self, guard: &str) -> bool {
        let guards = self.node.engine.guards();
        guards.iter().any(|one| one.name == guard && one.active)
    }

    /// The neighbour answers from the instance it always had.
    async fn neighbour_is_well(&mut self) {
        self.asked += 1;
        assert_eq!(
            self.node.invoke(&self.neighbour, "{}").await,
            json!([self.asked, "of the neighbour", "in its environment"])
        );
    }

    /// The neighbour is well, and nothing is left running.
    async fn end(mut self) {
        self.neighbour_is_well().await;
        self.node.stop().await;
    }
}
