/* input: the bytes of a file that is imported, at any place of it.
 *
 * Documents are larger than memory, and say late what was meant early (a body's encoding stands behind the
 * body): so what is long is skipped at first and read where it lies when the rest is known. What can't be
 * read twice, a pipe, is copied into a temporary file without a name. The owner's thread only. */
#ifndef WEIR_CAPTURE_IMPORT_INPUT_H
#define WEIR_CAPTURE_IMPORT_INPUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proxy/base/err.h"
#include "proxy/base/span.h"

struct input;

/* path "-": what comes on stdin. ERR_SYS. */
bool input_open(const char *path, struct input **out_input, struct err *err);
struct input *input_of(struct span bytes); /* which outlive it */
void input_free(struct input *input);      /* NULL is fine */

uint64_t input_size(const struct input *input);
/* Up to len bytes from offset on; fewer only at the end, or where the disk fails (input_check). */
size_t input_read(struct input *input, uint64_t offset, char *out, size_t len);
/* False: some bytes could not be read. ERR_SYS. */
bool input_check(const struct input *input, struct err *err);

#endif
