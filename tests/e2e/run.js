// run.js: every end-to-end test, one file after another (they share two cores), and node's own closing lines at the end.
// In CI a skipped test is a failure, because a tool that is missing there is a fault of the set-up.
'use strict';
const fs = require('node:fs');
const path = require('node:path');
const { spawn } = require('node:child_process');

const wanted = process.argv.slice(2);
const files = (wanted.length ? wanted : fs.readdirSync(__dirname).filter((f) => f.endsWith('.test.js')).sort()
  .map((f) => path.join(__dirname, f)));
const args = ['--test', '--test-concurrency=1', '--test-reporter=spec', ...files];
const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] });
let tail = '';
child.stdout.on('data', (chunk) => {
  process.stdout.write(chunk);
  tail = (tail + chunk).slice(-4000);
});
child.on('exit', (code, signal) => {
  const skipped = Number((/\bskipped (\d+)/.exec(tail) || [0, 0])[1]);
  if (process.env.CI === 'true' && skipped > 0 && code === 0) {
    console.error(`${skipped} skipped: in CI everything must be there`);
    process.exit(1);
  }
  process.exit(signal ? 1 : code);
});
