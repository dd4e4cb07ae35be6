/* json_in: JSON read as it comes, a token at a time, for documents that never fit in memory.
 *
 *     while ((token = json_in_next(json)) != JSON_IN_END) ...
 *
 * A string is announced before it is read: what follows is json_in_text or json_in_string for its text, or
 * the next token, which passes over it. Memory is one buffer, whatever comes. A byte order mark, a comma
 * before a closing bracket and control characters in strings are taken: tools write them. Half a surrogate
 * pair becomes U+FFFD. Anything else that is no JSON is JSON_IN_BROKEN, with json_in_why; from there only
 * json_in_seek and json_in_find lead on. The owner's thread only. */
#ifndef WEIR_CAPTURE_IMPORT_JSON_IN_H
#define WEIR_CAPTURE_IMPORT_JSON_IN_H

#include <stdbool.h>
#include <stdint.h>

#include "capture/import/input.h"
#include "proxy/base/strbuf.h"

struct json_in;

enum json_in_token {
    JSON_IN_BROKEN,
    JSON_IN_END, /* of the document */
    JSON_IN_OBJECT,
    JSON_IN_OBJECT_END,
    JSON_IN_ARRAY,
    JSON_IN_ARRAY_END,
    JSON_IN_KEY, /* json_in_key */
    JSON_IN_STRING,
    JSON_IN_NUMBER, /* json_in_number */
    JSON_IN_TRUE,
    JSON_IN_FALSE,
    JSON_IN_NULL,
};

struct json_in *json_in_new(struct input *input); /* lent */
void json_in_free(struct json_in *json);          /* NULL is fine */

enum json_in_token json_in_next(struct json_in *json);
/* Passes over the rest of the value that token began. False: broken. */
bool json_in_skip(struct json_in *json, enum json_in_token token);

/* Of the last token, valid until the next; a key of more than 255 bytes is only its beginning. */
struct span json_in_key(const struct json_in *json);
double json_in_number(const struct json_in *json);

/* The string that was just announced: appended to out as UTF-8, up to out's limit. False: broken. */
bool json_in_text(struct json_in *json, struct strbuf *out);
/* The same in pieces of any size, each borrowed for the call. False: broken, or sink's false. */
typedef bool (*json_in_sink)(void *self, struct span text);
bool json_in_string(struct json_in *json, json_in_sink sink, void *self);

/* Where the last token begins, for json_in_seek; and what comes next, for people. Lines count from 1. */
uint64_t json_in_token_at(const struct json_in *json);
uint64_t json_in_token_line(const struct json_in *json);
uint64_t json_in_offset(const struct json_in *json);
uint64_t json_in_line(const struct json_in *json);
/* After JSON_IN_BROKEN: what was wrong, at json_in_offset. */
const char *json_in_why(const struct json_in *json);

/* Goes to where a value begins, as if it were a document of its own. */
void json_in_seek(struct json_in *json, uint64_t offset, uint64_t line);
/* Goes to the next '{' from offset on whose first key is_wanted, as if depth arrays and objects were open
 * around it, the
 * innermost an array and the others objects: how a damaged document is taken up again. In a sound string no
 * such place can be, since its quotes are escaped. False: there is none. */
bool json_in_find(struct json_in *json, uint64_t offset, uint64_t line, unsigned depth,
                  bool (*is_wanted)(void *self, struct span key), void *self);

#endif
