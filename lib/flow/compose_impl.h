/*
 * What the files of the composer share.
 *
 * A tree of nodes, one for each nest and one for the root. Rows of a node are entries of a deal,
 * the node's; an entry is a key and a fragment. Keys are the cells joined by: each its length and
 * its bytes. A fragment is a packed row and, behind it, a block for each nest that was joined into
 * it: its length, and the fragments of the children, in order.
 *
 *   entry:     varint key_len, key, varint fragment_len, fragment
 *   fragment:  row, blocks        (which ones, and in which order, the node knows)
 *   block:     varint len, fragments
 *
 * compose_deal.c   entries into groups, in memory or in a file
 * compose_order.c  order of children
 * compose_join.c   the children of a group, sorted; fragments of them joined into those of a node
 * compose_render.c a fragment as JSON; what is looked up in memory
 * compose.c        the tree, its rows, its steps
 */
#ifndef RV_FLOW_COMPOSE_IMPL_H
#define RV_FLOW_COMPOSE_IMPL_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "base/error.h"
#include "base/strbuf.h"
#include "flow/compose.h"
#include "format/packed_row.h"

/* Behind every buffer of entries, and every text that is copied in chunks. */
#define RV_COMPOSE_SLACK 32

/* ---- memory ---- */

/* Shared by all threads. Parts of max_memory_bytes: 3/8 waits in memory, 1/8 are groups still open,
 * 1/4 is for the groups that are worked on, 1/8 for what is looked up, 1/8 for documents on their
 * way. */
struct rv_compose_memory {
	uint64_t max_bytes;
	_Atomic uint64_t used, peak;
	_Atomic uint64_t waiting; /* chunks that are full and were not spilled */
	_Atomic uint64_t spilled;
};
void rv_compose_memory_take(struct rv_compose_memory *memory, uint64_t bytes);
void rv_compose_memory_give(struct rv_compose_memory *memory, uint64_t bytes);

/* ---- deals ---- */

struct rv_compose_chunk {
	struct rv_compose_chunk *next;
	size_t used, capacity; /* of bytes[], the head included */
	char bytes[];
};
struct rv_compose_group {
	pthread_mutex_t lock;
	struct rv_compose_chunk *open, *full;
	uint64_t last_offset; /* of the last piece in the file, which knows the one before */
	uint64_t last_len;    /* 0: none is there */
	uint64_t bytes, entries;
	uint64_t file_bytes; /* of its pieces */
};
struct rv_compose_deal {
	struct rv_compose_memory *memory;
	const char *folder;
	pthread_mutex_t file_lock;
	int fd; /* -1: nothing was spilled */
	uint64_t file_bytes;
	size_t chunk_bytes;
	unsigned used_bits, bits; /* of the hash: those of the deals above, and those of this one */
	bool shared; /* several threads deal into it at once */
	struct rv_compose_group *groups;
};
void rv_compose_deal_init(struct rv_compose_deal *deal, struct rv_compose_memory *memory,
			  const char *folder, unsigned used_bits, unsigned bits,
			  size_t chunk_bytes);
void rv_compose_deal_release(struct rv_compose_deal *deal); /* takes a zeroed one */
static inline size_t rv_compose_groups(const struct rv_compose_deal *deal)
{
	return (size_t)1 << deal->bits;
}
static inline size_t rv_compose_group_of(const struct rv_compose_deal *deal, uint64_t hash)
{
	return (size_t)((hash << deal->used_bits) >> (64 - deal->bits));
}
/* Room for an entry of `len` bytes in the hash's group, which nobody else gets into until it was written
 * and rv_compose_deal_close was called. */
enum rv_status rv_compose_deal_open(struct rv_compose_deal *deal, uint64_t hash, size_t len,
				    char **ret_room, struct rv_error *err) RV_MUST_CHECK;
void rv_compose_deal_close(struct rv_compose_deal *deal, uint64_t hash);
void rv_compose_deal_drop(struct rv_compose_deal *deal, size_t group);
void rv_compose_deal_totals(const struct rv_compose_deal *deal, uint64_t *ret_bytes,
			    uint64_t *ret_entries);

/* The pieces of a group, one after another, each of whole entries. */
struct rv_compose_pieces {
	struct rv_compose_deal *deal;
	size_t group;
	struct rv_compose_chunk *chunk;
	bool began;
	uint64_t offset, len; /* of the next one in the file */
};
void rv_compose_pieces_of(struct rv_compose_pieces *pieces, struct rv_compose_deal *deal,
			  size_t group);
/* How long the next piece is if it has to be read into a buffer, with its head and the slack; 0: it
 * has not. */
size_t rv_compose_pieces_room(const struct rv_compose_pieces *pieces);
/* *ret_p is NULL at the end. `room` has as much as was asked for. */
enum rv_status rv_compose_pieces_next(struct rv_compose_pieces *pieces, char *room,
				      const char **ret_p, size_t *ret_len,
				      struct rv_error *err) RV_MUST_CHECK;

/* ---- entries ---- */

struct rv_compose_entry {
	const char *key, *fragment;
	size_t key_len, fragment_len;
};
static inline uint64_t rv_compose_varint(const char **p)
{
	uint64_t v = 0;
	unsigned shift = 0;

	for (;;) {
		unsigned char c = (unsigned char)*(*p)++;

		v |= (uint64_t)(c & 0x7f) << shift;
		if (c < 0x80)
			return v;
		shift += 7;
	}
}
static inline size_t rv_compose_varint_len(uint64_t v)
{
	size_t n = 1;

	while (v >= 0x80) {
		n++;
		v >>= 7;
	}
	return n;
}
/* Checksums have vouched for the bytes: they are what was written. Returns where the next one
 * starts. */
static inline const char *rv_compose_entry_at(const char *p, struct rv_compose_entry *ret)
{
	ret->key_len = (size_t)rv_compose_varint(&p);
	ret->key = p;
	p += ret->key_len;
	ret->fragment_len = (size_t)rv_compose_varint(&p);
	ret->fragment = p;
	return p + ret->fragment_len;
}
static inline char *rv_compose_entry_write(char *o, const char *key, size_t key_len,
					   size_t fragment_len)
{
	o += rv_packed_head(o, key_len);
	memcpy(o, key, key_len);
	o += key_len;
	return o + rv_packed_head(o, fragment_len);
}
static inline size_t rv_compose_entry_bytes(size_t key_len, size_t fragment_len)
{
	return rv_compose_varint_len(key_len) + key_len + rv_compose_varint_len(fragment_len) +
	       fragment_len;
}

/* ---- order ---- */

struct rv_compose_by {
	size_t column;
	bool descending, number;
};
/* -1, 0, 1: as numbers of JSON, exactly; what is none comes behind them, by bytes. */
int rv_compose_number_order(const char *a, size_t a_len, const char *b, size_t b_len);
/* A number that is never greater for what comes first, so most comparisons need no more. */
uint64_t rv_compose_prefix(const struct rv_compose_by *by, size_t by_count, const char *row,
			   size_t len);
int rv_compose_row_order(const struct rv_compose_by *by, size_t by_count, const char *a,
			 size_t a_len, const char *b, size_t b_len);
/* The bytes of the first `columns` cells. */
size_t rv_compose_row_len(const char *fragment, size_t len, size_t columns);

/* ---- the tree ---- */

/* What of the rows of a node is joined by, sorted by the columns of the parent's table, so that
 * equal sets of columns make equal keys. */
struct rv_compose_key {
	size_t *columns;
	size_t count;
};

struct rv_compose_shown {
	char *prefix; /* ,"name":" without the last quote for literals; NULL: hidden */
	size_t prefix_len;
	bool literal;
};

struct rv_compose_node {
	struct rv_compose_node *parent; /* NULL: the root */
	size_t table, columns_count;
	struct rv_compose_shown *columns;
	char *path;  /* "orders.lines", the root's table; for messages and totals */
	char *field; /* ,"field": */
	size_t field_len;
	size_t index; /* in the totals; the root has none */
	bool many;
	bool owned;                      /* a row belongs to one parent: one without is an orphan */
	struct rv_compose_key on;        /* of its rows, to the parent; the root's: its key */
	struct rv_compose_key parent_on; /* of the parent's rows */
	struct rv_compose_by *by;
	size_t by_count;
	struct rv_compose_node **nests;
	size_t nests_count;
	size_t *blocks; /* nests in the order in which their blocks are in a fragment */
	size_t blocks_count;
	struct rv_compose_deal deal;
	const struct rv_compose_key *dealt_by; /* key of the entries in `deal` */
	bool by_root;             /* which is the root's key: rows of other shards are left out */
	struct rv_strbuf scratch; /* a key, while rows come in */
	struct rv_packed_cell *cells; /* of a row that comes in */
	uint64_t rows, orphans, keyless;
	struct rv_compose_lookup *lookup; /* NULL: its rows are in blocks of the parent's */
	bool looks_up; /* one of its nests has such rows in memory */
};

struct rv_compose {
	struct rv_compose_params params;
	char *folder;
	struct rv_compose_memory memory;
	struct rv_compose_node *root;
	struct rv_compose_node **nodes; /* the root, then as the totals */
	size_t nodes_count, nodes_capacity;
	size_t nests_max; /* of a node */
	unsigned bits;
	size_t chunk_bytes;
	uint64_t held_bytes;
	bool finished;
	pthread_mutex_t totals_lock;
	struct rv_compose_totals totals;
};

/* Empties `ret` and makes the key of a row. False: a cell of it is null, and there is no key. */
bool rv_compose_key_of(const struct rv_compose_key *key, const char *row, size_t len,
		       struct rv_strbuf *ret);
bool rv_compose_key_same(const struct rv_compose_key *a, const struct rv_compose_key *b);
uint64_t rv_compose_hash(const char *key, size_t len);
/* Whether documents of this root key are ours. */
bool rv_compose_in_shard(const struct rv_compose *compose, uint64_t hash);
void rv_compose_example(struct rv_compose *compose, struct rv_compose_examples *examples,
			const char *key, size_t key_len);
/* Empties `ret` and makes the text of an example of a key. */
void rv_compose_key_text(const char *key, size_t len, char ret[RV_COMPOSE_EXAMPLE_BYTES]);

/* ---- joining ---- */

struct rv_compose_ref {
	uint64_t hash, prefix;
	const char *entry;
};
/* The entries of a node in one group, in the order of (hash, key, order of children). */
struct rv_compose_sorted {
	const struct rv_compose_node *node;
	struct rv_compose_ref *refs;
	size_t count;
	uint32_t *buckets; /* where those of a bucket start; one more than there are */
	unsigned used_bits, bits;
	bool *matched; /* by the first ref of a key */
	size_t matched_count; /* refs of such keys */
};
struct rv_compose_buffer {
	char *bytes;
	size_t capacity;
};
/* What was found for a nest of a row. */
struct rv_compose_found {
	const struct rv_compose_ref *refs;
	size_t count;
	size_t block_len;
};
struct rv_compose_ready {
	const char *row; /* of the root, in the group that is worked on */
	size_t row_len, json_at, json_len;
};

/* What a thread works with. */
struct rv_compose_worker {
	struct rv_compose *compose;
	uint64_t max_bytes;               /* of a group */
	uint64_t max_ready_bytes;         /* of documents that wait for their turn */
	struct rv_compose_sorted *sorted; /* by nest; behind them the root's own */
	struct rv_compose_deal **loaded;  /* by the same */
	struct rv_compose_found *found;   /* by nest of the set */
	struct rv_compose_buffer spilled, piece, refs;
	struct rv_strbuf json, key;
	uint64_t json_taken;
	const char **blocks; /* by depth and nest */
	struct rv_compose_ready *ready;
	size_t ready_count, ready_capacity;
	size_t group; /* of the first level */
	struct rv_compose_output *output;
};
void rv_compose_worker_init(struct rv_compose_worker *worker, struct rv_compose *compose);
void rv_compose_worker_release(struct rv_compose_worker *worker);

/* Joins the nests of `set` into the fragments of a node and deals these by to_key. */
struct rv_compose_step {
	struct rv_compose_node *node;
	const size_t *set; /* nests */
	size_t set_count;
	struct rv_compose_deal *to; /* NULL: documents are made of them */
	const struct rv_compose_key *to_key;
	bool up;      /* to_key is the node's `on` */
	bool by_root; /* ... or leads to the root's key: other shards are left out */
};
/* One group of the step. deals[0] has the node's entries, those behind it the nests' of the set. */
enum rv_status rv_compose_join(struct rv_compose_worker *worker, const struct rv_compose_step *step,
			       struct rv_compose_deal **deals, size_t group,
			       struct rv_error *err) RV_MUST_CHECK;
/* Loads and sorts one group of each deal. */
enum rv_status rv_compose_load(struct rv_compose_worker *worker, struct rv_compose_deal **deals,
			       size_t count, size_t group, struct rv_error *err) RV_MUST_CHECK;

/* ---- documents ---- */

/* Appends the fragment to worker->json, as an object. The nests of `last` (Optional) are in
 * worker->found, not in blocks. Returns where the fragment ends. */
const char *rv_compose_render(struct rv_compose_worker *worker, const struct rv_compose_node *node,
			      const char *fragment, const char *end,
			      const struct rv_compose_step *last, size_t depth);

/* Documents of groups leave in the order of the groups. */
struct rv_compose_output {
	rv_compose_sink *sink;
	void *arg;
	pthread_mutex_t lock;
	pthread_cond_t moved;
	size_t turn; /* the group that writes */
	bool failed;
};
/* Waits for the turn of worker->group, and hands out what is ready. */
enum rv_status rv_compose_hand_out(struct rv_compose_worker *worker,
				   struct rv_error *err) RV_MUST_CHECK;

/* Rows in memory, by key, as JSON. */
struct rv_compose_lookup;
/* *ret is NULL when they are more than compose->held_bytes has left. */
enum rv_status rv_compose_lookup_new(struct rv_compose_worker *worker, struct rv_compose_node *node,
				     struct rv_compose_lookup **ret,
				     struct rv_error *err) RV_MUST_CHECK;
bool rv_compose_lookup_find(const struct rv_compose_lookup *lookup, const char *key, size_t len,
			    struct rv_str *ret_json);
void rv_compose_lookup_free(struct rv_compose_lookup *lookup, struct rv_compose_memory *memory);

#endif
