/* `river help <topic>`: what the tables know, and what no single command can say. */
#include "help.h"

#include "cli/help.h"
#include "cli/parse.h"
#include "commands.h"

static void topic_exit_codes(struct rv_strbuf *sb)
{
	rv_strbuf_puts(sb, "What river's exit codes mean:\n\n");
	rv_help_exit_codes(sb);
	rv_strbuf_putc(sb, '\n');
	rv_help_wrap(sb,
		     "Where several hold, the first of 70, 10, 12, 4, 8, 7 is given. The numbers are "
		     "never used again for something else, so scripts may rely on them.", 0, 0);
	rv_strbuf_putc(sb, '\n');
	rv_help_wrap(sb,
		     "Results that could not be written to standard output (a full disk, a closed "
		     "descriptor) are 10, also when all else went well. A reader that has seen "
		     "enough and left, as in 'river query ... | head -1', is no failure: river "
		     "stops writing and ends with the code it would have ended with.", 0, 0);
	rv_strbuf_putc(sb, '\n');
	rv_help_wrap(sb,
		     "With --output json an error is one JSON object on standard error: error is "
		     "the status by name, code the exit code; message, hint, file and line say the "
		     "rest.", 0, 0);
}

const struct river_topic river_topics[] = {
	{ "exit-codes", "what each exit code means", topic_exit_codes },
	{ NULL }
};
