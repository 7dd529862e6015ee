/* Any bytes: refused with a place, or a tree that keeps to its limits. */
#include <assert.h>
#include <stdint.h>
#include <string.h>

#include "format/yaml.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static size_t checked_nodes(const struct rv_yaml_node *node, unsigned depth)
{
	assert(node->line >= 1 && node->column >= 1);
	if (node->kind == RV_YAML_SCALAR) {
		assert(node->text && strlen(node->text) <= RV_YAML_MAX_SCALAR_BYTES);
		assert(node->count == 0);
		return 1;
	}
	assert(depth < RV_YAML_MAX_DEPTH);
	assert((node->keys != NULL) == (node->kind == RV_YAML_MAPPING && node->count > 0));
	size_t n = 1;
	for (size_t i = 0; i < node->count; i++) {
		if (node->keys) {
			n += checked_nodes(node->keys[i], depth + 1);
			if (node->count < 1000)
				assert(rv_yaml_get(node, node->keys[i]->text) == node->items[i]);
		}
		n += checked_nodes(node->items[i], depth + 1);
	}
	return n;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct rv_yaml_documents docs = { 0 };
	struct rv_error err = RV_ERROR_INIT;
	enum rv_status status = rv_yaml_parse("fuzz.yaml", (const char *)data, size, &docs, &err);
	if (status != RV_OK) {
		assert(status == RV_BAD_CONFIG && err.status == status && err.message[0]);
		assert(strcmp(err.file, "fuzz.yaml") == 0);
		assert(err.line >= 1 || size > RV_YAML_MAX_BYTES);
		return 0;
	}
	size_t nodes = 0;
	for (size_t i = 0; i < docs.count; i++)
		nodes += checked_nodes(docs.roots[i], 0);
	assert(nodes <= RV_YAML_MAX_NODES);
	rv_yaml_release(&docs);
	return 0;
}
