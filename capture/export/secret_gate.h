/* secret_gate: the last look at what was written, before anybody else gets it.
 *
 * It knows nothing of formats: all bytes are read back and searched for every secret in every spelling. What
 * is found is named by its variable and its place, never by its value. One thread. */
#ifndef WEIR_CAPTURE_EXPORT_SECRET_GATE_H
#define WEIR_CAPTURE_EXPORT_SECRET_GATE_H

#include <stdbool.h>
#include <stdio.h>

#include "capture/export/secrets.h"
#include "proxy/base/err.h"

/* Reads file from its beginning to its end; it was flushed, and can be read. what: how an error calls it.
 * ERR_LEAK: a secret is in it; ERR_SYS. */
bool secret_gate_pass(const struct secrets *secrets, FILE *file, const char *what, struct err *err);

#endif
