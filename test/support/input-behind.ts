/** Whether everything that lies in a log is processed. */
import type { Log, Streams } from '../../streams/index.ts'

/** An input of a task that is not processed and committed to its end; nothing when all are. */
export async function inputBehind(streams: Streams, log: Log) {
  for (const runner of streams.runners) {
    for (const { inputs } of runner.tasks) {
      for (const { source, partition } of inputs) {
        const topic = source.topic.name
        const { end } = await log.bounds({ topic, partition })
        if (runner.progress.position(topic, partition) < end) return { runner, topic, partition, end }
      }
    }
  }
  return undefined
}
