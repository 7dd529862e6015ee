/* Any bytes: refused with a line, or a tree in which each name is found once, and no text holds NUL. */
#include <assert.h>
#include <stdint.h>
#include <string.h>

#include "format/text_copy.h"
#include "format/toml.h"

static void look(const struct rv_toml *node, unsigned depth)
{
	assert(depth < 100 && node->name && node->text && node->line >= 1);
	assert(rv_utf8_check(node->text, strlen(node->text)) == strlen(node->text));
	if (node->type != RV_TOML_TABLE && node->type != RV_TOML_ARRAY) {
		assert(node->count == 0);
		return;
	}
	for (size_t i = 0; i < node->count && i < 50; i++) {
		if (node->type == RV_TOML_TABLE)
			assert(rv_toml_get(node, node->items[i]->name) == node->items[i]);
		else
			assert(!*node->items[i]->name);
		look(node->items[i], depth + 1);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct rv_toml *toml = NULL;
	struct rv_error err = RV_ERROR_INIT;
	enum rv_status status = rv_toml_parse("fuzz", (const char *)data, size, &toml, &err);
	if (status != RV_OK) {
		assert(status == RV_BAD_CONFIG && err.status == status && err.message[0] && !toml);
		assert(err.line >= 1 && strcmp(err.file, "fuzz") == 0);
		return 0;
	}
	assert(toml->type == RV_TOML_TABLE);
	look(toml, 0);
	rv_toml_free(toml);
	return 0;
}
