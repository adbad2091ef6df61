# SPDX-License-Identifier: MIT
"""Proves the protocol in a real libwebsockets server with a real CA (Pebble): as root as another
user, everything in root-only directories, nothing there at first, tls-alpn-01 on the vhosts' own
port. One claim at a time; CLAIMS below lists them with what each one proves.

usage: lws_test.py CLAIM PROGRAM..."""

import os
import pathlib
import re
import signal
import sys

from lws_scene import (NOBODY, Echo, Pebble, Server, Vhost, Visitors, expect, fail, scene,
                       wait_for)

BOTH = "ecdsa-p256,rsa-2048"
TURN_MS_MAX = 20


def three(**options):
    """Two vhosts that share a certificate, and one with its own."""
    shared = {"common_name": "one.test", "subject_alt_name": "www.one.test", "key_type": BOTH,
              **options}
    return [Vhost("one.test", "one", **shared), Vhost("www.one.test", "one", **shared),
            Vhost("two.test", "two", key_type=BOTH, **options)]


NAMES = ["one.test", "www.one.test", "two.test"]


def serving(program, is_first=False, **options):
    """From nothing: full chains to clients of both kinds, with and without a name; traffic goes on
    while certificates are ordered anew. A restart orders nothing, and serves what was there."""
    with scene(program, three(**options), is_first=is_first) as server:
        server.start()
        before = server.serials(NAMES)
        expect(before["one.test", "rsa"], before["www.one.test", "rsa"], "the shared one")
        expect(server.visit(None, "rsa"), before["one.test", "rsa"], "without a name")
        visitors, echo = Visitors(server, NAMES), Echo(server, "two.test")
        told = f"{visitors.stop()}; {echo.stop()}"
        orders = server.pebble.orders()
        expect(orders, 4, "orders for two certificates of two key types")
        server.stop()
        held(server)
        server.start()
        expect(server.serials(NAMES), before, "serials after a restart")
        expect(server.pebble.orders(), orders, "orders after a restart")
        return told


def held(server):
    """No turn of the loop took 20 ms of the processor."""
    longest_ms = max(int(us) for us in re.findall(r"longest turn (\d+) us", server.said())) / 1000
    if longest_ms > TURN_MS_MAX:
        fail(f"a turn of the loop took {longest_ms} ms")
    print(f"longest turn of the loop: {longest_ms} ms")


def serving_first(program):
    """The same as protocols[0]."""
    return serving(program, is_first=True)


def serving_alone(program):
    """The same without a keeper."""
    return serving(program, keeper="0")


def renewal(program, **options):
    """Renewals that nobody commanded, under load and with a websocket open all the time."""
    with scene(program, three(**options), ca={"PEBBLE_VALIDITY_S": "20"}) as server:
        server.start()
        before = server.serials(NAMES)
        visitors, echo = Visitors(server, NAMES), Echo(server, "one.test")

        def renewed():
            now = server.serials(NAMES)
            share_one(server)
            return not set(now.values()) & set(before.values())
        wait_for("every one is renewed", renewed)
        before = server.serials(NAMES)
        wait_for("every one is renewed again", renewed)
        told = f"{visitors.stop()}; {echo.stop()}"
        server.stop()
        held(server)
        return told


def share_one(server):
    """Both vhosts that share it serve the same one, whatever is renewed meanwhile."""
    def seen():
        one = [server.visit(name, "rsa") for name in ("one.test", "www.one.test", "one.test")]
        return one[0] == one[2] and one
    one = wait_for("no renewal between two looks", seen)
    expect(one[1], one[0], "what the sharing vhosts serve")


def renewal_alone(program):
    """The same without a keeper."""
    return renewal(program, keeper="0")


def crash(program, **options):
    """kill -9 at any moment of renewals that follow one another: each next start serves a pair
    that fits; no keeper outlives its server."""
    with scene(program, three(**options), ca={"PEBBLE_VALIDITY_S": "20"}) as server:
        server.start()
        server.serials(NAMES)
        for turn in range(8):
            count = server.said().count(": installed:")
            wait_for("a renewal", lambda: server.said().count(": installed:") > count)
            server.pause(turn * 0.004)
            children = server.children()
            server.stop(signal.SIGKILL)
            wait_for("the keeper has ended", lambda: not server.alive(children))
            fits(server)
            server.start()
            server.serials(NAMES)
        return "8 kills"


def crash_alone(program):
    """The same without a keeper."""
    return crash(program, keeper="0")


def fits(server):
    """What is at the paths is a pair, or not there at all."""
    for name in "one", "two":
        for suffix in "", ".rsa":
            chain = pathlib.Path(server.secret, f"{name}.crt{suffix}")
            key = pathlib.Path(server.secret, f"{name}.key{suffix}")
            expect(chain.exists(), key.exists(), f"{chain} and {key} are there")
            if chain.exists():
                expect(server.public_of_chain(chain), server.public_of_key(key),
                       f"the public keys of {chain} and {key}")


def resumed(program):
    """kill -9 while the CA validates: the next start goes on with the same order."""
    ca = {"PEBBLE_VA_NOSLEEP": "", "PEBBLE_VA_SLEEPTIME": "6"}
    with scene(program, [Vhost("one.test", "one")], ca=ca) as server:
        server.start()
        wait_for("the CA is asked to validate", lambda: "chalZ" in server.pebble_said())
        server.stop(signal.SIGKILL)
        orders = set(re.findall(r"/my-order/([\w-]+)", server.pebble_said()))
        server.start()
        server.serials(["one.test"], ["ecdsa"])
        expect(server.pebble.orders(), 1, "orders at the CA")
        expect("order-resumed" in server.said(), True, "the log tells of it")
        return f"order {' '.join(orders)} went on"


def switch(program):
    """Another CA in the options: ordered there at the next start, the old one served meanwhile."""
    second = Pebble()
    try:
        with scene(program, three()) as server:
            server.start()
            before = server.serials(NAMES)
            server.stop()
            first = server.pebble.root
            server.pebble_is(second)
            server.start()
            if not server.visit("one.test", root=first):
                expect(bool(server.visit("one.test")), True, "served meanwhile")
            now = server.serials(NAMES)
            expect(set(now.values()) & set(before.values()), set(), "serials of the first CA")
            expect(second.orders(), 4, "orders at the second CA")
            return "ordered anew"
    finally:
        second.close()


def names(program):
    """A hundred names, at a CA that rejects 30 % of the nonces."""
    many = [f"n{index}.test" for index in range(100)]
    vhost = Vhost("n0.test", "many", subject_alt_name=",".join(many))
    with scene(program, [vhost], ca={"PEBBLE_WFE_NONCEREJECT": "30"}) as server:
        server.start()
        server.serials([many[0], many[50], many[99]], ["ecdsa"])
        server.stop()
        held(server)
        return "100 names"


def faults(program):
    """What is wrong with one vhost is said in one line with its name, and takes nothing from
    others, nor from itself what it has."""
    pebble = Pebble()
    cases = [
        ({"cert_path": None}, '"cert-path" is missing'),
        ({"agree_terms": "0"}, '"agree-terms"'),
        ({"comon_name": "bad.test"}, '"comon-name"'),
        ({"auth_path": "/nowhere/auth.jwk"}, "/nowhere"),
        ({"cert_path": "/nowhere/a.crt", "key_path": "/nowhere/a.key"}, "/nowhere"),
        ({"ca_file": "/nowhere/ca.pem"}, "/nowhere/ca.pem"),
        ({"common_name": "good.test"}, "another vhost"),
    ]
    try:
        for options, sentence in cases:
            vhosts = [Vhost("good.test", "good"), Vhost("bad.test", "bad", **options)]
            with scene(program, vhosts, pebble) as server:
                server.start()
                server.serials(["good.test"], ["ecdsa"])
                lines = [line for line in server.said().splitlines()
                         if "lws-acme-client: vhost bad.test:" in line and "E:" in line]
                expect((len(lines), sentence in lines[0] if lines else None), (1, True),
                       f"{options}: {lines}")
        with scene(program, [Vhost("one.test", "one")], pebble) as server:
            server.common["directory-url"] = "https://127.0.0.1:1/dir"
            server.start()
            wait_for("the log tells of the CA", lambda: "127.0.0.1:1" in server.said())
            expect(server.visit("one.test"), None, "a certificate from nowhere")
            server.listens()
        return f"{len(cases) + 1} faults told"
    finally:
        pebble.close()


def secrets(program):
    """Once it serves, the process opens nothing in the root-only directory, and the account's key
    is nowhere in its memory; the files are root's."""
    if os.geteuid() != 0:
        print("needs root")
        sys.exit(77)
    with scene(program, three(), ca={"PEBBLE_VALIDITY_S": "20"}) as server:
        trace = f"{server.place}/trace"
        server.start("strace", "-f", "-o", trace, "-e",
                     "trace=open,openat,rename,renameat,unlink,mkdir,setuid")
        server.serials(NAMES)
        pid = server.children(server.process.pid)[0]
        count = server.said().count(": installed:")
        wait_for("renewals", lambda: server.said().count(": installed:") >= count + 4)
        opened, has_dropped = [], False
        for line in pathlib.Path(trace).read_text(encoding="utf-8").splitlines():
            if line.startswith(f"{pid} "):
                has_dropped = has_dropped or "setuid(65534)" in line
                if has_dropped and server.secret in line:
                    opened.append(line)
        expect((has_dropped, opened), (True, []), "what the serving process opened")
        os.kill(pid, signal.SIGSTOP)  # memory holds still
        held_by = server.memory_holds(pid, server.account_scalar())
        os.kill(pid, signal.SIGCONT)
        os.kill(pid, signal.SIGTERM)  # strace ends with what it traces
        expect(held_by, False, "the account's key in the serving process")
        for path in pathlib.Path(server.secret).rglob("*"):
            expect((path.lstat().st_uid, path.is_symlink() or path.stat().st_mode & 0o77),
                   (0, path.is_symlink() or 0), f"{path} is root's alone")
        return "nothing opened, no key"


def accounts(program):
    """A JWK as the old plugin wrote it (RSA-4096) and a PEM keep their accounts; one that is
    missing is made as a JWK."""
    pebble = Pebble()
    told = []
    try:
        for kind in "rsa-4096 jwk", "ecdsa pem", "missing":
            with scene(program, [Vhost("one.test", "one")], pebble) as server:
                written = server.write_account(kind)
                server.start()
                server.serials(["one.test"], ["ecdsa"])
                server.stop()
                kept = pathlib.Path(server.secret, "auth.jwk").read_text(encoding="utf-8")
                if written is not None:
                    expect(kept, written, f"the file of {kind}")
                else:
                    expect('"kty"' in kept and '"d"' in kept, True, "a JWK was made")
                told.append(kind)
        return ", ".join(told)
    finally:
        pebble.close()


def http01(program):
    """http-01 on a plain vhost that it opens itself."""
    with scene(program, []) as server:
        server.vhosts = [Vhost("one.test", "one", challenge="http-01",
                               http_port=server.pebble.http_port)]
        server.start()
        server.serials(["one.test"], ["ecdsa"])
        expect("Attempting to validate w/ HTTP" in server.pebble_said(), True, "http-01")
        return "served"


class Example(Server):
    """examples/lws_server.c, by its own command line."""

    def words(self):
        return [*self.program, "one.test", str(self.site), self.secret, "postmaster@example.net",
                self.pebble.url, self.pebble.ca]


def example(program):
    """The example of the manual, which gives up root itself."""
    if os.geteuid() != 0:
        print("needs root")
        sys.exit(77)
    with scene(program, [], kind=Example) as server:
        server.start()
        before = server.serials(["one.test"], ["ecdsa"])
        owner = pathlib.Path(f"/proc/{server.process.pid}").stat().st_uid
        expect(owner, NOBODY, "the user that serves")
        server.stop()
        server.start()
        expect(server.serials(["one.test"], ["ecdsa"]), before, "the serial after a restart")
        return "served"


CLAIMS = {claim.__name__: claim for claim in (
    serving, serving_first, serving_alone, renewal, renewal_alone, crash, crash_alone, resumed,
    switch, names, faults, secrets, accounts, http01, example)}


def main():
    claim, *program = sys.argv[1:]
    if not os.access(program[0], os.X_OK):
        print(f"{program[0]} is not here")
        sys.exit(77)
    print(f"{claim}: {CLAIMS[claim](program)}")


if __name__ == "__main__":
    main()
