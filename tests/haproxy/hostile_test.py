# SPDX-License-Identifier: MIT
"""Proves that no request, however it is written, gets from the service what it should not, in a
real HAProxy by hand-made bytes. While a challenge is live (the CA's answers are held, relay.py),
only its path with its name gets its answer, at once (R-G2 to R-G5, R-G8). Orders come in every form
that HTTP allows and are made; forms that lie or break off are refused or dropped and nothing is
ordered. Clients that fall silent are dropped, and nothing of them is kept.

usage: hostile_test.py HAPROXY MODULE_FOLDER challenges|orders|silence   (under pebble.sh)"""

import concurrent.futures
import contextlib
import os
import re
import socket
import subprocess
import sys
import tempfile
import time

from order_scene import BOUNDARY, PASSWORD, TIME_LIMIT_S, Scene, asked_of_ca, fail, form
from order_test import expect, expect_bundle, expect_refused
from raw import Connection, exchange, split
from relay import Relay

PATH = "/.well-known/acme-challenge/"
NAME = "live.example"
MARK = "eViL7"
LONG = 20_000_000
ANSWER_SIZE_MAX = 127
# What a silent client costs at most when it is gone: what allocators keep.
KEPT_KIB_MAX = 16384
FORM = "application/x-www-form-urlencoded"
CHUNKED = "Transfer-Encoding: chunked"


def wait_for(what, condition):
    limit = time.monotonic() + TIME_LIMIT_S
    while not condition():
        if time.monotonic() > limit:
            fail(f"waited in vain: {what}")
        time.sleep(0.02)


def http_port():
    return int(os.environ["PEBBLE_HTTP_PORT"])


def get(target, *headers, method="GET", version="HTTP/1.1", body=""):
    """A request that ends its connection."""
    lines = [f"{method} {target} {version}", *headers, "Connection: close"]
    return ("\r\n".join(lines) + "\r\n\r\n" + body).encode("latin-1")


def answered(token):
    """Requests that a CA might make."""
    host = f"Host: {NAME}"
    return [
        get(PATH + token, host),
        get(PATH + token, f"Host: {NAME}:80"),
        get(PATH + token, f"Host: {NAME.upper()}"),
        get(PATH + token, host, version="HTTP/1.0"),
        get(f"http://{NAME}{PATH}{token}", host),
        get(PATH + token, host, "Content-Length: 4", body="body"),
        get(PATH + token, host, "Accept: application/xml", "Range: bytes=3-5"),
    ]


def not_found(token):
    """What only looks like it: the service's 404."""
    host = f"Host: {NAME}"
    swapped = token.swapcase()
    targets = [PATH, PATH + "x", PATH + MARK, PATH + token[:-1], PATH + token + "A",
               PATH + token + "/", PATH + token + f"/{MARK}", PATH + f"{MARK}/../" + token,
               PATH + "../../acme/order", PATH + "..%2f..%2facme/order", PATH + "/" + token,
               PATH + "./" + token, PATH + f"%{ord(token[0]):02x}" + token[1:], PATH + swapped,
               PATH + token + "%00", PATH + token + "%zz", PATH + token + "%", PATH + "%0d%0aX:" +
               MARK, PATH + token + ";x", PATH + token + "%0a", PATH + token + "=", PATH + "<b>",
               PATH + "a" * 8000, PATH + "%n%s%x"]
    hosts = [f"Host: {MARK}.example", f"Host: x.{NAME}", f"Host: {NAME}.{MARK}.example",
             f"Host: {NAME}.", "Host: ", "Host: 127.0.0.1", f"Host: {NAME}:http",
             f"Host: {NAME}:808080", f"Host: {NAME}:80:80", f"Host: {NAME}:-1"]
    return ([get(target, host) for target in targets] +
            [get(PATH + token, host) for host in hosts] +
            [get(PATH + token), get(PATH + token, version="HTTP/1.0")])


def refused(token):
    """Not one for HAProxy either; or not for the service. Whatever it says, it is not the answer.
    Where some bytes are HTTP to one HAProxy and not to another, 404 is as good."""
    host = f"Host: {NAME}"
    plain = PATH + token
    return [
        get(f"{PATH}{MARK}\0{token}", host), get(f"{plain}\0", host), get(f"{plain} x", host),
        get(PATH + "a" * 65536, host), get(plain, host, "X: " + "a" * 65536),
        get(f"{plain}\rX: {MARK}", host), get(f"{plain}\x7f", host), get(f"{plain}\xff", host),
        get(plain, f"Host: {MARK}.example", host), get(plain, host, f"Host: {MARK}.example"),
        get(plain, f"Host: {NAME}\0"), get(plain, f"Host: {NAME} {MARK}"),
        get(plain, f"Host: {NAME},{MARK}.example"), get(plain, f"Host: {MARK}@{NAME}"),
        get(plain, f"Host : {NAME}"), get(plain, f"X: y\r\n Host: {NAME}"),
        get(f"http://{MARK}.example{plain}", host), get(f"http://{NAME}", host),
        get("/" + plain, host), get("/x/.." + plain, host), get("/.well-known/./acme-challenge/" +
                                                               token, host),
        get("/.well-known/acme-challenge%2f" + token, host), get(plain.upper(), host),
        get("/acme/order", host, method="POST"), get("/acme/certificates", host),
        get(f"http://{NAME}/acme/order", host, method="POST"), get("*", host, method="OPTIONS"),
        get(f"{NAME}:80", host, method="CONNECT"), get(plain, host, version="HTTP/x.y"),
        get(plain, host, version=""), get(plain, host, method="G\0T"),
        get(plain, host, "Content-Length: -1"), get(plain, host, "Content-Length: 1, 2"),
        get(plain, host, "Transfer-Encoding: xchunked", method="POST"),
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", b"\r\n" * 4000, b"\0" * 20000,
    ]


def wrong_methods(token):
    """405, with what is allowed; the method of a service is never asked for a body's sake."""
    host = f"Host: {NAME}"
    plain = PATH + token
    bodies = [("Content-Length: 4", MARK[:4]), (CHUNKED, "1\r\nx\r\n0\r\n\r\n")]
    return ([get(plain, host, method=method) for method in
             ("POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "PROPFIND", "get", "GETX")] +
            [get(plain, host, head, method="POST", body=body) for head, body in bodies] +
            [get(PATH + MARK, host, method="POST")])


def expect_answer(answer, authorization, what):
    if answer.status != 200 or answer.body != authorization:
        fail(f"{what!r}: saw {answer!r}")
    expect(answer.headers["content-type"], "text/plain", f"{what!r}: type")
    expect(answer.headers["x-content-type-options"], "nosniff", f"{what!r}: sniffing")
    expect(answer.headers["content-length"], str(len(authorization)), f"{what!r}: length")


def expect_none(request, statuses, authorization, allow=None):
    """One answer, or none where HAProxy just closes; nothing of the request or of a challenge."""
    received = exchange(http_port(), request)
    answers = split(received)
    if any(answer.status not in statuses for answer in answers) or not (answers or 0 in statuses):
        fail(f"{request[:120]!r}: saw {answers!r}, not one of {statuses}")
    if MARK.encode() in received or authorization[-20:].encode() in received:
        fail(f"{request[:120]!r} is told in {received!r}")
    for answer in answers:
        if answer.status in (404, 405):
            expect(answer.headers["content-type"], "application/problem+json", f"{request[:80]!r}")
            expect(answer.headers["x-content-type-options"], "nosniff", f"{request[:80]!r}")
            expect(answer.headers.get("allow"), allow, f"{request[:80]!r}: Allow")
        if answer.status == 404 and len(answer.body) > ANSWER_SIZE_MAX:
            fail(f"a long way to say no: {answer.body!r}")


def one_connection_has_many(token, authorization):
    """Requests in one piece are answered one by one; a body is no request (R-G3)."""
    host = f"Host: {NAME}"
    hidden = f"GET {PATH}{token} HTTP/1.1\r\n{host}\r\n\r\n"
    pieces = [hidden.encode(), hidden.replace("GET", "HEAD").encode(),
              f"POST {PATH}{token} HTTP/1.1\r\n{host}\r\nContent-Length: {len(hidden)}\r\n\r\n"
              f"{hidden}".encode(),
              f"GET {PATH}{MARK} HTTP/1.1\r\n{host}\r\n\r\n".encode(), get(PATH + token, host)]
    for request in (b"".join(pieces), b"".join(pieces[:2] + pieces[3:])):
        with Connection(http_port()) as client:
            client.send(request)
            received = client.all()
        seen = re.findall(rb"HTTP/1.1 (\d{3}) ", received)
        told = received.count(authorization.encode())
        if len(seen) == 5 or b"POST" not in request:
            expect(told, 2, f"answers in {received!r}")
        elif told > 2:
            fail(f"a body was taken for a request: {received!r}")


def long_uploads_to_a_challenge(token):
    """20 MB, with a length and chunked, by curl, which hears an answer while it sends."""
    with tempfile.NamedTemporaryFile() as file:
        file.write(b"x" * LONG)
        file.flush()
        for more in ([], ["-H", "transfer-encoding: chunked"], ["-H", "expect:"]):
            got = subprocess.run(
                ["curl", "-sS", "--noproxy", "*", "--max-time", "60", "-T", file.name, "-X", "POST",
                 *more, "-o", "/dev/null", "-w", "%{http_code}", "-H", f"Host: {NAME}",
                 f"http://127.0.0.1:{http_port()}{PATH}{token}"],
                capture_output=True, text=True, check=False, timeout=TIME_LIMIT_S)
            expect(got.stdout, "405", f"20 MB to a challenge {more} {got.stderr}")


def challenges(scene, relay):
    relay.hold(TIME_LIMIT_S)
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        order = pool.submit(scene.order, {"domain": NAME})
        try:
            wait_for("a challenge", lambda: NAME in relay.tokens)
            token = relay.tokens[NAME]
            wait_for("it is live", lambda: b" 200 " in exchange(http_port(), answered(token)[0]))
            try_challenge(scene, token)
        finally:
            relay.release()
        answer = order.result(TIME_LIMIT_S)
    expect(answer.status, 200, f"the order that was held: {answer!r}")
    expect_bundle(answer.body, [NAME])
    wait_for("the answer is withdrawn", lambda: b" 404 " in exchange(http_port(),
                                                                     answered(token)[0]))


def try_challenge(scene, token):
    authorization = split(exchange(http_port(), answered(token)[0]))[0].body
    is_one = re.fullmatch(re.escape(token) + r"\.[\w-]{43}", authorization)
    if not is_one or len(authorization) > ANSWER_SIZE_MAX:
        fail(f"not a key authorization (RFC 8555 section 8.1): {authorization!r}")
    for request in answered(token):
        expect_answer(split(exchange(http_port(), request))[0], authorization, request)
    head = split(exchange(http_port(), get(PATH + token, f"Host: {NAME}", method="HEAD")))
    expect([(said.status, said.headers["content-length"], said.body) for said in head],
           [(200, str(len(authorization)), "")], "HEAD")
    for request in not_found(token):
        expect_none(request, {404}, authorization)
    for request in wrong_methods(token):
        expect_none(request, {405, 501}, authorization, allow="GET, HEAD")
    for request in refused(token):
        expect_none(request, {0, 400, 404, 405, 408, 414, 431, 501, 503, 505}, authorization)
    one_connection_has_many(token, authorization)
    long_uploads_to_a_challenge(token)
    expect_answer(split(exchange(http_port(), answered(token)[0]))[0], authorization, "afterwards")
    expect_well(scene)


def expect_well(scene):
    """HAProxy lives, and no Lua function of ours raised an error."""
    expect(scene.process.poll(), None, "HAProxy's exit code")
    for line in scene.log().splitlines():
        if re.search(r"Lua (function|applet|task).*(error|timeout)|stack traceback|FATAL", line):
            fail(f"HAProxy says: {line}")


def post(body, *headers, kind=FORM, target="/acme/order", version="HTTP/1.1", length=None):
    """A POST that ends its connection. length: another one than the body's, or False for none."""
    body = body.encode("latin-1")
    lines = [f"POST {target} {version}", "Host: x", f"Authorization: {PASSWORD}",
             f"Content-Type: {kind}", "Connection: close", *headers]
    if length is not False:
        lines.append(f"Content-Length: {len(body) if length is None else length}")
    return ("\r\n".join(lines) + "\r\n\r\n").encode() + body


def chunked(text, sizes, extension="", trailers=""):
    """The text in chunks of these sizes, again and again."""
    parts, at, turn = [], 0, 0
    while at < len(text):
        part = text[at:at + sizes[turn % len(sizes)]]
        parts.append(f"{len(part):x}{extension}\r\n{part}\r\n")
        at, turn = at + len(part), turn + 1
    return "".join(parts) + f"0\r\n{trailers}\r\n"


def served(scene):
    """Orders as HTTP allows to send them."""
    multipart = f"multipart/form-data; boundary={BOUNDARY}"
    odd = chunked(form({"domain": "odd.example"}), [1, 7, 2, 13, 64], ';x="y"',
                  f"X-Trailer: {MARK}\r\n")
    rows = {"odd.example": post(odd, CHUNKED, kind=multipart, length=False),
            "zeros.example": post("000014\r\ndomain=zeros.example\r\n000\r\n\r\n", CHUNKED,
                                  length=False),
            "old.example": post("domain=old.example", version="HTTP/1.0"),
            "absolute.example": post("domain=absolute.example", target="http://x/acme/order"),
            "query.example": post("domain=query.example", target="/acme/order?domain=a.example")}
    for name, request in rows.items():
        expect_served(split(exchange(scene.port, request)), name)
    expect_served(slowly(scene, post(form({"domain": "slow.example"}), kind=multipart)),
                  "slow.example")
    with Connection(scene.port) as client:
        client.send(post("", "Expect: 100-continue", length=len("domain=expect.example")))
        said = split(client.until(lambda received: b"\r\n\r\n" in received))
        expect([answer.status for answer in said], [100], "Expect")
        client.send(b"domain=expect.example")
        expect_served(split(client.all()), "expect.example")
    with Connection(scene.port) as client:
        kept = [post(f"domain=pipe{index}.example").replace(b"Connection: close\r\n", b"")
                for index in range(2)]
        client.send(b"".join(kept) + get("/nowhere", "Host: x", f"Authorization: {PASSWORD}"))
        said = split(client.all())
        expect([answer.status for answer in said], [200, 200, 404], "three in one piece")
        for index in range(2):
            expect_served(said[index:index + 1], f"pipe{index}.example")


def slowly(scene, request):
    """The answers to a request that is sent byte by byte."""
    with Connection(scene.port) as client:
        client.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for byte in request:
            client.send(bytes([byte]))
            time.sleep(0.002)
        return split(client.all())


def expect_served(answers, name):
    if [answer.status for answer in answers] != [200]:
        fail(f"{name}: {answers!r}")
    expect_bundle(answers[0].body, [name])


def refused_orders():
    """Request, statuses, words of the problem document (None: HAProxy's own answer, or none)."""
    json_type = "application/json"
    host = ("Host: x", f"Authorization: {PASSWORD}")
    own = {0, 400, 408, 411, 413, 414, 431, 501, 505}
    return [
        (get("/acme/order", *host, method="HEAD"), {405}, ""),
        (get("/acme/order", *host, method="TRACE"), {405}, "POST"),
        (get("/acme/order", *host, "Content-Length: 4", body="body"), {405}, "POST"),
        (get("/acme/order", *host, method="POST"), {400}, "no body"),
        (get("/acme/order", host[1], method="POST"), {400}, "no body"),
        (post("domain=a.example", version="HTTP/1.0", length=False), {400}, "no body"),
        (post("0\r\n\r\n", CHUNKED, length=False), {400}, "no body"),
        *[(post("domain=a.example", target=target), {404}, "no such path") for target in (
            "/acme/order/", "//acme/order", "/acme/./order", "/x/../acme/order", "/acme/%6frder",
            "/acme/order%00", "/acme/order%zz", "/acme/orde", "/ACME/ORDER", f"/acme/{MARK}",
            "/acme/order;x", "/" + "a" * 8000)],
        (post("domain=a.example", target="/acme/renew/" + "a" * 300), {404}, "not managed"),
        (post("domain=a.example", target=PATH + "../../acme/order"), {405}, "GET"),
        (post("domain=%zz"), {400}, ""),
        (post("domain=a.example%"), {400}, ""),
        (post("domain=a%00.example"), {400, 422}, ""),
        (post("domain=a.example%0d%0aSet-Cookie:%20" + MARK), {422}, "domain"),
        (post("domain=a.example&domain=b.example"), {400}, "domain"),
        (post("=&=&&"), {400}, ""),
        (post("domain=" + "a" * 250_000), {422}, "domain"),
        (post("x" * 300_000), {413}, ""),
        (post("domain=a.example", kind=f"{FORM}, {json_type}"), {415}, ""),
        (post("[" * 200_000, kind=json_type), {400}, "JSON"),
        (post('{"domain": "a\\u0000.example"}', kind=json_type), {400, 422}, ""),
        (post('{"domain": "a.example", "domain": "b.example"}', kind=json_type), {400}, ""),
        (post('{"domain": "a.example"} x', kind=json_type), {400}, "JSON"),
        (post("--b\r\n" * 20_000, kind="multipart/form-data; boundary=b"), {400}, ""),
        (post("--\r\n", kind="multipart/form-data; boundary="), {400, 415}, ""),
        (post("domain=a.example", "Content-Length: 5"), own, None),
        (post("domain=a.example", length=-5), own, None),
        (post("domain=a.example", length="1e2"), own, None),
        (post("domain=a.example", length="99999999999999999999999"), own, None),
        (post("zz\r\ndomain=a.example\r\n0\r\n\r\n", CHUNKED, length=False), own, None),
        (post("-1\r\ndomain=a.example\r\n0\r\n\r\n", CHUNKED, length=False), own, None),
        (post("10\r\ndomain=a.exampleXX\r\n0\r\n\r\n", CHUNKED, length=False), own, None),
        (post("ffffffffffffffffff\r\nx", CHUNKED, length=False), own, None),
        (post("domain=a.example", "Transfer-Encoding: gzip", length=False), own, None),
        (post("domain=a.example", target="/acme/ord\0er"), own, None),
        (post("domain=a.example", target="/" + "a" * 65536), own, None),
        (post("domain=a.example", "X: y\r\nX\0: z"), own, None),
    ]


def broken_off(scene):
    """A body that ends too early is no body, however its sender goes."""
    rows = [post("domain=cut.example", length=500),
            post("12\r\ndomain=cut.example\r\n", CHUNKED, length=False),
            post("domain=cut.example&x=" + "y" * 40_000, length=60_000),
            post("12\r\ndomain=cut.example\r\n12\r\ndom", CHUNKED, length=False)]
    for request in rows:
        for is_half in (True, False):
            with Connection(scene.port) as client:
                client.send(request)
                if is_half:
                    client.socket.shutdown(socket.SHUT_WR)
                    for answer in split(client.all()):
                        if answer.status < 400:
                            fail(f"{request[:300]!r}: {answer!r}")


def orders_are_refused(scene):
    for request, statuses, words in refused_orders():
        what = f"{request[:60]!r}... {request[-60:]!r}"
        answers = split(exchange(scene.port, request))
        if {answer.status for answer in answers} - statuses or not (answers or 0 in statuses):
            fail(f"{what}: {answers!r}, not {statuses}")
        for answer in answers:
            if MARK in answer.body or "-----BEGIN" in answer.body:
                fail(f"{what} is told in {answer!r}")
            if words:
                expect_refused(answer, answer.status, words, what)
    short = post("domain=a.example", length=3).replace(b"Connection: close\r\n", b"")
    expect({answer.status for answer in split(exchange(scene.port, short))}, {400},
           "a length that is too short")


def long_uploads(scene):
    """20 MB that are no form, and no length that says so."""
    for kind in (FORM, "application/json"):
        for more in ((), (CHUNKED,)):
            body = "x" * LONG
            request = post(chunked(body, [65521]), *more, kind=kind, length=False) if more else \
                post(body, kind=kind)
            answers = split(exchange(scene.port, request))
            expect([answer.status for answer in answers], [413], f"20 MB {kind} {more}")


def orders(scene, _):
    """Nothing is ordered by all that is refused; then what is good is served."""
    asked = asked_of_ca()
    orders_are_refused(scene)
    broken_off(scene)
    long_uploads(scene)
    expect(asked_of_ca(), asked, "what the CA was asked")
    served(scene)
    expect_well(scene)


def sockets(scene):
    folder = f"/proc/{scene.process.pid}/fd"
    found = 0
    for name in os.listdir(folder):
        try:
            found += os.readlink(f"{folder}/{name}").startswith("socket:")
        except FileNotFoundError:
            pass
    return found


def silent(port, request):
    """Send, then say nothing: the answers until HAProxy closes."""
    with Connection(port) as client:
        client.send(request)
        return split(client.all())


def dripping(port, request):
    """Send a byte every now and then until HAProxy has enough of it."""
    with Connection(port) as client:
        client.socket.settimeout(0.5)
        received = b""
        for byte in request:
            client.send(bytes([byte]))
            try:
                received = client.socket.recv(65536)
                return split(received)
            except TimeoutError:
                continue
            except ConnectionError:
                return []
        fail(f"nobody minds {request[:80]!r}")


def silence(scene, _):
    """Clients that stop in the middle hear 408 and are dropped; those that go are forgotten."""
    asked = asked_of_ca()
    body = post("domain=cut.example", length=500)
    head = post("")[:90]
    rows = [(silent, scene.port, body), (silent, scene.port, head),
            (silent, http_port(), get(PATH + "x", "Host: x")[:-2]),
            (silent, scene.port, post("12\r\ndomain=cut.example\r\n", CHUNKED, length=False)),
            (dripping, scene.port, post("domain=" + "a" * 200, length=500)[:-150] + b"a" * 120),
            (dripping, http_port(), get(PATH + "x", "Host: x", "X: " + "y" * 100))]
    before = sockets(scene)
    with concurrent.futures.ThreadPoolExecutor(len(rows)) as pool:
        said = list(pool.map(lambda row: row[0](*row[1:]), rows))
    for row, answers in zip(rows, said):
        expect([answer.status for answer in answers], [408], f"{row[0].__name__} {row[2][:60]!r}")
    wait_for("all are dropped", lambda: sockets(scene) <= before)
    kept = []
    for _ in range(3):
        with contextlib.ExitStack() as stack:
            for _ in range(50):
                client = stack.enter_context(Connection(scene.port))
                client.send(post("domain=cut.example&x=" + "y" * 200_000, length=900_000))
        wait_for("all are forgotten", lambda: sockets(scene) <= before)
        kept.append(scene.resident_kib())
    print("resident after each 50 that went away:", *kept, "KiB")
    if kept[-1] > kept[0] + KEPT_KIB_MAX:
        fail("HAProxy keeps what nobody waits for")
    expect(asked_of_ca(), asked, "what the CA was asked")
    answer = scene.order({"domain": "after.example"})
    expect(answer.status, 200, f"{answer!r}")
    expect_well(scene)


PARTS = {"challenges": challenges, "orders": orders, "silence": silence}


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
