/**
 * stdout, stderr and the console: what a handler prints, in the form that Lambda gives it
 * ("Advanced logging controls": Text or JSON, and a level below which records are dropped).
 *
 * All of it is written synchronously: what an invocation printed is in the pipe before its answer
 * is in the channel, because the host reads the pipe when the answer arrives.
 */
'use strict';

const fs = require('fs');
const util = require('util');
const { errorForLog } = require('./errors.cjs');
const trace = require('./trace.cjs');

const REQUEST_ID = Symbol.for('aws.lambda.runtime.requestId');
const LEVELS = ['TRACE', 'DEBUG', 'INFO', 'WARN', 'ERROR', 'FATAL'];
let logsJson = false;

// ---- Bytes out --------------------------------------------------------------------------------

function sleepOneMillisecond() {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 1);
}

/** Writes all of it, also to a pipe that somebody has made non-blocking. */
function writeFully(fd, bytes, length) {
  for (let at = 0; at < length;) {
    try {
      at += fs.writeSync(fd, bytes, at, length - at);
    } catch (error) {
      if (error.code !== 'EAGAIN') throw error;
      sleepOneMillisecond();
    }
  }
}

/** libuv makes the pipe non-blocking when these streams are first touched; undo that. */
function keepBlocking(name) {
  const inherited = Object.getOwnPropertyDescriptor(process, name);
  if (!inherited || !inherited.get || !inherited.configurable) return;
  const get = () => {
    const stream = inherited.get.call(process);
    if (stream._handle && stream._handle.setBlocking) stream._handle.setBlocking(true);
    Object.defineProperty(process, name, { ...inherited, get: () => stream });
    return stream;
  };
  Object.defineProperty(process, name, { ...inherited, get });
}

/** One record is one line: a newline inside becomes a carriage return, which the host turns back. */
function writeRecord(record) {
  const line = Buffer.from(`${record.replace(/\n/g, '\r')}\n`);
  writeFully(1, line, line.length);
}

// ---- Records ----------------------------------------------------------------------------------

/** `console.log()` without anything shows `undefined`, as it does on Lambda. */
function format(args) {
  if (args.length === 0) return 'undefined';
  return util.format(...args.map(trace.asPlain));
}

function textRecord(level, args) {
  return `${new Date().toISOString()}\t${globalThis[REQUEST_ID]}\t${level}\t${format(args)}`;
}

function stackOf(error, otherwise) {
  return typeof error.stack === 'string' ? error.stack.split('\n') : otherwise;
}

function errorFields(error, noStack) {
  return {
    errorType: (error.constructor && error.constructor.name) || 'UnknownError',
    errorMessage: error.message,
    stackTrace: stackOf(error, noStack),
  };
}

function jsonRecord(level, args) {
  const record = { timestamp: new Date().toISOString(), level, requestId: globalThis[REQUEST_ID] };
  if (args.length <= 1) {
    const expand = (_, value) => (value instanceof Error ? { ...errorFields(value, value.stack), ...value } : value);
    try {
      return JSON.stringify({ ...record, message: args[0] }, expand);
    } catch (_) {
      return JSON.stringify({ ...record, message: format(args) });
    }
  }
  const error = args.find((arg) => arg instanceof Error);
  return JSON.stringify({ ...record, message: format(args), ...(error && errorFields(error, [])) });
}

/** Gives the console Lambda's form and levels, as the environment asks for. */
function patchConsole() {
  logsJson = (process.env.AWS_LAMBDA_LOG_FORMAT || '').toUpperCase() === 'JSON';
  const form = logsJson ? jsonRecord : textRecord;
  const lowest = LEVELS.indexOf((process.env.AWS_LAMBDA_LOG_LEVEL || 'TRACE').toUpperCase());
  for (const level of LEVELS) {
    const enabled = LEVELS.indexOf(level) >= lowest;
    console[level.toLowerCase()] = enabled ? (...args) => writeRecord(form(level, args)) : () => {};
  }
  console.log = console.info;
}

/** An error that the platform reports, under its title. */
function logError(title, error) {
  const shown = error instanceof Error ? error : new Error(error);
  if (logsJson) console.error(shown);
  else console.error(title, errorForLog(shown));
}

function setRequestId(id) {
  globalThis[REQUEST_ID] = id;
}

function setUp() {
  keepBlocking('stdout');
  keepBlocking('stderr');
  patchConsole();
}

module.exports = { logError, setRequestId, setUp, writeFully, writeRecord };
