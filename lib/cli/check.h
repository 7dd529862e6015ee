/*
 * Whether a command's table keeps the rules: what the compiler cannot see, found by a test before a
 * user does.
 */
#ifndef RV_CLI_CHECK_H
#define RV_CLI_CHECK_H

#include <stddef.h>

#include "cli/command.h"

/* Calls `report` with one sentence a problem (borrowed) and returns how many there were: names,
 * short names and variables that clash, help that breaks the style, defaults that do not parse,
 * members outside the struct, examples that are not this command or whose options do not parse. */
size_t rv_cli_check(const struct rv_command *command, const struct rv_opt *globals,
		    void (*report)(void *arg, const char *problem), void *arg);

/* Cuts `text` as a shell would, as far as examples need it: words, quotes and backslashes, up to
 * an operator (| < > & ; #). Only the first command that begins with the word "river" counts.
 * NULL-terminated; words and array are the caller's (rv_cli_words_free). NULL when there is no
 * such command. */
char **rv_cli_words(const char *text);
void rv_cli_words_free(char **words);

#endif
