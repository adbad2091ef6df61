-- SPDX-License-Identifier: MIT
-- Stands where HAProxy's `core` is, for what talks to the CA: sockets that receive what a test
-- says, in the pieces it says, HAProxy's own client, and its version. Each step can fail or raise.
-- As in HAProxy, receive(n) waits for n bytes, gives fewer when the other side closes, then nil.

local fake = {}

-- What is done in a step: nothing, an answer in its place, or an error that is raised.
local function step(self, name)
    local given = self.faults[name]
    if given == "raise" then
        error(name .. " was raised", 0)
    end
    return given
end

-- A source of bytes: pieces is a list, or a function that gives the next one, and nil at the end.
function fake.source(pieces)
    local next_piece, at = pieces, 0
    if type(pieces) == "table" then
        next_piece = function()
            at = at + 1
            return pieces[at]
        end
    end
    local held, source = "", {taken = 0}
    function source.receive(_, size)
        assert(math.type(size) == "integer" and size > 0)
        while #held < size do
            local piece = next_piece()
            if not piece then
                break
            end
            held = held .. piece
        end
        local part = held:sub(1, size)
        held = held:sub(size + 1)
        source.taken = source.taken + #part
        if part == "" then
            return nil, "connection closed."
        end
        return part
    end
    return source
end

-- One byte in each piece.
function fake.bytes(text)
    local list = {}
    for at = 1, #text do
        list[at] = text:sub(at, at)
    end
    return list
end

local function socket_of(self)
    local source, socket = fake.source(self.pieces), {}
    self.sockets_count = self.sockets_count + 1
    self.source = source
    function socket.settimeout(_, seconds)
        self.timeout_s = seconds
    end
    function socket.connect(_, host, port)
        self.address = host .. ":" .. tostring(port)
        if step(self, "connect") then
            return nil, "Can't connect"
        end
        return 1
    end
    function socket.send(_, text)
        if step(self, "send") then
            return nil, "connection closed."
        end
        self.sent = text
        return #text
    end
    function socket.receive(_, size)
        if step(self, "receive") then
            return nil, "timeout."
        end
        return source:receive(size)
    end
    function socket.close()
        self.sockets_count = self.sockets_count - 1
        step(self, "close")
    end
    return socket
end

local function ask(method)
    return function(client, parameters)
        local self = client.fake
        self.asked = {method = method, parameters = parameters}
        step(self, "client")
        return self.answer
    end
end

-- fake.new{pieces=, faults=, answer=, version=}: its `core` becomes the global one.
function fake.new(self)
    self = self or {}
    self.pieces, self.faults = self.pieces or {}, self.faults or {}
    self.sockets_count, self.slept_ms = 0, 0
    core = {
        tcp = function() return socket_of(self) end,
        httpclient = function()
            return {fake = self, get = ask("GET"), head = ask("HEAD"), post = ask("POST")}
        end,
        get_info = function() return {Version = self.version or "2.6.12-1+deb12u4"} end,
        msleep = function(pause_ms) self.slept_ms = self.slept_ms + pause_ms end,
    }
    return self
end

return fake
