/** What payment and courier have in common as connectors: options, batches and the one client of a task. */
import { type AnyTopic, type Clock, systemClock } from '../../streams/index.ts'
import type { Connector, Target } from '../frame/connector.ts'
import { type CallMaker, makeCalls } from './calls.ts'
import { type ProviderAddress, ProviderClient } from './client.ts'

export interface ProviderOptions extends ProviderAddress {
  /** For one call, milliseconds. */
  readonly timeoutMs: number
  /** Calls at a time, per task. */
  readonly connections: number
  readonly clock?: Clock | undefined
}

interface ProviderConnector<C, R> {
  readonly name: string
  readonly input: AnyTopic
  readonly output: AnyTopic
  readonly options: ProviderOptions
  readonly maker: (client: ProviderClient) => CallMaker<C, R>
}

/** Unless the provider asks for more. */
const BACKOFF_MS = 500
const MAX_BACKOFF_MS = 30_000

export function providerConnector<C extends { readonly orderId: string; readonly expiresAt: number }, R>({
  name,
  input,
  output,
  options,
  maker,
}: ProviderConnector<C, R>): Connector {
  const { timeoutMs, connections, clock = systemClock } = options
  return {
    name,
    inputs: [input],
    outputs: [output],
    delivery: {
      batchRecords: connections,
      lingerMs: 0,
      backoffMs: BACKOFF_MS,
      maxBackoffMs: MAX_BACKOFF_MS,
      // All calls of a batch may be about one order.
      timeoutMs: (connections + 1) * timeoutMs,
    },
    open: () => {
      const client = new ProviderClient({ ...options, clock })
      const calls = maker(client)
      const target: Target = {
        deliver: (batch, signal) => makeCalls(calls, batch, clock, signal),
        close: () => client.close(),
      }
      return Promise.resolve(target)
    },
  }
}
