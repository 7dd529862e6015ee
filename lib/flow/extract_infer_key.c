/* Keys and relations: which column, or which two of them, no two rows agree in, and which columns have only
 * values that are a key elsewhere. Names decide between what the values leave open. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/number.h"
#include "flow/extract_infer_impl.h"
#include "format/record_hash.h"

enum {
	FIRST_ROWS = 16384,    /* pairs are chosen by these */
	TRACKED = 256,         /* columns looked at, from the left */
	UNIQUE_MOST = 1 << 20, /* values compared of each column and pair */
	UNIQUE_KEPT = 4,       /* columns compared behind the first rows */
	SAMPLE_MOST = 4096,
};

size_t rv_infer_singular(const char *name)
{
	size_t len = strlen(name);

	if (len > 3 && strcmp(name + len - 3, "ies") == 0)
		return len - 3;
	if (len > 4 && (strcmp(name + len - 3, "ses") == 0 || strcmp(name + len - 3, "xes") == 0))
		return len - 2;
	return len > 2 && name[len - 1] == 's' && name[len - 2] != 's' ? len - 1 : len;
}

static bool ends_in(const char *name, const char *const *words)
{
	for (; *words; words++) {
		size_t len = strlen(name), n = strlen(*words);

		if (len >= n && strcmp(name + len - n, *words) == 0 && (len == n || name[len - n - 1] == '_'))
			return true;
	}
	return false;
}

static bool is_identifier(const char *column)
{
	static const char *const words[] = { "id", "key", "code", "number", "nr", "no", "num", "uuid",
					     "guid", "sku", "ref", "pk", NULL };
	size_t len = strlen(column);

	return ends_in(column, words) || (len > 3 && strcmp(column + len - 2, "id") == 0);
}

/* A number within something larger. */
static bool is_position(const char *column)
{
	static const char *const words[] = { "line", "seq", "sequence", "pos", "position", "item", "index",
					     "line_no", "line_nr", "line_number", "item_no", "lineno",
					     "pos_nr", "position_no", "version", "rank", NULL };

	return ends_in(column, words);
}

unsigned rv_infer_key_name(const char *table, const char *column)
{
	size_t stem = rv_infer_singular(table);

	if (is_position(column))
		return 1;
	if (!is_identifier(column))
		return 0;
	/* customers.id, customers.customer_id, customers.customerid */
	return strcmp(column, "id") == 0 || strncmp(column, table, stem) == 0 ? 4 : 2;
}

/* ---- one table ---- */

void rv_infer_key_start(struct rv_infer_table *table)
{
	size_t tracked = table->columns_count < TRACKED ? table->columns_count : TRACKED;

	for (size_t i = 0; i < table->columns_count; i++) {
		struct rv_infer_column *column = &table->columns[i];

		column->tracked = i < tracked && column->name;
		column->unique = column->tracked;
		rv_infer_set_init(&column->all, UNIQUE_MOST);
		rv_infer_set_init(&column->sample, SAMPLE_MOST);
	}
	table->first = rv_calloc(FIRST_ROWS * tracked, sizeof(*table->first));
	table->first_rows = 0;
	table->elected = false;
}

static uint64_t pair_hash(uint64_t a, uint64_t b)
{
	const uint64_t both[2] = { a, b };

	return rv_record_hash(both, sizeof(both));
}

/* Whether no two of the first rows agree in both, with what there is of them in the set. */
static bool pair_is_unique(const struct rv_infer_table *table, struct rv_infer_pair *pair)
{
	size_t tracked = table->columns_count < TRACKED ? table->columns_count : TRACKED;

	rv_infer_set_init(&pair->all, UNIQUE_MOST);
	for (size_t i = 0; i < table->first_rows; i++) {
		const uint64_t *row = table->first + i * tracked;

		if (!rv_infer_set_add(&pair->all, pair_hash(row[pair->a], row[pair->b]))) {
			rv_infer_set_release(&pair->all);
			return false;
		}
	}
	return true;
}

static unsigned pair_score(const struct rv_infer_table *table, size_t a, size_t b)
{
	const char *x = table->columns[a].name, *y = table->columns[b].name;
	unsigned n = rv_infer_key_name(table->name, x) + rv_infer_key_name(table->name, y);

	/* an order and the place in it */
	if ((is_identifier(x) && is_position(y)) || (is_position(x) && is_identifier(y)))
		n += 8;
	/* a name has no part in it: next come an identifier and anything else */
	else if (is_identifier(x) && is_identifier(y))
		n += 2;
	return n;
}

static int by_rank(const void *a, const void *b)
{
	const uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

/* Of the columns that repeat, the pairs that do not, the likeliest first. */
static void elect_pairs(struct rv_infer_table *table)
{
	size_t tracked = table->columns_count < TRACKED ? table->columns_count : TRACKED, count = 0;
	RV_CLEANUP(rv_free_p)
	uint64_t *ranks = rv_calloc(tracked * tracked / 2 + 1, sizeof(*ranks));

	for (size_t a = 0; a < tracked; a++)
		for (size_t b = a + 1; b < tracked; b++) {
			const struct rv_infer_column *x = &table->columns[a], *y = &table->columns[b];

			if (!x->name || !y->name || x->unique || y->unique || x->nulls || y->nulls)
				continue;
			/* the sample's guess of what is different may be off by a few of a hundred */
			if (rv_infer_set_distinct(&x->sample) * rv_infer_set_distinct(&y->sample) <
			    (double)table->first_rows / 2)
				continue;
			ranks[count++] = (uint64_t)(64 - pair_score(table, a, b)) << 32 | a << 16 | b;
		}
	qsort(ranks, count, sizeof(*ranks), by_rank);
	for (size_t i = 0; i < count && i < 512 && table->pairs_count < RV_INFER_PAIRS; i++) {
		struct rv_infer_pair *pair = &table->pairs[table->pairs_count];

		*pair = (struct rv_infer_pair){ .a = ranks[i] >> 16 & 0xffff, .b = ranks[i] & 0xffff,
						.unique = true };
		if (pair_is_unique(table, pair))
			table->pairs_count++;
	}
}

/* Likelier keys first; a time or an amount is none. */
static int64_t column_rank(const struct rv_infer_table *table, size_t i)
{
	const struct rv_infer_column *column = &table->columns[i];
	const struct rv_infer_type *seen = &column->seen;
	int64_t rank = (int64_t)rv_infer_key_name(table->name, column->name) * 1000;

	if (seen->formats || (seen->number && !seen->integer) || seen->boolean)
		rank -= 10000;
	return rank - (int64_t)i;
}

static void elect(struct rv_infer_table *table)
{
	table->elected = true;
	elect_pairs(table);
	/* the rest has to stay within memory */
	for (size_t kept = 0;; kept++) {
		size_t best = RV_INFER_NONE, unique = 0;
		int64_t least = 0;

		for (size_t i = 0; i < table->columns_count; i++) {
			if (!table->columns[i].unique)
				continue;
			int64_t rank = column_rank(table, i);

			if (!unique++ || rank < least) {
				least = rank;
				best = i;
			}
		}
		if (unique <= UNIQUE_KEPT)
			break;
		table->columns[best].unique = false;
		rv_infer_set_release(&table->columns[best].all);
	}
	free(table->first);
	table->first = NULL;
}

void rv_infer_key_row(struct rv_infer_table *table, const uint64_t *hashes)
{
	size_t tracked = table->columns_count < TRACKED ? table->columns_count : TRACKED;

	if (!table->elected) {
		memcpy(table->first + table->first_rows * tracked, hashes, tracked * sizeof(*hashes));
		table->first_rows++;
	}
	for (size_t i = 0; i < tracked; i++) {
		struct rv_infer_column *column = &table->columns[i];

		if (!column->tracked)
			continue;
		if (hashes[i])
			rv_infer_set_add(&column->sample, hashes[i]);
		if (column->unique && (!hashes[i] || !rv_infer_set_add(&column->all, hashes[i]))) {
			column->unique = false;
			rv_infer_set_release(&column->all);
		}
	}
	if (table->elected) {
		for (size_t i = 0; i < table->pairs_count; i++) {
			struct rv_infer_pair *pair = &table->pairs[i];
			uint64_t a = hashes[pair->a], b = hashes[pair->b];

			if (pair->unique && (!a || !b || !rv_infer_set_add(&pair->all, pair_hash(a, b)))) {
				pair->unique = false;
				rv_infer_set_release(&pair->all);
			}
		}
	} else if (table->first_rows == FIRST_ROWS) {
		elect(table);
	}
}

static void say_sampled(const struct rv_infer_table *table, const struct rv_infer_set *set,
			struct rv_strbuf *why)
{
	char text[RV_NUMBER_TEXT];

	rv_strbuf_printf(why, "unique in %s row%s sampled", rv_format_count(table->rows, text),
			 table->rows == 1 ? "" : "s");
	if (set->threshold != UINT64_MAX)
		rv_strbuf_printf(why, ", of which 1 in %.0f was compared", 18446744073709551616.0 /
				 (double)set->threshold);
}

/* Few rows prove little: then the name has to say so too. */
static bool is_convincing(const struct rv_infer_table *table, size_t i)
{
	return column_rank(table, i) > -1000 &&
	       (table->rows >= 100 || rv_infer_key_name(table->name, table->columns[i].name) >= 2);
}

static void choose_key(struct rv_infer_table *table)
{
	size_t best = RV_INFER_NONE, others = 0;

	for (size_t i = 0; i < table->columns_count; i++)
		if (table->columns[i].unique && is_convincing(table, i) &&
		    (best == RV_INFER_NONE || column_rank(table, i) > column_rank(table, best)))
			best = i;
	/* an order's line is better told by its number than by a text that happens not to repeat */
	const struct rv_infer_pair *pair = NULL;

	for (size_t i = 0; i < table->pairs_count && !pair; i++)
		if (table->pairs[i].unique)
			pair = &table->pairs[i];
	unsigned best_name = best == RV_INFER_NONE
				     ? 0 : rv_infer_key_name(table->name, table->columns[best].name);
	/* and few rows do not repeat much */
	bool named = best_name >= 4 || (best_name && table->rows >= 100);
	unsigned score = pair ? pair_score(table, pair->a, pair->b) : 0;

	if (best != RV_INFER_NONE && (named || score < 8)) {
		table->key[0] = best;
		table->key_count = 1;
		say_sampled(table, &table->columns[best].all, &table->key_why);
		for (size_t i = 0; i < table->columns_count; i++)
			if (i != best && table->columns[i].unique && is_convincing(table, i))
				rv_strbuf_printf(&table->key_why, "%s%s", others++ ? ", " : "; so is ",
						 table->columns[i].name);
	} else if (pair && table->rows > 1 && (score >= 2 || table->rows >= 100)) {
		table->key[0] = pair->a;
		table->key[1] = pair->b;
		table->key_count = 2;
		rv_strbuf_puts(&table->key_why, "together ");
		say_sampled(table, &pair->all, &table->key_why);
		for (size_t i = 0; i < table->pairs_count; i++)
			if (&table->pairs[i] != pair && table->pairs[i].unique)
				rv_strbuf_printf(&table->key_why, "%s%s + %s", others++ ? ", " : "; so are ",
						 table->columns[table->pairs[i].a].name,
						 table->columns[table->pairs[i].b].name);
	} else {
		char text[RV_NUMBER_TEXT];

		rv_strbuf_printf(&table->key_why, "%s in %s row%s sampled",
				 table->rows ? "no column and no two that look like one are unique"
					     : "nothing to be seen", rv_format_count(table->rows, text),
				 table->rows == 1 ? "" : "s");
	}
}

void rv_infer_key_end(struct rv_infer_table *table, size_t kept)
{
	if (!table->elected)
		elect(table);
	choose_key(table);
	for (size_t i = 0; i < table->pairs_count; i++)
		rv_infer_set_release(&table->pairs[i].all);
	for (size_t i = 0; i < table->columns_count; i++)
		if (table->key_count != 1 || table->key[0] != i)
			rv_infer_set_release(&table->columns[i].all);
		else
			rv_infer_set_shrink(&table->columns[i].all, kept);
}

/* ---- relations ---- */

/* Names that every table may have. */
static bool is_generic(const char *name)
{
	static const char *const words[] = { "id", "code", "key", "no", "nr", "number", "name", "type",
					     "status", "uuid", "guid", "ref", "num", "pk", NULL };

	for (size_t i = 0; words[i]; i++)
		if (strcmp(words[i], name) == 0)
			return true;
	return false;
}

/* How much a column is called like the key of a table. */
static unsigned name_score(const char *column, const struct rv_infer_table *parent, const char *key)
{
	size_t stem = rv_infer_singular(parent->name), len = strlen(column), key_len = strlen(key);
	RV_CLEANUP(rv_free_p) char *singular = rv_strndup(parent->name, stem);

	if (!is_generic(key)) {
		if (strcmp(column, key) == 0)
			return 4;
		if (len > key_len && column[len - key_len - 1] == '_' &&
		    strcmp(column + len - key_len, key) == 0)
			return 3;
	}
	const char *at = stem >= 3 ? strstr(column, singular) : NULL;

	if (!at || (at != column && at[-1] != '_'))
		return 0;
	/* customer_id, billing_customer_id, customer */
	at += stem;
	if (!*at || strcmp(at + (*at == '_'), key) == 0)
		return 3;
	return is_identifier(column) ? 2 : 0;
}

struct match {
	size_t table, within, compared;
	unsigned score;
};

static bool consider(const struct rv_infer *infer, size_t child, size_t i, size_t p, struct match *ret)
{
	const struct rv_infer_table *table = &infer->tables[child], *parent = &infer->tables[p];
	const struct rv_infer_column *column = &table->columns[i], *key;

	if (parent->key_count != 1 || (p == child && parent->key[0] == i))
		return false;
	key = &parent->columns[parent->key[0]];
	/* numbers are not the names of anything written as text */
	if (!key->all.count || !column->sample.count ||
	    (column->type.type != RV_COLUMN_STRING && column->type.type != RV_COLUMN_INTEGER))
		return false;
	*ret = (struct match){ .table = p, .score = name_score(column->name, parent, key->name) };
	/* any small number is in a table of many */
	if (!ret->score && column->type.type == RV_COLUMN_INTEGER)
		return false;
	ret->within = rv_infer_set_within(&column->sample, &key->all, ret->score < 3, &ret->compared);
	if (!ret->compared)
		return false;
	if (ret->within == ret->compared)
		return ret->score || ret->within >= 20;
	/* an extract holds what is new: parents may have come with an earlier one */
	return ret->score >= 3 && ret->within * 2 >= ret->compared;
}

/* The key of one row here is that of at most one row there: which of the two is the parent? */
static bool is_other_way_round(const struct rv_infer *infer, size_t child, size_t i, size_t p)
{
	const struct rv_infer_table *table = &infer->tables[child];
	struct match back;

	if (table->key_count != 1 || table->key[0] != i ||
	    !consider(infer, p, infer->tables[p].key[0], child, &back))
		return false;
	const char *key = table->columns[i].name;
	unsigned mine = rv_infer_key_name(table->name, key);
	unsigned other = rv_infer_key_name(infer->tables[p].name,
					   infer->tables[p].columns[infer->tables[p].key[0]].name);

	return mine != other ? mine > other : child < p;
}

static void find_parent(struct rv_infer *infer, size_t child, size_t i)
{
	struct rv_infer_column *column = &infer->tables[child].columns[i];
	struct match best = { .table = RV_INFER_NONE }, match;

	column->parent = RV_INFER_NONE;
	if (!column->name || !column->tracked)
		return;
	for (size_t p = 0; p < infer->tables_count; p++) {
		if (!consider(infer, child, i, p, &match) || is_other_way_round(infer, child, i, p))
			continue;
		bool whole = match.within == match.compared, best_whole = best.within == best.compared;

		if (best.table == RV_INFER_NONE || match.score > best.score ||
		    (match.score == best.score && whole && !best_whole))
			best = match;
	}
	column->parent = best.table;
	column->within = best.within;
	column->compared = best.compared;
}

static void make_string(struct rv_infer_column *column, const struct rv_infer_table *other,
			const struct rv_infer_column *there)
{
	column->type.type = RV_COLUMN_STRING;
	rv_strbuf_printf(&column->why, "; string because %s.%s is one", other->name, there->name);
}

void rv_infer_relate(struct rv_infer *infer)
{
	bool changed = true;

	for (size_t t = 0; t < infer->tables_count; t++)
		for (size_t i = 0; i < infer->tables[t].columns_count; i++)
			find_parent(infer, t, i);
	/* only equal values of one type find each other; what is made a string may be a key elsewhere */
	while (changed) {
		changed = false;
		for (size_t t = 0; t < infer->tables_count; t++)
			for (size_t i = 0; i < infer->tables[t].columns_count; i++) {
				struct rv_infer_table *table = &infer->tables[t];
				struct rv_infer_column *column = &table->columns[i];

				if (column->parent == RV_INFER_NONE)
					continue;
				struct rv_infer_table *parent = &infer->tables[column->parent];
				struct rv_infer_column *key = &parent->columns[parent->key[0]];

				if (column->type.type == key->type.type)
					continue;
				changed = true;
				if (column->type.type == RV_COLUMN_STRING)
					make_string(key, table, column);
				else
					make_string(column, parent, key);
			}
	}
}
