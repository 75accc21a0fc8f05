/**
 * Posts each record to an address, as JSON, with the key of its delivery: whoever answers can tell what comes twice.
 *
 * In a project of one's own the import is `millrace/connectors`.
 */
import { type Connector, eachRecord, type Incoming, Unavailable } from '../../connectors/index.ts'

export interface HttpPostOptions {
  readonly name: string
  readonly topic: Connector['inputs'][number]
  readonly url: string
  /** Requests under way at a time. */
  readonly concurrency: number
}

export function httpPost({ name, topic, url, concurrency }: HttpPostOptions): Connector {
  return {
    name,
    inputs: [topic],
    open: () => Promise.resolve(eachRecord({ concurrency, deliver: (record, signal) => post(url, record, signal) })),
  }
}

async function post(url: string, record: Incoming, signal: AbortSignal) {
  const { recordKey, value, timestamp, key } = record
  const response = await fetch(url, {
    method: 'POST',
    headers: { 'content-type': 'application/json', 'idempotency-key': key },
    body: JSON.stringify({ key: recordKey, value, timestamp }),
    signal,
  })
  // Read to its end, so that the connection can be used again.
  await response.arrayBuffer()
  const { status, headers } = response
  if (status < 300) return undefined
  if (status === 408 || status === 429 || status >= 500) {
    const seconds = Number(headers.get('retry-after') ?? 0)
    throw new Unavailable(`it answers ${status}`, { retryAfterMs: Number.isFinite(seconds) ? seconds * 1000 : 0 })
  }
  // It has read the request and does not want it, now or later.
  return { rejected: `HTTP ${status}` }
}
