-- SPDX-License-Identifier: MIT
-- Proves thinair_reply.lua: JSON that any text can be put into, problem documents, headers that
-- nothing can end early (R-G8), and which status a failure has by the CA's problem type.

local harness = require("harness")
local reply = require("thinair_reply")
local same = harness.same

local tests = {}

-- An applet of HAProxy's that remembers; a header with a line break is what HAProxy would send.
local function applet(method)
    local seen = {method = method or "POST", headers = {}, parts = {}}
    function seen.set_status(_, status) seen.status = status end
    function seen.add_header(_, name, value)
        assert(not seen.is_begun and type(value) == "string")
        assert(not (name .. value):find("[%c]"), "a header would end early")
        seen.headers[name] = value
    end
    function seen.start_response() seen.is_begun = true end
    function seen.send(_, text)
        assert(seen.is_begun)
        table.insert(seen.parts, text)
    end
    return seen
end

function tests.writes_json()
    for _, pair in ipairs{{{}, "[]"}, {{1, 2}, "[1,2]"}, {true, "true"}, {-7, "-7"}, {"", '""'},
        {{b = 1, a = {"x"}}, '{"a":["x"],"b":1}'}, {{{}}, "[[]]"},
        {{["\n"] = false}, '{"\\n":false}'}} do
        same(reply.json(pair[1]), pair[2])
    end
end

function tests.escapes_what_json_does()
    same(reply.json('a"b\\c/d'), '"a\\"b\\\\c/d"')
    same(reply.json("\n\r\t\b\f\0\31\127"), '"\\n\\r\\t\\u0008\\u000c\\u0000\\u001f\\u007f"')
    same(reply.json("\u{e9}\u{4e16}\u{1f512}"), '"\u{e9}\u{4e16}\u{1f512}"')
    for byte = 0, 255 do
        local text = reply.json("a" .. string.char(byte) .. "z")
        same(text:sub(1, 2) .. text:sub(-2), '"az"')
        assert(utf8.len(text) and not text:find("%c"), byte)
    end
end

-- As where a sentence is cut in the middle of a letter.
function tests.writes_utf8_whatever_it_is_given()
    same(reply.json("\u{e9}" .. ("\u{e9}"):sub(1, 1)), '"\u{e9}?"')
    same(reply.json(("\u{1f512}"):sub(1, 3) .. "b"), '"???b"')
    same(reply.json("\xff\xfe"), '"??"')
    same(reply.json("\xc0\xaf"), '"??"')
    same(reply.json({["\x80"] = "\x80"}), '{"?":"?"}')
end

function tests.sends_a_problem_document()
    local seen = applet()
    reply.refuse(seen, 422, 'a "word"', {allow = "POST"}, "urn:ietf:params:acme:error:caa")
    same(seen.status, 422)
    same(seen.headers["content-type"], "application/problem+json")
    same(seen.headers["x-content-type-options"], "nosniff")
    same(seen.headers["cache-control"], "no-store")
    same(seen.headers.allow, "POST")
    local body = table.concat(seen.parts)
    same(body, '{"detail":"a \\"word\\"","status":422,"type":"urn:ietf:params:acme:error:caa"}\n')
    same(seen.headers["content-length"], tostring(#body))
    seen = applet()
    reply.refuse(seen, 404, "no such path")
    same(table.concat(seen.parts), '{"detail":"no such path","status":404,"type":"about:blank"}\n')
end

function tests.sends_no_body_to_head()
    local seen = applet("HEAD")
    reply.send(seen, 200, "text/plain", "hello")
    same(seen.headers["content-length"], "5")
    same(#seen.parts, 0)
    same(seen.is_begun, true)
end

-- R-G8
function tests.keeps_line_breaks_out_of_headers()
    for _, wrong in ipairs{"a\r\nset-cookie: x", "a\nb", "a\rb", "a\0b", "a\r\n b", "a\t\127b"} do
        local seen = applet()
        reply.begin(seen, 200, wrong, {allow = wrong})
        same(seen.headers.allow:sub(1, 2), "a ")
        same(seen.headers["content-type"]:sub(1, 2), "a ")
    end
end

local function of(text)
    local status, sentence, kind = reply.of_failure(text)
    same(sentence, text)
    return status .. " " .. tostring(kind):gsub("^urn:ietf:params:acme:error:", "")
end

function tests.gives_a_failure_the_status_of_its_problem_type()
    for name, status in pairs{rateLimited = 429, serverInternal = 503, userActionRequired = 403,
        rejectedIdentifier = 422, unauthorized = 422, dns = 422, connection = 422, caa = 422,
        malformed = 422, badCSR = 422, tls = 422, compound = 422, invalidProfile = 422,
        externalAccountRequired = 422, alreadyReplaced = 422, ofTomorrow = 422,
        badNonce = 503} do
        same(of(name), status .. " " .. name)
        same(of(name .. ": the CA's words"), status .. " " .. name)
        same(of("the CA refuses the account: " .. name .. ": words"), status .. " " .. name)
        same(of("the CA's directory: " .. name .. ": words"), status .. " " .. name)
        same(of("a.test: " .. name .. ": the CA's words: and more"), status .. " " .. name)
    end
end

function tests.takes_the_type_from_where_it_stands()
    same(of("malformed: connection: not this one"), "422 malformed")
    same(of("ofTomorrow: caa: nor this"), "422 ofTomorrow")
    same(of("new-order: no answer: dns: rateLimited: x"), "503 nil")
    same(of("the CA's answer cannot be used: tls: x"), "503 nil")
end

function tests.judges_by_the_status_where_a_ca_names_no_type()
    same(of("HTTP status 403 without a problem document"), "422 nil")
    same(of("the CA refuses the account: HTTP status 429 without a problem document"), "429 nil")
    same(of("HTTP status 502 without a problem document"), "503 nil")
    same(of("the CA gave no reason: go away (HTTP status 403)"), "422 nil")
    same(of("the CA's newNonce gave no nonce: HTTP status 403"), "503 nil")
end

function tests.gives_503_to_what_no_ca_said()
    for _, text in ipairs{"", "no answer by way of http://127.0.0.1:9012: Can't connect",
        "order: x", "ratelimited: x", "xdns:", "a: b: c: d", "the answer is too long"} do
        same(of(text), "503 nil")
    end
    same(of("the CA's terms of service are not agreed to: https://ca.test/terms"), "403 nil")
    same(of("the CA wants an external account binding: give its key id and key"), "403 nil")
    same(of("userActionRequired: new terms of service"), "403 userActionRequired")
    same(of("unauthorized: terms of service"), "422 unauthorized")
end

harness.run(tests)
