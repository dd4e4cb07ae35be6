#include "proxy/live/devices.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "proxy/base/mem.h"
#include "proxy/base/table.h"

/* A household, an office: more than will ever use one capture, and half a megabyte at most. */
#define MAX_DEVICES 4096

struct device {
    char address[80]; /* without port; a scope may be in it */
    bool has_accepted, was_told;
    UT_hash_handle hh;
};

struct devices {
    pthread_mutex_t lock;
    struct device *by_address; /* in order of use: uthash keeps the order of adding */
};

struct devices *devices_new(void)
{
    struct devices *devices = mem_new(struct devices);

    pthread_mutex_init(&devices->lock, NULL);
    return devices;
}

void devices_free(struct devices *devices)
{
    struct device *device, *next;

    if (devices == NULL)
        return;
    HASH_ITER (hh, devices->by_address, device, next) {
        HASH_DEL(devices->by_address, device);
        mem_free(device);
    }
    pthread_mutex_destroy(&devices->lock);
    mem_free(devices);
}

/* The device, made when it is new, and the youngest from now on. Under the lock. */
static struct device *touch(struct devices *devices, const char *address)
{
    struct device *device;

    HASH_FIND_STR(devices->by_address, address, device);
    if (device != NULL) {
        HASH_DEL(devices->by_address, device);
    } else {
        if (HASH_COUNT(devices->by_address) >= MAX_DEVICES) {
            struct device *oldest = devices->by_address;
            HASH_DEL(devices->by_address, oldest);
            mem_free(oldest);
        }
        device = mem_new(struct device);
        snprintf(device->address, sizeof device->address, "%s", address);
    }
    HASH_ADD_STR(devices->by_address, address, device);
    return device;
}

bool devices_accepted(struct devices *devices, const char *address)
{
    struct device *device;
    bool is_first;

    pthread_mutex_lock(&devices->lock);
    device = touch(devices, address);
    is_first = !device->has_accepted;
    device->has_accepted = true;
    pthread_mutex_unlock(&devices->lock);
    return is_first;
}

bool devices_refused(struct devices *devices, const char *address)
{
    struct device *device;
    bool is_news;

    pthread_mutex_lock(&devices->lock);
    device = touch(devices, address);
    is_news = !device->has_accepted && !device->was_told;
    device->was_told = true;
    pthread_mutex_unlock(&devices->lock);
    return is_news;
}

bool devices_trusts(struct devices *devices, const char *address)
{
    struct device *device;
    bool trusts;

    pthread_mutex_lock(&devices->lock);
    HASH_FIND_STR(devices->by_address, address, device);
    trusts = device != NULL && device->has_accepted;
    pthread_mutex_unlock(&devices->lock);
    return trusts;
}
