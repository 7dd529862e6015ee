/* Bodies of answers, packed or not: the header says gzip or does not, the bytes are never wrong. */
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "format/unpack.h"
#include "snowflake/internal.h"

#define CHUNK_BYTES (64 * 1024)

struct rv_snowflake_bytes {
	struct rv_unpack *unpack;
	struct rv_str packed;
	const char *what;
	char chunk[CHUNK_BYTES];
};

static bool is_packed(struct rv_str body)
{
	return body.len >= 2 && memcmp(body.p, "\x1f\x8b", 2) == 0;
}

json_t *rv_snowflake_json(const struct rv_http_response *response, size_t max_bytes)
{
	struct rv_str body = { response->body.bytes, response->body.len };
	if (body.len > max_bytes)
		return NULL;
	if (!is_packed(body))
		return json_loadb(body.p, body.len, 0, NULL);
	RV_CLEANUP(rv_unpack_free_p) struct rv_unpack *unpack = rv_unpack_new(RV_PACKING_GZIP);
	RV_CLEANUP(rv_free_p) char *text = rv_malloc(max_bytes);
	struct rv_error ignored = RV_ERROR_INIT;
	size_t len;
	if (rv_unpack_step(unpack, &body, text, max_bytes, &len, &ignored) != RV_OK ||
	    rv_unpack_end(unpack, &ignored) != RV_OK)
		return NULL;
	return json_loadb(text, len, 0, NULL);
}

static enum rv_status more(void *arg, struct rv_str *ret, struct rv_error *err)
{
	struct rv_snowflake_bytes *bytes = arg;
	size_t len;
	if (rv_unpack_step(bytes->unpack, &bytes->packed, bytes->chunk, sizeof(bytes->chunk), &len,
			   err) != RV_OK ||
	    (len == 0 && rv_unpack_end(bytes->unpack, err) != RV_OK))
		return rv_context(err, "%s", bytes->what);
	*ret = (struct rv_str){ bytes->chunk, len };
	return RV_OK;
}

struct rv_json_pull rv_snowflake_pull(struct rv_str body, const char *what,
				      struct rv_snowflake_bytes **ret)
{
	struct rv_snowflake_bytes *bytes = rv_malloc(sizeof(*bytes));
	bytes->unpack = rv_unpack_new(is_packed(body) ? RV_PACKING_GZIP : RV_PACKING_NONE);
	bytes->packed = body;
	bytes->what = what;
	*ret = bytes;
	return (struct rv_json_pull){ .more = more, .arg = bytes, .what = what };
}

void rv_snowflake_bytes_free_p(struct rv_snowflake_bytes **bytes)
{
	if (*bytes)
		rv_unpack_free((*bytes)->unpack);
	rv_free_p(bytes);
}
