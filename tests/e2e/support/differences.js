// differences.js: all that may differ between what passes through weir and what passes without it, each with its
// reason, and the comparer. What a direct client's bytes become is said as a function of these bytes, so nothing else
// may change.
'use strict';
const assert = require('node:assert/strict');

// Changes the head of each request: lines without the line endings, the request line first.
function eachHead(text, change) {
  return text.replace(/^[^\r\n]+ HTTP\/1\.[01]\r\n(?:[^\r\n]*\r\n)*?\r\n/gm, (head) =>
    change(head.slice(0, -4).split('\r\n')).join('\r\n') + '\r\n\r\n');
}

const name = (line) => line.split(':', 1)[0].toLowerCase();
const value = (line) => line.slice(line.indexOf(':') + 1).trim();
const listed = (lines, field) => lines.filter((l) => name(l) === field).flatMap((l) => value(l).split(',')).map((s) => s.trim());

const ofRequests = [
  {
    why: 'the target of a request to a proxy names the origin; an origin is asked for the path (RFC 9112 §3.2.1)',
    change: (lines) => [lines[0].replace(/^(\S+) https?:\/\/[^/?\s]*/i, '$1 '), ...lines.slice(1)],
  },
  {
    why: 'fields that speak to the proxy, or of the connection to it (RFC 9110 §7.6.1, §11.7.1)',
    change: (lines) => lines.filter((l) => !['proxy-connection', 'keep-alive'].includes(name(l))),
  },
  {
    why: 'credentials for the proxy, of requests to it; inside a tunnel they are for whoever is behind (RFC 9110 §11.7.2)',
    change: (lines, sent) => (/^\S+ https?:/i.test(sent[0]) ? lines.filter((l) => name(l) !== 'proxy-authorization') : lines),
  },
  {
    why: 'what Connection lists is for this hop only, but close, keep-alive, an upgrade, TE (RFC 9110 §7.6.1)',
    change: (lines) => {
      const tokens = listed(lines.slice(1), 'connection');
      const upgrades = listed(lines.slice(1), 'upgrade');
      const stays = (token) => ['close', 'keep-alive'].includes(token.toLowerCase()) ||
        (token.toLowerCase() === 'upgrade' && upgrades.length > 0 && !upgrades.some((u) => u.toLowerCase() === 'h2c')) ||
        (token.toLowerCase() === 'te' && lines.some((l) => name(l) === 'te' && value(l).toLowerCase() === 'trailers'));
      if (tokens.every(stays)) return lines;
      const kept = tokens.filter(stays);
      const gone = tokens.filter((token) => !stays(token)).map((token) => token.toLowerCase())
        .filter((token) => !['host', 'content-length', 'transfer-encoding', 'trailer'].includes(token));
      const first = lines.findIndex((l, i) => i > 0 && name(l) === 'connection');
      const changed = kept.length ? [`${lines[first].split(':', 1)[0]}: ${kept.join(', ')}`] : [];
      return lines.flatMap((l, i) => {
        if (i === 0 || i === first) return i === 0 ? [l] : changed;
        return name(l) === 'connection' || gone.includes(name(l)) ? [] : [l];
      });
    },
  },
  {
    why: 'TE but "trailers" would let the origin use codings that the client and weir have not agreed on (RFC 9110 §10.1.4)',
    change: (lines) => lines.filter((l) => name(l) !== 'te' || value(l).toLowerCase() === 'trailers'),
  },
  {
    why: 'an upgrade to h2c would need HTTP/2 with prior consent of both hops (RFC 9110 §7.8, RFC 9113 §3.1)',
    change: (lines) => {
      const passes = listed(lines.slice(1), 'connection').some((token) => token.toLowerCase() === 'upgrade');
      return passes ? lines : lines.filter((l) => !['upgrade', 'http2-settings'].includes(name(l)));
    },
  },
  {
    why: 'one hop fewer is left (RFC 9110 §7.6.2)',
    change: (lines) => {
      if (!/^(TRACE|OPTIONS) /.test(lines[0])) return lines;
      const at = lines.findIndex((l) => name(l) === 'max-forwards');
      return at < 0 ? lines : lines.with(at, `${lines[at].split(':', 1)[0]}: ${Number(value(lines[at])) - 1}`);
    },
  },
];

const ofResponses = [
  {
    why: 'fields of the connection between weir and the origin (RFC 9110 §7.6.1)',
    change: (lines) => lines.filter((l) => !['proxy-connection', 'keep-alive'].includes(name(l))),
  },
];

// What the origin, the client, must have got through weir when it got text without.
const atOrigin = (text) => eachHead(text, (lines) => ofRequests.reduce((now, d) => d.change(now, lines), lines));
const atClient = (text) => text.replace(/^HTTP\/1\.[01] [^\r\n]*\r\n(?:[^\r\n]*\r\n)*?\r\n/gm, (all) =>
  ofResponses.reduce((lines, d) => d.change(lines), all.slice(0, -4).split('\r\n')).join('\r\n') + '\r\n\r\n');

// direct, proxied: { origin, client: bytes as text; seen: whatever else a test looked at, as how the connection ended }.
// How a connection ends never differs.
function same(direct, proxied, what) {
  assert.equal(proxied.origin, atOrigin(direct.origin), `${what}: at the origin`);
  assert.equal(proxied.client, atClient(direct.client), `${what}: at the client`);
  assert.deepEqual(proxied.seen, direct.seen, `${what}: what else there was to see`);
}

module.exports = { same };
