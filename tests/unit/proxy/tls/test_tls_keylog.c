#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>
#include <pthread.h>

#include "certs/ca.h"
#include "certs/file.h"
#include "proxy/base/mem.h"
#include "proxy/tls/tls_inner.h"
#include "proxy/tls/tls_keylog.h"
#include "tests/support/tls_pair.h"

static struct tls_lab lab;
static char *path;

static int open_lab(void **state)
{
    (void)state;
    tls_lab_open(&lab);
    path = mem_printf("%s/keys.log", lab.dir);
    return 0;
}

static int close_lab(void **state)
{
    (void)state;
    mem_free(path);
    tls_lab_close(&lab);
    return 0;
}

/* One connection of which client, server or both write to keylog. */
static void shake(struct tls_keylog *servers, struct tls_keylog *clients, int version)
{
    struct tls_client_options options = { .upstream_ca = ca_cert_path(lab.ca), .keylog = clients };
    struct tls_lab own = lab;
    struct tls_pair pair;
    struct err err;

    own.server = tls_server_new(lab.ca, servers);
    assert_true(tls_client_new(&options, &own.client, &err));
    tls_pair_open(&pair, &own, own.client, NULL, "a.test", "\x02h2");
    SSL_set_max_proto_version(pair.client.tls->ssl, version);
    tls_pair_start(&pair);
    assert_true(tls_is_open(pair.client.tls) && tls_is_open(pair.server.tls));
    tls_pair_close(&pair);
    tls_client_free(own.client);
    tls_server_free(own.server);
}

/* The file's lines, each in the format, by their label. Removes the file. */
static unsigned count_lines(const char *label)
{
    struct file_content content;
    struct span rest, line;
    unsigned count = 0;
    struct err err;

    assert_true(file_read(path, 1024 * 1024, &content, &err));
    assert_int_equal(content.mode, 0600);
    rest = file_content_span(&content);
    assert_true(rest.len == 0 || span_ends(rest, SPAN("\n")));
    while (span_split(&rest, '\n', &line)) {
        struct span word = SPAN_NONE, random = SPAN_NONE, secret;
        assert_true(span_split(&line, ' ', &word) && span_split(&line, ' ', &random));
        secret = line;
        assert_int_equal(random.len, 64);
        assert_true(secret.len == 64 || secret.len == 96);
        assert_int_equal(strspn(secret.ptr, "0123456789abcdefABCDEF"), secret.len);
        count += label == NULL || span_eq(word, span_of(label));
    }
    file_content_clear(&content);
    unlink(path);
    return count;
}

static void both_roles_write_their_secrets(void **state)
{
    (void)state;
    struct tls_keylog *keylog;
    struct err err;

    for (unsigned roles = 0; roles < 4; roles++) {
        assert_true(tls_keylog_open(path, &keylog, &err));
        shake((roles & 1) != 0 ? keylog : NULL, (roles & 2) != 0 ? keylog : NULL, TLS1_3_VERSION);
        tls_keylog_close(keylog);
        assert_int_equal(count_lines("CLIENT_TRAFFIC_SECRET_0"), (roles & 1) + (roles >> 1));
    }
    assert_true(tls_keylog_open(path, &keylog, &err));
    shake(keylog, keylog, TLS1_2_VERSION);
    tls_keylog_close(keylog);
    assert_int_equal(count_lines("CLIENT_RANDOM"), 2);
    tls_keylog_close(NULL);
}

static void a_mirrored_connection_is_no_exception(void **state)
{
    (void)state;
    struct tls_client_options options = { .upstream_ca = ca_cert_path(lab.ca) };
    struct tls_target target = { .host = "a.test", .port = 443 };
    struct tls_pair pair;
    struct hello hello;
    struct tls_client *client;
    struct tls_mirror *mirror;
    struct err err;
    static const char message[] = "\x01\x00\x00\x29\x03\x03"
                                  "0123456789abcdef0123456789abcdef"
                                  "\x00\x00\x02\xc0\x2b\x01";

    assert_true(tls_keylog_open(path, &options.keylog, &err));
    assert_true(tls_client_new(&options, &client, &err));
    assert_true(hello_parse(span_make(message, sizeof message), &hello)); /* its last byte is the NUL */
    target.mirror = mirror = tls_mirror_get(client, &hello);
    tls_pair_open_target(&pair, &lab, client, NULL, &target);
    tls_pair_start(&pair);
    assert_true(tls_is_open(pair.client.tls));
    tls_pair_close(&pair);
    tls_mirror_unref(mirror);
    tls_client_free(client);
    tls_keylog_close(options.keylog);
    assert_int_equal(count_lines("CLIENT_RANDOM"), 1);
}

static void a_file_that_is_there_is_appended_to_and_closed_to_others(void **state)
{
    (void)state;
    struct tls_keylog *keylog;
    struct err err;

    for (int i = 0; i < 2; i++) {
        assert_true(tls_keylog_open(path, &keylog, &err));
        shake(keylog, NULL, TLS1_2_VERSION);
        tls_keylog_close(keylog);
        assert_int_equal(chmod(path, 0644), 0);
    }
    assert_true(tls_keylog_open(path, &keylog, &err));
    tls_keylog_close(keylog);
    assert_int_equal(count_lines("CLIENT_RANDOM"), 2);
}

static void what_is_no_file_of_ours_is_refused(void **state)
{
    (void)state;
    struct tls_keylog *keylog;
    struct err err;

    assert_false(tls_keylog_open("/dev/null", &keylog, &err));
    assert_int_equal(err.code, ERR_LEAK);
    assert_false(tls_keylog_open("/nonexistent/keys.log", &keylog, &err));
    assert_int_equal(err.code, ERR_SYS);
    assert_false(tls_keylog_open(lab.dir, &keylog, &err));
    assert_int_equal(mkfifo(path, 0600), 0);
    assert_false(tls_keylog_open(path, &keylog, &err));
    unlink(path);
}

static void *shake_often(void *keylog)
{
    for (int i = 0; i < 5; i++)
        shake(keylog, keylog, TLS1_3_VERSION);
    return NULL;
}

static void lines_of_several_threads_stay_whole(void **state)
{
    (void)state;
    struct tls_keylog *keylog;
    pthread_t threads[4];
    struct err err;

    assert_true(tls_keylog_open(path, &keylog, &err));
    for (size_t i = 0; i < 4; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, shake_often, keylog), 0);
    for (size_t i = 0; i < 4; i++)
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    tls_keylog_close(keylog);
    assert_int_equal(count_lines("EXPORTER_SECRET"), 4 * 5 * 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(both_roles_write_their_secrets),
        cmocka_unit_test(a_mirrored_connection_is_no_exception),
        cmocka_unit_test(a_file_that_is_there_is_appended_to_and_closed_to_others),
        cmocka_unit_test(what_is_no_file_of_ours_is_refused),
        cmocka_unit_test(lines_of_several_threads_stay_whole),
    };
    return cmocka_run_group_tests(tests, open_lab, close_lab);
}
