-- SPDX-License-Identifier: MIT
-- A new certificate into the running HAProxy, through its runtime API; then a handshake that shows
-- it. What HAProxy loads at its next start is written by the core, into the state directory.
--
-- A stats socket that does not answer, or a transaction that somebody has open, is no fault of the
-- certificate: the engine is told that it is there, so that it is not ordered again, and it is
-- tried again here until it is served.

local records = require("thinair_records")
local runtime = require("thinair_runtime")

local deploy = {}

local CRT_LIST = "/haproxy/crt-list"
local HANDSHAKE_TIMEOUT_S = 5
local PAUSE_MS = 100
-- How long the engine waits for a deployment that is tried again and again: it gives up after
-- thirty seconds. And how long one answer of the stats socket is waited for.
local TRIES_S, ANSWER_TIMEOUT_S = 8, 5
-- What is not served yet is tried again after that time, which doubles.
local RETRY_MIN_S, RETRY_MAX_S = 10, 900

-- What is not served yet, by store: certificate, key_type, names, at (when to try), pause_s.
local unserved = {}
-- Stores that are at it. An older certificate must not come after a newer one.
local busy = {}

-- The name HAProxy knows a certificate by: the file that it loads at its next start.
function deploy.store(options, certificate, key_type)
    return options.state .. "/live/" .. certificate .. "/" .. key_type .. "/bundle.pem"
end

function deploy.crt_list(options)
    return options.state .. CRT_LIST
end

local function talk(handle, options, what)
    local name = what.names[1]:gsub("^%*", "thinairprobe")
    local visitor, why = handle:visitor(name, what.key_type, what.chain)
    if not visitor then
        return nil, why
    end
    local socket = core.tcp()
    socket:settimeout(HANDSHAKE_TIMEOUT_S)
    local address, port = options.handshake:match("^(.*):(%d+)$")
    local connected
    if port then
        connected, why = socket:connect(address, tonumber(port))
    else
        connected, why = socket:connect(options.handshake)
    end
    local bytes = ""
    while connected do
        local out, state, fault = visitor:feed(bytes)
        if #out > 0 then
            socket:send(out)
        end
        if state ~= "want" then
            connected, why = state == "done", fault
            break
        end
        bytes = records.receive(socket)
        if not bytes then
            connected, why = nil, "the connection was closed"
            break
        end
    end
    socket:close()
    return connected, why
end

local function prove(handle, options, what)
    if not options.handshake then
        return true
    end
    local done, shown, why = pcall(talk, handle, options, what)
    if not done then
        return nil, tostring(shown)
    end
    return shown, why
end

local function seconds()
    return core.now().sec
end

-- Installed; or nil, why, and whether that may pass.
local function install(handle, options, what)
    local haproxy, why, again = runtime.connect{
        path = options.stats_socket, timeout_s = ANSWER_TIMEOUT_S}
    if not haproxy then
        return nil, why, true
    end
    local deployed
    deployed, why, again = haproxy:deploy{
        store = deploy.store(options, what.certificate, what.key_type),
        pem = what.chain .. what.key,
        crt_list = deploy.crt_list(options),
        names = what.names,
    }
    if not deployed then
        return nil, why, again
    end
    return prove(handle, options, what)
end

local function install_soon(handle, options, what)
    local until_s = seconds() + TRIES_S
    local installed, why, again
    repeat
        installed, why, again = install(handle, options, what)
        if installed or not again then
            break
        end
        core.msleep(PAUSE_MS)
    until seconds() >= until_s
    return installed, why, again
end

-- One at a time for each store. An error is no fault of the certificate either.
local function alone(store, call, ...)
    while busy[store] do
        core.msleep(PAUSE_MS)
    end
    busy[store] = true
    local done, installed, why, again = pcall(call, ...)
    busy[store] = nil
    if not done then
        return nil, tostring(installed), true
    end
    return installed, why, again
end

local function about(what)
    return "thinair: " .. what.certificate .. " (" .. what.key_type .. "): "
end

local function is_served_now(store)
    local old = unserved[store]
    unserved[store] = nil
    if old then
        core.log(core.info, about(old) .. "it is served now")
    end
end

local function remember(store, what, why)
    if not unserved[store] then
        core.log(core.alert, about(what) .. "not served yet: " .. tostring(why)
            .. "; it is tried again until it is, and HAProxy loads it when it is reloaded")
    end
    unserved[store] = {certificate = what.certificate, key_type = what.key_type,
        names = what.names, at = seconds() + RETRY_MIN_S, pause_s = RETRY_MIN_S}
end

function deploy.is_unserved(options, certificate, key_type)
    return unserved[deploy.store(options, certificate, key_type)] ~= nil
end

-- Carry out one action of the engine, in a task of its own.
function deploy.carry_out(handle, options, what)
    local store = deploy.store(options, what.certificate, what.key_type)
    local installed, why, again = alone(store, install_soon, handle, options, what)
    if installed then
        is_served_now(store)
    elseif again then
        remember(store, what, why)
        installed = true
    end
    local done, is_told
    repeat -- neither a want of memory nor an error makes it undone
        done, is_told = pcall(installed and handle.done or handle.failed, handle, what.id,
            "refused", tostring(why))
        if not (done and is_told) then
            core.msleep(PAUSE_MS)
        end
    until done and is_told
end

-- The next one that is due, as it is on disk by now.
local function retry(handle, options, store)
    local waits = unserved[store]
    local pem = waits and handle:read(waits.certificate, waits.key_type)
    if not pem then
        return nil
    end
    return install(handle, options, {certificate = waits.certificate, key_type = waits.key_type,
        names = waits.names, chain = pem, key = ""})
end

-- Try what is not served yet and due: one of it. To be called now and then.
function deploy.retry(handle, options)
    local now = seconds()
    for store, waits in pairs(unserved) do
        if waits.at <= now then
            waits.pause_s = math.min(2 * waits.pause_s, RETRY_MAX_S)
            waits.at = now + waits.pause_s
            if alone(store, retry, handle, options, store) then
                is_served_now(store)
            end
            return
        end
    end
end

return deploy
