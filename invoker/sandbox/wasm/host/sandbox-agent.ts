// A sandbox from inside its worker: answers the frames of its channel.
import { type Frame, FrameFlag, FrameType, type InvokeHead, PROTOCOL, type ReadyHead, splitHead } from '#core/frames'
import type { InstancePolicy } from '#core/function'
import type { FunctionFailure } from '#core/outcome'

import type { LoadResult } from '../../driver.ts'
import type { FrameSocket } from '../../frame-socket.ts'
import { ControlType } from '../control.ts'
import { Call } from './call.ts'
import { EgressClient } from './egress-client.ts'
import { CommandGuest } from '../preview1/command.ts'
import { HttpGuest } from './http-world.ts'
import { FunctionGuest } from './function-world.ts'
import { QuickJsGuest } from './quickjs/guest.ts'
import { type GlueScript, runGlueScript } from './glue-script.ts'
import type { Guest, GuestContext, Instantiate } from './guest.ts'
import { Instances } from './instances.ts'
import type { LoadFailedMessage, LoadMessage } from './messages.ts'
import { failureOf } from './thrown.ts'

export interface SandboxAgentOptions {
  readonly socket: FrameSocket
  readonly channel: number
  readonly importGlue: (path: string) => Promise<unknown>
  readonly onGlueCode: (code: Uint8Array) => void
}

export class SandboxAgent implements Disposable {
  readonly #options: SandboxAgentOptions
  readonly #calls = new Map<number, Call>()
  readonly #egress: EgressClient
  #instances: Instances | undefined
  #glue: GlueScript | undefined

  constructor(options: SandboxAgentOptions) {
    this.#options = options
    this.#egress = new EgressClient(options.socket, options.channel)
    const ready: ReadyHead = { protocol: PROTOCOL, runtime: 'wasm' }
    this.#send(FrameType.ready, JSON.stringify(ready))
  }

  async load(message: LoadMessage | LoadFailedMessage): Promise<void> {
    if (message.kind === 'load-failed') return this.#loaded({ loaded: false, failure: broken(message.message) })
    try {
      const instances = new Instances({
        guest: await this.#guest(message),
        policy: policyOf(message),
        flush: () => this.#options.socket.flush(),
      })
      await instances.start()
      const code = this.#glue?.takeCode()
      if (code !== undefined) this.#options.onGlueCode(code)
      this.#glue = undefined
      this.#instances = instances
      this.#loaded({ loaded: true })
    } catch (error) {
      this.#loaded({ loaded: false, failure: failureOf(error) })
    }
  }

  receive(frame: Frame): void {
    switch (frame.type) {
      case FrameType.invoke:
        return this.#invoke(frame)
      case FrameType.ping:
        return this.#send(FrameType.pong, '')
      case ControlType.answer:
        return this.#egress.answer(frame)
      default:
        this.#calls.get(frame.call)?.receive(frame)
    }
  }

  /** Lets go of its instances. */
  [Symbol.dispose](): void {
    this.#instances?.[Symbol.dispose]()
  }

  #invoke(frame: Frame): void {
    const { head, body } = splitHead(frame.payload)
    const call = new Call({
      ...this.#options,
      number: frame.call,
      head: head as InvokeHead,
      onOver: () => this.#calls.delete(frame.call),
    })
    this.#calls.set(frame.call, call)
    call.body.push(body, (frame.flags & FrameFlag.end) !== 0)
    const instances = this.#instances
    if (instances === undefined) return call.fail(broken('nothing is loaded'))
    instances.run(
      (instance) => instance.run(call),
      (error) => call.fail(failureOf(error)),
    )
  }

  async #guest(message: LoadMessage): Promise<Guest> {
    const { manifest, modules, plan, spec } = message
    const glue = (await this.#loadGlue(message)) as { instantiate: Instantiate } | undefined
    const context: GuestContext = {
      manifest,
      modules,
      plan,
      spec,
      egress: this.#egress,
      instantiate: glue?.instantiate,
      policy: policyOf(message),
    }
    switch (manifest.world) {
      case 'function':
        return manifest.glue === '' ? new QuickJsGuest(context) : new FunctionGuest(context)
      case 'wasi-http':
        return new HttpGuest(context)
      case 'command':
        return new CommandGuest(context)
      default:
        return manifest.world satisfies never
    }
  }

  async #loadGlue({ manifest, gluePath, glueCode }: LoadMessage): Promise<unknown> {
    if (gluePath === '') return undefined
    if (manifest.script !== true) return this.#options.importGlue(gluePath)
    this.#glue = await runGlueScript(gluePath, glueCode)
    return this.#glue.exports
  }

  #loaded(result: LoadResult): void {
    this.#send(FrameType.loaded, JSON.stringify(result))
  }

  #send(type: FrameType, payload: string): void {
    const { socket, channel } = this.#options
    socket.send({ type, flags: FrameFlag.none, channel, call: 0 }, Buffer.from(payload))
  }
}

/** Where restoring is not known to give a fresh instance, a fresh one is made. A command runs once. */
function policyOf({ manifest, spec }: LoadMessage): InstancePolicy {
  if (manifest.world === 'command') return 'fresh'
  return spec.instances === 'reset' && (!manifest.resettable || manifest.glue !== '') ? 'fresh' : spec.instances
}

function broken(message: string): FunctionFailure {
  return { type: 'LoadError', message }
}
