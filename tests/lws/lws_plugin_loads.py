# SPDX-License-Identifier: MIT
"""lwsws loads a plugin that was compiled here: it hands over the vhost's options, and the plugin
answers a request with the version of the library that it runs in. Skipped without lwsws.

usage: lws_plugin_loads.py LWSWS PLUGINS VERSION"""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import urllib.request


# lwsws does not end when its service process does: a test that waits for one more line gives up.
TIME_LIMIT_S = 40


def free_port():
    """A port that nobody has now: lwsws does not let the kernel choose."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        return server.getsockname()[1]


def configure(place, plugins, port):
    """lwsws's configuration: one file of its own and one for each server."""
    vhost = {"name": "probe.test", "port": str(port), "interface": "127.0.0.1",
             "mounts": [{"mountpoint": "/", "origin": "callback://air-probe"}],
             "ws-protocols": [{"air-probe": {"colour": "green"}}]}
    os.mkdir(os.path.join(place, "conf.d"))
    with open(os.path.join(place, "conf"), "w", encoding="utf-8") as file:
        json.dump({"global": {"count-threads": "1", "init-ssl": "yes", "plugin-dir": plugins}},
                  file)
    with open(os.path.join(place, "conf.d", "probe"), "w", encoding="utf-8") as file:
        json.dump({"vhosts": [vhost]}, file)


def probe(server, port, version):
    """What the plugin says, then what it answers; a sentence on what is wrong, or None."""
    output = ""
    for line in server.stderr:
        output += line
        found = re.search(r"probe: option (.*) is (.*)$", line)
        if found:
            break
    else:
        return "the plugin did not say anything:\n" + output
    if found.group(1, 2) != ("colour", "green"):
        return "not the option of the configuration: " + found.group(0)
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=20) as answer:
        text = answer.read().decode()
    print(f"answered: {text}")
    return None if text.startswith(version + ".") else f"not version {version}"


def main():
    lwsws, plugins, version = sys.argv[1:]
    if not os.access(lwsws, os.X_OK):
        print("skipped: there is no " + os.path.basename(os.path.dirname(os.path.dirname(lwsws))))
        sys.exit(77)
    with tempfile.TemporaryDirectory() as place:
        port = free_port()
        configure(place, plugins, port)
        # Its first process waits for a service process to end, and does not end itself.
        with subprocess.Popen([lwsws, "-n", "-c", place], stderr=subprocess.PIPE, text=True,
                              start_new_session=True) as server:
            watch = threading.Timer(TIME_LIMIT_S, os.killpg, (server.pid, signal.SIGKILL))
            watch.start()
            try:
                fault = probe(server, port, version)
            finally:
                watch.cancel()
                os.killpg(server.pid, signal.SIGKILL)
    if fault:
        print(fault)
        sys.exit(1)


if __name__ == "__main__":
    main()
