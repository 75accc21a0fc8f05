/** How ports are asked: for how long, and for which page. */

export interface WaitOptions {
  readonly timeoutMs: number
  /** The client went away or the server closes. */
  readonly signal?: AbortSignal | undefined
}

export interface PageRequest {
  readonly limit: number
  /** `next` of the page before. Comes back exactly as it was given. */
  readonly after?: string | undefined
}

export interface Page<T> {
  readonly items: readonly T[]
  /** Where the next page begins; absent on the last one. */
  readonly next?: string | undefined
}
