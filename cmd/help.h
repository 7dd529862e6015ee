/* `river help`: the overview, and what is said about one command, a group or a topic. */
#ifndef RIVER_HELP_H
#define RIVER_HELP_H

#include "base/strbuf.h"

void river_help_overview(struct rv_strbuf *sb);
void river_help_group(struct rv_strbuf *sb, const char *word);

struct river_topic {
	const char *name;
	const char *summary;
	void (*write)(struct rv_strbuf *sb);
};
extern const struct river_topic river_topics[]; /* ends with { NULL } */

#endif
