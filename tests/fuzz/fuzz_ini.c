/* Any bytes: refused with a line, or sections and keys that are found again under their names. */
#include <assert.h>
#include <stdint.h>
#include <string.h>

#include "aws/ini.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct rv_ini *ini = NULL;
	struct rv_error err = RV_ERROR_INIT;
	enum rv_status status = rv_ini_parse("fuzz", (const char *)data, size, &ini, &err);
	if (status != RV_OK) {
		assert(status == RV_BAD_CONFIG && err.status == status && err.message[0] && !ini);
		assert((err.line >= 1 && strcmp(err.file, "fuzz") == 0) || size > 1024 * 1024);
		return 0;
	}
	const char *section;
	for (size_t i = 0; i < 100 && (section = rv_ini_section(ini, i)); i++) {
		assert(*section && !strchr(section, '\n') && rv_ini_has(ini, section));
		for (size_t k = 0; k < i; k++)
			assert(strcmp(section, rv_ini_section(ini, k)) != 0);
		const char *value = rv_ini_get(ini, section, "region", NULL);
		if (value)
			assert(value[0] != ' ' && value[0] != '\t');
		value = rv_ini_get(ini, section, "s3", "endpoint_url");
		if (value)
			assert(!strchr(value, '\n'));
	}
	assert(!rv_ini_has(ini, "") && !rv_ini_get(ini, "", "region", NULL));
	rv_ini_free(ini);
	return 0;
}
