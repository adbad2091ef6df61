-- SPDX-License-Identifier: MIT
-- tls-alpn-01 (RFC 8737): our side of a CA's handshake, as an action of a TCP frontend. An action,
-- because a service of HAProxy 2.6 cannot stop waiting for bytes; an action looks whether there are
-- any, and HAProxy ends it when the frontend's inspect-delay is over. How many there may be at
-- once, and for how long, is counted in the core, for all Lua states together.

local alpn = {}

-- How often a client that has sent nothing is looked at.
local POLL_MS = 10

local function talk(txn, responder)
    local state = "want"
    while state == "want" do
        local size, bytes, out = txn.req:input(), "", nil
        if size > 0 then
            bytes = txn.req:data(0, size)
            txn.req:remove(0, size)
        end
        out, state = responder:feed(bytes) -- "failed" when it is late
        if #out > 0 then
            txn.res:send(out)
        end
        if state == "want" and size == 0 then
            if not txn.req:may_recv() then
                return
            end
            core.msleep(POLL_MS)
        end
    end
end

-- The function for core.register_action(NAME, {"tcp-req"}, ...). The connection is closed after it.
function alpn.action(handle)
    return function(txn)
        local responder = handle:responder(txn.f:src() or "")
        if responder then
            local done, why = pcall(talk, txn, responder)
            responder:close()
            if not done then
                core.log(core.warning, "thinair: tls-alpn-01: " .. tostring(why))
            end
        end
        txn:done()
    end
end

return alpn
