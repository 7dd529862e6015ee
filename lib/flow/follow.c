/* The follower: sessions of a push, one after another, and the loop over files with news in each. */
#include "flow/follow_impl.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/memory.h"
#include "base/number.h"
#include "format/json_text.h"

/* Open files: those being read, and those that wait to be. */
#define ACTIVE_MAX 256
/* A file is read so long after its first news, that one batch has few pieces of it; many files later. */
#define CADENCE_MS 500
#define CADENCE_EACH_MS 5
#define CADENCE_MAX_MS 10000
/* So much is read at once. */
#define PLENTY_BYTES (1u << 20)
/* A file without news is let go of; it is known by its checkpoint. */
#define REST_MS 60000
/* One that has no name any more keeps its place on the disk for as long as it is open. */
#define REMOVED_MS 10000
/* A run without a batch is closed: an open receipt is a question to whoever reconciles. */
#define RUN_REST_MS 300000
#define RUN_FILES_MAX 10000
#define RUN_BATCHES_MAX 10000
/* A stop reads what is there, for so long. */
#define LAST_PASS_MS 5000
#define WAIT_MAX_MS 500
#define TELL_EACH_MS 60000
#define PAUSE_MS 1000

/* ---- what is said ---- */

void rv_follow_event(struct rv_follow *f, const char *event, const char *file, const char *key,
		     json_t *value)
{
	if (!f->follow.event) {
		json_decref(value);
		return;
	}
	char time[RV_TIME_TEXT];
	json_t *o = json_pack("{s:s, s:s}", "event", event, "at", rv_format_time(rv_clock_ms(), time));
	if (file)
		json_object_set_new(o, "file", rv_json_bytes(file));
	if (key)
		json_object_set_new(o, key, value);
	f->follow.event(f->follow.arg, o);
}

void rv_follow_note_loss(struct rv_follow *f, const struct rv_error *loss)
{
	if (loss->status == RV_OK || f->loss.status != RV_OK)
		return;
	f->loss = *loss;
	if (f->params.warn)
		(f->params.warn)(f->params.arg, loss->message);
	rv_follow_event(f, "lost", NULL, "message", json_string(loss->message));
}

static void say(const struct rv_follow *f, void (*how)(void *arg, const char *text), const char *fmt, ...)
	RV_PRINTF(3, 4);
static void say(const struct rv_follow *f, void (*how)(void *arg, const char *text), const char *fmt, ...)
{
	char text[1024];
	va_list ap;
	if (!how)
		return;
	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	how(f->params.arg, text);
}

/* Recovery looks for it beside the path it was promised by. A turn of it may be under way. */
static void moved(const struct rv_follow *f, struct rv_watched *item)
{
	struct rv_followed *file = item->user;
	if (file && file->active && !f->reading)
		rv_followed_set_path(file, item->path);
}

static void on_watch(void *arg, enum rv_watch_event event, struct rv_watched *item, const char *detail)
{
	struct rv_follow *f = arg;
	const struct rv_push_params *p = &f->params;
	switch (event) {
	case RV_WATCH_FOUND:
		break;
	case RV_WATCH_RENAMED:
		f->rotations++;
		say(f, p->note, "%s is %s now", detail, item->path);
		rv_follow_event(f, "renamed", detail, "to", rv_json_bytes(item->path));
		moved(f, item);
		break;
	case RV_WATCH_ROTATED:
		f->rotations++;
		say(f, p->note, "%s was rotated, and is read to its end%s%s", detail,
		    strcmp(detail, item->path) != 0 ? " as " : "",
		    strcmp(detail, item->path) != 0 ? item->path : "");
		rv_follow_event(f, "rotated", detail, "to", rv_json_bytes(item->path));
		moved(f, item);
		break;
	case RV_WATCH_REMOVED:
		say(f, p->note, "%s was removed or moved away", item->path);
		rv_follow_event(f, "removed", item->path, NULL, NULL);
		break;
	case RV_WATCH_LOST:
		say(f, p->warn, "%s has news that cannot be read: %s", item->path, detail);
		rv_follow_event(f, "lost", item->path, "message", json_string(detail));
		break;
	case RV_WATCH_MISSING:
		say(f, p->warn, "%s is not there yet, waiting for it", detail);
		rv_follow_event(f, "missing", detail, NULL, NULL);
		break;
	case RV_WATCH_POLLED:
		say(f, p->note, "the kernel does not tell about %s: it is looked at every second", detail);
		rv_follow_event(f, "polled", detail, NULL, NULL);
		break;
	case RV_WATCH_FAILED:
		say(f, p->warn, "%s", detail);
		rv_follow_event(f, "failed", NULL, "message", rv_json_bytes(detail));
		break;
	}
}

static void on_gone(void *arg, struct rv_watched *item)
{
	struct rv_follow *f = arg;
	rv_followed_rest(f, item);
	rv_followed_free(item);
}

/* Nobody reads a summary for weeks: what is rejected is said now and then. */
static void tell_rejects(struct rv_follow *f)
{
	const struct rv_push_result *result = f->push->result;
	int64_t now_ms = rv_clock_monotonic_ms();
	if (result->rejected <= f->told_rejects || (f->told_ms && now_ms - f->told_ms < TELL_EACH_MS))
		return;
	uint64_t n = result->rejected - f->told_rejects;
	rv_push_tell(f->push, f->params.warn, "%" PRIu64 " record%s rejected, the first: %s", n,
		     n == 1 ? " was" : "s were", result->first_reject);
	rv_follow_event(f, "rejected", NULL, "records", json_integer((json_int_t)n));
	f->told_rejects = result->rejected;
	f->told_ms = now_ms;
	if (!f->first_reject[0])
		memcpy(f->first_reject, result->first_reject, sizeof(f->first_reject));
	f->push->result->first_reject[0] = '\0';
}

static void tell_delivered(struct rv_follow *f)
{
	struct rv_sender_totals totals;
	rv_sender_totals(f->push->sender, &totals);
	rv_follow_note_loss(f, &totals.loss);
	uint64_t delivered = totals.landed_records + totals.sent_records;
	if (delivered > f->told_delivered)
		rv_follow_event(f, "delivered", NULL, "records",
				json_integer((json_int_t)(delivered - f->told_delivered)));
	f->told_delivered = delivered;
}

/* ---- the loop ---- */

static bool should_stop(const struct rv_follow *f)
{
	return f->params.should_stop && f->params.should_stop();
}

static void look(struct rv_follow *f, int64_t timeout_ms)
{
	if (f->looking)
		return;
	f->looking = true;
	rv_watch_look(f->watch, timeout_ms);
	f->looking = false;
}

/* While the lake keeps us waiting, files are rotated and removed all the same: those with news are held. */
void rv_push_follow_tick(struct rv_push_state *push)
{
	if (push->params->follow)
		look(push->params->follow, 0);
}

/* Promises of an earlier session about a file that was removed since, and that is open here. */
int rv_push_follow_held(void *arg, const char *key)
{
	const struct rv_follow *f = arg;
	for (size_t i = 0; i < rv_watch_count(f->watch); i++) {
		const struct rv_watched *item = rv_watch_at(f->watch, i);
		char found[RV_FILE_KEY_TEXT];
		struct rv_error ignored;
		if (item->fd >= 0 && rv_file_key(item->fd, item->path, found, &ignored) == RV_OK &&
		    strcmp(found, key) == 0)
			return fcntl(item->fd, F_DUPFD_CLOEXEC, 3);
	}
	return -1;
}

/* ---- runs of its own ---- */

/* Leaves out those that are over, whoever has ended them: nobody keeps the names of years. */
static size_t runs_left(struct rv_follow *f, const struct rv_state *state)
{
	size_t left = 0;
	for (size_t i = 0; i < f->runs_count; i++) {
		RV_CLEANUP(rv_free_p) char *folder = rv_asprintf("%s/runs/%s", state->folder, f->runs[i]);
		if (access(folder, F_OK) < 0 && errno == ENOENT)
			free(f->runs[i]);
		else
			f->runs[left++] = f->runs[i];
	}
	return f->runs_count = left;
}

void rv_push_follow_began(struct rv_push_state *push)
{
	struct rv_follow *f = push->params->follow;
	if (!f)
		return;
	pthread_mutex_lock(&f->runs_mutex);
	if (f->runs_count == f->runs_capacity)
		runs_left(f, &push->state);
	RV_GROW(f->runs, f->runs_count, f->runs_capacity);
	f->runs[f->runs_count++] = rv_strdup(push->run->name);
	pthread_mutex_unlock(&f->runs_mutex);
}

bool rv_push_follow_is_own(void *arg, const char *run)
{
	struct rv_follow *f = arg;
	bool own = false;
	pthread_mutex_lock(&f->runs_mutex);
	for (size_t i = 0; i < f->runs_count; i++)
		own = own || strcmp(f->runs[i], run) == 0;
	pthread_mutex_unlock(&f->runs_mutex);
	return own;
}

/* A push beside it, or a flush of the spool, may have brought what this one promised. */
static bool any_run_left(struct rv_follow *f)
{
	struct rv_state state;
	rv_state_locate(&state, f->params.state_dir, f->params.lake->url, f->params.stream);
	size_t left = runs_left(f, &state);
	rv_state_release(&state);
	return left > 0;
}

static void runs_release(struct rv_follow *f)
{
	for (size_t i = 0; i < f->runs_count; i++)
		free(f->runs[i]);
	free(f->runs);
	pthread_mutex_destroy(&f->runs_mutex);
}

enum rv_status rv_follow_flush(struct rv_follow *f, struct rv_error *err)
{
	if (rv_push_close_batch(f->push, NULL, err) == RV_OK && rv_sender_drain(f->push->sender, err) == RV_OK)
		return RV_OK;
	f->push->fatal = true;
	return err->status;
}

static int64_t cadence_ms(const struct rv_follow *f)
{
	int64_t ms = CADENCE_MS + CADENCE_EACH_MS * (int64_t)f->active;
	return ms < CADENCE_MAX_MS ? ms : CADENCE_MAX_MS;
}

/* When it is to be read, monotonic; INT64_MAX: there is nothing to read. */
static int64_t due_ms(const struct rv_follow *f, const struct rv_watched *item)
{
	const struct rv_followed *file = item->user;
	if (!file)
		return item->news_ms ? 0 : INT64_MAX;
	if (file->skipped)
		return INT64_MAX;
	if (file->failure.status != RV_OK && item->bytes == file->failed_bytes &&
	    item->modified_ns == file->failed_modified_ns)
		return file->due_ms;
	if (!item->news_ms)
		return file->input.pending ? item->changed_ms + f->params.settle_ms : INT64_MAX;
	if (file->waits)
		return file->due_ms;
	if (!file->active || item->detached || f->push->last_pass_ms ||
	    item->bytes - file->input.offset >= PLENTY_BYTES)
		return 0;
	return item->news_ms + cadence_ms(f);
}

/* Room for one more open file: the one that rested longest goes. */
static enum rv_status make_room(struct rv_follow *f, struct rv_error *err)
{
	if (f->active < f->active_max)
		return RV_OK;
	for (int attempt = 0; attempt < 2; attempt++) {
		struct rv_watched *oldest = NULL;
		for (size_t i = 0; i < rv_watch_count(f->watch); i++) {
			struct rv_watched *item = rv_watch_at(f->watch, i);
			const struct rv_followed *file = item->user;
			if (!file || !file->active || !rv_followed_is_landed(f, file))
				continue;
			if (!oldest || file->read_ms < ((struct rv_followed *)oldest->user)->read_ms)
				oldest = item;
		}
		if (oldest) {
			rv_followed_rest(f, oldest);
			rv_followed_drop(oldest);
			if (!oldest->detached)
				rv_watch_close(f->watch, oldest);
			return RV_OK;
		}
		if (rv_follow_flush(f, err) != RV_OK)
			return err->status;
	}
	return RV_OK;
}

static enum rv_status turns(struct rv_follow *f, bool detached, struct rv_error *err)
{
	int64_t now_ms = rv_clock_monotonic_ms();
	for (size_t i = 0; i < rv_watch_count(f->watch); i++) {
		struct rv_watched *item = rv_watch_at(f->watch, i);
		if (item->detached != detached || due_ms(f, item) > now_ms)
			continue;
		const struct rv_followed *file = item->user;
		if ((!file || !file->active) && make_room(f, err) != RV_OK)
			return err->status;
		if (rv_followed_turn(f, item, err) != RV_OK)
			return err->status;
		if (rv_push_must_stop(f->push))
			return RV_OK;
	}
	return RV_OK;
}

/* What rests is let go of, and what went and was read is forgotten. */
static void let_rest(struct rv_follow *f)
{
	int64_t now_ms = rv_clock_monotonic_ms();
	for (size_t i = rv_watch_count(f->watch); i-- > 0;) {
		struct rv_watched *item = rv_watch_at(f->watch, i);
		struct rv_followed *file = item->user;
		int64_t rested_ms = now_ms - item->changed_ms;
		if (!file || item->news_ms || file->input.pending || !rv_followed_is_landed(f, file))
			continue;
		if (item->detached && rested_ms >= (item->removed ? REMOVED_MS : REST_MS)) {
			rv_watch_forget(f->watch, item);
			continue;
		} else if (!item->named && !item->detached && rested_ms >= REST_MS &&
			   (file->active || item->fd >= 0)) {
			rv_followed_rest(f, item);
			rv_watch_close(f->watch, item);
		}
		rv_followed_drop(item);
	}
}

static enum rv_status keep_batches_young(struct rv_follow *f, struct rv_error *err)
{
	struct rv_push_state *push = f->push;
	int64_t now_ms = rv_clock_monotonic_ms(), age_ms = f->params.flush_after_ms;
	char folder[RV_TIME_TEXT];
	if (rv_batcher_open(push->batcher)) {
		f->batch_ms = now_ms;
		return age_ms >= 0 && now_ms - push->batch_started_ms >= age_ms
			       ? rv_push_close_batch(push, NULL, err)
			       : RV_OK;
	}
	if (!push->run)
		return RV_OK;
	bool other_hour = strcmp(rv_push_folder_now(push, folder), push->run->lake_folder) != 0;
	if (other_hour || now_ms - f->batch_ms >= RUN_REST_MS || push->next_seq >= RUN_BATCHES_MAX ||
	    push->run->files_count >= RUN_FILES_MAX)
		return rv_push_end_run(push, true, err);
	return RV_OK;
}

/* A failure behind the last batch is told to nobody who hands over nothing more. */
static enum rv_status ask_sender(const struct rv_follow *f, struct rv_error *err)
{
	return rv_sender_queued(f->push->sender) ? RV_OK : rv_sender_drain(f->push->sender, err);
}

static bool is_quiet(const struct rv_follow *f)
{
	int64_t now_ms = rv_clock_monotonic_ms();
	if (f->follow.until_quiet_ms < 0 || now_ms - f->news_ms < f->follow.until_quiet_ms)
		return false;
	for (size_t i = 0; i < rv_watch_count(f->watch); i++) {
		const struct rv_watched *item = rv_watch_at(f->watch, i);
		const struct rv_followed *file = item->user;
		bool settled = file && (file->skipped || file->failure.status != RV_OK);
		if (item->news_ms && !settled)
			return false;
	}
	return true;
}

static bool all_skipped(const struct rv_follow *f)
{
	size_t n = rv_watch_count(f->watch);
	for (size_t i = 0; i < n; i++) {
		const struct rv_followed *file = rv_watch_at(f->watch, i)->user;
		if (!file || !file->skipped)
			return false;
	}
	return n > 0 && n == f->params.files_count;
}

static int64_t wait_ms(const struct rv_follow *f)
{
	int64_t now_ms = rv_clock_monotonic_ms(), wait = WAIT_MAX_MS;
	for (size_t i = 0; i < rv_watch_count(f->watch); i++) {
		int64_t due = due_ms(f, rv_watch_at(f->watch, i));
		if (due - now_ms < wait)
			wait = due > now_ms ? due - now_ms : 0;
	}
	if (rv_batcher_open(f->push->batcher) && f->params.flush_after_ms >= 0) {
		int64_t left = f->push->batch_started_ms + f->params.flush_after_ms - now_ms;
		wait = left < wait ? left : wait;
	}
	if (f->follow.until_quiet_ms >= 0 && f->news_ms + f->follow.until_quiet_ms - now_ms < wait)
		wait = f->news_ms + f->follow.until_quiet_ms - now_ms;
	return wait > 0 ? wait : 0;
}

static enum rv_status go_round(struct rv_follow *f, struct rv_error *err)
{
	/* What was rotated away is older than what took its name. */
	if (turns(f, true, err) != RV_OK || turns(f, false, err) != RV_OK ||
	    keep_batches_young(f, err) != RV_OK || ask_sender(f, err) != RV_OK)
		return err->status;
	let_rest(f);
	tell_rejects(f);
	tell_delivered(f);
	rv_push_tell_outage(f->push);
	return RV_OK;
}

/* What is there by now is read, and then it is over. */
static enum rv_status last_pass(struct rv_follow *f, struct rv_error *err)
{
	f->push->last_pass_ms = rv_clock_monotonic_ms() + LAST_PASS_MS;
	look(f, 0);
	if (turns(f, true, err) != RV_OK)
		return err->status;
	return turns(f, false, err);
}

/* Between sessions nothing is known of what was read but not promised: files are read from where their
 * checkpoints say. */
static void rest_all(struct rv_follow *f)
{
	for (size_t i = 0; i < rv_watch_count(f->watch); i++) {
		struct rv_watched *item = rv_watch_at(f->watch, i);
		const struct rv_followed *file = item->user;
		if (!file || !file->active)
			continue;
		rv_followed_rest(f, item);
		item->news_ms = rv_clock_monotonic_ms();
	}
}

enum rv_status rv_push_follow(struct rv_push_state *push, struct rv_error *err)
{
	struct rv_follow *f = push->params->follow;
	enum rv_status status = RV_OK;
	f->push = push;
	f->begun = true;
	f->told_rejects = f->told_delivered = 0;
	f->batch_ms = rv_clock_monotonic_ms();
	rv_follow_note_loss(f, &push->deliver.loss);
	while (status == RV_OK && !should_stop(f)) {
		status = go_round(f, err);
		if (status != RV_OK || should_stop(f) || is_quiet(f) || all_skipped(f))
			break;
		int64_t wait = wait_ms(f);
		look(f, wait);
	}
	if (status == RV_OK && should_stop(f))
		status = last_pass(f, err);
	rest_all(f);
	f->push = NULL;
	return status;
}

/* ---- sessions ---- */

static void add_counts(struct rv_sent_counts *sum, const struct rv_sent_counts *more)
{
	sum->requests += more->requests;
	sum->refused += more->refused;
	sum->maybe_twice += more->maybe_twice;
	sum->record_bytes += more->record_bytes;
	sum->billed_bytes += more->billed_bytes;
}

static void add_result(struct rv_push_result *sum, const struct rv_push_result *more, bool first)
{
	const struct {
		uint64_t *to;
		uint64_t value;
	} adds[] = {
		{ &sum->files, first ? more->files : 0 },
		{ &sum->input_bytes, more->input_bytes },
		{ &sum->skipped_bytes, first ? more->skipped_bytes : 0 },
		{ &sum->records, more->records },
		{ &sum->record_bytes, more->record_bytes },
		{ &sum->rejected, more->rejected },
		{ &sum->accepted, more->accepted },
		{ &sum->landed, more->landed },
		{ &sum->sent, more->sent },
		{ &sum->batches, more->batches },
		{ &sum->objects, more->objects },
		{ &sum->object_bytes, more->object_bytes },
		{ &sum->recovered.runs, more->recovered.runs },
		{ &sum->recovered.batches, more->recovered.batches },
		{ &sum->recovered.records, more->recovered.records },
		/* What an earlier session promised and this one has brought; not what others had left. */
		{ &sum->landed, more->recovered.own_records },
	};
	for (size_t i = 0; i < sizeof(adds) / sizeof(*adds); i++)
		*adds[i].to += adds[i].value;
	add_counts(&sum->counts, &more->counts);
	sum->by_stamp = more->by_stamp;
	sum->waiting_spool_bytes = more->waiting_spool_bytes;
	sum->delivery = more->delivery;
	if (!sum->diverted[0])
		memcpy(sum->diverted, more->diverted, sizeof(sum->diverted));
	if (!sum->first_reject[0])
		memcpy(sum->first_reject, more->first_reject, sizeof(sum->first_reject));
}

/* Would the same command, given again in a while, be likely to get on? */
static bool may_pass(const struct rv_follow *f, const struct rv_error *err)
{
	if (!f->begun || f->final || should_stop(f))
		return false;
	switch (err->status) {
	case RV_LOCAL_IO:
	case RV_AUTH:
	case RV_KEPT:
	case RV_LOCKED:
		return true;
	case RV_FAILED:
	case RV_BAD_CONFIG:
	case RV_NOT_FOUND: /* a bucket; a stream that was deleted is none the service speaks of */
		return err->transient || err->http_status || err->service_code[0];
	default:
		return false;
	}
}

static void pause_between(struct rv_follow *f, int64_t pause_ms)
{
	int64_t until_ms = rv_clock_monotonic_ms() + pause_ms;
	while (rv_clock_monotonic_ms() < until_ms && !should_stop(f))
		look(f, until_ms - rv_clock_monotonic_ms() < WAIT_MAX_MS ? until_ms - rv_clock_monotonic_ms()
									  : WAIT_MAX_MS);
}

static enum rv_status sessions(struct rv_follow *f, struct rv_push_result *ret, struct rv_error *err)
{
	const struct rv_retry retry = { .pause_ms = f->params.retry_pause_ms ? f->params.retry_pause_ms
									     : PAUSE_MS };
	unsigned failures = 0;
	int64_t told_ms = 0;
	for (bool first = true;; first = false) {
		struct rv_push_result result;
		int64_t started_ms = rv_clock_monotonic_ms();
		enum rv_status status = rv_push(&f->params, &result, err);
		add_result(ret, &result, first);
		rv_follow_note_loss(f, &result.loss);
		rv_push_result_release(&result);
		if (status == RV_OK || !may_pass(f, err))
			return status;
		/* What went on for a while has got over what stopped it before. */
		int64_t now_ms = rv_clock_monotonic_ms();
		failures = now_ms - started_ms > TELL_EACH_MS ? 1 : failures + 1;
		if (!told_ms || now_ms - told_ms >= TELL_EACH_MS) {
			say(f, f->params.warn, "%s%s%s; trying again", err->message, *err->hint ? ": " : "",
			    err->hint);
			told_ms = now_ms;
		}
		rv_follow_event(f, "failed", NULL, "message", json_string(err->message));
		pause_between(f, rv_retry_pause_ms(&retry, failures));
		if (should_stop(f))
			return status;
	}
}

/* Files that could not be read when it ended, and all else the end has to say; 10, 12, 8, 7. */
static enum rv_status judge(struct rv_follow *f, struct rv_push_result *ret, struct rv_error *err)
{
	uint64_t failed = 0;
	for (size_t i = 0; i < rv_watch_count(f->watch); i++) {
		const struct rv_followed *file = rv_watch_at(f->watch, i)->user;
		if (!file || file->failure.status == RV_OK)
			continue;
		if (!failed++)
			*err = file->failure;
	}
	if (failed) {
		if (failed > 1)
			rv_context(err, "%" PRIu64 " files were not pushed, the first", failed);
		if (err->status == RV_BAD_DATA && ret->accepted)
			err->status = RV_LOCAL_IO;
		return err->status;
	}
	if (f->loss.status != RV_OK) {
		*err = f->loss;
		return err->status;
	}
	uint64_t brought = ret->landed + ret->sent;
	if (brought < ret->accepted && f->params.wait != RV_WAIT_SPOOLED && any_run_left(f)) {
		*err = ret->delivery.status != RV_OK ? ret->delivery : (struct rv_error)RV_ERROR_INIT;
		rv_context(err, "%" PRIu64 " records are accepted, but not in the lake", ret->accepted - brought);
		rv_hint(err, "nothing is lost: the same command goes on where this one ended");
		return err->status = RV_KEPT;
	}
	if (ret->rejected) {
		rv_fail(err, RV_PARTIAL, "%" PRIu64 " of %" PRIu64 " records were rejected, the first: %s",
			ret->rejected, ret->rejected + ret->records,
			f->first_reject[0] ? f->first_reject : ret->first_reject);
		rv_hint(err, "they are kept: 'river rejects show %s/%s' shows them",
			f->params.stream->business, f->params.stream->name);
		return err->status;
	}
	return RV_OK;
}

static size_t open_files_max(void)
{
	struct rlimit limit;
	if (getrlimit(RLIMIT_NOFILE, &limit) < 0 || limit.rlim_cur == RLIM_INFINITY)
		return ACTIVE_MAX;
	size_t most = limit.rlim_cur > 64 ? (size_t)(limit.rlim_cur - 48) / 2 : 4;
	return most < ACTIVE_MAX ? most : ACTIVE_MAX;
}

enum rv_status rv_follow(const struct rv_push_params *params, const struct rv_follow_params *follow,
			 struct rv_push_result *ret, struct rv_error *err)
{
	struct rv_follow f = {
		.params = *params,
		.follow = *follow,
		.active_max = open_files_max(),
		.loss = RV_ERROR_INIT,
		.wall_ahead_ms = rv_clock_ms() - rv_clock_monotonic_ms(),
		.news_ms = rv_clock_monotonic_ms(),
		.runs_mutex = PTHREAD_MUTEX_INITIALIZER,
	};
	*ret = (struct rv_push_result){
		.loss = RV_ERROR_INIT,
		.delivery = RV_ERROR_INIT,
		.recovered = { .failure = RV_ERROR_INIT },
	};
	f.params.follow = &f;
	/* A file waits as long as it takes; only a stop ends it. */
	f.params.retry_for_ms = INT64_MAX / 4;
	const struct rv_watch_params watch = {
		.paths = params->files,
		.paths_count = params->files_count,
		.poll_ms = follow->poll_ms,
		.hold_max = f.active_max,
		.no_inotify = follow->no_inotify,
		.event = on_watch,
		.gone = on_gone,
		.arg = &f,
	};
	if (rv_watch_new(&watch, &f.watch, err) != RV_OK)
		return err->status;
	enum rv_status status = sessions(&f, ret, err);
	ret->rotations = f.rotations;
	if (status == RV_OK)
		status = judge(&f, ret, err);
	ret->kept = status == RV_OK || status == RV_PARTIAL;
	rv_watch_free(f.watch);
	runs_release(&f);
	return status;
}
