-- SPDX-License-Identifier: MIT
-- Proves thinair_exchange.lua: where a request goes, what the engine hears of each outcome, and
-- that the refusals of HAProxy are told from the CA's own; with a `core` that is a fake, by the
-- proxy and by HAProxy's own client.

local fake = require("fake_core")
local harness = require("harness")
local exchange = require("thinair_exchange")
local same = harness.same

local BY_PROXY = {ca_uri = "https://ca.test", proxy_uri = "http://127.0.0.1:90"}
local DIRECTLY = {ca_uri = "https://ca.test"}
local tests = {}

-- What the engine was told of one request.
local function carry_out(world, options, changes)
    local told, refusals = nil, world.refusals or 0
    local handle = {}
    local function hear(kind)
        return function(_, ...)
            refusals = refusals - 1
            told = refusals < 0 and {kind, ...} or nil
            return refusals < 0
        end
    end
    handle.http, handle.failed = hear("http"), hear("failed")
    local request = {id = 7, method = "POST", url = "https://ca.test/new-order", body = "{}",
        body_max = 1000, deadline_ms = 30500}
    for name, value in pairs(changes or {}) do
        request[name] = value
    end
    exchange.carry_out(handle, options, request)
    same(world.sockets_count, 0)
    same(told[2], 7)
    return told
end

local function failed(kind, part, told)
    same(told[1], "failed")
    same(told[3], kind)
    if not told[4]:find(part, 1, true) then
        error("saw " .. told[4] .. ", not ..." .. part, 2)
    end
end

local function answer_of(status, headers, body)
    return "HTTP/1.1 " .. status .. " x\r\n" .. headers .. "content-length: " .. #body .. "\r\n\r\n"
        .. body
end

function tests.gives_the_engine_what_the_ca_says()
    local world = fake.new{pieces = fake.bytes(answer_of(201, "Replay-Nonce: n\r\n", "{}"))}
    local told = carry_out(world, BY_PROXY)
    same(told[1], "http")
    same(told[3], 201)
    local headers = {}
    for at = 1, #told[4], 2 do
        headers[told[4][at]] = told[4][at + 1]
    end
    same(headers["replay-nonce"], "n")
    same(told[5], "{}")
    same(world.address, "127.0.0.1:90")
    same(world.timeout_s, 31)
    same(world.sent:match("^[^\r]*"), "POST /new-order HTTP/1.1")
end

function tests.asks_below_the_ca_uri_only()
    for _, url in ipairs{"https://ca.test.evil.test/x", "https://ca.test8/x", "https://ca.test:1/x",
        "https://ca.test@evil.test/x", "https://ca.tes", "http://ca.test/x", "https://evil.test/x",
        "https://evil.test/https://ca.test/x", "HTTPS://CA.TEST/x", ""} do
        local world = fake.new{pieces = {answer_of(200, "", "")}}
        failed("refused", "outside ca.uri", carry_out(world, BY_PROXY, {url = url}))
        same(world.address, nil)
    end
    for url, line in pairs{["https://ca.test"] = "/", ["https://ca.test/"] = "/",
        ["https://ca.test/a?b"] = "/a?b"} do
        local world = fake.new{pieces = {answer_of(200, "", "")}}
        same(carry_out(world, BY_PROXY, {url = url, method = "GET"})[1], "http")
        same(world.sent:match("^[^\r]*"), "GET " .. line .. " HTTP/1.1")
    end
end

function tests.refuses_to_send_a_url_with_control_characters()
    for _, path in ipairs{"a\r\nx: y", "a b", "\0"} do
        local url = "https://ca.test/" .. path
        local world = fake.new{pieces = {answer_of(200, "", "")}}
        failed("network", "not a URL", carry_out(world, BY_PROXY, {url = url}))
        same(world.sent, nil)
    end
end

-- HAProxy answers 502, 503 and 504 for a CA that it does not reach; a CA's own have JSON, or a
-- nonce.
function tests.tells_haproxys_refusals_from_the_cas()
    for _, status in ipairs{502, 503, 504} do
        for _, headers in ipairs{"", "content-type: text/html\r\n"} do
            failed("network", "HAProxy answers " .. status, carry_out(
                fake.new{pieces = {answer_of(status, headers, "<html>")}}, BY_PROXY))
        end
        for _, headers in ipairs{"content-type: application/problem+json\r\n",
            "content-type: text/html\r\nreplay-nonce: n\r\n", "Replay-Nonce: n\r\n"} do
            local told = carry_out(
                fake.new{pieces = {answer_of(status, headers, "{}")}}, BY_PROXY)
            same(told[1], "http")
            same(told[3], status)
        end
    end
    for _, status in ipairs{400, 403, 429, 500, 501, 505} do
        local told = carry_out(fake.new{pieces = {answer_of(status, "", "")}}, BY_PROXY)
        same(told[1], "http")
        same(told[3], status)
    end
end

function tests.says_when_nobody_answers()
    for _, name in ipairs{"connect", "send", "receive"} do
        for _, how in ipairs{"fails", "raise"} do
            failed("network", "no answer by way of http://127.0.0.1:90: ", carry_out(
                fake.new{pieces = {answer_of(200, "", "")}, faults = {[name] = how}}, BY_PROXY))
        end
    end
    failed("network", "connection closed", carry_out(fake.new(), BY_PROXY))
    failed("network", "not an HTTP answer", carry_out(fake.new{pieces = {"hello"}}, BY_PROXY))
    failed("network", "cut short",
        carry_out(fake.new{pieces = {"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n"}}, BY_PROXY))
end

function tests.refuses_bodies_beyond_the_limit()
    local function body(size)
        return fake.new{pieces = {answer_of(200, "", ("a"):rep(size))}}
    end
    same(carry_out(body(1000), BY_PROXY)[1], "http")
    failed("limit", "too long", carry_out(body(1001), BY_PROXY))
    failed("limit", "too long", carry_out(body(1000000), BY_PROXY))
    failed("limit", "too long", carry_out(
        fake.new{answer = {status = 200, body = ("a"):rep(1001)}}, DIRECTLY))
end

function tests.tells_it_again_until_there_is_memory()
    local world = fake.new{pieces = {answer_of(200, "", "")}}
    world.refusals = 3
    same(carry_out(world, BY_PROXY)[1], "http")
    same(world.slept_ms, 300)
    world = fake.new()
    world.refusals = 2
    same(carry_out(world, BY_PROXY)[1], "failed")
    same(world.slept_ms, 200)
end

function tests.asks_by_haproxys_own_client_where_no_proxy_is_named()
    local world = fake.new{answer = {status = 200, body = "{}",
        headers = {["replay-nonce"] = {[0] = "n"}, ["link"] = {[0] = "<a>", "<b>"}}}}
    local told = carry_out(world, DIRECTLY)
    same(told[1], "http")
    same(#told[4], 6)
    same(world.asked.method, "POST")
    local parameters = world.asked.parameters
    same(parameters.url, "https://ca.test/new-order")
    same(parameters.body, "{}")
    same(parameters.timeout, 30500)
    same(parameters.headers["content-type"][1], "application/jose+json")
    same(parameters.headers["content-length"][1], "2")
    carry_out(world, DIRECTLY, {method = "HEAD"})
    same(world.asked.method, "HEAD")
    same(world.asked.parameters.body, nil)
    same(world.asked.parameters.headers["content-type"], nil)
end

function tests.survives_haproxys_own_client()
    failed("network", "no answer from https://ca.test/new-order", carry_out(fake.new(), DIRECTLY))
    failed("network", "no answer from", carry_out(fake.new{answer = {}}, DIRECTLY))
    failed("network", "no answer from", carry_out(fake.new{answer = {status = 0}}, DIRECTLY))
    failed("network", "client was raised", carry_out(
        fake.new{answer = {status = 200}, faults = {client = "raise"}}, DIRECTLY))
    failed("network", "HAProxy answers 503", carry_out(fake.new{
        answer = {status = 503, headers = {["content-type"] = {[0] = "text/html"}}, body = "<"}},
        DIRECTLY))
    same(carry_out(fake.new{answer = {status = 204}}, DIRECTLY)[5], "")
end

harness.run(tests)
