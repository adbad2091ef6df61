/* SPDX-License-Identifier: MIT */
/*
 * Proven here: the server's side of a keeper never sees an account's private key, and with what it
 * sees instead an engine can do all it does with a key; files that the server should not choose are
 * refused once it is sealed. How: real keeper processes on a temporary folder. Their life and death
 * is in process_test.c.
 */
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "src/base/memory.h"
#include "tests/support/allocation.h"
#include "tests/support/test_pki.h"
#include "tests/unit/keeper/keeper_scene.h"
#include "thinair/jose.h"

#define KEY_PATH "accounts/ca.test/key.pem"

static struct air_keeper_scene scene;
static int64_t live_before;

static int begin(void **state) {
    (void)state;
    live_before = air_memory_live();
    air_keeper_scene_init(&scene);
    air_keeper_scene_start(&scene);
    return 0;
}

static int end(void **state) {
    (void)state;
    air_keeper_scene_deinit(&scene);
    return air_memory_live() == live_before ? 0 : -1;
}

static bool contains(air_span span, const char *text) {
    return memmem(span.data, span.size, text, strlen(text)) != NULL;
}

/* A file below the scene's folder. */
static void read_file(const char *name, struct air_buffer *out) {
    char path[AIR_TEST_PATH_SIZE];
    uint8_t data[8192];
    ssize_t size;
    int file;

    air_test_path(path, scene.folder, name);
    file = open(path, O_RDONLY);
    assert_true(file >= 0);
    size = read(file, data, sizeof(data));
    assert_true(size >= 0 && close(file) == 0);
    air_buffer_clear(out);
    assert_ok(air_buffer_append(out, data, (size_t)size));
}

static void write_file(const char *path, air_span value, mode_t mode) {
    const int file = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);

    assert_true(file >= 0);
    assert_int_equal(write(file, value.data, value.size), (ssize_t)value.size);
    assert_int_equal(fchmod(file, mode), 0);
    assert_int_equal(close(file), 0);
}

/* An account's key is made and stored; its reference. */
static void make_account(struct air_buffer *reference) {
    assert_ok(air_keeper_scene_generate(&scene, AIR_KEY_ECDSA_P256, true));
    assert_ok(scene.crypto->key_export(scene.crypto->self, scene.key, reference));
    assert_ok(air_keeper_scene_put(&scene, KEY_PATH, air_buffer_span(reference)));
}

static enum air_error sign(uint64_t key, enum air_algorithm algorithm) {
    struct air_action action = {.id = 21, .kind = AIR_ACTION_SIGN};

    action.sign =
        (struct air_sign_action){.key = key, .algorithm = algorithm, .data = SPAN("data")};
    return air_keeper_scene_run(&scene, &action);
}

static void an_account_key_is_on_disk_and_its_reference_here(void **state) {
    (void)state;
    struct air_buffer reference;
    struct air_buffer file;

    air_buffer_init(&reference, AIR_KEY_PEM_SIZE_MAX);
    air_buffer_init(&file, AIR_KEY_PEM_SIZE_MAX);
    make_account(&reference);
    read_file("state/" KEY_PATH, &file);
    assert_true(contains(air_buffer_span(&file), "-----BEGIN PRIVATE KEY-----"));
    assert_false(contains(air_buffer_span(&reference), "PRIVATE"));
    assert_false(contains(air_buffer_span(&reference), "\"d\""));
    assert_ok(air_keeper_scene_read(&scene, KEY_PATH));
    assert_true(air_span_equal(air_buffer_span(&scene.text), air_buffer_span(&reference)));
    air_buffer_deinit(&reference);
    air_buffer_deinit(&file);
}

static void a_stored_account_signs_after_a_restart(void **state) {
    (void)state;
    struct air_buffer reference;
    struct air_public_key public_key;
    uint8_t unused[AIR_SIGNATURE_SIZE_MAX];
    size_t unused_size = 0;
    uint64_t key = 0;

    air_buffer_init(&reference, AIR_KEY_PEM_SIZE_MAX);
    make_account(&reference);
    air_keeper_scene_stop(&scene);
    air_keeper_scene_start(&scene);
    assert_ok(air_keeper_scene_read(&scene, KEY_PATH));
    assert_ok(scene.crypto->key_import(scene.crypto->self, air_buffer_span(&scene.text), &key));
    assert_ok(scene.crypto->key_public(scene.crypto->self, key, &public_key));
    assert_int_equal(scene.crypto->key_sign(
                         scene.crypto->self, key, AIR_ES256, SPAN("data"), unused, &unused_size),
        AIR_ERR_LATER);
    assert_ok(sign(key, AIR_ES256));
    assert_ok(scene.crypto->verify(
        scene.crypto->self, &public_key, AIR_ES256, SPAN("data"), air_buffer_span(&scene.text)));
    assert_int_equal(sign(key, AIR_RS256), AIR_ERR_BAD_KEY);
    scene.crypto->key_free(scene.crypto->self, key);
    assert_int_equal(sign(key, AIR_ES256), AIR_ERR_UNSUPPORTED);
    air_buffer_deinit(&reference);
}

static void remote_keys_are_for_accounts_only(void **state) {
    (void)state;
    const struct air_crypto *crypto = scene.crypto;
    const air_span name = SPAN("example.net");
    struct air_certificate_wish wish = {.names = &name, .names_count = 1};
    struct air_buffer out;
    uint64_t key = 0;

    air_buffer_init(&out, AIR_CSR_SIZE_MAX);
    assert_ok(air_keeper_scene_generate(&scene, AIR_KEY_ECDSA_P256, true));
    key = scene.key;
    wish.key = key;
    assert_int_equal(
        crypto->csr_create(crypto->self, key, NULL, &name, 1, false, &out), AIR_ERR_BAD_KEY);
    assert_int_equal(
        crypto->certificate_check(crypto->self, SPAN("x"), &wish, &out), AIR_ERR_BAD_KEY);
    assert_int_equal(
        crypto->key_sign_slow(crypto->self, key, AIR_ES256, name, NULL, NULL), AIR_ERR_UNSUPPORTED);
    assert_true(crypto->are_accounts_kept);
    crypto->key_free(crypto->self, key);
    assert_int_equal(crypto->key_export(crypto->self, key, &out), AIR_ERR_ARGUMENT);
    air_buffer_deinit(&out);
}

static void keys_of_certificates_come_to_the_server(void **state) {
    (void)state;
    static const enum air_key_type types[] = {AIR_KEY_ECDSA_P256, AIR_KEY_RSA_2048};
    const struct air_crypto *crypto = scene.crypto;
    const air_span name = SPAN("example.net");
    struct air_buffer out;

    air_buffer_init(&out, AIR_CSR_SIZE_MAX);
    for (size_t i = 0; i < 2; i++) {
        assert_ok(air_keeper_scene_generate(&scene, types[i], false));
        assert_ok(crypto->csr_create(crypto->self, scene.key, NULL, &name, 1, false, &out));
        assert_ok(crypto->key_export(crypto->self, scene.key, &out));
        crypto->key_free(crypto->self, scene.key);
    }
    assert_int_equal(air_keeper_scene_generate(&scene, AIR_KEY_NONE, false), AIR_ERR_UNSUPPORTED);
    air_buffer_deinit(&out);
}

static void refuses_to_store_what_is_no_account_key_of_its_own(void **state) {
    (void)state;
    struct air_buffer reference;
    struct air_buffer changed;

    air_buffer_init(&reference, AIR_KEY_PEM_SIZE_MAX);
    air_buffer_init(&changed, AIR_KEY_PEM_SIZE_MAX);
    make_account(&reference);
    assert_ok(air_buffer_append_text(&changed, "thinair-keeper-key 1 2"));
    assert_ok(air_buffer_append_span(
        &changed, air_span_skip(air_buffer_span(&reference), strlen("thinair-keeper-key 1 1"))));
    assert_int_equal(
        air_keeper_scene_put(&scene, KEY_PATH, air_buffer_span(&changed)), AIR_ERR_PERMISSION);
    assert_true(scene.explanation.size > 0);
    assert_int_equal(
        air_keeper_scene_put(&scene, KEY_PATH, SPAN("thinair-keeper-key 1 ")), AIR_ERR_PERMISSION);
    assert_int_equal(air_keeper_scene_put(&scene, KEY_PATH, SPAN("")), AIR_ERR_PERMISSION);
    assert_int_equal(air_keeper_scene_put(&scene, KEY_PATH, SPAN("-----BEGIN PRIVATE KEY-----")),
        AIR_ERR_PERMISSION);
    assert_ok(air_keeper_scene_read(&scene, KEY_PATH));
    air_buffer_deinit(&reference);
    air_buffer_deinit(&changed);
}

static void a_damaged_account_key_is_not_shown(void **state) {
    (void)state;
    char path[AIR_TEST_PATH_SIZE];
    struct air_buffer reference;

    air_buffer_init(&reference, AIR_KEY_PEM_SIZE_MAX);
    make_account(&reference);
    air_test_path(path, scene.folder, "state/" KEY_PATH);
    write_file(path, SPAN("-----BEGIN PRIVATE KEY-----\nMHcCAQEEIN\n"), 0600);
    assert_int_not_equal(air_keeper_scene_read(&scene, KEY_PATH), AIR_OK);
    assert_int_equal(scene.text.size, 0);
    air_buffer_deinit(&reference);
}

static enum air_error add_account(struct air_buffer *reference, struct air_buffer *reason) {
    air_buffer_clear(reason);
    return air_keeper_account_add(scene.keeper, scene.account_path, reference, reason);
}

static void an_account_file_is_made_once_and_taken_again(void **state) {
    (void)state;
    struct air_buffer first;
    struct air_buffer second;
    struct air_buffer file;
    struct air_buffer reason;
    struct stat status;
    uint64_t key = 0;

    air_buffer_init(&first, AIR_KEY_PEM_SIZE_MAX);
    air_buffer_init(&second, AIR_KEY_PEM_SIZE_MAX);
    air_buffer_init(&file, AIR_KEY_PEM_SIZE_MAX);
    air_buffer_init(&reason, 4096);
    assert_ok(add_account(&first, &reason));
    assert_int_equal(stat(scene.account_path, &status), 0);
    assert_int_equal(status.st_mode & 0777, 0600);
    read_file("account.jwk", &file);
    assert_true(contains(air_buffer_span(&file), "\"d\":\""));
    air_keeper_scene_stop(&scene);
    air_keeper_scene_start(&scene);
    assert_ok(add_account(&second, &reason));
    assert_true(air_span_equal(air_buffer_span(&first), air_buffer_span(&second)));
    assert_ok(scene.crypto->key_import(scene.crypto->self, air_buffer_span(&second), &key));
    assert_ok(sign(key, AIR_ES256));
    scene.crypto->key_free(scene.crypto->self, key);
    air_buffer_deinit(&first);
    air_buffer_deinit(&second);
    air_buffer_deinit(&file);
    air_buffer_deinit(&reason);
}

static void refuses_account_files_that_cannot_serve(void **state) {
    (void)state;
    struct air_buffer reference;
    struct air_buffer reason;
    struct air_buffer pem;

    air_buffer_init(&reference, AIR_KEY_PEM_SIZE_MAX);
    air_buffer_init(&reason, 4096);
    air_buffer_init(&pem, AIR_KEY_PEM_SIZE_MAX);
    air_test_key_make(AIR_KEY_RSA_2048, &pem);
    write_file(scene.account_path, air_buffer_span(&pem), 0640);
    assert_int_equal(add_account(&reference, &reason), AIR_ERR_PERMISSION);
    assert_true(contains(air_buffer_span(&reason), "account.jwk is open to others"));
    write_file(scene.account_path, SPAN("{\"kty\":\"EC\"}"), 0600);
    assert_int_equal(add_account(&reference, &reason), AIR_ERR_BAD_KEY);
    write_file(scene.account_path, SPAN(""), 0600);
    assert_int_equal(add_account(&reference, &reason), AIR_ERR_BAD_KEY);
    assert_int_equal(chmod(scene.folder, 0722), 0);
    assert_int_equal(add_account(&reference, &reason), AIR_ERR_PERMISSION);
    assert_int_equal(chmod(scene.folder, 0700), 0);
    assert_int_equal(reference.size, 0);
    write_file(scene.account_path, air_buffer_span(&pem), 0600);
    assert_ok(add_account(&reference, &reason));
    assert_int_equal(
        air_keeper_account_add(scene.keeper, "key.pem", &reference, &reason), AIR_ERR_ARGUMENT);
    assert_int_equal(air_keeper_account_add(scene.keeper, "/nowhere/key.pem", &reference, &reason),
        AIR_ERR_NOT_FOUND);
    air_buffer_deinit(&reference);
    air_buffer_deinit(&reason);
    air_buffer_deinit(&pem);
}

static void no_files_are_named_after_the_seal(void **state) {
    (void)state;
    struct air_buffer reference;
    const struct air_keeper_pair pair = {.certificate = SPAN("example.net"),
        .key_type = AIR_KEY_ECDSA_P256,
        .chain_path = scene.chain_path,
        .key_path = scene.key_path};
    static const uint8_t frame[] = {0, 0, 0, 7, 2, 0, 0, 0, 2, '/', 'a'};

    air_buffer_init(&reference, AIR_KEY_PEM_SIZE_MAX);
    air_keeper_seal(scene.keeper);
    assert_int_equal(
        air_keeper_account_add(scene.keeper, scene.account_path, &reference, NULL), AIR_ERR_STATE);
    assert_int_equal(air_keeper_pair_add(scene.keeper, &pair, NULL), AIR_ERR_STATE);
    assert_int_equal(air_keeper_scene_read(&scene, "a"), AIR_ERR_NOT_FOUND);
    /* A server that somebody has taken over asks all the same. */
    assert_int_equal(send(air_keeper_socket(scene.keeper), frame, sizeof(frame), MSG_NOSIGNAL),
        (ssize_t)sizeof(frame));
    assert_int_equal(air_keeper_scene_read(&scene, "a"), AIR_ERR_STORAGE);
    assert_int_equal(access(scene.account_path, F_OK), -1);
    air_buffer_deinit(&reference);
}

/* Both halves of a generation of a pair, as the engine writes them. */
static enum air_error put_live(const struct air_buffer *chain, const struct air_buffer *key) {
    const struct air_put puts[] = {
        {.path = SPAN("live/_.example.net/ecdsa-p256/privkey.pem"), .value = air_buffer_span(key)},
        {.path = SPAN("live/_.example.net/ecdsa-p256/fullchain.pem"),
            .value = air_buffer_span(chain)}};
    struct air_action action = {.id = 31, .kind = AIR_ACTION_WRITE};

    action.write = (struct air_write_action){.puts = puts, .puts_count = 2};
    return air_keeper_scene_run(&scene, &action);
}

static void a_pair_follows_what_is_stored(void **state) {
    (void)state;
    const air_span names[] = {SPAN("example.net")};
    const struct air_keeper_pair pair = {.certificate = SPAN("*.example.net"),
        .key_type = AIR_KEY_ECDSA_P256,
        .chain_path = scene.chain_path,
        .key_path = scene.key_path};
    struct air_test_pki *pki = air_test_pki_new();
    struct air_buffer chains[2];
    struct air_buffer keys[2];
    struct air_buffer file;

    air_buffer_init(&file, 8192);
    for (size_t i = 0; i < 2; i++) {
        air_buffer_init(&chains[i], AIR_CHAIN_SIZE_MAX);
        air_buffer_init(&keys[i], AIR_KEY_PEM_SIZE_MAX);
        air_test_pki_issue(
            pki, AIR_KEY_ECDSA_P256, names, 1, 0, INT64_C(4000000000000), &chains[i], &keys[i]);
    }
    assert_ok(put_live(&chains[0], &keys[0])); /* of a run before this */
    assert_int_equal(access(scene.chain_path, F_OK), -1);
    assert_ok(air_keeper_pair_add(scene.keeper, &pair, NULL));
    read_file("cert.pem", &file);
    assert_true(air_span_equal(air_buffer_span(&file), air_buffer_span(&chains[0])));
    assert_ok(put_live(&chains[1], &keys[1]));
    read_file("key.pem", &file);
    assert_true(air_span_equal(air_buffer_span(&file), air_buffer_span(&keys[1])));
    assert_int_equal(put_live(&chains[0], &keys[1]), AIR_ERR_BAD_CERTIFICATE);
    assert_true(scene.explanation.size > 0);
    read_file("cert.pem", &file);
    assert_true(air_span_equal(air_buffer_span(&file), air_buffer_span(&chains[1])));
    for (size_t i = 0; i < 2; i++) {
        air_buffer_deinit(&chains[i]);
        air_buffer_deinit(&keys[i]);
    }
    air_buffer_deinit(&file);
    air_test_pki_free(pki);
}

static void a_keeper_that_cannot_begin_says_why(void **state) {
    (void)state;
    const struct air_keeper_config config = {
        .size = sizeof(config), .state_dir = "/nowhere/at/all"};
    struct air_keeper_config wrong = config;
    struct air_keeper *keeper = NULL;
    struct air_buffer reason;

    air_buffer_init(&reason, 4096);
    assert_int_equal(air_keeper_start(&config, &keeper, &reason), AIR_ERR_NOT_FOUND);
    assert_true(contains(air_buffer_span(&reason), "/nowhere/at/all"));
    wrong.size--;
    assert_int_equal(air_keeper_start(&wrong, &keeper, &reason), AIR_ERR_ARGUMENT);
    assert_null(keeper);
    air_buffer_deinit(&reason);
}

static void actions_of_other_kinds_are_not_for_a_keeper(void **state) {
    (void)state;

    for (int kind = AIR_ACTION_HTTP; kind <= AIR_ACTION_CANCEL; kind++) {
        const struct air_action action = {.id = 1, .kind = (enum air_action_kind)kind};
        const bool is_storage = kind >= AIR_ACTION_READ && kind <= AIR_ACTION_GENERATE_KEY;

        if (!is_storage) {
            assert_int_equal(air_keeper_submit(scene.keeper, &action), AIR_ERR_UNSUPPORTED);
        }
    }
    assert_int_equal(sign(1, AIR_ES256), AIR_ERR_UNSUPPORTED);
}

/* What an engine does with a keeper that runs. */
static enum air_error work(void *context) {
    enum air_error error = air_keeper_scene_generate(&scene, AIR_KEY_ECDSA_P256, true);

    (void)context;
    if (error == AIR_OK) {
        const uint64_t key = scene.key;

        error = sign(key, AIR_ES256);
        scene.crypto->key_free(scene.crypto->self, key);
    }
    if (error == AIR_OK) {
        error = air_keeper_scene_put(&scene, "a", SPAN("b"));
    }
    if (error == AIR_OK) {
        error = air_keeper_scene_read(&scene, "a");
    }
    air_buffer_deinit(&scene.text);
    air_buffer_deinit(&scene.explanation);
    air_buffer_init(&scene.text, AIR_STORAGE_VALUE_SIZE_MAX);
    air_buffer_init(&scene.explanation, 512);
    return error;
}

static void works_on_after_each_failed_allocation(void **state) {
    (void)state;

    assert_ok(work(NULL)); /* what a keeper keeps for the next time is there now */
    air_test_each_allocation(work, NULL);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(an_account_key_is_on_disk_and_its_reference_here),
        TEST(a_stored_account_signs_after_a_restart),
        TEST(remote_keys_are_for_accounts_only),
        TEST(keys_of_certificates_come_to_the_server),
        TEST(refuses_to_store_what_is_no_account_key_of_its_own),
        TEST(a_damaged_account_key_is_not_shown),
        TEST(an_account_file_is_made_once_and_taken_again),
        TEST(refuses_account_files_that_cannot_serve),
        TEST(no_files_are_named_after_the_seal),
        TEST(a_pair_follows_what_is_stored),
        TEST(a_keeper_that_cannot_begin_says_why),
        TEST(actions_of_other_kinds_are_not_for_a_keeper),
        TEST(works_on_after_each_failed_allocation),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
