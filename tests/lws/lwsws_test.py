# SPDX-License-Identifier: MIT
"""Proves the plugin in a real lwsws, built from Debian's own sources, with the JSON of
hosts/lws/README.md: as root as another user, nothing there at first, a certificate from Pebble, its
full chain to clients; a second start serves it from the files and orders nothing.

usage: lwsws_test.py LWSWS PLUGINS"""

import json
import os
import pathlib
import re
import signal
import subprocess
import sys
import tempfile

from lws_scene import HERE, NOBODY, Pebble, Server, expect, wait_for

MANUAL = os.path.join(HERE, "../../hosts/lws/README.md")
NAME = "example.net"


class Lwsws(Server):
    """lwsws in place of server.c."""

    def __init__(self, program, plugins, place, pebble):
        super().__init__([program], place, pebble, [])
        self.plugins = plugins

    def configure(self):
        """The manual's JSON: its places, its port and its CA replaced; the CA's root is new."""
        text = re.search(r"```json\n(.*?)```", pathlib.Path(MANUAL).read_text(encoding="utf-8"),
                         re.S).group(1)
        for old, new in {"/etc/lwsws/acme": self.secret, "/var/log/lwsws": self.place}.items():
            expect(old in text, True, f"the manual has {old}")
            text = text.replace(old, new)
        conf = json.loads(text)
        vhost = conf["vhosts"][0]
        vhost.update({"port": str(self.site), "interface": "127.0.0.1"})
        options = vhost["ws-protocols"][0]["lws-acme-client"]
        options.update({"directory-url": self.pebble.url, "ca-file": self.pebble.ca})
        where = pathlib.Path(self.place, "etc")
        pathlib.Path(where, "conf.d").mkdir(parents=True, exist_ok=True)
        common = {"count-threads": "1", "init-ssl": "yes", "plugin-dir": self.plugins}
        if os.geteuid() == 0:
            common.update({"uid": str(NOBODY), "gid": str(NOBODY)})
        pathlib.Path(where, "conf").write_text(json.dumps({"global": common}), encoding="utf-8")
        pathlib.Path(where, "conf.d", "acme").write_text(json.dumps(conf), encoding="utf-8")

    def words(self):
        return [*self.program, "-n", "-c", f"{self.place}/etc"]

    def start(self, *before):
        self.configure()
        with open(self.log, "a", encoding="utf-8") as log:
            self.process = subprocess.Popen([*before, *self.words()], stdin=subprocess.DEVNULL,
                                            stdout=log, stderr=log, start_new_session=True)
        wait_for("lwsws listens", self.listens)

    def stop(self, number=signal.SIGKILL):
        """Its first process does not end by itself."""
        if self.process:
            os.killpg(self.process.pid, number)
            self.process.wait()
        self.process = None


def main():
    lwsws, plugins = sys.argv[1:]
    if not os.access(lwsws, os.X_OK):
        print("this lwsws is not here")
        sys.exit(77)
    pebble = Pebble()
    try:
        with tempfile.TemporaryDirectory() as place:
            os.chmod(place, 0o755)
            server = Lwsws(lwsws, plugins, place, pebble)
            try:
                server.start()
                before = server.serials([NAME], ["ecdsa"])
                expect(pebble.orders(), 1, "orders")
                server.stop()
                server.start()
                expect(server.serials([NAME], ["ecdsa"]), before, "the serial after a restart")
                expect(pebble.orders(), 1, "orders after a restart")
            except SystemExit:
                print("lwsws said:", *server.said().splitlines()[-40:], sep="\n")
                raise
            finally:
                server.stop()
    finally:
        pebble.close()
    print("served, and served again after a restart")


if __name__ == "__main__":
    main()
