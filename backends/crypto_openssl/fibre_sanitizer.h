/* SPDX-License-Identifier: MIT */
#ifndef AIR_CRYPTO_OPENSSL_FIBRE_SANITIZER_H
#define AIR_CRYPTO_OPENSSL_FIBRE_SANITIZER_H

/*
 * What AddressSanitizer and ThreadSanitizer must be told when a thread changes its stack. Nothing
 * in other builds.
 *
 * Before a slice: enter; in it, first thing: entered. At its end: leave; outside again: left.
 */

#include "thinair/thinair.h"

#if defined(__has_feature)
#define AIR_HAS_FEATURE(feature) __has_feature(feature)
#else
#define AIR_HAS_FEATURE(feature) 0
#endif

#if defined(__SANITIZE_ADDRESS__) || AIR_HAS_FEATURE(address_sanitizer)
#include <sanitizer/common_interface_defs.h>

struct air_openssl_fibre_watch {
    const void *inside_bottom;
    size_t inside_size;
    void *inside_fake; /* AddressSanitizer's own stacks, put aside */
    void *outside_fake;
    const void *outside_bottom;
    size_t outside_size;
};

static inline void air_openssl_fibre_watch_init(
    struct air_openssl_fibre_watch *watch, const void *stack, size_t size) {
    watch->inside_bottom = stack;
    watch->inside_size = size;
}

static inline void air_openssl_fibre_watch_deinit(struct air_openssl_fibre_watch *watch) {
    (void)watch;
}

static inline void air_openssl_fibre_watch_enter(struct air_openssl_fibre_watch *watch) {
    __sanitizer_start_switch_fiber(&watch->outside_fake, watch->inside_bottom, watch->inside_size);
}

static inline void air_openssl_fibre_watch_entered(struct air_openssl_fibre_watch *watch) {
    __sanitizer_finish_switch_fiber(
        watch->inside_fake, &watch->outside_bottom, &watch->outside_size);
}

static inline void air_openssl_fibre_watch_leave(
    struct air_openssl_fibre_watch *watch, bool for_ever) {
    __sanitizer_start_switch_fiber(
        for_ever ? NULL : &watch->inside_fake, watch->outside_bottom, watch->outside_size);
}

static inline void air_openssl_fibre_watch_left(struct air_openssl_fibre_watch *watch) {
    __sanitizer_finish_switch_fiber(watch->outside_fake, NULL, NULL);
}

#elif defined(__SANITIZE_THREAD__) || AIR_HAS_FEATURE(thread_sanitizer)
#include <sanitizer/tsan_interface.h>

struct air_openssl_fibre_watch {
    void *inside;
    void *outside;
};

static inline void air_openssl_fibre_watch_init(
    struct air_openssl_fibre_watch *watch, const void *stack, size_t size) {
    (void)stack;
    (void)size;
    watch->inside = __tsan_create_fiber(0);
}

static inline void air_openssl_fibre_watch_deinit(struct air_openssl_fibre_watch *watch) {
    if (watch->inside != NULL) {
        __tsan_destroy_fiber(watch->inside);
    }
}

static inline void air_openssl_fibre_watch_enter(struct air_openssl_fibre_watch *watch) {
    watch->outside = __tsan_get_current_fiber();
    __tsan_switch_to_fiber(watch->inside, 0);
}

static inline void air_openssl_fibre_watch_entered(struct air_openssl_fibre_watch *watch) {
    (void)watch;
}

static inline void air_openssl_fibre_watch_leave(
    struct air_openssl_fibre_watch *watch, bool for_ever) {
    (void)for_ever;
    __tsan_switch_to_fiber(watch->outside, 0);
}

static inline void air_openssl_fibre_watch_left(struct air_openssl_fibre_watch *watch) {
    (void)watch;
}

#else

struct air_openssl_fibre_watch {
    char nothing;
};

static inline void air_openssl_fibre_watch_init(
    struct air_openssl_fibre_watch *watch, const void *stack, size_t size) {
    (void)watch;
    (void)stack;
    (void)size;
}

static inline void air_openssl_fibre_watch_deinit(struct air_openssl_fibre_watch *watch) {
    (void)watch;
}

static inline void air_openssl_fibre_watch_enter(struct air_openssl_fibre_watch *watch) {
    (void)watch;
}

static inline void air_openssl_fibre_watch_entered(struct air_openssl_fibre_watch *watch) {
    (void)watch;
}

static inline void air_openssl_fibre_watch_leave(
    struct air_openssl_fibre_watch *watch, bool for_ever) {
    (void)watch;
    (void)for_ever;
}

static inline void air_openssl_fibre_watch_left(struct air_openssl_fibre_watch *watch) {
    (void)watch;
}

#endif

#endif
