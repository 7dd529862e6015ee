/*
 * The rows of lake objects as a table function of DuckDB: `SELECT * FROM river_feed()` gives
 * (record JSON, file_name, file_row) of the objects of one feed. One thread of river's reads and
 * decompresses into blocks of whole lines; DuckDB's threads split, hash and hand them to whatever
 * follows, so one large object keeps all of them busy. Memory: a few blocks, whatever the sizes.
 */
#ifndef RV_WAREHOUSE_DUCKDB_FEED_H
#define RV_WAREHOUSE_DUCKDB_FEED_H

#include "warehouse/duckdb_internal.h"

struct duck_feed_object {
	const char *name;        /* Required */
	bool foreign;            /* not one of river's names: validate every line */
	bool joined;             /* foreign, and a line may hold several records: Firehose's */
	uint64_t expect_rows, expect_hash; /* unless foreign */
	struct rv_stamp_set *stamps; /* Optional: empty, filled with the stamps of the records */
	/* Filled by the feed. */
	uint64_t bytes;          /* compressed, as read */
	uint64_t rows, rejected;
	uint64_t set_hash, whole_hash; /* without and with the stamps of the records */
	uint64_t fault_line;     /* of the first rejected line; 0: none */
	char fault[96];
	struct rv_error error;   /* status RV_OK unless the object could not be read */
};

struct duck_feed;
/* Registers river_feed on the connection, once. Outside of transactions: one that is rolled back
 * would take the function with it. */
enum rv_status duck_feed_register(struct rv_duckdb *d, struct rv_error *err) RV_MUST_CHECK;
/* Feeds follow each other, one at a time. */
enum rv_status duck_feed_start(struct rv_duckdb *d, struct duck_feed_object *objects, size_t count,
			       struct duck_feed **ret, struct rv_error *err) RV_MUST_CHECK;
/* So far; for progress. */
void duck_feed_so_far(struct duck_feed *feed, uint64_t *ret_rows, uint64_t *ret_bytes);
/* Ends the reading thread, whether all was read or not; the objects are filled after it. */
void duck_feed_finish(struct duck_feed *feed);
void duck_feed_finish_p(struct duck_feed **feed);

#endif
