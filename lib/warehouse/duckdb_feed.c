/*
 * How rows get from lake objects into DuckDB: a table function fed by one reading thread.
 *
 * Why not the appender: it copies each chunk into a buffer of its own before the table sees it and
 * runs on one thread. Why not DuckDB's read_ndjson_objects: it parses every record as JSON, which
 * push has done already, and knows no set hash.
 */
#include "warehouse/duckdb_feed.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/memory.h"
#include "format/json_scan.h"
#include "format/record_hash.h"
#include "format/stamp.h"
#include "format/unpack.h"

#define BLOCK_BYTES (1u << 20)
/* --max-record goes up to 128 MiB; a line longer than this is no record of river's. */
#define LINE_BYTES_MAX (129u << 20)
#define QUEUE_MAX 6
/* Rows of a row group in DuckDB's tables, unless told otherwise (DuckDB, "Performance Guide"). */
#define ROW_GROUP 122880
/* Text in one chunk of rows: DuckDB copies chunks, and the memory they take is not what it counts. */
#define CHUNK_BYTES (4u << 20)

struct block {
	struct block *next;
	size_t object;
	char *p;
	size_t len, capacity;
	size_t at;               /* lines before it have been taken */
	uint64_t first_row;      /* of the line there */
};

struct duck_feed {
	struct rv_duckdb *d;
	struct duck_feed_object *objects;
	size_t objects_count;
	pthread_t reader;
	pthread_mutex_t mutex;
	pthread_cond_t filled, emptied;
	struct block *first, *last, *spare; /* queue; blocks to use again */
	size_t queued;
	bool ended;      /* nothing more will be queued */
	bool broken;     /* an object could not be read */
	bool cancelled;
	uint64_t rows, bytes;
	/* Rows are promised to DuckDB's threads by the row group: see promise_rows(). */
	bool promising;
	uint64_t unpromised;
	size_t holders;          /* threads with a promise */
};

/* The feed river_feed() reads from: one warehouse has one at a time, so it hangs on the struct
 * that was registered as the function's extra info. */
struct feed_slot {
	uint64_t threads;
	struct duck_feed *feed;
};

/* ---- blocks ---- */

static struct block *block_new(void)
{
	struct block *block = rv_calloc(1, sizeof(*block));

	block->capacity = BLOCK_BYTES;
	block->p = rv_malloc(block->capacity);
	return block;
}

static void block_free(struct block *block)
{
	if (block)
		free(block->p);
	free(block);
}

static void block_free_p(struct block **block)
{
	block_free(*block);
}

static void blocks_free(struct block *block)
{
	while (block) {
		struct block *next = block->next;

		block_free(block);
		block = next;
	}
}

static struct block *take_spare(struct duck_feed *feed)
{
	pthread_mutex_lock(&feed->mutex);
	struct block *block = feed->spare;

	if (block)
		feed->spare = block->next;
	pthread_mutex_unlock(&feed->mutex);
	if (!block)
		return block_new();
	block->next = NULL;
	block->len = block->at = 0;
	return block;
}

/* Takes the block; false when nobody wants it any more. */
static bool queue_block(struct duck_feed *feed, struct block *block)
{
	pthread_mutex_lock(&feed->mutex);
	while (feed->queued >= QUEUE_MAX && !feed->cancelled)
		pthread_cond_wait(&feed->emptied, &feed->mutex);
	bool wanted = !feed->cancelled;

	if (wanted) {
		if (feed->last)
			feed->last->next = block;
		else
			feed->first = block;
		feed->last = block;
		feed->queued++;
		pthread_cond_signal(&feed->filled);
	}
	pthread_mutex_unlock(&feed->mutex);
	if (!wanted)
		block_free(block);
	return wanted;
}

/* ---- the reading thread ---- */

/* Newlines, sixteen bytes at a time: a byte compared equal is -1 in each lane. */
static uint64_t count_newlines(const char *p, size_t len)
{
	typedef uint8_t lanes __attribute__((vector_size(16)));
	const lanes newline = { 10, 10, 10, 10, 10, 10, 10, 10, 10, 10, 10, 10, 10, 10, 10, 10 };
	uint64_t n = 0;

	while (len >= 16) {
		lanes sums = { 0 };
		size_t steps = len / 16 < 255 ? len / 16 : 255;

		for (size_t i = 0; i < steps; i++) {
			lanes bytes;

			memcpy(&bytes, p + i * 16, 16);
			sums -= (lanes)(bytes == newline);
		}
		for (unsigned i = 0; i < 16; i++)
			n += sums[i];
		p += steps * 16;
		len -= steps * 16;
	}
	for (size_t i = 0; i < len; i++)
		n += p[i] == '\n';
	return n;
}

struct reading {
	struct duck_feed *feed;
	size_t object;
	struct rv_unpack *unpack;
	struct block *block;
	uint64_t row;            /* of the block's first line */
};

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r';
}

static size_t skip_blanks(const char *p, size_t len)
{
	size_t n = 0;

	while (n < len && is_blank(p[n]))
		n++;
	return n;
}

/* What take_foreign() will make of this line of joined records. */
static uint64_t rows_of_line(const char *p, size_t len)
{
	uint64_t rows = 0;

	for (size_t at = skip_blanks(p, len); at < len; at += skip_blanks(p + at, len - at)) {
		struct rv_json_scan scan;

		rows++;
		if (rv_json_scan_object(p + at, len - at, 0, RV_JSON_LINE_MODE, &scan) != RV_JSON_OK)
			break;
		at += scan.end;
	}
	return rows ? rows : 1;
}

/* Rows beyond one a line: Firehose puts records behind each other as they are, {}{}, when nobody ended
 * them with a newline. Only lines in which a brace follows a closing one are looked at closer. */
static uint64_t count_further_rows(const char *p, size_t len)
{
	const char *end = p + len, *line = p;
	uint64_t rows = 0;

	for (const char *at = p; (at = memchr(at, '{', (size_t)(end - at))); at++) {
		const char *before = at;

		while (before > line && is_blank(before[-1]))
			before--;
		if (before == line || before[-1] != '}')
			continue;
		const char *newline = memrchr(line, '\n', (size_t)(at - line));

		line = newline ? newline + 1 : line;
		newline = memchr(at, '\n', (size_t)(end - at));
		size_t line_len = (size_t)((newline ? newline : end) - line);

		rows += rows_of_line(line, line_len) - 1;
		at = line + line_len;
		line = newline ? newline + 1 : end;
		if (at == end)
			break;
	}
	return rows;
}

/* Queues the whole lines of the block and goes on with the rest of it in another one. */
static enum rv_status cut_block(struct reading *r, bool last, struct rv_error *err)
{
	struct block *block = r->block;
	char *end = memrchr(block->p, '\n', block->len);
	size_t whole = last ? block->len : end ? (size_t)(end + 1 - block->p) : 0;

	if (whole == 0 && !last) {
		if (block->capacity >= LINE_BYTES_MAX)
			return rv_fail(err, RV_BAD_DATA, "line %llu is longer than %u bytes",
				       (unsigned long long)r->row, LINE_BYTES_MAX);
		block->capacity *= 2;
		block->p = rv_realloc(block->p, block->capacity);
		return RV_OK;
	}
	uint64_t rows = count_newlines(block->p, whole);

	if (whole && block->p[whole - 1] != '\n')
		rows++;
	if (r->feed->objects[r->object].joined)
		rows += count_further_rows(block->p, whole);
	struct block *rest = take_spare(r->feed);

	if (rest->capacity < block->capacity && block->len - whole >= rest->capacity) {
		rest->capacity = block->capacity;
		rest->p = rv_realloc(rest->p, rest->capacity);
	}
	rest->len = block->len - whole;
	memcpy(rest->p, block->p + whole, rest->len);
	block->len = whole;
	block->object = r->object;
	block->first_row = r->row;
	r->row += rows;
	r->block = rest;
	if (!queue_block(r->feed, block))
		return rv_fail(err, RV_FAILED, "cancelled");
	return RV_OK;
}

static enum rv_status read_piece(void *arg, const void *p, size_t len, struct rv_error *err)
{
	struct reading *r = arg;
	struct rv_str input = { p, len };

	r->feed->objects[r->object].bytes += len;
	__atomic_fetch_add(&r->feed->bytes, len, __ATOMIC_RELAXED);
	for (;;) {
		struct block *block = r->block;
		size_t n = 0;

		if (rv_unpack_step(r->unpack, &input, block->p + block->len,
				   block->capacity - block->len, &n, err) != RV_OK)
			return err->status;
		block->len += n;
		if (block->len < block->capacity)
			return RV_OK;
		if (cut_block(r, false, err) != RV_OK)
			return err->status;
	}
}

static enum rv_packing packing_of(const char *name)
{
	if (rv_ends_with(name, ".zst"))
		return RV_PACKING_ZSTD;
	if (rv_ends_with(name, ".gz"))
		return RV_PACKING_GZIP;
	return RV_PACKING_NONE;
}

static enum rv_status read_object(struct duck_feed *feed, size_t i, struct rv_error *err)
{
	struct rv_store *store = feed->d->store;
	const char *name = feed->objects[i].name;
	RV_CLEANUP(rv_unpack_free_p) struct rv_unpack *unpack = rv_unpack_new(packing_of(name));
	struct reading r = { .feed = feed, .object = i, .unpack = unpack, .row = 1,
			     .block = take_spare(feed) };
	enum rv_status status = store->ops->read(store, name, read_piece, &r, err);

	if (status == RV_OK)
		status = rv_unpack_end(unpack, err);
	if (status == RV_OK && r.block->len > 0)
		status = cut_block(&r, true, err);
	RV_CLEANUP(block_free_p) RV_UNUSED struct block *rest = r.block;
	return status;
}

static void *reader_main(void *arg)
{
	struct duck_feed *feed = arg;
	bool broken = false;

	for (size_t i = 0; i < feed->objects_count && !broken; i++) {
		struct rv_error err = RV_ERROR_INIT;

		if (read_object(feed, i, &err) != RV_OK) {
			pthread_mutex_lock(&feed->mutex);
			/* A cancelled feed says nothing about the object. */
			if (!feed->cancelled)
				feed->objects[i].error = err;
			pthread_mutex_unlock(&feed->mutex);
			broken = true;
		}
	}
	pthread_mutex_lock(&feed->mutex);
	feed->ended = true;
	feed->broken = broken;
	pthread_cond_broadcast(&feed->filled);
	pthread_mutex_unlock(&feed->mutex);
	return NULL;
}

/* ---- DuckDB's side ---- */

struct local {
	struct duck_feed *feed;
	struct block *block;
	size_t at;
	size_t line_end;         /* of the line that `at` is in, once looked for */
	uint64_t row;
	uint64_t promised;       /* rows still to be taken; UINT64_MAX: all there are */
	bool holds;
	/* Of this block, added to the object when the block is done. */
	uint64_t hash, whole_hash, rows, rejected, fault_line;
	struct rv_stamp_set stamps;
	char fault[96];
};

static void local_free(void *p)
{
	struct local *local = p;

	block_free(local->block);
	rv_stamp_set_release(&local->stamps);
	free(local);
}

static void feed_bind(duck_bind_info info)
{
	const struct rv_duckdb_api *api = rv_duckdb_loaded();
	duck_type text = api->create_logical_type(DUCK_VARCHAR);
	duck_type number = api->create_logical_type(DUCK_BIGINT);
	duck_type json = api->create_logical_type(DUCK_VARCHAR);

	/* JSON is text under another name; so nothing casts, nothing parses. */
	api->logical_type_set_alias(json, "JSON");
	api->bind_add_result_column(info, "record", json);
	api->bind_add_result_column(info, "file_name", text);
	api->bind_add_result_column(info, "file_row", number);
	api->destroy_logical_type(&json);
	api->destroy_logical_type(&text);
	api->destroy_logical_type(&number);
}

static void feed_init(duck_init_info info)
{
	const struct rv_duckdb_api *api = rv_duckdb_loaded();
	struct feed_slot *slot = api->init_get_extra_info(info);

	api->init_set_max_threads(info, slot->threads);
}

static void feed_local_init(duck_init_info info)
{
	const struct rv_duckdb_api *api = rv_duckdb_loaded();
	struct feed_slot *slot = api->init_get_extra_info(info);
	struct local *local = rv_calloc(1, sizeof(*local));

	local->feed = slot->feed;
	api->init_set_init_data(info, local, local_free);
}

/* Under the mutex: what was counted in the block goes to its object. */
static void add_counts(struct local *local)
{
	struct duck_feed *feed = local->feed;
	struct duck_feed_object *object = &feed->objects[local->block->object];

	object->set_hash += local->hash;
	object->whole_hash += local->whole_hash;
	if (object->stamps && local->stamps.count) {
		rv_stamp_set_add_all(object->stamps, &local->stamps);
		rv_stamp_set_release(&local->stamps);
	}
	object->rows += local->rows;
	object->rejected += local->rejected;
	feed->rows += local->rows;
	if (local->fault_line &&
	    (!object->fault_line || local->fault_line < object->fault_line)) {
		object->fault_line = local->fault_line;
		memcpy(object->fault, local->fault, sizeof(object->fault));
	}
	local->hash = local->whole_hash = local->rows = local->rejected = local->fault_line = 0;
}

static void block_done(struct local *local)
{
	struct duck_feed *feed = local->feed;
	struct block *block = local->block;

	pthread_mutex_lock(&feed->mutex);
	add_counts(local);
	if (block->capacity == BLOCK_BYTES) {
		block->next = feed->spare;
		feed->spare = block;
		block = NULL;
	}
	pthread_mutex_unlock(&feed->mutex);
	block_free(block);
	local->block = NULL;
}

/* ---- who takes which rows ---- */

/* NULL at the end, or when the feed is broken; a promise ends with it. */
static struct block *dequeue_block(struct local *local)
{
	struct duck_feed *feed = local->feed;

	pthread_mutex_lock(&feed->mutex);
	while (!feed->first && !feed->ended && !feed->cancelled)
		pthread_cond_wait(&feed->filled, &feed->mutex);
	struct block *block = feed->broken || feed->cancelled ? NULL : feed->first;

	if (block) {
		feed->first = block->next;
		if (!feed->first)
			feed->last = NULL;
		block->next = NULL;
		feed->queued--;
		pthread_cond_signal(&feed->emptied);
	} else if (local->holds) {
		local->holds = false;
		feed->holders--;
	}
	pthread_mutex_unlock(&feed->mutex);
	return block;
}

/* Under the mutex. */
static void give_back(struct local *local)
{
	struct duck_feed *feed = local->feed;
	struct block *block = local->block;

	if (!block)
		return;
	add_counts(local);
	block->at = local->at;
	block->first_row = local->row;
	block->next = feed->first;
	feed->first = block;
	if (!feed->last)
		feed->last = block;
	feed->queued++;
	local->block = NULL;
	pthread_cond_signal(&feed->filled);
}

/*
 * Each thread fills row groups of its own. Were rows taken as they come, every thread would end with
 * a group that is not full, and DuckDB joins such groups at the next checkpoint by writing them, and
 * the full ones between them, once more: up to half of a load. So threads are promised a whole group
 * each; the last promise is what is left, and who finds nothing left to be promised ends there, while
 * the others have promises to fill. That some row remains untaken cannot be: whoever is the last to
 * hold a promise goes on to the end, should an object hold more than its name says, and a thread that
 * ends gives its block back in the same breath in which it sees that another one will come for it.
 * False: this thread is done.
 */
static bool promise_rows(struct local *local)
{
	struct duck_feed *feed = local->feed;
	bool more = true;

	if (!feed->promising || local->promised)
		return true;
	pthread_mutex_lock(&feed->mutex);
	if (local->holds)
		feed->holders--;
	local->holds = false;
	if (feed->unpromised) {
		local->promised = feed->unpromised < ROW_GROUP ? feed->unpromised : ROW_GROUP;
		feed->unpromised -= local->promised;
	} else if (!feed->holders) {
		local->promised = UINT64_MAX;
	} else {
		give_back(local);
		more = false;
	}
	if (more) {
		local->holds = true;
		feed->holders++;
	}
	pthread_mutex_unlock(&feed->mutex);
	return more;
}

/* After `n` rows were taken. */
static void keep_promise(struct local *local, uint64_t n)
{
	if (!local->holds)
		local->promised = 0;
	else if (local->promised != UINT64_MAX)
		local->promised -= n;
}

/* ---- rows ---- */

static bool reject(struct local *local, const char *fault)
{
	local->rejected++;
	if (!local->fault_line) {
		local->fault_line = local->row;
		snprintf(local->fault, sizeof(local->fault), "%s", fault);
	}
	return false;
}

/* Push has validated what it names, but names can be forged: raw never holds what is no record. */
static bool accept_own(struct local *local, struct rv_str line)
{
	struct rv_json_scan scan;

	if (rv_json_scan_object(line.p, line.len, 0, RV_JSON_LINE_MODE, &scan) != RV_JSON_OK)
		return reject(local, rv_json_fault_text(scan.fault));
	return scan.end == line.len || reject(local, "something behind the record");
}

/* Takes a record off the front of `rest`, which is a line or, of joined records, what is left of one;
 * false when there is none. A fault costs what is left of the line. */
static bool take_foreign(struct local *local, struct rv_str rest, bool joined, struct rv_str *ret)
{
	struct rv_json_scan scan;
	size_t at = skip_blanks(rest.p, rest.len);

	local->at = local->line_end + 1;
	if (at == rest.len)
		return false;
	if (rv_json_scan_object(rest.p + at, rest.len - at, 0, RV_JSON_LINE_MODE, &scan) != RV_JSON_OK)
		return reject(local, rv_json_fault_text(scan.fault));
	*ret = (struct rv_str){ rest.p + at, scan.end };
	at += scan.end;
	at += skip_blanks(rest.p + at, rest.len - at);
	if (at < rest.len && !joined)
		return reject(local, "something behind the record");
	if (at < rest.len)
		local->at = local->line_end - (rest.len - at);
	return true;
}

/* The next record of the block; false when the line is none. */
static bool take_record(struct local *local, const struct duck_feed_object *object,
			struct rv_str *ret)
{
	const struct block *block = local->block;
	struct rv_str line = { block->p + local->at, 0 };

	/* A line without end, full of records, is searched for its end once. */
	if (local->line_end <= local->at) {
		const char *end = memchr(line.p, '\n', block->len - local->at);

		local->line_end = end ? (size_t)(end - block->p) : block->len;
	}
	line.len = local->line_end - local->at;
	if (object->foreign)
		return take_foreign(local, line, object->joined, ret);
	local->at = local->line_end + 1;
	*ret = line;
	return accept_own(local, line);
}

static void count_record(struct local *local, const struct duck_feed_object *object,
			 struct rv_str record)
{
	uint64_t hash = rv_record_hash(record.p, record.len);
	struct rv_stamp_id stamp;
	size_t keep;

	local->rows++;
	local->whole_hash += hash;
	if (!rv_stamp_cut(record.p, record.len, &keep, &stamp)) {
		local->hash += hash;
		return;
	}
	local->hash += rv_record_hash_cut(record.p, keep);
	if (object->stamps)
		rv_stamp_set_add(&local->stamps, stamp.run, stamp.seq, stamp.n, stamp.n);
}

static void feed_rows(duck_function_info info, duck_chunk output)
{
	const struct rv_duckdb_api *api = rv_duckdb_loaded();
	struct local *local = api->function_get_local_init_data(info);
	struct duck_feed *feed = local->feed;
	duck_vector records = api->data_chunk_get_vector(output, 0);
	duck_vector names = api->data_chunk_get_vector(output, 1);
	union duck_string *name = api->vector_get_data(names);
	int64_t *rows = api->vector_get_data(api->data_chunk_get_vector(output, 2));
	duck_idx n = 0, most = api->vector_size();
	size_t bytes = 0;
	duck_idx name_at = 0;    /* row of this chunk that holds the current object's name */
	bool named = false;

	if (!promise_rows(local))
		most = 0;
	else if (feed->promising && local->promised < most)
		most = local->promised;
	while (n < most && bytes < CHUNK_BYTES) {
		if (!local->block) {
			local->block = dequeue_block(local);
			if (!local->block)
				break;
			local->at = local->block->at;
			local->line_end = 0;
			local->row = local->block->first_row;
			named = false;
		}
		const struct block *block = local->block;
		const struct duck_feed_object *object = &feed->objects[block->object];

		while (n < most && bytes < CHUNK_BYTES && local->at < block->len) {
			struct rv_str line;

			if (take_record(local, object, &line)) {
				count_record(local, object, line);
				api->assign_checked_text(records, n, line.p, line.len);
				if (!named) {
					api->vector_assign_string_element_len(
						names, n, object->name, strlen(object->name));
					name_at = n;
					named = true;
				}
				/* Strings of a vector may share their bytes. */
				name[n] = name[name_at];
				rows[n] = (int64_t)local->row;
				bytes += line.len;
				n++;
			}
			local->row++;
		}
		if (local->at >= block->len)
			block_done(local);
	}
	if (most)
		keep_promise(local, n);
	pthread_mutex_lock(&feed->mutex);
	bool broken = feed->broken;

	pthread_mutex_unlock(&feed->mutex);
	if (broken)
		api->function_set_error(info, "an object could not be read");
	api->data_chunk_set_size(output, n);
}

enum rv_status duck_feed_register(struct rv_duckdb *d, struct rv_error *err)
{
	if (d->feed_slot)
		return RV_OK;
	const struct rv_duckdb_api *api = d->api;
	struct feed_slot *slot = rv_calloc(1, sizeof(*slot));
	long cores = sysconf(_SC_NPROCESSORS_ONLN);

	slot->threads = d->params.threads ? d->params.threads : cores > 0 ? (uint64_t)cores : 1;
	duck_table_function function = api->create_table_function();

	api->table_function_set_name(function, "river_feed");
	api->table_function_set_extra_info(function, slot, NULL);
	api->table_function_set_bind(function, feed_bind);
	api->table_function_set_init(function, feed_init);
	api->table_function_set_local_init(function, feed_local_init);
	api->table_function_set_function(function, feed_rows);
	bool failed = api->register_table_function(d->connection, function) != 0;

	api->destroy_table_function(&function);
	if (failed) {
		free(slot);
		return rv_fail(err, RV_FAILED, "DuckDB takes no table function");
	}
	d->feed_slot = slot;
	return RV_OK;
}

enum rv_status duck_feed_start(struct rv_duckdb *d, struct duck_feed_object *objects, size_t count,
			       struct duck_feed **ret, struct rv_error *err)
{
	struct duck_feed *feed = rv_calloc(1, sizeof(*feed));

	feed->d = d;
	feed->objects = objects;
	feed->objects_count = count;
	feed->promising = true;
	for (size_t i = 0; i < count; i++) {
		feed->unpromised += objects[i].expect_rows;
		/* How many rows that are is not known. */
		if (objects[i].foreign)
			feed->promising = false;
	}
	pthread_mutex_init(&feed->mutex, NULL);
	pthread_cond_init(&feed->filled, NULL);
	pthread_cond_init(&feed->emptied, NULL);
	((struct feed_slot *)d->feed_slot)->feed = feed;
	int code = pthread_create(&feed->reader, NULL, reader_main, feed);

	if (code != 0) {
		free(feed);
		return rv_fail(err, RV_LOCAL_IO, "start a thread: %s", strerror(code));
	}
	*ret = feed;
	return RV_OK;
}

void duck_feed_so_far(struct duck_feed *feed, uint64_t *ret_rows, uint64_t *ret_bytes)
{
	pthread_mutex_lock(&feed->mutex);
	*ret_rows = feed->rows;
	pthread_mutex_unlock(&feed->mutex);
	*ret_bytes = __atomic_load_n(&feed->bytes, __ATOMIC_RELAXED);
}

void duck_feed_finish(struct duck_feed *feed)
{
	if (!feed)
		return;
	pthread_mutex_lock(&feed->mutex);
	feed->cancelled = true;
	pthread_cond_broadcast(&feed->emptied);
	pthread_cond_broadcast(&feed->filled);
	pthread_mutex_unlock(&feed->mutex);
	pthread_join(feed->reader, NULL);
	blocks_free(feed->first);
	blocks_free(feed->spare);
	pthread_mutex_destroy(&feed->mutex);
	pthread_cond_destroy(&feed->filled);
	pthread_cond_destroy(&feed->emptied);
	((struct feed_slot *)feed->d->feed_slot)->feed = NULL;
	free(feed);
}

void duck_feed_finish_p(struct duck_feed **feed)
{
	duck_feed_finish(*feed);
}
