/** What processes of connectors that tests kill have in common. */
import { writeSync } from 'node:fs'
import { setTimeout as delay } from 'node:timers/promises'
import { type Connector, groupOf } from '../../connectors/index.ts'
import type { Log, Streams } from '../../streams/index.ts'
import { inputBehind } from './input-behind.ts'

const LOOK_EVERY_MS = 20

/** Written before the next statement runs: who waits for the line acts while it does. */
export function tell(line: string): void {
  writeSync(1, `${line}\n`)
}

/** Resolves once the topologies are through with the log, and the connector has committed all of the topic. */
export async function drained(
  connector: Pick<Connector, 'name'>,
  topic: string,
  streams: Streams,
  log: Log,
): Promise<void> {
  for (let behind = await inputBehind(streams, log); behind; behind = await inputBehind(streams, log))
    await behind.runner.progress.reached(behind.topic, behind.partition, behind.end - 1, 1_000)
  for (let partition = 0; partition < log.partitions(topic); partition++) {
    const { end } = await log.bounds({ topic, partition })
    while (((await log.processed(groupOf(connector), { topic, partition })) ?? 0) < end)
      await delay(LOOK_EVERY_MS)
  }
}
