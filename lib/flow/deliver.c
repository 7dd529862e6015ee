/* The steps from a finished batch to an object, in the order that survives being killed. */
#include "flow/deliver.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/memory.h"
#include "flow/acknowledged.h"
#include "flow/catalog.h"
#include "flow/object_name.h"
#include "flow/receipt.h"
#include "flow/run_record.h"
#include "spool/checkpoint.h"

#define SYNC_EACH_MAX 32
/* Damaged ones of one run and number. */
#define ASIDE_MAX 1000

struct same_seq {
	const char *mine;
	char other[RV_OBJECT_NAME_MAX];
};

static enum rv_status find_other(void *arg, const struct rv_store_object *object,
				 struct rv_error *err RV_UNUSED)
{
	struct same_seq *find = arg;
	if (strcmp(object->name, find->mine) != 0)
		snprintf(find->other, sizeof(find->other), "%s", object->name);
	return RV_OK;
}

/* A push may run for weeks, and the stream be deleted, or made again, beside it. */
static enum rv_status check_stream(const struct rv_deliver *deliver, struct rv_error *err)
{
	char text[RV_STREAM_TEXT];
	struct rv_stream now;
	rv_stream_init(&now);
	rv_stream_text(deliver->stream, text);
	enum rv_status status = rv_catalog_get(deliver->lake, text, &now, NULL, err);
	if (status == RV_OK && strcmp(now.id, deliver->stream->id) != 0)
		status = rv_fail(err, RV_CONFLICT, "stream %s was deleted and created again", text);
	/* A bucket that is not there says so itself. */
	else if (status == RV_NOT_FOUND && !err->service_code[0]) {
		rv_fail(err, RV_NOT_FOUND,
			"the definition of stream %s went while records were pushed to it: " RV_CATALOG_PREFIX
			"%s.json was deleted or has gone", text, text);
		rv_hint(err, "unless that was on purpose, put the object back as it was (an earlier version of it), "
			     "or run 'river stream create %s --adopt' with its columns, and push what follows", text);
	}
	rv_stream_release(&now);
	return status;
}

/* A look may cost a hundredth of the time: on a slow lake, or one that is away, it is taken seldom. */
static enum rv_status look_at_stream(struct rv_deliver *deliver, struct rv_error *err)
{
	int64_t begun_ms = rv_clock_monotonic_ms();
	if (!deliver->check_stream || begun_ms < deliver->check_after_ms)
		return RV_OK;
	enum rv_status status = check_stream(deliver, err);
	int64_t ended_ms = rv_clock_monotonic_ms();
	deliver->check_after_ms = ended_ms + 100 * (ended_ms - begun_ms);
	return status;
}

/* The lake said nothing about what it was asked. */
static bool is_out_of_reach(const struct rv_error *err)
{
	return err->status == RV_FAILED || err->status == RV_AUTH ||
	       (err->status == RV_BAD_CONFIG && err->http_status) ||
	       (err->status == RV_NOT_FOUND && strcmp(err->service_code, "NoSuchBucket") == 0);
}

void rv_delivered_add(struct rv_delivered *d, struct rv_run *run, const struct rv_batch_entry *before)
{
	struct rv_batch_entry now;
	if (!rv_run_entry(run, before->seq, &now))
		return;
	d->counts.requests += now.sent.requests - before->sent.requests;
	d->counts.refused += now.sent.refused - before->sent.refused;
	d->counts.maybe_twice += now.sent.maybe_twice - before->sent.maybe_twice;
	d->counts.record_bytes += now.sent.record_bytes - before->sent.record_bytes;
	d->counts.billed_bytes += now.sent.billed_bytes - before->sent.billed_bytes;
	if (now.state == RV_BATCH_WAITING || now.state == before->state)
		return;
	d->gone_bytes += rv_batch_spool_bytes(&now);
	if (now.state == RV_BATCH_LANDED) {
		d->landed_records += now.records;
		d->landed_bytes += now.bytes;
		d->landed_batches++;
	} else if (now.state == RV_BATCH_SENT) {
		d->sent_records += now.records;
	}
}

void rv_deliver_release(struct rv_deliver *deliver)
{
	json_decref(deliver->closed);
	deliver->closed = NULL;
	deliver->known = 0;
}

enum rv_status rv_deliver_closed_before(struct rv_deliver *deliver, const struct rv_run *run,
					const json_t **ret, struct rv_error *err)
{
	if (deliver->known != run->serial) {
		rv_deliver_release(deliver);
		if (rv_receipt_find_closed(deliver->lake, deliver->stream, run, &deliver->closed, err) !=
		    RV_OK)
			return err->status;
		deliver->known = run->serial;
	}
	*ret = deliver->closed;
	return RV_OK;
}

static bool lists_in(const json_t *closed, const char *key, const char *name)
{
	const json_t *item;
	size_t i;
	json_array_foreach(json_object_get(closed, key), i, item) {
		const char *there = json_string_value(item);
		if (there && strcmp(there, name) == 0)
			return true;
	}
	return false;
}

/* Batches that became no objects of their own stand in a list of their own. */
static bool lists(const json_t *closed, const char *name)
{
	return lists_in(closed, "objects", name) || lists_in(closed, "batches", name);
}

/* What the run had as its batch `seq` when it ended; NULL: it had none. */
static const char *same_seq_in(const json_t *closed, const char *key, uint64_t seq)
{
	const json_t *item;
	size_t i;
	json_array_foreach(json_object_get(closed, key), i, item) {
		const char *there = json_string_value(item);
		struct rv_object_name name;
		if (there && rv_object_name_parse(there, &name) && name.seq == seq)
			return there;
	}
	return NULL;
}

static enum rv_status check_named(struct rv_deliver *deliver, const struct rv_run *run,
				  const struct rv_batch_entry *entry, struct rv_error *err)
{
	RV_CLEANUP(rv_free_p)
	char *prefix = rv_asprintf("data/%s/%s/%s/%s-%06" PRIu64 "-r", deliver->stream->business,
				   deliver->stream->name, run->lake_folder, run->name, entry->seq);
	struct same_seq find = { .mine = entry->name };
	struct rv_store_list list = { .prefix = prefix };
	if (deliver->lake->ops->list(deliver->lake, &list, find_other, &find, err) != RV_OK)
		return err->status;
	const json_t *closed;
	if (!find.other[0]) {
		if (rv_deliver_closed_before(deliver, run, &closed, err) != RV_OK)
			return err->status;
		if (!closed)
			return rv_run_record_claim(deliver->lake, deliver->stream, run->name, entry->seq,
						   entry->records ? entry->name : entry->rejects_name, err);
		if (!entry->records || lists(closed, entry->name))
			return RV_OK;
		const char *other = same_seq_in(closed, "objects", entry->seq);
		if (!other)
			other = same_seq_in(closed, "batches", entry->seq);
		if (other)
			snprintf(find.other, sizeof(find.other), "%s", other);
	}
	if (!find.other[0]) {
		rv_fail(err, RV_CONFLICT, "run %s was sent before, and ended with fewer records", run->name);
		rv_hint(err, "--run makes one input repeatable; give another input another name");
		return err->status;
	}
	rv_fail(err, RV_CONFLICT, "run %s has sent other data as its batch %" PRIu64 ": %s", run->name,
		entry->seq, find.other);
	rv_hint(err, "--run makes one input repeatable; give another input another name");
	return err->status;
}

static struct rv_batch_entry *entry_of(struct rv_run *run, uint64_t seq)
{
	for (size_t i = run->batches_count; i-- > 0;)
		if (run->batches[i].seq == seq)
			return &run->batches[i];
	rv_bug("batch %" PRIu64 " was never promised", seq);
}

/* A checkpoint never moves back, in whatever order left-over runs are finished. */
static enum rv_status is_behind(const struct rv_state *state, const struct rv_checkpoint *mine,
				bool *ret, struct rv_error *err)
{
	RV_CLEANUP(rv_checkpoint_release) struct rv_checkpoint there = { .offset = 0 };
	bool found;
	enum rv_status status = rv_checkpoint_load(state, mine->key, &there, &found, err);
	*ret = status == RV_OK && found &&
	       (there.generation > mine->generation ||
		(there.generation == mine->generation && there.offset > mine->offset));
	/* A torn one (power cut) is replaced by what the journal holds. */
	return status == RV_DAMAGED ? RV_OK : status;
}

static enum rv_status move_checkpoints(struct rv_deliver *deliver, struct rv_run *run,
				       const struct rv_batch_entry *entry, struct rv_error *err)
{
	/* A few files are synced one by one; for many, one syncfs at the end is quicker. That is before it is
	 * noted that the batch has landed: who reads the note does not look at the checkpoints again. */
	bool sync = entry->extents_count <= SYNC_EACH_MAX;
	for (size_t i = 0; i < entry->extents_count; i++) {
		const struct rv_extent *extent = &entry->extents[i];
		RV_CLEANUP(rv_checkpoint_release) struct rv_checkpoint checkpoint = { .offset = 0 };
		if (!rv_checkpoint_parse(extent->checkpoint, &checkpoint))
			return rv_fail(err, RV_DAMAGED, "run %s holds no checkpoint for %s", run->name,
				       rv_run_file(run, extent->file)->path);
		if (rv_checkpoint_note_batch(deliver->state, checkpoint.key, run, entry, extent, sync,
					     err) != RV_OK)
			return err->status;
		bool behind;
		if (is_behind(deliver->state, &checkpoint, &behind, err) != RV_OK)
			return err->status;
		if (!behind && rv_checkpoint_save(deliver->state, &checkpoint, sync, err) != RV_OK)
			return err->status;
	}
	return sync ? RV_OK : rv_checkpoint_sync(deliver->state, err);
}

static enum rv_status sync_body(const struct rv_body *body, struct rv_error *err)
{
	return body->path ? rv_fsync(body->fd, body->path, err) : RV_OK;
}

enum rv_status rv_deliver_promise(struct rv_deliver *deliver, struct rv_run *run,
				  struct rv_finished *finished, struct rv_error *err)
{
	/* A pipe cannot be asked again for what is not taken now; a named one can. */
	if (look_at_stream(deliver, err) != RV_OK &&
	    (!run->pipe || run->named || !is_out_of_reach(err)))
		return err->status;
	if (run->named && check_named(deliver, run, &finished->entry, err) != RV_OK)
		return err->status;
	if (run->pipe) {
		if (sync_body(&finished->body, err) != RV_OK ||
		    sync_body(&finished->rejects, err) != RV_OK ||
		    rv_fsync_folder(run->folder, err) != RV_OK)
			return err->status;
	}
	uint64_t seq = finished->entry.seq;
	bool has_files = finished->entry.extents_count > 0;
	if (rv_run_promise(run, &finished->entry, err) != RV_OK)
		return err->status;
	if (!run->pipe || !has_files)
		return RV_OK;
	return move_checkpoints(deliver, run, entry_of(run, seq), err);
}

enum rv_status rv_deliver_checkpoints(struct rv_deliver *deliver, struct rv_run *run,
				      struct rv_error *err)
{
	for (size_t i = 0; i < run->batches_count; i++)
		if (move_checkpoints(deliver, run, &run->batches[i], err) != RV_OK)
			return err->status;
	return RV_OK;
}

static struct rv_store_body store_body(const struct rv_body *body)
{
	return (struct rv_store_body){
		.bytes = body->memory.bytes,
		.len = body->len,
		.fd = body->fd,
		.staged = body->stage,
	};
}

/* The store has taken the staged file, whatever became of it. */
static void stage_used(struct rv_body *body)
{
	if (body->stage) {
		body->stage = NULL;
		body->fd = -1;
	}
}

enum rv_status rv_deliver_note_landed(struct rv_deliver *deliver, struct rv_run *run, uint64_t seq,
				      struct rv_error *err)
{
	if (!run->pipe && move_checkpoints(deliver, run, entry_of(run, seq), err) != RV_OK)
		return err->status;
	return rv_run_landed(run, seq, err);
}

/* A service that names its objects itself takes whatever it is sent: what it has acknowledged, and
 * what may have come to it unheard, has to be remembered here. */
static enum rv_status send_records(struct rv_deliver *deliver, struct rv_run *run,
				   const struct rv_batch_entry *entry, struct rv_body *body,
				   enum rv_delivery_level *ret, struct rv_error *err)
{
	const struct rv_delivery_ops *ops = deliver->delivery->ops;
	RV_CLEANUP(rv_free_p) uint8_t *acknowledged = NULL;
	struct rv_sent_counts counts = { .requests = 0 };
	bool known = false;
	if (!ops->names_objects || entry->sending)
		rv_acknowledged_load(run, entry, &acknowledged, &known);
	if (!ops->names_objects) {
		/* An attempt was ended before it could say what had been taken. */
		if ((entry->sending && !known) || (deliver->reopened && !entry->sending))
			counts.maybe_twice = entry->records;
		if (rv_run_sending(run, entry->seq, err) != RV_OK)
			return err->status;
	} else if (entry->sending) {
		/* The stream went over from a service, and what that has taken comes again with the whole. */
		counts.maybe_twice = known ? rv_acknowledged_count(entry, acknowledged) : entry->records;
	}
	struct rv_delivery_batch batch = {
		.stream = deliver->stream,
		.name = entry->name,
		.body = store_body(body),
		.records = entry->records,
		.set_hash = entry->set_hash,
		.acknowledged = ops->names_objects ? NULL : acknowledged,
	};
	struct rv_delivery_result result = { .level = RV_DELIVERED_NONE };
	enum rv_status status = ops->send(deliver->delivery, &batch, &result, err);
	stage_used(body);
	counts.requests = result.requests;
	counts.refused = result.refused;
	counts.maybe_twice += result.maybe_twice;
	counts.record_bytes = result.record_bytes;
	counts.billed_bytes = result.billed_bytes;
	/* Of a lake object the name says all there is to say, and a failed attempt at one has doubled nothing. */
	if (!ops->names_objects || (status == RV_OK && counts.maybe_twice))
		rv_run_add_counts(run, entry->seq, &counts);
	if (result.diverted[0] && !deliver->diverted[0])
		memcpy(deliver->diverted, result.diverted, sizeof(deliver->diverted));
	struct rv_error ignored;
	if (status != RV_OK && batch.acknowledged)
		(void)!rv_acknowledged_save(run, entry, acknowledged, &ignored);
	if (status != RV_OK && batch.acknowledged && counts.maybe_twice)
		(void)!rv_run_note_counts(run, entry->seq, &ignored);
	if (status != RV_OK)
		return rv_context(err, "deliver batch %" PRIu64 " of run %s", entry->seq, run->name);
	if (result.level == RV_DELIVERED_NONE)
		rv_bug("delivery %s took batch %" PRIu64 " and has it nowhere", ops->name, entry->seq);
	*ret = result.level;
	return RV_OK;
}

/* The name says all that is in it: what is there under it is the batch. */
static enum rv_status is_in_lake(struct rv_deliver *deliver, const char *name, bool *ret, struct rv_error *err)
{
	struct rv_store_object object;
	enum rv_status status = deliver->lake->ops->head(deliver->lake, name, &object, err);
	*ret = status == RV_OK;
	return status == RV_NOT_FOUND ? RV_OK : status;
}

/* What was delivered under its name, before the stream went over to a service, may be in the lake with
 * nobody having heard of it: the service would take it a second time. */
static enum rv_status send_unless_there(struct rv_deliver *deliver, struct rv_run *run,
					const struct rv_batch_entry *entry, struct rv_body *body,
					enum rv_delivery_level *ret, struct rv_error *err)
{
	bool there = false;
	if (!run->delivery[0] && !deliver->delivery->ops->names_objects && !entry->sending &&
	    is_in_lake(deliver, entry->name, &there, err) != RV_OK)
		return rv_context(err, "look for batch %" PRIu64 " of run %s", entry->seq, run->name);
	return there ? RV_OK : send_records(deliver, run, entry, body, ret, err);
}

static enum rv_status note_sent(struct rv_deliver *deliver, struct rv_run *run, uint64_t seq,
				struct rv_error *err)
{
	if (!run->pipe && move_checkpoints(deliver, run, entry_of(run, seq), err) != RV_OK)
		return err->status;
	return rv_run_sent(run, seq, err);
}

enum rv_status rv_deliver_batch(struct rv_deliver *deliver, struct rv_run *run, uint64_t seq,
				struct rv_body *body, struct rv_body *rejects, struct rv_error *err)
{
	struct rv_batch_entry entry;
	const json_t *closed = NULL;
	if (!rv_run_entry(run, seq, &entry))
		rv_bug("batch %" PRIu64 " was never promised", seq);
	if (run->named && rv_deliver_closed_before(deliver, run, &closed, err) != RV_OK)
		return err->status;
	if (deliver->opened != run->serial && !closed) {
		bool there;
		if (rv_receipt_put_open(deliver->lake, deliver->stream, run, &there, err) != RV_OK)
			return rv_context(err, "receipt of run %s", run->name);
		/* Of a fresh run it is our own, and the journal knows more. */
		deliver->reopened = there && run->named;
	}
	if (closed)
		deliver->reopened = false;
	deliver->opened = run->serial;
	if (entry.rejected) {
		struct rv_store_body bytes = store_body(rejects);
		if (rv_store_put_once(deliver->lake, entry.rejects_name, &bytes, NULL, err) != RV_OK)
			return rv_context(err, "keep the rejects of batch %" PRIu64, seq);
	}
	enum rv_delivery_level level = RV_DELIVERED_LANDED;
	if (entry.records && closed && lists_in(closed, "batches", entry.name))
		level = lists_in(closed, "objects", entry.name) ? RV_DELIVERED_LANDED : RV_DELIVERED_SENT;
	else if (entry.records && send_unless_there(deliver, run, &entry, body, &level, err) != RV_OK)
		return err->status;
	enum rv_status status = level == RV_DELIVERED_LANDED
					? rv_deliver_note_landed(deliver, run, seq, err)
					: note_sent(deliver, run, seq, err);
	if (status != RV_OK || deliver->delivery->ops->names_objects)
		return status;
	return rv_acknowledged_remove(run, seq, err);
}

/* *ret_found false: no such file. */
static enum rv_status open_body(char *path, struct rv_body *body, bool *ret_found,
				struct rv_error *err)
{
	*body = (struct rv_body)RV_BODY_INIT;
	body->path = path;
	body->fd = rv_open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW, 0);
	*ret_found = body->fd >= 0;
	if (body->fd < 0)
		return errno == ENOENT ? RV_OK : rv_fail_errno(err, RV_LOCAL_IO, "open %s", path);
	struct stat st;
	if (fstat(body->fd, &st) < 0)
		return rv_fail_errno(err, RV_LOCAL_IO, "look at %s", path);
	body->len = (uint64_t)st.st_size;
	return RV_OK;
}

/* The journal's note that it landed may be lost with a power cut after the spool file went. */
static enum rv_status landed_already(struct rv_deliver *deliver, struct rv_run *run,
				     const struct rv_batch_entry *entry, const char *path,
				     struct rv_error *err)
{
	bool there;
	const char *name = entry->records ? entry->name : entry->rejects_name;
	/* Whatever delivers now: it may have landed before, or been diverted into the lake. The note that a
	 * service took it is durable before the file goes. */
	if (is_in_lake(deliver, name, &there, err) != RV_OK)
		return err->status;
	if (there)
		return rv_run_landed(run, entry->seq, err);
	if (entry->records && !deliver->delivery->ops->names_objects)
		return rv_fail(err, RV_DAMAGED,
			       "the spooled batch %s is gone, and nothing says that it was sent", path);
	return rv_fail(err, RV_DAMAGED, "the spooled batch %s is gone and %s is not in the lake", path, name);
}

static enum rv_status deliver_spooled_batch(struct rv_deliver *deliver, struct rv_run *run,
					    const struct rv_batch_entry *entry, struct rv_error *err)
{
	uint64_t seq = entry->seq;
	RV_CLEANUP(rv_body_release) struct rv_body body = RV_BODY_INIT;
	RV_CLEANUP(rv_body_release) struct rv_body rejects = RV_BODY_INIT;
	bool found, rejects_found;
	if (open_body(rv_run_body_path(run, seq), &body, &found, err) != RV_OK ||
	    open_body(rv_run_rejects_path(run, seq), &rejects, &rejects_found, err) != RV_OK)
		return err->status;
	if (!found || (entry->rejected && !rejects_found)) {
		if (landed_already(deliver, run, entry, body.path, err) != RV_OK)
			return err->status;
	} else if (rv_run_check_spooled(body.fd, body.path, entry->bytes, entry->body_hash, err) !=
			   RV_OK ||
		   (entry->rejected &&
		    rv_run_check_spooled(rejects.fd, rejects.path, entry->rejects_bytes,
					 entry->rejects_body_hash, err) != RV_OK) ||
		   rv_deliver_batch(deliver, run, seq, &body, &rejects, err) != RV_OK) {
		return err->status;
	}
	if (rv_remove_file(body.path, err) != RV_OK)
		return err->status;
	return rv_remove_file(rejects.path, err);
}

enum rv_status rv_deliver_drop(struct rv_deliver *deliver, struct rv_run *run, uint64_t seq,
			       const struct rv_error *why, struct rv_error *err)
{
	if (deliver->loss.status == RV_OK)
		deliver->loss = *why;
	return rv_run_dropped(run, seq, err);
}

/* Two that were set aside before under this name are "" and ".2", and none of them is written over: it may be
 * all there is. Nobody else sets this run's aside. */
static enum rv_status free_place(const char *folder, const struct rv_run *run, uint64_t seq, char **ret_body,
				 char **ret_rejects, struct rv_error *err)
{
	for (unsigned n = 1; n <= ASIDE_MAX; n++) {
		char number[16] = "";
		struct stat st;
		if (n > 1)
			snprintf(number, sizeof(number), ".%u", n);
		RV_CLEANUP(rv_free_p)
		char *body = rv_asprintf("%s/%s-%06" PRIu64 "%s.body", folder, run->name, seq, number);
		RV_CLEANUP(rv_free_p)
		char *rejects = rv_asprintf("%s/%s-%06" PRIu64 "%s.rejects", folder, run->name, seq, number);
		if (lstat(body, &st) == 0 || lstat(rejects, &st) == 0)
			continue;
		*ret_body = rv_take(body);
		*ret_rejects = rv_take(rejects);
		return RV_OK;
	}
	return rv_fail(err, RV_LOCAL_IO, "%s holds a batch %" PRIu64 " of run %s %u times", folder, seq,
		       run->name, ASIDE_MAX);
}

static enum rv_status set_aside(struct rv_deliver *deliver, struct rv_run *run, uint64_t seq,
				struct rv_error *why, struct rv_error *err)
{
	RV_CLEANUP(rv_free_p) char *folder = rv_state_path(deliver->state, "damaged");
	RV_CLEANUP(rv_free_p) char *body = rv_run_body_path(run, seq);
	RV_CLEANUP(rv_free_p) char *rejects = rv_run_rejects_path(run, seq);
	RV_CLEANUP(rv_free_p) char *aside = NULL;
	RV_CLEANUP(rv_free_p) char *rejects_aside = NULL;
	if (rv_make_folders(folder, 0700, err) != RV_OK ||
	    free_place(folder, run, seq, &aside, &rejects_aside, err) != RV_OK)
		return err->status;
	if ((rename(body, aside) < 0 && errno != ENOENT) ||
	    (rename(rejects, rejects_aside) < 0 && errno != ENOENT))
		return rv_fail_errno(err, RV_LOCAL_IO, "set aside %s", body);
	/* Before it is noted that the batch is dropped, for the run's own folder goes then. */
	if (rv_fsync_folder(folder, err) != RV_OK)
		return err->status;
	rv_hint(why, "what is left of it was set aside in %s", folder);
	return rv_deliver_drop(deliver, run, seq, why, err);
}

enum rv_status rv_deliver_spooled_one(struct rv_deliver *deliver, struct rv_run *run, uint64_t seq,
				      struct rv_error *err)
{
	struct rv_batch_entry entry;
	if (!rv_run_entry(run, seq, &entry))
		rv_bug("batch %" PRIu64 " was never promised", seq);
	enum rv_status status = deliver_spooled_batch(deliver, run, &entry, err);
	if (status != RV_DAMAGED)
		return status;
	struct rv_error why = *err;
	return set_aside(deliver, run, seq, &why, err);
}

enum rv_status rv_deliver_spooled(struct rv_deliver *deliver, struct rv_run *run,
				  bool (*should_stop)(void), struct rv_error *err)
{
	struct rv_batch_entry entry;
	for (uint64_t from = 0; rv_run_next_waiting(run, from, &entry); from = entry.seq + 1) {
		if (should_stop && should_stop())
			return rv_fail(err, RV_FAILED, "stopped by a signal");
		if (rv_deliver_spooled_one(deliver, run, entry.seq, err) != RV_OK)
			return err->status;
	}
	return RV_OK;
}

/* Before the receipt: between the look for one and a promise another host may have closed the run, and then
 * what is behind its last batch must not land. */
static enum rv_status claim_end(struct rv_deliver *deliver, const struct rv_run *run, struct rv_error *err)
{
	const json_t *closed;
	uint64_t seq = run->batches_count ? run->batches[run->batches_count - 1].seq + 1 : 0;
	if (!run->named)
		return RV_OK;
	if (rv_deliver_closed_before(deliver, run, &closed, err) != RV_OK)
		return err->status;
	if (closed)
		return RV_OK;
	return rv_run_record_claim(deliver->lake, deliver->stream, run->name, seq, NULL, err);
}

enum rv_status rv_deliver_finish(struct rv_deliver *deliver, struct rv_run *run,
				 struct rv_error *err)
{
	if (claim_end(deliver, run, err) != RV_OK) {
		struct rv_error why = *err;
		if (err->status != RV_CONFLICT)
			return rv_context(err, "end run %s", run->name);
		/* The receipt may be that of the other one, which is still at it. */
		if (rv_run_remove(run, err) == RV_OK)
			*err = why;
		return err->status;
	}
	/* A named run leaves one even for an empty input: the same name must stay that input's. */
	if ((run->batches_count || run->named) &&
	    rv_receipt_put_closed(deliver->lake, deliver->stream, run, err) != RV_OK) {
		if (err->status != RV_CONFLICT)
			return rv_context(err, "close the receipt of run %s", run->name);
		/* Other input under a used name. Nothing of it landed that was not there before, and
		 * nothing of it may stand in the way of the right one. */
		struct rv_error why = *err;
		if (rv_receipt_remove_open(deliver->lake, deliver->stream, run, err) != RV_OK ||
		    rv_run_remove(run, err) != RV_OK)
			return err->status;
		*err = why;
		return err->status;
	}
	if (deliver->opened == run->serial)
		deliver->opened = 0;
	return rv_run_remove(run, err);
}
