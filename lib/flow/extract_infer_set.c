/* Sets of hashes that never outgrow their ceiling. */
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "flow/extract_infer_impl.h"

void rv_infer_set_init(struct rv_infer_set *set, size_t most)
{
	*set = (struct rv_infer_set){ .most = most, .threshold = UINT64_MAX };
}

void rv_infer_set_release(struct rv_infer_set *set)
{
	free(set->slots);
	*set = (struct rv_infer_set){ .threshold = UINT64_MAX };
}

static size_t find_slot(const struct rv_infer_set *set, uint64_t hash)
{
	/* hashes in a set are low ones: their low bits are as good as any */
	size_t i = (size_t)hash & (set->room - 1);

	while (set->slots[i] && set->slots[i] != hash)
		i = (i + 1) & (set->room - 1);
	return i;
}

/* Into `room` slots, without what is above the threshold. */
static void rebuild(struct rv_infer_set *set, size_t room)
{
	uint64_t *old = set->slots;
	size_t old_room = set->room;

	set->slots = rv_calloc(room, sizeof(*set->slots));
	set->room = room;
	set->count = 0;
	for (size_t i = 0; i < old_room; i++)
		if (old[i] && old[i] <= set->threshold) {
			set->slots[find_slot(set, old[i])] = old[i];
			set->count++;
		}
	free(old);
}

bool rv_infer_set_add(struct rv_infer_set *set, uint64_t hash)
{
	hash += hash == 0;
	if (hash > set->threshold)
		return true;
	if (!set->room)
		rebuild(set, 16);
	size_t i = find_slot(set, hash);

	if (set->slots[i])
		return false;
	set->slots[i] = hash;
	set->count++;
	while (set->count > set->most) {
		set->threshold /= 2;
		rebuild(set, set->room);
	}
	if (set->count * 2 > set->room)
		rebuild(set, set->room * 2);
	return true;
}

void rv_infer_set_shrink(struct rv_infer_set *set, size_t most)
{
	size_t room = 16;

	if (most < set->most)
		set->most = most;
	while (set->count > set->most) {
		set->threshold /= 2;
		rebuild(set, set->room);
	}
	while (room < set->count * 2)
		room *= 2;
	rebuild(set, room);
}

bool rv_infer_set_has(const struct rv_infer_set *set, uint64_t hash)
{
	hash += hash == 0;
	return set->room && set->slots[find_slot(set, hash)];
}

double rv_infer_set_distinct(const struct rv_infer_set *set)
{
	return (double)set->count * ((double)UINT64_MAX / (double)set->threshold);
}

size_t rv_infer_set_within(const struct rv_infer_set *part, const struct rv_infer_set *whole,
			   bool only_all, size_t *ret_compared)
{
	uint64_t threshold = part->threshold < whole->threshold ? part->threshold : whole->threshold;
	size_t within = 0, compared = 0;

	for (size_t i = 0; i < part->room && !(only_all && within < compared); i++)
		if (part->slots[i] && part->slots[i] <= threshold) {
			compared++;
			within += rv_infer_set_has(whole, part->slots[i]);
		}
	*ret_compared = compared;
	return within;
}
