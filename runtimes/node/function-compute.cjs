/**
 * Alibaba Function Compute's conventions for Node: `handler(event: Buffer, context, callback)`, a promise
 * counts as well; `initializer(context, callback)` once before the first event; answers that are bytes
 * or text as they are, and other values as JSON; errors with `stackTrace`; its lines in the log.
 */
'use strict';

const util = require('util');
const log = require('./log.cjs');

const LEVELS = ['debug', 'info', 'warn', 'error'];
let settings;
let requestId = '';

function readSettings() {
  const { env } = process;
  settings = {
    credentials: {
      accessKeyId: env.ALIBABA_CLOUD_ACCESS_KEY_ID,
      accessKeySecret: env.ALIBABA_CLOUD_ACCESS_KEY_SECRET,
      securityToken: env.ALIBABA_CLOUD_SECURITY_TOKEN,
    },
    function: {
      name: env.FC_FUNCTION_NAME,
      handler: env.FC_FUNCTION_HANDLER,
      memory: Number(env.FC_FUNCTION_MEMORY_SIZE),
      timeout: Number(env._TRADEWIND_TIMEOUT),
    },
    region: env.FC_REGION,
    accountId: env.FC_ACCOUNT_ID,
  };
  delete env._TRADEWIND_TIMEOUT;
}

function write(level, args) {
  log.writeRecord(`${new Date().toISOString()} ${requestId} [${level}] ${util.format(...args)}`);
}

/** `console`, and the same methods for `context.logger`. */
function createLogger() {
  const logger = { log: (...args) => write('verbose', args) };
  for (const level of LEVELS) logger[level] = (...args) => write(level, args);
  return logger;
}

function contextOf(id, logger) {
  return {
    requestId: id,
    credentials: { ...settings.credentials },
    function: { ...settings.function },
    region: settings.region,
    accountId: settings.accountId,
    logger,
    tracing: { openTracingSpanContext: '', openTracingSpanBaggages: {}, jaegerEndpoint: '' },
  };
}

/** The body of an error; a value that is no error has a message only. */
function errorBody(error) {
  if (!(error instanceof Error)) return JSON.stringify({ errorMessage: typeof error === 'string' ? error : JSON.stringify(error) });
  return JSON.stringify({ errorMessage: error.message, errorType: error.name, stackTrace: String(error.stack).split('\n') });
}

function encode(result) {
  if (typeof result === 'string') return result;
  if (result instanceof Uint8Array) return Buffer.from(result.buffer, result.byteOffset, result.byteLength);
  const text = JSON.stringify(result);
  return text === undefined ? '' : text;
}

/** Calls back once, whichever way `call` ends: by its callback, its promise, or by throwing. */
function settle(call, done) {
  let settled = false;
  const finish = (error, result) => {
    if (settled) return;
    settled = true;
    done(error, result);
  };
  const fail = (error) => finish(error === undefined || error === null ? new Error(String(error)) : error);
  try {
    const result = call(finish);
    if (result && typeof result.then === 'function') result.then((value) => finish(null, value), fail);
  } catch (error) {
    fail(error);
  }
}

/** Runs the initializer; rejects with what it failed with. */
function initialise(initializer, logger) {
  log.writeRecord('FC Initialize Start RequestId: ');
  return new Promise((resolve, reject) => {
    settle((callback) => initializer(contextOf('', logger), callback), (error) => (error ? reject(error) : resolve()));
  }).finally(() => log.writeRecord('FC Initialize End RequestId: '));
}

/** Runs one event and tells `succeed` or `fail` of its end. */
function invoke(handler, { id, payload }, logger, { succeed, fail }) {
  requestId = id;
  log.writeRecord(`FC Invoke Start RequestId: ${id}`);
  settle((callback) => handler(payload, contextOf(id, logger), callback), (error, result) => {
    const failed = error !== undefined && error !== null;
    if (failed) write('error', [error]);
    log.writeRecord(`FC Invoke End RequestId: ${id}`);
    if (failed) fail(errorBody(error));
    else succeed(encode(result));
  });
}

/** Reads the environment and gives the console its form. */
function setUp() {
  readSettings();
  const logger = createLogger();
  Object.assign(console, logger);
  return logger;
}

module.exports = { initialise, invoke, setUp };
