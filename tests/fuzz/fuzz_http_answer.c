/* Any bytes as answers of a server: read in one piece and byte by byte they end at the same places. */
#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "http/answer.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static enum rv_http_answer_state feed(struct rv_http_answer *a, const char *p, size_t len, size_t piece,
				      size_t *ret_used)
{
	enum rv_http_answer_state state = RV_HTTP_ANSWER_MORE;
	size_t at = 0;

	rv_http_answer_init(a);
	while (state == RV_HTTP_ANSWER_MORE && at < len) {
		size_t used, n = len - at < piece ? len - at : piece;

		state = rv_http_answer_feed(a, p + at, n, &used);
		assert(used <= n && (used == n || state != RV_HTTP_ANSWER_MORE));
		at += used;
	}
	*ret_used = at;
	return state;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *p = (const char *)data;
	static struct rv_http_answer a, b;

	for (;;) {
		size_t used, used_b;
		enum rv_http_answer_state state = feed(&a, p, size, size ? size : 1, &used);

		assert(feed(&b, p, size, 1, &used_b) == state);
		/* what is broken may be noticed earlier in smaller pieces, never later */
		assert(used == used_b || (state == RV_HTTP_ANSWER_BROKEN && used_b <= used));
		if (state != RV_HTTP_ANSWER_DONE)
			return 0;
		assert(a.status == b.status && a.keep == b.keep && a.retry_after_ms == b.retry_after_ms);
		assert(a.status >= 200 && a.status <= 599 && !a.fault);
		assert(used > 0);
		p += used;
		size -= used;
	}
}
