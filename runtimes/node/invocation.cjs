/** Invocations, one after another: from a frame to the handler, and from its end to an answer. */
'use strict';

const { FRAME, StreamSender } = require('./channel.cjs');
const { TOO_LARGE, errorBody, fits } = require('./errors.cjs');
const { logError, setRequestId } = require('./log.cjs');
const { highWaterMark, isStreaming } = require('./streaming.cjs');
const trace = require('./trace.cjs');

let environment;

function readEnvironment() {
  environment = {
    functionVersion: process.env.AWS_LAMBDA_FUNCTION_VERSION,
    functionName: process.env.AWS_LAMBDA_FUNCTION_NAME,
    memoryLimitInMB: process.env.AWS_LAMBDA_FUNCTION_MEMORY_SIZE,
    logGroupName: process.env.AWS_LAMBDA_LOG_GROUP_NAME,
    logStreamName: process.env.AWS_LAMBDA_LOG_STREAM_NAME,
  };
}

/** What to do when nothing is left in the event loop, which Node tells us by `beforeExit`. */
let whenIdle = () => {};
/** The invocation that has not been answered yet. */
let open = null;
let handlerFunction;
let channel;
let run;

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
    this.stream = null;
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
    channel.answer(kind, this.id, content);
    this.close();
  }

  /** The host has all of the answer. */
  close() {
    open = null;
    whenIdle = () => {};
    this.invoke = null;
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
    else this.answer(FRAME.ERROR, TOO_LARGE);
  }

  fail(error) {
    logError('Invoke Error', error);
    this.answer(FRAME.ERROR, errorBody(error));
  }

  /** What has been written stays; the error comes after it. */
  failStream(stream, error) {
    logError('Invoke Error', error);
    // as on Lambda, an error after the end is for the log only
    if (stream.writableFinished) stream.complete(() => this.close());
    else if (stream.begun) stream.fail(errorBody(error), () => this.close());
    else this.answer(FRAME.ERROR, errorBody(error));
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

/**
 * The response is complete when the stream has ended and the promise is settled. Unlike AWS's, this
 * runtime does not also wait for an empty event loop before it takes the next invocation: a kept
 * connection would hold the instance until it times out.
 */
function runStreaming(invocation) {
  const { ResponseStream } = require('./response-stream.cjs');
  const stream = new ResponseStream(new StreamSender(channel, invocation.id), highWaterMark(handlerFunction));
  const fail = (error) => invocation.settle() && invocation.failStream(stream, error);
  const finish = () => invocation.settle() && stream.complete(() => invocation.close());
  whenIdle = () => (stream.writableFinished ? finish() : fail(new Error('Response stream is not finished.')));
  invocation.stream = stream;
  stream.on('error', fail);
  try {
    const context = invocation.describe();
    for (const name of ['succeed', 'fail', 'done']) delete context[name];
    const result = handlerFunction(JSON.parse(invocation.invoke.payload), stream, context);
    if (!result || typeof result.then !== 'function') {
      fail('Streaming does not support non-async handlers.');
      return;
    }
    result.then((value) => {
      if (value !== undefined) console.warn('Streaming handlers ignore return values.');
      if (stream.writableFinished) finish();
      else stream.once('finish', finish);
    }, fail);
  } catch (error) {
    fail(error);
  }
}

/** An event in Function Compute's dialect. */
function runFunctionCompute(dialect, logger) {
  return (invocation) => {
    const ends = {
      succeed: (content) => invocation.settle() && invocation.respond(content),
      fail: (body) => invocation.settle() && invocation.answer(FRAME.ERROR, body),
    };
    whenIdle = () => ends.succeed('');
    dialect.invoke(handlerFunction, invocation.invoke, logger, ends);
  };
}

/** Waits for the host, then starts the handler. Returns to the event loop, which must run it. */
function serveNext() {
  const invoke = channel.receive();
  setRequestId(invoke.id);
  trace.set(invoke.trace);
  open = new Invocation(invoke);
  run(open);
}

/** Makes `handler` the function; throws what is wrong with it. */
function prepare(handler, toHost) {
  readEnvironment();
  handlerFunction = handler;
  channel = toHost;
  run = isStreaming(handler) ? runStreaming : runBuffered;
}

/** The same for Function Compute's dialect, which may have an initializer to run first. */
async function prepareFunctionCompute(handler, initializer, toHost) {
  const dialect = require('./function-compute.cjs');
  const logger = dialect.setUp();
  handlerFunction = handler;
  channel = toHost;
  channel.bytes = true;
  run = runFunctionCompute(dialect, logger);
  if (initializer) await dialect.initialise(initializer, logger);
}

/** Node says by `beforeExit` that nothing is left in the event loop. */
function onIdle() {
  whenIdle();
}

/** Answers the running invocation with an error, if there is one, and then ends the process. */
function abandon(body, exit) {
  if (open && open.stream && open.stream.begun) {
    open.stream.fail(body, exit);
    return;
  }
  if (open) channel.answer(FRAME.ERROR, open.id, body);
  exit();
}

module.exports = { abandon, onIdle, prepare, prepareFunctionCompute, serveNext };
