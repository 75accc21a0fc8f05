/** The topologies with what is measured on them, as plain data. */
import { type Streams, taskName, toJson } from '../../streams/index.ts'
import { type InputLag, inputLags, type RateMeter } from './lag.ts'

export function liveGraph({
  streams,
  rates,
}: {
  readonly streams: Streams
  readonly rates: RateMeter
}): object {
  const lags = inputLags(streams)
  return {
    topologies: streams.runners.map((runner) => {
      const json = toJson(runner.topology)
      return {
        ...json,
        state: runner.state,
        subTopologies: json.subTopologies.map((sub) => ({
          ...sub,
          tasks: runner.tasks
            .filter(({ task }) => task.subTopology === sub.id)
            .map((task) => ({
              name: task.name,
              partition: task.task.partition,
              state: task.lifecycle.state,
              streamTime: task.streamTime < 0 ? null : task.streamTime,
              inputs: lags.filter((lag) => lag.task === task.name).map((lag) => inputOf(lag, rates)),
            })),
          standbys: runner.standbys
            .filter(({ task }) => task.subTopology === sub.id)
            .map(({ task, state, lag }) => {
              return { name: taskName(task), partition: task.partition, state, lagRecords: lag ?? null }
            }),
        })),
      }
    }),
  }
}

function inputOf({ topic, partition, position, lagRecords }: InputLag, rates: RateMeter): object {
  return { topic, partition, position, lagRecords, recordsPerSecond: rates.perSecond(topic, partition) }
}
