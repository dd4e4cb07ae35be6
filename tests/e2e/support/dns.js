// dns.js: a name server that does as it is told, name by name, over UDP and TCP.
'use strict';
const dgram = require('node:dgram');
const net = require('node:net');
const { once } = require('node:events');

const A = 1;
const AAAA = 28;
const RCODE = { SERVFAIL: 2, NXDOMAIN: 3, REFUSED: 5 };

function readQuestion(query) {
  const labels = [];
  let at = 12;
  while (query[at] !== 0) {
    labels.push(query.toString('latin1', at + 1, at + 1 + query[at]));
    at += 1 + query[at];
  }
  return { name: labels.join('.').toLowerCase(), type: query.readUInt16BE(at + 1), end: at + 5 };
}

function addressBytes(address) {
  if (net.isIPv4(address)) return Buffer.from(address.split('.').map(Number));
  const [head, tail = ''] = address.split('::');
  const groups = (text) => (text ? text.split(':') : []);
  const zeros = Array(8 - groups(head).length - groups(tail).length).fill('0');
  return Buffer.from([...groups(head), ...zeros, ...groups(tail)].map((g) => g.padStart(4, '0')).join(''), 'hex');
}

function answer(query, question, { addresses = [], rcode = 0, truncated = false, ttl = 60 }) {
  const records = truncated ? [] : addresses.map((address) => {
    const rdata = addressBytes(address);
    const record = Buffer.alloc(12);
    record.writeUInt16BE(0xc00c, 0);
    record.writeUInt16BE(question.type, 2);
    record.writeUInt16BE(1, 4);
    record.writeUInt32BE(ttl, 6);
    record.writeUInt16BE(rdata.length, 10);
    return Buffer.concat([record, rdata]);
  });
  const head = Buffer.from(query.subarray(0, question.end)); // without EDNS
  head.writeUInt16BE(0x8180 | (truncated ? 0x0200 : 0) | rcode, 2);
  head.writeUInt16BE(1, 4);
  head.writeUInt16BE(records.length, 6);
  head.writeUInt16BE(0, 8);
  head.writeUInt16BE(0, 10);
  return Buffer.concat([head, ...records]);
}

// names: { 'host.test': { A, AAAA } }, each a list of addresses, or { addresses, rcode: 'SERVFAIL', delay: ms,
// truncated: true (over UDP), silent: true }; without one: no addresses. Other names do not exist.
// Gives { asked }: each question, as 'udp A host.test'.
async function nameServer(t, names, host = '127.0.0.1', port = 53) {
  const asked = [];
  const timers = new Set();
  const reply = (transport, query, send) => {
    const question = readQuestion(query);
    const type = { [A]: 'A', [AAAA]: 'AAAA' }[question.type];
    asked.push(`${transport} ${type} ${question.name}`);
    const entry = names[question.name];
    let plan = entry ? entry[type] || [] : { rcode: 'NXDOMAIN' };
    if (Array.isArray(plan)) plan = { addresses: plan };
    if (plan.silent) return;
    const bytes = answer(query, question, {
      ...plan, rcode: RCODE[plan.rcode] || 0, truncated: plan.truncated === true && transport === 'udp' });
    const timer = setTimeout(() => {
      timers.delete(timer);
      send(bytes);
    }, plan.delay || 0);
    timers.add(timer);
  };

  const udp = dgram.createSocket(net.isIPv6(host) ? 'udp6' : 'udp4');
  udp.on('message', (query, from) => reply('udp', query, (bytes) => udp.send(bytes, from.port, from.address)));
  udp.bind(port, host);
  const tcp = net.createServer((socket) => {
    let bytes = Buffer.alloc(0);
    socket.on('error', () => {}); // who asked may have gone
    socket.on('data', (d) => {
      bytes = Buffer.concat([bytes, d]);
      while (bytes.length >= 2 && bytes.length >= 2 + bytes.readUInt16BE(0)) {
        const query = bytes.subarray(2, 2 + bytes.readUInt16BE(0));
        bytes = bytes.subarray(2 + query.length);
        reply('tcp', query, (out) => {
          const length = Buffer.alloc(2);
          length.writeUInt16BE(out.length);
          socket.write(Buffer.concat([length, out]));
        });
      }
    });
  });
  const sockets = new Set();
  tcp.on('connection', (s) => {
    sockets.add(s);
    s.on('close', () => sockets.delete(s));
  });
  tcp.listen(port, host);
  await Promise.all([once(udp, 'listening'), once(tcp, 'listening')]);
  t.after(() => {
    for (const timer of timers) clearTimeout(timer);
    udp.close();
    tcp.close();
    for (const s of sockets) s.destroy();
  });
  return { asked };
}

module.exports = { nameServer };
