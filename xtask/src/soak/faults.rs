//! What the functions of a soak do, and what their callers must be told.

use anyhow::Result;
use serde_json::{Value, json};

use crate::node::package;

/// A kind of function.
#[derive(Debug)]
pub(crate) struct Fault {
    pub(crate) name: &'static str,
    runtime: &'static str,
    code: &'static str,
    /// The `errorType` a caller may see; none for a function that works.
    pub(crate) errors: &'static [&'static str],
    /// How many of a hundred functions are of this kind.
    share: usize,
}

const NODE: &str = "nodejs20.x";
const PYTHON: &str = "python3.11";
/// Where a process is not alone, a bomb must not be one: 300 MB are over the limit and hurt nobody.
pub(crate) const FAULTS: [Fault; 12] = [
    Fault {
        name: "works, in Node",
        runtime: NODE,
        code: "exports.handler = async (event) => ({ event });",
        errors: &[],
        share: 50,
    },
    Fault {
        name: "works, in Python",
        runtime: PYTHON,
        code: "def handler(event, context):\n    return event\n",
        errors: &[],
        share: 28,
    },
    Fault {
        name: "takes 50 ms",
        runtime: NODE,
        code: "exports.handler = () => new Promise((done) => setTimeout(done, 50));",
        errors: &[],
        share: 4,
    },
    Fault {
        name: "throws",
        runtime: NODE,
        code: "exports.handler = async () => { throw new TypeError('boom'); };",
        errors: &["TypeError"],
        share: 3,
    },
    Fault {
        name: "exits",
        runtime: NODE,
        code: "exports.handler = async () => process.exit(3);",
        errors: &["Runtime.ExitError"],
        share: 2,
    },
    Fault {
        name: "kills itself",
        runtime: PYTHON,
        code: "import os\n\ndef handler(event, context):\n    os.kill(os.getpid(), 9)\n    os._exit(9)\n",
        errors: &["Runtime.ExitError"],
        share: 2,
    },
    Fault {
        name: "spins until its timeout",
        runtime: NODE,
        code: "exports.handler = async () => { for (;;); };",
        errors: &["Sandbox.Timedout"],
        share: 1,
    },
    Fault {
        name: "takes more memory than it has",
        runtime: PYTHON,
        code: "def handler(event, context):\n    return len(bytearray(b'x') * (300 << 20))\n",
        errors: &["", "Runtime.OutOfMemory", "Runtime.ExitError", "MemoryError"],
        share: 2,
    },
    Fault {
        name: "forks and leaves children behind",
        runtime: PYTHON,
        code: "import os, time\n\ndef handler(event, context):\n    for _ in range(8):\n        if os.fork() == 0:\n            \
               os.setsid()\n            time.sleep(600)\n            os._exit(0)\n    return 'ok'\n",
        // the children of many invocations together take more memory than the function has
        errors: &["", "Runtime.ExitError"],
        share: 2,
    },
    Fault {
        name: "prints 1 MB and answers 4 MB",
        runtime: NODE,
        code: "exports.handler = async () => { for (let i = 0; i < 1000; i++) console.log('x'.repeat(1000)); \
               return 'y'.repeat(4 << 20); };",
        errors: &[],
        share: 2,
    },
    Fault {
        name: "fills its /tmp",
        runtime: PYTHON,
        code: "import os, tempfile, uuid\n\ndef handler(event, context):\n    path = os.path.join(tempfile.gettempdir(), \
               'fill')\n    with open(path, 'wb') as file:\n        file.write(b'x' * (8 << 20))\n    return 'ok'\n",
        errors: &[],
        share: 2,
    },
    Fault {
        name: "fails to initialise",
        runtime: NODE,
        code: "throw new RangeError('not today'); exports.handler = null;",
        errors: &["RangeError", "Runtime.ExitError"],
        share: 2,
    },
];

/// The kind of the function with that number: shares are spread, not in blocks.
pub(crate) fn of(number: usize) -> usize {
    // 37 has no divisor in common with 100: each hundred functions meets each share once
    let mut place = number * 37 % 100;
    for (at, fault) in FAULTS.iter().enumerate() {
        match place.checked_sub(fault.share) {
            Some(rest) => place = rest,
            None => return at,
        }
    }
    0
}

impl Fault {
    fn file(&self) -> &'static str {
        if self.runtime == NODE {
            "handler.js"
        } else {
            "handler.py"
        }
    }

    /// Its zipped code.
    pub(crate) fn package(&self) -> Result<String> {
        package(&[(self.file(), self.code)])
    }

    /// Its code as another version.
    pub(crate) fn redeployed(&self, version: usize) -> Result<String> {
        package(&[(self.file(), self.code), ("version.txt", &version.to_string())])
    }

    /// The request that creates it; `mark` is in its environment, and in that of all it starts.
    pub(crate) fn create(&self, name: &str, code: &str, mark: &str) -> Value {
        json!({
            "FunctionName": name, "Runtime": self.runtime, "Handler": "handler.handler", "MemorySize": 128,
            "Timeout": if self.name.starts_with("spins") { 1 } else { 30 }, "Code": { "ZipFile": code },
            "Role": "arn:aws:iam::000000000000:role/soak", "Environment": { "Variables": { "SOAK": mark } },
        })
    }

    /// Whether a caller may be told this: the `errorType`, empty for a success.
    pub(crate) fn expects(&self, error_type: &str) -> bool {
        if self.errors.is_empty() {
            error_type.is_empty()
        } else {
            self.errors.contains(&error_type)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hundred_functions_are_of_all_kinds_in_their_shares() {
        for (at, fault) in FAULTS.iter().enumerate() {
            assert_eq!((0..100).filter(|number| of(*number) == at).count(), fault.share);
        }
        assert_eq!(FAULTS.iter().map(|fault| fault.share).sum::<usize>(), 100);
    }

    #[test]
    fn a_function_that_works_may_not_fail() {
        assert!(FAULTS[0].expects("") && !FAULTS[0].expects("Error"));
        assert!(FAULTS[3].expects("TypeError") && !FAULTS[3].expects(""));
    }
}
