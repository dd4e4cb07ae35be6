/* shell_bytes: commands of bash that write bytes which no word can hold: base64 in here-documents, and
 * between them the values of variables. Errors are the stream's, to be looked at when everything is written.
 */
#ifndef WEIR_CAPTURE_EXPORT_SHELL_BYTES_H
#define WEIR_CAPTURE_EXPORT_SHELL_BYTES_H

#include <stdbool.h>
#include <stdio.h>

#include "proxy/base/span.h"

struct shell_bytes {
    FILE *out;
    const char *word;       /* that ends a here-document */
    bool is_open;           /* in one: to begin with, where the caller wrote how it begins */
    unsigned char line[57]; /* makes 76 characters */
    size_t len;
};

void shell_bytes_put(struct shell_bytes *bytes, struct span more);
void shell_bytes_put_variable(struct shell_bytes *bytes, const char *name);
void shell_bytes_end(struct shell_bytes *bytes);

#endif
