/*
 * Loading objects: groups of them, each group one transaction of rows, layers and ledger. What an
 * object's name says is checked before the transaction ends; an object that does not hold it is
 * taken out and the rest of its group is loaded without it.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <xxhash.h>

#include "base/clock.h"
#include "base/memory.h"
#include "flow/object_name.h"
#include "format/record_hash.h"
#include "format/stamp.h"
#include "warehouse/duckdb_feed.h"
#include "warehouse/duckdb_internal.h"

/* A group closes at either; small objects share a transaction's fsyncs, large ones do not pile up. */
#define GROUP_BYTES (256u << 20)
#define GROUP_OBJECTS 4096
/* So many objects in a row that cannot be read are the store's trouble, not theirs. */
#define UNREADABLE_MAX 3
/* Rows of stamps in one statement. */
#define STAMPS_AT_ONCE 1000

/* ---- what is in the ledger ---- */

struct known {
	char *object;
	char run[RV_RUN_MAX + 1]; /* "" for foreign ones */
	uint64_t seq;
	uint64_t rows, rejected, set_hash;
	int64_t loaded_ms;
};
struct ledger {
	struct known *items;
	size_t count, capacity;
	size_t *by_name, *by_run;     /* open hash tables of index + 1 */
	size_t mask;
	uint64_t rows;                /* in raw, if nobody else wrote there */
	int64_t newest_us;
};

static void ledger_release(struct ledger *ledger)
{
	for (size_t i = 0; i < ledger->count; i++)
		free(ledger->items[i].object);
	free(ledger->items);
	free(ledger->by_name);
	free(ledger->by_run);
}

static uint64_t run_hash(const char *run, uint64_t seq)
{
	return XXH3_64bits_withSeed(run, strlen(run), seq);
}

static void enter_index(struct ledger *ledger, size_t i)
{
	const struct known *known = &ledger->items[i];
	uint64_t at = XXH3_64bits(known->object, strlen(known->object));

	while (ledger->by_name[at & ledger->mask])
		at++;
	ledger->by_name[at & ledger->mask] = i + 1;
	if (!known->run[0])
		return;
	at = run_hash(known->run, known->seq);
	while (ledger->by_run[at & ledger->mask])
		at++;
	ledger->by_run[at & ledger->mask] = i + 1;
}

static void ledger_add(struct ledger *ledger, const struct known *known)
{
	RV_GROW(ledger->items, ledger->count, ledger->capacity);
	ledger->items[ledger->count++] = *known;
	if (ledger->by_name && ledger->count * 2 <= ledger->mask) {
		enter_index(ledger, ledger->count - 1);
		return;
	}
	size_t size = 64;

	while (size < ledger->count * 4)
		size *= 2;
	ledger->mask = size - 1;
	free(ledger->by_name);
	free(ledger->by_run);
	ledger->by_name = rv_calloc(size, sizeof(size_t));
	ledger->by_run = rv_calloc(size, sizeof(size_t));
	for (size_t i = 0; i < ledger->count; i++)
		enter_index(ledger, i);
}

static const struct known *find_object(const struct ledger *ledger, const char *object)
{
	if (!ledger->count)
		return NULL;
	for (uint64_t at = XXH3_64bits(object, strlen(object));; at++) {
		size_t i = ledger->by_name[at & ledger->mask];

		if (!i)
			return NULL;
		if (strcmp(ledger->items[i - 1].object, object) == 0)
			return &ledger->items[i - 1];
	}
}

static const struct known *find_run(const struct ledger *ledger, const char *run, uint64_t seq)
{
	if (!ledger->count)
		return NULL;
	for (uint64_t at = run_hash(run, seq);; at++) {
		size_t i = ledger->by_run[at & ledger->mask];

		if (!i)
			return NULL;
		if (ledger->items[i - 1].seq == seq && strcmp(ledger->items[i - 1].run, run) == 0)
			return &ledger->items[i - 1];
	}
}

static enum rv_status read_ledger(struct rv_duckdb *d, const struct rv_stream *stream,
				  struct ledger *ledger, struct rv_error *err)
{
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf sql = RV_STRBUF_INIT;
	RV_CLEANUP(duck_cursor_close) struct duck_cursor cursor = { 0 };

	rv_strbuf_printf(&sql,
			 "SELECT object, run, seq, record_count, rejected, set_hash,"
			 " epoch_us(loaded_at), status FROM river._river.loads"
			 " WHERE stream = '%s/%s'",
			 stream->business, stream->name);
	if (duck_select(d, &cursor, sql.bytes, err) != RV_OK)
		return err->status;
	while (duck_next(&cursor)) {
		struct rv_str object = duck_text(&cursor, 0), run = duck_text(&cursor, 1);
		int64_t loaded_us = (int64_t)duck_u64(&cursor, 6);
		struct known known = {
			.seq = duck_u64(&cursor, 2),
			.rows = duck_u64(&cursor, 3),
			.rejected = duck_u64(&cursor, 4),
			.set_hash = duck_u64(&cursor, 5),
			.loaded_ms = loaded_us / 1000,
		};

		if (loaded_us > ledger->newest_us)
			ledger->newest_us = loaded_us;
		if (rv_str_is(duck_text(&cursor, 7), "failed"))
			continue;
		ledger->rows += known.rows;
		known.object = rv_strndup(object.p, object.len);
		snprintf(known.run, sizeof(known.run), "%.*s", (int)run.len, run.p);
		ledger_add(ledger, &known);
	}
	return RV_OK;
}

/* ---- one group, one transaction ---- */

struct member {
	struct rv_load *item;
	bool foreign;
	bool firehose;              /* foreign, and Firehose wrote it */
	struct rv_object_name name; /* unless foreign */
	bool out;                   /* failed: not part of the group any more */
	bool stamped;               /* the stamps of its records are noted */
	struct rv_stamp_set stamps;
};
struct loading {
	struct rv_duckdb *d;
	const struct rv_stream *stream;
	bool (*progress)(void *arg, uint64_t rows, uint64_t bytes);
	void *arg;
	uint64_t rows, bytes;       /* of finished groups */
	bool stop;
	int64_t loaded_us;          /* of the last group */
	uint64_t memory;            /* what the engine was given beyond its limit; 0: nothing */
	unsigned unreadable;        /* objects in a row, up to now */
	struct rv_error trouble;    /* of the last one */
};

static void fail_item(struct rv_load *item, const char *fmt, ...) RV_PRINTF(2, 3);
static void fail_item(struct rv_load *item, const char *fmt, ...)
{
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf text = RV_STRBUF_INIT;
	va_list ap;

	item->state = RV_LOAD_FAILED;
	item->rows = item->rejected = item->set_hash = 0;
	va_start(ap, fmt);
	rv_strbuf_vprintf(&text, fmt, ap);
	va_end(ap);
	free(item->message);
	item->message = rv_strbuf_take(&text);
}

static void tell_progress(struct loading *l, struct duck_feed *feed)
{
	uint64_t rows = 0, bytes = 0;

	if (feed)
		duck_feed_so_far(feed, &rows, &bytes);
	if (l->progress && !l->progress(l->arg, l->rows + rows, l->bytes + bytes))
		l->stop = true;
}

struct telling {
	struct loading *loading;
	struct duck_feed *feed;
	int64_t told_ms;
};

static bool tell_between(void *arg)
{
	struct telling *telling = arg;

	if (rv_clock_monotonic_ms() - telling->told_ms >= 100) {
		tell_progress(telling->loading, telling->feed);
		telling->told_ms = rv_clock_monotonic_ms();
	}
	return true; /* the feed ends where it was told to stop */
}

/* INSERT while telling progress. */
static enum rv_status insert_raw(struct loading *l, struct duck_feed *feed, struct rv_error *err)
{
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf sql = RV_STRBUF_INIT;
	struct telling telling = { l, feed, rv_clock_monotonic_ms() };
	struct duck_result result = { 0 };

	rv_strbuf_puts(&sql, "INSERT INTO ");
	duck_table(&sql, l->stream, "");
	rv_strbuf_printf(&sql,
			 " SELECT record, file_name, file_row, make_timestamp(%" PRId64
			 ") FROM river_feed()",
			 l->loaded_us);
	RV_CLEANUP(rv_free_p) char *failure =
		duck_execute(l->d->api, l->d->connection, sql.bytes, tell_between, &telling, &result);

	l->d->api->destroy_result(&result);
	return failure ? duck_fail_text(err, failure) : RV_OK;
}

/* Whether the object held what its name says; else its item says why not. */
static bool check_object(const struct member *m, const struct duck_feed_object *object)
{
	struct rv_load *item = m->item;

	if (object->error.status != RV_OK) {
		fail_item(item, "%s", object->error.message);
		return false;
	}
	if (!m->foreign && object->rejected) {
		fail_item(item, "object does not hold what its name says: line %" PRIu64 ": %s",
			  object->fault_line, object->fault);
		return false;
	}
	/* Whether the name was made without the stamps or with what only looks like stamps is for the
	 * definition to say that it was pushed under, and that may have changed. */
	bool whole = m->foreign ? !m->firehose : object->set_hash != object->expect_hash;
	uint64_t set_hash = whole ? object->whole_hash : object->set_hash;

	if (!m->foreign &&
	    (object->rows != object->expect_rows || set_hash != object->expect_hash)) {
		fail_item(item,
			  "object does not hold what its name says: %" PRIu64
			  " records of set hash %016" PRIx64 ", not %" PRIu64 " of %016" PRIx64,
			  object->rows, object->set_hash, object->expect_rows, object->expect_hash);
		return false;
	}
	item->bytes = object->bytes;
	item->rows = object->rows;
	item->rejected = object->rejected;
	item->set_hash = set_hash;
	free(rv_take(item->message));
	if (object->rejected) {
		item->error_line = object->fault_line;
		rv_load_say(item, "line %" PRIu64 ": %s", object->fault_line, object->fault);
	}
	return true;
}

static void ledger_row(struct rv_strbuf *sql, const struct loading *l, const struct member *m,
		       const char *status)
{
	const struct rv_load *item = m->item;

	rv_strbuf_printf(sql, "('%s/%s', '%s', ", l->stream->business, l->stream->name,
			 l->stream->id);
	duck_literal(sql, item->object);
	if (m->foreign)
		rv_strbuf_puts(sql, ", NULL, NULL");
	else
		rv_strbuf_printf(sql, ", '%s', %" PRIu64, m->name.run, m->name.seq);
	rv_strbuf_printf(sql, ", %" PRIu64 ", %" PRIu64 ", %" PRIu64 ", %" PRIu64 ", '%s', ",
			 item->bytes, item->rows, item->rejected, item->set_hash, status);
	if (item->message)
		duck_literal(sql, item->message);
	else
		rv_strbuf_puts(sql, "NULL");
	rv_strbuf_printf(sql, ", make_timestamp(%" PRId64 "))", l->loaded_us);
}

/* Rows of the ledger for the members that are in (or, with `failed`, for those that are out), each
 * taking the place of an earlier failure. */
static enum rv_status write_ledger(const struct loading *l, const struct member *members,
				   size_t count, bool failed, struct rv_error *err)
{
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf gone = RV_STRBUF_INIT;
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf rows = RV_STRBUF_INIT;
	size_t n = 0;

	rv_strbuf_printf(&gone,
			 "DELETE FROM river._river.loads WHERE stream = '%s/%s' AND status = 'failed'"
			 " AND object IN (",
			 l->stream->business, l->stream->name);
	rv_strbuf_puts(&rows, "INSERT INTO river._river.loads VALUES ");
	for (size_t i = 0; i < count; i++) {
		const struct member *m = &members[i];

		if (m->out != failed)
			continue;
		if (n++) {
			rv_strbuf_puts(&gone, ", ");
			rv_strbuf_puts(&rows, ", ");
		}
		duck_literal(&gone, m->item->object);
		ledger_row(&rows, l, m,
			   failed ? "failed" : m->item->rejected ? "partial" : "loaded");
	}
	if (!n)
		return RV_OK;
	rv_strbuf_putc(&gone, ')');
	if (duck_run(l->d, gone.bytes, NULL, err) != RV_OK)
		return err->status;
	return duck_run(l->d, rows.bytes, NULL, err);
}

/* What records of the members that are in are stamped with. */
static enum rv_status write_stamps(const struct loading *l, struct member *members, size_t count,
				   struct rv_error *err)
{
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf sql = RV_STRBUF_INIT;
	size_t n = 0;

	for (size_t i = 0; i < count; i++) {
		struct member *m = &members[i];

		if (m->out)
			continue;
		rv_stamp_set_settle(&m->stamps);
		for (size_t r = 0; r < m->stamps.count; r++) {
			const struct rv_stamp_run *run = &m->stamps.runs[r];

			for (size_t k = 0; k < run->count; k++) {
				rv_strbuf_puts(&sql, n++ ? ", " : "INSERT INTO river._river.stamps VALUES ");
				rv_strbuf_printf(&sql, "('%s/%s', ", l->stream->business,
						 l->stream->name);
				duck_literal(&sql, m->item->object);
				rv_strbuf_printf(&sql,
						 ", '%s', %" PRIu64 ", %" PRIu64 ", %" PRIu64 ")",
						 run->name, run->ranges[k].seq, run->ranges[k].from,
						 run->ranges[k].to);
				if (n < STAMPS_AT_ONCE)
					continue;
				if (duck_run(l->d, sql.bytes, NULL, err) != RV_OK)
					return err->status;
				rv_strbuf_clear(&sql);
				n = 0;
			}
		}
	}
	return n ? duck_run(l->d, sql.bytes, NULL, err) : RV_OK;
}

/* Whether the store is at fault, or whatever is between it and here. */
static bool is_trouble(const struct rv_error *error)
{
	return error->status != RV_OK && error->status != RV_NOT_FOUND &&
	       error->status != RV_BAD_DATA && error->status != RV_DAMAGED;
}

/* One try with the members that are not out. RV_OK with *ret_again when some of them turned out
 * bad and the others have to be loaded without them; *ret_read is how many of the members the store
 * gave before one that it did not, `count` when it gave all. */
static enum rv_status try_group(struct loading *l, struct member *members, size_t count,
				bool *ret_again, size_t *ret_read, struct rv_error *err)
{
	RV_CLEANUP(rv_free_p) struct duck_feed_object *objects =
		rv_calloc(count, sizeof(*objects));
	RV_CLEANUP(duck_feed_finish_p) struct duck_feed *feed = NULL;
	size_t n = 0;

	*ret_again = false;
	*ret_read = count;
	for (size_t i = 0; i < count; i++) {
		if (members[i].out)
			continue;
		objects[n++] = (struct duck_feed_object){
			.name = members[i].item->object,
			.foreign = members[i].foreign,
			.joined = members[i].firehose,
			.expect_rows = members[i].name.records,
			.expect_hash = members[i].name.set_hash,
			.stamps = members[i].stamped ? &members[i].stamps : NULL,
		};
		rv_stamp_set_release(&members[i].stamps); /* of an earlier try */
	}
	if (!n)
		return RV_OK;
	if (duck_feed_start(l->d, objects, n, &feed, err) != RV_OK)
		return err->status;
	enum rv_status status = insert_raw(l, feed, err);
	uint64_t rows = 0, bytes = 0;

	duck_feed_so_far(feed, &rows, &bytes);
	duck_feed_finish(feed);
	feed = NULL;
	/* Fewer rows than a name promises prove nothing when the insert itself failed. */
	for (size_t i = 0, k = 0; i < count; i++) {
		if (members[i].out)
			continue;
		const struct duck_feed_object *object = &objects[k++];

		if (status != RV_OK && object->error.status == RV_OK)
			continue;
		if (!check_object(&members[i], object)) {
			members[i].out = true;
			*ret_again = true;
		}
		if (is_trouble(&object->error)) {
			*ret_read = i;
			l->trouble = object->error;
		}
	}
	if (*ret_again)
		return RV_OK;
	if (status != RV_OK)
		return status;
	l->rows += rows;
	l->bytes += bytes;
	return duck_derive(l->d, l->stream, false, l->loaded_us, err);
}

enum rv_status duck_commit(struct rv_duckdb *d, struct rv_error *err)
{
	if (duck_run(d, "COMMIT", NULL, err) != RV_OK)
		return err->status;
	/* The log is synced by DuckDB; that it has a name is for us to see to. */
	return d->params.path ? rv_fsync_parent(d->params.path, err) : RV_OK;
}

/*
 * DuckDB reads and writes 2048 rows at a time, whatever their size, and holds all of their text while
 * it does: no row group, transaction or number of threads makes that less. So when a single object
 * cannot be loaded within the limit, the limit is what has to give way, up to half of the machine.
 * False when there is no more to give.
 */
static bool give_memory(struct loading *l)
{
	struct rv_error ignored = RV_ERROR_INIT;
	uint64_t most = (uint64_t)sysconf(_SC_PHYS_PAGES) * (uint64_t)sysconf(_SC_PAGESIZE) / 2;
	uint64_t limit = l->memory ? l->memory : l->d->params.memory_limit_bytes;
	uint64_t wanted = (limit ? limit : UINT64_C(1) << 30) * 2;

	if (wanted > most)
		wanted = most;
	if (wanted <= limit ||
	    duck_runf(l->d, &ignored, "SET threads = 1; SET memory_limit = '%" PRIu64 " B'",
		      wanted) != RV_OK)
		return false;
	l->memory = wanted;
	if (l->d->params.note)
		l->d->params.note("records of %s/%s are large: the engine gets %" PRIu64
				  " MiB of memory for this load", l->stream->business,
				  l->stream->name, wanted >> 20);
	return true;
}

static bool is_out_of_memory(const struct rv_error *err)
{
	/* A commit says "TransactionContext Error", and only then why. */
	static const char *const texts[] = { "Out of Memory Error", "failed to pin block",
					     "failed to allocate data", "could not allocate block" };

	for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++)
		if (strstr(err->message, texts[i]))
			return true;
	return false;
}

static enum rv_status one_transaction(struct loading *l, struct member *members, size_t count,
				      bool *ret_again, size_t *ret_read, struct rv_error *err)
{
	int64_t now_us = rv_clock_ms() * 1000;

	/* One group, one loaded_at: it finds the group's rows again. */
	l->loaded_us = now_us > l->loaded_us ? now_us : l->loaded_us + 1;
	if (duck_run(l->d, "BEGIN", NULL, err) != RV_OK)
		return err->status;
	enum rv_status status = try_group(l, members, count, ret_again, ret_read, err);

	if (status == RV_OK && !*ret_again)
		status = write_ledger(l, members, count, false, err);
	if (status == RV_OK && !*ret_again)
		status = write_ledger(l, members, count, true, err);
	if (status == RV_OK && !*ret_again)
		status = write_stamps(l, members, count, err);
	if (status == RV_OK && !*ret_again)
		status = duck_commit(l->d, err);
	if (status != RV_OK || *ret_again)
		duck_rollback(l->d);
	return status;
}

static enum rv_status load_group(struct loading *l, struct member *members, size_t count,
				 struct rv_error *err);

/* The store broke off at members[at], which is out. What it gave before is loaded now and not asked for
 * again together with what comes behind: over a bad line no object is read more than twice. */
static enum rv_status load_around(struct loading *l, struct member *members, size_t at, size_t count,
				  struct rv_error *err)
{
	bool any = false;

	for (size_t i = 0; i < at; i++)
		any = any || !members[i].out;
	l->unreadable = any ? 1 : l->unreadable + 1;
	if (l->unreadable >= UNREADABLE_MAX) {
		*err = l->trouble;
		return rv_context(err, "%u objects in a row could not be read", l->unreadable);
	}
	if (any && load_group(l, members, at, err) != RV_OK)
		return err->status;
	return load_group(l, members + (any ? at : 0), count - (any ? at : 0), err);
}

static enum rv_status load_group(struct loading *l, struct member *members, size_t count,
				 struct rv_error *err)
{
	for (bool again = true; again;) {
		uint64_t rows = l->rows, bytes = l->bytes;
		size_t read = count;
		enum rv_status status = one_transaction(l, members, count, &again, &read, err);

		if (status == RV_OK && read < count)
			return load_around(l, members, read, count, err);
		if (status == RV_OK)
			continue;
		if (!is_out_of_memory(err))
			return status;
		l->rows = rows;
		l->bytes = bytes;
		if (count > 1) {
			if (load_group(l, members, count / 2, err) != RV_OK)
				return err->status;
			return load_group(l, members + count / 2, count - count / 2, err);
		}
		if (!give_memory(l)) {
			rv_hint(err, "set warehouse.memory_limit higher, or use a machine with more memory");
			return status;
		}
		again = true;
	}
	for (size_t i = 0; i < count; i++) {
		rv_stamp_set_release(&members[i].stamps);
		if (members[i].out)
			continue;
		l->unreadable = 0;
		members[i].item->state = members[i].item->rejected ? RV_LOAD_PARTIAL
								   : RV_LOAD_LOADED;
		members[i].item->loaded_ms = l->loaded_us / 1000;
	}
	return RV_OK;
}

/* ---- which objects ---- */

/* Decides what the ledger alone can tell; false when the item has its state. */
static bool wants_loading(const struct loading *l, struct ledger *ledger, struct member *m)
{
	struct rv_load *item = m->item;
	const struct known *known = find_object(ledger, item->object);

	if (known) {
		item->state = RV_LOAD_KNOWN;
		item->rows = known->rows;
		item->rejected = known->rejected;
		item->set_hash = known->set_hash;
		item->loaded_ms = known->loaded_ms;
		return false;
	}
	m->foreign = !rv_object_name_parse(item->object, &m->name) ||
		     strcmp(m->name.business, l->stream->business) != 0 ||
		     strcmp(m->name.stream, l->stream->name) != 0;
	struct rv_firehose_name firehose;

	m->firehose = m->foreign && rv_firehose_name_parse(item->object, l->stream, &firehose);
	m->stamped = m->firehose || (!m->foreign && l->stream->stamp != RV_STAMP_NONE);
	known = m->foreign ? NULL : find_run(ledger, m->name.run, m->name.seq);
	if (known) {
		fail_item(item, "%s holds the same run and sequence number", known->object);
		m->out = true;
		return true;
	}
	struct known entry = { .object = rv_strdup(item->object), .seq = m->name.seq };

	if (!m->foreign)
		memcpy(entry.run, m->name.run, sizeof(entry.run));
	ledger_add(ledger, &entry); /* the same name or run again within these items */
	return true;
}

/* Whether raw has as many rows as the ledger says, which DuckDB knows without reading them. */
static enum rv_status check_rows(struct loading *l, const struct ledger *ledger, bool *ret_agree,
				 struct rv_error *err)
{
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf sql = RV_STRBUF_INIT;
	uint64_t rows = 0;

	rv_strbuf_puts(&sql, "SELECT count(*) FROM ");
	duck_table(&sql, l->stream, "");
	if (duck_number(l->d, sql.bytes, &rows, err) != RV_OK)
		return err->status;
	*ret_agree = rows == ledger->rows;
	return RV_OK;
}

/* After somebody wrote into the ledger or raw: an object of which raw has rows is not loaded twice. */
static enum rv_status refuse_present(struct loading *l, struct member *members, size_t count,
				     struct rv_error *err)
{
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf sql = RV_STRBUF_INIT;
	RV_CLEANUP(duck_cursor_close) struct duck_cursor cursor = { 0 };
	size_t n = 0;

	rv_strbuf_puts(&sql, "SELECT name, i FROM (VALUES ");
	for (size_t i = 0; i < count; i++) {
		if (members[i].out)
			continue;
		rv_strbuf_puts(&sql, n++ ? ", (" : "(");
		duck_literal(&sql, members[i].item->object);
		rv_strbuf_printf(&sql, ", %zu::UBIGINT)", i);
	}
	if (!n)
		return RV_OK;
	rv_strbuf_puts(&sql, ") AS items(name, i) WHERE name IN (SELECT file_name FROM ");
	duck_table(&sql, l->stream, "");
	rv_strbuf_putc(&sql, ')');
	if (duck_select(l->d, &cursor, sql.bytes, err) != RV_OK)
		return err->status;
	while (duck_next(&cursor)) {
		struct member *m = &members[duck_u64(&cursor, 1)];

		m->out = true;
		fail_item(m->item, "the table has rows of it and the ledger does not know it; 'river"
			  " snowpipe notify %s/%s --rebuild' makes both again",
			  l->stream->business, l->stream->name);
	}
	return RV_OK;
}

static enum rv_status load_entered(struct loading *l, struct rv_load *items, size_t count,
				   struct rv_error *err)
{
	RV_CLEANUP(ledger_release) struct ledger ledger = { 0 };
	RV_CLEANUP(rv_free_p) struct member *members = rv_calloc(count, sizeof(*members));
	size_t n = 0;
	bool agree = true;

	if (duck_run(l->d, "SET preserve_insertion_order = false", NULL, err) != RV_OK ||
	    duck_feed_register(l->d, err) != RV_OK ||
	    read_ledger(l->d, l->stream, &ledger, err) != RV_OK ||
	    check_rows(l, &ledger, &agree, err) != RV_OK)
		return err->status;
	if (duck_has_layers(l->stream) && duck_cut_register(l->d, l->stream, err) != RV_OK)
		return err->status;
	l->loaded_us = ledger.newest_us;
	for (size_t i = 0; i < count; i++) {
		members[n] = (struct member){ .item = &items[i] };
		if (wants_loading(l, &ledger, &members[n]))
			n++;
	}
	for (size_t from = 0; from < n && !l->stop && !duck_stopped(l->d);) {
		uint64_t bytes = 0;
		size_t to = from;

		while (to < n && to - from < GROUP_OBJECTS && bytes < GROUP_BYTES)
			bytes += members[to++].item->bytes;
		if (!agree && refuse_present(l, members + from, to - from, err) != RV_OK)
			return err->status;
		if (load_group(l, members + from, to - from, err) != RV_OK)
			return err->status;
		tell_progress(l, NULL);
		from = to;
	}
	return RV_OK;
}

enum rv_status duck_load(struct rv_warehouse *w, const struct rv_stream *stream,
			 struct rv_load *items, size_t count, const struct rv_load_params *params,
			 struct rv_error *err)
{
	struct rv_duckdb *d = (struct rv_duckdb *)w;
	struct loading l = { .d = d, .stream = stream };

	if (params) {
		l.progress = params->progress;
		l.arg = params->arg;
	}
	if (duck_enter(d, true, err) != RV_OK)
		return err->status;
	enum rv_status status = duck_refresh(d, &l.stream, err);

	if (status == RV_OK)
		status = duck_plan(w, l.stream, true, NULL, NULL, err);

	if (status == RV_OK)
		status = load_entered(&l, items, count, err);
	duck_leave(d);
	if (status != RV_OK)
		rv_context(err, "load %s/%s", stream->business, stream->name);
	return status;
}

/* ---- river_hash(record) ---- */

static void hash_rows(duck_function_info info, duck_chunk input, duck_vector output)
{
	const struct rv_duckdb_api *api = rv_duckdb_loaded();
	const bool *cut = api->scalar_function_get_extra_info(info);
	duck_idx n = api->data_chunk_get_size(input);
	const union duck_string *records =
		api->vector_get_data(api->data_chunk_get_vector(input, 0));
	uint64_t *hashes = api->vector_get_data(output);

	for (duck_idx i = 0; i < n; i++) {
		const char *p = duck_string_bytes(&records[i]);
		size_t len = records[i].near.len, keep;
		struct rv_stamp_id stamp;

		hashes[i] = *cut && rv_stamp_cut(p, len, &keep, &stamp)
				    ? rv_record_hash_cut(p, keep)
				    : rv_record_hash(p, len);
	}
}

static bool register_hash(struct rv_duckdb *d, const char *name, bool *cut)
{
	const struct rv_duckdb_api *api = d->api;
	duck_scalar_function function = api->create_scalar_function();
	duck_type text = api->create_logical_type(DUCK_VARCHAR);
	duck_type number = api->create_logical_type(DUCK_UBIGINT);

	api->scalar_function_set_name(function, name);
	api->scalar_function_add_parameter(function, text);
	api->scalar_function_set_return_type(function, number);
	api->scalar_function_set_extra_info(function, cut, NULL);
	api->scalar_function_set_function(function, hash_rows);
	bool failed = api->register_scalar_function(d->connection, function) != 0;

	api->destroy_scalar_function(&function);
	api->destroy_logical_type(&text);
	api->destroy_logical_type(&number);
	return !failed;
}

enum rv_status duck_register_hash(struct rv_duckdb *d, struct rv_error *err)
{
	static bool whole = false, cut = true;

	if (d->has_hash)
		return RV_OK;
	if (!register_hash(d, "river_hash", &whole) || !register_hash(d, "river_hash_cut", &cut))
		return rv_fail(err, RV_FAILED, "DuckDB takes no function");
	d->has_hash = true;
	return RV_OK;
}
