/** Configuration files and variables that nobody meant: each is loaded, or refused with the names of its fields. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { ConfigError, configKeys, loadConfig } from '../../config/index.ts'
import { type Random, seededRandom } from '../support/random.ts'
import { mutateBytes, oddValue, spoilt } from './mutate.ts'

const SECRET = 'a-secret-that-must-not-show'

export interface ConfigRun {
  readonly seed: number
  readonly loaded: number
  readonly refused: number
}

/** Throws where one is neither, names no field, or shows a secret. */
export function fuzzConfig(seed: number, files: number): ConfigRun {
  const random = seededRandom(seed)
  const directory = mkdtempSync(join(tmpdir(), 'millrace-fuzz-'))
  const file = join(directory, 'millrace.json')
  const good = goodFile()
  let loaded = 0
  try {
    for (let i = 0; i < files; i++) {
      const text = fileText(good, random)
      writeFileSync(file, text)
      const env = environment(random)
      try {
        if (isTaken({ env, cwd: directory, file })) loaded++
      } catch (error) {
        throw new Error(`file ${i} of seed ${seed}: ${text.toString()}, with ${JSON.stringify(env)}`, {
          cause: error,
        })
      }
    }
    return { seed, loaded, refused: files - loaded }
  } finally {
    rmSync(directory, { recursive: true, force: true })
  }
}

/** Every key that may stand in a file, with its default. */
function goodFile(): Record<string, unknown> {
  const whole: Record<string, Record<string, unknown>> = {}
  for (const { path, default: value, secret } of configKeys) {
    const [section, name] = path.split('.')
    if (value === undefined || secret === true || section === undefined || name === undefined) continue
    ;(whole[section] ??= {})[name] = value
  }
  return whole
}

function fileText(good: unknown, random: Random): Buffer {
  const value = random.chance(1 / 10) ? good : spoilt(good, random)
  const text = Buffer.from(JSON.stringify(value) ?? '')
  return random.chance(1 / 4) ? mutateBytes(text, random, text) : text
}

function environment(random: Random): Record<string, string> {
  const env: Record<string, string> = { MILLRACE_ADMIN_TOKEN: SECRET }
  if (random.chance(1 / 2)) env[random.pick(configKeys).env] = asText(oddValue(random))
  return env
}

function asText(value: unknown): string {
  return typeof value === 'string' ? value : (JSON.stringify(value) ?? '')
}

function isTaken(input: Parameters<typeof loadConfig>[0]): boolean {
  try {
    const { config, shown } = loadConfig(input)
    if (!Object.isFrozen(config)) throw new Error('the configuration is not frozen')
    if (JSON.stringify([config, shown]).includes(SECRET)) throw new Error('a secret shows')
    return true
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error
    const named = error.problems.every(
      ({ key, origin, message }) => key !== '' && origin !== '' && message !== '',
    )
    if (!named || error.problems.length === 0) throw new Error('no field is named', { cause: error })
    if (error.message.includes(SECRET)) throw new Error('a secret shows', { cause: error })
    return false
  }
}
