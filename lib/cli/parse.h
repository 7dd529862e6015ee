/*
 * The command line against option tables: first split into options and operands, then each table's
 * struct filled from defaults, configuration, environment and flags, in that order.
 *
 * Splitting and filling are two steps because the profile (a global option) has to be opened
 * between them. Arguments and their text are borrowed and must outlive the filled structs, as must
 * the rv_cli_args, which own the lists.
 */
#ifndef RV_CLI_PARSE_H
#define RV_CLI_PARSE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"
#include "cli/option.h"

/* One option as it stood on the command line. */
struct rv_cli_given {
	const struct rv_opt *option;
	const char *value;  /* NULL for flags */
	bool negated;       /* --no-x */
};
struct rv_cli_args {
	struct rv_cli_given *given;
	size_t given_count, given_capacity;
	char **operands;    /* NULL-terminated after a split */
	size_t operands_count, operands_capacity;
	void **owned;       /* lists and their texts */
	size_t owned_count, owned_capacity;
};
#define RV_CLI_ARGS_INIT { .given = NULL }
void rv_cli_args_release(struct rv_cli_args *args);

/*
 * Reads `argv` (NULL-terminated) with two tables, `second` may be NULL, and adds to `args`.
 * Options may stand anywhere before "--". With `first_operand_only` it stops before the first
 * operand. *ret_used says how many words were taken. RV_USAGE names the word, and the option that
 * may have been meant.
 */
enum rv_status rv_cli_split(char **argv, const struct rv_opt *first, const struct rv_opt *second,
			    bool first_operand_only, struct rv_cli_args *args, size_t *ret_used,
			    struct rv_error *err) RV_MUST_CHECK;

/* The value of a configuration key as text, NULL when it is not set. */
typedef const char *rv_cli_lookup(void *arg, const char *config_key);

struct rv_cli_source {
	const struct rv_opt *table;
	const char *scope;      /* the command's name, NULL for global options */
	rv_cli_lookup *lookup;  /* Optional */
	void *lookup_arg;
};
/*
 * Fills `options` (the struct the table's offsets are about, zeroed before): defaults, then
 * configuration, environment, and what `args` holds of this table. A list is replaced as a whole by
 * a stronger source; in the environment its items stand one a line (or between commas).
 */
enum rv_status rv_cli_parse(const struct rv_cli_source *source, struct rv_cli_args *args,
			    void *options, struct rv_error *err) RV_MUST_CHECK;

/* "RIVER_PUSH_MAX_REJECTS" for scope "push", "RIVER_OUTPUT" for scope NULL; `ret` is of
 * RV_CLI_ENV_TEXT bytes. False when the option has no variable. */
#define RV_CLI_ENV_TEXT 96
bool rv_cli_env(const struct rv_opt *option, const char *scope, char *ret);
/* 1/0, true/false, yes/no, on/off, in any case. */
bool rv_cli_parse_bool(const char *text, bool *ret);
/* "--max-rejects", or "-c" where there is no long name; `ret` is of RV_CLI_ENV_TEXT bytes. */
const char *rv_cli_option_text(const struct rv_opt *option, char *ret);

#endif
