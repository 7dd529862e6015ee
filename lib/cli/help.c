/* Help text from the option tables, for terminals. */
#include "cli/help.h"

#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "base/memory.h"
#include "cli/parse.h"

#define OPTION_INDENT 26

static void spaces(struct rv_strbuf *sb, size_t n)
{
	while (n-- > 0)
		rv_strbuf_putc(sb, ' ');
}

void rv_help_wrap(struct rv_strbuf *sb, const char *text, size_t column, size_t indent)
{
	bool line_start = true;
	while (*text) {
		size_t len = strcspn(text, " \n");
		if (!line_start && column + 1 + len > RV_HELP_WIDTH) {
			rv_strbuf_putc(sb, '\n');
			spaces(sb, indent);
			column = indent;
			line_start = true;
		}
		if (!line_start) {
			rv_strbuf_putc(sb, ' ');
			column++;
		}
		rv_strbuf_add(sb, text, len);
		column += len;
		line_start = false;
		text += len;
		text += strspn(text, " \n");
	}
	rv_strbuf_putc(sb, '\n');
}

void rv_help_entry(struct rv_strbuf *sb, const char *word, const char *text, size_t indent)
{
	size_t len = strlen(word) + 2;
	rv_strbuf_printf(sb, "  %s", word);
	if (len + 2 > indent) {
		rv_strbuf_putc(sb, '\n');
		len = 0;
	}
	spaces(sb, indent - len);
	rv_help_wrap(sb, text, indent, indent);
}

void rv_help_option_words(struct rv_strbuf *sb, const struct rv_opt *option)
{
	if (option->short_name)
		rv_strbuf_printf(sb, "-%c%s", option->short_name, option->name ? ", " : "");
	if (option->name)
		rv_strbuf_printf(sb, "%s--%s", option->short_name ? "" : "    ", option->name);
	if (option->type != RV_OPT_FLAG)
		rv_strbuf_printf(sb, " <%s>", option->arg		  ? option->arg
					      : option->type == RV_OPT_CHOICE ? option->name
									      : "value");
}

void rv_help_option_text(struct rv_strbuf *sb, const struct rv_opt *option)
{
	rv_strbuf_puts(sb, option->help);
	if (option->type == RV_OPT_CHOICE) {
		rv_strbuf_puts(sb, ": ");
		for (int i = 0; option->choices[i]; i++)
			rv_strbuf_printf(sb, "%s%s", i ? ", " : "", option->choices[i]);
	}
	if (option->type == RV_OPT_LIST)
		rv_strbuf_puts(sb, option->comma ? " (comma between, or repeat)" : " (may repeat)");
	if (option->type == RV_OPT_FLAG && option->def)
		rv_strbuf_printf(sb, " (default; --no-%s for not)", option->name);
	else if (option->def)
		rv_strbuf_printf(sb, " (default %s)", option->def);
}

void rv_help_options(struct rv_strbuf *sb, const struct rv_opt *table)
{
	for (const struct rv_opt *o = table; o && o->type != RV_OPT_END; o++) {
		RV_CLEANUP(rv_strbuf_release) struct rv_strbuf words = RV_STRBUF_INIT;
		RV_CLEANUP(rv_strbuf_release) struct rv_strbuf text = RV_STRBUF_INIT;
		rv_help_option_words(&words, o);
		rv_help_option_text(&text, o);
		rv_help_entry(sb, words.bytes, text.bytes, OPTION_INDENT);
	}
}

void rv_help_command(struct rv_strbuf *sb, const struct rv_command *command)
{
	bool has_options = command->options && command->options->type != RV_OPT_END;
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf usage = RV_STRBUF_INIT;
	rv_strbuf_printf(&usage, "usage: river %s%s %s", command->name,
			 has_options ? " [options]" : "", command->operands);
	rv_help_wrap(sb, usage.bytes, 0, 15);
	rv_strbuf_putc(sb, '\n');
	rv_help_wrap(sb, command->summary, 0, 0);
	if (has_options) {
		rv_strbuf_puts(sb, "\noptions:\n");
		rv_help_options(sb, command->options);
	}
	if (command->examples && command->examples->command) {
		rv_strbuf_puts(sb, "\nexamples:\n");
		for (const struct rv_example *e = command->examples; e->command; e++) {
			rv_strbuf_printf(sb, "  %s\n", e->command);
			spaces(sb, 6);
			rv_help_wrap(sb, e->says, 6, 6);
		}
	}
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf page = RV_STRBUF_INIT;
	for (const char *p = command->name; *p; p++)
		rv_strbuf_putc(&page, *p == ' ' ? '-' : *p);
	rv_strbuf_puts(sb, "\nEvery command also takes the options that 'river help' lists.\n");
	rv_strbuf_printf(sb, "The whole story: man river-%s\n", page.bytes);
}

void rv_help_exit_codes(struct rv_strbuf *sb)
{
	for (int i = 0; i < RV_STATUS_COUNT; i++) {
		char code[16];
		snprintf(code, sizeof(code), "%3d", rv_status_exit_code((enum rv_status)i));
		rv_help_entry(sb, code, rv_status_sentence((enum rv_status)i), 8);
	}
	rv_help_entry(sb, "128+n", "ended by signal n, orderly: the same command goes on from there",
		      10);
}
