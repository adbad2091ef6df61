/* SPDX-License-Identifier: MIT */
/*
 * External account binding (RFC 8555 section 7.3.4): a JWS over the account's public key, with a
 * MAC by the key that the CA gave to its customer.
 *
 * Invariant: the decoded MAC key lives in one buffer, which is wiped before the call returns.
 */

#include "src/base/base64url.h"
#include "src/base/span.h"
#include "src/jose/jws_input.h"

/* RFC 7518 section 3.2 asks for 32 octets at least; CAs hand out 32 to 64. */
#define MAC_KEY_SIZE_MAX 4096

static enum air_error write_input(
    air_span kid, air_span url, const struct air_public_key *account_key, struct air_buffer *out);

enum air_error air_jws_bind_external_account(const struct air_crypto *crypto, air_span kid,
    air_span mac_key, air_span url, const struct air_public_key *account_key,
    struct air_buffer *out) {
    uint8_t mac[AIR_SHA256_SIZE];
    struct air_buffer key;
    struct air_buffer input;
    air_buffer_init(&key, MAC_KEY_SIZE_MAX);
    air_buffer_init(&input, AIR_JWS_SIZE_MAX);
    enum air_error error = air_base64_decode_lenient(mac_key, &key);
    if (error == AIR_OK && (key.size == 0 || kid.size == 0)) {
        error = AIR_ERR_MALFORMED;
    }
    if (error == AIR_OK) {
        error = write_input(kid, url, account_key, &input);
    }
    if (error == AIR_OK) {
        error =
            crypto->hmac_sha256(crypto->self, air_buffer_span(&key), air_buffer_span(&input), mac);
    }
    if (error == AIR_OK) {
        error = air_jws_assemble(air_buffer_span(&input), air_span_of(mac, sizeof(mac)), out);
    }
    air_buffer_deinit(&input);
    air_buffer_deinit(&key);
    return error;
}

static enum air_error write_input(
    air_span kid, air_span url, const struct air_public_key *account_key, struct air_buffer *out) {
    const struct air_jws_header header = {.kid = kid, .url = url};
    struct air_buffer jwk;
    air_buffer_init(&jwk, AIR_JWS_SIZE_MAX);
    enum air_error error = air_jwk_write(account_key, &jwk);
    if (error == AIR_OK) {
        error = air_jws_write_input("HS256", &header, air_buffer_span(&jwk), out);
    }
    air_buffer_deinit(&jwk);
    return error;
}
