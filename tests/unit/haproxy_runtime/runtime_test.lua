-- SPDX-License-Identifier: MIT
-- Proves thinair_runtime.lua against a stats socket that says what HAProxy's says: what is sent, in
-- which order, what is left after each refusal, and that no socket stays open whichever connection
-- fails in whichever step.

local harness = require("harness")
local fake = require("fake_haproxy")
local runtime = require("thinair_runtime")
local same = harness.same
local run, pem = fake.run, fake.pem

local tests = {}

-- nil, a sentence with the part, and whether to try again.
local function told(part, is_worth_it, value, why, again)
    same(value, nil)
    if not tostring(why):find(part, 1, true) then
        error("saw " .. tostring(why) .. ", not ..." .. part, 2)
    end
    same(again or false, is_worth_it)
end

local function connected(options)
    local haproxy = fake.new(options or {})
    return assert(run(runtime.connect, {path = "/run/stats.sock"})), haproxy
end

local function deploy(cli, wanted)
    return run(cli.deploy, cli, wanted)
end

local function withdraw(cli, wanted)
    return run(cli.withdraw, cli, wanted)
end

-- What changes something, of what HAProxy heard since last asked.
local function changes(haproxy)
    local found = {}
    for _, line in ipairs(haproxy.heard) do
        if not line:match("^show") then
            table.insert(found, line)
        end
    end
    haproxy.heard = {}
    return table.concat(found, "; ")
end

function tests.says_which_haproxy_it_is()
    local cli = connected{release = "2.6.12-1+deb12u4"}
    local release, major, minor = cli:version()
    same(release, "2.6.12-1+deb12u4")
    same(major, 2)
    same(minor, 6)
end

function tests.refuses_a_path_that_is_none()
    fake.new{}
    for _, path in ipairs{"", "run/stats.sock", "/run/a b", "/run/a\nb", false} do
        told("absolute", false, run(runtime.connect, {path = path}))
    end
end

function tests.says_what_the_configuration_lacks()
    fake.new{}
    told("global section needs: stats socket CHROOT/none", true,
        run(runtime.connect, {path = "/none"}))
    fake.new{level = "operator"}
    told("lacks: level admin", false, run(runtime.connect, {path = "/run/stats.sock"}))
    fake.new{release = "Unknown command"}
    told("not HAProxy 2.6 or later", false, run(runtime.connect, {path = "/run/stats.sock"}))
end

function tests.deploys_a_new_certificate()
    local cli, haproxy = connected()
    local held = assert(deploy(cli, {store = "a", pem = pem("one"), crt_list = "/list",
                                     names = {"a.example", "!b.a.example"}, options = "alpn h2"}))
    same(held.serial, fake.serial("one"))
    same(changes(haproxy), "new ssl cert a; set ssl cert a; commit ssl cert a; "
        .. "add ssl crt-list /list")
    same(haproxy.list[1].rest, " [alpn h2] a.example !b.a.example")
end

function tests.replaces_one_that_is_there()
    local cli, haproxy = connected()
    assert(deploy(cli, {store = "a", pem = pem("one"), crt_list = "/list"}))
    changes(haproxy)
    assert(deploy(cli, {store = "a", pem = pem("two"), crt_list = "/list"}))
    same(changes(haproxy), "set ssl cert a; commit ssl cert a")
    assert(deploy(cli, {store = "a", pem = pem("three")}))
    same(haproxy.stores.a.leaf, "three")
    same(#haproxy.list, 1)
end

function tests.adds_the_new_line_before_it_takes_old_ones()
    local cli, haproxy = connected()
    haproxy.stores.a = {}
    haproxy.list = {{store = "a", line = 1, rest = ""}, {store = "b", line = 2, rest = ""},
                    {store = "a", line = 3, rest = " x.example"}}
    haproxy.line = 3
    assert(deploy(cli, {store = "a", pem = pem("one"), crt_list = "/list", names = {"n.example"}}))
    same(changes(haproxy), "set ssl cert a; commit ssl cert a; add ssl crt-list /list; "
        .. "del ssl crt-list /list a:1; del ssl crt-list /list a:3")
    same(#haproxy.list, 2)
end

function tests.refused_pairs_leave_nothing()
    local cli, haproxy = connected()
    for _, bad in ipairs{pem("one", "other"), "nonsense"} do
        told("HAProxy ", false, deploy(cli, {store = "a", pem = bad, crt_list = "/list"}))
        same(haproxy.open, nil)
        same(haproxy.stores.a, nil)
    end
    assert(deploy(cli, {store = "a", pem = pem("one"), crt_list = "/list"}))
    told("inconsistencies", false, deploy(cli, {store = "a", pem = pem("two", "other")}))
    same(haproxy.open, nil)
    same(haproxy.stores.a.leaf, "one")
end

function tests.a_refused_line_takes_the_certificate_along()
    local cli, haproxy = connected()
    told("unknown ssl keyword", false, deploy(cli, {store = "a", pem = pem("one"),
                                                    crt_list = "/list", options = "bogus"}))
    same(next(haproxy.stores), nil)
    told("no crt-list /none", false, deploy(cli, {store = "a", pem = pem("one"),
                                                  crt_list = "/none"}))
    same(next(haproxy.stores), nil)
end

function tests.refuses_what_would_be_another_command()
    local cli, haproxy = connected()
    haproxy.heard = {}
    for _, store in ipairs{"", "a b", "a;b", "a\nb", "*a", "a:1", "<<", "a\\", "-n", false} do
        told("store's name", false, deploy(cli, {store = store, pem = pem("one")}))
        told("store's name", false, withdraw(cli, {store = store}))
    end
    local function with(key, value)
        local wanted = {store = "a", pem = pem("one"), crt_list = "/list"}
        wanted[key] = value
        return deploy(cli, wanted)
    end
    told("crt-list's name", false, with("crt_list", "/list;show info"))
    told("options have", false, with("options", "alpn h2] a [x"))
    told("options have", false, with("options", "alpn h2\n"))
    told("not a name", false, with("names", {"a.example", "b\n"}))
    told("not a name", false, with("names", {"[alpn"}))
    told("one PEM text", false, with("pem", false))
    same(#haproxy.heard, 0)
    told("one line", false, run(cli.command, cli, "show info\nshow stat"))
end

function tests.waits_for_the_transactions_of_others()
    for _, release in ipairs{"2.6.12", "3.2.26"} do
        local cli, haproxy = connected{release = release}
        haproxy.stores.theirs, haproxy.open = {}, "theirs"
        told("transaction about theirs", true, deploy(cli, {store = "a", pem = pem("one")}))
        told("transaction about theirs", true, withdraw(cli, {store = "a"}))
        same(haproxy.open, "theirs")
        same(haproxy.stores.a, nil)
        haproxy.open = nil
        haproxy.stores.a, haproxy.open = {}, "a"
        assert(deploy(cli, {store = "a", pem = pem("one")}))
        same(changes(haproxy):match("abort ssl cert a;.*"),
            "abort ssl cert a; set ssl cert a; commit ssl cert a")
    end
end

-- Between our look and our certificate somebody opens a transaction. HAProxy 2.6 puts ours into it.
function tests.never_ends_up_in_the_transaction_of_another()
    for _, release in ipairs{"2.6.12", "3.2.26"} do
        local cli, haproxy = connected{release = release}
        haproxy.stores.theirs = {leaf = "theirs", key = "theirs", chain_count = 0}
        haproxy.stores.a = {leaf = "old", key = "old", chain_count = 0}
        function haproxy:before(line)
            if line:match("^set ssl cert a") then
                self.open = "theirs"
            end
        end
        told("ongoing transaction", true, deploy(cli, {store = "a", pem = pem("one")}))
        haproxy.before = nil
        run(cli.command, cli, "commit ssl cert theirs")
        same(haproxy.stores.theirs.leaf == "one", false)
        same(haproxy.stores.a.leaf, "old")
    end
end

-- The other way round: HAProxy 2.6 puts what somebody sets into our transaction.
function tests.commits_its_own_when_others_set_theirs()
    local cli, haproxy = connected{release = "2.6.12"}
    local theirs = 2
    function haproxy:before(line)
        if line:match("^commit") and theirs > 0 then
            theirs = theirs - 1
            self.pair = {leaf = "theirs", key = "theirs", chain_count = 0}
        end
    end
    local wanted = {store = "a", pem = pem("one"), crt_list = "/list"}
    same(assert(deploy(cli, wanted)).serial, fake.serial("one"))
    theirs = 100
    wanted.store = "b"
    told("others set certificates", true, deploy(cli, wanted))
    same(haproxy.stores.b, nil)
    same(#haproxy.list, 1)
end

function tests.a_transaction_that_vanished_is_tried_again()
    local cli, haproxy = connected()
    function haproxy:before(line)
        if line:match("^commit") then
            self.open = nil
        end
    end
    told("No ongoing transaction", true, deploy(cli, {store = "a", pem = pem("one")}))
    same(haproxy.stores.a, nil)
end

function tests.locked_is_tried_again()
    local cli, haproxy = connected()
    haproxy.locked = true
    told("currently locked", true, deploy(cli, {store = "a", pem = pem("one")}))
    told("currently locked", true, withdraw(cli, {store = "a"}))
    told("currently locked", true, run(cli.certificates, cli))
    told("currently locked", true, run(cli.crt_list, cli, "/list"))
end

function tests.large_ones_are_tried_before_they_are_put_in_place()
    local cli, haproxy = connected{buffer_size = 1024}
    local held = assert(deploy(cli, {store = "a", pem = pem("one", "one", 40), crt_list = "/list"}))
    same(#held.chain, 40)
    same(changes(haproxy), "new ssl cert a; new ssl cert a.trial; set ssl cert a.trial; "
        .. "commit ssl cert a.trial; del ssl cert a.trial; add ssl crt-list /list")
    told("inconsistencies", false, deploy(cli, {store = "a", pem = pem("two", "other", 40)}))
    told("one private key", false, deploy(cli, {store = "a", pem = pem("two"):rep(20)}))
    same(haproxy.stores.a.leaf, "one")
    same(haproxy.stores["a.trial"], nil)
    haproxy.locked_cache = true
    told("already under lock", true, deploy(cli, {store = "a", pem = pem("two", "two", 40)}))
    haproxy.locked_cache, haproxy.garbled = nil, true
    told("does not hold", false, deploy(cli, {store = "a", pem = pem("two", "two", 40)}))
end

function tests.no_command_fills_a_buffer()
    local cli, haproxy = connected()
    for spare = 0, 200 do
        local text = pem("one")
        local size = 16384 - spare - #text - #"set ssl cert a <<\n" - 2
        assert(deploy(cli, {store = "a", pem = text .. ("#"):rep(size)}))
    end
    told("tune.bufsize is 16384", false, run(cli.command, cli, "show info", ("#"):rep(16400)))
    same(haproxy.sockets_count, 0)
end

function tests.withdraws()
    local cli, haproxy = connected()
    assert(deploy(cli, {store = "a", pem = pem("one"), crt_list = "/list"}))
    assert(deploy(cli, {store = "b", pem = pem("two"), crt_list = "/list"}))
    same(withdraw(cli, {store = "a", crt_list = "/list"}), true)
    same(withdraw(cli, {store = "a", crt_list = "/list"}), true)
    told("in use", false, withdraw(cli, {store = "b"}))
    told("no crt-list", false, withdraw(cli, {store = "b", crt_list = "/none"}))
    same(#haproxy.list, 1)
    same(haproxy.stores.a, nil)
end

function tests.asks_for_many_in_few_talks()
    local cli, haproxy = connected()
    for index = 1, 500 do
        haproxy.stores[string.format("/certs/%03d.pem", index)] =
            {leaf = tostring(index), key = "k", chain_count = 0}
    end
    local before = haproxy.connections_count
    same(#assert(run(cli.certificates, cli)), 500)
    same(haproxy.connections_count - before < 10, true)
end

function tests.two_at_once_take_turns()
    local cli, haproxy = connected()
    local threads = {}
    for index = 1, 3 do
        threads[index] = coroutine.create(function()
            return cli:deploy{store = "s" .. index, pem = pem("one"), crt_list = "/list"}
        end)
    end
    local alive = 3
    while alive > 0 do
        alive = 0
        for _, thread in ipairs(threads) do
            if coroutine.status(thread) ~= "dead" then
                local done, held = coroutine.resume(thread)
                same(done, true)
                same(coroutine.status(thread) == "suspended" or type(held) == "table", true)
                alive = alive + 1
            end
        end
    end
    same(#haproxy.list, 3)
end

-- One connection fails: the whole is refused or done, and can be done again.
local function with_failure(failure)
    local cli, haproxy = connected()
    assert(deploy(cli, {store = "old", pem = pem("one"), crt_list = "/list"}))
    haproxy.connections_count, haproxy.failure = 0, failure
    local done, why, again = deploy(cli, {store = "a", pem = pem("two"), crt_list = "/list"})
    local gone, why_gone, again_gone = withdraw(cli, {store = "old", crt_list = "/list"})
    same(done ~= nil or type(why) == "string" and again == true, true)
    same(gone ~= nil or type(why_gone) == "string" and again_gone == true, true)
    same(haproxy.sockets_count, 0)
    local count = haproxy.connections_count
    haproxy.failure = nil
    same(assert(deploy(cli, {store = "a", pem = pem("two"), crt_list = "/list"})).serial,
        fake.serial("two"))
    same(withdraw(cli, {store = "old", crt_list = "/list"}), true)
    same(#haproxy.list, 1)
    same(haproxy.open, nil)
    return count
end

function tests.any_connection_may_fail()
    for _, step in ipairs{"connect", "send", "receive"} do
        for _, raises in ipairs{true, false} do
            local at, count = 0, nil
            repeat
                at = at + 1
                count = with_failure{at = at, step = step, raises = raises}
            until at > count
            same(at > 10, true)
        end
    end
end

harness.run(tests)
