/*
 * Fragments as JSON. All that is constant (commas, names, quotes) was put together once, and values
 * need no look but the one that their row says: so this is copying, in chunks of sixteen bytes.
 */
#include "flow/compose_impl.h"

#include <stdlib.h>

#include "base/memory.h"
#include "format/text_copy.h"

enum { LOOK_AHEAD_MAX = 32 };

struct slot {
	uint64_t hash;
	uint64_t at; /* of the entry in the bytes, + 1: key_len, key, json_len, json */
};
struct rv_compose_lookup {
	struct slot *slots;
	size_t mask;
	struct rv_strbuf bytes;
	uint64_t taken;
};

static void lookup_prefetch_slot(const struct rv_compose_lookup *lookup, uint64_t hash)
{
	__builtin_prefetch(&lookup->slots[(size_t)hash & lookup->mask]);
}

/* Of the first slot, which is mostly the one. */
static void lookup_prefetch_entry(const struct rv_compose_lookup *lookup, uint64_t hash)
{
	const struct slot *slot = &lookup->slots[(size_t)hash & lookup->mask];

	if (!slot->at)
		return;
	__builtin_prefetch(lookup->bytes.bytes + slot->at - 1);
	__builtin_prefetch(lookup->bytes.bytes + slot->at - 1 + 64);
}

/* May write fifteen bytes more, and read as many. */
static inline char *copy(char *o, const char *p, size_t len)
{
	for (size_t i = 0; i < len; i += 16)
		memcpy(o + i, p + i, 16);
	return o + len;
}

static inline char *room(struct rv_strbuf *out, char *o, size_t need)
{
	size_t at = (size_t)(o - out->bytes);

	if (out->capacity - at > need + RV_COMPOSE_SLACK)
		return o;
	out->len = at;
	rv_strbuf_reserve(out, need + RV_COMPOSE_SLACK + at / 2 + 4096);
	return out->bytes + at;
}

static char *cell_json(struct rv_strbuf *out, char *o, const struct rv_compose_shown *column,
		       const struct rv_packed_cell *cell)
{
	o = room(out, o,
		 column->prefix_len + (cell->escape ? cell->len * RV_ESCAPE_BYTES : cell->len));
	o = copy(o, column->prefix, column->prefix_len);
	if (cell->null) {
		o -= !column->literal;
		memcpy(o, "null", 4);
		return o + 4;
	}
	if (cell->escape)
		for (size_t i = 0; i < cell->len; i++)
			o += rv_copy_escaped(cell->p[i], o);
	else
		o = copy(o, cell->p, cell->len);
	*o = '"';
	return o + !column->literal;
}

static void missed(struct rv_compose_worker *worker, const struct rv_compose_node *nest,
		   const char *row, size_t len)
{
	struct rv_compose *compose = worker->compose;
	struct rv_compose_nest_totals *totals = &compose->totals.nests[nest->index];
	struct rv_strbuf *key = &worker->key;

	/* An order without invoice is nothing to tell of, a line without its product is. */
	if (nest->owned || !rv_compose_key_of(&nest->parent_on, row, len, key))
		return;
	pthread_mutex_lock(&compose->totals_lock);
	totals->missing++;
	pthread_mutex_unlock(&compose->totals_lock);
	rv_compose_example(compose, &totals->missed, key->bytes, key->len);
}

static void add(struct rv_strbuf *out, const char *p, size_t len)
{
	char *o = room(out, out->bytes + out->len, len);

	memcpy(o, p, len);
	out->len = (size_t)(o - out->bytes) + len;
}

static inline void put(struct rv_strbuf *out, char c)
{
	char *o = room(out, out->bytes + out->len, 1);

	*o = c;
	out->len = (size_t)(o - out->bytes) + 1;
}

static const char *fragment_end(const struct rv_compose_node *node, const char *p, const char *end)
{
	p += rv_compose_row_len(p, (size_t)(end - p), node->columns_count);
	for (size_t i = 0; i < node->blocks_count; i++) {
		size_t len = (size_t)rv_compose_varint(&p);

		p += len;
	}
	return p;
}

/* What the first rows of a block look up is asked for at once: one by one, each would wait for memory. */
static void look_ahead(struct rv_compose_worker *worker, const struct rv_compose_node *nest, const char *p,
		       const char *end)
{
	const struct rv_compose_lookup *lookups[LOOK_AHEAD_MAX];
	uint64_t hashes[LOOK_AHEAD_MAX];
	size_t count = 0;

	while (p < end && count < LOOK_AHEAD_MAX) {
		const char *next = fragment_end(nest, p, end);

		for (size_t i = 0; i < nest->nests_count && count < LOOK_AHEAD_MAX; i++) {
			const struct rv_compose_node *held = nest->nests[i];

			if (!held->lookup ||
			    !rv_compose_key_of(&held->parent_on, p, (size_t)(next - p), &worker->key))
				continue;
			lookups[count] = held->lookup;
			hashes[count] = rv_compose_hash(worker->key.bytes, worker->key.len);
			lookup_prefetch_slot(lookups[count], hashes[count]);
			count++;
		}
		p = next;
	}
	for (size_t i = 0; i < count; i++)
		lookup_prefetch_entry(lookups[i], hashes[i]);
}

/* The objects of a block, with commas between. */
static void block_json(struct rv_compose_worker *worker, const struct rv_compose_node *nest,
		       const char *p, const char *end, size_t depth)
{
	if (nest->looks_up)
		look_ahead(worker, nest, p, end);
	for (bool first = true; p < end; first = false) {
		if (!first)
			put(&worker->json, ',');
		p = rv_compose_render(worker, nest, p, end, NULL, depth);
	}
}

static void found_json(struct rv_compose_worker *worker, const struct rv_compose_node *nest,
		       const struct rv_compose_found *found, size_t depth)
{
	for (size_t i = 0; i < found->count; i++) {
		struct rv_compose_entry entry;

		if (i)
			put(&worker->json, ',');
		rv_compose_entry_at(found->refs[i].entry, &entry);
		rv_compose_render(worker, nest, entry.fragment, entry.fragment + entry.fragment_len,
				  NULL, depth);
	}
}

static void held_json(struct rv_compose_worker *worker, const struct rv_compose_node *nest,
		      const char *row, size_t len)
{
	struct rv_strbuf *out = &worker->json;
	struct rv_str json;

	if (rv_compose_key_of(&nest->parent_on, row, len, &worker->key) &&
	    rv_compose_lookup_find(nest->lookup, worker->key.bytes, worker->key.len, &json)) {
		char *o = room(out, out->bytes + out->len, json.len);

		out->len = (size_t)(copy(o, json.p, json.len) - out->bytes);
		return;
	}
	add(out, "null", 4);
	missed(worker, nest, row, len);
}

const char *rv_compose_render(struct rv_compose_worker *worker, const struct rv_compose_node *node,
			      const char *fragment, const char *end,
			      const struct rv_compose_step *last, size_t depth)
{
	struct rv_strbuf *out = &worker->json;
	struct rv_packed_cursor cursor = { fragment, end };
	struct rv_packed_cell cell;
	const char **blocks = worker->blocks + depth * (worker->compose->nests_max + 1);
	size_t start = out->len;
	char *o = room(out, out->bytes + start, 2);

	for (size_t i = 0; i < node->columns_count && rv_packed_next(&cursor, &cell); i++)
		if (node->columns[i].prefix)
			o = cell_json(out, o, &node->columns[i], &cell);
	out->len = (size_t)(o - out->bytes);
	size_t row_len = (size_t)(cursor.p - fragment);
	const char *p = cursor.p;

	for (size_t i = 0; i < node->nests_count; i++)
		blocks[i] = NULL;
	for (size_t i = 0; i < node->blocks_count; i++) {
		blocks[node->blocks[i]] = p;
		size_t len = (size_t)rv_compose_varint(&p);

		p += len;
	}
	for (size_t i = 0; i < node->nests_count; i++) {
		const struct rv_compose_node *nest = node->nests[i];

		o = room(out, out->bytes + out->len, nest->field_len);
		out->len = (size_t)(copy(o, nest->field, nest->field_len) - out->bytes);
		if (nest->lookup) {
			held_json(worker, nest, fragment, row_len);
			continue;
		}
		const char *block = blocks[i];
		const struct rv_compose_found *found = NULL;
		size_t block_len = 0;

		if (block) {
			block_len = (size_t)rv_compose_varint(&block);
		} else {
			for (size_t k = 0; last && k < last->set_count; k++)
				if (last->set[k] == i)
					found = &worker->found[k];
		}
		bool none = found ? !found->count : !block_len;

		if (nest->many) {
			put(out, '[');
		} else if (none) {
			add(out, "null", 4);
			missed(worker, nest, fragment, row_len);
			continue;
		}
		if (found)
			found_json(worker, nest, found, depth + 1);
		else if (block)
			block_json(worker, nest, block, block + block_len, depth + 1);
		if (nest->many)
			put(out, ']');
	}
	/* The first comma is where the brace goes. */
	if (out->len == start)
		put(out, '{');
	else
		out->bytes[start] = '{';
	put(out, '}');
	return p;
}

/* ---- their way out ---- */

enum rv_status rv_compose_hand_out(struct rv_compose_worker *worker, struct rv_error *err)
{
	struct rv_compose_output *output = worker->output;
	enum rv_status status = RV_OK;

	pthread_mutex_lock(&output->lock);
	while (output->turn != worker->group && !output->failed)
		pthread_cond_wait(&output->moved, &output->lock);
	if (output->failed)
		status = rv_fail(err, RV_FAILED, "another group of documents failed");
	pthread_mutex_unlock(&output->lock);
	/* Nobody else has this turn, so the lock need not be held. */
	for (size_t i = 0; i < worker->ready_count && status == RV_OK; i++) {
		const struct rv_compose_ready *ready = &worker->ready[i];
		const struct rv_compose_document document = {
			.row = ready->row,
			.row_len = ready->row_len,
			.json = worker->json.bytes + ready->json_at,
			.len = ready->json_len,
		};

		status = output->sink(output->arg, &document, err);
	}
	worker->ready_count = 0;
	worker->json.len = 0;
	return status;
}

/* ---- what is looked up ---- */

void rv_compose_lookup_free(struct rv_compose_lookup *lookup, struct rv_compose_memory *memory)
{
	if (!lookup)
		return;
	rv_compose_memory_give(memory, lookup->taken);
	rv_strbuf_release(&lookup->bytes);
	free(lookup->slots);
	free(lookup);
}

static void lookup_put(struct rv_compose_lookup *lookup, uint64_t hash, const char *key,
		       size_t key_len, const char *json, size_t json_len)
{
	struct rv_strbuf *bytes = &lookup->bytes;
	size_t i = (size_t)hash & lookup->mask;
	char head[RV_PACKED_HEAD_BYTES];

	while (lookup->slots[i].at)
		i = (i + 1) & lookup->mask;
	lookup->slots[i] = (struct slot){ hash, bytes->len + 1 };
	rv_strbuf_add(bytes, head, rv_packed_head(head, key_len));
	rv_strbuf_add(bytes, key, key_len);
	rv_strbuf_add(bytes, head, rv_packed_head(head, json_len));
	rv_strbuf_add(bytes, json, json_len);
}

bool rv_compose_lookup_find(const struct rv_compose_lookup *lookup, const char *key, size_t len,
			    struct rv_str *ret_json)
{
	uint64_t hash = rv_compose_hash(key, len);

	for (size_t i = (size_t)hash & lookup->mask; lookup->slots[i].at;
	     i = (i + 1) & lookup->mask) {
		struct rv_compose_entry entry;

		if (lookup->slots[i].hash != hash)
			continue;
		rv_compose_entry_at(lookup->bytes.bytes + lookup->slots[i].at - 1, &entry);
		if (entry.key_len == len && memcmp(entry.key, key, len) == 0) {
			*ret_json = (struct rv_str){ entry.fragment, entry.fragment_len };
			return true;
		}
	}
	return false;
}

/* Each key of the group that is loaded; false: there is no room for more. */
static bool hold_group(struct rv_compose_worker *worker, const struct rv_compose_node *node,
		       struct rv_compose_lookup *lookup, uint64_t *several)
{
	struct rv_compose *compose = worker->compose;
	const struct rv_compose_sorted *sorted = &worker->sorted[0];
	struct rv_compose_nest_totals *totals = &compose->totals.nests[node->index];
	struct rv_compose_entry before = { 0 }, entry;
	bool counted = false;

	for (size_t i = 0; i < sorted->count; i++, before = entry) {
		rv_compose_entry_at(sorted->refs[i].entry, &entry);
		if (i && before.key_len == entry.key_len &&
		    memcmp(before.key, entry.key, entry.key_len) == 0) {
			if (!counted) {
				++*several;
				rv_compose_example(compose, &totals->severals, entry.key,
						   entry.key_len);
			}
			counted = true;
			continue;
		}
		counted = false;
		worker->json.len = 0;
		rv_compose_render(worker, node, entry.fragment, entry.fragment + entry.fragment_len,
				  NULL, 0);
		size_t need = entry.key_len + worker->json.len + 2 * RV_PACKED_HEAD_BYTES +
			      RV_COMPOSE_SLACK;

		/* The buffer grows by half of what it has, at least: that may be too much. */
		if (2 * (lookup->bytes.len + need) + (lookup->mask + 1) * sizeof(struct slot) >
		    compose->held_bytes)
			return false;
		lookup_put(lookup, sorted->refs[i].hash, entry.key, entry.key_len,
			   worker->json.bytes, worker->json.len);
	}
	return true;
}

enum rv_status rv_compose_lookup_new(struct rv_compose_worker *worker, struct rv_compose_node *node,
				     struct rv_compose_lookup **ret, struct rv_error *err)
{
	struct rv_compose *compose = worker->compose;
	struct rv_compose_deal *deal = &node->deal;
	uint64_t bytes, entries, several = 0;
	size_t slots = 16;
	bool held = true;

	*ret = NULL;
	rv_compose_deal_totals(deal, &bytes, &entries);
	while (slots < entries * 2)
		slots *= 2;
	if (bytes > compose->held_bytes || slots * sizeof(struct slot) > compose->held_bytes)
		return RV_OK;
	struct rv_compose_lookup *lookup = rv_calloc(1, sizeof(*lookup));

	lookup->bytes = (struct rv_strbuf)RV_STRBUF_INIT;
	lookup->slots = rv_calloc(slots, sizeof(*lookup->slots));
	lookup->mask = slots - 1;
	worker->sorted[0].node = node;
	for (size_t g = 0; g < rv_compose_groups(deal) && held; g++) {
		if (rv_compose_load(worker, &deal, 1, g, err) != RV_OK) {
			rv_compose_lookup_free(lookup, &compose->memory);
			return err->status;
		}
		held = hold_group(worker, node, lookup, &several);
	}
	worker->json.len = 0;
	if (!held) {
		rv_compose_lookup_free(lookup, &compose->memory);
		return RV_OK;
	}
	rv_strbuf_reserve(&lookup->bytes, RV_COMPOSE_SLACK);
	lookup->taken = lookup->bytes.capacity + slots * sizeof(struct slot);
	compose->held_bytes -=
		lookup->taken < compose->held_bytes ? lookup->taken : compose->held_bytes;
	rv_compose_memory_take(&compose->memory, lookup->taken);
	for (size_t g = 0; g < rv_compose_groups(deal); g++)
		rv_compose_deal_drop(deal, g);
	compose->totals.nests[node->index].several += several;
	*ret = lookup;
	return RV_OK;
}
