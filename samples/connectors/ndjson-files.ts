/**
 * Appends records as lines of JSON to a file per partition, exactly once: how far the log was read lies in the file
 * itself, in each line. A line that a crash cut short is cut off, and comes again.
 *
 * In a project of one's own the import is `millrace/connectors`.
 */
import { type FileHandle, mkdir, open } from 'node:fs/promises'
import { join } from 'node:path'
import type { Connector, ConnectorTask, Target } from '../../connectors/index.ts'

export interface NdjsonFilesOptions {
  readonly name: string
  readonly topic: Connector['inputs'][number]
  readonly directory: string
}

export function ndjsonFiles({ name, topic, directory }: NdjsonFilesOptions): Connector {
  return { name, inputs: [topic], open: (task) => openFile(directory, task) }
}

async function openFile(directory: string, { partitions }: ConnectorTask): Promise<Target> {
  const [at] = partitions
  if (at === undefined) throw new RangeError('a connector has one topic at least')
  await mkdir(directory, { recursive: true })
  const file = await open(join(directory, `${at.topic}-${at.partition}.ndjson`), 'a+')
  const last = await lastOffset(file)
  return {
    positions: last === undefined ? [] : [{ ...at, offset: last + 1 }],
    async deliver({ records }) {
      const lines = records.map(({ offset, recordKey, value, timestamp }) => {
        return `${JSON.stringify({ offset, key: recordKey, value, timestamp })}\n`
      })
      const { size } = await file.stat()
      try {
        await file.appendFile(lines.join(''))
        await file.datasync()
      } catch (error) {
        // None of it is there: the batch comes again.
        await file.truncate(size)
        throw error
      }
      return {}
    },
    close: () => file.close(),
  }
}

/** The offset of the last whole line; what follows it is cut off. Nothing in an empty file. */
async function lastOffset(file: FileHandle): Promise<number | undefined> {
  const text = await file.readFile('utf8')
  const whole = text.slice(0, text.lastIndexOf('\n') + 1)
  if (whole.length < text.length) await file.truncate(Buffer.byteLength(whole))
  const line = whole.trimEnd().split('\n').at(-1)
  return line === undefined || line === '' ? undefined : (JSON.parse(line) as { offset: number }).offset
}
