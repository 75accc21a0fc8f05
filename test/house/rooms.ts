/**
 * The table of rooms and the judge of one import. Two callers share them: the lint plugin beside this file and
 * `rooms.test.ts`, which walks all sources itself.
 *
 * Not its job: reading files, parsing.
 */

/** What a file may import, besides its own room. */
export interface Room {
  /** Entrances (folders with an `index.ts`) whose values and types may be imported; `*` stands for all. */
  readonly imports: readonly string[]
  /** Entrances of which only types may be imported. */
  readonly types: readonly string[]
  /** npm packages; `*` stands for all, `@scope/*` for a whole scope. */
  readonly packages: readonly string[]
  /** No clock, no chance, no I/O: these come in through ports. */
  readonly pure: boolean
}

const none: Room = { imports: [], types: [], packages: [], pure: false }
const everything: Room = { ...none, imports: ['*'], packages: ['*'] }

/** The room of a file is the longest key that its path starts with. */
export const ROOMS: Readonly<Record<string, Room>> = {
  schemas: { ...none, packages: ['avsc'] },
  state: { ...none, packages: ['classic-level'] },
  streams: { ...none, imports: ['state'], packages: ['temporal-polyfill'], pure: true },
  processors: {
    imports: ['schemas', 'streams/kit'],
    types: ['streams', 'state'],
    packages: ['temporal-polyfill'],
    pure: true,
  },
  topologies: { ...none, imports: ['processors', 'schemas', 'streams', 'streams/kit', 'state'], pure: true },
  'transports/embedded': { ...none, imports: ['schemas', 'streams', 'state'] },
  'transports/kafka': {
    ...none,
    imports: ['schemas', 'streams'],
    packages: ['kafkajs', 'snappyjs', '@node-rs/crc32'],
  },
  'transports/simulated': { ...none, imports: ['schemas', 'streams', 'state', 'transports/kafka/wire'] },
  testing: { ...none, imports: ['streams', 'streams/kit', 'state', 'transports/simulated'] },
  connectors: {
    ...none,
    imports: ['schemas', 'streams', 'streams/kit'],
    packages: [
      'undici',
      '@kafkajs/confluent-schema-registry',
      'nodemailer',
      'pg',
      '@electric-sql/pglite',
      'jsonata',
    ],
  },
  api: {
    ...none,
    imports: ['schemas', 'streams', 'streams/kit'],
    packages: ['fastify', '@fastify/*', 'typebox', 'undici', 'temporal-polyfill'],
  },
  dashboard: { ...none, types: ['api'], packages: ['*'] },
  telemetry: { ...none, types: ['streams'], packages: ['prom-client', 'pino', 'hdr-histogram-js'] },
  config: { ...none, packages: ['typebox'] },
  cli: everything,
  test: everything,
  bench: everything,
  docs: everything,
  ops: everything,
  samples: everything,
}

/** Rooms that look behind the entrances of others: they are not part of the published package. */
const INSPECTORS: ReadonlySet<string> = new Set(['test', 'bench', 'docs', 'ops', 'samples'])

/** Folders of a room, other than the room itself, that have a public `index.ts`. */
const INNER_ENTRANCES: readonly string[] = ['streams/kit', 'transports/kafka/wire']

const ENTRANCES: ReadonlySet<string> = new Set([...Object.keys(ROOMS), ...INNER_ENTRANCES])

/** Built-in modules that compute only. `node:crypto` is judged by name, see {@link PURE_CRYPTO}. */
const PURE_BUILTINS: ReadonlySet<string> = new Set([
  'node:assert',
  'node:assert/strict',
  'node:buffer',
  'node:util',
  'node:zlib',
])

const PURE_CRYPTO: ReadonlySet<string> = new Set(['createHash', 'createHmac', 'hash', 'timingSafeEqual'])

/** The one file of a pure room that reads the real clock: the default behind the `Clock` port. */
export const CLOCK_FILE = 'streams/system-clock.ts'

export interface ImportStatement {
  /** Path of the importing file from the top of the repository, with `/`. */
  readonly file: string
  /** What stands in the quotes. */
  readonly specifier: string
  /** Nothing of it is left after type stripping. */
  readonly typeOnly: boolean
  /** Imported names; undefined for `* as x`, side effects and dynamic imports. */
  readonly names: readonly string[] | undefined
}

export function roomOf(path: string): string | undefined {
  const parts = path.split('/')
  const two = parts.slice(0, 2).join('/')
  if (Object.hasOwn(ROOMS, two)) return two
  const one = parts[0] ?? ''
  return parts.length > 1 && Object.hasOwn(ROOMS, one) ? one : undefined
}

/** Why an import is against the rules, or undefined when it is fine. */
export function judgeImport(statement: ImportStatement): string | undefined {
  const name = roomOf(statement.file)
  const room = name === undefined ? undefined : ROOMS[name]
  if (name === undefined || room === undefined) return undefined
  const { specifier } = statement
  if (specifier.startsWith('.')) return judgePath(statement, name, room)
  if (specifier.startsWith('node:')) return room.pure ? judgeBuiltin(statement, name) : undefined
  return judgePackage(specifier, name, room)
}

function judgePath(statement: ImportStatement, name: string, room: Room): string | undefined {
  const target = resolve(statement.file, statement.specifier)
  if (target === undefined) return `${statement.specifier} leaves the repository`
  const targetRoom = roomOf(target)
  if (targetRoom === name || INSPECTORS.has(name)) return undefined
  if (targetRoom === undefined) return name === 'cli' ? undefined : `${target} is in no room`
  if (!/\.[a-z]+$/.test(target)) return `${statement.specifier} names no file; write the extension`

  const entrance = target.slice(0, -'/index.ts'.length)
  if (!target.endsWith('/index.ts') || !ENTRANCES.has(entrance)) {
    return `${target} is inside ${targetRoom}; import ${targetRoom}/index.ts`
  }
  if (room.imports.includes('*') || room.imports.includes(entrance)) return undefined
  if (!room.types.includes(entrance)) return `${name} may not import ${entrance}`
  return statement.typeOnly ? undefined : `${name} may import only types of ${entrance}; write 'import type'`
}

function judgeBuiltin(statement: ImportStatement, name: string): string | undefined {
  const { specifier, names } = statement
  if (PURE_BUILTINS.has(specifier) || statement.typeOnly) return undefined
  if (specifier === 'node:crypto' && names?.every((one) => PURE_CRYPTO.has(one))) return undefined
  return `${name} is pure and may not import ${names?.join(', ') ?? '*'} of ${specifier}`
}

function judgePackage(specifier: string, name: string, room: Room): string | undefined {
  const depth = specifier.startsWith('@') ? 2 : 1
  const packageName = specifier.split('/').slice(0, depth).join('/')
  const scope = `${packageName.split('/')[0]}/*`
  const allowed = [packageName, scope, '*'].some((one) => room.packages.includes(one))
  return allowed ? undefined : `${name} may not import the package ${packageName}`
}

/** Joins without `node:path`, so that every platform gives `/`. */
function resolve(file: string, specifier: string): string | undefined {
  const parts = file.split('/').slice(0, -1)
  for (const part of specifier.split('/')) {
    if (part === '..') {
      if (parts.pop() === undefined) return undefined
    } else if (part !== '.') {
      parts.push(part)
    }
  }
  return parts.join('/')
}
