/*
 * What a folder's file system can do, found out by doing it: for `river doctor`, not for the way of
 * a record. Whatever is made for it has a temporary name and is removed again.
 */
#ifndef RV_BASE_PROBE_H
#define RV_BASE_PROBE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/error.h"

struct rv_file_system {
	char type[24];       /* "ext", "nfs"; a hexadecimal number when it is no common one */
	bool network;        /* other hosts may be writing, or the server may be away */
	bool volatile_data;  /* gone after a restart */
	bool read_only;
	uint64_t free_bytes; /* for this user */
	bool full_of_files;  /* no inode is left */
};
enum rv_status rv_probe_file_system(const char *path, struct rv_file_system *ret,
				    struct rv_error *err) RV_MUST_CHECK;

/* `path` itself or the nearest folder above it that exists. Caller frees. */
char *rv_probe_existing(const char *path);

/* A file can be created under a name that is free, and not under one that is taken. *ret_skew_ms is
 * how far the file's time is ahead of the clock. */
enum rv_status rv_probe_create(const char *folder, int64_t *ret_skew_ms,
			       struct rv_error *err) RV_MUST_CHECK;
/* A file can replace another in one step. */
enum rv_status rv_probe_replace(const char *folder, struct rv_error *err) RV_MUST_CHECK;
/* A lock keeps a second holder out, and is free again afterwards. */
enum rv_status rv_probe_lock(const char *folder, struct rv_error *err) RV_MUST_CHECK;
/* The process that holds a lock on the file: its number, -1 when that is not known (an open file
 * description's lock, or another host's), 0 for nobody. A missing file is held by nobody. */
enum rv_status rv_probe_locked_by(const char *path, pid_t *ret, struct rv_error *err) RV_MUST_CHECK;

#endif
