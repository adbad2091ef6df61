/* SPDX-License-Identifier: MIT */
/*
 * What libwebsockets itself does, while it creates a vhost, with the files that the vhost names and
 * with "<file>.upd" beside them: facts that hosts/lws stands on, shown without it. A vhost is made
 * over files of every state that a crash can leave; what was loaded is asked of its SSL_CTX.
 *
 * Each file is moved into place by itself, readable or not, fitting or not, before anything of a
 * plugin runs. So no ".upd" of ours is ever to be seen there; a pair behind links is.
 */
#include "tests/support/test.h"

#include <errno.h>
#include <libwebsockets.h>
#include <openssl/ssl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/support/folder.h"
#include "tests/support/test_pki.h"

#define PEM_SIZE_MAX 8192
#define YEAR_2020_MS 1577836800000
#define YEAR_2090_MS 3786912000000

/* What a vhost has loaded: the leaf's serial number, or one of these. */
enum { REFUSED = -1, NOTHING = 0, OLD = 1, NEW = 2, OTHER_TYPE = 3 };

struct pair {
    struct air_buffer chain;
    struct air_buffer key;
};

struct world {
    char folder[AIR_TEST_PATH_SIZE];
    struct air_test_pki *pki;
    struct pair pairs[OTHER_TYPE + 1];
};

static SSL_CTX *loading; /* of the vhost that is being created */

static int keep_context(
    struct lws *wsi, enum lws_callback_reasons reason, void *user, void *in, size_t size);

static const struct lws_protocols protocols[] = {
    {"http", keep_context, 0, 0, 0, NULL, 0},
    {NULL, NULL, 0, 0, 0, NULL, 0},
};

static int keep_context(
    struct lws *wsi, enum lws_callback_reasons reason, void *user, void *in, size_t size) {
    if (reason == LWS_CALLBACK_OPENSSL_LOAD_EXTRA_SERVER_VERIFY_CERTS) {
        loading = user;
        return 0;
    }
    return lws_callback_http_dummy(wsi, reason, user, in, size);
}

/* The serial number of a vhost's certificate, if there is a key that fits it. */
static int serial_of(SSL_CTX *context) {
    X509 *leaf = SSL_CTX_get0_certificate(context);
    if (leaf == NULL || SSL_CTX_check_private_key(context) != 1) {
        return NOTHING;
    }
    return (int)ASN1_INTEGER_get(X509_get0_serialNumber(leaf));
}

/* Create a vhost over cert.pem and key.pem: what it has loaded, or REFUSED. */
static int start(struct world *world, uint64_t options) {
    char chain_path[AIR_TEST_PATH_SIZE];
    char key_path[AIR_TEST_PATH_SIZE];
    struct lws_context_creation_info info = {0};
    struct lws_context *context;
    int result = REFUSED;
    air_test_path(chain_path, world->folder, "cert.pem");
    air_test_path(key_path, world->folder, "key.pem");
    info.options = LWS_SERVER_OPTION_EXPLICIT_VHOSTS | LWS_SERVER_OPTION_DO_SSL_GLOBAL_INIT;
    context = lws_create_context(&info);
    assert_non_null(context);
    info.options |= options;
    info.iface = "127.0.0.1";
    info.protocols = protocols;
    info.ssl_cert_filepath = chain_path;
    info.ssl_private_key_filepath = key_path;
    loading = NULL;
    if (lws_create_vhost(context, &info) != NULL) {
        assert_non_null(loading);
        result = serial_of(loading);
    }
    lws_context_destroy(context);
    return result;
}

static void put(struct world *world, const char *name, air_span bytes) {
    char path[AIR_TEST_PATH_SIZE];
    FILE *file;
    air_test_path(path, world->folder, name);
    file = fopen(path, "w");
    assert_non_null(file);
    assert_int_equal(fwrite(bytes.data, 1, bytes.size, file), bytes.size);
    assert_int_equal(fclose(file), 0);
}

static air_span chain(struct world *world, int pair) {
    return air_buffer_span(&world->pairs[pair].chain);
}

static air_span key(struct world *world, int pair) {
    return air_buffer_span(&world->pairs[pair].key);
}

static void put_pair(struct world *world, int pair) {
    put(world, "cert.pem", chain(world, pair));
    put(world, "key.pem", key(world, pair));
}

static void link_to(struct world *world, const char *target, const char *name) {
    char path[AIR_TEST_PATH_SIZE];
    air_test_path(path, world->folder, name);
    assert_int_equal(symlink(target, path), 0);
}

static void make_folder(struct world *world, const char *name) {
    char path[AIR_TEST_PATH_SIZE];
    air_test_path(path, world->folder, name);
    assert_int_equal(mkdir(path, 0700), 0);
}

static void rename_file(struct world *world, const char *from, const char *to) {
    char from_path[AIR_TEST_PATH_SIZE];
    char to_path[AIR_TEST_PATH_SIZE];
    air_test_path(from_path, world->folder, from);
    air_test_path(to_path, world->folder, to);
    assert_int_equal(rename(from_path, to_path), 0);
}

static air_span half(air_span bytes) {
    return air_span_take(bytes, bytes.size / 2);
}

/* What lies under a name: 'f'ile, 'd'irectory, 'l'ink, or '-' for nothing. */
static char kind(struct world *world, const char *name) {
    char path[AIR_TEST_PATH_SIZE];
    struct stat about;
    air_test_path(path, world->folder, name);
    if (lstat(path, &about) != 0) {
        assert_int_equal(errno, ENOENT);
        return '-';
    }
    return S_ISDIR(about.st_mode) ? 'd' : S_ISLNK(about.st_mode) ? 'l' : 'f';
}

/* The whole of a fresh start: what a pair looks like that libwebsockets is content with. */
static void serves_a_pair(void **state) {
    put_pair(*state, OLD);
    assert_int_equal(start(*state, 0), OLD);
}

static void refuses_no_files_unless_told_to_ignore_that(void **state) {
    assert_int_equal(start(*state, 0), REFUSED);
    assert_int_equal(start(*state, LWS_SERVER_OPTION_IGNORE_MISSING_CERT), NOTHING);
}

/* Half a pair is as good as none, too. */
static void ignores_a_pair_without_its_key(void **state) {
    put(*state, "cert.pem", chain(*state, OLD));
    assert_int_equal(start(*state, 0), REFUSED);
    assert_int_equal(start(*state, LWS_SERVER_OPTION_IGNORE_MISSING_CERT), NOTHING);
}

static void refuses_a_key_of_another_pair(void **state) {
    put(*state, "cert.pem", chain(*state, NEW));
    put(*state, "key.pem", key(*state, OLD));
    assert_int_equal(start(*state, 0), REFUSED);
    assert_int_equal(start(*state, LWS_SERVER_OPTION_IGNORE_MISSING_CERT), REFUSED);
}

/* OpenSSL has a place for each type of key and finds nothing to compare: the vhost listens and no
 * handshake can succeed. That creating a vhost succeeded proves nothing about its pair. */
static void accepts_a_key_of_another_type(void **state) {
    put(*state, "cert.pem", chain(*state, NEW));
    put(*state, "key.pem", key(*state, OTHER_TYPE));
    assert_int_equal(start(*state, 0), NOTHING);
}

static void puts_an_update_in_place(void **state) {
    put_pair(*state, OLD);
    put(*state, "cert.pem.upd", chain(*state, NEW));
    put(*state, "key.pem.upd", key(*state, NEW));
    assert_int_equal(start(*state, 0), NEW);
    assert_int_equal(kind(*state, "cert.pem.upd"), '-');
    assert_int_equal(kind(*state, "key.pem.upd"), '-');
    assert_int_equal(kind(*state, "cert.pem.old.0"), 'f');
    assert_int_equal(kind(*state, "key.pem.old.0"), 'f');
}

/* rename() replaces: the number never goes up, and what the last update put aside is lost. */
static void keeps_one_old_pair_only(void **state) {
    puts_an_update_in_place(state);
    put(*state, "cert.pem.upd", chain(*state, OLD));
    put(*state, "key.pem.upd", key(*state, OLD));
    assert_int_equal(start(*state, 0), OLD);
    assert_int_equal(kind(*state, "cert.pem.old.1"), '-');
    rename_file(*state, "cert.pem.old.0", "cert.pem");
    rename_file(*state, "key.pem.old.0", "key.pem");
    assert_int_equal(start(*state, 0), NEW);
}

/* The crash between the writes: the key's file is there, opened while root, and has nothing in it.
 * The certificate alone is moved, and from then on no start succeeds. */
static void breaks_the_pair_when_only_the_certificate_was_written(void **state) {
    put_pair(*state, OLD);
    put(*state, "cert.pem.upd", chain(*state, NEW));
    put(*state, "key.pem.upd", SPAN(""));
    assert_int_equal(start(*state, LWS_SERVER_OPTION_IGNORE_MISSING_CERT), REFUSED);
    assert_int_equal(kind(*state, "cert.pem.upd"), '-');
    assert_int_equal(kind(*state, "cert.pem.old.0"), 'f');
    assert_int_equal(kind(*state, "key.pem.upd"), 'f');
    assert_int_equal(kind(*state, "key.pem.old.0"), '-');
    assert_int_equal(start(*state, LWS_SERVER_OPTION_IGNORE_MISSING_CERT), REFUSED);
}

static void breaks_the_pair_when_only_the_key_was_written(void **state) {
    put_pair(*state, OLD);
    put(*state, "key.pem.upd", key(*state, NEW));
    assert_int_equal(start(*state, 0), REFUSED);
    assert_int_equal(kind(*state, "key.pem.old.0"), 'f');
    assert_int_equal(start(*state, 0), REFUSED);
}

/* A file that was longer before: a certificate that fits no key. */
static void breaks_the_pair_when_the_key_is_the_old_one(void **state) {
    put_pair(*state, OLD);
    put(*state, "cert.pem.upd", chain(*state, NEW));
    put(*state, "key.pem.upd", key(*state, OLD));
    assert_int_equal(start(*state, 0), REFUSED);
}

static void breaks_the_pair_with_truncated_updates(void **state) {
    put_pair(*state, OLD);
    put(*state, "cert.pem.upd", half(chain(*state, NEW)));
    put(*state, "key.pem.upd", half(key(*state, NEW)));
    assert_int_equal(start(*state, LWS_SERVER_OPTION_IGNORE_MISSING_CERT), REFUSED);
    assert_int_equal(kind(*state, "cert.pem.old.0"), 'f');
    assert_int_equal(kind(*state, "key.pem.old.0"), 'f');
}

/* One byte is enough to be taken for a certificate. */
static void breaks_the_pair_with_a_single_byte(void **state) {
    put_pair(*state, OLD);
    put(*state, "cert.pem.upd", SPAN("\n"));
    assert_int_equal(start(*state, 0), REFUSED);
}

/* Nobody sees that the intermediate is missing: clients do. */
static void accepts_a_chain_cut_after_its_leaf(void **state) {
    struct world *world = *state;
    air_span whole = chain(world, NEW);
    put_pair(world, OLD);
    put(world, "cert.pem.upd",
        air_span_take(whole, whole.size - air_test_pki_intermediate(world->pki).size));
    put(world, "key.pem.upd", key(world, NEW));
    assert_int_equal(start(world, 0), NEW);
}

static void ignores_empty_updates(void **state) {
    put_pair(*state, OLD);
    put(*state, "cert.pem.upd", SPAN(""));
    put(*state, "key.pem.upd", SPAN(""));
    assert_int_equal(start(*state, 0), OLD);
    assert_int_equal(kind(*state, "cert.pem.upd"), 'f');
}

/* The way to keep libwebsockets from moving anything: a directory cannot be read. */
static void ignores_updates_that_are_directories(void **state) {
    put_pair(*state, OLD);
    make_folder(*state, "cert.pem.upd");
    make_folder(*state, "key.pem.upd");
    assert_int_equal(start(*state, 0), OLD);
    assert_int_equal(kind(*state, "cert.pem.upd"), 'd');
}

static void put_numbered_pairs(struct world *world) {
    make_folder(world, "pairs");
    make_folder(world, "pairs/1");
    make_folder(world, "pairs/2");
    put(world, "pairs/1/cert.pem", chain(world, OLD));
    put(world, "pairs/1/key.pem", key(world, OLD));
    put(world, "pairs/2/cert.pem", chain(world, NEW));
    put(world, "pairs/2/key.pem", key(world, NEW));
    link_to(world, "1", "pairs/current");
    link_to(world, "pairs/current/cert.pem", "cert.pem");
    link_to(world, "pairs/current/key.pem", "key.pem");
}

/* One rename of one link changes both files at once. */
static void serves_a_pair_through_links(void **state) {
    put_numbered_pairs(*state);
    assert_int_equal(start(*state, 0), OLD);
    link_to(*state, "2", "pairs/next");
    rename_file(*state, "pairs/next", "pairs/current");
    assert_int_equal(start(*state, 0), NEW);
    assert_int_equal(kind(*state, "cert.pem"), 'l');
    assert_int_equal(kind(*state, "key.pem"), 'l');
}

static void takes_links_to_nothing_for_missing_files(void **state) {
    link_to(*state, "pairs/current/cert.pem", "cert.pem");
    link_to(*state, "pairs/current/key.pem", "key.pem");
    assert_int_equal(start(*state, 0), REFUSED);
    assert_int_equal(start(*state, LWS_SERVER_OPTION_IGNORE_MISSING_CERT), NOTHING);
}

/* What somebody else left beside our links: the link goes, what it leads to stays. */
static void moves_a_link_away_for_an_update(void **state) {
    put_numbered_pairs(*state);
    put(*state, "cert.pem.upd", chain(*state, NEW));
    assert_int_equal(start(*state, 0), REFUSED);
    assert_int_equal(kind(*state, "cert.pem"), 'f');
    assert_int_equal(kind(*state, "cert.pem.old.0"), 'l');
    assert_int_equal(kind(*state, "pairs/1/cert.pem"), 'f');
}

/* An update that is a link stays one. */
static void moves_an_update_that_is_a_link(void **state) {
    put_numbered_pairs(*state);
    link_to(*state, "pairs/2/cert.pem", "cert.pem.upd");
    link_to(*state, "pairs/2/key.pem", "key.pem.upd");
    assert_int_equal(start(*state, 0), NEW);
    assert_int_equal(kind(*state, "cert.pem"), 'l');
    assert_int_equal(kind(*state, "cert.pem.old.0"), 'l');
}

static void make_pair(struct world *world, int pair, enum air_key_type type, const char *serial) {
    struct pair *made = &world->pairs[pair];
    struct air_test_leaf leaf = {
        .names = "DNS:a.example",
        .usage = "serverAuth",
        .serial = serial,
        .not_before_ms = YEAR_2020_MS,
        .not_after_ms = YEAR_2090_MS,
    };
    air_buffer_init(&made->key, PEM_SIZE_MAX);
    air_buffer_init(&made->chain, PEM_SIZE_MAX);
    air_test_key_make(type, &made->key);
    leaf.key = air_buffer_span(&made->key);
    air_test_pki_issue_leaf(world->pki, &leaf, &made->chain);
}

static int open_world(void **state) {
    static struct world world;
    lws_set_log_level(0, NULL);
    world.pki = air_test_pki_new();
    make_pair(&world, OLD, AIR_KEY_ECDSA_P256, "1");
    make_pair(&world, NEW, AIR_KEY_ECDSA_P256, "2");
    make_pair(&world, OTHER_TYPE, AIR_KEY_RSA_2048, "3");
    *state = &world;
    return 0;
}

static int close_world(void **state) {
    struct world *world = *state;
    for (int pair = OLD; pair <= OTHER_TYPE; pair++) {
        air_buffer_deinit(&world->pairs[pair].chain);
        air_buffer_deinit(&world->pairs[pair].key);
    }
    air_test_pki_free(world->pki);
    return 0;
}

static int open_folder(void **state) {
    struct world *world = *state;
    air_test_folder_make(world->folder);
    return 0;
}

static int close_folder(void **state) {
    struct world *world = *state;
    air_test_folder_remove(world->folder);
    return 0;
}

#define IN_FOLDER(test) cmocka_unit_test_setup_teardown(test, open_folder, close_folder)

int main(void) {
    const struct CMUnitTest tests[] = {
        IN_FOLDER(serves_a_pair),
        IN_FOLDER(refuses_no_files_unless_told_to_ignore_that),
        IN_FOLDER(ignores_a_pair_without_its_key),
        IN_FOLDER(refuses_a_key_of_another_pair),
        IN_FOLDER(accepts_a_key_of_another_type),
        IN_FOLDER(puts_an_update_in_place),
        IN_FOLDER(keeps_one_old_pair_only),
        IN_FOLDER(breaks_the_pair_when_only_the_certificate_was_written),
        IN_FOLDER(breaks_the_pair_when_only_the_key_was_written),
        IN_FOLDER(breaks_the_pair_when_the_key_is_the_old_one),
        IN_FOLDER(breaks_the_pair_with_truncated_updates),
        IN_FOLDER(breaks_the_pair_with_a_single_byte),
        IN_FOLDER(accepts_a_chain_cut_after_its_leaf),
        IN_FOLDER(ignores_empty_updates),
        IN_FOLDER(ignores_updates_that_are_directories),
        IN_FOLDER(serves_a_pair_through_links),
        IN_FOLDER(takes_links_to_nothing_for_missing_files),
        IN_FOLDER(moves_a_link_away_for_an_update),
        IN_FOLDER(moves_an_update_that_is_a_link),
    };
    return cmocka_run_group_tests(tests, open_world, close_world);
}
