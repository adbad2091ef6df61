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
    certificates = {names = "table", keys = "table", must_staple = "boolean"},
}
local CHALLENGES = {["http-01"] = true, ["tls-alpn-01"] = true}

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
        if content == "" and full ~= "ca.proxy_uri" then
            return full .. " must not be empty"
        end
    end
end

-- Whether all that is in the table is 1, 2, 3..., and each is of that type.
local function is_list(list, kind)
    local count = 0
    for _, item in pairs(list) do
        count = count + 1
        if type(item) ~= kind then
            return false
        end
    end
    return count == #list
end

-- {names = {...}, keys = {...}, must_staple = false}
local function certificate(entry)
    local wrong = check("certificates", entry)
    if wrong then
        return nil, wrong
    end
    local names, keys = entry.names or {}, entry.keys or {"ecdsa-p256"}
    if #names == 0 or not is_list(names, "string") then
        return nil, "certificates.names must be a list of names, as {\"example.net\"}"
    end
    if #keys == 0 or not is_list(keys, "string") then
        return nil, "certificates.keys must be a list of key types, as {\"ecdsa-p256\"}"
    end
    return {names = names, keys = keys, must_staple = entry.must_staple == true}
end

local function certificates(list)
    local entries = {}
    if not is_list(list, "table") then
        return nil, "certificates must be a list of tables, as {{names = {\"example.net\"}}}"
    end
    for _, entry in ipairs(list) do
        local read, why = certificate(entry)
        if not read then
            return nil, why
        end
        entries[#entries + 1] = read
    end
    return entries
end

-- What is wrong with the lists of texts, or nil.
local function check_lists(contacts, challenges)
    local are_mail = is_list(contacts, "string")
    for _, contact in ipairs(contacts) do
        are_mail = are_mail and contact:find("^mailto:")
    end
    if not are_mail then
        return "registration.contact must be a list of addresses, as {\"mailto:you@example.net\"}"
    end
    local are_known = #challenges > 0 and is_list(challenges, "string")
    for _, challenge in ipairs(challenges) do
        are_known = are_known and CHALLENGES[challenge]
    end
    return not are_known and "challenges must be a list of http-01, tls-alpn-01, or both" or nil
end

-- HAProxy's client keeps a Content-Length up to 2.6.
local function sends_chunked()
    local major, minor = tostring(core.get_info().Version or ""):match("^(%d+)%.(%d+)")
    return major and (tonumber(major) > 2 or tonumber(minor) > 6) or false
end

-- A path follows.
local function without_slash(url)
    return ((url or ""):gsub("/+$", ""))
end

-- What is wrong with the CA's addresses, or nil.
local function check_ca(ca)
    if not ca.uri and not ca.directory then
        return "ca.uri is missing: the CA's address, as https://acme-v02.api.letsencrypt.org"
    end
    for _, field in ipairs{"uri", "directory"} do
        if ca[field] and not ca[field]:find("^https://[^%c ]+$") then
            return "ca." .. field .. " must be an https URL"
        end
    end
    if ca.proxy_uri and ca.proxy_uri ~= "" then
        if not ca.uri then
            return "ca.proxy_uri needs ca.uri: what of the CA's URLs it stands for"
        end
        local _, _, path = plain.parse(ca.proxy_uri)
        if not path or path:find("[?#]") then
            return "ca.proxy_uri must be http://ADDRESS:PORT, a frontend of this HAProxy"
        end
    elseif sends_chunked() then
        return "ca.proxy_uri is missing: this HAProxy's own client sends bodies chunked, which "
            .. "CAs refuse"
    end
end

-- settings.read(config): what acme.lua works with; or nil and a sentence.
function settings.read(config)
    if type(config) ~= "table" then
        return nil, "the global table `config` is missing: load config.lua before acme.lua"
    end
    local registration, ca = config.registration or {}, config.ca or {}
    local wrong = check("", config) or check("registration", registration) or check("ca", ca)
    local challenges = config.challenges or {"http-01"}
    wrong = wrong or check_lists(registration.contact or {}, challenges) or check_ca(ca)
    if wrong then
        return nil, wrong
    end
    local wanted, why = certificates(config.certificates or {})
    if not wanted then
        return nil, why
    end
    if #wanted > 0 and not config.state then
        return nil, "state is missing: managed certificates need a directory to be kept in"
    end
    if config.stats_socket and not config.state then
        return nil, "state is missing: what is deployed must be there at the next start"
    end
    local uri, proxy_uri = without_slash(ca.uri), without_slash(ca.proxy_uri)
    return {
        ca_uri = uri,
        proxy_uri = proxy_uri ~= "" and proxy_uri or nil,
        state = config.state,
        stats_socket = config.stats_socket,
        handshake = config.handshake,
        certificates = wanted,
        engine = {
            directory = ca.directory or uri .. DIRECTORY_PATH,
            contacts = registration.contact,
            agreed = registration.termsOfServiceAgreed,
            state = config.state,
            challenges = challenges,
            target = config.stats_socket ~= nil,
        },
    }
end

return settings
