/** A reader whose pages can be held up, for tests of what happens meanwhile. */
import type { StateBackend, StateReader } from '../../../state/index.ts'

/** Promises that pages wait for, before they read and before they answer. */
export interface Delays {
  before: Promise<void> | undefined
  after: Promise<void> | undefined
}

export function delayed(backend: StateBackend, delays: Delays): StateReader {
  return {
    prefix: backend.prefix,
    get: (key) => backend.get(key),
    approximateBytes: (range) => backend.approximateBytes(range),
    async page(range, options) {
      const { before, after } = delays
      if (before !== undefined) await before
      const page = await backend.page(range, options)
      if (after !== undefined) await after
      return page
    },
  }
}
