/* Which numbers were taken is kept as what is not: gaps are few. */
#include "flow/extract_sequence.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/memory.h"
#include "format/json_text.h"
#include "format/number_pattern.h"

#define SEQUENCE_VERSION 1
#define SEQUENCE_MAX_BYTES (1u << 20)
/* Others may write it meanwhile: runs of other shards. */
#define ATTEMPTS 20

bool extract_sequence_number(const struct rv_job *job, const char *name, uint64_t *ret)
{
	const char *base = rv_path_base(name);

	/* beyond it is none that JSON keeps */
	return rv_number_pattern_match(job->sequence, "number", base, strlen(base), ret) && *ret <= INT64_MAX;
}

void extract_sequence_release(struct extract_sequence *sequence)
{
	free(sequence->missing);
	*sequence = (struct extract_sequence){ 0 };
}

const char *extract_range_text(const struct extract_range *range, char ret[EXTRACT_RANGE_TEXT])
{
	if (range->first == range->last)
		snprintf(ret, EXTRACT_RANGE_TEXT, "%" PRIu64, range->first);
	else
		snprintf(ret, EXTRACT_RANGE_TEXT, "%" PRIu64 " %s %" PRIu64, range->first,
			 range->last - range->first == 1 ? "and" : "to", range->last);
	return ret;
}

json_t *extract_sequence_missing(const struct extract_sequence *sequence)
{
	json_t *all = json_array();

	for (size_t i = 0; i < sequence->missing_count; i++)
		json_array_append_new(all, json_pack("[I, I]", (json_int_t)sequence->missing[i].first,
						     (json_int_t)sequence->missing[i].last));
	return all;
}

/* ---- ranges ---- */

static void add_missing(struct extract_sequence *sequence, uint64_t first, uint64_t last)
{
	RV_GROW(sequence->missing, sequence->missing_count, sequence->missing_capacity);
	sequence->missing[sequence->missing_count++] = (struct extract_range){ first, last };
}

/* One of those of range `i` is there. */
static void remove_missing(struct extract_sequence *sequence, size_t i, uint64_t number)
{
	struct extract_range *range = &sequence->missing[i];
	const struct extract_range before = *range;

	memmove(range, range + 1, (sequence->missing_count - i - 1) * sizeof(*range));
	sequence->missing_count--;
	for (int half = 0; half < 2; half++) {
		const struct extract_range part = half ? (struct extract_range){ number + 1, before.last }
						       : (struct extract_range){ before.first, number - 1 };

		if (half ? number == before.last : number == before.first)
			continue;
		add_missing(sequence, 0, 0);
		memmove(&sequence->missing[i + 1], &sequence->missing[i],
			(sequence->missing_count - 1 - i) * sizeof(part));
		sequence->missing[i++] = part;
	}
}

/* Whether it changes anything that this number is taken. */
static bool take(struct extract_sequence *sequence, uint64_t number)
{
	if (sequence->begun && number <= sequence->last) {
		for (size_t i = 0; i < sequence->missing_count; i++)
			if (number >= sequence->missing[i].first && number <= sequence->missing[i].last) {
				remove_missing(sequence, i, number);
				return true;
			}
		return false;
	}
	if (sequence->begun && number - sequence->last > 1)
		add_missing(sequence, sequence->last + 1, number - 1);
	sequence->begun = true;
	sequence->last = number;
	return true;
}

/* ---- what is kept ---- */

static char *sequence_name(const struct rv_extract_params *params)
{
	return rv_asprintf("_river/extracts/%s/sequence.json", params->job->name);
}

static enum rv_status parse(const struct rv_strbuf *text, const char *name, struct extract_sequence *ret,
			    struct rv_error *err)
{
	json_t *o = json_loadb(text->bytes, text->len, JSON_REJECT_DUPLICATES, NULL), *range;
	const json_t *last_number = json_object_get(o, "last"), *missing = json_object_get(o, "missing");
	json_int_t version = json_integer_value(json_object_get(o, "v")), below = -1;
	size_t i;
	bool good = version > 0 && json_is_integer(last_number) && json_integer_value(last_number) >= 0 &&
		    json_is_array(missing);

	ret->begun = true;
	ret->last = rv_json_get_u64(o, "last");
	json_array_foreach((json_t *)(uintptr_t)missing, i, range) {
		json_t *first = json_array_get(range, 0), *last = json_array_get(range, 1);

		/* ascending, as they are asked and filled */
		good = good && json_is_integer(first) && json_is_integer(last) && json_integer_value(first) > below &&
		       json_integer_value(first) <= json_integer_value(last) &&
		       (uint64_t)json_integer_value(last) < ret->last;
		if (good)
			add_missing(ret, (uint64_t)json_integer_value(first), (uint64_t)json_integer_value(last));
		below = json_integer_value(last);
	}
	json_decref(o);
	if (version > SEQUENCE_VERSION)
		return rv_fail(err, RV_BAD_CONFIG, "%s was written by a newer river (version %" JSON_INTEGER_FORMAT ")",
			       name, version);
	if (good)
		return RV_OK;
	rv_fail(err, RV_DAMAGED, "%s in the lake is damaged", name);
	rv_hint(err, "without it numbers begin anew with the extracts that are in the source");
	return err->status;
}

static enum rv_status load(const struct rv_extract_params *params, struct extract_sequence *ret,
			   char etag[RV_ETAG_TEXT], bool *ret_found, struct rv_error *err)
{
	RV_CLEANUP(rv_free_p) char *name = sequence_name(params);
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf text = RV_STRBUF_INIT;

	*ret = (struct extract_sequence){ 0 };
	if (rv_store_get_optional(params->lake, name, SEQUENCE_MAX_BYTES, &text, etag, ret_found, err) != RV_OK)
		return err->status;
	if (!*ret_found || parse(&text, name, ret, err) == RV_OK)
		return RV_OK;
	extract_sequence_release(ret);
	return err->status;
}

static enum rv_status save(const struct rv_extract_params *params, const struct extract_sequence *sequence,
			   const char *etag, bool found, struct rv_error *err)
{
	RV_CLEANUP(rv_free_p) char *name = sequence_name(params);
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf text = RV_STRBUF_INIT;
	const struct rv_store_put put = { .if_absent = !found, .if_etag = found ? etag : NULL };

	json_t *o = json_pack("{s:i, s:I, s:o}", "v", SEQUENCE_VERSION, "last", (json_int_t)sequence->last, "missing",
			      extract_sequence_missing(sequence));

	rv_json_dump(&text, o);
	rv_strbuf_putc(&text, '\n');
	json_decref(o);
	return rv_store_put_bytes(params->lake, name, text.bytes, text.len, &put, err);
}

/* The extract itself was taken, and that is noted elsewhere. */
static enum rv_status busy(const struct rv_extract_params *params, struct rv_error *err)
{
	RV_CLEANUP(rv_free_p) char *name = sequence_name(params);

	rv_fail(err, RV_FAILED, "%s in the lake was changed by others %d times in a row", name, ATTEMPTS);
	rv_hint(err, "run it again: nothing is taken twice, and the number is noted then");
	err->transient = true;
	return err->status;
}

enum rv_status extract_sequence_took(const struct rv_extract_params *params, struct extract_sequence *sequence,
				     uint64_t number, struct rv_error *err)
{
	for (unsigned attempt = 1;; attempt++) {
		struct extract_sequence now;
		struct rv_error failed = RV_ERROR_INIT;
		char etag[RV_ETAG_TEXT];
		bool found;

		if (load(params, &now, etag, &found, err) != RV_OK)
			return err->status;
		/* where it begins was found out by this run */
		if (found)
			extract_sequence_release(sequence);
		else
			now = *sequence;
		bool changed = take(&now, number) || !found;

		*sequence = now;
		if (!changed || save(params, &now, etag, found, &failed) == RV_OK)
			return RV_OK;
		if (failed.status != RV_CONFLICT && failed.status != RV_NOT_FOUND) {
			*err = failed;
			return err->status;
		}
		if (attempt == ATTEMPTS)
			return busy(params, err);
	}
}

/* ---- gaps ---- */

static int compare_numbers(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return (x > y) - (x < y);
}

void extract_sequence_find(const struct rv_job *job, struct extract_archives *archives)
{
	uint64_t *numbers = rv_calloc(archives->count + 1, sizeof(*numbers));
	size_t count = 0, kept = 0;

	for (size_t i = 0; i < archives->count; i++)
		count += extract_sequence_number(job, archives->items[i].name, &numbers[count]);
	qsort(numbers, count, sizeof(*numbers), compare_numbers);
	for (size_t i = 0; i < count; i++)
		if (!kept || numbers[kept - 1] != numbers[i])
			numbers[kept++] = numbers[i];
	archives->numbers = numbers;
	archives->numbers_count = kept;
}

/* How many of those in the source are lower than `number`. */
static size_t count_below(const struct extract_archives *archives, uint64_t number)
{
	size_t low = 0, high = archives->numbers_count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (archives->numbers[middle] < number)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

/* The first number from `number` on that is not in the source. */
static uint64_t next_missing(const struct extract_archives *archives, uint64_t number)
{
	size_t first = count_below(archives, number), low = first, high = archives->numbers_count;

	/* where they follow each other by one, they grow as their places do */
	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (archives->numbers[middle] - number == middle - first)
			low = middle + 1;
		else
			high = middle;
	}
	return number + (low - first);
}

/* The lowest number in the source from `number` on, or `end`. */
static uint64_t next_found(const struct extract_archives *archives, uint64_t number, uint64_t end)
{
	size_t at = count_below(archives, number);

	return at < archives->numbers_count && archives->numbers[at] < end ? archives->numbers[at] : end;
}

bool extract_sequence_gap(const struct extract_sequence *sequence, const struct extract_archives *archives,
			  uint64_t number, struct extract_range *ret)
{
	if (!sequence->begun || number <= sequence->last)
		return false;
	uint64_t first = next_missing(archives, sequence->last + 1);

	if (first >= number)
		return false;
	*ret = (struct extract_range){ first, next_found(archives, first, number) - 1 };
	return true;
}

static enum rv_status check_order(const struct rv_extract_params *params, const struct extract_archives *archives,
				  struct rv_error *err)
{
	const struct extract_archive *before = NULL;
	uint64_t highest = 0, number;

	for (size_t i = 0; i < archives->count; i++) {
		const struct extract_archive *a = &archives->items[i];

		if (!extract_sequence_number(params->job, a->name, &number))
			continue;
		if (before && number < highest) {
			rv_fail(err, RV_BAD_CONFIG, "%s comes before %s by name, and after it by number", before->name,
				a->name);
			rv_hint(err, "write source: { order: number } into %s", params->job->file);
			return err->status;
		}
		before = a;
		highest = number;
	}
	return RV_OK;
}

enum rv_status extract_sequence_read(const struct rv_extract_params *params,
				     const struct extract_archives *archives, struct extract_sequence *ret,
				     struct rv_error *err)
{
	char etag[RV_ETAG_TEXT];
	bool found = false;

	*ret = (struct extract_sequence){ 0 };
	/* by time, one that was late has a lower number than those before it */
	if (params->job->source_order == RV_JOB_ORDER_NAME && check_order(params, archives, err) != RV_OK)
		return err->status;
	if (params->lake && load(params, ret, etag, &found, err) != RV_OK)
		return err->status;
	if (found)
		return RV_OK;
	uint64_t lowest = next_found(archives, 0, UINT64_MAX);

	if (lowest > 0 && lowest < UINT64_MAX) {
		ret->begun = true;
		ret->last = lowest - 1;
	}
	/* they were taken before the job said that they are a sequence */
	for (size_t i = 0; i < archives->count; i++) {
		uint64_t number;

		if (archives->items[i].seen && extract_sequence_number(params->job, archives->items[i].name, &number))
			take(ret, number);
	}
	return RV_OK;
}
