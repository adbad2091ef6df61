# SPDX-License-Identifier: MIT
"""Proves that the example of hosts/haproxy/JOSE.md does in a real HAProxy what the manual says: the
two files are taken from its text, the tokens are signed by the openssl program. A token that fits
reaches the application with its subject; every other one gets 401 and the sentence. What the module
signs there, openssl verifies. No call takes 20 ms of the processor's time.

usage: jose_test.py HAPROXY MODULE_FOLDER"""

import base64
import concurrent.futures
import http.client
import http.server
import json
import os
import re
import socket
import subprocess
import sys
import tempfile
import threading
import time

HERE = os.path.dirname(os.path.abspath(__file__))
MANUAL = os.path.join(HERE, "../../hosts/haproxy/JOSE.md")
TIME_LIMIT_S = 60
CALL_MS_MAX = 20
GOOD = {"iss": "https://login.example/", "aud": ["https://api.example/", "x"], "sub": "joe"}


def openssl(*arguments, data=None):
    return subprocess.run(["openssl", *arguments], input=data, capture_output=True, check=True,
                          timeout=TIME_LIMIT_S).stdout


def base64url(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def decode(text):
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def pair_of(der, width):
    """An ECDSA signature as a JWS has it: R and S at full width, from DER."""
    numbers = []
    place = 2 if der[1] < 0x80 else 3
    for _ in range(2):
        size = der[place + 1]
        numbers.append(der[place + 2:place + 2 + size].lstrip(b"\0").rjust(width, b"\0"))
        place += 2 + size
    return b"".join(numbers)


def der_of(pair):
    """And back."""
    body = b""
    for half in (pair[:len(pair) // 2], pair[len(pair) // 2:]):
        number = half.lstrip(b"\0") or b"\0"
        number = b"\0" + number if number[0] >= 0x80 else number
        body += b"\x02" + bytes([len(number)]) + number
    return b"\x30" + bytes([len(body)]) + body


class Scene:
    """A folder with keys, HAProxy with the manual's files, and an application behind it."""

    def __init__(self, haproxy, modules, place):
        self.haproxy, self.modules, self.place = haproxy, modules, place
        self.port = free_port()
        for name, made in {"p256": ("-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256"),
                           "p384": ("-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-384"),
                           "other": ("-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256"),
                           "rsa4096": ("-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:4096"),
                           }.items():
            openssl("genpkey", *made, "-out", f"{place}/{name}.pem")
            openssl("pkey", "-in", f"{place}/{name}.pem", "-pubout", "-out", f"{place}/{name}.pub")

    def write(self, issuer, application, load="lua-load"):
        """The manual's files, with this machine's places and ports and the probe's services."""
        with open(MANUAL, encoding="utf-8") as file:
            manual = file.read()
        script = re.search(r"```lua\n(.*?)```", manual, re.S).group(1)
        config = re.search(r"```haproxy\n(.*?)```", manual, re.S).group(1)
        script = replace(script, "/etc/haproxy/issuer.pem", issuer)
        config = replace(config, "/usr/local/lib/lua/5.3", self.modules)
        config = replace(config, "/etc/haproxy/jwt.lua", f"{self.place}/jwt.lua")
        config = replace(config, "bind :8080", f"bind 127.0.0.1:{self.port}")
        config = replace(config, "127.0.0.1:8081", f"127.0.0.1:{application}")
        more = f"    lua-load {HERE}/jose_probe.lua\n    nbthread 4\n"
        if os.geteuid() == 0:
            os.makedirs(f"{self.place}/empty", exist_ok=True)
            more += f"    chroot {self.place}/empty\n    user nobody\n"
        config = replace(config, "    lua-load ", more + "    lua-load ")
        config = replace(config, "lua-load ", f"{load} ")
        config = replace(config, "    http-request del-header x-user\n",
                         "    http-request use-service lua.sign if { path_beg /sign/ }\n"
                         "    http-request use-service lua.cost if { path /cost }\n"
                         "    http-request del-header x-user\n")
        for name, text in {"jwt.lua": script, "haproxy.cfg": config}.items():
            with open(f"{self.place}/{name}", "w", encoding="utf-8") as file:
                file.write(text)

    def start(self):
        command = [self.haproxy, "-f", f"{self.place}/haproxy.cfg"]
        environment = {**os.environ, "JOSE_FOLDER": self.place}
        checked = subprocess.run([*command, "-c"], env=environment, capture_output=True, text=True,
                                 timeout=TIME_LIMIT_S, check=False)
        if checked.returncode:
            sys.exit("haproxy -c:\n" + checked.stdout + checked.stderr)
        with open(f"{self.place}/haproxy.log", "w", encoding="utf-8") as log:
            process = subprocess.Popen([*command, "-db"], env=environment, stdout=log, stderr=log)
        limit = time.monotonic() + TIME_LIMIT_S
        while process.poll() is None and time.monotonic() < limit:
            try:
                socket.create_connection(("127.0.0.1", self.port), 5).close()
                return process
            except OSError:
                time.sleep(0.05)
        process.kill()
        process.wait()
        with open(f"{self.place}/haproxy.log", encoding="utf-8") as log:
            sys.exit("HAProxy does not listen:\n" + log.read())

    def sign(self, key, header, claims):
        """A token by openssl."""
        text = base64url(json.dumps(header).encode()) + "." + base64url(json.dumps(claims).encode())
        made = openssl("dgst", "-sha256", "-sign", f"{self.place}/{key}.pem", data=text.encode())
        return text + "." + base64url(made if key.startswith("rsa") else pair_of(made, 32))

    def get(self, path, token=None):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=TIME_LIMIT_S)
        headers = {} if token is None else {"authorization": f"Bearer {token}", "x-user": "admin"}
        connection.request("GET", path, headers=headers)
        answer = connection.getresponse()
        body = answer.read().decode()
        connection.close()
        return answer.status, body, answer.getheader("www-authenticate")


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as server:
        return server.getsockname()[1]


def replace(text, old, new):
    if old not in text:
        sys.exit(f"the manual no longer has {old!r}")
    return text.replace(old, new)


class Application(http.server.BaseHTTPRequestHandler):
    """Answers with the user that the proxy tells it."""

    def do_GET(self):
        body = f"user {self.headers['x-user']}".encode()
        self.send_response(200)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format, *arguments):
        pass


def expect(seen, expected, what):
    if seen != expected:
        sys.exit(f"{what}: saw {seen!r}, not {expected!r}")


def expect_refused(scene, token, sentence):
    expect(scene.get("/", token), (401, sentence, "Bearer"), token)


def tokens_are_judged(scene, key, alg):
    now = int(time.time())
    good = {**GOOD, "exp": now + 600, "iat": now}
    header = {"alg": alg, "typ": "JWT"}
    token = scene.sign(key, header, good)
    expect(scene.get("/", token)[:2], (200, "user joe"), "a good token")
    half = scene.sign(key, header, {**good, "iat": now - 0.5, "aud": "https://api.example/"})
    expect(scene.get("/", half)[:2], (200, "user joe"), "a time with a fraction")
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        answers = set(pool.map(lambda _: scene.get("/", token)[:2], range(200)))
    expect(answers, {(200, "user joe")}, "200 requests on four threads")

    def changed(**claims):
        return scene.sign(key, header, {**good, **claims})

    expect_refused(scene, changed(exp=now - 61), "the token has expired")
    expect_refused(scene, changed(nbf=now + 600), "the token is not valid yet")
    expect_refused(scene, changed(iat=now + 600), "the token was issued in the future")
    expect_refused(scene, changed(iss="https://login.example"), "the token is from another issuer")
    expect_refused(scene, changed(aud="https://web.example/"), "the token is for another audience")
    expect_refused(scene, changed(exp="soon"), "exp, nbf or iat is not a number")
    for name, sentence in (("exp", "the token has no exp"), ("iss", "the token names no issuer"),
                           ("aud", "the token names no audience")):
        claims = {k: v for k, v in good.items() if k != name}
        expect_refused(scene, scene.sign(key, header, claims), sentence)
    expect_refused(scene, scene.sign(key, {**header, "crit": ["exp"]}, good),
                   "not a JWS, or one with extensions that are not supported")
    for name in ("none", "HS256", "ES384", "PS256"):
        expect_refused(scene, scene.sign(key, {"alg": name}, good),
                       "the algorithm in the header is not the key's")
    head, _, signature = token.split(".")
    forged = base64url(json.dumps({**good, "sub": "root"}).encode())
    expect_refused(scene, f"{head}.{forged}.{signature}", "the signature does not fit")
    for text in ("x", "a.b.c", f"{head}.{forged}.", token + ".", token[:-5] + "====="):
        expect_refused(scene, text, "not a JWS, or one with extensions that are not supported")
    status, _, _ = scene.get("/")
    expect(status, 401, "no token")


def signatures_are_accepted_by_openssl(scene):
    for key, digest in (("p256", "-sha256"), ("p384", "-sha384"), ("rsa4096", "-sha256")):
        for _ in range(8):
            status, jws, _ = scene.get(f"/sign/{key}")
            expect(status, 200, f"/sign/{key}")
            header, payload, signature = jws.split(".")
            expect(decode(payload), b"payload", "the payload")
            expect(json.loads(decode(header))["alg"],
                   {"p256": "ES256", "p384": "ES384", "rsa4096": "RS256"}[key], "alg")
            made = decode(signature)
            with open(f"{scene.place}/signature", "wb") as file:
                file.write(made if key.startswith("rsa") else der_of(made))
            openssl("dgst", digest, "-verify", f"{scene.place}/{key}.pub",
                    "-signature", f"{scene.place}/signature", data=f"{header}.{payload}".encode())


def no_call_holds_the_proxy(scene):
    status, body, _ = scene.get("/cost")
    expect(status, 200, "/cost")
    print(body, end="")
    for line in body.splitlines():
        if float(line.rsplit(":", 1)[1]) >= CALL_MS_MAX:
            sys.exit(f"over {CALL_MS_MAX} ms: {line}")


def run(scene, claims):
    process = scene.start()
    try:
        claims()
    finally:
        process.kill()
        process.wait()


def main():
    haproxy, modules = sys.argv[1:]
    if not os.access(haproxy, os.X_OK):
        print("this HAProxy is not here")
        sys.exit(77)
    application = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Application)
    threading.Thread(target=application.serve_forever, daemon=True).start()
    port = application.server_address[1]
    with tempfile.TemporaryDirectory() as place:
        scene = Scene(haproxy, modules, place)
        os.chmod(place, 0o755)
        scene.write(f"{place}/p256.pub", port)
        run(scene, lambda: (tokens_are_judged(scene, "p256", "ES256"),
                            signatures_are_accepted_by_openssl(scene),
                            no_call_holds_the_proxy(scene)))
        scene.write(f"{place}/rsa4096.pub", port, "lua-load-per-thread")
        run(scene, lambda: tokens_are_judged(scene, "rsa4096", "RS256"))
    print(subprocess.run([haproxy, "-v"], capture_output=True, text=True,
                         check=True).stdout.split("\n", maxsplit=1)[0])


if __name__ == "__main__":
    main()
