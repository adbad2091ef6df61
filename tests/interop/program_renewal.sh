#!/bin/bash
# SPDX-License-Identifier: MIT
# Proven here: with short lifetimes the daemon renews by its own schedule, twice, while every
# request over a new connection succeeds, and a certificate that cannot be renewed is served on and
# told of as expiring.
export PEBBLE_VALIDITY_S=14
. "$(dirname "$0")/program.sh"
begin
start_page

start_daemon --name a.example --to "127.0.0.1:$page_port" "${common[@]}" --agree-terms \
    --listen "127.0.0.1:$PEBBLE_TLS_PORT"
wait_for fetch a.example
for renewal in 1 2; do
    before=$(serial a.example)
    deadline=$((SECONDS + 30))
    until [ "$(serial a.example)" != "$before" ]; do
        fetch a.example >/dev/null || fail "a request failed around renewal $renewal"
        [ "$SECONDS" -lt "$deadline" ] || fail "renewal $renewal never came"
    done
done
[ "$(grep -c ': issued' "$place/daemon.log")" -ge 3 ] || fail "the log does not tell of renewals"

# Without the CA: served on, and told of.
end_process "$PEBBLE_PID"
PEBBLE_PID=
wait_for grep -qE ": (expires-soon|expired)" "$place/daemon.log"
[ -n "$(serial a.example)" ] || fail "not served any more"
expect 0 "last error" "$thinair" status a.example --state "$place/state"
stop_daemon
echo "passed"
