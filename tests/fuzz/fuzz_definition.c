/* Any bytes as a definition: refused with a place, or a stream that survives both of its texts. */
#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "config/definition.h"
#include "format/yaml.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void same_after_yaml(const struct rv_stream *stream)
{
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf text = RV_STRBUF_INIT;
	RV_CLEANUP(rv_stream_release_p) struct rv_stream again;
	struct rv_yaml_documents docs = { 0 };
	struct rv_error err = RV_ERROR_INIT;

	rv_stream_init(&again);
	rv_definition_yaml(stream, &text);
	if (text.len > RV_YAML_MAX_BYTES) /* escaped text grows */
		return;
	enum rv_status status = rv_yaml_parse("again", text.bytes, text.len, &docs, &err);
	assert(status == RV_OK && docs.count == 1);
	status = rv_definition_parse("again", docs.roots[0], &again, &err);
	assert(status == RV_OK);
	assert(rv_definition_diff(stream, &again, NULL, NULL) == 0);
	rv_yaml_release(&docs);
}

static void same_after_json(struct rv_stream *stream)
{
	RV_CLEANUP(rv_stream_release_p) struct rv_stream again;
	struct rv_error err = RV_ERROR_INIT;

	rv_stream_init(&again);
	memcpy(stream->id, "01arz3ndektsv4rrffq69g5fav", RV_ULID_TEXT);
	memcpy(stream->nonce, "01arz3ndektsv4rrffq69g5faw", RV_ULID_TEXT);
	json_t *json = rv_definition_json(stream);
	RV_CLEANUP(rv_free_p) char *text = json_dumps(json, JSON_COMPACT);
	json_decref(json);
	enum rv_status status = rv_definition_from_json("again", text, strlen(text), &again, &err);
	assert(status == RV_OK);
	assert(rv_definition_diff(stream, &again, NULL, NULL) == 0);
	assert(!rv_definition_rebuilds(stream, &again));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct rv_yaml_documents docs = { 0 };
	RV_CLEANUP(rv_stream_release_p) struct rv_stream stream;
	struct rv_error err = RV_ERROR_INIT;

	rv_stream_init(&stream);
	/* as the catalog's JSON too */
	enum rv_status status =
		rv_definition_from_json("fuzz.json", (const char *)data, size, &stream, &err);
	assert(status == RV_OK || ((status == RV_BAD_CONFIG || status == RV_DAMAGED) && err.message[0]));
	if (rv_yaml_parse("fuzz.yaml", (const char *)data, size, &docs, &err) == RV_OK) {
		for (size_t i = 0; i < docs.count; i++) {
			status = rv_definition_parse("fuzz.yaml", docs.roots[i], &stream, &err);
			if (status == RV_OK) {
				assert(stream.business[0] && stream.name[0]);
				same_after_yaml(&stream);
				same_after_json(&stream);
			} else {
				assert(status == RV_BAD_CONFIG && err.status == status && err.message[0]);
				assert(strcmp(err.file, "fuzz.yaml") == 0 && err.line >= 1);
			}
		}
	}
	rv_yaml_release(&docs);
	return 0;
}
