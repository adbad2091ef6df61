# SPDX-License-Identifier: MIT
"""What managed_test.py plays with: a Pebble of its own, the configuration of
hosts/haproxy/README.md in a real HAProxy (as root: in a chroot, as nobody), and clients."""

import contextlib
import http.client
import json
import os
import pathlib
import re
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import tempfile
import threading
import time

HERE = os.path.dirname(os.path.abspath(__file__))
MANUAL = os.path.join(HERE, "../../hosts/haproxy/README.md")
FOLDER = os.path.realpath(os.path.join(HERE, "../../hosts/haproxy"))
PEBBLE = os.path.join(HERE, "../interop/pebble.sh")
LIMIT_S = 60
# HAProxy 2.6 does not count RSA-PSS alone as RSA.
SIGALGS = {"ecdsa": "ECDSA+SHA256", "rsa": "RSA-PSS+SHA256:RSA+SHA256"}
CA_HOST = "acme-v02.api.letsencrypt.org"


def fail(text):
    sys.exit(f"failed: {text}")


def expect(seen, expected, what):
    if seen != expected:
        fail(f"{what}: saw {seen!r}, not {expected!r}")


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as server:
        return server.getsockname()[1]


def wait_for(what, claim, limit_s=LIMIT_S):
    """What a claim answers once it is not false any more."""
    limit = time.monotonic() + limit_s
    while time.monotonic() < limit:
        answer = claim()
        if answer:
            return answer
        time.sleep(0.05)
    fail(f"waited in vain: {what}")


def replace(text, old, new):
    if old not in text:
        fail(f"the manual no longer has {old!r}")
    return text.replace(old, new)


class Pebble:
    """A CA with its variables as attributes: url, ca, root, http_port, tls_port, log."""

    def __init__(self, **variables):
        self.process = subprocess.Popen(
            [PEBBLE, "sh", "-c", "env | grep ^PEBBLE_; echo; read -r _"], text=True,
            env={**os.environ, **variables}, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        for line in self.process.stdout:
            if line == "\n":
                break
            name, value = line.rstrip("\n").split("=", 1)
            setattr(self, name.removeprefix("PEBBLE_").lower(), value)
        if not hasattr(self, "url"):
            fail("pebble did not start")

    def orders(self):
        return pathlib.Path(self.log).read_text(encoding="utf-8").count("Added order")

    def close(self):
        self.process.stdin.close()
        self.process.wait(LIMIT_S)


class Proxy:
    """The manual's managed configuration, or the one for 443 only."""

    def __init__(self, haproxy, modules, place, pebble, **options):
        self.haproxy, self.modules, self.place = haproxy, modules, place
        self.pebble, self.options = pebble, options
        self.is_root = os.geteuid() == 0
        self.admin, self.forward = free_port(), free_port()
        self.site = int(pebble.tls_port) if options.get("alpn") else free_port()
        self.state = options.get("state", f"{place}/state")
        self.chroot = f"{place}/inside"
        self.process, self.log = None, f"{place}/haproxy.log"
        os.makedirs(self.chroot, exist_ok=True)
        os.chmod(place, 0o755)
        if options.get("has_state", True):
            os.makedirs(self.state, mode=0o700, exist_ok=True)
            if self.is_root:
                shutil.chown(self.state, "nobody", "nogroup")

    def lua(self):
        names = self.options.get("names", ["one.example.net www.one.example.net",
                                           "two.example.net"])
        keys = self.options.get("keys", '"ecdsa-p256", "rsa-2048"')
        text = block("lua")
        base = self.pebble.url.removesuffix("/dir")
        text = replace(text, f"https://{CA_HOST}", base)
        text = replace(text, "    ca = {\n", f'    ca = {{\n        directory = "{base}/dir",\n')
        # First the shortest: it may be how another port begins.
        text = replace(text, "127.0.0.1:443", f"127.0.0.1:{self.site}")
        text = replace(text, "127.0.0.1:9012", f"127.0.0.1:{self.forward}")
        text = replace(text, "/var/lib/thinair", self.state)
        if not self.is_root:
            text = replace(text, "/thinair.sock", f"{self.chroot}/thinair.sock")
        if self.options.get("alpn"):
            text = replace(text, "config = {\n", 'config = {\n    challenges = {"tls-alpn-01"},\n')
        lists = "".join("{names = {%s}, keys = {%s}}, " % (
            ", ".join(f'"{name}"' for name in one.split()), keys) for one in names)
        return re.sub(r"certificates = \{\n.*\n    \},", f"certificates = {{{lists}}},", text,
                      flags=re.S)

    def config(self):
        text = block("haproxy", 0)
        if self.options.get("alpn"):
            begin, end = text.index("# http-01;"), text.index("# For you:")
            text = text[:begin] + block("haproxy", 1) + "\n" + text[end:]
            text = replace(text, "abns@thinair-site", f"abns@thinair-{os.getpid()}-{self.site}")
        else:
            text = replace(text, "bind :80", f"bind 127.0.0.1:{self.pebble.http_port}")
        text = replace(text, "bind :443", f"bind 127.0.0.1:{self.site}")
        text = replace(text, "127.0.0.1:9011", f"127.0.0.1:{self.admin}")
        text = replace(text, "127.0.0.1:9012", f"127.0.0.1:{self.forward}")
        address = self.pebble.url.removeprefix("https://").removesuffix("/dir")
        text = replace(text, f"Host {CA_HOST}", f"Host {address}")
        text = replace(text, f"{CA_HOST}:443", address.replace("localhost", "127.0.0.1"))
        text = replace(text, CA_HOST, "localhost")
        text = replace(text, "/etc/ssl/certs/ca-certificates.crt", self.pebble.ca)
        text = replace(text, "/var/lib/thinair", self.state)
        text = replace(text, "/var/lib/haproxy", self.chroot)
        text = replace(text, "/usr/local/lib/lua/5.3", self.modules)
        text = replace(text, "/usr/local/share/thinair/haproxy", FOLDER)
        text = replace(text, "/etc/haproxy/config.lua", f"{self.place}/config.lua")
        text = replace(text, "user haproxy", "user nobody").replace("group haproxy",
                                                                    "group nogroup")
        if not self.is_root:
            text = re.sub(r"    (chroot|user|group) .*\n", "", text).replace("user nobody ", "")
        return self.options.get("change", lambda given: given)(text)

    def write(self, **options):
        self.options.update(options)
        if "pebble" in options:
            self.pebble = options["pebble"]
        for name, text in {"config.lua": self.lua(), "haproxy.cfg": self.config()}.items():
            pathlib.Path(self.place, name).write_text(text, encoding="utf-8")

    def check(self):
        """haproxy -c: its status and what it said."""
        done = subprocess.run([self.haproxy, "-c", "-f", f"{self.place}/haproxy.cfg"], text=True,
                              capture_output=True, timeout=LIMIT_S, check=False)
        return done.returncode, done.stdout + done.stderr

    def start(self, *flags, **options):
        self.write(**options)
        with open(self.log, "a", encoding="utf-8") as log:
            self.process = subprocess.Popen(
                [self.haproxy, *(flags or ["-db"]), "-f", f"{self.place}/haproxy.cfg"],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        wait_for("HAProxy listens", self.listens)

    def listens(self):
        if self.process.poll() is not None:
            fail("HAProxy has ended:\n" + self.said()[-4000:])
        try:
            return self.ask("GET", "/acme/certificates")[0] == 200
        except OSError:
            return False

    def stop(self):
        if self.process and self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(LIMIT_S)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        self.process = None

    def said(self):
        return pathlib.Path(self.log).read_text(encoding="utf-8", errors="replace")

    def ask(self, method, path, body=None, headers=None):
        connection = http.client.HTTPConnection("127.0.0.1", self.admin, timeout=LIMIT_S)
        try:
            connection.request(method, path, body, headers or {})
            answer = connection.getresponse()
            return answer.status, answer.read().decode()
        finally:
            connection.close()

    def listed(self):
        """(id, key type) to what is listed of it, of those that are managed and there."""
        listed = json.loads(self.ask("GET", "/acme/certificates")[1])["certificates"]
        return {(one["id"], one["key_type"]): one for one in listed
                if one["managed"] and one["generation"] > 0}

    def serials(self):
        return {key: one["serial"] for key, one in self.listed().items()}

    def visit(self, name, kind="ecdsa", root=None):
        """The serial of what is served to a client of one kind that believes the CA, or None."""
        done = subprocess.run(
            ["openssl", "s_client", "-connect", f"127.0.0.1:{self.site}", "-servername", name,
             "-sigalgs", SIGALGS[kind], "-CAfile", root or self.pebble.root, "-verify_hostname",
             name, "-verify_return_error"], stdin=subprocess.DEVNULL, capture_output=True,
            timeout=LIMIT_S, check=False)
        if done.returncode:
            return None
        text = subprocess.run(["openssl", "x509", "-noout", "-serial", "-text"],
                              input=done.stdout, capture_output=True, check=True).stdout.decode()
        expect("id-ecPublicKey" in text, kind == "ecdsa", f"the key that {name} has for {kind}")
        return re.search(r"serial=(\w+)", text).group(1).lower()


def block(language, index=0):
    """A code block of the manual's sections about managed certificates."""
    manual = pathlib.Path(MANUAL).read_text(encoding="utf-8")
    manual = manual[manual.index("## Managed certificates"):]
    return re.findall(rf"```{language}\n(.*?)```", manual, re.S)[index]


class Unprocessed(Exception):
    """A draining HAProxy did not begin with the request (GOAWAY): clients send it again, RFC 9113
    section 6.8."""


class Visitors:
    """Threads that open one connection for each request until they are stopped: HTTP/1.1 and h2 by
    turns, TLS 1.2 and 1.3."""

    def __init__(self, proxy, names, roots=None, count=3):
        self.proxy, self.names = proxy, names
        self.total, self.again, self.failures, self.is_over = 0, 0, [], False
        self.bundle = f"{proxy.place}/roots.pem"
        pathlib.Path(self.bundle).write_text("".join(
            pathlib.Path(root).read_text(encoding="utf-8")
            for root in roots or [proxy.pebble.root]), encoding="utf-8")
        self.threads = [threading.Thread(target=self.run, args=(index,), daemon=True)
                        for index in range(count)]
        for thread in self.threads:
            thread.start()

    def run(self, index):
        turn = index
        while not self.is_over:
            turn += 1
            try:
                self.request(self.names[turn % len(self.names)], turn % 2 == 0, turn % 3 == 0)
            except Unprocessed:
                self.again += 1
                turn -= 1
                continue
            except (OSError, ValueError) as error:
                self.failures.append(f"{time.time():.2f} {error!r}")
            self.total += 1
            time.sleep(0.002)

    def request(self, name, is_h2, is_old):
        context = ssl.create_default_context(cafile=self.bundle)
        context.options |= ssl.OP_NO_TICKET
        if is_old:
            context.maximum_version = ssl.TLSVersion.TLSv1_2
        context.set_alpn_protocols(["h2"] if is_h2 else ["http/1.1"])
        address = ("127.0.0.1", self.proxy.site)
        with socket.create_connection(address, 10) as plain, \
                context.wrap_socket(plain, server_hostname=name) as tls:
            expect_value(tls.selected_alpn_protocol(), "h2" if is_h2 else "http/1.1")
            if is_h2:
                # GET https://a/ by the static table (RFC 7541): method, scheme, path, authority.
                tls.sendall(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + frame(4, 0, 0, b"")
                            + frame(1, 5, 1, b"\x82\x87\x84\x41\x01a"))
                body = h2_body(tls)
            else:
                tls.sendall(b"GET / HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n")
                body = b"".join(iter(lambda: tls.recv(65536), b""))
                expect_value(body[:12], b"HTTP/1.1 200")
            expect_value(body.endswith(b"hello"), True)

    def stop(self):
        self.is_over = True
        for thread in self.threads:
            thread.join(LIMIT_S)
        if self.failures:
            fail(f"{len(self.failures)} of {self.total} requests: {self.failures[:5]}")
        return f"{self.total} connections, 0 failed, {self.again} sent again after a GOAWAY"


def expect_value(seen, expected):
    if seen != expected:
        raise ValueError(f"saw {seen!r}, not {expected!r}")


def frame(kind, flags, stream, payload):
    return (len(payload).to_bytes(3, "big") + bytes([kind, flags]) + stream.to_bytes(4, "big")
            + payload)


def exactly(tls, size):
    data = b""
    while len(data) < size:
        more = tls.recv(size - len(data))
        if not more:
            raise ValueError("closed before the answer's end")
        data += more
    return data


def h2_body(tls):
    """The data frames of stream 1, to its end."""
    body = b""
    while True:
        head = exactly(tls, 9)
        payload = exactly(tls, int.from_bytes(head[:3], "big"))
        if head[3] == 0:
            body += payload
        if head[3] == 7 and int.from_bytes(payload[:4], "big") < 1:
            raise Unprocessed
        if head[3] == 3:
            raise ValueError(f"h2 frame of type {head[3]}")
        if head[3] in (0, 1) and head[4] & 1:
            return body


@contextlib.contextmanager
def scene(haproxy, modules, pebble=None, kind=Proxy, **options):
    """A Proxy of that kind, and a Pebble of its own unless one is given; both are ended."""
    with contextlib.ExitStack() as stack:
        ca = pebble or Pebble(**options.pop("ca", {}))
        if not pebble:
            stack.callback(ca.close)
        place = stack.enter_context(tempfile.TemporaryDirectory())
        proxy = kind(haproxy, modules, place, ca, **options)
        stack.callback(proxy.stop)
        try:
            yield proxy
        except SystemExit:
            if os.path.exists(proxy.log):
                lines = [line for line in proxy.said().splitlines() if "GET /" not in line
                         and "Connect from" not in line and "POST /" not in line]
                print("HAProxy said:", *lines[-40:], sep="\n")
            raise
