/* jansson for river's own small documents. */
#include "format/json_text.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/crc.h"
#include "base/memory.h"
#include "base/number.h"

#define SUM_TEXT 9 /* "xxxxxxxx " */

void rv_json_memory(void)
{
	json_set_alloc_funcs(rv_malloc, free);
}

void rv_json_dump(struct rv_strbuf *sb, const json_t *value)
{
	char *text = json_dumps(value, JSON_COMPACT | JSON_ENCODE_ANY);
	/* Only invalid values or missing memory make this fail. */
	rv_strbuf_puts(sb, text ? text : "null");
	free(text);
}

void rv_json_line(struct rv_strbuf *sb, json_t *value)
{
	size_t start = sb->len;
	rv_strbuf_puts(sb, "00000000 ");
	rv_json_dump(sb, value);
	json_decref(value);
	char sum[SUM_TEXT + 1];
	snprintf(sum, sizeof(sum), "%08" PRIx32 " ",
		 rv_crc32c(0, sb->bytes + start + SUM_TEXT, sb->len - start - SUM_TEXT));
	memcpy(sb->bytes + start, sum, SUM_TEXT);
	rv_strbuf_putc(sb, '\n');
}

json_t *rv_json_line_parse(const char *line, size_t len)
{
	uint64_t sum;
	if (len < SUM_TEXT + 2 || line[SUM_TEXT - 1] != ' ' ||
	    !rv_parse_hex64(line, SUM_TEXT - 1, &sum) ||
	    sum != rv_crc32c(0, line + SUM_TEXT, len - SUM_TEXT))
		return NULL;
	json_error_t ignored;
	return json_loadb(line + SUM_TEXT, len - SUM_TEXT, JSON_REJECT_DUPLICATES, &ignored);
}

json_t *rv_json_bytes(const char *s)
{
	json_t *text = json_string(s);
	if (text)
		return text;
	struct rv_strbuf hex = RV_STRBUF_INIT;
	for (const unsigned char *p = (const unsigned char *)s; *p; p++)
		rv_strbuf_printf(&hex, "%02x", *p);
	json_t *o = json_pack("{s:s}", "hex", hex.bytes);
	rv_strbuf_release(&hex);
	return o;
}

char *rv_json_bytes_value(const json_t *value)
{
	if (json_is_string(value))
		return rv_strdup(json_string_value(value));
	const char *hex = json_string_value(json_object_get(value, "hex"));
	if (!hex || strlen(hex) % 2)
		return NULL;
	size_t len = strlen(hex) / 2;
	RV_CLEANUP(rv_free_p) char *s = rv_malloc(len + 1);
	for (size_t i = 0; i < len; i++) {
		uint64_t byte;
		if (!rv_parse_hex64(hex + 2 * i, 2, &byte) || byte == 0)
			return NULL;
		s[i] = (char)byte;
	}
	s[len] = '\0';
	return rv_take(s);
}

json_t *rv_json_hex64(uint64_t v)
{
	char text[17];
	snprintf(text, sizeof(text), "%016" PRIx64, v);
	return json_string(text);
}

bool rv_json_get_hex64(const json_t *object, const char *key, uint64_t *ret)
{
	const char *s = json_string_value(json_object_get(object, key));
	return s && strlen(s) == 16 && rv_parse_hex64(s, 16, ret);
}

uint64_t rv_json_get_u64(const json_t *object, const char *key)
{
	json_int_t v = json_integer_value(json_object_get(object, key));
	return v < 0 ? 0 : (uint64_t)v;
}
