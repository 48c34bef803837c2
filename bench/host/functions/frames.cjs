// The least a Node function can be: length-prefixed JSON, in at descriptor 0, out at the one given, read
// blocking.
'use strict';

const fs = require('node:fs');
const path = require('node:path');

const [file, name, out] = process.argv.slice(2);
const handler = require(path.resolve(file))[name];
const LENGTH_BYTES = 4;
const received = Buffer.allocUnsafeSlow(1 << 20);
let filled = 0;

function nextEvent() {
  for (;;) {
    const end = filled < LENGTH_BYTES ? Infinity : LENGTH_BYTES + received.readUInt32LE(0);
    if (filled >= end) {
      const event = JSON.parse(received.utf8Slice(LENGTH_BYTES, end));
      received.copyWithin(0, end, filled);
      filled -= end;
      return event;
    }
    const read = fs.readSync(0, received, filled, received.length - filled, null);
    if (read === 0) process.exit(0);
    filled += read;
  }
}

function answer(value) {
  const text = JSON.stringify(value);
  const length = Buffer.byteLength(text);
  const frame = Buffer.allocUnsafe(LENGTH_BYTES + length);
  frame.writeUInt32LE(length, 0);
  frame.write(text, LENGTH_BYTES);
  for (let sent = 0; sent < frame.length; ) sent += fs.writeSync(Number(out), frame, sent);
}

(async () => {
  for (;;) answer(await handler(nextEvent(), {}));
})();
