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
  // openssl req makes nothing that is over already; openssl ca does.
  const expired = (base, san) => {
    openssl('req', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-subj', '/CN=origin', '-keyout', `${base}.key`, '-out', `${base}.csr`);
    fs.writeFileSync(`${base}.txt`, '');
    fs.writeFileSync(`${base}.cnf`, `[ca]\ndefault_ca=d\n[d]\ndatabase=${base}.txt\nnew_certs_dir=${dir}\nrand_serial=yes\ndefault_md=sha256\n` +
      `policy=p\n[p]\ncommonName=supplied\n[x]\nsubjectAltName=${san}\n`);
    openssl('ca', '-batch', '-notext', '-config', `${base}.cnf`, '-extensions', 'x', '-startdate', '20200101000000Z', '-enddate', '20200201000000Z',
      '-cert', caFile, '-keyfile', key, '-in', `${base}.csr`, '-out', `${base}.pem`);
    return { keyFile: `${base}.key`, certFile: `${base}.pem`, key: fs.readFileSync(`${base}.key`), cert: fs.readFileSync(`${base}.pem`) };
  };
  return {
    caFile,
    issue(names = ['localhost', '127.0.0.1', '::1'], { days = 30, self = false } = {}) {
      const base = path.join(dir, `leaf-${++serial}`);
      const san = names.map((n) => (/^[\d.]+$|:/.test(n) ? `IP:${n}` : `DNS:${n}`)).join(',');
      if (days < 0) return expired(base, san);
      const ca = self ? [] : ['-CA', caFile, '-CAkey', key];
      openssl('req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-days', String(days),
        '-subj', '/CN=origin', '-addext', `subjectAltName=${san}`, '-addext', 'basicConstraints=critical,CA:FALSE',
        ...ca, '-keyout', `${base}.key`, '-out', `${base}.pem`);
      return { keyFile: `${base}.key`, certFile: `${base}.pem`, key: fs.readFileSync(`${base}.key`), cert: fs.readFileSync(`${base}.pem`) };
    },
  };
}

module.exports = { makeCa, openssl };
