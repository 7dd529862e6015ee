/*
 * Operations of the Snowflake warehouse that only look, and the statements they ask with. Not for use
 * outside lib/warehouse/snowflake*.c and their tests.
 */
#ifndef RV_WAREHOUSE_SNOWFLAKE_LOOK_H
#define RV_WAREHOUSE_SNOWFLAKE_LOOK_H

#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"
#include "base/strbuf.h"
#include "warehouse/snowflake_ledger.h"

enum rv_status snow_history_op(struct rv_warehouse *w, const struct rv_stream *stream,
			       enum rv_status (*each)(void *arg, const struct rv_load *,
						      struct rv_error *err),
			       void *arg, struct rv_error *err) RV_MUST_CHECK;
enum rv_status snow_loaded(struct rv_warehouse *w, const struct rv_stream *stream,
			   enum rv_status (*each)(void *arg, const char *object,
						  enum rv_load_state state, struct rv_error *err),
			   void *arg, struct rv_error *err) RV_MUST_CHECK;
enum rv_status snow_present(struct rv_warehouse *w, const struct rv_stream *stream, bool hash,
			    enum rv_status (*each)(void *arg, const struct rv_load *,
						   struct rv_error *err),
			    void *arg, struct rv_error *err) RV_MUST_CHECK;
enum rv_status snow_stamps(struct rv_warehouse *w, const struct rv_stream *stream,
			   enum rv_status (*each)(void *arg, const struct rv_loaded_stamps *,
						  struct rv_error *err),
			   void *arg, struct rv_error *err) RV_MUST_CHECK;
enum rv_status snow_refused(struct rv_warehouse *w, const struct rv_stream *stream, bool quick,
			    struct rv_warehouse_refused *ret, struct rv_error *err) RV_MUST_CHECK;
enum rv_status snow_count(struct rv_warehouse *w, const struct rv_stream *stream,
			  struct rv_warehouse_counts *ret, struct rv_error *err) RV_MUST_CHECK;
enum rv_status snow_streams(struct rv_warehouse *w,
			    enum rv_status (*each)(void *arg, const char *name, struct rv_error *err),
			    void *arg, struct rv_error *err) RV_MUST_CHECK;
enum rv_status snow_pipe(struct rv_warehouse *w, const struct rv_stream *stream,
			 struct rv_warehouse_pipe *ret, struct rv_error *err) RV_MUST_CHECK;

void snow_present_sql(struct rv_strbuf *sql, const struct rv_snowflake_warehouse *w,
		      const struct rv_stream *stream);
void snow_count_sql(struct rv_strbuf *sql, const struct rv_snowflake_warehouse *w,
		    const struct rv_stream *stream);
void snow_stamps_sql(struct rv_strbuf *sql, const struct rv_snowflake_warehouse *w,
		     const struct rv_stream *stream);
void snow_refused_sql(struct rv_strbuf *sql, const struct rv_snowflake_warehouse *w,
		      const struct rv_stream *stream, bool quick);
void snow_streams_sql(struct rv_strbuf *sql, const struct rv_snowflake_warehouse *w);
void snow_pipe_status_sql(struct rv_strbuf *sql, const struct rv_snowflake_warehouse *w,
			  const struct rv_stream *stream);
/* What SYSTEM$PIPE_STATUS answers; false when that is something else. */
bool snow_pipe_status_parse(const char *text, size_t len, struct rv_warehouse_pipe *ret);

#endif
