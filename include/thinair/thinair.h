/* SPDX-License-Identifier: MIT */
#ifndef THINAIR_THINAIR_H
#define THINAIR_THINAIR_H

/*
 * thinair: an ACME engine that lives inside a TLS server.
 *
 * What holds in every header of this folder, said once:
 *
 * Pointers   A pointer parameter is not NULL unless its text says it may be. Every _free function
 *            accepts NULL.
 * Ownership  `T **out` becomes yours: give it back to the _free function named in its text.
 *            `const T **out` and every air_span stay ours, or their owner's, for the time their
 *            text says.
 * Text       UTF-8 in an air_span, not terminated by a zero byte. Where a `const char *` appears it
 *            is terminated.
 * Threads    An object is used by one thread at a time unless its text says otherwise. Different
 *            objects are independent: there are no globals, signals, atexit handlers or locale
 *            changes in the libraries.
 * Time       Milliseconds since 1970-01-01 UTC (wall) or since an arbitrary start that never steps
 *            (boot). Nothing below the driver reads a clock.
 * Limits     Every size that comes from outside has a named maximum; passing it is AIR_ERR_LIMIT,
 *            never truncation.
 * Failure    Functions that can fail return enum air_error and must be checked. On failure nothing
 *            changed, unless the text says otherwise.
 * Structs    Public structs that may grow start with their own size: set it to sizeof, zero the
 *            rest.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define AIR_VERSION_TEXT "0.1.0"

#if defined(__GNUC__)
#define AIR_API __attribute__((visibility("default")))
#define AIR_MUST_CHECK __attribute__((warn_unused_result))
#else
#define AIR_API
#define AIR_MUST_CHECK
#endif

#ifdef __cplusplus
extern "C" {
#endif

/* What a caller should do about an error. */
enum air_error_class {
    AIR_CLASS_OK,      /* nothing */
    AIR_CLASS_RETRY,   /* the same call may succeed later */
    AIR_CLASS_GIVE_UP, /* the same call fails again until its input changes */
    AIR_CLASS_BUG      /* the caller or the library broke its contract: report it */
};

/*
 * Every error: name, number, class, text. Numbers are stable: they appear in the wire encoding.
 */
#define AIR_ERRORS(X)                                                                              \
    X(AIR_OK, 0, AIR_CLASS_OK, "done")                                                             \
    X(AIR_ERR_NO_MEMORY, 1, AIR_CLASS_RETRY, "out of memory")                                      \
    X(AIR_ERR_LATER, 2, AIR_CLASS_RETRY, "not answered at once: carried out as an action")         \
    X(AIR_ERR_STORAGE, 3, AIR_CLASS_RETRY, "storage failed")                                       \
    X(AIR_ERR_STORAGE_FULL, 4, AIR_CLASS_RETRY, "storage is full")                                 \
    X(AIR_ERR_NETWORK, 5, AIR_CLASS_RETRY, "the network or the name look-up failed")               \
    X(AIR_ERR_TIMEOUT, 6, AIR_CLASS_RETRY, "no answer before the deadline")                        \
    X(AIR_ERR_TLS, 7, AIR_CLASS_RETRY, "the peer's TLS certificate or handshake was refused")      \
    X(AIR_ERR_BUSY, 8, AIR_CLASS_RETRY, "in use by another process")                               \
    X(AIR_ERR_CANCELLED, 9, AIR_CLASS_RETRY, "cancelled")                                          \
    X(AIR_ERR_CRYPTO, 10, AIR_CLASS_RETRY, "the crypto library failed")                            \
    X(AIR_ERR_CONFLICT, 11, AIR_CLASS_RETRY, "the record changed since it was read")               \
    X(AIR_ERR_MALFORMED, 20, AIR_CLASS_GIVE_UP, "malformed")                                       \
    X(AIR_ERR_LIMIT, 21, AIR_CLASS_GIVE_UP, "larger than its limit")                               \
    X(AIR_ERR_UNSUPPORTED, 22, AIR_CLASS_GIVE_UP, "not supported")                                 \
    X(AIR_ERR_NOT_FOUND, 23, AIR_CLASS_GIVE_UP, "not found")                                       \
    X(AIR_ERR_EXISTS, 24, AIR_CLASS_GIVE_UP, "exists already")                                     \
    X(AIR_ERR_PERMISSION, 25, AIR_CLASS_GIVE_UP, "not permitted")                                  \
    X(AIR_ERR_REFUSED, 26, AIR_CLASS_GIVE_UP, "refused by the CA")                                 \
    X(AIR_ERR_BAD_NAME, 27, AIR_CLASS_GIVE_UP, "not a DNS name a certificate can carry")           \
    X(AIR_ERR_BAD_KEY, 28, AIR_CLASS_GIVE_UP, "not a usable key")                                  \
    X(AIR_ERR_BAD_CERTIFICATE, 29, AIR_CLASS_GIVE_UP, "the certificate is not what was ordered")   \
    X(AIR_ERR_NOT_PROVEN, 30, AIR_CLASS_GIVE_UP, "a handshake with the certificate failed")        \
    X(AIR_ERR_ARGUMENT, 40, AIR_CLASS_BUG, "wrong argument")                                       \
    X(AIR_ERR_STATE, 41, AIR_CLASS_BUG, "called in the wrong state")

#define AIR_ERROR_MEMBER(name, number, class_, text) name = number,
enum air_error { AIR_ERRORS(AIR_ERROR_MEMBER) };
#undef AIR_ERROR_MEMBER

/* The text of an error, for people. Never NULL; an unknown number gives "unknown error". Static. */
AIR_API const char *air_error_text(enum air_error error);

/* The stable name of an error, "AIR_ERR_LIMIT". Never NULL. Static. */
AIR_API const char *air_error_name(enum air_error error);

/* What to do about an error. An unknown number is AIR_CLASS_BUG. */
AIR_API enum air_error_class air_error_class(enum air_error error);

/* Bytes that belong to somebody else. `data` may be NULL only when `size` is 0. */
struct air_span {
    const uint8_t *data;
    size_t size;
};
typedef struct air_span air_span;

/* Milliseconds; what they count from is said where they are used. */
typedef int64_t air_time_ms;

/*
 * One reading of both clocks, taken at the same moment.
 *
 * wall_ms  Since 1970-01-01 UTC. Judges certificates and windows. May step, may be wrong.
 * boot_ms  Since an arbitrary start, never steps back, counts through suspension (CLOCK_BOOTTIME).
 *          Judges deadlines.
 */
struct air_time {
    air_time_ms wall_ms;
    air_time_ms boot_ms;
};

/* The kinds of key a certificate or an account can have. Numbers are stable: they appear in the
 * wire encoding. */
enum air_key_type {
    AIR_KEY_NONE = 0,
    AIR_KEY_ECDSA_P256 = 1,
    AIR_KEY_ECDSA_P384 = 2,
    AIR_KEY_RSA_2048 = 3,
    AIR_KEY_RSA_3072 = 4,
    AIR_KEY_RSA_4096 = 5
};

/* The name used in configuration, storage paths and logs: "ecdsa-p256", "rsa-2048". "" for
 * AIR_KEY_NONE. Static. */
AIR_API const char *air_key_type_text(enum air_key_type type);

/* The key type of that name, or AIR_KEY_NONE. */
AIR_API enum air_key_type air_key_type_parse(air_span text);

#ifdef __cplusplus
}
#endif

#endif
