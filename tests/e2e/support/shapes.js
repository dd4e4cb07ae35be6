// shapes.js: requests of every shape, sent through weir as bytes, and an origin that notes what bytes came.
'use strict';
const assert = require('node:assert/strict');
const crypto = require('node:crypto');
const fs = require('node:fs');
const net = require('node:net');
const tls = require('node:tls');
const { once } = require('node:events');
const { rawOrigin } = require('./origin');

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

module.exports = { GET, SHAPES, latin1, send, startOrigin, text, told };
