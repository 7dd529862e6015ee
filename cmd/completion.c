/* `river completion SHELL`, and the words the shells ask for while one types. */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/memory.h"
#include "base/number.h"
#include "cli/parse.h"
#include "commands.h"
#include "config/config.h"
#include "config/config_file.h"
#include "context.h"
#include "help.h"
#include "lakes.h"
#include "store/store.h"
#include "wire.h"

/*
 * `__complete <index> <words...>`: `words` are those after "river", the one at `index` is being
 * typed and may be missing. One candidate a line; ":files" and ":folders" leave the rest to the
 * shell.
 */
struct complete {
	struct rv_out *out;
	struct river_lakes lakes;
	const char *typed;
	const char *prefix;  /* what stands before the candidate in the word: "--output=" */
	struct river_globals globals;
	struct rv_cli_args args;
};

static void candidate(struct complete *c, const char *text)
{
	if (!rv_starts_with(text, c->typed))
		return;
	rv_out_write(c->out, c->prefix, strlen(c->prefix));
	rv_out_write(c->out, text, strlen(text));
	rv_out_write(c->out, "\n", 1);
}

static void complete_options(struct complete *c, const struct rv_opt *table)
{
	for (const struct rv_opt *o = table; o && o->type != RV_OPT_END; o++) {
		char text[RV_CLI_ENV_TEXT];
		candidate(c, rv_cli_option_text(o, text));
		if (o->name && o->short_name) {
			char dashed[] = { '-', o->short_name, '\0' };
			if (strlen(c->typed) < 2 || c->typed[1] != '-')
				candidate(c, dashed);
		}
	}
}

static enum rv_status each_stream(void *arg, const struct rv_store_object *object,
				  struct rv_error *err)
{
	(void)err;
	struct complete *c = arg;
	const char *name = object->name + strlen("_river/streams/");
	if (!rv_ends_with(name, ".json"))
		return RV_OK;
	RV_CLEANUP(rv_free_p) char *stream = rv_strndup(name, strlen(name) - strlen(".json"));
	RV_CLEANUP(rv_free_p) char *business = rv_strndup(name, strcspn(name, "/"));
	if (!river_lakes_has(&c->lakes, business))
		return RV_OK;
	candidate(c, rv_starts_with(stream, "main/") && !rv_starts_with(c->typed, "main/")
			     ? stream + strlen("main/")
			     : stream);
	return RV_OK;
}

/* The names of the other lakes are of use all the same. */
static enum rv_status forget(struct rv_error *err)
{
	*err = (struct rv_error)RV_ERROR_INIT;
	return RV_OK;
}

static enum rv_status each_lake(void *arg, struct rv_error *err)
{
	struct complete *c = arg;
	struct rv_store *lake = c->lakes.cx->lake;
	struct rv_store_list list = { .prefix = "_river/streams/" };
	return lake->ops->list(lake, &list, each_stream, c, err) == RV_OK ? RV_OK : forget(err);
}

/* Whatever is wrong here is said when the command is run, not while it is typed. */
static void complete_streams(struct complete *c)
{
	struct rv_error err = RV_ERROR_INIT;
	struct rv_command_context cx = { .out = c->out };
	if (river_open_config(&cx, &c->globals, &err) == RV_OK &&
	    rv_wire_lake(cx.profile, &cx.lake, &err) == RV_OK) {
		river_lakes_init(&c->lakes, &cx);
		if (river_lakes_each(&c->lakes, each_lake, c, &err) != RV_OK)
			c->typed = "";
	}
	river_close(&cx);
}

static void complete_profiles(struct complete *c)
{
	struct rv_error err = RV_ERROR_INIT;
	char **paths = NULL;
	size_t count = 0;
	if (rv_config_discover(NULL, &paths, &count, &err) != RV_OK)
		return;
	for (size_t i = 0; i < count; i++) {
		struct rv_config_file file = { .path = NULL };
		RV_CLEANUP(rv_free_p) char *path = rv_path_absolute(paths[i]);
		if (rv_config_file_read(path, NULL, NULL, &file, &err) != RV_OK)
			continue;
		for (size_t p = 0; p < file.count; p++)
			candidate(c, file.profiles[p].name);
		rv_config_file_release(&file);
	}
	rv_config_paths_free(paths, count);
}

static void complete_commands(struct complete *c, const char *group)
{
	const char *last = "";
	size_t last_len = 0;
	for (const struct rv_command *const *command = river_commands; *command; command++) {
		const char *name = (*command)->name;
		size_t len = strcspn(name, " ");
		if ((*command)->group == RV_GROUP_HIDDEN)
			continue;
		if (group) {
			if (strlen(group) == len && !memcmp(group, name, len) && name[len])
				candidate(c, name + len + 1);
			continue;
		}
		/* the words of a group stand together */
		if (len == last_len && !memcmp(name, last, len))
			continue;
		last = name;
		last_len = len;
		RV_CLEANUP(rv_free_p) char *word = rv_strndup(name, len);
		candidate(c, word);
	}
}

static void complete_kind(struct complete *c, enum rv_opt_complete kind)
{
	switch (kind) {
	case RV_COMPLETE_NOTHING: break;
	case RV_COMPLETE_FILE: rv_out_write(c->out, ":files\n", 7); break;
	case RV_COMPLETE_FOLDER: rv_out_write(c->out, ":folders\n", 9); break;
	case RV_COMPLETE_STREAM: complete_streams(c); break;
	case RV_COMPLETE_PROFILE: complete_profiles(c); break;
	case RV_COMPLETE_COMMAND:
		complete_commands(c, NULL);
		for (const struct river_topic *t = river_topics; t->name; t++)
			candidate(c, t->name);
		break;
	}
}

static void complete_value(struct complete *c, const struct rv_opt *o)
{
	if (o->type == RV_OPT_CHOICE)
		for (int i = 0; o->choices[i]; i++)
			candidate(c, o->choices[i]);
	else
		complete_kind(c, o->complete);
}

/* The option whose value is being typed, or NULL: reads the words before it as the parser does. */
static const struct rv_opt *pending_option(char **words, const struct rv_opt *first,
					   const struct rv_opt *second, bool operand_stops,
					   struct rv_cli_args *args, size_t *ret_used)
{
	/* The parser refuses an option without value at the end: give it one and see who took it. */
	size_t count = 0;
	while (words[count])
		count++;
	static char marker[] = "";
	RV_CLEANUP(rv_free_p) char **with = rv_calloc(count + 2, sizeof(*with));
	memcpy(with, words, count * sizeof(*words));
	with[count] = marker;
	struct rv_error err = RV_ERROR_INIT;
	const struct rv_opt *pending = NULL;
	if (rv_cli_split(with, first, second, operand_stops, args, ret_used, &err) != RV_OK)
		*ret_used = count;
	if (*ret_used > count)
		*ret_used = count;
	if (args->given_count && args->given[args->given_count - 1].value == marker) {
		pending = args->given[args->given_count - 1].option;
		args->given_count--; /* nothing is typed yet */
	} else if (args->operands_count && args->operands[args->operands_count - 1] == marker) {
		args->operands[--args->operands_count] = NULL;
	}
	return pending;
}

/* `words` end before the one being typed. */
static void complete(struct complete *c, char **words)
{
	size_t used;
	const struct rv_opt *table = NULL, *pending;
	const struct rv_command *command = NULL;
	const char *group = NULL;
	pending = pending_option(words, river_globals_table, NULL, true, &c->args, &used);
	words += used;
	if (words[0]) {
		int name_words;
		command = river_command_find(words[0], NULL, &name_words);
		group = command ? NULL : words[0];
		words++;
		if (group) {
			pending = pending_option(words, river_globals_table, NULL, true, &c->args,
						 &used);
			words += used;
			if (words[0]) {
				command = river_command_find(group, words[0], &name_words);
				words++;
				if (!command)
					return;
			}
		}
	}
	bool ended = false;
	if (command) {
		table = command->options;
		pending = pending_option(words, table, river_globals_table, false, &c->args, &used);
		for (char **w = words; *w; w++)
			ended = ended || !strcmp(*w, "--");
	}
	/* A variable that cannot be read is not this command's to complain of, and how things are
	 * printed does not matter here. */
	for (const struct rv_opt *o = river_globals_table; o->type != RV_OPT_END; o++) {
		char variable[RV_CLI_ENV_TEXT];
		if (o->type != RV_OPT_STRING && rv_cli_env(o, NULL, variable))
			unsetenv(variable);
	}
	struct rv_cli_source source = { .table = river_globals_table };
	struct rv_error err = RV_ERROR_INIT;
	if (rv_cli_parse(&source, &c->args, &c->globals, &err) != RV_OK)
		memset(&c->globals, 0, sizeof(c->globals));

	if (c->globals.folder && chdir(c->globals.folder) != 0)
		return;

	const char *equals = strchr(c->typed, '=');
	if (pending) {
		complete_value(c, pending);
	} else if (!ended && rv_starts_with(c->typed, "--") && equals) {
		size_t len = (size_t)(equals - c->typed) - 2;
		RV_CLEANUP(rv_free_p) char *prefix = rv_strndup(c->typed, len + 3);
		for (int t = 0; t < 2; t++)
			for (const struct rv_opt *o = t ? river_globals_table : table;
			     o && o->type != RV_OPT_END; o++)
				if (o->name && strlen(o->name) == len &&
				    !memcmp(o->name, c->typed + 2, len)) {
					c->prefix = prefix;
					c->typed = equals + 1;
					complete_value(c, o);
					return;
				}
	} else if (!ended && c->typed[0] == '-') {
		complete_options(c, table);
		complete_options(c, river_globals_table);
	} else if (!command) {
		complete_commands(c, group);
	} else if (!strcmp(command->name, "help") && c->args.operands_count == 1) {
		complete_commands(c, c->args.operands[0]);
	} else {
		complete_kind(c, command->operand_complete[c->args.operands_count > 0]);
	}
}

static enum rv_status complete_run(struct rv_command_context *cx, void *options,
				   int operands_count, char **operands, struct rv_error *err)
{
	(void)options;
	uint64_t index;
	if (operands_count < 1 || !rv_parse_u64(operands[0], strlen(operands[0]), &index) ||
	    index < 1)
		return rv_fail(err, RV_USAGE, "the index of the word being typed is needed, from 1");
	size_t words = (size_t)operands_count - 1;
	struct complete c = { .out = cx->out, .typed = "", .prefix = "" };
	if (index <= words) {
		c.typed = operands[index];
		operands[index] = NULL;
	}
	complete(&c, operands + 1);
	rv_cli_args_release(&c.args);
	return RV_OK;
}

const struct rv_command cmd___complete = {
	.name = "__complete",
	.group = RV_GROUP_HIDDEN,
	.summary = "what the word being typed can become",
	.operands = "<index> [<word>...]",
	.raw = true,
	.run = complete_run,
};

static enum rv_status completion_run(struct rv_command_context *cx, void *options,
				     int operands_count, char **operands, struct rv_error *err)
{
	(void)options;
	/* The texts are of completions/, made into a header by the build. */
	static const struct {
		const char *shell, *text;
	} files[] = {
		{ "bash", completion_bash }, { "zsh", completion_zsh }, { "fish", completion_fish },
	};
	for (size_t i = 0; operands_count == 1 && i < sizeof(files) / sizeof(files[0]); i++) {
		if (strcmp(operands[0], files[i].shell))
			continue;
		rv_out_write(cx->out, files[i].text, strlen(files[i].text));
		return RV_OK;
	}
	return operands_count == 1
		       ? rv_fail(err, RV_USAGE, "no completion for the shell '%s': there is bash, "
						"zsh and fish", operands[0])
		       : rv_fail(err, RV_USAGE, "one shell is needed: bash, zsh or fish");
}

static const struct rv_example completion_examples[] = {
	{ "river completion bash >~/.local/share/bash-completion/completions/river",
	  "complete commands, options and stream names in bash" },
	{ "river completion fish >~/.config/fish/completions/river.fish", "the same in fish" },
	{ NULL }
};

const struct rv_command cmd_completion = {
	.name = "completion",
	.group = RV_GROUP_HELP,
	.summary = "print the completion script of a shell",
	.operands = "bash | zsh | fish",
	.examples = completion_examples,
	.run = completion_run,
};
