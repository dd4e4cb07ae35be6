// weir on a terminal: colours and one status line there, plain lines elsewhere, and nothing of a stranger's that moves the cursor.
'use strict';
const test = require('node:test');
const assert = require('node:assert/strict');
const net = require('node:net');
const os = require('node:os');
const { once } = require('node:events');
const { httpOrigin, rawOrigin, answerEach } = require('./support/origin');
const { Terminal } = require('./support/terminal');
const { WEIR, Weir, run, scratch } = require('./support/weir');

// What a terminal shows in the end, as far as weir's own sequences go; any other is an error.
function screen(text) {
  const lines = [''];
  let row = 0;
  let column = 0;
  for (let i = 0; i < text.length;) {
    const sequence = /^\x1b\[([\d;]*)([A-Za-z])/.exec(text.slice(i, i + 16));
    if (sequence) {
      if (sequence[2] === 'K') lines[row] = sequence[1] === '2' ? '' : lines[row].slice(0, column);
      else if (sequence[2] === 'J' && sequence[1] === '') lines[row] = lines[row].slice(0, column);
      else if (sequence[2] !== 'm') throw new Error(`sequence ${JSON.stringify(sequence[0])}`);
      i += sequence[0].length;
    } else {
      const c = text[i++];
      if (c === '\r') column = 0;
      else if (c === '\n') lines[++row] ??= '';
      else if (c < ' ' || c === '\x7f') throw new Error(`control byte ${JSON.stringify(c)} in ${JSON.stringify(text.slice(i - 20, i + 20))}`);
      else lines[row] = lines[row].slice(0, column) + c + lines[row].slice(++column);
    }
  }
  return lines;
}

// Bytes that a terminal may take as commands: C0, and C1 as one byte or in UTF-8.
function assertHarmless(text, what) {
  screen(text);
  const decoded = new TextDecoder('utf-8', { fatal: true }).decode(Buffer.from(text, 'latin1'));
  assert.doesNotMatch(decoded, /[\u0080-\u009f\u202a-\u202e\u2066-\u2069]/, what);
  assert.doesNotMatch(decoded, /\x1b\[[\d;]*4\dm/, what); // no background of weir's making
}

function setUp(t, args = [], { env = {} } = {}) {
  const weir = new Weir(scratch(t));
  const terminal = new Terminal(t, WEIR, ['capture', '--listen', '127.0.0.1:0', '--session', 'live', '--store', weir.store, '--ca-dir', weir.caDir, ...args],
    { env: { ...process.env, TERM: 'xterm', ...env } });
  return { weir, terminal };
}

async function proxyOf(terminal) {
  return Number((await terminal.see(/listening on 127\.0\.0\.1:(\d+)\r\n/))[1]);
}

const fetch = (port, url, ...args) => run('curl', ['-sS', '-o', '/dev/null', '--noproxy', '', '-x', `http://127.0.0.1:${port}`, url, ...args]);

test('on a terminal: a line an exchange in colour, below them one status line, and a summary at Ctrl-C', async (t) => {
  const origin = await httpOrigin(t, (req, res, seen) => res.writeHead(seen.url === '/no' ? 404 : 200).end('x'.repeat(2000)));
  const { terminal } = setUp(t);
  const port = await proxyOf(terminal);
  for (const at of ['/a', '/b', '/no']) await fetch(port, `http://app.localhost:${origin.port}${at}`);
  await terminal.see(/\/no[^]*3 exchanges/);
  const lines = screen(terminal.text);
  for (const at of ['/a', '/b', '/no']) assert.equal(lines.filter((l) => l.endsWith(at)).length, 1, at);
  assert.equal(lines.filter((l) => /3 exchanges/.test(l)).length, 1);
  assert.match(lines.at(-1), /3 exchanges/);
  assert.match(terminal.text, /\x1b\[\d+m/);
  process.kill(terminal.pid(), 'SIGUSR1');
  await terminal.see(/paused/);
  terminal.press('\x03');
  assert.equal(await terminal.ended, 0);
  const end = screen(terminal.text).map((l) => l.trimEnd()).filter(Boolean);
  assert.match(end.at(-2), /^session 'live': 3 exchanges, 1 host, .* 0 errors$/);
  assert.match(end.at(-1), /^export it: weir export collection live -o collection\.json/);
  assert.equal(end.filter((l) => /3 exchanges/.test(l)).length, 1, 'the status line is gone');
});

test('a person may want no colours', async (t) => {
  const origin = await httpOrigin(t, (req, res) => res.end('x'));
  const { terminal } = setUp(t, [], { env: { NO_COLOR: '1' } });
  await fetch(await proxyOf(terminal), `http://app.localhost:${origin.port}/a`);
  await terminal.see(/\/a/);
  terminal.press('\x03');
  await terminal.ended;
  assert.doesNotMatch(terminal.text, /\x1b\[[\d;]*m/);
});

test('elsewhere: plain lines, and with --quiet where it listens', async (t) => {
  const origin = await httpOrigin(t, (req, res) => res.end('x'));
  const weir = new Weir(scratch(t));
  await weir.start([]);
  await fetch(weir.port, `http://app.localhost:${origin.port}/a`);
  await weir.stop();
  assert.match(weir.stdout, /^listening on .*\n[^]*\d\d:\d\d:\d\d\.\d+ GET +200 .*\/a\nsession .*\nexport it: .*\n$/);
  assert.doesNotMatch(weir.stdout + weir.stderr, /[\x00-\x09\x0b-\x1f]/);
  await weir.start(['--quiet']);
  await fetch(weir.port, `http://app.localhost:${origin.port}/a`);
  await weir.stop();
  assert.match(weir.stdout, /^listening on 127\.0\.0\.1:\d+\n$/);
  assert.equal(weir.stderr, '');
});

test('what strangers send commands no terminal, live or later', async (t) => {
  const evil = '\x9b41mA\xc2\x9b2JB\xe2\x80\xaeC'; // CSI as a byte and in UTF-8, and right-to-left override
  const body = '{"a": "\x1b]0;owned\x07\x1b[41m", "b": "\x9b2J"}';
  const origin = await rawOrigin(t, answerEach(Buffer.from(`HTTP/1.1 200 ${evil}\r\nContent-Type: text/plain;${evil}\r\nX-A: ${evil}\r\n`
    + `Set-Cookie: c=${evil}; Path=/${evil}\r\nContent-Length: ${body.length}\r\n\r\n${body}`, 'latin1')));
  const { weir, terminal } = setUp(t);
  const client = net.connect(await proxyOf(terminal), '127.0.0.1');
  client.write(Buffer.from(`GET http://127.0.0.1:${origin.port}/${evil}?${evil} HTTP/1.1\r\nHost: 127.0.0.1:${origin.port}\r\nX: ${evil}\r\n\r\n`, 'latin1'));
  await once(client, 'data');
  client.end(Buffer.from('GET http://127.0.0.1/\x1b[41m HTTP/1.1\r\nHost: \x1b[41m\r\n\r\n', 'latin1'));
  client.resume();
  await terminal.see(/200 /);
  await fetch(await proxyOf(terminal), 'http://nowhere.invalid/');
  await terminal.see(/nowhere/);
  terminal.press('\x03');
  assert.equal(await terminal.ended, 0);
  assertHarmless(terminal.text, 'live');
  for (const command of [['list'], ['show', '1'], ['show', '1', '--body', 'response'], ['cookies'], ['sessions']]) {
    const later = new Terminal(t, WEIR, [...command, '--store', weir.store], { env: { ...process.env, TERM: 'xterm' } });
    await later.ended;
    assert.notEqual(later.text, '', command.join(' '));
    assertHarmless(later.text, command.join(' '));
  }
});

const LAN = Object.values(os.networkInterfaces()).flat().find((i) => !i.internal && i.family === 'IPv4');

test('for phones: addresses of this machine, on a terminal as a QR code, and only with --allow', async (t) => {
  const weir = new Weir(scratch(t));
  const args = ['capture', '--listen', '0.0.0.0:0', '--store', weir.store, '--ca-dir', weir.caDir];
  const refused = await run(WEIR, args);
  assert.equal(refused.code, 2, refused.stderr);
  assert.match(refused.stderr, /^weir: .*--allow.*\n$/);
  const terminal = new Terminal(t, WEIR, [...args, '--allow', '192.168.0.0/16']);
  const port = (await terminal.see(/listening on 0\.0\.0\.0:(\d+)\r\n/))[1];
  await terminal.see(/recording session/);
  terminal.press('\x03');
  assert.equal(await terminal.ended, 0);
  const text = Buffer.from(terminal.text, 'latin1').toString();
  if (!LAN) return assert.doesNotMatch(text, /phones/); // no address that a phone could reach
  assert.match(text, new RegExp(`phones: set the proxy to ${LAN.address}:${port} and open http://weir\\.test/`));
  assert.match(text, /[█▀▄]{8}/);
  assert.ok(text.includes(`http://${LAN.address}:${port}/`));
  return undefined;
});
