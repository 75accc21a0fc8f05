#!/usr/bin/env node
/**
 * Starts the `millrace` command on Node 24 or newer. On an older Node it hands over to the one that the `node`
 * package brought along. Plain JavaScript, because an old Node has to read it.
 */
import { spawn } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import module, { createRequire } from 'node:module'
import { constants } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const NEEDED_MAJOR = 24

if (Number.parseInt(process.versions.node, 10) >= NEEDED_MAJOR) {
  await start()
} else {
  handOver(bundledNode())
}

/**
 * A checkout runs its TypeScript as it is, and keeps what Node made of it for the next start: half of the time until it
 * serves. An installed package has only the build.
 */
async function start() {
  const source = new URL('../cli/main.ts', import.meta.url)
  const isCheckout = existsSync(source)
  // Where nothing may be written, nothing is kept.
  if (isCheckout)
    module.enableCompileCache(fileURLToPath(new URL('../node_modules/.cache/compile', import.meta.url)))
  await import(isCheckout ? source.href : new URL('../dist/cli/main.js', import.meta.url).href)
}

/** Path of the `node` package's executable, or undefined when it is not there. */
function bundledNode() {
  try {
    const manifest = createRequire(import.meta.url).resolve('node/package.json')
    const { bin } = JSON.parse(readFileSync(manifest, 'utf8'))
    const executable = join(dirname(manifest), bin.node)
    return existsSync(executable) ? executable : undefined
  } catch {
    return undefined
  }
}

/** Runs this same command on another Node and ends the way that one ends. */
function handOver(executable) {
  if (executable === undefined) {
    console.error(
      `millrace needs Node ${NEEDED_MAJOR} or newer; this is ${process.versions.node}, and the package 'node' is not ` +
        'installed completely. Run npm ci again with install scripts allowed, or use a newer Node.',
    )
    process.exit(1)
  }
  const args = [...process.execArgv, fileURLToPath(import.meta.url), ...process.argv.slice(2)]
  const child = spawn(executable, args, { stdio: 'inherit' })
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) {
    process.on(signal, () => {
      // A terminal sends Ctrl-C to both processes; sent on, it would look like a second, impatient one.
      if (signal !== 'SIGINT' || !process.stdin.isTTY) child.kill(signal)
    })
  }
  child.on('error', (error) => {
    console.error(`millrace cannot start ${executable}: ${error.message}`)
    process.exit(1)
  })
  child.on('exit', (code, signal) => {
    process.exit(code ?? 128 + (signal === null ? 0 : constants.signals[signal]))
  })
}
