// localhost.js: for `node --require`: *.localhost is loopback (RFC 6761 §6.3), which browsers, curl and weir know and libc does not.
'use strict';
const dns = require('node:dns');

const { lookup } = dns;
dns.lookup = (name, options, done) => lookup(name.endsWith('.localhost') ? '127.0.0.1' : name, options, done);
