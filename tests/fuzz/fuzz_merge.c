/* A collection of any bytes, into which a small capture is merged: it is refused, or what comes out is JSON
 * that a second merge leaves alone. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <jansson.h>

#include "capture/export/merge.h"
#include "proxy/base/mem.h"
#include "proxy/base/span.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

#define INFO                                                                                                 \
    "\"info\":{\"name\":\"m\",\"schema\":\"https://schema.getpostman.com/json/collection/v2.1.0/"            \
    "collection.json\"}"

static const char made_text[] =
    "{" INFO ",\"variable\":[{\"key\":\"baseUrl\",\"value\":\"https://a.test\",\"type\":\"string\"},"
    "{\"key\":\"$guid\",\"value\":\"{{$guid}}\",\"type\":\"string\"}],\"item\":[{\"name\":\"a.test\","
    "\"auth\":"
    "{\"type\":\"bearer\"},\"item\":[{\"name\":\"GET users/:userId\",\"id\":"
    "\"eb9c5f7b-f58c-52df-9305-1029c277a320\",\"request\":{\"method\":\"GET\",\"header\":[],\"url\":{"
    "\"host\":"
    "[\"{{baseUrl}}\"],\"path\":[\"users\",\":userId\"],\"raw\":\"{{baseUrl}}/users/"
    ":userId\"}},\"response\":[{"
    "\"id\":\"eb9c5f7b-f58c-52df-9305-1029c277a321\",\"name\":\"200 OK \xc2\xb7 GET users \xc2\xb7 "
    "#1\",\"code\":200,"
    "\"header\":[],\"body\":\"{}\"}]}]}]}";

static void must(bool holds)
{
    if (!holds)
        abort();
}

static char folder[] = "/tmp/weir-fuzz-XXXXXX";
static char path[64], values_path[64];

static void end(void)
{
    unlink(path);
    rmdir(folder);
}

static void begin(void)
{
    must(mkdtemp(folder) != NULL);
    snprintf(path, sizeof path, "%s/c.json", folder);
    snprintf(values_path, sizeof values_path, "%s/e.json", folder);
    atexit(end);
}

/* The result, to be freed; NULL: refused. */
static char *merged(struct span text, size_t *out_len, struct merge_counts *out_counts)
{
    FILE *file = fopen(path, "w"), *made = fmemopen((void *)made_text, sizeof made_text - 1, "r"), *out;
    struct merge *merge = NULL;
    struct err err;
    char *result = NULL;

    must(file != NULL && made != NULL);
    fwrite(text.ptr, 1, text.len, file);
    fclose(file);
    if (merge_open(path, values_path, &merge, &err)) {
        out = open_memstream(&result, out_len);
        must(merge != NULL && merge_collection(merge, made, out, 5, NULL, NULL, out_counts, &err));
        fclose(out);
        merge_is_split(merge, "a.test");
        merge_free(merge);
    }
    fclose(made);
    return result;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    struct merge_counts counts;
    size_t len, again_len;
    char *first, *again;
    json_t *document;

    if (path[0] == '\0')
        begin();
    first = merged(span_make(size != 0 ? (const char *)bytes : "", size), &len, &counts);
    if (first == NULL)
        return 0;
    document = json_loadb(first + 3 * (strncmp(first, "\xef\xbb\xbf", 3) == 0),
                          len - 3 * (strncmp(first, "\xef\xbb\xbf", 3) == 0), JSON_ALLOW_NUL, NULL);
    must(document != NULL);
    json_decref(document);
    again = merged(span_make(first, len), &again_len, &counts);
    must(again != NULL && again_len == len && memcmp(again, first, len) == 0);
    must(counts.added == 0 && counts.updated == 0);
    free(first);
    free(again);
    return 0;
}
