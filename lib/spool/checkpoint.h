/*
 * A checkpoint: how far one file has been pushed to one stream (semantics.md 4).
 *
 * A file of one line: 8 hex digits of CRC-32C, a blank, a JSON object.
 * It belongs to (lake, stream id, device-inode-birth) in one state folder. It is found again by
 * that key; or, when a file was rotated (renamed copies, copytruncate, logrotate's .gz), by the
 * hash of its first record. `head` and `tail` hash the bytes around so that another content is
 * noticed without reading everything; `records`, `rejected` and `set_hash` describe the whole
 * prefix and are compared when the file is read anyway (compressed files) or on request.
 */
#ifndef RV_SPOOL_CHECKPOINT_H
#define RV_SPOOL_CHECKPOINT_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>

#include "base/error.h"
#include "spool/run.h"
#include "spool/state.h"

#define RV_CHECKPOINT_VERSION 1
#define RV_CHECKPOINT_WINDOW (64u << 10)
#define RV_FILE_KEY_TEXT 64

struct rv_checkpoint {
	char key[RV_FILE_KEY_TEXT];
	char *path;             /* absolute, as it was pushed last */
	char *format;           /* "ndjson" */
	char *compression;      /* "none": offsets are of the file; else of what is in it */
	uint64_t offset;        /* all before has been promised */
	uint64_t line;          /* number of the line at offset, from 1 */
	char *csv_header;       /* Optional */
	char csv_delimiter;     /* with csv_header; 0: by the settings and the path, as earlier versions had it */
	unsigned in_array;      /* what rv_reader_in_array() said there */
	uint64_t head_len, head_hash; /* of the first bytes, at most WINDOW */
	uint64_t tail_len, tail_hash; /* of the last bytes before offset, at most WINDOW */
	uint64_t first_record;  /* XXH3 of the first record in lake form; 0: none yet */
	uint64_t records, rejected, set_hash; /* of the whole prefix */
	uint64_t file_bytes;    /* size and time of the file when it was read last: where both are */
	int64_t file_modified_ns; /* the same, a compressed file need not be read again */
	bool at_end;            /* nothing was left behind offset then */
	int64_t generation;     /* when the file was begun from byte 0: the later one counts */
	bool again_open;        /* begun by --again, and not at the end yet */
	int64_t pushed_ms;      /* when it came to this offset */
};
void rv_checkpoint_release(struct rv_checkpoint *checkpoint);

/* "device-inode-birth" in hex; birth 0 where the file system does not know it. */
enum rv_status rv_file_key(int fd, const char *path, char ret[RV_FILE_KEY_TEXT],
			   struct rv_error *err) RV_MUST_CHECK;

/* The same of what statx says. */
void rv_file_key_text(uint32_t device_major, uint32_t device_minor, uint64_t inode, int64_t birth_ns,
		      char ret[RV_FILE_KEY_TEXT]);

/* Size and time of the file as it was when it was read. */
void rv_checkpoint_note_stat(struct rv_checkpoint *checkpoint, const struct stat *st);

json_t *rv_checkpoint_json(const struct rv_checkpoint *checkpoint);
/* False when it is not one, or a newer version. */
bool rv_checkpoint_parse(const json_t *object, struct rv_checkpoint *ret);

/* *ret_found false: there is none. A damaged one is RV_DAMAGED and stays where it is: going on
 * without it would send the file once more, which somebody has to want (--again). */
enum rv_status rv_checkpoint_load(const struct rv_state *state, const char *key,
				  struct rv_checkpoint *ret, bool *ret_found,
				  struct rv_error *err) RV_MUST_CHECK;
/* Adds the head entry too. Without `sync` the run's journal must live until rv_checkpoint_sync. */
enum rv_status rv_checkpoint_save(const struct rv_state *state, const struct rv_checkpoint *,
				  bool sync, struct rv_error *err) RV_MUST_CHECK;
enum rv_status rv_checkpoint_remove(const struct rv_state *state, const struct rv_checkpoint *,
				    struct rv_error *err) RV_MUST_CHECK;
/* Everything saved so far is durable when this returns. Waits for all that is being written to the
 * file system, so it is only for when many files were saved without `sync`. */
enum rv_status rv_checkpoint_sync(const struct rv_state *state, struct rv_error *err) RV_MUST_CHECK;
/* Give the content of this checkpoint another key and path: the file was rotated. */
enum rv_status rv_checkpoint_move(const struct rv_state *state, struct rv_checkpoint *checkpoint,
				  const char *key, const char *path,
				  struct rv_error *err) RV_MUST_CHECK;
/* A file whose content changed starts anew; what was known of the old content is kept under a key of
 * its own, so that the old content is recognised where it went (copytruncate). */
enum rv_status rv_checkpoint_detach(const struct rv_state *state, struct rv_checkpoint *checkpoint,
				    struct rv_error *err) RV_MUST_CHECK;

/* Checkpoints whose file began with this record. `each` gets them loaded. */
enum rv_status rv_checkpoint_each_head(const struct rv_state *state, uint64_t first_record,
				       enum rv_status (*each)(void *arg,
							      struct rv_checkpoint *checkpoint,
							      struct rv_error *err),
				       void *arg, struct rv_error *err) RV_MUST_CHECK;
/* Whether there is any at all: asked first, as most often there is none. */
enum rv_status rv_checkpoint_any(const struct rv_state *state, bool *ret, struct rv_error *err) RV_MUST_CHECK;

/* Does the open, uncompressed file still hold the bytes of the checkpoint? */
enum rv_status rv_checkpoint_matches(const struct rv_checkpoint *checkpoint, int fd, bool *ret,
				     struct rv_error *err) RV_MUST_CHECK;
/* Fill head and tail for an uncompressed file at checkpoint->offset. */
enum rv_status rv_checkpoint_measure(struct rv_checkpoint *checkpoint, int fd,
				     struct rv_error *err) RV_MUST_CHECK;

/* The batches a file went into: lines of "from to run seq bytes name rejects". For --shipped. */
enum rv_status rv_checkpoint_note_batch(const struct rv_state *state, const char *key,
					const struct rv_run *run, const struct rv_batch_entry *entry,
					const struct rv_extent *extent, bool sync,
					struct rv_error *err) RV_MUST_CHECK;
struct rv_file_batch {
	uint64_t from, to;
	uint64_t bytes;                        /* of the object */
	/* A service took the records: their stamps come to the lake, in objects it names itself. */
	bool by_stamp;
	char name[RV_OBJECT_NAME_MAX + 1];     /* "-": none */
	char rejects_name[RV_OBJECT_NAME_MAX]; /* "-": none */
};
enum rv_status rv_checkpoint_each_batch(const struct rv_state *state, const char *key,
					enum rv_status (*each)(void *arg,
							       const struct rv_file_batch *batch,
							       struct rv_error *err),
					void *arg, struct rv_error *err) RV_MUST_CHECK;

#endif
