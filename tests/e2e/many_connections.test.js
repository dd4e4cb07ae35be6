// Two hundred clients at once, plain and intercepted, each with its own answers, all of them recorded.
'use strict';
const test = require('node:test');
const assert = require('node:assert/strict');
const fs = require('node:fs');
const { world } = require('./support/world');
const { httpOrigin } = require('./support/origin');
const { connect, secure, tunnel } = require('./support/wire');

test('200 concurrent connections', async (t) => {
  const w = await world(t);
  for (const isTls of [false, true])
    await t.test(isTls ? 'intercepted' : 'plain', async () => {
      const waiting = [];
      const origin = await httpOrigin(t, (req, res) => {
        // Nobody is answered before everybody has asked.
        waiting.push(() => res.end(`<${req.url}>`));
        if (waiting.length === 200) waiting.splice(0).forEach((answer) => answer());
      }, { cert: isTls ? w.cert : undefined });
      const ca = fs.readFileSync(w.weir.ca);
      const base = isTls ? '' : `http://127.0.0.1:${origin.port}`;
      await Promise.all(Array.from({ length: 200 }, async (_, i) => {
        const c = isTls ? await secure(await tunnel(t, w.weir, origin.port), { ca }) : await connect(t, w.weir.port);
        for (const round of ['a', 'b']) {
          c.write(`GET ${base}/${round}${i} HTTP/1.1\r\nHost: 127.0.0.1:${origin.port}\r\n\r\n`);
          await c.until(`</${round}${i}>`);
        }
        assert.equal(c.text.split('HTTP/1.1 200 OK').length, 3);
      }));
      const rows = await w.recorded(origin.port, 400);
      assert.equal(new Set(rows.map((row) => row.path)).size, 400);
      assert.ok(rows.every((row) => row.state === 1 && row.status === 200));
    });
});
