/**
 * Builds what is published into `dist/`: JavaScript and declarations by `tsc`, and next to them the files that the
 * code reads at run time.
 */
import { spawnSync } from 'node:child_process'
import { cpSync, existsSync, globSync, readFileSync, rmSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'

const root = join(import.meta.dirname, '../..')
const dist = join(root, 'dist')

/** Files that are read at run time, from the top of the repository. */
const ASSETS = ['schemas/**/*.avsc', 'schemas/**/*.json', 'dashboard/dist/**']

rmSync(dist, { recursive: true, force: true })
compile()
for (const file of globSync(ASSETS, { cwd: root })) {
  if (/\.[a-z0-9]+$/.test(file)) cpSync(join(root, file), join(dist, file))
}

function compile(): void {
  const manifest = createRequire(import.meta.url).resolve('typescript/package.json')
  const { bin } = JSON.parse(readFileSync(manifest, 'utf8')) as { bin: { tsc: string } }
  const tsc = join(dirname(manifest), bin.tsc)
  if (!existsSync(tsc)) throw new Error(`no compiler at ${tsc}; run npm ci`)
  const { status } = spawnSync(process.execPath, [tsc, '-p', 'tsconfig.build.json'], {
    cwd: root,
    stdio: 'inherit',
  })
  if (status !== 0) process.exit(status ?? 1)
}
