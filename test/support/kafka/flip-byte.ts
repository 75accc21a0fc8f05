/** A bit that changes on a broker's disk. */
import { globSync, readFileSync } from 'node:fs'
import { open } from 'node:fs/promises'
import { join } from 'node:path'

/** Changes a bit of the last letter of `text`, in the one segment of the partition's directory that has it. */
export async function flipByteOf(text: string, directory: string): Promise<void> {
  for (const name of globSync('*.log', { cwd: directory })) {
    const path = join(directory, name)
    const at = readFileSync(path).indexOf(text)
    if (at === -1) continue
    const file = await open(path, 'r+')
    const last = Buffer.from([text.charCodeAt(text.length - 1) ^ 1])
    await file.write(last, 0, 1, at + text.length - 1)
    await file.close()
    return
  }
  throw new Error(`no segment has ${text}`)
}
