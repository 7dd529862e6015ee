/*
 * Statements, task by task. Where the other threads have all there is to do, DuckDB's own calls wait for them by the
 * clock on the wall, and fail when it is set back meanwhile ("Information loss on integer cast", thrown where no
 * error can be had, with its transaction lost): so they are never called before a result is there.
 */
#include <sched.h>
#include <time.h>

#include "base/memory.h"
#include "warehouse/duckdb_internal.h"

/* How often to look again at once, before sleeping: most waits are for the end of another thread's task. */
#define LOOKS_AT_ONCE 64
#define PAUSE_LEAST_NS 20000
#define PAUSE_MOST_NS 500000

int duck_pending_await(const struct rv_duckdb_api *api, duck_pending pending, bool (*go_on)(void *arg), void *arg)
{
	unsigned looks = 0;
	long pause_ns = PAUSE_LEAST_NS;

	for (;;) {
		if (go_on && !go_on(arg))
			return DUCK_PENDING_NOT_READY;
		int state = api->pending_execute_task(pending);

		if (state == DUCK_PENDING_READY || state == DUCK_PENDING_ERROR)
			return state;
		if (state != DUCK_PENDING_NO_TASKS) {
			looks = 0;
			pause_ns = PAUSE_LEAST_NS;
		} else if (looks++ < LOOKS_AT_ONCE) {
			sched_yield();
		} else {
			struct timespec pause = { 0, pause_ns };

			nanosleep(&pause, NULL);
			pause_ns = pause_ns * 2 < PAUSE_MOST_NS ? pause_ns * 2 : PAUSE_MOST_NS;
		}
	}
}

static char *said(const char *text)
{
	return rv_strdup(text && *text ? text : DUCK_SAID_NOTHING);
}

static char *execute(const struct rv_duckdb_api *api, duck_prepared statement, bool (*go_on)(void *arg), void *arg,
		     struct duck_result *ret)
{
	duck_pending pending = NULL;
	char *failure = NULL;

	if (api->pending_prepared(statement, &pending) != 0 ||
	    duck_pending_await(api, pending, go_on, arg) != DUCK_PENDING_READY)
		failure = said(api->pending_error(pending));
	else if (api->execute_pending(pending, ret) != 0)
		failure = said(api->result_error(ret));
	api->destroy_pending(&pending);
	return failure;
}

char *duck_execute(const struct rv_duckdb_api *api, duck_connection connection, const char *sql,
		   bool (*go_on)(void *arg), void *arg, struct duck_result *ret)
{
	duck_extracted all = NULL;
	duck_idx count = api->extract_statements(connection, sql, &all);
	char *failure = count == 0 ? said(api->extract_statements_error(all)) : NULL;

	for (duck_idx i = 0; i < count && !failure; i++) {
		duck_prepared statement = NULL;

		api->destroy_result(ret);
		if (api->prepare_extracted_statement(connection, all, i, &statement) != 0)
			failure = said(api->prepare_error(statement));
		else
			failure = execute(api, statement, go_on, arg, ret);
		api->destroy_prepare(&statement);
	}
	api->destroy_extracted(&all);
	return failure;
}
