/* SPDX-License-Identifier: MIT */
#ifndef AIR_KEEPER_PAIR_PARTS_H
#define AIR_KEEPER_PAIR_PARTS_H

/*
 * What the files of the pair files share. pair_files.c has the public functions and decides what is
 * done in which order, pair_folder.c the durable steps, pair_slot.c the slots, pair_open.c the two
 * directories and the checks on them, pair_match.c what a pair is.
 */

#include <sys/types.h>

#include "thinair/crypto.h"
#include "thinair/pair_files.h"

#define AIR_PAIR_PATH_SIZE_MAX 1024

/* So many numbered pairs are kept. */
#define AIR_PAIR_KEPT_MAX 8

/* A number's digits, and the zero byte. */
#define AIR_PAIR_NAME_SIZE 11

/* Room for a path and what is appended to it, and its zero byte. */
#define AIR_PAIR_TEXT_SIZE (AIR_PAIR_PATH_SIZE_MAX + 64)

/* One of the two configured paths. */
struct air_pair_path {
    char path[AIR_PAIR_TEXT_SIZE];
    const char *name;                /* its last segment */
    char target[AIR_PAIR_TEXT_SIZE]; /* what our link there says */
    int folder;                      /* the directory it is in; -1: not open */
};

struct air_pair_slot {
    int handle;      /* -1: not open */
    uint64_t number; /* of what we wrote into it; 0: nothing */
};

struct air_pair_files {
    struct air_pair_path chain;
    struct air_pair_path key;
    char pairs_path[AIR_PAIR_TEXT_SIZE];
    int pairs;       /* the folder of numbered pairs; -1: not open */
    uint32_t number; /* the highest in use */
    struct air_pair_slot slots[2];
    uint64_t slots_number;     /* the latest given to a slot */
    struct air_buffer *reason; /* of the public call under way; may be NULL */
};

/* A pair in memory. */
struct air_pair {
    struct air_buffer chain;
    struct air_buffer key;
};

void air_pair_init(struct air_pair *pair);
void air_pair_deinit(struct air_pair *pair);

/* pair_match.c: AIR_OK, AIR_ERR_LIMIT, AIR_ERR_NO_MEMORY, or AIR_ERR_BAD_CERTIFICATE: not a chain
 * of certificates and the private key of its first. */
enum air_error air_pair_match(air_span chain, air_span key);

/* pair_open.c: copy the paths; open and check the two directories and the folder between them. */
enum air_error air_pair_open_folders(
    struct air_pair_files *files, const char *chain_path, const char *key_path);
void air_pair_close_folders(struct air_pair_files *files);

/* ---- pair_folder.c: errors are told to files->reason ---- */

/* Tell the reason: "<path><name> what: the system's words". Answers the error for errno. */
enum air_error air_pair_fail(
    const struct air_pair_files *files, const char *path, const char *what, int number);

/* Tell a reason of our own. */
enum air_error air_pair_refuse(
    const struct air_pair_files *files, const char *path, const char *what, enum air_error error);

/* Append a file of at most size_max bytes. AIR_ERR_NOT_FOUND; AIR_ERR_LIMIT; AIR_ERR_EXISTS: not a
 * regular file. Tells no reason. */
enum air_error air_pair_file_read(
    int folder, const char *name, size_t size_max, struct air_buffer *out);

/* The number of the numbered pair that `current` links to; 0: none. */
uint32_t air_pair_current(const struct air_pair_files *files);

/* The name of a numbered pair's folder. */
void air_pair_name(uint32_t number, char out[AIR_PAIR_NAME_SIZE]);

/* Look for the highest number in use. */
enum air_error air_pair_count(struct air_pair_files *files);

/* Append a numbered pair, or `current`, when it is whole and matches. Errors as
 * air_pair_files_read(). */
enum air_error air_pair_load(
    const struct air_pair_files *files, const char *name, struct air_pair *pair);

/* Write a new numbered pair: durable, and linked to by nobody yet. */
enum air_error air_pair_add(struct air_pair_files *files, air_span chain, air_span key);

/* Make the pair of that number the current one. */
enum air_error air_pair_point(const struct air_pair_files *files, uint32_t number);

/* Remove `current`, if it is there. */
enum air_error air_pair_forget(const struct air_pair_files *files);

/* Whether the path is our link; make it one. */
bool air_pair_is_linked(const struct air_pair_path *path);
enum air_error air_pair_link(const struct air_pair_files *files, const struct air_pair_path *path);

/* Rename what is at the path to "<path>.old.N", N being free. Nothing there is no error. */
enum air_error air_pair_set_aside(
    const struct air_pair_files *files, const struct air_pair_path *path);

/* Remove what is older than the latest AIR_PAIR_KEPT_MAX. Failing harms nobody. */
void air_pair_prune(const struct air_pair_files *files);

/* Open, make and write a file of our own durably: O_EXCL, mode 0600. Answers 0 or errno. */
int air_pair_file_write(int folder, const char *name, air_span value);

/* Write all of it at the beginning. Answers 0 or errno. */
int air_pair_write_all(int handle, air_span value);

/* ---- pair_slot.c ---- */

/* The latest whole slot, when there is one: AIR_OK, else AIR_ERR_NOT_FOUND. What is not whole is
 * set aside. */
enum air_error air_pair_slots_read(struct air_pair_files *files, struct air_pair *pair);

/* Remove both slots, the older first: what they held is current. */
enum air_error air_pair_slots_clear(struct air_pair_files *files);

/* Make both slots, empty, and hold them open. */
enum air_error air_pair_slots_open(struct air_pair_files *files);
void air_pair_slots_close(struct air_pair_files *files);

#endif
