// The benchmark goes on working: a second of load on weir alone, every answer checked and captured; and what its tables say.
'use strict';
const { test } = require('node:test');
const assert = require('node:assert/strict');
const fs = require('node:fs');
const path = require('node:path');
const { spawnSync } = require('node:child_process');
const { run, scratch } = require('./support/weir');

const BENCH = path.join(__dirname, '../bench/run');
const BUILD = path.dirname(process.env.WEIR_RELEASE || path.join(__dirname, '../../build/release/weir'));
const AS_ROOT = process.getuid() === 0 ? [] : ['--user', '--map-root-user'];
const skip = spawnSync('unshare', [...AS_ROOT, '--net', '--mount', '--pid', '--fork', '--mount-proc', 'true']).status === 0
  ? false : 'no namespaces here';

test('every request of a short load is answered and captured', { skip }, async (t) => {
  const results = path.join(scratch(t), 'results.jsonl');
  const { code, stdout, stderr } = await run('python3', [BENCH, '--smoke', '--build', BUILD, '--out', results],
    { timeout: 300000 });
  assert.equal(code, 0, stderr);
  const rows = fs.readFileSync(results, 'utf8').trim().split('\n').map(JSON.parse).filter((row) => row.proxy);
  assert.deepEqual(rows.map((row) => row.workload), ['http-1k', 'https-1k']);
  for (const row of rows) {
    assert.ok(row.requests > 100, `${row.requests} requests`);
    assert.equal(row.captured, row.sent);
    assert.deepEqual(row.errors, {});
    assert.ok(row.cpu_us > 0 && row.writer_us > 0 && row.peak_kib > 0);
    assert.ok(stdout.includes(`| ${row.workload} | weir |`), stdout);
  }
  const again = await run('python3', [BENCH, '--table', results]);
  assert.equal(again.stdout, stdout);
});

test('ratios are taken within a repetition, and goals told by their median', async (t) => {
  const results = path.join(scratch(t), 'results.jsonl');
  const row = (proxy, rep, cpu, more) => JSON.stringify({ proxy, workload: 'https-1k', rep, rps: 1e6 / cpu, cpu_us: cpu,
    p99_us: 1000, peak_kib: 2048, busy: 1, noise: 0, errors: {}, ...more });
  fs.writeFileSync(results, [row('weir', 0, 44, { sent: 9, captured: 9 }), row('haproxy', 0, 40), row('weir', 1, 95),
    row('haproxy', 1, 50), row('weir', 2, 36, { errors: { crc: 3 }, sent: 9, captured: 8 }), row('haproxy', 2, 30),
    ''].join('\n'));
  const { code, stdout, stderr } = await run('python3', [BENCH, '--table', results]);
  assert.equal(code, 0, stderr);
  assert.match(stdout, /^\| https-1k \| 44 µs \(1\.20\) \| 40 µs \(1\.00\) \|$/m);
  assert.match(stdout, /\| https-1k \| weir \| 22,727 \/s \| 44 \(36-95\) \| 1\.20 \| 100% \|.*\| 8\/9, 9\/9 \| \*\*3\*\* \|/);
  assert.match(stdout, /\| https-1k \| CPU a request ÷ haproxy \| 1\.20 \| 1\.10 \| 1\.90 \| 1 \| 1\.25 \| least \|/);
  assert.match(stdout, /\| https-1k \| p99 ÷ haproxy \| 1\.00 \| 1\.00 \| 1\.00 \| 1\.2 \| 1\.25 \| goal \|/);
});

test('a proxy or workload that it does not know is named', async () => {
  const { code, stderr } = await run('python3', [BENCH, '--proxies', 'nothing']);
  assert.equal(code, 1);
  assert.match(stderr, /unknown: nothing; known: weir, /);
});
