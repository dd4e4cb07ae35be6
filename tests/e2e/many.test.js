// Two hundred clients at once: each gets its own answer, and each is recorded with its own.
'use strict';
const test = require('node:test');
const assert = require('node:assert/strict');
const fs = require('node:fs');
const https = require('node:https');
const http = require('node:http');
const tls = require('node:tls');
const { makeCa } = require('./support/certs');
const { httpOrigin } = require('./support/origin');
const { startWeir, scratch } = require('./support/weir');

const CLIENTS = 200;

// A POST over a connection of its own through CONNECT: its answer's body.
function ask(weir, port, path, body) {
  return new Promise((resolve, reject) => {
    const target = `localhost:${port}`;
    http.request({ host: '127.0.0.1', port: weir.port, method: 'CONNECT', path: target, agent: false }).on('connect', (res, socket) => {
      const request = https.request({ host: 'localhost', port, path, method: 'POST',
        createConnection: () => tls.connect({ socket, servername: 'localhost', ca: fs.readFileSync(weir.ca) }) });
      request.on('error', reject).on('response', (answer) => {
        let text = '';
        answer.on('data', (d) => { text += d; }).on('end', () => resolve(text)).on('error', reject);
      }).end(body);
    }).on('error', reject).end();
  });
}

test('two hundred at the same time', async (t) => {
  const ca = makeCa(scratch(t));
  const held = [];
  // Nobody is answered before all are there: one that waited for another would wait forever.
  const origin = await httpOrigin(t, (req, res, seen) => {
    held.push(() => res.end(`answer to ${seen.url} ${seen.body}`));
    if (held.length === CLIENTS) held.forEach((answer) => answer());
  }, { cert: ca.issue() });
  const weir = await startWeir(t, ['--upstream-ca', ca.caFile]);
  const numbers = Array.from({ length: CLIENTS }, (_, i) => i);
  const answers = await Promise.all(numbers.map((i) => ask(weir, origin.port, `/${i}`, `body ${i}`)));
  assert.deepEqual(answers, numbers.map((i) => `answer to /${i} body ${i}`));
  assert.deepEqual(await weir.stop(), { code: 0, signal: null });

  const rows = await weir.query('SELECT seq, path, status, state, request_bytes, response_bytes FROM exchange ORDER BY seq');
  assert.equal(rows.length, CLIENTS);
  assert.deepEqual(rows.map((r) => Number(r.path.slice(1))).sort((a, b) => a - b), numbers);
  for (const r of rows) {
    assert.deepEqual([r.status, r.state, r.request_bytes], [200, 1, `body ${r.path.slice(1)}`.length]);
    assert.equal(r.response_bytes, `answer to ${r.path} body ${r.path.slice(1)}`.length);
  }
  for (const r of [rows[0], rows[100], rows[199]]) {
    assert.equal(String(await weir.body(r.seq, 'request')), `body ${r.path.slice(1)}`);
    assert.equal(String(await weir.body(r.seq)), `answer to ${r.path} body ${r.path.slice(1)}`);
  }
});
