#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include "capture/recorder.h"
#include "proxy/base/mem.h"
#include "tests/support/recording.h"
#include "tools/command.h"

/* A session being recorded, and `list` that runs on a thread with its stdout led to us. */
struct scene {
    struct test_folder folder;
    struct capture *capture;
    struct recorder *recorder;
    struct args args;
    pthread_t thread;
    int status;
    int real_stdout;
    FILE *output;
};

static void open_scene(struct scene *scene)
{
    struct capture_options options = { .session_name = "s" };
    struct err err;

    memset(scene, 0, sizeof *scene);
    test_folder_make(&scene->folder);
    assert_true(capture_start(scene->folder.store, &options, &scene->capture, &err));
    scene->recorder = capture_recorder(scene->capture, test_no_wake, NULL);
    scene->args.store = scene->folder.store;
    scene->args.json = true;
}

static void end_capture(struct scene *scene)
{
    struct capture_summary summary;
    struct err err;

    if (scene->capture == NULL)
        return;
    recorder_free(scene->recorder);
    assert_true(capture_end(scene->capture, &summary, &err));
    scene->capture = NULL;
}

static void close_scene(struct scene *scene)
{
    end_capture(scene);
    args_clear(&scene->args);
    test_folder_remove(&scene->folder);
}

static void *run_list(void *arg)
{
    struct scene *scene = arg;

    scene->status = cmd_list(&scene->args);
    fflush(stdout);
    dup2(scene->real_stdout, STDOUT_FILENO); /* the pipe's last writing end closes */
    return NULL;
}

static void start_list(struct scene *scene)
{
    int ends[2];

    fflush(stdout);
    assert_int_equal(pipe(ends), 0);
    scene->real_stdout = dup(STDOUT_FILENO);
    dup2(ends[1], STDOUT_FILENO);
    close(ends[1]);
    scene->output = fdopen(ends[0], "r");
    pthread_create(&scene->thread, NULL, run_list, scene);
}

static void finish_list(struct scene *scene)
{
    pthread_join(scene->thread, NULL);
    close(scene->real_stdout);
    fclose(scene->output);
    assert_int_equal(scene->status, EXIT_DONE);
}

/* The next line of the list tells of this path. */
static void next_is(struct scene *scene, const char *path)
{
    char line[4096], *end = mem_printf("%s\"", path);

    assert_non_null(fgets(line, sizeof line, scene->output));
    if (strstr(line, end) == NULL)
        fail_msg("'%s' is not in '%s'", path, line);
    mem_free(end);
}

static void nothing_more_comes(struct scene *scene)
{
    char line[4096];

    assert_null(fgets(line, sizeof line, scene->output));
}

static void an_ended_session_is_listed_in_order(void **state)
{
    struct scene scene;

    (void)state;
    open_scene(&scene);
    test_exchange(scene.recorder, "a.test", "/1", SPAN("x"));
    test_exchange(scene.recorder, "a.test", "/2", SPAN("x"));
    end_capture(&scene);
    start_list(&scene);
    next_is(&scene, "http://a.test/1");
    next_is(&scene, "http://a.test/2");
    nothing_more_comes(&scene);
    finish_list(&scene);
    close_scene(&scene);
}

static void a_sealed_tunnel_is_listed_as_that(void **state)
{
    struct test_exchange sealed;
    char line[4096];
    struct scene scene;

    (void)state;
    open_scene(&scene);
    test_begin(&sealed, scene.recorder, "CONNECT", "bank.test", "bank.test:443", NULL);
    sealed.exchange.flags |= TAP_TUNNEL | TAP_SEALED;
    test_end(&sealed, TAP_DONE);
    test_exchange(scene.recorder, "a.test", "/1", SPAN("x"));
    end_capture(&scene);
    start_list(&scene);
    assert_non_null(fgets(line, sizeof line, scene.output));
    assert_non_null(strstr(line, "\"sealed\":true"));
    assert_non_null(fgets(line, sizeof line, scene.output));
    assert_non_null(strstr(line, "\"sealed\":false"));
    nothing_more_comes(&scene);
    finish_list(&scene);

    scene.args.json = false;
    scene.args.filter = "is:pinned";
    start_list(&scene);
    assert_non_null(fgets(line, sizeof line, scene.output)); /* titles */
    assert_non_null(fgets(line, sizeof line, scene.output));
    assert_non_null(strstr(line, " sealed "));
    nothing_more_comes(&scene);
    finish_list(&scene);
    close_scene(&scene);
}

static void following_shows_each_exchange_when_it_is_done(void **state)
{
    struct test_exchange slow;
    struct scene scene;

    (void)state;
    open_scene(&scene);
    scene.args.follow = true;
    test_begin(&slow, scene.recorder, "GET", "a.test", "/slow", NULL);
    test_exchange(scene.recorder, "a.test", "/1", SPAN("x"));
    recorder_tick(scene.recorder);
    start_list(&scene);
    next_is(&scene, "/1");
    test_exchange(scene.recorder, "a.test", "/2", SPAN("x"));
    next_is(&scene, "/2");
    test_respond(&slow, 200, NULL);
    test_end(&slow, TAP_DONE);
    next_is(&scene, "/slow");
    end_capture(&scene);
    nothing_more_comes(&scene);
    finish_list(&scene);
    close_scene(&scene);
}

static void following_a_long_session_misses_and_repeats_nothing(void **state)
{
    enum { COUNT = 3000 };
    struct test_exchange slow;
    struct scene scene;
    char path[32];

    (void)state;
    open_scene(&scene);
    scene.args.follow = true;
    for (int i = 1; i <= COUNT; i++) {
        if (i == 5) { /* stays open for longer than the list waits for it */
            test_begin(&slow, scene.recorder, "GET", "a.test", "/slow", NULL);
            continue;
        }
        snprintf(path, sizeof path, "/%d", i);
        test_exchange(scene.recorder, "a.test", path, SPAN("x"));
    }
    do { /* until the writer has all of it: then the order is certain */
        recorder_tick(scene.recorder);
    } while (test_count(scene.folder.store, "SELECT count(*) FROM exchange WHERE state = 1") < COUNT - 1 ||
             test_count(scene.folder.store, "SELECT count(*) FROM exchange") < COUNT);
    start_list(&scene);
    for (int i = 1; i <= COUNT; i++) {
        snprintf(path, sizeof path, i == 5 ? "/slow" : "/%d", i);
        next_is(&scene, path);
    }
    test_respond(&slow, 200, NULL);
    test_end(&slow, TAP_DONE);
    end_capture(&scene);
    nothing_more_comes(&scene);
    finish_list(&scene);
    close_scene(&scene);
}

static void a_filter_holds_while_following(void **state)
{
    struct test_exchange late;
    struct scene scene;

    (void)state;
    open_scene(&scene);
    scene.args.follow = true;
    scene.args.filter = "status:404";
    test_begin(&late, scene.recorder, "GET", "a.test", "/late", NULL);
    test_exchange(scene.recorder, "a.test", "/ok", SPAN("x"));
    start_list(&scene);
    test_respond(&late, 404, NULL);
    test_end(&late, TAP_DONE);
    next_is(&scene, "/late");
    end_capture(&scene);
    nothing_more_comes(&scene);
    finish_list(&scene);
    close_scene(&scene);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_ended_session_is_listed_in_order),
        cmocka_unit_test(a_sealed_tunnel_is_listed_as_that),
        cmocka_unit_test(following_shows_each_exchange_when_it_is_done),
        cmocka_unit_test(following_a_long_session_misses_and_repeats_nothing),
        cmocka_unit_test(a_filter_holds_while_following),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
