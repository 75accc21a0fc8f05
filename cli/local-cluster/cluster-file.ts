/** What a cluster's directory is: its id, its number of brokers and its version, which stay as they are. */
import { randomBytes } from 'node:crypto'
import { mkdir, readdir, readFile, rename, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { DirectoryError } from '../errors.ts'

const FILE = 'cluster.json'
const ID_BYTES = 16

export interface ClusterFile {
  /** As Kafka writes UUIDs: 22 characters of base64url. */
  readonly clusterId: string
  readonly brokers: number
  readonly kafkaVersion: string
}

/** Reads it, or makes it in a directory that is empty or new. Throws a `DirectoryError` for any other. */
export async function openClusterDirectory(
  directory: string,
  wanted: { readonly brokers: number; readonly kafkaVersion: string },
): Promise<ClusterFile> {
  await mkdir(directory, { recursive: true })
  const found = await readClusterFile(directory)
  if (found === undefined) return writeClusterFile(directory, wanted)
  const { brokers, kafkaVersion } = found
  if (brokers === wanted.brokers && kafkaVersion === wanted.kafkaVersion) return found
  throw new DirectoryError(
    `${directory} belongs to a cluster of ${brokers} with Kafka ${kafkaVersion}, ` +
      `not of ${wanted.brokers} with Kafka ${wanted.kafkaVersion}. Ask for the same, or take another directory.`,
  )
}

async function readClusterFile(directory: string): Promise<ClusterFile | undefined> {
  const entries = await readdir(directory)
  if (entries.includes(FILE)) return parse(directory, await readFile(join(directory, FILE), 'utf8'))
  const others = entries.filter((entry) => entry !== `${FILE}.new`)
  if (others.length > 0) throw new DirectoryError(`${directory} is not empty, and holds no cluster`)
  return undefined
}

function parse(directory: string, text: string): ClusterFile {
  try {
    const { clusterId, brokers, kafkaVersion } = JSON.parse(text) as Partial<ClusterFile>
    if (typeof clusterId === 'string' && typeof brokers === 'number' && typeof kafkaVersion === 'string') {
      return { clusterId, brokers, kafkaVersion }
    }
  } catch {
    // Told below.
  }
  throw new DirectoryError(`${join(directory, FILE)} is damaged`)
}

async function writeClusterFile(
  directory: string,
  wanted: { readonly brokers: number; readonly kafkaVersion: string },
): Promise<ClusterFile> {
  const file = { clusterId: newId(), brokers: wanted.brokers, kafkaVersion: wanted.kafkaVersion }
  const path = join(directory, FILE)
  await writeFile(`${path}.new`, `${JSON.stringify(file)}\n`)
  await rename(`${path}.new`, path)
  return file
}

/** Not with a hyphen first: Kafka's tools would take it for a flag. */
function newId(): string {
  const id = randomBytes(ID_BYTES).toString('base64url')
  return id.startsWith('-') ? newId() : id
}
