/** Disks that are full, and files that cannot be written, for processes that work with them. */
import { execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { rm, statfs, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { promisify } from 'node:util'
import { onTestFinished } from 'vitest'
import type { ChildOptions } from './child.ts'
import { scratchDirectory } from './scratch.ts'

const KIBIBYTE = 1024
const MEBIBYTE = 1024 * KIBIBYTE
const DISK_BYTES = 24 * MEBIBYTE
/** What is left once the ballast is aboard. */
const LEFT_BYTES = 256 * KIBIBYTE

const run = promisify(execFile)

/** A data directory that can be made full, and a way to start a process in it while it is. */
export interface Shortage {
  readonly directory: string
  /** `bytes`: how large a file may grow meanwhile, or how much is left for all of them. */
  fill(pid: number, bytes?: number): Promise<void>
  free(pid: number): Promise<void>
  /** What a process that starts meanwhile runs under. */
  readonly under: ChildOptions
}

/** A small tmpfs and a file that fills it; only root may mount one. */
export async function smallDisk(): Promise<Shortage | undefined> {
  const disk = await scratchDirectory('disk')
  try {
    await run('mount', ['-t', 'tmpfs', '-o', `size=${DISK_BYTES}`, 'tmpfs', disk])
  } catch {
    return undefined
  }
  onTestFinished(async () => {
    await run('umount', ['-l', disk])
  })
  const ballast = join(disk, 'ballast')
  return {
    directory: join(disk, 'data'),
    async fill(_pid, bytes = LEFT_BYTES) {
      const { bavail, bsize } = await statfs(disk)
      const filling = writeFile(ballast, Buffer.alloc(Math.max(0, bavail * bsize - bytes), 1))
      // The process writes as well: then it is full sooner.
      await filling.catch((error: NodeJS.ErrnoException) => {
        if (error.code !== 'ENOSPC') throw error
      })
    },
    free: () => rm(ballast),
    under: {},
  }
}

/** No file may grow: what the disk answers then is EFBIG in place of ENOSPC, and nobody needs to be root. */
export async function limitedFiles(): Promise<Shortage> {
  const limit = (pid: number, bytes: string) =>
    run('prlimit', ['--pid', String(pid), `--fsize=${bytes}:unlimited`])
  return {
    directory: join(await scratchDirectory('limited'), 'data'),
    async fill(pid, bytes = 1) {
      await limit(pid, String(bytes))
    },
    async free(pid) {
      await limit(pid, 'unlimited')
    },
    under: { under: ['prlimit', '--fsize=1:unlimited'] },
  }
}

/** Whatever the process writes to these files fails with EIO, as on a disk that breaks, until the answer is called. */
export async function brokenFiles(pid: number, files: readonly string[]): Promise<() => Promise<void>> {
  const calls = 'write,writev,pwrite64'
  const paths = files.flatMap((file) => ['-P', file])
  const inject = ['-e', `trace=${calls}`, '-e', `inject=${calls}:error=EIO`]
  const tracer = spawn('strace', ['-f', '-p', String(pid), ...paths, ...inject, '-o', '/dev/null'], {
    stdio: ['ignore', 'ignore', 'pipe'],
  })
  const ended = once(tracer, 'exit')
  const attached = once(createInterface({ input: tracer.stderr }), 'line').then(([line]) => String(line))
  const said = await Promise.race([attached, ended.then(([code]) => `it ended with ${String(code)}`)])
  if (!said.includes('attached')) throw new Error(`strace: ${said}`)
  // On this signal it lets go of the process.
  return async () => {
    tracer.kill('SIGINT')
    await ended
  }
}
