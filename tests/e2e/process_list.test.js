// A password on weir's command line is gone from the list of processes, where everybody on the machine could read it.
'use strict';
const test = require('node:test');
const assert = require('node:assert/strict');
const fs = require('node:fs');
const { startWeir } = require('./support/weir');

test('no password of an option can be read from the list of processes, or from the session', async (t) => {
  const weir = await startWeir(t, ['--proxy-auth', 'me:hunter2', '--via=*.corp.test=http://you:hunter3@proxy.test:3128']);
  const words = fs.readFileSync(`/proc/${weir.pid}/cmdline`, 'latin1').split('\0');
  assert.ok(words.includes('me:*******'), words.join(' '));
  assert.ok(words.includes('--via=*.corp.test=http://***********@proxy.test:3128'), words.join(' '));
  assert.doesNotMatch(words.join(' '), /hunter/);
  const [row] = await weir.query('SELECT options FROM session');
  const options = JSON.parse(row.options);
  assert.equal(options.proxy_auth, true);
  assert.deepEqual(options.via, ['*.corp.test=http://proxy.test:3128']);
  assert.doesNotMatch(row.options, /hunter/);
});
