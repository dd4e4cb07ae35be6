#include "capture/filter_lexer.h"

#include <stdarg.h>
#include <stdio.h>

#include "proxy/base/pattern.h"

/* How much of a wrong word a complaint shows. */
#define SHOWN_BYTES 60

static bool is_blank(char c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

static bool is_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static bool is_inside_character(char c)
{
    return ((unsigned char)c & 0xc0) == 0x80;
}

void filter_value_init(struct filter_value *value)
{
    *value = (struct filter_value){ 0 };
}

void filter_value_clear(struct filter_value *value)
{
    strbuf_clear(&value->glob);
    strbuf_clear(&value->plain);
    filter_value_init(value);
}

/* The word as it stands there, cut between characters. */
static void add_shown_word(struct strbuf *out, const char *word)
{
    size_t len = 0;

    while (word[len] != '\0' && !is_blank(word[len]) && len < SHOWN_BYTES)
        len++;
    while (len != 0 && is_inside_character(word[len]))
        len--;
    strbuf_add(out, span_make(word, len));
    if (word[len] != '\0' && !is_blank(word[len]))
        strbuf_add_str(out, "…");
}

bool filter_lexer_complain(const struct filter_lexer *lexer, struct err *err, const char *hint,
                           const char *format, ...)
{
    char what[256];
    struct strbuf line;
    size_t column = 1;
    va_list args;

    va_start(args, format);
    vsnprintf(what, sizeof what, format, args);
    va_end(args);
    for (const char *at = lexer->text; at < lexer->word; at++)
        column += !is_inside_character(*at);
    strbuf_init(&line, 0);
    strbuf_printf(&line, "filter: %s at column %zu: '", what, column);
    add_shown_word(&line, lexer->word);
    strbuf_printf(&line, "'%s%s", hint[0] != '\0' ? "; " : "", hint);
    for (size_t i = 0; i < line.len; i++) { /* it is one line, whatever was in the quotes */
        if ((unsigned char)line.ptr[i] < ' ' || line.ptr[i] == 0x7f)
            line.ptr[i] = '?';
    }
    err_set(err, ERR_USAGE, "%s", strbuf_text(&line));
    strbuf_clear(&line);
    return false;
}

bool filter_lexer_word(struct filter_lexer *lexer, bool *out_is_negated, struct span *out_key)
{
    size_t len = 0;

    while (is_blank(*lexer->at))
        lexer->at++;
    lexer->word = lexer->at;
    if (*lexer->at == '\0')
        return false;
    *out_is_negated = *lexer->at == '-';
    if (*out_is_negated)
        lexer->at++;
    *out_key = SPAN("");
    while (is_letter(lexer->at[len]))
        len++;
    if (len == 0 || lexer->at[len] != ':' || strncmp(lexer->at + len, "://", 3) == 0 ||
        strncmp(lexer->at, "re:/", 4) == 0)
        return true;
    *out_key = span_make(lexer->at, len);
    lexer->at += len + 1;
    return true;
}

/* Behind the opening quote; up to and with the closing one. */
static bool eat_quoted(struct filter_lexer *lexer, struct filter_value *value, struct err *err)
{
    value->is_quoted = true;
    while (*lexer->at != '"') {
        if (*lexer->at == '\\' && lexer->at[1] != '\0')
            lexer->at++;
        if (*lexer->at == '\0')
            return filter_lexer_complain(lexer, err, "", "a quote that is not closed");
        pattern_add_escaped(&value->glob, span_make(lexer->at, 1));
        strbuf_add_char(&value->plain, *lexer->at++);
    }
    lexer->at++;
    return true;
}

/* Behind "re:/"; up to and with the flags. */
static bool eat_regex(struct filter_lexer *lexer, struct filter_value *value, struct err *err)
{
    value->is_regex = true;
    while (*lexer->at != '/') {
        if (*lexer->at == '\\' && lexer->at[1] != '\0')
            strbuf_add_char(&value->plain, *lexer->at++);
        if (*lexer->at == '\0')
            return filter_lexer_complain(
                lexer, err, "", "a regular expression without its closing '/' (write \\/ inside it)");
        strbuf_add_char(&value->plain, *lexer->at++);
    }
    lexer->at++;
    if (*lexer->at == 'i') {
        value->is_any_case = true;
        lexer->at++;
    }
    if (*lexer->at != '\0' && *lexer->at != ',' && !is_blank(*lexer->at))
        return filter_lexer_complain(lexer, err, "after its closing '/' may stand i, to ignore case",
                                     "something after a regular expression");
    return true;
}

static bool eat_value(struct filter_lexer *lexer, const char *stops, struct filter_value *value,
                      struct err *err)
{
    if (strncmp(lexer->at, "re:/", 4) == 0) {
        lexer->at += 4;
        return eat_regex(lexer, value, err);
    }
    while (*lexer->at != '\0' && *lexer->at != ',' && !is_blank(*lexer->at)) {
        char c = *lexer->at++;
        if (c == '"') {
            if (!eat_quoted(lexer, value, err))
                return false;
            continue;
        }
        if (strchr(stops, c) != NULL) {
            value->stop = c;
            break;
        }
        strbuf_add_char(&value->plain, c);
        if (c == '*')
            strbuf_add_char(&value->glob, c);
        else
            pattern_add_escaped(&value->glob, span_make(&c, 1));
    }
    return true;
}

bool filter_lexer_value(struct filter_lexer *lexer, const char *stops, struct filter_value *out_value,
                        struct err *err)
{
    filter_value_clear(out_value);
    if (!eat_value(lexer, stops, out_value, err))
        return false;
    if (out_value->plain.len > FILTER_MAX_VALUE_BYTES)
        return filter_lexer_complain(lexer, err, "", "a value of more than %d bytes", FILTER_MAX_VALUE_BYTES);
    return true;
}

bool filter_lexer_comma(struct filter_lexer *lexer)
{
    if (*lexer->at != ',')
        return false;
    lexer->at++;
    return true;
}
