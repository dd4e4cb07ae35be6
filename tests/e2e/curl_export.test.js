// Requests of every shape that passed through weir, sent again by the commands it makes of them: real bash, real curl, and an
// origin that compares bytes.
'use strict';
const test = require('node:test');
const assert = require('node:assert/strict');
const fs = require('node:fs');
const net = require('node:net');
const path = require('node:path');
const { makeCa } = require('./support/certs');
const shapes = require('./support/shapes');
const { startWeir, run, scratch } = require('./support/weir');

const { GET, send, startOrigin, text, told } = shapes;

const SHAPES = [
  ...shapes.SHAPES,
  // what stays different, all of it (see capture/export/curl.h)
  { ...GET('http://HOST/absolute?inside'), via: 'inner', why: 'of an absolute target that the origin got the record has the path',
    turn: (r) => ({ ...r, line: 'GET /absolute?inside HTTP/1.1' }) },
  { ...GET('/', 'Tight:x', 'Wide:   y  '), why: 'blanks around a value are not in the record',
    turn: (r) => ({ ...r, fields: r.fields.map((f) => f.replace(/^([^:]+):[ \t]*(.*?)[ \t]*$/, '$1: $2')) }) },
  { ...GET('/', 'Blank: \x0b\x0c', 'A: b'), why: 'curl drops a field whose value is blank to isspace',
    turn: (r) => ({ ...r, fields: r.fields.filter((f) => !f.startsWith('Blank:')) }) },
  { method: 'POST', target: '/', fields: ['Trailer: T'], body: text('x'), chunks: [1], trailers: ['T: 1'], why: 'curl has no trailers',
    turn: (r) => ({ ...r, trailers: [] }) },
  { ...GET('/', 'Keep-Alive: 5', 'TE: gzip', 'Upgrade: h2c', 'Connection: X-Hop, Keep-Alive', 'X-Hop: 1'), why: 'weir is a hop, curl is the client',
    turn: (r) => ({ ...r, fields: [r.fields[0], 'Keep-Alive: 5', 'TE: gzip', 'Upgrade: h2c', 'Connection: X-Hop, Keep-Alive', 'X-Hop: 1'] }) },
  { ...GET('/', 'Max-Forwards: 3'), method: 'TRACE', why: 'the same: a hop counts down',
    turn: (r) => ({ ...r, fields: [...r.fields.slice(0, -1), 'Max-Forwards: 3'] }) },
  { ...GET('/', 'Proxy-Connection: keep-alive', 'Proxy-Authorization: Basic eDp5', 'A: b') }, // neither of them passes these on
];

test('requests as curl commands', async (t) => {
  const dir = scratch(t);
  const ca = makeCa(dir);
  const plain = await startOrigin(t);
  const secure = await startOrigin(t, { cert: ca.issue(['localhost']) });
  const weir = await startWeir(t, ['--upstream-ca', ca.caFile, '--session', 'shapes', '--max-header-bytes', '1M']);
  const script = path.join(dir, 'shapes.sh');
  const originOf = (shape) => (shape.via === 'tls' ? secure : plain);

  const passed = [];
  for (const shape of SHAPES) {
    await send(weir, shape, originOf(shape).port, weir.ca);
    assert.equal(originOf(shape).requests.length, 1, JSON.stringify(shape).slice(0, 200));
    passed.push(originOf(shape).requests.pop());
  }
  // What no command can stand for: a tunnel, an upgrade, a body that was cut.
  const cut = net.connect(weir.port, '127.0.0.1');
  cut.on('error', () => {});
  cut.write(`POST http://127.0.0.1:${plain.port}/cut HTTP/1.1\r\nHost: 127.0.0.1:${plain.port}\r\nContent-Length: 10\r\n\r\n12345`);
  await weir.waitFor("SELECT 1 FROM exchange WHERE path = '/cut'");
  cut.destroy();
  await weir.waitFor("SELECT 1 FROM exchange WHERE path = '/cut' AND state = 2");
  assert.deepEqual(await weir.stop(), { code: 0, signal: null });

  await t.test('there are enough of them', () => assert.ok(SHAPES.length >= 150, String(SHAPES.length)));

  await t.test('the script says what it leaves out', async () => {
    const { code, stderr } = await weir.command(['export', 'curl', 'shapes', '-o', script]);
    assert.equal(code, 0, stderr);
    assert.equal(fs.statSync(script).mode & 0o777, 0o600);
    const all_ = fs.readFileSync(script);
    assert.ok(all_.every((b) => b === 10 || (b >= 32 && b < 127)), 'ASCII alone');
    assert.match(stderr, /1 left out: requests whose body was not kept whole/);
    assert.match(stderr, new RegExp(`wrote ${SHAPES.length} of ${SHAPES.length + 1} exchanges`));
    assert.match(String(all_), /^# exchange \d+, .*no response\n# POST http:\/\/127\.0\.0\.1:\d+\/cut\n# left out: requests whose body was not kept whole$/m);
    assert.match(stderr, /1 dropped: trailers of requests/);
    assert.match(stderr, /1 dropped: header fields that no client can send again/);
  });

  await t.test('what is quoted is quoted once, up to a variable', () => {
    assert.doesNotMatch(fs.readFileSync(script, 'utf8'), /^ {2}-H '[^'\n]*'(?! \\$|$|"\$)/m);
  });

  await t.test('secrets are in the file beside it alone, which is its owner\'s', async () => {
    const values = fs.readFileSync(script.replace(/\.sh$/, '.env'), 'utf8');
    assert.equal(fs.statSync(script.replace(/\.sh$/, '.env')).mode & 0o777, 0o600);
    const text = fs.readFileSync(script, 'utf8');
    const strong = values.split('\n').map((l) => /^\w+=([\w-]{12,})$/.exec(l)?.[1]).filter((v) => v && /\d/.test(v) && /[a-z]/.test(v));
    for (const value of strong) assert.ok(!text.includes(value), value);
    assert.match(values, /^\w+=/m);
  });

  await t.test('bash and curl send what was sent', async () => {
    const { stderr } = await run('bash', [script], { env: { PATH: process.env.PATH, HOME: dir, CURL_CA_BUNDLE: ca.caFile }, timeout: 120000 });
    assert.doesNotMatch(stderr, /^(?!curl: \((18|28)\))./m); // a HEAD with a body waits for one
    const sent = { plain: plain.requests.splice(0), secure: secure.requests.splice(0) };
    for (const [i, shape] of SHAPES.entries()) {
      const want = told(shape.turn ? shape.turn(passed[i]) : passed[i]);
      if (shape.turn) assert.notDeepEqual(told(passed[i]), want, `no difference any more: ${shape.why}`);
      const have = (shape.via === 'tls' ? sent.secure : sent.plain).shift();
      assert.ok(have, `nothing came for ${JSON.stringify(shape).slice(0, 200)}`);
      assert.deepEqual(told(have), want, JSON.stringify(shape).slice(0, 200));
    }
    assert.deepEqual([sent.plain.length, sent.secure.length], [0, 0]);
  });

  await t.test('weir show --curl gives the same commands', async () => {
    const kept = path.join(dir, 'kept.sh');
    assert.equal((await weir.command(['export', 'curl', 'shapes', '--secrets', 'keep', '-o', kept])).code, 0);
    const whole = fs.readFileSync(kept, 'latin1');
    for (let seq = 1; seq <= SHAPES.length; seq += 10) {
      const { code, stdout, stderr } = await weir.command(['show', String(seq), '--curl']);
      assert.equal(code, 0, stderr);
      assert.ok(whole.includes(`# exchange ${seq}, `) && whole.includes(`\n${stdout}`), stdout.slice(0, 1000));
    }
    const { code, stderr } = await weir.command(['show', String(SHAPES.length + 1), '--curl']);
    assert.equal(code, 1);
    assert.match(stderr, /left out: requests whose body was not kept whole/);
    assert.equal((await weir.command(['show', '1', '--curl', '--json'])).code, 2);
  });

  await t.test('jsonl has a line for each, with what weir show --json has', async () => {
    const { code, stdout, stderr } = await weir.command(['export', 'jsonl', 'shapes', '--secrets', 'keep']);
    assert.equal(code, 0, stderr);
    const lines = stdout.trimEnd().split('\n').map((l) => JSON.parse(l));
    assert.deepEqual(lines.map((l) => l.exchange), Array.from({ length: SHAPES.length + 1 }, (_, i) => i + 1));
    for (const line of lines) {
      const shown = await weir.command(['show', String(line.exchange), '--json']);
      const { encoded, ...body } = line.request_body;
      if (encoded) assert.equal(lines[line.exchange - 1].request_headers.some(([n]) => n === 'Content-Encoding'), true);
      else assert.deepEqual({ ...line, request_body: body }, JSON.parse(shown.stdout));
    }
  });

  await t.test('a .http file has the bodies in itself or beside it', async () => {
    const file = path.join(dir, 'shapes.http');
    const { code, stderr } = await weir.command(['export', 'http', 'shapes', '-o', file, '--filter', 'path:/body']);
    assert.equal(code, 0, stderr);
    const bodies = SHAPES.filter((s) => s.target === '/body' && s.body.length).map((s) => s.body);
    const found = fs.readFileSync(file, 'utf8').split(/^### .*\n/m).slice(1).map((r) => r.replace(/\n\n?$/, '')).filter((r) => r.includes('\n\n'))
      .map((r) => r.slice(r.indexOf('\n\n') + 2)).map((b) => (b.startsWith('< ./') ? fs.readFileSync(path.join(dir, b.slice(2))) : Buffer.from(b)));
    assert.deepEqual(found.map(String), bodies.map(String));
    assert.equal(fs.statSync(file).mode & 0o777, 0o600);
  });

  await t.test('more header fields than weir itself takes, and longer ones than an argument can be, go another way', async () => {
    const fields = [['host', `127.0.0.1:${plain.port}`], ...Array.from({ length: 10000 }, (_, i) => [`x-${i}`, `'${i}\u00ff"\\\t`]), ['Long', 'v'.repeat(200000)]];
    await run('sqlite3', [weir.store], { input: `UPDATE exchange SET request_headers = '${JSON.stringify(fields).replaceAll("'", "''")}',
      path = '/${'p'.repeat(120000)}' WHERE seq = 1;` });
    const { stdout } = await weir.command(['show', '1', '--curl']);
    const { code, stderr } = await run('bash', ['-c', 'exec bash <(cat)'], { input: stdout });
    assert.equal(code, 0, stderr);
    const { line, fields: have } = plain.requests.pop();
    assert.equal(line, `GET /${'p'.repeat(120000)} HTTP/1.1`);
    assert.deepEqual(have.map(String), fields.map(([n, v]) => `${n}: ${v}`));
  });
});
