# SPDX-License-Identifier: MIT
"""Proves what clients of the order service hear when the CA refuses, fails or takes its time: in a
real HAProxy, whose way to the CA leads through a relay (relay.py) that answers in Pebble's place.
Each refusal has the status, problem type and words of the README's table, is no certificate for
anybody, and leaves nothing behind: the same order succeeds when the CA is itself again.

usage: relay_test.py HAPROXY MODULE_FOLDER refusals|slow-validation   (under pebble.sh)"""

import concurrent.futures
import os
import sys
import tempfile
import time

from order_scene import Scene, ecdsa, fail, rsa
from order_test import expect, expect_bundle, expect_refused
from relay import ACME, Relay, problem

HTML = [("Content-Type", "text/html")]
PEM = b"-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n"
LIMITED = "too many certificates (5) already issued"
TERMS = [("Link", '<https://ca.example/terms-2>;rel="terms-of-service"')]

# Where the CA says what, and what the client hears: status, problem type, words.
REFUSALS = [
    ("newOrder", problem(429, "rateLimited", LIMITED, [("Retry-After", "3600")]),
     429, ACME + "rateLimited", LIMITED),
    ("newAccount", problem(429, "rateLimited", "too many accounts", [("Retry-After", "3600")]),
     429, ACME + "rateLimited", "too many accounts"),
    ("newOrder", problem(403, "userActionRequired", "the terms have changed", TERMS),
     403, ACME + "userActionRequired", "the terms have changed"),
    ("newAccount", problem(403, "userActionRequired", "agree at https://ca.example/2", TERMS),
     403, ACME + "userActionRequired", "agree at https://ca.example/2"),
    ("finalize", problem(400, "badCSR", "must-staple is not supported"),
     422, ACME + "badCSR", "must-staple is not supported"),
    ("finalize", problem(403, "unauthorized", "must-staple is not supported"),
     422, ACME + "unauthorized", "must-staple is not supported"),
    ("newOrder", problem(400, "malformed", "connection: not what it seems"),
     422, ACME + "malformed", "connection: not what it seems"),
    ("newOrder", problem(400, "compound", "two words", more={"subproblems": [
        {"type": ACME + "caa", "detail": "a.example forbids it",
         "identifier": {"type": "dns", "value": "a.example"}}]}),
     422, ACME + "compound", "a.example forbids it"),
    ("newOrder", problem(403, "ofTomorrow", "caa: nobody knows this type yet"),
     422, ACME + "ofTomorrow", "nobody knows this type yet"),
    ("newOrder", problem(400, "malformed", "<b>\r\n" + PEM.decode()),
     422, ACME + "malformed", "<b>"),
    ("newOrder", (403, HTML, b"<html>go away</html>"), 422, "about:blank", "HTTP status 403"),
    ("newOrder", (201, [], b'{"status": "pending", "authorizations": ['), 503, "about:blank", ""),
    ("newOrder", (201, [], PEM), 503, "about:blank", ""),
    ("authorization", (200, [], b"[]"), 503, "about:blank", ""),
    ("certificate", (200, HTML, b"<html>soon</html>"), 503, "about:blank", ""),
    ("certificate", (200, [("Content-Type", "application/pem-certificate-chain")], PEM),
     503, "about:blank", ""),
    ("newOrder", problem(400, "badNonce", "no nonce is good enough"), 503, ACME + "badNonce",
     "no nonce is good enough"),
    ("newOrder", problem(503, "serverInternal", "down for maintenance", [("Retry-After", "7200")]),
     503, ACME + "serverInternal", "down for maintenance"),
    ("newOrder", problem(500, "serverInternal", "out of order"),
     503, ACME + "serverInternal", "out of order"),
]


def refusals(scene, relay):
    """Each with a name and an account of its own."""
    for index, (place, answer, status, kind, words) in enumerate(REFUSALS):
        what = f"{place}: {answer}"
        name = f"refused{index}.example"
        fields = {"domain": name, "must_staple": "1" if "staple" in words else "0",
                  "account_key": ecdsa(f"{scene.place}/account{index}.key")}
        begun = time.monotonic()
        relay.refuse(place, answer)
        heard = scene.order(fields)
        if not relay.refused():
            fail(f"{what} was not said; heard {heard!r}")
        expect_refused(heard, status, words, what, kind)
        print(f"{time.monotonic() - begun:5.1f} s: {heard.body.strip()}")
        again = scene.order(fields)
        expect(again.status, 200, f"{again!r} after {what}")
        expect_bundle(again.body, [name])


def slow_validation(scene, relay):
    """The CA takes 30 s for four names at once."""
    account = rsa(f"{scene.place}/account.key", 4096)
    relay.hold(30)
    begun = time.monotonic()

    def one(index):
        name = f"slow{index}.example"
        answer = scene.order({"domain": name, "account_key": account})
        expect(answer.status, 200, f"{answer!r}")
        expect_bundle(answer.body, [name])
        return time.monotonic() - begun

    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        took = list(pool.map(one, range(4)))
    if min(took) < 30 or relay.hidden == 0:
        fail(f"nothing was held: {took}")
    print("four orders took", *(f"{seconds:.1f} s" for seconds in took))


PARTS = {"refusals": refusals, "slow-validation": slow_validation}


def main():
    haproxy, modules, part = sys.argv[1:]
    if not os.access(haproxy, os.X_OK):
        print("this HAProxy is not here")
        sys.exit(77)
    with tempfile.TemporaryDirectory() as place, Relay() as relay:
        scene = Scene(haproxy, modules, place)
        scene.write(ca=relay.address)
        with scene:
            PARTS[part](scene, relay)


if __name__ == "__main__":
    main()
