# SPDX-License-Identifier: MIT
"""Requests a page again and again, each time over a new connection that is verified against a root,
until the certificate has changed and as many requests again were answered by the new one as it
takes to be sure. Prints one line: requests, failures, both serials; exit status 0 when none failed.

usage: demo_requests.py NAME PORT ROOT.pem SECONDS_MAX"""

import socket
import ssl
import sys
import time

AFTER = 50  # requests to the new certificate before we believe it
PAUSE_S = 0.02


def request(context, name, port):
    """One request over a new connection: the certificate's serial."""
    with socket.create_connection(("127.0.0.1", port), timeout=10) as plain:
        with context.wrap_socket(plain, server_hostname=name) as tls:
            host = f"{name}:{port}".encode()
            tls.sendall(b"GET / HTTP/1.1\r\nHost: " + host + b"\r\nConnection: close\r\n\r\n")
            answer = b""
            while chunk := tls.recv(65536):
                answer += chunk
            if not answer.startswith(b"HTTP/1.1 200") or b"It works" not in answer:
                raise OSError(f"unexpected answer: {answer[:60]!r}")
            return tls.getpeercert()["serialNumber"]


def main():
    name, port, root, seconds_max = sys.argv[1], int(sys.argv[2]), sys.argv[3], int(sys.argv[4])
    context = ssl.create_default_context(cafile=root)
    serials, answered_after, count, failures = [], 0, 0, []
    deadline = time.monotonic() + seconds_max
    while answered_after < AFTER and time.monotonic() < deadline:
        count += 1
        try:
            serial = request(context, name, port)
            if serial not in serials:
                serials.append(serial)
            answered_after += len(serials) > 1
        except (OSError, ssl.SSLError) as error:
            failures.append(str(error))
        time.sleep(PAUSE_S)
    print(f"{count} requests, {len(failures)} failed, serials " + " then ".join(serials))
    for failure in failures[:5]:
        print(f"  failed: {failure}")
    sys.exit(0 if len(serials) > 1 and not failures else 1)


if __name__ == "__main__":
    main()
