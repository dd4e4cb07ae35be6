/* browser: which browsers there are, and one of them as the command of a capture.
 *
 * A browser takes neither proxy nor roots from the environment. It is led to us by its command line and by a
 * throwaway profile, so that nothing of the system or of the person's own profile changes, and a browser
 * that runs already does not open a window of its own instead, outside of the capture. What browsers send
 * for themselves (updates, telemetry, lists of bad sites, experiments, suggestions) is off: it would stand in
 * the session between what the pages did.
 *
 * One file a family: chromium.c, firefox.c. Main thread. */
#ifndef WEIR_TOOLS_BROWSER_H
#define WEIR_TOOLS_BROWSER_H

#include <stdbool.h>

#include "certs/ca.h"
#include "proxy/base/err.h"

enum browser_family {
    BROWSER_NONE, /* no browser, or none that we know */
    BROWSER_CHROMIUM,
    BROWSER_FIREFOX,
};

/* By the last part of its name. */
enum browser_family browser_family(const char *command);

/* Finds the browser that a person named: "chromium", "chrome", "edge", "brave", "firefox", or a program of
 * one of these; NULL: the first of them that is there. Its program, for mem_free; NULL with ERR_FOUND, or
 * ERR_USAGE for one that we do not know. */
char *browser_find(const char *wanted, struct err *err);

/* The folder, there or not, below which its profile has to be, for mem_free; NULL: any will do. A snap has a
 * /tmp of its own and sees of the home only what is its. */
char *browser_base_dir(const char *command);

struct browser_route {
    const char *proxy; /* "127.0.0.1:41233" */
    const struct ca *ca;
    const char *dir; /* where a profile may be made; whoever has made it takes it away */
};

/* argv (ends in NULL, argv[0] is a browser), with what leads it to us behind argv[0]. Makes the profile, for
 * the owner alone, unless argv names one. The caller's, to browser_argv_free. */
bool browser_argv(char *const *argv, const struct browser_route *route, char ***out_argv, struct err *err);
void browser_argv_free(char **argv); /* NULL is fine */

/* The variables that it wants besides, "NAME=value"; for browser_argv_free. Its temporary files are below dir
 * like its profile. */
char **browser_env(const char *command, const char *dir);

#endif
