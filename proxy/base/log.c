#include "proxy/base/log.h"

#include <pthread.h>
#include <stdatomic.h>
#include <unistd.h>

#include "proxy/base/clock.h"
#include "proxy/base/strbuf.h"

/* A line longer than this is cut: nothing that a stranger sends may fill a terminal. */
#define LINE_BYTES 4096

static atomic_int current_level = LOG_LEVEL_WARN;
static atomic_int current_format = LOG_FORMAT_TEXT;
/* Held while a sink is told a line, so that it may go away once log_sink has returned. */
static pthread_mutex_t sink_lock = PTHREAD_MUTEX_INITIALIZER;
static void (*line_sink)(void *self, enum log_level level, const char *line);
static void *line_sink_self;

static const char *const level_names[] = { "error", "warn", "info", "debug" };

void log_setup(enum log_level level, enum log_format format)
{
    current_level = (int)level;
    current_format = (int)format;
}

bool log_is_on(enum log_level level)
{
    return (int)level <= current_level;
}

void log_sink(void (*sink)(void *self, enum log_level level, const char *line), void *self)
{
    pthread_mutex_lock(&sink_lock);
    line_sink = sink;
    line_sink_self = self;
    pthread_mutex_unlock(&sink_lock);
}

static bool is_plain(struct span text)
{
    for (size_t i = 0; i < text.len; i++) {
        unsigned char c = (unsigned char)text.ptr[i];
        if (c <= ' ' || c == '"' || c == '\\' || c == '=' || c >= 0x7f)
            return false;
    }
    return text.len != 0;
}

/* In quotes, with anything that could fool a terminal or a JSON reader escaped; UTF-8 passes. */
static void add_quoted(struct strbuf *line, struct span text)
{
    strbuf_add_char(line, '"');
    for (size_t i = 0; i < text.len; i++) {
        unsigned char c = (unsigned char)text.ptr[i];
        if (c == '"' || c == '\\')
            strbuf_printf(line, "\\%c", c);
        else if (c < ' ' || c == 0x7f)
            strbuf_printf(line, "\\u%04x", c);
        else
            strbuf_add_char(line, (char)c);
    }
    strbuf_add_char(line, '"');
}

static void format_text(struct strbuf *line, enum log_level level, const char *where, const char *message,
                        const struct log_pair *pairs)
{
    strbuf_printf(line, "%s %s: %s", level_names[level], where, message);
    for (; pairs->key != NULL; pairs++) {
        strbuf_printf(line, " %s=", pairs->key);
        if (pairs->text.ptr == NULL)
            strbuf_printf(line, "%lld", pairs->number);
        else if (is_plain(pairs->text))
            strbuf_add(line, pairs->text);
        else
            add_quoted(line, pairs->text);
    }
}

static void format_json(struct strbuf *line, enum log_level level, const char *where, const char *message,
                        const struct log_pair *pairs)
{
    strbuf_printf(line, "{\"time_us\":%llu,\"level\":\"%s\",\"where\":", (unsigned long long)clock_wall_us(),
                  level_names[level]);
    add_quoted(line, span_of(where));
    strbuf_add_str(line, ",\"message\":");
    add_quoted(line, span_of(message));
    for (; pairs->key != NULL; pairs++) {
        strbuf_add_char(line, ',');
        add_quoted(line, span_of(pairs->key));
        strbuf_add_char(line, ':');
        if (pairs->text.ptr == NULL)
            strbuf_printf(line, "%lld", pairs->number);
        else
            add_quoted(line, pairs->text);
    }
    strbuf_add_char(line, '}');
}

static bool tell_sink(enum log_level level, const char *line)
{
    bool has_sink;

    pthread_mutex_lock(&sink_lock);
    has_sink = line_sink != NULL;
    if (has_sink)
        line_sink(line_sink_self, level, line);
    pthread_mutex_unlock(&sink_lock);
    return has_sink;
}

void log_write(enum log_level level, const char *where, const char *message, const struct log_pair *pairs)
{
    struct strbuf line;
    ssize_t written;

    strbuf_init(&line, LINE_BYTES);
    if (current_format == LOG_FORMAT_JSON)
        format_json(&line, level, where, message, pairs);
    else
        format_text(&line, level, where, message, pairs);
    if (!tell_sink(level, strbuf_text(&line))) {
        line.limit = 0;
        strbuf_add_char(&line, '\n');
        written = write(STDERR_FILENO, line.ptr, line.len);
        (void)written; /* where would a failed log line be logged? */
    }
    strbuf_clear(&line);
}
