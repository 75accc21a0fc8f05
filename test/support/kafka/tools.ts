/** Kafka's command-line tools, each in a Java of its own (about a second). */
import { globSync } from 'node:fs'
import { join } from 'node:path'
import { inject } from 'vitest'
import { runMain } from '../../../cli/local-cluster/java.ts'
import './fixture.ts'

const TIMEOUT_MS = 60_000

/** What the tool prints. */
export async function kafkaTool(mainClass: string, ...args: string[]): Promise<string> {
  const { java, jars } = inject('kafka')
  const { stdout } = await runMain(java, jars, mainClass, args, { timeoutMs: TIMEOUT_MS })
  return stdout
}

/** `kafka-transactions`, for example with `find-hanging` or `abort`. */
export function transactionsTool(bootstrap: string, ...args: string[]): Promise<string> {
  return kafkaTool('org.apache.kafka.tools.TransactionsCommand', '--bootstrap-server', bootstrap, ...args)
}

/** Every record batch of a partition and its records, as a broker has them on disk. */
export function dumpLog(logDirectory: string, topic: string, partition: number): Promise<string> {
  const segments = globSync('*.log', { cwd: join(logDirectory, `${topic}-${partition}`) }).toSorted()
  if (segments.length === 0) throw new Error(`${logDirectory} has nothing of ${topic}-${partition}`)
  const files = segments.map((file) => join(logDirectory, `${topic}-${partition}`, file)).join(',')
  return kafkaTool('kafka.tools.DumpLogSegments', '--files', files, '--print-data-log', '--deep-iteration')
}
