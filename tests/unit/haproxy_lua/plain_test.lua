-- SPDX-License-Identifier: MIT
-- Proves thinair_plain.lua: which URLs it takes, what it sends, and how it reads answers that come
-- in pieces, are cut, too long, badly framed or no HTTP, against a `core` that fails where it is
-- told to. Every socket is closed.

local fake = require("fake_core")
local harness = require("harness")
local plain = require("thinair_plain")
local same, refused = harness.same, harness.refused

local URL = "http://127.0.0.1:9012/dir"
local CUT = "cut short"
local tests = {}

-- plain.request() of what comes in these pieces.
local function ask(pieces, method, body_max, faults)
    local world = fake.new{pieces = pieces, faults = faults}
    local answer, why = plain.request(method or "GET", URL, "application/jose+json", "{}", 30000,
        body_max or 1000)
    same(world.sockets_count, 0)
    return answer, why, world
end

local function refuses(part, text, method)
    local answer, why = ask({text}, method)
    refused(part, answer, why)
    answer, why = ask(fake.bytes(text), method)
    refused(part, answer, why)
end

local function head(...)
    return table.concat({"HTTP/1.1 200 OK", ...}, "\r\n") .. "\r\n\r\n"
end

function tests.parts_a_url()
    for url, parts in pairs{
        ["http://127.0.0.1:9012"] = "127.0.0.1 9012 ",
        ["http://127.0.0.1:9012/a?b=c:d"] = "127.0.0.1 9012 /a?b=c:d",
        ["http://127.0.0.1/a"] = "127.0.0.1 80 /a",
        ["http://127.0.0.1:65535/"] = "127.0.0.1 65535 /",
    } do
        same(table.concat({plain.parse(url)}, " "), parts)
    end
end

function tests.refuses_what_is_no_url_of_an_address()
    for _, url in ipairs{"", "http://", "https://127.0.0.1:9012", "http://localhost:9012",
        "http://127.0.0.1:", "http://127.0.0.1:0", "http://127.0.0.1:65536",
        "http://127.0.0.1:99999999999999999999", "http://127.0.0.1:90x", "http://127.0.0.1:90:91",
        "http://a@127.0.0.1:9012", "http://127.0.0.1:9012?a", "HTTP://127.0.0.1:9012",
        "http://127.0.0.1:9012/a b", "http://127.0.0.1:9012/a\r\nHost: b",
        "http://127.0.0.1:9012/a\0b", " http://127.0.0.1:9012"} do
        same(plain.parse(url), nil)
        fake.new()
        refused("not a URL", plain.request("GET", url, "", "", 1000, 1000))
    end
end

function tests.sends_a_length_with_a_post_and_nothing_with_the_others()
    local _, _, world = ask({head("Content-Length: 0")}, "POST")
    same(world.address, "127.0.0.1:9012")
    same(world.timeout_s, 30)
    same(world.sent, "POST /dir HTTP/1.1\r\nHost: 127.0.0.1:9012\r\nUser-Agent: thinair\r\n"
        .. "Connection: close\r\nContent-Type: application/jose+json\r\n"
        .. "Content-Length: 2\r\n\r\n{}")
    _, _, world = ask({head("Content-Length: 0")}, "HEAD")
    same(world.sent, "HEAD /dir HTTP/1.1\r\nHost: 127.0.0.1:9012\r\nUser-Agent: thinair\r\n"
        .. "Connection: close\r\n\r\n")
end

function tests.reads_an_answer_in_any_pieces()
    local text = "HTTP/1.0 201 Created\r\nContent-Length: 5\r\nLink: <a>\r\nLINK:<b> \t\r\n"
        .. "Empty:\r\n\r\nhello"
    for _, pieces in ipairs{{text}, fake.bytes(text), {text:sub(1, 41), text:sub(42)}} do
        local answer = assert(ask(pieces))
        same(answer.status, 201)
        same(answer.body, "hello")
        same(table.concat(answer.headers.link, "|"), "<a>|<b>")
        same(answer.headers.empty[1], "")
        same(answer.headers["content-length"][1], "5")
    end
end

function tests.reads_a_body_to_its_length_or_to_the_end()
    same(assert(ask{head("content-length: 3"), "abcdef"}).body, "abc")
    same(assert(ask{head("content-length: 0")}).body, "")
    same(assert(ask{head("content-length: 2 "), "ab"}).body, "ab")
    same(assert(ask{head("x: y"), "abc", "def"}).body, "abcdef")
    same(assert(ask{head("x: y")}).body, "")
    same(assert(ask({head("content-length: 700")}, "HEAD")).body, "")
    same(assert(ask({head("transfer-encoding: chunked")}, "HEAD")).body, "")
end

function tests.reads_chunks()
    local chunked = head("Transfer-Encoding: chunked")
    for body, whole in pairs{
        ["0\r\n\r\n"] = "",
        ["3\r\nabc\r\n0\r\n\r\n"] = "abc",
        ["3;x=y\r\nabc\r\nA\r\n0123456789\r\n0\r\nTrailer: x\r\n\r\n"] = "abc0123456789",
        ["000000000003\r\n\r\n\n\r\n0\r\n\r\n"] = "\r\n\n",
    } do
        same(assert(ask{chunked .. body}).body, whole)
        same(assert(ask(fake.bytes(chunked .. body))).body, whole)
    end
end

function tests.refuses_chunks_that_are_badly_framed()
    local chunked = head("Transfer-Encoding: chunked")
    for _, body in ipairs{"", "0", "3\r\nabc", "3\r\nabc\r\n", "3\r\nab\r\n0\r\n\r\n",
        "3\nabc\n0\n\n",
        "\r\n3\r\nabc\r\n0\r\n\r\n", "x\r\nabc\r\n0\r\n\r\n", "-3\r\nabc\r\n0\r\n\r\n",
        "0x3\r\nabc\r\n0\r\n\r\n", "3\r\nabcd\r\n0\r\n\r\n", "3\r\nabc0\r\n\r\n",
        -- These wrap around: the first to -1, the others to where they have been.
        "FFFFFFFFFFFFFFFF\r\nabc\r\n0\r\n\r\n", "3\r\nabc\r\nFFFFFFFFFFFFFFE8\r\n0\r\n\r\n",
        "FFFFFFFFFFFFFFEB\r\n", "FFFFFFFFFFFFFFFFFFFFF\r\nabc\r\n0\r\n\r\n"} do
        refuses(CUT, chunked .. body)
    end
end

function tests.passes_over_answers_that_only_announce()
    local early = "HTTP/1.1 103 Early Hints\r\nLink: <early>\r\n\r\n"
    local answer = assert(ask{"HTTP/1.1 100 Continue\r\n\r\n" .. early
        .. head("Content-Length: 2", "Link: <late>") .. "ok"})
    same(answer.status, 200)
    same(answer.body, "ok")
    same(table.concat(answer.headers.link, "|"), "<late>")
    refuses("not an HTTP answer", "HTTP/1.1 100 Continue\r\n\r\n")
    refuses("not an HTTP answer", early .. early .. "HTTP/1.1 200 OK\r\n")
end

function tests.refuses_what_is_no_http_answer()
    for _, text in ipairs{"hello", "\r\n\r\n", "HTTP/1.1 200 OK\r\n", "HTTP/1.1 200 OK\n\n",
        "HTTP/2 200\r\n\r\n", "HTTP/1.1 20 OK\r\n\r\n", "HTTP/1.1 2000 OK\r\n\r\n",
        "HTTP/1.1 abc\r\n\r\n", " " .. head(), "ICY 200 OK\r\n\r\n", "\22\3\1\0\5hello",
        head("content-length: -1") .. "a", head("content-length: 0x1") .. "a",
        head("content-length: 1e0") .. "a", head("content-length: 1.0") .. "a",
        head("content-length: one") .. "a", head("content-length:") .. "a"} do
        refuses("not an HTTP answer", text)
    end
end

function tests.refuses_heads_beyond_64_kib()
    local long = ("a"):rep(65536)
    for _, text in ipairs{head("x: " .. long) .. "abc", head(("y: z\r\n"):rep(11000) .. "x: y"),
        "HTTP/1.1 200 " .. long .. "\r\n\r\n"} do
        local answer, why = ask({text}, "GET", 100000)
        refused("not an HTTP answer", answer, why)
    end
    local answer, why = ask({head("x: " .. long:rep(2))})
    refused(plain.TOO_LONG, answer, why)
    same(#assert(ask{head("x: " .. long:sub(1, 60000))}).headers.x[1], 60000)
end

function tests.refuses_bodies_that_are_cut_short()
    refuses(CUT, head("content-length: 6") .. "hello")
    refuses(CUT, head("content-length: 1"))
    refuses(CUT, head("content-length: 99999999999999999999") .. "hello")
end

function tests.stops_reading_beyond_what_was_asked_for()
    local function endless()
        return ("a"):rep(1000)
    end
    local answer, why, world = ask(endless)
    refused(plain.TOO_LONG, answer, why)
    if world.source.taken > 65536 + 2 * 1000 + 16384 then
        error(world.source.taken .. " bytes were read")
    end
    local text, is_begun = head("content-length: 100000000"), false
    answer, why = ask(function()
        is_begun, text = true, is_begun and endless() or text
        return text
    end)
    refused(plain.TOO_LONG, answer, why)
end

function tests.says_which_step_failed()
    local answer, why = ask({head()}, "GET", 1000, {connect = "fails"})
    refused("Can't connect", answer, why)
    answer, why = ask({head()}, "GET", 1000, {send = "fails"})
    refused("connection closed.", answer, why)
    answer, why = ask({head()}, "GET", 1000, {receive = "fails"})
    refused("timeout.", answer, why)
    answer, why = ask({})
    refused("connection closed.", answer, why)
end

function tests.survives_what_is_raised_in_each_step()
    for _, name in ipairs{"connect", "send", "receive"} do
        local answer, why = ask({head()}, "GET", 1000, {[name] = "raise"})
        refused(name .. " was raised", answer, why)
    end
    same(assert(ask({head()}, "GET", 1000, {close = "raise"})).status, 200)
end

harness.run(tests)
