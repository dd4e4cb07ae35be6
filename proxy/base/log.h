/* log: one line an event on stderr, message first, then key=value.
 *
 *     warn upstream: handshake stopped exchange=41 origin=api.test:443 why="certificate has expired"
 *
 * Written with one write(2), so lines of several threads never mix. Modules stay silent and return errors;
 * edges log (a command, a connection's end, a thread's main). Never bodies, cookies, Authorization, keys.
 * Any thread; log_setup before the first other thread starts. */
#ifndef WEIR_BASE_LOG_H
#define WEIR_BASE_LOG_H

#include <stdbool.h>

#include "proxy/base/span.h"

enum log_level {
    LOG_LEVEL_ERROR, /* weir can't go on */
    LOG_LEVEL_WARN,  /* an exchange is hurt */
    LOG_LEVEL_INFO,  /* what an operator asks about */
    LOG_LEVEL_DEBUG, /* state steps */
};

enum log_format { LOG_FORMAT_TEXT, LOG_FORMAT_JSON };

void log_setup(enum log_level level, enum log_format format); /* default: LOG_LEVEL_WARN, LOG_FORMAT_TEXT */
bool log_is_on(enum log_level level);

/* Who gets the finished line (without its newline) instead of stderr; NULL: stderr. The terminal view uses
 * it to keep its status line whole. The sink may be called on any thread, by one at a time, and is called no
 * more once this has returned; it may not log. */
void log_sink(void (*sink)(void *self, enum log_level level, const char *line), void *self);

/* A key and its value: LOG_S for text, LOG_SPAN for borrowed bytes, LOG_N for a number. */
struct log_pair {
    const char *key;
    struct span text; /* ptr NULL: number */
    long long number;
};
#define LOG_S(key_, value_)    ((struct log_pair){ key_, span_of((value_) != NULL ? (value_) : ""), 0 })
#define LOG_SPAN(key_, value_) ((struct log_pair){ key_, (value_), 0 })
#define LOG_N(key_, value_)    ((struct log_pair){ key_, SPAN_NONE, (long long)(value_) })

/* log_at(LOG_LEVEL_WARN, "upstream", "handshake stopped", LOG_N("exchange", 41), LOG_S("why", err.text)); */
#define log_at(level, where, message, ...)                                                                    \
    do {                                                                                                      \
        if (log_is_on(level))                                                                                 \
            log_write(level, where, message,                                                                  \
                      (const struct log_pair[]){ __VA_ARGS__ __VA_OPT__(, ){ NULL, SPAN_NONE, 0 } });         \
    } while (0)
#define log_error(where, ...) log_at(LOG_LEVEL_ERROR, where, __VA_ARGS__)
#define log_warn(where, ...)  log_at(LOG_LEVEL_WARN, where, __VA_ARGS__)
#define log_info(where, ...)  log_at(LOG_LEVEL_INFO, where, __VA_ARGS__)
#define log_debug(where, ...) log_at(LOG_LEVEL_DEBUG, where, __VA_ARGS__)

void log_write(enum log_level level, const char *where, const char *message, const struct log_pair *pairs);

#endif
