/*
 * Which stamps were seen, and how often: ranges of the numbers that a run gave its records, by run and
 * batch. Records mostly come in the order they were sent, so a lake object of a million records needs
 * a few ranges; any order gives the same set.
 *
 * A stamp that was added twice is counted twice in `total` and once in `distinct`.
 */
#ifndef RV_FORMAT_STAMP_SET_H
#define RV_FORMAT_STAMP_SET_H

#include <stddef.h>
#include <stdint.h>

#include "base/strbuf.h"

struct rv_stamp_range {
	uint64_t seq;
	uint64_t from, to;           /* both are in it */
};
struct rv_stamp_run {
	char *name;
	/* Once settled: first `once` ranges that do not touch each other, in order of (seq, from), that
	 * hold every stamp; behind them what came a second and a third time. */
	struct rv_stamp_range *ranges;
	size_t count, capacity, once;
	size_t settled;              /* so many were there when it was settled; SIZE_MAX: it is not */
	uint64_t total, distinct;    /* once settled */
};
struct rv_stamp_set {
	struct rv_stamp_run *runs;   /* in the order they were first seen in */
	size_t count, capacity;
	uint32_t *slots;             /* index + 1 */
	size_t mask;
	size_t last;                 /* the run that was added to */
};

/* Numbers from..to of a batch. `run` is copied. */
void rv_stamp_set_add(struct rv_stamp_set *set, struct rv_str run, uint64_t seq, uint64_t from,
		      uint64_t to);
void rv_stamp_set_add_all(struct rv_stamp_set *set, const struct rv_stamp_set *other);
/* Puts ranges in order and counts; to be called before anything is asked. */
void rv_stamp_set_settle(struct rv_stamp_set *set);
/* NULL: nothing of that run. */
const struct rv_stamp_run *rv_stamp_set_find(const struct rv_stamp_set *set, struct rv_str run);
/* How many different ones of a batch are there; `run` may be NULL, and is settled. */
uint64_t rv_stamp_run_distinct(const struct rv_stamp_run *run, uint64_t seq);
void rv_stamp_set_release(struct rv_stamp_set *set);

#endif
