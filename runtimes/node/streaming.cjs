/** `awslambda`: functions that write their response as they make it. */
'use strict';

const { MAX_RESPONSE_BYTES, RuntimeError } = require('./errors.cjs');

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

module.exports = { HIGH_WATER_MARK, HttpResponseStream, createResponseStream, isStreaming, streamifyResponse };
