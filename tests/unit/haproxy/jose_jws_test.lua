-- SPDX-License-Identifier: MIT
-- Proven here: what RFC 7515 prints is signed and verified, in both serializations; headers are the
-- caller's but for what decides how a signature is checked; a JWS with anything changed, an
-- algorithm that was not allowed, or another key gives a sentence and no payload.
local harness = require("harness")
local jose = require("thinair_jose")
local vectors = require("jose_vectors")
local same, refused, raised = harness.same, harness.refused, harness.raised
local with, base64url = vectors.with, vectors.base64url

local ec = assert(jose.import(with(vectors.ec, {d = vectors.ec_d})))
local rsa = assert(jose.import(with(vectors.rsa, vectors.rsa_private)))
local all = {"ES256", "ES384", "RS256"}
local tests = {}

-- RS256 signatures have no dice in them.
function tests.signs_what_rfc_7515_prints()
    same(jose.sign(rsa, vectors.payload), vectors.rs256)
    same(jose.sign(rsa, vectors.payload, {alg = "RS256"}, "compact"), vectors.rs256)
end

function tests.verifies_what_rfc_7515_prints()
    for _, key in ipairs({ec, vectors.ec, vectors.ec_jwk, vectors.ec_pem}) do
        local payload, header = jose.verify(vectors.es256, key, "ES256")
        same(payload, vectors.payload)
        same(header.alg, "ES256")
        same(next(header, next(header)), nil)
    end
    for _, key in ipairs({rsa, vectors.rsa, vectors.rsa_pem}) do
        same(jose.verify(vectors.rs256, key, all), vectors.payload)
    end
end

function tests.verifies_what_it_signed_in_both_serializations()
    for _, kind in ipairs({"ecdsa-p256", "ecdsa-p384"}) do
        local key = jose.generate(kind)
        for _, form in ipairs({"compact", "flattened"}) do
            for _, payload in ipairs({"", "text", "\0\xFF", "{}", ("x"):rep(100000)}) do
                local jws = assert(jose.sign(key, payload, {kid = "1"}, form))
                same(jws:sub(1, 1) == "{", form == "flattened")
                local seen, header = jose.verify(jws, key, key:algorithm())
                same(seen, payload)
                same(header.kid, "1")
                same(header.alg, key:algorithm())
            end
        end
    end
end

-- RFC 8555 section 6.2: what an ACME client signs.
function tests.signs_a_request_of_acme()
    local jws = assert(jose.sign(ec, "", {jwk = ec, nonce = "n", url = "https://ca/"}, "flattened"))
    same(jws:match('"payload":"([^"]*)"'), "")
    local header = jose.header(jws)
    same(header.jwk.crv, "P-256")
    same(header.jwk.x, vectors.ec.x)
    same(header.jwk.d, nil)
    same(header.nonce, "n")
    same(jose.import(header.jwk):thumbprint(), vectors.ec_thumbprint)
end

function tests.header_members_of_every_kind_come_back()
    local sent = {typ = "x+jwt", list = {1, "two", {3}}, empty = jose.array(), object = {},
        yes = true, no = false, nothing = jose.null, number = -7, whole = 2.0, text = "ä\n\"\\"}
    local jws = assert(jose.sign(ec, "", sent))
    local _, header = jose.verify(jws, ec, "ES256")
    same(header.typ, "x+jwt")
    same(#header.list, 3)
    same(header.list[2], "two")
    same(header.list[3][1], 3)
    same(next(header.empty), nil)
    same(header.yes, true)
    same(header.no, false)
    same(header.nothing, jose.null)
    same(math.type(header.number), "integer")
    same(header.number, -7)
    same(header.whole, 2)
    same(header.text, "ä\n\"\\")
    -- Arrays stay arrays, also empty ones, and members have one order: the same bytes again.
    same(jose.sign(rsa, "", header) == nil, true)
    header.alg = nil
    sent = assert(jose.sign(rsa, "", header)):match("^[^.]+")
    same(assert(jose.sign(rsa, "", header)):match("^[^.]+"), sent)
end

function tests.header_tells_the_kid_before_anything_is_verified()
    same(jose.header(base64url('{"kid":"7"}') .. "..c2ln").kid, "7")
    same(jose.header(vectors.none .. "c2ln").alg, "none")
end

function tests.refuses_headers_that_decide_how_a_signature_is_checked()
    for _, alg in ipairs({"none", "RS256", "ES384", "HS256", "es256", "", 256, {}}) do
        refused("alg is not the key's", jose.sign(ec, "", {alg = alg}))
    end
    refused("crit and b64", jose.sign(ec, "", {crit = {"exp"}}))
    refused("crit and b64", jose.sign(ec, "", {b64 = false}))
end

function tests.refuses_headers_that_are_no_json()
    refused("kind that JSON does not have", jose.sign(ec, "", {f = print}))
    refused("kind that JSON does not have", jose.sign(ec, "", {f = io.stdout}))
    refused("kind that JSON does not have", jose.sign(ec, "", {f = {1, nil, 3, x = 2}}))
    refused("NUL", jose.sign(ec, "", {kid = "a\0b"}))
    refused("NUL", jose.sign(ec, "", {["a\0b"] = 1}))
    refused("UTF-8", jose.sign(ec, "", {kid = "\xC3"}))
    refused("UTF-8", jose.sign(ec, "", {["\xC3"] = 1}))
    refused("neither all texts", jose.sign(ec, "", {[1.5] = 1}))
    refused("neither all texts", jose.sign(ec, "", {"a"}))
    refused("neither all texts", jose.sign(ec, "", {list = jose.array({x = 1})}))
    refused("a value that no header may have", jose.sign(ec, "", {half = 0.5}))
    local deep = {}
    for _ = 1, 20 do
        deep = {deep = deep}
    end
    refused("too deeply", jose.sign(ec, "", deep))
end

function tests.refuses_to_sign_with_a_public_key()
    refused("no private half", jose.sign(jose.import(vectors.ec), "payload"))
end

function tests.refuses_to_sign_what_is_too_large()
    refused("larger", jose.sign(ec, ("x"):rep(262144)))
    refused("larger", jose.sign(ec, ("x"):rep(200000), nil, "flattened"))
    refused("larger", jose.sign(ec, "", {kid = ("x"):rep(262144)}))
end

function tests.refuses_an_algorithm_that_is_not_allowed()
    refused("not among the allowed", jose.verify(vectors.es256, ec, "RS256"))
    refused("not among the allowed", jose.verify(vectors.es256, ec, {"ES384", "RS256"}))
    refused("not among the allowed", jose.verify(vectors.rs256, rsa, "ES256"))
end

-- RFC 8725 section 3.1.
function tests.raises_when_none_or_nothing_is_allowed()
    for _, name in ipairs({"none", "None", "HS256", "PS256", "ES512", "es256", "", "ES256 "}) do
        raised("not an algorithm that can be allowed", jose.verify, vectors.es256, ec, name)
        raised("not an algorithm that can be allowed", jose.verify, vectors.es256, ec,
            {"ES256", name})
    end
    raised("no algorithm is allowed", jose.verify, vectors.es256, ec, {})
    raised("algorithms are missing", jose.verify, vectors.es256, ec)
    raised("algorithms are missing", jose.verify, vectors.es256, ec, true)
    raised("an algorithm is a text", jose.verify, vectors.es256, ec, {1})
end

function tests.refuses_a_header_with_another_algorithm_than_the_keys()
    refused("not the key's", jose.verify(vectors.rs256, ec, all))
    refused("not the key's", jose.verify(vectors.es256, rsa, all))
    refused("not the key's", jose.verify(vectors.hs256, ec, all))
    refused("not the key's", jose.verify(vectors.hs256, rsa, all))
    refused("not a JWS", jose.verify(vectors.none, ec, all))
    refused("not the key's", jose.verify(vectors.none .. "AA", ec, all))
    for _, alg in ipairs({'"none"', '"nOnE"', '"ES384"', '""'}) do
        local header = base64url('{"alg":' .. alg .. "}")
        refused("not the key's", jose.verify((vectors.es256:gsub("^[^.]+", header)), ec, all))
    end
end

function tests.refuses_extensions_and_broken_headers()
    for _, header in ipairs({"{}", "[]", "", "{", '{"alg":null}', '{"alg":["ES256"]}',
        '{"alg":"ES256","crit":["b64"],"b64":false}', '{"alg":"ES256","b64":true}',
        '{"alg":"none","alg":"ES256"}', '{"alg":"ES256"}x', '{"alg":"ES256","n":1.5}'}) do
        local jws = vectors.es256:gsub("^[^.]+", base64url(header))
        refused("not a JWS", jose.verify(jws, ec, all))
    end
end

function tests.refuses_what_is_no_jws()
    for _, text in ipairs({"", ".", "..", "...", "a.b.c", "{}", "{", "[]", '{"payload":""}',
        vectors.es256 .. ".", vectors.es256 .. ".AA", vectors.es256:match("^[^.]+%.[^.]+"),
        vectors.es256:match("^[^.]+%.[^.]+%."), "\0", vectors.es256 .. "\n",
        " " .. vectors.es256, vectors.es256 .. "="}) do
        refused("not a JWS", jose.verify(text, ec, all))
    end
    for _, text in ipairs({"", ".", "a.b", "a.b.c", "{}", "[1]"}) do
        refused("not a JWS", jose.header(text))
    end
end

function tests.refuses_unprotected_headers_and_many_signatures()
    local jws = assert(jose.sign(ec, "text", nil, "flattened"))
    same(jose.verify(jws, ec, "ES256"), "text")
    refused("not a JWS", jose.verify((jws:gsub("^{", '{"header":{},')), ec, "ES256"))
    refused("not a JWS", jose.verify((jws:gsub("^{", '{"signatures":[],')), ec, "ES256"))
    refused("not a JWS", jose.verify((jws:gsub("^{", '{"payload":"e30",')), ec, "ES256"))
    refused("not a JWS", jose.verify((jws:gsub('"signature"', '"sign"')), ec, "ES256"))
end

function tests.refuses_every_changed_character()
    for i = 1, #vectors.es256 do
        local other = vectors.es256:sub(i, i) == "B" and "C" or "B"
        local jws = vectors.es256:sub(1, i - 1) .. other .. vectors.es256:sub(i + 1)
        local payload, sentence = jose.verify(jws, ec, "ES256")
        same(payload, nil)
        same(type(sentence), "string")
    end
end

function tests.refuses_the_signature_of_another_key()
    refused("does not fit", jose.verify(vectors.es256, jose.generate(), "ES256"))
    refused("does not fit", jose.verify(jose.sign(jose.generate(), vectors.payload), ec, "ES256"))
    local zeros = vectors.es256:gsub("[^.]+$", ("A"):rep(86))
    refused("does not fit", jose.verify(zeros, ec, "ES256"))
end

function tests.refuses_keys_that_are_none()
    refused("not a key", jose.verify(vectors.es256, "", "ES256"))
    refused("not a key", jose.verify(vectors.es256, {}, "ES256"))
    refused("not a kind of key", jose.verify(vectors.es256, vectors.ed25519, all))
    refused("not a usable key", jose.verify(vectors.es256,
        with(vectors.ec, {y = vectors.ec.x}), all))
    for _, key in ipairs({1, true, io.stdout, print}) do
        raised("expected", jose.verify, vectors.es256, key, "ES256")
    end
    raised("expected", jose.verify, vectors.es256, nil, "ES256")
end

function tests.refuses_a_jws_over_the_limit()
    refused("larger", jose.verify(("x"):rep(262145), ec, "ES256"))
    refused("larger", jose.verify("{" .. ("x"):rep(262145), ec, "ES256"))
    refused("larger", jose.header(("x"):rep(262145)))
end

function tests.raises_when_an_argument_is_of_a_wrong_type()
    raised("expected", jose.sign)
    raised("expected", jose.sign, "key", "payload")
    raised("expected", jose.sign, ec)
    raised("expected", jose.sign, ec, {})
    raised("expected", jose.sign, ec, "payload", "header")
    raised("invalid option", jose.sign, ec, "payload", nil, "general")
    raised("expected", jose.verify)
    raised("expected", jose.verify, {}, ec, "ES256")
    raised("expected", jose.header, nil)
    raised("expected", jose.array, 1)
end

function tests.survives_every_failing_allocation()
    harness.every_allocation(function()
        local jws, problem = jose.sign(ec, "payload", {list = {1, {a = "b"}}, jwk = vectors.ec})
        if not jws then
            return nil, problem
        end
        local payload, header = jose.verify(jws, vectors.ec, "ES256")
        return payload and header.list[2].a == "b", header
    end)
    harness.every_allocation(function()
        local jws, problem = jose.sign(ec, "payload", nil, "flattened")
        if not jws then
            return nil, problem
        end
        local header
        header, problem = jose.header(jws)
        return header and true, problem
    end)
end

harness.run(tests)
