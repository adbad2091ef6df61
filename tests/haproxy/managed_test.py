# SPDX-License-Identifier: MIT
"""Proves managed certificates in a real HAProxy with a real CA (Pebble), in the configurations of
hosts/haproxy/README.md: four threads, as root in a chroot as another user, the state directory
outside of it. One claim at a time; CLAIMS below lists them with what each one proves.

usage: managed_test.py HAPROXY MODULE_FOLDER CLAIM"""

import concurrent.futures
import json
import os
import pathlib
import re
import signal
import socket
import subprocess
import sys
import urllib.parse

from managed_gate import strangers
from managed_scene import (HERE, LIMIT_S, Pebble, Visitors, expect, fail, replace, scene,
                           wait_for)

KINDS = {"ecdsa": "ecdsa-p256", "rsa": "rsa-2048"}
CALL_MS_MAX = 20
EXPECTED_SERIALS = 4


def all_are_there(proxy, count=EXPECTED_SERIALS):
    return wait_for(f"{count} certificates", lambda: len(proxy.serials()) == count
                    and proxy.serials())


def are_served(proxy, names):
    """Each name (to the id it belongs to), to clients of both kinds, with the listed serial."""
    listed = proxy.serials()
    for name, about in names.items():
        for kind, key_type in KINDS.items():
            wait_for(f"{name} is served to {kind} clients",
                     lambda: proxy.visit(name, kind) == listed[about, key_type])


NAMES = {"one.example.net": "one.example.net", "www.one.example.net": "one.example.net",
         "two.example.net": "two.example.net"}


def serving(haproxy, modules):
    """From nothing to two names with both key types; a third one while it runs; a restart orders
    nothing; what leaves the configuration leaves HAProxy."""
    with scene(haproxy, modules) as proxy:
        proxy.start()
        all_are_there(proxy)
        are_served(proxy, NAMES)
        visitors = Visitors(proxy, list(NAMES))
        status, body = proxy.ask(
            "POST", "/acme/order",
            "domain=three.example.net&managed=1&key_type=ecdsa-p256,rsa-2048",
            {"content-type": "application/x-www-form-urlencoded", "accept": "application/json"})
        expect(status, 200, f"an order to be managed ({body[:300]})")
        all_are_there(proxy, 6)
        names = {**NAMES, "three.example.net": "three.example.net"}
        are_served(proxy, names)
        expect(proxy.ask("POST", "/acme/renew/nobody.example.net")[0], 404, "an unknown id")
        before = proxy.serials()
        expect(proxy.ask("POST", "/acme/renew/two.example.net")[0], 202, "a renewal")
        wait_for("both are renewed", lambda: all(
            proxy.serials()["two.example.net", key] != before["two.example.net", key]
            for key in KINDS.values()))
        are_served(proxy, names)
        told = visitors.stop()
        proxy.stop()

        before, orders, tree = read_serials(proxy), proxy.pebble.orders(), files_of(proxy.state)
        status, said = proxy.check()
        expect(status, 0, f"haproxy -c: {said}")
        changed = dict(set(files_of(proxy.state).items()) ^ set(tree.items()))
        expect(changed, {}, "what haproxy -c changes in the state directory")
        proxy.start()
        expect(all_are_there(proxy, 6), before, "the serials after a restart")
        are_served(proxy, names)
        proxy.stop()
        proxy.start(names=["one.example.net www.one.example.net"])
        all_are_there(proxy, 4)
        expect(proxy.visit("two.example.net"), None, "a name that was taken out")
        expect(bool(proxy.visit("three.example.net")), True, "the name that was adopted")
        expect(proxy.pebble.orders(), orders, "orders after restarts")
        return told


def read_serials(proxy):
    """What is on disk, as HAProxy will find it."""
    serials = {}
    for path in pathlib.Path(proxy.state, "live").glob("*/*/bundle.pem"):
        text = subprocess.run(["openssl", "x509", "-noout", "-serial", "-in", path], check=True,
                              capture_output=True, text=True).stdout
        serials[path.parts[-3], path.parts[-2]] = text.strip().removeprefix("serial=").lower()
    return serials


def files_of(place):
    """But for the lock's file, which tells of the latest writer."""
    return {str(path): (path.stat().st_mtime_ns, path.is_file() and path.read_bytes())
            for path in pathlib.Path(place).rglob("*") if path.name != "lock"}


def renewal(haproxy, modules):
    """Short lifetimes: renewals that nobody commanded, twice for every certificate, under load."""
    with scene(haproxy, modules, ca={"PEBBLE_VALIDITY_S": "20"}) as proxy:
        proxy.start()
        first = all_are_there(proxy)
        are_served(proxy, NAMES)
        visitors = Visitors(proxy, list(NAMES))
        wait_for("two renewals of each", lambda: min(
            one["generation"] for one in proxy.listed().values()) >= 3)
        if set(first.values()) & set(proxy.serials().values()):
            fail("a serial outlived two renewals")
        return visitors.stop()


def reload(haproxy, modules):
    """SIGUSR2 in master-worker mode: under load, with certificates there; then while a new name is
    being ordered, with a connection that keeps the old worker: nothing is ordered twice."""
    with scene(haproxy, modules) as proxy:
        proxy.start("-W")
        before = all_are_there(proxy)
        are_served(proxy, NAMES)
        orders = proxy.pebble.orders()
        visitors = Visitors(proxy, list(NAMES))
        for _ in range(2):
            reload_now(proxy)
            expect(all_are_there(proxy), before, "the serials after a reload")
            are_served(proxy, NAMES)
        expect(proxy.pebble.orders(), orders, "orders after reloads")
        # One that the old worker begins, held open so that it stays; the new one ends it.
        proxy.write(names=["one.example.net www.one.example.net", "two.example.net",
                           "four.example.net"])
        reload_now(proxy)
        wait_for("the order begins", lambda: proxy.pebble.orders() > orders)
        reload_now(proxy)
        all_are_there(proxy, 6)
        are_served(proxy, {**NAMES, "four.example.net": "four.example.net"})
        expect(proxy.pebble.orders(), orders + 2, "orders for one new name of two key types")
        # The worker that drains renews nothing: the one that is new can.
        with open_connection(proxy):
            reload_now(proxy)
            before = all_are_there(proxy, 6)
            proxy.ask("POST", "/acme/renew/two.example.net")
            wait_for("the new worker renews", lambda: all(
                proxy.serials()["two.example.net", key] != before["two.example.net", key]
                for key in KINDS.values()))
        return visitors.stop()


def open_connection(proxy):
    return socket.create_connection(("127.0.0.1", proxy.admin), LIMIT_S)


def reload_now(proxy):
    """Ask the master, and wait until the worker that answers is another one."""
    before = worker_of(proxy)
    proxy.process.send_signal(signal.SIGUSR2)
    wait_for("another worker answers", lambda: worker_of(proxy) not in (before, None))


def worker_of(proxy):
    """The process id of the youngest worker that listens, by the stats socket in the chroot."""
    try:
        with socket.socket(socket.AF_UNIX) as client:
            client.settimeout(5)
            client.connect(f"{proxy.chroot}/thinair.sock")
            client.sendall(b"show info\n")
            said = b"".join(iter(lambda: client.recv(65536), b"")).decode()
    except OSError:
        return None
    numbers = dict(line.split(": ", 1) for line in said.splitlines() if ": " in line)
    return numbers.get("Pid") if numbers.get("Stopping", "0") == "0" else None


def switch(haproxy, modules):
    """Another CA in the configuration: ordered there at the next start, while the first one's are
    served; one that cannot be reached takes nothing away."""
    second = Pebble()
    try:
        with scene(haproxy, modules) as proxy:
            first = proxy.pebble
            proxy.start("-W")
            before = all_are_there(proxy)
            are_served(proxy, NAMES)
            visitors = Visitors(proxy, list(NAMES), [first.root, second.root])
            proxy.write(pebble=second)
            reload_now(proxy)
            if not proxy.visit("one.example.net", root=first.root):
                wait_for("no gap", lambda: proxy.visit("one.example.net"), 1)
            wait_for("all are the second CA's", lambda: len(proxy.serials()) == EXPECTED_SERIALS
                     and not set(proxy.serials().values()) & set(before.values()))
            are_served(proxy, NAMES)
            expect(second.orders(), EXPECTED_SERIALS, "orders at the second CA")
            return visitors.stop()
    finally:
        second.close()


def alpn(haproxy, modules):
    """443 only: tls-alpn-01 and h2 on one port, from nothing, and renewals under load."""
    with scene(haproxy, modules, alpn=True) as proxy:
        proxy.start()
        all_are_there(proxy)
        are_served(proxy, NAMES)
        visitors = Visitors(proxy, list(NAMES))
        for name in "one.example.net", "two.example.net":
            before = proxy.serials()
            proxy.ask("POST", f"/acme/renew/{name}")
            wait_for(f"{name} is renewed", lambda: all(
                proxy.serials()[name, key] != before[name, key] for key in KINDS.values()))
        log = pathlib.Path(proxy.pebble.log).read_text(encoding="utf-8")
        expect("http-01" in log and "Attempting to validate w/ HTTP" in log, False, "http-01")
        are_served(proxy, NAMES)
        return visitors.stop()


def faults(haproxy, modules):
    """What is wrong is said in one sentence: at load, or in the log while the traffic goes on."""
    pebble = Pebble()
    try:
        with scene(haproxy, modules, pebble, has_state=False) as proxy:
            refused(proxy, "there is no such directory: make it, mode 0700")
        if os.geteuid() == 0:
            with scene(haproxy, modules, pebble) as proxy:
                os.chown(proxy.state, 0, 0)
                told(proxy, "belongs to user 0, but HAProxy runs as user", "two.example.net")
        for change, sentence in (
                (lambda text: replace(text, " level admin", " level user"), "lacks: level admin"),
                (lambda text: replace(text, "thinair.sock user", "other.sock user")
                 if "thinair.sock user" in text else replace(text, "thinair.sock", "other.sock"),
                 "cannot connect to unix@")):
            with scene(haproxy, modules, pebble, change=change) as proxy:
                told(proxy, sentence, "two.example.net")
                before, orders = all_are_there(proxy), pebble.orders()
                proxy.stop()
                proxy.start()
                expect(all_are_there(proxy), before, "what was not deployed, after a restart")
                are_served(proxy, NAMES)
                expect(pebble.orders(), orders, "orders after a restart")
        with scene(haproxy, modules, pebble) as proxy:
            proxy.write()
            orders = pebble.orders()
            expect(proxy.check()[0], 0, "haproxy -c before the first start")
            expect(sorted(str(path.relative_to(proxy.state))
                          for path in pathlib.Path(proxy.state).rglob("*") if path.is_file()),
                   ["VERSION", "haproxy/crt-list", "lock"], "what haproxy -c makes")
            expect(pebble.orders(), orders, "orders by haproxy -c")
    finally:
        pebble.close()
    return "all told"


def refused(proxy, sentence):
    proxy.write()
    status, said = proxy.check()
    expect((status != 0, sentence in said), (True, True), f"the configuration is refused: {said}")


def told(proxy, sentence, name):
    """HAProxy runs on and serves its other frontends; the log says it."""
    proxy.start()
    wait_for(f"the log says {sentence!r}", lambda: sentence in proxy.said())
    expect(proxy.ask("GET", "/acme/certificates")[0], 200, "the traffic")
    expect(proxy.visit(name), None, "a name whose certificate cannot be deployed")


def start_behind(proxy, shim, modules):
    """A module by the name of ours, in front of it; one thread."""
    text = pathlib.Path(HERE, shim).read_text(encoding="utf-8")
    pathlib.Path(proxy.place, "thinair_core.lua").write_text(
        replace(text, "MODULES", modules), encoding="utf-8")
    proxy.start(change=lambda text: replace(
        text, "    nbthread 4\n", "    nbthread 1\n").replace(
            "    lua-load ", f"    lua-prepend-path {proxy.place}/?.lua\n    lua-load ", 1))


def calls(haproxy, modules):
    """No call into C after the start takes 20 ms of the processor's time, RSA-2048 included: a
    module by the name of ours, in front of it, measures every one."""
    with scene(haproxy, modules) as proxy:
        start_behind(proxy, "managed_shim.lua", modules)
        all_are_there(proxy)
        are_served(proxy, NAMES)
        proxy.ask("POST", "/acme/renew/one.example.net")
        wait_for("renewed", lambda: min(one["generation"] for (about, _), one in
                                        proxy.listed().items() if about == "one.example.net") >= 2)
        lines = [line for line in proxy.said().splitlines() if "core call " in line]
        costs = {}
        for line in lines:
            name, cost = line.split("core call ", 1)[1].split()
            costs[name] = float(cost)
        if not {"turn", "http", "challenge", "done", "status", "visitor", "feed"} <= set(costs):
            fail(f"not everything was measured: {sorted(costs)}")
        for name, cost in costs.items():
            if cost >= CALL_MS_MAX:
                fail(f"{name} took {cost} ms")
        return ", ".join(f"{name} {cost:.1f} ms" for name, cost in sorted(costs.items()))


def orphans(haproxy, modules):
    """A client's order that a reload leaves to the old worker, whose challenge the new one does not
    know: the answer is not the CA's refusal but to ask again, which then gives a certificate."""
    # The CA sleeps for a random time, so the reload comes in time for some of the orders only.
    with scene(haproxy, modules, names=["one.example.net"], keys='"ecdsa-p256"',
               ca={"PEBBLE_VA_NOSLEEP": "", "PEBBLE_VA_SLEEPTIME": "7"}) as proxy:
        proxy.start("-W")
        all_are_there(proxy, 1)
        for index in range(8):
            fields = {"domain": f"client-{index}.example.net"}
            orders = proxy.pebble.orders()
            with concurrent.futures.ThreadPoolExecutor() as pool:
                asked = pool.submit(order, proxy, fields)
                wait_for("the order begins", lambda: proxy.pebble.orders() > orders)
                reload_now(proxy)
                status, body = asked.result(LIMIT_S)
            if status == 200:
                continue
            expect((status, "this HAProxy process is ending after a reload: ask again" in body,
                    "unauthorized" in body), (503, True, True), f"the orphan's answer: {body}")
            expect(order(proxy, fields)[0], 200, "the order asked for again")
            return f"ask again, after {index + 1} reloads"
    return fail("no order was left behind")


def errors(haproxy, modules):
    """Errors that Lua raises end no task: the log says it once, and what was lost by them is told
    to the engine, which goes on: requests are made again, an installation has failed."""
    with scene(haproxy, modules, keys='"ecdsa-p256"') as proxy:
        start_behind(proxy, "managed_faults.lua", modules)
        before = all_are_there(proxy, 2)
        name, key = "one.example.net", "ecdsa-p256"
        wait_for("it is served", lambda: proxy.visit(name) == before[name, key])
        proxy.ask("POST", f"/acme/renew/{name}")
        wait_for("the lost installation is told", lambda: "lost by an error in Lua" in
                 proxy.listed()[name, key]["last_error"])
        expect(proxy.visit(name), before[name, key], "what was there is served")
        said = [line for line in proxy.said().splitlines() if "<" not in line]
        expect(sorted({line.split("injected ")[1] for line in said if "injected " in line}),
               ["before done", "before http", "before turn", "behind event", "behind install",
                "behind order"], "what was injected")
        # 2.6 says everything twice, once without a time.
        expect(said.count("thinair: an error in Lua, it goes on: injected"), 1,
               "how often the log says it")
    return "it goes on"


def unserved(haproxy, modules):
    """A stats socket that is dead when a certificate comes: it is put in when the socket is there
    again, without another order; the log says both. Without a socket in the configuration, it says
    that the next reload serves it."""
    with scene(haproxy, modules) as proxy:
        proxy.start()
        before = all_are_there(proxy)
        are_served(proxy, NAMES)
        os.rename(f"{proxy.chroot}/thinair.sock", f"{proxy.chroot}/away.sock")
        proxy.ask("POST", "/acme/renew/one.example.net")
        wait_for("both are on disk", lambda: all(
            proxy.serials()["one.example.net", key] != before["one.example.net", key]
            for key in KINDS.values()))
        after, orders = proxy.serials(), proxy.pebble.orders()
        expect(proxy.visit("one.example.net"), before["one.example.net", "ecdsa-p256"],
               "what is served without a socket")
        os.rename(f"{proxy.chroot}/away.sock", f"{proxy.chroot}/thinair.sock")
        are_served(proxy, NAMES)
        expect((proxy.serials(), proxy.pebble.orders()), (after, orders), "serials and orders")
        wait_for("the log says it", lambda: proxy.said().count("it is served now") >= 2)
        for key in KINDS.values():
            told = [line for line in proxy.said().splitlines()
                    if f"one.example.net ({key}): not served yet: " in line]
            expect(len({line[line.index("thinair"):] for line in told}), 1, "it is said once")
        proxy.stop()
        config = proxy.lua
        proxy.lua = lambda: re.sub(r"    stats_socket = .*\n", "", config())
        proxy.start()
        proxy.ask("POST", "/acme/renew/two.example.net")
        wait_for("both are renewed", lambda: all(
            proxy.serials()["two.example.net", key] != after["two.example.net", key]
            for key in KINDS.values()))
        wait_for("the log says when it is served", lambda: all(
            f"two.example.net ({key}): stored: it is served from the next reload on" in proxy.said()
            for key in KINDS.values()))
        expect(proxy.visit("two.example.net"), after["two.example.net", "ecdsa-p256"],
               "what is served before a reload")
    return "served late"


def states(haproxy, modules):
    """A Lua state for each thread: one drives, and all answer challenges, orders and lists. From
    nothing, with an order that is adopted, a renewal and a restart."""
    def change(text):
        return replace(text, "    lua-load ", "    lua-load-per-thread ")

    with scene(haproxy, modules, change=change) as proxy:
        proxy.start()
        all_are_there(proxy)
        are_served(proxy, NAMES)
        visitors = Visitors(proxy, list(NAMES))
        with concurrent.futures.ThreadPoolExecutor() as pool:
            asked = [pool.submit(order, proxy, {"domain": f"{index}.example.net", **more})
                     for index, more in enumerate([{"managed": "1"}, {}, {}, {}])]
            expect([one.result(LIMIT_S)[0] for one in asked], [200] * 4, "orders at once")
        before = all_are_there(proxy, 5)
        proxy.ask("POST", "/acme/renew/two.example.net")
        wait_for("both are renewed", lambda: all(
            proxy.serials()["two.example.net", key] != before["two.example.net", key]
            for key in KINDS.values()))
        are_served(proxy, NAMES)
        told = visitors.stop()
        before, orders = all_are_there(proxy, 5), proxy.pebble.orders()
        proxy.stop()
        proxy.start()
        expect(all_are_there(proxy, 5), before, "the serials after a restart")
        are_served(proxy, NAMES)
        expect(proxy.pebble.orders(), orders, "the orders after a restart")
        return told


def order(proxy, fields, **more):
    """A form; what the proxy answers."""
    return proxy.ask("POST", "/acme/order", urllib.parse.urlencode({**fields, **more}),
                     {"content-type": "application/x-www-form-urlencoded"})


def conflict(haproxy, modules):
    """An order changes nothing that config.lua manages, nor what is being ordered; what was adopted
    it may change, also after a restart."""
    with scene(haproxy, modules) as proxy:
        proxy.start()
        before = all_are_there(proxy)
        ours = {"domain": "one.example.net", "aliases": "www.one.example.net", "managed": "1",
                "key_type": "rsa-2048,ecdsa-p256"}
        key = subprocess.run(["openssl", "genpkey", "-algorithm", "EC", "-pkeyopt",
                              "ec_paramgen_curve:P-256"], capture_output=True, check=True,
                             text=True).stdout
        for change in ({"aliases": ""}, {"aliases": "www.one.example.net,more.example.net"},
                       {"key_type": "ecdsa-p256"}, {"key_type": "ecdsa-p384,rsa-2048"},
                       {"must_staple": "1"}, {"account_key": key}):
            status, body = order(proxy, ours, **change)
            expect((status, "one.example.net is in config.lua" in body), (409, True),
                   f"another wish {list(change)}: {body}")
        orders = proxy.pebble.orders()
        expect(order(proxy, ours)[0], 200, "the same wish")
        expect(proxy.serials(), before, "the serials after it all")
        expect(proxy.pebble.orders(), orders, "the orders after it all")

        mine = {"domain": "three.example.net", "managed": "1"}
        batch = [mine, {**mine, "aliases": "www.three.example.net"}]
        lines = proxy.ask("POST", "/acme/order", json.dumps({"orders": batch}),
                          {"content-type": "application/json"})[1].splitlines()
        expect(sorted(json.loads(line)["status"] for line in lines), [200, 409],
               f"two wishes for one name at once: {lines}")
        expect(order(proxy, batch[1])[0], 200, "another wish for what was adopted")
        named = proxy.listed()["three.example.net", "ecdsa-p256"]["names"]
        expect(named, ["three.example.net", "www.three.example.net"], "its names")
        proxy.stop()
        proxy.start()
        all_are_there(proxy, 5)
        orders = proxy.pebble.orders()
        expect(order(proxy, ours, key_type="ecdsa-p256")[0], 409, "another wish after a restart")
        expect(order(proxy, batch[1])[0], 200, "the same wish after a restart")
        expect(proxy.pebble.orders(), orders, "the orders for it")
        # What was just answered may have a lock to give back: it is being ordered until then.
        wait_for("another key type", lambda: order(proxy, mine, key_type="rsa-2048")[0] == 200)
        wait_for("it has another key type", lambda: set(proxy.listed()) == {
            *before, ("three.example.net", "rsa-2048")})
    return "refused what must be"


CLAIMS = {claim.__name__: claim for claim in (
    serving, renewal, reload, switch, alpn, faults, calls, conflict, strangers, errors,
    unserved, orphans, states)}


def main():
    haproxy, modules, claim = sys.argv[1:]
    if not os.access(haproxy, os.X_OK):
        print("this HAProxy is not here")
        sys.exit(77)
    version = subprocess.run([haproxy, "-v"], capture_output=True, text=True, check=True).stdout
    print(f"{claim}: {CLAIMS[claim](haproxy, modules)}; {version.splitlines()[0]}")


if __name__ == "__main__":
    main()
