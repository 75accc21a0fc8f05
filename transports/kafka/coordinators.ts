/** Which broker coordinates which group or transactional id: asked once, kept until it is forgotten. */
import type { BrokerConnections } from './network.ts'
import { refusal } from './errors.ts'
import { NONE } from './protocol/errors.ts'
import { type CoordinatorOf, type FoundCoordinator, findCoordinator } from './protocol/groups.ts'
import { type Patience, withRetries } from './retry.ts'

export class Coordinators {
  readonly #connections: BrokerConnections
  readonly #patience: Patience
  /** `found` is told of every answer: a coordinator may be a broker that metadata did not list yet. */
  readonly #found: (coordinator: FoundCoordinator) => void
  readonly #nodes = new Map<string, Promise<number>>()

  constructor(
    connections: BrokerConnections,
    patience: Patience,
    found: (coordinator: FoundCoordinator) => void,
  ) {
    this.#connections = connections
    this.#patience = patience
    this.#found = found
  }

  /** Node id. Calls at the same time are one request. */
  find(kind: CoordinatorOf, key: string): Promise<number> {
    const cacheKey = cacheKeyOf(kind, key)
    const cached = this.#nodes.get(cacheKey)
    if (cached !== undefined) return cached
    const asked = withRetries(() => this.#ask(kind, key), this.#patience)
    this.#nodes.set(cacheKey, asked)
    asked.catch(() => {
      if (this.#nodes.get(cacheKey) === asked) this.#nodes.delete(cacheKey)
    })
    return asked
  }

  /** Who coordinates it is asked anew; a question that is under way is not waited for. */
  forget(kind: CoordinatorOf, key: string): void {
    this.#nodes.delete(cacheKeyOf(kind, key))
  }

  async #ask(kind: CoordinatorOf, key: string): Promise<number> {
    const { coordinators } = await this.#connections.sendToAny(findCoordinator(kind, [key]))
    const found = coordinators.find((coordinator) => coordinator.key === key)
    if (found === undefined) throw new Error(`FindCoordinator: the answer does not name ${key}`)
    if (found.errorCode !== NONE) {
      const resource = { kind: kind === 'group' ? 'group' : 'transactional id', name: key } as const
      throw refusal('FindCoordinator', found.errorCode, resource, found.errorMessage)
    }
    this.#found(found)
    return found.nodeId
  }
}

function cacheKeyOf(kind: CoordinatorOf, key: string): string {
  return `${kind}:${key}`
}
