/* The folders of the user, where configuration and state are looked for. */
#ifndef RV_BASE_HOME_H
#define RV_BASE_HOME_H

/* $HOME, or the passwd entry's when it is not set to an absolute path; NULL when neither knows.
 * Caller frees. */
char *rv_home_folder(void);
/* $NAME when it is an absolute path, else `below_home` below the home folder; NULL without home. */
char *rv_xdg_folder(const char *variable, const char *below_home);

#endif
