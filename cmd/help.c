/* `river help`: written from the tables, so it cannot disagree with what is parsed. */
#include "help.h"

#include <string.h>

#include "base/memory.h"
#include "cli/help.h"
#include "commands.h"
#include "context.h"

#define COMMAND_INDENT 22

static const char *const group_titles[RV_GROUP_COUNT] = {
	[RV_GROUP_START] = "start",
	[RV_GROUP_DELIVER] = "bring records in",
	[RV_GROUP_LOAD] = "load the warehouse",
	[RV_GROUP_LOOK] = "look",
	[RV_GROUP_MEND] = "mend",
	[RV_GROUP_HELP] = "set up and help",
};

void river_help_overview(struct rv_strbuf *sb)
{
	rv_strbuf_puts(sb, "usage: river [options] <command> [<argument>...]\n\n");
	rv_help_wrap(sb,
		     "river takes records from where they are to where they are queried, and can "
		     "prove that every one of them arrived, once.", 0, 0);
	for (int group = 0; group < RV_GROUP_HIDDEN; group++) {
		bool titled = false;
		for (const struct rv_command *const *c = river_commands; *c; c++) {
			if ((int)(*c)->group != group)
				continue;
			if (!titled)
				rv_strbuf_printf(sb, "\n%s:\n", group_titles[group]);
			titled = true;
			rv_help_entry(sb, (*c)->name, (*c)->summary, COMMAND_INDENT);
		}
	}
	rv_strbuf_puts(sb, "\noptions of every command:\n");
	rv_help_options(sb, river_globals_table);
	rv_strbuf_puts(sb, "\n'river help <command>' and 'river help <topic>' say more; topics:\n");
	for (const struct river_topic *t = river_topics; t->name; t++)
		rv_help_entry(sb, t->name, t->summary, COMMAND_INDENT);
}

void river_help_group(struct rv_strbuf *sb, const char *word)
{
	size_t len = strlen(word);
	rv_strbuf_printf(sb, "usage: river %s <command> [<argument>...]\n\n", word);
	for (const struct rv_command *const *c = river_commands; *c; c++)
		if ((*c)->group != RV_GROUP_HIDDEN && rv_starts_with((*c)->name, word) &&
		    (*c)->name[len] == ' ')
			rv_help_entry(sb, (*c)->name, (*c)->summary, COMMAND_INDENT);
	rv_strbuf_printf(sb, "\n'river %s <command> -h' says more\n", word);
}

static enum rv_status unknown_topic(const char *typed, struct rv_error *err)
{
	const char *words[64];
	size_t count = 0;
	for (const struct river_topic *t = river_topics; t->name && count < 63; t++)
		words[count++] = t->name;
	words[count] = NULL;
	rv_fail(err, RV_USAGE, "there is no help about '%s'", typed);
	const char *near = rv_nearest(typed, words);
	if (!near)
		near = river_command_nearest(typed, NULL);
	if (near)
		rv_hint(err, "did you mean 'river help %s'?", near);
	else
		rv_hint(err, "'river help' lists commands and topics");
	return RV_USAGE;
}

static enum rv_status help_run(struct rv_command_context *cx, void *options, int operands_count,
			       char **operands, struct rv_error *err)
{
	(void)options;
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf text = RV_STRBUF_INIT;
	int words = 0;
	const struct rv_command *command = NULL;
	const struct river_topic *topic = river_topics;
	if (operands_count > 0)
		command = river_command_find(operands[0], operands[1], &words);
	while (operands_count > 0 && topic->name && strcmp(topic->name, operands[0]))
		topic++;
	if (operands_count > 2 || (operands_count == 2 && words != 2 &&
				   !(operands_count > 0 && river_command_is_group(operands[0]))))
		return rv_fail(err, RV_USAGE, "one command or topic at a time");
	if (operands_count == 0)
		river_help_overview(&text);
	else if (command)
		rv_help_command(&text, command);
	else if (operands_count == 1 && river_command_is_group(operands[0]))
		river_help_group(&text, operands[0]);
	else if (operands_count == 1 && topic->name)
		topic->write(&text);
	else
		return unknown_topic(operands[operands_count - 1], err);
	rv_out_write(cx->out, text.bytes, text.len);
	return RV_OK;
}

static const struct rv_example help_examples[] = {
	{ "river help push", "what push takes, as 'river push -h' prints it" },
	{ "river help exit-codes", "what each exit code means" },
	{ NULL }
};

const struct rv_command cmd_help = {
	.name = "help",
	.group = RV_GROUP_HELP,
	.summary = "show help for a command or a topic",
	.operands = "[<command> | <topic>]",
	.operand_complete = { RV_COMPLETE_COMMAND, RV_COMPLETE_COMMAND },
	.examples = help_examples,
	.run = help_run,
};
