/* Ranges are appended as they come, and put in order when somebody asks or when there are many. */
#include "format/stamp_set.h"

#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "format/record_hash.h"

/* Unordered ranges of a run that are put in order before more are taken. */
#define LOOSE_MAX 65536

/* ---- runs ---- */

static size_t find_slot(const struct rv_stamp_set *set, struct rv_str run)
{
	size_t at = rv_record_hash(run.p, run.len) & set->mask;
	while (set->slots[at] && !rv_str_is(run, set->runs[set->slots[at] - 1].name))
		at = (at + 1) & set->mask;
	return at;
}

const struct rv_stamp_run *rv_stamp_set_find(const struct rv_stamp_set *set, struct rv_str run)
{
	if (!set->count)
		return NULL;
	size_t at = find_slot(set, run);
	return set->slots[at] ? &set->runs[set->slots[at] - 1] : NULL;
}

static void make_room(struct rv_stamp_set *set)
{
	if (set->slots && set->count * 2 <= set->mask)
		return;
	size_t size = 16;
	while (size < set->count * 4)
		size *= 2;
	free(set->slots);
	set->slots = rv_calloc(size, sizeof(*set->slots));
	set->mask = size - 1;
	for (size_t i = 0; i < set->count; i++) {
		struct rv_str name = { set->runs[i].name, strlen(set->runs[i].name) };
		set->slots[find_slot(set, name)] = (uint32_t)i + 1;
	}
}

static struct rv_stamp_run *enter(struct rv_stamp_set *set, struct rv_str run)
{
	/* Records of one run stand together. */
	if (set->last < set->count && rv_str_is(run, set->runs[set->last].name))
		return &set->runs[set->last];
	make_room(set);
	size_t at = find_slot(set, run);
	if (!set->slots[at]) {
		RV_GROW(set->runs, set->count, set->capacity);
		set->runs[set->count++] = (struct rv_stamp_run){ .name = rv_strndup(run.p, run.len),
								 .settled = SIZE_MAX };
		set->slots[at] = (uint32_t)set->count;
	}
	set->last = set->slots[at] - 1;
	return &set->runs[set->last];
}

/* ---- ranges ---- */

static int by_number(const void *a, const void *b)
{
	const struct rv_stamp_range *x = a, *y = b;
	if (x->seq != y->seq)
		return x->seq < y->seq ? -1 : 1;
	if (x->from != y->from)
		return x->from < y->from ? -1 : 1;
	return x->to < y->to ? -1 : x->to > y->to;
}

/*
 * Joins what touches, in place, and gives back how many ranges are left at the front. What two ranges
 * have in common is moved behind them, to be joined among itself: each pass takes one occurrence of
 * every stamp, and there are never more pieces than ranges.
 */
static size_t join(struct rv_stamp_range *ranges, size_t count, struct rv_stamp_range *extra,
		   size_t *ret_extra)
{
	size_t n = 0, extras = 0;
	for (size_t i = 0; i < count; i++) {
		struct rv_stamp_range r = ranges[i];
		struct rv_stamp_range *last = n ? &ranges[n - 1] : NULL;
		if (!last || last->seq != r.seq || (r.from > last->to && r.from - last->to > 1)) {
			ranges[n++] = r;
			continue;
		}
		if (r.from <= last->to)
			extra[extras++] = (struct rv_stamp_range){
				r.seq, r.from, r.to < last->to ? r.to : last->to };
		if (r.to > last->to)
			last->to = r.to;
	}
	*ret_extra = extras;
	return n;
}

static void settle(struct rv_stamp_run *run)
{
	if (run->settled == run->count)
		return;
	RV_CLEANUP(rv_free_p)
	struct rv_stamp_range *extra = rv_calloc(run->count + 1, sizeof(*extra));
	size_t from = 0, count = run->count;
	run->once = 0;
	run->total = run->distinct = 0;
	while (count) {
		size_t extras;
		qsort(run->ranges + from, count, sizeof(*run->ranges), by_number);
		size_t n = join(run->ranges + from, count, extra, &extras);
		if (!from)
			run->once = n;
		for (size_t i = from; i < from + n; i++) {
			uint64_t many = run->ranges[i].to - run->ranges[i].from + 1;
			run->total += many;
			run->distinct += from ? 0 : many;
		}
		from += n;
		memcpy(run->ranges + from, extra, extras * sizeof(*extra));
		count = extras;
	}
	run->count = run->settled = from;
}

static void add(struct rv_stamp_run *run, const struct rv_stamp_range *range)
{
	struct rv_stamp_range *last = run->count ? &run->ranges[run->count - 1] : NULL;
	bool loose = run->settled != run->count;
	/* The usual record is the one behind the last. */
	if (loose && last && last->seq == range->seq && range->from > last->to &&
	    range->from - last->to == 1) {
		last->to = range->to;
		return;
	}
	if (run->count >= LOOSE_MAX &&
	    run->count >= 2 * (run->settled == SIZE_MAX ? 0 : run->settled))
		settle(run);
	RV_GROW(run->ranges, run->count, run->capacity);
	run->ranges[run->count++] = *range;
}

void rv_stamp_set_add(struct rv_stamp_set *set, struct rv_str run, uint64_t seq, uint64_t from,
		      uint64_t to)
{
	add(enter(set, run), &(struct rv_stamp_range){ seq, from, to });
}

void rv_stamp_set_add_all(struct rv_stamp_set *set, const struct rv_stamp_set *other)
{
	for (size_t i = 0; i < other->count; i++) {
		const struct rv_stamp_run *from = &other->runs[i];
		struct rv_stamp_run *to =
			enter(set, (struct rv_str){ from->name, strlen(from->name) });
		for (size_t k = 0; k < from->count; k++)
			add(to, &from->ranges[k]);
	}
}

void rv_stamp_set_settle(struct rv_stamp_set *set)
{
	for (size_t i = 0; i < set->count; i++)
		settle(&set->runs[i]);
}

uint64_t rv_stamp_run_distinct(const struct rv_stamp_run *run, uint64_t seq)
{
	uint64_t n = 0;
	size_t low = 0, high = run ? run->once : 0;
	while (low < high) {
		size_t middle = (low + high) / 2;
		if (run->ranges[middle].seq < seq)
			low = middle + 1;
		else
			high = middle;
	}
	for (; run && low < run->once && run->ranges[low].seq == seq; low++)
		n += run->ranges[low].to - run->ranges[low].from + 1;
	return n;
}

void rv_stamp_set_release(struct rv_stamp_set *set)
{
	for (size_t i = 0; i < set->count; i++) {
		free(set->runs[i].name);
		free(set->runs[i].ranges);
	}
	free(set->runs);
	free(set->slots);
	*set = (struct rv_stamp_set){ .count = 0 };
}
