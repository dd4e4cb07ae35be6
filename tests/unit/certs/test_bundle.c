#include <openssl/x509_vfy.h>

#include "certs/bundle.h"
#include "certs/run.h"
#include "tests/unit/certs/scratch.h"

static struct ca *open_ca(void *const *state)
{
    char *dir = scratch_path(state, "ca");
    struct ca *ca = NULL;
    bool is_created;
    struct err err;

    if (!ca_open(dir, KEY_EC, &ca, &is_created, &err))
        fail_msg("%s", err.text);
    mem_free(dir);
    return ca;
}

/* Two roots that nobody has, as the system's: the second without a newline at its end, and among comments. */
static void set_system_roots(void *const *state)
{
    struct strbuf text = STRBUF_EMPTY;
    char *path = scratch_path(state, "roots.pem");

    for (int i = 0; i < 2; i++) {
        char *dir = mem_printf("%s/root%d", (char *)*state, i);
        struct ca *root = NULL;
        bool is_created;
        struct err err;

        assert_true(ca_open(dir, i == 0 ? KEY_EC : KEY_RSA, &root, &is_created, &err));
        strbuf_printf(&text, "# root %d\n", i);
        strbuf_add(&text, ca_pem(root));
        ca_unref(root);
        mem_free(dir);
    }
    text.ptr[--text.len] = '\0';
    scratch_write(state, "roots.pem", strbuf_text(&text));
    strbuf_clear(&text);
    setenv("SSL_CERT_FILE", path, 1);
    mem_free(path);
}

static int forget_system_roots(void **state)
{
    unsetenv("SSL_CERT_FILE");
    return scratch_teardown(state);
}

static void the_systems_roots_are_found(void **state)
{
    char *path = scratch_path(state, "roots.pem");
    const char *usual;

    unsetenv("SSL_CERT_FILE");
    usual = bundle_system_roots_path();
    set_system_roots(state);
    assert_string_equal(bundle_system_roots_path(), path);
    setenv("SSL_CERT_FILE", "/nowhere/roots.pem", 1);
    assert_ptr_equal(bundle_system_roots_path(), usual);
    mem_free(path);
}

static void pem_has_the_systems_roots_and_ours(void **state)
{
    char *path = scratch_path(state, "bundle.pem");
    struct ca *ca = open_ca(state);
    X509_STORE *store = X509_STORE_new();
    struct file_content content;
    struct err err;

    set_system_roots(state);
    assert_true(bundle_write_pem(path, ca, &err));
    assert_true(file_read(path, 100000, &content, &err));
    assert_true(span_ends(file_content_span(&content), ca_pem(ca)));
    assert_int_equal(content.mode, 0644);
    assert_int_equal(X509_STORE_load_file(store, path), 1);
    assert_int_equal(sk_X509_OBJECT_num(X509_STORE_get0_objects(store)), 3);
    X509_STORE_free(store);
    file_content_clear(&content);
    ca_unref(ca);
    mem_free(path);
}

static void jks_is_read_by_java(void **state)
{
    char *path = scratch_path(state, "bundle.jks");
    const char *argv[] = { "keytool",    "-J-Duser.language=en", "-list", "-keystore", path,
                           "-storepass", BUNDLE_JKS_PASSWORD,    NULL };
    struct ca *ca = open_ca(state);
    struct strbuf output = STRBUF_EMPTY;
    struct err err;
    int status = -1;

    set_system_roots(state);
    assert_true(bundle_write_jks(path, ca, &err));
    ca_unref(ca);
    if (!run_tool(argv, SPAN_NONE, &output, &status, &err)) {
        strbuf_clear(&output);
        mem_free(path);
        if (err.code != ERR_FOUND)
            fail_msg("%s", err.text);
        print_message("skipped: jks_is_read_by_java: %s\n", err.text);
        skip();
    }
    if (status != 0 || strstr(output.ptr, "3 entries") == NULL || strstr(output.ptr, "weir, ") == NULL ||
        strstr(output.ptr, "root-2, ") == NULL || strstr(output.ptr, "trustedCertEntry") == NULL)
        fail_msg("keytool ended with %d and said: %s", status, output.ptr);
    strbuf_clear(&output);
    mem_free(path);
}

static void a_bundle_that_cannot_be_written_is_an_error(void **state)
{
    char *path = scratch_path(state, "missing/bundle");
    struct ca *ca = open_ca(state);
    struct err err;

    assert_false(bundle_write_pem(path, ca, &err));
    assert_int_equal(err.code, ERR_SYS);
    assert_false(bundle_write_jks(path, ca, &err));
    ca_unref(ca);
    mem_free(path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(the_systems_roots_are_found, scratch_setup, forget_system_roots),
        cmocka_unit_test_setup_teardown(pem_has_the_systems_roots_and_ours, scratch_setup,
                                        forget_system_roots),
        cmocka_unit_test_setup_teardown(jks_is_read_by_java, scratch_setup, forget_system_roots),
        SCRATCH_TEST(a_bundle_that_cannot_be_written_is_an_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
