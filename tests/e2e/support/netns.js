// netns.js: a test file that runs in namespaces of its own: network, mounts and processes. The file starts itself again in
// there, under the same test runner, so that weir, origins, name servers and clients are ordinary code; when its first
// process ends the kernel takes away all the rest. Needs root.
'use strict';
const fs = require('node:fs');
const os = require('node:os');
const path = require('node:path');
const { spawnSync, execFileSync } = require('node:child_process');

// Whoever ends first takes the other along: unshare ends with us, and what is inside with unshare.
const ENTER = ['--pdeathsig', 'KILL', 'unshare', '--net', '--mount', '--propagation', 'private', '--pid', '--fork',
  '--kill-child', '--mount-proc'];

function ip(...args) {
  return execFileSync('ip', args, { stdio: ['ignore', 'pipe', 'pipe'] }).toString();
}

// True inside. Outside: does not return where namespaces can be made; false where not, with nothing changed.
function insideNamespaces() {
  if (process.env.WEIR_TEST_INSIDE === process.argv[1]) {
    ip('link', 'set', 'lo', 'up');
    return true;
  }
  if (spawnSync('setpriv', [...ENTER, 'ip', 'link', 'set', 'lo', 'up'], { stdio: 'ignore' }).status !== 0) return false;
  const inside = spawnSync('setpriv', [...ENTER, process.execPath, ...process.execArgv, ...process.argv.slice(1)],
    { stdio: 'inherit', env: { ...process.env, WEIR_TEST_INSIDE: process.argv[1] } });
  process.exit(inside.status ?? 1);
}

// Replaces the file for this file's processes only.
function bindOver(target, source) {
  execFileSync('mount', ['--bind', source, target]);
}

// A folder with room for so many bytes ('8m') that goes away with the test t.
function smallDisk(t, size) {
  const dir = fs.mkdtempSync(path.join(os.tmpdir(), 'weir-e2e-disk-'));
  execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${size}`, 'none', dir]);
  t.after(() => {
    execFileSync('umount', ['--lazy', dir]);
    fs.rmdirSync(dir);
  });
  return dir;
}

// The net that all of a file's tests share. A cable whose other end has no address: what is sent to an address on it that
// nobody has is gone without a word.
//   lo       10.9.0.1..9 and fd00:9::1..9 answer like 127.0.0.1
//   veth     10.9.1.0/24 and fd00:9:1::/64: silence; fd00:bad::/64: "no route" at once
function makeNet() {
  for (let n = 1; n <= 9; n++) {
    ip('addr', 'add', `10.9.0.${n}/32`, 'dev', 'lo');
    ip('-6', 'addr', 'add', `fd00:9::${n}/128`, 'dev', 'lo', 'nodad');
  }
  const mac = '02:00:00:00:09:01';
  ip('link', 'add', 'near', 'type', 'veth', 'peer', 'name', 'far', 'address', mac);
  for (const end of ['near', 'far']) ip('link', 'set', end, 'up');
  ip('addr', 'add', '10.9.1.1/24', 'dev', 'near');
  ip('-6', 'addr', 'add', 'fd00:9:1::1/64', 'dev', 'near', 'nodad');
  for (const address of ['10.9.1.66', '10.9.1.67', 'fd00:9:1::66'])
    ip('neigh', 'replace', address, 'lladdr', mac, 'dev', 'near', 'nud', 'permanent');
  ip('-6', 'route', 'add', 'unreachable', 'fd00:bad::/64');
  // So that a rule of ours can come before the table of local addresses.
  ip('rule', 'add', 'priority', '10', 'lookup', 'local');
  ip('rule', 'del', 'priority', '0');
  ip('route', 'add', 'default', 'via', '10.9.1.66', 'dev', 'near', 'table', '100');
}

// From now on nothing reaches the address, on connections that are there already neither.
function blackHole(address) {
  ip('rule', 'add', 'priority', '5', 'to', address, 'lookup', '100');
}

module.exports = { insideNamespaces, bindOver, smallDisk, makeNet, blackHole };
