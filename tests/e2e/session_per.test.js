// --session-per: a session for each client, listener or user, with what each did and nothing else.
'use strict';
const test = require('node:test');
const assert = require('node:assert/strict');
const { httpOrigin } = require('./support/origin');
const { startWeir, run } = require('./support/weir');

const curl = async (...args) => {
  const { code, stderr } = await run('curl', ['-sS', '-o', '/dev/null', '--noproxy', '', ...args]);
  assert.equal(code, 0, stderr);
};

// Each session's name with the paths in it.
async function sessions(weir, count) {
  await weir.waitFor(`select 1 from (select count(*) as n from exchange where state != 0) where n = ${count}`);
  const rows = await weir.query(`select name, group_concat(path, ' ') as paths from session left join exchange on exchange.session = session.id
    group by session.id order by session.id`);
  return Object.fromEntries(rows.map(({ name, paths }) => [name, paths && paths.split(' ').sort()]));
}

test('a session for each client', async (t) => {
  const origin = await httpOrigin(t, (req, res) => res.end('here'));
  const weir = await startWeir(t, ['--quiet', '--session', 'home', '--session-per', 'client']);
  const get = (from, path) => curl('--interface', from, '-x', weir.url, `http://127.0.0.1:${origin.port}${path}`);
  await get('127.0.0.1', '/a');
  await Promise.all([get('127.0.0.2', '/b'), get('127.0.0.1', '/c')]);
  await get('127.0.0.2', '/d');
  assert.deepEqual(await sessions(weir, 4), { home: null, 'home - 127.0.0.1': ['/a', '/c'], 'home - 127.0.0.2': ['/b', '/d'] });
  const { stdout } = await weir.command(['list', 'home - 127.0.0.2', '--json']);
  assert.deepEqual(stdout.trim().split('\n').map((l) => JSON.parse(l).exchange), [1, 2]);
  assert.deepEqual(await weir.stop(), { code: 0, signal: null });
  assert.deepEqual(await weir.query('select distinct state from session'), [{ state: 'ended' }]);
});

test('a session for each listener', async (t) => {
  const origin = await httpOrigin(t, (req, res) => res.end('here'));
  const weir = await startWeir(t, ['--quiet', '--session', 'two', '--session-per', 'listener', '--listen', '127.0.0.1:0', '--listen', '127.0.0.2:0']);
  const second = /^listening on (127\.0\.0\.2:\d+)$/m;
  while (!second.test(weir.stdout)) await new Promise((resolve) => setImmediate(resolve));
  const other = second.exec(weir.stdout)[1];
  await curl('-x', weir.url, `http://127.0.0.1:${origin.port}/one`);
  await curl('-x', `http://${other}`, `http://127.0.0.1:${origin.port}/two`);
  assert.deepEqual(await sessions(weir, 2), { two: null, 'two - 127.0.0.1:0': ['/one'], 'two - 127.0.0.2:0': ['/two'] });
});

test('a session for each user', async (t) => {
  const origin = await httpOrigin(t, (req, res) => res.end('here'));
  const weir = await startWeir(t, ['--quiet', '--session', 'users', '--session-per', 'user', '--proxy-auth', 'ann:secret']);
  for (const path of ['/a', '/b']) await curl('-x', weir.url, '--proxy-user', 'ann:secret', `http://127.0.0.1:${origin.port}${path}`);
  assert.deepEqual(await sessions(weir, 2), { users: null, 'users - ann': ['/a', '/b'] });
});
