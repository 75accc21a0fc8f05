/** The faults F1 to F26 that Millrace must survive, as the titles of tests name them: the one list there is. */
import { globSync } from 'node:fs'
import { sep } from 'node:path'
import { ROOT, titlesOf } from '../house/sources.ts'

export const LAST_FAULT = 26

/** `F1` to `F26`. */
export const FAULTS: readonly string[] = Array.from({ length: LAST_FAULT }, (_, i) => `F${i + 1}`)

const NAME = /\bF\d+\b/g

/** Faults that a title names, each once, in its order. */
export function faultsIn(title: string): string[] {
  return [...new Set(title.match(NAME))]
}

/** What picks the tests of these faults by their whole names; of all faults when none is given. */
export function patternOf(faults: readonly string[]): string {
  return faults.length === 0 ? '\\bF\\d+\\b' : `\\b(?:${faults.join('|')})\\b`
}

/** Files under a folder of `test/` whose tests name a fault, and the faults that they name. */
export function filesWithFaults(folder: string): ReadonlyMap<string, readonly string[]> {
  const files = globSync(`test/${folder}/**/*.test.ts`, { cwd: ROOT }).map((path) =>
    path.split(sep).join('/'),
  )
  const named = files.toSorted().map((file) => [file, faultsIn(titlesOf(file).join(' '))] as const)
  return new Map(named.filter(([, faults]) => faults.length > 0))
}
