/** Profiles of shops with topics of their own: what they bind, and what sample messages become. */
import { readFile } from 'node:fs/promises'
import { resolve } from 'node:path'
import { text } from 'node:stream/consumers'
import {
  checkTogether,
  type CompiledBinding,
  type CompiledProfile,
  loadProfile,
  type Mapped,
  mapMessage,
  nothingAround,
  parseExactly,
  readSample,
  type Asking,
} from '../../connectors/index.ts'
import { topics } from '../../schemas/index.ts'
import type { Context } from '../context.ts'
import { CheckError, InputError, UsageError } from '../errors.ts'
import type { BindingsFlags, BindingsTryFlags } from '../flags.ts'
import { table } from '../output.ts'

/** Throws a `ProfileError` with everything that is wrong with the first that is not in order. */
export async function checkBindings(
  { output, cwd }: Context,
  files: readonly string[],
  flags: BindingsFlags,
): Promise<void> {
  const profiles = await Promise.all(files.map((file) => loadProfile(resolve(cwd, file), topics)))
  checkTogether(profiles)
  const rows = profiles.flatMap(({ shop, bindings }) =>
    bindings.map(({ name, direction, from, writes }) => {
      return { shop, binding: name, direction, from: from.name, to: writes.map(({ to }) => to.name) }
    }),
  )
  if (flags.json === true) return output.data(JSON.stringify(rows, null, 2))
  const lines = rows.map(({ binding, direction, from, to }) => [binding, direction, from, to.join(', ')])
  output.data(table(['binding', 'direction', 'from', 'to'], lines))
}

interface Tried {
  readonly binding: string
  readonly message: number
  readonly misfit?: string
  readonly records?: readonly object[]
}

/** Throws a `CheckError` where a message does not fit. */
export async function tryBindings(context: Context, file: string, flags: BindingsTryFlags): Promise<void> {
  const { output, cwd } = context
  const profile = await loadProfile(resolve(cwd, file), topics)
  const reading = bindingsOf(profile, flags.topic)
  const samples = samplesOf(
    flags.samples === undefined ? await text(process.stdin) : await read(cwd, flags.samples),
  )
  const around = await aroundOf(cwd, flags.views)
  const tried: Tried[] = []
  for (const [message, sample] of samples.entries()) {
    for (const binding of reading) {
      const read = readSample(binding, sample, message)
      const mapped = 'misfit' in read ? read : await mapMessage(binding, read.message, around)
      tried.push({ binding: binding.name, message, ...shown(mapped) })
    }
  }
  output.data(flags.json === true ? JSON.stringify(tried, null, 2) : tried.map(asText).join('\n'))
  const misfits = tried.filter(({ misfit }) => misfit !== undefined).length
  if (misfits > 0) throw new CheckError(`${misfits} of ${tried.length} would go to the dead letters`)
}

function bindingsOf({ bindings, names }: CompiledProfile, topic: string): readonly CompiledBinding[] {
  const reading = bindings.filter(({ from }) => from.name === (names.get(topic) ?? topic))
  if (reading.length > 0) return reading
  const known = [...new Set(bindings.map(({ from }) => from.name))]
  throw new UsageError(`no binding reads ${topic}; they read ${known.join(', ')}`)
}

function samplesOf(json: string): readonly unknown[] {
  const given = parsed(json, 'the samples')
  return Array.isArray(given) ? given : [given]
}

async function aroundOf(cwd: string, file: string | undefined): Promise<Asking> {
  if (file === undefined) return nothingAround
  const views = parsed(await read(cwd, file), file) as Readonly<
    Record<string, Readonly<Record<string, unknown>>>
  >
  return { ...nothingAround, lookup: (topic, key) => views[topic]?.[key] }
}

function shown(mapped: Mapped): Pick<Tried, 'misfit' | 'records'> {
  if ('misfit' in mapped) return mapped
  return {
    records: mapped.records.map(({ topic, key, value, timestamp }) => {
      return { topic: topic.name, key, timestamp, value }
    }),
  }
}

function asText({ binding, message, misfit, records = [] }: Tried): string {
  const place = `${message + 1}. ${binding}`
  if (misfit !== undefined) return `${place}: does not fit: ${misfit}`
  if (records.length === 0) return `${place}: passed over`
  return [`${place}:`, ...records.map((record) => `   ${JSON.stringify(record)}`)].join('\n')
}

async function read(cwd: string, file: string): Promise<string> {
  try {
    return await readFile(resolve(cwd, file), 'utf8')
  } catch (cause) {
    throw new InputError(`${file} cannot be read`, { cause })
  }
}

function parsed(json: string, what: string): unknown {
  try {
    // As the bytes of a topic are read: long ids stay what they are.
    return parseExactly(json)
  } catch (cause) {
    throw new InputError(`${what}: not JSON`, { cause })
  }
}
