// modes.js: the ports of several listeners, and curl asked twice, without weir and by one of them.
'use strict';
const assert = require('node:assert/strict');
const { run } = require('./weir');
const { until } = require('./client');

// The ports of weir's listeners, in the order in which they were asked for.
async function ports(weir, count) {
  const lines = () => [...weir.stdout.matchAll(/^listening on \S+:(\d+)/gm)];
  await until(() => lines().length >= count, `${count} listeners: ${weir.stdout}`);
  return lines().map(([, port]) => Number(port));
}

// What a client and an origin saw of one curl: { code, text, origin: bytes as text, stderr }. text is the head and the body.
// as: the command that runs curl.
async function curl(origin, args, as = ['curl']) {
  const before = origin.connections.map((c) => c.bytes.length); // weir may use again what it has
  const { code, stdout, stderr } = await run(as[0], [...as.slice(1), '-sSi', '-m', '20', '--suppress-connect-headers', ...args],
    { env: { PATH: process.env.PATH } });
  const seen = origin.connections.map((c, i) => c.bytes.subarray(before[i] ?? 0).toString('latin1'));
  return { code, text: stdout, origin: seen.join(''), stderr };
}

// The same curl without weir and by it: the client and the origin must see the same. direct, proxied: curl's arguments besides
// those of both; as: the command that runs the proxied one. Gives what that one saw.
async function sameCurl(origin, both, { direct = [], proxied, as }) {
  const without = await curl(origin, ['--noproxy', '*', ...direct, ...both]);
  const by = await curl(origin, [...proxied, ...both], as);
  assert.equal(without.code, 0, without.stderr);
  assert.notEqual(without.origin, '', 'the origin was asked');
  assert.deepEqual({ code: by.code, text: by.text, origin: by.origin }, { code: 0, text: without.text, origin: without.origin }, by.stderr);
  return by;
}

module.exports = { ports, curl, sameCurl };
