// certs.js: an origin CA and certificates signed by it, made with openssl(1), which is not what weir forges with.
'use strict';
const fs = require('node:fs');
const path = require('node:path');
const { execFileSync } = require('node:child_process');

function openssl(...args) {
  return execFileSync('openssl', args, { stdio: ['ignore', 'pipe', 'pipe'] });
}

// { caFile, issue(names, days) -> { key, cert, keyFile, certFile } }
function makeCa(dir) {
  const key = path.join(dir, 'origin-ca.key');
  const caFile = path.join(dir, 'origin-ca.pem');
  openssl('req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-days', '30', '-subj', '/CN=origin CA',
    '-addext', 'keyUsage=critical,keyCertSign,cRLSign', '-keyout', key, '-out', caFile);
  let serial = 0;
  return {
    caFile,
    issue(names = ['localhost', '127.0.0.1', '::1'], { days = 30, self = false } = {}) {
      const base = path.join(dir, `leaf-${++serial}`);
      const san = names.map((n) => (/^[\d.]+$|:/.test(n) ? `IP:${n}` : `DNS:${n}`)).join(',');
      const ca = self ? [] : ['-CA', caFile, '-CAkey', key];
      openssl('req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-days', String(days),
        '-subj', '/CN=origin', '-addext', `subjectAltName=${san}`, '-addext', 'basicConstraints=critical,CA:FALSE',
        ...ca, '-keyout', `${base}.key`, '-out', `${base}.pem`);
      return { keyFile: `${base}.key`, certFile: `${base}.pem`, key: fs.readFileSync(`${base}.key`), cert: fs.readFileSync(`${base}.pem`) };
    },
  };
}

module.exports = { makeCa, openssl };
