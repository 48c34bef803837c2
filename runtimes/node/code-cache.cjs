/**
 * V8's compiled code of a package's CommonJS files, made once when it is deployed and read by every
 * instance: of a bundle with an SDK, compiling is most of the time to load it. (Node 22 keeps such a
 * cache itself, but only of what is compiled when a file begins to run: measured, that gains nothing.)
 *
 * It belongs to one package, one interpreter and its flags, so nothing in it can be out of
 * date; what V8 does not accept, also for another `--max-old-space-size`, is compiled as usual. Stacks
 * show the paths that files had when they were compiled: a package is prepared where it runs.
 */
'use strict';

const fs = require('fs');
const Module = require('module');
const path = require('path');
const vm = require('vm');

const PARAMETERS = 'exports, require, module, __filename, __dirname';
/**
 * Code from a cache has lost the way to the loader that `import()` needs. SDKs import built-in modules
 * by name, which needs no loader of theirs: those go through a function of ours, of a name as long.
 * Files with any other `import()` are not cached.
 */
const BUILT_IN_IMPORT = /(?<![.\w$])import\((["'])node:[\w/]+\1\)/g;
const ANY_IMPORT = /(?<![.\w$])import\s*\(/;
const importBuiltIn = (name) => import(name);
const PREFIX = `(function (${PARAMETERS}, $imprt) { `;

/** The source as it is compiled; nothing where that cannot be cached. */
function wrap(content) {
  const text = content.replace(/^#!.*/, '').replace(BUILT_IN_IMPORT, (found) => `$imprt${found.slice(6)}`);
  return ANY_IMPORT.test(text) ? undefined : `${PREFIX}${text}\n})`;
}

/** The blob: the length of a JSON index, the index (path → offset and length), the code. */
function readBlob(file) {
  try {
    const bytes = fs.readFileSync(file);
    const start = 4 + bytes.readUInt32LE(0);
    const index = JSON.parse(bytes.utf8Slice(4, start));
    return (name) => index[name] && bytes.subarray(start + index[name][0], start + index[name][0] + index[name][1]);
  } catch (_) {
    return () => undefined; // there is none, or it is broken: the code is compiled
  }
}

function blobOf(scripts) {
  const index = {};
  const parts = [];
  let offset = 0;
  for (const [name, script] of scripts) {
    const code = script.createCachedData();
    index[name] = [offset, code.length];
    offset += code.length;
    parts.push(code);
  }
  const head = Buffer.from(JSON.stringify(index));
  const length = Buffer.alloc(4);
  length.writeUInt32LE(head.length);
  return Buffer.concat([length, head, ...parts]);
}

/** `require` as Node gives it to a module. */
function requireOf(module) {
  const require = (id) => module.require(id);
  require.resolve = (request, options) => Module._resolveFilename(request, module, false, options);
  require.resolve.paths = (request) => Module._resolveLookupPaths(request, module);
  require.main = process.mainModule;
  require.extensions = Module._extensions;
  require.cache = Module._cache;
  return require;
}

function compileWith(find, note) {
  const compile = Module.prototype._compile;
  const root = `${process.env.LAMBDA_TASK_ROOT}/`;
  Module.prototype._compile = function _compile(content, filename) {
    const source = filename.startsWith(root) ? wrap(content) : undefined;
    if (source === undefined) return compile.apply(this, arguments);
    const name = filename.slice(root.length);
    let script;
    try {
      script = new vm.Script(source, { filename, columnOffset: -PREFIX.length, cachedData: find(name) });
    } catch (_) {
      return compile.apply(this, arguments); // a syntax error is told, or an ES module understood, as always
    }
    note(name, script);
    const wrapped = script.runInThisContext();
    return wrapped.call(this.exports, this.exports, requireOf(this), this, filename, path.dirname(filename), importBuiltIn);
  };
  return () => {
    Module.prototype._compile = compile;
  };
}

/** Uses the cache in `file` while the handler loads. Returns what ends that. */
function use(file) {
  return compileWith(readBlob(file), () => {});
}

/** Watches the handler load. Returns what then makes the cache. */
function record() {
  const scripts = new Map();
  compileWith(() => undefined, (name, script) => scripts.set(name, script));
  return () => blobOf(scripts);
}

module.exports = { record, use };
