# SPDX-License-Identifier: MIT
"""HAProxy with the files of hosts/haproxy/reference, their places and ports filled in, in front of
the Pebble that tests/interop/pebble.sh started. For order_test.py."""

import base64
import contextlib
import http.client
import json
import os
import re
import socket
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
HOST = os.path.join(HERE, "../../hosts/haproxy")
TIME_LIMIT_S = 120
# Below the ports that connect() takes, as pebble.sh does: what is free now is free in a moment.
PASSWORD = "Basic " + base64.b64encode(b"acme:acme").decode()
BOUNDARY = "----a1b2c3d4"


def fail(sentence):
    sys.exit(f"failed: {sentence}")


def read(path):
    with open(path, encoding="utf-8") as file:
        return file.read()


def write(path, text):
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)


def replace(text, old, new):
    if old not in text:
        fail(f"the reference files no longer have {old!r}")
    return text.replace(old, new)


def free_ports(count):
    with contextlib.ExitStack() as stack:
        servers = [stack.enter_context(socket.create_server(("127.0.0.1", 0)))
                   for _ in range(count)]
        return [server.getsockname()[1] for server in servers]


def openssl(*arguments):
    return subprocess.run(["openssl", *arguments], capture_output=True, check=True, text=True,
                          timeout=TIME_LIMIT_S).stdout


def key(path, *made):
    """A private key as text; made once."""
    if not os.path.exists(path):
        openssl("genpkey", *made, "-out", path)
    return read(path)


def rsa(path, bits):
    return key(path, "-algorithm", "RSA", "-pkeyopt", f"rsa_keygen_bits:{bits}")


def ecdsa(path):
    return key(path, "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256")


def form(fields):
    """A multipart body as browsers send it."""
    parts = [f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'
             for name, value in fields.items()]
    return "".join(parts) + f"--{BOUNDARY}--\r\n"


def orders_at_ca():
    """How many orders Pebble was asked for."""
    return read(os.environ["PEBBLE_LOG"]).count("Added order")


def asked_of_ca():
    """What Pebble was asked for, method and path."""
    return re.findall(r"(GET|HEAD|POST) (/\S*) -> ", read(os.environ["PEBBLE_LOG"]))


class Answer:
    def __init__(self, answer):
        self.status = answer.status
        self.type = answer.getheader("content-type", "")
        self.headers = answer.headers
        self.body = answer.read().decode()

    def json(self):
        return json.loads(self.body)

    def __repr__(self):
        return f"{self.status} {self.type} {self.body[:300]}"


class Scene:
    """One HAProxy. load: lua-load or lua-load-per-thread."""

    def __init__(self, haproxy, modules, place):
        self.haproxy, self.modules, self.place = haproxy, modules, place
        self.process = None
        self.port = 0

    def write(self, load="lua-load", agreed="true", service=None, ca=None, listen=None):
        self.port, proxy = free_ports(2)
        url = os.environ["PEBBLE_URL"].removesuffix("/dir")
        authority = url.removeprefix("https://")
        text = read(f"{HOST}/reference/haproxy.cfg")
        if service:
            text = re.sub(r"userlist acme_users\n.*?(?=listen acme-ca\n)", lambda _: service, text,
                          flags=re.S)
        else:
            text = replace(text, "bind 127.0.0.1:9011", f"bind 127.0.0.1:{self.port}")
        text = replace(text, "acme-v02.api.letsencrypt.org:443 ",
                       f"{ca or authority.replace('localhost', '127.0.0.1')} ")
        text = replace(text, "sni str(acme-v02.api.letsencrypt.org)", "sni str(localhost)")
        text = replace(text, "Host acme-v02.api.letsencrypt.org", f"Host {authority}")
        text = replace(text, "@system-ca", os.environ["PEBBLE_CA"])
        text = replace(text, "bind *:80",
                       f"bind 127.0.0.1:{listen or os.environ['PEBBLE_HTTP_PORT']}")
        text = replace(text, "127.0.0.1:9012", f"127.0.0.1:{proxy}")
        text = replace(text, "/dev/log local0 debug", "stderr len 16384 format raw local0 debug")
        # What is said to the CA is logged: a JWS's payload is base64url.
        text = replace(text, "listen acme-ca\n", "listen acme-ca\n    option http-buffer-request\n"
                       "    http-request capture req.body,json_query('$.payload') len 8192\n")
        text = replace(text, "/usr/local/share/thinair/haproxy/", f"{HOST}/")
        text = replace(text, "/usr/local/lib/lua/5.3", self.modules)
        text = replace(text, "/etc/haproxy/", f"{self.place}/")
        text = replace(text, "    lua-load ", f"    {load} ")
        text = replace(text, "\nglobal\n", "\nglobal\n    nbthread 4\n")
        write(f"{self.place}/haproxy.cfg", text)
        config = read(f"{HOST}/reference/config.lua")
        config = replace(config, "http://127.0.0.1:9012", f"http://127.0.0.1:{proxy}")
        config = replace(config, '"https://acme-v02.api.letsencrypt.org"',
                         f'"{url}", directory = "{url}/dir"')
        config = replace(config, "Agreed = false", f"Agreed = {agreed}")
        write(f"{self.place}/config.lua", config)

    def __enter__(self):
        command = [self.haproxy, "-f", f"{self.place}/haproxy.cfg"]
        checked = subprocess.run([*command, "-c"], capture_output=True, text=True, check=False,
                                 timeout=TIME_LIMIT_S)
        if checked.returncode:
            fail("haproxy -c: " + checked.stdout + checked.stderr)
        with open(f"{self.place}/haproxy.log", "w", encoding="utf-8") as log:
            self.process = subprocess.Popen([*command, "-db"], stdout=log, stderr=log)
        limit = time.monotonic() + TIME_LIMIT_S
        while self.process.poll() is None and time.monotonic() < limit:
            try:
                socket.create_connection(("127.0.0.1", self.port), 5).close()
                return self
            except OSError:
                time.sleep(0.05)
        self.process.kill()
        self.process.wait()
        fail("HAProxy does not listen: " + self.log())

    def __exit__(self, kind, *_):
        self.process.kill()
        self.process.wait()
        if kind:
            print("HAProxy's last words:", *self.log().splitlines()[-30:], sep="\n    ")

    def log(self):
        return read(f"{self.place}/haproxy.log")

    def request(self, method, path, body=None, headers=None, port=None):
        connection = http.client.HTTPConnection("127.0.0.1", port or self.port,
                                                timeout=TIME_LIMIT_S)
        connection.request(method, path, body, {"authorization": PASSWORD, **(headers or {})})
        answer = Answer(connection.getresponse())
        connection.close()
        return answer

    def order(self, fields, **headers):
        return self.request("POST", "/acme/order", form(fields), {
            "content-type": f"multipart/form-data; boundary={BOUNDARY}", **headers})

    def order_json(self, value, **headers):
        return self.request("POST", "/acme/order", json.dumps(value), {
            "content-type": "application/json", **headers})

    def requests_sent(self):
        """The CSRs in DER, in their order, each as often as it was sent."""
        payloads = re.findall(r"\{([\w-]+)\}", self.log())
        values = [base64.urlsafe_b64decode(text + "===") for text in payloads]
        csrs = [json.loads(value)["csr"] for value in values if value.startswith(b'{"csr":')]
        return [base64.urlsafe_b64decode(csr + "===") for csr in csrs]

    def resident_kib(self):
        return int(re.search(r"VmRSS:\s+(\d+)", read(f"/proc/{self.process.pid}/status")).group(1))
