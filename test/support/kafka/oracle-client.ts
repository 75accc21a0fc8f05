/** The way to the Java clients that the run started: one connection per file, opened when it is first needed. */
import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { createInterface } from 'node:readline'
import { inject } from 'vitest'
import './fixture.ts'

type Content = Readonly<Record<string, unknown>>

interface Answer {
  readonly id: number
  readonly records?: readonly unknown[]
  readonly done?: unknown
  readonly error?: string
}

export interface AskOptions {
  /** Told when records have come. */
  readonly onRecords?: () => void
  /** What is kept of each record as it comes; else the record. A long read need not have them all twice. */
  readonly keep?: (record: never) => unknown
}

interface Question extends AskOptions {
  readonly records: unknown[]
  readonly resolve: (answer: { done: unknown; records: unknown[] }) => void
  readonly reject: (error: Error) => void
}

const questions = new Map<number, Question>()
let opened: Promise<Socket> | undefined
let lastId = 0

/**
 * What the operation answers, and the records that came before it, in their order. Rejects
 * with the Java exception's text.
 */
export async function ask(
  op: string,
  content: Content,
  options: AskOptions = {},
): Promise<{ done: unknown; records: unknown[] }> {
  opened ??= open()
  const socket = await opened
  lastId += 1
  const id = lastId
  return new Promise((resolve, reject) => {
    questions.set(id, {
      ...options,
      records: [],
      resolve,
      reject: (error) => reject(new Error(`${op}: ${error.message}`)),
    })
    socket.write(`${JSON.stringify({ id, op, ...content })}\n`)
  })
}

async function open(): Promise<Socket> {
  const socket = connect({ host: '127.0.0.1', port: inject('kafka').oraclePort })
  await once(socket, 'connect')
  createInterface({ input: socket }).on('line', (line) => heard(JSON.parse(line) as Answer))
  socket.on('close', () => {
    for (const { reject } of questions.values()) reject(new Error('the Java clients have ended'))
    questions.clear()
  })
  // The file's end is not to wait for it.
  socket.unref()
  return socket
}

function heard({ id, records, done, error }: Answer): void {
  const question = questions.get(id)
  if (question === undefined) return
  if (records !== undefined) {
    const { keep, onRecords } = question
    for (const record of records) question.records.push(keep === undefined ? record : keep(record as never))
    onRecords?.()
    return
  }
  questions.delete(id)
  if (error === undefined) question.resolve({ done, records: question.records })
  else question.reject(new Error(error))
}
