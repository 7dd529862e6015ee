/* Home, by the environment or the user's entry, and the folders that XDG names. */
#include "base/home.h"

#include <pwd.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/file.h"
#include "base/memory.h"

char *rv_home_folder(void)
{
	const char *home = getenv("HOME");
	if (home && home[0] == '/')
		return rv_strdup(home);
	struct passwd entry, *found = NULL;
	char text[4096];
	if (getpwuid_r(geteuid(), &entry, text, sizeof(text), &found) == 0 && found &&
	    found->pw_dir && found->pw_dir[0] == '/')
		return rv_strdup(found->pw_dir);
	return NULL;
}

char *rv_xdg_folder(const char *variable, const char *below_home)
{
	const char *value = getenv(variable);
	if (value && value[0] == '/') /* relative ones are to be ignored, says their specification */
		return rv_strdup(value);
	RV_CLEANUP(rv_free_p) char *home = rv_home_folder();
	return home ? rv_path_join(home, below_home) : NULL;
}
