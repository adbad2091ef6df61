/* SPDX-License-Identifier: MIT */
/*
 * Ticket keys and OpenSSL's callback for them. Keys are replaced when they are asked for, so no
 * timer is needed. Which name a session belongs to is the table's care.
 *
 * Invariant: no key seals longer than AIR_FRONT_TICKET_KEY_LIFE_S, nor opens twice as long. If
 * there are no random bytes for a new key, the present one goes on: a handshake matters more.
 */

#include "hosts/program/front/tickets.h"

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/params.h>
#include <openssl/rand.h>
#include <openssl/ssl.h>
#include <string.h>
#include <time.h>

#include "src/base/memory.h"

/* Where a context keeps its tickets: OpenSSL gives out such places once for the whole process. */
static pthread_once_t slot_once = PTHREAD_ONCE_INIT;
static int slot = -1;

static bool key_new(struct air_front_ticket_key *key);
static void advance(struct air_front_tickets *tickets, int64_t now_s);
static void slot_make(void);
static void slot_free(
    void *parent, void *pointer, CRYPTO_EX_DATA *data, int index, long number, void *argument);
static int on_ticket(SSL *ssl, unsigned char *name, unsigned char *iv, EVP_CIPHER_CTX *cipher,
    EVP_MAC_CTX *mac, int is_sealing);
static int seal(struct air_front_tickets *tickets, unsigned char *name, unsigned char *iv,
    EVP_CIPHER_CTX *cipher, EVP_MAC_CTX *mac);
static int open_sealed(struct air_front_tickets *tickets, const unsigned char *name,
    const unsigned char *iv, EVP_CIPHER_CTX *cipher, EVP_MAC_CTX *mac);
static bool mac_set(EVP_MAC_CTX *mac, struct air_front_ticket_key *key);
static int64_t now_s(void);

bool air_front_tickets_init(struct air_front_tickets *tickets, int64_t now_s) {
    memset(tickets, 0, sizeof *tickets);
    tickets->made_s = now_s;
    return key_new(&tickets->current) && pthread_mutex_init(&tickets->lock, NULL) == 0;
}

void air_front_tickets_deinit(struct air_front_tickets *tickets) {
    pthread_mutex_destroy(&tickets->lock);
    OPENSSL_cleanse(tickets, sizeof *tickets);
}

void air_front_tickets_current(
    struct air_front_tickets *tickets, int64_t now_s, struct air_front_ticket_key *out) {
    pthread_mutex_lock(&tickets->lock);
    advance(tickets, now_s);
    *out = tickets->current;
    pthread_mutex_unlock(&tickets->lock);
}

enum air_front_ticket_match air_front_tickets_find(struct air_front_tickets *tickets, int64_t now_s,
    const uint8_t *name, struct air_front_ticket_key *out) {
    enum air_front_ticket_match match = AIR_FRONT_TICKET_UNKNOWN;
    pthread_mutex_lock(&tickets->lock);
    advance(tickets, now_s);
    if (memcmp(name, tickets->current.name, sizeof tickets->current.name) == 0) {
        *out = tickets->current;
        match = AIR_FRONT_TICKET_CURRENT;
    } else if (tickets->has_previous &&
               memcmp(name, tickets->previous.name, sizeof tickets->previous.name) == 0) {
        *out = tickets->previous;
        match = AIR_FRONT_TICKET_PREVIOUS;
    }
    pthread_mutex_unlock(&tickets->lock);
    return match;
}

enum air_error air_front_tickets_attach(SSL_CTX *context) {
    pthread_once(&slot_once, slot_make);
    struct air_front_tickets *tickets = air_memory_new(sizeof *tickets);
    if (tickets == NULL) {
        return AIR_ERR_NO_MEMORY;
    }
    if (!air_front_tickets_init(tickets, now_s())) {
        air_memory_free(tickets, sizeof *tickets);
        return AIR_ERR_CRYPTO;
    }
    if (slot < 0 || SSL_CTX_set_ex_data(context, slot, tickets) != 1) {
        air_front_tickets_deinit(tickets);
        air_memory_free(tickets, sizeof *tickets);
        return AIR_ERR_CRYPTO;
    }
    SSL_CTX_set_tlsext_ticket_key_evp_cb(context, on_ticket);
    return AIR_OK;
}

static bool key_new(struct air_front_ticket_key *key) {
    return RAND_bytes(key->name, sizeof key->name) == 1 &&
           RAND_priv_bytes(key->cipher, sizeof key->cipher) == 1 &&
           RAND_priv_bytes(key->mac, sizeof key->mac) == 1;
}

/* Replace what has lived long enough. The lock is held. */
static void advance(struct air_front_tickets *tickets, int64_t now_s) {
    int64_t age_s = now_s - tickets->made_s;
    struct air_front_ticket_key next;
    if (age_s < AIR_FRONT_TICKET_KEY_LIFE_S || !key_new(&next)) {
        return;
    }
    tickets->has_previous = age_s < 2 * AIR_FRONT_TICKET_KEY_LIFE_S;
    tickets->previous = tickets->current;
    if (!tickets->has_previous) {
        OPENSSL_cleanse(&tickets->previous, sizeof tickets->previous);
    }
    tickets->current = next;
    tickets->made_s = now_s;
    OPENSSL_cleanse(&next, sizeof next);
}

static void slot_make(void) {
    slot = SSL_CTX_get_ex_new_index(0, NULL, NULL, NULL, slot_free);
}

static void slot_free(
    void *parent, void *pointer, CRYPTO_EX_DATA *data, int index, long number, void *argument) {
    (void)parent;
    (void)data;
    (void)index;
    (void)number;
    (void)argument;
    struct air_front_tickets *tickets = pointer;
    if (tickets != NULL) {
        air_front_tickets_deinit(tickets);
        air_memory_free(tickets, sizeof *tickets);
    }
}

/* Returns as SSL_CTX_set_tlsext_ticket_key_evp_cb(3) says. A connection that was switched to a
 * context without tickets (acme-tls/1) knows no key. */
static int on_ticket(SSL *ssl, unsigned char *name, unsigned char *iv, EVP_CIPHER_CTX *cipher,
    EVP_MAC_CTX *mac, int is_sealing) {
    struct air_front_tickets *tickets = SSL_CTX_get_ex_data(SSL_get_SSL_CTX(ssl), slot);
    if (tickets == NULL) {
        return 0;
    }
    return is_sealing ? seal(tickets, name, iv, cipher, mac)
                      : open_sealed(tickets, name, iv, cipher, mac);
}

static int seal(struct air_front_tickets *tickets, unsigned char *name, unsigned char *iv,
    EVP_CIPHER_CTX *cipher, EVP_MAC_CTX *mac) {
    struct air_front_ticket_key key;
    air_front_tickets_current(tickets, now_s(), &key);
    memcpy(name, key.name, sizeof key.name);
    bool is_ready = RAND_bytes(iv, EVP_CIPHER_get_iv_length(EVP_aes_256_cbc())) == 1 &&
                    EVP_EncryptInit_ex2(cipher, EVP_aes_256_cbc(), key.cipher, iv, NULL) == 1 &&
                    mac_set(mac, &key);
    OPENSSL_cleanse(&key, sizeof key);
    return is_ready ? 1 : -1;
}

static int open_sealed(struct air_front_tickets *tickets, const unsigned char *name,
    const unsigned char *iv, EVP_CIPHER_CTX *cipher, EVP_MAC_CTX *mac) {
    struct air_front_ticket_key key;
    enum air_front_ticket_match match = air_front_tickets_find(tickets, now_s(), name, &key);
    if (match == AIR_FRONT_TICKET_UNKNOWN) {
        return 0; /* a full handshake */
    }
    bool is_ready = EVP_DecryptInit_ex2(cipher, EVP_aes_256_cbc(), key.cipher, iv, NULL) == 1 &&
                    mac_set(mac, &key);
    OPENSSL_cleanse(&key, sizeof key);
    if (!is_ready) {
        return -1;
    }
    return match == AIR_FRONT_TICKET_CURRENT ? 1 : 2; /* 2: and seal a new one */
}

static bool mac_set(EVP_MAC_CTX *mac, struct air_front_ticket_key *key) {
    char digest[] = "SHA256";
    const OSSL_PARAM settings[] = {
        OSSL_PARAM_construct_octet_string(OSSL_MAC_PARAM_KEY, key->mac, sizeof key->mac),
        OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest, 0),
        OSSL_PARAM_construct_end()};
    return EVP_MAC_CTX_set_params(mac, settings) == 1;
}

static int64_t now_s(void) {
    struct timespec now;
    clock_gettime(CLOCK_BOOTTIME, &now);
    return now.tv_sec;
}
