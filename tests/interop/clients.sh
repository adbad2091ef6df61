#!/bin/bash
# SPDX-License-Identifier: MIT
# Proven here: behind one port a client that knows only ECDSA and one that knows only RSA each get
# their own certificate, with exactly the chain that was issued, in TLS 1.2 and 1.3, verified by
# Pebble's root; curl gets the page; a backend that is down is a clean close, for its name alone.
. "$(dirname "$0")/program.sh"
begin
start_page

cat >"$place/thinair.yaml" <<END
state: $place/state
listen: 127.0.0.1:$PEBBLE_TLS_PORT
http: 127.0.0.1:$PEBBLE_HTTP_PORT
ca: $PEBBLE_URL
ca-file: $PEBBLE_CA
agree-terms: true
certificates:
  - names: [a.example, www.a.example]
    keys: [ecdsa-p256, rsa-2048]
    to: 127.0.0.1:$page_port
  - name: down.example
    to: 127.0.0.1:$(pebble_free_port)
END

# visit NAME FLAGS...: a handshake, verified; what was served goes to visit.log, chain and all.
visit() {
    local name=$1
    shift
    timeout 20 openssl s_client -connect "127.0.0.1:$PEBBLE_TLS_PORT" -servername "$name" \
        -CAfile "$PEBBLE_ROOT" -verify_return_error -verify_hostname "$name" -showcerts "$@" \
        </dev/null >"$place/visit.log" 2>&1
}

chain_of() {
    sed -n '/^-----BEGIN CERTIFICATE/,/^-----END CERTIFICATE/p' "$1"
}

# gets TYPE PEM-WORD NAME FLAGS...: the client is given the certificate of that key type.
gets() {
    local type=$1 word=$2 name=$3
    shift 3
    visit "$name" "$@" || fail "no verified handshake for $name: $*"
    openssl x509 -noout -text -in "$place/visit.log" | grep -q "Public Key Algorithm: $word" ||
        fail "not the $type certificate: $name $*"
    [ "$(chain_of "$place/visit.log")" = \
        "$(chain_of "$place/state/live/a.example/$type/fullchain.pem")" ] ||
        fail "not the chain that was issued: $name $*"
    [ "$(grep -c BEGIN "$place/visit.log")" -ge 2 ] || fail "no intermediate: $name $*"
}

start_daemon --config "$place/thinair.yaml"
wait_for visit a.example -sigalgs "RSA-PSS+SHA256:RSA+SHA256"
wait_for visit a.example -sigalgs "ECDSA+SHA256"
wait_for visit down.example

for name in a.example www.a.example; do
    for version in -tls1_2 -tls1_3; do
        gets ecdsa-p256 id-ecPublicKey "$name" "$version" -sigalgs "ECDSA+SHA256"
        gets rsa-2048 rsaEncryption "$name" "$version" -sigalgs "RSA-PSS+SHA256:RSA+SHA256"
        gets ecdsa-p256 id-ecPublicKey "$name" "$version"
    done
    [ "$(fetch "$name")" = page ] || fail "curl does not get the page of $name"
done

# An RSA-only client has nothing to expect of a certificate that has only ECDSA: a clean alert.
! visit down.example -tls1_3 -sigalgs "RSA-PSS+SHA256" || fail "a handshake without a common key"
grep -q "alert handshake failure" "$place/visit.log" || fail "no alert when no key type fits"

# curl: 52 is an empty answer after a TLS close that was announced; one that was cut off is 56.
for try in 1 2 3; do
    status=0
    fetch down.example >/dev/null 2>"$place/curl.log" || status=$?
    [ "$status" -eq 52 ] || fail "no clean close without a backend: curl ends with $status"
done
[ "$(fetch a.example)" = page ] || fail "the other name suffers"
stop_daemon
echo "passed"
