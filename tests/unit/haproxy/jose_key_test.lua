-- SPDX-License-Identifier: MIT
-- Proven here: keys come in from PEM and JWK, private and public, and go out as the JWK and the
-- thumbprint that the RFCs print; what is no key is refused with a sentence; what was closed can no
-- longer be used, and what was forgotten is collected.
local harness = require("harness")
local jose = require("thinair_jose")
local vectors = require("jose_vectors")
local same, refused, raised = harness.same, harness.refused, harness.raised
local with = vectors.with

local ec_private = with(vectors.ec, {d = vectors.ec_d})
local rsa_private = with(vectors.rsa, vectors.rsa_private)
local function drop(from, name)
    local rest = with(from)
    rest[name] = nil
    return rest
end

local tests = {}

function tests.imports_a_public_jwk_from_text_and_table()
    for _, from in ipairs({vectors.ec_jwk, " \r\n" .. vectors.ec_jwk .. "\n", vectors.ec}) do
        local key = assert(jose.import(from))
        same(key:type(), "ecdsa-p256")
        same(key:algorithm(), "ES256")
        same(key:is_private(), false)
        same(key:jwk(), vectors.ec_jwk)
        same(key:thumbprint(), vectors.ec_thumbprint)
        same(tostring(key), "key (ecdsa-p256, public)")
    end
end

-- RFC 7638 section 3.1, whose JWK has alg and kid too.
function tests.agrees_with_the_thumbprint_that_rfc_7638_prints()
    local key = assert(jose.import({kty = "RSA", e = "AQAB", alg = "RS256", kid = "2011-04-29",
        n = "0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc"
            .. "_BJECPebWKRXjBZCiFV4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65"
            .. "YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNL"
            .. "yrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awa"
            .. "pJzKnqDKgw"}))
    same(key:thumbprint(), "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs")
    same(key:algorithm(), "RS256")
end

function tests.imports_private_jwks()
    local key = assert(jose.import(ec_private))
    same(key:is_private(), true)
    same(key:jwk(), vectors.ec_jwk)
    same(tostring(key), "key (ecdsa-p256, private)")
    key = assert(jose.import(rsa_private))
    same(key:is_private(), true)
    same(key:type(), "rsa-2048")
    same(key:jwk(), assert(jose.import(vectors.rsa)):jwk())
end

function tests.imports_public_pem()
    same(assert(jose.import(vectors.ec_pem)):jwk(), vectors.ec_jwk)
    local key = assert(jose.import(vectors.rsa_pem))
    same(key:jwk(), assert(jose.import(vectors.rsa)):jwk())
    same(key:is_private(), false)
end

function tests.what_goes_out_as_pem_comes_in_again()
    for _, kind in ipairs({"ecdsa-p256", "ecdsa-p384"}) do
        local key = assert(jose.generate(kind))
        same(key:type(), kind)
        same(key:is_private(), true)
        local pem = assert(key:pem())
        same(pem:match("^%-%-%-%-%-BEGIN PRIVATE KEY%-%-%-%-%-\n") ~= nil, true)
        same(assert(jose.import(pem)):jwk(), key:jwk())
    end
    local key = assert(jose.import(rsa_private))
    same(assert(jose.import(assert(key:pem()))):thumbprint(), key:thumbprint())
end

function tests.generates_another_key_each_time()
    same(assert(jose.generate()):type(), "ecdsa-p256")
    same(jose.generate():thumbprint() == jose.generate():thumbprint(), false)
end

-- HAProxy's watchdog kills a process that stands still for a second or two.
function tests.refuses_to_hold_the_proxy_for_an_rsa_key()
    for _, kind in ipairs({"rsa-2048", "rsa-3072", "rsa-4096"}) do
        refused("the proxy would stand still", jose.generate(kind))
    end
end

function tests.refuses_to_generate_what_is_no_type()
    for _, kind in ipairs({"", "rsa", "ES256", "ecdsa-p521", "ecdsa-p256\0", "P-256"}) do
        refused("no such type", jose.generate(kind))
    end
    raised("string expected", jose.generate, {})
end

function tests.refuses_what_is_no_key()
    local pem = jose.generate():pem()
    for _, text in ipairs({"", " ", "key", "{", "{}", "[]", "null", "\0", pem .. pem,
        pem:sub(1, 100), "x" .. pem, pem .. "x", vectors.ec_pem .. vectors.ec_pem,
        vectors.ec_pem .. pem, pem .. vectors.ec_pem, vectors.ec_pem .. "x",
        vectors.ec_pem:sub(1, 60), vectors.ec_jwk .. "x", vectors.ec_jwk:sub(1, -2),
        '{"kty":1}', '{"kty":"EC","kty":"EC"}'}) do
        refused("not a key", jose.import(text))
    end
    refused("not a key", jose.import((vectors.ec_pem:gsub("MFkw", "MFkx"))))
    refused("not a usable key", jose.import((vectors.ec_pem:gsub("PUBLIC KEY", "CERTIFICATE"))))
end

function tests.refuses_kinds_of_key_that_are_not_supported()
    refused("not a kind of key", jose.import(vectors.ed25519))
    refused("not a kind of key", jose.import({kty = "oct", k = "AyM1SysPpbyDfgZld3umj1qzKObwVMko"}))
    refused("not a kind of key", jose.import(with(vectors.ec, {crv = "P-521"})))
    refused("not a kind of key", jose.import({kty = "RSA", e = "AQAB", n = "u" .. ("A"):rep(170)}))
    refused("not a kind of key", jose.import(with(rsa_private, {oth = jose.array()})))
end

function tests.refuses_jwks_with_a_part_missing_or_broken()
    for name in pairs(vectors.ec) do
        refused("not a key", jose.import(drop(vectors.ec, name)))
    end
    for name in pairs(vectors.rsa) do
        refused("not a key", jose.import(drop(vectors.rsa, name)))
    end
    for name in pairs(vectors.rsa_private) do
        if name ~= "d" then
            refused("not a key", jose.import(drop(rsa_private, name)))
        end
        refused("not a key", jose.import(with(rsa_private, {[name] = "="})))
        refused("not a key", jose.import(with(rsa_private, {[name] = ""})))
        refused("not a key", jose.import(with(rsa_private, {[name] = 1})))
        refused("not a key", jose.import(with(rsa_private, {[name] = ("A"):rep(800)})))
    end
    for _, d in ipairs({"", "=", "AA", vectors.ec_d .. "AA", vectors.ec_d:sub(1, -4), 7}) do
        refused("not a key", jose.import(with(vectors.ec, {d = d})))
    end
end

-- The halves do not belong together, or the public one is no point of the curve.
function tests.refuses_keys_that_cannot_work()
    local other = assert(jose.generate()):jwk()
    local x, y = other:match('"x":"([^"]+)","y":"([^"]+)"')
    refused("not a usable key", jose.import({kty = "EC", crv = "P-256", x = x, y = y,
        d = vectors.ec_d}))
    refused("not a usable key", jose.import({kty = "EC", crv = "P-256", x = vectors.ec.x, y = y}))
    refused("not a usable key", jose.import(with(ec_private, {d = ("A"):rep(43)})))
    refused("not a usable key", jose.import(with(vectors.rsa, {e = "AQ"})))
    refused("not a usable key", jose.import(with(vectors.rsa, {e = "Ag"})))
    -- OpenSSL signs with the primes, and with d where they do not fit: one of them may be wrong.
    refused("not a usable key", jose.import(with(rsa_private,
        {d = vectors.rsa_private.p, p = vectors.rsa_private.q})))
end

function tests.refuses_an_encrypted_key_without_asking_for_its_password()
    refused("not a", jose.import("-----BEGIN ENCRYPTED PRIVATE KEY-----\nMIGjMF8GCSqGSIb3DQEFDTBSM"
        .. "DEGCSqG\n-----END ENCRYPTED PRIVATE KEY-----\n"))
end

function tests.refuses_a_text_over_the_limit()
    refused("larger", jose.import("{" .. (" "):rep(262144) .. "}"))
    refused("larger", jose.import("-----BEGIN PRIVATE KEY-----\n" .. ("A"):rep(20000)))
end

function tests.refuses_tables_that_are_no_json()
    refused("kind that JSON does not have", jose.import({kty = print}))
    refused("NUL", jose.import({kty = "EC\0"}))
    refused("UTF-8", jose.import({kty = "\xFF"}))
    refused("neither all texts", jose.import({kty = {[2] = "EC"}}))
    refused("neither all texts", jose.import({kty = {"EC", x = 1}}))
    refused("neither all texts", jose.import({[true] = 1}))
    refused("not finite", jose.import({kty = 0 / 0}))
    refused("not finite", jose.import({kty = math.huge}))
    local loop = {}
    loop.loop = loop
    refused("too deeply", jose.import(loop))
    local many = {}
    for i = 1, 5000 do
        many[i] = i
    end
    refused("more values", jose.import({many = many}))
end

function tests.raises_when_an_argument_is_of_a_wrong_type()
    for _, argument in ipairs({1, true, print}) do
        raised("string expected", jose.import, argument)
    end
    raised("string expected", jose.import)
    raised("expected", jose.import, io.stdout)
    local key = jose.generate()
    for _, method in ipairs({"type", "algorithm", "is_private", "jwk", "pem", "thumbprint",
        "close"}) do
        raised("expected", key[method])
        raised("expected", key[method], "key")
        raised("expected", key[method], io.stdout)
    end
end

function tests.a_public_key_has_no_private_pem()
    refused("no private half", jose.import(vectors.ec):pem())
end

function tests.refuses_to_use_a_closed_key()
    local key = jose.generate()
    key:close()
    key:close()
    same(tostring(key), "key (closed)")
    for _, method in ipairs({"type", "algorithm", "is_private", "jwk", "pem", "thumbprint"}) do
        raised("the key is closed", key[method], key)
    end
    raised("the key is closed", jose.sign, key, "payload")
    raised("the key is closed", jose.jwt_sign, key, {})
    raised("the key is closed", jose.verify, vectors.es256, key, "ES256")
end

function tests.a_script_cannot_reach_a_keys_metatable()
    same(getmetatable(jose.generate()), false)
    same(pcall(setmetatable, jose.generate(), {}), false)
end

function tests.forgotten_keys_are_collected()
    if not memory then
        return
    end
    collectgarbage()
    local before = memory.live()
    local keys = {}
    for i = 1, 50 do
        keys[i] = jose.generate()
    end
    same(memory.live() > before, true)
    keys = nil
    collectgarbage()
    same(memory.live(), before)
end

function tests.survives_every_failing_allocation()
    local text = assert(jose.generate()):pem()
    harness.every_allocation(function()
        local key, problem = jose.import(text)
        if key then
            key, problem = jose.import(ec_private)
        end
        if key then
            local jwk
            jwk, problem = key:jwk()
            if jwk then
                jwk, problem = key:thumbprint()
            end
            if jwk then
                jwk, problem = key:pem()
            end
            key:close()
            return jwk and true, problem
        end
        return nil, problem
    end)
end

harness.run(tests)
