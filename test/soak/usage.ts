/** What a process uses, looked at again and again, and whether it grows. */
import { readdirSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { FILES_PER_HOUR_MAX, MEMORY_SHARE_PER_HOUR_MAX } from './limits.ts'
import { type Line, fitLine } from './trend.ts'

const KIB_PER_MIB = 1024
const MIB = 1024 * 1024
const LOOK_EVERY_MS = 5_000
/** Caches fill, code is compiled, V8 learns how much of its heap lives: until then nothing is said about growth. */
const WARM_UP_MS = 600_000
const MS_PER_HOUR = 3_600_000

export interface Usage {
  /** Milliseconds since the beginning of the run. */
  readonly at: number
  /** Of its own: heap, buffers, stacks. */
  readonly memoryMiB: number
  /** Of files that are mapped, which the kernel takes back when it needs room. */
  readonly mappedMiB: number
  readonly openFiles: number
  readonly diskMiB: number
}

/** What was left of a process's heap and buffers after all garbage was collected. */
export interface Alive {
  /** Milliseconds since the beginning of the run. */
  readonly at: number
  readonly heapMiB: number
  readonly externalMiB: number
}

export interface Watched {
  /** Of the process that is looked at now; nothing while there is none. */
  readonly pid: () => number | undefined
  readonly directory: string
}

/** Looks until `isOver`; a look that meets a process on its way out is left out. */
export async function watchUsage({ pid, directory }: Watched, isOver: () => boolean): Promise<Usage[]> {
  const begin = performance.now()
  const looks: Usage[] = []
  while (!isOver()) {
    await delay(LOOK_EVERY_MS)
    const process = pid()
    const used = process === undefined ? undefined : usageOf(process)
    if (used === undefined) continue
    looks.push({ at: performance.now() - begin, ...used, diskMiB: bytesUnder(directory) / MIB })
  }
  return looks
}

function usageOf(pid: number): Pick<Usage, 'memoryMiB' | 'mappedMiB' | 'openFiles'> | undefined {
  try {
    const status = readFileSync(`/proc/${pid}/status`, 'utf8')
    // A process on its way out has neither.
    const own = /^RssAnon:\s+(\d+) kB$/m.exec(status)?.[1]
    const mapped = /^RssFile:\s+(\d+) kB$/m.exec(status)?.[1]
    if (own === undefined || mapped === undefined) return undefined
    const openFiles = readdirSync(`/proc/${pid}/fd`).length
    return { memoryMiB: Number(own) / KIB_PER_MIB, mappedMiB: Number(mapped) / KIB_PER_MIB, openFiles }
  } catch {
    return undefined
  }
}

/** Files may go while they are counted. */
function bytesUnder(directory: string): number {
  let bytes = 0
  for (const entry of readdirSync(directory, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile()) continue
    bytes += statSync(join(entry.parentPath, entry.name), { throwIfNoEntry: false })?.size ?? 0
  }
  return bytes
}

/**
 * What grows more than it may, after the warm-up. Memory is judged by what is alive where that is known: a process that
 * lives long holds garbage that V8 is in no hurry to collect, and room that the allocator keeps.
 */
export function complaintsAbout(looks: readonly Usage[], alive?: readonly Alive[]): string[] {
  const growth = growthOf(looks)
  if (growth === undefined) return []
  const { openFiles } = growth
  const memory = alive === undefined ? growth.memory : aliveLine(alive)
  const complaints: string[] = []
  if (surely(memory) > memory.mean * MEMORY_SHARE_PER_HOUR_MAX)
    complaints.push(`memory grows by ${memory.slope.toFixed(1)} MiB an hour`)
  if (surely(openFiles) > FILES_PER_HOUR_MAX)
    complaints.push(`open files grow by ${openFiles.slope.toFixed(1)} an hour`)
  return complaints
}

/** What a slope is at least, with two standard errors of doubt. */
function surely({ slope, slopeError }: Line): number {
  return slope - 2 * slopeError
}

export interface Growth {
  readonly memory: Line
  readonly mapped: Line
  readonly openFiles: Line
  readonly disk: Line
}

/** Lines through what was seen after the warm-up; slopes are per hour. Nothing for a run that is hardly longer. */
function growthOf(looks: readonly Usage[]): Growth | undefined {
  const warm = looks.filter(({ at }) => at >= WARM_UP_MS)
  if (warm.length * LOOK_EVERY_MS < WARM_UP_MS) return undefined
  const line = (of: (usage: Usage) => number): Line => {
    return fitLine(warm.map((usage) => ({ x: usage.at / MS_PER_HOUR, y: of(usage) })))
  }
  return {
    memory: line(({ memoryMiB }) => memoryMiB),
    mapped: line(({ mappedMiB }) => mappedMiB),
    openFiles: line(({ openFiles }) => openFiles),
    disk: line(({ diskMiB }) => diskMiB),
  }
}

function aliveLine(alive: readonly Alive[]): Line {
  const warm = alive.filter(({ at }) => at >= WARM_UP_MS)
  return fitLine(
    warm.map(({ at, heapMiB, externalMiB }) => ({ x: at / MS_PER_HOUR, y: heapMiB + externalMiB })),
  )
}

/** What is alive, each time that it was looked at, as Markdown. */
export function aliveTable(alive: readonly Alive[]): string {
  const hasLine = alive.filter(({ at }) => at >= WARM_UP_MS).length >= 3
  const { slope, slopeError } = hasLine ? aliveLine(alive) : { slope: 0, slopeError: 0 }
  return [
    '| minute | heap alive MiB | external MiB |',
    '| --- | --- | --- |',
    ...alive.map(({ at, heapMiB, externalMiB }) => {
      return `| ${(at / 60_000).toFixed(1)} | ${heapMiB.toFixed(1)} | ${externalMiB.toFixed(1)} |`
    }),
    ...(hasLine ? [`| growth per hour, both | ${slope.toFixed(1)} ± ${slopeError.toFixed(1)} | |`] : []),
  ].join('\n')
}

/** A few rows over the run, and the lines, as Markdown. */
export function usageTable(looks: readonly Usage[]): string {
  const ROWS = 8
  const step = Math.max(1, Math.floor(looks.length / ROWS))
  const rows = looks.filter((_, index) => index % step === 0 || index === looks.length - 1)
  const growth = growthOf(looks)
  const lines = growth === undefined ? [] : [growth.memory, growth.mapped, growth.openFiles, growth.disk]
  const slopes = lines.map(({ slope, slopeError }) => `${slope.toFixed(1)} ± ${slopeError.toFixed(1)}`)
  return [
    '| minute | memory MiB | mapped MiB | open files | disk MiB |',
    '| --- | --- | --- | --- | --- |',
    ...rows.map(({ at, memoryMiB, mappedMiB, openFiles: files, diskMiB }) => {
      const sizes = [memoryMiB.toFixed(0), mappedMiB.toFixed(0), files, diskMiB.toFixed(0)]
      return `| ${(at / 60_000).toFixed(1)} | ${sizes.join(' | ')} |`
    }),
    ...(growth === undefined ? [] : [`| growth per hour | ${slopes.join(' | ')} |`]),
  ].join('\n')
}
