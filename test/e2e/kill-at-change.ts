/** Kills after so many changes of files, never after so much time. */
import { watch } from 'node:fs'
import type { Running } from './command.ts'

/** Ends the command at the `changes`th change under `directory`, which is there; answers its exit code. */
export async function killAtChange(
  command: Running,
  directory: string,
  changes: number,
): Promise<number | null> {
  let left = changes
  const watcher = watch(directory, { recursive: true }, () => {
    if (--left === 0) command.kill('SIGKILL')
  })
  try {
    return (await command.finished).code
  } finally {
    watcher.close()
  }
}
