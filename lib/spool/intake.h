/*
 * What was accepted and is in no batch yet: runs/<run>/<seq>.intake. A server that answers many small
 * requests makes them durable together, one write and one fdatasync for all that came meanwhile; batch
 * <seq> is made of the whole file later, by whoever comes to it.
 *
 * The file is frames, each of them a head of RV_INTAKE_HEAD bytes and its bytes:
 *
 *   <crc %08x> <hash %016x> <kind> <bytes %08x> <records %08x>\n
 *
 * The CRC-32C is of the rest of the head, the hash XXH3-64 of the bytes. Kinds: 'r', records of the stream,
 * a line each; 'x', one reject: code, reason and source, a line each, then its bytes, and its number of records
 * is 1 and the NULs among them; 'y', a reject as well, written and made durable together with the frame before
 * it. 'r' and 'x' begin a round.
 *
 * Behind the last frame may be zeros, room that was taken ahead: a sync of bytes that have their place on
 * the disk already takes half of the time, because the file system has nothing to note.
 *
 * A last round that is not whole was never answered for (the power went while it was written): its frames up
 * to the first that is short, or has zeros that are not its own, count, the others are none. Any other damage is RV_DAMAGED: it may be of
 * something that was. A round is written when the one before it is durable, so that an 'r' or 'x' behind
 * what is not whole tells one from the other.
 */
#ifndef RV_SPOOL_INTAKE_H
#define RV_SPOOL_INTAKE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "base/strbuf.h"
#include "spool/run.h"

#define RV_INTAKE_HEAD 46
#define RV_INTAKE_FRAME_MAX_BYTES (64u << 20)
#define RV_INTAKE_RECORDS 'r'
#define RV_INTAKE_REJECT 'x'
#define RV_INTAKE_REJECT_WITH 'y' /* in files only: rv_intake_read calls it RV_INTAKE_REJECT */

struct rv_intake_frame {
	char kind;
	uint64_t records;
	struct rv_str bytes;
};
/* The head of a frame, without a NUL. */
void rv_intake_head(const struct rv_intake_frame *frame, char ret[RV_INTAKE_HEAD]);
/* Appends a whole frame with a reject, one that follows a frame of the same round. The three texts hold no
 * line end. */
void rv_intake_add_reject(struct rv_strbuf *out, const char *code, const char *reason,
			  const char *source, struct rv_str bytes);
/* The first of them is its round's first frame, no records are. */
void rv_intake_begin_with_rejects(char *rejects);
/* Takes the bytes of such a frame apart; the texts are terminated in place. */
bool rv_intake_split_reject(char *bytes, size_t len, const char **code, const char **reason,
			    const char **source, struct rv_str *ret);

/* Calls `each` with every frame of an open file, in order; its bytes are the callee's until it returns, to
 * be changed as well. RV_DAMAGED with the offset; the frames before have been handed out. `path` is for
 * messages. */
enum rv_status rv_intake_read(int fd, const char *path,
			      enum rv_status (*each)(void *arg, struct rv_intake_frame *frame,
						     struct rv_error *err),
			      void *arg, struct rv_error *err) RV_MUST_CHECK;

/* Zeros behind the frames of a file; { 0 } for one without. */
struct rv_intake_room {
	uint64_t end;  /* the file's, with them */
	uint64_t next; /* frames that come so far take more */
};
/* Writes zeros behind frames that end at `end`, no more than are worth it. On a disk that is full there are
 * none for a while: whoever writes there then is told. Not durable by itself. */
void rv_intake_take_room(int fd, uint64_t end, struct rv_intake_room *room);

/* "<run's folder>/000007.intake"; caller frees. */
char *rv_run_intake_path(const struct rv_run *run, uint64_t seq);
/* The numbers of the run's files, going up; caller frees. A run that is no collector's has none, whatever its folder
 * holds. */
enum rv_status rv_run_intakes(const struct rv_run *run, uint64_t **ret, size_t *ret_count,
			      struct rv_error *err) RV_MUST_CHECK;
/* What waits there in no batch. Damaged files count as far as they can be read, and `damage` says what is
 * wrong with the first of them (RV_DAMAGED; RV_OK: nothing). What a living run is writing may look so. */
struct rv_intake_totals {
	uint64_t files, records, rejected, bytes;
	struct rv_error damage;
};
enum rv_status rv_run_intake_totals(struct rv_run *run, struct rv_intake_totals *ret,
				    struct rv_error *err) RV_MUST_CHECK;
/* Adds one file; nothing for one that is a batch by now, or holds no frame. */
enum rv_status rv_run_intake_add(struct rv_run *run, uint64_t seq, struct rv_intake_totals *totals,
				 struct rv_error *err) RV_MUST_CHECK;
/* rv_run_totals with what waits in files that can be looked at, each of them as a batch. */
void rv_run_totals_with_intake(struct rv_run *run, struct rv_run_totals *ret);

#endif
