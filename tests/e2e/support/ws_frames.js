// ws_frames.js: WebSocket frames made by hand (RFC 6455 §5.2), also such as no library would send.
'use strict';

const OPCODES = { continuation: 0, text: 1, binary: 2, close: 8, ping: 9, pong: 10 };
const MASK = Buffer.from([0x37, 0xfa, 0x21, 0x3d]);

// Of both sides: the handshake of RFC 6455 §1.3, whose answer is known.
const ASKS = ['Connection: Upgrade', 'Upgrade: websocket', 'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==', 'Sec-WebSocket-Version: 13'];
const TAKES = ['HTTP/1.1 101 Switching Protocols', 'Upgrade: websocket', 'Connection: Upgrade', 'Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo='];

function masked(payload) {
  return Buffer.from(payload.map((byte, i) => byte ^ MASK[i % 4]));
}

// kind: a name of OPCODES, or a number. isMasked: as a client's are. lengthBytes: 0, 2 or 8, for a length not in its shortest form.
function frame(kind, payload = '', { isMasked = false, isFinal = true, reserved = 0, lengthBytes, length } = {}) {
  const bytes = Buffer.from(payload);
  length ??= bytes.length;
  lengthBytes ??= length < 126 ? 0 : length < 65536 ? 2 : 8;
  const head = Buffer.alloc(2 + lengthBytes);
  head[0] = (isFinal ? 0x80 : 0) | reserved << 4 | (OPCODES[kind] ?? kind);
  head[1] = (isMasked ? 0x80 : 0) | (lengthBytes === 0 ? length : lengthBytes === 2 ? 126 : 127);
  if (lengthBytes === 2) head.writeUInt16BE(length, 2);
  if (lengthBytes === 8) head.writeBigUInt64BE(BigInt(length), 2);
  return Buffer.concat([head, isMasked ? MASK : Buffer.alloc(0), isMasked ? masked(bytes) : bytes]);
}

const fromClient = (kind, payload, options) => frame(kind, payload, { isMasked: true, ...options });

const closing = (code, reason = '') => Buffer.concat([Buffer.from([code >> 8, code & 255]), Buffer.from(reason)]);

module.exports = { ASKS, TAKES, frame, fromClient, closing };
