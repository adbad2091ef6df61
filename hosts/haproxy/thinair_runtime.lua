-- SPDX-License-Identifier: MIT
-- HAProxy's runtime API, spoken from HAProxy's own Lua over its stats socket: which certificates it
-- holds, and new ones put in place while it serves.
--
-- Every function answers its value; or nil, a sentence that says why, and true when trying again
-- later can help (somebody else is changing certificates). All yield to HAProxy while they wait, so
-- they are called from a task or a service, never while the configuration is loaded. Each talk has
-- a connection of its own, which is closed whatever comes.
--
-- What is deployed lives in HAProxy's memory: the caller writes the same PEM file and crt-list line
-- to disk, for the next start.

local text = require("thinair_runtime_text")

local runtime = {}
local methods = {}
local meta = {__index = methods}

local TIMEOUT_S = 10
-- Below the size of HAProxy's buffers, command and payload together. HAProxy 2.6 does not survive a
-- command that fills one exactly; the margin keeps us away from that.
local BUFFER_MARGIN_SIZE = 64
-- How often a certificate is committed when others come between.
local TRIES_COUNT = 3
-- How long another deployment of this process is waited for, and how often it is looked at.
local TURN_MS = 10
local TURNS_COUNT = 3000

-- What HAProxy says when somebody else is at it.
local BUSY = {"currently locked", "already under lock", "ongoing transaction"}

-- Sockets on which a deployment is under way in this Lua state: HAProxy has one transaction at a
-- time, for everybody.
local taken = {}

-- Is what HAProxy said a reason to try again later?
local function is_busy(said)
    said = said:lower()
    for _, words in ipairs(BUSY) do
        if said:find(words, 1, true) then
            return true
        end
    end
    return false
end

-- nil, HAProxy's words after ours, and whether to try again.
local function refused(what, answer)
    local said = text.last_words(answer)
    return nil, what .. ": " .. said, is_busy(said)
end

-- Send a message and read the answer to its end.
local function exchange(socket, address, timeout_s, message)
    socket:settimeout(timeout_s)
    local connected, why = socket:connect(address)
    if not connected then
        return nil, "cannot connect to " .. address .. ": " .. tostring(why)
    end
    local sent
    sent, why = socket:send(message)
    if not sent then
        return nil, "cannot send to " .. address .. ": " .. tostring(why)
    end
    local answer, left
    answer, why, left = socket:receive("*a")
    if not answer and why == "connection closed." then
        answer = left or ""
    end
    if not answer then
        return nil, "no answer from " .. address .. ": " .. tostring(why)
    end
    return answer
end

-- One connection: the message, and what HAProxy answered. Errors that Lua raises come back as
-- sentences too, so that the socket is closed on every way out.
local function talk(self, message)
    local socket = core.tcp()
    local done, answer, why = pcall(exchange, socket, self.address, self.timeout_s, message)
    pcall(socket.close, socket)
    if not done then
        return nil, "cannot talk to " .. self.address .. ": " .. tostring(answer)
    end
    return answer, why
end

-- runtime.connect{path = "/run/thinair.sock", timeout_s = 10}: HAProxy's runtime API at a unix
-- socket. The path is HAProxy's own: inside its chroot, if it has one. Nothing stays open; what is
-- asked here is whether somebody answers, with the level that certificates need.
--
-- The object has the fields `release` ("3.2.26-1") and `buffer_size`.
function runtime.connect(options)
    local path = options.path
    if type(path) ~= "string" or path:sub(1, 1) ~= "/" or path:find("[%s%c]") then
        return nil, "the stats socket's path must be absolute and without spaces", false
    end
    local self = setmetatable({address = "unix@" .. path,
                               timeout_s = options.timeout_s or TIMEOUT_S}, meta)
    local answer, why = talk(self, "show version;show cli level;show pools\n")
    if not answer then
        return nil, why .. "; the global section needs: stats socket CHROOT" .. path
            .. " user USER mode 600 level admin, with HAProxy's own chroot and user", true
    end
    self.release = answer:match("^%s*(%d[^\n]*)")
    self.buffer_size = text.buffer_size(answer)
    if not self.release or not self.buffer_size then
        return nil, "not HAProxy 2.6 or later: " .. text.last_words(answer:sub(1, 200)), false
    end
    if not answer:find("\nadmin\n", 1, true) then
        return nil, "the stats socket " .. path .. " lacks: level admin", false
    end
    return self
end

-- self:version(): HAProxy's release as it says it, and its first two numbers.
function methods:version()
    local major, minor = self.release:match("^(%d+)%.(%d+)")
    return self.release, math.tointeger(tonumber(major)), math.tointeger(tonumber(minor))
end

-- Does a command with its payload fit into one of HAProxy's buffers?
local function fits(self, message)
    return #message + BUFFER_MARGIN_SIZE <= self.buffer_size
end

-- self:command(line, payload): what HAProxy answers to one command line. The payload is optional;
-- its empty lines are left out, as they would end it. Whether the answer is a refusal, only the
-- caller can tell.
function methods:command(line, payload)
    if line:find("[\r\n]") then
        return nil, "a command is one line", false
    end
    local message = line .. "\n"
    if payload then
        message = line .. " <<\n" .. text.payload(payload) .. "\n\n"
    end
    if not fits(self, message) then
        return nil, string.format("%d bytes are too much for one command: tune.bufsize is %d",
            #message, self.buffer_size), false
    end
    local answer, why = talk(self, message)
    if not answer then
        return nil, why, true
    end
    return answer
end

-- self:stores(): the names that HAProxy holds certificates by, as a list, and the one that a
-- transaction is open for, or nil.
function methods:stores()
    local answer, why, again = self:command("show ssl cert")
    if not answer then
        return nil, why, again
    end
    if is_busy(answer) then
        return refused("HAProxy does not list its certificates", answer)
    end
    return text.stores(answer)
end

-- self:certificates(): everything that HAProxy holds, as thinair_runtime_text.certificates says.
-- Asked in several talks: what is deleted meanwhile is left out.
function methods:certificates()
    local stores, why, again = self:stores()
    if not stores then
        return nil, why, again
    end
    local found, line = {}, nil
    for index, store in ipairs(stores) do
        local one = "show ssl cert " .. text.quoted(store)
        line = line and line .. ";" .. one or one
        if index == #stores or #line > self.buffer_size // 4 then
            local answer
            answer, why, again = self:command(line)
            if not answer then
                return nil, why, again
            end
            table.move(text.certificates(answer), 1, #stores, #found + 1, found)
            line = nil
        end
    end
    return found
end

-- self:certificate(store): one of them.
function methods:certificate(store)
    local answer, why, again = self:command("show ssl cert " .. text.quoted(store))
    if not answer then
        return nil, why, again
    end
    local found = text.certificates(answer)[1]
    if not found then
        return refused("HAProxy does not show " .. store, answer)
    end
    return found
end

-- self:crt_list(name): the entries of a crt-list, as thinair_runtime_text.crt_list says.
function methods:crt_list(name)
    local answer, why, again = self:command("show ssl crt-list -n " .. text.quoted(name))
    if not answer then
        return nil, why, again
    end
    if answer:match("^[^\n]*") ~= "# " .. name then
        return refused("HAProxy has no crt-list " .. name, answer)
    end
    return text.crt_list(answer)
end

-- Is a value in a list?
local function holds(list, value)
    for _, one in ipairs(list) do
        if one == value then
            return true
        end
    end
    return false
end

-- What cannot be sent, or nil: names go into commands, so they are of few characters.
local function complaint_of(wanted)
    local function is_path(value)
        return type(value) == "string" and value:match("^[%w/._][%w/._+=,@~-]*$")
    end
    if not is_path(wanted.store) then
        return "a store's name has letters, digits and / . _ + = , @ ~ - only"
    elseif wanted.crt_list ~= nil and not is_path(wanted.crt_list) then
        return "a crt-list's name has letters, digits and / . _ + = , @ ~ - only"
    elseif (wanted.options or ""):find("[^%w ,./:+-]") then
        return "crt-list options have letters, digits and , . / : + - only"
    end
    for _, name in ipairs(wanted.names or {}) do
        if not name:match("^!?%*?[%w._-]+$") then
            return "not a name for a crt-list: " .. name
        end
    end
    return nil
end

-- Wait until nobody in this Lua state deploys on the same socket, then do it: work's results. The
-- turn is given back however the work ends.
local function in_turn(self, work, ...)
    local turns = 0
    while taken[self.address] do
        turns = turns + 1
        if turns > TURNS_COUNT then
            return nil, "another deployment has not ended", true
        end
        core.msleep(TURN_MS)
    end
    taken[self.address] = true
    local results = table.pack(pcall(work, self, ...))
    taken[self.address] = nil
    if not results[1] then
        return nil, "the deployment broke off: " .. tostring(results[2]), true
    end
    return table.unpack(results, 2, results.n)
end

-- The names HAProxy holds, when no transaction is open: one of ours that nobody will finish is
-- aborted, anybody else's is waited for. HAProxy 2.6 would put our certificate into it.
local function settled_stores(self, store)
    local stores, open, again = self:stores()
    if not stores then
        return nil, open, again
    end
    if open == store then
        self:command("abort ssl cert " .. store)
    elseif open then
        return nil, "HAProxy has an ongoing transaction about " .. open, true
    end
    return stores
end

-- One command that answers with the given words, or the reason.
local function expect(self, words, what, line, payload)
    local answer, why, again = self:command(line, payload)
    if not answer then
        return nil, why, again
    elseif not answer:find(words, 1, true) then
        return refused(what, answer)
    end
    return true
end

-- Set and commit. HAProxy checks that key and certificate belong together, and keeps what it has
-- when they do not.
local function commit(self, store, pem)
    local answer, why, again = self:command("set ssl cert " .. store, pem)
    local about = (answer or ""):match("Transaction %l+ for certificate ([^\n]+)!")
    if about and about ~= store then
        -- HAProxy 2.6 put our certificate into the transaction of somebody who came between: what
        -- that would commit is not what it says.
        self:command("abort ssl cert " .. text.quoted(about))
        return nil, "an ongoing transaction about " .. about .. " came between", true
    elseif not about then
        self:command("abort ssl cert " .. store)
        if answer then
            return refused("HAProxy does not take " .. store, answer)
        end
        return nil, why, again
    end
    local done
    done, why, again = expect(self, "Success!", "HAProxy refuses " .. store,
        "commit ssl cert " .. store)
    if not done then
        self:command("abort ssl cert " .. store)
        return nil, why, again
    end
    return true
end

-- Give a store its certificate in a transaction. What somebody else sets meanwhile, HAProxy 2.6
-- puts into ours: what was committed is looked at, and ours is committed again.
local function transact(self, store, pem)
    local serial = text.serial(pem)
    for _ = 1, TRIES_COUNT do
        local done, why, again = commit(self, store, pem)
        if not done then
            return nil, why, again
        end
        local found
        found, why, again = self:certificate(store)
        if not found then
            return nil, why, again
        elseif not serial or text.same_serial(serial, found.serial) then
            return found
        end
    end
    return nil, "others set certificates in the transaction for " .. store, true
end

-- Have HAProxy judge leaf and key in a store that nobody is served from.
local function try_pair(self, store, stores, leaf_and_key)
    local trial = store .. ".trial"
    if not holds(stores, trial) then
        local made, why, again = expect(self, "New empty certificate store", "no room for a trial",
            "new ssl cert " .. trial)
        if not made then
            return nil, why, again
        end
    end
    local leaf, why, again = transact(self, trial, leaf_and_key)
    self:command("del ssl cert " .. trial)
    return leaf, why, again
end

-- A certificate that is too large for a command goes by CertCache, which has no limit but takes a
-- pair that does not belong together. So HAProxy judges the pair first, and what it then has is
-- looked at. One text under the empty key: separate fields are read in no order (HAProxy 2.6).
local function set_large(self, store, stores, pem)
    local certificates, keys = text.pem_blocks(pem)
    if #certificates == 0 or #keys ~= 1 then
        return nil, "one private key and at least one certificate are needed for " .. store, false
    end
    local leaf, why, again = try_pair(self, store, stores, certificates[1] .. keys[1])
    if not leaf then
        return nil, why, again
    end
    local done, said = pcall(CertCache.set, {filename = store, [""] = pem})
    if not done then
        return refused("HAProxy refuses " .. store, tostring(said))
    end
    local found
    found, why, again = self:certificate(store)
    if not found then
        return nil, why, again
    elseif found.serial ~= leaf.serial or found.sha1 ~= leaf.sha1
        or (found.sha1 and #found.chain ~= #certificates - 1) then
        return nil, "HAProxy does not hold what it was given as " .. store, false
    end
    return true
end

-- Remove entries from a crt-list by their lines.
local function remove_entries(self, crt_list, entries)
    for _, entry in ipairs(entries) do
        local done, why, again = expect(self, "deleted in crtlist", "HAProxy keeps an entry",
            string.format("del ssl crt-list %s %s:%d", crt_list, entry.store, entry.line))
        if not done then
            return nil, why, again
        end
    end
    return true
end

-- Have one entry of the wanted form for the store: the new one first, so that no name is without a
-- certificate, then what it replaces.
local function enter(self, wanted, entries)
    local line = text.crt_list_line(wanted)
    local old, there = {}, false
    for _, entry in ipairs(entries) do
        if entry.store == wanted.store then
            if not there and text.crt_list_line(entry) == line then
                there = true
            else
                table.insert(old, entry)
            end
        end
    end
    if not there then
        local done, why, again = expect(self, "Success!", "HAProxy refuses the crt-list's line",
            "add ssl crt-list " .. wanted.crt_list, line)
        if not done then
            return nil, why, again
        end
    end
    return remove_entries(self, wanted.crt_list, old)
end

-- Give a store that exists its certificate, then its entry.
local function fill(self, wanted, stores, entries)
    local load, done, why, again = "set ssl cert " .. wanted.store .. " <<\n\n\n", nil, nil, nil
    if fits(self, load .. text.payload(wanted.pem)) then
        done, why, again = transact(self, wanted.store, wanted.pem)
    else
        done, why, again = set_large(self, wanted.store, stores, wanted.pem)
    end
    if done and entries then
        done, why, again = enter(self, wanted, entries)
    end
    return done, why, again
end

local function deploy(self, wanted)
    local stores, why, again = settled_stores(self, wanted.store)
    if not stores then
        return nil, why, again
    end
    local entries
    if wanted.crt_list then
        entries, why, again = self:crt_list(wanted.crt_list)
        if not entries then
            return nil, why, again
        end
    end
    local is_new = not holds(stores, wanted.store)
    local done
    if is_new then
        done, why, again = expect(self, "New empty certificate store", "no room for a certificate",
            "new ssl cert " .. wanted.store)
        if not done then
            return nil, why, again
        end
    end
    done, why, again = fill(self, wanted, stores, entries)
    if not done then
        if is_new then
            self:command("del ssl cert " .. wanted.store)
        end
        return nil, why, again
    end
    return self:certificate(wanted.store)
end

-- self:deploy{store =, pem =, crt_list =, names =, options =}: serve a certificate from now on.
--   store     the name HAProxy knows it by: the path it has, or will have, in a crt-list on disk
--   pem       certificate, chain and private key in one text
--   crt_list  the crt-list to be entered in, by the name in the configuration; without it only the
--             certificate is replaced
--   names     the names to serve it for, wildcards and !exceptions too; none: the certificate's own
--   options   of the crt-list's line: "alpn h2,http/1.1"
-- Connections that are there keep what they have. Doing it twice is doing it once. Answers what
-- HAProxy then holds. What HAProxy refuses leaves it with what it had.
function methods:deploy(wanted)
    local complaint = complaint_of(wanted)
    if not complaint and type(wanted.pem) ~= "string" then
        complaint = "a certificate is deployed as one PEM text"
    end
    if complaint then
        return nil, complaint, false
    end
    return in_turn(self, deploy, wanted)
end

local function withdraw(self, wanted)
    local stores, why, again = settled_stores(self, wanted.store)
    if not stores then
        return nil, why, again
    end
    if wanted.crt_list then
        local entries
        entries, why, again = self:crt_list(wanted.crt_list)
        if not entries then
            return nil, why, again
        end
        local ours = {}
        for _, entry in ipairs(entries) do
            if entry.store == wanted.store then
                table.insert(ours, entry)
            end
        end
        local done
        done, why, again = remove_entries(self, wanted.crt_list, ours)
        if not done then
            return nil, why, again
        end
    end
    if not holds(stores, wanted.store) then
        return true
    end
    return expect(self, "' deleted!", "HAProxy keeps " .. wanted.store,
        "del ssl cert " .. wanted.store)
end

-- self:withdraw{store =, crt_list =}: serve a certificate no longer, and forget it. Answers true,
-- also when it was not there; HAProxy refuses while another crt-list uses it.
function methods:withdraw(wanted)
    local complaint = complaint_of(wanted)
    if complaint then
        return nil, complaint, false
    end
    return in_turn(self, withdraw, wanted)
end

return runtime
