# SPDX-License-Identifier: MIT
"""Proves what hosts/haproxy/README.md says of HAProxy's native acme: with its configuration and one
Pebble the native client gets a certificate while thinair gets and renews others in the same
process; neither takes the other's. The ports and the CA are replaced, and HAProxy's own HTTP
client does not verify the CA: it cannot for an address, and names it asks a resolver for. It sends
bodies in chunks, where Pebble wants a Content-Length: a front between them gives it one.

native_test.py HAPROXY MODULES"""

import contextlib
import http.client
import http.server
import json
import os
import pathlib
import re
import socket
import ssl
import subprocess
import sys
import threading

import managed_scene
from managed_scene import expect, replace, wait_for

NATIVE = "native.example.net"
MANAGED_COUNT = 4


def paragraph():
    """The manual's words: the configuration and the native client's crt-list."""
    manual = pathlib.Path(managed_scene.MANUAL).read_text(encoding="utf-8")
    manual = manual[manual.index("## Beside HAProxy's native acme"):]
    blocks = dict(re.findall(r"```(\w*)\n(.*?)```", manual, re.S)[:2])
    return blocks["haproxy"], blocks[""]


class Front(http.server.BaseHTTPRequestHandler):
    """Passes a request on to the CA, with its length."""

    protocol_version = "HTTP/1.1"
    authority = None

    def pass_on(self):
        body = self.rfile.read(int(self.headers.get("content-length", 0)))
        if self.headers.get("transfer-encoding") == "chunked":
            body = b"".join(iter(self.chunk, b""))
        headers = {name: value for name, value in self.headers.items()
                   if name.lower() not in ("transfer-encoding", "content-length")}
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        ca = http.client.HTTPSConnection(self.authority, timeout=managed_scene.LIMIT_S,
                                         context=context)
        ca.request(self.command, self.path, body if self.command == "POST" else None, headers)
        answer = ca.getresponse()
        body = answer.read()
        self.send_response_only(answer.status)
        for name, value in answer.getheaders():
            if name.lower() not in ("transfer-encoding", "content-length", "connection"):
                self.send_header(name, value)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(b"" if self.command == "HEAD" else body)
        ca.close()

    def chunk(self):
        size = int(self.rfile.readline().split(b";")[0], 16)
        data = self.rfile.read(size)
        self.rfile.readline()
        return data

    do_GET = do_HEAD = do_POST = pass_on

    def log_message(self, *_):
        pass


@contextlib.contextmanager
def front_of(proxy):
    """The front's address; its certificate is nobody's."""
    Front.authority = proxy.pebble.url.removeprefix("https://").split("/")[0]
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(f"{proxy.place}/native.pem")
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Front)
    server.daemon_threads = True
    server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"https://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


class Beside(managed_scene.Proxy):
    """The managed configuration with the native client's part in it."""

    front = None

    def config(self):
        text, (config, certificates) = super().config(), paragraph()
        config = replace(config, f"https://{managed_scene.CA_HOST}/directory", f"{self.front}/dir")
        config = replace(config, "bind :80", f"bind 127.0.0.1:{self.pebble.http_port}")
        config = replace(config, "bind :443", f"bind 127.0.0.1:{self.site}")
        config = replace(config, "/var/lib/thinair", self.state)
        config = replace(config, "/etc/haproxy/", f"{self.place}/")
        config = replace(config, "directives\n", "directives\n    httpclient.ssl.verify none\n")
        begin, end = text.index("# http-01;"), text.index("# For you:")
        pathlib.Path(self.place, "native.list").write_text(
            replace(certificates, "/etc/haproxy/", f"{self.place}/"), encoding="utf-8")
        return text[:begin] + config + "\n" + text[end:]

    def key_pair(self):
        """The one that must be there before the first start."""
        key, leaf = f"{self.place}/native.key", f"{self.place}/native.crt"
        subprocess.run(
            ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256",
             "-nodes", "-days", "7", "-subj", f"/CN={NATIVE}", "-keyout", key, "-out", leaf],
            check=True, capture_output=True, timeout=managed_scene.LIMIT_S)
        pathlib.Path(self.place, "native.pem").write_text("".join(
            pathlib.Path(path).read_text(encoding="utf-8") for path in (leaf, key)),
            encoding="utf-8")

    def command(self, text):
        with socket.socket(socket.AF_UNIX) as client:
            client.settimeout(managed_scene.LIMIT_S)
            client.connect(f"{self.chroot}/thinair.sock")
            client.sendall(text.encode() + b"\n")
            return b"".join(iter(lambda: client.recv(65536), b"")).decode()

    def foreign(self):
        """What is listed besides thinair's."""
        listed = json.loads(self.ask("GET", "/acme/certificates")[1])["certificates"]
        return [one["store"] for one in listed if not one["managed"]]


def are_served(proxy):
    for (name, key_type), serial in proxy.serials().items():
        kind = "rsa" if key_type.startswith("rsa") else "ecdsa"
        wait_for(f"{name} is served to {kind} clients",
                 lambda: proxy.visit(name, kind) == serial)


def both_work(proxy):
    proxy.start()
    expect(proxy.visit(NATIVE), None, "a certificate of the CA's at first")
    proxy.command(f"acme renew {proxy.place}/native.pem")
    first = wait_for("the native client's certificate is served", lambda: proxy.visit(NATIVE))
    wait_for("thinair's are there", lambda: len(proxy.serials()) == MANAGED_COUNT)
    are_served(proxy)
    expect(proxy.foreign(), [f"{proxy.place}/native.pem"], "what is listed as not managed")
    crt_list = pathlib.Path(proxy.state, "haproxy/crt-list").read_text(encoding="utf-8")
    expect((len(crt_list.splitlines()), "native" in crt_list), (MANAGED_COUNT, False),
           f"thinair's crt-list: {crt_list}")
    return first


def both_renew(proxy, first):
    """At once: each puts its certificates in through the one transaction."""
    before = proxy.serials()
    for name in "one.example.net", "two.example.net":
        expect(proxy.ask("POST", f"/acme/renew/{name}")[0], 202, "a renewal")
    proxy.command(f"acme renew {proxy.place}/native.pem")
    wait_for("thinair's are renewed", lambda: not set(before.values())
             & set(proxy.serials().values()))
    wait_for("the native one is renewed", lambda: proxy.visit(NATIVE) not in (None, first))
    are_served(proxy)


def restart_finds(proxy):
    """Ours on disk; the native client's was in memory, and on disk is what was there."""
    before, orders = proxy.serials(), proxy.pebble.orders()
    proxy.stop()
    proxy.start()
    wait_for("thinair's are there", lambda: len(proxy.serials()) == MANAGED_COUNT)
    expect(proxy.serials(), before, "thinair's serials after a restart")
    are_served(proxy)
    expect(proxy.visit(NATIVE), None, "a certificate of the CA's that nobody dumped")
    expect(proxy.pebble.orders(), orders, "orders after a restart")


def main():
    haproxy, modules = sys.argv[1:]
    if not os.access(haproxy, os.X_OK):
        print("this HAProxy is not here")
        sys.exit(77)
    version = subprocess.run([haproxy, "-v"], capture_output=True, text=True, check=True).stdout
    with managed_scene.scene(haproxy, modules, kind=Beside) as proxy:
        proxy.key_pair()
        with front_of(proxy) as proxy.front:
            both_renew(proxy, both_work(proxy))
            restart_finds(proxy)
    print(f"both obtain, renew and serve; {version.splitlines()[0]}")


if __name__ == "__main__":
    main()
