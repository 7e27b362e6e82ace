// What a container is made with: nothing that it does not need. design.md §8 has the reasons.
import type { ContainerCreateOptions, HostConfig } from 'dockerode'

import { LABELS } from './labels.ts'
import { type ContainerRuntime, RECIPES } from './recipes.ts'
import { seccompProfile } from './seccomp.ts'

/** Where the agents dial. */
const AGENT_SOCKET = '/run/hearth/agent.sock'
/** Beside one thread per call. */
const PIDS = 128
const OPEN_FILES = 4096
const MIB = 1024 * 1024
const NANO_CPUS = 1_000_000_000

export interface ContainerPlan {
  readonly name: string
  readonly image: string
  readonly runtime: ContainerRuntime
  readonly memoryMiB: number
  /** Calls at the same time. */
  readonly concurrency: number
  /** On this machine; appears as a file in the container. */
  readonly socketPath: string
  readonly labels: { readonly installation: string; readonly process: string }
}

const seccomp = seccompProfile()

export function containerOptions(plan: ContainerPlan): ContainerCreateOptions {
  const recipe = RECIPES[plan.runtime]
  return {
    name: `hearth-${plan.name}`,
    Image: plan.image,
    Cmd: [...recipe.command(plan.memoryMiB)],
    Env: [...recipe.env],
    User: '1000:1000',
    WorkingDir: '/tmp',
    Hostname: 'hearth',
    NetworkDisabled: true,
    AttachStdin: false,
    AttachStdout: false,
    AttachStderr: true,
    Labels: {
      [LABELS.installation]: plan.labels.installation,
      [LABELS.process]: plan.labels.process,
      [LABELS.sandbox]: plan.name,
      [LABELS.runtime]: plan.runtime,
    },
    HostConfig: hostConfig(plan),
  }
}

/** The types of dockerode lack a field that the daemon has. */
function hostConfig(plan: ContainerPlan): HostConfig & { CgroupnsMode: 'private' } {
  const memory = plan.memoryMiB * MIB
  return {
    NetworkMode: 'none',
    IpcMode: 'none',
    CgroupnsMode: 'private',
    CapDrop: ['ALL'],
    SecurityOpt: ['no-new-privileges', `seccomp=${seccomp}`],
    ReadonlyRootfs: true,
    // The file and not its folder, read-only: connecting needs no more, and nothing can be left on the host's disk.
    Mounts: [{ Type: 'bind', Source: plan.socketPath, Target: AGENT_SOCKET, ReadOnly: true }],
    Tmpfs: {
      '/tmp': `rw,noexec,nosuid,nodev,mode=1777,size=${Math.max(16, Math.floor(plan.memoryMiB / 4))}m`,
      // Code, native modules too: they need exec.
      '/fn': `rw,exec,nosuid,nodev,mode=0755,uid=1000,gid=1000,size=${plan.memoryMiB}m`,
    },
    Memory: memory,
    MemorySwap: memory,
    NanoCpus: NANO_CPUS,
    PidsLimit: PIDS + plan.concurrency,
    Ulimits: [
      { Name: 'nofile', Soft: OPEN_FILES, Hard: OPEN_FILES },
      { Name: 'core', Soft: 0, Hard: 0 },
    ],
    LogConfig: { Type: 'none', Config: {} },
    Init: false,
    RestartPolicy: { Name: 'no' },
  }
}
