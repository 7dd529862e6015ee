/*
 * What a command is: its words, its option table, and the function that does it. Each file in cmd/
 * defines one or more `const struct rv_command`; cmd/main.c lists them.
 */
#ifndef RV_CLI_COMMAND_H
#define RV_CLI_COMMAND_H

#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"
#include "cli/option.h"

enum rv_group {
	RV_GROUP_START,     /* init, stream */
	RV_GROUP_DELIVER,   /* push */
	RV_GROUP_LOAD,      /* snowpipe */
	RV_GROUP_LOOK,      /* query, status */
	RV_GROUP_MEND,      /* spool, rejects, doctor */
	RV_GROUP_HELP,      /* config, completion, help */
	RV_GROUP_HIDDEN,    /* for scripts of river itself: __complete */
	RV_GROUP_COUNT,
};

/* What the dispatcher opens before run: git's RUN_SETUP. */
enum {
	RV_NEEDS_PROFILE = 1,   /* cx->profile */
	RV_NEEDS_LAKE = 2,      /* cx->lake, not made if missing; implies profile */
	RV_NEEDS_CONFIG = 4,    /* cx->config only; the profile may be missing */
};

struct rv_example {
	const char *command;    /* "river push web/clicks events.ndjson" */
	const char *says;       /* what it does, one lower case phrase */
};

struct rv_command_context; /* cmd/context.h */
struct rv_command {
	const char *name;       /* "push", "stream create" */
	enum rv_group group;
	const char *summary;    /* lower case, no full stop */
	const char *operands;   /* "<stream> [<file>...]", "" */
	unsigned needs;
	enum rv_opt_complete operand_complete[2]; /* first operand, the others */
	const struct rv_opt *options;  /* ends with OPT_END */
	size_t options_size;
	bool csv;               /* --output csv is offered too */
	bool raw;               /* everything behind the name is an operand, also "-h" and "--" */
	const struct rv_example *examples; /* ends with { NULL } */
	/* `options` points to options_size bytes filled from the table; `operands` are NULL-terminated
	 * and checked by the command itself. */
	enum rv_status (*run)(struct rv_command_context *cx, void *options, int operands_count,
			      char **operands, struct rv_error *err);
};

#endif
