// Exchanges that are cut, empty, undecodable, lying or enormous: every export is complete, valid and truthful, and twice the same.
'use strict';
const test = require('node:test');
const assert = require('node:assert/strict');
const fs = require('node:fs');
const net = require('node:net');
const path = require('node:path');
const zlib = require('node:zlib');
const SwaggerParser = require('@apidevtools/swagger-parser');
const { PostmanValidator } = require('@har-sdk/validator');
const harValidator = require('har-validator');
const { once } = require('node:events');
const { newman, items } = require('./support/newman');
const { rawOrigin } = require('./support/origin');
const { startWeir, run, scratch } = require('./support/weir');

const OK = 'HTTP/1.1 200 OK\r\n';
const JSON_OK = `${OK}Content-Type: application/json\r\n`;
const sized = (head, body) => Buffer.concat([Buffer.from(`${head}Content-Length: ${Buffer.byteLength(body)}\r\n\r\n`, 'latin1'), Buffer.from(body)]);
const all = Buffer.from(Array.from({ length: 256 }, (_, i) => i));
const GZIP = zlib.gzipSync('{"gzip":true}');

// [name, answer, what the client asks with: head fields and body]. cut: the connection is reset after it.
const ANSWERS = [
  ['nothing', ''], ['nothing-but-a-line', 'HTTP/1.1 200 OK\r\n', { cut: true }], ['no-http', 'SSH-2.0-x\r\n\r\n'],
  ['cut-length', `${JSON_OK}Content-Length: 100\r\n\r\n{"only":`, { cut: true }], ['cut-chunks', `${JSON_OK}Transfer-Encoding: chunked\r\n\r\n5\r\n{"a":\r\n50\r\n1`, { cut: true }],
  ['short-length', `${OK}Content-Length: 2\r\n\r\nmore than that`], ['no-length', `${OK}\r\nuntil the end`], ['length-of-none', `${OK}Content-Length: 0\r\n\r\n`],
  ['two-lengths', `${OK}Content-Length: 2\r\nContent-Length: 3\r\n\r\nabc`], ['bodied-204', 'HTTP/1.1 204 No Content\r\n\r\n'], ['status-999', 'HTTP/1.1 999 \xff\xfe "what?"\r\nContent-Length: 0\r\n\r\n'],
  ['no-reason', 'HTTP/1.1 200\r\nContent-Length: 0\r\n\r\n'], ['interim', `HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n${OK}Content-Length: 0\r\n\r\n`],
  ['not-gzip', sized(`${JSON_OK}Content-Encoding: gzip\r\n`, '{"not":"gzip"}')], ['half-gzip', sized(`${JSON_OK}Content-Encoding: gzip\r\n`, GZIP.subarray(0, 15))],
  ['gzip-and-more', sized(`${JSON_OK}Content-Encoding: gzip\r\n`, Buffer.concat([GZIP, Buffer.from('junk')]))], ['not-br', sized(`${OK}Content-Encoding: br\r\n`, all)],
  ['unknown-coding', sized(`${OK}Content-Encoding: x-rot13\r\n`, 'grkg')], ['coded-twice', sized(`${JSON_OK}Content-Encoding: gzip, gzip\r\n`, zlib.gzipSync(GZIP))],
  ['nested-codings', sized(`${JSON_OK}Content-Encoding: ${'gzip, '.repeat(50)}gzip\r\n`, GZIP)], ['bomb', sized(`${OK}Content-Type: text/plain\r\nContent-Encoding: gzip\r\n`, zlib.gzipSync(Buffer.alloc(20 << 20)))],
  ['invalid-utf8', sized(`${JSON_OK.replace('json', 'json; charset=utf-8')}`, Buffer.from('{"a":"\xff\xfe\xc3"}', 'latin1'))], ['utf16', sized(`${OK}Content-Type: text/plain; charset=utf-16\r\n`, Buffer.from('\ufeffw\u00f6rd', 'utf16le'))],
  ['unknown-charset', sized(`${OK}Content-Type: text/plain; charset=klingon\r\n`, 'qapla')], ['bad-type', sized(`${OK}Content-Type: ;;"\xff/,\r\n`, 'x')], ['no-type', sized(OK, '{"a":1}')],
  ['nul', sized(`${OK}Content-Type: text/plain\r\n`, 'a\0b')], ['controls', sized(`${OK}Content-Type: text/html\r\n`, '\x01\x1b[2J\x7f\u2028\u2029\ufffe\u202e')],
  ['png-as-json', sized(JSON_OK, Buffer.from('\x89PNG\r\n\x1a\n', 'latin1'))], ['json-cut', sized(JSON_OK, '{"a":[1,{"b":')], ['json-deep', sized(JSON_OK, '['.repeat(50000))],
  ['json-deep-whole', sized(JSON_OK, '{"a":'.repeat(5000) + '1' + '}'.repeat(5000))], ['json-surrogate', sized(JSON_OK, '{"a":"\\ud800","\\udfff":"\\u0000"}')], ['json-twice', sized(JSON_OK, '{"a":1,"a":{"a":[]},"":2}{"b":1}')],
  ['json-number', sized(JSON_OK, '[1e999,-0,1E+2,123456789012345678901234567890,0.1000]')], ['json-key', sized(JSON_OK, JSON.stringify({ ['k'.repeat(100000)]: 1, __proto__x: 1, 'a.b/c~d{}': 2 }))],
  ['json-bom', sized(JSON_OK, '\ufeff{"a":1}')], ['json-keys', sized(JSON_OK, JSON.stringify(Object.fromEntries(Array.from({ length: 20000 }, (_, i) => [`k${i}`, i]))))],
  ['mustache', sized(`${OK}X-{{name}}: {{$guid}}\r\nContent-Type: text/plain\r\n`, '{{$guid}} {{baseUrl}} {{{{x}}}} {{'), { query: '?{{a}}={{b}}', fields: ['X-T: {{$timestamp}}'], body: '{{c}}}}' }],
  ['set-cookie', `${OK}Set-Cookie: \r\nSet-Cookie: =\r\nSet-Cookie: ;;;\r\nSet-Cookie: a=b; Domain=; Path=\xff; Expires=never; Max-Age=x\r\nSet-Cookie: {{x}}="y\tz"; Secure\r\nContent-Length: 0\r\n\r\n`],
  ['location', 'HTTP/1.1 302 Found\r\nLocation: http://[::bad/\xff?\\"\r\nContent-Length: 0\r\n\r\n'], ['quotes', sized(`${OK}X: "'\\\`$(id)\r\n`, '"\'`$(id)\\'), { query: "?'=\"&`=$x", fields: ['Q: "\'\\`$(id)'], body: '"\'\\`$(id)!!' }],
  ['form', sized(OK, ''), { fields: ['Content-Type: application/x-www-form-urlencoded'], body: '%zz=%&&=&a=\xff&'.repeat(500) }],
  ['multipart', sized(OK, ''), { fields: ['Content-Type: multipart/form-data; boundary=b'], body: '--b\r\nContent-Disposition: form-data; name="a"\r\n\r\nx\r\n'.repeat(1500) }],
  ['no-boundary', sized(OK, ''), { fields: ['Content-Type: multipart/form-data'], body: '--b' }], ['binary', sized(OK, all), { body: all }],
  ['graphql', sized(OK, ''), { fields: ['Content-Type: application/json'], body: '{"query":"{ {{ \\u0000","variables":null}' }],
  ['lying-request', sized(OK, ''), { fields: ['Content-Type: application/json', 'Content-Encoding: gzip'], body: 'not gzip' }],
  ['big-json', sized(JSON_OK, JSON.stringify(Array.from({ length: 30000 }, (_, i) => ({ i, s: `text ${i}` }))))],
];

async function ask(weir, port, [name, , { query = '', fields = [], body } = {}]) {
  const host = `127.0.0.1:${port}`;
  const socket = net.connect(weir.port, '127.0.0.1');
  socket.on('error', () => {}).resume();
  socket.write(Buffer.concat([Buffer.from([`${body === undefined ? 'GET' : 'POST'} http://${host}/${name}${query} HTTP/1.1`, `Host: ${host}`, ...fields,
    ...(body === undefined ? [] : [`Content-Length: ${Buffer.byteLength(body, 'latin1')}`]), 'Connection: close', '', ''].join('\r\n'), 'latin1'), Buffer.from(body ?? '', 'latin1')]));
  await new Promise((resolve) => { socket.on('close', resolve); });
}

async function capture(t) {
  const mode = { isReplay: false }; // then everything is answered well
  const origin = await rawOrigin(t, (socket, connection) => {
    let isOver = false;
    socket.on('data', () => {
      const text = connection.bytes.toString('latin1');
      const head = text.indexOf('\r\n\r\n');
      const length = Number(/\r\ncontent-length: *(\d+)/i.exec(text.slice(0, head + 2))?.[1] ?? 0);
      if (isOver || head < 0 || connection.bytes.length < head + 4 + length) return;
      isOver = true;
      const [, bytes = sized(`${OK}Connection: close\r\n`, '{}'), { cut } = {}] = mode.isReplay ? [] : ANSWERS.find(([name]) => text.split(' ')[1].split('?')[0] === `/${name}`) ?? [];
      socket.write(typeof bytes === 'string' ? Buffer.from(bytes, 'latin1') : bytes, () => (cut ? socket.resetAndDestroy() : socket.end()));
    });
  });
  const weir = await startWeir(t, ['--quiet', '--session', 'bad', '--max-header-bytes', '1M']);
  for (const answer of ANSWERS) await ask(weir, origin.port, answer);
  const half = net.connect(weir.port, '127.0.0.1'); // a request that is cut
  half.on('error', () => {});
  half.write(`POST http://127.0.0.1:${origin.port}/half HTTP/1.1\r\nHost: 127.0.0.1:${origin.port}\r\nContent-Type: application/json\r\nContent-Length: 10\r\n\r\n{"a":`);
  await weir.waitFor("SELECT 1 FROM exchange WHERE path = '/half'");
  half.destroy();
  await weir.waitFor("SELECT 1 FROM exchange WHERE path = '/half' AND state = 2");
  const closed = net.createServer().listen(0, '127.0.0.1');
  await once(closed, 'listening');
  const { port } = closed.address();
  closed.close();
  await once(closed, 'close');
  await ask(weir, port, ['refused']);
  await weir.stop();
  // What weir itself would not let pass, and imports and other programs may have put there.
  const fields = JSON.stringify(Array.from({ length: 10000 }, (_, i) => [`x-${i}`, `v${i} "\u00ff'`]));
  const odd = JSON.stringify([['a\rb', 'c\r\nd: e'], ['nul', 'a\u0000b'], ['', 'nameless'], ['Host', 'a b'], ['{{x}}', '{{y}}']]);
  const rows = [`INSERT INTO exchange SELECT id + 1000, session, seq + 1000, randomblob(16), state, provisional, started_us, ${Array(12).fill('NULL').join()}, client_addr, origin_addr`
    + `, method, scheme, host, port, '/headers', NULL, 11, 11, 200, 'OK', '${fields.replaceAll("'", "''")}', '${fields.replaceAll("'", "''")}', NULL, NULL, NULL, NULL, NULL, NULL, NULL`
    + `, 0, 0, 0, 0, 0, 0, 0, 0, NULL, NULL, NULL, 1, 0, 0, NULL FROM exchange WHERE path = '/no-length';`,
  `UPDATE exchange SET request_headers = '${odd}', response_headers = '${odd}', reason = 'a' || char(13) || char(0) WHERE path = '/no-reason';`];
  const { code, stderr } = await run('sqlite3', [weir.store], { input: rows.join('\n') });
  assert.equal(code, 0, stderr);
  mode.isReplay = true;
  return { weir, origin };
}

test('bad input in exports', async (t) => {
  const dir = scratch(t);
  const { weir, origin } = await capture(t);
  const count = ANSWERS.length + 3;
  const seqs = (await weir.query('SELECT seq, path, status, state FROM exchange ORDER BY seq'));
  assert.equal(seqs.length, count);
  const write = async (format, name, ...args) => {
    const file = path.join(dir, name);
    const { code, stderr } = await weir.command(['export', format, 'bad', '-o', file, ...args]);
    assert.equal(code, 0, `${format}: ${stderr}`);
    const again = path.join(dir, 'again', name);
    fs.mkdirSync(path.dirname(again), { recursive: true });
    assert.equal((await weir.command(['export', format, 'bad', '-o', again, ...args])).code, 0);
    assert.ok(fs.readFileSync(file).equals(fs.readFileSync(again)), `${format}: twice the same`);
    return { file, text: fs.readFileSync(file, 'utf8'), stderr };
  };

  for (const profile of ['runnable', 'faithful']) {
    await t.test(`collection, ${profile}`, async () => {
      const name = `${profile}.postman_collection.json`;
      const report = path.join(dir, `${profile}.report.json`);
      const { file, text } = await write('collection', name, '--profile', profile, '--report', report);
      assert.deepEqual(await new PostmanValidator().verify(JSON.parse(text)), []);
      const told = new Set(JSON.parse(fs.readFileSync(report, 'utf8')).map((l) => /^exchange (\d+)/.exec(l.what)?.[1]).filter(Boolean).map(Number));
      const silent = seqs.filter((s) => !told.has(s.seq)); // items without a word about them
      assert.ok(silent.length <= (profile === 'faithful' ? items(JSON.parse(text)).length : 0), JSON.stringify(silent));
      origin.connections.splice(0);
      const { executions } = await newman(file, { args: ['--working-dir', path.join(dir, `${name.replace('.json', '')}.files`), '--timeout-request', '30000'] });
      assert.equal(executions.length, items(JSON.parse(text)).length);
      assert.deepEqual(executions.filter((e) => e.code !== 200), []);
    });
  }

  await t.test('har', async () => {
    const har = JSON.parse((await write('har', 'bad.har', '--secrets', 'keep')).text);
    await harValidator.har(har);
    assert.equal(har.log.entries.length, count);
    const of = (name) => har.log.entries.find((e) => new URL(e.request.url).pathname === `/${name}`);
    const bytes = ({ content }) => (content.encoding === 'base64' ? Buffer.from(content.text, 'base64') : Buffer.from(content.text ?? ''));
    for (const name of ['nul', 'invalid-utf8', 'png-as-json', 'binary', 'unknown-coding', 'not-br', 'not-gzip', 'json-surrogate', 'json-deep', 'utf16']) {
      const [, answer] = ANSWERS.find(([n]) => n === name);
      assert.equal(bytes(of(name).response).equals(answer.subarray(answer.indexOf('\r\n\r\n') + 4)), true, name);
    }
    assert.equal(String(bytes(of('coded-twice').response)), '{"gzip":true}');
    assert.equal(bytes(of('bomb').response).length, 20 << 20);
    assert.equal(of('headers').response.headers.length, 10000);
    assert.ok(of('cut-length').response.content.text.startsWith('{"only":'));
    for (const name of ['nothing', 'half']) assert.equal(of(name).response.status, 0, name);
  });

  await t.test('jsonl', async () => {
    const lines = (await write('jsonl', 'bad.jsonl', '--secrets', 'keep')).text.trimEnd().split('\n').map((l) => JSON.parse(l));
    assert.deepEqual(lines.map((l) => l.exchange), seqs.map((s) => s.seq));
    const odd = lines.find((l) => JSON.stringify(l).includes('/no-reason'));
    assert.deepEqual(odd.request_headers.slice(0, 2), [['a\rb', 'c\r\nd: e'], ['nul', 'a\0b']]);
  });

  await t.test('openapi', async () => {
    const { file, text } = await write('openapi', 'bad.openapi.json');
    await SwaggerParser.validate(file);
    assert.ok(Object.keys(JSON.parse(text).paths).includes('/json-deep-whole'));
  });

  await t.test('curl', async () => {
    const { file, text, stderr } = await write('curl', 'bad.sh');
    assert.equal((await run('bash', ['-n', file])).stderr, '');
    assert.equal([...text.matchAll(/^# exchange /gm)].length, count);
    assert.match(stderr, /left out: requests whose body was not kept whole/);
  });

  await t.test('http', async () => {
    const { text } = await write('http', 'bad.http');
    assert.ok([...text.matchAll(/^### /gm)].length >= count - 2);
    assert.ok(![...text].some((c) => c === '\0' || c === '\r'), 'no NUL, no CR');
  });

  await t.test('a second reading of the HAR is the same HAR', async () => {
    const file = path.join(dir, 'bad.har');
    const imported = await weir.command(['import', file, '--session', 'again']);
    assert.equal(imported.code, 0, imported.stderr);
    assert.match(imported.stderr, /9 header fields left out: no message can hold them/);
    const once_ = JSON.parse(fs.readFileSync(file, 'utf8')).log;
    const out = path.join(dir, 'again.har');
    assert.equal((await weir.command(['export', 'har', 'again', '--secrets', 'keep', '-o', out])).code, 0);
    const twice = JSON.parse(fs.readFileSync(out, 'utf8')).log;
    const essence = ({ request, response }) => JSON.stringify([request.method, request.url, request.headers, request.postData, response.status, response.headers,
      response.content.text, response.content.encoding]);
    assert.equal(twice.entries.length, once_.entries.length);
    // Names of fields that are none, as told above; and text that says it is gzip is taken for what a browser has decoded.
    const isLeftOut = (entry) => /\/(no-reason|mustache|lying-request)\b/.test(entry.request.url);
    for (const [i, entry] of once_.entries.entries()) if (!isLeftOut(entry)) assert.equal(essence(twice.entries[i]).slice(0, 2000), essence(entry).slice(0, 2000), entry.request.url);
  });
});
