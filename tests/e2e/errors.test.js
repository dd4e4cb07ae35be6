// Whatever is wrong at the start is one clear line, exit 1 or 2, and changes nothing.
'use strict';
const { test } = require('node:test');
const assert = require('node:assert/strict');
const fs = require('node:fs');
const path = require('node:path');
const net = require('node:net');
const { once } = require('node:events');
const { Weir, MEASURED, WEIR, startWeir, run, scratch } = require('./support/weir');

// Every file below dir, with its mode and bytes.
function picture(dir) {
  return fs.readdirSync(dir, { recursive: true }).sort().filter((name) => !/-(shm|wal)$|\.lock$/.test(name)).map((name) => {
    const file = path.join(dir, name);
    const stat = fs.lstatSync(file);
    return [name, stat.mode, stat.isFile() ? fs.readFileSync(file, 'latin1') : ''];
  });
}

// `weir capture` with these arguments on the store and CA of weir fails: status and the whole of stderr.
async function fails(weir, args, status, line) {
  const result = await run(WEIR, ['capture', '--listen', '127.0.0.1:0', '--store', weir.store, '--ca-dir', weir.caDir, ...args],
    { timeout: 20000 });
  assert.equal(result.stdout, '', args.join(' '));
  assert.match(result.stderr, /^weir: [^\n]+\n$/);
  assert.match(result.stderr, line);
  assert.equal(result.code, status, result.stderr);
}

// A folder in which weir has run once, and ended.
async function used(t) {
  const weir = await startWeir(t, ['--session', 'kept']);
  assert.equal((await weir.stop()).code, 0);
  return weir;
}

const WRONG = [
  [['--bogus'], 2, /'--bogus'/],
  [['extra'], 2, /'extra'/],
  [['--listen', 'nonsense'], 2, /'nonsense'.*127\.0\.0\.1:8080/],
  [['--listen', '127.0.0.1:70000'], 2, /'127\.0\.0\.1:70000'/],
  [['--listen', '0.0.0.0:0'], 2, /--allow/],
  [['--allow', 'everybody'], 2, /'everybody'/],
  [['--max-body', '1q'], 2, /'--max-body'.*'1q'/],
  [['--max-header-bytes', '1'], 2, /'--max-header-bytes'/],
  [['--log-level', 'loud'], 2, /'--log-level'.*'loud'/],
  [['--session', '123'], 2, /'123'/],
  [['--session', 'a/b'], 2, /'a\/b'/],
  [['--filter', 'colour:blue'], 2, /'colour'/],
  [['--filter', 'status:abc'], 2, /'status'.*column 1/],
  [['--filter', 'path:/x "open'], 2, /filter/],
  [['--filter', 're:/(/'], 2, /filter/],
  [['--upstream-ca', '/dev/null/none.pem'], 2, /'\/dev\/null\/none\.pem'/],
  [['--upstream-ca', '/etc/hostname'], 2, /'\/etc\/hostname'.*PEM/],
];

test('a wrong option, address, name or filter word', async (t) => {
  const weir = await used(t);
  const before = picture(weir.dir);
  for (const [args, status, line] of WRONG) await fails(weir, args, status, line);
  const sessions = await weir.query('SELECT name, state FROM session');
  assert.deepEqual(sessions, [{ name: 'kept', state: 'ended' }]);
  assert.deepEqual(picture(weir.dir).map(([name, mode]) => [name, mode]), before.map(([name, mode]) => [name, mode]));
});

test('a wrong option leaves no store and no CA behind', async (t) => {
  const weir = new Weir(scratch(t));
  await fails(weir, ['--bogus'], 2, /'--bogus'/);
  await fails(weir, ['--filter', 'colour:blue'], 2, /'colour'/);
  assert.deepEqual(picture(weir.dir), []);
});

test('a port in use names the process that holds it', async (t) => {
  const weir = await used(t);
  const holder = net.createServer();
  holder.listen(0, '127.0.0.1');
  await once(holder, 'listening');
  t.after(() => holder.close());
  const { port } = holder.address();
  await fails(weir, ['--listen', `127.0.0.1:${port}`], 1, new RegExp(`127\\.0\\.0\\.1:${port}.*\\b${process.pid}\\b`));
  const other = await startWeir(t);
  await fails(weir, ['--listen', `127.0.0.1:${other.port}`], 1, new RegExp(`\\bweir\\b.*\\b${other.pid}\\b`));
  assert.deepEqual(await weir.query('SELECT name FROM session'), [{ name: 'kept' }]);
});

test('a store that is not one of weir stays as it is', async (t) => {
  const dir = scratch(t);
  const good = await used(t);
  const stores = {
    'text.db': (file) => fs.writeFileSync(file, 'shopping list: bread\n'.repeat(100)),
    'foreign.db': (file) => run('sqlite3', [file, 'CREATE TABLE recipe (name TEXT); INSERT INTO recipe VALUES (1)']),
    'newer.db': async (file) => {
      fs.copyFileSync(good.store, file);
      await run('sqlite3', [file, 'PRAGMA user_version = 9999']);
    },
    'cut.db': (file) => fs.writeFileSync(file, fs.readFileSync(good.store).subarray(0, 5000)),
  };
  const lines = { 'text.db': /is not a store of weir/, 'foreign.db': /is a database of another program/, 'newer.db': /newer/, 'cut.db': /'.*cut\.db'/ };
  for (const [name, make] of Object.entries(stores)) {
    const weir = new Weir(dir);
    weir.store = path.join(dir, name);
    await make(weir.store);
    fs.chmodSync(weir.store, 0o600);
    const before = fs.readFileSync(weir.store);
    await fails(weir, [], 1, lines[name]);
    for (const command of [['list'], ['sessions'], ['export', 'har']]) {
      const { code, stdout, stderr } = await weir.command(command);
      assert.deepEqual([code, stdout], [1, ''], `${name} ${command}`);
      assert.match(stderr, /^weir: [^\n]+\n$/);
    }
    assert.ok(fs.readFileSync(weir.store).equals(before), name);
  }
  await fails({ store: dir, caDir: path.join(dir, 'ca') }, [], 1, /is not a file/);
  await fails({ store: '/dev/null/x/weir.db', caDir: path.join(dir, 'ca') }, [], 1, /\/dev\/null/);
});

test('nobody but its owner may read a store', { skip: process.getuid() !== 0 && 'not root' },
  async (t) => {
    const weir = await used(t);
    assert.equal(fs.statSync(weir.store).mode & 0o777, 0o600);
    fs.chmodSync(weir.dir, 0o755);
    // One that counts lines would say, too, that nobody may write its counts.
    const nobody = await run('setpriv', ['--reuid=65534', '--regid=65534', '--clear-groups', MEASURED || WEIR, 'list', '--store', weir.store]);
    assert.equal(nobody.code, 1);
    assert.match(nobody.stderr, /^weir: [^\n]*Permission denied[^\n]*\n$/i);
  });

test('a CA key that others may read, is missing or is not the key', async (t) => {
  const weir = await used(t);
  const key = path.join(weir.caDir, 'ca-key.pem');
  const good = fs.readFileSync(key);
  fs.chmodSync(key, 0o644);
  await fails(weir, [], 1, /ca-key\.pem.*chmod 600/);
  assert.equal(fs.statSync(key).mode & 0o777, 0o644, 'it is not for weir to decide');
  fs.chmodSync(key, 0o600);
  fs.writeFileSync(key, 'not a key');
  await fails(weir, [], 1, /ca-key\.pem/);
  fs.rmSync(key);
  await fails(weir, [], 1, /ca-key\.pem/);
  assert.equal(fs.existsSync(key), false, 'a certificate that is trusted somewhere is not replaced');
  fs.writeFileSync(key, good, { mode: 0o600 });
  const again = await startWeir(t, [], { dir: weir.dir });
  assert.equal((await again.stop()).code, 0);
});
