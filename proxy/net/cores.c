#include "proxy/net/cores.h"

#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "proxy/base/mem.h"
#include "proxy/base/span.h"

/* A mask for this many processors is more than any kernel asks for. */
#define MAX_CPUS (64 * 1024)

static unsigned cores_by_affinity(void)
{
    long online = sysconf(_SC_NPROCESSORS_ONLN);
    unsigned count = online > 0 ? (unsigned)online : 1;

    for (int cpus = 1024; cpus <= MAX_CPUS; cpus *= 2) {
        cpu_set_t *set = CPU_ALLOC((size_t)cpus);
        size_t size = CPU_ALLOC_SIZE((size_t)cpus);
        bool fits = set != NULL && sched_getaffinity(0, size, set) == 0;

        if (fits)
            count = (unsigned)CPU_COUNT_S(size, set);
        CPU_FREE(set);
        if (fits)
            break;
    }
    return count;
}

static bool read_line(const char *folder, const char *name, char *out, size_t out_size)
{
    char *path = mem_printf("%s/%s", folder, name);
    FILE *file = fopen(path, "re");
    bool ok = file != NULL && fgets(out, (int)out_size, file) != NULL;

    if (file != NULL)
        fclose(file);
    mem_free(path);
    return ok;
}

/* The quota of one cgroup, in cores rounded up; 0: none. */
static unsigned quota_of(const char *folder)
{
    char text[64];
    long long quota = 0, period = 0;

    if (read_line(folder, "cpu.max", text, sizeof text)) { /* "max 100000" or "150000 100000" */
        if (sscanf(text, "%lld %lld", &quota, &period) != 2)
            return 0;
    } else if (read_line(folder, "cpu.cfs_quota_us", text, sizeof text)) { /* -1: none */
        quota = strtoll(text, NULL, 10);
        if (read_line(folder, "cpu.cfs_period_us", text, sizeof text))
            period = strtoll(text, NULL, 10);
    }
    if (quota <= 0 || period <= 0)
        return 0;
    return (unsigned)((quota + period - 1) / period);
}

static unsigned smaller(unsigned a, unsigned b)
{
    return a == 0 || (b != 0 && b < a) ? b : a;
}

/* The least of the quotas of root/path and all above it up to root: inside a container the path may be one of
 * outside that does not exist here, but root does. */
static unsigned quota_upwards(const char *root, const char *path)
{
    char *folder = mem_printf("%s%s", root, path);
    size_t root_len = strlen(root);
    unsigned least = 0;
    char *slash;

    for (;;) {
        least = smaller(least, quota_of(folder));
        slash = strrchr(folder, '/');
        if (strlen(folder) <= root_len || slash == NULL)
            break;
        *slash = '\0';
    }
    mem_free(folder);
    return least;
}

/* Is cpu one of the controllers of a version 1 line, "cpu,cpuacct"? */
static bool has_cpu(struct span controllers)
{
    struct span name;

    while (span_split(&controllers, ',', &name)) {
        if (span_eq(name, SPAN("cpu")))
            return true;
    }
    return false;
}

unsigned cores_by_quota(const char *proc_cgroup, const char *sys_cgroup)
{
    FILE *file = fopen(proc_cgroup, "re");
    char line[4096];
    unsigned least = 0;

    if (file == NULL)
        return 0;
    while (fgets(line, sizeof line, file) != NULL) { /* "0::/path" or "4:cpu,cpuacct:/path" */
        char *controllers, *path;
        char *root;

        line[strcspn(line, "\n")] = '\0';
        controllers = strchr(line, ':');
        path = controllers != NULL ? strchr(controllers + 1, ':') : NULL;
        if (path == NULL)
            continue;
        controllers++;
        *path++ = '\0';
        if (*controllers == '\0')
            root = mem_strdup(sys_cgroup);
        else if (has_cpu(span_of(controllers)))
            root = mem_printf("%s/%s", sys_cgroup, controllers);
        else
            continue;
        least = smaller(least, quota_upwards(root, path));
        mem_free(root);
    }
    fclose(file);
    return least;
}

unsigned cores_usable(void)
{
    unsigned cores = smaller(cores_by_affinity(), cores_by_quota("/proc/self/cgroup", "/sys/fs/cgroup"));

    return cores != 0 ? cores : 1;
}
