/* bundles: the files that lead a command's programs to trust our CA, in a folder that goes when they do. */
#ifndef WEIR_TOOLS_BUNDLES_H
#define WEIR_TOOLS_BUNDLES_H

#include <stdbool.h>

#include "certs/ca.h"
#include "proxy/base/err.h"

struct bundles;

/* Makes a folder, for the owner alone, below base, or, when that is NULL, below TMPDIR or /tmp. */
bool bundles_make(const struct ca *ca, const char *base, struct bundles **out_bundles, struct err *err);
/* Removes the files and the folder; NULL is fine. */
void bundles_free(struct bundles *bundles);

const char *bundles_dir(const struct bundles *bundles); /* all below it goes with it */
const char *bundles_pem_path(const struct bundles *bundles);
const char *bundles_jks_path(const struct bundles *bundles);

#endif
