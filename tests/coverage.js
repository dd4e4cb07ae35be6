// coverage.js: how much of proxy/, certs/ and capture/ the tests have run, from the counts that programs of the preset
// `coverage` leave in its build folder. Fails when one of the three is below 90 % of lines.
//
//   node tests/coverage.js                      each folder, the whole, and the files with the most lines not run
//   node tests/coverage.js capture/jar.c ...    those lines of files or folders, as text, by function
//
// Counts add up over runs; tools/test begins from none. What is known not to be run, and why: tests/coverage.md.
'use strict';
const fs = require('node:fs');
const path = require('node:path');
const { spawnSync } = require('node:child_process');

const ROOT = path.dirname(__dirname);
const BUILD = path.join(ROOT, 'build/coverage');
const FOLDERS = ['proxy', 'certs', 'capture'];
const LEAST_PERCENT = 90;
const FILES_SHOWN = 20;

// Notes of the compiler, also of files that nobody ran.
function notes() {
  return fs.readdirSync(path.join(BUILD, 'CMakeFiles'), { recursive: true })
    .filter((name) => /^weir_.*\.gcno$/.test(name) && !name.startsWith('weir_support'))
    .map((name) => path.join(BUILD, 'CMakeFiles', name));
}

// file -> line -> { count, name: of the function }; a header's line counts once, however often it was compiled.
function readCounts() {
  const files = new Map();
  const run = spawnSync(process.env.GCOV || 'gcov', ['--json-format', '--stdout', ...notes()],
    { encoding: 'utf8', maxBuffer: 1 << 30, cwd: BUILD });
  if (run.status !== 0) throw new Error(`gcov: ${run.error || run.stderr}`);
  for (const text of run.stdout.split('\n').filter(Boolean)) {
    for (const file of JSON.parse(text).files) {
      const name = path.relative(ROOT, path.resolve(BUILD, file.file));
      if (!FOLDERS.includes(name.split(path.sep)[0])) continue;
      if (!files.has(name)) files.set(name, new Map());
      const lines = files.get(name);
      for (const line of file.lines) {
        const known = lines.get(line.line_number);
        lines.set(line.line_number, { count: (known ? known.count : 0) + line.count, name: line.function_name });
      }
    }
  }
  return files;
}

function summary(files, prefix) {
  const sum = { lines: 0, run: 0 };
  for (const [name, lines] of files) {
    if (name !== prefix && !name.startsWith(prefix === '' ? '' : `${prefix}/`)) continue;
    sum.lines += lines.size;
    for (const line of lines.values()) sum.run += line.count > 0;
  }
  sum.percent = sum.lines ? (100 * sum.run) / sum.lines : 0;
  return sum;
}

function showSum(name, sum) {
  console.log(`coverage: ${name.padEnd(22)} ${sum.percent.toFixed(1).padStart(5)} % of ${String(sum.lines).padStart(6)} lines,`
    + ` ${sum.lines - sum.run} not run`);
}

function showMissed(files) {
  const missed = [...files.keys()].map((name) => ({ name, sum: summary(files, name) }))
    .sort((a, b) => (b.sum.lines - b.sum.run) - (a.sum.lines - a.sum.run));
  console.log('coverage: the most lines not run (node tests/coverage.js FILE shows them):');
  for (const { name, sum } of missed.slice(0, FILES_SHOWN)) {
    console.log(`  ${String(sum.lines - sum.run).padStart(4)} of ${String(sum.lines).padStart(4)}  ${name}`);
  }
}

function showLines(files, wanted) {
  for (const name of [...files.keys()].sort()) {
    if (name !== wanted && !name.startsWith(`${wanted}/`)) continue;
    const source = fs.readFileSync(path.join(ROOT, name), 'latin1').split('\n');
    let last = '';
    for (const [number, line] of [...files.get(name)].sort((a, b) => a[0] - b[0])) {
      if (line.count > 0) continue;
      if (`${name} ${line.name}` !== last) console.log(`${name}: ${line.name}`);
      last = `${name} ${line.name}`;
      console.log(`${String(number).padStart(6)}  ${source[number - 1]}`);
    }
  }
}

const files = readCounts();
const wanted = process.argv.slice(2);
if (wanted.length) {
  for (const name of wanted) showLines(files, name.replace(/\/$/, ''));
  process.exit(0);
}
const sums = FOLDERS.map((name) => ({ name, sum: summary(files, name) }));
for (const { name, sum } of sums) showSum(name, sum);
showSum('all', summary(files, ''));
showMissed(files);
const low = sums.filter(({ sum }) => sum.percent < LEAST_PERCENT);
for (const { name } of low) console.error(`coverage: ${name} is below ${LEAST_PERCENT} %`);
process.exit(low.length ? 1 : 0);
