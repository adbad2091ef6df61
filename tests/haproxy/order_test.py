# SPDX-License-Identifier: MIT
"""Proves the order service in a real HAProxy in front of a real Pebble, which rejects 30 % of the
nonces: with the reference files and the origin's curl command, each row of the README's table of
requests, statuses and bodies; that orders join, run side by side and outlive their connection; and
that a batch is answered line by line.

usage: order_test.py HAPROXY MODULE_FOLDER quick|many   (under pebble.sh)"""

import concurrent.futures
import http.client
import json
import os
import re
import socket
import subprocess
import sys
import tempfile
import time

from order_scene import (BOUNDARY, HERE, HOST, PASSWORD, TIME_LIMIT_S, Scene, asked_of_ca, ecdsa,
                         fail, form, free_ports, openssl, orders_at_ca, read, replace, rsa, write)

PROBLEM = "application/problem+json"
LINES = "application/x-ndjson"


def expect(seen, expected, what):
    if seen != expected:
        fail(f"{what}: saw {seen!r}, not {expected!r}")


def expect_refused(answer, status, words, what, kind="about:blank"):
    is_pem = re.search(r"^-----BEGIN", answer.body, re.M)
    if answer.status != status or answer.type != PROBLEM or is_pem:
        fail(f"{what}: saw {answer!r}, not {status}")
    problem = answer.json()
    if problem["status"] != status or problem["type"] != kind or words not in problem["detail"]:
        fail(f"{what}: saw {answer!r}, not {kind} and {words!r}")


def expect_bundle(pem, names, domain_key=None):
    """Chain, then key; of these names; the key is the leaf's."""
    labels = re.findall(r"-----BEGIN ([A-Z ]+)-----", pem)
    if len(labels) < 3 or set(labels[:-1]) != {"CERTIFICATE"} or labels[-1] != "PRIVATE KEY":
        fail(f"not chain and key: {labels}")
    with tempfile.NamedTemporaryFile("w", suffix=".pem") as file:
        file.write(pem)
        file.flush()
        shown = openssl("x509", "-in", file.name, "-noout", "-ext", "subjectAltName", "-pubkey")
        of_key = openssl("pkey", "-in", file.name, "-pubout")
    expect(set(re.findall(r"DNS:([^,\s]+)", shown)), set(names), "the names")
    if of_key not in shown:
        fail("the key is not the certificate's")
    if domain_key and domain_key.split("-----")[2].split() != pem.split("-----")[-3].split():
        fail("not the key that was sent")


def nothing_without_password(scene):
    asked = asked_of_ca()
    for path in ("/acme/order", "/acme/certificates", "/acme/renew/x"):
        answer = scene.request("POST", path, form({"domain": "a.example"}),
                               {"authorization": "Basic eDp5"})
        expect(answer.status, 401, path)
    http_port = int(os.environ["PEBBLE_HTTP_PORT"])
    answer = scene.request("POST", "/acme/order", form({"domain": "a.example"}), port=http_port)
    expect(answer.status, 503, "an order where challenges are answered")
    expect(asked_of_ca(), asked, "what the CA was asked")


def origin_command_is_served(scene):
    """order.sh as it is, but for the port; then a HAProxy that has nothing but its output."""
    script = replace(read(f"{HOST}/reference/order.sh"), ":9011/", f":{scene.port}/")
    subprocess.run(["sh", "-e", "-c", script], cwd=scene.place, check=True, capture_output=True,
                   timeout=TIME_LIMIT_S)
    names = ["example.net", "www.example.net", "example.com", "www.example.com"]
    expect_bundle(read(f"{scene.place}/example.net.pem"), names,
                  read(f"{scene.place}/example.net.key"))
    port = free_ports(1)[0]
    write(f"{scene.place}/site.cfg", f"""
defaults
    mode http
    timeout client 10s
    timeout server 10s
    timeout connect 10s
frontend site
    bind 127.0.0.1:{port} ssl crt {scene.place}/example.net.pem
    http-request return status 200 content-type text/plain string page
""")
    with subprocess.Popen([scene.haproxy, "-db", "-q", "-f", f"{scene.place}/site.cfg"]) as site:
        try:
            for name in names:
                page = subprocess.run(
                    ["curl", "-sS", "--noproxy", "*", "--retry", "50", "--retry-connrefused",
                     "--retry-delay", "1", "--max-time", "60", "--resolve",
                     f"{name}:{port}:127.0.0.1", "--cacert", os.environ["PEBBLE_ROOT"],
                     f"https://{name}:{port}/"], capture_output=True, text=True, check=False)
                expect((page.stdout, page.returncode), ("page", 0), name + page.stderr)
        finally:
            site.kill()


def broken_requests_are_refused(scene):
    asked = asked_of_ca()
    multipart = {"content-type": f"multipart/form-data; boundary={BOUNDARY}"}
    rows = [
        ("POST", "", multipart, 400, "no body"),
        ("POST", form({"aliases": "b.example"}), multipart, 400, '"domain" is missing'),
        ("POST", "x", multipart, 400, ""),
        ("POST", form({"domain": "a.example"})[:-8], multipart, 400, ""),
        ("POST", form({"domain": "a.example", "colour": "red"}), multipart, 400, '"colour"'),
        ("POST", "{", {"content-type": "application/json"}, 400, "JSON"),
        ("POST", "domain=a.example", {"content-type": "text/plain"}, 415, ""),
        ("POST", "domain=a.example", {}, 415, ""),
    ]
    for method, body, headers, status, words in rows:
        answer = scene.request(method, "/acme/order", body, headers)
        expect_refused(answer, status, words, f"{body[:40]!r} {headers}")
    for path in ("/", "/acme", "/acme/orders", "/acme/order/", "/acme/renew/", "/x"):
        expect_refused(scene.request("GET", path), 404, "no such path", path)
    expect_refused(scene.request("GET", "/.well-known/acme-challenge/x"), 404, "", "no challenge")
    for method, path, allowed in (("GET", "/acme/order", "POST"), ("PUT", "/acme/order", "POST"),
                                  ("POST", "/acme/certificates", "GET, HEAD"),
                                  ("POST", "/.well-known/acme-challenge/x", "GET, HEAD"),
                                  ("GET", "/acme/renew/a.example", "POST")):
        answer = scene.request(method, path)
        expect_refused(answer, 405, "", f"{method} {path}")
        expect(answer.headers["allow"], allowed, f"Allow of {path}")
    expect_refused(scene.request("POST", "/acme/renew/a.example"), 404, "not managed", "renew")
    expect(asked_of_ca(), asked, "what the CA was asked")


def long_uploads_are_refused(scene):
    """By curl, which sends on until it is answered."""
    asked = asked_of_ca()
    write(f"{scene.place}/long", "x" * 20_000_000)
    for more in ([], ["-H", "transfer-encoding: chunked"], ["-H", "expect:"]):
        got = subprocess.run(
            ["curl", "-sS", "--noproxy", "*", "--max-time", "60", "-u", "acme:acme", "-F",
             f"domain=@{scene.place}/long", *more, "-w", "%{http_code}",
             f"http://127.0.0.1:{scene.port}/acme/order"], capture_output=True, text=True,
            check=False, timeout=TIME_LIMIT_S)
        if not got.stdout.endswith("413") or '"status":413' not in got.stdout:
            fail(f"20 MB {more}: {got.stdout[:300]} {got.stderr}")
    expect(asked_of_ca(), asked, "what the CA was asked")


def bad_names_and_keys_are_refused(scene):
    asked = asked_of_ca()
    one, other = ecdsa(f"{scene.place}/one.key"), ecdsa(f"{scene.place}/other.key")
    weak = rsa(f"{scene.place}/weak.key", 1024)
    rows = [
        ({"domain": "bad_name.example"}, "not a DNS name"),
        ({"domain": "a.example", "aliases": "b.example,-c.example"}, "entry 2"),
        ({"domain": "*.example.net"}, "wildcard"),
        ({"domain": "a.example", "domain_key": weak}, "domain_key"),
        ({"domain": "a.example", "account_key": weak}, "account_key"),
        ({"domain": "a.example", "domain_key": "key"}, "domain_key"),
        ({"domain": "a.example", "domain_key": one, "account_key": one}, "same key"),
        ({"domain": "a.example", "domain_key": one, "key_type": "rsa-2048"}, "key_type"),
        ({"domain": "a.example", "key_type": "dsa"}, "key_type"),
    ]
    for fields, words in rows:
        expect_refused(scene.order(fields), 422, words, str(fields)[:80])
    traditional = openssl("pkey", "-in", f"{scene.place}/one.key", "-traditional")
    expect_refused(scene.order({"domain": "a.example", "domain_key": one,
                                "account_key": traditional}), 422, "account", "one key, two forms")
    expect(asked_of_ca(), asked, "what the CA was asked")
    answer = scene.order({"domain": "a.blocked.example", "account_key": one, "domain_key": other})
    expect_refused(answer, 422, "blocked.example", "a blocked name",
                   "urn:ietf:params:acme:error:rejectedIdentifier")
    return answer.json()["detail"]


def orders_side_by_side(scene, count, prefix, workers=12, is_rsa=True):
    """RSA-4096 for the account and RSA-2048 for the names; or ECDSA, which is faster."""
    if is_rsa:
        account = rsa(f"{scene.place}/account.key", 4096)
        domain = rsa(f"{scene.place}/example.net.key", 2048)
    else:
        account, domain = ecdsa(f"{scene.place}/one.key"), ecdsa(f"{scene.place}/other.key")

    def one(index):
        name = f"{prefix}{index}.example"
        answer = scene.order({"domain": name, "account_key": account, "domain_key": domain})
        if answer.status != 200:
            fail(f"{name}: {answer!r}")
        expect_bundle(answer.body, [name], domain)

    with concurrent.futures.ThreadPoolExecutor(workers) as pool:
        list(pool.map(one, range(count)))


def identical_posts_are_one_order(scene):
    before = orders_at_ca()
    fields = {"domain": "same.example", "account_key": ecdsa(f"{scene.place}/one.key")}
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(lambda _: scene.order(fields), range(4)))
    answers.append(scene.order(fields))
    expect({answer.status for answer in answers}, {200}, "the same order five times")
    expect(len({answer.body for answer in answers}), 1, "certificates")
    expect(orders_at_ca() - before, 1, "orders at the CA")
    expect(scene.order({**fields, "aliases": "b.example"}).status, 200, "with another name")
    expect(orders_at_ca() - before, 2, "orders at the CA")


def json_gives_every_key_type(scene):
    answer = scene.order({"domain": "both.example", "key_type": "ecdsa-p256,rsa-2048"},
                         accept="application/json")
    expect((answer.status, answer.type), (200, "application/json"), "Accept")
    value = answer.json()
    expect(value["domain"], "both.example", "domain")
    expect([item["key_type"] for item in value["certificates"]], ["ecdsa-p256", "rsa-2048"],
           "key types")
    for item in value["certificates"]:
        expect_bundle(item["pem"], ["both.example"])


def batch_goes_on_after_failures(scene):
    answer = scene.order_json({"account_key": ecdsa(f"{scene.place}/one.key"), "orders": [
        {"domain": "c1.example"}, {"domain": "c2.blocked.example"}, {"domain": "-"},
        {"domain": "c3.example", "aliases": ["c4.example"], "key_type": "ecdsa-p384"}, 7]})
    expect((answer.status, answer.type), (200, LINES), "a batch")
    lines = [json.loads(line) for line in answer.body.splitlines()]
    by_domain = {line.get("domain"): line for line in lines if "domain" in line}
    expect(sorted(line["status"] for line in lines), [200, 200, 400, 422, 422], "statuses")
    expect_bundle(by_domain["c1.example"]["certificates"][0]["pem"], ["c1.example"])
    expect_bundle(by_domain["c3.example"]["certificates"][0]["pem"], ["c3.example", "c4.example"])
    refused = by_domain["c2.blocked.example"]
    expect(refused["type"], "urn:ietf:params:acme:error:rejectedIdentifier", "the CA's type")


def order_outlives_its_connection(scene):
    before = orders_at_ca()
    body = form({"domain": "gone.example"})
    with socket.create_connection(("127.0.0.1", scene.port), TIME_LIMIT_S) as client:
        client.sendall((f"POST /acme/order HTTP/1.1\r\nHost: x\r\nAuthorization: {PASSWORD}\r\n"
                        f"Content-Type: multipart/form-data; boundary={BOUNDARY}\r\n"
                        f"Content-Length: {len(body)}\r\n\r\n{body}").encode())
        limit = time.monotonic() + TIME_LIMIT_S
        while orders_at_ca() == before:
            if time.monotonic() > limit:
                fail("the order did not begin")
            time.sleep(0.01)
    answer = scene.order({"domain": "gone.example"})
    expect_bundle(answer.body, ["gone.example"])
    expect(orders_at_ca() - before, 1, "orders at the CA")


def must_staple_is_asked_for(scene):
    """In the CSR; Pebble leaves it out of its certificates. RFC 7633 section 6: status_request."""
    extension = bytes.fromhex("06082b060105050701180405" "3003020105")
    for value, name in (("0", "plain.example"), ("1", "staple.example")):
        before = len(scene.requests_sent())
        expect(scene.order({"domain": name, "must_staple": value}).status, 200, name)
        sent = scene.requests_sent()[before:]
        expect({extension in csr for csr in sent}, {value == "1"}, f"must-staple in {name}'s CSR")


def terms_must_be_agreed(scene):
    asked = asked_of_ca()
    scene.write(agreed="false")
    with scene:
        answer = scene.order({"domain": "a.example"})
        expect_refused(answer, 403, "data:text/plain,Do%20what%20thou%20wilt", "terms")
    new = asked_of_ca()[len(asked):]
    expect(set(new), {("GET", "/dir")}, "what the CA was asked")


def unreachable_ca_is_told(scene):
    scene.write(ca=f"127.0.0.1:{free_ports(1)[0]}")
    with scene:
        expect_refused(scene.order({"domain": "a.example"}), 503, "", "no CA")


def client_certificate_is_enough(scene):
    for name in ("acme-service", "acme-clients"):
        openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
                "-days", "2", "-subj", f"/CN={name}", "-addext", "subjectAltName=DNS:localhost",
                "-keyout", f"{scene.place}/{name}.key", "-out", f"{scene.place}/{name}.pem")
    with open(f"{scene.place}/acme-service.pem", "a", encoding="utf-8") as file:
        file.write(read(f"{scene.place}/acme-service.key"))
    port = free_ports(1)[0]
    service = replace(read(f"{HOST}/reference/client_certificate.cfg"), "bind :9011",
                      f"bind 127.0.0.1:{port}")
    scene.write(service=service)
    scene.port = port
    command = ["curl", "-sS", "--noproxy", "*", "--max-time", "60", "-F", "domain=mine.example",
               "--cacert", f"{scene.place}/acme-service.pem",
               f"https://localhost:{port}/acme/order"]
    own = ["--cert", f"{scene.place}/acme-clients.pem", "--key", f"{scene.place}/acme-clients.key"]
    with scene:
        asked = asked_of_ca()
        got = subprocess.run(command, capture_output=True, text=True, check=False)
        if got.returncode == 0:
            fail(f"without a certificate: {got.stdout}")
        expect(asked_of_ca(), asked, "what the CA was asked")
        got = subprocess.run(command + own, capture_output=True, text=True, check=True)
        expect_bundle(got.stdout, ["mine.example"])


def quick(scene):
    scene.write()
    with scene:
        nothing_without_password(scene)
        origin_command_is_served(scene)
        broken_requests_are_refused(scene)
        long_uploads_are_refused(scene)
        print("a name that the CA refuses:", bad_names_and_keys_are_refused(scene))
        orders_side_by_side(scene, 8, "n", workers=1)
        orders_side_by_side(scene, 12, "p")
        identical_posts_are_one_order(scene)
        json_gives_every_key_type(scene)
        batch_goes_on_after_failures(scene)
        order_outlives_its_connection(scene)
        must_staple_is_asked_for(scene)
    scene.write(load="lua-load-per-thread")
    with scene:
        broken_requests_are_refused(scene)
        orders_side_by_side(scene, 12, "t")
        identical_posts_are_one_order(scene)
        batch_goes_on_after_failures(scene)
    client_certificate_is_enough(scene)
    terms_must_be_agreed(scene)
    unreachable_ca_is_told(scene)


RESIDENT_GROWTH_MAX_KIB = 4096


def many(scene):
    """50 orders one after the other, then 950 side by side; the process grows no more once it has
    seen what it remembers of orders that have ended."""
    scene.write()
    with scene:
        rsa(f"{scene.place}/account.key", 4096)
        rsa(f"{scene.place}/example.net.key", 2048)
        orders_side_by_side(scene, 50, "single", workers=1)
        print("50 of 50 distinct names, one after the other")
        orders_side_by_side(scene, 50, "rsa")
        orders_side_by_side(scene, 100, "first", is_rsa=False)
        first_kib = scene.resident_kib()
        print(f"resident after 200 orders: {first_kib} KiB", flush=True)
        for part in range(8):
            orders_side_by_side(scene, 100, f"more{part}x", is_rsa=False)
            last_kib = scene.resident_kib()
            print(f"resident after {300 + 100 * part} orders: {last_kib} KiB", flush=True)
        if last_kib > first_kib + RESIDENT_GROWTH_MAX_KIB:
            fail(f"resident memory grew by {last_kib - first_kib} KiB")


def main():
    haproxy, modules, part = sys.argv[1:]
    if not os.access(haproxy, os.X_OK):
        print("this HAProxy is not here")
        sys.exit(77)
    parts = {"quick": quick, "many": many}
    with tempfile.TemporaryDirectory() as place:
        parts[part](Scene(haproxy, modules, place))
    print(subprocess.run([haproxy, "-v"], capture_output=True, text=True,
                         check=True).stdout.split("\n", maxsplit=1)[0])


if __name__ == "__main__":
    main()
