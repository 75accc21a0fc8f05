/**
 * A profile becomes bindings that can map: topics found, expressions compiled, field maps held to the schemas they fill.
 *
 * Its job: finding everything that is wrong before anything runs, and saying where. Not its job: messages (`map.ts`).
 */
import type { AvroSchema, Topic as OwnTopic, Topics } from '../../schemas/index.ts'
import type { AnyTopic } from '../../streams/index.ts'
import { shapeProblems } from './check-shape.ts'
import { ProfileError, type ProfileProblem } from './errors.ts'
import { type Compiled, compileExpression } from './expression.ts'
import { externalTopic } from './external.ts'
import type { Binding, Expression, Profile, Write } from './profile.ts'

export interface CompiledProfile {
  readonly shop: string
  readonly file: string
  readonly bindings: readonly CompiledBinding[]
  /** In the log, with what the profile says of them. */
  readonly external: readonly ExternalUse[]
  /** The shop's name of a topic → the log's. */
  readonly names: ReadonlyMap<string, string>
  /** Topics that expressions look into. */
  readonly views: readonly OwnTopic<unknown>[]
}

export interface ExternalUse {
  readonly topic: AnyTopic
  /** undefined: as all topics. */
  readonly partitions: number | undefined
}

export interface CompiledBinding {
  /** `<shop>-<binding>`. */
  readonly name: string
  readonly direction: 'in' | 'out'
  readonly from: AnyTopic
  /** Of a topic of ours: how its values become JSON. */
  readonly source: OwnTopic<unknown> | undefined
  readonly when: Compiled | undefined
  readonly writes: readonly CompiledWrite[]
}

export interface CompiledWrite {
  readonly to: AnyTopic
  /** Of a topic of ours: what its values have to be like. */
  readonly target: OwnTopic<unknown> | undefined
  readonly when: Compiled | undefined
  readonly each: Compiled | undefined
  readonly key: Compiled | undefined
  readonly timestamp: Compiled | undefined
  /** By name; under the empty name the one function that makes the whole value. */
  readonly fields: ReadonlyMap<string, Compiled>
  /** Fields that are lists: of these one value counts as a list of one. */
  readonly lists: ReadonlySet<string>
}

/** Topics of ours that no profile writes: they are made by the tasks that own them, or sealed, or audited. */
const NOT_WRITTEN = /^(?:ops\.|privacy\.|ranking\.|order\.status$|user\.profile$)/
/** Topics of ours that no profile reads out: keys, audits, and what has no meaning outside. */
const NOT_READ = /^(?:ops\.|privacy\.|ranking\.partition)/

/** Throws a `ProfileError` with everything that is wrong with it. */
export function compileProfile(profile: unknown, file: string, topics: Topics): CompiledProfile {
  const shape = shapeProblems(profile)
  if (shape.length > 0) throw new ProfileError(file, shape)
  return new Compiler(profile as Profile, file, topics).compile()
}

class Compiler {
  readonly #profile: Profile
  readonly #file: string
  readonly #own: ReadonlyMap<string, OwnTopic<unknown>>
  readonly #external = new Map<string, ExternalUse>()
  readonly #problems: ProfileProblem[] = []

  constructor(profile: Profile, file: string, topics: Topics) {
    this.#profile = profile
    this.#file = file
    this.#own = new Map(Object.values(topics).map((topic) => [topic.name, topic as OwnTopic<unknown>]))
  }

  compile(): CompiledProfile {
    const { shop, bindings, views = [] } = this.#profile
    this.#openExternal()
    this.#checkNames()
    const compiled = bindings.map((binding, index) =>
      this.#binding(binding, `bindings.${binding.name || index}`),
    )
    this.#checkUse(bindings)
    const viewed = views.flatMap((name, index) => this.#ownTopic(name, `views.${index}`, NOT_READ) ?? [])
    if (this.#problems.length > 0) throw new ProfileError(this.#file, this.#problems)
    return {
      shop,
      file: this.#file,
      bindings: compiled,
      external: [...this.#external.values()],
      names: new Map([...this.#external].map(([name, { topic }]) => [name, topic.name])),
      views: viewed,
    }
  }

  #problem(path: string, message: string): void {
    this.#problems.push({ path, message })
  }

  #openExternal(): void {
    const { topics, prefix = '' } = this.#profile
    for (const [name, spec] of Object.entries(topics)) {
      const path = `topics.${name}`
      const inLog = `${prefix}${name}`
      if (this.#own.has(inLog.replace(/\.dlq$/, '')))
        this.#problem(path, `${inLog} is a topic of this program; give the profile a prefix`)
      if ((spec.format === 'avro') !== (spec.schema !== undefined && spec.schemaId !== undefined))
        this.#problem(path, 'Avro needs schema and schemaId, JSON neither of them')
      try {
        this.#external.set(name, { topic: externalTopic(inLog, spec), partitions: spec.partitions })
      } catch (error) {
        this.#problem(`${path}.schema`, (error as Error).message)
      }
    }
  }

  #checkNames(): void {
    const seen = new Set<string>()
    for (const { name } of this.#profile.bindings) {
      if (seen.has(name)) this.#problem(`bindings.${name}`, 'there are two of this name')
      seen.add(name)
    }
  }

  /** What one binding writes and another reads would go round and round. */
  #checkUse(bindings: readonly Binding[]): void {
    const read = new Set(bindings.filter(({ direction }) => direction === 'in').map(({ from }) => from))
    const written = new Set(
      bindings
        .filter(({ direction }) => direction === 'out')
        .flatMap(({ writes }) => writes.map(({ to }) => to)),
    )
    for (const name of Object.keys(this.#profile.topics)) {
      if (read.has(name) && written.has(name)) this.#problem(`topics.${name}`, 'is read and written: a loop')
      if (!read.has(name) && !written.has(name)) this.#problem(`topics.${name}`, 'no binding uses it')
    }
  }

  #binding(binding: Binding, path: string): CompiledBinding {
    const { name, direction, from } = binding
    const source = direction === 'out' ? this.#ownTopic(from, `${path}.from`, NOT_READ) : undefined
    return {
      name: `${this.#profile.shop}-${name}`,
      direction,
      from: source ?? this.#externalTopic(from, `${path}.from`, direction === 'in'),
      source,
      when: this.#optional(binding.when, `${path}.when`),
      writes: binding.writes.map((write, index) => this.#write(write, direction, `${path}.writes.${index}`)),
    }
  }

  #write(write: Write, direction: 'in' | 'out', path: string): CompiledWrite {
    const target = direction === 'in' ? this.#ownTopic(write.to, `${path}.to`, NOT_WRITTEN) : undefined
    const to = target ?? this.#externalTopic(write.to, `${path}.to`, direction === 'out')
    if (direction === 'in' && write.key !== undefined)
      this.#problem(`${path}.key`, 'ours stand under the key that their value has to; leave it out')
    const fields = this.#fields(write, path)
    if (target !== undefined && typeof write.fields !== 'function') this.#holdToSchema(fields, target, path)
    return {
      to,
      target,
      when: this.#optional(write.when, `${path}.when`),
      each: this.#optional(write.each, `${path}.each`),
      key: this.#optional(write.key, `${path}.key`),
      timestamp: this.#optional(write.timestamp, `${path}.timestamp`),
      fields,
      lists: new Set(
        target?.schema.definition.fields.filter(({ type }) => isList(type)).map(({ name }) => name),
      ),
    }
  }

  #fields({ fields }: Write, path: string): ReadonlyMap<string, Compiled> {
    const all = typeof fields === 'function' ? { '': fields as Expression } : fields
    const compiled = Object.entries(all).map(([name, expression]) => {
      return [name, this.#expression(expression, `${path}.fields.${name}`)] as const
    })
    return new Map(compiled)
  }

  #holdToSchema(fields: ReadonlyMap<string, Compiled>, { schema }: OwnTopic<unknown>, path: string): void {
    const { name: record, fields: known } = schema.definition
    const names = known.map(({ name }) => name)
    for (const name of fields.keys()) {
      if (!names.includes(name)) this.#problem(`${path}.fields.${name}`, `${record} has ${names.join(', ')}`)
    }
    for (const field of known) {
      if (field.default === undefined && !fields.has(field.name))
        this.#problem(`${path}.fields.${field.name}`, `${record} needs it`)
    }
  }

  #ownTopic(name: string, path: string, refused: RegExp): OwnTopic<unknown> | undefined {
    const topic = this.#own.get(name)
    if (topic === undefined) this.#problem(path, `this program has no topic ${name}`)
    else if (refused.test(name)) this.#problem(path, `${name} is not for others`)
    return topic
  }

  #externalTopic(name: string, path: string, wanted: boolean): AnyTopic {
    const found = this.#external.get(name)
    if (found === undefined && wanted) this.#problem(path, `the profile's topics do not name ${name}`)
    return found?.topic ?? externalTopic(name, {})
  }

  #optional(expression: Expression | undefined, path: string): Compiled | undefined {
    return expression === undefined ? undefined : this.#expression(expression, path)
  }

  #expression(expression: Expression, path: string): Compiled {
    try {
      return compileExpression(expression)
    } catch (error) {
      this.#problem(path, (error as Error).message)
      return () => Promise.resolve(undefined)
    }
  }
}

function isList(type: AvroSchema): boolean {
  if (typeof type === 'string') return false
  return 'type' in type ? type.type === 'array' : type.some(isList)
}

/** Throws a `ProfileError` where profiles do not go together. */
export function checkTogether(profiles: readonly CompiledProfile[]): void {
  const names = new Set<string>()
  const writers = new Map<string, string>()
  for (const { file, shop, bindings } of profiles) {
    for (const { name, direction, writes } of bindings) {
      const message = `another profile has a binding ${name}`
      if (names.has(name)) throw new ProfileError(file, [{ path: 'shop', message }])
      names.add(name)
      if (direction === 'out') for (const { to } of writes) writers.set(to.name, `${shop} (${file})`)
    }
  }
  for (const { file, bindings } of profiles) {
    const read = bindings.filter(({ direction }) => direction === 'in').map(({ from }) => from.name)
    const problems = read.flatMap((name) => {
      const writer = writers.get(name)
      return writer === undefined ? [] : [{ path: `topics.${name}`, message: `${writer} writes it: a loop` }]
    })
    if (problems.length > 0) throw new ProfileError(file, problems)
  }
}
