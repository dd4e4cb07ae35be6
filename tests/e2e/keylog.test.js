// The key log has what it takes to decrypt both sides of what passes: the same secrets that the client and the origin have.
'use strict';
const test = require('node:test');
const assert = require('node:assert/strict');
const fs = require('node:fs');
const path = require('node:path');
const tls = require('node:tls');
const { once } = require('node:events');
const { world } = require('./support/world');
const { WEIR, run, scratch } = require('./support/weir');
const { tunnel } = require('./support/wire');
const { greetedOrigin } = require('./support/greeted');

const TLS13 = ['CLIENT_HANDSHAKE_TRAFFIC_SECRET', 'CLIENT_TRAFFIC_SECRET_0', 'EXPORTER_SECRET', 'SERVER_HANDSHAKE_TRAFFIC_SECRET', 'SERVER_TRAFFIC_SECRET_0'];

const lines = (file) => fs.readFileSync(file, 'latin1').split('\n').slice(0, -1);
const labels = (secrets) => secrets.map((line) => line.split(' ')[0]).sort();
const mode = (file) => (fs.statSync(file).mode & 0o7777).toString(8);

// What a client and the origin know of one request by weir, each as lines of a key log.
async function secrets(t, w, options) {
  const origin = await greetedOrigin(t, w.cert, options);
  const socket = await tunnel(t, w.weir, origin.port, 'localhost');
  const client = [];
  const secure = tls.connect({ socket, servername: 'localhost', ca: fs.readFileSync(w.weir.ca), ...options });
  secure.on('keylog', (line) => client.push(line.toString('latin1').trim()));
  await once(secure, 'secureConnect');
  secure.write(`GET / HTTP/1.1\r\nHost: localhost:${origin.port}\r\nConnection: close\r\n\r\n`);
  let text = '';
  for await (const chunk of secure) text += chunk;
  assert.match(text, /^HTTP\/1.1 200 /);
  return { client, origin: origin.greetings[0].keylog };
}

async function bothSides(t, w, file) {
  for (const [version, wanted] of [['TLSv1.2', ['CLIENT_RANDOM']], ['TLSv1.3', TLS13]]) {
    const before = lines(file).length;
    const { client, origin } = await secrets(t, w, { minVersion: version, maxVersion: version });
    assert.deepEqual(labels(client), wanted);
    assert.deepEqual(labels(origin), wanted);
    assert.notDeepEqual([...client].sort(), [...origin].sort(), 'two connections');
    assert.deepEqual(lines(file).slice(before).sort(), [...client, ...origin].sort());
  }
}

test('the key log', async (t) => {
  await t.test('--keylog has the secrets of both sides', async (t) => {
    const file = path.join(scratch(t), 'keys');
    const w = await world(t, ['--keylog', file]);
    await bothSides(t, w, file);
    assert.equal(mode(file), '600');
  });

  await t.test('without the mirror, too', async (t) => {
    const file = path.join(scratch(t), 'keys');
    const w = await world(t, ['--keylog', file, '--no-mirror']);
    await bothSides(t, w, file);
  });

  await t.test('SSLKEYLOGFILE names it as well; --keylog goes before', async (t) => {
    const dir = scratch(t);
    const [first, second] = [path.join(dir, 'first'), path.join(dir, 'second')];
    const w = await world(t);
    const args = ['--quiet', '--upstream-ca', w.originCa.caFile];
    await w.weir.stop();
    await w.weir.start(args, { env: { SSLKEYLOGFILE: first } });
    await bothSides(t, w, first);
    assert.equal(mode(first), '600');
    await w.weir.stop();
    const had = lines(first).length;
    await w.weir.start([...args, '--keylog', second], { env: { SSLKEYLOGFILE: first } });
    await bothSides(t, w, second);
    assert.equal(lines(first).length, had);
  });

  await t.test('a file that is there is added to, and becomes the owner\'s alone', async (t) => {
    const file = path.join(scratch(t), 'keys');
    fs.writeFileSync(file, '# of before\n', { mode: 0o644 });
    const w = await world(t, ['--keylog', file]);
    assert.equal(mode(file), '600');
    const { client, origin } = await secrets(t, w, {});
    assert.deepEqual(lines(file).sort(), ['# of before', ...client, ...origin].sort());
  });

  await t.test('without either nothing is written', async (t) => {
    const w = await world(t);
    await secrets(t, w, {});
    const files = fs.readdirSync(w.dir, { recursive: true }).map((name) => path.join(w.dir, name)).filter((file) => fs.statSync(file).isFile());
    for (const file of files) assert.doesNotMatch(fs.readFileSync(file, 'latin1'), /CLIENT_RANDOM|TRAFFIC_SECRET/);
  });

  await t.test('one that can\'t be written is told at the start', async (t) => {
    const dir = scratch(t);
    for (const [file, code, words] of [[path.join(dir, 'nowhere', 'keys'), 1, /nowhere/], [dir, 1, /weir-e2e/], ['/dev/null', 3, /no regular file/]]) {
      const ended = await run(WEIR, ['capture', '--listen', '127.0.0.1:0', '--store', path.join(dir, 'db'), '--ca-dir', path.join(dir, 'ca'), '--keylog', file], { timeout: 20000 });
      assert.equal(ended.code, code, ended.stderr);
      assert.match(ended.stderr, words);
      assert.equal(ended.stdout, '');
    }
  });
});
