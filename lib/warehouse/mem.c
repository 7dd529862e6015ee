/* The warehouse's twin for tests: the ledger and the counts behave like the real one's, and any
 * operation can be made to fail. */
#include "warehouse/mem.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/memory.h"
#include "flow/object_name.h"
#include "format/json_scan.h"
#include "format/record_hash.h"
#include "format/stamp.h"
#include "format/unpack.h"

#define OBJECT_MAX (1u << 30)

struct entry {
	char stream[RV_STREAM_TEXT];
	struct rv_load load;         /* the ledger's row */
	uint64_t rows, set_hash, whole_hash; /* what is in raw */
	struct rv_stamp_set stamps;
};
struct mem {
	struct rv_warehouse base;
	struct rv_store *store;
	struct entry *entries;       /* in order of object names */
	size_t count, capacity;
	uint64_t operations, fail_at;
	bool fail_forever;
	enum rv_status fail_status;
};

static enum rv_status step(struct mem *m, struct rv_error *err)
{
	uint64_t n = ++m->operations;

	if (m->fail_at && (n == m->fail_at || (m->fail_forever && n > m->fail_at)))
		return rv_fail(err, m->fail_status, "injected fault at operation %llu",
			       (unsigned long long)n);
	return RV_OK;
}

static enum rv_status mem_begin(struct rv_warehouse *w, bool writing, struct rv_error *err)
{
	(void)writing;
	return step((struct mem *)w, err);
}

static void mem_end(struct rv_warehouse *w)
{
	(void)w;
}

static enum rv_status mem_plan(struct rv_warehouse *w, const struct rv_stream *stream, bool apply,
			       void (*each)(void *arg, const char *statement), void *arg,
			       struct rv_error *err)
{
	(void)stream, (void)apply, (void)each, (void)arg;
	return step((struct mem *)w, err);
}

/* Where the object is, or would go. */
static size_t find(const struct mem *m, const char *object, bool *ret_there)
{
	size_t i = 0;

	while (i < m->count && strcmp(m->entries[i].load.object, object) < 0)
		i++;
	*ret_there = i < m->count && strcmp(m->entries[i].load.object, object) == 0;
	return i;
}

static enum rv_status unpacked(struct mem *m, const char *object, struct rv_strbuf *ret,
			       struct rv_error *err)
{
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf packed = RV_STRBUF_INIT;
	enum rv_packing packing = rv_ends_with(object, ".zst")	? RV_PACKING_ZSTD
				  : rv_ends_with(object, ".gz") ? RV_PACKING_GZIP
								: RV_PACKING_NONE;
	RV_CLEANUP(rv_unpack_free_p) struct rv_unpack *unpack = rv_unpack_new(packing);
	char etag[RV_ETAG_TEXT];

	if (m->store->ops->get(m->store, object, OBJECT_MAX, &packed, etag, err) != RV_OK)
		return err->status;
	struct rv_str input = { packed.bytes, packed.len };

	for (;;) {
		char piece[65536];
		size_t n = 0;

		if (rv_unpack_step(unpack, &input, piece, sizeof(piece), &n, err) != RV_OK)
			return err->status;
		rv_strbuf_add(ret, piece, n);
		if (n < sizeof(piece) && !input.len)
			return rv_unpack_end(unpack, err);
	}
}

static void add_record(struct entry *entry, bool stamped, const char *p, size_t len)
{
	struct rv_stamp_id stamp;
	size_t keep;

	entry->rows++;
	entry->whole_hash += rv_record_hash(p, len);
	if (!rv_stamp_cut(p, len, &keep, &stamp)) {
		entry->set_hash += rv_record_hash(p, len);
		return;
	}
	entry->set_hash += rv_record_hash_cut(p, keep);
	if (stamped)
		rv_stamp_set_add(&entry->stamps, stamp.run, stamp.seq, stamp.n, stamp.n);
}

/* Of Firehose's objects; returns how many lines are no records. */
static uint64_t add_joined(struct entry *entry, const char *p, size_t len)
{
	struct rv_json_scan scan;

	for (;; p += scan.end, len -= scan.end) {
		while (len && (*p == ' ' || *p == '\t' || *p == '\r')) {
			p++;
			len--;
		}
		if (!len)
			return 0;
		if (rv_json_scan_object(p, len, 0, RV_JSON_LINE_MODE, &scan) != RV_JSON_OK)
			return 1;
		add_record(entry, true, p, scan.end);
	}
}

static void fill_entry(struct entry *entry, const struct rv_stream *stream, struct rv_str text)
{
	struct rv_firehose_name firehose;
	bool joined = rv_firehose_name_parse(entry->load.object, stream, &firehose);

	for (const char *p = text.p, *end = p + text.len; p < end;) {
		const char *newline = memchr(p, '\n', (size_t)(end - p));
		size_t len = newline ? (size_t)(newline - p) : (size_t)(end - p);

		if (joined)
			entry->load.rejected += add_joined(entry, p, len);
		else
			add_record(entry, stream->stamp != RV_STAMP_NONE, p, len);
		p += len + 1;
	}
	rv_stamp_set_settle(&entry->stamps);
}

static void take_out(struct mem *m, size_t at)
{
	rv_load_release(&m->entries[at].load);
	rv_stamp_set_release(&m->entries[at].stamps);
	m->count--;
	memmove(m->entries + at, m->entries + at + 1, (m->count - at) * sizeof(*m->entries));
}

static void put_in(struct mem *m, size_t at, const struct rv_stream *stream, struct entry *entry)
{
	RV_GROW(m->entries, m->count, m->capacity);
	memmove(m->entries + at + 1, m->entries + at, (m->count - at) * sizeof(*m->entries));
	m->count++;
	entry->load.object = rv_strdup(entry->load.object);
	entry->load.message = NULL;
	rv_stream_text(stream, entry->stream);
	m->entries[at] = *entry;
}

/* `wait` is for a remote one, which else only queues. */
static enum rv_status load_one(struct mem *m, const struct rv_stream *stream, struct rv_load *item,
			       bool wait, struct rv_error *err)
{
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf text = RV_STRBUF_INIT;
	struct rv_object_name name;
	bool there = false;
	size_t at = find(m, item->object, &there);

	if (step(m, err) != RV_OK)
		return err->status;
	if (there && m->entries[at].load.state == RV_LOAD_QUEUED) {
		if (!wait) {
			item->state = RV_LOAD_QUEUED;
			return RV_OK;
		}
		take_out(m, at);
		there = false;
	}
	if (there) {
		char *object = item->object;

		free(item->message);
		*item = m->entries[at].load;
		item->object = object;
		item->message = NULL;
		item->state = RV_LOAD_KNOWN;
		return RV_OK;
	}
	if (m->base.ops->remote && !wait) {
		item->state = RV_LOAD_QUEUED;
		item->submitted_ms = rv_clock_ms();
		struct entry queued = { .load = *item };

		put_in(m, at, stream, &queued);
		return RV_OK;
	}
	if (unpacked(m, item->object, &text, err) != RV_OK) {
		item->state = RV_LOAD_FAILED;
		rv_load_say(item, "%s", err->message);
		return RV_OK;
	}
	struct entry entry = { .load = *item };

	fill_entry(&entry, stream, (struct rv_str){ text.bytes, text.len });
	bool own = rv_object_name_parse(item->object, &name);
	bool whole = own && name.set_hash != entry.set_hash;

	if (own && (name.records != entry.rows ||
		    name.set_hash != (whole ? entry.whole_hash : entry.set_hash))) {
		rv_stamp_set_release(&entry.stamps);
		item->state = RV_LOAD_FAILED;
		rv_load_say(item, "object does not hold what its name says");
		return RV_OK;
	}
	item->rows = entry.rows;
	item->rejected = entry.load.rejected;
	item->set_hash = whole ? entry.whole_hash : entry.set_hash;
	item->state = item->rejected ? RV_LOAD_PARTIAL : RV_LOAD_LOADED;
	item->loaded_ms = rv_clock_ms();
	if (m->base.ops->remote)
		item->set_hash = 0;
	entry.load = *item;
	put_in(m, at, stream, &entry);
	return RV_OK;
}

static enum rv_status mem_load(struct rv_warehouse *w, const struct rv_stream *stream,
			       struct rv_load *items, size_t count,
			       const struct rv_load_params *params, struct rv_error *err)
{
	uint64_t rows = 0, bytes = 0;

	for (size_t i = 0; i < count; i++) {
		if (load_one((struct mem *)w, stream, &items[i], params && params->wait, err) != RV_OK)
			return err->status;
		rows += items[i].rows;
		bytes += items[i].bytes;
		if (params && params->progress && !params->progress(params->arg, rows, bytes))
			break;
	}
	return RV_OK;
}

static int compare_streams(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static enum rv_status mem_streams(struct rv_warehouse *w,
				  enum rv_status (*each)(void *arg, const char *name,
							 struct rv_error *err),
				  void *arg, struct rv_error *err)
{
	struct mem *m = (struct mem *)w;
	RV_CLEANUP(rv_free_p) char **names = rv_calloc(m->count + 1, sizeof(*names));

	if (step(m, err) != RV_OK)
		return err->status;
	for (size_t i = 0; i < m->count; i++)
		names[i] = m->entries[i].stream;
	qsort(names, m->count, sizeof(*names), compare_streams);
	for (size_t i = 0; i < m->count; i++)
		if ((!i || strcmp(names[i - 1], names[i]) != 0) &&
		    each(arg, names[i], err) != RV_OK)
			return err->status;
	return RV_OK;
}

/* `ledger` gives the ledger's rows, else what raw holds. */
static enum rv_status each_entry(struct mem *m, const struct rv_stream *stream, bool ledger,
				 enum rv_status (*each)(void *arg, const struct rv_load *,
							struct rv_error *err),
				 void *arg, struct rv_error *err)
{
	char text[RV_STREAM_TEXT];

	if (step(m, err) != RV_OK)
		return err->status;
	rv_stream_text(stream, text);
	for (size_t i = 0; i < m->count; i++) {
		struct rv_load load = m->entries[i].load;

		if (strcmp(m->entries[i].stream, text) != 0)
			continue;
		if (load.state != RV_LOAD_QUEUED)
			load.state = RV_LOAD_KNOWN;
		if (!ledger) {
			load.rows = m->entries[i].rows;
			load.set_hash = m->entries[i].set_hash;
			load.whole_hash = m->entries[i].whole_hash;
			if (!load.rows)
				continue;
		}
		if (each(arg, &load, err) != RV_OK)
			return err->status;
	}
	return RV_OK;
}

static enum rv_status mem_history(struct rv_warehouse *w, const struct rv_stream *stream,
				  enum rv_status (*each)(void *arg, const struct rv_load *,
							 struct rv_error *err),
				  void *arg, struct rv_error *err)
{
	return each_entry((struct mem *)w, stream, true, each, arg, err);
}

struct naming {
	enum rv_status (*each)(void *arg, const char *object, enum rv_load_state state,
			       struct rv_error *err);
	void *arg;
};

static enum rv_status name_of(void *arg, const struct rv_load *load, struct rv_error *err)
{
	const struct naming *naming = arg;

	return naming->each(naming->arg, load->object, load->state, err);
}

static enum rv_status mem_loaded(struct rv_warehouse *w, const struct rv_stream *stream,
				 enum rv_status (*each)(void *arg, const char *object,
							enum rv_load_state state,
							struct rv_error *err),
				 void *arg, struct rv_error *err)
{
	struct naming naming = { each, arg };

	return each_entry((struct mem *)w, stream, true, name_of, &naming, err);
}

static enum rv_status mem_present(struct rv_warehouse *w, const struct rv_stream *stream, bool hash,
				  enum rv_status (*each)(void *arg, const struct rv_load *,
							 struct rv_error *err),
				  void *arg, struct rv_error *err)
{
	(void)hash;
	return each_entry((struct mem *)w, stream, false, each, arg, err);
}

static enum rv_status mem_stamps(struct rv_warehouse *w, const struct rv_stream *stream,
				 enum rv_status (*each)(void *arg, const struct rv_loaded_stamps *,
							struct rv_error *err),
				 void *arg, struct rv_error *err)
{
	struct mem *m = (struct mem *)w;
	char text[RV_STREAM_TEXT];

	if (step(m, err) != RV_OK)
		return err->status;
	rv_stream_text(stream, text);
	for (size_t i = 0; i < m->count; i++) {
		const struct entry *entry = &m->entries[i];

		for (size_t r = 0; strcmp(entry->stream, text) == 0 && r < entry->stamps.count; r++) {
			const struct rv_stamp_run *run = &entry->stamps.runs[r];

			for (size_t k = 0; k < run->count; k++) {
				struct rv_loaded_stamps stamps = { entry->load.object, run->name,
								   run->ranges[k] };

				if (each(arg, &stamps, err) != RV_OK)
					return err->status;
			}
		}
	}
	return RV_OK;
}

static enum rv_status add_rows(void *arg, const struct rv_load *load, struct rv_error *err)
{
	(void)err;
	*(uint64_t *)arg += load->rows;
	return RV_OK;
}

static enum rv_status mem_count(struct rv_warehouse *w, const struct rv_stream *stream,
				struct rv_warehouse_counts *ret, struct rv_error *err)
{
	struct rv_warehouse_counts counts = { 0 };

	if (each_entry((struct mem *)w, stream, false, add_rows, &counts.raw, err) != RV_OK)
		return err->status;
	*ret = counts;
	return RV_OK;
}

static enum rv_status mem_drop(struct rv_warehouse *w, const struct rv_stream *stream,
			       struct rv_error *err)
{
	struct mem *m = (struct mem *)w;
	char text[RV_STREAM_TEXT];
	size_t kept = 0;

	if (step(m, err) != RV_OK)
		return err->status;
	rv_stream_text(stream, text);
	for (size_t i = 0; i < m->count; i++) {
		if (strcmp(m->entries[i].stream, text) != 0) {
			m->entries[kept++] = m->entries[i];
			continue;
		}
		rv_load_release(&m->entries[i].load);
		rv_stamp_set_release(&m->entries[i].stamps);
	}
	m->count = kept;
	return RV_OK;
}

static enum rv_status mem_query(struct rv_warehouse *w, const char *sql, bool writable,
				enum rv_status (*sink)(void *arg, const struct rv_rows *,
						       struct rv_error *err),
				void *arg, struct rv_error *err)
{
	(void)w, (void)sql, (void)writable, (void)sink, (void)arg;
	return rv_fail(err, RV_USAGE, "the warehouse in memory knows no SQL");
}

static void mem_free(struct rv_warehouse *w)
{
	struct mem *m = (struct mem *)w;

	for (size_t i = 0; i < m->count; i++) {
		rv_load_release(&m->entries[i].load);
		rv_stamp_set_release(&m->entries[i].stamps);
	}
	free(m->entries);
	free(m);
}

static const struct rv_warehouse_ops mem_ops = {
	.name = "mem",
	.begin = mem_begin,
	.end = mem_end,
	.plan = mem_plan,
	.stamps = mem_stamps,
	.load = mem_load,
	.streams = mem_streams,
	.history = mem_history,
	.loaded = mem_loaded,
	.count = mem_count,
	.present = mem_present,
	.drop = mem_drop,
	.query = mem_query,
	.free = mem_free,
};

struct rv_warehouse *rv_warehouse_mem_new(struct rv_store *store)
{
	struct mem *m = rv_calloc(1, sizeof(*m));

	m->base.ops = &mem_ops;
	m->store = store;
	return &m->base;
}

void rv_warehouse_mem_remote(struct rv_warehouse *warehouse)
{
	static struct rv_warehouse_ops remote_ops;

	remote_ops = mem_ops;
	remote_ops.remote = true;
	warehouse->ops = &remote_ops;
}

void rv_warehouse_mem_fail(struct rv_warehouse *warehouse, uint64_t fail_at, bool forever,
			   enum rv_status fail_status)
{
	struct mem *m = (struct mem *)warehouse;

	m->operations = 0;
	m->fail_at = fail_at;
	m->fail_forever = forever;
	m->fail_status = fail_status;
}

void rv_warehouse_mem_lose_row(struct rv_warehouse *warehouse, const char *object, uint64_t hash)
{
	struct mem *m = (struct mem *)warehouse;
	bool there = false;
	size_t at = find(m, object, &there);

	if (!there || !m->entries[at].rows)
		rv_bug("%s has no row to lose", object);
	m->entries[at].rows--;
	m->entries[at].set_hash -= hash;
	m->entries[at].whole_hash -= hash;
}
