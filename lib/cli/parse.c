/* Command lines, environment and configuration into one struct, by an option table. */
#include "cli/parse.h"

#include <ctype.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/number.h"
#include "base/strbuf.h"

void rv_cli_args_release(struct rv_cli_args *args)
{
	for (size_t i = 0; i < args->owned_count; i++)
		free(args->owned[i]);
	free(args->owned);
	free(args->given);
	free(args->operands);
	*args = (struct rv_cli_args)RV_CLI_ARGS_INIT;
}

const char *rv_cli_option_text(const struct rv_opt *option, char *ret)
{
	if (option->name)
		snprintf(ret, RV_CLI_ENV_TEXT, "--%s", option->name);
	else
		snprintf(ret, RV_CLI_ENV_TEXT, "-%c", option->short_name);
	return ret;
}

bool rv_cli_env(const struct rv_opt *option, const char *scope, char *ret)
{
	if (!option->name || option->no_env)
		return false;
	snprintf(ret, RV_CLI_ENV_TEXT, "RIVER_%s%s%s", scope ? scope : "", scope ? "_" : "",
		 option->name);
	for (char *p = ret; *p; p++)
		*p = *p == ' ' || *p == '-' ? '_' : (char)toupper((unsigned char)*p);
	return true;
}

bool rv_cli_parse_bool(const char *text, bool *ret)
{
	static const char *const yes[] = { "1", "true", "yes", "on" };
	static const char *const no[] = { "0", "false", "no", "off" };
	for (size_t i = 0; i < sizeof(yes) / sizeof(yes[0]); i++) {
		if (!strcasecmp(text, yes[i]) || !strcasecmp(text, no[i])) {
			*ret = !strcasecmp(text, yes[i]);
			return true;
		}
	}
	return false;
}

/* ---- splitting ---------------------------------------------------------------------------- */

struct split {
	char **argv;
	size_t next;
	const struct rv_opt *tables[2];
	struct rv_cli_args *args;
};

static void add_given(struct rv_cli_args *args, const struct rv_opt *option, const char *value,
		      bool negated)
{
	RV_GROW(args->given, args->given_count, args->given_capacity);
	args->given[args->given_count++] =
		(struct rv_cli_given){ .option = option, .value = value, .negated = negated };
}

static void add_operand(struct rv_cli_args *args, char *text)
{
	/* one more for the NULL at the end */
	RV_GROW(args->operands, args->operands_count + 1, args->operands_capacity);
	args->operands[args->operands_count++] = text;
	args->operands[args->operands_count] = NULL;
}

static const struct rv_opt *find_long(const struct split *split, const char *name, size_t len)
{
	for (size_t t = 0; t < 2; t++)
		for (const struct rv_opt *o = split->tables[t]; o && o->type != RV_OPT_END; o++)
			if (o->name && strlen(o->name) == len && !memcmp(o->name, name, len))
				return o;
	return NULL;
}

static const struct rv_opt *find_short(const struct split *split, char c)
{
	for (size_t t = 0; t < 2; t++)
		for (const struct rv_opt *o = split->tables[t]; o && o->type != RV_OPT_END; o++)
			if (o->short_name && o->short_name == c)
				return o;
	return NULL;
}

static enum rv_status unknown_option(const struct split *split, const char *name, size_t len,
				     struct rv_error *err)
{
	RV_CLEANUP(rv_free_p) char *typed = rv_strndup(name, len);
	const char *words[256];
	size_t count = 0;
	/* A beginning of exactly one option is meant for it, however short: rv_nearest counts
	 * changed letters and would not see it. */
	const char *begins = NULL;
	bool several = false;
	for (size_t t = 0; t < 2; t++) {
		for (const struct rv_opt *o = split->tables[t]; o && o->type != RV_OPT_END; o++) {
			if (!o->name || count + 1 >= sizeof(words) / sizeof(words[0]))
				continue;
			words[count++] = o->name;
			if (len > 0 && rv_starts_with(o->name, typed)) {
				several = begins != NULL;
				begins = o->name;
			}
		}
	}
	words[count] = NULL;
	rv_fail(err, RV_USAGE, "unknown option '--%s'", typed);
	const char *near = begins && !several ? begins : rv_nearest(typed, words);
	if (near)
		rv_hint(err, "did you mean '--%s'?", near);
	return RV_USAGE;
}

static enum rv_status value_missing(const struct rv_opt *option, const char *typed,
				    struct rv_error *err)
{
	return rv_fail(err, RV_USAGE, "option '%s' needs a value: <%s>", typed,
		       option->arg ? option->arg : "value");
}

static enum rv_status split_long(struct split *split, char *word, struct rv_error *err)
{
	const char *name = word + 2;
	const char *equals = strchr(name, '=');
	size_t len = equals ? (size_t)(equals - name) : strlen(name);
	const struct rv_opt *option = find_long(split, name, len);
	bool negated = false;
	if (!option && len > 3 && !strncmp(name, "no-", 3)) {
		option = find_long(split, name + 3, len - 3);
		negated = option != NULL;
	}
	if (!option)
		return unknown_option(split, name, len, err);
	if (option->type == RV_OPT_FLAG) {
		if (equals)
			return rv_fail(err, RV_USAGE, "option '--%.*s' takes no value", (int)len,
				       name);
		add_given(split->args, option, NULL, negated);
		return RV_OK;
	}
	if (negated)
		return rv_fail(err, RV_USAGE, "option '--%s' takes a value and has no '--no-%s'",
			       option->name, option->name);
	const char *value = equals ? equals + 1 : split->argv[split->next];
	if (!value)
		return value_missing(option, word, err);
	if (!equals)
		split->next++;
	add_given(split->args, option, value, false);
	return RV_OK;
}

static enum rv_status split_short(struct split *split, char *word, struct rv_error *err)
{
	for (const char *p = word + 1; *p; p++) {
		const struct rv_opt *option = find_short(split, *p);
		if (!option) {
			/* -output and the like: one dash too few */
			if (p == word + 1 && p[1] && find_long(split, p, strcspn(p, "="))) {
				rv_fail(err, RV_USAGE, "unknown option '%s'", word);
				rv_hint(err, "did you mean '-%s'?", word);
				return RV_USAGE;
			}
			return rv_fail(err, RV_USAGE, "unknown option '-%c'", *p);
		}
		if (option->type == RV_OPT_FLAG) {
			add_given(split->args, option, NULL, false);
			continue;
		}
		const char *value = p[1] ? p + 1 : split->argv[split->next];
		if (!value)
			return value_missing(option, (char[]){ '-', *p, '\0' }, err);
		if (!p[1])
			split->next++;
		add_given(split->args, option, value, false);
		return RV_OK;
	}
	return RV_OK;
}

enum rv_status rv_cli_split(char **argv, const struct rv_opt *first, const struct rv_opt *second,
			    bool first_operand_only, struct rv_cli_args *args, size_t *ret_used,
			    struct rv_error *err)
{
	struct split split = { .argv = argv, .tables = { first, second }, .args = args };
	bool options_ended = false;
	while (argv[split.next]) {
		char *word = argv[split.next];
		/* "-" alone is standard input */
		bool operand = options_ended || word[0] != '-' || !word[1];
		if (first_operand_only && (operand || !strcmp(word, "--")))
			break;
		split.next++;
		if (operand) {
			add_operand(args, word);
		} else if (!strcmp(word, "--")) {
			options_ended = true;
		} else {
			enum rv_status status = word[1] == '-' ? split_long(&split, word, err)
							       : split_short(&split, word, err);
			if (status != RV_OK)
				return status;
		}
	}
	*ret_used = split.next;
	return RV_OK;
}

/* ---- filling ------------------------------------------------------------------------------ */

#define MEMBER(ctype, options, o) (*(ctype *)(void *)((char *)(options) + (o)->offset))

static void own(struct rv_cli_args *args, void *p)
{
	RV_GROW(args->owned, args->owned_count, args->owned_capacity);
	args->owned[args->owned_count++] = p;
}

static void list_add(struct rv_cli_args *args, struct rv_opt_list *list, const char *item)
{
	/* Lists are as long as a command line; a copy an item keeps ownership in one place. */
	const char **items = rv_malloc((list->count + 1) * sizeof(*items));
	if (list->count)
		memcpy(items, list->items, list->count * sizeof(*items));
	items[list->count] = item;
	own(args, items);
	list->items = items;
	list->count++;
}

static void list_add_copy(struct rv_cli_args *args, struct rv_opt_list *list, const char *text, size_t len)
{
	char *item = rv_strndup(text, len);
	own(args, item);
	list_add(args, list, item);
}

static void list_add_lines(struct rv_cli_args *args, struct rv_opt_list *list, const char *text)
{
	while (*text) {
		size_t len = strcspn(text, "\n");
		if (len > 0)
			list_add_copy(args, list, text, len);
		text += len + (text[len] != '\0');
	}
}

/* An empty item is most likely a variable of a shell that is not set: without it the list would say something else. */
static enum rv_status list_add_commas(struct rv_cli_args *args, struct rv_opt_list *list, const char *text,
				      const char *where, struct rv_error *err)
{
	for (const char *item = text;; item++) {
		size_t len = strcspn(item, ",");
		if (len == 0 && *text == '\0')
			return rv_fail(err, RV_USAGE, "%s: the value is empty", where);
		if (len == 0)
			return rv_fail(err, RV_USAGE, "%s: an item of '%s' is empty", where, text);
		list_add_copy(args, list, item, len);
		item += len;
		if (*item == '\0')
			return RV_OK;
	}
}

/* `where` names the place in messages: "option '--x'", "environment variable RIVER_X". */
static enum rv_status set_value(const struct rv_opt *o, const char *text, const char *where,
				struct rv_cli_args *args, void *options, struct rv_error *err)
{
	uint64_t number;
	switch (o->type) {
	case RV_OPT_FLAG:
		if (!rv_cli_parse_bool(text, &MEMBER(bool, options, o)))
			return rv_fail(err, RV_USAGE,
				       "%s: '%s' is not a yes or no (1, 0, true, false, yes, no, on, "
				       "off)", where, text);
		return RV_OK;
	case RV_OPT_STRING:
		MEMBER(const char *, options, o) = text;
		return RV_OK;
	case RV_OPT_SIZE:
		if (!rv_parse_size(text, &number) || number == RV_OPT_NOT_GIVEN)
			return rv_fail(err, RV_USAGE, "%s: '%s' is not a size, as in 512KiB or 64MiB",
				       where, text);
		MEMBER(uint64_t, options, o) = number;
		return RV_OK;
	case RV_OPT_DURATION:
		if (!rv_parse_duration(text, &MEMBER(int64_t, options, o)))
			return rv_fail(err, RV_USAGE,
				       "%s: '%s' is not a duration, as in 250ms, 60s, 15m or 7d",
				       where, text);
		return RV_OK;
	case RV_OPT_COUNT:
		if (!rv_parse_u64(text, strlen(text), &number) || number == RV_OPT_NOT_GIVEN)
			return rv_fail(err, RV_USAGE, "%s: '%s' is not a whole number", where, text);
		MEMBER(uint64_t, options, o) = number;
		return RV_OK;
	case RV_OPT_CHOICE: {
		RV_CLEANUP(rv_strbuf_release) struct rv_strbuf all = RV_STRBUF_INIT;
		for (int i = 0; o->choices[i]; i++) {
			if (!strcmp(o->choices[i], text)) {
				MEMBER(int, options, o) = i;
				return RV_OK;
			}
			rv_strbuf_printf(&all, "%s%s", i ? ", " : "", o->choices[i]);
		}
		rv_fail(err, RV_USAGE, "%s: '%s' is not one of %s", where, text, all.bytes);
		const char *near = rv_nearest(text, o->choices);
		if (near)
			rv_hint(err, "did you mean '%s'?", near);
		return RV_USAGE;
	}
	case RV_OPT_LIST:
		if (o->comma)
			return list_add_commas(args, &MEMBER(struct rv_opt_list, options, o), text, where, err);
		list_add(args, &MEMBER(struct rv_opt_list, options, o), text);
		return RV_OK;
	case RV_OPT_END:
		break;
	}
	rv_bug("option type %d", o->type);
}

/* Configuration and environment hold a whole list in one text, one item a line. */
static enum rv_status set_from_text(const struct rv_opt *o, const char *text, const char *where,
				    struct rv_cli_args *args, void *options, struct rv_error *err)
{
	if (o->type != RV_OPT_LIST)
		return set_value(o, text, where, args, options, err);
	struct rv_opt_list *list = &MEMBER(struct rv_opt_list, options, o);
	*list = (struct rv_opt_list){ NULL, 0 };
	if (o->comma)
		return list_add_commas(args, list, text, where, err);
	list_add_lines(args, list, text);
	return RV_OK;
}

static void set_not_given(const struct rv_opt *o, void *options)
{
	if (o->type == RV_OPT_CHOICE)
		MEMBER(int, options, o) = -1;
	else if (o->type == RV_OPT_DURATION)
		MEMBER(int64_t, options, o) = -1;
	else if (o->type == RV_OPT_SIZE || o->type == RV_OPT_COUNT)
		MEMBER(uint64_t, options, o) = RV_OPT_NOT_GIVEN;
}

static enum rv_status fill_option(const struct rv_cli_source *source, const struct rv_opt *o,
				  struct rv_cli_args *args, void *options, struct rv_error *err)
{
	char where[64 + RV_CLI_ENV_TEXT], name[RV_CLI_ENV_TEXT];
	set_not_given(o, options);
	if (o->def && set_from_text(o, o->def, "default", args, options, err) != RV_OK)
		rv_bug("default of option %s: %s", rv_cli_option_text(o, name), err->message);

	const char *text = o->config_key && source->lookup
				   ? source->lookup(source->lookup_arg, o->config_key)
				   : NULL;
	if (text) {
		snprintf(where, sizeof(where), "configuration key %s", o->config_key);
		if (set_from_text(o, text, where, args, options, err) != RV_OK)
			return err->status = RV_BAD_CONFIG;
	}
	/* A variable that is set to nothing is one that is not set. */
	if (rv_cli_env(o, source->scope, name) && (text = getenv(name)) && *text) {
		snprintf(where, sizeof(where), "environment variable %s", name);
		enum rv_status status = set_from_text(o, text, where, args, options, err);
		if (status != RV_OK)
			return status;
	}
	bool first = true;
	for (size_t i = 0; i < args->given_count; i++) {
		const struct rv_cli_given *given = &args->given[i];
		if (given->option != o)
			continue;
		if (o->type == RV_OPT_FLAG) {
			MEMBER(bool, options, o) = !given->negated;
			continue;
		}
		if (first && o->type == RV_OPT_LIST)
			MEMBER(struct rv_opt_list, options, o) = (struct rv_opt_list){ NULL, 0 };
		first = false;
		snprintf(where, sizeof(where), "option '%s'", rv_cli_option_text(o, name));
		enum rv_status status = set_value(o, given->value, where, args, options, err);
		if (status != RV_OK)
			return status;
	}
	return RV_OK;
}

enum rv_status rv_cli_parse(const struct rv_cli_source *source, struct rv_cli_args *args,
			    void *options, struct rv_error *err)
{
	for (const struct rv_opt *o = source->table; o && o->type != RV_OPT_END; o++) {
		enum rv_status status = fill_option(source, o, args, options, err);
		if (status != RV_OK)
			return status;
	}
	return RV_OK;
}
