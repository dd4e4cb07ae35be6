// Requests of every shape that passed through weir, sent again by the commands it makes of them: real bash, real curl, and an
// origin that compares bytes.
'use strict';
const test = require('node:test');
const assert = require('node:assert/strict');
const crypto = require('node:crypto');
const fs = require('node:fs');
const net = require('node:net');
const path = require('node:path');
const tls = require('node:tls');
const { once } = require('node:events');
const { makeCa } = require('./support/certs');
const { rawOrigin } = require('./support/origin');
const { startWeir, run, scratch } = require('./support/weir');

const latin1 = (s) => Buffer.from(s, 'latin1');

// --- what a request is to the origin ---------------------------------------------------------------------------------------

// { line, fields, body } of the request that bytes begin with; undefined while it is not whole. A chunked body is put together
// again: where it was cut is no part of a record.
function parseRequest(bytes) {
  const end = bytes.indexOf('\r\n\r\n');
  if (end < 0) return undefined;
  const [line, ...fields] = bytes.toString('latin1', 0, end).split('\r\n');
  const value = (name) => fields.find((f) => f.toLowerCase().startsWith(`${name}:`))?.slice(name.length + 1).trim();
  let rest = bytes.subarray(end + 4);
  if (!value('transfer-encoding')) {
    const length = Number(value('content-length') ?? 0);
    return rest.length < length ? undefined : { line, fields, body: rest.subarray(0, length) };
  }
  const chunks = [];
  for (;;) {
    const eol = rest.indexOf('\r\n');
    if (eol < 0) return undefined;
    const size = Number.parseInt(rest.toString('latin1', 0, eol), 16);
    if (size === 0) {
      const trailers = rest.toString('latin1', eol + 2);
      if (!trailers.startsWith('\r\n') && !trailers.includes('\r\n\r\n')) return undefined;
      return { line, fields, body: Buffer.concat(chunks), trailers: trailers.split('\r\n').filter(Boolean) };
    }
    if (rest.length < eol + 2 + size + 2) return undefined;
    chunks.push(rest.subarray(eol + 2, eol + 2 + size));
    rest = rest.subarray(eol + 2 + size + 2);
  }
}

// An origin that notes each request and answers it; one a connection. origin.next() is the next one, or what comes of waiting.
async function startOrigin(t, options) {
  const requests = [];
  const waiting = [];
  const { port } = await rawOrigin(t, (socket, connection) => {
    let isOver = false, isContinued = false;
    const chunks = []; // a long body is parsed once it may be whole, not at each piece
    let have = 0, need = 0;
    socket.on('data', (d) => {
      chunks.push(d);
      have += d.length;
      if (isOver || have < need) return;
      const bytes = Buffer.concat(chunks);
      const head = bytes.indexOf('\r\n\r\n');
      const length = /\r\ncontent-length: *(\d+)/i.exec(bytes.toString('latin1', 0, Math.max(head, 0)));
      if (head >= 0 && length) need = head + 4 + Number(length[1]);
      const request = parseRequest(bytes);
      if (!request) {
        if (head >= 0 && !isContinued && /\r\nexpect: *100-continue/i.test(bytes.toString('latin1', 0, head))) {
          isContinued = true;
          socket.write('HTTP/1.1 100 Continue\r\n\r\n');
        }
        return;
      }
      isOver = true;
      requests.push(request);
      waiting.splice(0).forEach((wake) => wake());
      socket.end(request.line.startsWith('HEAD ') ? 'HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n'
        : 'HTTP/1.1 200 OK\r\nContent-Length: 3\r\nConnection: close\r\n\r\nok\n');
    });
    connection.bytes = Buffer.alloc(0);
  }, options);
  return { port, requests };
}

// --- shapes ----------------------------------------------------------------------------------------------------------------

const GET = (target, ...fields) => ({ target, fields });
const all = Buffer.from(Array.from({ length: 256 }, (_, i) => i));
const text = (s) => Buffer.from(s);

// HOST stands for the origin's host and port. via: how it gets to weir ('forward': absolute target, 'inner': plain HTTP in a
// CONNECT, 'tls'). same: false, with why: what curl sends is not what weir passed on; turn() makes one of the other.
const SHAPES = [
  // targets
  GET('/'), GET('/?'), GET('/?a'), GET('/?a=1&a=2&&=x&b='), GET('/a//b/'), GET('/a/../b/./c'), GET('/..'), GET('/.hidden'),
  GET('/%2F%20%zz%'), GET('/a%00b'), GET("/it's"), GET('/"quoted"'), GET('/back\\slash'), GET('/tick`id`$(id)$HOME'), GET('/!history!!'),
  GET('/[1-3]{a,b}?x[]=1&y[0]=2'), GET('/{{$guid}}'), GET('/a|b^c~d'), GET('/<tag>'), GET('/x#fragment'), GET('/x?y#z'),
  GET('/@user:pw@host/'), GET('/;p=1,2;q'), GET('/a*b+c=d&e'), GET('/caf\xe9'), GET('/caf\xc3\xa9?q=\xe2\x82\xac'), GET('/\x80\xff\x9b'),
  GET(`/${'long'.repeat(10000)}`), GET('/-n'), GET('/http://other.test/x?y'),
  { ...GET('*'), method: 'OPTIONS', via: 'inner' },
  // methods
  ...['HEAD', 'OPTIONS', 'DELETE', 'PATCH', 'TRACE', 'PROPFIND', 'get', 'Post', 'hEAD', '-X', "a'b", '!#$%&*+-.^_`|~', 'M'.repeat(64)]
    .map((method) => ({ method, ...GET('/method') })),
  // header fields
  GET('/', 'User-Agent: x', 'Accept: y'), GET('/', 'accept: */*', 'USER-AGENT: curl/1.0'), GET('/', 'X-Empty:'), GET('/', 'X-Empty:', 'x-empty:'),
  GET('/', 'Accept:'), GET('/', 'User-Agent:'), GET('/', 'A: 1', 'B: 2', 'A: 3', 'a: 4'), GET('/', "Quote: it's \"so\""),
  GET('/', 'Back: \\ \\n \\x41 \\'), GET('/', 'Money: $HOME `id` $(id) ${x}'), GET('/', 'Bang: !! !x'), GET('/', "Bang: '!x"),
  GET('/', 'At: @/etc/passwd'), GET('/', 'Semi: ;'), GET('/', 'Semi: a;'), GET('/', 'Colon: : ::'), GET('/', 'Hash: #x # y'),
  GET('/', 'Latin: caf\xe9'), GET('/', 'Utf8: caf\xc3\xa9 \xf0\x9f\x90\x9f'), GET('/', 'High: \x80\x9b\xa0\xff'), GET('/', 'Tab: a\tb'),
  GET('/', 'Control: a\x01\x07\x08\x0b\x0c\x1b[31m\x1fz'), GET('/', 'Delete: \x7f'), GET('/', "!#$%&'*+-.^_`|~: token"), GET('/', '#hash: name'),
  GET('/', '-H: x'), GET('/', 'Long: ' + 'v'.repeat(30000)), GET('/', 'Cookie: a=b; c="d e"; f', 'Cookie: g=h'), GET('/', 'Authorization: Basic dTpw'),
  GET('/', 'Accept-Encoding: gzip, br;q=0.1'), GET('/', 'Range: bytes=0-1'), GET('/', 'Referer: http://r.test/'), GET('/', 'Content-Type: text/plain'),
  GET('/', 'Connection: close'), GET('/', 'Connection: keep-alive'), GET('/', 'TE: trailers', 'Connection: TE'), GET('/', 'Content-Length: 0'),
  GET('/', 'Date: x', 'If-None-Match: "x"', 'Via: 1.1 other', 'Forwarded: for=x', 'X-Forwarded-For: 1'), GET('/', 'Expect: 100-continue'),
  GET('/', ...Array.from({ length: 300 }, (_, i) => `X-${i}: ${i}`)), GET('/', ...Array.from({ length: 990 }, (_, i) => `x-${i}: '${i}\xff"\\${'v'.repeat(100)}`)),
  // Host
  { target: '/first', bare: true, fields: ['X-Before: 1', 'Host: HOST', 'X-After: 2'] }, { target: '/', bare: true, fields: ['host: HOST'] },
  { target: '/', bare: true, fields: ['HOST: HOST', 'A: b'] }, { target: '/', bare: true, version: '1.0', fields: [] },
  { target: '/', bare: true, version: '1.0', fields: ['A: b'] }, { target: '/', bare: true, via: 'inner', fields: ['Host: other.test'] },
  { target: '/', bare: true, via: 'inner', fields: ['A: b', 'Host: other.test:81'] }, { target: '/', bare: true, via: 'inner', fields: ['Host: OTHER.test'] },
  { target: '/', bare: true, via: 'inner', fields: ['Host:'] },
  // versions
  { ...GET('/old', 'Connection: keep-alive'), version: '1.0' }, { ...GET('/old'), version: '1.0', body: text('x=1') },
  // bodies
  { method: 'POST', target: '/', fields: [] }, { method: 'POST', target: '/', fields: ['Content-Length: 0'] },
  ...['a=b&c=%20+', '@file', '', "it's $HOME `id` \\ !x", '-d', '{"json": ["caf\u00e9", "\ud83d\udc1f", "{{x}}"]}', 'line\nline\n', 'line\r\nline\r\n\r\n',
    '\n', ' ', '\t', "'", '\\', '!', 'BODY\nHEAD\n', '\x01\x1b[31m\x7f'].map((s) => ({ method: 'POST', target: '/body', fields: [], body: text(s) })),
  { method: 'POST', target: '/', fields: ['Content-Type: application/octet-stream'], body: all },
  { method: 'POST', target: '/', fields: [], body: text('\0') }, { method: 'PUT', target: '/', fields: [], body: latin1('caf\xe9') },
  { method: 'PUT', target: '/', fields: ['Content-Type: text/plain', 'Accept: x'], body: text('typed'), lengthAt: 0 },
  { method: 'PUT', target: '/', fields: ['A: b', 'C: d'], body: text('length in the middle'), lengthAt: 1 },
  { method: 'PUT', target: '/', fields: ['A: b'], body: text('small'), lengthName: 'content-length' },
  { method: 'GET', target: '/', fields: [], body: text('a GET with a body') }, { method: 'DELETE', target: '/', fields: [], body: text('too') },
  { method: 'HEAD', target: '/', fields: [], body: text('even so') }, { method: 'QUERY', target: '/', fields: [], body: all },
  { method: 'POST', target: '/', fields: [], body: Buffer.alloc(64000, 'x') }, { method: 'POST', target: '/', fields: [], body: Buffer.alloc(140000, '\n') },
  { method: 'POST', target: '/', fields: [], body: crypto.randomBytes(57 * 1000) }, { method: 'POST', target: '/', fields: [], body: crypto.randomBytes(3000001) },
  { method: 'POST', target: '/', fields: ['Expect: 100-continue'], body: text('expected') },
  { method: 'POST', target: '/', fields: ['Content-Type: multipart/form-data; boundary=b'],
    body: latin1('--b\r\nContent-Disposition: form-data; name="f"; filename="\xe9.bin"\r\n\r\n\0\xff\r\n--b--\r\n') },
  { method: 'POST', target: '/', fields: ['Content-Encoding: gzip'], body: latin1('\x1f\x8b not really') },
  { method: 'POST', target: '/', fields: ['A: b'], body: text('in chunks'), chunks: [1, 3, 5] },
  { method: 'POST', target: '/', fields: ['A: b'], body: all, chunks: [256] }, { method: 'PUT', target: '/', fields: [], body: text(''), chunks: [] },
  { method: 'GET', target: '/', fields: [], body: text('get'), chunks: [3] }, { method: 'POST', target: '/', fields: [], body: Buffer.alloc(200000, 0), chunks: [200000] },
  { method: 'POST', target: '/', fields: Array.from({ length: 980 }, (_, i) => `x-${i}: ${'y'.repeat(90)}`), body: all },
  { method: 'POST', target: '/', fields: Array.from({ length: 980 }, (_, i) => `x-${i}: ${'y'.repeat(90)}`), body: text('a=b\r\n') },
  // TLS
  { ...GET('/tls', 'A: b'), via: 'tls' }, { ...GET('/tls'), via: 'tls', method: 'POST', body: all }, { ...GET('/tls'), via: 'tls', version: '1.0' },
  { target: '/', bare: true, via: 'tls', fields: ['Host: other.test'] }, { target: '/', bare: true, via: 'tls', fields: ['a: b', 'host: localhost:1'] },
  // a Host that is not the target's: weir replaces it in its place
  { target: '/', bare: true, fields: ['A: b', 'Host: other.test', 'C: d'] },
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

function bytesOf(shape, host, target) {
  const fields = (shape.bare ? [] : ['Host: HOST']).concat(shape.fields).map((f) => f.replace('HOST', f.startsWith('HOST') ? 'HOST' : host)
    .replace(/: HOST$/, `: ${host}`));
  let body = shape.body ?? Buffer.alloc(0);
  if (shape.chunks) {
    fields.push('Transfer-Encoding: chunked');
    let at = 0;
    const chunks = shape.chunks.map((n) => Buffer.concat([latin1(`${n.toString(16)}\r\n`), body.subarray(at, at += n), latin1('\r\n')]));
    body = Buffer.concat([...chunks, latin1(`0\r\n${(shape.trailers ?? []).map((f) => `${f}\r\n`).join('')}\r\n`)]);
  } else if (shape.body) {
    fields.splice(shape.lengthAt === undefined ? fields.length : shape.lengthAt + 1, 0, `${shape.lengthName ?? 'Content-Length'}: ${body.length}`);
  }
  const head = [`${shape.method ?? (shape.body ? 'POST' : 'GET')} ${target} HTTP/${shape.version ?? '1.1'}`, ...fields, '', ''].join('\r\n');
  return Buffer.concat([latin1(head), body]);
}

// Sends a shape through weir, by a connection of its own, and waits for the end of the answer.
async function send(weir, shape, port, caFile) {
  const host = `${shape.via === 'tls' ? 'localhost' : '127.0.0.1'}:${port}`;
  let socket = net.connect(weir.port, '127.0.0.1');
  await once(socket, 'connect');
  if (shape.via === 'inner' || shape.via === 'tls') {
    socket.write(`CONNECT ${host} HTTP/1.1\r\nHost: ${host}\r\n\r\n`);
    const [answer] = await once(socket, 'data');
    assert.match(String(answer), /^HTTP\/1\.1 200 /);
  }
  if (shape.via === 'tls') {
    socket = tls.connect({ socket, servername: 'localhost', ca: fs.readFileSync(caFile) });
    await once(socket, 'secureConnect');
  }
  const isForward = !['inner', 'tls'].includes(shape.via);
  const target = isForward ? `http://${host}${shape.target}` : shape.target.replace('HOST', host);
  const answer = [];
  socket.on('data', (d) => answer.push(d));
  socket.write(bytesOf(shape, host, target));
  await once(socket, 'close');
  assert.match(Buffer.concat(answer).toString('latin1'), /^HTTP\/1\.1 (100 Continue\r\n\r\nHTTP\/1\.1 )?200 OK\r\n/, JSON.stringify(shape).slice(0, 200));
}

// In words, for a diff that can be read: long bodies by their digest.
function told(request) {
  const { body } = request;
  return { ...request, body: body.length > 200 ? `${body.length} ${crypto.createHash('sha256').update(body).digest('hex')}` : body.toString('latin1') };
}

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
