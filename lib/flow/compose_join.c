/*
 * One group at a time: the children in it are put into order, and the rows they belong to are read
 * past them. Only children are in memory; rows may be as many as there are, and a column that looks
 * up the same value in all of them costs nothing. A group that is too large is dealt once more by
 * the next bits of the hash; what has one key cannot be, and is an error that names it.
 */
#include "flow/compose_impl.h"

#include <inttypes.h>
#include <stdlib.h>
#define XXH_INLINE_ALL
#include <xxhash.h>

#include "base/memory.h"
#include "base/number.h"

enum { SPLIT_BITS = 4, SPLIT_CHUNK_LEAST_BYTES = 1024, SPLIT_CHUNK_MOST_BYTES = 16384, INSERTION_MAX = 12 };

uint64_t rv_compose_hash(const char *key, size_t len)
{
	return XXH3_64bits(key, len);
}

/* ---- memory ---- */

static void buffer_fit(struct rv_compose_worker *worker, struct rv_compose_buffer *buffer,
		       size_t need)
{
	struct rv_compose_memory *memory = &worker->compose->memory;

	if (buffer->capacity >= need)
		return;
	free(buffer->bytes);
	rv_compose_memory_give(memory, buffer->capacity);
	buffer->capacity = need;
	rv_compose_memory_take(memory, need);
	buffer->bytes = rv_malloc(need);
}

static void buffer_release(struct rv_compose_worker *worker, struct rv_compose_buffer *buffer)
{
	free(buffer->bytes);
	rv_compose_memory_give(&worker->compose->memory, buffer->capacity);
	*buffer = (struct rv_compose_buffer){ 0 };
}

void rv_compose_worker_init(struct rv_compose_worker *worker, struct rv_compose *compose)
{
	unsigned threads = compose->params.threads;
	size_t nests = compose->nests_max + 1;

	*worker = (struct rv_compose_worker){
		.compose = compose,
		.max_bytes = compose->memory.max_bytes / 4 / threads,
		.max_ready_bytes = compose->memory.max_bytes / 16 / threads,
		.json = RV_STRBUF_INIT,
		.key = RV_STRBUF_INIT,
	};
	worker->sorted = rv_calloc(nests, sizeof(*worker->sorted));
	worker->loaded = rv_calloc(nests, sizeof(struct rv_compose_deal *));
	worker->found = rv_calloc(nests, sizeof(*worker->found));
	worker->blocks = rv_calloc(nests * (RV_COMPOSE_DEPTH_MAX + 1), sizeof(*worker->blocks));
}

void rv_compose_worker_release(struct rv_compose_worker *worker)
{
	buffer_release(worker, &worker->spilled);
	buffer_release(worker, &worker->piece);
	buffer_release(worker, &worker->refs);
	rv_compose_memory_give(&worker->compose->memory, worker->json_taken);
	rv_strbuf_release(&worker->json);
	rv_strbuf_release(&worker->key);
	free(worker->sorted);
	free(worker->loaded);
	free(worker->found);
	free(worker->blocks);
	free(worker->ready);
}

/* ---- children in order ---- */

static int ref_order(const struct rv_compose_node *node, const struct rv_compose_ref *a,
		     const struct rv_compose_ref *b)
{
	struct rv_compose_entry x, y;
	int c;

	if (a->hash != b->hash)
		return a->hash < b->hash ? -1 : 1;
	rv_compose_entry_at(a->entry, &x);
	rv_compose_entry_at(b->entry, &y);
	if (x.key_len != y.key_len)
		return x.key_len < y.key_len ? -1 : 1;
	c = memcmp(x.key, y.key, x.key_len);
	if (c)
		return c;
	if (a->prefix != b->prefix)
		return a->prefix < b->prefix ? -1 : 1;
	c = rv_compose_row_order(node->by, node->by_count, x.fragment, x.fragment_len, y.fragment,
				 y.fragment_len);
	if (c)
		return c;
	size_t x_len = rv_compose_row_len(x.fragment, x.fragment_len, node->columns_count);
	size_t y_len = rv_compose_row_len(y.fragment, y.fragment_len, node->columns_count);

	c = memcmp(x.fragment, y.fragment, x_len < y_len ? x_len : y_len);
	return c ? c : (x_len > y_len) - (x_len < y_len);
}

static void merge_sort(const struct rv_compose_node *node, struct rv_compose_ref *refs,
		       struct rv_compose_ref *scratch, size_t count)
{
	if (count <= INSERTION_MAX) {
		for (size_t i = 1; i < count; i++) {
			struct rv_compose_ref ref = refs[i];
			size_t k = i;

			for (; k && ref_order(node, &ref, &refs[k - 1]) < 0; k--)
				refs[k] = refs[k - 1];
			refs[k] = ref;
		}
		return;
	}
	size_t half = count / 2, a = 0, b = half, n = 0;

	merge_sort(node, refs, scratch, half);
	merge_sort(node, refs + half, scratch, count - half);
	if (ref_order(node, &refs[half - 1], &refs[half]) <= 0)
		return;
	memcpy(scratch, refs, half * sizeof(*refs));
	while (a < half && b < count)
		refs[n++] = ref_order(node, &refs[b], &scratch[a]) < 0 ? refs[b++] : scratch[a++];
	memcpy(refs + n, scratch + a, (half - a) * sizeof(*refs));
}

static unsigned bits_for(size_t count)
{
	unsigned bits = 1;

	while (bits < 30 && (size_t)1 << bits < count / 2)
		bits++;
	return bits;
}

/* What `count` entries take besides their bytes. */
static uint64_t refs_need(uint64_t count)
{
	return count * (2 * sizeof(struct rv_compose_ref) + sizeof(bool)) +
	       (((uint64_t)1 << bits_for((size_t)count)) + 1) * sizeof(uint32_t) + 64;
}

static size_t bucket_of(const struct rv_compose_sorted *sorted, uint64_t hash)
{
	return (size_t)((hash << sorted->used_bits) >> (64 - sorted->bits));
}

static char *align(char *p)
{
	return p + (-(uintptr_t)p & 15);
}

/* Reads a group's entries into `tmp`; pieces of the file go to *room. */
static enum rv_status read_refs(struct rv_compose_sorted *sorted, struct rv_compose_deal *deal,
				size_t group, struct rv_compose_ref *tmp, char **room,
				struct rv_error *err)
{
	const struct rv_compose_node *node = sorted->node;
	struct rv_compose_pieces pieces;
	size_t count = 0;

	rv_compose_pieces_of(&pieces, deal, group);
	for (;;) {
		size_t need = rv_compose_pieces_room(&pieces), len;
		const char *p;

		if (rv_compose_pieces_next(&pieces, *room, &p, &len, err) != RV_OK)
			return err->status;
		if (!p)
			break;
		if (need)
			*room += need - RV_COMPOSE_SLACK;
		for (const char *end = p + len; p < end;) {
			struct rv_compose_ref *ref = &tmp[count++];
			struct rv_compose_entry entry;

			ref->entry = p;
			p = rv_compose_entry_at(p, &entry);
			ref->hash = rv_compose_hash(entry.key, entry.key_len);
			ref->prefix = rv_compose_prefix(node->by, node->by_count, entry.fragment,
							entry.fragment_len);
			sorted->buckets[bucket_of(sorted, ref->hash) + 1]++;
		}
	}
	sorted->count = count;
	return RV_OK;
}

enum rv_status rv_compose_load(struct rv_compose_worker *worker, struct rv_compose_deal **deals,
			       size_t count, size_t group, struct rv_error *err)
{
	uint64_t refs = 0, file_bytes = RV_COMPOSE_SLACK;

	for (size_t i = 0; i < count; i++) {
		refs += refs_need(deals[i]->groups[group].entries) + 32;
		file_bytes += deals[i]->groups[group].file_bytes;
	}
	buffer_fit(worker, &worker->spilled, (size_t)file_bytes);
	buffer_fit(worker, &worker->refs, (size_t)refs);
	char *at = worker->refs.bytes, *room = worker->spilled.bytes;

	for (size_t i = 0; i < count; i++) {
		struct rv_compose_sorted *sorted = &worker->sorted[i];
		size_t entries = (size_t)deals[i]->groups[group].entries;

		sorted->used_bits = deals[i]->used_bits + deals[i]->bits;
		sorted->bits = bits_for(entries);
		size_t buckets = (size_t)1 << sorted->bits;

		at = align(at);
		sorted->refs = (void *)at;
		at += entries * sizeof(*sorted->refs);
		struct rv_compose_ref *tmp = (void *)at;

		at += entries * sizeof(*tmp);
		sorted->buckets = (void *)at;
		at += (buckets + 1) * sizeof(*sorted->buckets);
		sorted->matched = (void *)at;
		at += entries;
		memset(sorted->buckets, 0, (buckets + 1) * sizeof(*sorted->buckets));
		memset(sorted->matched, 0, entries);
		sorted->matched_count = 0;
		if (read_refs(sorted, deals[i], group, tmp, &room, err) != RV_OK)
			return err->status;
		for (size_t b = 0; b < buckets; b++)
			sorted->buckets[b + 1] += sorted->buckets[b];
		/* Placed from the end of each bucket down; then each number is where its bucket
		 * starts. */
		for (size_t k = entries; k--;)
			sorted->refs[--sorted->buckets[bucket_of(sorted, tmp[k].hash) + 1]] =
				tmp[k];
		memmove(sorted->buckets, sorted->buckets + 1, buckets * sizeof(*sorted->buckets));
		sorted->buckets[buckets] = (uint32_t)entries;
		for (size_t b = 0; b < buckets; b++) {
			size_t from = sorted->buckets[b], n = sorted->buckets[b + 1] - from;

			if (n > 1)
				merge_sort(sorted->node, sorted->refs + from, tmp, n);
		}
	}
	return RV_OK;
}

static bool same_key(const struct rv_compose_ref *ref, uint64_t hash, const char *key, size_t len)
{
	const char *p = ref->entry;

	return ref->hash == hash && rv_compose_varint(&p) == len && memcmp(p, key, len) == 0;
}

/* How many refs from `at` on have its key. */
static size_t run_of(const struct rv_compose_sorted *sorted, size_t at)
{
	struct rv_compose_entry entry;
	size_t n = 1;

	rv_compose_entry_at(sorted->refs[at].entry, &entry);
	while (at + n < sorted->count &&
	       same_key(&sorted->refs[at + n], sorted->refs[at].hash, entry.key, entry.key_len))
		n++;
	return n;
}

static struct rv_compose_found find(const struct rv_compose_sorted *sorted, uint64_t hash,
				    const char *key, size_t len)
{
	size_t bucket = bucket_of(sorted, hash);
	size_t at = sorted->buckets[bucket], end = sorted->buckets[bucket + 1];

	while (at < end &&
	       (sorted->refs[at].hash < hash ||
		(sorted->refs[at].hash == hash && !same_key(&sorted->refs[at], hash, key, len))))
		at++;
	if (at == end || sorted->refs[at].hash != hash)
		return (struct rv_compose_found){ 0 };
	return (struct rv_compose_found){ .refs = &sorted->refs[at], .count = run_of(sorted, at) };
}

/* ---- what does not fit together ---- */

static void add_total(struct rv_compose *compose, uint64_t *total, uint64_t n)
{
	pthread_mutex_lock(&compose->totals_lock);
	*total += n;
	pthread_mutex_unlock(&compose->totals_lock);
}

static void note(struct rv_compose *compose, uint64_t *total, uint64_t n,
		 struct rv_compose_examples *examples, const char *key, size_t key_len)
{
	add_total(compose, total, n);
	rv_compose_example(compose, examples, key, key_len);
}

/* Keys of one object that have several, once a group. */
static void count_several(struct rv_compose *compose, const struct rv_compose_sorted *sorted)
{
	struct rv_compose_nest_totals *totals = &compose->totals.nests[sorted->node->index];
	struct rv_compose_entry entry;

	if (sorted->node->many)
		return;
	for (size_t at = 0, n; at < sorted->count; at += n) {
		n = run_of(sorted, at);
		if (n == 1)
			continue;
		rv_compose_entry_at(sorted->refs[at].entry, &entry);
		note(compose, &totals->several, 1, &totals->severals, entry.key, entry.key_len);
	}
}

static void count_orphans(struct rv_compose *compose, const struct rv_compose_sorted *sorted)
{
	struct rv_compose_nest_totals *totals = &compose->totals.nests[sorted->node->index];
	struct rv_compose_entry entry;

	if (!sorted->node->owned || sorted->matched_count == sorted->count)
		return;
	for (size_t at = 0, n; at < sorted->count; at += n) {
		n = run_of(sorted, at);
		if (sorted->matched[at])
			continue;
		rv_compose_entry_at(sorted->refs[at].entry, &entry);
		note(compose, &totals->orphans, n, &totals->orphan, entry.key, entry.key_len);
	}
}

/* Finds the nests of the set for a row; returns what their blocks take. */
static size_t find_set(struct rv_compose_worker *worker, const struct rv_compose_step *step,
		       const char *key, size_t key_len, uint64_t hash)
{
	struct rv_compose *compose = worker->compose;
	size_t total = 0;

	for (size_t i = 0; i < step->set_count; i++) {
		struct rv_compose_sorted *sorted = &worker->sorted[i];
		struct rv_compose_found *found = &worker->found[i];

		*found = key_len ? find(sorted, hash, key, key_len) : (struct rv_compose_found){ 0 };
		if (found->count) {
			bool *matched = &sorted->matched[found->refs - sorted->refs];
			struct rv_compose_nest_totals *totals =
				&compose->totals.nests[sorted->node->index];

			if (*matched && sorted->node->owned)
				note(compose, &totals->repeated_parents, 1, &totals->repeated, key,
				     key_len);
			sorted->matched_count += *matched ? 0 : found->count;
			*matched = true;
			if (!sorted->node->many)
				found->count = 1;
		}
		for (size_t k = 0; k < found->count; k++) {
			struct rv_compose_entry entry;

			rv_compose_entry_at(found->refs[k].entry, &entry);
			found->block_len += entry.fragment_len;
		}
		total += rv_compose_varint_len(found->block_len) + found->block_len;
	}
	return total;
}

static enum rv_status too_large(struct rv_compose *compose, const struct rv_compose_node *node,
				const char *key, size_t key_len, uint64_t bytes,
				struct rv_error *err)
{
	char text[RV_COMPOSE_EXAMPLE_BYTES], size[RV_NUMBER_TEXT], most[RV_NUMBER_TEXT];

	rv_compose_key_text(key, key_len, text);
	rv_fail(err, RV_BAD_DATA, "%s %s: what belongs to it takes %s, too much for %s of memory",
		node->path, text, rv_format_size(bytes, size),
		rv_format_size(compose->memory.max_bytes, most));
	rv_hint(err, "allow more memory, or look whether that key is one");
	return err->status;
}

/* ---- fragments into the next deal ---- */

static enum rv_status put(struct rv_compose_worker *worker, const struct rv_compose_step *step,
			  const struct rv_compose_entry *own, size_t blocks_len,
			  struct rv_error *err)
{
	struct rv_compose *compose = worker->compose;
	const struct rv_compose_node *node = step->node;
	struct rv_strbuf *key = &worker->key;
	size_t len = own->fragment_len + blocks_len;
	char *o;

	if (!rv_compose_key_of(step->to_key, own->fragment, own->fragment_len, key)) {
		if (step->up && !node->parent)
			return RV_OK; /* counted when it came in */
		if (step->up) {
			struct rv_compose_nest_totals *totals = &compose->totals.nests[node->index];

			if (node->owned)
				add_total(compose, &totals->orphans, 1);
			return RV_OK;
		}
	}
	uint64_t hash = key->len ? rv_compose_hash(key->bytes, key->len)
				 : rv_compose_hash(own->fragment, own->fragment_len);

	if (step->by_root && !rv_compose_in_shard(compose, hash))
		return RV_OK;
	if (len > compose->memory.max_bytes / 8)
		return too_large(compose, node, own->key, own->key_len, len, err);
	if (rv_compose_deal_open(step->to, hash, rv_compose_entry_bytes(key->len, len), &o, err) !=
	    RV_OK)
		return err->status;
	o = rv_compose_entry_write(o, key->bytes, key->len, len);
	memcpy(o, own->fragment, own->fragment_len);
	o += own->fragment_len;
	for (size_t i = 0; i < step->set_count; i++) {
		const struct rv_compose_found *found = &worker->found[i];

		o += rv_packed_head(o, found->block_len);
		for (size_t k = 0; k < found->count; k++) {
			struct rv_compose_entry entry;

			rv_compose_entry_at(found->refs[k].entry, &entry);
			memcpy(o, entry.fragment, entry.fragment_len);
			o += entry.fragment_len;
		}
	}
	rv_compose_deal_close(step->to, hash);
	return RV_OK;
}

static enum rv_status stream(struct rv_compose_worker *worker, const struct rv_compose_step *step,
			     struct rv_compose_deal *deal, size_t group, struct rv_error *err)
{
	struct rv_compose_pieces pieces;

	rv_compose_pieces_of(&pieces, deal, group);
	for (;;) {
		const char *p;
		size_t len;

		buffer_fit(worker, &worker->piece, rv_compose_pieces_room(&pieces));
		if (rv_compose_pieces_next(&pieces, worker->piece.bytes, &p, &len, err) != RV_OK)
			return err->status;
		if (!p)
			return RV_OK;
		for (const char *end = p + len; p < end;) {
			struct rv_compose_entry own;

			p = rv_compose_entry_at(p, &own);
			size_t blocks = find_set(
				worker, step, own.key, own.key_len,
				step->set_count ? rv_compose_hash(own.key, own.key_len) : 0);

			if (put(worker, step, &own, blocks, err) != RV_OK)
				return err->status;
		}
	}
}

/* ---- documents ---- */

static enum rv_status documents(struct rv_compose_worker *worker,
				const struct rv_compose_step *step, struct rv_error *err)
{
	struct rv_compose *compose = worker->compose;
	struct rv_compose_memory *memory = &compose->memory;
	const struct rv_compose_sorted *roots = &worker->sorted[step->set_count];
	const struct rv_compose_node *root = step->node;
	uint64_t repeated = 0, count = 0, bytes = 0;

	for (size_t at = 0, n; at < roots->count; at += n) {
		struct rv_compose_entry own;
		size_t start = worker->json.len;

		n = run_of(roots, at);
		rv_compose_entry_at(roots->refs[at].entry, &own);
		if (n > 1) {
			repeated += n - 1;
			rv_compose_example(compose, &compose->totals.repeated, own.key,
					   own.key_len);
		}
		find_set(worker, step, own.key, own.key_len, roots->refs[at].hash);
		rv_compose_render(worker, root, own.fragment, own.fragment + own.fragment_len, step,
				  0);
		size_t len = worker->json.len - start;

		if (worker->json.capacity > worker->json_taken) {
			rv_compose_memory_take(memory, worker->json.capacity - worker->json_taken);
			worker->json_taken = worker->json.capacity;
		}
		if (len > memory->max_bytes / 8 / compose->params.threads)
			return too_large(compose, root, own.key, own.key_len, len, err);
		RV_GROW(worker->ready, worker->ready_count, worker->ready_capacity);
		worker->ready[worker->ready_count++] = (struct rv_compose_ready){
			.row = own.fragment,
			.row_len = rv_compose_row_len(own.fragment, own.fragment_len,
						      root->columns_count),
			.json_at = start,
			.json_len = len,
		};
		count++;
		bytes += len;
		if (worker->json.len > worker->max_ready_bytes &&
		    rv_compose_hand_out(worker, err) != RV_OK)
			return err->status;
	}
	/* Rows of what is ready are in this group, which ends here. */
	if (rv_compose_hand_out(worker, err) != RV_OK)
		return err->status;
	pthread_mutex_lock(&compose->totals_lock);
	compose->totals.documents += count;
	compose->totals.document_bytes += bytes;
	compose->totals.repeated_roots += repeated;
	pthread_mutex_unlock(&compose->totals_lock);
	return RV_OK;
}

/* ---- groups ---- */

/* The entries of a group, dealt by the next bits. */
static enum rv_status split_deal(struct rv_compose_worker *worker, struct rv_compose_deal *from,
				 size_t group, struct rv_compose_deal *to, bool *ret_several,
				 struct rv_error *err)
{
	struct rv_compose_pieces pieces;
	struct rv_compose_entry entry;
	uint64_t first = 0, hash;
	bool any = false;
	char *o;

	*ret_several = false;
	rv_compose_pieces_of(&pieces, from, group);
	for (;;) {
		const char *p;
		size_t len;

		buffer_fit(worker, &worker->piece, rv_compose_pieces_room(&pieces));
		if (rv_compose_pieces_next(&pieces, worker->piece.bytes, &p, &len, err) != RV_OK)
			return err->status;
		if (!p)
			break;
		for (const char *end = p + len; p < end;) {
			const char *start = p;

			p = rv_compose_entry_at(p, &entry);
			hash = entry.key_len ? rv_compose_hash(entry.key, entry.key_len)
					     : rv_compose_hash(entry.fragment, entry.fragment_len);
			*ret_several |= any && hash != first;
			first = hash;
			any = true;
			if (rv_compose_deal_open(to, hash, (size_t)(p - start), &o, err) != RV_OK)
				return err->status;
			memcpy(o, start, (size_t)(p - start));
			rv_compose_deal_close(to, hash);
		}
	}
	return RV_OK;
}

/* Any key that there is in a group, for a message: of one that cannot be split it is the one. */
static enum rv_status too_large_group(struct rv_compose_worker *worker,
				      const struct rv_compose_node *node,
				      struct rv_compose_deal *deal, size_t group, uint64_t need,
				      struct rv_error *err)
{
	struct rv_compose_pieces pieces;
	struct rv_compose_entry entry;
	const char *p;
	size_t len;

	rv_compose_pieces_of(&pieces, deal, group);
	buffer_fit(worker, &worker->piece, rv_compose_pieces_room(&pieces));
	if (rv_compose_pieces_next(&pieces, worker->piece.bytes, &p, &len, err) != RV_OK)
		return err->status;
	if (!p)
		rv_bug("a group too large has no entries");
	rv_compose_entry_at(p, &entry);
	return too_large(worker->compose, node, entry.key, entry.key_len, need, err);
}

static void release_deals(struct rv_compose_deal *deals, size_t count)
{
	for (size_t i = 0; i < count; i++)
		rv_compose_deal_release(&deals[i]);
	free(deals);
}

static enum rv_status split(struct rv_compose_worker *worker, const struct rv_compose_step *step,
			    struct rv_compose_deal **deals, size_t group, uint64_t need,
			    struct rv_error *err)
{
	struct rv_compose *compose = worker->compose;
	size_t count = step->set_count + 1, heaviest = 0;
	unsigned used_bits = deals[0]->used_bits + deals[0]->bits;
	uint64_t most = 0, chunk;
	unsigned bits = SPLIT_BITS;
	enum rv_status status = RV_OK;

	for (size_t i = step->to ? 1 : 0; i < count; i++)
		if (deals[i]->groups[group].bytes >= most) {
			most = deals[i]->groups[group].bytes;
			heaviest = i;
		}
	const struct rv_compose_node *node =
		heaviest ? step->node->nests[step->set[heaviest - 1]] : step->node;

	if (used_bits + SPLIT_BITS > 60)
		return too_large_group(worker, node, deals[heaviest], group, need, err);
	/* Fewer parts of it, where there are many nests and little memory. */
	while ((chunk = compose->memory.max_bytes / 16 / compose->params.threads / (count << bits)) <
		       SPLIT_CHUNK_LEAST_BYTES &&
	       bits > 1)
		bits--;
	if (chunk > SPLIT_CHUNK_MOST_BYTES)
		chunk = SPLIT_CHUNK_MOST_BYTES;
	struct rv_compose_deal *parts = rv_calloc(count, sizeof(*parts));
	struct rv_compose_deal **part_of = rv_calloc(count, sizeof(struct rv_compose_deal *));

	for (size_t i = 0; i < count; i++) {
		rv_compose_deal_init(&parts[i], &compose->memory, compose->folder, used_bits, bits,
				     (size_t)chunk);
		part_of[i] = &parts[i];
	}
	for (size_t i = 0; i < count && status == RV_OK; i++) {
		/* The heaviest first: if it has one key, nothing helps. */
		size_t k = i == 0 ? heaviest : i == heaviest ? 0 : i;
		const struct rv_compose_group *part = &deals[k]->groups[group];
		bool several;

		status = split_deal(worker, deals[k], group, &parts[k], &several, err);
		if (status == RV_OK && k == heaviest && !several &&
		    part->bytes + refs_need(part->entries) > worker->max_bytes)
			status = too_large_group(worker, node, deals[k], group, need, err);
		if (status == RV_OK)
			rv_compose_deal_drop(deals[k], group);
	}
	for (size_t g = 0; g < rv_compose_groups(&parts[0]) && status == RV_OK; g++)
		status = rv_compose_join(worker, step, part_of, g, err);
	release_deals(parts, count);
	free(part_of);
	return status;
}

enum rv_status rv_compose_join(struct rv_compose_worker *worker, const struct rv_compose_step *step,
			       struct rv_compose_deal **deals, size_t group, struct rv_error *err)
{
	struct rv_compose *compose = worker->compose;
	struct rv_compose_deal **loaded = worker->loaded;
	size_t count = 0;
	uint64_t need = 0;
	enum rv_status status;

	if (compose->params.should_stop && compose->params.should_stop())
		return rv_fail(err, RV_FAILED, "stopped while documents were composed");
	for (size_t i = 1; i <= step->set_count; i++)
		loaded[count++] = deals[i];
	if (!step->to)
		loaded[count++] = deals[0];
	for (size_t i = 0; i < count; i++) {
		const struct rv_compose_group *part = &loaded[i]->groups[group];

		worker->sorted[i].node =
			i < step->set_count ? step->node->nests[step->set[i]] : step->node;
		need += part->bytes + refs_need(part->entries);
	}
	if (need > worker->max_bytes)
		return split(worker, step, deals, group, need, err);
	if (rv_compose_load(worker, loaded, count, group, err) != RV_OK)
		return err->status;
	for (size_t i = 0; i < step->set_count; i++)
		count_several(compose, &worker->sorted[i]);
	status = step->to ? stream(worker, step, deals[0], group, err)
			  : documents(worker, step, err);
	if (status != RV_OK)
		return status;
	for (size_t i = 0; i < step->set_count; i++)
		count_orphans(compose, &worker->sorted[i]);
	for (size_t i = 0; i <= step->set_count; i++)
		rv_compose_deal_drop(deals[i], group);
	return RV_OK;
}
