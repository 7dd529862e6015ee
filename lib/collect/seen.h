/*
 * Which events were taken lately, so that one that is sent again (the answer was lost, the server was
 * killed in between) is stored once. An event is known by 128 bits of a hash of its stored body, seeded at
 * random: what differs in a byte is another event.
 */
#ifndef RV_COLLECT_SEEN_H
#define RV_COLLECT_SEEN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/strbuf.h"

struct rv_seen_id {
	uint64_t high, low; /* not both 0 */
};
struct rv_seen_id rv_seen_id_of(uint64_t seed, struct rv_str body);

/* A set that grows. */
struct rv_seen {
	struct rv_seen_id *slots;
	size_t size, count; /* size: 0 or a power of two */
};
bool rv_seen_has(const struct rv_seen *seen, struct rv_seen_id id);
void rv_seen_add(struct rv_seen *seen, struct rv_seen_id id);
void rv_seen_clear(struct rv_seen *seen); /* keeps the memory */
void rv_seen_release(struct rv_seen *seen);

/* The last ones: at least `least` of them, at most twice as many. */
struct rv_seen_window {
	struct rv_seen now, before;
	size_t least; /* 0: none is remembered */
};
/* It will be asked for soon: what is looked at then may come from memory meanwhile. */
void rv_seen_window_fetch(const struct rv_seen_window *window, struct rv_seen_id id);
bool rv_seen_window_has(const struct rv_seen_window *window, struct rv_seen_id id);
void rv_seen_window_add(struct rv_seen_window *window, struct rv_seen_id id);
void rv_seen_window_release(struct rv_seen_window *window);

#endif
