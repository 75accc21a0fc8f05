/** Where everything beyond the limit is counted. */
export const OTHER = 'other'

/**
 * Keeps a label's values few: the first `limit` ones stay what they are, for as long as the process lives, and all
 * others become `other`. First come, first kept, because a value that lost its series would make counters fall.
 */
export class BoundedLabel {
  readonly #limit: number
  readonly #kept = new Set<string>()

  constructor(limit: number) {
    this.#limit = limit
  }

  of(value: string): string {
    if (this.#kept.has(value)) return value
    if (this.#kept.size >= this.#limit) return OTHER
    this.#kept.add(value)
    return value
  }
}
