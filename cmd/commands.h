/* The list of commands and of the options that all of them take. */
#ifndef RIVER_COMMANDS_H
#define RIVER_COMMANDS_H

#include <stdbool.h>
#include <stdint.h>

#include "cli/command.h"

#define RIVER_COMMAND(name) extern const struct rv_command name;
#include "commands.def"
#undef RIVER_COMMAND

/* In the order of commands.def, NULL at the end. */
extern const struct rv_command *const river_commands[];

struct river_globals {
	bool help, version, quiet, verbose;
	int output;                  /* enum rv_out_format */
	int color, lock;             /* enum river_color, enum rv_lock_policy */
	int64_t timeout_ms;
	const char *profile, *folder;
	const char *endpoint_url;
	/* --profile, --endpoint-url, --lock stand on the command line */
	bool profile_typed, endpoint_url_typed, lock_typed;
	struct rv_opt_list settings; /* "key=value" */
};
enum river_color { RIVER_COLOR_AUTO, RIVER_COLOR_ALWAYS, RIVER_COLOR_NEVER };
extern const struct rv_opt river_globals_table[];

/* The command of one or two words: "push", or "stream" and "create". NULL when there is none.
 * `second` may be NULL. *ret_words says how many words its name has. */
const struct rv_command *river_command_find(const char *first, const char *second,
					    int *ret_words);
/* Whether `word` is the first of two words of some command ("stream"). */
bool river_command_is_group(const char *word);
/* The command or first word that was perhaps meant, or NULL. */
const char *river_command_nearest(const char *first, const char *second);

#endif
