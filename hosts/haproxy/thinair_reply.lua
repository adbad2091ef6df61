-- SPDX-License-Identifier: MIT
-- Answers of the order service. What is not a certificate is a problem document (RFC 9457), so that
-- nobody takes it for one.

local reply = {}

local PROBLEM = "application/problem+json"
-- What the core says when a reload is to blame, whatever the CA says of it.
local RELOADED = "this HAProxy process is ending after a reload"
local ACME = "urn:ietf:params:acme:error:"

-- What a CA says that is worth a status of its own; the rest is 422.
local STATUS = {badNonce = 503, rateLimited = 429, serverInternal = 503, userActionRequired = 403}

-- Problem types of RFC 8555 section 6.7 and its successors that are one lower-case word, as the
-- engine's own steps are. The others are known by their capitals, whoever invents them.
local WORDS = {caa = true, compound = true, connection = true, dns = true, malformed = true,
    tls = true, unauthorized = true}

-- What may stand before the CA's words; else it is the name that failed.
local BEFORE = {"the CA refuses the account: ", "the CA rejects every nonce: ",
    "the CA's directory: "}

-- How sentences begin whose reader has to act before the CA is asked again.
local FORBIDDEN = {"the CA's terms of service are not agreed to",
    "the CA wants an external account binding"}

local ESCAPES = {['"'] = '\\"', ["\\"] = "\\\\", ["\n"] = "\\n", ["\r"] = "\\r", ["\t"] = "\\t"}

-- Bytes that are no UTF-8, as where a text was cut, become "?" (RFC 8259 section 8.1).
local function as_utf8(text)
    local size, wrong = utf8.len(text)
    while not size do
        text = text:sub(1, wrong - 1) .. "?" .. text:sub(wrong + 1)
        size, wrong = utf8.len(text, wrong)
    end
    return text
end

local function quote(text)
    return '"' .. as_utf8(text):gsub('[%c"\\]', function(c)
        return ESCAPES[c] or string.format("\\u%04x", c:byte())
    end) .. '"'
end

-- JSON of strings, numbers, booleans, lists and tables with string keys, in their order.
function reply.json(value)
    local kind = type(value)
    if kind == "table" then
        local parts = {}
        if #value > 0 or next(value) == nil then
            for _, item in ipairs(value) do
                parts[#parts + 1] = reply.json(item)
            end
            return "[" .. table.concat(parts, ",") .. "]"
        end
        local names = {}
        for name in pairs(value) do
            names[#names + 1] = name
        end
        table.sort(names)
        for _, name in ipairs(names) do
            parts[#parts + 1] = quote(name) .. ":" .. reply.json(value[name])
        end
        return "{" .. table.concat(parts, ",") .. "}"
    end
    return kind == "string" and quote(value) or tostring(value)
end

-- A value that may stand in a header: one line, whatever it was made of.
local function line_of(value)
    return (tostring(value):gsub("%c+", " "))
end

-- Nothing that is said ends a header early (RFC 9110 section 5.5).
function reply.begin(applet, status, content_type, headers)
    applet:set_status(status)
    applet:add_header("content-type", line_of(content_type))
    applet:add_header("x-content-type-options", "nosniff")
    applet:add_header("cache-control", "no-store")
    for name, value in pairs(headers or {}) do
        applet:add_header(name, line_of(value))
    end
    applet:start_response()
end

function reply.send(applet, status, content_type, body, headers)
    headers = headers or {}
    headers["content-length"] = tostring(#body)
    reply.begin(applet, status, content_type, headers)
    if applet.method ~= "HEAD" then
        applet:send(body)
    end
end

-- kind: the CA's problem type, or nil.
function reply.refuse(applet, status, sentence, headers, kind)
    reply.send(applet, status, PROBLEM, reply.json{
        type = kind or "about:blank", status = status, detail = sentence} .. "\n", headers)
end

local function begins(text, with)
    return text:sub(1, #with) == with
end

-- The CA's words, as the engine wrote them behind what it was about.
local function words_of(text)
    for _, before in ipairs(BEFORE) do
        if begins(text, before) then
            return text:sub(#before + 1)
        end
    end
    return text:match("^[%w-]+%.[%w.-]+: (.*)$") or text
end

-- Status, sentence and problem type of an attempt that failed, from what the engine says of it. The
-- CA's own words begin with the type; what it quotes further on is not looked at.
function reply.of_failure(text)
    if begins(text, RELOADED) then
        return 503, text
    end
    local words = words_of(text)
    local name = words:match("^(%a+): ") or words:match("^%a+$")
    if name and (WORDS[name] or name:find("%l%u")) then
        return STATUS[name] or 422, text, ACME .. name
    end
    local http = tonumber(words:match("^HTTP status (%d+) without a problem document$")
        or words:match(" %(HTTP status (%d+)%)$"))
    if http and http >= 400 and http < 500 then
        return http == 429 and 429 or 422, text
    end
    for _, beginning in ipairs(FORBIDDEN) do
        if begins(text, beginning) then
            return 403, text
        end
    end
    return 503, text
end

return reply
