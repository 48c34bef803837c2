/**
 * Runs a Node handler for Tradewind: loads the function that `_HANDLER` names, then answers one
 * invocation after another over inherited pipes (frames: `runtimes/README.md`).
 *
 * A handler must not be able to tell these files from AWS's runtime. What that means here:
 * - While an invocation runs, the event loop is live. Between invocations the process sits in a
 *   blocking read, so timers and sockets of the last invocation stand still, as in Lambda.
 * - Every invocation yields at least one turn of the event loop, so that work left over from the
 *   last one makes progress under constant load.
 *
 * The host joins these files to one (`crates/compute/src/bootstraps.rs`), because Node takes a fifth
 * of a millisecond to find and load each. Runs on Node 14 and newer; nothing here may need a newer syntax or module. It is CommonJS because
 * Node takes a quarter longer to start when its entry is an ES module.
 */
'use strict';

const { Channel, FRAME } = require('./channel.cjs');
const { RuntimeError, errorBody } = require('./errors.cjs');
const invocation = require('./invocation.cjs');
const { loadHandler } = require('./loader.cjs');
const log = require('./log.cjs');
const { HttpResponseStream, streamifyResponse } = require('./streaming.cjs');

/** What of the compiled code goes into one frame. */
const PART_BYTES = 1024 * 1024;

let channel;
let initialised = false;

/** The last words to the host, then the end: Lambda does not go on after such an error. */
function die(title, error, exitCode) {
  log.logError(title, error);
  const body = errorBody(error);
  if (initialised) {
    invocation.abandon(body, () => process.exit(exitCode));
    return;
  }
  channel.send(FRAME.INIT_ERROR, body);
  process.exit(exitCode);
}

function rejectionError(reason, promise) {
  const error = new RuntimeError('UnhandledPromiseRejection', String(reason), reason && reason.stack);
  return Object.assign(error, { reason, promise });
}

/** AWS's entry is an ES module, which leaves `require.main` empty and nothing in the module cache. */
function hideEntry() {
  process.mainModule = undefined;
  delete module.constructor._cache[__filename];
}

/** A variable from the host that is not for user code. */
function takeVariable(name) {
  const value = process.env[name];
  if (value !== undefined) delete process.env[name];
  return value;
}

/** What user code may ask for by the name of `awslambda`. */
function offerStreaming() {
  if (/^(1|true)$/.test(process.env.AWS_LAMBDA_NODEJS_NO_GLOBAL_AWSLAMBDA || '')) return;
  globalThis.awslambda = { streamifyResponse, HttpResponseStream };
}

function watchProcess() {
  process.on('uncaughtException', (error) => die('Uncaught Exception', error, 129));
  process.on('unhandledRejection', (reason, promise) => die('Unhandled Promise Rejection', rejectionError(reason, promise), 128));
  process.on('beforeExit', invocation.onIdle);
}

async function main() {
  channel = new Channel(Number(takeVariable('_TRADEWIND_FD')), Number(takeVariable('_TRADEWIND_OUT_FD')));
  hideEntry();
  if (takeVariable('_TRADEWIND_STEM')) await require('./stem.cjs').waitForFunction(channel);
  log.setUp();
  watchProcess();
  offerStreaming();
  const [cache, prepares] = [takeVariable('_TRADEWIND_CACHE'), takeVariable('_TRADEWIND_PREPARE')];
  let loaded = () => {};
  try {
    if (prepares) loaded = require('./code-cache.cjs').record();
    else if (cache) loaded = require('./code-cache.cjs').use(cache);
    await prepareHandler();
  } catch (error) {
    die('Uncaught Exception', error, 1);
  }
  // a promise rejected while loading, and nobody there to see it, comes first
  setImmediate(() => start(loaded, prepares));
}

/** Loads what the function consists of, in the dialect it was written for. */
async function prepareHandler() {
  const [dialect, initializer] = [takeVariable('_TRADEWIND_DIALECT'), takeVariable('_TRADEWIND_INITIALIZER')];
  const handler = await loadHandler(process.env._HANDLER || '');
  if (dialect === 'fc') {
    await invocation.prepareFunctionCompute(handler, initializer && (await loadHandler(initializer)), channel);
  } else {
    invocation.prepare(handler, channel);
  }
}

/** The handler is there: a process that only prepares the package's code cache has done its work. */
function start(loaded, prepares) {
  const compiled = loaded();
  initialised = true;
  if (prepares) sendCompiled(compiled);
  channel.send(FRAME.READY, '');
  if (prepares) process.exit(0);
  invocation.serveNext();
}

function sendCompiled(compiled) {
  for (let at = 0; at < compiled.length; at += PART_BYTES) {
    channel.sendBytes(FRAME.PREPARED, compiled.subarray(at, at + PART_BYTES));
  }
}

main();
