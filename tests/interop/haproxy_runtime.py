# SPDX-License-Identifier: MIT
"""Proves hosts/haproxy/thinair_runtime.lua in a real HAProxy, in a chroot and as nobody where the
test is root: names added to an HAProxy that started without a certificate, both key types chosen by
ClientHello, a swap while clients come and go, refusals that leave what was there, transactions of
others, payloads larger than a command, removal, and a restart from what was written to disk. What
clients are given is looked at with openssl s_client.

usage: haproxy_runtime.py HAPROXY"""

import http.client
import os
import re
import signal
import socket
import ssl
import subprocess
import sys
import tempfile
import threading
import time
from urllib.parse import quote, urlencode

HERE = os.path.dirname(os.path.abspath(__file__))
LUA = os.path.join(os.path.dirname(os.path.dirname(HERE)), "hosts", "haproxy")
TIME_LIMIT_S = 100
PATIENCE_S = 20
PAUSE_S = 0.02
RSA_ONLY = "RSA-PSS+SHA256:RSA+SHA256"
ECDSA_ONLY = "ECDSA+SHA256"


def run(*command, stdin=None):
    return subprocess.run(command, input=stdin, capture_output=True, text=True, check=False,
                          timeout=PATIENCE_S)


def expect(claim, truth, seen=""):
    if not truth:
        raise AssertionError(f"{claim}: {seen}")


def wait_for(claim, condition):
    deadline = time.monotonic() + PATIENCE_S
    while not (value := condition()):
        expect(claim, time.monotonic() < deadline, "not in time")
        time.sleep(PAUSE_S)
    return value


def serial_of(leaf):
    shown = run("openssl", "x509", "-noout", "-serial", stdin=leaf).stdout
    return shown.strip().removeprefix("serial=")


class Pair:
    """A certificate of the test's own root, and its key."""

    count = 0

    def __init__(self, place, name, *key):
        Pair.count += 1
        base = f"{place}/pair{Pair.count}"
        subject = ["-subj", f"/CN={name}", "-addext", f"subjectAltName=DNS:{name},DNS:www.{name}"]
        made = run("openssl", "req", "-x509", "-nodes", "-days", "30", "-newkey", *key, *subject,
                   "-CA", f"{place}/root.pem", "-CAkey", f"{place}/root.key",
                   "-keyout", f"{base}.key", "-out", f"{base}.pem")
        expect("openssl makes a pair", made.returncode == 0, made.stderr)
        with open(f"{base}.key", encoding="ascii") as file:
            self.key = file.read()
        with open(f"{base}.pem", encoding="ascii") as file:
            self.leaf = file.read()
        with open(f"{place}/root.pem", encoding="ascii") as file:
            self.root = file.read()
        self.serial = serial_of(self.leaf)

    def pem(self, key=None, chain_count=1):
        return self.leaf + self.root * chain_count + (key or self.key)


def make_root(place):
    made = run("openssl", "req", "-x509", "-nodes", "-days", "30", "-newkey", "ec", "-pkeyopt",
               "ec_paramgen_curve:P-256", "-subj", "/CN=Test Root", "-keyout", f"{place}/root.key",
               "-out", f"{place}/root.pem")
    expect("openssl makes a root", made.returncode == 0, made.stderr)


class Desk(http.client.HTTPConnection):
    """HTTP over the unix socket of the configuration's desk."""

    def __init__(self, path):
        super().__init__("desk", timeout=PATIENCE_S)
        self.path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(PATIENCE_S)
        self.sock.connect(self.path)


class Proxy:
    def __init__(self, haproxy, place):
        self.haproxy, self.place = haproxy, place
        self.list = f"{place}/site.list"
        self.jail = f"{place}/jail"
        os.makedirs(f"{self.jail}/run")
        open(self.list, "w", encoding="ascii").close()
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        is_root = os.getuid() == 0
        self.folder = "/run" if is_root else f"{self.jail}/run"
        owner = " user nobody" if is_root else ""
        with open(f"{place}/global.cfg", "w", encoding="ascii") as file:
            file.write("global\n")
            for name, level in ("stats", "admin"), ("low", "operator"):
                file.write(f"    stats socket {self.jail}/run/{name}.sock mode 600 level {level}"
                           f"{owner}\n")
            if is_root:
                file.write(f"    chroot {self.jail}\n    user nobody\n    group nogroup\n")
        self.process = None

    def start(self):
        environment = {**os.environ, "RUNTIME_PLACE": self.place, "RUNTIME_PORT": str(self.port),
                       "RUNTIME_LUA": LUA, "RUNTIME_SCRIPT": f"{HERE}/haproxy_runtime.lua"}
        with open(f"{self.place}/haproxy.log", "ab") as log:
            self.process = subprocess.Popen(
                [self.haproxy, "-W", "-f", f"{self.place}/global.cfg", "-f",
                 f"{HERE}/haproxy_runtime.cfg"], env=environment, stdout=log, stderr=log)
        wait_for("HAProxy answers", self.answers)

    def answers(self):
        expect("HAProxy starts", self.process.poll() is None)
        try:
            return self.ask("version")[0] == "yes"
        except OSError:
            return False

    def stop(self):
        if not self.process:
            return
        self.process.terminate()
        try:
            self.process.wait(PATIENCE_S)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()

    def worker(self):
        """The process behind the runtime API; None between two of them."""
        try:
            found = re.search(r"(?m)^Pid: (\d+)$", self.say("show info"))
        except OSError:
            return None
        return found and int(found.group(1))

    def restart(self):
        self.stop()
        self.start()

    def reload(self):
        old = self.worker()
        self.process.send_signal(signal.SIGUSR2)
        wait_for("another worker", lambda: self.worker() not in (None, old))

    def ask(self, verb, pem="", **asked):
        """The first line of the answer, and the rest."""
        desk = Desk(f"{self.place}/desk.sock")
        asked.setdefault("path", f"{self.folder}/stats.sock")
        desk.request("POST", "/?" + urlencode({"verb": verb, **asked}, quote_via=quote), pem)
        kind, _, rest = desk.getresponse().read().decode().partition("\n")
        desk.close()
        return kind, rest

    def say(self, line):
        """The runtime API from outside, as an administrator uses it."""
        with socket.socket(socket.AF_UNIX) as cli:
            cli.settimeout(PATIENCE_S)
            cli.connect(f"{self.jail}/run/stats.sock")
            cli.sendall(line.encode() + b"\n")
            return b"".join(iter(lambda: cli.recv(65536), b"")).decode()

    def deploy(self, store, pem, **asked):
        return self.ask("deploy", pem, store=store, crt_list=self.list, **asked)

    def visit(self, name, *flags):
        """The serial of the certificate that a client gets, and how many certificates; or None."""
        seen = run("openssl", "s_client", "-connect", f"127.0.0.1:{self.port}", "-servername", name,
                   "-showcerts", *flags, stdin="").stdout
        count = seen.count("BEGIN CERTIFICATE")
        leaf = re.search(r"-----BEGIN CERTIFICATE.*?END CERTIFICATE-----\n", seen, re.S)
        if not leaf:
            return None
        return serial_of(leaf.group(0)), count

    def serves(self, claim, pair, name, *flags, chain_count=1):
        seen = self.visit(name, *flags)
        expect(claim, seen == (pair.serial, chain_count + 1), f"{seen}, not {pair.serial}")

    def sockets_count(self):
        folder = f"/proc/{self.worker()}/fd"
        links = (os.path.join(folder, name) for name in os.listdir(folder))
        return sum(os.path.islink(link) and os.readlink(link).startswith("socket:")
                   for link in links)


def answer_is(claim, answer, kind, words=""):
    expect(claim, answer[0] == kind and words in answer[1], answer)


def new_names_are_served(proxy, pairs):
    expect("no certificate, no handshake", proxy.visit("a.example") is None)
    answer = proxy.deploy("/certs/a.pem.ecdsa", pairs["a.ec"].pem())
    answer_is("a first certificate", answer, "yes", "serial: " + pairs["a.ec"].serial)
    answer_is("and what it is", answer, "yes", "key_type: EC256")
    proxy.serves("served without a reload", pairs["a.ec"], "a.example")
    answer = proxy.deploy("/certs/a.pem.rsa", pairs["a.rsa"].pem(), task=1,
                          names="a.example,www.a.example", options="alpn h2,http/1.1")
    answer_is("its other key type, from a task", answer, "yes", "key_type: RSA2048")
    expect("strangers get nothing", proxy.visit("b.example") is None)


def clients_choose(proxy, pairs):
    for version in "-tls1_2", "-tls1_3":
        proxy.serves("a client that knows ECDSA only", pairs["a.ec"], "a.example", version,
                     "-sigalgs", ECDSA_ONLY)
        proxy.serves("a client that knows RSA only", pairs["a.rsa"], "a.example", version,
                     "-sigalgs", RSA_ONLY)
    proxy.serves("a client that knows both", pairs["a.ec"], "www.a.example")
    # HAProxy 2.6 sees no ECDSA in a ClientHello that has the suites of TLS 1.3 only.
    only_13 = pairs["a.rsa" if proxy.say("show version").startswith("2.6.") else "a.ec"]
    proxy.serves("a client that knows both and TLS 1.3 only", only_13, "a.example", "-tls1_3")


def lists_what_it_holds(proxy, pairs):
    answer = proxy.ask("certificates")
    for words in "store: /certs/a.pem.ecdsa", pairs["a.rsa"].serial, "status: used":
        answer_is("certificates", answer, "yes", words)
    answer = proxy.ask("crt_list", crt_list=proxy.list)
    answer_is("the crt-list", answer, "yes", "options: alpn h2,http/1.1")
    answer_is("a crt-list that is not there", proxy.ask("crt_list", crt_list="/none"), "no",
              "HAProxy has no crt-list /none: ")


def swaps_under_connections(proxy, pairs):
    context = ssl.create_default_context(cafile=f"{proxy.place}/root.pem")

    def fetch():
        with socket.create_connection(("127.0.0.1", proxy.port), PATIENCE_S) as raw:
            with context.wrap_socket(raw, server_hostname="a.example") as client:
                client.sendall(b"GET / HTTP/1.0\r\n\r\n")
                return b"".join(iter(lambda: client.recv(4096), b""))

    failures, visits, done = [], [], threading.Event()

    def keep_fetching():
        while not done.is_set():
            try:
                visits.append(fetch())
                expect("a page", visits[-1].endswith(b"page"), visits[-1])
            except (OSError, AssertionError) as failure:
                failures.append(failure)

    raw = socket.create_connection(("127.0.0.1", proxy.port), PATIENCE_S)
    old = context.wrap_socket(raw, server_hostname="a.example")
    threads = [threading.Thread(target=keep_fetching) for _ in range(2)]
    for thread in threads:
        thread.start()
    try:
        for index in range(6):
            before = len(visits)
            for kind, file in ("ec", "ecdsa"), ("rsa", "rsa"):
                pair = pairs[f"a2.{kind}" if index % 2 == 0 else f"a.{kind}"]
                answer_is("a swap", proxy.deploy(f"/certs/a.pem.{file}", pair.pem()), "yes",
                          pair.serial)
            wait_for("clients come and go", lambda: len(visits) > before + 4)
    finally:
        done.set()
        for thread in threads:
            thread.join()
    expect("no connection failed", not failures, failures[:3])
    old.sendall(b"GET / HTTP/1.0\r\n\r\n")
    expect("an old connection goes on", old.recv(4096).startswith(b"HTTP/1"))
    old.close()
    proxy.serves("the last one deployed", pairs["a.ec"], "a.example")


def refusals_change_nothing(proxy, pairs):
    before = proxy.say("show ssl cert"), proxy.say(f"show ssl crt-list -n {proxy.list}")
    mixed = pairs["a2.ec"].pem(key=pairs["b.ec"].key)
    for claim, pem, words in (
            ("a key of another", mixed, "inconsistencies between private key and certificate"),
            ("no key", pairs["a2.ec"].leaf, "at least a certificate and a private key"),
            ("no certificate", pairs["a2.ec"].key, "unable to load certificate"),
            ("no PEM", "nonsense", "unable to load certificate"),
            ("large, with a key of another", pairs["a2.ec"].pem(pairs["b.ec"].key, 40),
             "inconsistencies between private key and certificate"),
            ("large, with a broken chain", pairs["a2.ec"].leaf + pairs["a2.ec"].root * 40
             + pairs["a2.ec"].root[:200] + "-----END CERTIFICATE-----\n" + pairs["a2.ec"].key, ""),
            ("large, no key", pairs["a2.ec"].leaf + pairs["a2.ec"].root * 40, "private key")):
        for store in "/certs/a.pem.ecdsa", "/certs/new.pem":
            answer_is(f"{claim}: {store}", proxy.deploy(store, pem), "no", words)
    good = pairs["b.ec"].pem()
    for claim, words, asked in (
            ("an unknown option", "unknown ssl keyword", {"options": "bogus yes"}),
            ("a name of two words", "not a name", {"names": "a b"}),
            ("a line break", "not a name", {"names": "a\nshow info"}),
            ("a crt-list that is not there", "no crt-list", {"crt_list": "/none"})):
        answer = proxy.ask("deploy", good, **{"store": "/certs/new.pem", "crt_list": proxy.list,
                                              **asked})
        answer_is(claim, answer, "no", words)
    answer_is("a store with a space", proxy.deploy("/certs/a b", good), "no", "a store's name")
    after = proxy.say("show ssl cert"), proxy.say(f"show ssl crt-list -n {proxy.list}")
    expect("nothing is left of what was refused", before == after, after)
    proxy.serves("the old pair is served", pairs["a.ec"], "a.example", "-sigalgs", ECDSA_ONLY)


def transactions_of_others_are_left(proxy, pairs):
    proxy.say("new ssl cert theirs")
    payload = "set ssl cert theirs <<\n" + pairs["b.rsa"].pem()
    expect("another's transaction", "Transaction created" in proxy.say(payload))
    answer = proxy.deploy("/certs/a.pem.ecdsa", pairs["a2.ec"].pem())
    answer_is("is waited for", answer, "again", "ongoing transaction about theirs")
    answer = proxy.ask("withdraw", store="/certs/a.pem.ecdsa", crt_list=proxy.list)
    answer_is("by a withdrawal too", answer, "again", "ongoing transaction about theirs")
    expect("and commits what was theirs", "Success!" in proxy.say("commit ssl cert theirs")
           and pairs["b.rsa"].serial in proxy.say("show ssl cert theirs"))
    proxy.say("set ssl cert /certs/a.pem.ecdsa <<\n" + pairs["b.ec"].pem())
    answer = proxy.deploy("/certs/a.pem.ecdsa", pairs["a2.ec"].pem())
    answer_is("one of ours that nobody ended", answer, "yes", pairs["a2.ec"].serial)
    expect("is ended", "# transaction" not in proxy.say("show ssl cert"))
    answer_is("a store in no crt-list", proxy.ask("withdraw", store="theirs"), "yes")


def others_may_write_meanwhile(proxy, pairs):
    """Somebody sets and commits as fast as can be: what we are told is deployed, is."""
    proxy.say("new ssl cert theirs")
    done = threading.Event()

    def keep_setting():
        payload = "set ssl cert theirs <<\n" + pairs["b.rsa"].pem()
        while not done.is_set():
            proxy.say(payload)
            proxy.say("commit ssl cert theirs")
            proxy.say("abort ssl cert theirs")

    thread = threading.Thread(target=keep_setting)
    thread.start()
    try:
        for index in range(20):
            pair = pairs["a2.ec" if index % 2 else "a.ec"]

            def deployed():
                kind, told = proxy.deploy("/certs/a.pem.ecdsa", pair.pem())
                expect("refused only for now", kind in ("yes", "again"), told)
                expect("what was asked for", kind == "again" or pair.serial in told, told)
                return kind == "yes"

            wait_for("a deployment among others", deployed)
            proxy.serves("ours, not theirs", pair, "a.example", "-sigalgs", ECDSA_ONLY)
    finally:
        done.set()
        thread.join()
    proxy.say("abort ssl cert theirs")
    answer_is("theirs goes", proxy.ask("withdraw", store="theirs"), "yes")


def large_payloads_arrive(proxy, pairs):
    pair = pairs["b.rsa"]
    for chain_count in 40, 20, 60:
        answer = proxy.deploy("/certs/b.pem", pair.pem(chain_count=chain_count))
        answer_is("a large chain", answer, "yes", pair.serial)
        proxy.serves("all of it", pair, "b.example", chain_count=chain_count)
    expect("no trial is left", ".trial" not in proxy.say("show ssl cert"))
    pem = pairs["b.ec"].pem()
    room = 16384 - len("set ssl cert /certs/b.pem <<\n") - len(pem) - 2
    for spare in range(0, 130):
        if spare % 16 < 2 or 60 < spare < 68:
            filled = pem + ("#" * 62 + "\n") * ((room - spare) // 63)
            answer = proxy.deploy("/certs/b.pem", filled + "#" * ((room - spare) % 63) + "\n")
            answer_is(f"{spare} bytes below a full buffer", answer, "yes", pairs["b.ec"].serial)
    answer = proxy.ask("command", "#" * 17000, line="set ssl cert /certs/b.pem")
    answer_is("a command that is too large", answer, "no", "tune.bufsize is 16384")


def doing_it_twice_is_doing_it_once(proxy, pairs):
    def lines():
        return re.findall(r"(?m)^/certs/c\.pem:\d+ ?(.*)$",
                          proxy.say(f"show ssl crt-list -n {proxy.list}"))
    pem = pairs["a.ec"].pem()
    for names, options in ("c.example", ""), ("c.example", ""), ("*.c.example,!x.c.example", ""), \
            ("c.example", "alpn h2"):
        answer_is("names", proxy.deploy("/certs/c.pem", pem, names=names, options=options), "yes")
        wanted = ("[alpn h2\0] " if options else "") + names.replace(",", " ")
        expect("one line", lines() == [wanted], lines())
    expect("a name that was taken away", proxy.visit("y.c.example") is None)
    proxy.serves("the one that stayed", pairs["a.ec"], "c.example")
    answer = proxy.ask("withdraw", store="/certs/c.pem")
    answer_is("a withdrawal of what is in use", answer, "no", "in use")
    for _ in range(2):
        answer = proxy.ask("withdraw", store="/certs/c.pem", crt_list=proxy.list)
        answer_is("a withdrawal", answer, "yes")
        expect("nothing is served", proxy.visit("c.example") is None)
    expect("nothing is held", "/certs/c.pem" not in proxy.say("show ssl cert"))


def many_at_once_take_turns(proxy, pairs):
    answers = []

    def one(index):
        store = f"/certs/many{index}.pem"
        how = {"task": 1} if index % 3 == 0 else {}
        answers.append(proxy.deploy(store, pairs["b.ec"].pem(), names=f"m{index}.example", **how))
        answers.append(proxy.ask("withdraw", store=store, crt_list=proxy.list, **how))

    threads = [threading.Thread(target=one, args=(index,)) for index in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    expect("all of them", len(answers) == 24 and all(a[0] == "yes" for a in answers), answers)


def no_socket_is_left(proxy):
    wait_for("quiet", lambda: proxy.ask("version")[0] == "yes")
    before = proxy.sockets_count()
    for _ in range(30):
        answer = proxy.ask("version", path=f"{proxy.folder}/none.sock")
        answer_is("no socket there", answer, "again", "stats socket")
        answer = proxy.ask("version", path=f"{proxy.folder}/low.sock")
        answer_is("a level that is too low", answer, "no", "level admin")
        answer_is("a path of two words", proxy.ask("version", path="/a b"), "no", "absolute")
        answer_is("a certificate that is not there", proxy.deploy("/none", "x"), "no")
    wait_for("no socket stays open", lambda: proxy.sockets_count() <= before)


def starts_from_disk(proxy, pairs, start):
    state = f"{proxy.place}/state"
    stores = {kind: f"{state}/live/b.example/{key_type}/bundle.pem"
              for kind, key_type in (("ec", "ecdsa-p256"), ("rsa", "rsa-2048"))}
    for kind, store in stores.items():
        answer = proxy.deploy(store, pairs[f"b.{kind}"].pem(), names="b.example",
                              options="alpn h2,http/1.1")
        answer_is("a certificate that is also on disk", answer, "yes")
        os.makedirs(os.path.dirname(store), exist_ok=True)
        with open(store, "w", encoding="ascii") as written:
            written.write(pairs[f"b.{kind}"].pem())
    kind, file = proxy.ask("file", state=state, names="b.example")
    expect("a crt-list", kind == "yes", file)
    with open(proxy.list, "w", encoding="ascii") as written:
        written.write(file)
    start()
    answer = proxy.ask("crt_list", crt_list=proxy.list)
    answer_is("the crt-list from disk", answer, "yes", "options: alpn h2,http/1.1")
    for kind, sigalgs in ("ec", ECDSA_ONLY), ("rsa", RSA_ONLY):
        proxy.serves("after a new start", pairs[f"b.{kind}"], "b.example", "-sigalgs", sigalgs)
        answer = proxy.ask("withdraw", store=stores[kind], crt_list=proxy.list)
        answer_is("known by the same name", answer, "yes")
    expect("nothing is left", proxy.visit("b.example") is None)


def prove(proxy, pairs):
    new_names_are_served(proxy, pairs)
    clients_choose(proxy, pairs)
    lists_what_it_holds(proxy, pairs)
    swaps_under_connections(proxy, pairs)
    refusals_change_nothing(proxy, pairs)
    transactions_of_others_are_left(proxy, pairs)
    others_may_write_meanwhile(proxy, pairs)
    large_payloads_arrive(proxy, pairs)
    doing_it_twice_is_doing_it_once(proxy, pairs)
    many_at_once_take_turns(proxy, pairs)
    no_socket_is_left(proxy)
    starts_from_disk(proxy, pairs, proxy.reload)
    starts_from_disk(proxy, pairs, proxy.restart)


def main():
    haproxy = sys.argv[1]
    if not os.access(haproxy, os.X_OK):
        print(f"no {haproxy}: ./check --all gets it")
        sys.exit(77)
    signal.alarm(TIME_LIMIT_S)
    with tempfile.TemporaryDirectory() as place:
        os.chmod(place, 0o711)
        make_root(place)
        keys = {"ec": ("ec", "-pkeyopt", "ec_paramgen_curve:P-256"), "rsa": ("rsa:2048",)}
        pairs = {f"{name}.{kind}": Pair(place, f"{name[0]}.example", *keys[kind])
                 for name in ("a", "a2", "b") for kind in keys}
        proxy = Proxy(haproxy, place)
        try:
            proxy.start()
            prove(proxy, pairs)
        except BaseException:
            with open(f"{place}/haproxy.log", encoding="utf-8", errors="replace") as log:
                print(log.read()[-4000:])
            raise
        finally:
            proxy.stop()
    print("passed: " + run(haproxy, "-v").stdout.split("\n")[0])


if __name__ == "__main__":
    main()
