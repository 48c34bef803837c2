/**
 * Whole frames over a pair of blocking pipes (`runtimes/README.md`).
 *
 * Between invocations the process sits in a blocking read, so timers and sockets of the last
 * invocation stand still, as in Lambda.
 */
'use strict';

const fs = require('fs');
const { writeFully } = require('./log.cjs');

const FRAME = {
  INVOKE: 1,
  SPECIALISE: 2,
  READY: 16,
  INIT_ERROR: 17,
  RESPONSE: 18,
  ERROR: 19,
  STREAM_BEGIN: 20,
  STREAM_CHUNK: 21,
  STREAM_END: 22,
  STEM_READY: 23,
  PREPARED: 24,
};
const FRAME_HEADER = 5;
const BUFFER_BYTES = 64 * 1024;

class Channel {
  constructor(inputFd, outputFd) {
    this.inputFd = inputFd;
    this.outputFd = outputFd;
    this.input = Buffer.allocUnsafeSlow(BUFFER_BYTES);
    this.start = 0;
    this.end = 0;
    this.output = Buffer.allocUnsafeSlow(BUFFER_BYTES);
    this.stream = null;
    /** Whether events are handed out as bytes, and not as text. */
    this.bytes = false;
  }

  /** Blocks until the host has work. Ends the process when the host closes its side. */
  receive() {
    const limit = this.receiveFrame(FRAME.INVOKE);
    const invoke = this.takeInvoke(limit);
    this.release(limit);
    return invoke;
  }

  /** Blocks until the host says what a stem becomes: the environment, as a Map. */
  receiveEnvironment() {
    const limit = this.receiveFrame(FRAME.SPECIALISE);
    const environment = new Map();
    this.at += 4; // how many there are: the frame's end says it, too
    while (this.at < limit) {
      const name = this.takeString();
      environment.set(name, this.takeString());
    }
    this.release(limit);
    return environment;
  }

  /** Waits for a whole frame of this kind: where it ends; its body begins at `at`. */
  receiveFrame(kind) {
    this.fillTo(4);
    const length = 4 + this.input.readUInt32LE(this.start);
    this.fillTo(length);
    this.at = this.start + FRAME_HEADER;
    if (this.input[this.at - 1] !== kind) throw new Error(`the host sent a frame of kind ${this.input[this.at - 1]}`);
    return this.start + length;
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
      payload: this.bytes ? Buffer.from(this.input.subarray(this.at, limit)) : this.input.utf8Slice(this.at, limit),
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

  /** Sends a frame whose body is bytes. */
  sendBytes(kind, bytes) {
    const frame = Buffer.allocUnsafe(FRAME_HEADER + bytes.length);
    frame.set(bytes, FRAME_HEADER);
    this.finish(kind, frame, frame.length);
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

  /** The pipe to the host, for writes that wait for it. */
  asStream() {
    if (!this.stream) {
      const { Socket } = require('net');
      this.stream = new Socket({ fd: this.outputFd, readable: false, writable: true });
      this.stream.on('error', () => process.exit(0)); // the host is gone
    }
    return this.stream;
  }

  finish(kind, frame, length, idLength) {
    frame.writeUInt32LE(length - 4, 0);
    frame[4] = kind;
    if (idLength !== undefined) frame.writeUInt32LE(idLength, FRAME_HEADER);
    writeFully(this.outputFd, frame, length);
  }
}

/** A string of the frame format. */
function lengthAndText(text) {
  const bytes = Buffer.from(text);
  const length = Buffer.alloc(4);
  length.writeUInt32LE(bytes.length);
  return Buffer.concat([length, bytes]);
}

/**
 * Sends the frames of a streamed response without blocking the event loop. The pipe is non-blocking
 * from the first of them on; `writeFully` bears that. Nothing else may be sent before STREAM_END is
 * out, which its callback tells.
 */
class StreamSender {
  constructor(channel, id) {
    this.pipe = channel.asStream();
    this.id = lengthAndText(id);
  }

  begin(contentType, prelude) {
    this.pipe.cork(); // leaves with the first chunk, or the end
    this.frame(FRAME.STREAM_BEGIN, Buffer.concat([lengthAndText(contentType), prelude]));
  }

  chunk(bytes, done) {
    this.frame(FRAME.STREAM_CHUNK, bytes, done);
  }

  end(error, done) {
    this.frame(FRAME.STREAM_END, Buffer.from(error), done);
  }

  frame(kind, body, done) {
    const head = Buffer.allocUnsafe(FRAME_HEADER);
    head.writeUInt32LE(1 + this.id.length + body.length, 0);
    head[4] = kind;
    this.pipe.cork();
    this.pipe.write(Buffer.concat([head, this.id]));
    this.pipe.write(body, done);
    this.pipe.uncork();
    if (kind !== FRAME.STREAM_BEGIN) while (this.pipe.writableCorked > 0) this.pipe.uncork();
  }
}

module.exports = { Channel, FRAME, StreamSender };
