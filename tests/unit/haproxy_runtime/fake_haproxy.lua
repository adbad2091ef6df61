-- SPDX-License-Identifier: MIT
-- Stands where HAProxy's `core` is: a stats socket with a memory of certificates, one transaction
-- and one crt-list, which says what HAProxy 2.6 and 3.2 say. Its certificates are the beginning of
-- one, with a name for a serial number. Sockets are counted, and the n-th connection can be made to
-- fail in each of its steps.

local fake = {}

local CERTIFICATE = "-----BEGIN CERTIFICATE-----\n%s\n-----END CERTIFICATE-----\n"
local KEY = "-----BEGIN PRIVATE KEY-----\n%s\n-----END PRIVATE KEY-----\n"

local function base64(bytes)
    local alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
    local bits = bytes:gsub(".", function(byte)
        local value, digits = byte:byte(), ""
        for place = 7, 0, -1 do
            digits = digits .. (value >> place & 1)
        end
        return digits
    end)
    bits = bits .. ("0"):rep(-#bits % 6)
    local text = bits:gsub("%d%d%d%d%d%d", function(six)
        local value = tonumber(six, 2)
        return alphabet:sub(value + 1, value + 1)
    end)
    return text .. ("="):rep(-#text % 4)
end

-- The names of certificates by their base64 text.
local names_of = {}

-- fake.body("a"): the beginning of a certificate with the serial number fake.serial("a").
function fake.body(name)
    local inner = "\xa0\x03\x02\x01\x02\x02" .. string.char(#name) .. name
    local whole = "\x30" .. string.char(#inner) .. inner
    local body = base64("\x30" .. string.char(#whole) .. whole)
    names_of[body] = name
    return body
end

function fake.serial(name)
    return (name:gsub(".", function(byte) return string.format("%02X", byte:byte()) end))
end

-- fake.pem("a", "b", chain_count): a certificate a, the key of b, and a chain.
function fake.pem(name, key, chain_count)
    return CERTIFICATE:format(fake.body(name))
        .. CERTIFICATE:format(fake.body("root")):rep(chain_count or 1) .. KEY:format(key or name)
end

-- What a PEM text holds: the leaf, the key and how many certificates follow the leaf.
local function held(pem)
    local names = {}
    for name in pem:gmatch("BEGIN CERTIFICATE%-%-%-%-%-\n([^\n]*)") do
        table.insert(names, names_of[name])
    end
    return {leaf = names[1], chain_count = #names - 1,
            key = pem:match("PRIVATE KEY%-%-%-%-%-\n([^\n]*)")}
end

local function shown(store, pair)
    if not pair.leaf then
        return "Filename: " .. store .. "\nStatus: Empty\nOCSP Response Key: \n\n"
    end
    return "Filename: " .. store .. "\nStatus: Used\nSerial: "
        .. fake.serial(pair.leaf) .. "\nSHA1 FingerPrint: " .. pair.leaf .. "\nSubject: /CN=x\n"
        .. ("Chain Subject: /CN=root\n"):rep(pair.chain_count) .. "\n"
end

-- Each command as a pattern, and what it answers and does.
local commands = {
    {"^show version$", function(self) return self.release .. "\n\n" end},
    {"^show cli level$", function(self) return self.level .. "\n\n" end},
    {"^show pools$", function(self)
        return "  - Pool buffer (" .. self.buffer_size .. " bytes) : 2 allocated\n\n"
    end},
    {"^show ssl cert$", function(self)
        local lines = self.open and {"# transaction", "*" .. self.open} or {}
        table.insert(lines, "# filename")
        for store in pairs(self.stores) do
            table.insert(lines, store)
        end
        return table.concat(lines, "\n") .. "\n\n"
    end},
    {"^show ssl cert (%S+)$", function(self, store)
        local pair = self.stores[store]
        return pair and shown(store, pair) or "Can't display the certificate: Not found!\n\n"
    end},
    {"^new ssl cert (%S+)$", function(self, store)
        if self.stores[store] then
            return "Certificate '" .. store .. "' already exists!\n\n"
        end
        self.stores[store] = {}
        return "New empty certificate store '" .. store .. "'!\n\n"
    end},
    {"^set ssl cert (%S+)$", function(self, store, payload)
        local pair = held(payload)
        if not pair.leaf then
            return "unable to load certificate from file '" .. store .. "'.\n\n"
        elseif self.open and self.open ~= store and self.release:match("^3") then
            return "The ongoing transaction is about '" .. self.open
                .. "' but you are trying to set '" .. store .. "'\n\n"
        end
        local word = self.open and "updated" or "created"
        self.open = self.open or store
        self.pair = pair
        return "Transaction " .. word .. " for certificate " .. self.open .. "!\n\n"
    end},
    {"^commit ssl cert (%S+)$", function(self, store)
        if self.open ~= store then
            return "No ongoing transaction! !\nCan't commit " .. store .. "!\n\n"
        elseif self.pair.leaf ~= self.pair.key then
            return "inconsistencies between private key and certificate loaded.\n\n"
        end
        self.stores[store], self.open = self.pair, nil
        return "Committing " .. store .. "\nSuccess!\n\n"
    end},
    {"^abort ssl cert (%S+)$", function(self, store)
        self.open = self.open ~= store and self.open or nil
        return "Transaction aborted for certificate '" .. store .. "'!\n\n"
    end},
    {"^del ssl cert (%S+)$", function(self, store)
        for _, entry in ipairs(self.list) do
            if entry.store == store then
                return "Can't remove the certificate: certificate '" .. store
                    .. "' in use, can't be deleted!\n\n"
            end
        end
        self.stores[store] = nil
        return "Certificate '" .. store .. "' deleted!\n\n"
    end},
    {"^show ssl crt%-list %-n /list$", function(self)
        local lines = {"# /list"}
        for _, entry in ipairs(self.list) do
            table.insert(lines, entry.store .. ":" .. entry.line .. entry.rest)
        end
        return table.concat(lines, "\n") .. "\n\n"
    end},
    {"^show ssl crt%-list", function() return "didn't find the specified filename\n\n" end},
    {"^add ssl crt%-list /list$", function(self, _, payload)
        local store, rest = payload:match("^(%S+)([^\n]*)")
        if rest:find("bogus", 1, true) then
            return "Can't edit the crt-list: parsing [CLI:1]: unknown ssl keyword bogus\n\n"
        end
        self.line = self.line + 1
        table.insert(self.list, {store = store, line = self.line, rest = rest})
        return "Inserting certificate '" .. store .. "' in crt-list '/list'.\nSuccess!\n\n"
    end},
    {"^del ssl crt%-list /list (%S+):%d+$", function(self, store, _, line)
        for index, entry in ipairs(self.list) do
            if entry.store == store and line:match(":(%d+)$") == tostring(entry.line) then
                table.remove(self.list, index)
                return "Entry '" .. store .. "' deleted in crtlist '/list'!\n\n"
            end
        end
        return "Can't delete the entry!\n\n"
    end},
}

local function answer_one(self, line, payload)
    table.insert(self.heard, line)
    if self.locked and line:match("^%l+ ssl") then
        return "Can't do that!\nOperations on certificates are currently locked!\n\n"
    end
    for _, command in ipairs(commands) do
        local argument = line:match(command[1])
        if argument then
            if self.before then
                self:before(line)
            end
            return command[2](self, argument, payload, line)
        end
    end
    return "Unknown command: '" .. line .. "'\n"
end

local function answer(self, message)
    assert(#message < self.buffer_size, "HAProxy 2.6 does not survive this")
    local line, payload = message:match("^([^\n]-) <<\n(.-\n)\n$")
    if line then
        assert(not payload:find("\n\n", 1, true), "an empty line in a payload")
        return answer_one(self, line, payload)
    end
    local answers = {}
    for one in message:match("^([^\n]+)\n$"):gmatch("[^;]+") do
        table.insert(answers, answer_one(self, one))
    end
    return table.concat(answers)
end

-- A step of the connection that is to fail does, by what it answers or by raising.
local function fails(self, step)
    local how = self.failure
    if not how or self.connections_count ~= how.at or how.step ~= step then
        return false
    elseif how.raises then
        error("raised in " .. step)
    end
    return true
end

local function new_socket(self)
    self.sockets_count = self.sockets_count + 1
    self.connections_count = self.connections_count + 1
    local socket = {is_open = true}
    function socket.settimeout() end
    function socket.connect(_, address)
        coroutine.yield()
        if fails(self, "connect") or address ~= "unix@/run/stats.sock" then
            return nil, "Can't connect"
        end
        return 1
    end
    function socket.send(_, message)
        if fails(self, "send") then
            return nil, "closed"
        end
        socket.message = message
        return #message
    end
    function socket.receive(_, how)
        coroutine.yield()
        assert(how == "*a")
        if fails(self, "receive") then
            return nil, "timeout"
        end
        return answer(self, socket.message)
    end
    function socket.close()
        self.sockets_count = self.sockets_count - (socket.is_open and 1 or 0)
        socket.is_open = false
    end
    return socket
end

-- fake.new{release = "2.6.12"}: an HAProxy; its `core` and `CertCache` become the global ones.
function fake.new(options)
    local self = {release = options.release or "3.2.26-1", level = options.level or "admin",
                  buffer_size = options.buffer_size or 16384, stores = {}, list = {}, line = 0,
                  heard = {}, sockets_count = 0, connections_count = 0}
    core = {tcp = function() return new_socket(self) end, msleep = function() coroutine.yield() end}
    CertCache = {set = function(set)
        if self.locked_cache then
            error("CertCache already under lock")
        end
        self.stores[set.filename] = held(self.garbled and set[""]:sub(1, 200) or set[""])
    end}
    return self
end

-- fake.run(f, ...): f's results, as HAProxy runs a task: it comes back after every yield.
function fake.run(f, ...)
    local thread = coroutine.create(f)
    local results = table.pack(coroutine.resume(thread, ...))
    while coroutine.status(thread) ~= "dead" do
        results = table.pack(coroutine.resume(thread))
    end
    if not results[1] then
        error(results[2], 0)
    end
    return table.unpack(results, 2, results.n)
end

return fake
