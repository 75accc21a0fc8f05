/** Who wants to know which rows of a store a commit changed, so that nobody who waits for one has to look again and again. */
import type { RowWatch } from '../state/index.ts'

/** Called with the key of each row that a commit changed, once it can be read. Must not throw. */
export type OnRowChanged<K> = (key: K) => void

export class StoreWatches implements RowWatch {
  readonly #watchers = new Map<string, Set<OnRowChanged<never>>>()

  /** The rows of all tasks that run here. @returns ends it */
  watch<K>(store: string, onChanged: OnRowChanged<K>): () => void {
    const watchers = this.#watchers.get(store) ?? new Set()
    this.#watchers.set(store, watchers.add(onChanged))
    return () => {
      watchers.delete(onChanged)
      if (watchers.size === 0) this.#watchers.delete(store)
    }
  }

  wants(store: string): boolean {
    return this.#watchers.has(store)
  }

  changed(store: string, keys: readonly unknown[]): void {
    for (const watcher of this.#watchers.get(store) ?? []) for (const key of keys) watcher(key as never)
  }
}
