/* Checks of option tables and examples that only a test needs. */
#include "cli/check.h"

#include <ctype.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/strbuf.h"
#include "cli/parse.h"

struct check {
	const struct rv_command *command;
	const struct rv_opt *globals;
	void (*report)(void *arg, const char *problem);
	void *arg;
	size_t problems;
};

static void problem(struct check *check, const char *fmt, ...) RV_PRINTF(2, 3);
static void problem(struct check *check, const char *fmt, ...)
{
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf text = RV_STRBUF_INIT;
	rv_strbuf_printf(&text, "river %s: ", check->command->name);
	va_list ap;
	va_start(ap, fmt);
	rv_strbuf_vprintf(&text, fmt, ap);
	va_end(ap);
	check->report(check->arg, text.bytes);
	check->problems++;
}

/* A phrase: no capital first (but for names such as DuckDB or JSON), no full stop ("..." is none). */
static bool is_phrase(const char *text)
{
	size_t len = text ? strlen(text) : 0;
	if (len == 0 || (text[len - 1] == '.' && !rv_ends_with(text, "...")))
		return false;
	if (!isupper((unsigned char)text[0]))
		return true;
	for (size_t i = 1; i < strcspn(text, " "); i++)
		if (isupper((unsigned char)text[i]))
			return true;
	return false;
}

static size_t member_bytes(enum rv_opt_type type)
{
	switch (type) {
	case RV_OPT_FLAG: return sizeof(bool);
	case RV_OPT_STRING: return sizeof(const char *);
	case RV_OPT_SIZE:
	case RV_OPT_COUNT: return sizeof(uint64_t);
	case RV_OPT_DURATION: return sizeof(int64_t);
	case RV_OPT_CHOICE: return sizeof(int);
	case RV_OPT_LIST: return sizeof(struct rv_opt_list);
	case RV_OPT_END: break;
	}
	return 0;
}

static void check_clashes(struct check *check, const struct rv_opt *o, const struct rv_opt *others)
{
	for (; others && others->type != RV_OPT_END && others != o; others++) {
		if (o->name && others->name && !strcmp(o->name, others->name))
			problem(check, "--%s is there twice", o->name);
		if (o->short_name && o->short_name == others->short_name)
			problem(check, "-%c is there twice", o->short_name);
		if (o->offset == others->offset && others >= check->command->options &&
		    others < o)
			problem(check, "--%s and --%s fill the same member",
				o->name ? o->name : "", others->name ? others->name : "");
	}
}

static void check_option(struct check *check, const struct rv_opt *o)
{
	char text[RV_CLI_ENV_TEXT];
	rv_cli_option_text(o, text);
	if (!o->name && !o->short_name)
		problem(check, "an option without any name");
	for (const char *p = o->name; p && *p; p++)
		if (!islower((unsigned char)*p) && !isdigit((unsigned char)*p) && *p != '-')
			problem(check, "%s: '%c' in a name", text, *p);
	if (o->name && !strncmp(o->name, "no-", 3))
		problem(check, "%s: flags are named for yes", text);
	if (o->name && strlen(o->name) + strlen(check->command->name) + 8 > RV_CLI_ENV_TEXT)
		problem(check, "%s: its variable would be too long", text);
	if (!is_phrase(o->help))
		problem(check, "%s: help is not a phrase: %s", text, o->help ? o->help : "none");
	if (o->type == RV_OPT_CHOICE && (!o->choices || !o->choices[0]))
		problem(check, "%s: no choices", text);
	if (o->type == RV_OPT_FLAG && ((o->def && strcmp(o->def, "yes")) || o->arg))
		problem(check, "%s: a flag has no argument, and no default but yes", text);
	if (o->arg && strcspn(o->arg, "ABCDEFGHIJKLMNOPQRSTUVWXYZ<>") != strlen(o->arg))
		problem(check, "%s: argument is not lower case: %s", text, o->arg);
	if (o->offset + member_bytes(o->type) > check->command->options_size)
		problem(check, "%s: its member is outside the options", text);
	check_clashes(check, o, check->command->options);
	check_clashes(check, o, check->globals);
	if (!o->def || o->type == RV_OPT_FLAG)
		return;
	/* A table of this one option, in a struct big enough for any member. */
	struct rv_opt alone[2] = { *o, OPT_END };
	union {
		void *align;
		char bytes[sizeof(struct rv_opt_list) + sizeof(uint64_t)];
	} scratch = { .align = NULL };
	struct rv_cli_args args = RV_CLI_ARGS_INIT;
	struct rv_cli_given given = { .option = &alone[0], .value = o->def };
	args.given = &given;
	args.given_count = 1;
	alone[0].offset = 0;
	alone[0].def = NULL;
	alone[0].no_env = true;
	alone[0].config_key = NULL;
	struct rv_error err = RV_ERROR_INIT;
	if (rv_cli_parse(&(struct rv_cli_source){ .table = alone }, &args, &scratch, &err) != RV_OK)
		problem(check, "%s: default: %s", text, err.message);
	args.given = NULL;
	rv_cli_args_release(&args);
}

/* ---- examples ----------------------------------------------------------------------------- */

void rv_cli_words_free(char **words)
{
	for (char **w = words; w && *w; w++)
		free(*w);
	free(words);
}

char **rv_cli_words(const char *text)
{
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf word = RV_STRBUF_INIT;
	char **words = NULL;
	size_t count = 0, capacity = 0;
	for (;;) {
		text += strspn(text, " \t");
		bool operator = strchr("|<>&;#", *text) != NULL; /* also at the end */
		if (operator && words && !strcmp(words[0], "river"))
			return words;
		if (!*text) {
			rv_cli_words_free(words);
			return NULL;
		}
		if (operator) {
			/* what came before was another program */
			rv_cli_words_free(words);
			words = NULL;
			count = capacity = 0;
			text++;
			continue;
		}
		rv_strbuf_clear(&word);
		char quote = 0;
		for (; *text && (quote || !strchr(" \t|<>&;", *text)); text++) {
			if (quote && *text == quote)
				quote = 0;
			else if (!quote && (*text == '\'' || *text == '"'))
				quote = *text;
			else if (quote != '\'' && *text == '\\' && text[1])
				rv_strbuf_putc(&word, *++text);
			else
				rv_strbuf_putc(&word, *text);
		}
		RV_GROW(words, count + 1, capacity);
		words[count++] = rv_strdup(word.bytes);
		words[count] = NULL;
	}
}

static enum rv_status parse_example(const struct check *check, char **words, struct rv_error *err)
{
	const struct rv_command *command = check->command;
	RV_CLEANUP(rv_cli_args_release) struct rv_cli_args args = RV_CLI_ARGS_INIT;
	RV_CLEANUP(rv_free_p) void *options =
		rv_calloc(1, command->options_size ? command->options_size : 1);
	size_t used;
	words++; /* "river" */
	enum rv_status status = rv_cli_split(words, check->globals, NULL, true, &args, &used, err);
	if (status != RV_OK)
		return status;
	words += used;
	for (const char *name = command->name; *name; words++) {
		size_t len = strcspn(name, " ");
		if (!*words || strlen(*words) != len || memcmp(*words, name, len))
			return rv_fail(err, RV_USAGE, "it is another command's");
		name += len + (name[len] == ' ');
	}
	if (command->raw)
		return RV_OK;
	status = rv_cli_split(words, command->options, check->globals, false, &args, &used, err);
	if (status != RV_OK)
		return status;
	return rv_cli_parse(&(struct rv_cli_source){ .table = command->options,
						     .scope = command->name },
			    &args, options, err);
}

static void check_example(struct check *check, const struct rv_example *example)
{
	if (!is_phrase(example->says))
		problem(check, "example '%s' is not explained by a phrase", example->command);
	char **words = rv_cli_words(example->command);
	struct rv_error err = RV_ERROR_INIT;
	if (!words)
		problem(check, "example '%s' does not run river", example->command);
	else if (parse_example(check, words, &err) != RV_OK)
		problem(check, "example '%s': %s", example->command, err.message);
	rv_cli_words_free(words);
}

size_t rv_cli_check(const struct rv_command *command, const struct rv_opt *globals,
		    void (*report)(void *arg, const char *problem), void *arg)
{
	struct check check = {
		.command = command, .globals = globals, .report = report, .arg = arg,
	};
	if (!is_phrase(command->summary))
		problem(&check, "summary is not a phrase: %s",
			command->summary ? command->summary : "none");
	if (!command->run)
		problem(&check, "it does nothing");
	if (!command->operands)
		problem(&check, "operands are not declared");
	for (const struct rv_opt *o = command->options; o && o->type != RV_OPT_END; o++)
		check_option(&check, o);
	if (command->group != RV_GROUP_HIDDEN && (!command->examples || !command->examples->command))
		problem(&check, "no example");
	for (const struct rv_example *e = command->examples; e && e->command; e++)
		check_example(&check, e);
	return check.problems;
}
