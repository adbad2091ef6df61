-- SPDX-License-Identifier: MIT
-- Proves thinair_settings.lua: each field of config.lua missing, of another type and with a value
-- that cannot be, one at a time: what is said names the field and repeats no value. And what the
-- engine is given of those that are right.

local fake = require("fake_core")
local harness = require("harness")
local settings = require("thinair_settings")
local same, refused = harness.same, harness.refused

local SECRET = "hunter2"
local tests = {}

local function whole()
    return {
        registration = {termsOfServiceAgreed = true, contact = {"mailto:postmaster@example.net"}},
        ca = {uri = "https://ca.test", proxy_uri = "http://127.0.0.1:9012",
              directory = "https://ca.test/dir"},
        state = "/var/lib/thinair",
        stats_socket = "/thinair.sock",
        handshake = "127.0.0.1:443",
        challenges = {"http-01", "tls-alpn-01"},
        certificates = {{names = {"a.test"}, keys = {"rsa-2048"}, must_staple = true}},
    }
end

-- The table that a path leads to, and the last name in it.
local function find(config, path)
    for name in path:gmatch("([^.]+)%.") do
        config = config[tonumber(name) or name]
    end
    local last = path:match("[^.]+$")
    return config, tonumber(last) or last
end

-- Refused, with the field's name, and with no value that was in it.
local function refuses(part, path, value, version)
    fake.new{version = version}
    local config = whole()
    local place, name = find(config, path)
    place[name] = value
    local read, why = settings.read(config)
    refused(part, read, why)
    if why:find(SECRET, 1, true) then
        error("a value is repeated: " .. why, 2)
    end
end

local function reads(path, value, version)
    fake.new{version = version}
    local config = whole()
    if path then
        local place, name = find(config, path)
        place[name] = value
    end
    return assert(settings.read(config))
end

function tests.gives_the_engine_what_is_there()
    local read = reads()
    same(read.ca_uri, "https://ca.test")
    same(read.proxy_uri, "http://127.0.0.1:9012")
    same(read.state, "/var/lib/thinair")
    same(read.stats_socket, "/thinair.sock")
    same(read.handshake, "127.0.0.1:443")
    same(#read.certificates, 1)
    same(read.certificates[1].names[1], "a.test")
    same(read.certificates[1].keys[1], "rsa-2048")
    same(read.certificates[1].must_staple, true)
    same(read.engine.directory, "https://ca.test/dir")
    same(read.engine.contacts[1], "mailto:postmaster@example.net")
    same(read.engine.agreed, true)
    same(read.engine.state, "/var/lib/thinair")
    same(table.concat(read.engine.challenges, " "), "http-01 tls-alpn-01")
    same(read.engine.target, true)
end

function tests.has_defaults()
    fake.new()
    local read = assert(settings.read{ca = {uri = "https://ca.test"}})
    same(read.engine.directory, "https://ca.test/directory")
    same(read.engine.contacts, nil)
    same(read.engine.agreed, nil)
    same(table.concat(read.engine.challenges), "http-01")
    same(read.engine.target, false)
    same(read.proxy_uri, nil)
    same(#read.certificates, 0)
    same(reads("certificates.1.keys", nil).certificates[1].keys[1], "ecdsa-p256")
    same(reads("certificates.1.must_staple", nil).certificates[1].must_staple, false)
    same(reads("ca.proxy_uri", "").proxy_uri, nil)
end

function tests.takes_slashes_at_the_end_of_addresses()
    same(reads("ca.uri", "https://ca.test//").ca_uri, "https://ca.test")
    same(reads("ca.proxy_uri", "http://127.0.0.1:9012/").proxy_uri, "http://127.0.0.1:9012")
    fake.new()
    same(assert(settings.read{ca = {uri = "https://ca.test/"}}).engine.directory,
        "https://ca.test/directory")
end

function tests.refuses_a_config_that_is_none()
    fake.new()
    for _, config in ipairs{false, true, 1, "x"} do
        refused("the global table `config` is missing", settings.read(config))
    end
    refused("the global table `config` is missing", settings.read(nil))
end

function tests.names_what_is_missing()
    fake.new()
    refused("ca.uri is missing", settings.read{})
    refused("ca.uri is missing", settings.read{ca = {proxy_uri = "http://127.0.0.1:1"}})
    refuses("ca.proxy_uri needs ca.uri", "ca.uri", nil)
    refuses("certificates.names must be", "certificates.1.names", nil)
    refuses("state is missing", "state", nil)
    fake.new()
    refused("state is missing", settings.read{ca = {uri = "https://ca.test"}, stats_socket = "/x"})
    for _, version in ipairs{"2.7.0", "2.8.3", "3.2.26-1", "10.0.0"} do
        refuses("ca.proxy_uri is missing", "ca.proxy_uri", nil, version)
        refuses("ca.proxy_uri is missing", "ca.proxy_uri", "", version)
    end
    for _, version in ipairs{"2.6.12-1+deb12u4", "2.4.0", "2.5.9", "unheard"} do
        reads("ca.proxy_uri", nil, version)
    end
end

function tests.names_fields_of_another_type()
    local types = {registration = "table", ["registration.termsOfServiceAgreed"] = "boolean",
        ["registration.contact"] = "table", ca = "table", ["ca.uri"] = "string",
        ["ca.proxy_uri"] = "string", ["ca.directory"] = "string", state = "string",
        stats_socket = "string", handshake = "string", challenges = "table",
        certificates = "table", ["certificates.1.names"] = "table",
        ["certificates.1.keys"] = "table", ["certificates.1.must_staple"] = "boolean"}
    for path, wanted in pairs(types) do
        for _, value in ipairs{SECRET, 7, 0.5, true, {}, print} do
            if type(value) ~= wanted then
                refuses((path:gsub("%.1", "")) .. " must be a " .. wanted, path, value)
            end
        end
    end
end

function tests.names_fields_there_are_not()
    for path, name in pairs{secret = "secret", ["registration.agreed"] = "registration.agreed",
        ["ca.url"] = "ca.url", ["certificates.1.name"] = "certificates.name",
        ["certificates.1.must_stapel"] = "certificates.must_stapel", ["1"] = "1",
        ["ca.1"] = "ca.1"} do
        refuses("unknown field " .. name, path, SECRET)
    end
end

function tests.names_values_that_cannot_be()
    for _, path in ipairs{"state", "stats_socket", "handshake", "ca.uri", "ca.directory"} do
        refuses(path .. " must not be empty", path, "")
    end
    for _, path in ipairs{"ca.uri", "ca.directory"} do
        for _, value in ipairs{"http://" .. SECRET, "https://", SECRET, "https://a b/" .. SECRET,
            "https://a\r\n" .. SECRET, " https://" .. SECRET} do
            refuses(path .. " must be an https URL", path, value)
        end
    end
    for _, value in ipairs{"http://localhost:9012", "https://127.0.0.1:9012", "127.0.0.1:9012",
        "http://127.0.0.1:0", "http://127.0.0.1:65536", "http://127.0.0.1:9012?" .. SECRET,
        "http://127.0.0.1:9012/a?" .. SECRET, "http://u:" .. SECRET .. "@127.0.0.1:9012",
        "http://127.0.0.1:9012/\r\nx: " .. SECRET} do
        refuses("ca.proxy_uri must be http://ADDRESS:PORT", "ca.proxy_uri", value)
    end
end

function tests.names_lists_that_are_none()
    for _, value in ipairs{{SECRET}, {"mailto:a@b.test", 7}, {mail = "mailto:" .. SECRET},
        {[2] = "mailto:a@b.test"}, {{}}, {"mailto:a@b.test", "tel:" .. SECRET}} do
        refuses("registration.contact must be", "registration.contact", value)
    end
    for _, value in ipairs{{}, {"dns-01"}, {SECRET}, {"http-01", 1}, {first = "http-01"},
        {"http-01", "dns-01"}, {["http-01"] = true}} do
        refuses("challenges must be", "challenges", value)
    end
    for _, value in ipairs{{names = {SECRET}}, {"a.test", SECRET}, {[2] = {names = {"a.test"}}},
        {{names = {"a.test"}}, SECRET}} do
        refuses("certificates must be a list", "certificates", value)
    end
    for _, value in ipairs{{}, {1}, {a = SECRET}, {"a.test", {SECRET}}, {"a.test", b = SECRET}} do
        refuses("certificates.names must be", "certificates.1.names", value)
    end
    for _, value in ipairs{{}, {1}, {a = SECRET}, {"rsa-2048", {SECRET}}} do
        refuses("certificates.keys must be", "certificates.1.keys", value)
    end
end

harness.run(tests)
