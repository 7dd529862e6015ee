/* The parts of a manual page that the tables know, as mdoc. */
#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "base/memory.h"
#include "cli/help.h"
#include "cli/parse.h"

void rv_man_text(struct rv_strbuf *sb, const char *text)
{
	if (*text == '.' || *text == '\'')
		rv_strbuf_puts(sb, "\\&");
	for (; *text; text++) {
		if (*text == '\\')
			rv_strbuf_puts(sb, "\\e");
		else if (*text == '-')
			rv_strbuf_puts(sb, "\\-");
		else
			rv_strbuf_putc(sb, *text);
	}
}

/* An argument of a macro: quoted, because words such as "no" or "Op" would be macros themselves. */
static void quoted(struct rv_strbuf *sb, const char *text)
{
	rv_strbuf_putc(sb, '"');
	for (; *text; text++) {
		if (*text == '"')
			rv_strbuf_puts(sb, "\"\"");
		else if (*text == '\\')
			rv_strbuf_puts(sb, "\\e");
		else
			rv_strbuf_putc(sb, *text);
	}
	rv_strbuf_putc(sb, '"');
}

static const char *argument_of(const struct rv_opt *o)
{
	return o->arg ? o->arg : o->type == RV_OPT_CHOICE && o->name ? o->name : "value";
}

static bool has_options(const struct rv_opt *table)
{
	return table && table->type != RV_OPT_END;
}

static void options_part(struct rv_strbuf *sb, const struct rv_opt *table)
{
	if (!has_options(table)) {
		rv_strbuf_puts(sb, "Only those that every command takes, see\n.Xr river 1 .\n");
		return;
	}
	rv_strbuf_puts(sb, ".Bl -tag -width Ds\n");
	for (const struct rv_opt *o = table; o->type != RV_OPT_END; o++) {
		RV_CLEANUP(rv_strbuf_release) struct rv_strbuf text = RV_STRBUF_INIT;
		rv_strbuf_puts(sb, ".It");
		if (o->short_name)
			rv_strbuf_printf(sb, " Fl %c%s", o->short_name, o->name ? " ," : "");
		if (o->name)
			rv_strbuf_printf(sb, " Fl \\-%s", o->name);
		if (o->type != RV_OPT_FLAG) {
			rv_strbuf_puts(sb, " Ar ");
			quoted(sb, argument_of(o));
		}
		rv_strbuf_putc(sb, '\n');
		rv_help_option_text(&text, o);
		rv_man_text(sb, text.bytes);
		if (o->config_key)
			rv_strbuf_printf(sb, "; configuration key\n.Cm %s", o->config_key);
		rv_strbuf_putc(sb, '\n');
	}
	rv_strbuf_puts(sb, ".El\n");
}

static void environment_part(struct rv_strbuf *sb, const struct rv_opt *table, const char *scope)
{
	bool open = false;
	for (const struct rv_opt *o = table; o && o->type != RV_OPT_END; o++) {
		char name[RV_CLI_ENV_TEXT];
		if (!rv_cli_env(o, scope, name))
			continue;
		if (!open)
			rv_strbuf_puts(sb, ".Bl -tag -width Ds\n");
		open = true;
		rv_strbuf_printf(sb, ".It Ev %s\nsame as\n.Fl \\-%s\n", name, o->name);
	}
	rv_strbuf_puts(sb, open ? ".El\n" : "");
	if (scope)
		rv_strbuf_printf(sb, "%s\n.Ic river help environment\nlists the variables of every "
				     "command.\n",
				 open ? ".Pp" : "None of its own.");
}

static void synopsis_part(struct rv_strbuf *sb, const struct rv_command *command,
			  const struct rv_opt *globals)
{
	const struct rv_opt *table = command ? command->options : globals;
	rv_strbuf_puts(sb, command ? ".Nm river " : ".Nm river\n");
	if (command)
		rv_strbuf_printf(sb, "%s\n", command->name);
	for (const struct rv_opt *o = table; o && o->type != RV_OPT_END; o++) {
		rv_strbuf_puts(sb, ".Op Fl ");
		if (o->name)
			rv_strbuf_printf(sb, "\\-%s", o->name);
		else
			rv_strbuf_putc(sb, o->short_name);
		if (o->type != RV_OPT_FLAG) {
			rv_strbuf_puts(sb, " Ar ");
			quoted(sb, argument_of(o));
		}
		rv_strbuf_putc(sb, '\n');
	}
	const char *operands = command ? command->operands : "<command> [<argument>...]";
	if (*operands) {
		rv_man_text(sb, operands);
		rv_strbuf_putc(sb, '\n');
	}
}

static void examples_part(struct rv_strbuf *sb, const struct rv_command *command)
{
	if (!command || !command->examples || !command->examples->command) {
		rv_strbuf_puts(sb, "None.\n");
		return;
	}
	for (const struct rv_example *e = command->examples; e->command; e++) {
		rv_man_text(sb, e->says);
		rv_strbuf_puts(sb, ":\n.Bd -literal -offset indent\n");
		rv_man_text(sb, e->command);
		rv_strbuf_puts(sb, "\n.Ed\n");
		if (e[1].command)
			rv_strbuf_puts(sb, ".Pp\n");
	}
}

static void exit_part(struct rv_strbuf *sb)
{
	rv_strbuf_puts(sb, ".Bl -tag -width 128+n -compact\n");
	for (int i = 0; i < RV_STATUS_COUNT; i++) {
		rv_strbuf_printf(sb, ".It %d\n", rv_status_exit_code((enum rv_status)i));
		rv_man_text(sb, rv_status_sentence((enum rv_status)i));
		rv_strbuf_putc(sb, '\n');
	}
	rv_strbuf_puts(sb, ".It 128+n\nended by signal n\n.El\n");
}

bool rv_man_part(struct rv_strbuf *sb, const struct rv_command *command,
		 const struct rv_opt *globals, const char *part)
{
	const struct rv_opt *table = command ? command->options : globals;
	if (!strcmp(part, "synopsis"))
		synopsis_part(sb, command, globals);
	else if (!strcmp(part, "options"))
		options_part(sb, table);
	else if (!strcmp(part, "environment"))
		environment_part(sb, table, command ? command->name : NULL);
	else if (!strcmp(part, "examples"))
		examples_part(sb, command);
	else if (!strcmp(part, "exit"))
		exit_part(sb);
	else
		return false;
	return true;
}
