/** Small values that a data directory keeps in a file each, for people to see and to copy. */
import { open, readFile, rename } from 'node:fs/promises'
import { join } from 'node:path'
import { DirectoryError } from '../errors.ts'

const PRIVATE_MODE = 0o600

export interface KeptValue {
  readonly name: string
  readonly pattern: RegExp
  /** A first value, for a directory that has none. */
  readonly draw: () => string
}

/** The value as it is kept; drawn once. Call only while holding the directory. Throws a `DirectoryError`. */
export async function keptValue(directory: string, { name, pattern, draw }: KeptValue): Promise<string> {
  const path = join(directory, name)
  const found = await readFile(path, 'utf8').catch(nothingIfMissing)
  if (found === undefined) {
    const value = draw()
    await writeWhole(path, `${value}\n`)
    return value
  }
  const value = found.trim()
  if (!pattern.test(value)) throw new DirectoryError(`${path} does not hold what this program put there`)
  return value
}

/** All of it or nothing is there, also after a power cut. */
async function writeWhole(path: string, text: string): Promise<void> {
  const draft = `${path}.draft`
  const file = await open(draft, 'w', PRIVATE_MODE)
  try {
    await file.writeFile(text)
    await file.sync()
  } finally {
    await file.close()
  }
  await rename(draft, path)
}

function nothingIfMissing(error: unknown): undefined {
  if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined
  throw error
}
