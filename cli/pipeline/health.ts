/** Whether the process can go on, can serve, and has started. */
import type { HealthCheck, Probe } from '../../api/index.ts'
import { type Streams, taskName, type Topology } from '../../streams/index.ts'

/**
 * @param deciding what the shop cannot be without: where another topology fails, it is watched no more, and serves
 * @param others what else readiness depends on
 *
 * A task that is paused by dead letters is told and no failing check: it answers for its keys, and a flood of poison must
 * not take a process out of service.
 */
export function healthChecks(
  probe: Probe,
  streams: Streams,
  deciding: readonly Topology[],
  others: () => readonly HealthCheck[],
): readonly HealthCheck[] {
  const names = new Set(deciding.map(({ name }) => name))
  const topologies = streams.runners.map(({ topology, state, failure, notRunning }): HealthCheck => {
    // Stopping is what was asked for; only a failure needs another process.
    const ok = probe === 'live' ? state !== 'failed' : state === 'running'
    if (!names.has(topology.name)) return watcherCheck(topology.name, state, notRunning.length)
    const code = failure !== undefined && 'code' in failure ? ` (${String(failure.code)})` : ''
    return { name: `topology ${topology.name}`, ok, detail: `${state}${code}` }
  })
  switch (probe) {
    case 'live':
      return topologies
    case 'startup':
      return [...topologies, tasksCheck(streams, names)]
    case 'ready':
      return [...topologies, tasksCheck(streams, names), pausedCheck(streams), ...others()]
  }
}

/** One task that is down leaves its keys without answers; the others go on. */
function tasksCheck(streams: Streams, names: ReadonlySet<string>): HealthCheck {
  const runners = streams.runners.filter(({ topology }) => names.has(topology.name))
  const down = runners.flatMap(({ notRunning }) => notRunning.map(taskName))
  const running = runners
    .flatMap(({ tasks }) => tasks)
    .filter(({ lifecycle }) => lifecycle.state === 'running')
  const detail = down.length === 0 ? `${running.length} run` : `not running: ${down.join(', ')}`
  return { name: 'tasks', ok: down.length === 0, detail }
}

function watcherCheck(name: string, state: string, notRunning: number): HealthCheck {
  const degraded = state !== 'running' || notRunning > 0
  const detail = notRunning === 0 ? state : `${state}, ${notRunning} tasks do not run`
  return { name: `topology ${name}`, ok: true, degraded, detail }
}

function pausedCheck(streams: Streams): HealthCheck {
  const paused = streams.runners
    .flatMap(({ tasks }) => tasks)
    .flatMap(({ name, flood }) => (flood === undefined ? [] : [`${name} (${flood.topic})`]))
  const detail = paused.length === 0 ? 'no task is paused' : `paused: ${paused.join(', ')}`
  return { name: 'dead letters', ok: true, detail }
}
