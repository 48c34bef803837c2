/**
 * The stream that a streaming handler writes to, and its way to the host: STREAM_BEGIN before the
 * first byte, STREAM_CHUNKs, and STREAM_END when the handler is done as well, with its error if it failed.
 *
 * A write is done when its bytes are in the pipe. A host that does not read, because its client does
 * not, thereby stops whatever pipes into this stream, while the event loop goes on.
 *
 * Loaded by the first streaming handler only: `stream` and `net` cost a millisecond.
 */
'use strict';

const { Writable } = require('stream');
const { RuntimeError } = require('./errors.cjs');

const DEFAULT_TYPE = 'application/octet-stream';
const MAX_CHUNK_BYTES = 1024 * 1024;

class ResponseStream extends Writable {
  /** `sender` takes the three frames; see `channel.cjs`. */
  constructor(sender, highWaterMark) {
    super(highWaterMark ? { highWaterMark } : undefined);
    this.#sender = sender;
  }

  #sender;

  #contentType = DEFAULT_TYPE;

  #written = false;

  #begun = false;

  setContentType(type) {
    if (this.#written) throw new RuntimeError('InvalidStreamingOperation', 'Cannot set content-type, too late.');
    this.#contentType = type;
  }

  write(chunk, encoding, callback) {
    this.#written = true;
    const isBytes = typeof chunk === 'string' || chunk instanceof Uint8Array;
    return super.write(isBytes ? chunk : JSON.stringify(chunk), encoding, callback);
  }

  end(chunk, encoding, callback) {
    if (chunk === undefined || chunk === null || typeof chunk === 'function') return super.end(chunk);
    this.write(chunk, typeof encoding === 'string' ? encoding : undefined);
    return super.end(typeof encoding === 'function' ? encoding : callback);
  }

  /** Whether the host knows of it: an error now belongs into the stream. */
  get begun() {
    return this.#begun;
  }

  /** Tells the host that it is whole. `done` when the host has everything. */
  complete(done) {
    this.#sender.end('', done);
  }

  /** Tells the host, after what has been written, of the error that ends it. */
  fail(body, done) {
    const end = () => this.#sender.end(body, done);
    if (this.destroyed || this.writableFinished) {
      end();
      return;
    }
    this.once('finish', end);
    super.end();
  }

  #begin() {
    if (this.#begun) return;
    this.#begun = true;
    const prelude = [];
    if (typeof this._onBeforeFirstWrite === 'function') this._onBeforeFirstWrite((part) => prelude.push(Buffer.from(part)));
    this.#sender.begin(this.#contentType, Buffer.concat(prelude));
  }

  _write(chunk, _, done) {
    this.#begin();
    let rest = chunk;
    for (; rest.length > MAX_CHUNK_BYTES; rest = rest.subarray(MAX_CHUNK_BYTES)) {
      this.#sender.chunk(rest.subarray(0, MAX_CHUNK_BYTES));
    }
    this.#sender.chunk(rest, done);
  }

  _final(done) {
    this.#begin();
    done();
  }
}

module.exports = { ResponseStream };
