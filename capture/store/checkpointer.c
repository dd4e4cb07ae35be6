#include "capture/store/checkpointer.h"

#include <pthread.h>

#include "capture/store/sqlite.h"
#include "proxy/base/mem.h"

/* So often in a row, when commits come in between: the next time it is asked it goes on. */
#define MOST_PASSES 16

struct checkpointer {
    struct store *store; /* its own handle */
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t is_asked_cond;
    bool is_asked, is_over;
};

bool sqlite_checkpoint(struct store *store, int *out_pages, int *out_moved)
{
    return sqlite3_wal_checkpoint_v2(store->db, NULL, SQLITE_CHECKPOINT_PASSIVE, out_pages, out_moved) ==
           SQLITE_OK;
}

static bool is_over(struct checkpointer *checkpointer)
{
    bool over;

    pthread_mutex_lock(&checkpointer->lock);
    over = checkpointer->is_over;
    pthread_mutex_unlock(&checkpointer->lock);
    return over;
}

static void move_all(struct checkpointer *checkpointer)
{
    int pages, moved, before = -1;

    for (int pass = 0; pass < MOST_PASSES && !is_over(checkpointer); pass++) {
        if (!sqlite_checkpoint(checkpointer->store, &pages, &moved) || moved == pages || moved == before)
            return;
        before = moved;
    }
}

static void *run(void *self)
{
    struct checkpointer *checkpointer = self;

    pthread_setname_np(pthread_self(), "weir-wal");
    pthread_mutex_lock(&checkpointer->lock);
    while (!checkpointer->is_over) {
        if (!checkpointer->is_asked) {
            pthread_cond_wait(&checkpointer->is_asked_cond, &checkpointer->lock);
            continue;
        }
        checkpointer->is_asked = false;
        pthread_mutex_unlock(&checkpointer->lock);
        move_all(checkpointer);
        pthread_mutex_lock(&checkpointer->lock);
    }
    pthread_mutex_unlock(&checkpointer->lock);
    return NULL;
}

bool checkpointer_new(const char *path, struct checkpointer **out_checkpointer, struct err *err)
{
    struct checkpointer *checkpointer = mem_new(struct checkpointer);
    int failure;

    if (!store_open(path, STORE_WRITE, &checkpointer->store, err))
        goto fail;
    pthread_mutex_init(&checkpointer->lock, NULL);
    pthread_cond_init(&checkpointer->is_asked_cond, NULL);
    failure = pthread_create(&checkpointer->thread, NULL, run, checkpointer);
    if (failure == 0) {
        *out_checkpointer = checkpointer;
        return true;
    }
    err_sys(err, failure, "a thread for the store");
    pthread_mutex_destroy(&checkpointer->lock);
    pthread_cond_destroy(&checkpointer->is_asked_cond);
fail:
    store_close(checkpointer->store);
    mem_free(checkpointer);
    return false;
}

void checkpointer_free(struct checkpointer *checkpointer)
{
    if (checkpointer == NULL)
        return;
    pthread_mutex_lock(&checkpointer->lock);
    checkpointer->is_over = true;
    pthread_cond_signal(&checkpointer->is_asked_cond);
    pthread_mutex_unlock(&checkpointer->lock);
    pthread_join(checkpointer->thread, NULL);
    pthread_mutex_destroy(&checkpointer->lock);
    pthread_cond_destroy(&checkpointer->is_asked_cond);
    store_close(checkpointer->store);
    mem_free(checkpointer);
}

void checkpointer_ask(struct checkpointer *checkpointer)
{
    pthread_mutex_lock(&checkpointer->lock);
    checkpointer->is_asked = true;
    pthread_cond_signal(&checkpointer->is_asked_cond);
    pthread_mutex_unlock(&checkpointer->lock);
}
