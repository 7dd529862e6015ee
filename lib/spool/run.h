/*
 * A run on disk: what one push has promised, written before it is done.
 *
 * runs/<run>/journal is append-only text, a line an entry: 8 hex digits of CRC-32C, a blank, a JSON
 * object. A torn last line (power cut) is cut off on opening; any other damage is RV_DAMAGED, also
 * in the last line: it may be a promise that was given. runs/<run>/<seq>.body and <seq>.rejects are spooled batches. The journal is locked
 * for as long as its run is alive.
 *
 * runs/<run>/<seq>.sent says which records of a batch were acknowledged by attempts that failed in the
 * end (flow/acknowledged.h).
 *
 * Version 3. Entry types: run, file, batch, sending, sent, landed, dropped, closed. Version 1 had neither
 * sending nor sent, nor "stamp" and "delivery" in its first line; version 2 had no "intake". Runs without
 * them are still written so.
 *
 * One thread promises, and another one may note what became of promises (the functions that say so);
 * the run serialises itself.
 */
#ifndef RV_SPOOL_RUN_H
#define RV_SPOOL_RUN_H

#include <jansson.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "base/file.h"
#include "flow/object_name.h"
#include "spool/state.h"

#define RV_RUN_VERSION 3

enum rv_batch_state {
	RV_BATCH_WAITING, /* journaled, not known to be in the lake */
	RV_BATCH_LANDED,
	RV_BATCH_SENT,    /* every record acknowledged by the next hop, which brings it to the lake */
	RV_BATCH_DROPPED, /* files: the bytes are gone or changed; reported as not accepted */
};
/* A piece of a file that went into a batch. Offsets are of the decompressed bytes. */
struct rv_extent {
	uint64_t file;      /* index into the run's files */
	uint64_t from, to;
	uint64_t line;      /* of `from` */
	unsigned in_array;  /* what rv_reader_in_array() said at `from`, json only */
	bool finish;        /* ends with an unterminated record that was handed out all the same */
	char *csv_header;   /* Optional, csv only */
	char csv_delimiter; /* with csv_header; 0: by the settings and the file's name */
	json_t *checkpoint; /* what this batch moves the file's checkpoint to; see checkpoint.h */
};
/* The two as members of `object`. */
void rv_csv_reading_put(json_t *object, const char *csv_header, char csv_delimiter);
/* *ret_header: caller frees. */
void rv_csv_reading_get(const json_t *object, char **ret_header, char *ret_delimiter);
/* Such a state as a member of `object`; 0 is none. One that is no more than "inside" is written as versions did that
 * knew no other. */
void rv_reader_state_put(json_t *object, unsigned in_array);
unsigned rv_reader_state_get(const json_t *object);

struct rv_run_file {
	char *path;         /* absolute */
	char *key;          /* device-inode-birth */
	char *format;       /* of the reader, after detection */
	char *compression;
	bool journaled;
};
/* What sending took, over all attempts. */
struct rv_sent_counts {
	uint64_t requests, refused, maybe_twice, record_bytes, billed_bytes;
};
struct rv_batch_entry {
	uint64_t seq;
	char *name;         /* object name; "" when the batch has rejects only */
	uint64_t records, record_bytes, bytes, set_hash;
	uint64_t body_hash; /* spooled: XXH3-64 of the body, so that damage on disk is noticed */
	uint64_t rejected, rejects_hash;
	uint64_t rejects_bytes, rejects_body_hash; /* spooled: of the rejects, as bytes and body_hash */
	char *rejects_name; /* Optional: object name of the rejects */
	uint64_t input_to;  /* pipes: offset in the input behind this batch */
	struct rv_extent *extents; /* files only */
	size_t extents_count;
	enum rv_batch_state state;
	bool sending;       /* an attempt was begun: unless told, nobody knows what came of it */
	struct rv_sent_counts sent;
};

struct rv_run {
	char name[RV_RUN_MAX + 1];
	uint64_t serial;          /* no other run of this process has or had it; never 0 */
	char *folder;             /* runs/<run> */
	int journal_fd;           /* -1: closed */
	pthread_mutex_t mutex;
	/* The plain fields: set before rv_run_begin, then constant. */
	bool named;               /* --run */
	bool pipe;                /* batches are spooled: <seq>.body, <seq>.rejects */
	bool intake;              /* what no batch holds yet is accepted as well: <seq>.intake, see intake.h */
	int64_t started_ms;
	char lake_folder[24];     /* "dt=.../hr=..." */
	char *source;             /* what was pushed, for people */
	char *host;
	enum rv_output_compression compression;
	enum rv_stamp stamp;
	char delivery[16];        /* "": direct */
	json_t *settings;         /* Optional: how the input was read; flow/read_settings.h. Owned. */
	/* What the journal adds. */
	struct rv_run_file **files;
	size_t files_count, files_capacity;
	struct rv_batch_entry *batches;
	size_t batches_count, batches_capacity;
	bool closed;              /* the journal says the run came to its end */
	uint64_t journal_bytes;   /* written by this process */
	int64_t cut_to;           /* its length without a line that could not be taken back; -1: there is none */
};

/* A new run, its folder made and its journal locked; nothing written yet. `name` NULL: a fresh
 * ULID. RV_CONFLICT when a run of that name has state here, RV_LOCKED when it is alive. */
enum rv_status rv_run_create(const struct rv_state *state, const char *name, int64_t now_ms,
			     struct rv_run **ret, struct rv_error *err) RV_MUST_CHECK;
/* Write the run's first line, durably. Where that fails, the run has no folder any more. */
enum rv_status rv_run_begin(struct rv_run *run, struct rv_error *err) RV_MUST_CHECK;

/* Open a left-over run. RV_LOCKED when it is alive, RV_NOT_FOUND when it is gone or never began,
 * RV_DAMAGED with the line when its journal is. `lock` false reads without locking (for looking). */
enum rv_status rv_run_open(const struct rv_state *state, const char *name, bool lock,
			   struct rv_run **ret, struct rv_error *err) RV_MUST_CHECK;
/* Does a process hold the run's journal? For runs opened without a lock. */
bool rv_run_is_alive(const struct rv_run *run);
void rv_run_free(struct rv_run *run); /* unlocks */
void rv_run_free_p(struct rv_run **run);

/* Is there so much in the journal that what comes should have a run of its own? Whoever finishes it after a crash
 * reads it whole. Any thread. */
bool rv_run_is_long(struct rv_run *run);

/* Register a file; returns its index. Journaled with the first batch that uses it. */
const struct rv_run_file *rv_run_file(struct rv_run *run, uint64_t index);
uint64_t rv_run_add_file(struct rv_run *run, const char *path, const char *key, const char *format,
			 const char *compression);
/* Promise a batch: the run takes over what the entry owns, and it is durable when this returns. */
enum rv_status rv_run_promise(struct rv_run *run, struct rv_batch_entry *entry,
			      struct rv_error *err) RV_MUST_CHECK;
/* Any thread from here on. A copy of what was promised, without its extents; false: no such batch. */
bool rv_run_entry(struct rv_run *run, uint64_t seq, struct rv_batch_entry *ret);
/* The same of the first batch that waits, from number `from` on. */
bool rv_run_next_waiting(struct rv_run *run, uint64_t from, struct rv_batch_entry *ret);
/* Note that a batch is about to be sent to a service that takes it once more under the same name.
 * Not synced. */
enum rv_status rv_run_sending(struct rv_run *run, uint64_t seq, struct rv_error *err) RV_MUST_CHECK;
/* Counts of an attempt; they go with the note that it was sent in the end. */
void rv_run_add_counts(struct rv_run *run, uint64_t seq, const struct rv_sent_counts *counts);
/* Note them before that, for another process may end it. Not synced. */
enum rv_status rv_run_note_counts(struct rv_run *run, uint64_t seq, struct rv_error *err) RV_MUST_CHECK;
/* Note that every record of a batch was acknowledged. Durable for pipes: their spool file goes next. */
enum rv_status rv_run_sent(struct rv_run *run, uint64_t seq, struct rv_error *err) RV_MUST_CHECK;
/* Note that a batch is in the lake. Not synced: recovery puts it again, to the same name. */
enum rv_status rv_run_landed(struct rv_run *run, uint64_t seq, struct rv_error *err) RV_MUST_CHECK;
/* Note that a batch can not be made again; durable. The totals leave it out. */
enum rv_status rv_run_dropped(struct rv_run *run, uint64_t seq, struct rv_error *err) RV_MUST_CHECK;
/* The input has ended and all batches are promised; durable. */
enum rv_status rv_run_close(struct rv_run *run, struct rv_error *err) RV_MUST_CHECK;
/* Everything landed, receipt and checkpoints durable: forget the run. */
enum rv_status rv_run_remove(struct rv_run *run, struct rv_error *err) RV_MUST_CHECK;

char *rv_run_body_path(const struct rv_run *run, uint64_t seq);    /* caller frees */
char *rv_run_rejects_path(const struct rv_run *run, uint64_t seq); /* caller frees */
char *rv_run_sent_path(const struct rv_run *run, uint64_t seq);    /* caller frees */
void rv_batch_entry_release(struct rv_batch_entry *entry);
/* What it takes there: of its records and of its rejects. */
uint64_t rv_batch_spool_bytes(const struct rv_batch_entry *entry);
/* Is the open spool file `path` what was promised? RV_DAMAGED with lengths when not. */
enum rv_status rv_run_check_spooled(int fd, const char *path, uint64_t bytes, uint64_t hash,
				    struct rv_error *err) RV_MUST_CHECK;

struct rv_run_totals {
	uint64_t records, record_bytes, bytes, rejected, set_hash, rejects_hash;
	uint64_t batches;  /* with records */
	uint64_t landed;   /* of them, and of batches with rejects only */
	uint64_t landed_records, landed_bytes;
	uint64_t sent, sent_records; /* acknowledged, and not known to be in the lake */
	struct rv_sent_counts counts;
	uint64_t waiting, waiting_records, waiting_bytes;
	uint64_t input_to; /* pipes: accepted up to this offset */
};
void rv_run_totals(struct rv_run *run, struct rv_run_totals *ret);

/* Names of the runs a stream has state of, in order. */
enum rv_status rv_run_each(const struct rv_state *state,
			   enum rv_status (*each)(void *arg, const char *run, struct rv_error *err),
			   void *arg, struct rv_error *err) RV_MUST_CHECK;

/* Bytes that wait in the stream's spool. */
enum rv_status rv_spool_bytes(const struct rv_state *state, uint64_t *ret,
			      struct rv_error *err) RV_MUST_CHECK;

#endif
