/**
 * A stem: this runtime, booted before anybody knows which function it will run. It waits for
 * SPECIALISE, takes over the environment that a fresh process would have been started with, and goes
 * on as if freshly started. User code cannot tell the difference but by the age of the process.
 *
 * What a running process cannot take over (flags of V8, variables that Node reads once) the host
 * compares before it chooses a stem: see `runtimes/README.md`.
 */
'use strict';

const { FRAME } = require('./channel.cjs');

/** Built-in modules that most functions load sooner or later. Not `assert`: it touches stderr, which must stay as it is. */
const COMMON = [
  'async_hooks', 'buffer', 'child_process', 'crypto', 'dns', 'events', 'fs/promises', 'http', 'https',
  'net', 'os', 'path', 'process', 'querystring', 'stream', 'stream/promises', 'string_decoder', 'timers',
  'timers/promises', 'tls', 'tty', 'url', 'util', 'vm', 'zlib',
];

async function warm() {
  for (const name of COMMON) {
    try {
      require(name);
    } catch (_) {
      // this version of Node does not have it
    }
  }
  await import('data:text/javascript,'); // the loader of ES modules sets itself up at first use
}

/** Replaces the environment, and what Node has derived from the old one. */
function adopt(environment) {
  for (const name of Object.keys(process.env)) {
    if (!environment.has(name)) delete process.env[name];
  }
  for (const [name, value] of environment) {
    if (process.env[name] !== value) process.env[name] = value; // also tells V8 of a new time zone
  }
  process.chdir(process.env.LAMBDA_TASK_ROOT);
  require('module')._initPaths(); // NODE_PATH and HOME
}

/** Resolves when the process has become an instance of a function. */
async function waitForFunction(channel) {
  await warm();
  channel.send(FRAME.STEM_READY, '');
  adopt(channel.receiveEnvironment());
}

module.exports = { waitForFunction };
