/* browser: a browser of the Chromium family as the command of a capture.
 *
 * It takes no roots from the environment, and never asks a proxy for loopback names; both can be said by
 * switches. They come with a throwaway profile: a browser that runs already would open a window of its own
 * instead, outside of the capture. */
#ifndef WEIR_TOOLS_BROWSER_H
#define WEIR_TOOLS_BROWSER_H

#include <stdbool.h>

#include "certs/ca.h"
#include "proxy/base/err.h"

/* By the last part of its name. */
bool browser_is_chromium(const char *command);

/* argv with the switches behind argv[0]: our proxy for every host, the key of our leaves as one to trust,
 * QUIC and first-run pages off, and a profile below dir unless argv names one. The caller's, to
 * browser_argv_free. */
bool browser_chromium_argv(char *const *argv, const char *proxy, const struct ca *ca, const char *dir,
                           char ***out_argv, struct err *err);
void browser_argv_free(char **argv); /* NULL is fine */

#endif
