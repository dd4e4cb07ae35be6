// Header fields reach the other side in the order, case and number in which they were written, byte for byte.
'use strict';
const test = require('node:test');
const assert = require('node:assert/strict');
const { world } = require('./support/world');
const { answerEach } = require('./support/origin');

const FIELDS = [
  'X-b: 2', 'x-A: 1', 'X-B: two', 'Accept:text/plain,  */*;q=0.1 ', 'X-Tabs:\t\tvalue\twith\ttabs\t', 'X-Empty:', 'X-Blank:   ',
  'X-Odd: \x80\xff\xfe "quoted \\" text" {}[]()<>@,;:\\/?=', '!#$%&\'*+-.^_`|~09: token', 'Cookie: a=1; b="2"', 'Cookie: a=1; c=3',
  'X-Long: ' + 'v'.repeat(20000), 'x-b: three',
];

test('header fields pass as they were written', async (t) => {
  const w = await world(t);

  await t.test('in requests', () => w.compare(t, {
    script: answerEach('HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n'),
    scenario: (c) => c.write(`GET ${c.target('/fields?q=1')} HTTP/1.1\r\nhOsT: ${c.host}\r\n${FIELDS.join('\r\n')}\r\n\r\n`)
      .until('\r\n\r\n').then(() => {}),
    check: ([row], way, origin) => {
      assert.equal(row.method, 'GET');
      assert.equal(row.path, '/fields');
      assert.equal(row.query, 'q=1');
      assert.equal(row.state, 1);
      assert.deepEqual(row.request_headers, [`hOsT: 127.0.0.1:${origin.port}`, ...FIELDS].map((line) =>
        [line.slice(0, line.indexOf(':')), line.slice(line.indexOf(':') + 1).replace(/^[ \t]+|[ \t]+$/g, '')]));
    },
  }));

  await t.test('in responses', () => w.compare(t, {
    script: answerEach(`HTTP/1.1 200 Fine, \xe4h\xe4\r\n${FIELDS.join('\r\n')}\r\nSet-Cookie: a=1\r\nset-cookie: b=2; Path=/\r\nContent-Length: 2\r\n\r\nok`),
    scenario: (c) => c.write(`GET ${c.target('/')} HTTP/1.1\r\nHost: ${c.host}\r\n\r\n`).until('\r\n\r\nok').then(() => {}),
    check: ([row]) => {
      assert.equal(row.status, 200);
      assert.equal(row.reason, 'Fine, \xe4h\xe4');
      assert.deepEqual(row.response_headers.slice(0, 4), [['X-b', '2'], ['x-A', '1'], ['X-B', 'two'], ['Accept', 'text/plain,  */*;q=0.1']]);
      assert.deepEqual(row.response_headers.slice(-3), [['Set-Cookie', 'a=1'], ['set-cookie', 'b=2; Path=/'], ['Content-Length', '2']]);
    },
  }));

  await t.test('in answers without a reason, and with an unknown status', async () => {
    for (const line of ['HTTP/1.1 200 ', 'HTTP/1.1 299 Own  reason ', 'HTTP/1.1 599 x'])
      await w.compare(t, {
        script: answerEach(`${line}\r\nContent-Length: 0\r\n\r\n`),
        scenario: (c) => c.write(`GET ${c.target('/')} HTTP/1.1\r\nHost: ${c.host}\r\n\r\n`).until('\r\n\r\n').then(() => {}),
      });
  });
});
