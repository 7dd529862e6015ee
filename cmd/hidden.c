/* Commands for river's own scripts: the manual, the tests and the shells' completions ask them. */
#include <string.h>

#include "base/memory.h"
#include "cli/check.h"
#include "cli/help.h"
#include "cli/parse.h"
#include "config/keys.h"
#include "commands.h"
#include "context.h"

static enum rv_status commands_run(struct rv_command_context *cx, void *options, int operands_count,
				   char **operands, struct rv_error *err)
{
	(void)options;
	(void)operands;
	(void)err;
	(void)operands_count;
	for (const struct rv_command *const *c = river_commands; *c; c++) {
		if ((*c)->group == RV_GROUP_HIDDEN)
			continue;
		rv_out_write(cx->out, (*c)->name, strlen((*c)->name));
		rv_out_write(cx->out, "\n", 1);
	}
	return RV_OK;
}

const struct rv_command cmd___commands = {
	.name = "__commands",
	.group = RV_GROUP_HIDDEN,
	.summary = "list the commands, one a line",
	.operands = "",
	.run = commands_run,
};

/* The parts of river(1) and river.yaml(5) that need more than one table. */
static bool whole_part(struct rv_strbuf *sb, const char *page, const char *part)
{
	if (!strcmp(page, "river") && !strcmp(part, "commands")) {
		rv_strbuf_puts(sb, ".Bl -tag -width Ds\n");
		for (const struct rv_command *const *c = river_commands; *c; c++) {
			if ((*c)->group == RV_GROUP_HIDDEN)
				continue;
			rv_strbuf_puts(sb, ".It Xr river-");
			for (const char *p = (*c)->name; *p; p++)
				rv_strbuf_putc(sb, *p == ' ' ? '-' : *p);
			rv_strbuf_puts(sb, " 1\n");
			rv_man_text(sb, (*c)->summary);
			rv_strbuf_putc(sb, '\n');
		}
		rv_strbuf_puts(sb, ".El\n");
		return true;
	}
	if (!strcmp(page, "river.yaml") && !strcmp(part, "keys")) {
		rv_strbuf_puts(sb, ".Bl -tag -width Ds\n");
		for (size_t i = 0; i < rv_keys_count; i++) {
			const struct rv_key *key = &rv_keys[i];
			rv_strbuf_printf(sb, ".It Cm %s\n", key->name);
			rv_man_text(sb, key->help);
			if (key->choices)
				rv_strbuf_printf(sb, ": one of %s", key->choices);
			if (key->belongs_to)
				rv_strbuf_printf(sb, "; goes with the type %s", key->belongs_to);
			if (key->def) {
				rv_strbuf_puts(sb, ".\nDefault: ");
				rv_man_text(sb, key->def);
			}
			rv_strbuf_puts(sb, ".\n");
		}
		rv_strbuf_puts(sb, ".El\n");
		return true;
	}
	return false;
}

/* `__doc <command, dashes for spaces> <part>`; "river" is river itself. */
static enum rv_status doc_run(struct rv_command_context *cx, void *options, int operands_count,
			      char **operands, struct rv_error *err)
{
	(void)options;
	if (operands_count != 2)
		return rv_fail(err, RV_USAGE, "a page and one of its parts are needed");
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf text = RV_STRBUF_INIT;
	if (whole_part(&text, operands[0], operands[1])) {
		rv_out_write(cx->out, text.bytes, text.len);
		return RV_OK;
	}
	const struct rv_command *command = NULL;
	if (strcmp(operands[0], "river")) {
		for (const struct rv_command *const *c = river_commands; *c && !command; c++) {
			RV_CLEANUP(rv_free_p) char *page = rv_strdup((*c)->name);
			for (char *p = page; *p; p++)
				if (*p == ' ')
					*p = '-';
			if (!strcmp(page, operands[0]))
				command = *c;
		}
		if (!command)
			return rv_fail(err, RV_NOT_FOUND, "no command '%s'", operands[0]);
	}
	if (!rv_man_part(&text, command, river_globals_table, operands[1]))
		return rv_fail(err, RV_USAGE, "no such part '%s'", operands[1]);
	rv_out_write(cx->out, text.bytes, text.len);
	return RV_OK;
}

const struct rv_command cmd___doc = {
	.name = "__doc",
	.group = RV_GROUP_HIDDEN,
	.summary = "write one part of a manual page",
	.operands = "<page> <part>",
	.run = doc_run,
};

/* ---- checks ------------------------------------------------------------------------------- */

static void print_problem(void *arg, const char *problem)
{
	struct rv_out *out = arg;
	rv_out_write(out, problem, strlen(problem));
	rv_out_write(out, "\n", 1);
}

/* A variable must mean one thing: no option's may be another option's or a configuration key's. */
static size_t check_variable(struct rv_out *out, const char *variable,
			     const struct rv_command *command, const struct rv_opt *option)
{
	size_t problems = 0;
	char other[RV_CLI_ENV_TEXT];
	for (size_t i = 0; i < rv_keys_count; i++) {
		if (rv_key_has_star(&rv_keys[i]))
			continue;
		RV_CLEANUP(rv_free_p) char *key = rv_key_env(&rv_keys[i]);
		if (!strcmp(key, variable)) {
			rv_out_printf(out, "%s is an option of %s and the key %s\n", variable,
				      command->name, rv_keys[i].name);
			problems++;
		}
	}
	for (const struct rv_opt *o = river_globals_table; o->type != RV_OPT_END; o++)
		if (rv_cli_env(o, NULL, other) && !strcmp(other, variable)) {
			rv_out_printf(out, "%s is global and an option of %s\n", variable,
				      command->name);
			problems++;
		}
	for (const struct rv_command *const *c = river_commands; *c; c++)
		for (const struct rv_opt *o = (*c)->options; o && o->type != RV_OPT_END; o++)
			if (o != option && rv_cli_env(o, (*c)->name, other) &&
			    !strcmp(other, variable)) {
				rv_out_printf(out, "%s is an option of %s and of %s\n", variable,
					      command->name, (*c)->name);
				problems++;
			}
	return problems;
}

static enum rv_status check_run(struct rv_command_context *cx, void *options, int operands_count,
				char **operands, struct rv_error *err)
{
	(void)options;
	(void)operands_count;
	(void)operands;
	size_t problems = 0;
	for (const struct rv_command *const *c = river_commands; *c; c++) {
		problems += rv_cli_check(*c, river_globals_table, print_problem, cx->out);
		for (const struct rv_opt *o = (*c)->options; o && o->type != RV_OPT_END; o++) {
			char variable[RV_CLI_ENV_TEXT];
			if (o->config_key && !rv_key_find(o->config_key)) {
				rv_out_printf(cx->out, "%s: no configuration key %s\n",
					      (*c)->name, o->config_key);
				problems++;
			}
			if (rv_cli_env(o, (*c)->name, variable))
				problems += check_variable(cx->out, variable, *c, o);
		}
	}
	return problems ? rv_fail(err, RV_FAILED, "%zu problems in the tables", problems) : RV_OK;
}

const struct rv_command cmd___check = {
	.name = "__check",
	.group = RV_GROUP_HIDDEN,
	.summary = "say what is wrong with the option tables",
	.operands = "",
	.run = check_run,
};
