/* openapi_values: what was seen in named places: parameters, header fields, fields of forms.
 *
 * Values come as text; a place where every one was an integer is one of integers, and likewise for numbers
 * and booleans. All others are strings, with the format or the enum that schema.h finds evidence for. The
 * first OPENAPI_MAX_VALUES names of a list are kept, as far as the room that it shares with others goes. One
 * thread. */
#ifndef WEIR_CAPTURE_EXPORT_OPENAPI_VALUES_H
#define WEIR_CAPTURE_EXPORT_OPENAPI_VALUES_H

#include <stdbool.h>
#include <stdint.h>

#include "capture/export/json_out.h"
#include "capture/export/schema.h"
#include "proxy/base/span.h"

#define OPENAPI_MAX_VALUES 128
/* Longer names and examples are no help to a reader. */
#define OPENAPI_MAX_NAME_BYTES    200
#define OPENAPI_MAX_SAMPLE_BYTES  200
#define OPENAPI_MIN_REQUIRED_SEEN 2 /* one message proves nothing about those that are to come */

/* What lists share: how many more names there may be, and how often there was no room for one. */
struct openapi_room {
    size_t left;
    uint64_t refused;
};

struct openapi_value {
    char *name;
    char *sample;    /* the first value that is short, rather one that is not empty; NULL: none */
    char *file_type; /* of files in forms: their media type; NULL: text */
    uint64_t seen;   /* messages that had it */
    uint64_t last_round;
    unsigned kinds;
    bool is_repeated; /* some message had it twice */
    struct schema *strings;
};

struct openapi_values {
    struct openapi_value *list; /* in order of appearance */
    size_t count, cap;
    uint64_t rounds;           /* messages */
    struct openapi_room *room; /* borrowed; set by the first of them */
};

void openapi_values_clear(struct openapi_values *values);

/* The next message, then what it has. Names of header fields are the same in any case: ignores_case. */
void openapi_values_begin(struct openapi_values *values, struct openapi_room *room);
void openapi_values_see(struct openapi_values *values, struct span name, bool ignores_case,
                        struct span value);
/* A file of a form; its bytes are not looked at. type ptr NULL: it had none. */
void openapi_values_see_file(struct openapi_values *values, struct span name, struct span type);
/* Pairs of a query or a form, decoded. skipped: a name that is none of them; SPAN_NONE: all are. */
void openapi_values_see_pairs(struct openapi_values *values, struct span pairs, struct span skipped);

bool openapi_value_is_required(const struct openapi_values *values, const struct openapi_value *value);
/* The schema, as one value. is_id: somebody's, of which there are as many as there are of those. */
void openapi_value_write_schema(const struct openapi_value *value, bool is_id, struct json_out *json);
/* The member "example", where there is a sample. */
void openapi_value_write_example(const struct openapi_value *value, struct json_out *json);
/* The member "example" of all of them, an object; none where one that is required has no sample, as files. */
void openapi_values_write_example(const struct openapi_values *values, struct json_out *json);
/* All of them as the schema of an object. */
void openapi_values_write_object(const struct openapi_values *values, struct json_out *json);

#endif
