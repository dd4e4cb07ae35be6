// Faults from below and around weir: no descriptors left, no memory, clocks that jump, a stop of the whole process, an origin that goes
// and comes back. weir serves on where it can, and what it can't keep it says.
'use strict';
const { test } = require('node:test');
const assert = require('node:assert/strict');
const fs = require('node:fs');
const net = require('node:net');
const path = require('node:path');
const tls = require('node:tls');
const { once } = require('node:events');
const { MEASURED, Weir, atEnd, scratch, startWeir } = require('./support/weir');
const { makeCa } = require('./support/certs');
const { connect, talk, until } = require('./support/client');
const { httpOrigin, rawOrigin } = require('./support/origin');
const { bytesAt, download, streamOrigin } = require('./support/stream');
const { clock, memory, SECOND } = require('./support/preload');
const { tunnel } = require('./support/wire');

const MINUTE = 60 * SECOND;
const DAY = 24 * 60 * MINUTE;

const get = (port, target = '/', more = 'Connection: close\r\n') => `GET http://127.0.0.1:${port}${target} HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\n${more}\r\n`;

// TLS by a tunnel of weir's. What is verified is up to the options.
async function secure(t, weir, port, options) {
  const raw = await tunnel(t, weir, port, 'localhost');
  const socket = tls.connect({ socket: raw, servername: 'localhost', ...options });
  t.after(() => socket.destroy());
  await once(socket, 'secureConnect');
  return socket;
}

// User and system time of a process so far, in seconds.
function cpuSeconds(pid) {
  const fields = fs.readFileSync(`/proc/${pid}/stat`, 'latin1').replace(/^.*\) /, '').split(' ');
  return (Number(fields[11]) + Number(fields[12])) / 100;
}

const sound = async (weir) => assert.deepEqual(await weir.query('PRAGMA integrity_check'), [{ integrity_check: 'ok' }]);

test('out of descriptors: those who wait are served when there are some again, and waiting costs nothing', async (t) => {
  const held = [];
  let isHolding = true;
  const origin = await httpOrigin(t, (req, res) => (isHolding ? held.push(res) : res.end('free')));
  const dir = scratch(t);
  const program = path.join(dir, 'limited');
  fs.writeFileSync(program, `#!/bin/sh\nulimit -n 100\nexec '${process.env.WEIR || MEASURED}' "$@"\n`, { mode: 0o755 });
  const weir = await startWeir(t, [], { dir, program });
  const wires = await Promise.all(Array.from({ length: 150 }, () => connect(t, weir.port)));
  wires.forEach((wire, i) => wire.socket.write(get(origin.port, `/${i}`)));
  await until(() => /clients have to wait: accepting pauses/.test(weir.stderr), 'the warning');
  const before = cpuSeconds(weir.pid);
  const begun = performance.now();
  await until(() => performance.now() - begun > 1000, 'a second of waiting');
  const used = cpuSeconds(weir.pid) - before;
  t.diagnostic(`a second of waiting costs ${used.toFixed(2)} s of CPU; ${held.length} requests have reached the origin`);
  assert.ok(used < 0.5, `${used} s`);
  assert.ok(held.length > 10, `${held.length}`);
  isHolding = false;
  held.forEach((res) => res.end('free'));
  await Promise.all(wires.map((wire) => wire.over()));
  const answers = wires.map((wire) => wire.text.slice(9, 12));
  t.diagnostic(`answers: ${[...new Set(answers)].map((status) => `${answers.filter((a) => a === status).length} x ${status}`).join(', ')}`);
  assert.ok(wires.every((wire) => /^HTTP\/1\.1 200 OK\r\n[^]*free/.test(wire.text) || /^HTTP\/1\.1 502 [^]*Too many open files/.test(wire.text)));
  assert.ok(answers.filter((status) => status === '200').length >= held.length);
  assert.match((await talk(t, weir.port, get(origin.port, '/after'))).text, /free/);
  assert.equal((weir.stderr.match(/clients have to wait/g) || []).length, 1);
  assert.deepEqual(await weir.stop(), { code: 0, signal: null });
  assert.deepEqual(await weir.query('SELECT count(*) AS n, sum(state = 1) AS done FROM exchange'),
    [{ n: 151, done: answers.filter((status) => status === '200').length + 1 }]);
});

test('an allocation that fails ends one thing or the process, never the store', { skip: MEASURED ? false : 'only a sanitized weir is here: it has an allocator of its own' }, async (t) => {
  const ca = makeCa(scratch(t));
  const origin = await httpOrigin(t, (req, res) => res.end('much the same'), { cert: ca.issue() });
  const left = memory(t);
  const dir = scratch(t);
  let weir, starts = 0;
  const start = async () => {
    weir = new Weir(dir);
    atEnd(t, () => weir.stop());
    await weir.start(['--session', `start ${++starts}`, '--upstream-ca', ca.caFile], { env: left.env, program: MEASURED });
  };
  // An exchange on a connection of its own; null: it did not come to an answer within 5 s.
  const exchange = (n) => Promise.race([attempt(n), new Promise((resolve) => { setTimeout(resolve, 5000, null).unref(); })]);
  const attempt = async (n) => {
    try {
      const socket = await secure(t, weir, origin.port, { ca: fs.readFileSync(weir.ca) });
      let text = '';
      socket.on('data', (d) => { text += d; });
      socket.write(`GET /${n} HTTP/1.1\r\nHost: localhost:${origin.port}\r\nConnection: close\r\n\r\n`);
      await Promise.race([once(socket, 'end'), once(socket, 'close'), once(socket, 'error')]);
      return text;
    } catch {
      return null;
    }
  };
  await start();
  const FAR = 1e9;
  assert.match(await exchange('first'), /much the same/);
  left.set(FAR);
  assert.match(await exchange('count'), /much the same/);
  await weir.waitFor("SELECT 1 FROM exchange WHERE path = '/count' AND state = 1");
  const all = FAR - left.get()[0];
  const tries = 40;
  let deaths = 0;
  for (let i = 0; i < tries; i++) {
    left.set(1 + Math.floor(i * all / tries));
    await exchange(`try-${i}`);
    // The last one may take a little less than the one that was counted.
    await until(async () => weir.exit || left.get()[0] === 0 || (await exchange(`more-${i}`), false), 'the failure');
    left.set(0);
    const answer = weir.exit ? null : await exchange(`after-${i}`);
    if (answer === null || weir.exit) {
      await until(() => weir.exit, `the end, or an answer after the failure of allocation ${i}: ${weir.stderr}`);
      assert.deepEqual([weir.exit, /weir: out of memory\n/.test(weir.stderr)], [{ code: null, signal: 'SIGABRT' }, true], `allocation ${i} of ${tries}: ${weir.stderr}`);
      deaths++;
      await start();
      await sound(weir);
    } else {
      assert.match(answer, /much the same/);
    }
  }
  t.diagnostic(`${all} allocations an exchange; of ${tries} that failed ${deaths} ended weir`);
  assert.match(await exchange('last'), /much the same/);
});

test('the time of day jumps: everything passes, in the order of its numbers, and hosts stay trusted', async (t) => {
  const ca = makeCa(scratch(t));
  const origin = await httpOrigin(t, (req, res) => res.end(req.url), { cert: ca.issue(undefined, { days: 3000 }) });
  const time = clock(t);
  const weir = await startWeir(t, ['--insecure'], { env: time.env });
  const ask = async (name, options) => {
    const socket = await secure(t, weir, origin.port, options);
    socket.write(`GET /${name} HTTP/1.1\r\nHost: localhost:${origin.port}\r\n\r\n`);
    await once(socket, 'data');
    return socket;
  };
  const trusted = { ca: fs.readFileSync(weir.ca) };
  const old = await ask('now', trusted);
  time.set(30 * DAY, 0);
  await ask('in a month'.replace(/ /g, '-'), { rejectUnauthorized: false });
  time.set(300 * DAY, 0); // the leaf of today has expired
  await ask('in-a-year', { rejectUnauthorized: false });
  time.set(-DAY, 0);
  await ask('yesterday', trusted); // whose leaf is not that of the future
  time.set(0, 0);
  await ask('now-again', trusted);
  old.write(`GET /old HTTP/1.1\r\nHost: localhost:${origin.port}\r\n\r\n`);
  await once(old, 'data');
  const rows = await weir.waitFor("SELECT path, started_us, t_done FROM exchange WHERE (SELECT count(*) FROM exchange WHERE state = 1) = 6 ORDER BY seq");
  assert.deepEqual(rows.map(({ path: p }) => p), ['/now', '/in-a-month', '/in-a-year', '/yesterday', '/now-again', '/old']);
  const days = rows.map(({ started_us: us }) => Math.round((us - rows[0].started_us) / DAY));
  assert.deepEqual(days, [0, 30, 300, -1, 0, 0]);
  assert.ok(rows.every(({ t_done: took }) => took > 0 && took < 20 * SECOND), 'how long it took is of the other clock');
  time.set(-DAY, 0);
  assert.deepEqual(await weir.stop(), { code: 0, signal: null });
  const [session] = await weir.query('SELECT state, incomplete FROM session');
  assert.deepEqual(session, { state: 'ended', incomplete: null });
  const { stdout } = await weir.command(['sessions']);
  assert.match(stdout, /ended/);
});

test('weir ends after its 2 s also when the time of day is ahead', async (t) => {
  const origin = await httpOrigin(t, () => {});
  const time = clock(t);
  const weir = await startWeir(t, [], { env: time.env });
  const wire = await connect(t, weir.port);
  wire.socket.write(get(origin.port));
  await until(() => origin.requests.length === 1, 'the request');
  time.set(60 * MINUTE, 0);
  const begun = performance.now();
  assert.deepEqual(await weir.stop(), { code: 0, signal: null });
  assert.ok(performance.now() - begun < 15000);
});

test('a stop of the whole process for ten minutes cuts nothing that went on meanwhile', async (t) => {
  const ca = makeCa(scratch(t));
  const waiting = [];
  const origin = await httpOrigin(t, (req, res) => (req.url === '/wait' ? waiting.push(res) : res.end(`answer to ${req.url}`)), { cert: undefined });
  const secureOrigin = await httpOrigin(t, (req, res) => res.end('in TLS'), { cert: ca.issue() });
  const large = await streamOrigin(t);
  const echo = await rawOrigin(t, (socket) => socket.on('data', (d) => socket.write(d)));
  const time = clock(t);
  const weir = await startWeir(t, ['--upstream-ca', ca.caFile], { env: time.env });

  const waits = await connect(t, weir.port); // for an answer
  waits.socket.write(get(origin.port, '/wait'));
  const half = await connect(t, weir.port); // half a head is there
  half.socket.write(get(origin.port, '/half').slice(0, 30));
  const idle = await connect(t, weir.port); // has had an answer
  idle.socket.write(get(origin.port, '/idle', ''));
  await idle.has('answer to /idle');
  const shaking = await tunnel(t, weir, secureOrigin.port, 'localhost'); // has its 200, and is to begin TLS
  const taker = await download(t, weir, large, 32 * 1024 ** 2, { seed: 3 });
  const inTunnel = await tunnel(t, weir, echo.port);
  inTunnel.resume();
  inTunnel.write('\0before');
  await once(inTunnel, 'data');
  await until(() => waiting.length === 1 && taker.count > 0, 'all of them');

  process.kill(weir.pid, 'SIGSTOP');
  time.set(10 * MINUTE, 10 * MINUTE);
  half.socket.write(get(origin.port, '/half').slice(30));
  idle.socket.write(get(origin.port, '/again'));
  const inTls = tls.connect({ socket: shaking, servername: 'localhost', ca: fs.readFileSync(weir.ca) });
  t.after(() => inTls.destroy());
  const inside = [];
  inTls.on('data', (d) => inside.push(d)).on('error', (e) => inside.push(String(e)));
  inTunnel.write('after');
  const late = await connect(t, weir.port); // taken by the kernel
  late.socket.write(get(origin.port, '/late'));
  process.kill(weir.pid, 'SIGCONT');

  waiting[0].end('after all');
  const heard = [];
  inTunnel.on('data', (d) => heard.push(d));
  await Promise.all([waits, half, idle, late].map((wire) => wire.over()));
  assert.match(waits.text, /after all/);
  assert.match(half.text, /answer to \/half/);
  assert.match(idle.text, /answer to \/again/);
  assert.match(late.text, /answer to \/late/);
  inTls.write(`GET / HTTP/1.1\r\nHost: localhost:${secureOrigin.port}\r\n\r\n`);
  await until(() => inside.join('').includes('in TLS'), 'the answer in TLS');
  await until(() => taker.count === 32 * 1024 ** 2, 'the download');
  assert.deepEqual([taker.count, taker.wrongAt], [32 * 1024 ** 2, -1]);
  await until(() => Buffer.concat(heard).includes('after'), 'the tunnel');
  await weir.waitFor("SELECT 1 FROM exchange WHERE (SELECT count(*) FROM exchange WHERE state = 1) = 7");
  const [{ incomplete }] = await weir.query('SELECT incomplete FROM session');
  assert.equal(incomplete, null);
});

test('an origin that goes in the middle and comes back is reached again', async (t) => {
  const start = async (port) => {
    const sockets = new Set();
    const server = net.createServer((socket) => {
      sockets.add(socket);
      socket.on('error', () => {}).on('data', () => socket.write('HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nhere'));
    });
    server.listen(port, '127.0.0.1');
    await once(server, 'listening');
    const end = () => {
      server.close();
      for (const socket of sockets) socket.resetAndDestroy();
    };
    t.after(end);
    return { port: server.address().port, end };
  };
  const origin = await start(0);
  const weir = await startWeir(t);
  const wire = await connect(t, weir.port); // the same connection all the time
  const answers = [];
  const ask = async () => {
    const before = wire.text.length;
    wire.socket.write(get(origin.port, `/${answers.length}`, ''));
    await until(() => /\r\n\r\n[^]+/.test(wire.text.slice(before)) || wire.closed, 'an answer');
    answers.push(wire.text.slice(before + 9, before + 12));
  };
  await ask();
  origin.end();
  await ask();
  await ask();
  await start(origin.port);
  await ask();
  assert.deepEqual(answers, ['200', '502', '502', '200']);
  const rows = await weir.waitFor('SELECT status, error FROM exchange WHERE (SELECT count(*) FROM exchange WHERE state <> 0) = 4 ORDER BY seq');
  assert.deepEqual(rows.map(({ error }) => /Connection refused/.test(error)), [false, true, true, false]);
});
