/* SPDX-License-Identifier: MIT */
/*
 * Looking at a server as a client would: which chain it sends for a name to a client that can
 * verify this type of key only, and whether it has the key, which the handshake itself shows. No
 * root is trusted or needed, dates are not judged: the engine did that before.
 */

#include "tls/probe.h"

#include <string.h>

#include <openssl/err.h>
#include <openssl/x509v3.h>

#include "src/base/memory.h"
#include "src/base/name.h"
#include "src/base/span.h"
#include "thinair/tls.h"
#include "tls/bundle.h"
#include "tls/transport.h"

/* What makes OpenSSL's server choose a certificate of this type and no other. */
struct taste {
    enum air_key_type key_type;
    const char *signatures; /* TLS 1.3, and 1.2 */
    const char *ciphers;    /* TLS 1.2: no key exchange that works without a signature */
};

static const char rsa_signatures[] =
    "RSA-PSS+SHA256:RSA-PSS+SHA384:RSA-PSS+SHA512:RSA+SHA256:RSA+SHA384:RSA+SHA512";

static const struct taste tastes[] = {
    {AIR_KEY_ECDSA_P256, "ECDSA+SHA256", "ECDHE+aECDSA"},
    {AIR_KEY_ECDSA_P384, "ECDSA+SHA384", "ECDHE+aECDSA"},
    {AIR_KEY_RSA_2048, rsa_signatures, "ECDHE+aRSA"},
    {AIR_KEY_RSA_3072, rsa_signatures, "ECDHE+aRSA"},
    {AIR_KEY_RSA_4096, rsa_signatures, "ECDHE+aRSA"},
};

static enum air_error probe_context(
    const struct air_probe *probe, SSL_CTX *context, struct air_buffer *reason);
static enum air_error make_host(air_span name, char host[AIR_PROBE_HOST_SIZE]);
static enum air_error make_client(enum air_key_type key_type, SSL_CTX **out);
static SSL *client_new(const struct air_probe *probe, int version_min, int version_max);
static enum air_error judge(const struct air_probe *probe, const SSL *client,
    enum air_error handshake, const char *version, struct air_buffer *reason);
static const char *find_fault(const struct air_probe *probe, const SSL *client);
static const char *describe(enum air_error handshake);
static bool is_same_chain(const STACK_OF(X509) * sent, const STACK_OF(X509) * expected);

enum air_error air_tls_probe_context(SSL_CTX *context, air_span name, enum air_key_type key_type,
    air_span chain, struct air_buffer *reason) {
    struct air_probe probe;
    enum air_error error = air_probe_init(&probe, name, key_type, reason);
    if (error == AIR_OK) {
        error = air_chain_parse(chain, reason, &probe.chain);
    }
    if (error == AIR_OK) {
        error = probe_context(&probe, context, reason);
    }
    air_probe_deinit(&probe);
    return air_probe_verdict(error);
}

enum air_error air_tls_probe_socket(int socket, air_span name, enum air_key_type key_type,
    air_span chain, struct air_buffer *reason) {
    struct air_probe probe;
    SSL *client = NULL;
    enum air_error error = air_probe_init(&probe, name, key_type, reason);
    if (error == AIR_OK) {
        error = air_chain_parse(chain, reason, &probe.chain);
    }
    if (error != AIR_OK) {
        goto done;
    }
    client = client_new(&probe, TLS1_2_VERSION, 0);
    if (client == NULL) {
        error = AIR_ERR_NO_MEMORY;
        goto done;
    }
    error = air_transport_socket(client, socket);
    error = judge(&probe, client, error, "", reason);
done:
    SSL_free(client);
    air_probe_deinit(&probe);
    return air_probe_verdict(error);
}

enum air_error air_probe_init(
    struct air_probe *probe, air_span name, enum air_key_type key_type, struct air_buffer *reason) {
    memset(probe, 0, sizeof(*probe));
    enum air_error error = make_host(name, probe->host);
    if (error != AIR_OK) {
        air_reason_add(reason, "no host of that name can be asked for");
        return error;
    }
    error = make_client(key_type, &probe->client);
    if (error != AIR_OK) {
        air_reason_add(reason, "no client can be made for this type of key");
    }
    return error;
}

void air_probe_deinit(struct air_probe *probe) {
    SSL_CTX_free(probe->client);
    sk_X509_pop_free(probe->chain, X509_free);
}

enum air_error air_probe_memory(const struct air_probe *probe, SSL_CTX *server_context, int version,
    struct air_buffer *reason) {
    enum air_error error = AIR_ERR_NO_MEMORY;
    SSL *client = client_new(probe, version, version);
    SSL *server = SSL_new(server_context);
    if (client != NULL && server != NULL) {
        /* A host that verifies its clients would refuse this one, which has nothing to do with
         * what it serves. */
        SSL_set_verify(server, SSL_VERIFY_NONE, NULL);
        error = air_transport_memory(client, server);
        error = judge(
            probe, client, error, version == TLS1_3_VERSION ? "TLS 1.3: " : "TLS 1.2: ", reason);
    }
    SSL_free(client);
    SSL_free(server);
    return error;
}

enum air_error air_probe_verdict(enum air_error error) {
    bool is_verdict = error == AIR_ERR_TLS || error == AIR_ERR_BAD_CERTIFICATE ||
                      error == AIR_ERR_MALFORMED || error == AIR_ERR_LIMIT;
    return is_verdict ? AIR_ERR_NOT_PROVEN : error;
}

/* A host may allow one of the versions only: one must work, and none may show another chain. */
static enum air_error probe_context(
    const struct air_probe *probe, SSL_CTX *context, struct air_buffer *reason) {
    const int versions[] = {TLS1_3_VERSION, TLS1_2_VERSION};
    size_t before = reason == NULL ? 0 : reason->size;
    bool is_seen = false;
    for (size_t i = 0; i < sizeof(versions) / sizeof(versions[0]); i++) {
        enum air_error error = air_probe_memory(probe, context, versions[i], reason);
        if (error != AIR_OK && error != AIR_ERR_TLS) {
            return error;
        }
        is_seen = is_seen || error == AIR_OK;
    }
    if (is_seen && reason != NULL) {
        air_buffer_truncate(reason, before);
    }
    return is_seen ? AIR_OK : AIR_ERR_TLS;
}

/* A host below a wildcard gets a label that no certificate names by itself. */
static enum air_error make_host(air_span name, char host[AIR_PROBE_HOST_SIZE]) {
    static const char label[] = "thinairprobe";
    struct air_buffer text;
    air_buffer_init(&text, AIR_NAME_SIZE_MAX);
    enum air_error error = air_name_normalize(name, &text);
    if (error != AIR_OK) {
        goto done;
    }
    air_span normal = air_buffer_span(&text);
    size_t label_size = 0;
    if (air_name_is_wildcard(normal)) {
        normal = air_span_skip(normal, 1); /* the dot stays */
        size_t room = AIR_NAME_SIZE_MAX - normal.size;
        label_size = room < sizeof(label) - 1 ? room : sizeof(label) - 1;
        memcpy(host, label, label_size);
    }
    memcpy(host + label_size, normal.data, normal.size);
    host[label_size + normal.size] = '\0';
done:
    air_buffer_deinit(&text);
    return error;
}

static enum air_error make_client(enum air_key_type key_type, SSL_CTX **out) {
    const struct taste *taste = NULL;
    for (size_t i = 0; i < sizeof(tastes) / sizeof(tastes[0]); i++) {
        if (tastes[i].key_type == key_type) {
            taste = &tastes[i];
        }
    }
    if (taste == NULL) {
        return AIR_ERR_ARGUMENT;
    }
    SSL_CTX *client = SSL_CTX_new(TLS_client_method());
    *out = client;
    if (client == NULL || SSL_CTX_set1_sigalgs_list(client, taste->signatures) != 1 ||
        SSL_CTX_set_cipher_list(client, taste->ciphers) != 1) {
        return AIR_ERR_CRYPTO;
    }
    SSL_CTX_set_verify(client, SSL_VERIFY_NONE, NULL);
    return AIR_OK;
}

static SSL *client_new(const struct air_probe *probe, int version_min, int version_max) {
    SSL *client = SSL_new(probe->client);
    if (client == NULL || SSL_set_min_proto_version(client, version_min) != 1 ||
        SSL_set_max_proto_version(client, version_max) != 1 ||
        SSL_set_tlsext_host_name(client, probe->host) != 1) {
        SSL_free(client);
        return NULL;
    }
    return client;
}

/* Turn a handshake's result into the probe's, with a sentence for whatever is wrong. */
static enum air_error judge(const struct air_probe *probe, const SSL *client,
    enum air_error handshake, const char *version, struct air_buffer *reason) {
    const char *fault = handshake == AIR_OK ? find_fault(probe, client) : describe(handshake);
    if (fault != NULL) {
        air_reason_add(reason, reason != NULL && reason->size > 0 ? "; " : "");
        air_reason_add(reason, version);
        air_reason_add(reason, fault);
    }
    ERR_clear_error();
    return handshake == AIR_OK && fault != NULL ? AIR_ERR_BAD_CERTIFICATE : handshake;
}

static const char *find_fault(const struct air_probe *probe, const SSL *client) {
    const STACK_OF(X509) *sent = SSL_get_peer_cert_chain(client);
    if (sent == NULL || sk_X509_num(sent) == 0) {
        return "the server sent no certificate";
    }
    X509 *leaf = sk_X509_value(sent, 0);
    if (X509_cmp(leaf, sk_X509_value(probe->chain, 0)) != 0) {
        return "the server sent another certificate";
    }
    if (!is_same_chain(sent, probe->chain)) {
        return "the server sent another chain behind the certificate";
    }
    if (X509_check_host(leaf, probe->host, 0,
            X509_CHECK_FLAG_NEVER_CHECK_SUBJECT | X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS,
            NULL) != 1) {
        return "the certificate does not name the host";
    }
    return NULL;
}

static const char *describe(enum air_error handshake) {
    const char *cause = ERR_reason_error_string(ERR_peek_error());
    if (handshake == AIR_ERR_TLS) {
        return cause != NULL ? cause : "the handshake did not end";
    }
    return air_error_text(handshake);
}

static bool is_same_chain(const STACK_OF(X509) * sent, const STACK_OF(X509) * expected) {
    if (sk_X509_num(sent) != sk_X509_num(expected)) {
        return false;
    }
    for (int i = 0; i < sk_X509_num(sent); i++) {
        if (X509_cmp(sk_X509_value(sent, i), sk_X509_value(expected, i)) != 0) {
            return false;
        }
    }
    return true;
}
