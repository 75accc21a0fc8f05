/** Token buckets, one per client; the number of clients remembered is bounded. */

export interface RateLimitOptions {
  readonly perSecond: number
  readonly burst: number
  /** Buckets kept; the client unseen for longest is forgotten first and starts anew with a full one. */
  readonly clients: number
  /** Milliseconds, never going back. */
  readonly monotonic: () => number
}

interface Bucket {
  tokens: number
  at: number
}

export class RateLimit {
  readonly #options: RateLimitOptions
  /** In the order in which clients were last put at the end; see `#touch`. */
  readonly #buckets = new Map<string, Bucket>()

  constructor(options: RateLimitOptions) {
    this.#options = options
  }

  /** Takes one token of the client's. @returns 0, or the milliseconds until there is one */
  take(client: string): number {
    const { perSecond, burst, monotonic } = this.#options
    const now = monotonic()
    const bucket = this.#touch(client, now)
    bucket.tokens = Math.min(burst, bucket.tokens + ((now - bucket.at) / 1_000) * perSecond)
    bucket.at = now
    if (bucket.tokens >= 1) {
      bucket.tokens -= 1
      return 0
    }
    return ((1 - bucket.tokens) / perSecond) * 1_000
  }

  get clients(): number {
    return this.#buckets.size
  }

  #touch(client: string, now: number): Bucket {
    const known = this.#buckets.get(client)
    if (known !== undefined) {
      // Order matters only once buckets are about to be forgotten; until then the two map writes are saved.
      if (this.#buckets.size * 2 > this.#options.clients) {
        this.#buckets.delete(client)
        this.#buckets.set(client, known)
      }
      return known
    }
    if (this.#buckets.size >= this.#options.clients) {
      for (const oldest of this.#buckets.keys()) {
        this.#buckets.delete(oldest)
        break
      }
    }
    const bucket = { tokens: this.#options.burst, at: now }
    this.#buckets.set(client, bucket)
    return bucket
  }
}
