/* The live path: what is known of an exchange so far against the terms of a filter. What is not known yet is
 * FILTER_NOT_YET, but a number that can only grow decides as soon as it has grown far enough. */
#include "capture/field_test.h"
#include "capture/filter.h"
#include "capture/filter_term.h"
#include "capture/heads.h"
#include "capture/record.h"

struct match {
    const struct filter_subject *subject;
    const struct http_head *response; /* the final one; NULL: not there */
    struct span path, query;
    struct strbuf url; /* made when it is first needed */
};

static enum filter_answer answer_of(bool is_yes)
{
    return is_yes ? FILTER_YES : FILTER_NO;
}

/* What a missing piece means: that it may still come, or that it never came. */
static enum filter_answer unknown(const struct match *match)
{
    return match->subject->is_done ? FILTER_NO : FILTER_NOT_YET;
}

static void find_path(struct match *match)
{
    const struct http_head *head = match->subject->request;

    if (head != NULL)
        heads_path(head, &match->path, &match->query);
}

static struct span find_url(struct match *match)
{
    const struct tap_exchange *exchange = match->subject->exchange;

    if (match->url.len == 0) {
        const struct record record = { .scheme = span_of(exchange->scheme),
                                       .host = span_of(exchange->host),
                                       .port = exchange->port,
                                       .path = match->path,
                                       .query = match->query };
        record_add_url(&record, &match->url);
    }
    return strbuf_span(&match->url);
}

static enum filter_answer match_range(const struct term_value *value, int64_t number)
{
    return answer_of(number >= value->min && number <= value->max);
}

/* A number that is final when the exchange is done, and only grows until then. */
static enum filter_answer match_growing(const struct match *match, const struct term_value *value,
                                        uint64_t number)
{
    int64_t now = number > INT64_MAX ? INT64_MAX : (int64_t)number;

    if (match->subject->is_done)
        return match_range(value, now);
    if (now > value->max)
        return FILTER_NO;
    return now >= value->min && value->max == INT64_MAX ? FILTER_YES : FILTER_NOT_YET;
}

static enum filter_answer match_host(const struct match *match, const struct term_value *value)
{
    const struct tap_exchange *exchange = match->subject->exchange;

    return answer_of(exchange->port >= value->min && exchange->port <= value->max &&
                     pattern_match(value->pattern, span_of(exchange->host)));
}

typedef bool (*field_test_fn)(const struct field_test *test, struct span name, struct span value);

static bool any_of(const struct headers *headers, const struct term_value *value, field_test_fn is_meant)
{
    const struct field_test test = { value->name, value->pattern };

    for (size_t i = 0; headers != NULL && i < headers->count; i++) {
        if (is_meant(&test, headers_name(headers, i), headers_value(headers, i)))
            return true;
    }
    return false;
}

static bool any_field(const struct http_head *head, const struct term_value *value, field_test_fn is_meant)
{
    return head != NULL && any_of(&head->headers, value, is_meant);
}

static enum filter_answer match_fields(const struct match *match, const struct term_value *value,
                                       field_test_fn is_meant)
{
    if (any_field(match->subject->request, value, is_meant) || any_field(match->response, value, is_meant))
        return FILTER_YES;
    return match->response != NULL ? FILTER_NO : unknown(match);
}

/* gRPC's status is in trailers, which no field announces. */
static bool announces_trailers(const struct http_head *head)
{
    struct span value;

    return head != NULL && (headers_find(&head->headers, SPAN("Trailer"), &value) ||
                            (headers_find(&head->headers, SPAN("Content-Type"), &value) &&
                             span_istarts(value, SPAN("application/grpc"))));
}

static enum filter_answer match_header(const struct match *match, const struct term_value *value)
{
    const struct filter_subject *subject = match->subject;
    enum filter_answer answer = match_fields(match, value, field_test_header);

    if (answer == FILTER_YES || any_of(subject->trailers[HTTP_REQUEST], value, field_test_header) ||
        any_of(subject->trailers[HTTP_RESPONSE], value, field_test_header))
        return FILTER_YES;
    return answer == FILTER_NO &&
                   (announces_trailers(subject->request) || announces_trailers(match->response))
               ? unknown(match)
               : answer;
}

/* In lower case, as the record has it: a regular expression would see the difference. */
static bool type_is_meant(const struct http_head *head, const struct term_value *value)
{
    struct strbuf lower = STRBUF_EMPTY;
    struct span type;
    bool answer;

    if (head == NULL || !headers_find(&head->headers, SPAN("Content-Type"), &type))
        return false;
    strbuf_add(&lower, span_trim(span_sub(type, 0, span_find(type, ';'))));
    for (size_t i = 0; i < lower.len; i++) {
        if (lower.ptr[i] >= 'A' && lower.ptr[i] <= 'Z')
            lower.ptr[i] = (char)(lower.ptr[i] | 0x20);
    }
    answer = pattern_match(value->pattern, strbuf_span(&lower));
    strbuf_clear(&lower);
    return answer;
}

static enum filter_answer match_type(const struct match *match, const struct term_value *value)
{
    if (type_is_meant(match->subject->request, value) || type_is_meant(match->response, value))
        return FILTER_YES;
    return match->response != NULL ? FILTER_NO : unknown(match);
}

static enum filter_answer match_time(const struct match *match, const struct term_value *value)
{
    int64_t took_us = match->subject->exchange->times[TAP_T_DONE];

    if (!match->subject->is_done || took_us == TAP_NEVER)
        return unknown(match);
    return match_range(value, took_us);
}

static bool has_error(const struct match *match)
{
    return match->subject->exchange->error != NULL && match->subject->exchange->error[0] != '\0';
}

static enum filter_answer match_is(const struct match *match, const struct term_value *value)
{
    const struct filter_subject *subject = match->subject;
    struct span scheme = span_of(subject->exchange->scheme);
    int status = match->response != NULL ? match->response->status : 0;

    switch (value->is) {
    case IS_WEBSOCKET:
        return answer_of(
            any_field(subject->request, value, field_test_header) ||
            (subject->request != NULL && span_ieq(subject->request->protocol, SPAN("websocket"))));
    case IS_GRPC:
        return answer_of(any_field(subject->request, value, field_test_header));
    case IS_SSE:
        if (match->response == NULL)
            return unknown(match);
        return answer_of(any_field(match->response, value, field_test_header));
    case IS_PREFLIGHT:
        return answer_of(subject->request != NULL && span_eq(subject->request->method, SPAN("OPTIONS")) &&
                         any_field(subject->request, value, field_test_header));
    case IS_TUNNEL:
        return answer_of(span_eq(scheme, SPAN("tcp")) || span_eq(scheme, SPAN("tls")));
    case IS_SEALED:
        return answer_of((subject->exchange->flags & TAP_SEALED) != 0);
    case IS_REDIRECT:
        if (match->response == NULL)
            return unknown(match);
        return answer_of(status == 301 || status == 302 || status == 303 || status == 307 || status == 308);
    case IS_CACHED:
        if (match->response == NULL)
            return unknown(match);
        return answer_of(status == 304 || any_field(match->response, value, field_test_header));
    case IS_ERROR:
        return subject->is_done ? answer_of(subject->has_failed || has_error(match)) : FILTER_NOT_YET;
    case IS_ABORTED:
        return subject->is_done ? answer_of(subject->has_failed) : FILTER_NOT_YET;
    }
    return FILTER_NO;
}

static enum filter_answer match_value(struct match *match, enum term_key key, const struct term_value *value)
{
    const struct filter_subject *subject = match->subject;
    const struct http_head *request = subject->request;

    switch (key) {
    case TERM_HOST:
        return match_host(match, value);
    case TERM_PATH:
        return answer_of(pattern_match(value->pattern, match->path));
    case TERM_URL:
        return answer_of(pattern_match(value->pattern, find_url(match)));
    case TERM_METHOD:
        return answer_of(pattern_match(value->pattern, request != NULL ? request->method : SPAN("")));
    case TERM_STATUS:
        return match->response != NULL ? match_range(value, match->response->status) : unknown(match);
    case TERM_TYPE:
        return match_type(match, value);
    case TERM_SCHEME:
        return answer_of(pattern_match(value->pattern, span_of(subject->exchange->scheme)));
    case TERM_VERSION:
        return match_range(value, request != NULL ? (int64_t)request->version : 0);
    case TERM_SIZE:
        return match_growing(match, value, subject->response_bytes);
    case TERM_TIME:
        return match_time(match, value);
    case TERM_COOKIE:
        return match_fields(match, value, field_test_cookie);
    case TERM_HEADER:
        return match_header(match, value);
    case TERM_BODY:
        return FILTER_NOT_YET;
    case TERM_ERROR:
        if (!subject->is_done)
            return FILTER_NOT_YET;
        return answer_of(has_error(match) &&
                         pattern_match(value->pattern, span_of(subject->exchange->error)));
    case TERM_IS:
        return match_is(match, value);
    case TERM_KEY_COUNT:
        break;
    }
    return FILTER_NO;
}

static enum filter_answer match_term(struct match *match, const struct term *term)
{
    enum filter_answer answer = FILTER_NO;

    for (size_t i = 0; i < term->count && answer != FILTER_YES; i++) {
        enum filter_answer one = match_value(match, term->key, &term->values[i]);
        if (one != FILTER_NO)
            answer = one;
    }
    if (!term->is_negated || answer == FILTER_NOT_YET)
        return answer;
    return answer == FILTER_YES ? FILTER_NO : FILTER_YES;
}

enum filter_answer filter_match(const struct filter *filter, const struct filter_subject *subject)
{
    struct match match = { .subject = subject };
    enum filter_answer answer = FILTER_YES;

    if (subject->response != NULL && !http_is_interim(subject->response))
        match.response = subject->response;
    find_path(&match);
    for (size_t i = 0; i < filter->count && answer != FILTER_NO; i++) {
        enum filter_answer one = match_term(&match, &filter->terms[i]);
        if (one != FILTER_YES)
            answer = one;
    }
    strbuf_clear(&match.url);
    return answer;
}
