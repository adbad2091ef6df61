/* SPDX-License-Identifier: MIT */
#ifndef AIR_TEST_CRASH_STORAGE_DISK_H
#define AIR_TEST_CRASH_STORAGE_DISK_H

/*
 * A disk that can lose power: it records what the file storage does to its files, and builds what
 * may be left of them after a cut at any moment.
 *
 * The model is meaner than the file systems in use. Without a sync of the file, its data may be
 * missing, half there, zeroes, or there. Without a sync of the folder, each change of its entries
 * may be lost on its own, in any combination, whatever came later elsewhere. Syncs of one thing say
 * nothing about another. What it grants: a rename is one change, and a synced thing stays.
 */

#include "backends/storage_file/system.h"
#include "tests/support/fake_system.h"
#include "tests/support/folder.h"

#define AIR_DISK_NODES_MAX 256
#define AIR_DISK_OPERATIONS_MAX 2048
#define AIR_DISK_FILES_MAX 1024
#define AIR_DISK_NAME_SIZE 64
#define AIR_DISK_DATA_SIZE 65536
#define AIR_DISK_ROOT 0
#define AIR_DISK_NONE (-1)

/* One name in one folder, and what it stands for. */
struct air_disk_entry {
    int folder;
    char name[AIR_DISK_NAME_SIZE];
    int node; /* AIR_DISK_NONE: nothing */
};

enum air_disk_kind {
    AIR_DISK_SET,    /* entry: a new name, or one that is removed */
    AIR_DISK_RENAME, /* entry, from */
    AIR_DISK_WRITE,  /* entry.node; data */
    AIR_DISK_SYNC    /* entry.node */
};

struct air_disk_operation {
    enum air_disk_kind kind;
    struct air_disk_entry entry;
    char from[AIR_DISK_NAME_SIZE];
    size_t data_start;
    size_t data_size;
    char note[AIR_DISK_NAME_SIZE]; /* in the lock file before this was done */
    /* What the writer had been told when this was done. */
    size_t promised_count; /* puts of writes that had answered AIR_OK */
    size_t started_count;  /* and of those that had begun */
};

struct air_disk {
    struct air_fake_system system; /* give &system.table to the storage */
    bool forgets_folder_syncs;     /* for showing that the check sees it */
    bool forgets_file_syncs;
    bool forgets_notes; /* writes to the lock file fail */
    bool is_dead;       /* every call fails, as if the process were gone */
    unsigned calls;
    unsigned die_at;       /* is_dead from this call on; 0: never */
    unsigned syncs;        /* so many were asked for */
    unsigned fail_sync_at; /* this one fails; 0: none */

    size_t promised_count;
    size_t started_count;
    bool is_folder[AIR_DISK_NODES_MAX];
    int nodes_count;
    int node_of_file[AIR_DISK_FILES_MAX];
    struct air_disk_entry entries[AIR_DISK_NODES_MAX]; /* as the process sees them */
    size_t entries_count;
    char note[AIR_DISK_NAME_SIZE];
    int note_file; /* the open lock file */
    struct air_disk_operation operations[AIR_DISK_OPERATIONS_MAX];
    size_t operations_count;
    uint8_t data[AIR_DISK_DATA_SIZE];
    size_t data_size;
};

/* An empty disk; the state directory is on it and durable. */
void air_disk_init(struct air_disk *disk);

/* How a walk over what may be left went. */
struct air_disk_count {
    size_t cuts;    /* moments */
    size_t images;  /* in all */
    size_t checked; /* that were different */
    size_t breaches;
};

/*
 * For every moment from the first-th operation to the last-th, build what may be left in a folder
 * and let `holds` look at it. Images that are the same, with the same promises, are looked at once.
 */
void air_disk_cut(const struct air_disk *disk, size_t first, size_t last,
    bool (*holds)(void *context, const char *path, size_t promised_count, size_t started_count),
    void *context, struct air_disk_count *count);

#endif
