/* Rounds into files, by the caller; files into batches and those to the lake, by a thread each. */
#include "collect/store.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/memory.h"
#include "collect/remembered.h"
#include "flow/intake.h"
#include "format/stamp.h"

#define TICK_MS 1000
#define ROUND_KEPT_BYTES (1u << 20)

/* A file that is closed, or with `end` the end of its run. */
struct closed {
	struct closed *next;
	struct rv_run *run;
	uint64_t seq;
	bool end;
	struct rv_seen_id *ids;    /* Owned: of its records */
	size_t ids_count;
};

struct rv_collect_store {
	struct rv_collect_store_params params;
	struct rv_state state;
	struct rv_deliver deliver;   /* of the thread that makes batches */
	struct rv_courier *courier;
	uint64_t file_max_bytes, file_max_records;
	bool has_maker, finished;
	pthread_t maker;
	pthread_mutex_t mutex;
	pthread_cond_t more;         /* for the maker */
	bool over;                   /* no more files */
	struct closed *first, **last;
	/* Of whoever writes rounds. */
	struct rv_run *run;
	uint64_t next_seq;
	int fd;                      /* of the open file; -1: none */
	uint64_t seq, file_bytes, file_records;
	struct rv_seen_id *file_ids;
	size_t file_ids_count, file_ids_capacity;
	int64_t file_since_ms;       /* monotonic */
	atomic_uint_fast64_t remember;
	/* The maker's own. */
	struct rv_remembered remembered;
	bool remembers_badly;        /* said once */
	char *kept;                  /* the last file that became a batch: a restart looks at its records */
	atomic_uint_fast64_t spool_bytes;
	struct rv_intake_room room;      /* of the open file */
	atomic_uint_fast64_t room_bytes; /* of it, behind the last frame */
	struct rv_collect_totals totals;
};

/* ---- a round ---- */

void rv_collect_round_init(struct rv_collect_round *round)
{
	char room[RV_INTAKE_HEAD] = { 0 };
	/* What a rush has needed is not kept for ever. */
	if (round->lines.capacity > ROUND_KEPT_BYTES)
		rv_strbuf_release(&round->lines);
	if (round->rejects.capacity > ROUND_KEPT_BYTES)
		rv_strbuf_release(&round->rejects);
	rv_strbuf_clear(&round->lines);
	rv_strbuf_clear(&round->rejects);
	rv_strbuf_add(&round->lines, room, sizeof(room));
	rv_seen_clear(&round->ids);
	round->records = round->rejected = 0;
	round->outcome = (struct rv_error)RV_ERROR_INIT;
}

void rv_collect_round_release(struct rv_collect_round *round)
{
	rv_strbuf_release(&round->lines);
	rv_strbuf_release(&round->rejects);
	rv_seen_release(&round->ids);
}

uint64_t rv_collect_round_bytes(const struct rv_collect_round *round)
{
	return (round->records ? round->lines.len : 0) + round->rejects.len;
}

/* ---- rounds into files ---- */

static void hand_on(struct rv_collect_store *s, struct rv_run *run, uint64_t seq, bool end)
{
	struct closed *closed = rv_calloc(1, sizeof(*closed));
	*closed = (struct closed){ .run = run, .seq = seq, .end = end };
	if (!end) {
		closed->ids_count = s->file_ids_count;
		closed->ids = rv_take(s->file_ids);
		s->file_ids_count = s->file_ids_capacity = 0;
	}
	pthread_mutex_lock(&s->mutex);
	*s->last = closed;
	s->last = &closed->next;
	pthread_cond_signal(&s->more);
	pthread_mutex_unlock(&s->mutex);
}

static void close_file(struct rv_collect_store *s)
{
	if (s->fd < 0)
		return;
	/* What was taken too much is given back; it goes with the file in any case. */
	(void)!ftruncate(s->fd, (off_t)s->file_bytes);
	atomic_store(&s->room_bytes, 0);
	rv_close_p(&s->fd);
	hand_on(s, s->run, s->seq, false);
}

static void free_closed(struct closed *closed)
{
	free(closed->ids);
	free(closed);
}

static enum rv_status begin_run(struct rv_collect_store *s, const char *folder, struct rv_error *err)
{
	const struct rv_delivery_ops *delivery = s->params.delivery->ops;
	RV_CLEANUP(rv_run_free_p) struct rv_run *run = NULL;
	if (rv_run_create(&s->state, NULL, rv_clock_ms(), &run, err) != RV_OK)
		return err->status;
	run->pipe = run->intake = true;
	run->compression = s->params.stream->compression;
	run->stamp = s->params.stream->stamp;
	if (!delivery->names_objects)
		snprintf(run->delivery, sizeof(run->delivery), "%s", delivery->name);
	free(run->source);
	run->source = rv_strdup(s->params.source);
	snprintf(run->lake_folder, sizeof(run->lake_folder), "%.23s", folder);
	if (rv_run_begin(run, err) != RV_OK)
		return err->status;
	s->run = rv_take(run);
	s->next_seq = 0;
	return RV_OK;
}

static void end_run(struct rv_collect_store *s)
{
	close_file(s);
	if (s->run)
		hand_on(s, rv_take(s->run), 0, true);
}

static enum rv_status open_file(struct rv_collect_store *s, struct rv_error *err)
{
	char folder[RV_TIME_TEXT];
	rv_stream_run_folder(s->params.stream, rv_clock_ms(), folder);
	if (s->run && strcmp(folder, s->run->lake_folder) != 0)
		end_run(s);
	if (!s->run && begin_run(s, folder, err) != RV_OK)
		return err->status;
	s->seq = s->next_seq;
	RV_CLEANUP(rv_free_p) char *path = rv_run_intake_path(s->run, s->seq);
	RV_CLEANUP(rv_close_p)
	int fd = rv_open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		return rv_fail_errno(err, RV_LOCAL_IO, "create %s", path);
	s->next_seq++;
	if (rv_fsync_folder(s->run->folder, err) != RV_OK)
		return err->status;
	s->fd = fd;
	fd = -1;
	s->file_bytes = s->file_records = 0;
	s->room = (struct rv_intake_room){ .end = 0 };
	s->file_since_ms = rv_clock_monotonic_ms();
	return RV_OK;
}

/* The round that comes to the end of the room takes some for those after it, and its sync makes both last. */
static void take_room(struct rv_collect_store *s, uint64_t end)
{
	rv_intake_take_room(s->fd, end, &s->room);
	atomic_store(&s->room_bytes, s->room.end > end ? s->room.end - end : 0);
}

static enum rv_status write_round(struct rv_collect_store *s, struct rv_collect_round *round,
				  struct rv_error *err)
{
	uint64_t end = s->file_bytes;
	if (round->records) {
		const struct rv_intake_frame frame = {
			.kind = RV_INTAKE_RECORDS,
			.records = round->records,
			.bytes = { round->lines.bytes + RV_INTAKE_HEAD,
				   round->lines.len - RV_INTAKE_HEAD },
		};
		if (frame.bytes.len > RV_INTAKE_FRAME_MAX_BYTES)
			rv_bug("a round of %zu bytes", frame.bytes.len);
		rv_intake_head(&frame, round->lines.bytes);
		if (rv_pwrite_all(s->fd, round->lines.bytes, round->lines.len, end, "the intake", err) != RV_OK)
			return err->status;
		end += round->lines.len;
	} else if (round->rejects.len) {
		rv_intake_begin_with_rejects(round->rejects.bytes);
	}
	if (rv_pwrite_all(s->fd, round->rejects.bytes, round->rejects.len, end, "the intake", err) != RV_OK)
		return err->status;
	take_room(s, end + round->rejects.len);
	int r;
	do {
		r = fdatasync(s->fd); /* EINTR says nothing about the data */
	} while (r < 0 && errno == EINTR);
	if (r < 0)
		return rv_fail_errno(err, RV_LOCAL_IO, "sync the intake of run %s", s->run->name);
	return RV_OK;
}

/* Of a large file the last ones only: no more are ever asked for. */
static void keep_ids(struct rv_collect_store *s, const struct rv_seen *ids)
{
	size_t most = atomic_load(&s->remember);
	if (!s->file_ids && most) {
		s->file_ids_capacity = most + most / 4 + 1;
		s->file_ids = rv_malloc(s->file_ids_capacity * sizeof(*s->file_ids));
	}
	for (size_t i = 0; s->file_ids && ids->count && i < ids->size; i++) {
		if (!ids->slots[i].low)
			continue;
		if (s->file_ids_count == s->file_ids_capacity) {
			s->file_ids_count = s->file_ids_capacity - s->file_ids_capacity / 5 - 1;
			memmove(s->file_ids, s->file_ids + s->file_ids_capacity - s->file_ids_count,
				s->file_ids_count * sizeof(*s->file_ids));
		}
		s->file_ids[s->file_ids_count++] = ids->slots[i];
	}
}

static enum rv_status store_round(struct rv_collect_store *s, struct rv_collect_round *round,
				  struct rv_error *err)
{
	if (s->fd < 0 && open_file(s, err) != RV_OK)
		return err->status;
	if (write_round(s, round, err) != RV_OK) {
		/* Half a frame must not be followed by another one, and what could not be synced is not
		 * tried again: the file ends here. */
		struct rv_error why = *err;
		if (ftruncate(s->fd, (off_t)s->file_bytes) < 0)
			rv_context(&why, "the file could not be cut either");
		close_file(s);
		*err = why;
		return err->status;
	}
	s->file_bytes += rv_collect_round_bytes(round);
	s->file_records += round->records;
	keep_ids(s, &round->ids);
	atomic_fetch_add(&s->spool_bytes, rv_collect_round_bytes(round));
	return RV_OK;
}

static int64_t file_left_ms(const struct rv_collect_store *s)
{
	return s->params.stream->batch_age_ms - (rv_clock_monotonic_ms() - s->file_since_ms);
}

static bool file_is_full(const struct rv_collect_store *s)
{
	return s->file_bytes >= s->file_max_bytes ||
	       (s->file_max_records && s->file_records >= s->file_max_records) || file_left_ms(s) <= 0;
}

static void round_begins(struct rv_collect_store *s)
{
	pthread_mutex_lock(&s->mutex);
	s->totals.round_since_ms = rv_clock_monotonic_ms();
	pthread_mutex_unlock(&s->mutex);
}

static void round_is_done(struct rv_collect_store *s, const struct rv_collect_round *round)
{
	pthread_mutex_lock(&s->mutex);
	int64_t took_ms = rv_clock_monotonic_ms() - s->totals.round_since_ms;
	s->totals.round_since_ms = 0;
	s->totals.round_last_ms = took_ms;
	if (took_ms > s->totals.round_longest_ms)
		s->totals.round_longest_ms = took_ms;
	if (round->outcome.status == RV_OK) {
		s->totals.rounds++;
		s->totals.records += round->records;
		s->totals.rejected += round->rejected;
		s->totals.bytes += rv_collect_round_bytes(round);
	} else {
		s->totals.failed_rounds++;
	}
	pthread_mutex_unlock(&s->mutex);
}

void rv_collect_store_write(struct rv_collect_store *s, struct rv_collect_round *round)
{
	round_begins(s);
	(void)!store_round(s, round, &round->outcome);
	rv_collect_store_tick(s);
	round_is_done(s, round);
}

void rv_collect_store_tick(struct rv_collect_store *s)
{
	if (s->fd >= 0 && file_is_full(s))
		close_file(s);
}

/* ---- the maker of batches ---- */

static void until(struct timespec *ret, int64_t ms)
{
	clock_gettime(CLOCK_MONOTONIC, ret);
	ret->tv_sec += ms / 1000;
	ret->tv_nsec += ms % 1000 * 1000000;
	if (ret->tv_nsec >= 1000000000) {
		ret->tv_sec++;
		ret->tv_nsec -= 1000000000;
	}
}

static void measure(struct rv_collect_store *s)
{
	struct rv_error err = RV_ERROR_INIT;
	struct stat st;
	uint64_t bytes;
	if (rv_spool_bytes(&s->state, &bytes, &err) != RV_OK)
		return;
	uint64_t room_bytes = atomic_load(&s->room_bytes);
	bytes -= bytes < room_bytes ? bytes : room_bytes;
	/* What is only looked at by a restart waits for nothing. */
	if (s->kept && stat(s->kept, &st) == 0)
		bytes -= bytes < (uint64_t)st.st_size ? bytes : (uint64_t)st.st_size;
	atomic_store(&s->spool_bytes, bytes);
}

static void keep_file(struct rv_collect_store *s, char *path)
{
	if (s->kept)
		unlink(s->kept);
	free(s->kept);
	s->kept = path;
}

/* That a later start knows them is worth much, but not that nothing is delivered any more. */
static void remember(struct rv_collect_store *s, const struct rv_seen_id *ids, size_t count)
{
	struct rv_error err = RV_ERROR_INIT;
	uint64_t least = atomic_load(&s->remember);
	enum rv_status status = least ? rv_remembered_add(&s->remembered, ids, count, least, &err) : RV_OK;
	if (status != RV_OK && !s->remembers_badly && s->params.warn) {
		RV_CLEANUP(rv_free_p)
		char *text = rv_asprintf("%s; started anew now, the same events would be taken twice",
					 err.message);
		s->params.warn(s->params.arg, text);
	}
	s->remembers_badly = status != RV_OK;
}

static enum rv_status make_batch(struct rv_collect_store *s, const struct closed *closed,
				 struct rv_error *err)
{
	bool made;
	if (closed->end) {
		if (rv_run_close(closed->run, err) != RV_OK)
			return err->status;
		rv_courier_end(s->courier, closed->run, true, true);
		return RV_OK;
	}
	if (rv_intake_promise(&s->deliver, closed->run, closed->seq, &made, err) != RV_OK)
		return err->status;
	/* Before anybody may remove the file that has them. */
	remember(s, closed->ids, closed->ids_count);
	if (made)
		rv_courier_announce(s->courier, closed->run, closed->seq);
	keep_file(s, rv_run_intake_path(closed->run, closed->seq));
	return RV_OK;
}

static void tell(struct rv_collect_store *s, const struct rv_error *err)
{
	if (s->totals.failure.status == RV_OK && s->params.warn) {
		RV_CLEANUP(rv_free_p)
		char *text = rv_asprintf("%s; what is received waits in the spool, trying on", err->message);
		s->params.warn(s->params.arg, text);
	}
}

/* With the mutex held, which is let go of meanwhile; false: it has to be tried again. */
static bool make_first(struct rv_collect_store *s)
{
	struct closed *closed = s->first;
	struct rv_error err = RV_ERROR_INIT;
	pthread_mutex_unlock(&s->mutex);
	enum rv_status status = make_batch(s, closed, &err);
	measure(s);
	pthread_mutex_lock(&s->mutex);
	s->totals.loss = s->deliver.loss;
	if (status != RV_OK) {
		tell(s, &err);
		s->totals.failure = err;
		return false;
	}
	s->totals.failure = (struct rv_error)RV_ERROR_INIT;
	s->totals.batches += !closed->end;
	s->first = closed->next;
	if (!s->first)
		s->last = &s->first;
	free_closed(closed);
	return true;
}

/* What cannot be made into batches now stays as it is, for whoever comes next. */
static void leave_rest(struct rv_collect_store *s)
{
	while (s->first) {
		struct closed *closed = s->first;
		s->first = closed->next;
		if (closed->end)
			rv_courier_end(s->courier, closed->run, false, false);
		free_closed(closed);
	}
	s->last = &s->first;
}

static void *make_batches(void *arg)
{
	struct rv_collect_store *s = arg;
	bool again = false;
	pthread_mutex_lock(&s->mutex);
	for (;;) {
		if (!s->first && s->over)
			break;
		if (!s->first || again) {
			struct timespec at;
			until(&at, TICK_MS);
			pthread_cond_timedwait(&s->more, &s->mutex, &at);
			pthread_mutex_unlock(&s->mutex);
			measure(s);
			pthread_mutex_lock(&s->mutex);
		}
		again = s->first && !make_first(s);
		if (again && s->over)
			leave_rest(s);
	}
	pthread_mutex_unlock(&s->mutex);
	return NULL;
}

/* ---- what was there before ---- */

/* Records that are in no file of ids yet. */
struct sight {
	struct rv_collect_store *store;
	struct rv_seen_id *ids;
	size_t count, capacity;
};

static enum rv_status see_frame(void *arg, struct rv_intake_frame *frame, struct rv_error *err RV_UNUSED)
{
	struct sight *sight = arg;
	const struct rv_collect_store_params *params = &sight->store->params;
	const char *at = frame->bytes.p, *end = at + frame->bytes.len, *lf;
	if (frame->kind != RV_INTAKE_RECORDS)
		return RV_OK;
	for (; at < end && (lf = memchr(at, '\n', (size_t)(end - at))); at = lf + 1) {
		struct rv_seen_id id = params->record(params->arg, sight->store->remembered.seed,
						      (struct rv_str){ at, (size_t)(lf - at) });
		if (!id.low)
			continue;
		RV_GROW(sight->ids, sight->count, sight->capacity);
		sight->ids[sight->count++] = id;
	}
	return RV_OK;
}

/* Whatever is wrong with a run is for recovery to say. */
static enum rv_status see_run(void *arg, const char *name, struct rv_error *err RV_UNUSED)
{
	struct sight *sight = arg;
	struct rv_error ignored = RV_ERROR_INIT;
	RV_CLEANUP(rv_run_free_p) struct rv_run *run = NULL;
	RV_CLEANUP(rv_free_p) uint64_t *seqs = NULL;
	size_t count = 0;
	if (rv_run_open(&sight->store->state, name, false, &run, &ignored) != RV_OK ||
	    rv_run_intakes(run, &seqs, &count, &ignored) != RV_OK)
		return RV_OK;
	for (size_t i = 0; i < count; i++) {
		RV_CLEANUP(rv_free_p) char *path = rv_run_intake_path(run, seqs[i]);
		RV_CLEANUP(rv_close_p) int fd = rv_open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW, 0);
		if (fd >= 0)
			(void)!rv_intake_read(fd, path, see_frame, sight, &ignored);
	}
	return RV_OK;
}

static enum rv_status see_before(struct rv_collect_store *s, struct rv_error *err)
{
	struct sight sight = { .store = s };
	bool damaged = false;
	if (!s->params.record)
		return RV_OK;
	enum rv_status status = rv_remembered_open(&s->remembered, s->state.folder, s->params.known,
						   s->params.arg, &damaged, err);
	if (status == RV_LOCKED && s->params.warn)
		s->params.warn(s->params.arg, "another collector of this stream runs here: an event that is sent "
					      "to both of them is stored twice");
	else if (status != RV_OK && status != RV_LOCKED)
		return status;
	if (damaged && s->params.warn)
		s->params.warn(s->params.arg, "the file of events that came before is damaged: what came before "
					      "and is sent again is taken for new");
	status = rv_run_each(&s->state, see_run, &sight, err);
	/* Recovery takes their files away. */
	if (status == RV_OK)
		remember(s, sight.ids, sight.count);
	free(sight.ids);
	return status;
}

/* ---- outside ---- */

static enum rv_status start_maker(struct rv_collect_store *s, struct rv_error *err)
{
	/* Signals are for the thread that can stop. */
	sigset_t all, before;
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	int r = pthread_create(&s->maker, NULL, make_batches, s);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (r)
		return rv_fail(err, RV_LOCAL_IO, "start a thread: %s", strerror(r));
	s->has_maker = true;
	return RV_OK;
}

static void set_limits(struct rv_collect_store *s)
{
	const struct rv_stream *stream = s->params.stream;
	const struct rv_delivery_ops *ops = s->params.delivery->ops;
	s->file_max_bytes = stream->batch_bytes;
	if (ops->batch_record_bytes && ops->batch_record_bytes < s->file_max_bytes)
		s->file_max_bytes = ops->batch_record_bytes;
	s->file_max_records = stream->batch_records;
}

enum rv_status rv_collect_store_new(const struct rv_collect_store_params *params,
				    struct rv_collect_store **ret, struct rv_error *err)
{
	struct rv_collect_store *s = rv_calloc(1, sizeof(*s));
	pthread_condattr_t attributes;
	s->params = *params;
	s->fd = -1;
	s->last = &s->first;
	s->remembered = (struct rv_remembered)RV_REMEMBERED_INIT;
	atomic_init(&s->remember, params->remember);
	s->state = (struct rv_state)RV_STATE_INIT;
	s->totals.failure = s->totals.loss = (struct rv_error)RV_ERROR_INIT;
	pthread_condattr_init(&attributes);
	pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
	pthread_mutex_init(&s->mutex, NULL);
	pthread_cond_init(&s->more, &attributes);
	pthread_condattr_destroy(&attributes);
	set_limits(s);
	enum rv_status status =
		rv_state_open(&s->state, params->state_dir, params->lake->url, params->stream, err);
	if (status == RV_OK)
		status = see_before(s, err);
	s->deliver = (struct rv_deliver){
		.stream = params->stream,
		.state = &s->state,
		.lake = params->lake,
		.delivery = params->delivery,
		.loss = RV_ERROR_INIT,
		.check_stream = true,
	};
	measure(s);
	if (status == RV_OK)
		status = rv_courier_new(&s->deliver, &params->retry, true, &s->courier, err);
	if (status == RV_OK)
		status = start_maker(s, err);
	if (status != RV_OK) {
		rv_collect_store_free(s);
		return err->status;
	}
	*ret = s;
	return RV_OK;
}

void rv_collect_store_finish(struct rv_collect_store *s)
{
	if (s->has_maker) {
		end_run(s);
		pthread_mutex_lock(&s->mutex);
		s->over = true;
		pthread_cond_signal(&s->more);
		pthread_mutex_unlock(&s->mutex);
		pthread_join(s->maker, NULL);
		s->has_maker = false;
	}
	if (s->courier && !s->finished)
		rv_courier_finish(s->courier, NULL, NULL);
	s->finished = true;
}

void rv_collect_store_free(struct rv_collect_store *s)
{
	if (!s)
		return;
	rv_collect_store_finish(s);
	rv_courier_free(s->courier);
	rv_deliver_release(&s->deliver);
	rv_state_release(&s->state);
	rv_remembered_release(&s->remembered);
	free(s->file_ids);
	free(s->kept);
	pthread_mutex_destroy(&s->mutex);
	pthread_cond_destroy(&s->more);
	free(s);
}

uint64_t rv_collect_store_seed(const struct rv_collect_store *s)
{
	return s->remembered.seed;
}

void rv_collect_store_remember(struct rv_collect_store *s, uint64_t count)
{
	atomic_store(&s->remember, count);
}

uint64_t rv_collect_store_max_record(const struct rv_collect_store *s)
{
	uint64_t max = s->params.delivery->ops->max_record_bytes;
	return max > RV_STAMP_MAX_BYTES + 1 ? max - 1 - RV_STAMP_MAX_BYTES : 0;
}

bool rv_collect_store_is_full(struct rv_collect_store *s)
{
	return atomic_load(&s->spool_bytes) >= s->params.spool_max_bytes;
}

void rv_collect_store_totals(struct rv_collect_store *s, struct rv_collect_totals *ret)
{
	struct rv_courier_totals courier;
	rv_courier_totals(s->courier, &courier);
	pthread_mutex_lock(&s->mutex);
	*ret = s->totals;
	pthread_mutex_unlock(&s->mutex);
	ret->courier = courier;
	ret->spool_bytes = atomic_load(&s->spool_bytes);
	ret->spool_full = rv_collect_store_is_full(s);
	if (ret->loss.status == RV_OK)
		ret->loss = courier.loss;
}
