/* cores: how many cores this process may use. */
#ifndef WEIR_NET_CORES_H
#define WEIR_NET_CORES_H

/* Those that sched_getaffinity(2) allows, but no more than the quota of its cgroup pays for, rounded up; at
 * least 1. */
unsigned cores_usable(void);

/* What the quotas of version 2 and 1 on the way from the process's cgroup up to the root allow, rounded up;
 * 0: no limit. proc_cgroup is /proc/self/cgroup, sys_cgroup where the hierarchies are mounted
 * (/sys/fs/cgroup). */
unsigned cores_by_quota(const char *proc_cgroup, const char *sys_cgroup);

#endif
