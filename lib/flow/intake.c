/* One intake file into one batch. */
#include "flow/intake.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/memory.h"
#include "flow/batch.h"
#include "format/xxh3.h"
#include "spool/intake.h"

struct making {
	struct rv_batcher *batcher;
	struct rv_intake_rejects rejects;
	bool any;
};

static enum rv_status add_records(struct making *m, const struct rv_intake_frame *frame,
				  struct rv_error *err)
{
	struct rv_span span = {
		.kind = RV_SPAN_RECORDS,
		.bytes = frame->bytes.p,
		.len = frame->bytes.len,
	};
	for (const char *at = span.bytes, *end = at + span.len; at < end; span.records++) {
		const char *line_end = memchr(at, '\n', (size_t)(end - at));
		if (!line_end)
			return rv_fail(err, RV_DAMAGED, "a frame of records does not end with a line");
		span.set_hash += XXH3_64bits(at, (size_t)(line_end - at));
		span.record_bytes += (uint64_t)(line_end - at);
		at = line_end + 1;
	}
	if (span.records != frame->records)
		return rv_fail(err, RV_DAMAGED, "a frame has %" PRIu64 " records, not %" PRIu64,
			       span.records, frame->records);
	return span.records ? rv_batcher_add(m->batcher, &span, "", err) : RV_OK;
}

/* In pieces whose base64 joins without a seam, as a reader hands them out. */
enum rv_status rv_intake_reject(struct rv_intake_rejects *rejects, const struct rv_intake_frame *frame,
				enum rv_status (*add)(void *arg, const struct rv_span *span, const char *source,
						      struct rv_error *err),
				void *arg, struct rv_error *err)
{
	const char *code, *reason, *source;
	struct rv_str bytes;
	const size_t piece_bytes = 3u << 18;
	RV_CLEANUP(rv_free_p) char *text = rv_malloc(frame->bytes.len + 1);
	memcpy(text, frame->bytes.p, frame->bytes.len);
	if (!rv_intake_split_reject(text, frame->bytes.len, &code, &reason, &source, &bytes))
		return rv_fail(err, RV_DAMAGED, "a frame with a reject has no reason");
	rejects->count++;
	struct rv_span span = {
		.kind = RV_SPAN_REJECT,
		.reason = reason,
		.reason_code = code,
		.line = rejects->count,
		.fault_offset = rejects->bytes,
		.first = true,
		.more = true,
		.format = RV_FORMAT_JSON,
	};
	for (size_t at = 0; span.more; at += span.len, span.first = false) {
		span.len = bytes.len - at < piece_bytes ? bytes.len - at : piece_bytes;
		span.more = at + span.len < bytes.len;
		span.bytes = bytes.p + at;
		span.from = rejects->bytes + at;
		span.to = span.from + span.len;
		if (add(arg, &span, source, err) != RV_OK)
			return err->status;
	}
	rejects->bytes += bytes.len;
	return RV_OK;
}

static enum rv_status add_piece(void *arg, const struct rv_span *span, const char *source, struct rv_error *err)
{
	struct making *m = arg;
	return rv_batcher_add(m->batcher, span, source, err);
}

static enum rv_status add_frame(void *arg, struct rv_intake_frame *frame, struct rv_error *err)
{
	struct making *m = arg;
	m->any = true;
	return frame->kind == RV_INTAKE_RECORDS ? add_records(m, frame, err)
						: rv_intake_reject(&m->rejects, frame, add_piece, m, err);
}

/* The original is kept before anything is promised in its place. */
static enum rv_status set_aside(struct rv_deliver *deliver, const struct rv_run *run, uint64_t seq,
				const char *path, const struct rv_error *why, struct rv_error *err)
{
	RV_CLEANUP(rv_free_p) char *folder = rv_state_path(deliver->state, "damaged");
	RV_CLEANUP(rv_free_p)
	char *aside = rv_asprintf("%s/%s-%06" PRIu64 ".intake", folder, run->name, seq);
	if (rv_make_folders(folder, 0700, err) != RV_OK)
		return err->status;
	if (link(path, aside) < 0 && errno != EEXIST)
		return rv_fail_errno(err, RV_LOCAL_IO, "set aside %s", path);
	if (rv_fsync_folder(folder, err) != RV_OK)
		return err->status;
	if (deliver->loss.status == RV_OK) {
		deliver->loss = *why;
		rv_hint(&deliver->loss, "what is before the damage was taken; the file was set aside as %s",
			aside);
	}
	return RV_OK;
}

static enum rv_status make(struct rv_deliver *deliver, struct rv_run *run, uint64_t seq,
			   struct rv_batcher *batcher, bool *ret_made, struct rv_error *err)
{
	struct making m = { .batcher = batcher };
	RV_CLEANUP(rv_free_p) char *path = rv_run_intake_path(run, seq);
	RV_CLEANUP(rv_close_p) int fd = rv_open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW, 0);
	*ret_made = false;
	if (fd < 0)
		return rv_fail_errno(err, RV_LOCAL_IO, "open %s", path);
	if (rv_batcher_begin(batcher, run, seq, err) != RV_OK)
		return err->status;
	enum rv_status status = rv_intake_read(fd, path, add_frame, &m, err);
	struct rv_error why = *err;
	if (status == RV_DAMAGED)
		status = set_aside(deliver, run, seq, path, &why, err);
	if (status != RV_OK || !m.any)
		return status;
	RV_CLEANUP(rv_finished_release) struct rv_finished finished = {
		.body = RV_BODY_INIT,
		.rejects = RV_BODY_INIT,
	};
	if (rv_batcher_finish(batcher, &finished, err) != RV_OK ||
	    rv_deliver_promise(deliver, run, &finished, err) != RV_OK)
		return err->status;
	*ret_made = true;
	return RV_OK;
}

enum rv_status rv_intake_promise(struct rv_deliver *deliver, struct rv_run *run, uint64_t seq,
				 bool *ret_made, struct rv_error *err)
{
	struct rv_batch_entry entry;
	struct rv_batcher *batcher = NULL;
	struct rv_stream stream = *deliver->stream;
	*ret_made = rv_run_entry(run, seq, &entry);
	if (*ret_made)
		return RV_OK;
	/* As the run began, whatever the definition says by now. */
	stream.stamp = run->stamp;
	stream.compression = deliver->delivery->ops->plain_bodies ? RV_OUTPUT_NONE : run->compression;
	const struct rv_batcher_params params = { .stream = &stream, .lake = deliver->lake };
	if (rv_batcher_new(&params, &batcher, err) != RV_OK)
		return err->status;
	enum rv_status status = make(deliver, run, seq, batcher, ret_made, err);
	rv_batcher_free(batcher);
	if (status != RV_OK)
		return rv_context(err, "make batch %" PRIu64 " of run %s", seq, run->name);
	return RV_OK;
}

enum rv_status rv_intake_recover(struct rv_deliver *deliver, struct rv_run *run, struct rv_error *err)
{
	RV_CLEANUP(rv_free_p) uint64_t *seqs = NULL;
	size_t count = 0;
	if (rv_run_intakes(run, &seqs, &count, err) != RV_OK)
		return err->status;
	for (size_t i = 0; i < count; i++) {
		bool made;
		if (rv_intake_promise(deliver, run, seqs[i], &made, err) != RV_OK)
			return err->status;
	}
	return RV_OK;
}
