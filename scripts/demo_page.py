# SPDX-License-Identifier: MIT
"""The web application of the demonstration: one page over plain HTTP on a free loopback port, which
it prints. Ends when its standard input does, so that it never outlives who started it."""

import http.server
import os
import sys
import threading

PAGE = b"""<!doctype html>
<title>thinair</title>
<h1>It works</h1>
<p>A plain web application said this. It knows nothing of certificates.</p>
"""


class Page(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    timeout = 30

    def do_GET(self):
        self.send_response(200)
        self.send_header("Content-Type", "text/html; charset=utf-8")
        self.send_header("Content-Length", str(len(PAGE)))
        self.end_headers()
        self.wfile.write(PAGE)

    def log_message(self, *_):
        pass


def main():
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Page)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    print(server.server_address[1], flush=True)
    sys.stdin.read()
    os._exit(0)


if __name__ == "__main__":
    main()
