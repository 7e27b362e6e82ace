// Starts one container and waits for its agent. Whatever goes wrong, nothing is left behind.
import type Docker from 'dockerode'

import type { Clock } from '#core/clock'
import { PlatformError } from '#core/errors'
import { PROTOCOL } from '#core/frames'
import type { SandboxId } from '#core/ids'
import { within } from '#invoker/within'

import { FrameSocket } from '../frame-socket.ts'
import { SandboxLink } from '../link.ts'
import { AgentSocket, socketPath } from './agent-socket.ts'
import { containerOptions } from './container-spec.ts'
import { removeContainer } from './kill.ts'
import { LastWords } from './last-words.ts'
import type { ContainerRuntime } from './recipes.ts'
import { DockerSandbox } from './sandbox.ts'
import type { Terminations } from './terminations.ts'

/** A container that has not come to life by then never will. */
const START_MS = 60_000

export interface Creation {
  readonly id: SandboxId
  readonly image: string
  readonly runtime: ContainerRuntime
  readonly memoryMiB: number
  readonly concurrency: number
}

export interface CreationContext {
  readonly docker: Docker
  readonly terminations: Terminations
  readonly clock: Clock
  readonly runtimeDir: string
  readonly labels: { readonly installation: string; readonly process: string }
}

/** @throws PlatformError `sandbox-unavailable`; dockerode's error when the daemon refuses; the signal's reason */
export async function createSandbox(
  creation: Creation,
  context: CreationContext,
  signal: AbortSignal,
): Promise<DockerSandbox> {
  const { docker, terminations, runtimeDir, labels } = context
  await using undo = new AsyncDisposableStack()
  const agentSocket = undo.use(await AgentSocket.listen(socketPath(runtimeDir, creation.id)))
  const plan = { ...creation, name: creation.id, socketPath: agentSocket.path, labels }
  const container = await docker.createContainer(containerOptions(plan))
  undo.defer(() => removeContainer(container))
  terminations.watch(container.id)
  undo.defer(() => terminations.forget(container.id))
  signal.throwIfAborted()
  const lastWords = new LastWords()
  const attached = container.attach({ stream: true, stderr: true }).then((stream) => lastWords.follow(stream))
  await Promise.all([attached, container.start()])
  const disconnected = Promise.withResolvers<void>()
  const { socket, link } = await connectAgent({ agentSocket, container, context, disconnected, lastWords }, signal)
  undo.move()
  return new DockerSandbox({
    id: creation.id,
    memoryMiB: creation.memoryMiB,
    container,
    agentSocket,
    socket,
    link,
    terminations,
    clock: context.clock,
    lastWords,
    disconnected: disconnected.promise,
  })
}

interface Starting {
  readonly agentSocket: AgentSocket
  readonly container: Docker.Container
  readonly context: CreationContext
  readonly disconnected: PromiseWithResolvers<void>
  readonly lastWords: LastWords
}

interface Agent {
  readonly socket: FrameSocket
  readonly link: SandboxLink
}

async function connectAgent(starting: Starting, signal: AbortSignal): Promise<Agent> {
  const { container, context, lastWords } = starting
  signal.throwIfAborted()
  const failed = Promise.withResolvers<never>()
  failed.promise.catch(() => {})
  const abort = (): void => failed.reject(signal.reason)
  signal.addEventListener('abort', abort, { once: true })
  const onDeath = (exitCode: number): void => {
    const said = lastWords.text.trim().split('\n').at(-1) ?? ''
    failed.reject(unavailable(`its process ended at once with exit code ${exitCode}${said === '' ? '' : `: ${said}`}`))
  }
  void context.terminations.died(container.id).then(onDeath)
  try {
    return await Promise.race([dialled(starting), failed.promise])
  } finally {
    signal.removeEventListener('abort', abort)
  }
}

async function dialled({ agentSocket, context, disconnected }: Starting): Promise<Agent> {
  const { clock } = context
  const connection = await within(agentSocket.connected, START_MS, clock)
  if (connection === undefined) throw unavailable(`its agent did not connect within ${START_MS} ms`)
  const onClose = (): void => disconnected.resolve()
  const socket: FrameSocket = new FrameSocket(connection, { onFrame: (frame) => link.receive(frame), onClose })
  const link = new SandboxLink({ socket, channel: 0, onViolation: () => socket.close(), clock })
  const ready = await within(Promise.race([link.ready, disconnected.promise]), START_MS, clock)
  if (ready?.protocol !== PROTOCOL) {
    throw unavailable(`its agent must speak protocol ${PROTOCOL}: received ${ready?.protocol ?? 'nothing'}`)
  }
  return { socket, link }
}

function unavailable(detail: string): PlatformError {
  return new PlatformError('sandbox-unavailable', { detail: `a container was started, but ${detail}` })
}
