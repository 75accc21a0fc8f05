/**
 * The published package works: it is packed, installed into an empty folder, imported, type-checked and started
 * there. Installing needs npm's cache or a registry.
 */
import { spawnSync } from 'node:child_process'
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'

const root = join(import.meta.dirname, '../..')
const manifest = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as {
  version: string
  exports: Record<string, unknown>
}
const entrances = Object.keys(manifest.exports)
  .filter((path) => path !== './package.json')
  .map((path) => path.replace(/^\./, 'millrace'))

describe('the published package', () => {
  let folder: string
  let packed: string[]

  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'millrace-package-'))
    run('npm', ['run', '--silent', 'build'], root)
    const report = run(
      'npm',
      ['pack', '--silent', '--ignore-scripts', '--json', '--pack-destination', folder],
      root,
    )
    packed = filesOf(report)
    const tarball = readdirSync(folder).find((name) => name.endsWith('.tgz')) ?? ''
    writeFileSync(
      join(folder, 'package.json'),
      JSON.stringify({ name: 'a-user', type: 'module', private: true }),
    )
    run('npm', ['install', '--prefer-offline', '--no-audit', '--no-fund', `./${tarball}`], folder)
  })

  afterAll(() => rmSync(folder, { recursive: true, force: true }))

  test('holds the build, the command and the licence, and no sources or tests', () => {
    expect(packed).toEqual(
      expect.arrayContaining(['LICENSE', 'NOTICE', 'bin/millrace.js', 'dist/cli/main.js']),
    )
    const sources = packed.filter((path) => path.endsWith('.ts') && !path.endsWith('.d.ts'))
    // Samples are there to be read.
    expect(sources.filter((path) => !path.startsWith('samples/connectors/'))).toEqual([])
    expect(packed.filter((path) => /^(dist\/)?(test|bench)\//.test(path))).toEqual([])
  })

  test.each(entrances)('exports something as %s', (entrance) => {
    const code = `import * as all from '${entrance}'\nconsole.log(Object.keys(all).length)`
    const count = run(process.execPath, ['--input-type=module', '--eval', code], folder)
    expect(Number(count)).toBeGreaterThan(0)
  })

  test('has types that a strict project accepts', () => {
    const lines = entrances.map(
      (entrance, index) => `import * as room${index} from '${entrance}'\nvoid room${index}`,
    )
    writeFileSync(join(folder, 'user.ts'), `${lines.join('\n')}\n`)
    const tsc = join(root, 'node_modules/typescript/bin/tsc')
    const options = ['--noEmit', '--strict', '--target', 'esnext', '--module', 'nodenext', '--types', 'node']
    const typeRoots = ['--typeRoots', join(root, 'node_modules/@types')]
    run(process.execPath, [tsc, ...options, ...typeRoots, '--skipLibCheck', 'false', 'user.ts'], folder)
  })

  test('starts the command', () => {
    const bin = join(folder, 'node_modules/millrace/bin/millrace.js')
    expect(run(process.execPath, [bin, '--version'], folder).trim()).toContain(manifest.version)
  })
})

function run(command: string, args: string[], cwd: string): string {
  const { status, stdout, stderr, error } = spawnSync(command, args, { cwd, encoding: 'utf8' })
  if (status !== 0) {
    throw new Error(`${command} ${args.join(' ')} ended with ${status}\n${stdout}\n${stderr}`, {
      cause: error,
    })
  }
  return stdout
}

/** Paths that `npm pack --json` reports: a list of packages in older versions of npm, an object by name since 11. */
function filesOf(report: string): string[] {
  const parsed = JSON.parse(report) as Record<string, { files: { path: string }[] }>
  return Object.values(parsed).flatMap(({ files }) => files.map(({ path }) => path))
}
