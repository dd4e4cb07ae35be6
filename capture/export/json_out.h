/* json_out: JSON written as it comes, for documents that never fit in memory.
 *
 * Tabs and one member a line, as Postman writes its own files, so that an export diffs well; or a document a
 * line. Output is UTF-8
 * whatever goes in. Nothing fails here: FILE remembers its error, look at it once at the end (ferror). The
 * caller keeps objects and arrays balanced and gives a key before each value in an object. */
#ifndef WEIR_CAPTURE_EXPORT_JSON_OUT_H
#define WEIR_CAPTURE_EXPORT_JSON_OUT_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "proxy/base/span.h"

#define JSON_OUT_MAX_DEPTH 64

struct json_out {
    FILE *file; /* borrowed */
    bool is_line;
    unsigned depth;
    bool is_object[JSON_OUT_MAX_DEPTH];
    bool has_members[JSON_OUT_MAX_DEPTH];
    bool is_after_key;
    unsigned char held[2]; /* of base64: bytes that wait for a third */
    unsigned held_len;
};

void jout_init(struct json_out *json, FILE *file);
void jout_init_line(struct json_out *json, FILE *file); /* all of it on one line */
void jout_end_document(struct json_out *json);          /* a newline; everything must be closed */

void jout_open_object(struct json_out *json);
void jout_open_array(struct json_out *json);
void jout_close(struct json_out *json); /* whichever is open */
void jout_key(struct json_out *json, const char *key);

void jout_text(struct json_out *json, struct span text);    /* UTF-8; a byte that is none becomes U+FFFD */
void jout_str(struct json_out *json, const char *text);     /* the same */
void jout_latin1(struct json_out *json, struct span bytes); /* one character a byte */
void jout_bytes(struct json_out *json,
                struct span bytes); /* as text where it is UTF-8, else one character a byte */
void jout_base64(struct json_out *json, struct span bytes);
void jout_int(struct json_out *json, int64_t number);
void jout_double(struct json_out *json, double number); /* finite; at most three decimals */
void jout_bool(struct json_out *json, bool value);
void jout_null(struct json_out *json);
void jout_raw(struct json_out *json, const char *value); /* JSON that is written as it is */

/* Key and value in one call. */
void jout_member_str(struct json_out *json, const char *key, const char *text);
void jout_member_text(struct json_out *json, const char *key, struct span text);
void jout_member_bytes(struct json_out *json, const char *key, struct span bytes);
void jout_member_int(struct json_out *json, const char *key, int64_t number);
void jout_member_bool(struct json_out *json, const char *key, bool value);

/* A string in pieces: either text that the caller has checked to be UTF-8 as a whole (pieces may split a code
 * point), or bytes to be written as base64. */
void jout_string_begin(struct json_out *json);
void jout_string_text(struct json_out *json, struct span checked);
void jout_string_base64(struct json_out *json, struct span bytes);
void jout_string_end(struct json_out *json);

#endif
