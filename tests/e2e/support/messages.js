// messages.js: what a session holds of the messages of an exchange, by the store and by weir show, which are to agree.
'use strict';
const assert = require('node:assert/strict');

// Each one: { direction, kind, bytes, wire_bytes, payload (a Buffer; null: not kept), ... } as `weir show --messages --json` tells it.
async function shown(weir, seq) {
  const { code, stdout, stderr } = await weir.command(['show', String(seq), '--messages', '--json']);
  assert.equal(code, 0, stderr);
  return stdout.trim().split('\n').filter(Boolean).map((line) => {
    const { text, base64, ...rest } = JSON.parse(line);
    return { ...rest, payload: text !== undefined ? Buffer.from(text) : base64 !== undefined ? Buffer.from(base64, 'base64') : null };
  });
}

// The messages of exchange row, which is over, after a look whether all places that tell of them agree.
async function messagesOf(weir, row) {
  const messages = await shown(weir, row.seq);
  const stored = await weir.query(`select n, direction, kind, size, wire_size, length(payload) as kept from message
    where exchange = ${row.id} order by n`);
  const { stdout } = await weir.command(['show', String(row.seq), '--json']);
  const whole = JSON.parse(stdout);
  assert.deepEqual(stored.map((m) => [m.n, m.direction ? 'response' : 'request', m.kind, m.size, m.wire_size, m.kept]),
    messages.map((m) => [m.message, m.direction, m.kind, m.bytes, m.wire_bytes, m.payload && m.payload.length]));
  assert.deepEqual(messages.map((m) => m.message), messages.map((_, i) => i + 1));
  assert.equal(row.messages, messages.length);
  assert.equal(whole.message_count, messages.length);
  return messages;
}

// One message as a line, to be compared: 'text hello', 'close 1000 bye', with what was wrong behind it.
function line(m) {
  const payload = m.payload === null ? '-' : m.payload.length > 100 ? `${m.payload.length} kept` : m.payload.toString('latin1');
  const marks = ['truncated', 'incomplete', 'compressed', 'undecoded', 'bad_utf8'].filter((name) => m[name]);
  return [m.kind, m.close_code, payload, ...marks.map((name) => `(${name})`)].filter((word) => word !== undefined && word !== '').join(' ');
}

// The lines of one direction, which are in order; how the directions come together is up to the network.
const told = (messages, direction) => messages.filter((m) => m.direction === direction).map(line);

module.exports = { shown, messagesOf, told, line };
