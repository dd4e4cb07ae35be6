// Requests of every shape, sent again by newman from a faithful collection: method, target, header fields in their order and body are
// what the origin got the first time. What newman cannot do, it cannot do for a collection that weir did not write either.
'use strict';
const test = require('node:test');
const assert = require('node:assert/strict');
const fs = require('node:fs');
const path = require('node:path');
const { PostmanValidator } = require('@har-sdk/validator');
const { makeCa } = require('./support/certs');
const { h2Client, h2Origin } = require('./support/h2');
const { newman, items } = require('./support/newman');
const { SHAPES, send, startOrigin, told } = require('./support/shapes');
const { startWeir, scratch } = require('./support/weir');

const nameOf = (field) => field.slice(0, field.indexOf(':'));
const isNamed = (...names) => (field) => names.includes(nameOf(field).toLowerCase());

// Fields of one name stand together where the first of them stood, in its spelling.
function grouped(fields) {
  const groups = new Map();
  for (const field of fields) {
    const [first, ...more] = groups.get(nameOf(field).toLowerCase()) ?? [];
    const name = nameOf(first ?? field);
    groups.set(name.toLowerCase(), [...(first ? [first, ...more] : []), name + field.slice(name.length)]);
  }
  return [...groups.values()].flat();
}

// Each: why, change (of what the origin got when it was captured), hand: a request as a person writes it into a collection, and got:
// what of it comes (undefined: newman refuses to send it).
const DIFFERENCES = [
  { why: 'its SDK writes methods in upper case',
    change: (r) => ({ ...r, method: r.method.toUpperCase() }),
    hand: { method: "a'b" }, got: { method: "A'B" } },
  { why: 'a target is a path: "*" is none',
    change: (r) => ({ ...r, target: r.target.replace(/^\*$/, '/*') }),
    hand: { method: 'OPTIONS', url: { path: ['*'] } }, got: { target: '/*' } },
  { why: 'a backslash would be a slash (weir writes %5C)',
    change: (r) => ({ ...r, target: r.target.replaceAll('\\', '%5C') }),
    hand: { url: { path: ['a\\b'] } }, got: { target: '/a/b' } },
  { why: 'what follows a "#" of a path would not be sent (weir writes %23)',
    change: (r) => ({ ...r, target: r.target.replaceAll('#', '%23') }),
    hand: { url: { path: ['x#y'] } }, got: { target: '/x' } },
  { why: 'that one of a query is encoded',
    change: (r) => r,
    hand: { url: { path: ['x'], query: [{ key: 'y#z', value: null }] } }, got: { target: '/x?y%23z' } },
  { why: 'Node refuses control characters in values (weir leaves such fields out, and says so)',
    change: (r) => ({ ...r, fields: r.fields.filter((f) => !/[\x00-\x08\x0a-\x1f\x7f]/.test(f)) }),
    hand: { header: [{ key: 'C', value: 'a\u0001b' }] }, got: undefined },
  { why: 'the same, DEL',
    change: (r) => r,
    hand: { header: [{ key: 'C', value: '\x7f' }] }, got: undefined },
  { why: 'a field called __proto__ is none to it',
    change: (r) => ({ ...r, fields: r.fields.filter((f) => !isNamed('__proto__')(f)) }),
    hand: { header: [{ key: '__proto__', value: 'x' }, { key: 'a', value: 'b' }] }, got: { fields: ['a: b'] } },
  { why: 'fields of one name are sent together, where the first stood',
    change: (r) => ({ ...r, fields: grouped(r.fields) }),
    hand: { header: [{ key: 'A', value: '1' }, { key: 'B', value: '2' }, { key: 'A', value: '3' }] }, got: { fields: ['A: 1', 'A: 3', 'B: 2'] } },
  { why: 'in one spelling: of two, one would be lost (weir writes the first)',
    change: (r) => r,
    hand: { header: [{ key: 'A', value: '1' }, { key: 'B', value: '2' }, { key: 'a', value: '3' }] }, got: { fields: ['a: 3', 'B: 2'] } },
  { why: 'Node joins cookies',
    change: (r) => {
      const cookies = r.fields.filter(isNamed('cookie'));
      const one = `${nameOf(cookies[0] ?? ':')}: ${cookies.map((f) => f.slice(8)).join('; ')}`;
      return { ...r, fields: r.fields.flatMap((f) => (f === cookies[0] ? [one] : isNamed('cookie')(f) ? [] : [f])) };
    },
    hand: { header: [{ key: 'Cookie', value: 'a=b' }, { key: 'Cookie', value: 'c=d' }] }, got: { fields: ['Cookie: a=b; c=d'] } },
  { why: 'a blank stands before every value, also of those that have none',
    change: (r) => ({ ...r, fields: r.fields.map((f) => (/^[^:]+:$/.test(f) ? `${f} ` : f)) }),
    hand: { header: [{ key: 'X-Empty', value: '' }] }, got: { fields: ['X-Empty: '] } },
  { why: 'with an Expect, the head is out before what is disabled is taken out of it: the request fails (weir leaves Expect out)',
    change: (r) => ({ ...r, fields: r.fields.filter((f) => !isNamed('expect')(f)) }),
    hand: { header: [{ key: 'Expect', value: '100-continue' }] }, got: { fails: true, fields: ['Expect: 100-continue', 'Accept-Encoding: gzip, deflate, br'] } },
  { why: 'names that are numbers come first, as members of JavaScript\'s objects do',
    change: (r) => ({ ...r, fields: [...r.fields.filter((f) => /^\d+:/.test(f)), ...r.fields.filter((f) => !/^\d+:/.test(f))] }),
    hand: { header: [{ key: 'A', value: 'b' }, { key: '1', value: '2' }] }, got: { fields: ['1: 2', 'A: b'] } },
  { why: 'requests are of HTTP/1.1, and have a Host behind the other fields',
    change: (r) => r,
    hand: { header: [{ key: 'a', value: 'b' }] }, got: { version: '1.1', last: 'Host' } },
];

// Of the connection, between two hops: newman's own, and none of a collection's (RFC 9110 §7.6.1).
const HOPS = isNamed('connection', 'keep-alive', 'te', 'transfer-encoding', 'content-length');

// Of what the origin got: what must be the same.
function essence(request) {
  const { line, fields, body } = told(request);
  const [, method, target, version] = /^(\S+) (.*) HTTP\/(\S+)$/.exec(line);
  const all = fields.map(String);
  const length = all.find(isNamed('content-length'));
  if (length) assert.equal(Number(length.split(':')[1]), request.body.length);
  return { method, target, version, body, host: all.find(isNamed('host'))?.slice(5).trim(), fields: all.filter((f) => !HOPS(f) && !isNamed('host')(f)) };
}

const read = (file) => JSON.parse(fs.readFileSync(file, 'utf8'));
const first = (value) => JSON.stringify(value).slice(0, 200);

test('a faithful collection', async (t) => {
  const dir = scratch(t);
  const ca = makeCa(dir);
  const plain = await startOrigin(t);
  const secure = await startOrigin(t, { cert: ca.issue(['localhost']) });
  const weir = await startWeir(t, ['--upstream-ca', ca.caFile, '--session', 'shapes', '--max-header-bytes', '1M']);
  const originOf = (shape) => (shape.via === 'tls' ? secure : plain);
  const shapes = SHAPES.filter((s) => !(s.bare && s.via)); // these name hosts in Host that are not there, or none
  const passed = [];
  for (const shape of shapes) {
    await send(weir, shape, originOf(shape).port, weir.ca);
    passed.push(originOf(shape).requests.pop());
  }
  await weir.stop();
  const file = path.join(dir, 'shapes.json');
  const { code, stderr } = await weir.command(['export', 'collection', 'shapes', '--profile', 'faithful', '-o', file]);
  assert.equal(code, 0, stderr);

  await t.test('there are enough of them, each once, and valid', async () => {
    assert.ok(shapes.length >= 250, String(shapes.length));
    assert.equal(items(read(file)).length, shapes.length);
    // The schema takes any method, this validator only those that it knows.
    assert.deepEqual((await new PostmanValidator().verify(read(file))).filter((e) => e.keyword !== 'enum' || !e.instancePath.endsWith('/method')), []);
  });

  await t.test('newman sends what was sent', async () => {
    const run = await newman(file, { caFile: ca.caFile, args: ['--working-dir', path.join(dir, 'shapes.files'), '-e', path.join(dir, 'shapes.postman_environment.json')] });
    const sent = { plain: plain.requests.splice(0), secure: secure.requests.splice(0) };
    const used = new Set();
    for (const [i, shape] of shapes.entries()) {
      const came = (shape.via === 'tls' ? sent.secure : sent.plain).shift();
      assert.ok(came, `nothing came for ${first(shape)}`);
      const have = essence(came);
      const want = DIFFERENCES.reduce((r, d) => {
        const next = d.change(r);
        if (JSON.stringify(next) !== JSON.stringify(r)) used.add(d);
        return next;
      }, essence(passed[i]));
      assert.equal(have.host, `${shape.via === 'tls' ? 'localhost' : '127.0.0.1'}:${originOf(shape).port}`);
      if (want.host !== undefined) assert.equal(have.host, want.host, first(shape));
      assert.deepEqual({ ...have, version: '', host: '' }, { ...want, version: '', host: '' }, first(shape));
    }
    assert.deepEqual([sent.plain.length, sent.secure.length], [0, 0], run.stdout.slice(-2000));
    const idle = DIFFERENCES.filter((d) => !used.has(d) && d.change.toString() !== '(r) => r');
    assert.deepEqual(idle.map((d) => d.why), [], 'no shape differs so');
  });

  await t.test('what differs, differs in a collection that a person wrote', async () => {
    const hand = path.join(dir, 'hand.json');
    const url = { protocol: 'http', host: ['127', '0', '0', '1'], port: String(plain.port), path: [''] };
    const { info, protocolProfileBehavior } = read(file);
    const system = Object.fromEntries(['cache-control', 'postman-token', 'user-agent', 'accept', 'accept-encoding', 'connection'].map((n) => [n, true]));
    fs.writeFileSync(hand, JSON.stringify({ info, protocolProfileBehavior, item: DIFFERENCES.map((d, i) => (
      { name: String(i), protocolProfileBehavior: { disabledSystemHeaders: system }, request: { method: 'GET', header: [], ...d.hand, url: { ...url, ...d.hand.url } } })) }));
    const { executions } = await newman(hand);
    const came = plain.requests.splice(0);
    for (const [i, { why, got }] of DIFFERENCES.entries()) {
      assert.equal(executions[i].code === undefined, got === undefined || got.fails === true, why);
      if (!got) continue;
      const { fails, ...wanted } = got;
      const request = came.shift();
      const have = { ...essence(request), last: nameOf(request.fields.filter((f) => !HOPS(f)).at(-1)) };
      for (const [what, value] of Object.entries(wanted)) assert.deepEqual(have[what], value, why);
    }
    assert.equal(came.length, 0);
  });
});

const H2 = [
  { ':path': '/' }, { ':path': '/a%2Fb?x=1&x=2&&=y', 'x-lower': 'Case Kept', accept: '*/*' }, { ':path': '/caf%C3%A9?{{$guid}}', cookie: 'a=b; c=d' },
  { ':path': '/two', cookie: ['a=1', 'b=2'] }, { ':path': '/h', ':method': 'HEAD' }, { ':path': '/o', ':method': 'OPTIONS', origin: 'https://o.test' },
  { ':path': '/p', ':method': 'POST', body: '' }, { ':path': '/p', ':method': 'POST', 'content-type': 'application/json', body: '{"a": "{{b}}", "c": "\u00e9"}' },
  { ':path': '/p', ':method': 'PUT', 'content-type': 'application/octet-stream', body: Buffer.from(Array.from({ length: 256 }, (_, i) => i)) },
  { ':path': '/p', ':method': 'POST', body: 'no type' }, { ':path': '/g', ':method': 'GET', body: 'a GET with a body' }, { ':path': '/d', ':method': 'DELETE', authorization: 'Bearer x.y.z' },
  { ':path': '/f', ':method': 'POST', 'content-type': 'multipart/form-data; boundary=b', body: '--b\r\nContent-Disposition: form-data; name="a b"\r\n\r\n1\r\n--b--\r\n' },
  { ':path': '/x', 'x-many': ['1', '2', '3'], 'user-agent': 'h2', 'accept-encoding': 'gzip' },
];

test('what was captured in HTTP/2', async (t) => {
  const dir = scratch(t);
  const originCa = makeCa(dir);
  const seen = [];
  const origin = await h2Origin(t, (stream) => { stream.respond({ ':status': 200 }); stream.end('ok'); }, { cert: originCa.issue(), onRequest: (req, res) => {
    const chunks = [];
    req.on('data', (c) => chunks.push(c)).on('end', () => {
      seen.push({ method: req.method, target: req.url, raw: req.rawHeaders, body: Buffer.concat(chunks) });
      res.end('ok');
    });
  } });
  const weir = await startWeir(t, ['--quiet', '--upstream-ca', originCa.caFile, '--session', 'h2']);
  const client = await h2Client(t, { weir, originCa }, origin.port);
  for (const { body, ...headers } of H2) await client.ask(headers, { body });
  client.close();
  await weir.stop();
  const captured = origin.requests;
  assert.equal(captured.length, H2.length);

  const file = path.join(dir, 'h2.json');
  assert.equal((await weir.command(['export', 'collection', 'h2', '--profile', 'faithful', '--secrets', 'keep', '-o', file])).code, 0);
  const { stdout } = await newman(file, { caFile: originCa.caFile });
  assert.equal(seen.length, H2.length, stdout);
  for (const [i, { fields, body }] of captured.entries()) {
    const have = seen[i], of = Object.fromEntries(fields.filter(([n]) => n.startsWith(':')));
    const raw = have.raw.flatMap((v, j) => (j % 2 ? [] : [`${v}: ${have.raw[j + 1]}`]));
    const cookies = fields.filter(([n]) => n === 'cookie').map(([, v]) => v).join('; ');
    const want = fields.filter(([n]) => !n.startsWith(':') && n !== 'content-length').map(([n, v]) => `${n}: ${v}`);
    assert.deepEqual([have.method, have.target], [of[':method'], of[':path']]);
    assert.deepEqual(raw.filter((f) => !HOPS(f) && !isNamed('host')(f)),
      grouped(want.flatMap((f) => (!isNamed('cookie')(f) ? [f] : f === want.find(isNamed('cookie')) ? [`cookie: ${cookies}`] : []))), of[':path']);
    assert.equal(raw.find(isNamed('host')), `Host: ${of[':authority']}`);
    assert.deepEqual(have.body, body, of[':path']);
  }
});
