#include "capture/import/json_in.h"

#include <stdlib.h>

#include "proxy/base/mem.h"
#include "proxy/base/utf8.h"

#define WINDOW_BYTES ((size_t)64 * 1024)

/* Deeper than any document that people make, and little to remember. */
#define MAX_DEPTH 512

/* Keys and numbers of a known use are far shorter; of others the beginning tells them apart. */
#define WORD_BYTES 256

enum place { BEFORE_VALUE, AFTER_OPENING, AFTER_VALUE, AFTER_KEY };

struct json_in {
    struct input *input;
    char *window; /* owned: what of the input is at base */
    uint64_t base, line;
    size_t at, len;
    enum place place;
    unsigned depth;
    bool is_object[MAX_DEPTH];
    bool is_in_string;
    uint64_t token_at, token_line;
    char word[WORD_BYTES];
    size_t word_len;
    const char *why;
};

struct json_in *json_in_new(struct input *input)
{
    struct json_in *json = mem_new(struct json_in);

    json->input = input;
    json->window = mem_alloc(WINDOW_BYTES);
    json_in_seek(json, 0, 1);
    return json;
}

void json_in_free(struct json_in *json)
{
    if (json == NULL)
        return;
    mem_free(json->window);
    mem_free(json);
}

static enum json_in_token broken(struct json_in *json, const char *why)
{
    if (json->why == NULL)
        json->why = why;
    return JSON_IN_BROKEN;
}

/* --- bytes --------------------------------------------------------------------------------------------- */

static bool fill(struct json_in *json)
{
    json->base += json->len;
    json->at = 0;
    json->len = input_read(json->input, json->base, json->window, WINDOW_BYTES);
    return json->len != 0;
}

/* -1: the end. */
static int peek(struct json_in *json)
{
    if (json->at == json->len && !fill(json))
        return -1;
    return (unsigned char)json->window[json->at];
}

static int take(struct json_in *json)
{
    int c = peek(json);

    if (c < 0)
        return -1;
    json->at++;
    json->line += c == '\n';
    return c;
}

static int peek_solid(struct json_in *json)
{
    int c = peek(json);

    while (c == ' ' || c == '\t' || c == '\n' || c == '\r') {
        take(json);
        c = peek(json);
    }
    return c;
}

void json_in_seek(struct json_in *json, uint64_t offset, uint64_t line)
{
    static const char MARK[3] = "\xef\xbb\xbf";

    json->base = offset;
    json->line = line;
    json->at = json->len = 0;
    json->place = BEFORE_VALUE;
    json->depth = 0;
    json->is_in_string = false;
    json->why = NULL;
    if (offset == 0 && fill(json) && json->len >= sizeof MARK && memcmp(json->window, MARK, sizeof MARK) == 0)
        json->at = sizeof MARK;
}

/* --- strings ------------------------------------------------------------------------------------------- */

static bool take_hex(struct json_in *json, unsigned *out_unit)
{
    *out_unit = 0;
    for (int i = 0; i < 4; i++) {
        int c = take(json);
        int digit = c >= '0' && c <= '9'   ? c - '0'
                    : c >= 'a' && c <= 'f' ? c - 'a' + 10
                    : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                           : -1;
        if (digit < 0) {
            broken(json, "'\\u' without four hexadecimal digits");
            return false;
        }
        *out_unit = *out_unit << 4 | (unsigned)digit;
    }
    return true;
}

/* A string being read. */
struct reading {
    json_in_sink sink;
    void *self;
    unsigned high; /* the first half of a surrogate pair whose second has not come; 0: none */
    bool is_stopped;
};

static void give(struct reading *reading, const char *bytes, size_t len)
{
    char half[UTF8_MAX_BYTES];

    if (reading->high != 0) {
        reading->high = 0;
        give(reading, half, utf8_put(half, 0xfffd));
    }
    if (len != 0 && !reading->is_stopped && reading->sink != NULL)
        reading->is_stopped = !reading->sink(reading->self, span_make(bytes, len));
}

static void give_code(struct reading *reading, unsigned code)
{
    char bytes[UTF8_MAX_BYTES];

    give(reading, bytes, utf8_put(bytes, code));
}

static void give_unit(struct reading *reading, unsigned unit)
{
    bool is_second = unit >= 0xdc00 && unit < 0xe000;

    if (is_second && reading->high != 0) {
        unsigned code = 0x10000 + ((reading->high - 0xd800) << 10) + (unit - 0xdc00);
        reading->high = 0;
        give_code(reading, code);
    } else if (unit >= 0xd800 && unit < 0xdc00) {
        give(reading, NULL, 0);
        reading->high = unit;
    } else {
        give_code(reading, is_second ? 0xfffd : unit);
    }
}

/* After the backslash. */
static bool take_escape(struct json_in *json, struct reading *reading)
{
    static const char NAMES[] = "\"\\/bfnrt", MEANINGS[] = "\"\\/\b\f\n\r\t";
    int c = take(json);
    const char *name = c > 0 ? strchr(NAMES, c) : NULL;
    unsigned unit;

    if (name != NULL) {
        give(reading, &MEANINGS[name - NAMES], 1);
        return true;
    }
    if (c != 'u') {
        broken(json, "no such escape in a string");
        return false;
    }
    if (!take_hex(json, &unit))
        return false;
    give_unit(reading, unit);
    return true;
}

/* So many bytes of what is in the window are plain text. A search for the quote, which may be far away, would
 * be made anew after each escape. */
static size_t plain_run(const struct json_in *json)
{
    const char *bytes = json->window + json->at;
    size_t left = json->len - json->at, run = 0;

    while (run < left && bytes[run] != '"' && bytes[run] != '\\')
        run++;
    return run;
}

static void pass_run(struct json_in *json, size_t run)
{
    const char *at = json->window + json->at, *end = at + run;

    while ((at = memchr(at, '\n', (size_t)(end - at))) != NULL) {
        json->line++;
        at++;
    }
    json->at += run;
}

bool json_in_string(struct json_in *json, json_in_sink sink, void *self)
{
    struct reading reading = { .sink = sink, .self = self };

    json->is_in_string = false;
    while (true) {
        int c = peek(json);
        size_t run;

        if (c < 0) {
            broken(json, "it ends inside a string");
            return false;
        }
        if (c == '"') {
            take(json);
            give(&reading, NULL, 0);
            return !reading.is_stopped;
        }
        if (c == '\\') {
            take(json);
            if (!take_escape(json, &reading))
                return false;
            continue;
        }
        run = plain_run(json);
        give(&reading, json->window + json->at, run);
        pass_run(json, run);
    }
}

static bool add_text(void *self, struct span text)
{
    struct strbuf *out = self;
    size_t room = out->limit != 0 ? out->limit - out->len : text.len;

    strbuf_add(out, span_sub(text, 0, text.len < room ? text.len : room));
    out->is_full = out->is_full || text.len > room;
    return true;
}

bool json_in_text(struct json_in *json, struct strbuf *out)
{
    return json_in_string(json, add_text, out);
}

static bool add_word(void *self, struct span text)
{
    struct json_in *json = self;
    size_t room = sizeof json->word - 1 - json->word_len;

    if (text.len > room)
        text.len = room;
    memcpy(json->word + json->word_len, text.ptr, text.len);
    json->word_len += text.len;
    return true;
}

/* --- tokens -------------------------------------------------------------------------------------------- */

static enum json_in_token open(struct json_in *json, bool is_object)
{
    if (json->depth == MAX_DEPTH)
        return broken(json, "it is nested too deep");
    take(json);
    json->is_object[json->depth++] = is_object;
    json->place = AFTER_OPENING;
    return is_object ? JSON_IN_OBJECT : JSON_IN_ARRAY;
}

static enum json_in_token close(struct json_in *json)
{
    take(json);
    json->place = AFTER_VALUE;
    return json->is_object[--json->depth] ? JSON_IN_OBJECT_END : JSON_IN_ARRAY_END;
}

static bool is_word_byte(int c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
           c == '+' || c == '.';
}

static bool is_number(const char *word)
{
    size_t digits;

    word += *word == '-';
    digits = strspn(word, "0123456789");
    if (digits == 0)
        return false;
    word += digits;
    if (*word == '.') {
        word++;
        digits = strspn(word, "0123456789");
        if (digits == 0)
            return false;
        word += digits;
    }
    if (*word == 'e' || *word == 'E') {
        word++;
        word += *word == '+' || *word == '-';
        digits = strspn(word, "0123456789");
        if (digits == 0)
            return false;
        word += digits;
    }
    return *word == '\0';
}

static enum json_in_token word(struct json_in *json)
{
    static const struct {
        const char *word;
        enum json_in_token token;
    } names[] = { { "true", JSON_IN_TRUE }, { "false", JSON_IN_FALSE }, { "null", JSON_IN_NULL } };

    json->word_len = 0;
    while (is_word_byte(peek(json)) && json->word_len < sizeof json->word - 1)
        json->word[json->word_len++] = (char)take(json);
    json->word[json->word_len] = '\0';
    json->place = AFTER_VALUE;
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (strcmp(json->word, names[i].word) == 0)
            return names[i].token;
    return is_number(json->word) ? JSON_IN_NUMBER : broken(json, "a value was expected");
}

static enum json_in_token value(struct json_in *json)
{
    int c = peek_solid(json);

    json->token_at = json_in_offset(json);
    json->token_line = json->line;
    switch (c) {
    case -1:
        return broken(json, "it ends where a value was expected");
    case '{':
        return open(json, true);
    case '[':
        return open(json, false);
    case '"':
        take(json);
        json->is_in_string = true;
        json->place = AFTER_VALUE;
        return JSON_IN_STRING;
    default:
        return word(json);
    }
}

static enum json_in_token key(struct json_in *json)
{
    json->token_at = json_in_offset(json);
    json->token_line = json->line;
    if (peek_solid(json) != '"')
        return broken(json, peek(json) < 0 ? "it ends inside an object" : "a key in quotes was expected");
    take(json);
    json->word_len = 0;
    if (!json_in_string(json, add_word, json))
        return JSON_IN_BROKEN;
    if (peek_solid(json) != ':')
        return broken(json, "':' was expected after a key");
    take(json);
    json->place = AFTER_KEY;
    return JSON_IN_KEY;
}

/* Inside an object or array, at the beginning or after a comma. */
static enum json_in_token member_or_end(struct json_in *json)
{
    bool is_object = json->is_object[json->depth - 1];

    json->token_at = json_in_offset(json);
    if (peek_solid(json) == (is_object ? '}' : ']'))
        return close(json);
    return is_object ? key(json) : value(json);
}

static enum json_in_token after_value(struct json_in *json)
{
    bool is_object;
    int c = peek_solid(json);

    if (json->depth == 0)
        return c < 0 ? JSON_IN_END : broken(json, "something follows its end");
    is_object = json->is_object[json->depth - 1];
    if (c == (is_object ? '}' : ']'))
        return close(json);
    if (c < 0)
        return broken(json, is_object ? "it ends inside an object" : "it ends inside an array");
    if (c != ',')
        return broken(json, is_object ? "',' or '}' was expected" : "',' or ']' was expected");
    take(json);
    return member_or_end(json);
}

enum json_in_token json_in_next(struct json_in *json)
{
    if (json->why != NULL || (json->is_in_string && !json_in_string(json, NULL, NULL)))
        return JSON_IN_BROKEN;
    switch (json->place) {
    case AFTER_OPENING:
        return member_or_end(json);
    case AFTER_VALUE:
        return after_value(json);
    default:
        return value(json);
    }
}

bool json_in_skip(struct json_in *json, enum json_in_token token)
{
    unsigned depth = json->depth - 1;

    if (token != JSON_IN_OBJECT && token != JSON_IN_ARRAY)
        return token != JSON_IN_BROKEN;
    while (json->depth != depth)
        if (json_in_next(json) == JSON_IN_BROKEN)
            return false;
    return true;
}

struct span json_in_key(const struct json_in *json)
{
    return span_make(json->word, json->word_len);
}

double json_in_number(const struct json_in *json)
{
    return strtod(json->word, NULL);
}

uint64_t json_in_token_at(const struct json_in *json)
{
    return json->token_at;
}

uint64_t json_in_token_line(const struct json_in *json)
{
    return json->token_line;
}

uint64_t json_in_offset(const struct json_in *json)
{
    return json->base + json->at;
}

uint64_t json_in_line(const struct json_in *json)
{
    return json->line;
}

const char *json_in_why(const struct json_in *json)
{
    return json->why != NULL ? json->why : "";
}

/* --- finding ------------------------------------------------------------------------------------------- */

/* Whether a key that is wanted comes next; what was looked at is taken, up to a byte that may begin another
 * try. */
static bool meets_key(struct json_in *json, bool (*is_wanted)(void *self, struct span key), void *self)
{
    json->word_len = 0;
    if (peek_solid(json) != '"')
        return false;
    take(json);
    while (peek(json) >= ' ' && peek(json) != '"' && peek(json) != '\\' && peek(json) != '{' &&
           json->word_len < sizeof json->word - 1)
        json->word[json->word_len++] = (char)take(json);
    if (peek(json) != '"')
        return false;
    take(json);
    return peek_solid(json) == ':' && is_wanted(self, span_make(json->word, json->word_len));
}

bool json_in_find(struct json_in *json, uint64_t offset, uint64_t line, unsigned depth,
                  bool (*is_wanted)(void *self, struct span key), void *self)
{
    json_in_seek(json, offset, line);
    while (peek(json) >= 0) {
        const char *bytes = json->window + json->at;
        size_t left = json->len - json->at;
        const char *brace = memchr(bytes, '{', left);
        uint64_t at, at_line;

        pass_run(json, brace != NULL ? (size_t)(brace - bytes) : left);
        if (brace == NULL)
            continue;
        at = json_in_offset(json);
        at_line = json->line;
        take(json);
        if (!meets_key(json, is_wanted, self))
            continue;
        json_in_seek(json, at, at_line);
        json->depth = depth;
        for (unsigned i = 0; i < depth; i++)
            json->is_object[i] = i + 1 != depth;
        return true;
    }
    return false;
}
