-- SPDX-License-Identifier: MIT
-- The global table of config.lua, checked: what is wrong is said once, at start, with the name of
-- the field.

local plain = require("thinair_plain")

local settings = {}

local DIRECTORY_PATH = "/directory"

-- The fields that there are, by table: a typing error must not pass as a default.
local KNOWN = {
    [""] = {registration = "table", ca = "table", state = "string", certificates = "table",
            challenges = "table", stats_socket = "string", handshake = "string"},
    registration = {termsOfServiceAgreed = "boolean", contact = "table"},
    ca = {uri = "string", proxy_uri = "string", directory = "string"},
}

local function check(name, value)
    for key, content in pairs(value) do
        local wanted = KNOWN[name][key]
        local full = name == "" and tostring(key) or name .. "." .. tostring(key)
        if not wanted then
            return "unknown field " .. full
        end
        if type(content) ~= wanted then
            return full .. " must be a " .. wanted
        end
    end
end

local function strings(list)
    for _, text in ipairs(list) do
        if type(text) ~= "string" then
            return false
        end
    end
    return true
end

-- names = {...}, keys = {...}, must_staple = false
local function certificate(entry)
    if type(entry) ~= "table" or type(entry.names) ~= "table" or #entry.names == 0 then
        return nil, "an entry needs names = {\"example.net\"}"
    end
    local keys = entry.keys or {"ecdsa-p256"}
    if not strings(entry.names) or type(keys) ~= "table" or not strings(keys) then
        return nil, "names and keys are lists of strings"
    end
    return {names = entry.names, keys = keys, must_staple = entry.must_staple == true}
end

-- HAProxy's client keeps a Content-Length up to 2.6.
local function sends_chunked()
    local major, minor = tostring(core.get_info().Version or ""):match("^(%d+)%.(%d+)")
    return major and (tonumber(major) > 2 or tonumber(minor) > 6) or false
end

-- settings.read(config): what acme.lua works with; or nil and a sentence.
function settings.read(config)
    if type(config) ~= "table" then
        return nil, "the global table `config` is missing: load config.lua before acme.lua"
    end
    local registration, ca = config.registration or {}, config.ca or {}
    local wrong = check("", config) or check("registration", registration) or check("ca", ca)
    if wrong then
        return nil, wrong
    end
    if not ca.uri and not ca.directory then
        return nil, "ca.uri is missing: the CA's address, as https://acme-v02.api.letsencrypt.org"
    end
    if ca.proxy_uri and ca.proxy_uri ~= "" then
        if not ca.uri then
            return nil, "ca.proxy_uri needs ca.uri: what of the CA's URLs it stands for"
        end
        if not plain.parse(ca.proxy_uri) then
            return nil, "ca.proxy_uri must be http://ADDRESS:PORT, a frontend of this HAProxy"
        end
    elseif sends_chunked() then
        return nil, "ca.proxy_uri is missing: this HAProxy's own client sends bodies chunked, "
            .. "which CAs refuse"
    end
    local certificates = {}
    for _, entry in ipairs(config.certificates or {}) do
        local read, why = certificate(entry)
        if not read then
            return nil, "certificates: " .. why
        end
        certificates[#certificates + 1] = read
    end
    if #certificates > 0 and not config.state then
        return nil, "state is missing: managed certificates need a directory to be kept in"
    end
    if config.stats_socket and not config.state then
        return nil, "state is missing: what is deployed must be there at the next start"
    end
    return {
        ca_uri = ca.uri or "",
        proxy_uri = ca.proxy_uri ~= "" and ca.proxy_uri or nil,
        state = config.state,
        stats_socket = config.stats_socket,
        handshake = config.handshake,
        certificates = certificates,
        engine = {
            directory = ca.directory or ca.uri .. DIRECTORY_PATH,
            contacts = registration.contact,
            agreed = registration.termsOfServiceAgreed,
            state = config.state,
            challenges = config.challenges or {"http-01"},
            target = config.stats_socket ~= nil,
        },
    }
end

return settings
