/* json_value: whole values out of a json_in: members of an object, items of an array, a text.
 *
 * Each call gets the token that began the value and leaves the reader behind it, also where the value is of
 * another kind than was asked for: then there is nothing in it. False: the document is broken. */
#ifndef WEIR_CAPTURE_IMPORT_JSON_VALUE_H
#define WEIR_CAPTURE_IMPORT_JSON_VALUE_H

#include "capture/import/json_in.h"

/* Reads the value that token began, or json_in_skips it. key is empty in an array. */
typedef bool (*json_value_reader)(void *self, struct json_in *json, struct span key,
                                  enum json_in_token token);

bool json_value_object(struct json_in *json, enum json_in_token token, json_value_reader reader, void *self);
bool json_value_array(struct json_in *json, enum json_in_token token, json_value_reader reader, void *self);

/* out is emptied first. A number or boolean is no text. */
bool json_value_text(struct json_in *json, enum json_in_token token, struct strbuf *out);
/* *out is left as it is when it is no number, or no boolean. */
bool json_value_number(struct json_in *json, enum json_in_token token, double *out);
bool json_value_bool(struct json_in *json, enum json_in_token token, bool *out);

#endif
