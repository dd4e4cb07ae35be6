// hello.js: what a ClientHello says (RFC 8446 §4.1.2), its lists in the order in which they stand there.
'use strict';

const EXTENSIONS = { 0: 'server_name', 5: 'status_request', 10: 'supported_groups', 11: 'ec_point_formats', 13: 'signature_algorithms', 16: 'alpn',
                     17: 'status_request_v2', 18: 'signed_certificate_timestamp', 21: 'padding', 22: 'encrypt_then_mac', 23: 'extended_master_secret', 27: 'compress_certificate',
                     28: 'record_size_limit', 34: 'delegated_credentials', 35: 'session_ticket', 41: 'pre_shared_key', 42: 'early_data', 43: 'supported_versions',
                     44: 'cookie', 45: 'psk_key_exchange_modes', 49: 'post_handshake_auth', 51: 'key_share', 13172: 'next_protocol_negotiation', 17513: 'application_settings',
                     17613: 'application_settings', 51764: 'trust_anchors', 65037: 'encrypted_client_hello', 65281: 'renegotiation_info' };

// Of one connection, not of the client: its name, its session, its length.
const PASSING = ['server_name', 'alpn', 'padding', 'pre_shared_key', 'early_data', 'cookie'];

const isGrease = (n) => (n & 0x0f0f) === 0x0a0a && n >> 8 === (n & 0xff);

class Reader {
  constructor(bytes) {
    this.bytes = bytes;
    this.at = 0;
  }
  get left() { return this.bytes.length - this.at; }
  number(size) {
    this.at += size;
    return this.bytes.readUIntBE(this.at - size, size);
  }
  take(size) {
    this.at += size;
    return this.bytes.subarray(this.at - size, this.at);
  }
  // A vector that is led by its length.
  vector(size) { return new Reader(this.take(this.number(size))); }
  numbers(size) {
    const all = [];
    while (this.left > 0) all.push(this.number(size));
    return all;
  }
}

// The handshake message in the records that bytes begins with; null: not all of it is there.
function message(bytes) {
  const parts = [];
  let at = 0;
  for (;;) {
    const all = Buffer.concat(parts);
    if (all.length >= 4 && all.length >= 4 + all.readUIntBE(1, 3)) return all.subarray(4, 4 + all.readUIntBE(1, 3));
    if (bytes.length < at + 5 || bytes.length < at + 5 + bytes.readUInt16BE(at + 3)) return null;
    parts.push(bytes.subarray(at + 5, at + 5 + bytes.readUInt16BE(at + 3)));
    at += 5 + bytes.readUInt16BE(at + 3);
  }
}

// null: not all of it is there. types: all extensions, as numbers. grease: whether any list had some; it stands in none of them. alpn and resumes are the connection's.
function parseHello(bytes) {
  const whole = message(bytes);
  if (!whole) return null;
  const r = new Reader(whole);
  const hello = { legacyVersion: r.number(2), groups: [], signatures: [], versions: [], shares: [], alpn: [], extensions: [], pskModes: [],
                  pointFormats: [], compressions: [], resumes: false, types: [], grease: false };
  const real = (numbers) => numbers.filter((n) => !(isGrease(n) && (hello.grease = true)));
  r.take(32);
  hello.hasSessionId = r.vector(1).left > 0;
  hello.suites = real(r.vector(2).numbers(2));
  r.vector(1);
  const extensions = r.left > 0 ? r.vector(2) : r;
  while (extensions.left > 0) {
    const type = extensions.number(2);
    const body = extensions.vector(2);
    const isReal = real([type]).length === 1;
    if (isReal) hello.types.push(type);
    if (isReal && !PASSING.includes(EXTENSIONS[type])) hello.extensions.push(EXTENSIONS[type] ?? `0x${type.toString(16).padStart(4, '0')}`);
    switch (EXTENSIONS[type]) {
      case 'supported_groups': hello.groups = real(body.vector(2).numbers(2)); break;
      case 'ec_point_formats': hello.pointFormats = body.vector(1).numbers(1); break;
      case 'signature_algorithms': hello.signatures = real(body.vector(2).numbers(2)); break;
      case 'supported_versions': hello.versions = real(body.vector(1).numbers(2)); break;
      case 'psk_key_exchange_modes': hello.pskModes = body.vector(1).numbers(1); break;
      case 'compress_certificate': hello.compressions = body.vector(1).numbers(2); break;
      case 'pre_shared_key': hello.resumes = true; break;
      case 'session_ticket': hello.resumes ||= body.left > 0; break;
      case 'key_share':
        for (const shares = body.vector(2); shares.left > 0; shares.vector(2)) hello.shares.push(...real([shares.number(2)]));
        break;
      case 'alpn':
        for (const names = body.vector(2); names.left > 0;) hello.alpn.push(names.vector(1).bytes.toString());
        break;
      default:
    }
  }
  return hello;
}

module.exports = { parseHello, isGrease };
