-- SPDX-License-Identifier: MIT
-- Proven here: a token is accepted when its signature, times, issuer and audience are what the
-- caller asked for, at each edge of its time to the second; everything else gives a sentence. An
-- option that is misspelt or of a wrong type raises.
local harness = require("harness")
local jose = require("thinair_jose")
local vectors = require("jose_vectors")
local same, refused, raised = harness.same, harness.refused, harness.raised
local with = vectors.with

local key = assert(jose.import(with(vectors.ec, {d = vectors.ec_d})))
local rsa = assert(jose.import(with(vectors.rsa, vectors.rsa_private)))
local now = 1700000000
local base = {algorithms = {"ES256"}, now = now, leeway = 0}
local good = {exp = now + 60}
local tests = {}

-- Sign claims and verify them with these options.
local function judge(claims, options)
    return jose.jwt_verify(assert(jose.jwt_sign(key, claims)), key, with(base, options))
end

-- The token of a payload that is any text.
local function judge_text(text, options)
    return jose.jwt_verify(assert(jose.sign(key, text)), key, with(base, options))
end

function tests.accepts_the_token_that_rfc_7515_prints()
    local claims, header = jose.jwt_verify(vectors.es256, vectors.ec_pem,
        {algorithms = "ES256", issuer = "joe", now = vectors.exp - 1, leeway = 0})
    same(claims.iss, "joe")
    same(claims.exp, vectors.exp)
    same(claims["http://example.com/is_root"], true)
    same(header.alg, "ES256")
    refused("has expired", jose.jwt_verify(vectors.es256, vectors.ec_pem,
        {algorithms = "ES256", now = vectors.exp, leeway = 0}))
end

function tests.claims_come_back_as_a_table()
    local claims, header = judge({exp = now + 1, sub = "me", roles = {"a", "b"},
        deep = {x = {y = 1}}, admin = false, nothing = jose.null, half = 0.5})
    same(claims.sub, "me")
    same(#claims.roles, 2)
    same(claims.deep.x.y, 1)
    same(claims.admin, false)
    same(claims.nothing, jose.null)
    same(claims.half, 0.5)
    same(math.type(claims.exp), "integer")
    same(header.typ, "JWT")
end

function tests.headers_are_the_callers()
    local token = assert(jose.jwt_sign(rsa, good, {typ = "at+jwt", kid = "k"}))
    local _, header = jose.jwt_verify(token, rsa, with(base, {algorithms = "RS256"}))
    same(header.typ, "at+jwt")
    same(header.kid, "k")
    same(header.alg, "RS256")
end

function tests.the_same_claims_give_the_same_bytes()
    local function token(names)
        local claims = {}
        for name in names:gmatch("%a") do
            claims[name] = 1
        end
        return assert(jose.jwt_sign(rsa, claims))
    end
    same(token("abcdefgh"), token("hgfedcba"))
end

function tests.the_clock_is_the_systems_when_none_is_given()
    local options = {algorithms = "ES256"}
    local token = jose.jwt_sign(key, {exp = os.time() + 3600, nbf = os.time(), iat = os.time()})
    same(jose.jwt_verify(token, key, options).exp > os.time(), true)
    refused("has expired", jose.jwt_verify(jose.jwt_sign(key, {exp = 1}), key, options))
end

-- RFC 7519 section 4.1.4: the time must be before exp.
function tests.expires_to_the_second()
    same(judge({exp = now + 1}).exp, now + 1)
    refused("has expired", judge({exp = now}))
    refused("has expired", judge({exp = now - 1}))
    refused("has expired", judge({exp = 0}))
    refused("has expired", judge({exp = -1}))
    same(judge({exp = now + 0.5}).exp, now + 0.5)
    refused("has expired", judge({exp = now - 0.5}))
    same(judge({exp = now - 59}, {leeway = 60}).exp, now - 59)
    refused("has expired", judge({exp = now - 60}, {leeway = 60}))
    same(judge({exp = math.maxinteger}).exp, math.maxinteger)
    refused("has expired", judge({exp = math.mininteger}))
end

function tests.begins_to_the_second()
    same(judge(with(good, {nbf = now})).nbf, now)
    refused("not valid yet", judge(with(good, {nbf = now + 1})))
    same(judge(with(good, {nbf = now + 5}), {leeway = 5}).nbf, now + 5)
    refused("not valid yet", judge(with(good, {nbf = now + 6}), {leeway = 5}))
    refused("not valid yet", judge(with(good, {nbf = 1e300})))
end

function tests.was_not_issued_in_the_future()
    same(judge(with(good, {iat = now})).iat, now)
    refused("issued in the future", judge(with(good, {iat = now + 1})))
    same(judge(with(good, {iat = now + 5}), {leeway = 5}).iat, now + 5)
    refused("issued in the future", judge(with(good, {iat = now + 6}), {leeway = 5}))
end

function tests.a_minute_of_leeway_is_given_unasked()
    local token = jose.jwt_sign(key, {exp = now})
    local options = {algorithms = "ES256", now = now + 59}
    same(jose.jwt_verify(token, key, options).exp, now)
    options.now = now + 60
    refused("has expired", jose.jwt_verify(token, key, options))
end

function tests.refuses_a_token_that_never_ends_unless_it_is_allowed()
    refused("has no exp", judge({}))
    refused("has no exp", judge({nbf = now}, {allow_no_exp = false}))
    same(judge({sub = "x"}, {allow_no_exp = true}).sub, "x")
    refused("has expired", judge({exp = now}, {allow_no_exp = true}))
end

function tests.refuses_times_that_are_no_numbers()
    for _, name in ipairs({"exp", "nbf", "iat"}) do
        for _, value in ipairs({'"1700000060"', "null", "true", "[1700000060]", "{}"}) do
            refused("is not a number", judge_text('{"' .. name .. '":' .. value .. "}",
                {allow_no_exp = true}))
        end
        refused("is not a number", jose.jwt_sign(key, {[name] = "1"}))
    end
end

function tests.the_issuer_is_the_one_asked_for()
    local claims = with(good, {iss = "https://a/"})
    same(judge(claims, {issuer = "https://a/"}).iss, "https://a/")
    same(judge(claims, {issuer = {"https://b/", "https://a/"}}).iss, "https://a/")
    same(judge(claims).iss, "https://a/")
    refused("another issuer", judge(claims, {issuer = "https://a"}))
    refused("another issuer", judge(claims, {issuer = "https://A/"}))
    refused("another issuer", judge(claims, {issuer = {"https://b/", ""}}))
    refused("another issuer", judge(claims, {issuer = "https://a/\0"}))
    refused("names no issuer", judge(good, {issuer = "https://a/"}))
    refused("not a text", judge_text('{"iss":["https://a/"]}', {issuer = "https://a/"}))
    refused("not a text", judge_text('{"sub":7}'))
end

-- RFC 7519 section 4.1.3.
function tests.the_audience_is_among_those_asked_for()
    local one = with(good, {aud = "api"})
    local two = with(good, {aud = {"web", "api"}})
    same(judge(one, {audience = "api"}).aud, "api")
    same(judge(two, {audience = "api"}).aud[2], "api")
    same(judge(two, {audience = {"x", "web"}}).aud[1], "web")
    same(judge(good).aud, nil)
    refused("another audience", judge(one, {audience = "ap"}))
    refused("another audience", judge(one, {audience = {"web", "app"}}))
    refused("another audience", judge(two, {audience = "x"}))
    refused("another audience", judge(with(good, {aud = jose.array()}), {audience = "api"}))
    refused("names no audience", judge(good, {audience = "api"}))
    refused("the caller none", judge(one))
    refused("the caller none", judge(two))
    for _, value in ipairs({"7", "{}", "null", "true", "[7]", '["api",7]', '[["api"]]'}) do
        refused("aud is neither", judge_text('{"exp":1700000060,"aud":' .. value .. "}",
            {audience = "api"}))
    end
end

function tests.refuses_claims_that_are_no_object_within_limits()
    for _, text in ipairs({"", "[]", "null", "7", '"x"', "{", "{}x", '{"exp":1,"exp":9999999999}',
        '{"exp":1e999}', '{"exp":NaN}', '{"exp":99999999999999999999}', '{"a":"\\u0000"}',
        '{"a":"\xFF"}', '{"a":' .. ("["):rep(17) .. ("]"):rep(17) .. "}",
        '{"a":[' .. ("1,"):rep(5000) .. "1]}"}) do
        refused("not a JSON object", judge_text(text))
    end
end

function tests.refuses_what_is_no_jwt()
    for _, text in ipairs({"", ".", "a.b.c", vectors.none, vectors.es256 .. "."}) do
        refused("not a JWS", jose.jwt_verify(text, key, base))
    end
    refused("not compact", jose.jwt_verify(jose.sign(key, "{}", nil, "flattened"), key, base))
    refused("larger", jose.jwt_verify(("x"):rep(262145), key, base))
end

function tests.refuses_a_signature_that_does_not_count()
    local token = jose.jwt_sign(key, good)
    refused("does not fit", jose.jwt_verify(token, jose.generate(), base))
    refused("does not fit", jose.jwt_verify(jose.jwt_sign(jose.generate(), good), key, base))
    refused("not among the allowed",
        jose.jwt_verify(token, key, with(base, {algorithms = "RS256"})))
    refused("not the key's", jose.jwt_verify(vectors.hs256, key, base))
    refused("not the key's", jose.jwt_verify(vectors.none .. "AA", key, base))
    refused("not a key", jose.jwt_verify(token, "secret", base))
    for i = 1, #token, 7 do
        local other = token:sub(i, i) == "B" and "C" or "B"
        same(jose.jwt_verify(token:sub(1, i - 1) .. other .. token:sub(i + 1), key, base), nil)
    end
end

function tests.raises_when_an_option_is_misspelt_or_of_a_wrong_type()
    local token = jose.jwt_sign(key, good)
    for name, value in pairs({audiance = "api", alg = "ES256", [1] = "ES256", Issuer = "x"}) do
        raised("an option is none of", jose.jwt_verify, token, key, with(base, {[name] = value}))
    end
    for _, value in ipairs({7, true, {}, {7}, {"a", 7}, jose.null}) do
        raised("neither a text nor an array", jose.jwt_verify, token, key,
            with(base, {issuer = value}))
        raised("neither a text nor an array", jose.jwt_verify, token, key,
            with(base, {audience = value}))
    end
    for _, value in ipairs({"7", {}, true, 0 / 0, math.huge}) do
        raised("not a number of seconds", jose.jwt_verify, token, key, with(base, {now = value}))
        raised("not a number of seconds", jose.jwt_verify, token, key, with(base, {leeway = value}))
    end
    raised("leeway is negative", jose.jwt_verify, token, key, with(base, {leeway = -1}))
    raised("algorithms are missing", jose.jwt_verify, token, key, {})
    raised("can be allowed", jose.jwt_verify, token, key, with(base, {algorithms = {"none"}}))
    raised("table expected", jose.jwt_verify, token, key)
    raised("expected", jose.jwt_verify, {}, key, base)
    raised("expected", jose.jwt_verify, token, 7, base)
end

function tests.refuses_to_sign_what_it_would_refuse_to_read()
    refused("no private half", jose.jwt_sign(jose.import(vectors.ec), good))
    refused("alg is not the key's", jose.jwt_sign(key, good, {alg = "none"}))
    refused("not a text", jose.jwt_sign(key, with(good, {iss = 7})))
    refused("not a text", jose.jwt_sign(key, with(good, {jti = jose.null})))
    refused("aud is neither", jose.jwt_sign(key, with(good, {aud = {1}})))
    refused("neither all texts", jose.jwt_sign(key, {1, 2}))
    refused("kind that JSON does not have", jose.jwt_sign(key, {f = print}))
    refused("not finite", jose.jwt_sign(key, {exp = math.huge}))
    refused("larger", jose.jwt_sign(key, {a = ("x"):rep(262144)}))
    raised("table expected", jose.jwt_sign, key)
    raised("table expected", jose.jwt_sign, key, "{}")
    raised("table expected", jose.jwt_sign, key, good, "header")
    raised("expected", jose.jwt_sign, {}, good)
end

-- Whatever number of empty tables is signed is within what is read.
function tests.what_was_signed_is_within_the_limits_of_reading()
    local accepted, refusals = 0, 0
    for _, count in ipairs({10, 2000, 2040, 2045, 2046, 2047, 2048, 2050, 4090, 5000}) do
        local list = {}
        for i = 1, count do
            list[i] = {}
        end
        local token, sentence = jose.jwt_sign(key, with(good, {list = list}))
        if token then
            same(#jose.jwt_verify(token, key, base).list, count)
            accepted = accepted + 1
        else
            refused("more values", token, sentence)
            refusals = refusals + 1
        end
    end
    same(accepted >= 3 and refusals >= 3, true)
end

-- A table's metamethods are code of somebody's: none is run.
function tests.reads_tables_without_asking_their_metatables()
    local trap = setmetatable({exp = now + 9}, {__index = error, __pairs = error, __len = error})
    same(judge(trap).exp, now + 9)
    local options = setmetatable(with(base), {__index = error, __pairs = error})
    same(jose.jwt_verify(jose.jwt_sign(key, good), key, options).exp, now + 60)
end

function tests.survives_every_failing_allocation()
    harness.every_allocation(function()
        local token, problem = jose.jwt_sign(key, {exp = now + 60, aud = {"a", "b"}, iss = "i"})
        if not token then
            return nil, problem
        end
        local claims
        claims, problem = jose.jwt_verify(token, vectors.ec_pem, {algorithms = {"ES256"}, now = now,
            audience = {"x", "b"}, issuer = "i"})
        return claims and claims.aud[2] == "b", problem
    end)
end

harness.run(tests)
