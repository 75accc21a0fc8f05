/** A worker as a process of its own, which ends when this one does, however that comes about. */
import { type ChildProcess, spawn } from 'node:child_process'
import { constants } from 'node:os'
import { exitCodes } from '../errors.ts'
import { commandFile } from '../package-root.ts'
import type { Worker, WorkerExit } from './worker-pool.ts'

const SIGNAL_EXIT = 128

export interface WorkerCommand {
  readonly args: readonly string[]
  readonly env: Readonly<Record<string, string | undefined>>
}

/** Runs `millrace` with these arguments; what it writes goes where this process writes. */
export function startWorker({ args, env }: WorkerCommand): Worker {
  const child = spawn(process.execPath, [commandFile(), ...args], {
    env: { ...env },
    // The channel tells it when this process is gone.
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
    // Apart from the terminal: Ctrl-C comes once, from here. A second signal would end it at once.
    detached: true,
  })
  const killNow = (): void => void child.kill('SIGKILL')
  process.once('exit', killNow)
  const exited = exitOf(child).finally(() => process.off('exit', killNow))
  return { pid: child.pid ?? 0, exited, signal: (signal) => void child.kill(signal) }
}

function exitOf(child: ChildProcess): Promise<WorkerExit> {
  return new Promise((resolve) => {
    child.once('error', () => resolve({ code: exitCodes.failure }))
    child.once('exit', (code, signal) => {
      resolve({ code: code ?? SIGNAL_EXIT + (signal === null ? 0 : constants.signals[signal]) })
    })
  })
}

/** For the worker: ends it in order when the process that started it is gone. */
export function endWithParent(): void {
  process.once('disconnect', () => process.kill(process.pid, 'SIGTERM'))
  process.channel?.unref()
}
