# SPDX-License-Identifier: MIT
"""Proves that no public header assumes our own loop: the engine, in a Lua module, is loaded
by a real HAProxy, and a task of HAProxy's completes its storage actions and one request. Also that
`haproxy -c` loads the same script without anything happening.

usage: haproxy_test.py HAPROXY MODULE_FOLDER ANSWER_FILE"""

import os
import re
import subprocess
import sys
import tempfile
import threading

HERE = os.path.dirname(os.path.abspath(__file__))
TIME_LIMIT_S = 30


def main():
    haproxy, folder, answer = sys.argv[1:]
    if not os.access(haproxy, os.X_OK):
        print(f"no {haproxy}: ./check --all gets it")
        sys.exit(77)
    with tempfile.TemporaryDirectory() as place:
        environment = {**os.environ, "SPIKE_FOLDER": folder, "SPIKE_ANSWER": answer,
                       "SPIKE_SCRIPT": f"{HERE}/haproxy.lua",
                       "SPIKE_ADDRESS": f"unix@{place}/ca.sock"}
        command = [haproxy, "-f", f"{HERE}/haproxy.cfg"]
        checked = subprocess.run([*command, "-c"], env=environment, capture_output=True, text=True,
                                 timeout=TIME_LIMIT_S, check=False)
        if checked.returncode or "spike:" in checked.stdout + checked.stderr:
            sys.exit("haproxy -c:\n" + checked.stdout + checked.stderr)
        process = subprocess.Popen([*command, "-db"], env=environment, text=True,
                                   stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        limit = threading.Timer(TIME_LIMIT_S, process.kill)
        limit.start()
        said = []
        for line in process.stdout:
            said.append(line)
            if "spike:" in line or "error" in line.lower():
                break
        limit.cancel()
        process.kill()
        process.wait()
    print("".join(said), end="")
    proof = re.search(r"spike: stored (\d+), then asked for HEAD /nonce", "".join(said))
    sys.exit(0 if proof and int(proof.group(1)) > 0 else 1)


if __name__ == "__main__":
    main()
