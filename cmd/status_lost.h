/*
 * Streams that the warehouse or the state folder of this host knows, and the lake's catalog does
 * not: the lake is not mounted, is another one than meant, or lost its catalog. Without them
 * `status --check` would call a lake that is gone in order.
 */
#ifndef RIVER_STATUS_LOST_H
#define RIVER_STATUS_LOST_H

#include "context.h"

/* The names in the catalog, in the order rv_catalog_list gives them. */
struct river_names {
	char **items;
	size_t count, capacity;
};
void river_names_add(struct river_names *names, const char *name);
void river_names_release(struct river_names *names);

struct river_lost_stream {
	char *name;
	bool loaded;      /* the warehouse has loads or tables of it */
	uint64_t waiting; /* records in the spool of this host */
};
struct river_lost {
	struct river_lost_stream *streams;
	size_t count, capacity;
	bool no_folder;   /* the lake is not there at all */
	bool no_lake;     /* it is not, or nothing in it says that it is a lake of river's */
};
/* `warehouse` is Optional, and begun. A stream with neither loads nor waiting batches counts only
 * when there is no lake: state outlives a stream that was deleted. */
enum rv_status river_lost_find(struct rv_command_context *cx, struct rv_warehouse *warehouse,
			       const struct river_names *catalog, struct river_lost *ret,
			       struct rv_error *err) RV_MUST_CHECK;
void river_lost_release(struct river_lost *lost);

#endif
