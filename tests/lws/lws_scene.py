# SPDX-License-Identifier: MIT
"""What lws_test.py plays with: a libwebsockets server of ours (server.c), as root as another user
with everything in root-only directories, a Pebble of its own, and clients, websockets too."""

import base64
import contextlib
import json
import os
import pathlib
import re
import signal
import socket
import ssl
import subprocess
import sys
import tempfile
import threading
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "../haproxy"))

from managed_scene import (  # pylint: disable=wrong-import-position
    LIMIT_S, SIGALGS, Pebble, Visitors, expect, fail, wait_for)

__all__ = ["Echo", "HERE", "LIMIT_S", "NOBODY", "Pebble", "Server", "Vhost", "Visitors", "expect",
           "fail", "scene", "wait_for"]

NOBODY = 65534
KINDS = {"ecdsa": "ecdsa-p256", "rsa": "rsa-2048"}


class Vhost:
    """A vhost's name, and options beside those that every one has; files: how its files begin."""

    def __init__(self, name, files, **options):
        self.name, self.files = name, files
        self.options = {key.replace("_", "-"): value for key, value in options.items()}


class Server:
    """server.c with vhosts on one port, which is where Pebble validates."""

    def __init__(self, program, place, pebble, vhosts, is_first=False):
        self.program, self.place, self.pebble = program, place, pebble
        self.vhosts, self.is_first = vhosts, is_first
        self.site = int(pebble.tls_port)
        self.secret = f"{place}/secret"
        self.log, self.process = f"{place}/server.log", None
        self.common = {"directory-url": pebble.url, "ca-file": pebble.ca, "agree-terms": "1",
                       "email": "postmaster@example.net", "auth-path": f"{self.secret}/auth.jwk"}
        os.makedirs(self.secret, mode=0o700, exist_ok=True)

    def words(self):
        words = [*self.program]
        if os.geteuid() == 0:
            words += ["-u", str(NOBODY)]
        if self.is_first:
            words.append("-0")
        for vhost in self.vhosts:
            files = [f"{self.secret}/{vhost.files}.{part}" for part in ("crt", "key")]
            words += ["-v", vhost.name, str(self.site), *files]
            options = {**self.common, "cert-path": files[0], "key-path": files[1],
                       "common-name": vhost.name, **vhost.options}
            for name, value in options.items():
                if value is not None:
                    words += ["-o", name, value]
        return words

    def start(self, *before):
        """before: a program that starts it, as strace."""
        with open(self.log, "a", encoding="utf-8") as log:
            self.process = subprocess.Popen([*before, *self.words()], stdin=subprocess.DEVNULL,
                                            stdout=log, stderr=log)
        wait_for("the server listens", self.listens)

    def listens(self):
        if self.process.poll() is not None:
            fail(f"the server has ended with {self.process.returncode}:\n" + self.said()[-4000:])
        try:
            socket.create_connection(("127.0.0.1", self.site), 5).close()
            return True
        except OSError:
            return False

    def stop(self, number=signal.SIGTERM):
        if self.process and self.process.poll() is None:
            self.process.send_signal(number)
            try:
                self.process.wait(LIMIT_S)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
                fail("the server does not end")
        self.process = None

    def said(self):
        return pathlib.Path(self.log).read_text(encoding="utf-8", errors="replace")

    def pebble_said(self):
        return pathlib.Path(self.pebble.log).read_text(encoding="utf-8", errors="replace")

    def pebble_is(self, pebble):
        """From the next start on; it validates at another port."""
        self.pebble, self.site = pebble, int(pebble.tls_port)
        self.common.update({"directory-url": pebble.url, "ca-file": pebble.ca})

    def children(self, pid=None):
        """Process ids of what a process (the server) has started."""
        pid = pid or self.process.pid
        found = subprocess.run(["pgrep", "-P", str(pid)], capture_output=True, text=True,
                               check=False).stdout.split()
        return [int(child) for child in found]

    @staticmethod
    def alive(pids):
        return [pid for pid in pids if os.path.exists(f"/proc/{pid}/exe")]

    @staticmethod
    def pause(seconds):
        """To kill at different moments; nothing is hoped for."""
        time.sleep(seconds)

    @staticmethod
    def public_of_chain(path):
        return subprocess.run(["openssl", "x509", "-in", path, "-noout", "-pubkey"], check=True,
                              capture_output=True).stdout

    @staticmethod
    def public_of_key(path):
        return subprocess.run(["openssl", "pkey", "-in", path, "-pubout"], check=True,
                              capture_output=True).stdout

    def account_scalar(self):
        """The private number of the account's key, as bytes."""
        jwk = json.loads(pathlib.Path(self.secret, "auth.jwk").read_text(encoding="utf-8"))
        return base64.urlsafe_b64decode(jwk["d"] + "==")

    @staticmethod
    def memory_holds(pid, secret):
        """Whether these bytes, in either order, as base64url or in hexadecimal, are there."""
        forms = [secret, secret[::-1], base64.urlsafe_b64encode(secret).rstrip(b"="),
                 secret.hex().encode()]
        maps = pathlib.Path(f"/proc/{pid}/maps").read_text(encoding="utf-8")
        with open(f"/proc/{pid}/mem", "rb") as memory:
            for line in maps.splitlines():
                begin, end = (int(part, 16) for part in line.split()[0].split("-"))
                if "r" not in line.split()[1] or "[v" in line:
                    continue
                memory.seek(begin)
                try:
                    content = memory.read(end - begin)
                except OSError:
                    continue
                if any(form in content for form in forms):
                    return True
        return False

    def write_account(self, kind):
        """The account's file, made by others; None: there is none."""
        if kind == "missing":
            return None
        made = ["-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:4096"] \
            if kind.startswith("rsa") else ["-algorithm", "EC", "-pkeyopt",
                                            "ec_paramgen_curve:P-256"]
        text = subprocess.run(["openssl", "genpkey", *made], check=True, capture_output=True,
                              text=True).stdout
        if kind.endswith("jwk"):
            text = rsa_jwk(text)
        path = pathlib.Path(self.secret, "auth.jwk")
        path.touch(mode=0o600)
        path.write_text(text, encoding="utf-8")
        return text

    def visit(self, name, kind="ecdsa", root=None):
        """The serial of what is served to a client of one kind that believes the CA, or None."""
        done = subprocess.run(
            ["openssl", "s_client", "-connect", f"127.0.0.1:{self.site}", "-sigalgs",
             SIGALGS[kind], "-CAfile", root or self.pebble.root, "-verify_return_error",
             *(["-servername", name, "-verify_hostname", name] if name else ["-noservername"])],
            stdin=subprocess.DEVNULL, capture_output=True, timeout=LIMIT_S, check=False)
        if done.returncode:
            return None
        text = subprocess.run(["openssl", "x509", "-noout", "-serial", "-text"],
                              input=done.stdout, capture_output=True, check=True).stdout.decode()
        expect("id-ecPublicKey" in text, kind == "ecdsa", f"the key that {name} has for {kind}")
        return re.search(r"serial=(\w+)", text).group(1).lower()

    def serials(self, names, kinds=tuple(KINDS)):
        """Every name and kind with its serial, once all are served."""
        def seen():
            found = {(name, kind): self.visit(name, kind) for name in names for kind in kinds}
            return found if all(found.values()) else None
        return wait_for(f"{names} are served to {kinds}", seen)

    def files(self):
        """What is in the root-only directory."""
        return sorted(str(path.relative_to(self.secret))
                      for path in pathlib.Path(self.secret).rglob("*"))


def rsa_jwk(pem):
    """An RSA key's JWK with its members in the order of the old plugin's."""
    shown = subprocess.run(["openssl", "rsa", "-noout", "-text"], input=pem, check=True,
                           capture_output=True, text=True).stdout
    numbers = dict(re.findall(r"^(\w+):\n((?:    [0-9a-f:]+\n)+)", shown, re.M))
    places = {"n": "modulus", "d": "privateExponent", "p": "prime1", "q": "prime2",
              "dp": "exponent1", "dq": "exponent2", "qi": "coefficient"}
    jwk = {"e": "AQAB", "kty": "RSA"}
    for name, place in places.items():
        value = bytes.fromhex(re.sub(r"[\s:]", "", numbers[place])).lstrip(b"\0")
        jwk[name] = base64.urlsafe_b64encode(value).decode().rstrip("=")
    return json.dumps(jwk)


class Echo(threading.Thread):
    """A websocket that says something over and over, and hears it back, until it is stopped."""

    def __init__(self, server, name):
        super().__init__(daemon=True)
        self.count, self.failure, self.is_over = 0, None, False
        context = ssl.create_default_context(cafile=server.pebble.root)
        context.set_alpn_protocols(["http/1.1"])
        plain = socket.create_connection(("127.0.0.1", server.site), LIMIT_S)
        self.tls = context.wrap_socket(plain, server_hostname=name)
        key = base64.b64encode(os.urandom(16)).decode()
        self.tls.sendall((f"GET /echo HTTP/1.1\r\nHost: {name}\r\nUpgrade: websocket\r\n"
                          f"Connection: Upgrade\r\nSec-WebSocket-Key: {key}\r\n"
                          "Sec-WebSocket-Protocol: echo\r\nSec-WebSocket-Version: 13\r\n"
                          "\r\n").encode())
        head = b""
        while not head.endswith(b"\r\n\r\n"):
            head += self.exactly(1)
        expect(head[:12], b"HTTP/1.1 101", "the websocket's beginning")
        self.start()

    def exactly(self, size):
        data = b""
        while len(data) < size:
            more = self.tls.recv(size - len(data))
            if not more:
                raise OSError("the websocket was closed")
            data += more
        return data

    def run(self):
        try:
            while not self.is_over:
                said = f"message {self.count}".encode()
                mask = os.urandom(4)
                masked = bytes(byte ^ mask[i % 4] for i, byte in enumerate(said))
                self.tls.sendall(bytes([0x81, 0x80 | len(said)]) + mask + masked)
                head = self.exactly(2)
                heard = self.exactly(head[1])
                if head[0] != 0x81 or heard != said:
                    raise OSError(f"heard {heard!r}, not {said!r}")
                self.count += 1
                time.sleep(0.002)
        except OSError as error:
            self.failure = error

    def stop(self):
        self.is_over = True
        self.join(LIMIT_S)
        self.tls.close()
        if self.failure:
            fail(f"the websocket after {self.count} messages: {self.failure}")
        return f"{self.count} messages echoed"


@contextlib.contextmanager
def scene(program, vhosts, pebble=None, ca=None, is_first=False, kind=Server):
    """A Server, and a Pebble of its own unless one is given; both are ended."""
    with contextlib.ExitStack() as stack:
        if pebble is None:
            pebble = Pebble(**(ca or {}))
            stack.callback(pebble.close)
        place = stack.enter_context(tempfile.TemporaryDirectory())
        os.chmod(place, 0o755)
        server = kind(program, place, pebble, vhosts, is_first)
        stack.callback(server.stop)
        try:
            yield server
        except SystemExit:
            if os.path.exists(server.log):
                print("the server said:", *server.said().splitlines()[-60:], sep="\n")
            raise
