// The system calls that code in a container may make: an allow-list of what ordinary programs need, written for Hearth.
// Beside what Docker's own default leaves out (mounting, namespaces, tracing, kernel modules, keys, bpf …) it leaves out
// io_uring and the socket families other than the usual four, AF_VSOCK above all: it reaches the host of a VM.

const ENOSYS = 38
/** CLONE_NEWNS, NEWCGROUP, NEWUTS, NEWIPC, NEWUSER, NEWPID, NEWNET */
const NAMESPACE_FLAGS = 0x7e020000
const SOCKET_FAMILIES = { unix: 1, inet: 2, inet6: 10 }
const NETLINK = 16
const NETLINK_ROUTE = 0

const FILES = `access chdir chmod chown close close_range copy_file_range creat dup dup2 dup3 faccessat faccessat2 fadvise64
  fallocate fchdir fchmod fchmodat fchmodat2 fchown fchownat fcntl fdatasync fgetxattr flistxattr flock fremovexattr fsetxattr
  fstat fstatfs fsync ftruncate futimesat getcwd getdents getdents64 getxattr inotify_add_watch inotify_init inotify_init1
  inotify_rm_watch ioctl lchown lgetxattr link linkat listxattr llistxattr lremovexattr lseek lsetxattr lstat memfd_create
  mkdir mkdirat mknod mknodat newfstatat open openat openat2 pipe pipe2 pread64 preadv preadv2 pwrite64 pwritev pwritev2 read
  readahead readlink readlinkat readv removexattr rename renameat renameat2 rmdir sendfile setxattr splice stat statfs statx
  symlink symlinkat sync sync_file_range syncfs tee truncate umask unlink unlinkat utime utimensat utimes vmsplice write
  writev`

const EVENTS = `epoll_create epoll_create1 epoll_ctl epoll_pwait epoll_pwait2 epoll_wait eventfd eventfd2 io_cancel io_destroy
  io_getevents io_pgetevents io_setup io_submit poll ppoll pselect6 select signalfd signalfd4 timerfd_create timerfd_gettime
  timerfd_settime`

const MEMORY = `brk get_mempolicy madvise map_shadow_stack mbind membarrier memfd_secret mincore mlock mlock2 mlockall mmap
  mprotect mremap mseal msync munlock munlockall munmap pkey_alloc pkey_free pkey_mprotect remap_file_pages set_mempolicy
  set_mempolicy_home_node`

const PROCESSES = `arch_prctl capget capset execve execveat exit exit_group fork get_robust_list getcpu getegid geteuid getgid
  getgroups getpgid getpgrp getpid getppid getpriority getresgid getresuid getrlimit getrusage getsid gettid getuid ioprio_get
  ioprio_set kill landlock_add_rule landlock_create_ruleset landlock_restrict_self pause pidfd_open pidfd_send_signal prctl
  prlimit64 restart_syscall rseq rt_sigaction rt_sigpending rt_sigprocmask rt_sigqueueinfo rt_sigreturn rt_sigsuspend
  rt_sigtimedwait rt_tgsigqueueinfo sched_get_priority_max sched_get_priority_min sched_getaffinity sched_getattr
  sched_getparam sched_getscheduler sched_rr_get_interval sched_setaffinity sched_setattr sched_setparam sched_setscheduler
  sched_yield seccomp set_robust_list set_tid_address setfsgid setfsuid setgid setgroups setpgid setpriority setregid
  setresgid setresuid setreuid setrlimit setsid setuid sigaltstack sysinfo tgkill time times tkill uname vfork wait4 waitid`

const CLOCKS = `adjtimex alarm clock_getres clock_gettime clock_nanosleep getitimer gettimeofday nanosleep setitimer
  timer_create timer_delete timer_getoverrun timer_gettime timer_settime`

const SYNCHRONISATION = `futex futex_requeue futex_wait futex_waitv futex_wake mq_getsetattr mq_notify mq_open mq_timedreceive
  mq_timedsend mq_unlink msgctl msgget msgrcv msgsnd semctl semget semop semtimedop shmat shmctl shmdt shmget`

const SOCKETS = `accept accept4 bind connect getpeername getsockname getsockopt listen recvfrom recvmmsg recvmsg sendmmsg
  sendmsg sendto setsockopt shutdown socketpair`

const OTHERS = `cachestat getrandom`

/** As the daemon takes it: `--security-opt seccomp=…`. Names that a kernel or an architecture lacks are passed over. */
export function seccompProfile(): string {
  const names = [FILES, EVENTS, MEMORY, PROCESSES, CLOCKS, SYNCHRONISATION, SOCKETS, OTHERS].flatMap((text) =>
    text.split(/\s+/),
  )
  return JSON.stringify({
    defaultAction: 'SCMP_ACT_ERRNO',
    syscalls: [
      { names, action: 'SCMP_ACT_ALLOW' },
      allow('clone', [{ index: 0, value: NAMESPACE_FLAGS, valueTwo: 0, op: 'SCMP_CMP_MASKED_EQ' }]),
      // Its flags lie in memory, out of the filter's sight; with ENOSYS the C library uses clone instead.
      { names: ['clone3'], action: 'SCMP_ACT_ERRNO', errnoRet: ENOSYS },
      allow('personality', [equal(0, 0)]),
      allow('personality', [equal(0, 0xffffffff)]),
      ...Object.values(SOCKET_FAMILIES).map((family) => allow('socket', [equal(0, family)])),
      allow('socket', [equal(0, NETLINK), equal(2, NETLINK_ROUTE)]),
    ],
  })
}

function allow(name: string, args: readonly object[]): object {
  return { names: [name], action: 'SCMP_ACT_ALLOW', args }
}

function equal(index: number, value: number): object {
  return { index, value, op: 'SCMP_CMP_EQ' }
}
