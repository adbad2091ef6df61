-- SPDX-License-Identifier: MIT
-- HTTP/1.1 without TLS, one request a connection, to a frontend of this same HAProxy that leads to
-- the CA. HAProxy's own client could do it, but from 2.8 on it sends every body chunked, and CAs
-- want a Content-Length.

local plain = {}

local HEAD_SIZE_MAX = 65536
local PIECE_SIZE = 16384
-- No chunk is longer than that many hexadecimal digits say: far above every limit, and nothing that
-- wraps around.
local CHUNK_DIGITS_MAX = 7

-- host, port, path: of http://127.0.0.1:9012/path; nil when it is no such URL.
function plain.parse(url)
    local host, port, path = url:match("^http://([%d.]+):(%d+)([^%c ]*)$")
    if not host then
        host, path = url:match("^http://([%d.]+)([^%c ]*)$")
        port = "80"
    end
    port = host and math.tointeger(tonumber(port))
    if not port or port < 1 or port > 65535 or (path ~= "" and path:sub(1, 1) ~= "/") then
        return nil
    end
    return host, port, path
end

-- The pieces of a chunked body (RFC 9112 section 7.1); nil when it is cut short, or is none.
local function join_chunks(text)
    local parts, at = {}, 1
    while true do
        local _, last, digits, extension = text:find("^0*(%x+)[ \t]*([^\r\n]*)\r\n", at)
        local is_head = last and #digits <= CHUNK_DIGITS_MAX
            and (extension == "" or extension:sub(1, 1) == ";")
        local size = is_head and tonumber(digits, 16)
        if not size or last + size > #text then
            return nil
        end
        if size == 0 then
            return table.concat(parts)
        end
        parts[#parts + 1] = text:sub(last + 1, last + size)
        at = last + size + 3
        if text:sub(at - 2, at - 1) ~= "\r\n" then
            return nil
        end
    end
end

-- The status and the headers, as lists by name, of one head; nil when it is none.
local function read_head(head)
    local status = head:match("^HTTP/1%.[01] (%d%d%d)[ \r]")
    if not status or #head > HEAD_SIZE_MAX then
        return nil
    end
    local headers = {}
    for name, value in head:gmatch("\n([^:\r\n]+):[ \t]*([^\r\n]*)") do
        name = name:lower()
        headers[name] = headers[name] or {}
        table.insert(headers[name], (value:gsub("[ \t]+$", "")))
    end
    return tonumber(status), headers
end

-- status, headers as lists by name, body; or nil and a sentence.
function plain.read(text, method)
    local head, body, status, headers
    repeat -- what comes before the answer says nothing about it (RFC 9110 section 15.2)
        head, body = text:match("^(.-\r\n)\r\n(.*)$")
        if head then
            status, headers = read_head(head)
        end
        if not head or not status then
            return nil, "not an HTTP answer"
        end
        text = body
    until status >= 200
    local size = headers["content-length"] and headers["content-length"][1]
    if size and not size:find("^%d+$") then
        return nil, "not an HTTP answer"
    end
    size = tonumber(size)
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
    return {status = status, headers = headers, body = body}
end

-- All that comes until the other side closes; nil and a sentence when that is longer than size_max.
local function receive(socket, size_max)
    local parts, size = {}, 0
    repeat
        local part, why, rest = socket:receive(PIECE_SIZE)
        parts[#parts + 1] = part or rest
        size = size + #(part or rest or "")
        if size > size_max then
            return nil, plain.TOO_LONG
        end
        if not part and size == 0 then
            return nil, why
        end
    until not part or #part == 0
    return table.concat(parts)
end

local function talk(socket, host, port, message, size_max)
    local connected, why = socket:connect(host, port)
    if not connected then
        return nil, why
    end
    local sent
    sent, why = socket:send(message)
    if not sent then
        return nil, why
    end
    return receive(socket, size_max)
end

-- What plain.request() says of an answer that is longer than anybody asked for.
plain.TOO_LONG = "the answer is too long"

-- plain.request(method, url, type, body, timeout_ms, body_max): as plain.read(). An answer may be
-- twice as long as its body: chunks have heads.
function plain.request(method, url, content_type, body, timeout_ms, body_max)
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
        table.concat(lines, "\r\n") .. "\r\n\r\n" .. body, HEAD_SIZE_MAX + 2 * body_max)
    pcall(socket.close, socket)
    if not done then
        return nil, tostring(answer)
    end
    if not answer or answer == "" then
        return nil, why or "the connection was closed"
    end
    return plain.read(answer, method)
end

return plain
