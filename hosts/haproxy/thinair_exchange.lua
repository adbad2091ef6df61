-- SPDX-License-Identifier: MIT
-- Requests to the CA: plain to a frontend of this HAProxy that leads there over verified TLS
-- (ca.proxy_uri), or by HAProxy's own client, whose verification is HAProxy's:
-- httpclient.ssl.verify is `required` unless somebody changed it, with the roots of
-- httpclient.ssl.ca-file.

local plain = require("thinair_plain")

local exchange = {}

local JOSE = "application/jose+json"
local PAUSE_MS, ERRORS_MAX = 100, 5

-- name, value, name, value...
local function flatten(headers)
    local list = {}
    for name, values in pairs(headers or {}) do
        if type(values) == "string" then
            values = {values}
        end
        for _, value in pairs(values) do
            list[#list + 1] = name
            list[#list + 1] = value
        end
    end
    return list
end

-- What of a URL is below ca.uri, which the proxy stands for; nil when it is not: a longer name or
-- another port begins alike.
local function below(uri, url)
    local rest = url:sub(#uri + 1)
    return url:sub(1, #uri) == uri and (rest == "" or rest:find("^[/?]")) and rest or nil
end

-- Below ca.uri the proxy leads to the CA, and nowhere else.
local function ask_proxy(options, request)
    local rest = below(options.ca_uri, request.url)
    if not rest then
        return nil, "refused", "the CA names a URL outside ca.uri, where ca.proxy_uri does not "
            .. "lead: " .. request.url
    end
    local answer, why = plain.request(request.method, options.proxy_uri .. rest, JOSE,
        request.body, request.deadline_ms, request.body_max)
    if why == plain.TOO_LONG then
        return nil, "limit", why
    end
    if not answer then
        return nil, "network", "no answer by way of " .. options.proxy_uri .. ": " .. why
    end
    return answer
end

local function ask_directly(request)
    local parameters = {
        url = request.url,
        timeout = request.deadline_ms,
        headers = {["user-agent"] = {"thinair"}},
    }
    if request.method == "POST" then
        parameters.headers["content-type"] = {JOSE}
        parameters.headers["content-length"] = {tostring(#request.body)}
        parameters.body = request.body
    end
    local client = core.httpclient()
    local answer = client[request.method:lower()](client, parameters)
    if not answer or not answer.status or answer.status == 0 then
        return nil, "network", "no answer from " .. request.url
    end
    return answer
end

-- The first value of a header, or nil.
local function first(headers, name)
    local values = headers and headers[name]
    if type(values) == "table" then
        local _, value = next(values)
        return value
    end
    return values
end

-- Is this what HAProxy says for a CA that did not answer? A CA's own refusal is JSON.
local function is_of_haproxy(answer)
    local kind = first(answer.headers, "content-type") or ""
    return answer.status >= 502 and answer.status <= 504 and not kind:find("json", 1, true)
        and not first(answer.headers, "replay-nonce")
end

local function ask(options, request)
    local answer, kind, why
    if options.proxy_uri then
        answer, kind, why = ask_proxy(options, request)
    else
        answer, kind, why = ask_directly(request)
    end
    if answer and is_of_haproxy(answer) then
        return nil, "network", "the CA cannot be reached: HAProxy answers " .. answer.status
    end
    return answer, kind, why
end

-- Carry out one action of the engine, in a task of its own.
function exchange.carry_out(handle, options, request)
    local done, answer, kind, why = pcall(ask, options, request)
    if not done then
        answer, kind, why = nil, "network", tostring(answer)
    end
    local body = answer and answer.body or ""
    if answer and #body > request.body_max then
        answer, kind, why = nil, "limit", plain.TOO_LONG
    end
    -- Without memory for the result it is told again; so it is after an error, a few times.
    local function tell()
        if answer then
            return handle:http(request.id, answer.status, flatten(answer.headers), body)
        end
        return handle:failed(request.id, kind, why)
    end
    local errors_count = 0
    while true do
        local is_called, is_told = pcall(tell)
        if is_called and is_told then
            return
        end
        errors_count = is_called and errors_count or errors_count + 1
        if errors_count == ERRORS_MAX then
            error(is_told, 0)
        end
        core.msleep(PAUSE_MS)
    end
end

return exchange
