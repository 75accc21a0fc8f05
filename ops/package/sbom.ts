/**
 * The software bill of materials of what is published: every package that runs with it, as CycloneDX 1.5, from the lock
 * file alone. The same lock file gives the same bytes. Older npm has no `npm sbom`, and newer ones put in the time.
 *
 *   npm run sbom                 on stdout
 *   npm run sbom -- FILE         into a file, folders made
 *
 * Ends with 1, and says why, where a package has no hash or a licence that is not on the list.
 */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'

const root = join(import.meta.dirname, '../..')

/** Licences that ask for no more than to be named. */
const LICENCES: ReadonlySet<string> = new Set([
  '0BSD',
  'Apache-2.0',
  'BlueOak-1.0.0',
  'BSD-2-Clause',
  'BSD-3-Clause',
  'ISC',
  'MIT',
  'MIT-0',
  'Zlib',
])
/** Packages whose manifest names none, as their licence file says. */
const LICENCES_READ: Readonly<Record<string, string>> = { '@kafkajs/confluent-schema-registry': 'MIT' }

/** An entry of `packages` in a lock file of version 3. */
export interface LockedPackage {
  readonly version?: string
  readonly integrity?: string
  readonly license?: string
  readonly dev?: boolean
  readonly optional?: boolean
  readonly dependencies?: Readonly<Record<string, string>>
  readonly optionalDependencies?: Readonly<Record<string, string>>
}

export interface Lock {
  readonly name: string
  readonly version: string
  readonly packages: Readonly<Record<string, LockedPackage>>
}

interface Component {
  readonly 'bom-ref': string
  readonly type: 'library'
  readonly name: string
  readonly version: string
  readonly scope: 'required' | 'optional'
  readonly purl: string
  readonly licenses: readonly [{ readonly expression: string }]
  readonly hashes: readonly [{ readonly alg: string; readonly content: string }]
}

export interface Bill {
  readonly components: readonly Component[]
  readonly dependencies: readonly { readonly ref: string; readonly dependsOn: readonly string[] }[]
}

/** Throws an `AggregateError` that lists every package that cannot be in it. */
export function billOf({ name, version, packages }: Lock): Bill & Readonly<Record<string, unknown>> {
  const running = Object.entries(packages).filter(([path, { dev }]) => path !== '' && dev !== true)
  const faults = running.flatMap(([path, locked]) => faultsOf(path, locked))
  if (faults.length > 0) throw new AggregateError(faults, faults.map(({ message }) => message).join('\n'))
  const own = purlOf(name, version)
  const refs = new Map(running.map(([path, locked]) => [path, purlOf(nameOf(path), locked.version ?? '')]))
  const dependsOn = (path: string, { dependencies, optionalDependencies }: LockedPackage): string[] => {
    const names = Object.keys({ ...dependencies, ...optionalDependencies })
    return [
      ...new Set(names.flatMap((one) => refs.get(resolved(path, one, packages) ?? '') ?? [])),
    ].toSorted()
  }
  return {
    bomFormat: 'CycloneDX',
    specVersion: '1.5',
    version: 1,
    metadata: { component: { 'bom-ref': own, type: 'application', name, version, purl: own } },
    components: uniqueBy(running.map(([path, locked]) => componentOf(path, locked))),
    dependencies: [
      { ref: own, dependsOn: dependsOn('', packages[''] ?? {}) },
      ...running.map(([path, locked]) => ({
        ref: refs.get(path) as string,
        dependsOn: dependsOn(path, locked),
      })),
    ],
  }
}

function faultsOf(path: string, locked: LockedPackage): Error[] {
  const faults: string[] = []
  if (locked.version === undefined) faults.push('has no version')
  if (locked.integrity === undefined) faults.push('has no hash')
  const licence = licenceOf(path, locked)
  if (!isAllowed(licence)) faults.push(`has the licence ${licence || 'of nobody'}`)
  return faults.map((fault) => new Error(`${nameOf(path)} ${fault}`))
}

function licenceOf(path: string, { license }: LockedPackage): string {
  return license ?? LICENCES_READ[nameOf(path)] ?? ''
}

/** One of alternatives, and every one of several that hold together. */
function isAllowed(licence: string): boolean {
  const alternatives = licence.replaceAll(/[()]/g, '').split(' OR ')
  return alternatives.some((one) => one.split(' AND ').every((name) => LICENCES.has(name)))
}

function componentOf(path: string, locked: LockedPackage): Component {
  const { version = '', integrity = '', optional } = locked
  const name = nameOf(path)
  const purl = purlOf(name, version)
  const [algorithm = '', digest = ''] = integrity.split('-')
  return {
    'bom-ref': purl,
    type: 'library',
    name,
    version,
    scope: optional === true ? 'optional' : 'required',
    purl,
    licenses: [{ expression: licenceOf(path, locked) }],
    hashes: [
      { alg: algorithm.replace(/^sha/, 'SHA-'), content: Buffer.from(digest, 'base64').toString('hex') },
    ],
  }
}

/** Where npm finds a package for one that lies at `path`: beside it, or further up. */
function resolved(path: string, name: string, packages: Lock['packages']): string | undefined {
  for (let at = path; ; at = at.slice(0, Math.max(0, at.lastIndexOf('/node_modules/')))) {
    const candidate = at === '' ? `node_modules/${name}` : `${at}/node_modules/${name}`
    if (candidate in packages) return candidate
    if (at === '') return undefined
  }
}

function uniqueBy(components: readonly Component[]): Component[] {
  return [...new Map(components.map((one) => [one.purl, one])).values()]
}

function nameOf(path: string): string {
  return path.slice(path.lastIndexOf('node_modules/') + 'node_modules/'.length)
}

function purlOf(name: string, version: string): string {
  return `pkg:npm/${name.replace('@', '%40')}@${version}`
}

if (import.meta.main) {
  const lock = JSON.parse(readFileSync(join(root, 'package-lock.json'), 'utf8')) as Lock
  const text = `${JSON.stringify(billOf(lock), null, 2)}\n`
  const file = process.argv[2]
  if (file === undefined) process.stdout.write(text)
  else {
    mkdirSync(dirname(file), { recursive: true })
    writeFileSync(file, text)
  }
}
