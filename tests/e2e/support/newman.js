// newman.js: newman's command line, as a user runs it, and what it reports.
'use strict';
const fs = require('node:fs');
const path = require('node:path');
const { run } = require('./weir');

const NEWMAN = path.join(path.dirname(require.resolve('newman/package.json')), 'bin/newman.js');

// Runs a collection: { code, stdout, executions: [{ name, code }] }. caFile: roots besides the system's.
async function newman(collection, { jar, caFile, args = [] } = {}) {
  const report = `${collection}.report`;
  const result = await run(process.execPath, [NEWMAN, 'run', collection, '--reporters', 'cli,json', '--reporter-json-export', report,
    '--color', 'off', '--timeout-request', '20000', ...(jar ? ['--cookie-jar', jar] : []),
    ...(caFile ? ['--ssl-extra-ca-certs', caFile] : []), ...args],
  { env: { ...process.env, NODE_OPTIONS: `--require ${path.join(__dirname, 'localhost.js')}` } });
  const { run: seen } = JSON.parse(fs.readFileSync(report, 'utf8'));
  return { ...result, failures: seen.failures,
           executions: seen.executions.map((e) => ({ id: e.item.id, name: e.item.name, code: e.response?.code })) };
}

// The items of a collection in order, folders opened.
function items(collection) {
  return collection.item.flatMap((i) => (i.item ? items(i) : [i]));
}

module.exports = { newman, items };
