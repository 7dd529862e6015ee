/* Which commands there are, what every one of them takes, and how they are found by their words. */
#include "commands.h"

#include <string.h>

#include "context.h"

const struct rv_command *const river_commands[] = {
#define RIVER_COMMAND(name) &name,
#include "commands.def"
#undef RIVER_COMMAND
	NULL
};

static const char *const outputs[] = { "text", "json", "csv", NULL }; /* enum rv_out_format */
static const char *const colors[] = { "auto", "always", "never", NULL }; /* enum river_color */
static const char *const locks[] = { "wait", "skip", "fail", NULL };     /* enum rv_lock_policy */

/* clang-format off */
const struct rv_opt river_globals_table[] = {
	OPT_FLAG(struct river_globals, 'h', "help", help,
		 "show help for the command and do nothing else", .no_env = true),
	OPT_FLAG(struct river_globals, 0, "version", version, "show the version and do nothing else",
		 .no_env = true),
	OPT_CHOICE(struct river_globals, 0, "output", output, outputs,
		   "how results are printed; csv for query only", .arg = "format", .def = "text"),
	OPT_STRING(struct river_globals, 0, "profile", profile, "name",
		   "use this profile of river.yaml", .complete = RV_COMPLETE_PROFILE),
	OPT_STRING(struct river_globals, 'C', NULL, folder, "folder", "run as if started there",
		   .complete = RV_COMPLETE_FOLDER),
	OPT_LIST(struct river_globals, 'c', NULL, settings, "key=value",
		 "set a configuration key of the profile"),
	OPT_STRING(struct river_globals, 0, "endpoint-url", endpoint_url, "url",
		   "ask this address instead of AWS's; sets aws.endpoint_url"),
	OPT_FLAG(struct river_globals, 'q', "quiet", quiet, "say nothing but warnings and errors"),
	OPT_FLAG(struct river_globals, 'v', "verbose", verbose,
		 "say more, and print the summary line also without a terminal"),
	OPT_CHOICE(struct river_globals, 0, "color", color, colors, "when to color messages",
		   .arg = "when", .def = "auto"),
	OPT_DURATION(struct river_globals, 0, "timeout", timeout_ms, "duration",
		     "give up waiting for locks and answers after this time"),
	OPT_CHOICE(struct river_globals, 0, "lock", lock, locks,
		   "when another run holds a lock: wait for it, skip what it holds, or fail with 11",
		   .arg = "policy", .def = "wait"),
	OPT_END
};
/* clang-format on */

/* The first word of a command's name; its length. */
static size_t first_word(const struct rv_command *command)
{
	return strcspn(command->name, " ");
}

static bool first_word_is(const struct rv_command *command, const char *word)
{
	size_t len = first_word(command);
	return strlen(word) == len && !memcmp(command->name, word, len);
}

const struct rv_command *river_command_find(const char *first, const char *second, int *ret_words)
{
	for (const struct rv_command *const *c = river_commands; *c; c++) {
		if (!first_word_is(*c, first))
			continue;
		const char *rest = (*c)->name + first_word(*c);
		if (!*rest) {
			*ret_words = 1;
			return *c;
		}
		if (second && !strcmp(rest + 1, second)) {
			*ret_words = 2;
			return *c;
		}
	}
	return NULL;
}

bool river_command_is_group(const char *word)
{
	for (const struct rv_command *const *c = river_commands; *c; c++)
		if (first_word_is(*c, word) && (*c)->name[first_word(*c)])
			return true;
	return false;
}

const char *river_command_nearest(const char *first, const char *second)
{
	static char names[sizeof(river_commands) / sizeof(river_commands[0])][64];
	const char *words[sizeof(names) / sizeof(names[0]) + 1];
	size_t count = 0;
	for (const struct rv_command *const *c = river_commands; *c; c++) {
		if ((*c)->group == RV_GROUP_HIDDEN)
			continue;
		const char *name = (*c)->name;
		size_t len = first_word(*c);
		if (second) { /* the group is known, its verb is not */
			if (!first_word_is(*c, first) || !name[len])
				continue;
			name += len + 1;
			len = strlen(name);
		}
		if (len >= sizeof(names[0]))
			continue;
		memcpy(names[count], name, len);
		names[count][len] = '\0';
		words[count] = names[count];
		count++;
	}
	words[count] = NULL;
	return rv_nearest(second ? second : first, words);
}
