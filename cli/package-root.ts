/** Where the package lies: a checkout has its sources at the top, an installed package its build in `dist/`. */
import { existsSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const MANIFEST = 'package.json'

/** Folder of the manifest. */
export function packageRoot(): string {
  let folder = dirname(fileURLToPath(import.meta.url))
  while (!existsSync(join(folder, MANIFEST))) {
    const parent = dirname(folder)
    if (parent === folder) throw new Error('the package has lost its package.json')
    folder = parent
  }
  return folder
}

export function packageVersion(): string {
  const manifest = JSON.parse(readFileSync(join(packageRoot(), MANIFEST), 'utf8')) as { version: string }
  return manifest.version
}

/** The command itself, for processes that a command starts. */
export function commandFile(): string {
  return join(packageRoot(), 'bin', 'millrace.js')
}
