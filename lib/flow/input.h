/*
 * Opening a FILE operand as a source of decompressed bytes.
 */
#ifndef RV_FLOW_INPUT_H
#define RV_FLOW_INPUT_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>

#include "base/error.h"
#include "source/source.h"

struct rv_input_file {
	int fd;                      /* owned; -1 once released */
	struct stat stat;            /* when it was opened */
	char *path;                  /* absolute */
	enum rv_compression compression;
};
#define RV_INPUT_FILE_INIT { .fd = -1 }
/* RV_NOT_FOUND, or RV_LOCAL_IO for what cannot be read; *ret_regular false for a FIFO, a device or a
 * socket, which is read like a pipe (compression is then not looked at). */
enum rv_status rv_input_file_open(const char *path, struct rv_input_file *ret, bool *ret_regular,
				  struct rv_error *err) RV_MUST_CHECK;
void rv_input_file_release(struct rv_input_file *file);
/* The file of this key (rv_file_key) in `folder`, whatever its name is now; ret->fd stays -1 when
 * there is none. */
enum rv_status rv_input_file_find(const char *folder, const char *key, struct rv_input_file *ret,
				  struct rv_error *err) RV_MUST_CHECK;
/* The inodes of a folder as they were when it was read: where to look first. */
struct rv_input_folder {
	char *path; /* NULL: none was read */
	struct rv_input_name {
		uint64_t inode;
		char *name;
	} *names;   /* by inode */
	size_t count, capacity;
};
void rv_input_folder_release(struct rv_input_folder *folder);
/* The same in the folder of `path`, which it had once. A folder is only walked where neither that nor what
 * was read of it before leads there: many that are looked for, one after another, cost one reading. */
enum rv_status rv_input_file_find_again(struct rv_input_folder *folder, const char *path, const char *key,
					struct rv_input_file *ret, struct rv_error *err) RV_MUST_CHECK;
bool rv_input_file_has_key(const struct rv_input_file *file, const char *key);
/* Bytes [from, to) of what the file holds, decompressed. A duplicate of the descriptor is used, so
 * several sources can be opened one after another. */
enum rv_status rv_input_file_source(const struct rv_input_file *file, uint64_t from, uint64_t to,
				    struct rv_source **ret, struct rv_error *err) RV_MUST_CHECK;

#endif
