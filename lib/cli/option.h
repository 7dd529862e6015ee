/*
 * One static table a command: it drives parsing, -h, man pages, completion, environment variables
 * and configuration keys. `offsetof` keeps it const, so all of these read it without running
 * anything.
 */
#ifndef RV_CLI_OPTION_H
#define RV_CLI_OPTION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

enum rv_opt_type {
	RV_OPT_END,
	RV_OPT_FLAG,     /* bool; --x and --no-x */
	RV_OPT_STRING,   /* const char *; NULL when not given and without default */
	RV_OPT_SIZE,     /* uint64_t bytes: 64MiB; RV_OPT_NOT_GIVEN without default */
	RV_OPT_DURATION, /* int64_t ms: 60s; -1 when not given and without default */
	RV_OPT_COUNT,    /* uint64_t; RV_OPT_NOT_GIVEN without default */
	RV_OPT_CHOICE,   /* int: index into `choices`; -1 when not given and without default */
	RV_OPT_LIST,     /* struct rv_opt_list: may be repeated; with .comma split at commas too */
};
/* A SIZE or COUNT that nobody gave; no one can type it. */
#define RV_OPT_NOT_GIVEN UINT64_MAX
/* What a value completes to. */
enum rv_opt_complete { RV_COMPLETE_NOTHING, RV_COMPLETE_FILE, RV_COMPLETE_FOLDER,
		       RV_COMPLETE_STREAM, RV_COMPLETE_PROFILE, RV_COMPLETE_COMMAND };

struct rv_opt_list {
	const char **items;
	size_t count;
};

struct rv_opt {
	enum rv_opt_type type;
	char short_name;          /* 0: none */
	const char *name;         /* "max-rejects", without dashes; NULL: short only */
	size_t offset;            /* into the command's options struct */
	const char *arg;          /* lower case name of the argument, NULL for flags */
	const char *help;         /* no capital, no full stop */
	const char *def;          /* Optional default, parsed like a typed value */
	const char *const *choices; /* CHOICE: NULL-terminated */
	enum rv_opt_complete complete;
	bool comma;               /* LIST: "a,b" is two */
	/* Every long option can be given as RIVER_<COMMAND_><NAME> (cli/parse.h: rv_cli_env) but for
	 * those that say what to do instead of how. An option with a config key takes its value from
	 * the profile too. */
	bool no_env;
	const char *config_key;   /* Optional: "batch.size" */
};

/* The member's type is checked: a slip does not compile. */
#define RV_OPT_MEMBER_(struct_, member, ctype)                                                     \
	(offsetof(struct_, member) +                                                               \
	 0 * sizeof(char[_Generic(&((struct_ *)0)->member, ctype *: 1, default: -1)]))
#define OPT_FLAG(struct_, short_, name_, member, help_, ...)                                       \
	{ .type = RV_OPT_FLAG, .short_name = short_, .name = name_,                                \
	  .offset = RV_OPT_MEMBER_(struct_, member, bool), .help = help_, ##__VA_ARGS__ }
#define OPT_STRING(struct_, short_, name_, member, arg_, help_, ...)                               \
	{ .type = RV_OPT_STRING, .short_name = short_, .name = name_,                              \
	  .offset = RV_OPT_MEMBER_(struct_, member, const char *), .arg = arg_, .help = help_,     \
	  ##__VA_ARGS__ }
#define OPT_SIZE(struct_, short_, name_, member, arg_, help_, ...)                                 \
	{ .type = RV_OPT_SIZE, .short_name = short_, .name = name_,                                \
	  .offset = RV_OPT_MEMBER_(struct_, member, uint64_t), .arg = arg_, .help = help_,         \
	  ##__VA_ARGS__ }
#define OPT_DURATION(struct_, short_, name_, member, arg_, help_, ...)                             \
	{ .type = RV_OPT_DURATION, .short_name = short_, .name = name_,                            \
	  .offset = RV_OPT_MEMBER_(struct_, member, int64_t), .arg = arg_, .help = help_,          \
	  ##__VA_ARGS__ }
#define OPT_COUNT(struct_, short_, name_, member, arg_, help_, ...)                                \
	{ .type = RV_OPT_COUNT, .short_name = short_, .name = name_,                               \
	  .offset = RV_OPT_MEMBER_(struct_, member, uint64_t), .arg = arg_, .help = help_,         \
	  ##__VA_ARGS__ }
#define OPT_CHOICE(struct_, short_, name_, member, choices_, help_, ...)                           \
	{ .type = RV_OPT_CHOICE, .short_name = short_, .name = name_,                              \
	  .offset = RV_OPT_MEMBER_(struct_, member, int), .choices = choices_, .help = help_,      \
	  ##__VA_ARGS__ }
#define OPT_LIST(struct_, short_, name_, member, arg_, help_, ...)                                 \
	{ .type = RV_OPT_LIST, .short_name = short_, .name = name_,                                \
	  .offset = RV_OPT_MEMBER_(struct_, member, struct rv_opt_list), .arg = arg_, .help = help_, \
	  ##__VA_ARGS__ }
#define OPT_END { .type = RV_OPT_END }

#endif
