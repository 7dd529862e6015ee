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
 * a line each; 'x', one reject: code, reason and source, a line each, then its bytes; its number of records
 * is 1 and the NULs among them.
 *
 * A last frame that is not whole was never answered for (the power went while it was written) and is no
 * frame: it is short, or parts of it read as zeros that are not its own. Any other damage is RV_DAMAGED: it may be
 * of something that was.
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

struct rv_intake_frame {
	char kind;
	uint64_t records;
	struct rv_str bytes;
};
/* The head of a frame, without a NUL. */
void rv_intake_head(const struct rv_intake_frame *frame, char ret[RV_INTAKE_HEAD]);
/* Appends a whole frame with a reject. The three texts hold no line end. */
void rv_intake_add_reject(struct rv_strbuf *out, const char *code, const char *reason,
			  const char *source, struct rv_str bytes);
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

/* "<run's folder>/000007.intake"; caller frees. */
char *rv_run_intake_path(const struct rv_run *run, uint64_t seq);
/* The numbers of the run's files, going up; caller frees. */
enum rv_status rv_run_intakes(const struct rv_run *run, uint64_t **ret, size_t *ret_count,
			      struct rv_error *err) RV_MUST_CHECK;
/* What waits there in no batch. Damaged files count as far as they can be read. */
struct rv_intake_totals {
	uint64_t files, records, rejected, bytes;
};
enum rv_status rv_run_intake_totals(struct rv_run *run, struct rv_intake_totals *ret,
				    struct rv_error *err) RV_MUST_CHECK;
/* Adds one file; nothing for one that is a batch by now. */
enum rv_status rv_run_intake_add(struct rv_run *run, uint64_t seq, struct rv_intake_totals *totals,
				 struct rv_error *err) RV_MUST_CHECK;

#endif
