-- SPDX-License-Identifier: MIT
-- Requests to the CA, by HAProxy's own client: verified TLS directly, or plain to a local proxy
-- that HAProxy itself is (ca.proxy_uri). Verification is HAProxy's: httpclient.ssl.verify is
-- `required` unless somebody changed it, with the roots of httpclient.ssl.ca-file.

local exchange = {}

local JOSE = "application/jose+json"

-- Where a URL of the CA is asked for: below ca.uri by way of the proxy, if there is one.
local function address(options, url)
    local proxy, uri = options.proxy_uri, options.ca_uri
    if not proxy then
        return url
    end
    if url:sub(1, #uri) == uri then
        return proxy .. url:sub(#uri + 1)
    end
end

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

local function ask(options, request)
    local url = address(options, request.url)
    if not url then
        return nil, "refused", "the CA names a URL outside ca.uri, where ca.proxy_uri does not "
            .. "lead: " .. request.url
    end
    local parameters = {
        url = url,
        timeout = request.deadline_ms,
        headers = {["user-agent"] = {"thinair"}},
    }
    local call = request.method:lower()
    if request.method == "POST" then
        parameters.headers["content-type"] = {JOSE}
        parameters.headers["content-length"] = {tostring(#request.body)}
        parameters.body = request.body
    end
    local client = core.httpclient()
    local answer = client[call](client, parameters)
    -- HAProxy answers for who did not: 503 without any header of a CA's.
    if not answer or not answer.status or answer.status == 0 then
        return nil, "network", "no answer from " .. url
    end
    if answer.status == 503 and (answer.headers or {})["content-type"] == nil then
        return nil, "network", "no connection to " .. url
    end
    return answer
end

-- Carry out one action of the engine, in a task of its own.
function exchange.carry_out(handle, options, request)
    local done, answer, kind, why = pcall(ask, options, request)
    if not done then
        answer, kind, why = nil, "network", tostring(answer)
    end
    local body = answer and answer.body or ""
    if answer and #body > request.body_max then
        answer, kind, why = nil, "limit", "the answer is too long"
    end
    -- Without memory for the result it is told again.
    local function tell()
        if answer then
            return handle:http(request.id, answer.status, flatten(answer.headers), body)
        end
        return handle:failed(request.id, kind, why)
    end
    while not tell() do
        core.msleep(100)
    end
end

return exchange
