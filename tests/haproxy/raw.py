# SPDX-License-Identifier: MIT
"""HTTP/1.1 by hand, for requests that no library would send."""

import json
import re
import socket
import time

LIMIT_S = 60


class Said:
    """One answer as it came; its body as Latin-1."""

    def __init__(self, status, headers, body):
        self.status, self.headers, self.body = status, headers, body.decode("latin-1")
        self.type = headers.get("content-type", "")

    def json(self):
        return json.loads(self.body)

    def __repr__(self):
        return f"{self.status} {self.headers} {self.body[:200]!r}"


def split(received):
    """The answers in what was received, the interim ones too; what cannot be read is an error."""
    answers = []
    while received:
        head, end, rest = received.partition(b"\r\n\r\n")
        lines = head.decode("latin-1").split("\r\n")
        first = re.match(r"HTTP/1\.[01] (\d{3})", lines[0])
        if not end or not first:
            raise ValueError(f"not an answer: {received[:200]!r}")
        headers = {name.lower(): value.strip()
                   for name, _, value in (line.partition(":") for line in lines[1:])}
        status = int(first[1])
        size = int(headers.get("content-length", 0 if status < 200 else len(rest)))
        answers.append(Said(status, headers, rest[:size]))
        received = rest[size:]
    return answers


class Connection:
    """with Connection(port) as client: bytes in, bytes out."""

    def __init__(self, port):
        self.socket = socket.create_connection(("127.0.0.1", port), LIMIT_S)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    def send(self, data):
        """What can be sent before the other side closes."""
        try:
            self.socket.sendall(data)
        except OSError:
            pass

    def until(self, condition):
        """What comes until the condition holds of it, or the other side closes."""
        received = b""
        deadline = time.monotonic() + LIMIT_S
        while not condition(received):
            self.socket.settimeout(max(0.01, deadline - time.monotonic()))
            try:
                part = self.socket.recv(65536)
            except ConnectionError:
                part = b""
            if not part:
                break
            received += part
        return received

    def all(self):
        return self.until(lambda _: False)


def exchange(port, data):
    """All answers to these bytes, until the other side closes."""
    with Connection(port) as client:
        client.send(data)
        return client.all()
