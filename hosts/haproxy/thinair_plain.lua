-- SPDX-License-Identifier: MIT
-- HTTP/1.1 without TLS, one request a connection, to a frontend of this same HAProxy that leads to
-- the CA. HAProxy's own client could do it, but from 2.8 on it sends every body chunked, and CAs
-- want a Content-Length.

local plain = {}

local HEAD_SIZE_MAX = 65536

-- host, port, path: of http://127.0.0.1:9012/path; nil when it is no such URL.
function plain.parse(url)
    local host, port, path = url:match("^http://([%d.]+):(%d+)(.*)$")
    if not host then
        host, path = url:match("^http://([%d.]+)(.*)$")
        port = "80"
    end
    if not host or (path ~= "" and path:sub(1, 1) ~= "/") then
        return nil
    end
    return host, math.tointeger(tonumber(port)), path
end

-- The pieces of a chunked body (RFC 9112 section 7.1); nil when it is cut short.
local function join_chunks(text)
    local parts, at = {}, 1
    while true do
        local first, last, digits = text:find("^(%x+)[^\r\n]*\r\n", at)
        local size = first and tonumber(digits, 16)
        if not size or last + size > #text then
            return nil
        end
        if size == 0 then
            return table.concat(parts)
        end
        parts[#parts + 1] = text:sub(last + 1, last + size)
        at = last + size + 3
    end
end

-- status, headers as lists by name, body; or nil and a sentence.
function plain.read(text, method)
    local head, body = text:match("^(.-\r\n)\r\n(.*)$")
    local status = head and head:match("^HTTP/1%.[01] (%d%d%d)")
    if not status or #head > HEAD_SIZE_MAX then
        return nil, "not an HTTP answer"
    end
    local headers = {}
    for name, value in head:gmatch("\n([^:\r\n]+):[ \t]*([^\r\n]*)") do
        name = name:lower()
        headers[name] = headers[name] or {}
        table.insert(headers[name], value)
    end
    local size = headers["content-length"] and tonumber(headers["content-length"][1])
    if method == "HEAD" then
        body = ""
    elseif headers["transfer-encoding"] then
        body = join_chunks(body)
    elseif size then
        body = #body >= size and body:sub(1, size) or nil
    end
    if not body then
        return nil, "the answer was cut short"
    end
    return {status = tonumber(status), headers = headers, body = body}
end

local function talk(socket, host, port, message)
    local connected, why = socket:connect(host, port)
    if not connected then
        return nil, why
    end
    local sent
    sent, why = socket:send(message)
    if not sent then
        return nil, why
    end
    local answer, rest
    answer, why, rest = socket:receive("*a")
    return answer or rest, why
end

-- plain.request(method, url, type, body, timeout_ms): as plain.read().
function plain.request(method, url, content_type, body, timeout_ms)
    local host, port, path = plain.parse(url)
    if not host then
        return nil, "not a URL of http://ADDRESS:PORT: " .. url
    end
    local lines = {method .. " " .. (path ~= "" and path or "/") .. " HTTP/1.1",
        "Host: " .. host .. ":" .. port, "User-Agent: thinair", "Connection: close"}
    if method == "POST" then
        lines[#lines + 1] = "Content-Type: " .. content_type
        lines[#lines + 1] = "Content-Length: " .. #body
    else
        body = ""
    end
    local socket = core.tcp()
    socket:settimeout(math.ceil(timeout_ms / 1000))
    local done, answer, why = pcall(talk, socket, host, port,
        table.concat(lines, "\r\n") .. "\r\n\r\n" .. body)
    pcall(socket.close, socket)
    if not done or not answer or answer == "" then
        return nil, tostring(done and why or answer)
    end
    return plain.read(answer, method)
end

return plain
