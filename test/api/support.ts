/** Starts the API on the fake pipeline, with a clock and ids in hand. */
import { connect, type Socket } from 'node:net'
import { onTestFinished } from 'vitest'
import { type Api, type ApiOptions, createApi, type TokenSpec, uuid7Ids } from '../../api/index.ts'
import type { RankingSnapshot } from '../../schemas/index.ts'
import { FakePipeline } from './fake-pipeline.ts'

export const NOW = Date.parse('2026-03-02T12:00:00Z')

export const TOKENS: readonly TokenSpec[] = [
  { role: 'read', secret: 'read-secret' },
  { role: 'producer', secret: 'producer-secret', name: 'web' },
  { role: 'producer', secret: 'pos-secret', name: 'pos', topics: ['order.confirmed'] },
  { role: 'service', secret: 'service-secret' },
  { role: 'admin', secret: 'admin-secret', name: 'ops' },
]

export const bearer = (secret: string) => ({ authorization: `Bearer ${secret}` })

export interface Started {
  readonly api: Api
  readonly pipeline: FakePipeline
  readonly clock: { time: number; elapsed: number }
}

export function start(options: Partial<ApiOptions> = {}): Started {
  const pipeline = new FakePipeline()
  const clock = { time: NOW, elapsed: 0 }
  let seed = 0
  const ids = uuid7Ids(
    () => clock.time,
    (pool) => pool.forEach((_, i) => (pool[i] = seed += 0x9e37_79b9)),
  )
  const api = createApi(
    {
      port: 0,
      currency: 'EUR',
      clock: { now: () => clock.time, monotonic: () => clock.elapsed },
      ids,
      cursorSecret: Buffer.alloc(16, 7),
      ...options,
    },
    pipeline,
  )
  onTestFinished(() => api.close())
  return { api, pipeline, clock }
}

/** As `start`, on a port and on the real clock. */
export async function serve(options: Partial<ApiOptions> = {}): Promise<Started & { readonly url: string }> {
  const clock = { now: () => Date.now(), monotonic: () => performance.now() }
  const started = start({ clock, ...options })
  return { ...started, url: await started.api.listen() }
}

export const definition = {
  name: 'Spring',
  quota: 2,
  opensAt: '2026-03-01T00:00:00Z',
  closesAt: '2026-04-01T00:00:00Z',
  discount: { kind: 'AMOUNT', value: 500 },
}

export async function putCampaign({ api }: Started, couponId = 'c1', change: object = {}, headers = {}) {
  const payload = { ...definition, ...change }
  return await api.app.inject({ method: 'PUT', url: `/v1/coupons/${couponId}`, payload, headers })
}

export function snapshot(change: Partial<RankingSnapshot> = {}): RankingSnapshot {
  return {
    window: 'day',
    metric: 'quantity',
    category: null,
    start: Date.parse('2026-03-02T00:00:00Z'),
    end: Date.parse('2026-03-03T00:00:00Z'),
    timeZone: 'UTC',
    depth: 1_000,
    entries: [
      { rank: 1, productId: 'p1', score: 5, quantity: 5, amount: 500, previousRank: 2 },
      { rank: 2, productId: 'p2', score: 3, quantity: 3, amount: 900, previousRank: null },
    ],
    watermark: NOW,
    revision: 8,
    final: false,
    corrected: false,
    lateCount: 0,
    ...change,
  }
}

/** A connection that speaks for itself. */
export class RawClient {
  readonly socket: Socket
  #received = ''
  readonly #closed: Promise<string>

  constructor(url: string) {
    const { hostname, port } = new URL(url)
    this.socket = connect(Number(port), hostname)
    this.#closed = new Promise((resolve) => {
      this.socket.on('data', (chunk) => (this.#received += chunk.toString('latin1')))
      // A reset is one way of being closed.
      this.socket.on('error', () => {})
      this.socket.on('close', () => resolve(this.#received))
    })
    onTestFinished(() => {
      this.socket.destroy()
    })
  }

  connected(): Promise<void> {
    return new Promise((resolve) => this.socket.once('connect', resolve))
  }

  send(text: string): this {
    this.socket.write(text)
    return this
  }

  /** All that came until the server closed. */
  closed(): Promise<string> {
    return this.#closed
  }
}
