-- SPDX-License-Identifier: MIT
-- A new certificate into the running HAProxy, through its runtime API; then a handshake that shows
-- it. What HAProxy loads at its next start is written by the core, into the state directory.

local records = require("thinair_records")
local runtime = require("thinair_runtime")

local deploy = {}

local CRT_LIST = "/haproxy/crt-list"
local HANDSHAKE_TIMEOUT_S = 5
local TRIES, PAUSE_MS = 50, 100

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

-- Installed, or nil, why, whether to try again, and whether HAProxy could not even be asked.
local function install(handle, options, what)
    local haproxy, why, again = runtime.connect{path = options.stats_socket}
    if not haproxy then
        return nil, why, again, true
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

-- Carry out one action of the engine, in a task of its own. A stats socket that does not serve is
-- no fault of the certificate, which must not be ordered again for it: it is on disk.
function deploy.carry_out(handle, options, what)
    local installed, why, again, is_unasked
    for _ = 1, TRIES do
        installed, why, again, is_unasked = install(handle, options, what)
        if installed or not again then
            break
        end
        core.msleep(PAUSE_MS)
    end
    if is_unasked then
        core.log(core.alert, "thinair: " .. what.certificate .. " (" .. what.key_type
            .. "): served only from the next reload on: " .. tostring(why))
        installed = true
    end
    while not (installed and handle:done(what.id)
               or not installed and handle:failed(what.id, "refused", tostring(why))) do
        core.msleep(PAUSE_MS)
    end
end

return deploy
