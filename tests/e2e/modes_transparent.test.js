// Clients that know of no proxy: a firewall gives their connections to weir. In a network of the test's own; nobody's (the user)
// connections are redirected, weir's own are not.
'use strict';
const { test, before, after } = require('node:test');
const assert = require('node:assert/strict');
const fs = require('node:fs');
const path = require('node:path');
const { execFileSync } = require('node:child_process');
const { startWeir } = require('./support/weir');
const { makeCa } = require('./support/certs');
const { rawOrigin, answerEach } = require('./support/origin');
const { talk } = require('./support/client');
const { ports, sameCurl } = require('./support/modes');
const { insideNamespaces, makeNet } = require('./support/netns');

const inside = insideNamespaces();
const skip = inside ? false : 'no namespaces: not root, or not allowed';

const ANSWER = 'HTTP/1.1 200 OK\r\nX-Case: Kept\r\nContent-Length: 5\r\n\r\nhello';
const NOBODY = 65534;

// 10.9.0.2 and fd00:9::2 by REDIRECT, 10.9.0.3 and fd00:9::3 by TPROXY.
const rules = ([v4, v6]) => `
table inet weir_test {
  chain redirected { type nat hook output priority -100;
    meta skuid ${NOBODY} ip daddr 10.9.0.2 meta l4proto tcp redirect to :${v4}
    meta skuid ${NOBODY} ip6 daddr fd00:9::2 meta l4proto tcp redirect to :${v6}
  }
  chain marked { type route hook output priority -150;
    meta skuid ${NOBODY} ip daddr 10.9.0.3 meta l4proto tcp meta mark set 1
    meta skuid ${NOBODY} ip6 daddr fd00:9::3 meta l4proto tcp meta mark set 1
  }
  chain given { type filter hook prerouting priority -150;
    meta nfproto ipv4 meta mark 1 meta l4proto tcp tproxy ip to :${v4}
    meta nfproto ipv6 meta mark 1 meta l4proto tcp tproxy ip6 to :${v6}
  }
}
`;

let dir, ca, cert, weir, listeners;

// For what is made once and used by all.
const ends = [];
const forAll = { after: (end) => ends.unshift(end) };

before(async () => {
  if (skip) return;
  makeNet();
  dir = fs.mkdtempSync('/tmp/weir-e2e-transparent-');
  ca = makeCa(dir);
  cert = ca.issue(['name.test', '10.9.0.2', '10.9.0.3', 'fd00:9::2', 'fd00:9::3']);
  // IPv6 alone reaches "[::]", so each family has its listener.
  weir = await startWeir(forAll, ['--quiet', '--upstream-ca', ca.caFile, '--allow', '10.9.0.0/24,fd00:9::/64', '--mode', 'transparent',
    '--listen', '0.0.0.0:0', '--listen', '[::]:0'], { dir: path.join(dir, 'weir') });
  listeners = await ports(weir, 2);
  execFileSync('nft', ['-f', '-'], { input: rules(listeners) });
  for (const family of ['-4', '-6']) {
    execFileSync('ip', [family, 'rule', 'add', 'fwmark', '1', 'lookup', '101']);
    execFileSync('ip', [family, 'route', 'add', 'local', 'default', 'dev', 'lo', 'table', '101']);
  }
  // Where nobody may read.
  fs.chmodSync(dir, 0o755);
  fs.mkdirSync(path.join(dir, 'public'));
  fs.copyFileSync(weir.ca, path.join(dir, 'public', 'weir.pem'));
  fs.copyFileSync(ca.caFile, path.join(dir, 'public', 'origin.pem'));
  fs.chmodSync(path.join(dir, 'public', 'weir.pem'), 0o644);
  fs.chmodSync(path.join(dir, 'public', 'origin.pem'), 0o644);
});

after(async () => {
  if (skip) return;
  for (const end of ends) await end();
  fs.rmSync(dir, { recursive: true, force: true });
});

// curl as root, whom nobody redirects, and as nobody.
async function compare(origin, url, more = []) {
  const asNobody = ['setpriv', '--reuid', String(NOBODY), '--regid', String(NOBODY), '--clear-groups', 'curl'];
  return sameCurl(origin, ['--noproxy', '*', ...more, url], {
    direct: ['--cacert', path.join(dir, 'public', 'origin.pem')],
    proxied: ['--cacert', path.join(dir, 'public', 'weir.pem')],
    as: asNobody,
  });
}

async function recorded(port) {
  const [row] = await weir.waitFor(`select * from exchange where port = ${port} and state <> 0`);
  return row;
}

for (const [how, address] of [['REDIRECT', '10.9.0.2'], ['TPROXY', '10.9.0.3'], ['REDIRECT', 'fd00:9::2'], ['TPROXY', 'fd00:9::3']])
  for (const scheme of ['http', 'https']) {
    const isV6 = address.includes(':');
    const host = isV6 ? `[${address}]` : address;

    test(`${scheme} to ${host} by ${how}`, { skip }, async (t) => {
      const origin = await rawOrigin(t, answerEach(ANSWER), { cert: scheme === 'https' ? cert : undefined, host: address });
      await compare(origin, `${scheme}://${host}:${origin.port}/a?b`);
      const row = await recorded(origin.port);
      assert.deepEqual([row.state, row.scheme, row.host, row.path, row.query, row.status, row.origin_addr],
        [1, scheme, address, '/a', 'b', 200, `${host}:${origin.port}`]);
    });

    test(`${scheme} to a name at ${host} by ${how}`, { skip }, async (t) => {
      const origin = await rawOrigin(t, answerEach(ANSWER), { cert: scheme === 'https' ? cert : undefined, host: address });
      await compare(origin, `${scheme}://name.test:${origin.port}/`, ['--resolve', `name.test:${origin.port}:${host}`]);
      const row = await recorded(origin.port);
      assert.deepEqual([row.scheme, row.host, row.status, row.origin_addr], [scheme, 'name.test', 200, `${host}:${origin.port}`],
        'the address is dialled, the name is recorded');
    });
  }

test('a client that comes directly reaches nobody else, and weir stays up', { skip }, async (t) => {
  const origin = await rawOrigin(t, answerEach(ANSWER), { host: '10.9.0.2' });
  const wire = await talk(t, listeners[0], `GET / HTTP/1.1\r\nHost: 10.9.0.2:${origin.port}\r\nConnection: close\r\n\r\n`);
  assert.doesNotMatch(wire.text, /hello/);
  assert.equal(origin.connections.length, 0);
  await compare(origin, `http://10.9.0.2:${origin.port}/`);
});

test('weir ends well after all that', { skip }, async () => {
  assert.deepEqual(await weir.stop(), { code: 0, signal: null });
});
