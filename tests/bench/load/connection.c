#include "tests/bench/load/connection.h"

#include <errno.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "proxy/base/clock.h"
#include "proxy/base/span.h"

/* Then the other connections of the thread get their turn. */
#define READS_PER_TURN 8

/* What conn_read and conn_write return besides a number of bytes. */
#define LATER  (-1)
#define BROKEN (-2)

static const struct load_options *options_of(const struct connection *connection)
{
    return connection->worker->run->options;
}

/* --- a connection's life ------------------------------------------------------------------------------- */

/* Takes the right to send one more request. */
static bool claim_request(struct run *run)
{
    if (atomic_load(&run->is_stopping) || clock_mono_us() >= run->ends_us)
        return false;
    return run->options->requests == 0 || atomic_fetch_add(&run->issued, 1) < run->options->requests;
}

static void watch(struct connection *connection, uint32_t events)
{
    struct epoll_event event = { .events = events, .data.ptr = connection };

    if (connection->events == events)
        return;
    epoll_ctl(connection->worker->epoll, connection->events != 0 ? EPOLL_CTL_MOD : EPOLL_CTL_ADD,
              connection->fd, &event);
    connection->events = events;
}

static void set_opening(struct connection *connection, bool is_opening)
{
    connection->worker->opening += (int)is_opening - (int)connection->is_opening;
    connection->is_opening = is_opening;
}

static void set_meeting(struct connection *connection, bool is_meeting)
{
    connection->worker->meeting += (int)is_meeting - (int)connection->is_meeting;
    connection->is_meeting = is_meeting;
}

void connection_close(struct connection *connection)
{
    set_opening(connection, false);
    set_meeting(connection, false);
    if (connection->ssl != NULL) {
        if (SSL_is_init_finished(connection->ssl))
            SSL_shutdown(connection->ssl);
        SSL_free(connection->ssl);
        connection->ssl = NULL;
        ERR_clear_error();
    }
    if (connection->fd >= 0)
        close(connection->fd);
    connection->fd = -1;
    connection->events = 0;
    connection->state = CONNECTION_CLOSED;
}

static void end(struct connection *connection)
{
    connection_close(connection);
    connection->state = CONNECTION_DEAD;
    connection->worker->live--;
}

static void open_socket(struct connection *connection);

static void begin_again(struct connection *connection)
{
    connection_close(connection);
    if (options_of(connection)->hold_s == 0 && claim_request(connection->worker->run))
        open_socket(connection);
    else
        end(connection);
}

static void fail(struct connection *connection, enum load_error error, const char *why)
{
    struct run *run = connection->worker->run;

    connection->worker->errors[error]++;
    pthread_mutex_lock(&run->notes);
    if (run->first_error[0] == '\0')
        snprintf(run->first_error, sizeof run->first_error, "%s: %.80s: %.120s", load_error_texts[error],
                 connection->host, why);
    pthread_mutex_unlock(&run->notes);
    if (atomic_fetch_add(&run->errors, 1) + 1 >= run->options->max_errors)
        atomic_store(&run->is_stopping, true);
    begin_again(connection);
}

static const char *broken_text(const struct connection *connection)
{
    unsigned long error = connection->ssl != NULL ? ERR_peek_error() : 0;
    const char *reason = error != 0 ? ERR_reason_error_string(error) : NULL;

    if (reason != NULL)
        return reason;
    return errno != 0 ? strerror(errno) : "closed";
}

static void name_host(struct connection *connection)
{
    const struct load_options *options = options_of(connection);
    long number =
        options->first_host + atomic_fetch_add(&connection->worker->run->hosts_used, 1) % options->hosts;
    const char *at = strstr(options->host, "%d");

    if (at != NULL)
        snprintf(connection->host, sizeof connection->host, "%.*s%ld%s", (int)(at - options->host),
                 options->host, number, at + 2);
    else
        snprintf(connection->host, sizeof connection->host, "%s", options->host);
}

static void open_socket(struct connection *connection)
{
    const struct load_options *options = options_of(connection);
    int on = 1;

    connection->state = CONNECTION_CONNECTING;
    connection->served = 0;
    connection->opened_us = connection->asked_us = clock_mono_us();
    set_opening(connection, true);
    name_host(connection);
    connection->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (connection->fd < 0) {
        fail(connection, LOAD_ERROR_CONNECT, strerror(errno));
        return;
    }
    setsockopt(connection->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    if (connect(connection->fd, (const struct sockaddr *)&options->address, sizeof options->address) != 0 &&
        errno != EINPROGRESS) {
        fail(connection, LOAD_ERROR_CONNECT, strerror(errno));
        return;
    }
    watch(connection, EPOLLIN | EPOLLOUT);
}

void connection_begin(struct connection *connection)
{
    if (claim_request(connection->worker->run))
        open_socket(connection);
    else
        end(connection);
}

/* --- bytes --------------------------------------------------------------------------------------------- */

static long tls_result(SSL *ssl, int result)
{
    int error;

    if (result > 0)
        return result;
    error = SSL_get_error(ssl, result);
    if (error == SSL_ERROR_WANT_READ || error == SSL_ERROR_WANT_WRITE)
        return LATER;
    return error == SSL_ERROR_ZERO_RETURN ? 0 : BROKEN;
}

static long socket_result(ssize_t result)
{
    if (result >= 0)
        return result;
    return errno == EAGAIN ? LATER : BROKEN;
}

/* Bytes, 0 at the end, LATER or BROKEN. */
static long read_some(struct connection *connection)
{
    char *buffer = connection->worker->buffer;

    errno = 0;
    if (connection->ssl == NULL)
        return socket_result(read(connection->fd, buffer, READ_BYTES));
    ERR_clear_error();
    return tls_result(connection->ssl, SSL_read(connection->ssl, buffer, (int)READ_BYTES));
}

static long write_some(struct connection *connection, const char *bytes, size_t len)
{
    errno = 0;
    if (connection->ssl == NULL)
        return socket_result(send(connection->fd, bytes, len, MSG_NOSIGNAL));
    ERR_clear_error();
    return tls_result(connection->ssl, SSL_write(connection->ssl, bytes, (int)len));
}

/* --- a request and its answer -------------------------------------------------------------------------- */

static void add_head(struct connection *connection, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

static void add_head(struct connection *connection, const char *format, ...)
{
    size_t room = sizeof connection->head - connection->head_len;
    va_list values;
    int len;

    va_start(values, format);
    len = vsnprintf(connection->head + connection->head_len, room, format, values);
    va_end(values);
    if (len < 0 || (size_t)len >= room) {
        fputs("bench_load: the path is too long\n", stderr);
        exit(2);
    }
    connection->head_len += (size_t)len;
}

static void start_request(struct connection *connection)
{
    const struct load_options *options = options_of(connection);
    const char *method = options->body_bytes != 0 ? "POST" : "GET";

    connection->head_len = connection->head_sent = 0;
    if (options->mode == LOAD_PROXY)
        add_head(connection, "%s http://%s:%d%s HTTP/1.1\r\n", method, connection->host, options->port,
                 options->path);
    else
        add_head(connection, "%s %s HTTP/1.1\r\n", method, options->path);
    add_head(connection, "Host: %s:%d\r\nUser-Agent: bench\r\nAccept: */*\r\n", connection->host,
             options->port);
    if (options->body_bytes != 0)
        add_head(connection, "Content-Length: %llu\r\n", (unsigned long long)options->body_bytes);
    add_head(connection, "\r\n");
    connection->body_left = options->body_bytes;
    response_begin(&connection->response, true, options->checks_crc);
    connection->asked_us = clock_mono_us();
    connection->state = CONNECTION_EXCHANGE;
}

static bool is_all_sent(const struct connection *connection)
{
    return connection->head_sent == connection->head_len && connection->body_left == 0;
}

/* What is sent next of the body. A retried SSL_write may be given other bytes: it has encrypted the first. */
static struct span next_body(struct connection *connection)
{
    struct worker *worker = connection->worker;
    size_t len = connection->body_left < BODY_BYTES ? (size_t)connection->body_left : BODY_BYTES;

    if (worker->run->options->varies) {
        worker->stamp++;
        memcpy(worker->body, &worker->stamp, sizeof worker->stamp);
    }
    return span_make(worker->body, len);
}

/* Sends what is left of the request; false when the connection is gone. */
static bool push_request(struct connection *connection)
{
    for (int turn = 0; turn < READS_PER_TURN && !is_all_sent(connection); turn++) {
        bool is_head = connection->head_sent < connection->head_len;
        struct span bytes = is_head ? span_make(connection->head + connection->head_sent,
                                                connection->head_len - connection->head_sent)
                                    : next_body(connection);
        long sent = write_some(connection, bytes.ptr, bytes.len);
        if (sent == LATER)
            break;
        if (sent < 0) {
            fail(connection, LOAD_ERROR_IO, broken_text(connection));
            return false;
        }
        if (is_head)
            connection->head_sent += (size_t)sent;
        else
            connection->body_left -= (uint64_t)sent;
    }
    watch(connection, is_all_sent(connection) ? EPOLLIN : EPOLLIN | EPOLLOUT);
    return true;
}

/* What is wrong with the response that is now complete; LOAD_ERRORS: nothing. */
static enum load_error judge(const struct connection *connection, const char **out_why)
{
    const struct load_options *options = options_of(connection);
    const struct response *response = &connection->response;

    *out_why = "";
    if (!is_all_sent(connection))
        return LOAD_ERROR_EARLY;
    if (response_status(response) != 200)
        return LOAD_ERROR_STATUS;
    if (options->expect_bytes >= 0 && response->body_bytes != (uint64_t)options->expect_bytes)
        return LOAD_ERROR_LENGTH;
    *out_why = response->has_crc ? "the body differs" : "no X-Body-Crc32";
    if (options->checks_crc && (!response->has_crc || response->crc != response->wanted_crc))
        return LOAD_ERROR_CRC;
    return response->received_bytes < options->body_bytes ? LOAD_ERROR_UPLOAD : LOAD_ERRORS;
}

static void count_response(struct connection *connection)
{
    struct worker *worker = connection->worker;
    uint64_t now_us = clock_mono_us();

    connection->served++;
    set_opening(connection, false);
    if (now_us > worker->run->ends_us) {
        worker->drained++;
        return;
    }
    worker->done++;
    worker->bytes_in += connection->response.body_bytes;
    worker->bytes_out += options_of(connection)->body_bytes;
    worker->last_done_us = now_us;
    samples_add(&worker->latency, now_us - connection->asked_us);
}

/* The first response of a connection that is held, or one of a burst. */
static void end_held_response(struct connection *connection)
{
    struct run *run = connection->worker->run;

    if (connection->is_in_burst)
        atomic_fetch_add(&run->burst_requests, 1);
    if (connection->is_meeting)
        atomic_fetch_add(&run->burst_met, 1);
    set_meeting(connection, false);
    if (connection->is_in_burst && clock_mono_us() < atomic_load(&run->burst_ends_us)) {
        start_request(connection);
        return;
    }
    connection->is_in_burst = false;
    connection->state = CONNECTION_PARKED;
    connection->worker->parked++;
    atomic_fetch_add(&run->parked, 1);
}

/* The whole response is there: checks and counts it, starts what comes next. */
static void end_response(struct connection *connection)
{
    const struct load_options *options = options_of(connection);
    const char *why;
    enum load_error error = judge(connection, &why);

    if (error != LOAD_ERRORS) {
        fail(connection, error, why);
        return;
    }
    count_response(connection);
    if (options->hold_s > 0) {
        end_held_response(connection);
    } else if (!connection->response.keeps_connection ||
               (options->per_connection > 0 && connection->served >= options->per_connection)) {
        begin_again(connection);
    } else if (claim_request(connection->worker->run)) {
        start_request(connection);
    } else {
        end(connection);
    }
}

static void end_of_input(struct connection *connection, bool is_broken)
{
    if (is_broken)
        fail(connection, LOAD_ERROR_IO, broken_text(connection));
    else if (response_end(&connection->response))
        end_response(connection);
    else
        fail(connection, LOAD_ERROR_CLOSED, connection->served != 0 ? "kept alive" : "first request");
}

static void queue_ready(struct connection *connection)
{
    struct worker *worker = connection->worker;

    if (!connection->is_ready)
        worker->ready[worker->ready_count++] = connection;
    connection->is_ready = true;
}

static void run_exchange(struct connection *connection)
{
    for (int turn = 0; turn < READS_PER_TURN && connection->state == CONNECTION_EXCHANGE; turn++) {
        const char *why;
        long len;
        if (!is_all_sent(connection) && !push_request(connection))
            return;
        len = read_some(connection);
        if (len == LATER)
            return;
        if (len <= 0) {
            end_of_input(connection, len != 0);
            return;
        }
        if (!response_feed(&connection->response, connection->worker->buffer, (size_t)len, &why)) {
            fail(connection, LOAD_ERROR_PARSE, why);
            return;
        }
        if (connection->response.is_complete)
            end_response(connection);
    }
    if (connection->state == CONNECTION_EXCHANGE)
        queue_ready(connection);
}

/* --- setting up ---------------------------------------------------------------------------------------- */

static void start_tls(struct connection *connection)
{
    const struct load_options *options = options_of(connection);
    struct worker *worker = connection->worker;

    connection->ssl = SSL_new(worker->tls);
    if (connection->ssl == NULL)
        abort();
    SSL_set_fd(connection->ssl, connection->fd);
    SSL_set_tlsext_host_name(connection->ssl, connection->host);
    if (!options->is_insecure)
        SSL_set1_host(connection->ssl, connection->host);
    if (options->resumes && worker->session != NULL)
        SSL_set_session(connection->ssl, worker->session);
    SSL_set_app_data(connection->ssl, worker);
    SSL_set_connect_state(connection->ssl);
    connection->state = CONNECTION_HANDSHAKE;
}

static void note_tls(struct run *run, SSL *ssl)
{
    pthread_mutex_lock(&run->notes);
    if (run->tls[0] == '\0') {
        X509 *leaf = SSL_get1_peer_certificate(ssl);
        EVP_PKEY *key = leaf != NULL ? X509_get0_pubkey(leaf) : NULL;
        snprintf(run->tls, sizeof run->tls, "%s %s, leaf %s-%d", SSL_get_version(ssl),
                 SSL_get_cipher_name(ssl), key != NULL ? EVP_PKEY_get0_type_name(key) : "?",
                 key != NULL ? EVP_PKEY_get_bits(key) : 0);
        X509_free(leaf);
    }
    pthread_mutex_unlock(&run->notes);
}

static void end_setup(struct connection *connection)
{
    struct worker *worker = connection->worker;

    samples_add(&worker->setup, clock_mono_us() - connection->opened_us);
    if (connection->ssl != NULL && SSL_session_reused(connection->ssl))
        worker->resumed++;
    if (connection->ssl != NULL && worker->opened == 0)
        note_tls(worker->run, connection->ssl);
    worker->opened++;
    start_request(connection);
}

static void run_handshake(struct connection *connection)
{
    long result, verified;

    errno = 0;
    ERR_clear_error();
    result = tls_result(connection->ssl, SSL_do_handshake(connection->ssl));
    if (result > 0) {
        end_setup(connection);
        return;
    }
    if (result == LATER) {
        watch(connection, SSL_want_write(connection->ssl) ? EPOLLIN | EPOLLOUT : EPOLLIN);
        return;
    }
    verified = SSL_get_verify_result(connection->ssl);
    if (verified != X509_V_OK)
        fail(connection, LOAD_ERROR_VERIFY, X509_verify_cert_error_string(verified));
    else
        fail(connection, LOAD_ERROR_HANDSHAKE, broken_text(connection));
}

static void ask_for_tunnel(struct connection *connection)
{
    int port = options_of(connection)->port;

    connection->head_len = 0;
    add_head(connection, "CONNECT %s:%d HTTP/1.1\r\nHost: %s:%d\r\n\r\n", connection->host, port,
             connection->host, port);
    if (write_some(connection, connection->head, connection->head_len) != (long)connection->head_len) {
        fail(connection, LOAD_ERROR_IO, "CONNECT");
        return;
    }
    response_begin(&connection->response, false, false);
    connection->state = CONNECTION_TUNNEL;
    watch(connection, EPOLLIN);
}

static void run_tunnel(struct connection *connection)
{
    long len = read_some(connection);
    const char *why = "closed";

    if (len == LATER)
        return;
    if (len <= 0 || !response_feed(&connection->response, connection->worker->buffer, (size_t)len, &why)) {
        fail(connection, LOAD_ERROR_CONNECT_STATUS, why);
        return;
    }
    if (!connection->response.is_complete)
        return;
    if (response_status(&connection->response) == 200)
        start_tls(connection);
    else
        fail(connection, LOAD_ERROR_CONNECT_STATUS, "not 200");
}

/* The kernel says that connecting has ended: what comes first in this mode. */
static void run_connecting(struct connection *connection)
{
    int error = 0;
    socklen_t len = sizeof error;

    getsockopt(connection->fd, SOL_SOCKET, SO_ERROR, &error, &len);
    if (error != 0)
        fail(connection, LOAD_ERROR_CONNECT, strerror(error));
    else if (options_of(connection)->mode == LOAD_TLS)
        start_tls(connection);
    else if (options_of(connection)->mode == LOAD_CONNECT)
        ask_for_tunnel(connection);
    else
        end_setup(connection);
}

static void run_parked(struct connection *connection)
{
    if (read_some(connection) == LATER)
        return;
    connection->worker->dropped++;
    end(connection);
}

void connection_run(struct connection *connection, uint32_t events)
{
    if (connection->state == CONNECTION_CONNECTING && (events & (EPOLLOUT | EPOLLERR | EPOLLHUP)) != 0)
        run_connecting(connection);
    if (connection->state == CONNECTION_TUNNEL)
        run_tunnel(connection);
    if (connection->state == CONNECTION_HANDSHAKE)
        run_handshake(connection);
    if (connection->state == CONNECTION_EXCHANGE)
        run_exchange(connection);
    else if (connection->state == CONNECTION_PARKED)
        run_parked(connection);
}

bool connection_is_parked(const struct connection *connection)
{
    return connection->state == CONNECTION_PARKED;
}

void connection_leave_park(struct connection *connection)
{
    connection->worker->parked--;
    atomic_fetch_sub(&connection->worker->run->parked, 1);
    connection->is_in_burst = true;
    set_meeting(connection, true);
    start_request(connection);
    queue_ready(connection);
}

void connection_check_timeout(struct connection *connection, uint64_t now_us)
{
    uint64_t timeout_us = (uint64_t)(options_of(connection)->timeout_s * 1e6);

    if (connection->state == CONNECTION_DEAD || connection->state == CONNECTION_PARKED ||
        connection->state == CONNECTION_CLOSED || now_us < connection->asked_us + timeout_us)
        return;
    fail(connection, LOAD_ERROR_TIMEOUT, connection->state == CONNECTION_EXCHANGE ? "response" : "set-up");
}
