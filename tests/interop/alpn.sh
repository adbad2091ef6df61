#!/bin/bash
# SPDX-License-Identifier: MIT
# Proven here: acme-tls/1 (RFC 8737) gets the challenge certificate of a name only while a challenge
# for that name is live, in TLS 1.2 and 1.3, and alert 120 at any other time and for any other name;
# ordinary clients are served all the while. A gate stands where Pebble validates: closed, it keeps
# the validation waiting and with it the challenge alive.
export PEBBLE_AUTHZREUSE=0
. "$(dirname "$0")/program.sh"
gate_pid=
leave_gate() {
    local status=$?
    end_process "$gate_pid"
    (exit "$status")
    leave
}
begin
trap leave_gate EXIT
start_page
front_port=$(pebble_free_port)

python3 "$(dirname "$0")/gate.py" "$place/open" "$place/gate.ready" \
    "$PEBBLE_TLS_PORT:$front_port" >"$place/gate.log" 2>&1 &
gate_pid=$!
wait_for test -e "$place/gate.ready"

# visit FLAGS...: what a client is told goes to visit.log.
visit() {
    timeout 20 openssl s_client -connect "127.0.0.1:$front_port" "$@" </dev/null \
        >"$place/visit.log" 2>&1
}

is_validated() {
    visit -alpn acme-tls/1 -servername "$1" "${@:2}" &&
        grep -q "^ALPN protocol: acme-tls/1" "$place/visit.log"
}

# refused WHEN: nobody gets an answer to acme-tls/1 now.
refused() {
    local version
    for version in -tls1_2 -tls1_3; do
        for name in "${@:2}"; do
            ! visit "$version" -alpn acme-tls/1 -servername "$name" ||
                fail "$1: a handshake for $name with acme-tls/1 $version"
            grep -q "SSL alert number 120" "$place/visit.log" ||
                fail "$1: not alert 120 for $name $version"
        done
        ! visit "$version" -alpn acme-tls/1 -noservername || fail "$1: a challenge without a name"
        grep -q "SSL alert number 120" "$place/visit.log" || fail "$1: not alert 120 without a name"
    done
}

served() {
    visit -servername "$1" -alpn "$2" -CAfile "$PEBBLE_ROOT" -verify_return_error \
        -verify_hostname "$1" || fail "a client that offers $2 is not served $1"
}

is_renewed() {
    served a.example http/1.1
    [ "$(openssl x509 -noout -serial -in "$place/visit.log")" != "$before" ]
}

touch "$place/open"
start_daemon --name a.example --to "127.0.0.1:$page_port" --agree-terms --ca "$PEBBLE_URL" \
    --ca-file "$PEBBLE_CA" --state "$place/state" --listen "127.0.0.1:$front_port" \
    --http "127.0.0.1:0" --challenge tls-alpn-01
is_served() {
    visit -servername a.example -CAfile "$PEBBLE_ROOT" -verify_return_error
}
wait_for is_served
before=$(openssl x509 -noout -serial -in "$place/visit.log")
refused "before the challenge" a.example b.example

rm "$place/open"
expect 0 "" "$thinair" renew a.example --state "$place/state"
wait_for is_validated a.example
for version in -tls1_2 -tls1_3; do
    is_validated a.example "$version" || fail "no validation over $version"
    openssl x509 -noout -text -in "$place/visit.log" >"$place/challenge.log"
    grep -A1 "1.3.6.1.5.5.7.1.31: critical" "$place/challenge.log" >/dev/null ||
        fail "no critical acmeIdentifier over $version"
    [ "$(grep -A1 "Subject Alternative Name" "$place/challenge.log" | tail -n 1 | tr -d ' ')" = \
        DNS:a.example ] || fail "not the one name over $version"
    [ "$(grep -c "BEGIN CERTIFICATE" "$place/visit.log")" -eq 1 ] || fail "more than itself"
done
refused "during the challenge of another name" b.example
served a.example http/1.1
served a.example acme-tls/1,http/1.1
! is_renewed || fail "renewed before it was validated"

touch "$place/open"
wait_for is_renewed
refused "after the challenge" a.example b.example
stop_daemon
echo "passed"
