"""The origin behind the proxies: nginx with small and large bodies, its CA, and a DNS server that answers
127.0.0.1 for every name, so that proxies resolve h17.test as they would resolve a real host."""

import socket
import subprocess
import sys
import zlib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

HTTP_PORT = 9080   # plain
TLS_PORT = 9443    # TLS, with the certificate of h0.test
HOSTS_PORT = 9444  # TLS, each host has a certificate of its own: h0.test, h1.test, ...
H2_PORT = 9445     # TLS and HTTP/2
NEW_PORT = 9446    # TLS, any host below hosts.test, each connection for one request and nothing of TLS resumed
HOSTS = 2100       # how many of those hosts there are

SIZES = {"/1k": 1 << 10, "/unique": 1 << 10, "/16k": 16 << 10, "/1m": 1 << 20, "/100m": 100 << 20}
REQUEST_ID = 32    # how long nginx's $request_id is

CONFIG = """\
daemon off;
user root;
pid {dir}/nginx.pid;
error_log {dir}/nginx-error.log warn;
worker_processes {workers};
events {{ worker_connections 19000; }}
http {{
  access_log off;
  default_type text/plain;
  sendfile on;
  tcp_nodelay on;
  open_file_cache max=16;
  keepalive_requests 100000000;
  keepalive_timeout 600s;
  client_body_temp_path {bodies}/upload;
  proxy_temp_path {dir}/proxy;
  fastcgi_temp_path {dir}/fastcgi;
  uwsgi_temp_path {dir}/uwsgi;
  scgi_temp_path {dir}/scgi;
  client_max_body_size 0;
  http2_max_concurrent_streams 1000;
  ssl_protocols TLSv1.2 TLSv1.3;
  ssl_certificate_key {dir}/leaf.key;
  server {{
    listen 127.0.0.1:{http} backlog=4096;
    listen 127.0.0.1:{tls} ssl backlog=4096;
    listen 127.0.0.1:{h2} ssl http2 backlog=4096;
    ssl_certificate {dir}/site.crt;
    include {dir}/locations.conf;
  }}
  server {{
    listen 127.0.0.1:{new} ssl backlog=4096;
    ssl_certificate {dir}/any.crt;
    ssl_session_cache off;
    ssl_session_tickets off;
    keepalive_timeout 0;
    include {dir}/locations.conf;
  }}
  server {{
    listen 127.0.0.1:{hosts} ssl backlog=4096;
    ssl_certificate {dir}/hosts/$ssl_server_name.crt;
    include {dir}/locations.conf;
  }}
}}
"""

# The whole request body must be there before the answer: nginx reads it in order to forward it, but what it
# forwards is a GET without a body.
UPLOAD = """\
location = /upload {{
  client_body_buffer_size 1m;
  proxy_pass http://127.0.0.1:{http}/1k;
  proxy_method GET;
  proxy_pass_request_body off;
  proxy_set_header Content-Length "";
  proxy_set_header Transfer-Encoding "";
  add_header X-Received-Length $request_length;
}}
"""


def openssl(*args):
    subprocess.run(["openssl", *map(str, args)], check=True, capture_output=True)


def make_ca(folder: Path, name: str, key: str):
    """A CA in NAME.key, NAME.crt and NAME.pem (both); key is "ec" or "rsa"."""
    new = ["ec", "-pkeyopt", "ec_paramgen_curve:P-256"] if key == "ec" else ["rsa:2048"]
    openssl("req", "-x509", "-newkey", *new, "-nodes", "-days", 30, "-subj", f"/CN={name}",
            "-addext", "keyUsage=critical,keyCertSign,cRLSign",
            "-keyout", folder / f"{name}.key", "-out", folder / f"{name}.crt")
    pem = (folder / f"{name}.key").read_text() + (folder / f"{name}.crt").read_text()
    (folder / f"{name}.pem").write_text(pem)


def make_leaf(folder: Path, out: Path, host: str):
    """A certificate for host, for the key leaf.key, signed by the origin's CA."""
    openssl("req", "-x509", "-new", "-key", folder / "leaf.key", "-CA", folder / "origin-ca.crt",
            "-CAkey", folder / "origin-ca.key", "-days", 30, "-subj", f"/CN={host}",
            "-addext", f"subjectAltName=DNS:{host}",
            "-addext", "basicConstraints=critical,CA:FALSE", "-out", out)


def text(size: int) -> bytes:
    """So much JSON, more or less; it repeats itself after about a megabyte."""
    lines = b"".join(b"{\"id\": %d, \"name\": \"item\", \"value\": \"%08x\"},\n" % (i, zlib.crc32(b"%d" % i))
                     for i in range(min(20000, size // 40 + 1)))
    return (lines * (size // len(lines) + 1))[:size]


class Origin:
    """Everything that the origin needs is made in `folder`; bodies lie in `memory` (a tmpfs)."""

    def __init__(self, folder: Path, memory: Path, cores: list[int]):
        self.folder, self.memory, self.cores = folder, memory, cores
        self.ca = folder / "origin-ca.crt"
        self.site = folder / "site.pem"  # certificate and key, for reverse proxies
        self.processes = []

    def prepare(self, paths: set[str]):
        """The keys, and what these paths answer."""
        make_ca(self.folder, "origin-ca", "ec")
        openssl("ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", self.folder / "leaf.key")
        make_leaf(self.folder, self.folder / "site.crt", "h0.test")
        make_leaf(self.folder, self.folder / "any.crt", "*.hosts.test")
        self.site.write_text((self.folder / "site.crt").read_text() + (self.folder / "leaf.key").read_text())
        locations = UPLOAD.format(http=HTTP_PORT)
        locations += "".join(self.location(path) for path in sorted(paths | {"/1k"}) if path in SIZES)
        (self.folder / "locations.conf").write_text(locations)
        (self.folder / "nginx.conf").write_text(CONFIG.format(
            dir=self.folder, bodies=self.memory, workers=len(self.cores), http=HTTP_PORT, tls=TLS_PORT,
            hosts=HOSTS_PORT, h2=H2_PORT, new=NEW_PORT))

    def location(self, path: str) -> str:
        if path == "/unique":
            same = "x" * (SIZES[path] - REQUEST_ID)
            return f"location = {path} {{ return 200 \"${{request_id}}{same}\"; }}\n"
        body = text(SIZES[path])
        (self.memory / path[1:]).write_bytes(body)
        return (f"location = {path} {{ root {self.memory}; "
                f"add_header X-Body-Crc32 {zlib.crc32(body):08x}; }}\n")

    def prepare_hosts(self):
        """The certificates of h0.test ... for HOSTS_PORT (about ten seconds)."""
        hosts = self.folder / "hosts"
        hosts.mkdir()
        names = [f"h{i}.test" for i in range(HOSTS)]
        with ThreadPoolExecutor(2) as pool:
            list(pool.map(lambda name: make_leaf(self.folder, hosts / f"{name}.crt", name), names))

    def start(self):
        pin = ["taskset", "-c", ",".join(map(str, self.cores))]
        nginx = ["nginx", "-p", self.folder, "-c", self.folder / "nginx.conf"]
        dns = [sys.executable, Path(__file__).with_name("dns.py"), "127.0.0.1", "53"]
        with open(self.folder / "output", "wb") as output:
            for command in nginx, dns:
                process = subprocess.Popen([*pin, *map(str, command)], stdout=output, stderr=output)
                self.processes.append(process)

    @staticmethod
    def resolves() -> bool:
        """Whether the DNS server is there: who asks too early asks again after seconds."""
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
            s.settimeout(0.1)
            try:
                s.connect(("127.0.0.1", 53))
                s.send(bytes.fromhex("000101000001000000000000") + b"\2h0\4test\0" + b"\0\1\0\1")
                return len(s.recv(512)) > 12
            except OSError:
                return False

    def said(self) -> str:
        files = [self.folder / "output", self.folder / "nginx-error.log"]
        return "".join(file.read_text() for file in files if file.exists())

    def stop(self):
        for process in self.processes:
            process.terminate()
        for process in self.processes:
            process.wait(10)
