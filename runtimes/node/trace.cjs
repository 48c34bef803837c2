/**
 * `process.env._X_AMZN_TRACE_ID`, without setting it: glibc never frees what `setenv` replaces, about
 * 170 bytes an invocation. The variable lives in a view of the environment; handlers read it there,
 * and Node builds the environment of child processes from the same view.
 *
 * Not covered: native code that calls `getenv`, and worker threads that are given no `env`.
 */
'use strict';

const NAME = '_X_AMZN_TRACE_ID';
let current;
let view = null;
let real = null;

const has = (name) => name === NAME && current !== undefined;

/** Everything but this one variable is the real environment's business. */
const traps = {
  get: (env, name) => (name === NAME ? current : env[name]),
  set(env, name, value) {
    if (name === NAME) current = String(value);
    else env[name] = value;
    return true;
  },
  has: (env, name) => has(name) || name in env,
  deleteProperty(env, name) {
    if (name === NAME) current = undefined;
    else delete env[name];
    return true;
  },
  defineProperty(env, name, descriptor) {
    if (name !== NAME) return Reflect.defineProperty(env, name, descriptor);
    current = String(descriptor.value);
    return true;
  },
  ownKeys: (env) => (current === undefined ? Reflect.ownKeys(env) : [...Reflect.ownKeys(env), NAME]),
  getOwnPropertyDescriptor(env, name) {
    if (!has(name)) return Reflect.getOwnPropertyDescriptor(env, name);
    return { value: current, writable: true, enumerable: true, configurable: true };
  },
};

function install() {
  real = process.env;
  delete real[NAME];
  view = new Proxy(real, traps);
  process.env = view;
}

/** The trace of the invocation that begins; empty when it has none. */
function set(trace) {
  if (trace === '') {
    current = undefined;
    return;
  }
  if (view === null) install();
  current = trace;
}

/** The inspector looks through a proxy, past the variable; a copy shows it. */
function asPlain(value) {
  return value === view && view !== null ? { ...view } : value;
}

module.exports = { asPlain, set };
