/**
 * A process that appends and commits as fast as it can and prints each number once the log has it, until it is killed.
 * Arguments: directory, first number, bytes of a write buffer.
 */
import { writeSync } from 'node:fs'
import { openEmbeddedLog } from '../../../transports/embedded/index.ts'
import {
  appendRecord,
  checkpointAt,
  commitOf,
  groupOf,
  joined,
  output,
  taskOf,
  topicSpec,
} from '../../contract/log-fixtures.ts'

const [directory = '', first = '1', writeBufferBytes = '65536'] = process.argv.slice(2)
const log = await openEmbeddedLog({
  directory,
  application: 'contract',
  writeBufferBytes: Number(writeBufferBytes),
  housekeepingIntervalMs: 20,
})
await log.ensureTopics([topicSpec('in'), topicSpec('out')])
const { assignment } = await joined(log, groupOf('in'))
const { prefix } = await log.taskState(taskOf(0))
for (let i = Number(first); ; i++) {
  const value = `${i} ${'x'.repeat((i * 7919) % 3_000)}`
  const key = Buffer.concat([prefix, Buffer.from(`${i % 50}`)])
  const state = [{ type: 'put', key, value: Buffer.from(value) }] as const
  await log.append([appendRecord('in', value)])
  await log.commit([commitOf(assignment.epoch, checkpointAt(i, i), { outputs: [output(value)], state })])
  writeSync(1, `${i}\n`)
}
