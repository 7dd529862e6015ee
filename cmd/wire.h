/* What main asks of the wiring, besides the constructors in context.h. */
#ifndef RIVER_WIRE_H
#define RIVER_WIRE_H

#include "commands.h"
#include "config/config.h"
#include "context.h"

/* What the globals say about configuration; borrows from them. */
struct rv_config_params river_config_params(const struct river_globals *globals);
/* Reads the configuration and sets cx->config and cx->profile. */
enum rv_status river_open_config(struct rv_command_context *cx, const struct river_globals *globals,
				 struct rv_error *err) RV_MUST_CHECK;
/* For rv_cli_parse; `arg` is the command's context. */
const char *river_config_lookup(void *arg, const char *config_key);
/* wire_snowflake.c: one client for each connection, made when a profile first needs it.
 * `query_timeout_ms`: after which a query is cancelled; -1: never. */
enum rv_status river_wire_snowflake(const struct rv_profile *profile, struct rv_store *lake,
				    int64_t query_timeout_ms, struct rv_warehouse **ret,
				    struct rv_error *err) RV_MUST_CHECK;
struct rv_snowflake;
enum rv_status river_wire_account(const struct rv_profile *profile, struct rv_snowflake **ret,
				  struct rv_error *err) RV_MUST_CHECK;
void river_close_snowflake(void);
/* Frees what was opened. */
void river_close(struct rv_command_context *cx);

#endif
