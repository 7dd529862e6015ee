/* Commands for river's own scripts: the manual, the tests and the shells' completions ask them. */
#include <string.h>

#include "base/memory.h"
#include "cli/help.h"
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

/* `__doc <command, dashes for spaces> <part>`; "river" is river itself. */
static enum rv_status doc_run(struct rv_command_context *cx, void *options, int operands_count,
			      char **operands, struct rv_error *err)
{
	(void)options;
	if (operands_count != 2)
		return rv_fail(err, RV_USAGE, "a page and one of its parts are needed");
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
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf text = RV_STRBUF_INIT;
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
