/** What each worker is told that differs from its parent's configuration. Pure. */
import { join } from 'node:path'
import type { Config } from '../../config/index.ts'
import type { StartFlags } from '../flags.ts'
import type { WorkerCommand } from './worker-process.ts'

export interface WorkerSettings {
  readonly config: Config
  /** Those that the parent was given. */
  readonly flags: StartFlags
  readonly env: Readonly<Record<string, string | undefined>>
  /** For processes that share no secret yet. */
  readonly secret: string
  /** Where each listens, also when it is started again: the others may not hear of another address. */
  readonly ports: readonly number[]
}

/** The command line of worker `index`: a directory, a slot and a port of its own; all else as the parent's. */
export function workerCommand(settings: WorkerSettings, index: number): WorkerCommand {
  const { config, flags, env, secret, ports } = settings
  const { kafka, peers, dataDir } = config
  const own: StartFlags = {
    ...flags,
    dataDir: join(dataDir, `worker-${index}`),
    port: String(ports[index]),
    workers: '1',
    withParent: true,
    set: [
      ...(flags.set ?? []),
      ...(kafka.slot === undefined ? [] : [`kafka.slot=${kafka.slot}-${index}`]),
      ...(peers.address === undefined ? [] : [`peers.address=${addressOf(peers.address, index)}`]),
    ],
  }
  return {
    args: ['start', ...argumentsOf(own)],
    env: peers.secret === undefined ? { ...env, MILLRACE_PEERS_SECRET: secret } : env,
  }
}

/** Ports go up from one worker to the next, also where something between changes the host. */
function addressOf(address: string, index: number): string {
  const url = new URL(address)
  const standard = url.protocol === 'https:' ? 443 : 80
  url.port = String((url.port === '' ? standard : Number(url.port)) + index)
  return url.origin
}

/** Flags as they are typed. */
export function argumentsOf(flags: StartFlags): readonly string[] {
  return Object.entries(flags).flatMap(([name, value]: [string, unknown]) => {
    const flag = `--${name.replaceAll(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`
    if (value === true) return [flag]
    if (Array.isArray(value)) return value.flatMap((one: string) => [flag, one])
    return typeof value === 'string' ? [flag, value] : []
  })
}
