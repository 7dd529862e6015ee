/*
 * Help and manual parts, written from the tables. Text for `-h` and `river help` stays within 80
 * columns; mdoc parts are put into the pages of man/ by `make`.
 */
#ifndef RV_CLI_HELP_H
#define RV_CLI_HELP_H

#include <stdbool.h>
#include <stddef.h>

#include "base/strbuf.h"
#include "cli/command.h"

#define RV_HELP_WIDTH 80

/* `text` in lines of RV_HELP_WIDTH: the first starts at `column`, where the cursor is already, the
 * others `indent` deep. Ends with a newline. Words longer than a line stay whole. */
void rv_help_wrap(struct rv_strbuf *sb, const char *text, size_t column, size_t indent);
/* "  word    text" with the text wrapped at `indent`; on the next line when the word is too long. */
void rv_help_entry(struct rv_strbuf *sb, const char *word, const char *text, size_t indent);
/* One entry an option. */
void rv_help_options(struct rv_strbuf *sb, const struct rv_opt *table);
/* What `river <command> -h` prints. */
void rv_help_command(struct rv_strbuf *sb, const struct rv_command *command);
/* The exit codes of base/status.def. */
void rv_help_exit_codes(struct rv_strbuf *sb);
/* "-f, --format <format>" */
void rv_help_option_words(struct rv_strbuf *sb, const struct rv_opt *option);
/* Help of an option with its choices and default. */
void rv_help_option_text(struct rv_strbuf *sb, const struct rv_opt *option);

/* One part of a manual page in mdoc: synopsis, options, environment, examples, exit. `globals` is
 * the table every command takes; `command` NULL is river itself. False for other parts. */
bool rv_man_part(struct rv_strbuf *sb, const struct rv_command *command,
		 const struct rv_opt *globals, const char *part);
/* `text` as mdoc text: backslashes and leading dots and quotes made harmless. */
void rv_man_text(struct rv_strbuf *sb, const char *text);

#endif
