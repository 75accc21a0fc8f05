/** Whether the process can go on, can serve, and has started. */
import type { HealthCheck, Probe } from '../../api/index.ts'
import type { Streams } from '../../streams/index.ts'
import type { EmbeddedLog } from '../../transports/embedded/index.ts'

export function healthChecks(probe: Probe, streams: Streams, log: EmbeddedLog): readonly HealthCheck[] {
  const topologies = streams.runners.map(({ topology, state, failure }): HealthCheck => {
    // Stopping is what was asked for; only a failure needs another process.
    const ok = probe === 'live' ? state !== 'failed' : state === 'running'
    const code = failure !== undefined && 'code' in failure ? ` (${String(failure.code)})` : ''
    return { name: `topology ${topology.name}`, ok, detail: `${state}${code}` }
  })
  if (probe !== 'ready') return topologies
  return [...topologies, tasksCheck(streams), roomCheck(log)]
}

/** One task that is down leaves its keys without answers; the others go on. */
function tasksCheck(streams: Streams): HealthCheck {
  const tasks = streams.runners.flatMap((runner) => runner.tasks)
  const down = tasks.filter(({ lifecycle }) => lifecycle.state !== 'running')
  const detail = down.length === 0 ? `${tasks.length} run` : down.map(({ name }) => name).join(', ')
  return {
    name: 'tasks',
    ok: down.length === 0,
    detail: down.length === 0 ? detail : `not running: ${detail}`,
  }
}

function roomCheck(log: EmbeddedLog): HealthCheck {
  const { bytesOnDisk, maxDiskBytes } = log.stats()
  return { name: 'disk', ok: bytesOnDisk < maxDiskBytes, detail: `${bytesOnDisk} of ${maxDiskBytes} bytes` }
}
