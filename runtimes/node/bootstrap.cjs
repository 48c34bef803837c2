/**
 * Runs a Node handler for Tradewind: loads the function that `_HANDLER` names, then answers one
 * invocation after another over inherited pipes (frames: `runtimes/README.md`).
 *
 * A handler must not be able to tell this file from AWS's runtime. What that means here:
 * - While an invocation runs, the event loop is live. Between invocations the process sits in a
 *   blocking read, so timers and sockets of the last invocation stand still, as in Lambda.
 * - stdout and stderr are written synchronously: what an invocation printed is in the pipe before
 *   its answer is in the channel, because the host reads the pipe when the answer arrives.
 * - Every invocation yields at least one turn of the event loop, so that work left over from the
 *   last one makes progress under constant load.
 *
 * Runs on Node 14 and newer; nothing here may need a newer syntax or module. It is CommonJS because
 * Node takes a quarter longer to start when its entry is an ES module.
 */
'use strict';

const fs = require('fs');
const { createRequire } = require('module');
const path = require('path');
const util = require('util');

const FRAME = { INVOKE: 1, READY: 16, INIT_ERROR: 17, RESPONSE: 18, ERROR: 19 };
const FRAME_HEADER = 5;
/** What Lambda lets a synchronous invocation return: 6 MiB and 100 bytes. */
const MAX_RESPONSE_BYTES = 6 * 1024 * 1024 + 100;
const BUFFER_BYTES = 64 * 1024;

const taskRoot = process.env.LAMBDA_TASK_ROOT || process.cwd();
/** The name under which user code is loaded: it shows in the "Require stack" of a missing module. */
const runtimeFile = path.join(process.env.LAMBDA_RUNTIME_DIR || '/var/runtime', 'index.mjs');
const userRequire = createRequire(runtimeFile);

// ---- Errors -----------------------------------------------------------------------------------

class RuntimeError extends Error {
  /** `origin` is the stack that tells the user more than ours does. */
  constructor(type, message, origin) {
    super(message);
    const name = `Runtime.${type}`;
    Object.defineProperty(this, 'name', { value: name, enumerable: false });
    this.stack = `${name}: ${origin || this.stack.replace(/^Error:? ?/, '')}`;
  }
}

function looksLikeError(value) {
  return util.types.isNativeError(value) || Boolean(
    value && typeof value.name === 'string' && typeof value.message === 'string' && typeof value.stack === 'string'
    && value.name && value.message && value.stack,
  );
}

/** DEL may not stand in the headers that such texts travel in. */
function withoutDelete(text) {
  return text.replace(/\x7F/g, '%7F');
}

/** The error body that a caller sees. */
function describeError(error) {
  try {
    if (!looksLikeError(error)) {
      return { errorType: typeof error, errorMessage: String(error), trace: [] };
    }
    const stack = withoutDelete(error.stack || '');
    return {
      errorType: withoutDelete(error.name),
      errorMessage: withoutDelete(error.message),
      trace: stack ? stack.split('\n') : [],
    };
  } catch (_) {
    return {
      errorType: 'handled',
      errorMessage: 'callback called with Error argument, but there was a problem while retrieving one or more of its message, name, and stack',
    };
  }
}

function fits(text) {
  return text.length * 3 <= MAX_RESPONSE_BYTES || Buffer.byteLength(text) <= MAX_RESPONSE_BYTES;
}

const TOO_LARGE = JSON.stringify({
  errorType: 'Function.ResponseSizeTooLarge',
  errorMessage: `Response payload size exceeded maximum allowed payload size (${MAX_RESPONSE_BYTES} bytes).`,
});

function errorBody(error) {
  const text = JSON.stringify(describeError(error));
  return fits(text) ? text : TOO_LARGE;
}

/** The same error as the log shows it: with its own properties, also where errors nest. */
function errorForLog(error) {
  const expand = (_, value) => {
    if (!(value instanceof Error)) return value;
    const fields = { errorType: value.name, errorMessage: value.message, code: value.code, ...value };
    if (typeof value.stack === 'string') fields.stack = value.stack.split('\n');
    return fields;
  };
  try {
    return `\t${JSON.stringify(error, expand)}`;
  } catch (_) {
    return `\t${JSON.stringify(describeError(error))}`;
  }
}

function logError(title, error) {
  const shown = error instanceof Error ? error : new Error(error);
  if (logsJson) console.error(shown);
  else console.error(title, errorForLog(shown));
}

// ---- Bytes out --------------------------------------------------------------------------------

function sleepOneMillisecond() {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 1);
}

/** Writes all of it, also to a pipe that a child process has made non-blocking. */
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

// ---- Console ----------------------------------------------------------------------------------

const REQUEST_ID = Symbol.for('aws.lambda.runtime.requestId');
const LEVELS = ['TRACE', 'DEBUG', 'INFO', 'WARN', 'ERROR', 'FATAL'];
const logsJson = (process.env.AWS_LAMBDA_LOG_FORMAT || '').toUpperCase() === 'JSON';

/** One record is one line: a newline inside becomes a carriage return, which the host turns back. */
function writeRecord(record) {
  const line = Buffer.from(`${record.replace(/\n/g, '\r')}\n`);
  writeFully(1, line, line.length);
}

function textRecord(level, args) {
  return `${new Date().toISOString()}\t${globalThis[REQUEST_ID]}\t${level}\t${util.format(...args)}`;
}

function errorFields(error) {
  return {
    errorType: (error.constructor && error.constructor.name) || 'UnknownError',
    errorMessage: error.message,
    stackTrace: typeof error.stack === 'string' ? error.stack.split('\n') : [],
  };
}

function jsonRecord(level, args) {
  const record = { timestamp: new Date().toISOString(), level, requestId: globalThis[REQUEST_ID] };
  if (args.length === 1) {
    const expand = (_, value) => (value instanceof Error ? { ...errorFields(value), ...value } : value);
    try {
      return JSON.stringify({ ...record, message: args[0] }, expand);
    } catch (_) {
      return JSON.stringify({ ...record, message: util.format(args[0]) });
    }
  }
  const error = args.find((arg) => arg instanceof Error);
  return JSON.stringify({ ...record, message: util.format(...args), ...(error && errorFields(error)) });
}

function patchConsole() {
  const format = logsJson ? jsonRecord : textRecord;
  const lowest = LEVELS.indexOf((process.env.AWS_LAMBDA_LOG_LEVEL || 'TRACE').toUpperCase());
  for (const level of LEVELS) {
    const enabled = LEVELS.indexOf(level) >= lowest;
    console[level.toLowerCase()] = enabled ? (...args) => writeRecord(format(level, args)) : () => {};
  }
  console.log = console.info;
}

// ---- The channel to the host ------------------------------------------------------------------

class Channel {
  constructor(inputFd, outputFd) {
    this.inputFd = inputFd;
    this.outputFd = outputFd;
    this.input = Buffer.allocUnsafeSlow(BUFFER_BYTES);
    this.start = 0;
    this.end = 0;
    this.output = Buffer.allocUnsafeSlow(BUFFER_BYTES);
  }

  /** Blocks until the host has work. Ends the process when the host closes its side. */
  receive() {
    this.fillTo(4);
    const length = 4 + this.input.readUInt32LE(this.start);
    this.fillTo(length);
    const limit = this.start + length;
    this.at = this.start + FRAME_HEADER;
    if (this.input[this.at - 1] !== FRAME.INVOKE) throw new Error(`the host sent a frame of kind ${this.input[this.at - 1]}`);
    const invoke = this.takeInvoke(limit);
    this.release(limit);
    return invoke;
  }

  takeInvoke(limit) {
    const low = this.input.readUInt32LE(this.at);
    const high = this.input.readInt32LE(this.at + 4);
    this.at += 8;
    // These three are ASCII and lie together: one call into native code decodes them all.
    const idEnd = this.skipString();
    const arnEnd = this.skipString(idEnd);
    const traceEnd = this.skipString(arnEnd);
    const base = this.at + 4;
    const ascii = this.input.latin1Slice(base, traceEnd);
    this.at = traceEnd;
    return {
      deadline: high * 0x100000000 + low,
      id: ascii.slice(0, idEnd - base),
      arn: ascii.slice(idEnd + 4 - base, arnEnd - base),
      trace: ascii.slice(arnEnd + 4 - base),
      clientContext: this.takeString(),
      identity: this.takeString(),
      payload: this.input.utf8Slice(this.at, limit),
    };
  }

  /** Where the string ends whose length stands at `at`. */
  skipString(at = this.at) {
    return at + 4 + this.input.readUInt32LE(at);
  }

  takeString() {
    const start = this.at + 4;
    this.at = this.skipString();
    return this.at === start ? '' : this.input.utf8Slice(start, this.at);
  }

  fillTo(length) {
    if (this.start + length > this.input.length) this.makeRoom(length);
    while (this.end - this.start < length) {
      const count = fs.readSync(this.inputFd, this.input, this.end, this.input.length - this.end, null);
      if (count === 0) process.exit(0);
      this.end += count;
    }
  }

  /** Moves what has been read to the front, into a larger buffer if the frame needs one. */
  makeRoom(length) {
    const target = length > this.input.length ? Buffer.allocUnsafeSlow(length) : this.input;
    this.input.copy(target, 0, this.start, this.end);
    this.input = target;
    this.end -= this.start;
    this.start = 0;
  }

  /** Forgets the frame that ends at `limit`; a frame that came with it stays. */
  release(limit) {
    this.start = limit;
    if (this.start < this.end) return;
    this.start = 0;
    this.end = 0;
    if (this.input.length > BUFFER_BYTES) this.input = Buffer.allocUnsafeSlow(BUFFER_BYTES);
  }

  /** Sends a frame whose body is text. */
  send(kind, text) {
    this.sendText(kind, FRAME_HEADER, text);
  }

  /** Sends the answer to an invocation: its id with a length before it, then text or bytes. */
  answer(kind, id, content) {
    const head = FRAME_HEADER + 4;
    if (typeof content === 'string') {
      this.sendText(kind, head, id + content, id.length);
      return;
    }
    const frame = Buffer.allocUnsafe(head + id.length + content.length);
    frame.latin1Write(id, head);
    frame.set(content, head + id.length);
    this.finish(kind, frame, frame.length, id.length);
  }

  /** Request ids are ASCII: `idLength` counts bytes as well as characters. */
  sendText(kind, head, text, idLength) {
    let frame = this.output;
    if (head + text.length * 3 > frame.length) { // no UTF-16 unit needs more than three bytes
      frame = Buffer.allocUnsafe(head + Buffer.byteLength(text));
    }
    const length = frame.utf8Write(text, head);
    this.finish(kind, frame, head + length, idLength);
  }

  finish(kind, frame, length, idLength) {
    frame.writeUInt32LE(length - 4, 0);
    frame[4] = kind;
    if (idLength !== undefined) frame.writeUInt32LE(idLength, FRAME_HEADER);
    writeFully(this.outputFd, frame, length);
  }
}

// ---- Finding the handler ----------------------------------------------------------------------

function exists(file) {
  return fs.existsSync(file);
}

/** Whether `.js` files of this folder are ES modules: the nearest package.json decides. */
function isModuleFolder(folder) {
  if (folder.endsWith('/node_modules')) return false;
  const file = path.join(folder, 'package.json');
  if (exists(file)) {
    try {
      return JSON.parse(fs.readFileSync(file, 'utf8')).type === 'module';
    } catch (error) {
      console.warn(`${file} cannot be read, it will be ignored for ES module detection purposes.`, error);
      return false;
    }
  }
  const parent = path.dirname(folder);
  return parent === folder ? false : isModuleFolder(parent);
}

async function importFile(file) {
  try {
    return await import(require('url').pathToFileURL(file).href);
  } catch (error) {
    if (error instanceof SyntaxError && !String(error.stack).includes(file)) printPlaceOfSyntaxError(file);
    throw error;
  }
}

/** Node tells the place of a syntax error in a module only when nobody catches it; so ask another Node. */
function printPlaceOfSyntaxError(file) {
  const { stderr } = require('child_process').spawnSync(process.execPath, ['--check', file], { encoding: 'utf8' });
  const excerpt = String(stderr).split('\n\n')[0];
  if (excerpt) process.stderr.write(`${excerpt}\n`);
}

/** Lambda's order: the name as it is, .js, .mjs, .cjs, then whatever Node resolves it to. */
async function loadModule(folder, name) {
  const base = path.resolve(taskRoot, folder, name);
  if (exists(base)) {
    const loaded = userRequire(base);
    if (loaded) return loaded;
  }
  if (exists(`${base}.js`)) return isModuleFolder(path.dirname(base)) ? importFile(`${base}.js`) : userRequire(`${base}.js`);
  if (exists(`${base}.mjs`)) return importFile(`${base}.mjs`);
  if (exists(`${base}.cjs`)) return userRequire(`${base}.cjs`);
  return userRequire(userRequire.resolve(name, { paths: [taskRoot, folder] }));
}

async function loadUserModule(folder, name) {
  try {
    return await loadModule(folder, name);
  } catch (error) {
    if (error instanceof SyntaxError) throw new RuntimeError('UserCodeSyntaxError', String(error), `${error}\n${error.stack}`);
    if (error && error.code === 'MODULE_NOT_FOUND') throw new RuntimeError('ImportModuleError', String(error), error.stack);
    throw error;
  }
}

/** `folder/file.export.nested` → the function. */
async function loadHandler(handler) {
  if (handler.includes('..')) {
    throw new RuntimeError('MalformedHandlerName', `'${handler}' is not a valid handler name. Use absolute paths when specifying root directories in handler names.`);
  }
  const nameStart = handler.lastIndexOf('/') + 1;
  const dot = handler.indexOf('.', nameStart);
  if (dot < 0) throw new RuntimeError('MalformedHandlerName', 'Bad handler');
  const loaded = await loadUserModule(handler.slice(0, nameStart), handler.slice(nameStart, dot));
  const found = handler.slice(dot + 1).split('.').reduce((value, key) => value && value[key], loaded);
  if (!found) throw new RuntimeError('HandlerNotFound', `${handler} is undefined or not exported`);
  if (typeof found !== 'function') throw new RuntimeError('HandlerNotFound', `${handler} is not a function`);
  return found;
}

// ---- Response streaming -----------------------------------------------------------------------

const STREAMING = Symbol.for('aws.lambda.runtime.handler.streaming');
const HIGH_WATER_MARK = Symbol.for('aws.lambda.runtime.handler.streaming.highWaterMark');
const PRELUDE_TYPE = 'application/vnd.awslambda.http-integration-response';
const PRELUDE_END = Buffer.alloc(8);

function streamifyResponse(handler, options) {
  handler[STREAMING] = 'response';
  if (options && typeof options.highWaterMark === 'number') handler[HIGH_WATER_MARK] = Math.trunc(options.highWaterMark);
  return handler;
}

/** Puts the status and headers of an HTTP answer before the first byte of its body. */
class HttpResponseStream {
  static from(stream, prelude) {
    stream.setContentType(PRELUDE_TYPE);
    stream._onBeforeFirstWrite = (write) => {
      write(JSON.stringify(prelude));
      write(PRELUDE_END);
    };
    return stream;
  }
}

function isStreaming(handler) {
  const mode = handler[STREAMING];
  if (mode === undefined || mode === null || mode === false) return false;
  if (mode === 'response') return true;
  throw new RuntimeError('MalformedStreamingHandler', 'Only response streaming is supported.');
}

/** Collects what a streaming handler writes; the host gets it in one piece when the stream ends. */
function createResponseStream(highWaterMark) {
  const { Writable } = require('stream');
  const chunks = [];
  let size = 0;
  let started = false;
  const collect = (chunk) => {
    size += chunk.length;
    if (size <= MAX_RESPONSE_BYTES) chunks.push(chunk);
    else chunks.length = 0;
  };
  class ResponseStream extends Writable {
    write(chunk, encoding, callback) {
      const isBytes = typeof chunk === 'string' || chunk instanceof Uint8Array;
      return super.write(isBytes ? chunk : JSON.stringify(chunk), encoding, callback);
    }

    end(chunk, encoding, callback) {
      if (chunk === undefined || chunk === null || typeof chunk === 'function') return super.end(chunk);
      this.write(chunk, typeof encoding === 'string' ? encoding : undefined);
      return super.end(typeof encoding === 'function' ? encoding : callback);
    }

    setContentType() {
      if (started) throw new RuntimeError('InvalidStreamingOperation', 'Cannot set content-type, too late.');
    }

    begin() {
      if (started) return;
      started = true;
      if (typeof this._onBeforeFirstWrite === 'function') this._onBeforeFirstWrite((head) => collect(Buffer.from(head)));
    }

    _write(chunk, _, done) {
      this.begin();
      collect(chunk);
      done();
    }

    _final(done) {
      this.begin();
      done();
    }
  }
  const stream = new ResponseStream(highWaterMark ? { highWaterMark } : undefined);
  return { stream, body: () => (size > MAX_RESPONSE_BYTES ? { length: size } : Buffer.concat(chunks)) };
}

// ---- Invocations ------------------------------------------------------------------------------

const environment = {
  functionVersion: process.env.AWS_LAMBDA_FUNCTION_VERSION,
  functionName: process.env.AWS_LAMBDA_FUNCTION_NAME,
  memoryLimitInMB: process.env.AWS_LAMBDA_FUNCTION_MEMORY_SIZE,
  logGroupName: process.env.AWS_LAMBDA_LOG_GROUP_NAME,
  logStreamName: process.env.AWS_LAMBDA_LOG_STREAM_NAME,
};

/** What to do when nothing is left in the event loop, which Node tells us by `beforeExit`. */
let whenIdle = () => {};
/** The invocation that has not been answered yet. */
let open = null;
let handlerFunction;
let channel;
let lastTrace = '';

function parseHeader(text, name) {
  if (text === '') return undefined;
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new Error(`Cannot parse ${name} as json: ${error}`);
  }
}

/** One invocation from its frame to its answer; the first completion wins. */
class Invocation {
  constructor(invoke) {
    this.id = invoke.id;
    this.invoke = invoke;
    this.context = null;
    this.settled = false;
  }

  /** True once: for the completion that counts. */
  settle() {
    if (this.settled) return false;
    this.settled = true;
    return true;
  }

  answer(kind, content) {
    if (open !== this) {
      console.error('Invocation has already been reported as done. Cannot call complete more than once per invocation.');
      return;
    }
    open = null;
    whenIdle = () => {};
    this.invoke = null;
    channel.answer(kind, this.id, content);
    setImmediate(serveNext);
  }

  succeed(result) {
    let text;
    try {
      text = JSON.stringify(result);
    } catch (_) {
      this.fail(new Error('Unable to stringify response body'));
      return;
    }
    this.respond(text === undefined ? 'null' : text);
  }

  respond(content) {
    if (fits(content)) this.answer(FRAME.RESPONSE, content);
    else this.refuseSize();
  }

  refuseSize() {
    this.answer(FRAME.ERROR, TOO_LARGE);
  }

  fail(error) {
    logError('Invoke Error', error);
    this.answer(FRAME.ERROR, errorBody(error));
  }

  afterEmptyLoop(complete) {
    if (this.context.callbackWaitsForEmptyEventLoop) whenIdle = () => setImmediate(complete);
    else complete();
  }

  /** What a handler finds in its context, in the order in which Lambda shows it. */
  describe(succeed, fail, done) {
    const { invoke } = this;
    const { deadline } = invoke;
    this.context = {
      callbackWaitsForEmptyEventLoop: true,
      succeed,
      fail,
      done,
      functionVersion: environment.functionVersion,
      functionName: environment.functionName,
      memoryLimitInMB: environment.memoryLimitInMB,
      logGroupName: environment.logGroupName,
      logStreamName: environment.logStreamName,
      clientContext: parseHeader(invoke.clientContext, 'ClientContext'),
      identity: parseHeader(invoke.identity, 'CognitoIdentity'),
      invokedFunctionArn: invoke.arn,
      awsRequestId: invoke.id,
      tenantId: undefined,
      getRemainingTimeInMillis: () => deadline - Date.now(),
    };
    return this.context;
  }
}

function bufferedContext(invocation) {
  const done = (error, result) => {
    if (!invocation.settle()) return;
    if (error === undefined || error === null) invocation.succeed(result);
    else invocation.fail(error);
  };
  const succeed = (result) => done(null, result);
  const fail = (error) => done(error === undefined || error === null ? 'handled' : error);
  return invocation.describe(succeed, fail, done);
}

function runBuffered(invocation) {
  const callback = (error, result) => {
    if (!invocation.settle()) return;
    if (error !== undefined && error !== null) invocation.fail(error);
    else invocation.afterEmptyLoop(() => invocation.succeed(result));
  };
  // A handler that returns no promise and never calls back has answered null once all is quiet.
  whenIdle = () => invocation.succeed(null);
  try {
    const context = bufferedContext(invocation);
    const result = handlerFunction(JSON.parse(invocation.invoke.payload), context, callback);
    if (result && typeof result.then === 'function') result.then(context.succeed, context.fail);
  } catch (error) {
    callback(error);
  }
}

function runStreaming(invocation) {
  const { stream, body } = createResponseStream(handlerFunction[HIGH_WATER_MARK]);
  const fail = (error) => invocation.settle() && invocation.fail(error);
  const finish = () => {
    if (!invocation.settle()) return;
    const content = body();
    invocation.afterEmptyLoop(() => (content.length > MAX_RESPONSE_BYTES ? invocation.refuseSize() : invocation.answer(FRAME.RESPONSE, content)));
  };
  whenIdle = () => fail(new Error('Response stream is not finished.'));
  try {
    const context = invocation.describe();
    for (const name of ['succeed', 'fail', 'done']) delete context[name];
    const result = handlerFunction(JSON.parse(invocation.invoke.payload), stream, context);
    if (!result || typeof result.then !== 'function') {
      fail('Streaming does not support non-async handlers.');
      return;
    }
    stream.on('error', fail);
    result.then((value) => {
      if (value !== undefined) console.warn('Streaming handlers ignore return values.');
      if (stream.writableFinished) finish();
      else stream.once('finish', finish);
    }, fail);
  } catch (error) {
    fail(error);
  }
}

let run = runBuffered;

/** Waits for the host, then starts the handler. Returns to the event loop, which must run it. */
function serveNext() {
  const invoke = channel.receive();
  globalThis[REQUEST_ID] = invoke.id;
  if (invoke.trace !== lastTrace) {
    lastTrace = invoke.trace;
    if (lastTrace) process.env._X_AMZN_TRACE_ID = lastTrace;
    else delete process.env._X_AMZN_TRACE_ID;
  }
  open = new Invocation(invoke);
  run(open);
}

// ---- Life of the process ----------------------------------------------------------------------

let initialised = false;

/** The last words to the host, then the end: Lambda does not go on after such an error. */
function die(title, error, exitCode) {
  logError(title, error);
  const body = errorBody(error);
  if (!initialised) channel.send(FRAME.INIT_ERROR, body);
  else if (open) channel.answer(FRAME.ERROR, open.id, body);
  process.exit(exitCode);
}

function rejectionError(reason, promise) {
  const error = new RuntimeError('UnhandledPromiseRejection', String(reason), reason && reason.stack);
  return Object.assign(error, { reason, promise });
}

/** AWS's entry is an ES module, which leaves `require.main` empty and nothing in the module cache. */
function hideEntry() {
  process.mainModule = undefined;
  delete require.cache[__filename];
}

function inheritChannel() {
  const { _TRADEWIND_FD: inputFd, _TRADEWIND_OUT_FD: outputFd } = process.env;
  delete process.env._TRADEWIND_FD;
  delete process.env._TRADEWIND_OUT_FD;
  return new Channel(Number(inputFd), Number(outputFd));
}

async function main() {
  channel = inheritChannel();
  hideEntry();
  keepBlocking('stdout');
  keepBlocking('stderr');
  patchConsole();
  process.on('uncaughtException', (error) => die('Uncaught Exception', error, 129));
  process.on('unhandledRejection', (reason, promise) => die('Unhandled Promise Rejection', rejectionError(reason, promise), 128));
  process.on('beforeExit', () => whenIdle());
  if (!/^(1|true)$/.test(process.env.AWS_LAMBDA_NODEJS_NO_GLOBAL_AWSLAMBDA || '')) {
    globalThis.awslambda = { streamifyResponse, HttpResponseStream };
  }
  try {
    handlerFunction = await loadHandler(process.env._HANDLER || '');
    if (isStreaming(handlerFunction)) run = runStreaming;
  } catch (error) {
    die('Uncaught Exception', error, 1);
  }
  setImmediate(start); // a promise rejected while loading, and nobody there to see it, comes first
}

function start() {
  initialised = true;
  channel.send(FRAME.READY, '');
  serveNext();
}

main();
