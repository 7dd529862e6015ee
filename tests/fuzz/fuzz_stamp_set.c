/* Stamps added in any order, twice, and in ranges: as many of them as a map of bits counts. Three bytes each. */
#include "fuzz.h"

#include "format/stamp.h"
#include "format/stamp_set.h"

#define SEQS 4
#define NUMBERS 64

struct model {
	bool is_there[SEQS][NUMBERS];
	uint64_t total, distinct;
};

static void check(struct rv_stamp_set *set, const struct model *models)
{
	static const char *const runs[] = { "a", "b-1" };

	rv_stamp_set_settle(set);
	for (size_t r = 0; r < 2; r++) {
		const struct rv_stamp_run *run = rv_stamp_set_find(set, rv_str_of(runs[r]));

		CHECK((run != NULL) == (models[r].total > 0));
		if (!run)
			continue;
		CHECK(run->total == models[r].total && run->distinct == models[r].distinct);
		CHECK(run->once <= run->count);
		for (uint64_t seq = 0; seq < SEQS; seq++) {
			uint64_t n = 0;

			for (size_t i = 0; i < NUMBERS; i++)
				n += models[r].is_there[seq][i];
			CHECK(rv_stamp_run_distinct(run, seq) == n);
		}
		for (size_t i = 1; i < run->once; i++) {
			const struct rv_stamp_range *a = &run->ranges[i - 1], *b = &run->ranges[i];

			CHECK(a->seq < b->seq || (a->seq == b->seq && a->to < b->from && a->to + 1 < b->from));
		}
	}
}

/* The text of a stamp, there and back. */
static void check_text(const char *p, size_t len)
{
	struct rv_stamp_id id;
	char text[RV_STAMP_ID_TEXT];

	if (!rv_stamp_id_parse(p, len, &id))
		return;
	rv_stamp_id_format(&id, text);
	CHECK(strlen(text) == len && memcmp(text, p, len) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	RV_CLEANUP(rv_stamp_set_release) struct rv_stamp_set set = { 0 }, other = { 0 };
	static struct model models[2];

	memset(models, 0, sizeof(models));
	check_text((const char *)data, size);
	for (size_t i = 0; i + 2 < size && i < 3000; i += 3) {
		size_t r = data[i] & 1;
		uint64_t seq = data[i] >> 1 & 3, from = data[i + 1] % NUMBERS, to = from + data[i + 2] % 8;
		struct model *model = &models[r];

		if (data[i] & 0x80) /* in between it is asked, and goes on */
			check(&set, models);
		if (to >= NUMBERS)
			to = NUMBERS - 1;
		for (uint64_t n = from; n <= to; n++) {
			model->total++;
			model->distinct += !model->is_there[seq][n];
			model->is_there[seq][n] = true;
		}
		if (data[i] & 0x40) {
			rv_stamp_set_release(&other);
			other = (struct rv_stamp_set){ 0 };
			rv_stamp_set_add(&other, rv_str_of(r ? "b-1" : "a"), seq, from, to);
			rv_stamp_set_add_all(&set, &other);
		} else {
			rv_stamp_set_add(&set, rv_str_of(r ? "b-1" : "a"), seq, from, to);
		}
	}
	check(&set, models);
	return 0;
}
