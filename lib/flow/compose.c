/*
 * The tree, and the steps in which it is joined: each node, once those below it are done, takes
 * their fragments into its own, one set of columns after another, and deals what came out by the
 * key of the next.
 */
#include "flow/compose_impl.h"

#include <stdlib.h>

#include "base/memory.h"
#include "base/number.h"

enum { THREADS_MAX = 256, CHUNK_LEAST_BYTES = 4096, CHUNK_MOST_BYTES = 65536,
       THREAD_LEAST_BYTES = 4 << 20 };

/* ---- keys ---- */

bool rv_compose_key_same(const struct rv_compose_key *a, const struct rv_compose_key *b)
{
	return a->count == b->count &&
	       memcmp(a->columns, b->columns, a->count * sizeof(*a->columns)) == 0;
}

static void key_add(struct rv_strbuf *key, const struct rv_packed_cell *cell)
{
	char *o;

	rv_strbuf_reserve(key, RV_PACKED_HEAD_BYTES + cell->len);
	o = key->bytes + key->len;
	o += rv_packed_head(o, cell->len);
	memcpy(o, cell->p, cell->len);
	key->len = (size_t)(o - key->bytes) + cell->len;
}

bool rv_compose_key_of(const struct rv_compose_key *key, const char *row, size_t len,
		       struct rv_strbuf *ret)
{
	ret->len = 0;
	for (size_t i = 0; i < key->count; i++) {
		struct rv_packed_cursor cursor = rv_packed_cursor_of(row, len);
		struct rv_packed_cell cell = { .p = row, .null = true };

		for (size_t k = 0; k <= key->columns[i]; k++)
			if (!rv_packed_next(&cursor, &cell))
				rv_bug("a row of documents has lost its columns");
		if (cell.null) {
			ret->len = 0;
			return false;
		}
		key_add(ret, &cell);
	}
	return true;
}

void rv_compose_key_text(const char *key, size_t len, char ret[RV_COMPOSE_EXAMPLE_BYTES])
{
	const char *p = key, *end = key + len;
	size_t n = 0;

	while (p < end && n < RV_COMPOSE_EXAMPLE_BYTES - 1) {
		size_t cell = (size_t)rv_compose_varint(&p);

		if (n)
			ret[n++] = ',';
		for (size_t i = 0; i < cell && n < RV_COMPOSE_EXAMPLE_BYTES - 1; i++)
			ret[n++] = (unsigned char)p[i] < 0x20 || p[i] == 0x7f ? '?' : p[i];
		p += cell;
	}
	/* A character that was cut in two is no text. */
	if (n == RV_COMPOSE_EXAMPLE_BYTES - 1) {
		while (n && ((unsigned char)ret[n - 1] & 0xc0) == 0x80)
			n--;
		if (n && (unsigned char)ret[n - 1] >= 0xc0)
			n--;
	}
	ret[n] = '\0';
}

void rv_compose_example(struct rv_compose *compose, struct rv_compose_examples *examples,
			const char *key, size_t key_len)
{
	char text[RV_COMPOSE_EXAMPLE_BYTES];
	size_t at;

	rv_compose_key_text(key, key_len, text);
	pthread_mutex_lock(&compose->totals_lock);
	for (at = 0; at < examples->count; at++) {
		int c = strcmp(text, examples->text[at]);

		if (c == 0)
			at = RV_COMPOSE_EXAMPLES;
		if (c <= 0)
			break;
	}
	if (at < RV_COMPOSE_EXAMPLES) {
		if (examples->count < RV_COMPOSE_EXAMPLES)
			examples->count++;
		memmove(examples->text[at + 1 < RV_COMPOSE_EXAMPLES ? at + 1 : at],
			examples->text[at], (examples->count - 1 - at) * sizeof(text));
		memcpy(examples->text[at], text, sizeof(text));
	}
	pthread_mutex_unlock(&compose->totals_lock);
}

bool rv_compose_in_shard(const struct rv_compose *compose, uint64_t hash)
{
	unsigned shards = compose->params.shards;

	/* Of the upper 32 bits, so that shards follow each other as groups do. */
	return shards < 2 || (unsigned)((hash >> 32) * shards >> 32) == compose->params.shard;
}

/* ---- the tree ---- */

static void key_copy(struct rv_compose_key *ret, const size_t *columns, size_t count, size_t limit)
{
	ret->columns = rv_malloc((count ? count : 1) * sizeof(*ret->columns));
	ret->count = count;
	for (size_t i = 0; i < count; i++) {
		if (columns[i] >= limit)
			rv_bug("a key of documents has column %zu of %zu", columns[i], limit);
		ret->columns[i] = columns[i];
	}
}

static void sort_columns(struct rv_compose_key *key)
{
	for (size_t i = 1; i < key->count; i++)
		for (size_t k = i; k && key->columns[k] < key->columns[k - 1]; k--) {
			size_t c = key->columns[k];

			key->columns[k] = key->columns[k - 1];
			key->columns[k - 1] = c;
		}
}

/* Pairs in the order of the parent's columns. */
static void copy_on(struct rv_compose_node *node, const struct rv_compose_nest *nest,
		    size_t child_limit, size_t parent_limit)
{
	size_t n = nest->on_count;
	RV_CLEANUP(rv_free_p) size_t *child = rv_malloc(n * sizeof(*child));
	RV_CLEANUP(rv_free_p) size_t *parent = rv_malloc(n * sizeof(*parent));

	for (size_t i = 0; i < n; i++) {
		size_t k = i;

		for (; k && parent[k - 1] > nest->on[i].parent; k--) {
			parent[k] = parent[k - 1];
			child[k] = child[k - 1];
		}
		parent[k] = nest->on[i].parent;
		child[k] = nest->on[i].child;
	}
	key_copy(&node->on, child, n, child_limit);
	key_copy(&node->parent_on, parent, n, parent_limit);
}

static bool has(const struct rv_compose_key *key, size_t column)
{
	for (size_t i = 0; i < key->count; i++)
		if (key->columns[i] == column)
			return true;
	return false;
}

static void add_by(struct rv_compose_node *node, const struct rv_compose_table *table,
		   size_t column, bool descending)
{
	if (column >= table->columns_count)
		rv_bug("documents are ordered by column %zu of %s", column, table->name);
	node->by[node->by_count++] = (struct rv_compose_by){
		.column = column,
		.descending = descending,
		.number = table->columns[column].number,
	};
}

/* What of a table a node shows, and its order. `nest` is NULL for the root, whose rows have one of
 * each key. */
static void copy_table(struct rv_compose_node *node, const struct rv_compose_table *table,
		       const struct rv_compose_nest *nest)
{
	node->columns_count = table->columns_count;
	node->columns = rv_calloc(table->columns_count + 1, sizeof(*node->columns));
	node->cells = rv_calloc(table->columns_count + 1, sizeof(*node->cells));
	for (size_t i = 0; i < table->columns_count; i++) {
		const struct rv_compose_column *column = &table->columns[i];
		struct rv_strbuf prefix = RV_STRBUF_INIT;

		node->columns[i].literal = column->literal;
		if (column->hidden || (nest && nest->hide_on && has(&node->on, i)))
			continue;
		rv_strbuf_putc(&prefix, ',');
		rv_strbuf_json(&prefix, column->name, strlen(column->name));
		rv_strbuf_puts(&prefix, column->literal ? ":" : ":\"");
		rv_strbuf_reserve(&prefix, RV_COMPOSE_SLACK);
		node->columns[i].prefix_len = prefix.len;
		node->columns[i].prefix = rv_strbuf_take(&prefix);
	}
	if (!nest)
		return;
	size_t order = nest->order_by_count;

	node->by = rv_calloc(order + table->key_count + 1, sizeof(*node->by));
	for (size_t i = 0; i < order; i++)
		add_by(node, table, nest->order_by[i].column, nest->order_by[i].descending);
	for (size_t i = 0; i < table->key_count; i++)
		add_by(node, table, table->key[i], false);
}

static void node_free(struct rv_compose_node *node, struct rv_compose_memory *memory)
{
	if (!node)
		return;
	for (size_t i = 0; i < node->nests_count; i++)
		node_free(node->nests[i], memory);
	for (size_t i = 0; i < node->columns_count; i++)
		free(node->columns[i].prefix);
	rv_compose_lookup_free(node->lookup, memory);
	rv_compose_deal_release(&node->deal);
	rv_strbuf_release(&node->scratch);
	free(node->columns);
	free(node->cells);
	free(node->path);
	free(node->field);
	free(node->on.columns);
	free(node->parent_on.columns);
	free(node->by);
	free(node->nests);
	free(node->blocks);
	free(node);
}

static enum rv_status unique_fields(const struct rv_compose_table *table,
				    const struct rv_compose_node *node,
				    const struct rv_compose_nest *nests, size_t count,
				    struct rv_error *err)
{
	for (size_t i = 0; i < count; i++) {
		bool taken = false;

		for (size_t k = 0; k < table->columns_count; k++)
			taken |= node->columns[k].prefix &&
				 strcmp(table->columns[k].name, nests[i].field) == 0;
		for (size_t k = 0; k < i; k++)
			taken |= strcmp(nests[k].field, nests[i].field) == 0;
		if (taken) {
			rv_fail(err, RV_BAD_CONFIG, "field %s is there twice in what is made of %s",
				nests[i].field, table->name);
			rv_hint(err, "give the nest another name");
			return err->status;
		}
	}
	return RV_OK;
}

static enum rv_status add_nests(struct rv_compose *compose, const struct rv_compose_spec *spec,
				struct rv_compose_node *parent, const struct rv_compose_nest *nests,
				size_t count, size_t depth, struct rv_error *err)
{
	const struct rv_compose_table *table = &spec->tables[parent->table];

	if (count && depth > RV_COMPOSE_DEPTH_MAX)
		return rv_fail(err, RV_BAD_CONFIG, "nests of documents are more than %d deep",
			       RV_COMPOSE_DEPTH_MAX);
	if (unique_fields(table, parent, nests, count, err) != RV_OK)
		return err->status;
	parent->nests = rv_calloc(count + 1, sizeof(*parent->nests));
	parent->blocks = rv_calloc(count + 1, sizeof(*parent->blocks));
	if (count > compose->nests_max)
		compose->nests_max = count;
	for (size_t i = 0; i < count; i++) {
		const struct rv_compose_nest *nest = &nests[i];
		struct rv_compose_node *node = rv_calloc(1, sizeof(*node));

		parent->nests[parent->nests_count++] = node;
		if (nest->table >= spec->tables_count || !nest->on_count)
			rv_bug("nest %s of documents has no table or nothing to join by",
			       nest->field);
		const struct rv_compose_table *own = &spec->tables[nest->table];
		struct rv_strbuf field = RV_STRBUF_INIT;

		node->scratch = (struct rv_strbuf)RV_STRBUF_INIT;
		node->parent = parent;
		node->table = nest->table;
		node->many = nest->many;
		rv_strbuf_putc(&field, ',');
		rv_strbuf_json(&field, nest->field, strlen(nest->field));
		rv_strbuf_putc(&field, ':');
		rv_strbuf_reserve(&field, RV_COMPOSE_SLACK);
		node->field_len = field.len;
		node->field = rv_strbuf_take(&field);
		node->path = parent->parent ? rv_asprintf("%s.%s", parent->path, nest->field)
					    : rv_strdup(nest->field);
		copy_on(node, nest, own->columns_count, table->columns_count);
		copy_table(node, own, nest);
		RV_CLEANUP(rv_free_p) size_t *key_columns = NULL;
		struct rv_compose_key key = { 0 };

		key_copy(&key, table->key, table->key_count, table->columns_count);
		key_columns = key.columns;
		sort_columns(&key);
		node->owned =
			node->many || (key.count && rv_compose_key_same(&key, &node->parent_on));
		RV_GROW(compose->nodes, compose->nodes_count, compose->nodes_capacity);
		node->index = compose->nodes_count - 1;
		compose->nodes[compose->nodes_count++] = node;
		if (add_nests(compose, spec, node, nest->nests, nest->nests_count, depth + 1,
			      err) != RV_OK)
			return err->status;
	}
	return RV_OK;
}

/* Rows are dealt by what they will be joined by first, or by what they are joined to. */
static const struct rv_compose_key *first_key(const struct rv_compose_node *node)
{
	const struct rv_compose_key *first = NULL;

	for (size_t i = 0; i < node->nests_count; i++) {
		const struct rv_compose_node *nest = node->nests[i];

		if (!nest->owned || (first && rv_compose_key_same(first, &nest->parent_on)))
			continue;
		/* The root's key is the last one. */
		if (!first || (!node->parent && rv_compose_key_same(first, &node->on)))
			first = &nest->parent_on;
	}
	return first ? first : &node->on;
}

/* Whether a key of the node's rows is the root's, which says to which shard they belong. */
static bool is_root_key(const struct rv_compose *compose, const struct rv_compose_node *node,
			const struct rv_compose_key *key)
{
	const struct rv_compose_node *root = compose->root;

	if (node == root)
		return rv_compose_key_same(key, &root->on);
	return node->parent == root && key == &node->on &&
	       rv_compose_key_same(&node->parent_on, &root->on);
}

static void plan_memory(struct rv_compose *compose)
{
	uint64_t max = compose->params.max_memory_bytes;

	/* Every node has a chunk open in each group, and so has what a step deals into. */
	compose->bits = max < 64 << 20 ? 4 : max < 256 << 20 ? 6 : 8;
	uint64_t nodes = compose->nodes_count + 2, chunk;

	while ((chunk = max / 8 / (nodes << compose->bits)) < CHUNK_LEAST_BYTES && compose->bits > 1)
		compose->bits--;
	compose->chunk_bytes = chunk > CHUNK_MOST_BYTES ? CHUNK_MOST_BYTES : (size_t)chunk;
	compose->held_bytes = max / 8;
	compose->memory.max_bytes = max;
	/* Each has its part of the memory, which has to be of use. */
	if (compose->params.threads > max / THREAD_LEAST_BYTES)
		compose->params.threads = (unsigned)(max / THREAD_LEAST_BYTES);
}

static enum rv_status check_params(const struct rv_compose_params *params, struct rv_error *err)
{
	char size[RV_NUMBER_TEXT], least[RV_NUMBER_TEXT];

	if (params->shards && params->shard >= params->shards)
		rv_bug("shard %u of %u", params->shard, params->shards);
	if (params->max_memory_bytes >= RV_COMPOSE_MEMORY_MIN)
		return RV_OK;
	return rv_fail(err, RV_BAD_CONFIG,
		       "%s of memory is too little for documents, the least is %s",
		       rv_format_size(params->max_memory_bytes, size),
		       rv_format_size(RV_COMPOSE_MEMORY_MIN, least));
}

enum rv_status rv_compose_new(const struct rv_compose_spec *spec,
			      const struct rv_compose_params *params, struct rv_compose **ret,
			      struct rv_error *err)
{
	if (check_params(params, err) != RV_OK)
		return err->status;
	RV_CLEANUP(rv_compose_free_p) struct rv_compose *compose = rv_calloc(1, sizeof(*compose));
	const struct rv_compose_table *table = &spec->tables[spec->root];
	struct rv_compose_node *root = rv_calloc(1, sizeof(*root));

	compose->params = *params;
	if (!params->threads)
		compose->params.threads = 1;
	if (compose->params.threads > THREADS_MAX)
		compose->params.threads = THREADS_MAX;
	compose->folder = rv_strdup(params->spill_folder);
	pthread_mutex_init(&compose->totals_lock, NULL);
	compose->root = root;
	RV_GROW(compose->nodes, compose->nodes_count, compose->nodes_capacity);
	compose->nodes[compose->nodes_count++] = root;
	root->scratch = (struct rv_strbuf)RV_STRBUF_INIT;
	root->table = spec->root;
	root->path = rv_strdup(table->name);
	if (!table->key_count)
		rv_bug("documents of %s, which has no key", table->name);
	key_copy(&root->on, table->key, table->key_count, table->columns_count);
	sort_columns(&root->on);
	copy_table(root, table, NULL);
	if (add_nests(compose, spec, root, spec->nests, spec->nests_count, 1, err) != RV_OK)
		return err->status;
	compose->totals.nests_count = compose->nodes_count - 1;
	compose->totals.nests = rv_calloc(compose->nodes_count, sizeof(*compose->totals.nests));
	for (size_t i = 1; i < compose->nodes_count; i++)
		compose->totals.nests[i - 1].path = compose->nodes[i]->path;
	plan_memory(compose);
	for (size_t i = 0; i < compose->nodes_count; i++) {
		struct rv_compose_node *node = compose->nodes[i];

		node->dealt_by = first_key(node);
		node->by_root = is_root_key(compose, node, node->dealt_by);
		rv_compose_deal_init(&node->deal, &compose->memory, compose->folder, 0,
				     compose->bits, compose->chunk_bytes);
	}
	*ret = rv_take(compose);
	return RV_OK;
}

void rv_compose_free(struct rv_compose *compose)
{
	if (!compose)
		return;
	node_free(compose->root, &compose->memory);
	pthread_mutex_destroy(&compose->totals_lock);
	free(compose->totals.nests);
	free(compose->nodes);
	free(compose->folder);
	free(compose);
}

void rv_compose_free_p(struct rv_compose **compose)
{
	rv_compose_free(*compose);
}

const struct rv_compose_totals *rv_compose_totals(const struct rv_compose *compose)
{
	return &compose->totals;
}

/* ---- rows ---- */

static enum rv_status add_row(struct rv_compose *compose, struct rv_compose_node *node,
			      const char *row, size_t len, struct rv_error *err)
{
	const struct rv_compose_key *by = node->dealt_by;
	struct rv_strbuf *key = &node->scratch;
	bool null = false;
	uint64_t hash;
	char *o;

	node->rows++;
	if (!node->parent)
		for (size_t i = 0; i < node->on.count; i++)
			null |= node->cells[node->on.columns[i]].null;
	if (null) {
		node->keyless++;
		return RV_OK;
	}
	key->len = 0;
	for (size_t i = 0; i < by->count && !null; i++) {
		null = node->cells[by->columns[i]].null;
		if (!null)
			key_add(key, &node->cells[by->columns[i]]);
	}
	if (null && by == &node->on) {
		node->orphans += node->owned;
		return RV_OK;
	}
	if (null) {
		key->len = 0;
		hash = rv_compose_hash(row, len);
	} else {
		hash = rv_compose_hash(key->bytes, key->len);
	}
	if (node->by_root && !rv_compose_in_shard(compose, hash))
		return RV_OK;
	if (rv_compose_deal_open(&node->deal, hash, rv_compose_entry_bytes(key->len, len), &o,
				 err) != RV_OK)
		return err->status;
	o = rv_compose_entry_write(o, key->bytes, key->len, len);
	memcpy(o, row, len);
	rv_compose_deal_close(&node->deal, hash);
	return RV_OK;
}

enum rv_status rv_compose_row(struct rv_compose *compose, size_t table, const char *row, size_t len,
			      struct rv_error *err)
{
	if (len > compose->memory.max_bytes / 8) {
		char size[RV_NUMBER_TEXT], most[RV_NUMBER_TEXT];

		return rv_fail(err, RV_BAD_DATA, "a row takes %s, too much for %s of memory",
			       rv_format_size(len, size),
			       rv_format_size(compose->memory.max_bytes, most));
	}
	for (size_t i = 0; i < compose->nodes_count; i++) {
		struct rv_compose_node *node = compose->nodes[i];
		struct rv_packed_cursor cursor = rv_packed_cursor_of(row, len);
		size_t n = 0;

		if (node->table != table)
			continue;
		while (n < node->columns_count && rv_packed_next(&cursor, &node->cells[n]))
			n++;
		if (n < node->columns_count || cursor.p != cursor.end)
			return rv_fail(err, RV_BAD_DATA, "a row for %s is none of %zu columns",
				       node->path, node->columns_count);
		if (add_row(compose, node, row, len, err) != RV_OK)
			return err->status;
	}
	return RV_OK;
}

/* ---- steps ---- */

struct run {
	struct rv_compose *compose;
	const struct rv_compose_step *step;
	struct rv_compose_deal **deals;
	struct rv_compose_output *output;
	_Atomic size_t next;
	pthread_mutex_t lock;
	enum rv_status status;
	struct rv_error err; /* the first one */
};

/* A worker is the thread's, and goes when it ends. */
static void *work(void *arg)
{
	struct run *run = arg;
	struct rv_compose_output *output = run->output;
	struct rv_error err = RV_ERROR_INIT;
	struct rv_compose_worker worker;

	rv_compose_worker_init(&worker, run->compose);
	worker.output = output;
	for (;;) {
		worker.group = atomic_fetch_add(&run->next, 1);
		if (worker.group >= rv_compose_groups(run->deals[0]))
			break;
		enum rv_status status =
			rv_compose_join(&worker, run->step, run->deals, worker.group, &err);

		/* An empty group, or one without roots, has not waited yet. */
		pthread_mutex_lock(&output->lock);
		while (status == RV_OK && !run->step->to && !output->failed &&
		       output->turn != worker.group)
			pthread_cond_wait(&output->moved, &output->lock);
		if (status != RV_OK && !output->failed) {
			output->failed = true;
			run->status = status;
			run->err = err;
		}
		output->turn++;
		bool failed = output->failed;

		pthread_cond_broadcast(&output->moved);
		pthread_mutex_unlock(&output->lock);
		if (failed)
			break;
	}
	rv_compose_worker_release(&worker);
	return NULL;
}

static enum rv_status run_step(struct rv_compose *compose, const struct rv_compose_step *step,
			       struct rv_compose_deal **deals, struct rv_compose_output *output,
			       struct rv_error *err)
{
	struct run run = {
		.compose = compose,
		.step = step,
		.deals = deals,
		.output = output,
		.status = RV_OK,
	};
	unsigned others = compose->params.threads - 1, started = 0;
	RV_CLEANUP(rv_free_p) pthread_t *threads = rv_calloc(others + 1, sizeof(*threads));

	output->turn = 0;
	/* With fewer threads than wished for it takes longer, and that is all. */
	for (; started < others; started++)
		if (pthread_create(&threads[started], NULL, work, &run) != 0)
			break;
	work(&run);
	for (unsigned i = 0; i < started; i++)
		pthread_join(threads[i], NULL);
	if (run.status != RV_OK)
		*err = run.err;
	return run.status;
}

/* Takes the nests of the set into the node's fragments, which are dealt by `key` from now on. */
static enum rv_status step_to(struct rv_compose *compose, struct rv_compose_node *node,
			      const size_t *set, size_t count, const struct rv_compose_key *key,
			      struct rv_compose_output *output, struct rv_error *err)
{
	struct rv_compose_deal to;
	RV_CLEANUP(rv_free_p)
	struct rv_compose_deal **deals = rv_calloc(count + 1, sizeof(struct rv_compose_deal *));
	struct rv_compose_step step = {
		.node = node,
		.set = set,
		.set_count = count,
		.to = key ? &to : NULL,
		.to_key = key,
		.up = key == &node->on,
		.by_root = key && is_root_key(compose, node, key),
	};
	enum rv_status status;

	deals[0] = &node->deal;
	for (size_t i = 0; i < count; i++)
		deals[i + 1] = &node->nests[set[i]]->deal;
	if (key) {
		rv_compose_deal_init(&to, &compose->memory, compose->folder, 0, compose->bits,
				     compose->chunk_bytes);
		to.shared = compose->params.threads > 1;
	}
	status = run_step(compose, &step, deals, output, err);
	for (size_t i = 0; i <= count; i++)
		rv_compose_deal_release(deals[i]);
	if (!key)
		return status;
	node->deal = to;
	node->dealt_by = key;
	for (size_t i = 0; i < count; i++)
		node->blocks[node->blocks_count++] = set[i];
	return status;
}

/* Nests that share the columns of `key` and are joined, not looked up. */
static size_t set_of(const struct rv_compose_node *node, const struct rv_compose_key *key,
		     size_t *ret)
{
	size_t count = 0;

	for (size_t i = 0; i < node->nests_count; i++)
		if (!node->nests[i]->lookup && rv_compose_key_same(&node->nests[i]->parent_on, key))
			ret[count++] = i;
	return count;
}

static bool is_done(const struct rv_compose_node *node, size_t nest)
{
	for (size_t i = 0; i < node->blocks_count; i++)
		if (node->blocks[i] == nest)
			return true;
	return false;
}

/* The columns to join by next: those the rows are dealt by, if there is something to join by them,
 * else any, the root's key last. NULL: all is joined. */
static const struct rv_compose_key *next_key(const struct rv_compose_node *node,
					     const size_t *without, size_t without_count)
{
	const struct rv_compose_key *next = NULL;

	for (size_t i = 0; i < node->nests_count; i++) {
		const struct rv_compose_node *nest = node->nests[i];
		bool skip = nest->lookup || is_done(node, i);

		for (size_t k = 0; k < without_count; k++)
			skip |= without[k] == i;
		if (skip)
			continue;
		if (!node->parent && rv_compose_key_same(&nest->parent_on, &node->on))
			continue;
		if (rv_compose_key_same(&nest->parent_on, node->dealt_by))
			return &nest->parent_on;
		if (!next)
			next = &nest->parent_on;
	}
	return next;
}

/* In memory, what is small enough. */
static enum rv_status hold(struct rv_compose *compose, struct rv_compose_node *node,
			   struct rv_error *err)
{
	struct rv_compose_worker worker;
	enum rv_status status = RV_OK;

	rv_compose_worker_init(&worker, compose);
	for (size_t i = 0; i < node->nests_count && status == RV_OK; i++)
		if (!node->nests[i]->owned)
			status = rv_compose_lookup_new(&worker, node->nests[i],
						       &node->nests[i]->lookup, err);
	for (size_t i = 0; i < node->nests_count; i++)
		node->looks_up |= node->nests[i]->lookup != NULL;
	rv_compose_worker_release(&worker);
	return status;
}

static enum rv_status finish_node(struct rv_compose *compose, struct rv_compose_node *node,
				  struct rv_compose_output *output, struct rv_error *err)
{
	for (size_t i = 0; i < node->nests_count; i++)
		if (finish_node(compose, node->nests[i], output, err) != RV_OK)
			return err->status;
	if (hold(compose, node, err) != RV_OK)
		return err->status;
	RV_CLEANUP(rv_free_p) size_t *set = rv_calloc(node->nests_count + 1, sizeof(*set));
	const struct rv_compose_key *key, *then;

	for (key = next_key(node, NULL, 0); key; key = then) {
		size_t count;

		if (!rv_compose_key_same(key, node->dealt_by)) {
			if (step_to(compose, node, NULL, 0, key, output, err) != RV_OK)
				return err->status;
		}
		count = set_of(node, key, set);
		then = next_key(node, set, count);
		if (step_to(compose, node, set, count, then ? then : &node->on, output, err) !=
		    RV_OK)
			return err->status;
	}
	if (node->parent)
		return RV_OK;
	if (!rv_compose_key_same(node->dealt_by, &node->on) &&
	    step_to(compose, node, NULL, 0, &node->on, output, err) != RV_OK)
		return err->status;
	return step_to(compose, node, set, set_of(node, &node->on, set), NULL, output, err);
}

enum rv_status rv_compose_finish(struct rv_compose *compose, rv_compose_sink *sink, void *arg,
				 struct rv_error *err)
{
	struct rv_compose_totals *totals = &compose->totals;
	struct rv_compose_output output = { .sink = sink, .arg = arg };
	enum rv_status status;

	if (compose->finished)
		rv_bug("documents are composed once");
	compose->finished = true;
	totals->keyless_roots = compose->root->keyless;
	for (size_t i = 0; i < compose->nodes_count; i++) {
		totals->rows += compose->nodes[i]->rows;
		if (i)
			totals->nests[i - 1].orphans = compose->nodes[i]->orphans;
	}
	pthread_mutex_init(&output.lock, NULL);
	pthread_cond_init(&output.moved, NULL);
	status = finish_node(compose, compose->root, &output, err);
	pthread_cond_destroy(&output.moved);
	pthread_mutex_destroy(&output.lock);
	totals->spilled_bytes = compose->memory.spilled;
	totals->peak_bytes = compose->memory.peak;
	return status;
}
