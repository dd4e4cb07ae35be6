// shapes.js: requests of every shape, sent through weir as bytes, and an origin that notes what bytes came.
'use strict';
const assert = require('node:assert/strict');
const crypto = require('node:crypto');
const fs = require('node:fs');
const net = require('node:net');
const tls = require('node:tls');
const zlib = require('node:zlib');
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

// A target may ask for an answer: /answer/302, /answer/cookie.
function answerOf(line) {
  const [, asked] = / \/answer\/(\w+)/.exec(line) ?? [];
  if (asked === 'cookie') return 'HTTP/1.1 200 OK\r\nSet-Cookie: given=by-the-origin; Path=/\r\n';
  if (!asked) return 'HTTP/1.1 200 OK\r\n';
  return `HTTP/1.1 ${asked} Asked For\r\n${asked[0] === '3' ? 'Location: /elsewhere\r\n' : ''}`;
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
        : `${answerOf(request.line)}Content-Length: 3\r\nConnection: close\r\n\r\nok\n`);
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
  // paths that read as something else in a collection
  GET('/:id'), GET('/:id/:id?:id=:id'), GET('/p:batchGet'), GET('/a=b'), GET('/{{a}}/{{b.c}}?{{k}}={{v}}'), GET('/%7B%7Bx%7D%7D'), GET('/{id}'),
  GET('/a%3Fb%23c'), GET('/a%252Fb'), GET('/%C3%A9/%c3%a9'), GET('/~user/.well-known/'), GET('/a/b/'), GET('//a//b//'), GET('/a?'), GET('/a?&'), GET('/a?&&'),
  // queries
  GET('/?='), GET('/?=x'), GET('/?a&a=&a=1&b&a'), GET('/?a=b=c&d==e'), GET('/?q=a+b%20c%2Bd'), GET('/?x=%zz&y=%'), GET('/?%61=%62'), GET("/?q='\"<>"),
  GET('/?caf\xc3\xa9=\xe2\x82\xac'), GET('/?a;b;c=1'), GET('/?a[]=1&a[]=2&b[c][d]=3'), GET('/?json={"a":[1,{"b":"{{c}}"}]}'), GET('/?u=http://x.test/?y=1%26z'),
  GET('/?a=1?b=2'), GET('/?/../x'), GET('/?$guid={{$guid}}&t={{$timestamp}}'), GET('/?__proto__=1&constructor=2'), GET(`/?long=${'q'.repeat(20000)}`),
  // header fields that read as something else
  GET('/', 'X-Template: {{name}} {{$guid}}'), GET('/', 'X-Json: {"a": "b"}'), GET('/', 'X-Comma: a, b', 'X-Comma: c'), GET('/', 'Cookie: __proto__=1; a=%20; b=c=d'),
  GET('/', 'Postman-Token: mine', 'Cache-Control: no-store'), GET('/', '__proto__: x', 'constructor: y', 'toString: z'), GET('/', 'If-Modified-Since: x', 'Pragma: y'),
  GET('/', 'Accept-Language: de', 'Sec-Fetch-Mode: cors', 'DNT: 1', 'Origin: http://o.test', 'X-Requested-With: XMLHttpRequest', 'traceparent: 00-1-2-00'),
  GET('/', 'Authorization: Bearer a.b.c'), GET('/', 'Authorization: Basic bm9jb2xvbg=='), GET('/', 'Authorization: Digest username="u", nonce="n"'),
  GET('/', 'Authorization: Negotiate YII='), GET('/', 'authorization: bearer lower', 'X-API-Key: k3y-0123456789abcdef'), GET('/', 'X-Number: 1', '1: 2'),
  // answers that send a client elsewhere, or give it something to bring back
  ...['301', '302', '303', '307', '308'].map((status) => GET(`/answer/${status}`)), { method: 'POST', target: '/answer/302', fields: ['Content-Type: text/plain'], body: text('once') },
  GET('/answer/cookie', 'Cookie: mine=1'), GET('/after/cookie'), GET('/answer/401'), GET('/answer/500'),
  // bodies by their kind
  ...['a=1&b=2', 'a=1&a=2&b=3&a=4', '=x&y=&z', 'a=%7E%21%2A&b=~!*', 'a=b+c', 'caf%C3%A9=%E2%82%AC', '%zz=%', '1=2&0=1', 'a={{b}}', '', '&&', 'a=b\r\n'].map((s) => (
    { method: 'POST', target: '/form', fields: ['Content-Type: application/x-www-form-urlencoded'], body: text(s) })),
  ...['{"a":1}', ' {"a": 1.0, "a": 2}\n', '[1,2,3]', '"text"', '1e400', '{"u":"http://x//y"}', '{"c":1} // not JSON', '{"t":"{{$randomInt}}"}', '{', '\ufeff{"bom":true}',
    '{"nul":"\\u0000"}', '{"emoji":"\ud83d\udc1f"}'].map((s) => ({ method: 'PUT', target: '/json', fields: ['Content-Type: application/json'], body: text(s) })),
  { method: 'POST', target: '/json', fields: ['Content-Type: application/json'], body: latin1('{"invalid":"\xff\xfe"}') },
  { method: 'POST', target: '/graphql', fields: ['Content-Type: application/json'], body: text('{"query":"query A($x: ID!) { a(x: $x) }","operationName":"A","variables":{"x":"{{y}}"}}') },
  { method: 'POST', target: '/graphql', fields: ['Content-Type: application/json'], body: text('[{"query":"{ a }"},{"query":"{ b }"}]') },
  { method: 'POST', target: '/graphql', fields: ['Content-Type: application/json'], body: text('{"query":"{ a }","extensions":{"persistedQuery":{"version":1}}}') },
  { method: 'POST', target: '/graphql', fields: ['Content-Type: application/graphql'], body: text('query { a }') },
  { method: 'POST', target: '/xml', fields: ['Content-Type: text/xml; charset=utf-8', 'SOAPAction: "urn:a"'], body: text('<?xml version="1.0"?>\n<a b="c">d</a>') },
  { method: 'POST', target: '/text', fields: ['Content-Type: text/plain; charset=iso-8859-1'], body: latin1('caf\xe9') },
  { method: 'POST', target: '/text', fields: ['Content-Type: text/plain; charset=utf-16le'], body: Buffer.from('caf\u00e9', 'utf16le') },
  { method: 'POST', target: '/gzip', fields: ['Content-Type: application/json', 'Content-Encoding: gzip'], body: zlib.gzipSync('{"a":1}') },
  { method: 'POST', target: '/br', fields: ['Content-Type: text/plain', 'Content-Encoding: br'], body: zlib.brotliCompressSync('a text') },
  { method: 'PATCH', target: '/merge', fields: ['Content-Type: application/merge-patch+json'], body: text('{"a":null}') },
  { method: 'POST', target: '/proto', fields: ['Content-Type: application/x-protobuf'], body: latin1('\x0a\x03abc\x10\x96\x01') },
  // multipart
  ...[
    'name="a"\r\n\r\nplain', 'name="with space"\r\n\r\n x ', 'name="q\\"uote"\r\n\r\nx', 'name="a%22b%0D%0Ac"\r\n\r\nx', 'name="caf\xc3\xa9"\r\n\r\n\xe2\x82\xac',
    'name="a"\r\n\r\nline\r\nline\nline\r\n', 'name="a"\r\n\r\n', 'name=""\r\n\r\nx', 'name="f"; filename="a.txt"\r\nContent-Type: text/plain\r\n\r\nfile',
    'name="f"; filename="a b;c.bin"\r\nContent-Type: application/octet-stream\r\n\r\n\x00\xff\r\n\r\n', 'name="f"; filename="\xe2\x82\xac.png"\r\nContent-Type: image/png\r\n\r\n\x89PNG',
    'name="f"; filename=""\r\nContent-Type: application/octet-stream\r\n\r\n', 'name="f"; filename="n"\r\n\r\nno type', 'name="{{t}}"\r\n\r\n{{$guid}}',
    'name="j"\r\nContent-Type: application/json\r\n\r\n{"a":1}', 'name="x"\r\nContent-Transfer-Encoding: 8bit\r\n\r\nx',
    'name="a"\r\n\r\n1\r\n--b\r\nContent-Disposition: form-data; name="a"\r\n\r\n2',
  ].map((part) => ({ method: 'POST', target: '/multipart', fields: ['Content-Type: multipart/form-data; boundary=b'],
                     body: latin1(`--b\r\nContent-Disposition: form-data; ${part}\r\n--b--\r\n`) })),
  { method: 'POST', target: '/multipart', fields: ['Content-Type: multipart/form-data; boundary="quoted b"'],
    body: text('preamble\r\n--quoted b\r\nContent-Disposition: form-data; name="a"\r\n\r\nx\r\n--quoted b--\r\nepilogue') },
  { method: 'POST', target: '/multipart', fields: ['Content-Type: multipart/form-data'], body: text('--no\r\n\r\nboundary\r\n--no--\r\n') },
  { method: 'POST', target: '/multipart', fields: ['Content-Type: multipart/mixed; boundary=b'], body: text('--b\r\n\r\nx\r\n--b--\r\n') },
  // bodies of methods that have none as a rule
  ...['GET', 'COPY', 'PURGE', 'UNLOCK', 'OPTIONS'].map((method) => ({ method, target: '/bodied', fields: ['Content-Type: application/json'], body: text('{"a":1}') })),
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
  assert.match(Buffer.concat(answer).toString('latin1'), /^HTTP\/1\.1 (100 Continue\r\n\r\nHTTP\/1\.1 )?\d{3} \w[\w ]*\r\n/, JSON.stringify(shape).slice(0, 200));
}

// In words, for a diff that can be read: long bodies by their digest.
function told(request) {
  const { body } = request;
  return { ...request, body: body.length > 200 ? `${body.length} ${crypto.createHash('sha256').update(body).digest('hex')}` : body.toString('latin1') };
}

module.exports = { GET, SHAPES, latin1, send, startOrigin, text, told };
