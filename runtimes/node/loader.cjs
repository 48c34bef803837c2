/** From the name in `_HANDLER` to the function, by Lambda's rules. */
'use strict';

const fs = require('fs');
const { createRequire } = require('module');
const path = require('path');
const { RuntimeError } = require('./errors.cjs');

let taskRoot;
let userRequire;

/** User code is loaded under the name of Lambda's own file: it shows in the "Require stack" of a missing module. */
function readPlaces() {
  taskRoot = process.env.LAMBDA_TASK_ROOT || process.cwd();
  userRequire = createRequire(path.join(process.env.LAMBDA_RUNTIME_DIR || '/var/runtime', 'index.mjs'));
}

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
  readPlaces();
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

module.exports = { loadHandler };
