/* run: a system tool as a child process, its output read, with a limit on time and output.
 *
 * No shell. The tool gets a session of its own, so it finds no terminal to ask a person on. Blocks. */
#ifndef WEIR_CERTS_RUN_H
#define WEIR_CERTS_RUN_H

#include <stdbool.h>

#include "proxy/base/err.h"
#include "proxy/base/span.h"
#include "proxy/base/strbuf.h"

/* Runs argv[0], looked up in PATH unless it has a slash, until it ends. It reads input on stdin. *out_output
 * (to be cleared by the caller, also on failure) gets its stdout and stderr, *out_status its exit status, or
 * 128 and the number of the signal that ended it. ERR_FOUND: there is no such program. ERR_TIMEOUT and
 * ERR_LIMIT: it took too long or said too much, and was killed. */
bool run_tool(const char *const argv[], struct span input, struct strbuf *out_output, int *out_status,
              struct err *err);

#endif
