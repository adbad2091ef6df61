#!/bin/bash
# SPDX-License-Identifier: MIT
# Proven here: HAProxy loads the two bundle.pem of live/ as site.pem.rsa and site.pem.ecdsa, as
# docs/state-directory.md tells its users, and serves each to the client that can use it, in TLS 1.2
# and 1.3, chain and all; after a renewal and a reload it serves the new one.
. "$(dirname "$0")/program.sh"
PATH=$PATH:/usr/sbin
command -v haproxy >/dev/null || {
    echo "haproxy is not installed"
    exit 77
}
haproxy_pid=
leave_haproxy() {
    local status=$?
    end_process "$haproxy_pid"
    (exit "$status")
    leave
}
begin
trap leave_haproxy EXIT
port=$(pebble_free_port)

issue=(--name a.example --key "ecdsa-p256,rsa-2048" "${common[@]}" --agree-terms)
expect 0 "stored:" "$thinair" issue "${issue[@]}"
mkdir "$place/site"
ln -s "$place/state/live/a.example/ecdsa-p256/bundle.pem" "$place/site/site.pem.ecdsa"
ln -s "$place/state/live/a.example/rsa-2048/bundle.pem" "$place/site/site.pem.rsa"
cat >"$place/haproxy.cfg" <<END
global
    ssl-default-bind-options ssl-min-ver TLSv1.2
defaults
    mode http
    timeout client 10s
    timeout server 10s
    timeout connect 10s
frontend site
    bind 127.0.0.1:$port ssl crt $place/site/site.pem
    http-request return status 200 content-type text/plain string page
END

start_haproxy() {
    haproxy -db -q -f "$place/haproxy.cfg" >>"$place/haproxy.log" 2>&1 &
    haproxy_pid=$!
}

visit() {
    timeout 20 openssl s_client -connect "127.0.0.1:$port" -servername a.example \
        -CAfile "$PEBBLE_ROOT" -verify_return_error -verify_hostname a.example -showcerts "$@" \
        </dev/null >"$place/visit.log" 2>&1
}

# gets TYPE FLAGS...: the client is given what live/ has for that key type.
gets() {
    local type=$1
    shift
    visit "$@" || fail "HAProxy does not serve: $*"
    [ "$(sed -n '/^-----BEGIN/,/^-----END/p' "$place/visit.log")" = \
        "$(cat "$place/state/live/a.example/$type/fullchain.pem")" ] ||
        fail "not the $type chain: $*"
}

gets_both() {
    local version
    for version in -tls1_2 -tls1_3; do
        gets ecdsa-p256 "$version" -sigalgs "ECDSA+SHA256"
        gets rsa-2048 "$version" -sigalgs "RSA-PSS+SHA256:RSA+SHA256"
    done
}

haproxy -c -q -f "$place/haproxy.cfg" >"$place/haproxy.log" 2>&1 || fail "HAProxy refuses the files"
start_haproxy
wait_for visit
gets_both
[ "$(curl -sS --noproxy '*' --max-time 10 --cacert "$PEBBLE_ROOT" \
    --resolve "a.example:$port:127.0.0.1" "https://a.example:$port/")" = page ] || fail "no page"

before=$(cat "$place/state/live/a.example/"*/fullchain.pem)
expect 0 "stored:" "$thinair" renew "${issue[@]}"
[ "$before" != "$(cat "$place/state/live/a.example/"*/fullchain.pem)" ] || fail "not renewed"
end_process "$haproxy_pid"
start_haproxy
wait_for visit
gets_both
echo "passed: $(haproxy -v | head -n 1)"
