/*
 * What is read by hand of HTTP: dates, Retry-After, origins; and redaction, whose result must hold
 * no byte of a secret and change nothing when it is redacted again.
 */
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "http/internal.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	RV_CLEANUP(rv_free_p) char *text = rv_strndup((const char *)data, size);
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf out = RV_STRBUF_INIT;
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf again = RV_STRBUF_INIT;
	RV_CLEANUP(rv_http_response_release) struct rv_http_response response =
		RV_HTTP_RESPONSE_INIT;
	int64_t ms;

	if (rv_http_parse_date(text, &ms) && (strlen(text) != 29 || ms > INT64_C(253402300800000)))
		abort();
	rv_http_origin(&out, text);
	rv_strbuf_clear(&out);
	rv_http_redact(&out, text);
	rv_http_redact(&again, out.bytes);
	if (strcmp(out.bytes, again.bytes) != 0)
		abort();

	/* "TEXT" between known names stays secret whatever is around it */
	rv_strbuf_clear(&out);
	rv_strbuf_printf(&out, "%s\nx-amz-security-token: 0123456789SECRET\n%s", text, text);
	rv_strbuf_clear(&again);
	rv_http_redact(&again, out.bytes);
	if (!strstr(text, "0123456789SECRET") && strstr(again.bytes, "0123456789SECRET"))
		abort();

	if (rv_http_value_valid(text)) {
		rv_http_headers_add(&response.headers, "Retry-After", text);
		ms = rv_http_retry_after_ms(&response, 0);
		if (ms < -1 || ms > 7 * 86400 * INT64_C(1000))
			abort();
	}
	return 0;
}
