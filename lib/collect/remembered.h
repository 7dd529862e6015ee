/*
 * The ids of seen.h in a file, so that a collector that is started again knows what the one before it has
 * taken: <stream's state>/seen, 16 bytes of head (a magic word, the seed of the ids), then 16 an id, in the
 * order in which they came. What is not whole at its end is not counted.
 *
 * Ids come into it when their intake file becomes a batch; the ids of what is in no batch yet can be had from
 * the intake itself. Only one process at a time writes it (seen.lock beside); another collector of the
 * same stream remembers in memory alone.
 */
#ifndef RV_COLLECT_REMEMBERED_H
#define RV_COLLECT_REMEMBERED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "base/file.h"
#include "collect/seen.h"

struct rv_remembered {
	struct rv_lock lock;
	int fd;                    /* -1: there is no file yet */
	char *folder, *path;
	uint64_t seed;
	uint64_t count;            /* good ids in the file */
	bool spoiled;              /* something else may stand behind them */
	struct rv_seen_id *unsaved; /* that could not be written, and are with the next ones */
	size_t unsaved_count, unsaved_capacity;
};
#define RV_REMEMBERED_INIT { .lock = RV_LOCK_INIT, .fd = -1 }

/*
 * Opens what is there, and hands its ids out in order. `seed` is that of the file, or a new one. A file that
 * is none of these is told as *ret_damaged, and begun anew. RV_LOCKED: another collector has it.
 */
enum rv_status rv_remembered_open(struct rv_remembered *r, const char *folder,
				  void (*each)(void *arg, struct rv_seen_id id), void *arg,
				  bool *ret_damaged, struct rv_error *err) RV_MUST_CHECK;
/* Makes ids durable; of the file at least the last `least` ids stay, and about twice as many at most. What
 * fails is tried again with the next ones. Nothing happens where it is not open. */
enum rv_status rv_remembered_add(struct rv_remembered *r, const struct rv_seen_id *ids, size_t count,
				 uint64_t least, struct rv_error *err) RV_MUST_CHECK;
void rv_remembered_release(struct rv_remembered *r);

#endif
