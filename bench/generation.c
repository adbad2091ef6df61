/* SPDX-License-Identifier: MIT */
/*
 * How long the steps of RSA keys in slices take: CPU time of each by CLOCK_THREAD_CPUTIME_ID, the
 * longest of each key and of all; and how long abandoning takes, at points spread over a key.
 *
 * usage: bench_generation [KEYS_2048 [KEYS_4096]]. Exit status: 0, or 1 when a key failed.
 */

#include <inttypes.h>
#include <openssl/crypto.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "thinair/openssl.h"

struct figures {
    double total_ms;
    double longest_ms; /* of all steps */
    double before_ms;  /* of all steps but the last */
    double last_ms;
    uint64_t steps_count;
};

static int measure(struct air_crypto *crypto, enum air_key_type type, long keys_count);
static bool make_key(struct air_crypto *crypto, enum air_key_type type, struct figures *out);
static bool abandon(
    struct air_crypto *crypto, enum air_key_type type, uint64_t after, double *longest_ms);
static double cpu_ms(void);
static double larger(double a, double b);

int main(int argc, char **argv) {
    long keys_2048 = argc > 1 ? strtol(argv[1], NULL, 10) : 50;
    long keys_4096 = argc > 2 ? strtol(argv[2], NULL, 10) : 10;
    struct air_crypto *crypto = NULL;
    if (air_crypto_openssl_new(&crypto) != AIR_OK) {
        return EXIT_FAILURE;
    }
    (void)printf("%s\n", OpenSSL_version(OPENSSL_VERSION));
    int status = measure(crypto, AIR_KEY_RSA_2048, keys_2048);
    if (status == EXIT_SUCCESS) {
        status = measure(crypto, AIR_KEY_RSA_3072, keys_4096);
    }
    if (status == EXIT_SUCCESS) {
        status = measure(crypto, AIR_KEY_RSA_4096, keys_4096);
    }
    air_crypto_openssl_free(crypto);
    return status;
}

static int measure(struct air_crypto *crypto, enum air_key_type type, long keys_count) {
    struct figures all = {.total_ms = 0};
    double abandon_ms = 0;
    for (long i = 0; i < keys_count; i++) {
        struct figures key = {.total_ms = 0};
        if (!make_key(crypto, type, &key) ||
            !abandon(crypto, type, (uint64_t)(i + 1) * 37 % 1000, &abandon_ms)) {
            (void)fprintf(stderr, "%s: no key\n", air_key_type_text(type));
            return EXIT_FAILURE;
        }
        all.total_ms += key.total_ms;
        all.steps_count += key.steps_count;
        all.longest_ms = larger(all.longest_ms, key.longest_ms);
        all.before_ms = larger(all.before_ms, key.before_ms);
        all.last_ms = larger(all.last_ms, key.last_ms);
    }
    if (keys_count > 0) {
        (void)printf("%s: %ld keys, %.0f ms and %" PRIu64 " steps each; longest step %.2f ms; "
                     "longest last %.2f, longest before it %.2f, longest abandoning %.2f\n",
            air_key_type_text(type), keys_count, all.total_ms / (double)keys_count,
            all.steps_count / (uint64_t)keys_count, all.longest_ms, all.last_ms, all.before_ms,
            abandon_ms);
    }
    return EXIT_SUCCESS;
}

static bool make_key(struct air_crypto *crypto, enum air_key_type type, struct figures *out) {
    struct air_openssl_generation *generation = NULL;
    uint64_t key = 0;
    enum air_error error = air_openssl_generation_new(crypto, type, &generation);
    if (error != AIR_OK) {
        return false;
    }
    do {
        out->before_ms = larger(out->before_ms, out->last_ms);
        double start_ms = cpu_ms();
        error = air_openssl_generation_step(generation, &key);
        out->last_ms = cpu_ms() - start_ms;
        out->total_ms += out->last_ms;
        out->steps_count++;
    } while (error == AIR_ERR_LATER);
    out->longest_ms = larger(out->before_ms, out->last_ms);
    air_openssl_generation_free(generation);
    crypto->key_free(crypto->self, key);
    return error == AIR_OK;
}

static bool abandon(
    struct air_crypto *crypto, enum air_key_type type, uint64_t after, double *longest_ms) {
    struct air_openssl_generation *generation = NULL;
    uint64_t key = 0;
    enum air_error error = air_openssl_generation_new(crypto, type, &generation);
    if (error != AIR_OK) {
        return false;
    }
    for (uint64_t i = 0; i < after && (i == 0 || error == AIR_ERR_LATER); i++) {
        error = air_openssl_generation_step(generation, &key);
    }
    double start_ms = cpu_ms();
    air_openssl_generation_free(generation);
    *longest_ms = larger(*longest_ms, cpu_ms() - start_ms);
    crypto->key_free(crypto->self, key);
    return true;
}

static double cpu_ms(void) {
    struct timespec now = {0};
    (void)clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return (double)now.tv_sec * 1e3 + (double)now.tv_nsec / 1e6;
}

static double larger(double a, double b) {
    return a > b ? a : b;
}
