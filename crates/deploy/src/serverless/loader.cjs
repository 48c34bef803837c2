// Runs in `node`: evaluates one configuration file and answers on stdout, a line of JSON each.
// Questions of the file (`resolveVariable`) are lines too; their answers arrive on stdin in order.
'use strict';
const fs = require('fs');
const path = require('path');
const readline = require('readline');
const { createRequire } = require('module');
const { pathToFileURL } = require('url');

const { file, dir, address, options } = JSON.parse(process.argv[1]);

const say = (message) => fs.writeSync(1, `${JSON.stringify(message)}\n`);
// What the file prints must not be taken for an answer.
process.stdout.write = process.stderr.write.bind(process.stderr);

const waiting = [];
const lines = readline.createInterface({ input: process.stdin });
lines.on('line', (line) => {
  const { value, error } = JSON.parse(line);
  const { resolve, reject } = waiting.shift();
  if (error === undefined) resolve(value);
  else reject(new Error(error));
});
const ask = (kind) => (question) =>
  new Promise((resolve, reject) => {
    waiting.push({ resolve, reject });
    say({ [kind]: question });
  });
const helpers = {
  options,
  resolveVariable: ask('variable'),
  resolveConfigurationProperty: ask('property'),
};

const files = new Set();

const compileTypeScript = () => {
  let esbuild;
  try {
    esbuild = createRequire(path.join(dir, 'package.json'))('esbuild');
  } catch {
    say({ missing: 'esbuild' });
    process.exit(0);
  }
  const built = esbuild.buildSync({
    entryPoints: [file],
    bundle: true,
    platform: 'node',
    format: 'cjs',
    packages: 'external',
    write: false,
    metafile: true,
    logLevel: 'silent',
  });
  for (const input of Object.keys(built.metafile.inputs)) files.add(path.resolve(input));
  const module = { exports: {} };
  const compiled = new Function('module', 'exports', 'require', '__filename', '__dirname', built.outputFiles[0].text);
  compiled(module, module.exports, createRequire(file), file, path.dirname(file));
  return module.exports;
};

const read = async () => {
  const extension = path.extname(file);
  if (extension === '.ts') return compileTypeScript();
  if (extension === '.mjs') return import(pathToFileURL(file).href);
  try {
    return createRequire(file)(file);
  } catch (error) {
    if (error.code !== 'ERR_REQUIRE_ESM') throw error;
    return import(pathToFileURL(file).href);
  }
};

const settle = async (value) => {
  const settled = typeof value === 'function' ? await value(helpers) : await value;
  return settled === undefined ? null : settled;
};

// The files of the project that were read, for those who watch it.
const filesRead = () => {
  const loaded = Object.keys(require.cache).concat([...files]);
  return loaded.filter((name) => !name.includes(`${path.sep}node_modules${path.sep}`));
};

// The first place outside of node itself that the stack names.
const placeOf = (stack) => {
  for (const line of stack.split('\n')) {
    const found = /(?:^|[\s(])(?:file:\/\/)?(\/[^():]+):(\d+)(?::(\d+))?\)?$/.exec(line);
    if (found) return { file: found[1], line: Number(found[2]), column: Number(found[3] || 1) };
  }
  return null;
};

const main = async () => {
  const exported = await read();
  const isModule = exported !== null && typeof exported === 'object' && (exported.__esModule || exported[Symbol.toStringTag] === 'Module');
  let value = await settle(isModule && 'default' in exported ? exported.default : exported);
  const rest = [...address];
  while (rest.length > 0 && value !== null && typeof value === 'object') {
    value = await settle(value[rest.shift()]);
  }
  say({ value, rest: value === null ? [] : rest, files: filesRead() });
};

main().then(
  () => process.exit(0),
  (error) => {
    const stack = String((error && error.stack) || '');
    say({ error: String(error), place: placeOf(stack) });
    process.exit(0);
  },
);
