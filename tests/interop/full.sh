#!/bin/bash
# SPDX-License-Identifier: MIT
# Proven here: on a file system that is full, at every stage of an issuance that it can be full at,
# `thinair issue` ends with status 1 and says so, the certificate that was there stays whole, and as
# soon as there is room again it goes on and succeeds. The daemon serves on meanwhile.
#
# Needs root: a small tmpfs in a mount namespace of its own, which ends with this script.
if [ "$(id -u)" -ne 0 ]; then
    echo "needs root for a small tmpfs"
    exit 77
fi
if [ -z "${THINAIR_FULL_NAMESPACE:-}" ]; then
    unshare --mount true 2>/dev/null || {
        echo "no mount namespaces here"
        exit 77
    }
    THINAIR_FULL_NAMESPACE=1 exec unshare --mount "$0" "$@"
fi
. "$(dirname "$0")/program.sh"
begin
start_page
small=$place/small
mkdir "$small"
mount -t tmpfs -o size=512k,mode=700 thinair-test "$small" || fail "no tmpfs"
common=(--ca "$PEBBLE_URL" --ca-file "$PEBBLE_CA" --state "$small/state"
    --http "127.0.0.1:$PEBBLE_HTTP_PORT")
wish=(--name a.example "${common[@]}" --agree-terms)
live=$small/state/live/a.example/ecdsa-p256

# leave_room PAGES: fill everything but so many pages.
leave_room() {
    rm -f "$small/ballast"
    cat /dev/zero >"$small/ballast" 2>/dev/null
    truncate -s "-$(($1 * 4096))" "$small/ballast"
}

is_whole() {
    openssl verify -CAfile "$PEBBLE_ROOT" -untrusted "$live/fullchain.pem" \
        -verify_hostname a.example "$live/fullchain.pem" >"$place/verify.log" 2>&1 &&
        [ "$(openssl pkey -in "$live/bundle.pem" -pubout 2>&1)" = \
            "$(openssl x509 -in "$live/bundle.pem" -noout -pubkey 2>&1)" ]
}

serial_of() {
    openssl x509 -noout -serial -in "$live/fullchain.pem"
}

expect 0 "stored:" "$thinair" issue "${wish[@]}"
is_whole || fail "no whole certificate to begin with"

# More room each time, until a renewal fits.
refusals=0
room=0
while [ "$room" -lt 60 ]; do
    leave_room "$room"
    before=$(serial_of)
    status=0
    timeout 60 "$thinair" renew "${wish[@]}" >"$place/out.log" 2>&1 || status=$?
    is_whole || fail "with room for $room pages: the certificate is not whole any more"
    [ "$status" -ne 0 ] || break
    [ "$status" -eq 1 ] || fail "with room for $room pages: status $status"
    grep -qi "no space left\|full" "$place/out.log" || fail "room for $room pages: not told why"
    [ "$(serial_of)" = "$before" ] || fail "room for $room pages: failed, yet replaced"
    refusals=$((refusals + 1))
    # Room again: it goes on.
    rm "$small/ballast"
    expect 0 "stored:" "$thinair" renew "${wish[@]}"
    is_whole && [ "$(serial_of)" != "$before" ] || fail "room again after $room pages: no renewal"
    room=$((room + 1))
done
[ "$refusals" -gt 0 ] || fail "a full disk was no obstacle"
[ "$room" -lt 60 ] || fail "never enough room"
rm "$small/ballast"

# The daemon: serves on, says so, renews when there is room.
start_daemon --to "127.0.0.1:$page_port" --listen "127.0.0.1:$PEBBLE_TLS_PORT" "${wish[@]}"
wait_for fetch a.example
before=$(serial a.example)
leave_room 0
expect 0 "" "$thinair" renew a.example --state "$small/state"
wait_for grep -qi "no space left\|full" "$place/daemon.log"
fetch a.example >/dev/null || fail "the daemon does not serve on a full disk"
[ "$(serial a.example)" = "$before" ] || fail "another certificate on a full disk"
rm "$small/ballast"
is_renewed() {
    "$thinair" renew a.example --state "$small/state" && sleep 0.5 &&
        [ "$(serial a.example)" != "$before" ]
}
wait_for is_renewed
fetch a.example >/dev/null || fail "not served after the renewal"
stop_daemon
umount "$small"
echo "passed: $refusals refusals, then room for $room pages was enough"
