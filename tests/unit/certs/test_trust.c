#include "certs/run.h"
#include "certs/trust.h"
#include "tests/unit/certs/scratch.h"

#define ANCHORS "root/usr/local/share/ca-certificates"
#define PROFILE "home/.mozilla/firefox/a b.default"

/* The machine of a test: a system, a home and a CA, all in its scratch folder. */
struct machine {
    char *home, *system_root, *update_command;
    char *ca_dir;
    struct ca *ca;
    struct trust_roots roots;
};

static void make_dir(void *const *state, const char *name)
{
    char *path = scratch_path(state, name);
    struct err err;

    assert_true(file_make_dirs(path, &err));
    mem_free(path);
}

/* The update command notes that it was called, and ends with this status. */
static void write_update_command(void *const *state, int status)
{
    char *path = scratch_path(state, "update");
    char *script = mem_printf("#!/bin/sh\necho \"called$*\" >> '%s/updates'\necho 'it went wrong'\nexit %d\n",
                              (char *)*state, status);

    scratch_write(state, "update", script);
    assert_int_equal(chmod(path, 0755), 0);
    mem_free(script);
    mem_free(path);
}

static struct machine machine_new(void *const *state)
{
    struct machine machine = { 0 };
    bool is_created;
    struct err err;

    make_dir(state, ANCHORS);
    make_dir(state, "home");
    write_update_command(state, 0);
    machine.home = scratch_path(state, "home");
    machine.system_root = scratch_path(state, "root");
    machine.update_command = scratch_path(state, "update");
    machine.ca_dir = scratch_path(state, "ca");
    assert_true(ca_open(machine.ca_dir, KEY_EC, &machine.ca, &is_created, &err));
    machine.roots = (struct trust_roots){ machine.home, machine.system_root, machine.update_command };
    return machine;
}

static void machine_clear(struct machine *machine)
{
    ca_unref(machine->ca);
    mem_free(machine->home);
    mem_free(machine->system_root);
    mem_free(machine->update_command);
    mem_free(machine->ca_dir);
}

static bool has_certutil;

/* The whole output of a shell command; to be freed with mem_free. */
static char *shell(const char *command)
{
    const char *const argv[] = { "sh", "-c", command, NULL };
    struct strbuf output = STRBUF_EMPTY;
    struct err err;
    int status;

    if (!run_tool(argv, SPAN("\n"), &output, &status, &err))
        fail_msg("%s", err.text);
    return output.ptr != NULL ? strbuf_detach(&output) : mem_strdup("");
}

static char *listing_of(void *const *state, const char *database)
{
    char *command = mem_printf("certutil -L -d 'sql:%s/%s'", (char *)*state, database);
    char *listing = shell(command);

    mem_free(command);
    return listing;
}

static void make_database(void *const *state, const char *name, const char *password)
{
    char *command = mem_printf("cd '%s' && echo '%s' > password && certutil -N -d 'sql:%s' -f password",
                               (char *)*state, password, name);

    make_dir(state, name);
    mem_free(shell(command));
    mem_free(command);
}

/* For tests that need certutil: skipped by name without it. */
static int certutil_setup(void **state)
{
    char *found = shell("command -v certutil || true");

    has_certutil = found[0] != '\0';
    mem_free(found);
    return scratch_setup(state);
}

#define CERTUTIL_TEST(f) cmocka_unit_test_setup_teardown(f, certutil_setup, scratch_teardown)

static void skip_without_certutil(const char *test)
{
    if (!has_certutil) {
        print_message("skipped: %s: certutil is missing\n", test);
        skip();
    }
}

static const struct trust_entry *entry_of(const struct trust_report *report, const char *store)
{
    for (size_t i = 0; i < report->count; i++) {
        if (strcmp(report->entries[i].store, store) == 0)
            return &report->entries[i];
    }
    fail_msg("no entry for '%s'", store);
    return NULL;
}

/* Installs or removes, and looks at what became of one store. */
static void assert_outcome(void (*act)(const struct ca *, const struct trust_roots *, struct trust_report *),
                           const struct machine *machine, const char *store, enum trust_outcome outcome,
                           const char *detail)
{
    struct trust_report report;
    const struct trust_entry *entry;

    act(machine->ca, &machine->roots, &report);
    entry = entry_of(&report, store);
    if (entry->outcome != outcome || strstr(entry->detail, detail) == NULL)
        fail_msg("%s %s: '%s' instead of %s: '%s'", store, trust_outcome_text(entry->outcome), entry->detail,
                 trust_outcome_text(outcome), detail);
    if (outcome == TRUST_ADDED || outcome == TRUST_REMOVED)
        assert_true(strlen(entry->undo) > 0);
    trust_report_clear(&report);
}

/* How the update command was called so far, a line each. */
static void assert_updates(void *const *state, const char *calls)
{
    char *path = scratch_path(state, "updates");
    struct file_content content = { NULL, 0, 0 };
    struct err err; /* no file: no call */

    (void)file_read(path, 1000, &content, &err);
    assert_string_equal(content.bytes != NULL ? content.bytes : "", calls);
    file_content_clear(&content);
    mem_free(path);
}

static char *anchor_path(void *const *state, const struct machine *machine)
{
    return mem_printf("%s/" ANCHORS "/weir-%s.crt", (char *)*state, ca_id(machine->ca));
}

static void the_system_gets_the_ca_once_and_loses_it_again(void **state)
{
    struct machine machine = machine_new(state);
    char *path = anchor_path(state, &machine);
    struct file_content content;
    struct err err;

    machine.roots.home = NULL;
    assert_outcome(trust_remove, &machine, "Debian and Ubuntu", TRUST_NOT_THERE, "");
    assert_updates(state, "");
    assert_outcome(trust_install, &machine, "Debian and Ubuntu", TRUST_ADDED, "");
    assert_true(file_read(path, 10000, &content, &err));
    assert_true(span_eq(file_content_span(&content), ca_pem(machine.ca)));
    assert_int_equal(content.mode, 0644);
    file_content_clear(&content);
    assert_outcome(trust_install, &machine, "Debian and Ubuntu", TRUST_ALREADY_THERE, "");
    assert_updates(state, "called\n");
    assert_outcome(trust_remove, &machine, "Debian and Ubuntu", TRUST_REMOVED, "");
    assert_false(file_exists(path));
    assert_updates(state, "called\ncalled--fresh\n"); /* or its links stay behind */
    mem_free(path);
    machine_clear(&machine);
}

static void a_failed_update_leaves_the_system_as_it_was(void **state)
{
    struct machine machine = machine_new(state);
    char *path = anchor_path(state, &machine);

    machine.roots.home = NULL;
    write_update_command(state, 7);
    assert_outcome(trust_install, &machine, "Debian and Ubuntu", TRUST_FAILED, "ended with 7: it went wrong");
    assert_false(file_exists(path));
    machine.roots.update_command = "/nowhere/update";
    assert_outcome(trust_install, &machine, "Debian and Ubuntu", TRUST_FAILED, "there is no program");
    assert_false(file_exists(path));
    mem_free(path);
    machine_clear(&machine);
}

static void without_root_the_report_says_what_to_run(void **state)
{
    struct machine machine = machine_new(state);
    char *folder = scratch_path(state, ANCHORS);
    uid_t root = geteuid();

    machine.roots.home = NULL;
    assert_int_equal(chmod(folder, 0555), 0);
    for (char *slash = folder; slash != NULL; slash = strchr(slash, '/')) { /* others may come this far */
        char *parent = mem_spandup(span_make(folder, (size_t)(slash - folder)));
        if (strlen(parent) >= strlen(*state))
            assert_int_equal(chmod(parent, 0755), 0);
        mem_free(parent);
        slash++;
    }
    if (root == 0)
        assert_int_equal(seteuid(65534), 0);
    assert_outcome(trust_install, &machine, "Debian and Ubuntu", TRUST_SKIPPED, "run: sudo install -m 644 ");
    assert_outcome(trust_remove, &machine, "Debian and Ubuntu", TRUST_NOT_THERE, "");
    assert_int_equal(seteuid(root), 0);
    assert_int_equal(chmod(folder, 0755), 0);
    mem_free(folder);
    machine_clear(&machine);
}

static void a_system_without_a_known_store_is_skipped(void **state)
{
    struct machine machine = machine_new(state);

    machine.roots.system_root = machine.home;
    machine.roots.home = NULL;
    assert_outcome(trust_install, &machine, "system", TRUST_SKIPPED, "ca-certificates");
    assert_outcome(trust_install, &machine, "browsers", TRUST_SKIPPED, "no home");
    machine_clear(&machine);
}

static void browsers_get_the_ca_once_and_lose_it_again(void **state)
{
    struct machine machine;
    char *made;
    char *untouched;
    char *trusted;
    char *again;
    char *restored;

    skip_without_certutil(__func__);
    machine = machine_new(state);
    made = scratch_path(state, "home/.pki");
    make_database(state, PROFILE, "");
    untouched = listing_of(state, PROFILE);
    assert_outcome(trust_remove, &machine, "Firefox", TRUST_NOT_THERE, "");

    assert_outcome(trust_install, &machine, "Firefox", TRUST_ADDED, "starts again");
    trusted = listing_of(state, PROFILE);
    assert_non_null(strstr(trusted, ca_id(machine.ca)));
    assert_non_null(strstr(trusted, "C,,"));
    assert_outcome(trust_install, &machine, "Chrome and Chromium", TRUST_ALREADY_THERE, "");
    again = listing_of(state, "home/.pki/nssdb");
    assert_string_equal(again, trusted);

    assert_outcome(trust_remove, &machine, "Firefox", TRUST_REMOVED, "");
    restored = listing_of(state, PROFILE);
    assert_string_equal(restored, untouched);
    assert_false(file_exists(made)); /* we had made it, and nobody else has used it */
    mem_free(untouched);
    mem_free(trusted);
    mem_free(again);
    mem_free(restored);
    mem_free(made);
    machine_clear(&machine);
}

static void a_database_that_others_use_by_now_stays(void **state)
{
    struct machine machine;
    char *command;
    char *other_dir;
    char *listing;
    struct ca *other = NULL;
    bool is_created;
    struct err err;

    skip_without_certutil(__func__);
    machine = machine_new(state);
    other_dir = scratch_path(state, "other");
    command = mem_printf("cd '%s' && echo > password && certutil -A -d sql:home/.pki/nssdb -n other -t C,, "
                         "-i other/ca.pem -f password",
                         (char *)*state);
    assert_true(ca_open(other_dir, KEY_EC, &other, &is_created, &err));
    assert_outcome(trust_install, &machine, "Chrome and Chromium", TRUST_ADDED, "");
    mem_free(shell(command));
    assert_outcome(trust_remove, &machine, "Chrome and Chromium", TRUST_REMOVED, "it stays");
    listing = listing_of(state, "home/.pki/nssdb");
    assert_non_null(strstr(listing, "other"));
    assert_null(strstr(listing, ca_id(machine.ca)));
    mem_free(listing);
    mem_free(other_dir);
    mem_free(command);
    ca_unref(other);
    machine_clear(&machine);
}

static void a_database_of_newer_chromium_is_not_hidden(void **state)
{
    struct machine machine;
    char *hiding;
    char *listing;

    skip_without_certutil(__func__);
    machine = machine_new(state);
    hiding = scratch_path(state, "home/.pki");
    make_database(state, "home/.local/share/pki/nssdb", "");
    assert_outcome(trust_install, &machine, "Chrome and Chromium", TRUST_ADDED, "");
    assert_false(file_exists(hiding));
    listing = listing_of(state, "home/.local/share/pki/nssdb");
    assert_non_null(strstr(listing, ca_id(machine.ca)));
    mem_free(listing);
    mem_free(hiding);
    machine_clear(&machine);
}

static void a_master_password_is_reported_and_changes_nothing(void **state)
{
    struct machine machine;
    char *before;
    char *after;

    skip_without_certutil(__func__);
    machine = machine_new(state);
    make_database(state, PROFILE, "secret-enough-1");
    before = listing_of(state, PROFILE);
    assert_outcome(trust_install, &machine, "Firefox", TRUST_FAILED, "has a master password");
    after = listing_of(state, PROFILE);
    assert_string_equal(after, before);
    mem_free(before);
    mem_free(after);
    machine_clear(&machine);
}

/* The machine's CA from now on is the next renewal of what it was. */
static void renew(struct machine *machine)
{
    struct ca *renewed = NULL;
    struct err err;

    assert_true(ca_renew(machine->ca_dir, &renewed, &err));
    ca_unref(machine->ca);
    machine->ca = renewed;
}

static void a_renewed_ca_takes_the_place_of_the_old_one(void **state)
{
    struct machine machine;

    skip_without_certutil(__func__);
    machine = machine_new(state);
    make_database(state, PROFILE, "");
    assert_outcome(trust_install, &machine, "Firefox", TRUST_ADDED, "");
    renew(&machine);
    assert_outcome(trust_install, &machine, "Firefox", TRUST_ADDED, "");
    assert_outcome(trust_install, &machine, "Firefox", TRUST_ALREADY_THERE, "");
    renew(&machine);
    assert_outcome(trust_install, &machine, "Debian and Ubuntu", TRUST_ADDED, "before its renewal");
    assert_outcome(trust_remove, &machine, "Firefox", TRUST_REMOVED, "");
    assert_outcome(trust_remove, &machine, "Firefox", TRUST_NOT_THERE, "");
    machine_clear(&machine);
}

static void a_broken_database_is_reported(void **state)
{
    struct machine machine;

    skip_without_certutil(__func__);
    machine = machine_new(state);
    scratch_write(state, PROFILE "/cert9.db", "this is no database, but long enough to look at for a while");
    assert_outcome(trust_install, &machine, "Firefox", TRUST_FAILED, "");
    assert_outcome(trust_install, &machine, "Chrome and Chromium", TRUST_ALREADY_THERE, "");
    machine_clear(&machine);
}

static void without_certutil_the_report_says_what_to_install(void **state)
{
    struct machine machine = machine_new(state);
    char *path = mem_strdup(getenv("PATH"));

    setenv("PATH", *state, 1);
    assert_outcome(trust_install, &machine, "browsers", TRUST_SKIPPED, "install libnss3-tools");
    setenv("PATH", path, 1);
    mem_free(path);
    machine_clear(&machine);
}

static void a_home_of_somebody_else_is_left_alone(void **state)
{
    struct machine machine = machine_new(state);

    if (geteuid() == 0)
        assert_int_equal(chown(machine.home, 65534, 65534), 0);
    else
        machine.roots.home = "/"; /* root's */
    assert_outcome(trust_install, &machine, "browsers", TRUST_SKIPPED, "without sudo");
    machine_clear(&machine);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        SCRATCH_TEST(the_system_gets_the_ca_once_and_loses_it_again),
        SCRATCH_TEST(a_failed_update_leaves_the_system_as_it_was),
        SCRATCH_TEST(without_root_the_report_says_what_to_run),
        SCRATCH_TEST(a_system_without_a_known_store_is_skipped),
        CERTUTIL_TEST(browsers_get_the_ca_once_and_lose_it_again),
        CERTUTIL_TEST(a_database_that_others_use_by_now_stays),
        CERTUTIL_TEST(a_database_of_newer_chromium_is_not_hidden),
        CERTUTIL_TEST(a_master_password_is_reported_and_changes_nothing),
        CERTUTIL_TEST(a_renewed_ca_takes_the_place_of_the_old_one),
        CERTUTIL_TEST(a_broken_database_is_reported),
        SCRATCH_TEST(without_certutil_the_report_says_what_to_install),
        SCRATCH_TEST(a_home_of_somebody_else_is_left_alone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
