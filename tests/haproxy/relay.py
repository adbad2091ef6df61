# SPDX-License-Identifier: MIT
"""A CA that says what a test wants: a TLS server between HAProxy and Pebble, with Pebble's own
certificate. It passes on what it is asked, Host included, which Pebble's URLs and JWS checks go by.
A test puts refusals in its place, or holds validations: what is valid looks pending."""

import http.client
import http.server
import json
import os
import re
import ssl
import threading
import time

LIMIT_S = 60
ACME = "urn:ietf:params:acme:error:"
# Pebble's paths, by what one asks for there.
PLACES = {"newNonce": "/nonce-plz", "newAccount": "/sign-me-up", "newOrder": "/order-plz",
          "finalize": "/finalize-order/", "certificate": "/certZ/", "authorization": "/authZ/",
          "directory": "/dir"}
# What a held answer has in place of these.
HELD = {"authz": {"valid": "pending"}, "chalz": {"valid": "processing"},
        "my-order": {"ready": "pending"}}
HOP = ("connection", "keep-alive", "transfer-encoding", "content-length")


def problem(status, kind, detail, headers=(), more=None):
    """An answer as a CA refuses."""
    body = json.dumps({"type": ACME + kind, "detail": detail, "status": status, **(more or {})})
    return status, [("Content-Type", "application/problem+json"), *headers], body.encode()


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    timeout = LIMIT_S

    def log_message(self, *_):
        pass

    def ask(self, method, path, body=None):
        """Pebble's answer: status, headers, body."""
        context = ssl.create_default_context(cafile=os.environ["PEBBLE_CA"])
        host, port = self.server.authority.split(":")
        connection = http.client.HTTPSConnection(host, int(port), timeout=LIMIT_S, context=context)
        connection.putrequest(method, path, skip_host=True, skip_accept_encoding=True)
        for name, value in self.headers.items():
            if name.lower() not in HOP:
                connection.putheader(name, value)
        if body is not None:
            connection.putheader("Content-Length", str(len(body)))
        connection.endheaders(body)
        answer = connection.getresponse()
        body = answer.read()
        headers = [item for item in answer.getheaders() if item[0].lower() not in HOP]
        connection.close()
        return answer.status, headers, body

    def answer(self, status, headers, body):
        self.send_response_only(status)
        for name, value in headers:
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def serve(self):
        body = self.rfile.read(int(self.headers.get("content-length", 0)))
        if self.command != "POST":
            body = None
        wanted = self.server.relay.refusal(self.path)
        if wanted:
            status, headers, said = wanted
            nonce = [item for item in self.ask("HEAD", PLACES["newNonce"])[1]
                     if item[0].lower() == "replay-nonce"]
            self.answer(status, [*headers, *nonce], said)
            return
        status, headers, said = self.ask(self.command, self.path, body)
        self.answer(status, headers, self.server.relay.see(self.path, said))

    do_GET = do_HEAD = do_POST = serve


class Server(http.server.ThreadingHTTPServer):
    """TLS begins in a connection's own thread, so that nobody holds up accept()."""
    daemon_threads = True

    def __init__(self, relay):
        super().__init__(("127.0.0.1", 0), Handler)
        self.relay = relay
        self.authority = os.environ["PEBBLE_URL"].removeprefix("https://").removesuffix("/dir")
        folder = os.environ["PEBBLE_DIR"]
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(f"{folder}/pebble.pem", f"{folder}/pebble.key")
        self.socket = context.wrap_socket(self.socket, server_side=True,
                                          do_handshake_on_connect=False)

    def handle_error(self, request, client_address):
        """A connection that ends early is HAProxy's to judge."""


class Relay:
    """with Relay() as relay: relay.address is where to send HAProxy."""

    def __init__(self):
        self.server = Server(self)
        self.address = f"127.0.0.1:{self.server.server_address[1]}"
        self.lock = threading.Lock()
        self.refusals = {}
        self.held_until = 0
        self.hidden = 0
        self.tokens = {}
        self.thread = threading.Thread(target=self.server.serve_forever)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.server.shutdown()
        self.thread.join()
        self.server.server_close()

    def refuse(self, place, answer, times=None):
        """From now on, or so many times: this answer at one of PLACES."""
        with self.lock:
            self.refusals = {PLACES[place]: [answer, times, 0]}

    def refused(self):
        """How often it was said; then no more."""
        with self.lock:
            counts = [row[2] for row in self.refusals.values()]
            self.refusals = {}
        return sum(counts)

    def hold(self, seconds):
        """Validations take at least so long from now."""
        with self.lock:
            self.held_until = time.monotonic() + seconds

    def release(self):
        self.hold(0)

    def refusal(self, path):
        with self.lock:
            for place, row in self.refusals.items():
                if path.startswith(place) and row[1] != 0:
                    row[1] = None if row[1] is None else row[1] - 1
                    row[2] += 1
                    return row[0]
        return None

    def see(self, path, body):
        """Note the tokens; hide what is held."""
        place = re.match(r"/(authz|chalz|my-order)/", path, re.I)
        if not place or not body.startswith(b"{"):
            return body
        value = json.loads(body)
        hides = HELD[place[1].lower()]
        with self.lock:
            for challenge in value.get("challenges", ()):
                if challenge["type"] == "http-01":
                    self.tokens[value["identifier"]["value"]] = challenge["token"]
            if time.monotonic() >= self.held_until:
                return body
            for item in [value, *value.get("challenges", ())]:
                if item.get("status") in hides:
                    item["status"] = hides[item["status"]]
                    item.pop("validated", None)
                    self.hidden += 1
        return json.dumps(value).encode()
