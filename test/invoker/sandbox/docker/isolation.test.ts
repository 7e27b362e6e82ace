// What code in a container must not be able to do, tried by code in a container.
import { expect, test } from 'vitest'

import { describeWithDocker } from './daemon.ts'
import { RunningFunction } from './running-function.ts'

/** `attempt(event)` evaluates Python in a container and gives its value, or the name of the error. */
const ATTEMPT = `
import ctypes, errno, os, platform, socket, subprocess, sys, time

libc = ctypes.CDLL(None, use_errno=True)

def syscall(x86_64, arm64, *arguments):
    number = x86_64 if platform.machine() == "x86_64" else arm64
    result = libc.syscall(number, *arguments)
    return "allowed" if result >= 0 else errno.errorcode[ctypes.get_errno()]

def forks(most):
    children = []
    try:
        for _ in range(most):
            child = os.fork()
            if child == 0:
                time.sleep(60)
                os._exit(0)
            children.append(child)
    except OSError as error:
        return [errno.errorcode[error.errno], len(children) < most]
    finally:
        for child in children:
            os.kill(child, 9)
            os.waitpid(child, 0)
    return "no limit"

def fill(path):
    with open(path, "wb") as file:
        for _ in range(100_000):
            file.write(bytes(1 << 20))

def run_from(directory):
    path = directory + "/program"
    with open(path, "w") as file:
        file.write("#!/usr/local/bin/python3 -I\\nprint(1)")
    os.chmod(path, 0o755)
    return subprocess.run([path], stdout=subprocess.DEVNULL).returncode

def handler(event, context):
    try:
        return {"value": eval(event)}
    except OSError as error:
        return {"value": errno.errorcode.get(error.errno, str(error))}
`

await describeWithDocker('a container', (get) => {
  const start = (): Promise<RunningFunction> =>
    RunningFunction.start(get().driver, 'python', { 'main.py': ATTEMPT }, { memoryMiB: 256 })
  const attempts = async (expressions: readonly string[]): Promise<Record<string, unknown>> => {
    await using running = await start()
    const results: Record<string, unknown> = {}
    for (const expression of expressions) {
      const { text } = await running.call({ body: JSON.stringify(expression) })
      results[expression] = text === '' ? 'no answer' : (JSON.parse(text) as { value: unknown }).value
    }
    return results
  }

  test('has no capabilities and cannot get any', async () => {
    await using running = await start()
    const { text } = await running.call({ body: JSON.stringify('open("/proc/self/status").read()') })
    const { value } = JSON.parse(text) as { value: string }
    for (const set of ['CapInh', 'CapPrm', 'CapEff', 'CapBnd', 'CapAmb'])
      expect(value).toMatch(`${set}:\t0000000000000000`)
    expect(value).toMatch('NoNewPrivs:\t1')
    expect(value).toMatch('Seccomp:\t2')
    expect(value).toMatch(/Uid:\t1000\t1000\t1000\t1000/)
  })

  test('cannot make the system calls that reach beyond it', async () => {
    const calls = {
      io_uring_setup: 'syscall(425, 425, 8, 0)',
      io_uring_enter: 'syscall(426, 426, 0, 0, 0, 0, 0)',
      unshare: 'syscall(272, 97, 0x10000000)',
      'clone with a new user namespace': 'syscall(56, 220, 0x10000011, 0, 0, 0, 0)',
      setns: 'syscall(308, 268, 0, 0)',
      mount: 'syscall(165, 40, 0, 0, 0, 0, 0)',
      ptrace: 'syscall(101, 117, 0, 0, 0, 0)',
      bpf: 'syscall(321, 280, 0, 0, 0)',
      keyctl: 'syscall(250, 219, 0, 0)',
      perf_event_open: 'syscall(298, 241, 0, 0, -1, -1, 0)',
      userfaultfd: 'syscall(323, 282, 0)',
      process_vm_readv: 'syscall(310, 270, 1, 0, 0, 0, 0, 0)',
      init_module: 'syscall(175, 105, 0, 0, 0)',
      open_by_handle_at: 'syscall(304, 265, 0, 0, 0)',
    }
    const refused = Object.fromEntries(Object.values(calls).map((call) => [call, 'EPERM']))
    expect(await attempts(Object.values(calls))).toEqual(refused)
  })

  test('gets the answer of an old kernel to clone3, so that libraries use clone', async () => {
    expect(await attempts(['syscall(435, 435, 0, 0)'])).toEqual({ 'syscall(435, 435, 0, 0)': 'ENOSYS' })
  })

  test('has no sockets but local and internet ones, and no network behind those', async () => {
    expect(
      await attempts([
        'socket.socket(40, socket.SOCK_STREAM)',
        'socket.socket(socket.AF_PACKET, socket.SOCK_RAW)',
        'socket.socket(socket.AF_INET, socket.SOCK_RAW, 1)',
        'socket.socket(38, socket.SOCK_SEQPACKET)',
        'socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 9)',
        '[name for _, name in socket.if_nameindex()]',
        'socket.create_connection(("169.254.169.254", 80), 2)',
        'socket.create_connection(("172.17.0.1", 22), 2)',
        'socket.socketpair()[0].fileno() > 0',
        'socket.create_server(("127.0.0.1", 0)).fileno() > 0',
      ]),
    ).toEqual({
      'socket.socket(40, socket.SOCK_STREAM)': 'EPERM',
      'socket.socket(socket.AF_PACKET, socket.SOCK_RAW)': 'EPERM',
      'socket.socket(socket.AF_INET, socket.SOCK_RAW, 1)': 'EPERM',
      'socket.socket(38, socket.SOCK_SEQPACKET)': 'EPERM',
      'socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 9)': 'EPERM',
      '[name for _, name in socket.if_nameindex()]': ['lo'],
      'socket.create_connection(("169.254.169.254", 80), 2)': 'ENETUNREACH',
      'socket.create_connection(("172.17.0.1", 22), 2)': 'ENETUNREACH',
      'socket.socketpair()[0].fileno() > 0': true,
      'socket.create_server(("127.0.0.1", 0)).fileno() > 0': true,
    })
  })

  test('can write only to its own small folders, and run nothing from /tmp', async () => {
    expect(
      await attempts([
        'open("/x", "w")',
        'open("/usr/local/bin/python3", "ab")',
        'open("/opt/hearth/agent.py", "a")',
        'open("/run/hearth/x", "w")',
        'open("/dev/shm/x", "w")',
        'open("/proc/sys/kernel/core_pattern", "w")',
        'open("/proc/sysrq-trigger", "w")',
        'open("/sys/fs/cgroup/memory/memory.limit_in_bytes", "w")',
        'open("/proc/kcore", "rb").read(1)',
        'fill("/tmp/full")',
        'os.remove("/tmp/full")',
        'run_from("/fn")',
        'run_from("/tmp")',
      ]),
    ).toEqual({
      'open("/x", "w")': 'EROFS',
      'open("/usr/local/bin/python3", "ab")': expect.stringMatching(/^E(?:ACCES|ROFS)$/),
      'open("/opt/hearth/agent.py", "a")': expect.stringMatching(/^E(?:ACCES|ROFS)$/),
      'open("/run/hearth/x", "w")': 'EROFS',
      'open("/dev/shm/x", "w")': 'ENOENT',
      'open("/proc/sys/kernel/core_pattern", "w")': 'EROFS',
      'open("/proc/sysrq-trigger", "w")': expect.stringMatching(/^E/),
      'open("/sys/fs/cgroup/memory/memory.limit_in_bytes", "w")': expect.stringMatching(/^E/),
      'open("/proc/kcore", "rb").read(1)': expect.stringMatching(/^E/),
      'fill("/tmp/full")': 'ENOSPC',
      'os.remove("/tmp/full")': null,
      'run_from("/fn")': 0,
      'run_from("/tmp")': 'EACCES',
    })
  })

  test('can have only so many processes, and answers afterwards', async () => {
    expect(await attempts(['forks(2000)', '1 + 1'])).toEqual({ 'forks(2000)': ['EAGAIN', true], '1 + 1': 2 })
  })

  test('sees its own processes and nothing of the host', async () => {
    const seen = await attempts([
      'sorted(name for name in os.listdir("/proc") if name.isdigit())',
      'os.uname().nodename',
      'os.path.exists("/var/run/docker.sock")',
      'os.listdir("/run/hearth")',
      'os.getpid()',
    ])
    expect(seen).toEqual({
      'sorted(name for name in os.listdir("/proc") if name.isdigit())': ['1'],
      'os.uname().nodename': 'hearth',
      'os.path.exists("/var/run/docker.sock")': false,
      'os.listdir("/run/hearth")': ['agent.sock'],
      'os.getpid()': 1,
    })
  })

  test('cannot dial the invoker a second time', async () => {
    const dial = '[s := socket.socket(socket.AF_UNIX), s.connect("/run/hearth/agent.sock")] and "connected"'
    expect(await attempts([dial])).toEqual({ [dial]: 'ECONNREFUSED' })
  })
})
