#include <signal.h>
#include <sys/time.h>
#include <sys/wait.h>

#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include "certs/ca.h"
#include "proxy/base/clock.h"
#include "tests/unit/certs/scratch.h"

#define DAY_S (24 * 3600)

static uint64_t pretended_wall_us;

static uint64_t pretended_wall(void)
{
    return pretended_wall_us;
}

/* From now on weir believes it is this many days later. */
static void travel_days(int days)
{
    clock_replace(NULL, NULL);
    pretended_wall_us = clock_wall_us() + (uint64_t)days * DAY_S * 1000000;
    clock_replace(NULL, pretended_wall);
}

static int back_to_now(void **state)
{
    clock_replace(NULL, NULL);
    return scratch_teardown(state);
}

static struct ca *open_ca(void *const *state, enum key_type type, bool *out_created)
{
    char *dir = scratch_path(state, "config/weir");
    struct ca *ca = NULL;
    struct err err;

    if (!ca_open(dir, type, &ca, out_created, &err))
        fail_msg("%s", err.text);
    mem_free(dir);
    return ca;
}

/* The words of the refusal, which must hold these. */
static void assert_refused(void *const *state, enum err_code code, const char *words)
{
    char *dir = scratch_path(state, "config/weir");
    struct ca *ca = NULL;
    bool is_created;
    struct err err;

    assert_false(ca_open(dir, KEY_EC, &ca, &is_created, &err));
    if (err.code != code || strstr(err.text, words) == NULL)
        fail_msg("code %d, '%s' without '%s'", err.code, err.text, words);
    assert_null(ca);
    mem_free(dir);
}

static int mode_of(void *const *state, const char *name)
{
    char *path = scratch_path(state, name);
    struct stat status;

    assert_int_equal(stat(path, &status), 0);
    mem_free(path);
    return status.st_mode & 07777;
}

static bool is_there(void *const *state, const char *name)
{
    char *path = scratch_path(state, name);
    bool found = file_exists(path);

    mem_free(path);
    return found;
}

static void move(void *const *state, const char *from, const char *to)
{
    char *from_path = scratch_path(state, from);
    char *to_path = scratch_path(state, to);

    assert_int_equal(rename(from_path, to_path), 0);
    mem_free(from_path);
    mem_free(to_path);
}

static void is_made_at_first_use_and_then_kept(void **state)
{
    bool is_created = false;
    struct ca *first = open_ca(state, KEY_EC, &is_created);
    struct ca *second;

    assert_true(is_created);
    assert_int_equal(mode_of(state, "config"), 0700);
    assert_int_equal(mode_of(state, "config/weir"), 0700);
    assert_int_equal(mode_of(state, "config/weir/ca-key.pem"), 0600);
    second = open_ca(state, KEY_RSA, &is_created);
    assert_false(is_created);
    assert_int_equal(ca_key_type(second), KEY_EC);
    assert_string_equal(ca_fingerprint_sha256(first), ca_fingerprint_sha256(second));
    assert_int_equal(strlen(ca_fingerprint_sha256(first)), 32 * 3 - 1);
    ca_unref(first);
    ca_unref(second);
}

static void has_the_extensions_and_the_life_of_a_root(void **state)
{
    bool is_created;
    struct ca *ca = open_ca(state, KEY_EC, &is_created);
    X509 *cert = ca_x509(ca);
    const ASN1_INTEGER *serial = X509_get0_serialNumber(cert);
    char name[256];
    int critical;
    BASIC_CONSTRAINTS *constraints = X509_get_ext_d2i(cert, NID_basic_constraints, &critical, NULL);
    ASN1_BIT_STRING *usage = NULL;

    assert_int_equal(X509_get_version(cert), X509_VERSION_3);
    assert_non_null(constraints);
    assert_int_equal(critical, 1);
    assert_true(constraints->ca);
    assert_int_equal(ASN1_INTEGER_get(constraints->pathlen), 0);
    usage = X509_get_ext_d2i(cert, NID_key_usage, &critical, NULL);
    assert_int_equal(critical, 1);
    assert_int_equal(X509_get_key_usage(cert), KU_KEY_CERT_SIGN | KU_CRL_SIGN);
    assert_non_null(X509_get0_subject_key_id(cert));
    assert_int_equal(X509_self_signed(cert, 1), 1);
    assert_true(ASN1_STRING_length(serial) > 8 && ASN1_STRING_length(serial) <= 20);
    assert_int_equal(ASN1_STRING_type(serial), V_ASN1_INTEGER); /* not V_ASN1_NEG_INTEGER */
    assert_true(X509_NAME_get_text_by_NID(X509_get_subject_name(cert), NID_commonName, name, sizeof name) <=
                64);
    assert_non_null(strstr(name, ca_id(ca)));
    assert_int_equal(strncmp(name, "weir CA ", 8), 0);
    assert_true(ca_expiry(ca) > time(NULL) + 3640 * DAY_S && ca_expiry(ca) < time(NULL) + 3654 * DAY_S);
    assert_true(span_starts(ca_pem(ca), SPAN("-----BEGIN CERTIFICATE-----\n")));
    assert_int_equal((unsigned char)ca_der(ca).ptr[0], 0x30);
    assert_null(memmem(ca_pem(ca).ptr, ca_pem(ca).len, "PRIVATE", 7));
    BASIC_CONSTRAINTS_free(constraints);
    ASN1_BIT_STRING_free(usage);
    ca_unref(ca);
}

static void can_have_an_rsa_key(void **state)
{
    bool is_created;
    struct ca *ca = open_ca(state, KEY_RSA, &is_created);

    assert_int_equal(ca_key_type(ca), KEY_RSA);
    assert_int_equal(EVP_PKEY_get_bits(ca_key(ca)), 2048);
    assert_int_equal(X509_self_signed(ca_x509(ca), 1), 1);
    ca_unref(ca);
}

static void create_replaces_only_by_force_and_keeps_the_old_files(void **state)
{
    char *dir = scratch_path(state, "config/weir");
    struct ca *ca = NULL;
    struct err err;
    char old[128];

    assert_true(ca_create(dir, KEY_EC, false, &ca, &err));
    snprintf(old, sizeof old, "%s", ca_fingerprint_sha256(ca));
    ca_unref(ca);
    ca = NULL;
    assert_false(ca_create(dir, KEY_EC, false, &ca, &err));
    assert_int_equal(err.code, ERR_FOUND);
    assert_null(ca);
    assert_false(is_there(state, "config/weir/ca.pem.1"));
    for (int i = 0; i < 2; i++) {
        assert_true(ca_create(dir, KEY_RSA, true, &ca, &err));
        assert_string_not_equal(ca_fingerprint_sha256(ca), old);
        ca_unref(ca);
    }
    assert_true(is_there(state, "config/weir/ca.pem.2"));
    assert_int_equal(mode_of(state, "config/weir/ca-key.pem.1"), 0600);
    assert_int_equal(mode_of(state, "config/weir/ca-key.pem.2"), 0600);

    move(state, "config/weir/ca.pem.1", "config/weir/ca.pem");
    move(state, "config/weir/ca-key.pem.1", "config/weir/ca-key.pem");
    assert_true(ca_load(dir, &ca, &err));
    assert_string_equal(ca_fingerprint_sha256(ca), old);
    ca_unref(ca);
    mem_free(dir);
}

static void renew_keeps_key_subject_and_extensions(void **state)
{
    char *dir = scratch_path(state, "config/weir");
    bool is_created;
    struct ca *old = open_ca(state, KEY_EC, &is_created);
    struct ca *renewed = NULL;
    struct err err;

    travel_days(3700);
    assert_refused(state, ERR_CERT, "weir ca renew");
    assert_true(ca_renew(dir, &renewed, &err));
    assert_true(ca_expiry(renewed) > ca_expiry(old) + 3600 * DAY_S);
    assert_string_not_equal(ca_fingerprint_sha256(renewed), ca_fingerprint_sha256(old));
    assert_string_equal(ca_id(renewed), ca_id(old));
    assert_int_equal(EVP_PKEY_eq(ca_key(old), ca_key(renewed)), 1);
    assert_int_equal(
        X509_NAME_cmp(X509_get_subject_name(ca_x509(old)), X509_get_subject_name(ca_x509(renewed))), 0);
    assert_int_equal(ASN1_OCTET_STRING_cmp(X509_get0_subject_key_id(ca_x509(old)),
                                           X509_get0_subject_key_id(ca_x509(renewed))),
                     0);
    assert_int_equal(X509_get_ext_count(ca_x509(renewed)), X509_get_ext_count(ca_x509(old)));
    assert_int_equal(X509_self_signed(ca_x509(renewed), 1), 1);
    assert_true(is_there(state, "config/weir/ca.pem.1"));
    ca_unref(old);
    ca_unref(renewed);
    mem_free(dir);
}

static void renew_without_a_ca_makes_nothing(void **state)
{
    char *dir = scratch_path(state, "config/weir");
    struct ca *ca = NULL;
    struct err err;

    assert_false(ca_renew(dir, &ca, &err));
    assert_int_equal(err.code, ERR_FOUND);
    assert_false(ca_load(dir, &ca, &err));
    assert_int_equal(err.code, ERR_FOUND);
    assert_false(is_there(state, "config"));
    mem_free(dir);
}

/* The CA's certificate again, as somebody else signs it. */
static void have_signed_by(void *const *state, const struct ca *ca, const struct ca *signer)
{
    char *path = scratch_path(state, "config/weir/ca.pem");
    X509 *cert = X509_dup(ca_x509(ca));
    FILE *file = fopen(path, "w");

    assert_int_equal(X509_set_issuer_name(cert, X509_get_subject_name(ca_x509(signer))), 1);
    assert_true(X509_sign(cert, ca_key(signer), EVP_sha256()) > 0);
    assert_non_null(file);
    assert_int_equal(PEM_write_X509(file, cert), 1);
    fclose(file);
    X509_free(cert);
    mem_free(path);
}

static void a_ca_that_another_signed_is_renewed_by_that_one_alone(void **state)
{
    char *dir = scratch_path(state, "config/weir"), *other_dir = scratch_path(state, "other");
    struct ca *other = NULL, *renewed = NULL, *ca;
    bool is_created;
    struct err err;

    ca = open_ca(state, KEY_EC, &is_created);
    assert_true(ca_open(other_dir, KEY_RSA, &other, &is_created, &err));
    have_signed_by(state, ca, other);
    assert_false(ca_renew(dir, &renewed, &err));
    assert_int_equal(err.code, ERR_CERT);
    assert_non_null(strstr(err.text, "signed by another CA"));
    assert_false(is_there(state, "config/weir/ca.pem.1"));
    ca_unref(ca);
    ca_unref(other);
    mem_free(dir);
    mem_free(other_dir);
}

static void a_key_open_to_others_is_refused_with_the_chmod_to_do(void **state)
{
    char *key = scratch_path(state, "config/weir/ca-key.pem");
    bool is_created;

    ca_unref(open_ca(state, KEY_EC, &is_created));
    assert_int_equal(chmod(key, 0640), 0);
    assert_refused(state, ERR_CERT, "mode 0640); run: chmod 600 '");
    mem_free(key);
}

static void an_expired_or_future_ca_can_only_be_looked_at(void **state)
{
    char *dir = scratch_path(state, "config/weir");
    bool is_created;
    struct ca *ca = open_ca(state, KEY_EC, &is_created);
    struct err err;

    ca_unref(ca);
    travel_days(-5);
    assert_refused(state, ERR_CERT, "not valid before");
    travel_days(3651);
    assert_refused(state, ERR_CERT, "expired on");
    assert_true(ca_load(dir, &ca, &err));
    ca_unref(ca);
    mem_free(dir);
}

static void a_strange_pair_of_files_is_refused(void **state)
{
    bool is_created;

    ca_unref(open_ca(state, KEY_EC, &is_created));
    move(state, "config/weir/ca.pem", "config/weir/first.pem");
    move(state, "config/weir/ca-key.pem", "config/weir/first-key.pem");
    ca_unref(open_ca(state, KEY_EC, &is_created));
    move(state, "config/weir/first.pem", "config/weir/ca.pem");
    assert_refused(state, ERR_CERT, "does not belong to");
    move(state, "config/weir/ca-key.pem", "config/weir/second-key.pem");
    assert_refused(state, ERR_CERT, "has lost its key");
    scratch_write(state, "config/weir/ca.pem", "no certificate\n");
    assert_refused(state, ERR_CERT, "no certificate in PEM form");
    scratch_write(state, "config/weir/ca.pem",
                  "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n");
    assert_refused(state, ERR_CERT, "no certificate in PEM form");
}

/* Writes a self-signed certificate that says CA:FALSE, and its key: in the clear, or encrypted. */
static void write_plain_certificate(void *const *state, bool is_encrypted)
{
    char *cert_path = scratch_path(state, "config/weir/ca.pem");
    char *key_path = scratch_path(state, "config/weir/ca-key.pem");
    EVP_PKEY *key = x509_new_key(KEY_EC);
    X509 *cert = X509_new();
    BASIC_CONSTRAINTS constraints = { .ca = 0 };
    FILE *file;

    assert_true(X509_set_version(cert, X509_VERSION_3) && x509_set_random_serial(cert) &&
                x509_set_validity(cert, time(NULL) - 60, time(NULL) + DAY_S) && X509_set_pubkey(cert, key) &&
                X509_add1_ext_i2d(cert, NID_basic_constraints, &constraints, 1, 0) &&
                X509_sign(cert, key, EVP_sha256()));
    scratch_write(state, "config/weir/ca.pem", "");
    file = fopen(cert_path, "w");
    assert_int_equal(PEM_write_X509(file, cert), 1);
    fclose(file);
    scratch_write(state, "config/weir/ca-key.pem", "");
    assert_int_equal(chmod(key_path, 0600), 0);
    file = fopen(key_path, "w");
    assert_int_equal(PEM_write_PrivateKey(file, key, is_encrypted ? EVP_aes_128_cbc() : NULL,
                                          (const unsigned char *)"secret", is_encrypted ? 6 : 0, NULL, NULL),
                     1);
    fclose(file);
    X509_free(cert);
    EVP_PKEY_free(key);
    mem_free(cert_path);
    mem_free(key_path);
}

static void a_certificate_that_is_no_ca_is_refused(void **state)
{
    write_plain_certificate(state, false);
    assert_refused(state, ERR_CERT, "is no CA certificate");
}

static void an_encrypted_key_is_refused_without_asking(void **state)
{
    write_plain_certificate(state, true);
    assert_refused(state, ERR_CERT, "is encrypted");
}

static void a_folder_that_cannot_be_made_is_said(void **state)
{
    scratch_write(state, "config", "a file where the folder should be");
    assert_refused(state, ERR_SYS, "making folder");
}

static void a_key_alone_gets_a_certificate(void **state)
{
    char *cert_path = scratch_path(state, "config/weir/ca.pem");
    bool is_created;
    struct ca *first = open_ca(state, KEY_EC, &is_created);
    struct ca *second;

    assert_int_equal(unlink(cert_path), 0);
    second = open_ca(state, KEY_RSA, &is_created);
    assert_true(is_created);
    assert_string_equal(ca_id(first), ca_id(second));
    assert_string_not_equal(ca_fingerprint_sha256(first), ca_fingerprint_sha256(second));
    ca_unref(first);
    ca_unref(second);
    mem_free(cert_path);
}

/* What a process tells of the CA that it opened. */
struct opened {
    char fingerprint[96];
    bool is_created;
};

static void eight_processes_at_once_end_up_with_one_ca(void **state)
{
    int results[2];
    char first[128] = "";
    int makers = 0;

    assert_int_equal(pipe(results), 0);
    for (int i = 0; i < 8; i++) {
        if (fork() == 0) {
            char *dir = scratch_path(state, "config/weir");
            struct opened result = { "", false };
            struct ca *ca = NULL;
            struct err err;

            if (ca_open(dir, KEY_EC, &ca, &result.is_created, &err))
                memcpy(result.fingerprint, ca_fingerprint_sha256(ca), 32 * 3);
            _exit(write(results[1], &result, sizeof result) == (ssize_t)sizeof result ? 0 : 1);
        }
    }
    for (int i = 0; i < 8; i++) {
        struct opened result;
        assert_int_equal(read(results[0], &result, sizeof result), sizeof result);
        assert_int_equal(strlen(result.fingerprint), 95);
        if (first[0] == '\0')
            memcpy(first, result.fingerprint, sizeof result.fingerprint);
        assert_string_equal(result.fingerprint, first);
        makers += result.is_created;
    }
    while (wait(NULL) > 0)
        continue;
    assert_int_equal(makers, 1);
    close(results[0]);
    close(results[1]);
}

/* A process that makes one CA after another is killed by its own timer, each time a little later. */
static void a_kill_at_any_moment_leaves_a_usable_ca(void **state)
{
    char *dir = scratch_path(state, "config/weir");

    for (int i = 0; i < 60; i++) {
        struct itimerval timer = { .it_value = { .tv_usec = 500 + i * 331 } };
        pid_t child = fork();
        bool is_created;
        int status;

        if (child == 0) {
            setitimer(ITIMER_REAL, &timer, NULL); /* SIGALRM ends the process */
            for (;;) {
                struct ca *ca = NULL;
                struct err err;
                if (!ca_create(dir, KEY_EC, true, &ca, &err))
                    _exit(1);
                ca_unref(ca);
            }
        }
        assert_int_equal(waitpid(child, &status, 0), child);
        assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGALRM);
        ca_unref(open_ca(state, KEY_EC, &is_created));
    }
    mem_free(dir);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        SCRATCH_TEST(is_made_at_first_use_and_then_kept),
        SCRATCH_TEST(has_the_extensions_and_the_life_of_a_root),
        SCRATCH_TEST(can_have_an_rsa_key),
        SCRATCH_TEST(create_replaces_only_by_force_and_keeps_the_old_files),
        cmocka_unit_test_setup_teardown(renew_keeps_key_subject_and_extensions, scratch_setup, back_to_now),
        SCRATCH_TEST(renew_without_a_ca_makes_nothing),
        SCRATCH_TEST(a_ca_that_another_signed_is_renewed_by_that_one_alone),
        SCRATCH_TEST(a_key_open_to_others_is_refused_with_the_chmod_to_do),
        cmocka_unit_test_setup_teardown(an_expired_or_future_ca_can_only_be_looked_at, scratch_setup,
                                        back_to_now),
        SCRATCH_TEST(a_strange_pair_of_files_is_refused),
        SCRATCH_TEST(a_certificate_that_is_no_ca_is_refused),
        SCRATCH_TEST(an_encrypted_key_is_refused_without_asking),
        SCRATCH_TEST(a_folder_that_cannot_be_made_is_said),
        SCRATCH_TEST(a_key_alone_gets_a_certificate),
        SCRATCH_TEST(eight_processes_at_once_end_up_with_one_ca),
        SCRATCH_TEST(a_kill_at_any_moment_leaves_a_usable_ca),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
