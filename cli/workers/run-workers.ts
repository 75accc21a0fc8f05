/** `millrace start` with several workers: the parent runs no shop itself. */
import { randomBytes } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Config } from '../../config/index.ts'
import { type Context, Interrupted } from '../context.ts'
import type { StartFlags } from '../flags.ts'
import { freePort } from '../local-cluster/ports.ts'
import { WorkerPool } from './worker-pool.ts'
import { startWorker } from './worker-process.ts'
import { workerCommand, type WorkerSettings } from './worker-settings.ts'

const SECRET_BYTES = 32
const MS_PER_SECOND = 1000

/** Until the process is asked to end; signals go on to the workers. Rejects with a `WorkerFailure`. */
export async function runWorkers(context: Context, config: Config, flags: StartFlags): Promise<void> {
  const { output, env, stop } = context
  const secret = randomBytes(SECRET_BYTES).toString('hex')
  const settings: WorkerSettings = { config, flags, env, secret, ports: await portsOf(config) }
  const pool = new WorkerPool({
    workers: config.workers,
    start: (index) => startWorker(workerCommand(settings, index)),
    monotonic: () => performance.now(),
    wait: (ms, signal) => sleep(ms, undefined, { signal }).catch(() => undefined),
    onRestart: (index, { code }, afterMs) => {
      const again = `again in ${afterMs / MS_PER_SECOND} s`
      output.say(`${output.paint('yellow', 'millrace:')} worker ${index} ended with ${code}; ${again}`)
    },
  })
  const end = (): void => pool.end(stop.reason instanceof Interrupted ? stop.reason.signal : 'SIGTERM')
  stop.addEventListener('abort', end, { once: true })
  try {
    await pool.run()
  } finally {
    stop.removeEventListener('abort', end)
  }
}

/** From the one that is configured upwards; free ones for 0. */
async function portsOf({ workers, http: { port } }: Config): Promise<readonly number[]> {
  const ports: number[] = []
  for (let index = 0; index < workers; index++) ports.push(port === 0 ? await freePort() : port + index)
  return ports
}
