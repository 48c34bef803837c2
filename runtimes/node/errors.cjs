/** Errors in Lambda's terms: the body a caller sees, and the same error in the log. */
'use strict';

const util = require('util');

/** What Lambda lets a synchronous invocation return: 6 MiB and 100 bytes. */
const MAX_RESPONSE_BYTES = 6 * 1024 * 1024 + 100;

const TOO_LARGE = JSON.stringify({
  errorType: 'Function.ResponseSizeTooLarge',
  errorMessage: `Response payload size exceeded maximum allowed payload size (${MAX_RESPONSE_BYTES} bytes).`,
});

/** An error that the runtime, not the handler, raises. */
class RuntimeError extends Error {
  /** `origin` is the stack that tells the user more than ours does. */
  constructor(type, message, origin) {
    super(message);
    const name = `Runtime.${type}`;
    Object.defineProperty(this, 'name', { value: name, enumerable: false });
    // whether V8 wrote that name or `Error` before the message depends on its version
    this.stack = `${name}: ${origin || this.stack.replace(/^(?:Runtime\.\w+|Error)(?:: )?/, '')}`;
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

/** The error body as text that fits into an answer. */
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

module.exports = { MAX_RESPONSE_BYTES, RuntimeError, TOO_LARGE, errorBody, errorForLog, fits };
