# SPDX-License-Identifier: MIT
"""Strangers at the tls-alpn-01 door of a real HAProxy, for managed_test.py: clients that stall in
the middle of a handshake, too many of them, and such as are no validation. The CA never comes to
validate, so a challenge stays live."""

import socket
import ssl
import threading

from managed_scene import LIMIT_S, expect, fail, replace, scene, wait_for

# Of a network: four, and four more for the one name that is being validated.
PLACES, NEIGHBOURS = 64, 8
HANDSHAKE = b"\x16"
ALERT = b"\x15"
NAME = "one.example.net"
# A CA that sleeps, and a HAProxy that waits for its clients for longer than the test.
NEVER = {"PEBBLE_VA_NOSLEEP": "", "PEBBLE_VA_SLEEPTIME": "100000"}


def hello(name=NAME, protocols=("acme-tls/1",)):
    """A ClientHello."""
    context = ssl.create_default_context()
    context.set_alpn_protocols(list(protocols))
    out = ssl.MemoryBIO()
    try:
        context.wrap_bio(ssl.MemoryBIO(), out, server_hostname=name).do_handshake()
    except ssl.SSLWantReadError:
        return out.read()
    return fail("a handshake without a server")


class Stranger:
    """One connection, which has sent a ClientHello: first is the kind of record that came back,
    b"" when it was closed."""

    def __init__(self, proxy, source, has_header=True, message=None):
        host = "127.0.0.1" if has_header else source
        self.socket = socket.create_connection(("127.0.0.1", proxy.site), LIMIT_S, (host, 0))
        if has_header:
            family = "TCP6" if ":" in source else "TCP4"
            target = "::1" if ":" in source else "127.0.0.1"
            self.socket.sendall(f"PROXY {family} {source} {target} 4000 443\r\n".encode())
        self.socket.sendall(message or hello())
        try:
            self.first = self.socket.recv(1)
        except OSError:
            self.first = b""

    def is_ended(self):
        """It is read to its end, which comes."""
        try:
            while self.socket.recv(4096):
                pass
        except TimeoutError:
            fail("a stalled handshake is still open")
        except OSError:
            pass
        self.socket.close()
        return True


def drip(stranger):
    """A record that never comes to its end, byte by byte."""
    try:
        stranger.socket.sendall(b"\x17\x03\x03\x10\x00")
        for _ in range(LIMIT_S * 10):
            stranger.socket.sendall(b"\x00")
            threading.Event().wait(0.1)
    except OSError:
        pass


def all_of(proxy, sources, has_header=True):
    """They all stall; ended is called on them by the caller."""
    return [Stranger(proxy, source, has_header) for source in sources]


def tries(proxy, full, others, has_header=True):
    """Sources that fill the room, then ones that find none and one that does: as it should be? The
    first must not be over before the last came, which a slow machine may do: so it is tried again
    by the caller."""
    inside = all_of(proxy, full, has_header)
    refused, admitted = (all_of(proxy, sources, has_header) for sources in others)
    seen = [{one.first for one in some} for some in (inside, refused, admitted)]
    for one in inside + refused + admitted:
        one.is_ended()
    return seen == [{HANDSHAKE}, {b""}, {HANDSHAKE} if admitted else set()]


def patient(text):
    """HAProxy itself ends no client for being slow."""
    return replace(text, "timeout client 10s", "timeout client 1h")


def proxied(text):
    """Behind another proxy, with a Lua state for each thread."""
    text = replace(patient(text), "    lua-load ", "    lua-load-per-thread ")
    return replace(text, "inspect-delay 5s", "inspect-delay 1h")


def strangers(haproxy, modules):
    """tls-alpn-01: handshakes that stall are closed, at most 64 are waited for at once, and 8 of
    one network while one name is validated, whatever Lua state has them; what is no validation is
    none."""
    names = {"names": [NAME], "keys": '"ecdsa-p256"'}
    with scene(haproxy, modules, alpn=True, ca=NEVER, change=patient, **names) as proxy:
        proxy.start()
        wait_for("a live challenge", lambda: Stranger(proxy, "127.0.0.9", False).first == HANDSHAKE)
        wait_for("8 of the network that connects", lambda: tries(
            proxy, [f"127.0.7.{i}" for i in range(1, NEIGHBOURS + 1)],
            (["127.0.7.200"], ["127.0.8.1"]), False))
        other = Stranger(proxy, "127.0.9.1", False, hello("other.example.net"))
        expect(other.first, ALERT, "a name without a challenge")
        expect(other.is_ended(), True, "its end")
        both = Stranger(proxy, "127.0.9.1", False, hello(protocols=("acme-tls/1", "h2")))
        expect(both.first, ALERT, "a client that offers h2 too, where no certificate is served")

    def change(text):
        return replace(proxied(text), f"bind 127.0.0.1:{proxy.site}\n",
                       f"bind 127.0.0.1:{proxy.site} accept-proxy\n")

    with scene(haproxy, modules, alpn=True, ca=NEVER, change=change, **names) as proxy:
        proxy.start()
        wait_for("a live challenge", lambda: Stranger(proxy, "192.0.2.1").first == HANDSHAKE)
        wait_for("8 of a /24", lambda: tries(
            proxy, [f"203.0.113.{i}" for i in range(NEIGHBOURS)],
            (["203.0.113.250"], ["203.0.112.1"])))
        wait_for("8 of a /56", lambda: tries(
            proxy, [f"2001:db8:0:10{i}::1" for i in range(NEIGHBOURS)],
            (["2001:db8:0:1ff::9"], ["2001:db8:0:200::1"])))
        wait_for("64 at all", lambda: tries(
            proxy, [f"198.51.{i // NEIGHBOURS}.{i}" for i in range(PLACES)], (["192.0.2.9"], [])))
        slow = Stranger(proxy, "192.0.2.2")
        expect(slow.first, HANDSHAKE, "after all that")
        threading.Thread(target=drip, args=(slow,), daemon=True).start()
        slow.is_ended()
        expect(proxy.ask("GET", "/acme/certificates")[0], 200, "the traffic")
    return "all ended"
