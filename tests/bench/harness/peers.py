"""The proxies that can be measured, weir and its peers: how each is configured and started.

All speak HTTP/1.1 only, on both sides, but for the workloads in HTTP/2. Each keeps its capture on disk; NAME-off
is the same without capture."""

import os
import sqlite3
import subprocess
from pathlib import Path

from harness import origin
from harness.proxy import (H2_PORT, HOSTS_PORT, PORT, TLS_PORT, Direct, Proxy, ReverseProxy, count_in_file)

HERE = Path(__file__).resolve().parent
CERTGEN = "/usr/lib/squid/security_file_certgen"


class Weir(Proxy):
    """As its user runs it, but for the port, the store and the CA: nothing is turned off."""
    name = "weir"
    capture = "everything, in SQLite"
    schemes = ("http", "https", "hosts", "h2")
    writers = ("weir-writer", "weir-wal")
    program = Path("weir")
    COUNT = "SELECT count(*) FROM exchange WHERE status IS NOT NULL AND state = 1"  # 1: done

    def command(self, setup):
        reverse = f"reverse:https://h0.test:{origin.H2_PORT}@127.0.0.1:{H2_PORT}"
        return [self.program, "capture", "--listen", f"127.0.0.1:{PORT}",
                *(["--listen", reverse] if setup.scheme == "h2" else []), "--store", setup.folder / "capture",
                "--ca-dir", setup.folder / "ca", "--upstream-ca", setup.origin.ca]

    def ca_file(self, setup):
        return setup.folder / "ca" / "ca.pem"

    def stored(self, setup):
        return sorted(setup.folder.glob("capture*"))  # with -wal and -shm

    def count(self, setup):
        store = sqlite3.connect(setup.folder / "capture")
        try:
            return store.execute(self.COUNT).fetchone()[0]
        finally:
            store.close()


class Sslsplit(ReverseProxy):
    """`ssl` and `tcp` rather than `https` and `http` rules: those parse HTTP but force
    Connection: close. One upstream connection per client connection, never shared. It does
    not verify the origin. It mints per origin certificate, not per name."""
    name = "sslsplit"
    capture = "raw bytes of both directions, one log file (-L)"
    needs = ("sslsplit",)
    schemes = ("http", "https", "hosts")

    def command(self, setup):
        rules = ["ssl", "127.0.0.1", TLS_PORT, "127.0.0.1", origin.TLS_PORT,
                 "ssl", "127.0.0.1", HOSTS_PORT, "127.0.0.1", origin.HOSTS_PORT,
                 "tcp", "127.0.0.1", PORT, "127.0.0.1", origin.HTTP_PORT]
        log = ["-L", setup.folder / "capture"] if self.capture else []
        return ["sslsplit", "-u", "root", "-k", setup.ca / "mitm-ca.key",
                "-c", setup.ca / "mitm-ca.crt", *log, *rules]

    def count(self, setup):
        return count_in_file(setup.folder / "capture", b"HTTP/1.1 200 OK\r\n")


class Mitmdump(Proxy):
    """HTTP/1.1 only, as all the others here. Verifies the origin. One upstream connection
    per client connection, kept alive with it."""
    name = "mitmdump"
    capture = "flows with bodies (-w)"
    needs = ("mitmdump",)
    COUNT = ("import sys; from mitmproxy.io import FlowReader; "
             "print(sum(1 for f in FlowReader(open(sys.argv[1], 'rb')).stream() if f.response))")

    def command(self, setup):
        (setup.folder / "mitmproxy-ca.pem").write_text((setup.ca / "mitm-ca.pem").read_text())
        # Without capture there is no reason to hold large bodies in memory.
        save = (["-w", setup.folder / "capture"] if self.capture else
                ["--set", "stream_large_bodies=1m"])
        return ["mitmdump", "-q", "--listen-host", "127.0.0.1", "-p", PORT, "--no-http2", *save,
                "--set", f"confdir={setup.folder}",
                "--set", f"ssl_verify_upstream_trusted_ca={setup.origin.ca}"]

    def count(self, setup):
        result = subprocess.run(["/usr/bin/python3", "-c", self.COUNT, setup.folder / "capture"],
                                capture_output=True, text=True)
        return int(result.stdout) if result.returncode == 0 else None


class Squid(Proxy):
    """Bumps every CONNECT after it has seen the SNI. Caching off; verifies the origin; keeps
    upstream connections. Cannot capture bodies: its access log is all it keeps."""
    name = "squid"
    capture = "access log only, no bodies"
    needs = ("squid", CERTGEN)
    CONFIG = """
        http_port 127.0.0.1:{port} ssl-bump generate-host-certificates=on \
            dynamic_cert_mem_cache_size=64MB tls-cert={ca}
        sslcrtd_program {certgen} -s {dir}/ssl_db -M 64MB
        sslcrtd_children 5 startup=1
        acl step1 at_step SslBump1
        ssl_bump peek step1
        ssl_bump bump all
        tls_outgoing_options cafile={upstream_ca}
        http_access allow all
        cache deny all
        cache_mem 8 MB
        access_log {log}
        cache_log {dir}/cache.log
        pid_filename none
        coredump_dir {dir}
        client_persistent_connections on
        server_persistent_connections on
        max_filedescriptors 19000
        shutdown_lifetime 0 seconds
        via off
        forwarded_for delete
    """

    def command(self, setup):
        setup.folder.chmod(0o777)
        subprocess.run([CERTGEN, "-c", "-s", setup.folder / "ssl_db", "-M", "64MB"], check=True,
                       capture_output=True)
        subprocess.run(["chown", "-R", "proxy", setup.folder], check=True)
        log = f"stdio:{setup.folder}/capture" if self.capture else "none"
        config = setup.write("squid.conf", self.CONFIG, port=PORT, ca=setup.ca / "mitm-ca.pem",
                             dir=setup.folder, log=log, upstream_ca=setup.origin.ca, certgen=CERTGEN)
        return ["squid", "-N", "-f", config]

    def count(self, setup):
        return count_in_file(setup.folder / "capture", b"/200 ") - \
            count_in_file(setup.folder / "capture", b" CONNECT ")


class Haproxy(ReverseProxy):
    """Not a capture proxy: the ceiling for TLS termination and re-encryption in C. One
    certificate (EC); parses HTTP; pools and reuses upstream connections; verifies
    the origin; no log."""
    name = "haproxy"
    needs = ("haproxy",)
    CONFIG = """
        global
          maxconn 9500
        defaults
          mode http
          timeout connect 10s
          timeout client 600s
          timeout server 600s
          http-reuse always
        frontend plain
          bind 127.0.0.1:{port} backlog 4096
          default_backend plain
        backend plain
          server origin 127.0.0.1:{http}
        frontend tls
          bind 127.0.0.1:{tls} ssl crt {pem} alpn http/1.1 backlog 4096
          default_backend tls
        backend tls
          server origin 127.0.0.1:{https} ssl verify required ca-file {ca} verifyhost h0.test \
            sni str(h0.test) alpn http/1.1
        frontend h2
          bind 127.0.0.1:{h2} ssl crt {pem} alpn h2 backlog 4096
          default_backend h2
        backend h2
          server origin 127.0.0.1:{origin_h2} ssl verify required ca-file {ca} verifyhost h0.test \
            sni str(h0.test) alpn h2
    """

    def command(self, setup):
        config = setup.write("haproxy.cfg", self.CONFIG, port=PORT, tls=TLS_PORT, h2=H2_PORT,
                             http=origin.HTTP_PORT, https=origin.TLS_PORT, origin_h2=origin.H2_PORT,
                             pem=setup.origin.site, ca=setup.origin.ca)
        return ["haproxy", "-db", "-f", config]

    def ca_file(self, setup):
        return setup.origin.ca


class Nginx(ReverseProxy):
    """The second ceiling: as haproxy, with nginx. Bodies are streamed, not spooled. It speaks HTTP/2 to clients
    only."""
    name = "nginx"
    needs = ("nginx",)
    CONFIG = """
        daemon off;
        user root;
        pid {dir}/proxy.pid;
        error_log {dir}/error.log warn;
        worker_processes {cores};
          events {{ worker_connections 19000; }}
        http {{
          access_log off;
          keepalive_requests 100000000;
          keepalive_timeout 600s;
          client_body_temp_path {dir}/body;
          proxy_temp_path {dir}/proxy;
          fastcgi_temp_path {dir}/fastcgi;
          uwsgi_temp_path {dir}/uwsgi;
          scgi_temp_path {dir}/scgi;
          client_max_body_size 0;
          http2_max_concurrent_streams 1000;
          proxy_http_version 1.1;
          proxy_set_header Connection "";
          proxy_set_header Host $http_host;
          proxy_request_buffering off;
          proxy_max_temp_file_size 0;
          proxy_ssl_verify on;
          proxy_ssl_trusted_certificate {ca};
          proxy_ssl_name h0.test;
          proxy_ssl_server_name on;
          proxy_ssl_protocols TLSv1.2 TLSv1.3;
          ssl_protocols TLSv1.2 TLSv1.3;
          ssl_certificate {pem};
          ssl_certificate_key {pem};
          upstream plain {{
            server 127.0.0.1:{http};
            keepalive 4096;
            keepalive_requests 100000000;
          }}
          upstream tls {{
            server 127.0.0.1:{https};
            keepalive 4096;
            keepalive_requests 100000000;
          }}
          server {{
            listen 127.0.0.1:{port} backlog=4096;
            location / {{ proxy_pass http://plain; }}
          }}
          server {{
            listen 127.0.0.1:{tls} ssl backlog=4096;
            listen 127.0.0.1:{h2} ssl http2 backlog=4096;
            location / {{ proxy_pass https://tls; }}
          }}
        }}
    """

    def command(self, setup):
        config = setup.write("nginx.conf", self.CONFIG, dir=setup.folder, cores=setup.cores,
                             port=PORT, tls=TLS_PORT, h2=H2_PORT, http=origin.HTTP_PORT,
                             https=origin.TLS_PORT, pem=setup.origin.site, ca=setup.origin.ca)
        return ["nginx", "-p", setup.folder, "-c", config]

    def ca_file(self, setup):
        return setup.origin.ca


class NodeProxy(Proxy):
    """Base of those that run in Node.js; their scripts lie in peers/, their libraries where NODE_PATH says."""
    capture = "exchanges with bodies, as JSON lines"
    needs = ("node",)
    library = ""

    def missing(self):
        folders = filter(None, os.environ.get("NODE_PATH", "").split(":"))
        is_there = any((Path(folder) / self.library).exists() for folder in folders)
        return super().missing() + ([] if is_there else [f"{self.library} in NODE_PATH"])

    def environment(self, setup):
        # Trusting the origin's CA by an option makes mockttp load all CAs again for each
        # connection (60 ms); this is the fast way.
        return {"NODE_EXTRA_CA_CERTS": str(setup.origin.ca)}

    def capture_file(self, setup):
        return [setup.folder / "capture"] if self.capture else []

    def count(self, setup):
        return count_in_file(setup.folder / "capture", b"\n")


class Mockttp(NodeProxy):
    """HTTP Toolkit's engine with one pass-through rule; verifies the origin; keep-alive
    upstream through its agents."""
    name = library = "mockttp"

    def command(self, setup):
        return ["node", HERE / "peers" / "mockttp.js", PORT, setup.ca / "mitm-ca.key",
                setup.ca / "mitm-ca.crt", *self.capture_file(setup)]


class HttpMitmProxy(NodeProxy):
    """Verifies the origin; keep-alive agents. It makes an RSA key for each host in
    JavaScript."""
    name = library = "http-mitm-proxy"

    def command(self, setup):
        return ["node", HERE / "peers" / "http-mitm-proxy.js", PORT, setup.folder / "ca",
                *self.capture_file(setup)]

    def ca_file(self, setup):
        return setup.folder / "ca" / "certs" / "ca.pem"


def without_capture(proxy: type[Proxy]) -> type[Proxy]:
    return type(proxy.__name__ + "Off", (proxy,), {"name": proxy.name + "-off", "capture": ""})


def weir_of(name: str, program: Path) -> type[Proxy]:
    return type("WeirOf", (Weir,), {"name": name, "program": program})


PROXIES = {proxy.name: proxy for proxy in [
    Weir, weir_of("weir-before", Weir.program), Direct, Haproxy, Nginx,
    Sslsplit, without_capture(Sslsplit),
    Squid, without_capture(Squid),
    Mitmdump, without_capture(Mitmdump),
    Mockttp, without_capture(Mockttp),
    HttpMitmProxy, without_capture(HttpMitmProxy),
]}
