/* Open addressing, and two generations of it. */
#include "collect/seen.h"

#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "format/xxh3.h"

#define FIRST_SIZE 256
/* Slots a window takes at once, 64 MiB. */
#define RESERVED_MAX (1u << 22)

struct rv_seen_id rv_seen_id_of(uint64_t seed, struct rv_str body)
{
	XXH128_hash_t hash = XXH3_128bits_withSeed(body.p, body.len, seed);
	return (struct rv_seen_id){ hash.high64, hash.low64 ? hash.low64 : 1 };
}

static struct rv_seen_id *slot_of(const struct rv_seen *seen, struct rv_seen_id id)
{
	size_t i = id.low & (seen->size - 1);
	while (seen->slots[i].low && (seen->slots[i].low != id.low || seen->slots[i].high != id.high))
		i = (i + 1) & (seen->size - 1);
	return &seen->slots[i];
}

bool rv_seen_has(const struct rv_seen *seen, struct rv_seen_id id)
{
	return seen->count && slot_of(seen, id)->low;
}

static void resize(struct rv_seen *seen, size_t size)
{
	struct rv_seen larger = { .size = size };
	larger.slots = rv_calloc(larger.size, sizeof(*larger.slots));
	for (size_t i = 0; i < seen->size; i++)
		if (seen->slots[i].low)
			*slot_of(&larger, seen->slots[i]) = seen->slots[i];
	larger.count = seen->count;
	free(seen->slots);
	*seen = larger;
}

void rv_seen_add(struct rv_seen *seen, struct rv_seen_id id)
{
	if ((seen->count + 1) * 5 > seen->size * 4)
		resize(seen, seen->size ? seen->size * 2 : FIRST_SIZE);
	struct rv_seen_id *slot = slot_of(seen, id);
	seen->count += slot->low == 0;
	*slot = id;
}

void rv_seen_clear(struct rv_seen *seen)
{
	/* What a rush has needed would be cleared, and looked through, for ever. */
	if (seen->size > FIRST_SIZE && seen->count < seen->size / 16)
		rv_seen_release(seen);
	if (seen->count)
		memset(seen->slots, 0, seen->size * sizeof(*seen->slots));
	seen->count = 0;
}

void rv_seen_release(struct rv_seen *seen)
{
	free(seen->slots);
	*seen = (struct rv_seen){ .slots = NULL };
}

static void fetch(const struct rv_seen *seen, struct rv_seen_id id)
{
	if (seen->size)
		__builtin_prefetch(&seen->slots[id.low & (seen->size - 1)]);
}

void rv_seen_window_fetch(const struct rv_seen_window *window, struct rv_seen_id id)
{
	fetch(&window->now, id);
	fetch(&window->before, id);
}

bool rv_seen_window_has(const struct rv_seen_window *window, struct rv_seen_id id)
{
	return rv_seen_has(&window->now, id) || rv_seen_has(&window->before, id);
}

void rv_seen_window_add(struct rv_seen_window *window, struct rv_seen_id id)
{
	if (!window->least)
		return;
	if (window->now.count >= window->least) {
		rv_seen_release(&window->before);
		window->before = window->now;
		window->now = (struct rv_seen){ .slots = NULL };
	}
	/* At once as large as it may become: to grow while requests wait takes some milliseconds. What is not
	 * used of it is no memory yet. */
	if (!window->now.size) {
		size_t size = FIRST_SIZE;
		while (size < RESERVED_MAX && size / 5 * 4 <= window->least)
			size *= 2;
		resize(&window->now, size);
	}
	rv_seen_add(&window->now, id);
}

void rv_seen_window_release(struct rv_seen_window *window)
{
	rv_seen_release(&window->now);
	rv_seen_release(&window->before);
}
