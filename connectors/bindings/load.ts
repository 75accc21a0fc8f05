/** Profiles from files: JSON, or a module whose default export is one. */
import { readFile } from 'node:fs/promises'
import { extname } from 'node:path'
import { pathToFileURL } from 'node:url'
import type { Topics } from '../../schemas/index.ts'
import { compileProfile, type CompiledProfile } from './compile.ts'
import { ProfileError } from './errors.ts'

/** Rejects with a `ProfileError`. A module is run: it is as trusted as the program. */
export async function loadProfile(file: string, topics: Topics): Promise<CompiledProfile> {
  return compileProfile(await read(file), file, topics)
}

async function read(file: string): Promise<unknown> {
  try {
    if (extname(file) === '.json') return JSON.parse(await readFile(file, 'utf8')) as unknown
    const module = (await import(pathToFileURL(file).href)) as { readonly default?: unknown }
    return module.default
  } catch (cause) {
    const message = `cannot be read: ${cause instanceof Error ? cause.message : String(cause)}`
    throw new ProfileError(file, [{ path: 'profile', message }], { cause })
  }
}
