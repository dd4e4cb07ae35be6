// client.js: a client that says exactly what it is given, and notes exactly what comes back and how it ends.
'use strict';
const net = require('node:net');
const { once } = require('node:events');

// How long anything in a test may take before it is called stuck.
const STUCK_MS = 20000;

// Polls until condition() (may be async) gives something true, and gives that.
async function until(condition, what, timeout = STUCK_MS) {
  const deadline = Date.now() + timeout;
  for (;;) {
    const value = await condition();
    if (value) return value;
    if (Date.now() > deadline) throw new Error(`not within ${timeout} ms: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

// A connection of bytes. Ends half by half, as the test says.
class Wire {
  constructor(socket, keeps = true) {
    this.socket = socket;
    this.bytes = Buffer.alloc(0);
    this.ended = false; // FIN came
    this.reset = false;
    this.closed = false;
    this.begun = performance.now();
    if (keeps) socket.on('data', (d) => {
      this.firstByteMs ??= performance.now() - this.begun;
      this.bytes = Buffer.concat([this.bytes, d]);
    });
    socket.on('end', () => { this.ended = true; });
    socket.on('error', (e) => { this.reset = e.code === 'ECONNRESET'; });
    socket.on('close', () => { this.closed = true; });
  }

  get text() {
    return this.bytes.toString('latin1');
  }

  async has(text) {
    await until(() => this.text.includes(text) || this.ended || this.closed, JSON.stringify(text));
    if (!this.text.includes(text)) throw new Error(`ended before ${JSON.stringify(text)}: ${this.text}`);
    return this;
  }

  // Until nothing more can come. With ms: since it connected.
  async over() {
    await until(() => this.ended || this.closed, `the end after ${JSON.stringify(this.text)}`);
    this.ms = performance.now() - this.begun;
    return this;
  }
}

// keeps: false when somebody else takes the bytes.
async function connect(t, port, host = '127.0.0.1', { keeps = true } = {}) {
  const socket = net.connect({ port, host, allowHalfOpen: true });
  t.after(() => socket.destroy());
  const wire = new Wire(socket, keeps);
  await once(socket, 'connect');
  return wire;
}

// Says bytes and waits for the end: for requests that ask to close.
async function talk(t, port, bytes, host) {
  const wire = await connect(t, port, host);
  wire.socket.write(bytes);
  return wire.over();
}

module.exports = { Wire, connect, talk, until };
