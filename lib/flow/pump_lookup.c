/* Keys and rows lie in one buffer each, found by their hashes; rows are only what makes them different. */
#include "flow/pump_lookup.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#define XXH_INLINE_ALL
#include <xxhash.h>

#include "base/memory.h"
#include "flow/input.h"
#include "format/reader.h"

/* In front of the bytes of each value of a row. */
struct head {
	uint32_t len;
	uint8_t type;
	bool escaped;
};
struct entry {
	uint64_t key, row;   /* where they begin */
	uint32_t key_len;
	uint32_t hash;
};
/* Open addressing; a number is 1 + an index. */
struct table {
	uint32_t *slots;
	size_t size;         /* a power of two */
};
struct rv_pump_lookup {
	size_t columns;
	struct rv_strbuf keys, rows;
	struct entry *entries;
	size_t count, capacity;
	struct table table;
	/* while reading: rows by their hashes */
	struct table seen;
	uint64_t *starts;
	uint32_t *hashes;
	size_t starts_count, starts_capacity;
};

void rv_pump_lookup_free(struct rv_pump_lookup *lookup)
{
	if (!lookup)
		return;
	rv_strbuf_release(&lookup->keys);
	rv_strbuf_release(&lookup->rows);
	free(lookup->entries);
	free(lookup->table.slots);
	free(lookup->seen.slots);
	free(lookup->starts);
	free(lookup->hashes);
	free(lookup);
}

uint64_t rv_pump_lookup_count(const struct rv_pump_lookup *lookup)
{
	return lookup->count;
}

static struct entry *find(const struct rv_pump_lookup *lookup, struct rv_str key, uint32_t hash)
{
	if (!lookup->table.size)
		return NULL;
	for (size_t i = hash & (lookup->table.size - 1); lookup->table.slots[i];
	     i = (i + 1) & (lookup->table.size - 1)) {
		struct entry *e = &lookup->entries[lookup->table.slots[i] - 1];

		if (e->hash == hash && e->key_len == key.len &&
		    (!key.len || memcmp(lookup->keys.bytes + e->key, key.p, key.len) == 0))
			return e;
	}
	return NULL;
}

static void put(struct table *table, uint32_t hash, size_t index)
{
	size_t i = hash & (table->size - 1);

	while (table->slots[i])
		i = (i + 1) & (table->size - 1);
	table->slots[i] = (uint32_t)index + 1;
}

/* Room for one more; false: it has grown and is empty. */
static bool has_room(struct table *table, size_t count)
{
	if (count * 2 < table->size)
		return true;
	free(table->slots);
	table->size = table->size ? table->size * 2 : 1024;
	table->slots = rv_calloc(table->size, sizeof(*table->slots));
	return false;
}

/* ---- rows ---- */

static struct head head_at(const struct rv_pump_lookup *lookup, uint64_t at)
{
	struct head head;

	memcpy(&head, lookup->rows.bytes + at, sizeof(head));
	return head;
}

/* The row that was appended at `start`: where an equal one is, itself if it is new. */
static uint64_t intern(struct rv_pump_lookup *lookup, uint64_t start)
{
	const char *row = lookup->rows.bytes + start;
	size_t len = lookup->rows.len - start;
	uint32_t hash = (uint32_t)XXH3_64bits(row, len);

	if (!has_room(&lookup->seen, lookup->starts_count))
		for (size_t i = 0; i < lookup->starts_count; i++)
			put(&lookup->seen, lookup->hashes[i], i);
	for (size_t i = hash & (lookup->seen.size - 1); lookup->seen.slots[i];
	     i = (i + 1) & (lookup->seen.size - 1)) {
		size_t n = lookup->seen.slots[i] - 1;
		uint64_t end = n + 1 < lookup->starts_count ? lookup->starts[n + 1] : start;

		if (lookup->hashes[n] == hash && end - lookup->starts[n] == len &&
		    memcmp(lookup->rows.bytes + lookup->starts[n], row, len) == 0) {
			rv_strbuf_truncate(&lookup->rows, start);
			return lookup->starts[n];
		}
	}
	if (lookup->starts_count >= lookup->starts_capacity) {
		lookup->starts_capacity = lookup->starts_capacity ? lookup->starts_capacity * 2 : 256;
		lookup->starts = rv_realloc_array(lookup->starts, lookup->starts_capacity,
						  sizeof(*lookup->starts));
		lookup->hashes = rv_realloc_array(lookup->hashes, lookup->starts_capacity,
						  sizeof(*lookup->hashes));
	}
	put(&lookup->seen, hash, lookup->starts_count);
	lookup->hashes[lookup->starts_count] = hash;
	lookup->starts[lookup->starts_count++] = start;
	return start;
}

static uint64_t add_row(struct rv_pump_lookup *lookup, const struct rv_json_value *values)
{
	uint64_t start = lookup->rows.len;

	for (size_t i = 0; i < lookup->columns; i++) {
		struct rv_pump_value v = rv_pump_value_of(&values[i]);
		struct head head;

		memset(&head, 0, sizeof(head)); /* what pads it is hashed too */
		head.len = (uint32_t)v.len;
		head.type = (uint8_t)v.type;
		head.escaped = v.escaped;
		rv_strbuf_add(&lookup->rows, &head, sizeof(head));
		rv_strbuf_add(&lookup->rows, v.p, v.len);
	}
	return intern(lookup, start);
}

static void add(struct rv_pump_lookup *lookup, struct rv_str key, const struct rv_json_value *values)
{
	uint32_t hash = (uint32_t)XXH3_64bits(key.p, key.len);
	struct entry *e = find(lookup, key, hash);

	if (!e) {
		if (!has_room(&lookup->table, lookup->count))
			for (size_t i = 0; i < lookup->count; i++)
				put(&lookup->table, lookup->entries[i].hash, i);
		RV_GROW(lookup->entries, lookup->count, lookup->capacity);
		put(&lookup->table, hash, lookup->count);
		e = &lookup->entries[lookup->count++];
		*e = (struct entry){ lookup->keys.len, 0, (uint32_t)key.len, hash };
		rv_strbuf_add(&lookup->keys, key.p, key.len);
	}
	e->row = add_row(lookup, values);
}

bool rv_pump_lookup_find(const struct rv_pump_lookup *lookup, struct rv_str key,
			 struct rv_pump_value *values)
{
	const struct entry *e = find(lookup, key, (uint32_t)XXH3_64bits(key.p, key.len));

	if (!e)
		return false;
	uint64_t at = e->row;

	for (size_t i = 0; i < lookup->columns; i++) {
		struct head head = head_at(lookup, at);

		at += sizeof(head);
		values[i] = (struct rv_pump_value){ (enum rv_pump_type)head.type, lookup->rows.bytes + at,
						    head.len, head.escaped };
		at += head.len;
	}
	return true;
}

/* ---- the file ---- */

enum rv_status rv_pump_check_header(const char *path, const char *csv_header,
				    const struct rv_string_list *columns, struct rv_error *err)
{
	char **names;
	size_t count;
	enum rv_status status = RV_OK;

	if (!csv_header || !rv_csv_header_names(csv_header, &names, &count))
		return RV_OK;
	RV_CLEANUP(rv_free_p) const char **words = rv_calloc(count + 1, sizeof(*words));

	for (size_t i = 0; i < count; i++)
		words[i] = names[i];
	for (size_t i = 0; i < columns->count && status == RV_OK; i++) {
		/* the first piece of a path is the name: fields of csv have nothing below them */
		const char *name = columns->items[i];
		size_t at = 0;

		while (words[at] && strcmp(words[at], name) != 0)
			at++;
		if (words[at] || name[0] == '/')
			continue;
		const char *near = rv_nearest(name, words);

		status = rv_fail(err, RV_BAD_CONFIG, "%s has no column '%.100s'", path, name);
		if (near)
			rv_hint(err, "did you mean '%s'?", near);
	}
	for (size_t i = 0; i < count; i++)
		free(names[i]);
	free(names);
	return status;
}

static enum rv_status add_span(struct rv_pump_lookup *lookup, const struct rv_json_paths *paths,
			       const struct rv_span *span, struct rv_json_value *values,
			       struct rv_strbuf *scratch)
{
	const char *end = span->bytes + span->len;

	for (const char *p = span->bytes; p < end;) {
		const char *newline = memchr(p, '\n', (size_t)(end - p));

		rv_json_paths_extract(paths, p, (size_t)(newline - p), values);
		/* the key is behind the columns */
		struct rv_pump_value key = rv_pump_value_of(&values[lookup->columns]);

		if (key.type != RV_PUMP_ABSENT && key.type != RV_PUMP_NULL)
			add(lookup, rv_pump_bytes(&key, scratch), values);
		p = newline + 1;
	}
	return RV_OK;
}

static enum rv_status read_all(struct rv_pump_lookup *lookup, const char *path,
			       const struct rv_map_lookup *map, uint64_t max_bytes,
			       struct rv_reader *reader, struct rv_error *err)
{
	RV_CLEANUP(rv_json_paths_freep) struct rv_json_paths *paths = NULL;
	RV_CLEANUP(rv_free_p) const char **names = rv_calloc(map->columns.count + 1, sizeof(*names));
	RV_CLEANUP(rv_free_p) struct rv_json_value *values =
		rv_calloc(map->columns.count + 1, sizeof(*values));
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf scratch = RV_STRBUF_INIT;
	struct rv_string_list key = { .items = (char *[]){ map->key }, .count = 1 };
	bool looked = false, finished = false;

	for (size_t i = 0; i < map->columns.count; i++)
		names[i] = map->columns.items[i];
	names[map->columns.count] = map->key;
	if (rv_json_paths_new(names, map->columns.count + 1, &paths, err) != RV_OK)
		return err->status;
	for (;;) {
		struct rv_reader_limits limits = { .timeout_ms = -1 };
		struct rv_span span;

		if (rv_reader_next(reader, &limits, &span, err) != RV_OK)
			return err->status;
		const char *header = rv_reader_csv_header(reader);

		if (!looked && header &&
		    (rv_pump_check_header(path, header, &key, err) != RV_OK ||
		     rv_pump_check_header(path, header, &map->columns, err) != RV_OK))
			return err->status;
		looked |= header != NULL;
		if (span.kind == RV_SPAN_END) {
			if (finished)
				return RV_OK;
			finished = true;
			rv_reader_finish(reader);
			continue;
		}
		if (span.kind == RV_SPAN_REJECT) {
			rv_fail(err, RV_BAD_DATA, "%s:%" PRIu64 ": %s", path, span.line, span.reason);
			rv_error_at(err, path, span.line, 0);
			return err->status;
		}
		if (span.kind == RV_SPAN_RECORDS)
			add_span(lookup, paths, &span, values, &scratch);
		if (lookup->keys.len + lookup->rows.len > max_bytes || lookup->count >= UINT32_MAX / 4) {
			rv_fail(err, RV_BAD_DATA, "%s: more than %" PRIu64 " MiB of keys and values", path,
				max_bytes >> 20);
			rv_hint(err, "a second file is kept in memory; join larger ones beforehand");
			return err->status;
		}
	}
}

enum rv_status rv_pump_lookup_read(const char *path, const struct rv_map_lookup *map,
				   uint64_t max_bytes, struct rv_pump_lookup **ret,
				   struct rv_error *err)
{
	RV_CLEANUP(rv_input_file_release) struct rv_input_file file = RV_INPUT_FILE_INIT;
	RV_CLEANUP(rv_source_free_p) struct rv_source *source = NULL;
	RV_CLEANUP(rv_reader_free_p) struct rv_reader *reader = NULL;
	struct rv_reader_params params = { .name = path };
	bool regular;

	if (rv_input_file_open(path, &file, &regular, err) != RV_OK)
		return rv_context(err, "lookup %s", map->name);
	if (!regular)
		return rv_fail(err, RV_USAGE, "lookup %s: %s is no regular file", map->name, path);
	if (rv_input_file_source(&file, 0, UINT64_MAX, &source, err) != RV_OK ||
	    rv_reader_new(source, &params, &reader, err) != RV_OK)
		return err->status;
	struct rv_pump_lookup *lookup = rv_calloc(1, sizeof(*lookup));

	lookup->columns = map->columns.count;
	lookup->keys = lookup->rows = (struct rv_strbuf)RV_STRBUF_INIT;
	if (read_all(lookup, path, map, max_bytes ? max_bytes : RV_PUMP_LOOKUP_BYTES, reader, err) !=
	    RV_OK) {
		rv_pump_lookup_free(lookup);
		return rv_context(err, "lookup %s", map->name);
	}
	free(rv_take(lookup->seen.slots));
	free(rv_take(lookup->starts));
	free(rv_take(lookup->hashes));
	*ret = lookup;
	return RV_OK;
}
