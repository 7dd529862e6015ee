/* Additive increase, multiplicative decrease. */
#include "delivery/firehose_pace.h"

#include "http/http.h"

/* Small requests meet the limit on requests a second instead. */
#define SHARE_MIN 0.05
#define SHARE_STEP 0.1
#define FLYING_STEP 0.5
#define LEVEL_MAX 16
/* Nobody waits for an hour because a header says so; the next answer may say it again. */
#define RETRY_AFTER_MAX_MS 60000

void rv_firehose_pace_init(struct rv_firehose_pace *pace, unsigned max_flying,
			   const struct rv_firehose_limits *full)
{
	*pace = (struct rv_firehose_pace){
		.max_flying = max_flying,
		.full = *full,
		.flying = max_flying,
		.share = 1,
		.not_before_ms = INT64_MIN,
		.cut_ms = INT64_MIN,
	};
}

bool rv_firehose_pace_may_send(const struct rv_firehose_pace *pace, unsigned flying, int64_t now_ms)
{
	return flying < (unsigned)pace->flying && now_ms >= pace->not_before_ms;
}

static size_t part(size_t whole, double share)
{
	size_t n = (size_t)((double)whole * share);

	return n ? n : 1;
}

void rv_firehose_pace_limits(const struct rv_firehose_pace *pace, struct rv_firehose_limits *ret)
{
	ret->records = part(pace->full.records, pace->share);
	ret->bytes = part(pace->full.bytes, pace->share);
	ret->record_bytes = pace->full.record_bytes;
}

static void speed_up(struct rv_firehose_pace *pace)
{
	pace->level = pace->level / 2;
	pace->share = pace->share + SHARE_STEP < 1 ? pace->share + SHARE_STEP : 1;
	pace->flying = pace->flying + FLYING_STEP < pace->max_flying ? pace->flying + FLYING_STEP :
								      pace->max_flying;
}

void rv_firehose_pace_answer(struct rv_firehose_pace *pace, int64_t now_ms, int64_t began_ms,
			     uint64_t count, uint64_t failed, int64_t retry_after_ms,
			     int64_t max_pause_ms)
{
	if (failed == 0) {
		speed_up(pace);
		return;
	}
	if (retry_after_ms > RETRY_AFTER_MAX_MS)
		retry_after_ms = RETRY_AFTER_MAX_MS;
	if (retry_after_ms > 0 && now_ms + retry_after_ms > pace->not_before_ms)
		pace->not_before_ms = now_ms + retry_after_ms;
	/* Requests that flew together fail together: that is one sign, not several. */
	if (began_ms < pace->cut_ms)
		return;
	pace->cut_ms = now_ms;
	double rate = count ? (double)failed / (double)count : 1;
	pace->share *= 1 - rate / 2;
	pace->flying *= 1 - rate / 2;
	if (pace->share < SHARE_MIN)
		pace->share = SHARE_MIN;
	if (pace->flying < 1)
		pace->flying = 1;
	int64_t base = RV_FIREHOSE_PAUSE_BASE_MS;
	if (failed < count) {
		/* some got through: it is close to what is allowed */
		pace->level = 1;
		base = (int64_t)((double)base * rate);
	} else if (pace->level < LEVEL_MAX) {
		pace->level++;
	}
	int64_t pause = base > 0 ? rv_http_backoff_ms(pace->level, base, max_pause_ms) : 0;
	if (now_ms + pause > pace->not_before_ms)
		pace->not_before_ms = now_ms + pause;
}
